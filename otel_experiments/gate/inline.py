"""Goldens that stand in a test: what a run must look like, as text beside the call."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from otel_experiments.capture import LiveCapture, capture_exported, capture_run
from otel_experiments.exporters.golden import GoldenSpanExporter
from otel_experiments.gate.reports import render
from otel_experiments.golden.compare import compare
from otel_experiments.golden.file import read_inline
from otel_experiments.golden.policy import Policy
from otel_experiments.golden.trace import CapturedRun
from otel_experiments.query import RunView

Traced = CapturedRun | RunView | LiveCapture | GoldenSpanExporter
"""What has a trace: a captured run, a stored one, a capture that has ended, an exporter."""


def assert_trace(run: Traced | Sequence[CapturedRun], golden: str, *, policy: Policy | None = None) -> None:
    """Let a run pass that looks as `golden` says, in the grammar of golden files, wildcards included.

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
    if comparison.verdict != "pass":
        raise AssertionError(render(comparison, "text"))


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
