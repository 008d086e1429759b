"""Self times of spans and their medians by stage."""

import math
import random
import statistics

import pytest

from otel_experiments.golden.timing.stage import SelfTime, compute_self_times, summarise_stage
from otel_experiments.model.span import Span
from otel_experiments.semconv import attributes


def make_span(span_id, start, end, *, parent=None, cpu=None, lane="main"):
    """One span of a trace, with lane and CPU time."""
    attrs = {attributes.ML_SPAN_LANE: lane}
    if cpu is not None:
        attrs[attributes.ML_SPAN_CPU_TIME] = cpu
    return Span("t", span_id, span_id, start, end, parent_span_id=parent, attributes=attrs)


def test_children_are_taken_out_of_their_parent():
    """Wall and CPU time of children in sequence are not their parent's own."""
    spans = [
        make_span("root", 0, 100, cpu=90),
        make_span("a", 10, 40, parent="root", cpu=25),
        make_span("b", 50, 90, parent="root", cpu=40),
        make_span("c", 60, 70, parent="b", cpu=10),
    ]

    assert compute_self_times(spans) == [
        SelfTime(30, 25),
        SelfTime(30, 25),
        SelfTime(30, 30),
        SelfTime(10, 10),
    ]


def test_parallel_children_cover_their_parent_once():
    """Children of other lanes that overlap cover the union of their times and keep their CPU time."""
    spans = [
        make_span("w2", 30, 70, parent="root", cpu=38, lane="pool-0.w1"),
        make_span("root", 0, 100, cpu=20),
        make_span("w1", 10, 50, parent="root", cpu=39, lane="pool-0.w0"),
    ]

    assert compute_self_times(spans) == [SelfTime(40, 38), SelfTime(40, 20), SelfTime(40, 39)]


def test_children_that_outlive_their_parent_count_inside_it_only():
    """A child that goes on after its parent, or is open, takes no more than the parent has."""
    spans = [
        make_span("root", 0, 100),
        make_span("late", 90, 150, parent="root"),
        make_span("open", 20, None, parent="root"),
        make_span("orphan", 0, 5, parent="gone"),
    ]

    assert compute_self_times(spans) == [
        SelfTime(90, None),
        SelfTime(60, None),
        SelfTime(0, None),
        SelfTime(5, None),
    ]


def test_a_span_that_ends_before_it_starts_has_no_time():
    """A clock that was set back gives 0, never a negative time."""
    assert compute_self_times([make_span("a", 100, 40)]) == [SelfTime(0, None)]


def test_random_trees_share_out_the_time_of_their_root():
    """In a tree of nested intervals of one lane all self times add up to the root's duration."""
    draw = random.Random(4)
    spans = [make_span("0", 0, 10_000, cpu=10_000)]

    def fill(parent, start, end, depth):
        at = start
        while depth and at < end:
            first = draw.randint(at, end)
            last = draw.randint(first, end)
            spans.append(make_span(str(len(spans)), first, last, parent=parent, cpu=last - first))
            fill(spans[-1].span_id, first, last, depth - 1)
            at = last + 1

    fill("0", 0, 10_000, 4)
    draw.shuffle(spans)
    times = compute_self_times(spans)

    assert len(spans) > 30
    assert sum(time.wall_ns for time in times) == 10_000
    assert sum(time.cpu_ns for time in times) == 10_000


def test_a_stage_is_its_medians():
    """Medians of wall and CPU time, the number of spans, and errors of the medians from their spread."""
    walls = [1e7, 1.1e7, 0.9e7, 1.05e7, 5e7]
    sample = summarise_stage(walls, [wall / 2 for wall in walls])

    assert (sample.count, sample.wall_ns, sample.cpu_ns) == (5, 1.05e7, 0.525e7)
    assert 0 < sample.wall_error < 0.1


def test_the_error_of_the_median_is_that_of_normal_noise():
    """For 400 spans with 10 % noise the error is close to 0.1 sqrt(pi / 2) / 20."""
    draw = random.Random(1)
    sample = summarise_stage([5e7 * math.exp(draw.gauss(0, 0.1)) for _ in range(400)])

    assert sample.wall_error == pytest.approx(0.1 * math.sqrt(math.pi / 2) / 20, rel=0.15)


def test_cpu_time_of_some_spans_only_is_no_cpu_time():
    """A stage of which one span lacks CPU time has none, and three spans tell no spread."""
    sample = summarise_stage([1e6, 2e6, 3e6], [1e6, None, 3e6])

    assert (sample.cpu_ns, sample.wall_error) == (None, 0.0)
    with pytest.raises(ValueError, match="without spans"):
        summarise_stage([])


@pytest.mark.parametrize("kind", ["normal", "two kinds", "long tail"])
def test_the_error_of_a_quantile_is_its_spread_from_run_to_run(kind):
    """Whatever the spans' distribution, the error given is that with which a quantile varies over 400 runs, or more."""
    draw = random.Random(5)

    def span():
        if kind == "two kinds":
            return draw.choice([5e6, 60e6]) * math.exp(draw.gauss(0, 0.03))
        return 20e6 * math.exp(draw.gauss(0, 0.2) if kind == "normal" else draw.expovariate(1.5))

    samples = [summarise_stage([span() for _ in range(48)]) for _ in range(400)]

    for sample in samples:
        assert sample.lower.wall_ns <= sample.wall_ns <= sample.upper.wall_ns
        assert (sample.at(0.25), sample.at(0.5), sample.at(0.75)) == (sample.lower, sample, sample.upper)
    for quantile in (0.25, 0.5, 0.75):
        logs = [math.log(5e5 + sample.at(quantile).wall_ns) for sample in samples]
        told = statistics.median(sample.at(quantile).wall_error for sample in samples)
        assert 0.75 < told / statistics.stdev(logs) < 1.6


def test_few_spans_have_no_quartiles():
    """Seven spans tell no spread around a quartile."""
    assert summarise_stage([1e6] * 7).upper is None
    assert summarise_stage([1e6] * 8).at(0.25).wall_ns == 1e6
