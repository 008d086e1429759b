"""What a comparison finds: one `Finding` for each kind of change at each place, with a stable code."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace

from otel_experiments.golden.findings.codes import CODES, GROUPS, SEVERITIES, Code, Group, Severity
from otel_experiments.model.span_index import index_text


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
        return index_text(self.index)


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of change at one canonical path.

    Attributes:
        code: what kind of change it is.
        path: where it is.
        count: the number of places.
        key: the attribute, metric or kind of time concerned; empty for changes of structure.
        golden, candidate: the two values as text; empty where there is none.
        detail: one clause for people.
        evidence: numbers behind it (p, ratio, n).
        examples: some of the places, with the lines of code.
        severity: `fail`, `advisory`, `note` or `ignored`.
    """

    code: Code
    path: str
    _: KW_ONLY
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
        return CODES[self.code].group

    @property
    def location(self) -> str:
        """`file:line` of the instrumented code, empty when not known."""
        return next((example.location for example in self.examples if example.location), "")

    def with_severity(self, severity: Severity, reason: str = "") -> Finding:
        """Return the finding with another severity.

        Args:
            severity: `fail`, `advisory`, `note` or `ignored`.
            reason: why.
        """
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

    def position(finding: Finding) -> tuple[int, int, int, float, int, str, str]:
        facts = CODES[finding.code]
        is_cause = facts.weight is not None
        return (
            SEVERITIES.index(finding.severity),
            0 if is_cause else 1 + GROUPS.index(facts.group),
            facts.weight or 0,
            finding.evidence.get("index", math.inf) if facts.group == "numbers" else 0.0,
            order.get(finding.path, len(order)),
            finding.path,
            finding.key,
        )

    return sorted(findings, key=position)


def _plain(value: float) -> float | str:
    """Return a number as JSON has it; NaN and the infinities by name."""
    if value != value:  # noqa: PLR0124 - NaN is what differs from itself
        return "NaN"
    if value in {float("inf"), float("-inf")}:
        return "Infinity" if value > 0 else "-Infinity"
    return value
