"""How much work a comparison is, counted in calls, so that no clock decides."""

import sys

import pytest

from otel_experiments.golden.baseline import make_golden
from otel_experiments.golden.canonical.trace import CapturedRun
from otel_experiments.golden.comparison import compare
from otel_experiments.golden.file import read_golden, write_golden
from otel_experiments.golden.file.write import text_digest
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


def loop(turns, *, first=0, step=lambda at: {}):
    """Return a run whose root has a loop of epochs, each with a step."""
    spans = []

    def add(name, parent, start, length, **attributes):
        spans.append(
            Span(
                trace_id=TRACE,
                span_id=f"{len(spans) + 1:016x}",
                parent_span_id=parent,
                name=name,
                start_ns=start,
                end_ns=start + length,
                attributes={"ml.span.lane": "main"} | attributes,
            )
        )
        return spans[-1].span_id

    root = add("run", None, 0, 10**12)
    for at in range(turns):
        epoch = add("epoch", root, 1000 * at + 1, 900, epoch=first + at)
        add("step", epoch, 1000 * at + 10, 100, **step(at))
    return CapturedRun(name="loop", spans=spans)


def long_golden(turns):
    """Return the golden of a loop of so many epochs, as it is read from its file of a few lines."""
    text = write_golden(make_golden([loop(3)], name="loop"))
    body, _ = text.replace("epoch x3 [epoch=0..2]", f"epoch x{turns} [epoch=0..{turns - 1}]").rsplit(
        "end ", 1
    )
    return read_golden(f"{body}end {1 + 2 * turns} spans 3 templates full={text_digest(body)}\n")


def test_a_long_loop_in_a_golden_is_compared_by_arithmetic():
    """A golden of ten lines may say `epoch x3000000`: comparing it with three epochs is no more work for that."""
    candidate = loop(3)

    def work(turns):
        golden = long_golden(turns)
        return calls_of(lambda: compare(golden, [candidate]))

    (finding,) = compare(long_golden(3_000_000), [candidate]).findings

    assert (finding.code, finding.path, finding.golden, finding.candidate) == (
        "count",
        "run/epoch",
        "3000000",
        "3",
    )
    assert finding.detail == "2999997 missing at epoch=3"
    assert work(2_000_000) < 1.2 * work(500_000)


@pytest.mark.parametrize("is_golden_long", [True, False], ids=["turns are missing", "turns are new"])
@pytest.mark.parametrize(
    ("turns", "first", "codes"),
    [
        (500, 0, {"count"}),
        (500, 19_500, {"count"}),
        (500, 7_000, {"count"}),
        (5_000, 0, {"count"}),
        (0, 0, {"removed", "added"}),
    ],
    ids=["the first turns", "the last turns", "turns between", "a quarter", "no turn"],
)
def test_what_is_left_of_a_long_loop_is_recognised(turns, first, codes, is_golden_long):
    """Of 20,000 turns those that the other side has are found by their index, wherever they are; the rest is counted."""
    long, short = loop(20_000), loop(turns, first=first)
    golden, candidate = (long, short) if is_golden_long else (short, long)

    findings = compare(make_golden([golden], name="loop"), [candidate]).findings

    failing = [finding for finding in findings if finding.severity == "fail"]
    assert {finding.code for finding in failing} <= codes
    (epochs,) = [finding for finding in failing if finding.path == "run/epoch"]
    assert epochs.count == 20_000 - turns


def test_a_change_in_a_turn_that_both_have_is_found_beside_a_long_rest():
    """A step that differs in one of the common turns is named, though 19,500 turns went with it."""
    golden = make_golden([loop(20_000)], name="loop")
    candidate = loop(500, step=lambda at: {"lr": 0.1} if at == 123 else {})

    findings = compare(golden, [candidate]).findings

    assert {
        (finding.code, finding.path, finding.key) for finding in findings if finding.severity == "fail"
    } == {
        ("count", "run/epoch", ""),
        ("attr-added", "run/epoch/step", "lr"),
    }
