"""How much work a comparison is, counted in calls, so that no clock decides."""

import sys

import pytest

from otel_experiments.golden.compare import compare
from otel_experiments.golden.golden import make_golden
from otel_experiments.golden.trace import CapturedRun
from otel_experiments.model.span import Span

TRACE = "a" * 32


def siblings(prefix, count, *, below=0, lanes=1, index=False):
    """Return a run whose root has so many children, each of a name of its own."""
    spans = []

    def add(name, parent, start, length, lane, **attributes):
        spans.append(
            Span(
                trace_id=TRACE,
                span_id=f"{len(spans) + 1:016x}",
                parent_span_id=parent,
                name=name,
                start_ns=start,
                end_ns=start + length,
                attributes={"ml.span.lane": lane} | attributes,
            )
        )
        return spans[-1].span_id

    root = add("run", None, 0, 10**12, "main")
    for at in range(count):
        lane = f"worker-{at % lanes}" if lanes > 1 else "main"
        more = {"epoch": at} if index else {}
        child = add(f"{prefix}{at}", root, 1000 * at + 1, 900, lane, **more)
        for number in range(below):
            add(f"part{number}", child, 1000 * at + 10 * number + 2, 5, lane)
    return CapturedRun(name=prefix, spans=spans)


def calls_of(function):
    """Return how many Python and C functions are called."""
    count = 0

    def note(frame, event, argument):
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "shape",
    [{}, {"below": 2}, {"lanes": 4}, {"lanes": 4, "below": 1}, {"index": True}],
    ids=["leaves", "with children", "in four lanes", "in lanes, with children", "with an index"],
)
def test_twice_as_many_renamed_siblings_are_twice_the_work(shape):
    """Where every child of a parent has another name, the work grows with their number and not with its square."""

    def work(count):
        golden = make_golden([siblings("alpha", count, **shape)], name="siblings")
        candidate = siblings("beta", count, **shape)
        return calls_of(lambda: compare(golden, [candidate]))

    small, large = work(400), work(1600)

    assert large < 4 * 1.5 * small
