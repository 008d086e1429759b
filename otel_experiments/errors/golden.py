"""Why a golden comparison has no verdict: each with the exit code of the command line."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from otel_experiments.errors.root import OtelExperimentsError, counted


class GoldenExitCode(IntEnum):
    """What golden checks exit with; the numbers are never changed. The command line says what each means."""

    EQUAL = 0
    CHANGED = 1
    MISSING = 2
    INVALID = 3
    NO_CANDIDATE = 4
    CONFIGURATION = 5
    UNDECIDED = 6


class GoldenError(OtelExperimentsError):
    """Two traces cannot be compared; `exit_code` is what the command line ends with."""

    exit_code: GoldenExitCode = GoldenExitCode.CONFIGURATION


class GoldenMissingError(GoldenError, LookupError):
    """There is no golden to compare with."""

    exit_code = GoldenExitCode.MISSING

    def __init__(self, *, path: str, update: str) -> None:
        self.path = path
        super().__init__(
            f"No golden at {path!r}, so nothing was compared and nothing was written.\n"
            f"  Record one, read it, commit it: {update}"
        )


class GoldenInvalidError(GoldenError, ValueError):
    """A golden file cannot be trusted: unreadable, conflicted, edited by hand, empty, or newer than we are."""

    exit_code = GoldenExitCode.INVALID

    def __init__(self, *, path: str, line: int | None, found: str, fix: str) -> None:
        self.path, self.line, self.found = path, line, found
        place = path if line is None else f"{path}:{line}"
        super().__init__(f"The golden {place} cannot be used: {found}.\n  {fix}")


class IncompleteTraceError(GoldenError, ValueError):
    """A trace lacks spans or points, so that comparing it would show losses as changes."""

    exit_code = GoldenExitCode.NO_CANDIDATE

    def __init__(
        self,
        *,
        run: str,
        problems: Sequence[str],
        fix: str = "Flush the exporter before the process ends and raise its queue size",
    ) -> None:
        self.run, self.problems = run, tuple(problems)
        super().__init__(
            f"The trace of run {run!r} is incomplete: {'; '.join(problems)}.\n  {fix}; nothing was compared."
        )


class EmptyTraceError(GoldenError, ValueError):
    """A trace without spans was to be compared; it is never equal to anything."""

    exit_code = GoldenExitCode.NO_CANDIDATE

    def __init__(self, *, run: str) -> None:
        self.run = run
        super().__init__(
            f"The trace of run {run!r} has no spans, so nothing was compared.\n"
            "  Check that the program recorded a run and that its spans were exported before it ended."
        )


class NonFiniteGoldenError(GoldenError, ValueError):
    """A metric of a run that is to become a golden holds NaN or infinity."""

    exit_code = GoldenExitCode.NO_CANDIDATE

    def __init__(self, *, metric: str, index: float, value: float, last_finite: float | None) -> None:
        self.metric, self.index, self.value, self.last_finite = metric, index, value, last_finite
        before = "no finite value before it" if last_finite is None else f"last finite value {last_finite!r}"
        super().__init__(
            f"The metric {metric!r} is {value!r} at index {index:g} ({before}), so the run was not taken as a golden.\n"
            "  Mend the run; if it must be so, allow it: --allow-nonfinite (in Python and pytest: allow_nonfinite=True)."
        )


class CommandFailedError(GoldenError):
    """The command whose run was to be captured was not started, or did not end well."""

    exit_code = GoldenExitCode.NO_CANDIDATE

    def __init__(
        self,
        *,
        command: str,
        ended: str,
        fix: str = "Make it end with exit code 0, then capture again; its own output is above.",
    ) -> None:
        self.command, self.ended = command, ended
        super().__init__(f"The command {command!r} {ended}, so nothing of it was captured.\n  {fix}")


class UnstableRunsError(GoldenError):
    """Runs that are to become one golden do different things, or would fail against it."""

    exit_code = GoldenExitCode.NO_CANDIDATE

    def __init__(self, *, golden: str, runs: int, behaviours: int, differences: Sequence[str] = ()) -> None:
        self.golden, self.runs, self.behaviours = golden, runs, behaviours
        self.differences = tuple(differences)
        what = f"do {behaviours} different things" if behaviours else "would not all pass it"
        super().__init__(
            f"The {counted(runs, 'run')} for the golden {golden!r} {what}, so none was made.\n"
            + "".join(f"  {difference}\n" for difference in differences)
            + "  Give the program a seed, or declare what has no order (--unordered PATH) or varies (--volatile NAME); "
            "or accept all behaviours: --reason TEXT"
        )


class GoldenRuleError(GoldenError, ValueError):
    """A rule, a policy or a tolerance of a golden comparison cannot be used."""

    def __init__(self, *, rule: str, why: str, fix: str) -> None:
        self.rule = rule
        super().__init__(f"The rule {rule!r} cannot be used: {why}.\n  {fix}")
