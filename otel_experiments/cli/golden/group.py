"""`otel-experiments golden`: its commands, imported on use, and its exit codes."""

from __future__ import annotations

import errno
from typing import Any, Final, NoReturn

import click
from click.exceptions import Exit

from otel_experiments.cli.exit import GOLDEN_MEANINGS, ExitCode, describe_codes, golden_exit_code_of
from otel_experiments.cli.lazy_group import LazyCommand, LazyGroup
from otel_experiments.cli.root import harmless
from otel_experiments.cli.terminal.format import clean_lines
from otel_experiments.errors import GoldenExitCode, OtelExperimentsError

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})

_COMMANDS: Final = {
    "capture": LazyCommand(
        "otel_experiments.cli.golden.capture",
        "capture",
        "Make a golden from a command, stored runs, or files of telemetry.",
    ),
    "compare": LazyCommand(
        "otel_experiments.cli.golden.compare",
        "compare",
        "Compare a run, or what a command records, with a golden.",
    ),
    "update": LazyCommand(
        "otel_experiments.cli.golden.capture",
        "update",
        "Bring a golden up to date with as little change to its text as possible.",
    ),
    "review": LazyCommand(
        "otel_experiments.cli.golden.review",
        "review",
        "Step through pending goldens: accept, reject, skip, show.",
    ),
    "show": LazyCommand(
        "otel_experiments.cli.golden.listing", "show", "Print a golden, or the golden that a run would make."
    ),
    "explain": LazyCommand(
        "otel_experiments.cli.golden.review", "explain", "Explain a finding of a JSON report."
    ),
    "calibrate": LazyCommand(
        "otel_experiments.cli.golden.calibrate",
        "calibrate",
        "Measure how often equal runs would fail, and propose tolerances.",
    ),
    "upgrade": LazyCommand(
        "otel_experiments.cli.golden.listing", "upgrade", "Rewrite goldens of an older format."
    ),
    "ls": LazyCommand(
        "otel_experiments.cli.golden.listing", "ls", "List goldens, and what waits for review."
    ),
    "prune": LazyCommand(
        "otel_experiments.cli.golden.listing",
        "prune",
        "Delete leftovers: times and pending files without their golden.",
    ),
}


class GoldenGroup(LazyGroup):
    """A group with the exit codes of golden checks: a usage error is 5 here, for 2 is a missing golden."""

    table = _COMMANDS

    def hint_for(self, typed: str) -> str:
        """Return the command of `golden` that does what other tools' commands of the name do."""
        from otel_experiments.cli.other_words import hint_for_golden  # noqa: PLC0415 - only to explain a mistake

        return hint_for_golden(typed, list(_COMMANDS))

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; errors become text on stderr and an exit code."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            _show(error)
            ctx.exit(GoldenExitCode.CONFIGURATION)
        except OtelExperimentsError as error:
            end(ctx, error)
        except BrokenPipeError:
            raise
        except OSError as error:
            if error.filename is None and error.errno not in _NO_ROOM:
                raise
            click.echo(clean_lines(_describe(error)), err=True)
            ctx.exit(GoldenExitCode.CONFIGURATION)
        except KeyboardInterrupt:
            click.echo("Interrupted. No golden is half written.", err=True)
            ctx.exit(ExitCode.INTERRUPTED)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # click's signature
    ) -> click.Context:
        """Return the group's context; what is wrong before a command is a usage error with our code too."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            _show(error)
            raise Exit(GoldenExitCode.CONFIGURATION) from error


def _show(error: click.UsageError) -> None:
    harmless(error).show()


def _describe(error: OSError) -> str:
    """Return which file could not be used and why, and what can be done about it."""
    place = "The output" if error.filename is None else f"The file {str(error.filename)!r}"
    fix = "Make room" if error.errno in _NO_ROOM else "Make it readable and writable"
    return f"{place} cannot be used: {error.strerror}.\n  {fix}, or name another place (--dir, --output, --report)."


def end(ctx: click.Context, error: OtelExperimentsError) -> NoReturn:
    """Print the error and end with its code."""
    click.echo(clean_lines(str(error)), err=True)
    ctx.exit(golden_exit_code_of(error))


@click.group(
    "golden",
    cls=GoldenGroup,
    epilog=describe_codes(GOLDEN_MEANINGS),
)
def command() -> None:
    """Keep the accepted behaviour of a program as a file, and compare later runs with it."""
