"""Goldens that stand in a test: what a run must look like, as text beside the call, for whatever has a trace."""

from __future__ import annotations

from otel_experiments.capture import LiveCapture, capture_exported, capture_run
from otel_experiments.exporters.golden import GoldenSpanExporter
from otel_experiments.golden import inline
from otel_experiments.golden.canonical.roles import DEFAULT_RULES, Rules
from otel_experiments.golden.canonical.trace import CapturedRun
from otel_experiments.golden.comparison import Comparison
from otel_experiments.query import RunView

Traced = CapturedRun | RunView | LiveCapture | GoldenSpanExporter
"""What has a trace: a captured run, a stored one, a capture that has ended, an exporter."""


def assert_trace(run: Traced, golden: str, *, rules: Rules = DEFAULT_RULES, rtol: float = 1e-9) -> Comparison:
    """Let a run pass that looks as `golden` says, in the grammar of golden files, wildcards included.

    The structure must be what the text says; of attributes, indices and events only those that are written are
    compared. A span in error has to be written as such. Metrics and times are not compared.

    Args:
        run: what was captured.
        rules: roles of attributes.
        rtol: the relative tolerance of numbers.
        golden: the text.

    Raises:
        AssertionError: it looks different; the text is the report.
        GoldenInvalidError: the text is no golden.
        IncompleteTraceError: the run lacks spans.
        EmptyTraceError: it has none.
    """
    __tracebackhide__ = True
    return inline.assert_trace(_captured(run), golden, rules=rules, rtol=rtol)


def _captured(run: Traced) -> CapturedRun:
    match run:
        case CapturedRun():
            return run
        case RunView():
            return capture_run(run)
        case LiveCapture():
            return run.captured
        case GoldenSpanExporter():
            return capture_exported(run)
