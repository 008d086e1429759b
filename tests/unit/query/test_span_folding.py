"""Repeated siblings of a span tree fold into one line with their count and quantiles."""

import pytest

from otel_experiments.model.span import Span, StatusCode
from otel_experiments.model.tree import build_forest
from otel_experiments.query.fold import fold

TRACE = "ab" * 16


def span(number, name, parent=None, start=0, duration=10, status=StatusCode.UNSET):
    """Return a span; `duration` None leaves it open."""
    return Span(
        trace_id=TRACE,
        span_id=f"{number:016x}",
        name=name,
        start_ns=start,
        end_ns=None if duration is None else start + duration,
        parent_span_id=None if parent is None else f"{parent:016x}",
        status=status,
    )


def shape(nodes):
    """Return names and counts, nested."""
    return [(node.name, node.count, shape(node.children)) for node in nodes]


def test_many_siblings_of_one_name_become_one_node_with_quantiles():
    """A thousand steps are one node that knows their count, median and 95th percentile."""
    spans = [span(1, "run", duration=10_000)]
    spans += [span(i, "step", 1, start=i, duration=i - 1) for i in range(2, 1003)]

    (root,) = fold(build_forest(spans))

    assert shape([root]) == [("run", 1, [("step", 1001, [])])]
    (steps,) = root.children
    assert (steps.quantile_ns(0.0), steps.quantile_ns(0.5), steps.quantile_ns(0.95)) == (1, 501, 951)
    assert steps.quantile_ns(1.0) == 1001
    assert steps.total_ns == sum(range(1, 1002))


def test_few_siblings_stay_apart_and_keep_their_order():
    """Up to three siblings of a name are shown one by one, where they stood."""
    spans = [span(1, "run")]
    spans += [
        span(i, name, 1, start=i)
        for i, name in enumerate(["load", "epoch", "eval", "epoch", "epoch", "save"], 2)
    ]

    assert shape(fold(build_forest(spans))) == [
        ("run", 1, [("load", 1, []), ("epoch", 1, []), ("eval", 1, []), ("epoch", 1, []), ("epoch", 1, []), ("save", 1, [])])
    ]  # fmt: skip


def test_children_of_folded_siblings_are_folded_together():
    """Ten epochs of ten steps are one epoch line over one line of a hundred steps."""
    spans = [span(1, "run")]
    for epoch in range(10):
        at = 100 + epoch * 20
        spans.append(span(at, "epoch", 1, start=at))
        spans += [span(at + i, "step", at, start=at + i) for i in range(1, 11)]
        spans.append(span(at + 11, "evaluate", at, start=at + 11))

    assert shape(fold(build_forest(spans))) == [
        ("run", 1, [("epoch", 10, [("step", 100, []), ("evaluate", 10, [])])])
    ]


def test_open_and_failed_spans_are_counted():
    """A folded line tells how many of its spans failed and how many never ended."""
    spans = [span(i, "step", start=i) for i in range(1, 5)]
    spans += [span(5, "step", start=5, status=StatusCode.ERROR), span(6, "step", start=6, duration=None)]

    (steps,) = fold(build_forest(spans))

    assert (steps.count, steps.error_count, steps.open_count) == (6, 1, 1)
    assert steps.durations_ns == [10] * 5


def test_a_node_without_an_ended_span_has_no_quantile():
    """Only open spans: there is no duration to speak of."""
    (node,) = fold(build_forest([span(1, "run", duration=None)]))

    assert node.quantile_ns(0.5) is None


def test_a_trace_of_any_depth_is_folded():
    """Ten thousand spans one inside the other neither recurse nor fail."""
    spans = [span(i, "deep", i - 1 if i > 1 else None, start=i) for i in range(1, 10_001)]

    depth, nodes = 0, fold(build_forest(spans))
    while nodes:
        depth, nodes = depth + 1, nodes[0].children

    assert depth == 10_000


@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.5, 0.95, 1.0])
def test_quantiles_agree_with_numpy(ratio):
    """Quantiles are interpolated as NumPy does it."""
    np = pytest.importorskip("numpy")
    durations = [3, 1, 4, 1, 5, 9, 2, 6]
    (node,) = fold(build_forest([span(i, "s", start=i, duration=d) for i, d in enumerate(durations, 1)]))

    assert node.quantile_ns(ratio) == pytest.approx(np.quantile(durations, ratio))
