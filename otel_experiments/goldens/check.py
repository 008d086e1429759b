"""A check: captured runs against the golden in a file, and what is written when they differ.

Without an update nothing but a pending file is written, in CI not even that, nor where no file can be written. A missing
golden is never a pass.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from otel_experiments.errors import GoldenError, GoldenMissingError
from otel_experiments.golden.baseline import Golden, make_golden
from otel_experiments.golden.canonical.canonicalize import canonicalize
from otel_experiments.golden.canonical.roles import DEFAULT_RULES, Rules
from otel_experiments.golden.canonical.trace import CapturedRun
from otel_experiments.golden.checks.rule_use import find_unused_rules
from otel_experiments.golden.comparison import Comparison, compare
from otel_experiments.golden.file import update_golden
from otel_experiments.golden.policy import Policy
from otel_experiments.goldens import paths as golden_paths
from otel_experiments.goldens.files import load_golden, save_golden, save_stats
from otel_experiments.goldens.options import CheckOptions, Part
from otel_experiments.goldens.paths import describe_os_error
from otel_experiments.goldens.stable import require_stable

Action = Literal["", "written", "updated", "pending"]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check came to.

    `comparison` is None for a golden that was written for the first time. `action` says what was done on disk,
    `path` is the golden's file, also where a pending one was written beside it.
    """

    path: Path
    comparison: Comparison | None
    action: Action = ""
    note: str = ""
    """Why no pending golden was written where one would have been, or which rules of a new one match nothing."""

    @property
    def is_pass(self) -> bool:
        """Whether the run is accepted: equal to the golden, or written as the golden because that was asked for."""
        if self.action in {"written", "updated"}:
            return True
        return self.comparison is not None and self.comparison.verdict == "pass"

    @property
    def exit_code(self) -> int:
        """What a command line ends with."""
        if self.is_pass or self.comparison is None:
            return 0
        return self.comparison.exit_code


Again = Callable[[int], Sequence[CapturedRun]]
"""Records so many more runs of what a candidate was recorded from."""


def check(
    path: Path, runs: Sequence[CapturedRun], options: CheckOptions, *, again: Again | None = None
) -> Checked:
    """Compare runs with the golden at `path`; write what the options let.

    Args:
        path: The golden's file; it need not exist.
        runs: The candidate runs.
        options: What is asked for.
        again: Records more runs, where that is possible; asked when times alone fail (`compare_confirmed`).

    Raises:
        GoldenMissingError: there is no golden, and no update asked for one; a pending one was written, but in CI.
        GoldenInvalidError: the golden cannot be read or trusted.
        IncompleteTraceError: runs that are to become a golden lack spans.
        EmptyTraceError: they have none.
        NonFiniteGoldenError: a metric of a run that is to become a golden is not finite.
        UnstableRunsError: runs that are to become a golden do different things.
        OSError: a golden that was to be updated cannot be written.
        GoldenRuleError: a policy or rule cannot be used.
    """
    if not path.exists():
        return _first(path, runs, options)
    golden = load_golden(path)
    ruled = replace(golden, ignore=(*golden.ignore, *options.ignore))
    comparison, runs = compare_confirmed(ruled, runs, options.policy_for(golden), options.confirm_runs, again)
    if comparison.verdict == "error" or not options.may_write:
        return Checked(path, comparison)
    if comparison.verdict == "fail":
        return _settle(path, runs, options, comparison)
    if "timing" in options.parts:
        save_stats(path, _revised(path, runs, options))
        return Checked(path, comparison, "updated")
    _forget_pending(path)
    return Checked(path, comparison)


def compare_confirmed(
    golden: Golden, runs: Sequence[CapturedRun], policy: Policy, confirm_runs: int, again: Again | None
) -> tuple[Comparison, Sequence[CapturedRun]]:
    """Compare runs with a golden; where times alone fail, record more, one by one, until one tells otherwise.

    Something that the machine does once in a hundred runs makes one run slow (1 to 4 % of single runs of unchanged
    training scripts were measured so, by up to 13x in a stage), and no statistics of one run can tell. A change of
    the code is in every run. What a machine does can last some seconds, so there is a pause before each run.
    Returned are the comparison and all runs that it is about.

    Args:
        golden: The golden.
        runs: The candidate runs there are.
        policy: How findings are judged.
        confirm_runs: So many runs have to be slower; with as many given, or none that can be recorded, no more are.
        again: Records more runs.
    """
    comparison = compare(golden, runs, policy=policy)
    first = len(runs)
    for attempt in range(confirm_runs - first):
        if again is None or comparison.verdict != "fail" or parts_to_accept(comparison) != ("timing",):
            break
        time.sleep(_PAUSES_S[min(attempt, len(_PAUSES_S) - 1)])
        runs = [*runs, *again(1)]
        comparison = compare(golden, runs, policy=policy)
    if len(runs) > first:
        told = f"times alone failed in fewer, so {len(runs)} runs were recorded, and all of them decide"
        comparison = replace(comparison, notes=(told, *comparison.notes))
    return comparison, runs


_PAUSES_S: Final = (1.0, 3.0)
"""Seconds before a run that confirms others, and before the next ones."""


def parts_to_accept(comparison: Comparison) -> tuple[Part, ...]:
    """Return what an update has to write so that the comparison passes."""
    is_time = {finding.group == "time" for finding in comparison.failures}
    return (*(("changed",) if False in is_time else ()), *(("timing",) if True in is_time else ()))


def _settle(
    path: Path, runs: Sequence[CapturedRun], options: CheckOptions, comparison: Comparison
) -> Checked:
    """Write what may be written of a golden that does not fit: all that is needed, or a pending file."""
    needed = parts_to_accept(comparison)
    is_update = options.parts.issuperset(needed)
    try:
        made = _revised(path, runs, options)
    except (
        GoldenError
    ) as error:  # what the runs do is no golden; the report matters more, where only that is asked
        if is_update:
            raise
        return Checked(path, comparison, note=f"no pending golden was written. {error}")
    if is_update:
        if "changed" in needed:
            save_golden(path, made)
        if "timing" in options.parts:
            save_stats(path, made)
        _forget_pending(path)
        return Checked(path, comparison, "updated")
    if "changed" not in needed:
        return Checked(path, comparison)  # the file itself would not change
    try:
        save_golden(golden_paths.pending_path(path), made)
    except OSError as exc:
        return Checked(path, comparison, note=f"no pending golden could be written: {describe_os_error(exc)}")
    return Checked(path, comparison, "pending")


def _first(path: Path, runs: Sequence[CapturedRun], options: CheckOptions) -> Checked:
    if not options.may_write:
        raise GoldenMissingError(path=str(path), update=options.update_command)
    made = make_golden(
        runs,
        name=path.name.removesuffix(golden_paths.SUFFIX),
        policy=options.policy or "structural",
        rules=options.rules,
        allow_nonfinite=options.allow_nonfinite,
        excused=options.ignore,
    )
    require_stable(made, runs, ignore=options.ignore)
    if "new" in options.parts:
        save_golden(path, made)
        save_stats(path, made)
        _forget_pending(path)
        return Checked(path, None, "written", note=_unused_rules(options.rules, runs))
    try:
        save_golden(golden_paths.pending_path(path), made)
        save_stats(path, made, is_pending=True)
    except OSError as exc:
        raise GoldenMissingError(path=str(path), update=options.update_command) from exc
    raise GoldenMissingError(path=str(path), update=options.update_command)


def _unused_rules(rules: Rules, runs: Sequence[CapturedRun]) -> str:
    """Return which declared rules are about nothing in the runs; a comparison says it as `rule-unused`."""
    if rules == DEFAULT_RULES:
        return ""
    unused = find_unused_rules(rules, [canonicalize(run, rules) for run in runs])
    return "; ".join(f"{finding.code}: {finding.detail}" for finding in unused)


def _revised(path: Path, runs: Sequence[CapturedRun], options: CheckOptions) -> Golden:
    """Return the golden that these runs make, with the header of the old one and its numbers where they hold.

    The file is read again: what a report shows must not change below it.
    """
    golden = load_golden(path)
    made = make_golden(
        runs,
        name=golden.name,
        policy=options.policy or golden.policy,
        rules=golden.rules,
        ignore=golden.ignore,
        allow_nonfinite=options.allow_nonfinite,
        excused=options.ignore,
    )
    updated = update_golden(golden, made, with_timing="timing" in options.parts)
    require_stable(updated, runs, ignore=options.ignore)
    return updated


def _forget_pending(path: Path) -> None:
    """Delete a pending golden that is out of date; where nothing can be deleted it stays."""
    with contextlib.suppress(OSError):
        golden_paths.reject(golden_paths.pending_path(path))
