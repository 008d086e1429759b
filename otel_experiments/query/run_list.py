"""Runs that were found together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, SupportsIndex, overload

from otel_experiments._short_repr import cut
from otel_experiments.query.paged_list import PagedList
from otel_experiments.query.run_edits import RunEdits
from otel_experiments.query.run_view import RunView, pages_of
from otel_experiments.query.shown.plotted import PlottedRuns

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from otel_experiments.query.frames.columns import Columns
    from otel_experiments.query.run_columns import SeriesStat
    from otel_experiments.query.series_view import SeriesView

MOST_DRAWN = 100
"""Runs in one figure: of more no line can be told from the others."""


class RunList(PagedList, RunEdits, PlottedRuns, list[RunView]):
    """Runs in the order that was asked for: a list, and a table of pandas, polars or Arrow.

    The table has one row a run, and columns as `export runs` has them: the run's fields, `tags.KEY`, `params.KEY` and of
    each metric `metrics.NAME.last`, `.min` and so on. `stats` says which of these; without it all.
    """

    def to_pandas(self, *, stats: Sequence[SeriesStat] | None = None) -> pd.DataFrame:
        """Return a table of pandas, one row a run; a missing float is NaN, a missing integer or boolean NA.

        Raises:
            MissingPackageError: pandas is not installed.
            QueryError: `stats` has what is not known of a metric.
        """
        from otel_experiments.query.frames import libraries  # noqa: PLC0415 - few need it

        return libraries.to_pandas(self._columns(stats), "runs.to_pandas()")

    def to_polars(self, *, stats: Sequence[SeriesStat] | None = None) -> pl.DataFrame:
        """Return a table of polars, one row a run; what is missing is null, NaN a number.

        Raises:
            MissingPackageError: polars is not installed.
            QueryError: `stats` has what is not known of a metric.
        """
        from otel_experiments.query.frames import libraries  # noqa: PLC0415 - few need it

        return libraries.to_polars(self._columns(stats), "runs.to_polars()")

    def to_arrow(self, *, stats: Sequence[SeriesStat] | None = None) -> pa.Table:
        """Return an Arrow table, one row a run; what is missing is null, NaN a number.

        Raises:
            MissingPackageError: pyarrow is not installed.
            QueryError: `stats` has what is not known of a metric.
        """
        from otel_experiments.query.frames import libraries  # noqa: PLC0415 - few need it

        return libraries.to_arrow(self._columns(stats), "runs.to_arrow()")

    def _edited_runs(self) -> list[RunView]:
        return self

    def _columns(self, stats: Sequence[SeriesStat] | None) -> Columns:
        from otel_experiments.query.run_columns import SERIES_STATS, check_stats, run_columns  # noqa: PLC0415 - as above

        wanted = SERIES_STATS if stats is None else check_stats(stats)
        return run_columns((run for page in pages_of(self) for run in page), len(self), wanted)

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> RunView: ...
    @overload
    def __getitem__(self, index: slice, /) -> RunList: ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> RunView | RunList:
        if isinstance(index, slice):
            return RunList(super().__getitem__(index))
        return super().__getitem__(index)

    def _drawn_runs(self, metric: str, phase: str | None) -> tuple[list[SeriesView], list[str], list[str]]:
        runs = [run for page in pages_of(self[:MOST_DRAWN]) for run in page]
        found = {
            run.id: (run, series)
            for run in runs
            if (series := run.metrics.get(metric) if phase is None else run.metrics.in_phase(metric, phase))
        }
        if runs and not found:
            runs[0].metrics[metric if phase is None else (metric, phase)]  # says what there is instead
        names = Counter(run.name for run, _ in found.values())
        labels = [
            run.name if names[run.name] == 1 else f"{run.name} {run.short_id}" for run, _ in found.values()
        ]
        missing = len(runs) - len(found)
        notes = (
            [f"{missing:,} {'run has' if missing == 1 else 'runs have'} no such series"] if missing else []
        )
        if len(runs) < len(self):
            notes.append(f"the first {len(runs)} of {len(self):,} runs are drawn")
        return [series for _, series in found.values()], labels, notes

    def _repr_html_(self) -> str:
        from otel_experiments.query.shown.html import MAX_ROWS  # noqa: PLC0415 - only notebooks ask
        from otel_experiments.query.shown.run_html import runs_html  # noqa: PLC0415 - as above

        return runs_html([run for page in pages_of(self[:MAX_ROWS]) for run in page], len(self))

    def __repr__(self) -> str:
        shown = [f"{cut(run.name, 60)} ({run.short_id})" for run in self[:3]]
        if len(self) > len(shown):
            shown.append(f"and {len(self) - len(shown)} more")
        return f"RunList({len(self)}{': ' if shown else ''}{', '.join(shown)})"
