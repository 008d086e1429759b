"""Metrics of two runs: where they ended, which way is better, and whether the difference is more than noise."""

from __future__ import annotations

import math
from collections.abc import Iterator

from otel_experiments.analysis.tail import Tail, is_beyond_noise, measure_tail
from otel_experiments.differences import weights
from otel_experiments.differences.difference import Difference
from otel_experiments.differences.values import are_equal
from otel_experiments.figures.quantity import number, step
from otel_experiments.query import RunView, SeriesView
from otel_experiments.query.shown.curves import label_of

_MISSING_WEIGHT = 0.45
_NOT_FINITE_WEIGHT = 0.95
_POINTS_WEIGHT = 0.3


def compare_metrics(a: RunView, b: RunView) -> Iterator[Difference]:
    """Yield which metrics ended differently, and which only one of two runs has.

    A metric is compared by its best value where both runs declared the same direction, else by its last.
    """
    ours, theirs = _by_label(a), _by_label(b)
    for label in dict.fromkeys((*ours, *theirs)):
        before, after = ours.get(label), theirs.get(label)
        if before is None or after is None:
            shown = [None if one is None else number(_value(one, None)) for one in (before, after)]
            yield Difference("metrics", label, a=shown[0], b=shown[1], weight=_MISSING_WEIGHT)
            continue
        yield from _compare(label, before, after)


def series_of(run: RunView, label: str) -> SeriesView | None:
    """Return the series of a run that a difference of the section `metrics` names; None where it has none."""
    return _by_label(run).get(label)


def change_text(before: float, after: float, direction: str | None) -> str:
    """Return how far and which way a value moved: `-12.5 %, better`.

    Args:
        before: the value that it is measured by.
        after: the other value.
        direction: `min` or `max` where it was declared which way is better.
    """
    if not (math.isfinite(before) and math.isfinite(after)) or before == after:
        return ""
    moved = after - before
    percent = "" if before == 0 else f"{moved / abs(before) * 100:+.3g} %"
    if direction is None:
        return percent or f"{moved:+.4g}"
    better = (moved < 0) == (direction == "min")
    return ", ".join(text for text in (percent, "better" if better else "worse") if text)


def _by_label(run: RunView) -> dict[str, SeriesView]:
    return {label_of(series): series for series in run.metrics.all()}


def _value(series: SeriesView, direction: str | None) -> float:
    best = series.best if direction is not None else None
    return series.last if best is None else best


def _compare(label: str, a: SeriesView, b: SeriesView) -> Iterator[Difference]:
    direction = a.direction if a.direction == b.direction else None
    before, after = _value(a, direction), _value(b, direction)
    if are_equal(before, after) and a.count == b.count and a.nan_count == b.nan_count:
        return
    which = "last" if direction is None else "best"
    evidence: dict[str, float] = {
        f"{which}_a": before,
        f"{which}_b": after,
        "points_a": a.count,
        "points_b": b.count,
    }
    clauses = [which]
    weight, relative = _POINTS_WEIGHT, 0.0
    if not are_equal(before, after):
        tails = measure_tail(a.values), measure_tail(b.values)
        verdict = is_beyond_noise(before, after, tails)
        relative = abs(after - before) / abs(before) if before and math.isfinite(before) else 1.0
        moved = change_text(before, after, direction)
        clauses = [f"{which} {moved}"] if moved else [which]
        clauses += _noise(tails, verdict=verdict)
        evidence |= {"noise_a": tails[0].noise, "noise_b": tails[1].noise}
        weight = weights.metric_weight(
            relative if math.isfinite(relative) else 1.0,
            is_beyond_noise=verdict is not False,
            has_direction=direction is not None,
        )
        if math.isfinite(before) != math.isfinite(after):
            weight = _NOT_FINITE_WEIGHT
    if a.last_step != b.last_step:
        clauses.append(f"up to step {step(a.last_step)} and {step(b.last_step)}")
    elif a.count != b.count:
        clauses.append(f"{a.count:,} and {b.count:,} points")
    if a.nan_count != b.nan_count:
        clauses.append(f"{a.nan_count:,} and {b.nan_count:,} NaN")
        weight = max(weight, _NOT_FINITE_WEIGHT)
    yield Difference(
        "metrics", label, a=before, b=after, weight=weight, detail=", ".join(clauses), evidence=evidence
    )


def _noise(tails: tuple[Tail, Tail], *, verdict: bool | None) -> list[str]:
    if verdict is None:
        few = min(tail.count for tail in tails)
        return ["noise unknown: 1 point" if few == 1 else f"noise unknown: {few} points"]
    noise = 2 * math.hypot(*(tail.noise for tail in tails))
    return [f"{'beyond' if verdict else 'within'} noise ±{noise:.2g}"] if noise else []
