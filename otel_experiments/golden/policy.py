"""What a finding means for the verdict: policies, tolerances of metrics, and rules that ignore findings.

Source: golden trace design, section 8.3. A rule always has a reason, may have a last day, and is reported when
nothing uses it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import date
from fnmatch import fnmatchcase
from typing import Literal, get_args

from otel_experiments.errors import GoldenRuleError
from otel_experiments.golden.canonical.metric_role import matches_metric, names_metric
from otel_experiments.golden.curves.compare import CurveSettings
from otel_experiments.golden.findings import CODES, Code, Finding, Severity
from otel_experiments.golden.timing.model import DEFAULT_SETTINGS, TimingSettings

PolicyName = Literal["strict", "structural", "statistical"]
TimingMode = Literal["fail", "advisory", "off"]


@dataclass(frozen=True, slots=True)
class IgnoreRule:
    """Findings that are accepted.

    Attributes:
        path: a glob of paths; without a slash it also matches the last name of a path. A metric is named as a report prints it:
            `~loss`, or `run digits ~loss`.
        code: a glob of codes.
        reason: why they are accepted.
        until: the last day on which the rule holds.
    """

    path: str
    code: str = "*"
    _: KW_ONLY
    reason: str = ""
    until: date | None = None

    def matches(self, finding: Finding) -> bool:
        """Whether the rule is about the finding."""
        if not fnmatchcase(finding.code, self.code):
            return False
        if finding.path == self.path or fnmatchcase(finding.path, self.path):
            return True
        if names_metric(self.path):
            return finding.group == "numbers" and matches_metric(self.path, finding.path, finding.key)
        names = finding.path.split("/")
        return "/" not in self.path and any(fnmatchcase(name, self.path) for name in names)

    def __str__(self) -> str:
        until = f" until {self.until}" if self.until else ""
        return f"ignore {self.path} {self.code}{until}"


@dataclass(frozen=True, slots=True)
class Policy:
    """How findings are judged.

    Attributes:
        name: `structural`, `statistical` or `strict`.
        timing: what times may do: `fail`, `advisory` or `off`.
        curves: by name (or glob) of a metric how it is compared, over the policy's own way.
        timing_settings: how times are judged.
        external: paths whose waiting time is theirs (I/O, GPU).
        rtol: the relative tolerance of float attributes.
        require_decision: whether a time that could not be told makes the comparison inconclusive instead of passing.
    """

    name: PolicyName = "structural"
    _: KW_ONLY
    timing: TimingMode = "fail"
    curves: Mapping[str, CurveSettings] = field(default_factory=dict)
    timing_settings: TimingSettings = DEFAULT_SETTINGS
    external: Sequence[str] = ()
    rtol: float = 1e-9
    require_decision: bool = False

    def __post_init__(self) -> None:
        if self.name not in get_args(PolicyName):
            raise GoldenRuleError(
                rule=f"policy={self.name}",
                why="there is no such policy",
                fix=f"Take one of: {', '.join(get_args(PolicyName))}.",
            )

    def curve_settings(self, metric: str, *, is_other_host: bool, path: str = "") -> CurveSettings:
        """Return how a metric is compared; bits are only asked for on the host that made the golden.

        Args:
            metric: the name of the metric.
            is_other_host: whether another host made the golden.
            path: where the metric is.
        """
        for pattern, settings in self.curves.items():
            if matches_metric(pattern, path, metric):
                return _softened(settings) if is_other_host else settings
        if self.name == "strict" and not is_other_host:
            return CurveSettings(mode="exact")
        return CurveSettings()

    def severity(self, finding: Finding, *, may_fail: bool = True) -> Severity:
        """Return the severity of a finding; `may_fail` is what the rule that found it says of itself."""
        facts = CODES[finding.code]
        if facts.severity is not None:
            return facts.severity
        if facts.group == "time":
            return self._time_severity(finding.code, may_fail=may_fail)
        if not may_fail:
            return "advisory"
        if self.name == "statistical" and facts.statistical is not None:
            return facts.statistical
        return "fail"

    def _time_severity(self, code: Code, *, may_fail: bool) -> Severity:
        if code == Code.FASTER:
            return "fail" if self.name == "strict" and self.timing == "fail" else "note"
        if self.timing != "fail":
            return "advisory"
        if self.name == "strict" and code in {Code.WAITING, Code.UNIFORM_SLOWDOWN}:
            return "fail"
        return "fail" if may_fail and code in {Code.SLOWER, Code.WAITING} else "advisory"


def _softened(settings: CurveSettings) -> CurveSettings:
    return replace(settings, mode="tolerance") if settings.mode == "exact" else settings


def apply_rules(findings: Iterable[Finding], rules: Sequence[IgnoreRule], *, today: date) -> list[Finding]:
    """Return the findings with those that a rule accepts marked ignored, and one for each rule nothing used.

    A rule past its last day no longer holds; it is reported as unused with the day.
    """
    living = [rule for rule in rules if rule.until is None or rule.until >= today]
    used: set[int] = set()
    judged: list[Finding] = []
    for finding in findings:
        rule_at = next((at for at, rule in enumerate(living) if rule.matches(finding)), None)
        if rule_at is None:
            judged.append(finding)
            continue
        used.add(rule_at)
        judged.append(finding.with_severity("ignored", living[rule_at].reason or str(living[rule_at])))
    for at, rule in enumerate(living):
        if at not in used:
            judged.append(_unused(rule, "nothing matched it"))
    judged += (_unused(rule, f"it ended on {rule.until}") for rule in rules if rule not in living)
    return judged


def _unused(rule: IgnoreRule, why: str) -> Finding:
    return Finding(
        code=Code.RULE_UNUSED,
        path=rule.path,
        key=rule.code,
        detail=f"{rule}: {why}",
        severity="advisory",
        count=0,
    )
