"""How a metric is to be read, of what a run declared with names and globs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatchcase

from otel_experiments.model.batch import MetricDefinition


def rule_of(name: str, definitions: Iterable[MetricDefinition]) -> MetricDefinition:
    """Return what the definitions say of a metric together: the name counts before globs, a longer glob before a shorter.

    What the first of them does not say, the next does. A metric is no x axis of its own.
    """
    fitting = sorted(
        (one for one in definitions if one.pattern == name or fnmatchcase(name, one.pattern)),
        key=lambda one: (one.pattern == name, len(one.pattern), one.pattern),
    )
    found = MetricDefinition("", name)
    for one in fitting:
        found = replace(
            found,
            direction=one.direction or found.direction,
            step_metric=one.step_metric or found.step_metric,
            summary=one.summary or found.summary,
            is_hidden=one.is_hidden,
        )
    return replace(found, step_metric="") if found.step_metric == name else found
