"""What a run is told of itself, by name: params with their history, tags, values of the summary, how metrics are to be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TypeVar

from otel_experiments.codec.values import dump_value, load_value
from otel_experiments.model.batch import MetricDefinition, ParamSet, SummarySet, TagSet, WriteBatch
from otel_experiments.model.metric import Direction
from otel_experiments.model.run import ParamValue
from otel_experiments.store.semantics.summary import direction_of

_Item = TypeVar("_Item")
_Place = TypeVar("_Place", tuple[str, str], tuple[str, str, int])


@dataclass(slots=True)
class Labels:
    """Of each run by its id and the key. What the dicts hold is never changed."""

    params: dict[tuple[str, str], ParamSet] = field(default_factory=dict)
    former_params: dict[tuple[str, str, int], ParamSet] = field(default_factory=dict)
    """Values that later ones replaced, by their times."""
    tags: dict[tuple[str, str], TagSet] = field(default_factory=dict)
    summaries: dict[tuple[str, str], SummarySet] = field(default_factory=dict)
    definitions: dict[str, dict[str, MetricDefinition]] = field(default_factory=dict)
    """By run, then by pattern."""

    def with_news(self, batch: WriteBatch) -> Labels:
        """Return the labels that the batch brings or changes.

        Raises:
            TypeError: a value inside is of a type that no store keeps.
        """
        news = Labels()
        for param in batch.params:
            self._take_param(news, replace(param, value=_as_stored(param.value)))
        for one in batch.summaries:
            place = (one.run_id, one.key)
            known = news.summaries.get(place) or self.summaries.get(place)
            if known is None or one.time_ns >= known.time_ns:
                news.summaries[place] = replace(one, value=_as_stored(one.value))
        for tag in batch.tags:
            place = (tag.run_id, tag.key)
            known_tag = news.tags.get(place) or self.tags.get(place)
            if known_tag is None or tag.time_ns >= known_tag.time_ns:
                news.tags[place] = tag
        for definition in batch.metric_definitions:
            news.definitions.setdefault(definition.run_id, {})[definition.pattern] = definition
        return news

    def forget(self, run_id: str) -> None:
        """Take away what a run was told."""
        self.params = _of_others(self.params, run_id)
        self.former_params = _of_others(self.former_params, run_id)
        self.tags = _of_others(self.tags, run_id)
        self.summaries = _of_others(self.summaries, run_id)
        self.definitions.pop(run_id, None)

    def _take_param(self, news: Labels, param: ParamSet) -> None:
        place = (param.run_id, param.key)
        known = news.params.get(place) or self.params.get(place)
        if known is None or param.time_ns >= known.time_ns:
            news.params[place] = param
            replaced = known
        else:
            replaced = param
        if replaced is not None and 0 <= replaced.time_ns < news.params.get(place, known or param).time_ns:
            former = (*place, replaced.time_ns)
            if former not in self.former_params:
                news.former_params.setdefault(former, replaced)

    def update(self, news: Labels) -> None:
        """Put what `with_news` returned in its place."""
        self.params.update(news.params)
        self.former_params.update(news.former_params)
        self.tags.update(news.tags)
        self.summaries.update(news.summaries)
        for run_id, told in news.definitions.items():
            self.definitions.setdefault(run_id, {}).update(told)

    def params_of(self, run_ids: Sequence[str]) -> dict[str, dict[str, ParamValue]]:
        """Return the flat params of each run; see `Store.params`."""
        wanted: dict[str, dict[str, ParamValue]] = {run_id: {} for run_id in run_ids}
        for run_id, key in sorted(self.params):
            if run_id in wanted:
                wanted[run_id][key] = self.params[run_id, key].value
        return wanted

    def tags_of(self, run_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return the tags of each run; see `Store.tags`."""
        wanted: dict[str, dict[str, str]] = {run_id: {} for run_id in run_ids}
        for run_id, key in sorted(self.tags):
            value = self.tags[run_id, key].value
            if run_id in wanted and value is not None:
                wanted[run_id][key] = value
        return wanted

    def param_sets(self, run_id: str) -> list[ParamSet]:
        """Return every value that the run's params were given, by key and time."""
        found = chain(_of(run_id, self.params), _of(run_id, self.former_params))
        return sorted(found, key=lambda one: (one.key, one.time_ns))

    def tag_sets(self, run_id: str) -> list[TagSet]:
        """Return the tags of a run, removed ones too, by key."""
        return sorted(_of(run_id, self.tags), key=lambda one: one.key)

    def summary_sets(self, run_id: str) -> list[SummarySet]:
        """Return what the program set in the summary of the run, by key."""
        return sorted(_of(run_id, self.summaries), key=lambda one: one.key)

    def definitions_of(self, run_id: str) -> list[MetricDefinition]:
        """Return how the run's metrics are to be read, by pattern."""
        return sorted(self.definitions.get(run_id, {}).values(), key=lambda one: one.pattern)

    def direction(self, run_id: str, name: str, news: Labels | None = None) -> Direction | None:
        """Return the direction of a metric, `news` taken into account."""
        told = self.definitions.get(run_id, {}) | ({} if news is None else news.definitions.get(run_id, {}))
        return direction_of(name, [(one.pattern, one.direction) for one in told.values()])


def _of(run_id: str, held: Mapping[_Place, _Item]) -> Iterable[_Item]:
    return (one for place, one in held.items() if place[0] == run_id)


def _as_stored(value: ParamValue) -> ParamValue:
    """Return a value as a file would give it back."""
    return load_value(dump_value(value))


def _of_others(items: dict[_Place, _Item], run_id: str) -> dict[_Place, _Item]:
    return {place: item for place, item in items.items() if place[0] != run_id}
