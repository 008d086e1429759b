"""Runs in groups, by what they have in a field: how many, how they ended, and how a metric came out in each group."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from otel_experiments.model.run import ParamValue
from otel_experiments.model.search import SearchField
from otel_experiments.query.run_view import RunView, pages_of

_NONE: Final = ("", None)


@dataclass(frozen=True, slots=True)
class GroupNumbers:
    """What the runs of a group have of one number, NaN left out; None where none has it.

    Attributes:
        run_count: how many have it.
        best: that of the first of them in the order of the runs.
        best_run: that run.
        mean: over the runs.
        low: the least.
        high: the greatest.
    """

    run_count: int
    best: float | None
    best_run: RunView | None
    mean: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class RunGroup:
    """The runs that have the same in the field by which they are grouped.

    Attributes:
        value: what they have; None where they lack the field.
        run_count: how many they are.
        states: how many of them are in each state.
        newest: the one that was made last.
        numbers: what they have of the number that was asked for; None where none was.
    """

    value: ParamValue
    run_count: int
    states: Mapping[str, int]
    newest: RunView
    numbers: GroupNumbers | None


@dataclass(slots=True)
class _Gathered:
    value: ParamValue
    newest: RunView
    states: Counter[str] = field(default_factory=Counter)
    numbers: list[tuple[float, RunView]] = field(default_factory=list)


def group_runs(runs: Sequence[RunView], by: SearchField, number: SearchField | None = None) -> list[RunGroup]:
    """Return the groups of runs in the order of their first runs; `number` is summed up in each."""
    groups: dict[str, _Gathered] = {}
    for page in pages_of(runs):
        for run in page:
            value = run.value(by)
            value = None if value in _NONE else value
            one = groups.setdefault(json.dumps(value, sort_keys=True, default=str), _Gathered(value, run))
            one.states[str(run.state)] += 1
            if run.created_ns > one.newest.created_ns:
                one.newest = run
            found = None if number is None else run.value(number)
            if isinstance(found, int | float) and not math.isnan(found):
                one.numbers.append((float(found), run))
    return [
        RunGroup(
            one.value,
            one.states.total(),
            dict(one.states.most_common()),
            one.newest,
            None if number is None else _numbers(one.numbers),
        )
        for one in groups.values()
    ]


def _numbers(found: Sequence[tuple[float, RunView]]) -> GroupNumbers:
    if not found:
        return GroupNumbers(0, None, None, None, None, None)
    values = [value for value, _ in found]
    best, best_run = found[0]
    with_both = math.inf in values and -math.inf in values  # of which `fsum` makes an error
    mean = math.nan if with_both else math.fsum(value / len(values) for value in values)
    return GroupNumbers(len(values), best, best_run, mean, min(values), max(values))
