"""Metrics of candidates against those of a golden, aligned by the index of matched spans, as findings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from otel_experiments.golden.canonical.form import Form, Node, Number, join_path
from otel_experiments.golden.canonical.metric_role import MetricRoles, series_name, series_path
from otel_experiments.golden.canonical.roles import DEFAULT_RULES, Rules
from otel_experiments.golden.curves.compare import Curve, CurveFinding, CurveReport, compare_curve
from otel_experiments.golden.findings import Code, Example, Finding
from otel_experiments.golden.match.ledger import location_of
from otel_experiments.golden.match.state import Matched, Pair
from otel_experiments.golden.policy import Policy

CurveKey = tuple[str, str]
"""Canonical path and metric (a series of `run.log` has its phase behind an @)."""


@dataclass(frozen=True, slots=True)
class CurveView:
    """A metric's curves, for reports."""

    path: str
    metric: str
    golden: Sequence[Curve]
    candidate: Sequence[Curve]
    report: CurveReport | None = None


@dataclass(slots=True)
class _Columns:
    """One metric at one path: golden values by golden instance (a column a run), candidate ones likewise."""

    index: dict[int, float]
    golden: list[dict[int, Number]]
    candidates: list[dict[int, Number]]
    matched: list[set[int]]
    node: Node
    example: list[tuple[Form, Node, dict[int, int]]]


def check_curves(
    golden: Form,
    candidates: Sequence[Form],
    matched: Sequence[Matched],
    *,
    policy: Policy,
    is_other_host: bool,
    rules: Rules = DEFAULT_RULES,
) -> tuple[list[Finding], list[CurveView]]:
    """Return what the metrics of the candidates say, and the curves behind it."""
    findings: list[Finding] = []
    views: list[CurveView] = []
    roles = MetricRoles(rules)
    is_changed = any(one.changed_paths for one in matched)
    for (path, metric), columns in sorted(_span_columns(golden, candidates, matched).items()):
        if roles.is_declared_volatile(path, metric):
            continue
        ours, theirs = _as_curves(columns)
        more, view = _check(
            (path, metric),
            ours,
            theirs,
            policy,
            is_other_host=is_other_host,
            is_changed=False,
            columns=columns,
            runs=len(columns.golden),
        )
        findings += more
        views.append(view)
    for path, node in _lost_paths(matched):
        findings += (
            Finding(
                Code.METRIC_REMOVED, path, key=key, golden=f"{node.size} values", detail="went with its span"
            )
            for key in node.metrics
        )
    root = series_path(golden)
    findings += _thinned_lengths(root, golden, candidates)
    for metric, (ours, theirs) in _series(golden, candidates).items():
        if roles.is_volatile(root, metric):
            findings += _presence(root, metric, ours, theirs, runs=len(golden.series))
            continue
        more, view = _check(
            (root, metric),
            ours,
            theirs,
            policy,
            is_other_host=is_other_host,
            is_changed=is_changed,
            columns=None,
            runs=len(golden.series),
        )
        findings += more
        views.append(view)
    return findings, views


def _lost_paths(matched: Sequence[Matched]) -> list[tuple[str, Node]]:
    found: dict[str, Node] = {}
    for one in matched:
        for path, node in one.removed_paths.items():
            stack = [(path, node)]
            while stack:
                here_path, here = stack.pop()
                if here.metrics:
                    found[here_path] = here
                stack += ((join_path(here_path, child), child) for child in here.children)
    return sorted(found.items(), key=lambda item: item[0])


# --- metrics that spans carry ------------------------------------------------------------------------------------


def _span_columns(
    golden: Form, candidates: Sequence[Form], matched: Sequence[Matched]
) -> dict[CurveKey, _Columns]:
    found: dict[CurveKey, _Columns] = {}
    bases: dict[str, dict[Node, int]] = {}
    for number, one in enumerate(matched):
        for pair in sorted(one.pairs, key=lambda pair: (pair.path, pair.golden_at[0])):
            for metric in {**pair.golden.metrics, **pair.candidate.metrics}:
                _add_pair(found, bases, golden, candidates, number, pair, metric)
    return found


def _add_pair(
    found: dict[CurveKey, _Columns],
    bases: dict[str, dict[Node, int]],
    golden: Form,
    candidates: Sequence[Form],
    number: int,
    pair: Pair,
    metric: str,
) -> None:
    runs = max(1, len(pair.golden.metrics.get(metric, ())))
    columns = found.setdefault(
        (pair.path, metric),
        _Columns(
            {},
            [{} for _ in range(runs)],
            [{} for _ in candidates],
            [set() for _ in candidates],
            pair.candidate,
            [(form, pair.candidate, {}) for form in candidates],
        ),
    )
    known = bases.setdefault(pair.path, {})
    if pair.golden not in known:
        known[pair.golden] = sum(node.size for node in known)
    base = known[pair.golden]
    ours = pair.golden.metrics.get(metric)
    theirs = pair.candidate.metrics.get(metric)
    indices = _index_column(golden, pair.golden)
    where = columns.example[number][2]
    is_thinned = metric in pair.golden.thinned
    for old, new in zip(pair.golden_at, pair.candidate_at, strict=True):
        if is_thinned and ours and all(column[old] is None for column in ours):
            continue  # the golden file keeps only some of the values
        place = base + old
        columns.matched[number].add(place)
        columns.index[place] = place if indices is None else indices[old]
        for run in range(len(columns.golden)):
            value = ours[run][old] if ours and run < len(ours) else None
            columns.golden[run][place] = value
        columns.candidates[number][place] = theirs[0][new] if theirs else None
        where[place] = new
    columns.example[number] = (candidates[number], pair.candidate, where)


def _index_column(form: Form, node: Node) -> list[float] | None:
    """Return the index of every instance: its own or that of what encloses it; None when none is unique."""
    here: Node | None = node
    factor = 1
    while here is not None:
        for column in reversed(list(here.index.values())):
            if factor == 1 or len(column) == node.size:
                values = [value for value in column if value is not None]
                if len(values) == len(set(values)) == node.size:
                    return [float(value) for value in values]
        factor *= here.count
        here = form.parent_of(here)
    return None


def _as_curves(columns: _Columns) -> tuple[list[Curve], list[Curve]]:
    """Return the curves over the instances that every candidate has; an index met twice counts on."""
    common = sorted(set.intersection(*columns.matched))
    indices = [columns.index[place] for place in common]
    if len(set(indices)) < len(indices):
        indices = [float(at) for at in range(len(common))]

    def curve(values: Mapping[int, Number]) -> Curve:
        kept = [
            (index, float(value))
            for index, place in zip(indices, common, strict=True)
            if (value := values.get(place)) is not None
        ]
        return Curve([index for index, _ in kept], [value for _, value in kept])

    golden = [curve(values) for values in columns.golden]
    return [one for one in golden if len(one)], [curve(values) for values in columns.candidates]


# --- metrics of run.log ------------------------------------------------------------------------------------------


def _series(golden: Form, candidates: Sequence[Form]) -> dict[str, tuple[list[Curve], list[Curve]]]:
    found: dict[str, tuple[list[Curve], list[Curve]]] = {}
    kept: dict[str, set[float]] = {}
    for series in golden.series:
        for one in series:
            found.setdefault(series_name(one), ([], []))[0].append(Curve(one.indices, one.values))
            if one.total > len(one.indices):
                kept.setdefault(series_name(one), set()).update(one.indices)
    for series in (series for form in candidates for series in form.series):
        for one in series:
            name = series_name(one)
            points = list(zip(one.indices, one.values, strict=True))
            if name in kept:
                points = [(index, value) for index, value in points if index in kept[name]]
            curve = Curve([index for index, _ in points], [value for _, value in points])
            found.setdefault(name, ([], []))[1].append(curve)
    return dict(sorted(found.items()))


def _thinned_lengths(path: str, golden: Form, candidates: Sequence[Form]) -> list[Finding]:
    """Return a finding for each series of which the golden file kept some points, when there are more or fewer."""
    totals: dict[str, set[int]] = {}
    for series in golden.series:
        for one in series:
            if one.total > len(one.indices):
                totals.setdefault(series_name(one), set()).add(one.total)
    found = []
    for series in (series for form in candidates for series in form.series):
        for one in series:
            name, count = series_name(one), len(one.indices)
            if name in totals and count not in totals[name]:
                total = min(totals[name], key=lambda size, count=count: abs(size - count))  # type: ignore[misc] # the default binds the loop's variable
                detail = f"{total} -> {count} values"
                found.append(
                    Finding(
                        Code.CURVE_LENGTH,
                        path,
                        count=abs(total - count),
                        key=name,
                        golden=str(total),
                        candidate=str(count),
                        detail=detail,
                    )
                )
    return found


# --- findings ----------------------------------------------------------------------------------------------------


def _check(
    where: CurveKey,
    golden: list[Curve],
    candidate: list[Curve],
    policy: Policy,
    *,
    is_other_host: bool,
    is_changed: bool,
    columns: _Columns | None,
    runs: int,
) -> tuple[list[Finding], CurveView]:
    """Return what a metric says; `runs` is how many runs the golden has, and fewer curves make it optional."""
    path, metric = where
    if 0 < len(golden) < runs:
        candidate = [one for one in candidate if len(one)]
        if not candidate:
            return [], CurveView(path, metric, golden, candidate)
    if not golden or not any(map(len, golden)):
        new = max(map(len, candidate), default=0)
        found = [Finding(Code.METRIC_ADDED, path, key=metric, candidate=f"{new} values")] if new else []
        found += _nonfinite_of_new(path, metric, candidate)
        return found, CurveView(path, metric, golden, candidate)
    if not any(map(len, candidate)):
        gone = max(map(len, golden))
        return (
            [Finding(Code.METRIC_REMOVED, path, key=metric, golden=f"{gone} values")],
            CurveView(path, metric, golden, candidate),
        )
    settings = policy.curve_settings(metric, path=path, is_other_host=is_other_host)
    has_own_lengths = _has_own_lengths(golden)
    report = compare_curve(golden, candidate, settings=settings)
    findings = []
    for one in report.findings:
        finding = _finding(path, metric, one, columns)
        if one.code == Code.CURVE_LENGTH and is_changed:
            findings.append(finding.with_severity("note", "follows from the changed counts of spans"))
        elif one.code == Code.CURVE_LENGTH and has_own_lengths:
            findings.append(finding.with_severity("note", "no two of the golden's runs are of one length"))
        else:
            findings.append(finding.with_severity(policy.severity(finding, may_fail=one.fails)))
    return findings, CurveView(path, metric, golden, candidate, report)


def _presence(
    path: str, metric: str, golden: Sequence[Curve], candidate: Sequence[Curve], *, runs: int
) -> list[Finding]:
    """Return that a metric whose values vary by nature is new, or gone although each golden run has it."""
    if not golden:
        new = max(map(len, candidate), default=0)
        return [Finding(Code.METRIC_ADDED, path, key=metric, candidate=f"{new} values")]
    if not candidate and len(golden) >= runs:
        return [Finding(Code.METRIC_REMOVED, path, key=metric, golden="recorded")]
    return []


_LEAST_OWN_LENGTHS = 3


def _has_own_lengths(golden: Sequence[Curve]) -> bool:
    """Whether three runs or more were each recorded at indexes of their own, so that the next one will be too."""
    return len(golden) >= _LEAST_OWN_LENGTHS and len({tuple(one.indexes) for one in golden}) == len(golden)


def _nonfinite_of_new(path: str, metric: str, candidates: Sequence[Curve]) -> list[Finding]:
    for curve in candidates:
        for index, value in zip(curve.indexes, curve.values, strict=True):
            if not math.isfinite(value):
                detail = f"[{index:g}] of a metric that the golden lacks"
                return [Finding(Code.NONFINITE, path, key=metric, candidate=repr(value), detail=detail)]
    return []


def _finding(path: str, metric: str, found: CurveFinding, columns: _Columns | None) -> Finding:
    index = "" if found.index is None else f"[{found.index:g}] "
    return Finding(
        code=found.code,
        path=path,
        count=found.count,
        key=metric,
        golden="" if found.golden is None else f"{found.golden:.6g}",
        candidate="" if found.candidate is None else f"{found.candidate:.6g}",
        detail=f"{index}{found.text}",
        evidence={**found.evidence, **({} if found.index is None else {"index": found.index})},
        examples=_examples(columns, found.index),
    )


def _examples(columns: _Columns | None, index: float | None) -> tuple[Example, ...]:
    if columns is None:
        return () if index is None else (Example(index=(("step", index),)),)
    for form, node, where in columns.example:
        for place, instance in where.items():
            if columns.index.get(place) == index and instance < node.size:
                span = form.span_at(node, instance)
                if span is not None:
                    return (Example(span.span_id, form.index_of(node, instance), location_of(span)),)
    return ()
