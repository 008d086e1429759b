"""Declared rules and tolerances that matched nothing: a name that was misspelt accepts a change in silence else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from otel_experiments.golden.canonical.form import Form
from otel_experiments.golden.canonical.metric_role import (
    matches_metric,
    names_metric,
    series_name,
    series_path,
)
from otel_experiments.golden.canonical.roles import Rules
from otel_experiments.golden.findings import Code, Finding
from otel_experiments.golden.policy import Policy

_NAMED = ("identity", "config", "index", "metric", "volatile")
_ORDERS = ("unordered", "ordered")


def find_unused_rules(rules: Rules, forms: Sequence[Form], policy: Policy | None = None) -> list[Finding]:
    """Return a finding for each declared rule, and each tolerance of the policy, that is about nothing in these runs."""
    declared = [(word, text) for word in (*_NAMED, *_ORDERS) for text in getattr(rules, word)]
    tolerances = list(policy.curves) if policy is not None else []
    if not declared and not tolerances:
        return []
    metrics = sorted({metric for form in forms for metric in _metrics(form)})
    attributes = sorted({key for form in forms for key in form.asked})
    found = []
    for word, text in declared:
        if word in _ORDERS:
            if not any(text in form.used_orders for form in forms):
                found.append(_unused(word, text, "no span of such a path has children", ()))
        elif not _is_about(text, attributes, metrics):
            names = (*attributes, *(metric for _, metric in metrics))
            found.append(_unused(word, text, "no attribute or metric has this name", names))
    found += (
        _unused("tolerance", text, "no metric has this name", [metric for _, metric in metrics])
        for text in tolerances
        if not any(matches_metric(text, path, metric) for path, metric in metrics)
    )
    return found


def _metrics(form: Form) -> Iterator[tuple[str, str]]:
    root = series_path(form)
    yield from ((root, series_name(one)) for run in form.series for one in run)
    yield from ((path, key) for path, node in form.walk() for key in node.metrics)


def _is_about(text: str, attributes: Iterable[str], metrics: Iterable[tuple[str, str]]) -> bool:
    if not names_metric(text) and any(key == text or fnmatchcase(key, text) for key in attributes):
        return True
    if any(key == text.removeprefix("~") for key in attributes):
        return True
    return any(matches_metric(text, path, metric) for path, metric in metrics)


def _unused(word: str, text: str, why: str, names: Sequence[str]) -> Finding:
    near = get_close_matches(text.rpartition("~")[2], names, n=1)
    hint = f"; there is {near[0]!r}" if near else ""
    return Finding(
        code=Code.RULE_UNUSED,
        path="",
        key=word,
        detail=f"{word} {text}: {why}{hint}",
        severity="advisory",
        count=0,
    )
