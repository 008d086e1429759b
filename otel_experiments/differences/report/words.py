"""A difference in words, the same in every form of report."""

from __future__ import annotations

from typing import Final

from otel_experiments.differences.difference import Difference
from otel_experiments.differences.found import Differing, RunSide
from otel_experiments.figures.escape import show_hidden
from otel_experiments.figures.quantity import duration
from otel_experiments.query.shown.html import value_text

ARROW: Final = "→"
MISSING: Final = "-"
_SINGULAR: Final = {
    "params": "param",
    "packages": "package",
    "metrics": "metric",
    "paths of spans": "path of spans",
}


def change_of(difference: Difference) -> str:
    """Return both values: `0.1 → 0.2`; an absent one is a dash."""
    before, after = values_of(difference)
    return f"{before} {ARROW} {after}"


def values_of(difference: Difference) -> tuple[str, str]:
    """Return both values as text; numbers are short, unless they would look the same."""
    a, b = difference.a, difference.b
    before, after = (MISSING if value is None else show_hidden(value_text(value)) for value in (a, b))
    if before == after and a is not None:
        return show_hidden(repr(a)), show_hidden(repr(b))
    return before, after


def head_of(side: RunSide) -> str:
    """Return the line of a run: name, id, state, duration."""
    took = "" if side.duration_s is None else f", {duration(side.duration_s)}"
    return f"{show_hidden(side.name) or '-'}  {side.short_id}  {side.state}{took}"


def verdict_of(diff: Differing) -> str:
    """Return what came out, in one sentence."""
    if not diff.differences:
        return "The runs are the same."
    causes, symptoms = len(diff.causes), len(diff.symptoms)
    if not causes and not symptoms:
        return "The runs differ in nothing but what they are called."
    parts = [_count(causes, "cause"), _count(symptoms, "symptom")]
    if symptoms and not causes:
        return f"{parts[1]}, and no cause is on record: randomness, or something that is not recorded."
    if causes and not symptoms:
        return f"{parts[0]}, and nothing came of it: same metrics, same spans."
    return " and ".join(parts)


def same_text(diff: Differing) -> str:
    """Return what is the same, as counts; empty where nothing is."""
    return ", ".join(
        f"{count:,} {_SINGULAR[name] if count == 1 else name}" for name, count in diff.same.items()
    )


def _count(count: int, noun: str) -> str:
    if not count:
        return f"no {noun}"
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"
