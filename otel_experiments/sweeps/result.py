"""What a sweep found: its trials, the best of them, and a table of all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from otel_experiments._short_repr import short
from otel_experiments.codec.number import NO_NUMBERS, number_of
from otel_experiments.errors import MetricNotFoundError, QueryError
from otel_experiments.model.run import RunState
from otel_experiments.process.interruption import is_interruption
from otel_experiments.query.closest import closest
from otel_experiments.query.run_list import RunList
from otel_experiments.query.search.told import guessed_direction
from otel_experiments.sweeps.trial import describe

if TYPE_CHECKING:
    import pandas as pd

    from otel_experiments.model.metric import Direction
    from otel_experiments.query import RunView
    from otel_experiments.query.run_columns import SeriesStat
    from otel_experiments.query.series_view import SeriesView


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial of a sweep.

    Attributes:
        number: its place in the sweep, from 0.
        config: what the function was called with.
        run_id, name: of its run; the id is empty where its process died before it could say it.
        state: succeeded, failed, cancelled or lost.
        returned: what the function returned; None where that could not be sent from its process.
        error: what it raised; None where it came to its end.
        traceback: where it raised it, as text.
        unsent: why what it returned could not be sent from its process; empty where it is here.
    """

    number: int
    config: dict[str, Any]  # whatever the function takes
    run_id: str
    name: str
    state: RunState
    returned: Any = None  # the user's
    error: BaseException | None = None
    traceback: str = field(default="", repr=False)
    unsent: str = ""

    @property
    def is_failed(self) -> bool:
        """Whether the function raised, or its process died."""
        return self.state in {RunState.FAILED, RunState.LOST}


class SweepResult(Sequence[Trial]):
    """The trials of a sweep, in the order of their configs.

    Attributes:
        id, name: of the sweep's own run, of which the runs of the trials are children.
        seed: what its random numbers came from.
    """

    def __init__(
        self,
        run_id: str,
        name: str,
        seed: int,
        trials: Sequence[Trial],
        find_runs: Callable[[str], list[RunView]],
        *,
        goal: tuple[str, Direction | None] | None = None,
    ) -> None:
        self._goal = goal
        self.id, self.name, self.seed = run_id, name, seed
        self._trials = tuple(trials)
        self._find_runs = find_runs

    @overload
    def __getitem__(self, index: int) -> Trial: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Trial]: ...
    def __getitem__(self, index: int | slice) -> Trial | Sequence[Trial]:
        return self._trials[index]

    def __len__(self) -> int:
        return len(self._trials)

    def __iter__(self) -> Iterator[Trial]:
        return iter(self._trials)

    @property
    def failed(self) -> list[Trial]:
        """The trials whose function raised, or whose process died."""
        return [one for one in self._trials if one.is_failed]

    @property
    def runs(self) -> RunList:
        """The stored runs of the trials, in their order; ask again for what came later.

        Raises:
            QueryError: nothing is stored of them.
        """
        found = {run.id: run for run in self._find_runs(self.id)}
        return RunList(found[one.run_id] for one in self._trials if one.run_id in found)

    def best(
        self, metric: str | None = None, *, direction: Direction | None = None, phase: str | None = None
    ) -> Trial:
        """Return the trial that did best among those that succeeded; of equals the first.

        With a metric, its best point in each run counts; without one, the numbers that the function returned, or the
        metric that a sweep configuration of wandb names.

        Args:
            metric: the name of a metric that the trials logged.
            direction: `min` or `max`; by default as `define_metric` said, else as the metric's name says. What the
                function returned is minimised.
            phase: only the series of this phase.

        Raises:
            MetricNotFoundError: no trial that succeeded has the metric.
            QueryError: it is not known which way is better, or there is no number to compare.
        """
        if direction not in {None, "min", "max"}:
            raise QueryError(f"There is no direction {direction!r}.\n  Pass 'min' or 'max'.")
        if metric is None and self._goal is not None:
            metric = self._goal[0]
            direction = direction or self._goal[1]
        done = [one for one in self._trials if one.state is RunState.SUCCEEDED]
        scored = self._returned(done) if metric is None else []
        way = direction or "min"
        if metric is not None:
            series = self._series(done, metric, phase)
            way = direction or _direction_of(metric, series)
            scored = [(one.min if way == "min" else one.max, trial) for trial, one in series]
        scored = [(value, trial) for value, trial in scored if value == value]  # noqa: PLR0124 - no NaN
        if not scored:
            of = "a number" if metric is None else f"a value of {metric!r} that is a number"
            raise QueryError(
                f"No trial of sweep {self.name!r} that succeeded has {of}: {len(done)} of {len(self)} succeeded.\n"
                "  Let the function return a number, or name a metric that it logs."
            )
        pick = min if way == "min" else max
        return pick(scored, key=lambda pair: pair[0])[1]

    def to_pandas(self, *, stats: Sequence[SeriesStat] | None = None) -> pd.DataFrame:
        """Return a table of pandas with a row a trial, as that of its run: params, tags, and summaries of metrics.

        Raises:
            MissingPackageError: pandas is not installed.
            QueryError: `stats` has what is not known of a metric.
        """
        return self.runs.to_pandas(stats=stats)

    def _returned(self, done: Sequence[Trial]) -> list[tuple[float, Trial]]:
        numbers = [(_number(one.returned), one) for one in done]
        return [(number, one) for number, one in numbers if number is not None]

    def _series(
        self, done: Sequence[Trial], metric: str, phase: str | None
    ) -> list[tuple[Trial, SeriesView]]:
        runs = {run.id: run for run in self.runs}
        found: list[tuple[Trial, SeriesView]] = []
        known: dict[str, None] = {}
        for trial in done:
            metrics = runs[trial.run_id].metrics if trial.run_id in runs else None
            if metrics is None:
                continue
            known.update(dict.fromkeys(metrics))
            series = metrics.get(metric) if phase is None else metrics.in_phase(metric, phase)
            if series is not None:
                found.append((trial, series))
        if not found:
            raise MetricNotFoundError(
                run=self.name, name=metric, known=list(known), suggestion=closest(metric, list(known))
            )
        return found

    def __repr__(self) -> str:
        failed = f", {len(self.failed)} failed" if self.failed else ""
        return f"SweepResult({short(self.name)}, {len(self)} trials{failed})"

    def __str__(self) -> str:
        lines = [repr(self)]
        lines += [
            f"  {one.number:>4}  {one.state}  {one.config}  {describe(one.error)}".rstrip()
            for one in self._trials
        ]
        return "\n".join(lines)


def _number(returned: Any) -> float | None:  # whatever the function returned
    """Return the number that a function returned, of any library; None where it is none."""
    if isinstance(returned, bool) or type(returned) in NO_NUMBERS:
        return None
    try:
        return number_of(returned)
    except Exception as error:  # whatever the user's class does
        if is_interruption(error):
            raise
        return None


def _direction_of(metric: str, series: Sequence[tuple[Trial, SeriesView]]) -> Direction:
    said = next((one.direction for _, one in series if one.direction is not None), None)
    direction = said or guessed_direction(metric)
    if direction is None:
        raise QueryError(
            f"Nothing says which way metric {metric!r} is better.\n"
            f"  Pass direction='min' or 'max', or declare it in the run: run.define_metric({metric!r}, direction=...)."
        )
    return direction
