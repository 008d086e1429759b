"""Recorded system calls, put under the spans of the runs that the same command recorded."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from otel_experiments.collect.gather import merge_journals
from otel_experiments.golden.score.experiment_span import SpanType
from otel_experiments.golden.score.literal import SystemCall
from otel_experiments.importers.otlp import unpack_for
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.run import Run
from otel_experiments.model.search import RunQuery, SpanQuery
from otel_experiments.model.span import Scope, Span
from otel_experiments.model.span_index import label_of
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.semconv import SCHEMA_URL
from otel_experiments.store import open_store
from otel_experiments.syscalls import Trace, fold_calls, parse_strace


@dataclass(frozen=True, slots=True)
class SyscallCapture:
    """What became of a recording: the spans that were stored, and what found no span.

    `counted` calls are in the spans, `outside_count` were made where no span was open; `total` is all of them.
    """

    runs: tuple[Run, ...] = ()
    spans: tuple[Span, ...] = ()
    total: int = 0
    counted: int = 0
    outside_count: int = 0
    thread_count: int = 0
    _parents: Mapping[str, Span] = field(default_factory=dict)

    def path_of(self, span: Span) -> str:
        """Return the names of the spans above a folded one, outermost first, with their indices."""
        names: list[str] = []
        above = self._parents.get(span.parent_span_id or "")
        while above is not None and len(names) < 50:
            names.append(label_of(above))
            above = self._parents.get(above.parent_span_id or "")
        return "/".join(reversed(names))


def store_syscalls(recording: Path, location: str | os.PathLike[str] | StoreLocation) -> SyscallCapture:
    """Store the calls of a recording as spans of the runs that its processes recorded into the store.

    A run belongs to the recording when one of the recorded threads drove it while the recording went on. Storing
    the same recording again changes nothing.

    Raises:
        StoreError: the store cannot be read or written.
    """
    trace = read_recording(recording)
    where = location if isinstance(location, StoreLocation) else StoreLocation.parse(location)
    if where.path is None or not where.path.exists():
        return SyscallCapture(total=len(trace.calls), thread_count=len(trace.threads))
    merge_journals(where.path, unpack=unpack_for(where.path))
    with open_store(where) as store:
        runs = tuple(_runs_of(trace, store.find_runs(RunQuery())))
        spans = [span for run in runs for span in store.spans(SpanQuery(run_id=run.run_id))]
        scope = Scope(name=SpanType.SYSCALL.scope_name, schema_url=SCHEMA_URL)
        folded = fold_calls(spans, trace.calls, scope=scope)
        if folded.spans:
            store.apply(WriteBatch(spans=list(folded.spans)))
    return SyscallCapture(
        runs=runs,
        spans=folded.spans,
        total=len(trace.calls),
        counted=folded.counted,
        outside_count=folded.outside_count,
        thread_count=len(trace.threads),
        _parents={span.span_id: span for span in spans},
    )


def read_recording(path: str | os.PathLike[str]) -> Trace:
    """Return what strace wrote into a file.

    Raises:
        OSError: the file cannot be read.
    """
    with Path(path).open(encoding="utf-8", errors="replace") as lines:
        return parse_strace(lines)


def read_system_calls(path: str | os.PathLike[str]) -> list[SystemCall]:
    """Return the calls of a recording as the seed's score takes them, in the order of their start.

    A call without a result counts as 0, one with an error as -1.

    Raises:
        OSError: the file cannot be read.
    """
    return [
        SystemCall(call.name, -1 if call.is_error else call.result or 0, call.duration_ns)
        for call in read_recording(path).calls
    ]


def _runs_of(trace: Trace, runs: Sequence[Run]) -> list[Run]:
    if not trace.calls:
        return []
    first_ns = trace.calls[0].start_ns
    threads = trace.threads
    return [
        run
        for run in runs
        if run.owner is not None and run.owner.pid in threads and run.created_ns >= first_ns
    ]
