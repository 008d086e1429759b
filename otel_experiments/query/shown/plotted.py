"""What can be had as a figure: a series, and the series of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from otel_experiments.figures.figure import Figure
    from otel_experiments.query.shown.curves import Drawn


class PlottedSeries:
    """A series as a figure."""

    __slots__ = ()

    def plot(self, *, x: Literal["step", "relative", "wall"] = "step", log: bool = False) -> Figure:
        """Return the series as a figure, which a notebook shows and `save("loss.svg")` writes.

        Args:
            x: The horizontal axis: steps, seconds since the first point, or the time of day in UTC.
            log: Whether the values are on a logarithmic axis.
        """
        from otel_experiments.query.shown.curves import figure_of  # noqa: PLC0415 - few readers draw

        return figure_of([self._itself()], x=x, log=log)

    def _itself(self) -> Drawn:
        raise NotImplementedError


class PlottedRuns:
    """One metric of several runs as one figure."""

    __slots__ = ()

    def plot(
        self,
        metric: str,
        *,
        phase: str | None = None,
        x: Literal["step", "relative", "wall"] = "step",
        log: bool = False,
    ) -> Figure:
        """Return a metric of the runs as one figure, a line each, named after the runs; a note counts those without it.

        The first 100 runs are drawn.

        Args:
            metric: The name of the metric.
            phase: Only the series of this phase.
            x: The horizontal axis: steps, seconds since the first point of each series, or the time of day in UTC.
            log: Whether the values are on a logarithmic axis.

        Raises:
            MetricNotFoundError: no run has it.
        """
        from otel_experiments.query.shown.curves import figure_of  # noqa: PLC0415 - few readers draw

        found, labels, notes = self._drawn_runs(metric, phase)
        title = f"{metric} [{phase}]" if phase else metric
        return figure_of(found, labels=labels, title=title, x=x, log=log, notes=notes)

    def _drawn_runs(
        self, metric: str, phase: str | None
    ) -> tuple[Sequence[Drawn], Sequence[str], Sequence[str]]:
        raise NotImplementedError


class PlottedMetrics:
    """The series of a run as one figure."""

    __slots__ = ()

    def plot(self, *names: str, x: Literal["step", "relative", "wall"] = "step", log: bool = False) -> Figure:
        """Return series as one figure: those of these names or globs such as `val/*`, or all of the run.

        Args:
            names: Each with the phases that it has.
            x: The horizontal axis: steps, seconds since the first point of each series, or the time of day in UTC.
            log: Whether the values are on a logarithmic axis.

        Raises:
            MetricNotFoundError: a name or glob fits no series.
        """
        from otel_experiments.query.shown.curves import figure_of  # noqa: PLC0415 - few readers draw

        found = self._drawn(names)
        return figure_of(found, title=None if len(found) == 1 else self._plot_title(), x=x, log=log)

    def _drawn(self, names: Sequence[str]) -> Sequence[Drawn]:
        raise NotImplementedError

    def _plot_title(self) -> str:
        raise NotImplementedError
