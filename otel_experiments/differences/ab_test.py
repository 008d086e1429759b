"""An A/B test over runs: does a number differ between groups of runs by more than chance explains?"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from otel_experiments._short_repr import fields_repr
from otel_experiments.analysis.samples import PAIRED, Goal, Method, SampleTest, compare_sides
from otel_experiments.analysis.statistics import mean
from otel_experiments.errors import AnalysisError
from otel_experiments.model.search import MetricField
from otel_experiments.query.run_view import pages_of
from otel_experiments.query.search.parser import parse_fields
from otel_experiments.query.shown.html import value_text

if TYPE_CHECKING:
    from otel_experiments.model.run import ParamValue
    from otel_experiments.model.search import Expression, SearchField
    from otel_experiments.query import Reader, RunView
    from otel_experiments.query.json_values import Plain

_MOST_GROUPS: Final = 100
"""More values than that are no groups: what tells runs apart was named."""
_MOST_NAMED: Final = 5
_NONE: Final = ("", None)
_CALLED_SO: Final = ("control", "baseline")
"""Groups that are the baseline by what they are called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ABGroup:
    """The runs of one group, and what a test says of them beside the baseline.

    Attributes:
        value: what the runs of the group have in the field by which they are grouped; None where they lack it.
        values: what they have of the number, newest first; where pairs are tested a value for each pair, the mean of the runs that
            share a partner.
        left_out: how many runs have no finite number, no partner, or share theirs.
        test: what the test says; None of the baseline.
    """

    value: ParamValue
    values: tuple[float, ...]
    left_out: int
    test: SampleTest | None

    def __repr__(self) -> str:
        return fields_repr(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ABTest:
    """What a test says of groups of runs; `print` prints it, a notebook shows it as a table.

    Attributes:
        number: what was compared, as it was asked for: `metrics.accuracy.last`.
        by: by what the runs are grouped: `condition`.
        method: how it was tested.
        goal: which direction is better; None where nobody said.
        alpha: below which adjusted p a difference counts as shown.
        groups: the groups, the baseline first.
    """

    number: str
    by: str
    method: Method
    goal: Goal | None
    alpha: float
    groups: tuple[ABGroup, ...]

    def text(self) -> str:
        """Return the table as text."""
        from otel_experiments.differences.report.ab_table import render_text  # noqa: PLC0415 - one form of four

        return render_text(self)

    def markdown(self) -> str:
        """Return the table in Markdown."""
        from otel_experiments.differences.report.ab_table import render_markdown  # noqa: PLC0415 - as above

        return render_markdown(self)

    def json(self) -> dict[str, Plain]:
        """Return everything as values that JSON can hold; keys are only ever added."""
        from otel_experiments.differences.report.ab_table import render_json  # noqa: PLC0415 - as above

        return render_json(self)

    def _repr_html_(self) -> str:
        from otel_experiments.differences.report.ab_table import render_html  # noqa: PLC0415 - as above

        return render_html(self)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"ABTest({self.number!r} by {self.by!r}, {len(self.groups)} groups)"


@dataclass(frozen=True, slots=True)
class Asked:
    """What an A/B test is about: fields, and the words in which they were asked for."""

    number: SearchField
    number_text: str
    by: SearchField
    by_text: str
    pair_by: SearchField | None = None
    pair_text: str = ""


def ab_test_of(  # noqa: PLR0913 - as the public function
    reader: Reader,
    number: str,
    *,
    by: str,
    where: str | Expression | None,
    baseline: str | None,
    method: Method,
    goal: Goal | None,
    pair_by: str | None,
    alpha: float,
) -> ABTest:
    """Return what a test says of groups of a store's runs; the arguments are those of `ox.ab_test`."""
    texts = [number, by, *([] if pair_by is None else [pair_by])]
    fields = reader.check_fields([_one_field(reader, text) for text in texts])
    asked = Asked(fields[0], number, fields[1], by, fields[2] if pair_by else None, pair_by or "")
    return compare_groups(reader.runs(where), asked, baseline=baseline, method=method, goal=goal, alpha=alpha)


def _one_field(reader: Reader, text: str) -> SearchField:
    fields = parse_fields(text, meant=reader.meant)
    if len(fields) != 1:
        raise AnalysisError(
            what="One field is named at a time",
            found=f"{text!r} are {len(fields)}",
            fix="Name one, such as metrics.loss.min.",
        )
    return fields[0]


def compare_groups(
    runs: Sequence[RunView],
    asked: Asked,
    *,
    baseline: str | None,
    method: Method,
    goal: Goal | None,
    alpha: float,
) -> ABTest:
    """Return what a test says of groups of runs.

    Args:
        runs: all runs.
        asked: the number, the field that makes the groups, and the one that makes pairs.
        baseline: the group that the others are compared with; by default one called `control` or `baseline`, else that of the oldest run.
        method: how it is tested.
        goal: which direction is better; by default that of the metric, where all runs declared one.
        alpha: below which adjusted p a difference counts as shown.

    Raises:
        AnalysisError: there are not two groups, none is the baseline, or pairs are wanted and nothing makes them.
    """
    if (method in PAIRED) != (asked.pair_by is not None):
        raise AnalysisError(
            what="A paired test needs what makes runs partners, and no other test does",
            found=f"method {method!r} with pairs by {asked.pair_text!r}"
            if asked.pair_text
            else f"method {method!r} without it",
            fix="Give a field that partners share, and one of the paired methods: pair_by='params.seed', --pair-by params.seed.",
        )
    held = _members(runs, asked)
    if len(held) < 2 or len(held) > _MOST_GROUPS:
        raise _no_groups(len(runs), len(held), asked.by_text)
    first = _baseline(held, baseline, asked.by_text)
    names = [first, *(name for name in held if name != first)]
    goal = goal if goal is not None else _declared(runs, asked.number)
    sides = {name: _sides(held[first], held[name], is_paired=asked.pair_by is not None) for name in names[1:]}
    tests = compare_sides(sides, method=method, goal=goal, alpha=alpha)
    kept = {first: _finite(held[first]), **{name: tuple(sides[name][1]) for name in names[1:]}}
    groups = tuple(
        ABGroup(
            value=held[name].value,
            values=kept[name],
            left_out=len(held[name].members) - len(kept[name]),
            test=tests.get(name),
        )
        for name in names
    )
    return ABTest(
        number=asked.number_text, by=asked.by_text, method=method, goal=goal, alpha=alpha, groups=groups
    )


@dataclass(slots=True)
class _Held:
    """What the runs of a group have: their partners' sign and their number, None where one has none."""

    value: ParamValue
    oldest_ns: int
    members: list[tuple[str, float | None]] = field(default_factory=list)


def _no_groups(run_count: int, value_count: int, by_text: str) -> AnalysisError:
    """Return the error for runs that have not two groups, or too many."""
    what = f"There are two groups or more to compare, at most {_MOST_GROUPS}"
    if not run_count:
        fix = "Leave out less with where, and see which runs there are: otel-experiments runs"
        return AnalysisError(what=what, found="no run was found", fix=fix)
    values = f"{value_count:,} {'value' if value_count == 1 else 'values'}"
    return AnalysisError(
        what=what,
        found=f"the runs that were found ({run_count:,}) have {values} of {by_text!r}",
        fix="Name a field in which the runs differ, and in which many are the same: condition, params.optimizer.",
    )


def _members(runs: Sequence[RunView], asked: Asked) -> dict[str, _Held]:
    """Return the groups by a text that tells their values apart."""
    groups: dict[str, _Held] = {}
    for page in pages_of(runs):
        for run in page:
            value = run.value(asked.by)
            value = None if value in _NONE else value
            one = groups.setdefault(_sign(value), _Held(value, run.created_ns))
            one.oldest_ns = min(one.oldest_ns, run.created_ns)
            number = run.value(asked.number)
            is_finite = (
                isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number)
            )
            partner = "" if asked.pair_by is None else _sign(run.value(asked.pair_by))
            one.members.append((partner, float(number) if is_finite else None))  # type: ignore[arg-type] # seen above
    return groups


def _sign(value: ParamValue) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _finite(held: _Held) -> tuple[float, ...]:
    return tuple(value for _, value in held.members if value is not None)


def _sides(baseline: _Held, other: _Held, *, is_paired: bool) -> tuple[Sequence[float], Sequence[float]]:
    """Return the values of both; of pairs the mean of those that share a sign, in one order."""
    if not is_paired:
        return _finite(baseline), _finite(other)
    before, after = _by_partner(baseline), _by_partner(other)
    shared = [sign for sign in before if sign in after]
    return [before[sign] for sign in shared], [after[sign] for sign in shared]


def _by_partner(held: _Held) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for sign, value in held.members:
        if value is not None and sign != _sign(None):
            found.setdefault(sign, []).append(value)
    return {sign: mean(values) for sign, values in found.items()}


def _baseline(held: Mapping[str, _Held], wanted: str | None, by_text: str) -> str:
    """Return the group that was asked for; else the one that is called so, else that of the oldest run."""
    names = {value_text(one.value): sign for sign, one in held.items()}
    if wanted is not None:
        if wanted not in names:
            raise AnalysisError(
                what=f"No run has {wanted!r} in {by_text!r}, so that it is no baseline",
                found=f"there are {', '.join(map(repr, list(names)[:_MOST_NAMED]))}",
                fix="Name one of them.",
            )
        return names[wanted]
    called = next((names[name] for name in _CALLED_SO if name in names), None)
    return called if called is not None else min(held, key=lambda sign: held[sign].oldest_ns)


def _declared(runs: Sequence[RunView], number: SearchField) -> Goal | None:
    """Return the direction of a metric that all runs declared alike."""
    if not isinstance(number, MetricField):
        return None
    series = [one for run in runs for one in run.metrics.all() if one.name == number.name]
    directions = {one.direction for one in series}
    if len(directions) != 1:
        return None
    return {"min": "minimize", "max": "maximize"}.get(directions.pop() or "")  # type: ignore[return-value] # of a literal
