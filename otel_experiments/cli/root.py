"""The root command: which commands there are, which store is meant, and how errors become exit codes.

It imports click and nothing else that takes time, so that `--help` answers at once; a command's module is
imported when the command is.
"""

from __future__ import annotations

import errno
import os
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from otel_experiments.cli.exit import MEANINGS, ExitCode, describe_codes, exit_code_of
from otel_experiments.cli.lazy_group import LazyGroup, in_modules
from otel_experiments.errors import MetricNotFoundError, OtelExperimentsError, OtelExperimentsWarning

_Command = TypeVar("_Command", bound=Callable[..., object])

_COMMANDS = {
    "demo": "Train real classifiers on scikit-learn's digits and record them.",
    "run": "Run a command as a run, with its output and exit code.",
    "runs": "List runs: filter, sort, choose columns.",
    "show": "Show one run: config, summary, environment, spans.",
    "tail": "Follow a run while it is recorded: points, spans, logs, state.",
    "metrics": "Show a run's metrics, or the chart of one, also of several runs.",
    "diff": "Say why two runs differ: likely causes first.",
    "compare": "Show what several runs differ in, side by side.",
    "ab": "Say whether groups of runs differ by more than chance.",
    "spans": "List spans by name, attribute, duration, status; or as a tree.",
    "traces": "List traces by root, duration, errors.",
    "artifacts": "List artifacts; show, get, verify, alias one; draw lineage.",
    "export": "Write runs, points or spans as CSV or JSON Lines, or all as OTLP.",
    "bundle": "Write runs into one file that opens on any machine, read-only.",
    "import": "Store what bundles, other stores and files of OTLP hold.",
    "push": "Send stored runs, or what was not sent, to an OTLP endpoint.",
    "tag": "Set or remove tags of stored runs.",
    "note": "Show or write the note of a stored run.",
    "annotate": "Judge a stored run, or a span of it.",
    "rename": "Give a stored run another name.",
    "group": "Put stored runs into a group.",
    "pin": "Keep stored runs from every retention.",
    "archive": "Hide stored runs from lists.",
    "rm": "Remove stored runs: hidden at once, purged 30 days later.",
    "restore": "Bring back runs that were archived or removed.",
    "attach": "Give telemetry without a run to a run, or list it.",
    "serve": "Receive OTLP from any program, over gRPC and HTTP.",
    "mcp": "Let agents search, read and compare runs: a server for them.",
    "skill": "Print or install how a coding agent uses this: a skill file.",
    "sql": "Ask the store in SQL, read-only.",
    "gc": "Remove bytes of artifacts that nothing refers to.",
    "doctor": "Check store, journals, settings and versions; say what to do.",
    "golden": "Keep a run's accepted behaviour as a file and compare later runs with it.",
    "trace": "Run a command and record its system calls beside its runs.",
    "semconv": "Look up the names that recorded telemetry uses.",
}


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


class Root(LazyGroup):
    """The group of all commands; it prints errors of ours without a traceback."""

    table = in_modules("otel_experiments.cli", _COMMANDS)

    def hint_for(self, typed: str) -> str:
        """Return the command of ours that does what other tools' commands of the name do."""
        from otel_experiments.cli.other_words import hint_for  # noqa: PLC0415 - only to explain a mistake

        return hint_for(typed, list(_COMMANDS))

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; what it raises on purpose becomes text on stderr and an exit code."""
        ctx.ensure_object(
            dict
        )  # one for all levels, so that a message here knows what --store of the command named
        try:
            with _told_warnings():
                result = super().invoke(ctx)
            if sys.stdout is not None:  # None where the caller has closed it
                sys.stdout.flush()  # a reader that has gone is noticed here, not at the interpreter's end
        except OtelExperimentsError as error:
            option = typed_store(ctx) if isinstance(error, MetricNotFoundError) else ""
            click.echo(_printable(str(error)) + option, err=True)
            ctx.exit(exit_code_of(error))
        except click.UsageError as error:
            raise harmless(_with_where(error)) from None
        except KeyboardInterrupt:
            click.echo("Interrupted. What was recorded so far is kept.", err=True)
            ctx.exit(ExitCode.INTERRUPTED)
        except BrokenPipeError:
            drop_output()  # `... | head` has read what it wanted
            ctx.exit(ExitCode.OK)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            drop_output()
            click.echo(f"Cannot write {error.filename or 'the output'}: {error.strerror}.", err=True)
            ctx.exit(ExitCode.UNEXPECTED)
        return result


@contextmanager
def _told_warnings() -> Iterator[None]:
    """Print each warning of ours once, as a line on stderr; those of others go where they went."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", OtelExperimentsWarning)
        show, told = warnings.showwarning, set[str]()

        def tell(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if not issubclass(category, OtelExperimentsWarning):
                show(message, category, *place, **more)
            elif str(message) not in told:
                told.add(str(message))
                click.echo(_printable(f"warning: {message}"), err=True)

        warnings.showwarning = tell
        yield


def _with_where(error: click.UsageError) -> click.UsageError:
    """Return the error; where a search stands without its option, with the option."""
    ctx = error.ctx
    text = error.format_message()
    if ctx is None or not text.startswith("Got unexpected extra argument"):
        return error
    if not any(parameter.name == "where" for parameter in ctx.command.params):
        return error
    return click.UsageError(f"{text}.\n  A search has an option: {ctx.command_path} --where EXPRESSION", ctx)


def harmless(error: click.UsageError) -> click.UsageError:
    """Return the error, with what was typed escaped where a terminal would obey it."""
    if isinstance(error, click.MissingParameter) or type(error).show is not click.UsageError.show:
        return (
            error  # nothing was typed, and the line breaks are click's own: choices, or the help of a group
        )
    text = error.format_message()
    shown = _printable(text)
    return error if shown == text else click.UsageError(shown, error.ctx)


def _printable(text: str) -> str:
    from otel_experiments.cli.terminal.format import clean_lines  # noqa: PLC0415 - few need it

    return clean_lines(text)


def drop_output() -> None:
    """Let what is still buffered for stdout go nowhere, quietly."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _set_store(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.ensure_object(dict)["store"] = value


def store_option(command: _Command) -> _Command:
    """Give a command `--store`; `named_store` answers with what was named last, on any level."""
    return click.option(
        "--store",
        metavar="PATH",
        expose_value=False,
        callback=_set_store,
        help="The store to use. Default: OTEL_EXPERIMENTS_STORE, else experiments.db here.",
    )(command)


def named_store(ctx: click.Context) -> str | None:
    """Return the store that `--store` names, on whatever level; None where it is not given."""
    found: str | None = (ctx.find_object(dict) or {}).get("store")
    return found


def typed_store(ctx: click.Context | None = None) -> str:
    """Return `--store PATH` as it has to be typed behind a command that a message names; nothing where it was not given."""
    ctx = ctx or click.get_current_context(silent=True)
    store = None if ctx is None else named_store(ctx)
    return "" if store is None else f" --store {_printable(shlex.quote(store))}"


def json_option(command: _Command) -> _Command:
    """Give a command `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, in the documented shape.")(
        command
    )


def page_options(default: int, *, limit_help: str = "At most so many.") -> Callable[[_Command], _Command]:
    """Give a command `--limit` and `--offset`: which part of a list is shown."""

    def give(command: _Command) -> _Command:
        count = click.IntRange(min=0)
        command = click.option("--offset", type=count, default=0, help="Leave out so many at the start.")(
            command
        )
        return click.option("-n", "--limit", type=count, default=default, show_default=True, help=limit_help)(
            command
        )

    return give


def cursor_option(command: _Command) -> _Command:
    """Give a command `--cursor`: after which item the list begins."""
    return click.option(
        "--cursor", metavar="TEXT", help="Go on where a page ended: what the same search printed at its end."
    )(command)


def say_next_page(cursor: str | None) -> None:
    """Say on stderr how the list goes on, where it does."""
    if cursor is not None:
        click.echo(f"More follow: --cursor {cursor}", err=True)


@click.group(
    cls=Root,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=describe_codes(MEANINGS),
)
@click.version_option(package_name="otel-experiments")
@store_option
def root() -> None:
    """Track ML experiments locally, as OpenTelemetry: read what was recorded."""
