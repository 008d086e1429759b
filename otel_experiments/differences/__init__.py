"""Why two runs differ: over what readers return and golden's matcher."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_experiments._face import lazy_names

if TYPE_CHECKING:
    from otel_experiments.analysis.samples import SampleTest
    from otel_experiments.differences.ab_test import ABGroup, ABTest
    from otel_experiments.differences.compared import ComparedRow, RunComparison
    from otel_experiments.differences.difference import Difference
    from otel_experiments.differences.found import RunSide
    from otel_experiments.differences.run_diff import RunDiff
    from otel_experiments.differences.span_sides import PathTimes

__all__ = [
    "ABGroup",
    "ABTest",
    "ComparedRow",
    "Difference",
    "PathTimes",
    "RunComparison",
    "RunDiff",
    "RunSide",
    "SampleTest",
]

_MODULES = {
    "ABGroup": "ab_test",
    "ABTest": "ab_test",
    "ComparedRow": "compared",
    "RunComparison": "compared",
    "Difference": "difference",
    "PathTimes": "span_sides",
    "RunDiff": "run_diff",
    "RunSide": "found",
    "SampleTest": "otel_experiments.analysis.samples",
}

if not TYPE_CHECKING:  # a type checker that saw it would take every misspelt name for granted
    __getattr__, _ = lazy_names(__name__, _MODULES)


def __dir__() -> list[str]:
    return __all__
