"""A golden: the accepted behaviour of a program, made from one or more of its runs.

Runs that do the same are one variant with several columns of numbers; a run that does something else is a variant
of its own. What varies between the runs of one variant is accepted as varying. Writes nothing: `golden/file` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Final

from otel_experiments._short_repr import short
from otel_experiments.errors import GoldenInvalidError, GoldenRuleError
from otel_experiments.golden.canonical.canonicalize import canonicalize
from otel_experiments.golden.canonical.form import Form
from otel_experiments.golden.canonical.metric_role import MetricRoles, series_name, series_path
from otel_experiments.golden.canonical.roles import DEFAULT_RULES, DEFAULTS_VERSION, Rules
from otel_experiments.golden.canonical.trace import CapturedRun
from otel_experiments.golden.checks.times import measure_run
from otel_experiments.golden.curves.compare import Curve, check_golden_curve
from otel_experiments.golden.findings import Code
from otel_experiments.golden.match.ledger import Ledger
from otel_experiments.golden.match.matcher import match_forms
from otel_experiments.golden.match.merge import behaviour_findings, merge_forms
from otel_experiments.golden.policy import IgnoreRule, PolicyName
from otel_experiments.golden.timing.model import TimingRun

MAX_VARIANTS: Final = 5
"""More accepted behaviours than this mean that the program is not deterministic enough for a golden."""
_MAX_LESSONS: Final = 5


@dataclass(slots=True)
class Variant:
    """One accepted behaviour. `reason` says why a second one is accepted; the first needs none.

    One with an `environment` is accepted only there, and there only it is.
    """

    form: Form
    name: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    runs: int = 1


@dataclass(slots=True)
class Golden:
    """What a candidate is compared with.

    Attributes:
        variants: the behaviours that were accepted.
        name: what reports call it.
        policy: how findings are judged by default.
        rules: roles of attributes, and orders.
        ignore: findings that are accepted.
        environment: where it was made; compared before bits and times are.
        timing: the times of its runs.
        fingerprint: describes the host more closely and stands beside the times.
        unknown_lines: lines of a newer minor format, kept as they were.
    """

    variants: list[Variant]
    _: KW_ONLY
    name: str = "golden"
    policy: PolicyName = "structural"
    rules: Rules = DEFAULT_RULES
    ignore: Sequence[IgnoreRule] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    timing: Sequence[TimingRun] = ()
    fingerprint: Mapping[str, str] = field(default_factory=dict)
    unknown_lines: Sequence[str] = ()
    rules_version: int = DEFAULTS_VERSION
    """Version of the default roles that it was made with."""

    def __repr__(self) -> str:
        return f"Golden({short(self.name)}, {self.runs} runs, {len(self.variants)} variants, policy={self.policy!r})"

    @property
    def runs(self) -> int:
        """How many runs the golden was made from."""
        return sum(variant.runs for variant in self.variants)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to compare with."""
        return not any(variant.form.top.children for variant in self.variants)


def variants_for(golden: Golden, environment: Mapping[str, str]) -> list[Variant]:
    """Return the behaviours accepted in an environment: those declared for it, or else those not declared for another.

    What is not known of an environment speaks neither for a variant nor against it.
    """
    own, open_to = [], []
    for variant in golden.variants:
        found = [
            environment[key] == value for key, value in variant.environment.items() if key in environment
        ]
        if all(found):
            open_to.append(variant)
            if found and len(found) == len(variant.environment):
                own.append(variant)
    return own or open_to or golden.variants


ENVIRONMENT_KEYS: Final = ("python", "numpy", "torch", "jax", "sklearn", "device", "dtype")
"""What of a run's environment stands in the golden file itself; the rest is the host's fingerprint."""


def make_golden(
    runs: Sequence[CapturedRun],
    *,
    name: str = "golden",
    policy: PolicyName = "structural",
    rules: Rules = DEFAULT_RULES,
    ignore: Sequence[IgnoreRule] = (),
    allow_nonfinite: bool = False,
    excused: Sequence[IgnoreRule] = (),
) -> Golden:
    """Return the golden that these runs make.

    Runs may differ in what they do (spans, status, events) only up to five variants; the second and later ones have
    no reason yet, and a golden file with such is not written before each has one. What rules accept makes no variant.

    Args:
        runs: what was captured, one or several times.
        policy: how findings are judged by default.
        rules: roles of attributes, and orders.
        name: what reports call it.
        ignore: findings that are accepted; the golden keeps them.
        excused: findings that are accepted here, and not kept.
        allow_nonfinite: whether NaN and infinity may be accepted.

    Raises:
        EmptyTraceError: a run has no spans.
        IncompleteTraceError: a run lacks spans.
        NonFiniteGoldenError: a metric is not finite and `allow_nonfinite` was not set.
        GoldenInvalidError: there is no run, or the runs have do more than five different things.
    """
    if not runs:
        raise GoldenInvalidError(
            path=name, line=None, found="it was to be made from no run", fix="Capture at least one run."
        )
    forms, rules = _learn_order(runs, rules)
    if not allow_nonfinite:
        _refuse_nonfinite(forms, MetricRoles(rules))
    groups = _group_equal(forms, [*ignore, *excused])
    if len(groups) > MAX_VARIANTS:
        raise GoldenInvalidError(
            path=name,
            line=None,
            found=f"its {len(runs)} runs do {len(groups)} different things",
            fix="Find what varies (golden calibrate) and declare it: unordered, ignore, or a seed.",
        )
    variants = [
        Variant(merge_forms(group), name=f"v{number}" if number else "", runs=len(group))
        for number, group in enumerate(sorted(groups, key=len, reverse=True))
    ]
    environment = dict(runs[0].environment)
    return Golden(
        variants=variants,
        name=name,
        policy=policy,
        rules=rules,
        ignore=tuple(ignore),
        environment={key: environment[key] for key in ENVIRONMENT_KEYS if key in environment},
        timing=tuple(measure_run(form) for form in forms),
        fingerprint=environment,
    )


def add_variant(golden: Golden, made: Golden, *, name: str, reason: str) -> Golden:
    """Return the golden with the behaviour of `made` accepted where the environment is that of `made`.

    What tells the environments apart is the device and the number type; where these are equal, the versions. A
    variant of the same name is replaced. The golden's times stay.

    Raises:
        GoldenRuleError: the environments do not differ, or there are more than five behaviours.
    """
    keys = [key for key in ENVIRONMENT_KEYS if golden.environment.get(key) != made.environment.get(key)]
    keys = [key for key in keys if key in made.environment]
    keys = [key for key in keys if key in _KINDS_OF_MACHINE] or keys
    if not keys:
        raise GoldenRuleError(
            rule=f"variant {name}",
            why="it was recorded in the environment of the golden itself",
            fix="Accept the change by golden update, or record the variant where it is needed.",
        )
    others = [variant for variant in golden.variants if variant.name != name]
    if len(others) >= MAX_VARIANTS:
        raise GoldenRuleError(
            rule=f"variant {name}",
            why=f"the golden has {len(others)} behaviours, and at most {MAX_VARIANTS} are accepted",
            fix="Give environments that differ so much goldens of their own.",
        )
    environment = {key: made.environment[key] for key in keys}
    variant = replace(made.variants[0], name=name, environment=environment, reason=reason)
    return replace(golden, variants=[*others, variant])


_KINDS_OF_MACHINE: Final = frozenset({"device", "dtype"})


def require_reasons(golden: Golden) -> None:
    """Let a golden pass whose second and later variants say why they are accepted.

    Raises:
        GoldenRuleError: one does not.
    """
    for variant in golden.variants[1:]:
        if not variant.reason:
            raise GoldenRuleError(
                rule=f"variant {variant.name}",
                why="it has no reason, so a reader cannot see later why two behaviours are right",
                fix="Give it one, or make the program do the same in every run.",
            )


def _refuse_nonfinite(forms: Sequence[Form], roles: MetricRoles) -> None:
    """Refuse metrics that are not finite; what the machine measures (a rate over no time) may be."""
    for form in forms:
        root = series_path(form)
        for path, node in form.walk():
            for key, columns in node.metrics.items():
                if roles.is_declared_volatile(path, key):
                    continue
                values = [value for value in columns[0] if value is not None]
                check_golden_curve(f"{path} ~{key}", Curve(list(range(len(values))), values))
        for series in form.series[0]:
            if roles.is_volatile(root, series_name(series)):
                continue
            check_golden_curve(series.name, Curve(series.indices, series.values))


def _learn_order(runs: Sequence[CapturedRun], rules: Rules) -> tuple[list[Form], Rules]:
    """Return the runs' forms, and rules that know which children the runs have in several orders.

    Only where lanes are not known: with lanes, another order is a difference between the runs.
    """
    forms = [canonicalize(run, rules) for run in runs]
    for _ in range(_MAX_LESSONS):
        if len(forms) < 2 or all(form.order == "lanes" for form in forms):
            break
        ledger = Ledger()
        for form in forms[1:]:
            match_forms(forms[0], form, ledger)
        swapped = {finding.path for finding in ledger.findings() if finding.code == Code.REORDERED}
        if not swapped - set(rules.unordered):
            break
        rules = replace(rules, unordered=tuple(sorted({*rules.unordered, *swapped})))
        forms = [canonicalize(run, rules) for run in runs]
    return forms, rules


def _group_equal(forms: Sequence[Form], excused: Sequence[IgnoreRule]) -> list[list[Form]]:
    """Return the forms in groups that do the same, but for what rules excuse; attributes may vary inside a group."""
    groups: list[list[Form]] = []
    for form in forms:
        for group in groups:
            if all(any(rule.matches(one) for rule in excused) for one in behaviour_findings(group[0], form)):
                group.append(form)
                break
        else:
            groups.append([form])
    return groups
