"""How a metric is to be read, of what a run declared with names and globs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Final

from otel_experiments.model.batch import MetricDefinition

_OF_GLOBS: Final = frozenset("*?[")


class MetricRules:
    """What the definitions of a run say of its metrics; they are read once, when the first metric is asked about."""

    def __init__(self, read: Callable[[], Sequence[MetricDefinition]]) -> None:
        self._read = read

    @cached_property
    def definitions(self) -> Sequence[MetricDefinition]:
        """The definitions, as they were read."""
        return self._read()

    def of(self, name: str) -> MetricDefinition:
        """Return what the definitions say of a metric together: the name counts before globs, a longer glob before a shorter.

        What the first of them does not say, the next does. A metric is no x axis of its own.
        """
        found = MetricDefinition("", name)
        globs = (one for one in self._globs if one.pattern != name and fnmatchcase(name, one.pattern))
        for one in (*globs, *self._by_pattern.get(name, ())):
            found = replace(
                found,
                direction=one.direction or found.direction,
                step_metric=one.step_metric or found.step_metric,
                summary=one.summary or found.summary,
                is_hidden=found.is_hidden if one.is_hidden is None else one.is_hidden,
            )
        return replace(found, step_metric="") if found.step_metric == name else found

    @cached_property
    def _by_pattern(self) -> dict[str, list[MetricDefinition]]:
        found: dict[str, list[MetricDefinition]] = {}
        for one in self.definitions:
            found.setdefault(one.pattern, []).append(one)
        return found

    @cached_property
    def _globs(self) -> list[MetricDefinition]:
        globs = (one for one in self.definitions if not _OF_GLOBS.isdisjoint(one.pattern))
        return sorted(globs, key=lambda one: (len(one.pattern), one.pattern))
