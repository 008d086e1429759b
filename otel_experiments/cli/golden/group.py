"""`otel-experiments golden`: its commands, imported on use, and its exit codes."""

from __future__ import annotations

import errno
import importlib
from typing import Any, Final, NoReturn

import click
from click.exceptions import Exit

from otel_experiments.cli.root import ExitCode, harmless
from otel_experiments.cli.terminal.format import clean_lines
from otel_experiments.errors import (
    GoldenError,
    JournalError,
    MissingPackageError,
    OtelExperimentsError,
    RunError,
    StoreError,
    TelemetryDecodeError,
)

EQUAL: Final = 0
CHANGED: Final = 1
MISSING: Final = 2
INVALID: Final = 3
NO_CANDIDATE: Final = 4
CONFIGURATION: Final = 5
UNDECIDED: Final = 6

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})

_COMMANDS: Final = {
    "capture": ("capture", "Make a golden from a command, stored runs, or files of telemetry."),
    "compare": ("compare", "Compare a run, or what a command records, with a golden."),
    "update": ("capture", "Bring a golden up to date with as little change to its text as possible."),
    "review": ("review", "Step through pending goldens: accept, reject, skip, show."),
    "show": ("listing", "Print a golden, or the golden that a run would make."),
    "explain": ("review", "Explain a finding of a JSON report."),
    "calibrate": ("calibrate", "Measure how often equal runs would fail, and propose tolerances."),
    "upgrade": ("listing", "Rewrite goldens of an older format."),
    "ls": ("listing", "List goldens, and what waits for review."),
    "prune": ("listing", "Delete leftovers: times and pending files without their golden."),
}


class GoldenGroup(click.Group):
    """A group with the exit codes of golden checks: a usage error is 5 here, for 2 is a missing golden."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the commands in the order of the documentation."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """Return the command, imported now; None for a name there is not."""
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"otel_experiments.cli.golden.{_COMMANDS[cmd_name][0]}")
        found: click.Command = getattr(module, cmd_name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """List the commands from the table above, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, brief) for name, (_, brief) in _COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; errors become text on stderr and one of the codes above."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            _show(error)
            ctx.exit(CONFIGURATION)
        except OtelExperimentsError as error:
            end(ctx, error)
        except BrokenPipeError:
            raise
        except OSError as error:
            if error.filename is None and error.errno not in _NO_ROOM:
                raise
            click.echo(clean_lines(_describe(error)), err=True)
            ctx.exit(CONFIGURATION)
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
            raise Exit(CONFIGURATION) from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is meant; an unknown one is a usage error with our code."""
        typed = args[0]
        if typed not in _COMMANDS and not typed.startswith("-"):
            from otel_experiments.cli.other_words import hint_for_golden  # noqa: PLC0415 - only to explain a mistake

            hint = hint_for_golden(typed, list(_COMMANDS))
            _show(click.UsageError(f"No such command {typed!r}." + (f"\n  {hint}" if hint else ""), ctx))
            ctx.exit(CONFIGURATION)
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            _show(error)
            ctx.exit(CONFIGURATION)


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
    match error:
        case GoldenError():
            ctx.exit(error.exit_code)
        case RunError() | StoreError() | JournalError() | TelemetryDecodeError():
            ctx.exit(NO_CANDIDATE)
        case MissingPackageError():
            ctx.exit(CONFIGURATION)
    ctx.exit(CONFIGURATION)


@click.group(
    "golden",
    cls=GoldenGroup,
    epilog="Exit codes: 0 equal, 1 changed, 2 golden missing, 3 golden invalid, 4 command failed or no whole "
    "candidate, 5 usage or configuration, 6 not decided (with --require-decision).",
)
def command() -> None:
    """Keep the accepted behaviour of a program as a file, and compare later runs with it."""
