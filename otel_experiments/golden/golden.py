"""A golden: the accepted behaviour of a program, made from one or more of its runs.

Runs of equal structure are one variant with several columns of numbers; a run of another structure is a variant
of its own. What varies between the runs of one variant is accepted as varying. Writes nothing: `file.py` does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from otel_experiments.errors import GoldenInvalidError, GoldenRuleError
from otel_experiments.golden.canonical import canonicalize
from otel_experiments.golden.curves import Curve, check_golden_curve
from otel_experiments.golden.form import Form, Node, NodeType, Own
from otel_experiments.golden.match import number_shapes
from otel_experiments.golden.own_diff import EXACT
from otel_experiments.golden.policy import IgnoreRule, PolicyName
from otel_experiments.golden.roles import DEFAULT_RULES, Rules
from otel_experiments.golden.time_check import measure_run
from otel_experiments.golden.timing_model import TimingRun
from otel_experiments.golden.trace import CapturedRun
from otel_experiments.golden.values import ANY, Value, values_match

MAX_VARIANTS: Final = 5
"""More accepted behaviours than this mean that the program is not deterministic enough for a golden."""
_MAX_ALTERNATIVES: Final = 5


@dataclass(slots=True)
class Variant:
    """One accepted behaviour. `reason` says why a second one is accepted; the first needs none."""

    form: Form
    name: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    runs: int = 1


@dataclass(slots=True)
class Golden:
    """What a candidate is compared with.

    `environment` is compared before bits and times are; `fingerprint` describes the host more closely and
    stands beside the times. `unknown_lines` are lines of a newer minor format, kept as they were.
    """

    variants: list[Variant]
    name: str = "golden"
    policy: PolicyName = "structural"
    rules: Rules = DEFAULT_RULES
    ignore: Sequence[IgnoreRule] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    timing: Sequence[TimingRun] = ()
    fingerprint: Mapping[str, str] = field(default_factory=dict)
    unknown_lines: Sequence[str] = ()

    @property
    def runs(self) -> int:
        """How many runs the golden was made from."""
        return sum(variant.runs for variant in self.variants)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to compare with."""
        return not any(variant.form.top.children for variant in self.variants)


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
) -> Golden:
    """Return the golden that these runs make.

    Runs may differ in structure only up to five variants; the second and later ones have no reason yet, and a
    golden file with such is not written before each has one.

    Raises:
        EmptyTraceError: a run has no spans.
        IncompleteTraceError: a run lacks spans.
        NonFiniteGoldenError: a metric is not finite and `allow_nonfinite` was not set.
        GoldenInvalidError: there is no run, or the runs have more than five structures.
    """
    if not runs:
        raise GoldenInvalidError(
            path=name, line=None, found="it was to be made from no run", fix="Capture at least one run."
        )
    forms = [canonicalize(run, rules) for run in runs]
    if not allow_nonfinite:
        _refuse_nonfinite(forms)
    number_shapes(*forms)
    groups: dict[int, list[Form]] = {}
    for form in forms:
        groups.setdefault(form.top.shape, []).append(form)
    if len(groups) > MAX_VARIANTS:
        raise GoldenInvalidError(
            path=name,
            line=None,
            found=f"its {len(runs)} runs have {len(groups)} different structures",
            fix="Find what varies (golden calibrate) and declare it: unordered, ignore, or a seed.",
        )
    ordered = sorted(groups.values(), key=len, reverse=True)
    variants = [
        Variant(_merge(group), name=f"v{number}" if number else "", runs=len(group))
        for number, group in enumerate(ordered)
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


def require_reasons(golden: Golden) -> None:
    """Let a golden pass whose second and later variants say why they are accepted.

    Raises:
        GoldenRuleError: one does not.
    """
    for variant in golden.variants[1:]:
        if not variant.reason:
            raise GoldenRuleError(
                rule=f"variant {variant.name}",
                why="it has no reason, so nobody will know later why two behaviours are right",
                fix="Give it one, or make the program do the same in every run.",
            )


def _refuse_nonfinite(forms: Sequence[Form]) -> None:
    for form in forms:
        for path, node in form.walk():
            for key, columns in node.metrics.items():
                values = [value for value in columns[0] if value is not None]
                check_golden_curve(f"{path} ~{key}", Curve(list(range(len(values))), values))
        for series in form.series[0]:
            check_golden_curve(series.name, Curve(series.indices, series.values))


def _merge(forms: Sequence[Form]) -> Form:
    """Return one form with the numbers of all, and with what varies between them as alternatives."""
    first = forms[0]
    if len(forms) == 1:
        return first
    merged = replace(first, owns=list(first.owns), series=tuple(form.series[0] for form in forms), _above={})
    known = {own: number for number, own in enumerate(merged.owns)}
    stack = [[form.top for form in forms]]
    while stack:
        nodes = stack.pop()
        stack += [list(group) for group in zip(*(node.children for node in nodes), strict=True)]
        base = nodes[0]
        if base.type is not NodeType.SPAN:
            continue
        for key in {key for node in nodes for key in node.metrics}:
            base.metrics[key] = [
                node.metrics[key][0] if key in node.metrics else [None] * node.size for node in nodes
            ]
        _merge_owns(forms, nodes, merged.owns, known)
    return merged


def _merge_owns(forms: Sequence[Form], nodes: Sequence[Node], owns: list[Own], known: dict[Own, int]) -> None:
    base = nodes[0]
    cache: dict[tuple[int, ...], int] = {}
    columns = [node.own for node in nodes]
    for instance, numbers in enumerate(zip(*columns, strict=True)):
        number = cache.get(numbers)
        if number is None:
            distinct = [form.owns[own] for form, own in zip(forms, numbers, strict=True)]
            own = _alternatives(distinct)
            number = known.setdefault(own, len(owns))
            if number == len(owns):
                owns.append(own)
            cache[numbers] = number
        base.own[instance] = number


def _alternatives(owns: Sequence[Own]) -> Own:
    """Return a span's form in which attributes that vary are patterns of what was seen."""
    first = owns[0]
    if all(own == first for own in owns):
        return first
    maps = [dict(own.attributes) for own in owns]
    uses = Counter(key for one in maps for key in one)
    attributes: list[tuple[str, Value]] = []
    for key in sorted(uses):
        values = list(dict.fromkeys(one[key] for one in maps if key in one))
        if uses[key] < len(owns):
            attributes.append((key, ANY))
        elif all(values_match(values[0], value, rtol=EXACT.rtol) for value in values):
            attributes.append((key, values[0]))
        elif len(values) <= _MAX_ALTERNATIVES:
            attributes.append((key, ("either", *values)))
        else:
            attributes.append((key, ANY))
    return first._replace(attributes=tuple(attributes))
