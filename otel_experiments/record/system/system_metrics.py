"""System and process metrics of a process's runs: sampled once for all of them, off the training thread.

The pipeline's ticker calls `tick`; psutil is imported there, when the first sample is due. A sample goes into
the journal as data points of instruments and, where OTLP is on, to OTLP at the next metric collection. Nothing
here draws a random number, starts a process or raises.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from otel_experiments.codec.from_sdk import resource_from_sdk
from otel_experiments.journal.encode import encode_instrument_points
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.span import Scope
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.notice import tell
from otel_experiments.record.base.scope import stored_scope
from otel_experiments.record.system.measurement import Measurement

if TYPE_CHECKING:
    from otel_experiments.record.base.ports import PipelinePort, RunPort

logger: Final = logging.getLogger("otel_experiments")

FIRST_SAMPLE_S: Final = 0.5
"""How soon after its start a run gets its first sample; a run that is over before gets none."""
CUMULATIVE: Final = 2
"""AggregationTemporality of metrics.proto."""


class Source(Protocol):
    """What can be read: the process, the host, the GPUs."""

    def read(self) -> Iterator[Measurement]:
        """Yield the readings of now."""
        ...


def default_sources() -> list[Source]:
    """Return the sources of this process; imports psutil."""
    from otel_experiments.record.system.host import HostSource, ProcessSource  # noqa: PLC0415 - psutil, when needed
    from otel_experiments.record.system.nvidia import NvidiaSource  # noqa: PLC0415 - as above

    return [ProcessSource(), HostSource(), NvidiaSource()]


class SystemMetrics:
    """Samples for the runs of one pipeline, every `interval_s` seconds.

    Attributes:
        look_s: how often `tick` is to be called, in seconds.
    """

    def __init__(self, pipeline: PipelinePort, *, interval_s: float) -> None:
        self.look_s = min(FIRST_SAMPLE_S, interval_s)
        self._pipeline = pipeline
        self._interval_s = interval_s
        self._sources: list[Source] | None = None
        self._scope = Scope()
        self._sampled: set[str] = set()
        self._ended: weakref.WeakSet[RunPort] = weakref.WeakSet()
        """The runs that are still active though their last sample is taken."""
        self._next_s = 0.0
        self._lock = threading.RLock()

    def tick(self, runs: Sequence[RunPort]) -> None:
        """Sample if it is time: for all `runs`, or between two times for those that have no sample yet."""
        now_s = time.monotonic()
        with self._lock:
            runs = [run for run in runs if run not in self._ended]
            if now_s >= self._next_s:
                self._next_s = now_s + self._interval_s
                self._sampled = {run.id for run in runs}
            else:
                runs = [run for run in runs if run.id not in self._sampled]
                self._sampled.update(run.id for run in runs)
            if runs:
                self._record(runs)

    def sample_last(self, run: RunPort) -> None:
        """Sample for a run that is about to end, unless it has no sample at all or the ticker is at it."""
        if run.id not in self._sampled:
            return
        try:
            if self._lock.acquire(timeout=0.1):
                self._sampled.discard(run.id)
                self._ended.add(run)
                self._record([run])
        finally:
            try:  # noqa: SIM105 - nothing is called before the lock is released
                self._lock.release()
            except RuntimeError:  # the ticker has it
                pass

    def _sample(self) -> list[InstrumentPoint]:
        """Return the data points of now, of no run yet."""
        if self._sources is None:
            self._scope = stored_scope()
            self._sources = default_sources()
        now_ns = time.time_ns()
        points: list[InstrumentPoint] = []
        for source in self._sources:
            try:
                for reading in source.read():
                    points.append(_point(reading, now_ns, self._scope))  # noqa: PERF401 - keeps what came before an error
            except Exception as error:  # what a platform does not tell is left out
                if is_interruption(error):
                    raise
                tell(logger, "%s cannot be read: %r", type(source).__name__, error, level=logging.DEBUG)
        return points

    def _record(self, runs: Sequence[RunPort]) -> None:
        sampled = self._sample()
        references = self._pipeline.references
        scope = references.scope(self._scope, lambda: self._scope)
        for run in runs:
            sdk_resource = run.providers.resource
            resource = references.resource(sdk_resource, lambda r=sdk_resource: resource_from_sdk(r))  # type: ignore[misc] # mypy cannot infer a default
            points = [replace(point, run_id=run.id, resource=resource.value) for point in sampled]
            count = len(points)
            self._pipeline.journal.append(
                encode_instrument_points(points, [resource.number] * count, [scope.number] * count),
                [resource.declaration, scope.declaration],
            )


def _point(reading: Measurement, now_ns: int, scope: Scope) -> InstrumentPoint:
    definition = reading.definition
    is_sum = definition.instrument in {"counter", "updowncounter"}
    return InstrumentPoint(
        name=definition.name,
        kind="sum" if is_sum else "gauge",
        time_ns=now_ns,
        start_ns=reading.since_ns if is_sum else 0,
        unit=definition.unit,
        description=definition.brief,
        value=reading.value,
        is_monotonic=definition.instrument == "counter",
        temporality=CUMULATIVE if is_sum else 0,
        attributes=dict(reading.attributes),
        scope=scope,
    )
