"""A comparison as JSON, with a versioned schema: keys are only ever added within a version."""

from __future__ import annotations

import json
import math
import re
from typing import Final, get_args

from otel_experiments.golden.canonical.form import Form
from otel_experiments.golden.checks.curves import CurveView
from otel_experiments.golden.comparison import Comparison
from otel_experiments.golden.findings import Severity
from otel_experiments.golden.report.text import headline

SCHEMA_VERSION: Final = 1
"""The version of `docs/reference/golden-report.schema.json` that the report keeps to."""
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def render_json(comparison: Comparison) -> str:
    """Return the report of a comparison as one JSON document; NaN and infinities are given by name."""
    plain = to_plain(comparison)
    text = json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if _LONE_SURROGATE.search(text):  # which no file in UTF-8 can hold, while JSON has an escape for it
        return json.dumps(plain, indent=2, allow_nan=False) + "\n"
    return text


def to_plain(comparison: Comparison) -> dict[str, object]:
    """Return the report of a comparison as plain values that JSON can hold."""
    score = comparison.score
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "golden-comparison",
        "headline": headline(comparison),
        "verdict": comparison.verdict,
        "exit_code": comparison.exit_code,
        "golden": {
            "name": comparison.golden_name,
            "runs": comparison.golden_runs,
            "variant": comparison.variant,
            **_size(comparison.golden),
        },
        "candidate": {"runs": comparison.candidate_runs, **_size(comparison.candidate)},
        "policy": {"name": comparison.policy.name, "timing": comparison.policy.timing},
        "score": None
        if score is None
        else {
            "overall": score.overall(),
            "is_equivalent": score.is_equivalent(),
            "syscall_match": score.syscall_match,
            "timing_variance": score.timing_variance,
            "semantic_equiv": score.semantic_equiv,
        },
        "findings": [
            {"number": number, **finding.to_json()} for number, finding in enumerate(comparison.findings, 1)
        ],
        "counts": {
            severity: sum(finding.severity == severity for finding in comparison.findings)
            for severity in get_args(Severity)
        },
        "ignored_count": comparison.ignored_count,
        "curves": [_curve(view) for view in comparison.curves],
        "timing": _timing(comparison),
        "notes": list(comparison.notes),
    }


def _size(form: Form | None) -> dict[str, object]:
    if form is None:
        return {}
    return {"spans": form.span_count, "templates": form.template_count, "order": form.order}


def _curve(view: CurveView) -> dict[str, object]:
    report = view.report
    return {
        "path": view.path,
        "metric": view.metric,
        "golden_points": [len(curve) for curve in view.golden],
        "candidate_points": [len(curve) for curve in view.candidate],
        "mode": None if report is None else report.mode,
        "max_deviation": None if report is None else _number(report.max_deviation),
        "max_relative": None if report is None else _number(report.max_relative),
    }


def _timing(comparison: Comparison) -> dict[str, object] | None:
    report = comparison.timing
    if report is None:
        return None
    return {
        "golden_runs": report.golden_runs,
        "candidate_runs": report.candidate_runs,
        "stages_tested": report.tested,
        "machine_factor": _number(report.machine.wall),
        "is_uniform": report.machine.is_uniform,
        "golden_host_load": report.machine.golden_host_load,
        "candidate_host_load": report.machine.candidate_host_load,
        "is_crowded": report.machine.is_crowded,
        "is_advisory": report.is_advisory,
    }


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
