"""Options that several golden commands share, and what they mean."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

import click

from otel_experiments.capture import capture_command
from otel_experiments.cli.root import drop_output
from otel_experiments.cli.session import store_location
from otel_experiments.errors import GoldenRuleError
from otel_experiments.golden.canonical.roles import Rules
from otel_experiments.golden.canonical.trace import CapturedRun
from otel_experiments.golden.policy import PolicyName, TimingMode
from otel_experiments.goldens.options import parse_target
from otel_experiments.goldens.sources import read_runs

_Command = TypeVar("_Command", bound=Callable[..., object])

_BEHIND_DASHES: Final = "otel_experiments.command"


class CommandAfterDashes(click.Command):
    """A command that may be followed by `--` and a command line of the user's own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep what stands behind `--` for `command_behind_dashes`; parse the rest."""
        if "--" in args:
            at = args.index("--")
            ctx.meta[_BEHIND_DASHES] = tuple(args[at + 1 :])
            args = args[:at]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return the usage line with the command."""
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND...]"]


def command_behind_dashes(ctx: click.Context) -> tuple[str, ...]:
    """Return the command line behind `--`; empty without one."""
    found: tuple[str, ...] = ctx.meta.get(_BEHIND_DASHES, ())
    return found


def folder_option(command: _Command) -> _Command:
    """Give a command `--dir`."""
    return click.option(
        "--dir",
        "folder",
        type=click.Path(file_okay=False, path_type=Path),
        help="Where goldens lie. Default: tests/golden in a project with tests, else golden.",
    )(command)


def select_option(command: _Command) -> _Command:
    """Give a command `--select`."""
    return click.option(
        "--select", metavar="RUN", help="Name of the run, where the command or store has several."
    )(command)


def policy_option(command: _Command) -> _Command:
    """Give a command `--policy`."""
    return click.option(
        "--policy",
        type=click.Choice(get_args(PolicyName)),
        help="How findings are judged. Default: as the golden says.",
    )(command)


def source_option(brief: str) -> Callable[[_Command], _Command]:
    """Give a command `--from`: where the runs are that it takes, if no command records them."""
    return click.option("--from", "sources", multiple=True, metavar="SOURCE", help=brief)


def timing_option(command: _Command) -> _Command:
    """Give a command `--timing`: what slower stages do."""
    return click.option(
        "--timing",
        type=click.Choice(get_args(TimingMode)),
        help="What slower stages do. Default: fail.",
    )(command)


def tolerance_option(name: str, kind: str) -> Callable[[_Command], _Command]:
    """Give a command `--rtol` or `--atol`: how much a metric may differ."""
    return click.option(
        f"--{name}", multiple=True, metavar="METRIC=NUMBER", help=f"{kind} tolerance of a metric; repeatable."
    )


def force_option(command: _Command) -> _Command:
    """Give a command that writes goldens `--force`."""
    return click.option("--force", is_flag=True, help="Also in CI, where nothing is written otherwise.")(
        command
    )


def nonfinite_option(command: _Command) -> _Command:
    """Give a command that makes goldens `--allow-nonfinite`."""
    return click.option("--allow-nonfinite", is_flag=True, help="Accept metrics that are NaN or infinite.")(
        command
    )


_RULES: Final = {
    "volatile": "Attribute that is left out, or metric whose values are; as a report prints it, or a glob; repeatable.",
    "index": "Attribute that counts, such as a step; repeatable.",
    "metric": "Attribute that is measured and compared as a curve, or metric whose values count; repeatable.",
    "unordered": "Path whose children have no order; repeatable.",
}


def rules_options(command: Callable[..., object]) -> Callable[..., object]:
    """Give a command the declarations of roles and orders (`--volatile`, ...), which it takes as one `rules`."""

    @functools.wraps(command)
    def with_rules(*arguments: Any, **options: Any) -> object:  # what click hands over
        declared = {name: options.pop(name) for name in _RULES}
        return command(*arguments, rules=Rules(**declared), **options)

    given: Callable[..., object] = with_rules
    for name, brief in _RULES.items():
        given = click.option(f"--{name}", multiple=True, metavar="NAME", help=brief)(given)
    return given


def print_report(text: str) -> None:
    """Print what an exit code goes with; a reader that has gone (`| head`) does not change the code."""
    try:
        click.echo(text)
    except BrokenPipeError:
        drop_output()


def parse_tolerances(pairs: Sequence[str]) -> dict[str, float]:
    """Return `--rtol METRIC=NUMBER` as a mapping.

    Raises:
        GoldenRuleError: a pair is none, or its number is none.
    """
    found: dict[str, float] = {}
    for pair in pairs:
        name, separator, number = pair.rpartition("=")
        try:
            found[name] = float(number)
        except ValueError:
            separator = ""
        if not separator or not name or not found[name] >= 0:
            raise GoldenRuleError(
                rule=pair, why="it is no METRIC=NUMBER with a number from 0 on", fix="Write: --rtol loss=1e-3"
            )
    return found


def parse_targets(texts: Sequence[str]) -> dict[str, str]:
    """Return `--target 'METRIC<NUMBER'` as a mapping from the metric to the side and the number.

    Raises:
        GoldenRuleError: a text is no such thing.
    """
    found: dict[str, str] = {}
    for text in texts:
        at = max(text.rfind("<"), text.rfind(">"))
        if at < 1:
            raise GoldenRuleError(
                rule=f"target {text}",
                why="it names no metric, or no side and number",
                fix="Write: --target 'loss<0.1' --target 'accuracy>0.9' (in quotes, for < and > mean something to shells)",
            )
        found[text[:at].strip()] = text[at:]
        parse_target(text[:at].strip(), text[at:])
    return found


def gather_runs(
    ctx: click.Context,
    sources: Sequence[str],
    *,
    runs: int,
    select: str | None,
    name: str,
    environ: Mapping[str, str] | None = None,
) -> list[CapturedRun]:
    """Return the runs that the command behind `--` records, or that sources hold.

    Raises:
        UsageError: both or neither are given.
        OtelExperimentsError: they cannot be had.
    """
    command = command_behind_dashes(ctx)
    if bool(sources) == bool(command):
        raise click.UsageError(
            "Give either where the run is (a file, a store, a stored run) or what records it: -- COMMAND..."
        )
    if command:
        return capture_command(command, runs=runs, select=select, name=name, environ=environ)
    return read_runs(sources, store=store_location(ctx), select=select)
