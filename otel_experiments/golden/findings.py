"""What a comparison finds: one `Finding` for each kind of change at each place, with stable codes.

Codes are API: they stand in JSON, JUnit, annotations and ignore rules, and are only ever added. Source: golden
trace design, section 4.2.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

Severity = Literal["fail", "advisory", "note", "ignored"]
"""`fail` makes the verdict fail; advisories and notes are shown; what a rule ignored is counted."""

Group = Literal["structure", "span", "numbers", "time", "hygiene"]

GROUPS: Final[Mapping[Group, tuple[str, ...]]] = {
    "structure": (
        "added",
        "removed",
        "moved",
        "wrapped",
        "unwrapped",
        "renamed",
        "count",
        "reordered",
        "serialised",
        "parallelised",
        "retry",
        "duplicate-index",
        "missing-index",
        "orphan",
        "root-missing",
        "rank-differs",
    ),
    "span": (
        "status",
        "kind",
        "event",
        "link",
        "attr",
        "attr-added",
        "attr-removed",
        "attr-type",
        "attr-renamed",
        "scope",
    ),
    "numbers": (
        "nonfinite",
        "curve-diverged",
        "curve-band",
        "curve-length",
        "metric-added",
        "metric-removed",
        "converged-later",
        "converged-earlier",
    ),
    "time": ("slower", "faster", "waiting", "uniform-slowdown", "critical-path", "inconclusive"),
    "hygiene": ("incomplete-trace", "clock-skew", "golden-stale", "golden-unused", "rule-unused"),
}
"""All codes by group."""

GROUP_OF: Final[Mapping[str, Group]] = {code: group for group, codes in GROUPS.items() for code in codes}

_WEIGHT: Final = {
    code: weight
    for weight, codes in enumerate(
        (
            ("incomplete-trace",),
            ("root-missing",),
            ("orphan",),
            ("nonfinite",),
            ("retry",),
            ("serialised",),
            ("rank-differs",),
            ("renamed", "moved", "wrapped", "unwrapped", "removed", "added", "count"),
            ("status",),
        )
    )
    for code in codes
}
"""Causes before what follows from them; findings of one weight stand in the order of the program."""


@dataclass(frozen=True, slots=True)
class Example:
    """A span of the candidate (of the golden where the candidate has none) that shows the finding.

    `index` says where it is, outermost first: (("epoch", 1), ("step", 17)). `location` is `file:line` of the
    instrumented code, empty when it was not recorded.
    """

    span_id: str = ""
    index: tuple[tuple[str, float], ...] = ()
    location: str = ""

    @property
    def index_text(self) -> str:
        """The index as a report shows it: `epoch=1 step=17`."""
        return " ".join(f"{_counted(key)}={_short(value)}" for key, value in self.index)


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of change at one canonical path.

    `key` is the attribute, metric or kind of time concerned, empty for changes of structure. `golden` and
    `candidate` are the two values as text, empty where there is none. `count` is the number of places.
    `evidence` holds numbers (p, ratio, n). `detail` is one clause for people.
    """

    code: str
    path: str
    count: int = 1
    key: str = ""
    golden: str = ""
    candidate: str = ""
    detail: str = ""
    evidence: Mapping[str, float] = field(default_factory=dict)
    examples: tuple[Example, ...] = ()
    severity: Severity = "fail"
    reason: str = ""
    """Why the severity is what it is, where a policy or a rule changed it."""

    @property
    def group(self) -> Group:
        """The group of the finding's code."""
        return GROUP_OF.get(self.code, "hygiene")

    @property
    def location(self) -> str:
        """`file:line` of the instrumented code, empty when not known."""
        return next((example.location for example in self.examples if example.location), "")

    def with_severity(self, severity: Severity, reason: str = "") -> Finding:
        """Return the finding with another severity."""
        return replace(self, severity=severity, reason=reason or self.reason)

    def to_json(self) -> dict[str, object]:
        """Return the finding as JSON can hold it; keys are only ever added."""
        return {
            "code": self.code,
            "group": self.group,
            "severity": self.severity,
            "path": self.path,
            "key": self.key,
            "count": self.count,
            "golden": self.golden,
            "candidate": self.candidate,
            "detail": self.detail,
            "reason": self.reason,
            "evidence": {key: _plain(value) for key, value in self.evidence.items()},
            "examples": [
                {
                    "span_id": example.span_id,
                    "index": {key: _plain(value) for key, value in example.index},
                    "location": example.location,
                }
                for example in self.examples
            ],
        }


def sort_findings(findings: Iterable[Finding], positions: Mapping[str, int] | None = None) -> list[Finding]:
    """Return findings in the order of a report: what fails first, causes before consequences, early before late.

    `positions` are the places of canonical paths in the program; without them paths are sorted by name. Findings on
    curves stand in the order in which the curves part.
    """
    order = positions or {}
    severities = ("fail", "advisory", "note", "ignored")
    groups = tuple(GROUPS)
    return sorted(
        findings,
        key=lambda finding: (
            severities.index(finding.severity),
            0 if finding.code in _WEIGHT else 1 + groups.index(finding.group),
            _WEIGHT.get(finding.code, 99),
            finding.evidence.get("index", math.inf) if finding.group == "numbers" else 0.0,
            order.get(finding.path, len(order)),
            finding.path,
            finding.key,
        ),
    )


def _counted(key: str) -> str:
    """Return what an index counts: `epoch` for `ml.epoch.index`, `batch` for `batch_idx`."""
    *above, last = key.split(".")
    if last in {"index", "idx"}:
        return above[-1] if above else last
    return last.removesuffix("_index").removesuffix("_idx") or last


def _short(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:g}"


def _plain(value: float) -> float | str:
    """Return a number as JSON has it; NaN and the infinities by name."""
    if value != value:  # noqa: PLR0124 - NaN is what differs from itself
        return "NaN"
    if value in {float("inf"), float("-inf")}:
        return "Infinity" if value > 0 else "-Infinity"
    return value
