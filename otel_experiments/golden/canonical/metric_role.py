"""What a metric is for: compared by value, or only for its presence because it is measured on the machine.

Rules and tolerances name a metric as a report prints it: `loss`, `loss@val`, `~loss`, or `run digits/epoch ~loss`.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from otel_experiments.golden.canonical.form import Form
from otel_experiments.golden.canonical.measured_name import is_measured
from otel_experiments.golden.canonical.roles import Role, Rules
from otel_experiments.golden.canonical.trace import MetricSeries


def series_name(series: MetricSeries) -> str:
    """Return how a series is called in reports and rules: its name, with the phase behind an @."""
    return f"{series.name}@{series.phase}" if series.phase else series.name


def series_path(form: Form) -> str:
    """Return the canonical path under which the series of a run are reported: that of its root."""
    return next((child.name for child in form.top.children if child.name), "")


def matches_metric(pattern: str, path: str, metric: str) -> bool:
    """Whether a name or glob of a rule is about a metric at a path."""
    where, separator, name = pattern.rpartition("~")
    if separator and where.strip():
        if not where.endswith(" ") or not _matches(where.strip(), path):
            return False
    elif separator and where:
        return False
    elif not separator:
        name = pattern
    name = name.strip().strip('"') if separator else name
    return _matches(name, metric) or ("@" in metric and _matches(name, metric.rpartition("@")[0]))


def names_metric(pattern: str) -> bool:
    """Whether a rule's text can only be about metrics: it has a `~` before the name."""
    return pattern.startswith("~") or " ~" in pattern


def _matches(pattern: str, text: str) -> bool:
    return pattern == text or fnmatchcase(text, pattern)


class MetricRoles:
    """Tells under some rules which metrics are compared for their presence only."""

    def __init__(self, rules: Rules) -> None:
        self._declared: list[tuple[Role, str]] = [
            *((Role.VOLATILE, pattern) for pattern in rules.volatile),
            *((Role.METRIC, pattern) for pattern in (*rules.metric, *rules.config)),
        ]

    def is_volatile(self, path: str, metric: str) -> bool:
        """Whether a series of `run.log` is compared for its presence only.

        What is declared wins over what the name says, a whole name over a glob.
        """
        declared = self._find(path, metric, self._declared)
        return is_measured(metric.partition("@")[0]) if declared is None else declared is Role.VOLATILE

    def is_declared_volatile(self, path: str, metric: str) -> bool:
        """Whether the values that spans carry under this name were declared volatile at this path."""
        return self._find(path, metric, self._declared) is Role.VOLATILE

    def _find(self, path: str, metric: str, declared: Iterable[tuple[Role, str]]) -> Role | None:
        found = [(role, pattern) for role, pattern in declared if matches_metric(pattern, path, metric)]
        whole = (role for role, pattern in found if pattern.rpartition("~")[2] == metric)
        return next(whole, next((role for role, _ in found), None))
