"""Golden traces: what a run did, kept as a file, and later runs compared with it.

`make_golden` makes a golden of captured runs, `write_golden` and `read_golden` are its text, `compare` says what another
run does otherwise, and `assert_trace` compares a run with a pattern written in a test. `Rules` say what attributes are
for, a `Policy` what a finding means. Runs are captured by `otel_experiments.capture`.

`compare_traces` and its `EquivalenceScore`, and `ExperimentSpan`, are the compatible score and span of older tools. Every
name is imported on first use; nothing here needs a third party.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from otel_experiments._face import lazy_names

if TYPE_CHECKING:
    from otel_experiments.golden.baseline import Golden, make_golden
    from otel_experiments.golden.canonical.roles import Rules
    from otel_experiments.golden.canonical.trace import CapturedRun
    from otel_experiments.golden.comparison import Comparison, compare
    from otel_experiments.golden.curves.compare import CurveSettings
    from otel_experiments.golden.file import read_golden, update_golden, write_golden
    from otel_experiments.golden.findings import CODES, Code, Finding
    from otel_experiments.golden.inline import assert_trace
    from otel_experiments.golden.policy import IgnoreRule, Policy
    from otel_experiments.golden.score.equivalence import EquivalenceScore, compare_traces
    from otel_experiments.golden.score.experiment_span import ExperimentMetadata, ExperimentSpan, SpanType
    from otel_experiments.golden.score.literal import SystemCall

__all__ = [
    "CODES",
    "CapturedRun",
    "Code",
    "Comparison",
    "CurveSettings",
    "EquivalenceScore",
    "ExperimentMetadata",
    "ExperimentSpan",
    "Finding",
    "Golden",
    "IgnoreRule",
    "Policy",
    "Rules",
    "SpanType",
    "SystemCall",
    "assert_trace",
    "compare",
    "compare_traces",
    "make_golden",
    "read_golden",
    "update_golden",
    "write_golden",
]

_MODULES: Final = {
    "CODES": "findings",
    "CapturedRun": "canonical.trace",
    "Code": "findings",
    "Comparison": "comparison",
    "CurveSettings": "curves.compare",
    "EquivalenceScore": "score.equivalence",
    "ExperimentMetadata": "score.experiment_span",
    "ExperimentSpan": "score.experiment_span",
    "Finding": "findings",
    "Golden": "baseline",
    "IgnoreRule": "policy",
    "Policy": "policy",
    "Rules": "canonical.roles",
    "SpanType": "score.experiment_span",
    "SystemCall": "score.literal",
    "assert_trace": "inline",
    "compare": "comparison",
    "compare_traces": "score.equivalence",
    "make_golden": "baseline",
    "read_golden": "file",
    "update_golden": "file",
    "write_golden": "file",
}

if not TYPE_CHECKING:  # a type checker that saw it would take every misspelt name for granted
    __getattr__, __dir__ = lazy_names(__name__, _MODULES)
