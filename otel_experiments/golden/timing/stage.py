"""Self times of spans, and their medians by stage: what `compare.py` compares.

Self time is a span's own: its duration without what its children cover, its CPU time without theirs. It is
what changes when a stage's code changes, while durations change for every ancestor too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from otel_experiments.analysis.statistics import percentile_of_sorted
from otel_experiments.golden.timing.model import StageSample
from otel_experiments.model.span import Span
from otel_experiments.semconv import attributes

_FLOOR_NS: Final = 500_000.0
"""As the timing rule: the spread of a logarithm is taken with this added to every time."""
_QUARTILES_FROM: Final = 8
"""So many spans have quartiles with a spread around them."""
_SPREAD_FROM: Final = 4
"""Three spans do not say how spans spread."""


@dataclass(frozen=True, slots=True)
class SelfTime:
    """A span's own time in nanoseconds; `cpu_ns` is None where its CPU time was not recorded."""

    wall_ns: int
    cpu_ns: int | None


def compute_self_times(spans: Sequence[Span]) -> list[SelfTime]:
    """Return the self time of each span, in the order given; an open span has 0.

    Wall time: the span's duration minus the union of its children's intervals, whatever lane they ran in.
    CPU time: the span's own minus that of the children in its lane; other lanes count their own.
    Ends before starts (clocks that were set back) count as no time. O(n log n).
    """
    positions = {(span.trace_id, span.span_id): index for index, span in enumerate(spans)}
    starts = [span.start_ns for span in spans]
    ends = [span.end_ns if span.end_ns is not None else span.start_ns for span in spans]
    cpu = [_read_cpu(span) for span in spans]
    lanes = [span.attributes.get(attributes.ML_SPAN_LANE) for span in spans]
    covered = [0] * len(spans)
    covered_until = list(starts)
    child_cpu = [0] * len(spans)
    for index in sorted(range(len(spans)), key=starts.__getitem__):
        span = spans[index]
        if span.parent_span_id is None:
            continue
        parent = positions.get((span.trace_id, span.parent_span_id))
        if parent is None or parent == index:
            continue
        first, last = max(starts[index], covered_until[parent]), min(ends[index], ends[parent])
        if last > first:
            covered[parent] += last - first
            covered_until[parent] = last
        own = cpu[index]
        if own is not None and lanes[index] == lanes[parent]:
            child_cpu[parent] += own
    return [
        SelfTime(
            max(0, ends[index] - starts[index] - covered[index]),
            None if own is None else max(0, own - child_cpu[index]),
        )
        for index, own in enumerate(cpu)
    ]


def _read_cpu(span: Span) -> int | None:
    value = span.attributes.get(attributes.ML_SPAN_CPU_TIME)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def summarise_stage(wall_ns: Sequence[float], cpu_ns: Sequence[float | None] = ()) -> StageSample:
    """Return one run's sample of a stage from the self times of its spans in that run.

    Shape: `wall_ns` [n], n >= 1; `cpu_ns` [n] or empty. CPU time counts only when every span has it, since
    medians over different spans would not compare.

    Raises:
        ValueError: the stage has no span.
    """
    if not wall_ns:
        message = "a stage without spans has no time; leave it out of the run"
        raise ValueError(message)
    known = [value for value in cpu_ns if value is not None]
    has_cpu = len(known) == len(wall_ns)
    has_quartiles = len(wall_ns) >= _QUARTILES_FROM
    walls, cpus = sorted(wall_ns), sorted(known) if has_cpu else []
    return replace(
        _quantile(walls, cpus, 0.5),
        lower=_quantile(walls, cpus, 0.25) if has_quartiles else None,
        upper=_quantile(walls, cpus, 0.75) if has_quartiles else None,
    )


def _quantile(walls_ns: Sequence[float], cpus_ns: Sequence[float], ratio: float) -> StageSample:
    """Return the sample of a quantile of times in ascending order; `cpus_ns` is empty where it was not recorded."""
    return StageSample(
        count=len(walls_ns),
        wall_ns=percentile_of_sorted(walls_ns, ratio),
        cpu_ns=percentile_of_sorted(cpus_ns, ratio) if cpus_ns else None,
        wall_error=_quantile_error(walls_ns, ratio),
        cpu_error=_quantile_error(cpus_ns, ratio) if cpus_ns else 0.0,
    )


def _quantile_error(ordered_ns: Sequence[float], ratio: float) -> float:
    """Return the standard error of a quantile of log(floor + value), whatever the values' distribution.

    Source: the distance of the order statistics some standard deviations of the binomial rank away on both sides
    (Woodruff 1952, Confidence intervals for medians and other position measures); the larger of what one and two
    deviations tell, since two kinds of spans that come by chance may have their border just beyond the first. Of a
    few spans two deviations would reach the one that was slow, as a first epoch is, and are left out.
    """
    if len(ordered_ns) < _SPREAD_FROM:
        return 0.0
    away = math.sqrt(ratio * (1 - ratio) / len(ordered_ns))
    errors = []
    for deviations in (1, 2) if len(ordered_ns) >= _QUARTILES_FROM else (1,):
        low = percentile_of_sorted(ordered_ns, max(0.0, ratio - deviations * away))
        high = percentile_of_sorted(ordered_ns, min(1.0, ratio + deviations * away))
        width = math.log(_FLOOR_NS + max(0.0, high)) - math.log(_FLOOR_NS + max(0.0, low))
        errors.append(width / 2 / deviations)
    return max(errors)
