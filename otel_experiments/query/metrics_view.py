"""The metrics of a run: summaries at once, histories on request."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from otel_experiments._short_repr import cut
from otel_experiments.errors import MetricNotFoundError
from otel_experiments.query.closest import closest
from otel_experiments.query.frames.framed_metrics import FramedMetrics
from otel_experiments.query.metric_rules import MetricRules
from otel_experiments.query.natural import natural_key
from otel_experiments.query.series_view import SeriesView
from otel_experiments.query.shown.plotted import PlottedMetrics

if TYPE_CHECKING:
    from otel_experiments.model.metric import Series
    from otel_experiments.store import Store

_NAMES_IN_REPR = 8


def _place_of(series: Series) -> tuple[object, ...]:
    return natural_key(series.key.name), natural_key(series.key.phase), series.key.rank


class MetricsView(FramedMetrics, PlottedMetrics, Mapping[str, SeriesView]):
    """The series of a run by the metric's name; `metrics["loss", "validation"]` asks for a phase.

    Without a phase the series that has none is meant; where there is none of that kind, the first by phase. Where
    several ranks recorded a metric, it is the series of the lowest of them; `rank` looks at those of another.
    """

    def __init__(
        self,
        store: Store,
        run_label: str,
        series: Sequence[Series],
        *,
        view_of: Callable[[Series], SeriesView] | None = None,
    ) -> None:
        self._run_label = run_label
        self._views: dict[tuple[str, str], SeriesView] = {}
        rules = MetricRules(lambda: store.metric_definitions(series[0].run_id))
        for one in sorted(series, key=_place_of):
            view = SeriesView(store, one, rules) if view_of is None else view_of(one)
            first = self._views.setdefault((view.name, view.phase), view)
            if first is not view:
                first._add_rank(view)  # noqa: SLF001 - of this module
        self._by_name: dict[str, SeriesView] = {}
        for (name, _), view in self._views.items():
            self._by_name.setdefault(name, view)

    def __getitem__(self, key: str | tuple[str, str]) -> SeriesView:
        found = self._by_name.get(key) if isinstance(key, str) else self._views.get(key)
        if found is None:
            raise self._not_found(key)
        return found

    def __contains__(self, key: object) -> bool:
        return key in self._by_name or key in self._views

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    @property
    def ranks(self) -> list[int]:
        """The ranks that recorded a metric, the lowest first."""
        return sorted({rank for view in self._views.values() for rank in view.ranks})

    def all(self, *, rank: int | Literal["all"] | None = None) -> list[SeriesView]:
        """Return every series, by name and phase: of the lowest rank that has it, of one `rank`, or of `"all"`."""
        if rank is None:
            return list(self._views.values())
        of_ranks = (view.of_rank(one) for view in self._views.values() for one in view.ranks)
        return [series for series in of_ranks if rank in {"all", series.rank}]

    def in_phase(self, name: str, phase: str) -> SeriesView | None:
        """Return the series of this name and phase; None when there is none."""
        return self._views.get((name, phase))

    def matching(self, glob: str, *, rank: int | Literal["all"] | None = None) -> list[SeriesView]:
        """Return the series whose name matches a glob such as `val/*`, by name and phase; `rank` as in `all`."""
        return [view for view in self.all(rank=rank) if fnmatch.fnmatchcase(view.name, glob)]

    def _chosen(self, glob: str, rank: int | Literal["all"] | None) -> list[SeriesView]:
        return self.matching(glob, rank=rank)

    def _drawn(self, names: Sequence[str]) -> Sequence[SeriesView]:
        found: dict[tuple[str, str], SeriesView] = {} if names else dict(self._views)
        for name in names:
            fitting = [one for one in self.all() if one.name == name] or self.matching(name)
            if not fitting:
                raise self._not_found(name)
            found.update({(one.name, one.phase): one for one in fitting})
        return list(found.values())

    def _plot_title(self) -> str:
        return f"run {self._run_label}"

    def _repr_html_(self) -> str:
        from otel_experiments.query.shown.html import metrics_html  # noqa: PLC0415 - only notebooks ask

        return metrics_html(f"Metrics of run {self._run_label}", self.all())

    def _not_found(self, key: str | tuple[str, str]) -> MetricNotFoundError:
        name = key if isinstance(key, str) else key[0]
        wanted = key if isinstance(key, str) else f"{key[0]} [{key[1]}]"
        known = [f"{view.name} [{view.phase}]" if view.phase else view.name for view in self._views.values()]
        close = closest(name, list(self._by_name))
        if name in self._by_name:
            known = [text for text in known if text == name or text.startswith(f"{name} [")]
            close = None
        return MetricNotFoundError(run=self._run_label, name=wanted, known=known, suggestion=close)

    def __repr__(self) -> str:
        names = list(self._by_name)
        more = f", and {len(names) - _NAMES_IN_REPR} more" if len(names) > _NAMES_IN_REPR else ""
        return f"MetricsView({', '.join(cut(name, 40) for name in names[:_NAMES_IN_REPR])}{more})"
