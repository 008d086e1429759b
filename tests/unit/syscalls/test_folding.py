"""Which span a system call belongs to, and what the folded spans say."""

import pytest

from otel_experiments.model.span import Scope, Span
from otel_experiments.semconv import attributes as attr
from otel_experiments.syscalls import SyscallRecord, fold_calls

SCOPE = Scope("otel_experiments.syscall")


def span(name, start, end, *, tid=1, parent=None, number=None):
    """Return a span of a thread; times are plain numbers."""
    return Span(
        trace_id="a" * 32,
        span_id=f"{number or abs(hash(name)) % 2**60:016x}",
        name=name,
        start_ns=start,
        end_ns=end,
        parent_span_id=parent,
        attributes={attr.THREAD_ID: tid, attr.ML_SPAN_LANE: "main"},
        run_id="a" * 32,
    )


def counts(folded, spans):
    """Return calls as {(name of the span, name of the call): count}."""
    names = {one.span_id: one.name for one in spans}
    return {
        (names[one.parent_span_id], one.attributes[attr.ML_SYSCALL_NAME]): one.attributes[
            attr.ML_SYSCALL_COUNT
        ]
        for one in folded.spans
    }


def test_a_call_belongs_to_the_innermost_span_of_its_thread():
    """Nested spans, another thread at the same time, and a time without a span are told apart."""
    spans = [
        span("run", 10, 100, number=1),
        span("step", 20, 40, number=2),
        span("loader", 15, 90, tid=2, number=3),
    ]
    calls = [
        SyscallRecord(1, "read", 5, 1, 8),
        SyscallRecord(1, "read", 12, 1, 8),
        SyscallRecord(1, "write", 25, 1, 8),
        SyscallRecord(1, "write", 39, 1, 8),
        SyscallRecord(1, "write", 41, 1, 8),
        SyscallRecord(2, "write", 25, 1, 8),
        SyscallRecord(3, "write", 25, 1, 8),
    ]

    folded = fold_calls(spans, calls, scope=SCOPE)

    assert counts(folded, spans) == {
        ("run", "read"): 1,
        ("step", "write"): 2,
        ("run", "write"): 1,
        ("loader", "write"): 1,
    }
    assert (folded.counted, folded.outside_count) == (5, 2)


def test_a_folded_span_adds_up_its_calls():
    """Count, errors, bytes and time are sums; the span reaches from the first call to the last."""
    parent = span("step", 10, 1000, number=2)
    calls = [
        SyscallRecord(1, "write", 20, 5, 100),
        SyscallRecord(1, "write", 50, 7, -1, "EAGAIN"),
        SyscallRecord(1, "write", 90, 3, 50),
    ]

    (one,) = fold_calls([parent], calls, scope=SCOPE).spans

    assert (one.name, one.start_ns, one.end_ns, one.parent_span_id, one.run_id) == (
        "syscall write", 20, 93, parent.span_id, parent.run_id,
    )  # fmt: skip
    found = {
        key: one.attributes[key]
        for key in (
            attr.ML_SYSCALL_COUNT,
            attr.ML_SYSCALL_BYTES,
            attr.ML_SYSCALL_ERROR_COUNT,
            attr.ML_SYSCALL_DURATION,
        )
    }
    assert list(found.values()) == [3, 150, 1, 15]


def test_folding_again_gives_the_same_spans():
    """Ids are derived, so that storing a recording twice doubles nothing; folded spans take no calls themselves."""
    spans = [span("run", 0, 100, number=1)]
    calls = [SyscallRecord(1, "read", 10, 1, 4)]

    first = fold_calls(spans, calls, scope=SCOPE)
    second = fold_calls([*spans, *first.spans], calls, scope=SCOPE)

    assert second.spans == first.spans


@pytest.mark.parametrize("seed", range(5))
def test_spans_of_tasks_that_do_not_nest_take_their_calls(seed):
    """Where tasks share a thread, a span that has ended takes no call, however the spans overlap."""
    spans = [span("a", 10, 50, number=1), span("b", 20, 30 + seed, number=2), span("c", 25, 80, number=3)]
    calls = [SyscallRecord(1, "read", 60, 1, 1), SyscallRecord(1, "read", 85, 1, 1)]

    folded = fold_calls(spans, calls, scope=SCOPE)

    assert counts(folded, spans) == {("c", "read"): 1}
    assert folded.outside_count == 1
