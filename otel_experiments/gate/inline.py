"""Goldens that stand in a test: what a run must look like, as text beside the call."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace

from otel_experiments.capture import LiveCapture, capture_exported, capture_run
from otel_experiments.exporters.golden import GoldenSpanExporter
from otel_experiments.gate.reports import render
from otel_experiments.golden.compare import compare
from otel_experiments.golden.file import read_inline
from otel_experiments.golden.findings import Finding
from otel_experiments.golden.policy import Policy
from otel_experiments.golden.trace import CapturedRun
from otel_experiments.query import RunView

Traced = CapturedRun | RunView | LiveCapture | GoldenSpanExporter
"""What has a trace: a captured run, a stored one, a capture that has ended, an exporter."""


def assert_trace(
    run: Traced | Sequence[CapturedRun], golden: str, *, policy: Policy | None = None, exact: bool = False
) -> None:
    """Let a run pass that looks as `golden` says, in the grammar of golden files, wildcards included.

    What the text says must hold: names, order, counts, the attributes and metrics it names. What it leaves out,
    such as attributes, scopes and whether a status is unset or OK, is not compared, unless `exact` asks for it.
    Times are not compared.

    Raises:
        AssertionError: it looks different; the text is the report.
        GoldenInvalidError: the text is no golden.
        IncompleteTraceError: the run lacks spans.
        EmptyTraceError: it has none.
    """
    __tracebackhide__ = True
    comparison = compare(
        read_inline(inspect.cleandoc(golden) + "\n"), _captured(run), policy=policy or Policy(timing="off")
    )
    if comparison.verdict == "fail" and not exact:
        said = tuple(finding for finding in comparison.findings if not _is_unsaid(finding))
        if not any(finding.severity == "fail" for finding in said):
            return
        comparison = replace(comparison, findings=said)
    if comparison.verdict != "pass":
        raise AssertionError(render(comparison, "text"))


def _is_unsaid(finding: Finding) -> bool:
    """Tell whether the golden's text said nothing about what was found."""
    if finding.code == "status":
        return finding.candidate == "ok"
    return finding.code in {"attr-added", "scope", "metric-added"}


def _captured(run: Traced | Sequence[CapturedRun]) -> Sequence[CapturedRun]:
    match run:
        case CapturedRun():
            return [run]
        case RunView():
            return [capture_run(run)]
        case LiveCapture():
            return [run.captured]
        case GoldenSpanExporter():
            return [capture_exported(run)]
        case _:
            return run
