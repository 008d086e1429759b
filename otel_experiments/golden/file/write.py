"""A golden as text: `.otg` for people to review, `.otg.stats` for the times.

Deterministic and without times of day or names of machines: the same golden is the same bytes everywhere. Source:
golden trace design, section 7.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Final

from otel_experiments.golden.baseline import Golden, Variant, require_reasons
from otel_experiments.golden.canonical.form import Node, Number
from otel_experiments.golden.canonical.metric_role import MetricRoles, series_name, series_path
from otel_experiments.golden.canonical.roles import DEFAULTS_VERSION, Rules
from otel_experiments.golden.canonical.trace import MetricSeries
from otel_experiments.golden.file.lines import Renderer, layout
from otel_experiments.golden.file.scan import show_index, show_key, show_name
from otel_experiments.golden.timing.model import DEFAULT_SETTINGS, StageSample, TimingRun

MAJOR: Final = 1
MINOR: Final = 0
STATS_VERSION: Final = 1

MAX_POINTS: Final = 2_000
"""Longer curves are thinned to about so many points, at fixed places, with a digest of all."""
_PER_LINE: Final = 10


def write_golden(golden: Golden) -> str:
    """Return the text of a golden's `.otg` file.

    Raises:
        GoldenRuleError: a second accepted behaviour has no reason.
    """
    require_reasons(golden)
    renderer = Renderer()
    roots = [renderer.render(variant.form) for variant in golden.variants]
    templates, trees = layout(roots)
    lines = [*_header(golden), ""]
    if templates:
        lines += [*templates, ""]
    for number, (variant, tree) in enumerate(zip(golden.variants, trees, strict=True)):
        if number:
            lines += [_variant_line(variant)]
        lines += [*tree, ""]
    for name, nodes in renderer.curves.items():
        lines += [*_curve(name, nodes), ""]
    for number, variant in enumerate(golden.variants):
        lines += _series_lines(number, variant, MetricRoles(golden.rules))
    spans = sum(variant.form.span_count for variant in golden.variants)
    count = sum(variant.form.template_count for variant in golden.variants)
    body = "\n".join(lines) + "\n"
    return f"{body}end {spans} spans {count} templates full={text_digest(body)}\n"


def text_digest(body: str) -> str:
    """Return the digest that the last line holds of everything above it."""
    return blake2b(body.encode(), digest_size=8).hexdigest()


def _header(golden: Golden) -> list[str]:
    first = golden.variants[0]
    version = f"{MAJOR}.{MINOR}" if MINOR else str(MAJOR)
    lines = [f"otg {version}", f"policy {golden.policy}", f"order {first.form.order}"]
    if golden.environment:
        lines.append(f"env {_pairs(golden.environment)}")
    lines.append(f"rules {_rules(golden.rules)}")
    lines += (
        f"schema {json.dumps(scope, ensure_ascii=False)}={json.dumps(url)}"
        for scope, url in sorted(first.form.schemas.items())
    )
    for rule in sorted(golden.ignore, key=str):
        until = f" until={rule.until.isoformat()}" if rule.until else ""
        reason = json.dumps(rule.reason, ensure_ascii=False)
        lines.append(f"ignore {json.dumps(rule.path, ensure_ascii=False)} {rule.code}{until} {reason}")
    lines.append(f"runs {first.runs}")
    lines += golden.unknown_lines
    return lines


def _rules(rules: Rules) -> str:
    parts = [f"defaults@{DEFAULTS_VERSION}"]
    for word in ("identity", "config", "index", "metric", "volatile", "unordered", "ordered"):
        declared: Sequence[str] = getattr(rules, word)
        if declared:
            parts.append(f"{word}={json.dumps(sorted(declared), ensure_ascii=False)}")
    if rules.numeric_types != "strict":
        parts.append(f"numeric={rules.numeric_types}")
    if rules.keep_stack:
        parts.append("stack=keep")
    return " ".join(parts)


def _pairs(values: Mapping[str, str]) -> str:
    return " ".join(f"{show_key(key)}={_word(value)}" for key, value in sorted(values.items()))


def _word(value: str) -> str:
    return value if value and all(char.isalnum() or char in "._+-" for char in value) else json.dumps(value)


def _variant_line(variant: Variant) -> str:
    environment = f" {_pairs(variant.environment)}" if variant.environment else ""
    reason = json.dumps(variant.reason, ensure_ascii=False)
    return f"variant {show_name(variant.name)} runs={variant.runs}{environment} {reason}"


# --- curves ------------------------------------------------------------------------------------------------------


def _curve(name: str, nodes: Sequence[tuple[Node, str]]) -> list[str]:
    runs = max(len(node.metrics[metric]) for node, metric in nodes)
    columns: list[list[Number]] = [[] for _ in range(runs)]
    thinned = next((node.thinned[metric] for node, metric in nodes if metric in node.thinned), 0)
    for node, metric in nodes:
        own = node.metrics[metric]
        for run in range(runs):
            columns[run] += own[run] if run < len(own) else [None] * node.size
    count = len(columns[0])
    every = thinned or (-(-count // MAX_POINTS) if count > MAX_POINTS else 0)
    head = f"curve {name} n={count} runs={runs}"
    if every:
        head += f" every={every} full={_column_digest(columns, nodes)}"
    return [head, *_columns(columns, every)]


def _column_digest(columns: Sequence[Sequence[Number]], nodes: Sequence[tuple[Node, str]]) -> str:
    """Return the digest of all values, kept as it was read where only some of them are known."""
    for node, metric in nodes:
        if metric in node.digests:
            return node.digests[metric]
    return blake2b(repr(columns).encode(), digest_size=8).hexdigest()


def _columns(columns: Sequence[Sequence[Number]], every: int) -> Iterator[str]:
    """Yield the values of each run; runs with the same values share them."""
    groups: dict[tuple[str, ...], list[Number]] = {}
    for run, column in enumerate(columns):
        kept = column[::every] if every else column
        groups.setdefault(tuple("-" if value is None else repr(value) for value in kept), []).append(run)
    for texts, runs in groups.items():
        if len(groups) > 1:
            yield f"  run {show_index(runs)}"
        for at in range(0, len(texts), _PER_LINE):
            yield f"  {at * (every or 1)} {' | '.join(texts[at : at + _PER_LINE])}"


def _series_lines(number: int, variant: Variant, roles: MetricRoles) -> list[str]:
    """Return the lines of the metrics of `run.log`; of those that are volatile only that they are there."""
    lines: list[str] = []
    root = series_path(variant.form)
    names = sorted({(one.name, one.phase) for run in variant.form.series for one in run})
    for name, phase in names:
        columns = [_find(run, name, phase) for run in variant.form.series]
        label = show_name(name) + (f"@{show_name(phase)}" if phase else "")
        of = f" variant={number}" if number else ""
        is_volatile = roles.is_volatile(root, series_name(MetricSeries(name, (), (), phase)))
        if is_volatile:
            columns = [None if one is None else MetricSeries(name, (), (), phase) for one in columns]
        lines.append(f"series {label} runs={len(columns)}{of}{' volatile' if is_volatile else ''}")
        groups: dict[tuple[str, ...], list[Number]] = {}
        for run, one in enumerate(columns):
            if one is not None:
                groups.setdefault(tuple(_series_text(one)), []).append(run)
        for texts, runs in groups.items():
            if len(groups) > 1 or len(runs) < len(columns):
                lines.append(f"  run {show_index(runs)}")
            lines += texts
        lines.append("")
    return lines


def _find(run: Sequence[MetricSeries], name: str, phase: str) -> MetricSeries | None:
    return next((one for one in run if (one.name, one.phase) == (name, phase)), None)


def _series_text(one: MetricSeries) -> Iterator[str]:
    indices: list[Number] = [
        int(index) if float(index).is_integer() else float(index) for index in one.indices
    ]
    total = one.total or len(indices)
    every = -(-total // MAX_POINTS) if total > MAX_POINTS and not one.total else 1
    indices = indices[::every]
    values = [float(value) for value in one.values][::every]
    of = f" of {total}" if total > len(indices) else ""
    yield f"  at {show_index(indices) or 'nothing'}{of}"
    for at in range(0, len(values), _PER_LINE):
        yield f"  {at} {' | '.join(repr(value) for value in values[at : at + _PER_LINE])}"


# --- times -------------------------------------------------------------------------------------------------------


def write_stats(golden: Golden) -> str:
    """Return the text of a golden's `.otg.stats` file: JSON lines, a header and one line a path."""
    runs = list(golden.timing)
    head: dict[str, object] = {
        "otg_stats": STATS_VERSION,
        "runs": len(runs),
        "root_ns": [None if run.root_ns is None else round(run.root_ns) for run in runs],
        "host": dict(sorted(golden.fingerprint.items())),
    }
    if any(run.host_load is not None for run in runs):
        head["host_load"] = [None if run.host_load is None else round(run.host_load, 3) for run in runs]
    lines = [json.dumps(head, ensure_ascii=False)]
    lines += (
        json.dumps(_stage(path, runs), ensure_ascii=False)
        for path in sorted({path for run in runs for path in run.stages})
    )
    return "\n".join(lines) + "\n"


def _stage(path: str, runs: Sequence[TimingRun]) -> dict[str, object]:
    """Return a stage's line; with the quartiles of one whose spans vary so much that those may be compared."""
    stages = [run.stages.get(path) for run in runs]
    row: dict[str, object] = {"path": path, "count": [None if one is None else one.count for one in stages]}
    row |= _times(stages)
    is_wide = any(one is not None and one.wall_error > DEFAULT_SETTINGS.wide_error for one in stages)
    for word in ("lower", "upper") if is_wide else ():
        quartiles = [None if one is None else getattr(one, word) for one in stages]
        if any(quartiles):
            row[word] = _times(quartiles)
    return row


def _times(stages: Sequence[StageSample | None]) -> dict[str, object]:
    return {
        "wall_ns": [None if one is None else round(one.wall_ns) for one in stages],
        "cpu_ns": [None if one is None or one.cpu_ns is None else round(one.cpu_ns) for one in stages],
        "wall_error": [None if one is None else round(one.wall_error, 5) for one in stages],
        "cpu_error": [None if one is None else round(one.cpu_error, 5) for one in stages],
    }
