"""Whether runs make a golden that holds: all do the same, and each passes the file that they make together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from otel_experiments.errors import UnstableRunsError
from otel_experiments.golden.baseline import Golden, make_golden
from otel_experiments.golden.canonical.trace import CapturedRun
from otel_experiments.golden.comparison import compare
from otel_experiments.golden.file import read_golden, write_golden
from otel_experiments.golden.findings import Finding
from otel_experiments.golden.findings.description import describe, place_of
from otel_experiments.golden.policy import IgnoreRule, Policy

_MAX_DIFFERENCES: Final = 5


def require_stable(golden: Golden, runs: Sequence[CapturedRun], *, ignore: Sequence[IgnoreRule] = ()) -> None:
    """Let a golden pass that holds for the runs it is made of; times are not asked.

    Args:
        golden: the golden, before it is written.
        runs: the runs.
        ignore: rules that hold beside those of the golden when it is compared.

    Raises:
        UnstableRunsError: the runs do different things and nobody said why that is right, or a run fails against
            the file that would be written; the text has the differences.
        GoldenRuleError: a second accepted behaviour has no reason.
    """
    unexplained = [one for one in golden.variants[1:] if not one.reason]
    if unexplained and len(runs) > 1:
        raise UnstableRunsError(
            golden=golden.name,
            runs=len(runs),
            behaviours=len(golden.variants),
            differences=_between(golden, runs, ignore),
        )
    written = read_golden(write_golden(golden), path=golden.name)
    found = _failures(written, list(enumerate(runs, 1)), ignore)
    if found:
        raise UnstableRunsError(golden=golden.name, runs=len(runs), behaviours=0, differences=found)


def _between(golden: Golden, runs: Sequence[CapturedRun], ignore: Sequence[IgnoreRule]) -> list[str]:
    """Return how the other runs differ from the first."""
    first = make_golden(
        runs[:1], name="the first run", rules=golden.rules, ignore=golden.ignore, allow_nonfinite=True
    )
    return _failures(first, list(enumerate(runs, 1))[1:], ignore)


def _failures(
    golden: Golden, runs: Sequence[tuple[int, CapturedRun]], ignore: Sequence[IgnoreRule]
) -> list[str]:
    """Return a line for each kind of difference that some runs have, with the numbers of those runs."""
    ruled = replace(golden, ignore=(*golden.ignore, *ignore))
    found: dict[tuple[str, str], tuple[Finding, list[int]]] = {}
    for number, run in runs:
        for finding in compare(ruled, [run], policy=Policy(golden.policy, timing="off")).failures:
            found.setdefault((finding.code, place_of(finding)), (finding, []))[1].append(number)
    lines = [
        f"run {', '.join(map(str, numbers))}: {code}  {place}  {describe(finding)}".rstrip()
        for (code, place), (finding, numbers) in found.items()
    ]
    more = len(lines) - _MAX_DIFFERENCES
    return lines if more <= 0 else [*lines[:_MAX_DIFFERENCES], f"and {more} more"]
