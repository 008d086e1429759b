"""The summary of a run: what the program set, and of each metric its last value or what its definition says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from otel_experiments._short_repr import mapping_repr
from otel_experiments.query.metric_rules import MetricRules
from otel_experiments.query.params_view import nest

if TYPE_CHECKING:
    from otel_experiments.model.batch import MetricDefinition, SummarySet
    from otel_experiments.model.run import ParamValue
    from otel_experiments.query.series_view import SeriesView


class SummaryView(Mapping[str, Any]):
    """The summary of a run by name.

    A metric has its last value under its name; where `define_metric(summary=...)` names statistics, a mapping of those. What
    the program set wins over the metric of that name. Where a metric has several phases, it is of the one that
    `run.metrics[name]` returns.

    Attributes:
        given: what the program set, by dotted key.
    """

    def __init__(self, values: Mapping[str, Any], given: Mapping[str, ParamValue]) -> None:
        self._values = dict(values)
        self.given = dict(given)

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return mapping_repr("SummaryView", self._values)


def summary_of(
    series: Mapping[str, SeriesView], definitions: Sequence[MetricDefinition], sets: Sequence[SummarySet]
) -> SummaryView:
    """Return the summary of a run that has these series, rules and values."""
    found: dict[str, Any] = {}
    rules = MetricRules(lambda: definitions)
    for name, one in series.items():
        words = rules.of(name).summary.split(",")
        if "none" in words:
            continue
        named = [word for word in words if word not in {"", "copy"}]
        found[name] = {word: _statistic(one, word) for word in named} if named else one.last
    given = {one.key: one.value for one in sets}
    return SummaryView({**found, **nest(given)}, given)


def _statistic(series: SeriesView, word: str) -> float | None:
    """Return a statistic; None for words of another release, and for the best where no direction was declared."""
    if word == "first":
        values = series.values
        return values[0] if len(values) else None
    return getattr(series, word) if word in {"last", "min", "max", "mean", "best"} else None
