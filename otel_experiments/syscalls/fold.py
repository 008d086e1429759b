"""System calls as spans: one for each name of call below the span that was innermost in the thread at the time.

Pure. A call belongs to the innermost span that was open in its thread when it started; calls of threads and times
without a span are counted and belong to none, the recorder's own thread among them.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from otel_experiments.model.span import AttributeValue, Scope, Span
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv import values
from otel_experiments.syscalls.parse import SyscallRecord

MOVES_BYTES: Final = frozenset(
    {
        "read", "write", "pread64", "pwrite64", "readv", "writev", "preadv", "pwritev", "preadv2", "pwritev2",
        "sendto", "recvfrom", "sendmsg", "recvmsg", "sendfile", "splice", "copy_file_range", "getrandom",
    }
)  # fmt: skip
"""Calls whose result is a number of bytes."""

_FIRST_SEQUENCE: Final = 1 << 40
"""Folded calls come after the spans that the program opened itself, in the order of their names."""


@dataclass(frozen=True, slots=True)
class Folded:
    """The spans made of calls, and what became of the calls.

    `counted` is how many calls are in the spans, `outside_count` how many were made where no span was open.
    """

    spans: tuple[Span, ...] = ()
    counted: int = 0
    outside_count: int = 0


@dataclass(slots=True)
class _Sum:
    parent: Span
    start_ns: int
    end_ns: int = 0
    count: int = 0
    error_count: int = 0
    moved_bytes: int = 0
    duration_ns: int = 0


@dataclass(slots=True)
class _Thread:
    calls: list[SyscallRecord] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)


def fold_calls(spans: Iterable[Span], calls: Iterable[SyscallRecord], *, scope: Scope) -> Folded:
    """Return one span for each pair of parent span and name of call.

    Spans say by `thread.id` in which thread they were open; those without it get no calls. The same spans and
    calls give the same spans, ids included, so that storing them twice changes nothing.
    """
    threads: dict[int, _Thread] = defaultdict(_Thread)
    for span in spans:
        tid = span.attributes.get(attr.THREAD_ID)
        if (
            isinstance(tid, int)
            and span.attributes.get(attr.ML_OPERATION_NAME) != values.MlOperationName.SYSCALL
        ):
            threads[tid].spans.append(span)
    for call in calls:
        threads[call.tid].calls.append(call)
    sums: dict[tuple[str, str, str], _Sum] = {}
    outside = 0
    for thread in threads.values():
        outside += _assign(thread, sums)
    folded = [
        _as_span(name, total, _FIRST_SEQUENCE + number, scope)
        for number, ((_, _, name), total) in enumerate(sorted(sums.items()))
    ]
    return Folded(tuple(folded), sum(total.count for total in sums.values()), outside)


def _assign(thread: _Thread, sums: dict[tuple[str, str, str], _Sum]) -> int:
    """Add the calls of a thread to the sums of their spans; returns how many found none."""
    spans = sorted(thread.spans, key=lambda span: (span.start_ns, -(span.end_ns or 1 << 63)))
    opened: list[Span] = []
    outside = upcoming = 0
    for call in sorted(thread.calls, key=lambda call: call.start_ns):
        while upcoming < len(spans) and spans[upcoming].start_ns <= call.start_ns:
            opened.append(spans[upcoming])
            upcoming += 1
        # Spans of tasks that share a thread need not nest, so an ended one may lie below an open one.
        opened = [span for span in opened if span.end_ns is None or span.end_ns > call.start_ns]
        if not opened:
            outside += 1
            continue
        parent = opened[-1]
        total = sums.setdefault(
            (parent.trace_id, parent.span_id, call.name), _Sum(parent, call.start_ns, call.start_ns)
        )
        total.end_ns = max(total.end_ns, call.end_ns)
        total.count += 1
        total.error_count += call.is_error
        total.duration_ns += call.duration_ns
        if call.name in MOVES_BYTES and call.result is not None and call.result > 0:
            total.moved_bytes += call.result
    return outside


def _as_span(name: str, total: _Sum, sequence: int, scope: Scope) -> Span:
    parent = total.parent
    attributes: dict[str, AttributeValue] = {
        attr.ML_OPERATION_NAME: values.MlOperationName.SYSCALL,
        attr.ML_SYSCALL_NAME: name,
        attr.ML_SYSCALL_COUNT: total.count,
        attr.ML_SYSCALL_DURATION: total.duration_ns,
        attr.ML_SPAN_SEQUENCE: sequence,
    }
    if name in MOVES_BYTES:
        attributes[attr.ML_SYSCALL_BYTES] = total.moved_bytes
    if total.error_count:
        attributes[attr.ML_SYSCALL_ERROR_COUNT] = total.error_count
    lane = parent.attributes.get(attr.ML_SPAN_LANE)
    if lane is not None:
        attributes[attr.ML_SPAN_LANE] = lane
    digest = hashlib.blake2b(f"{parent.trace_id}{parent.span_id}{name}".encode(), digest_size=8)
    end_ns = total.end_ns if parent.end_ns is None else min(total.end_ns, parent.end_ns)
    return Span(
        trace_id=parent.trace_id,
        span_id=digest.hexdigest(),
        name=f"{values.MlOperationName.SYSCALL.value} {name}",
        start_ns=total.start_ns,
        end_ns=end_ns,
        parent_span_id=parent.span_id,
        attributes=attributes,
        resource=parent.resource,
        scope=scope,
        run_id=parent.run_id,
    )


def busiest(spans: Sequence[Span], key: str, *, limit: int = 10) -> list[tuple[Span, int]]:
    """Return the folded spans with the largest number under an attribute, such as `ml.syscall.bytes`."""
    found = [(span, value) for span in spans if isinstance(value := span.attributes.get(key), int)]
    return sorted(found, key=lambda pair: -pair[1])[:limit]
