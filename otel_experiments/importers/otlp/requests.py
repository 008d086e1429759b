"""From the requests that a batch received to what a store takes. The order in which they come does not matter."""

from __future__ import annotations

import logging
from dataclasses import fields
from pathlib import Path
from typing import Final

from otel_experiments.errors import MappingFileError
from otel_experiments.importers.otlp.emitters import Emitters
from otel_experiments.importers.otlp.logs import add_logs
from otel_experiments.importers.otlp.metrics import add_metrics
from otel_experiments.importers.otlp.origin import Origins
from otel_experiments.importers.otlp.spans import add_spans
from otel_experiments.model.batch import Heartbeat, WriteBatch
from otel_experiments.model.received import ReceivedRequest
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.notice import tell

logger: Final = logging.getLogger("otel_experiments")
_ADD: Final = {"traces": add_spans, "logs": add_logs, "metrics": add_metrics}
_told_steps: Final[set[str]] = set()
_FILLED: Final = tuple(
    field.name for field in fields(WriteBatch) if field.name not in {"received", "journal"}
)


def unpack_requests(batch: WriteBatch, store: Path | None) -> list[str]:
    """Put what the batch received into its other fields; return what could not be read, one text a request."""
    received, batch.received = batch.received, []
    emitters = _emitters(store)
    problems = []
    for request in received:
        try:
            part, problem = _unpacked(request, emitters)
        except MemoryError:  # whoever merges tries again with less
            batch.received = received
            raise
        except Exception as error:
            if is_interruption(error):
                raise
            problems.append(f"{_shown(request)} that cannot be read ({type(error).__name__}: {error})")
            continue
        if problem:
            problems.append(problem)
        for name in _FILLED:
            getattr(batch, name).extend(getattr(part, name))
    batch.heartbeats = _latest(batch.heartbeats)
    _tell_steps(emitters)
    return problems


def _unpacked(request: ReceivedRequest, emitters: Emitters) -> tuple[WriteBatch, str]:
    """Return what a request holds, and which of its items say something of their runs that cannot be read."""
    part = WriteBatch()
    origins = Origins(emitters, request)
    _ADD[request.signal](part, request, origins)
    origins.add_runs(part)
    count = origins.problem_count
    if not count:
        return part, ""
    which = "1 item says" if count == 1 else f"{count} items say"
    said = f"what {which} of a run cannot be read, the items themselves are stored"
    return part, f"{_shown(request)}: {said} (the first is {origins.first_problem})"


def _shown(request: ReceivedRequest) -> str:
    return f"a request over OTLP ({request.signal}, {request.encoding}, {len(request.payload):,} bytes)"


def _tell_steps(emitters: Emitters) -> None:
    """Say once a process of each attribute that it came with something that is no step."""
    for key, shown in emitters.refused_steps.items():
        if key not in _told_steps:
            _told_steps.add(key)
            tell(
                logger,
                "The attribute %s of a data point over OTLP is %s. A step is a finite number, so this is none.",
                key,
                shown,
            )


def _emitters(store: Path | None) -> Emitters:
    try:
        return Emitters.of_store(store)
    except MappingFileError as error:
        tell(logger, "What came over OTLP is stored without the mapping beside the store: %s", error)
        return Emitters.of_store(None)


def _latest(beats: list[Heartbeat]) -> list[Heartbeat]:
    """Return the last sign of life of each run: a batch may hold thousands of requests."""
    found: dict[str, Heartbeat] = {}
    for beat in beats:
        known = found.get(beat.run_id)
        if known is None or beat.time_ns > known.time_ns:
            found[beat.run_id] = beat
    return list(found.values())
