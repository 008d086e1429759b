"""A golden brought up to date with as little change to its text as the program's change needs.

A number inside its tolerance keeps the old text, and a run that compares equal keeps the old tree, so that a
renamed span changes its own line and nothing else. Source: golden trace design, section 7, anti-churn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from otel_experiments.golden.baseline import Golden, Variant, variants_for
from otel_experiments.golden.canonical.form import Form, Number
from otel_experiments.golden.canonical.trace import MetricSeries
from otel_experiments.golden.match.content_diff import EXACT, diff_owns
from otel_experiments.golden.match.ledger import Ledger
from otel_experiments.golden.match.matcher import match_forms
from otel_experiments.golden.match.state import Matched, Pair
from otel_experiments.golden.policy import Policy


def update_golden(old: Golden, new: Golden, *, with_timing: bool = False) -> Golden:
    """Return the golden to write in place of `old`, made of `new` runs.

    Rules, policy and ignore lines of the old golden stay, as do its times unless `with_timing`, and everything
    that the new runs only show within tolerance. Runs of an environment that has variants of its own change these
    and nothing else.
    """
    policy = Policy(old.policy)
    places = variants_for(old, new.environment)
    updated = places[: len(new.variants)]
    others = [
        variant
        for variant in old.variants
        if all(variant is not place for place in places)
        or (variant.environment and all(variant is not one for one in updated))
    ]
    variants = [
        _update_variant(before, after, policy) for before, after in zip(places, new.variants, strict=False)
    ]
    here = places[0].environment
    variants += (replace(variant, environment=here) for variant in new.variants[len(variants) :])
    if here:
        return replace(old, variants=[*others, *variants])
    keep_times = bool(old.timing) and not with_timing
    return replace(
        old,
        variants=[*variants, *others],
        environment=new.environment or old.environment,
        timing=old.timing if keep_times else new.timing,
        fingerprint=old.fingerprint if keep_times else new.fingerprint,
    )


def _update_variant(old: Variant, new: Variant, policy: Policy) -> Variant:
    ledger = Ledger()
    matched = match_forms(old.form, new.form, ledger)
    if not ledger.findings() and old.form.order == new.form.order:
        form = _with_new_metrics(old.form, matched, policy)
    else:
        form = new.form
        _keep_owns(old.form, form, matched)
        for pair in matched.pairs:
            for metric in pair.candidate.metrics:
                _keep_metric(pair, metric, policy)
    series = _keep_series(old.form.series, new.form.series, policy)
    return replace(
        new,
        form=replace(form, series=series, _above={}),
        name=old.name,
        reason=old.reason,
        environment=old.environment,
    )


def _with_new_metrics(old: Form, matched: Matched, policy: Policy) -> Form:
    """Return the old form with the metrics of runs that are otherwise equal."""
    for pair in matched.pairs:
        ours, theirs = pair.golden, pair.candidate
        for metric in [metric for metric in ours.metrics if metric not in theirs.metrics]:
            del ours.metrics[metric]
        for metric, columns in theirs.metrics.items():
            _keep_metric(pair, metric, policy)
            known = ours.metrics.get(metric)
            if known is None or len(known) != len(columns):
                ours.metrics[metric] = known = [[None] * ours.size for _ in columns]
            for run, column in enumerate(columns):
                for before, after in zip(pair.golden_at, pair.candidate_at, strict=True):
                    known[run][before] = column[after]
            ours.thinned.pop(metric, None)
            ours.digests.pop(metric, None)
    return old


def _keep_metric(pair: Pair, metric: str, policy: Policy) -> None:
    """Give a new column the old numbers where they agree within the metric's tolerance."""
    before = pair.golden.metrics.get(metric)
    after = pair.candidate.metrics[metric]
    if before is None:
        return
    for run, column in enumerate(after):
        old_column = before[min(run, len(before) - 1)]
        for old_at, new_at in zip(pair.golden_at, pair.candidate_at, strict=True):
            if _agree(old_column[old_at], column[new_at], metric, policy):
                column[new_at] = old_column[old_at]


def _agree(old: Number, new: Number, metric: str, policy: Policy) -> bool:
    if old is None or new is None:
        return False
    if math.isnan(old) or math.isnan(new):
        return math.isnan(old) and math.isnan(new)
    settings = policy.curve_settings(metric, is_other_host=False)
    if settings.mode == "exact":
        return old == new
    return old == new or abs(new - old) <= settings.atol + settings.rtol * abs(old)


def _keep_owns(old: Form, new: Form, matched: Matched) -> None:
    """Give spans that are equal within tolerance the old text of their attributes."""
    numbers = {own: number for number, own in enumerate(new.owns)}
    known: dict[tuple[int, int], int] = {}
    for pair in matched.pairs:
        for before, after in zip(pair.golden_at, pair.candidate_at, strict=True):
            key = pair.golden.own[before], pair.candidate.own[after]
            number = known.get(key)
            if number is None:
                ours, theirs = old.owns[key[0]], new.owns[key[1]]
                number = key[1]
                if ours != theirs and not diff_owns(ours, theirs, EXACT):
                    number = numbers.setdefault(ours, len(new.owns))
                    if number == len(new.owns):
                        new.owns.append(ours)
                known[key] = number
            pair.candidate.own[after] = number


def _keep_series(
    old: Sequence[Sequence[MetricSeries]], new: Sequence[Sequence[MetricSeries]], policy: Policy
) -> tuple[tuple[MetricSeries, ...], ...]:
    kept = []
    for run, series in enumerate(new):
        before = {(one.name, one.phase): one for one in (old[min(run, len(old) - 1)] if old else ())}
        kept.append(tuple(_keep_one(before.get((one.name, one.phase)), one, policy) for one in series))
    return tuple(kept)


def _keep_one(old: MetricSeries | None, new: MetricSeries, policy: Policy) -> MetricSeries:
    if old is None:
        return new
    known = dict(zip(old.indices, old.values, strict=True))
    values = [
        known[index] if index in known and _agree(known[index], value, new.name, policy) else value
        for index, value in zip(new.indices, new.values, strict=True)
    ]
    return replace(new, values=values)
