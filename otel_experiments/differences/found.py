"""What a comparison of two runs found, as values: both runs, the differences in their order, and what goes with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Final

from otel_experiments._short_repr import fields_repr
from otel_experiments.differences.difference import Difference
from otel_experiments.differences.span_sides import PathTimes

if TYPE_CHECKING:
    from otel_experiments.figures.spec import Curves

SHOWN: Final = 10
"""So many differences are shown unless all are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSide:
    """One of the two runs, as reports head it.

    Attributes:
        id: the run id.
        name: its name.
        experiment: its experiment.
        state: its state when it was read.
        duration_s: how long it worked; None for one that has not started.
    """

    id: str
    name: str
    experiment: str
    state: str
    duration_s: float | None

    def __repr__(self) -> str:
        return fields_repr(self)

    @property
    def short_id(self) -> str:
        """The first 8 digits of the id."""
        return self.id[:8]


@dataclass(frozen=True, slots=True)
class Differing:
    """What a comparison of two runs found, which reports are made from.

    Attributes:
        a: the first run.
        b: the second run.
        differences: all of them, the likeliest cause first.
        notes: what was not compared, and what holds for all.
        same: how many params, packages, metrics and paths of spans are the same.
        paths_a: the times of each path of the first run's span tree.
        paths_b: those of the second run's.
        curves: the metrics that differ most, both runs in one figure each.
    """

    a: RunSide
    b: RunSide
    differences: tuple[Difference, ...]
    _: KW_ONLY
    notes: tuple[str, ...] = ()
    same: Mapping[str, int] = field(default_factory=dict)
    paths_a: Mapping[str, PathTimes] = field(default_factory=dict)
    paths_b: Mapping[str, PathTimes] = field(default_factory=dict)
    curves: tuple[Curves, ...] = ()

    @property
    def is_same(self) -> bool:
        """Whether nothing differs but names and times: no cause, no result, no path of the span tree."""
        return not any(one.decides for one in self.differences)

    @property
    def causes(self) -> tuple[Difference, ...]:
        """What was different before the runs worked."""
        return tuple(one for one in self.differences if one.role == "cause")

    @property
    def symptoms(self) -> tuple[Difference, ...]:
        """What came of it."""
        return tuple(one for one in self.differences if one.role == "symptom")

    def shown(self, *, is_all: bool = False) -> tuple[Difference, ...]:
        """Return the differences that a report shows: all of them, or the most telling causes and symptoms, ten in all.

        Args:
            is_all: whether to return every one.
        """
        if is_all or len(self.differences) <= SHOWN:
            return self.differences
        causes, symptoms = self.causes, self.symptoms
        of_causes = max(SHOWN - len(symptoms), SHOWN * 6 // 10)
        chosen = [*causes[:of_causes], *symptoms]
        return (*chosen, *(one for one in self.differences if one.role == "label"))[:SHOWN]
