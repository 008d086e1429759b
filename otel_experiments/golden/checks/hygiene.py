"""What is wrong around a comparison rather than with the program: clocks, a stale golden, a shifted bottleneck.

None of it fails: each is an advisory that explains other findings or says what to do before they can be trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

from otel_experiments.golden.canonical.form import Form
from otel_experiments.golden.canonical.normalize import normalize_text
from otel_experiments.golden.canonical.roles import DEFAULTS_VERSION
from otel_experiments.golden.findings import Code, Example, Finding
from otel_experiments.golden.number_text import show_time
from otel_experiments.golden.timing.model import TimingRun

_SKEW_NS: Final = 1_000_000
"""A span may be seen to start this much before its parent on one machine, whose clock is slewed."""
_CLEARLY: Final = 1.25
_IMPACT_NS: Final = 5_000_000


def find_stale(version: int) -> list[Finding]:
    """Return the finding that a golden was made with older default rules than these."""
    if version >= DEFAULTS_VERSION:
        return []
    return [
        Finding(
            Code.GOLDEN_STALE,
            "",
            golden=f"defaults@{version}",
            candidate=f"defaults@{DEFAULTS_VERSION}",
            detail="made with older default rules; bring it up to date: otel-experiments golden upgrade",
            severity="advisory",
        )
    ]


def find_clock_skew(form: Form) -> list[Finding]:
    """Return the finding that spans start before their parents, so that their clocks do not agree."""
    columns = form.columns
    if columns is None:
        return []
    start_ns, parent = columns.start_ns, columns.parent
    early = [
        at
        for at, (above, start) in enumerate(zip(parent, start_ns, strict=True))
        if above >= 0 and start + _SKEW_NS < start_ns[above]
    ]
    if not early:
        return []
    ahead_ns = max(start_ns[parent[at]] - start_ns[at] for at in early)
    return [
        Finding(
            Code.CLOCK_SKEW,
            normalize_text(form.spans[early[0]].name)[0],
            count=len(early),
            candidate=f"{show_time(ahead_ns)} before its parent",
            detail="spans start before their parents: clocks of two hosts differ, and times between them mean little",
            evidence={"ahead_ns": float(ahead_ns)},
            examples=tuple(Example(span_id=form.spans[at].span_id) for at in early[:3]),
            severity="advisory",
        )
    ]


def find_critical_path(golden: Sequence[TimingRun], candidates: Sequence[TimingRun]) -> list[Finding]:
    """Return the finding that most of the time now goes to another stage than in the golden.

    Total self time decides, and only where both sides leave no doubt about it.
    """
    before, after = _totals(golden), _totals(candidates)
    if not before or not after:
        return []
    old, new = max(before, key=before.__getitem__), max(after, key=after.__getitem__)
    is_clear = (
        old != new
        and before[old] > _CLEARLY * before.get(new, 0.0)
        and after[new] > _CLEARLY * after.get(old, 0.0)
        and after[new] - before.get(new, 0.0) > _IMPACT_NS
    )
    if not is_clear:
        return []
    return [
        Finding(
            Code.CRITICAL_PATH,
            new,
            golden=f"{old} {show_time(before[old])}",
            candidate=f"{new} {show_time(after[new])}",
            detail="most of the time goes to another stage now",
            evidence={"golden_ns": before.get(new, 0.0), "candidate_ns": after[new]},
            severity="advisory",
        )
    ]


def _totals(runs: Sequence[TimingRun]) -> dict[str, float]:
    paths = {path for run in runs for path in run.stages}
    return {
        path: median(
            run.stages[path].wall_ns * run.stages[path].count if path in run.stages else 0.0 for run in runs
        )
        for path in paths
    }
