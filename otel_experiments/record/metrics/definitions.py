"""How metrics are to be read, as a program declares it; other trackers' words for it are taken where they mean something."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from otel_experiments.codec.text import shown, text_of
from otel_experiments.errors import InvalidNameError
from otel_experiments.model.batch import MetricDefinition
from otel_experiments.model.metric import SUMMARY_WORDS, Direction
from otel_experiments.record.base.names import clean_name

if TYPE_CHECKING:
    from otel_experiments.record.base.guard import RunGuard

_DIRECTION_WORDS: Final = {"min": "min", "minimize": "min", "max": "max", "maximize": "max"}
_DIRECTIONS: Final = (None, *get_args(Direction))


@dataclass(frozen=True, slots=True)
class GivenDefinition:
    """What a call of `define_metric` was given, whatever it is; None is not given."""

    direction: Any = None
    goal: Any = None
    summary: Any = None
    step_metric: Any = None
    hidden: Any = None
    overwrite: Any = None


class Definitions:
    """Makes definitions of what calls were given, for one run: a later call adds to what an earlier one of a pattern said."""

    def __init__(self, run_id: str, guard: RunGuard) -> None:
        self._run_id = run_id
        self._guard = guard
        self._known: dict[str, MetricDefinition] = {}

    def know(self, stored: Iterable[MetricDefinition]) -> list[MetricDefinition]:
        """Take in what was said before, of this run or of the one that it is a fork of; return it, as of this run."""
        known = [replace(one, run_id=self._run_id) for one in stored]
        self._known |= {one.pattern: one for one in known}
        return known

    def make(self, pattern: Any, given: GivenDefinition) -> MetricDefinition:
        """Return how the metrics are to be read that `pattern` fits; what cannot be used is told.

        Raises:
            InvalidNameError: the pattern cannot be used.
        """
        name = clean_name(pattern, "metric name")
        known = MetricDefinition(self._run_id, name)
        if not given.overwrite:
            known = self._known.get(name, known)
        summary = self._summary(name, given.summary)
        news: dict[str, object] = {
            "direction": self._direction(name, given),
            "step_metric": self._step_metric(name, given.step_metric),
            "summary": summary,
            "is_hidden": None if given.hidden is None else bool(given.hidden),
        }
        made = replace(
            known, **cast("Mapping[str, Any]", {key: one for key, one in news.items() if one is not None})
        )
        self._known[name] = made
        return made

    def _direction(self, name: str, given: GivenDefinition) -> Direction | None:
        if given.direction is not None:
            if given.direction in _DIRECTIONS:
                return cast("Direction", given.direction)
            self._guard.lost(
                "metric direction",
                f"Metric {name!r} has no direction {given.direction!r:.60}, only 'min' and 'max' (and None); "
                "it is declared without one",
                name=text_of(name),
            )
            return None
        words = (_DIRECTION_WORDS.get(f"{word}") for word in (given.goal, given.summary))
        return cast("Direction | None", next((word for word in words if word is not None), None))

    def _summary(self, name: str, given: Any) -> str | None:
        if given is None:
            return None
        words = [word.strip() for word in text_of(given).split(",")]
        wrong = [word for word in words if word not in SUMMARY_WORDS]
        if wrong:
            self._guard.lost(
                "metric summary",
                f"The summary of metric {name!r} cannot have {shown(wrong[0])} of it: the words are "
                f"{', '.join(SUMMARY_WORDS)}; it has the last value",
                name=name,
            )
            return None
        return ",".join(dict.fromkeys(words))

    def _step_metric(self, name: str, given: Any) -> str | None:
        if given is None:
            return None
        try:
            return clean_name(given if isinstance(given, str) else given.name, "metric name")
        except (InvalidNameError, AttributeError):
            self._guard.lost(
                "metric axis",
                f"The x axis of metric {name!r} cannot be {shown(given)}: it is the name of a metric",
                name=name,
            )
            return None
