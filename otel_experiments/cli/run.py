"""`otel-experiments run -- COMMAND`: a run of any program, which does not have to know of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from otel_experiments._configure import configure, shutdown, start_run
from otel_experiments._opening import open_reader
from otel_experiments.cli.root import named_store, store_option
from otel_experiments.cli.terminal.format import clean
from otel_experiments.codec.text import text_of
from otel_experiments.journal.encode import encode_state
from otel_experiments.model.batch import RunStateChange
from otel_experiments.model.run import RunState
from otel_experiments.process.command import Command, NotStartedError, path_of
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.paths import is_regular
from otel_experiments.record.base.current import active_runs
from otel_experiments.record.base.offered_run import Offer, OfferedRun
from otel_experiments.record.base.propagation import (
    OFFER_VARIABLE,
    PARENT_RUN_VARIABLE,
    RUN_ID_VARIABLE,
    TRACEPARENT_VARIABLE,
)
from otel_experiments.record.base.settings import SETTINGS
from otel_experiments.record.output.descriptors import encodings
from otel_experiments.record.output.pump import Channel, pump
from otel_experiments.record.output.writer import RunOutput
from otel_experiments.record.run.hand_over import hand_over
from otel_experiments.record.run.parts import RunParts, parts_of
from otel_experiments.record.snapshot.git_state import wait_by_id

if TYPE_CHECKING:
    from otel_experiments.journal.output import Stream
    from otel_experiments.record.base.ports import RunPort
    from otel_experiments.record.pipeline.pipeline import Pipeline

_STOPPED_BY: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
_SIGNALLED: Final = 128
_STREAMS: Final[tuple[tuple[int, Stream], ...]] = ((1, "stdout"), (2, "stderr"))


class _Ending(NamedTuple):
    state: RunState
    reason: str


@click.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@store_option
@click.option("--name", help="What the run is called; the command's own first run may say otherwise.")
@click.option("--experiment", help="The experiment that the run belongs to.")
@click.option("--tag", "tags", multiple=True, metavar="KEY[=VALUE]", help="A tag of the run; repeatable.")
@click.option(
    "--output",
    type=click.Choice(["fd", "python", "off"]),
    default="fd",
    show_default=True,
    help="Whose output is in the run: fd: that of all its processes; python: what a program that records itself "
    "prints; off: none.",
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
@click.pass_context
def command(
    ctx: click.Context,
    *,
    name: str | None,
    experiment: str | None,
    tags: tuple[str, ...],
    output: str,
    command: tuple[str, ...],
) -> None:
    """Run COMMAND as a run: with its environment, its output and its exit code.

    COMMAND does not have to know of it. If it records, its first run goes on with this one, and later ones are its
    children. Terminal, standard input and signals are COMMAND's, and what it prints appears as it would.

    Ends with COMMAND's exit code; 128 and the number of the signal that ended it; 127 where there is no such
    program, 126 where it cannot be run. Where it cannot be recorded, that is said and COMMAND runs as it would.
    """
    del ctx.args[:]
    try:
        path_of(command[0], os.environ)
        run = _begun(ctx, command, name=name, experiment=experiment, tags=tags)
        code = (
            _follow(Command(command, os.environ, ()), ())[1] if run is None else _record(run, command, output)
        )
    except NotStartedError as error:
        click.echo(
            f"{clean(command[0])!r} was not started: {error.why}.\n"
            "  Check its name, the PATH, and whether it may be run.",
            err=True,
        )
        code = error.code
    finally:
        with _SaidOnly("The end of the recording failed"):
            shutdown()
    ctx.exit(code)


class _SaidOnly:
    """Says what fails of ours in a block, which neither keeps the command from running nor changes its exit code."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _where: object) -> bool:
        """Say a failure, such as a store that is none or that no descriptor is left; let all else pass."""
        if not isinstance(error, Exception) or is_interruption(error):
            return False
        found = "\n".join(map(clean, text_of(error).splitlines())) or type(error).__name__
        click.echo(f"{self._what}. The command runs as it would. {found}", err=True)
        return True


def _begun(
    ctx: click.Context,
    command: Sequence[str],
    *,
    name: str | None,
    experiment: str | None,
    tags: Sequence[str],
) -> RunParts | None:
    """Start the run of the command; None where recording is off, or fails, which is said."""
    with _SaidOnly("The command is not recorded"):
        _seem(command)
        _join_nobody()
        wait_by_id()
        if configure(store=named_store(ctx), capture_output="off").settings.enabled:
            given = dict(tag.partition("=")[::2] for tag in tags)
            run = start_run(name, experiment=experiment, tags=given or None, ranks="separate")
            return parts_of(active_runs[run.id])
    return None


def _seem(command: Sequence[str]) -> None:
    """Have the run say of its process what the command is, and not this program."""
    sys.argv = list(command)
    scripts = [one for one in command[1:] if one.endswith((".py", ".sh")) and is_regular(Path(one))]
    sys.modules["__main__"].__file__ = scripts[0] if scripts else command[0]


def _join_nobody() -> None:
    """Have a run of the command's own in a process that is to join one: it is a part of that one."""
    outer = os.environ.pop(RUN_ID_VARIABLE, "")
    if outer:
        os.environ[PARENT_RUN_VARIABLE] = outer


def _record(run: RunParts, command: Sequence[str], output: str) -> int:
    """Run the command, and end its run; return the exit code."""
    core = run.core
    face, pipeline = core.face, core.pipeline
    if Path(os.environ.get(OFFER_VARIABLE, "")).name == core.id:
        output = os.environ.get(
            SETTINGS["capture_output"].variable, output
        )  # as the command around this one says
    environ = os.environ | face.environment(joins=False)
    environ |= {
        SETTINGS["capture_output"].variable: "off" if output == "fd" else output,
        SETTINGS["quiet"].variable: "true",
    }
    with contextlib.ExitStack() as left_behind:
        offer = _offer(run, left_behind)
        if offer is not None:
            environ[OFFER_VARIABLE] = str(offer.path)
        channels = _channels(core) if output == "fd" and pipeline.has_telemetry else []
        try:
            child = Command(command, environ, [channel.inner for channel in channels])
        except NotStartedError as error:
            with _SaidOnly("The end of the run is not recorded"):
                face.finish("failed", reason=error.why)
            raise
        finally:
            for channel in channels:
                channel.close_inner()

        def look() -> None:
            if offer is not None and offer.is_taken:
                hand_over(run)

        status, code = _follow(child, channels, look, grace_s=pipeline.settings.exit_timeout_s)
        with _SaidOnly("The end of the run is not recorded"):
            _end(run, offer, _ending_of(status))
    return code


def _offer(run: RunParts, left_behind: contextlib.ExitStack) -> Offer | None:
    """Offer the run to the command's first one; None where there is no room for the file, which is said."""
    with _SaidOnly("A run of the command's own will be a child of this one"):
        folder = tempfile.mkdtemp(prefix="otel-experiments-run-")
        left_behind.callback(shutil.rmtree, folder, ignore_errors=True)
        return Offer(Path(folder, run.core.id), _offered(run))
    return None


def _channels(core: RunPort) -> list[Channel]:
    """Return what reads the command's output; none where no descriptor is left, which is said."""
    channels: list[Channel] = []
    with _SaidOnly("The output of the command is not recorded"), contextlib.ExitStack() as undone:
        for (number, name), encoding in zip(_STREAMS, encodings(), strict=True):
            channels.append(Channel(number, RunOutput(core, name), encoding=encoding))
            undone.callback(channels[-1].close)
        undone.pop_all()
    return [channel for channel in channels if channel.is_open]


def _end(run: RunParts, offer: Offer | None, ending: _Ending) -> None:
    if offer is None or offer.withdraw():
        run.core.face.finish(ending.state, reason=ending.reason)
    else:
        hand_over(run)
        _end_taken(run.core.pipeline, run.core.id, ending)


def _offered(run: RunParts) -> OfferedRun:
    core = run.core
    return OfferedRun(
        str(core.pipeline.store_path),
        core.id,
        f"{core.otel_span.get_span_context().span_id:016x}",
        core.name,
        core.experiment,
        core.identity.parent_run_id,
        os.environ.get(TRACEPARENT_VARIABLE, ""),
    )


def _follow(
    child: Command,
    channels: Sequence[Channel],
    look: Callable[[], object] = lambda: None,
    *,
    grace_s: float = 0.0,
) -> tuple[int, int]:
    """Hand on what the command writes until it has ended; return how, and the exit code."""
    with child:
        pump(
            channels,
            is_over=lambda: child.poll() is not None,
            grace_s=grace_s,
            look=look,
            end_fd=child.end_fd,
        )
    return child.status or 0, child.exit_code


def _ending_of(status: int) -> _Ending:
    """Return what an exit code, or a signal with a minus, says of a run."""
    if not status:
        return _Ending(RunState.SUCCEEDED, "")
    number = -status if status < 0 else status - _SIGNALLED
    name = signal.Signals(number).name if number in signal.valid_signals() else ""
    if number in _STOPPED_BY:
        return _Ending(RunState.CANCELLED, name)
    if status < 0:
        return _Ending(RunState.FAILED, f"ended by {name or f'signal {number}'}")
    return _Ending(RunState.FAILED, f"exit code {status}")


def _end_taken(pipeline: Pipeline, run_id: str, ending: _Ending) -> None:
    """Write the end of a run that the command went on with, where its own word is missing or too good."""
    path = pipeline.store_path
    if path is None:
        return
    with open_reader(path) as reader:
        record = reader.run(run_id).record
    if record.state.is_terminal and (
        record.state is not RunState.SUCCEEDED or ending.state is RunState.SUCCEEDED
    ):
        return
    change = RunStateChange(
        run_id=run_id,
        state=ending.state,
        time_ns=pipeline.clock(),
        reason=ending.reason,
        paused_total_ns=record.paused_total_ns,
        paused_count=record.paused_count,
        paused_dropped_count=record.paused_dropped_count,
        attempt=record.attempt,
    )
    pipeline.journal.append(encode_state(change))
    pipeline.run_events.write_state(change)
