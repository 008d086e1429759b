"""Golden traces: canonical form, matching, findings, policy, file. Standard library and model only.

The names here are those of the equivalence score and of experiment spans, imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otel_experiments.golden.score.equivalence import EquivalenceScore, compare_traces
    from otel_experiments.golden.score.experiment_span import ExperimentMetadata, ExperimentSpan, SpanType
    from otel_experiments.golden.score.literal import SystemCall

__all__ = [
    "EquivalenceScore",
    "ExperimentMetadata",
    "ExperimentSpan",
    "SpanType",
    "SystemCall",
    "compare_traces",
]

_MODULES = {
    "EquivalenceScore": "score.equivalence",
    "ExperimentMetadata": "score.experiment_span",
    "ExperimentSpan": "score.experiment_span",
    "SpanType": "score.experiment_span",
    "SystemCall": "score.literal",
    "compare_traces": "score.equivalence",
}


if not TYPE_CHECKING:  # a type checker that saw it would take every misspelt name for granted

    def __getattr__(name: str) -> Any:
        if name not in _MODULES:
            message = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(message)
        from importlib import import_module  # noqa: PLC0415 - lazy on purpose

        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
