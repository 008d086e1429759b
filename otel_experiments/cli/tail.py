"""`otel-experiments tail [RUN]`: what comes to runs, as it comes."""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import click

from otel_experiments._opening import open_reader
from otel_experiments.cli.exit import ExitCode
from otel_experiments.cli.root import json_option, store_option, typed_store
from otel_experiments.cli.session import open_session, store_location
from otel_experiments.cli.terminal import format as fmt
from otel_experiments.cli.terminal.change_lines import change_lines, moment
from otel_experiments.cli.terminal.console import make_console
from otel_experiments.errors import RunNotFoundError, StoreNotFoundError
from otel_experiments.model.changes import Changes
from otel_experiments.model.run import RunState
from otel_experiments.query import Reader, RunView
from otel_experiments.query.follow import Follower, Pause
from otel_experiments.query.follower import follower_of
from otel_experiments.query.json_values import json_line
from otel_experiments.query.plain_changes import CHANGE_KINDS, plain_changes
from otel_experiments.record.base.settings import Settings

_SEARCH_S: Final = 1.0
"""How often runs are searched for that have begun to match."""
_WAIT_S: Final = 0.5


@click.command("tail")
@store_option
@click.argument("run", required=False)
@click.option("--where", metavar="EXPRESSION", help="All runs that match, and those that begin to.")
@click.option(
    "--from",
    "start",
    type=click.Choice(["start", "now"]),
    help="Show what is stored already, or only what comes. Default: start for a RUN, now with --where.",
)
@click.option(
    "--only", "kinds", type=click.Choice(CHANGE_KINDS), multiple=True, help="Only this; may be repeated."
)
@click.option("--wait", "waits", is_flag=True, help="Wait for store and run, where there are none yet.")
@click.option("--exit-code", "says_state", is_flag=True, help="Exit with 1 where a run did not succeed.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    run: str | None,
    where: str | None,
    start: str | None,
    kinds: tuple[str, ...],
    waits: bool,
    says_state: bool,
    as_json: bool,
) -> None:
    """Follow a run while it is recorded: points, spans, log records, its state.

    RUN is an id, the beginning of one, or a name; without it the newest run. It ends when the run has ended.
    """
    if run is not None and where is not None:
        raise click.UsageError("RUN is one run, --where searches for several: name one of them.")
    reader = _waited_reader(ctx) if waits else open_session(ctx)
    _check_can_be_followed(reader)
    shown = _Shown(frozenset(kinds or CHANGE_KINDS), as_json=as_json, names_runs=where is not None)
    wait = waiting_for_the_reader_of_the_pipe()
    if where is None:
        found = _waited_run(reader, run or "latest", wait) if waits else reader.run(run or "latest")
        states = _follow(shown, [follower_of(found, since="now" if start == "now" else None)], wait)
    else:
        since = None if start == "start" else "now"
        states = _follow_all(reader, where, shown, since=since, waits=waits, wait=wait)
    if says_state and any(state is not RunState.SUCCEEDED for state in states):
        ctx.exit(ExitCode.UNEXPECTED)


class _Shown:
    """What was shown of each run, and how the next is."""

    def __init__(self, kinds: frozenset[str], *, as_json: bool, names_runs: bool) -> None:
        self._kinds = kinds
        self._as_json = as_json
        self._names_runs = names_runs
        self._has_colour = not as_json and make_console().color_system is not None
        self.states: dict[str, RunState | None] = {}

    def show(self, run_id: str, found: Changes) -> None:
        """Print what came to a run; that it has ended comes after all that it recorded, which may be pages away."""
        before = self.states.get(run_id)
        if found.has_more and found.state is not None and not found.state.is_live:
            found = replace(found, state=before)
        if self._as_json:
            lines = [json_line(one) for one in plain_changes(run_id, found, before=before, kinds=self._kinds)]
        else:
            name = "" if found.run is None or not self._names_runs else f"{fmt.clean(found.run.name)}  "
            lines = [
                click.style(text, fg=line.colour) if line.colour and self._has_colour else text
                for line in change_lines(found, before=before, kinds=self._kinds, now_ns=time.time_ns())
                for text in (f"{moment(line.time_ns)}  {name}{line.kind:<6}  {line.text}",)
            ]
        self.states[run_id] = found.state
        if lines:
            sys.stdout.write("\n".join(lines) + "\n")
            sys.stdout.flush()


def _follow(shown: _Shown, followers: list[Follower], wait: Callable[[float], None]) -> list[RunState | None]:
    """Show what comes to runs until all have ended; return their states."""
    pause = Pause()
    while True:
        has_news, has_more = _look(shown, followers)
        if all(one.is_over for one in followers):
            return [shown.states[one.run_id] for one in followers]
        if not has_more:
            wait(pause.after(has_news=has_news))


def _follow_all(
    reader: Reader,
    where: str,
    shown: _Shown,
    *,
    since: str | None,
    waits: bool,
    wait: Callable[[float], None],
) -> list[RunState | None]:
    """Show what comes to the runs that match, and to those that begin to, until all have ended; for ever where it waits.

    Of a run that begins to match later everything is shown.
    """
    followed: dict[str, Follower] = {}
    pause, next_s = Pause(), 0.0
    while True:
        if time.monotonic() >= next_s:
            is_first = not next_s
            for one in reversed(reader.runs(where)):
                if one.id not in followed and (one.state.is_live or not is_first or since is None):
                    followed[one.id] = follower_of(one, since=since if is_first else None)
            if is_first and not followed and not waits:
                click.echo(
                    f"No run that is recorded now matches: otel-experiments runs{typed_store()}", err=True
                )
                raise click.exceptions.Exit(ExitCode.NOT_FOUND)
            next_s = time.monotonic() + _SEARCH_S
        has_news, has_more = _look(shown, [one for one in followed.values() if not one.is_over])
        if not waits and all(one.is_over for one in followed.values()):
            return [shown.states[run_id] for run_id in followed]
        if not has_more:
            wait(pause.after(has_news=has_news))


def _look(shown: _Shown, followers: list[Follower]) -> tuple[bool, bool]:
    """Show what came to runs; return whether anything did, and whether there is more at once."""
    has_news = False
    for one in followers:
        if one.is_over:
            continue
        found = one.look()
        if found or one.is_over or one.run_id not in shown.states or shown.states[one.run_id] != found.state:
            shown.show(one.run_id, found)
            has_news = True
    return has_news, any(one.has_more for one in followers)


def waiting_for_the_reader_of_the_pipe() -> Callable[[float], None]:
    """Return what waits so many seconds, and raises BrokenPipeError as soon as nobody reads stdout any more."""
    try:
        poller = select.poll()
        poller.register(sys.stdout.fileno(), 0)  # an error is told without being asked for
    except (AttributeError, OSError, ValueError):  # no poll, or no file: only writing tells
        return time.sleep

    def wait(wait_s: float) -> None:
        start_s = time.monotonic()
        for _, event in poller.poll(wait_s * 1000):
            if event & (select.POLLERR | select.POLLNVAL):
                raise BrokenPipeError
            time.sleep(max(0.0, wait_s - (time.monotonic() - start_s)))

    return wait


def _waited_reader(ctx: click.Context) -> Reader:
    """Return a reader over the command's store as soon as there is one."""
    is_network = Settings.resolve().network_filesystem
    wait = waiting_for_the_reader_of_the_pipe()
    while True:
        try:
            return ctx.with_resource(open_reader(store_location(ctx), is_network=is_network))
        except StoreNotFoundError:
            wait(_WAIT_S)


def _waited_run(reader: Reader, wanted: str, wait: Callable[[float], None]) -> RunView:
    while True:
        try:
            return reader.run(wanted)
        except RunNotFoundError:
            wait(_WAIT_S)


def _check_can_be_followed(reader: Reader) -> None:
    """Refuse a copy in memory, to which nothing comes."""
    if reader.store.location == ":memory:" and reader.location != ":memory:":
        raise click.UsageError(
            f"{reader.location!r} cannot be followed: it was read from journals into memory, since it takes nothing now, or "
            "lies on a network filesystem. Read it again instead: otel-experiments show RUN"
        )
