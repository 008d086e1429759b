"""What a command records, as captured runs: it runs with a store of its own in a temporary folder."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from otel_experiments.capture.environment import describe_here
from otel_experiments.capture.stored import capture_store
from otel_experiments.errors import CommandFailedError, EmptyTraceError, GoldenRuleError, RunNotFoundError
from otel_experiments.golden.canonical.trace import CapturedRun
from otel_experiments.process.sigterm import handle_sigterm
from otel_experiments.record.base.propagation import OFFER_VARIABLE, RUN_ID_VARIABLE, TRACEPARENT_VARIABLE
from otel_experiments.record.base.settings import SETTINGS

_NOT_HANDED_ON: Final = (RUN_ID_VARIABLE, OFFER_VARIABLE, TRACEPARENT_VARIABLE)
"""The command records runs of its own and joins nobody's."""


def capture_command(
    command: Sequence[str],
    *,
    runs: int = 1,
    select: str | None = None,
    environ: Mapping[str, str] | None = None,
    name: str = "candidate",
) -> list[CapturedRun]:
    """Run the command `runs` times, one after the other, and return the run that each recorded.

    The command's own output goes where this process's goes. It finds its store by `OTEL_EXPERIMENTS_STORE`. A SIGTERM
    is handed on to it, and when it has ended this process ends with 143, as in a shell.

    Args:
        command: program and arguments.
        environ: variables over those of this process.
        name: what reports call it.
        runs: how often it is run.
        select: id or name of the run, where it records several.

    Raises:
        CommandFailedError: the command is not there, or ended with another exit code than 0.
        EmptyTraceError: it recorded nothing.
        IncompleteTraceError: spans are missing.
        GoldenRuleError: it recorded several runs and `select` names none, or one there is not.
    """
    captured = []
    for _ in range(runs):
        with (
            handle_sigterm(_exit_by_sigterm),
            tempfile.TemporaryDirectory(prefix="otel-experiments-golden-") as folder,
        ):
            store = Path(folder) / "golden.db"
            run_command(command, capture_environment(store, environ))
            if not store.exists():
                raise EmptyTraceError(run=name)
            captured.append(_captured(store, select, environ, name))
    return captured


def _captured(store: Path, select: str | None, environ: Mapping[str, str] | None, name: str) -> CapturedRun:
    try:
        return capture_store(store, select=select, environment=describe_here(environ), name=name)
    except RunNotFoundError as exc:  # its text names the store, which is gone when it is read
        raise GoldenRuleError(
            rule=f"select={select}",
            why=f"the command recorded no run of this name or id, but {', '.join(map(repr, exc.known))}",
            fix="Take one of these.",
        ) from exc


def capture_environment(store: Path, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment in which a command records into `store` and nowhere else."""
    told = dict(os.environ if environ is None else environ)
    for variable in _NOT_HANDED_ON:
        told.pop(variable, None)
    return told | {
        SETTINGS["store"].variable: str(store),
        SETTINGS["otlp"].variable: "false",
        SETTINGS["system_metrics_s"].variable: "0",
        SETTINGS["capture_output"].variable: "off",
    }


def run_command(command: Sequence[str], environ: Mapping[str, str]) -> None:
    """Run the command to its end.

    Raises:
        CommandFailedError: it is not there, or ended with another exit code than 0.
    """
    shown = shlex.join(command)
    try:
        process = subprocess.Popen(command, env=environ)  # noqa: S603 - it is the user's own
    except OSError as exc:
        raise CommandFailedError(
            command=shown,
            ended=f"could not be started: {exc.strerror}",
            fix="Check its name, the PATH, and whether it may be run.",
        ) from exc
    with process:
        try:
            code = process.wait()
        except SystemExit:  # of a SIGTERM, which is the command's as well: it may have a checkpoint to write
            process.terminate()
            process.wait()
            raise
        except BaseException:
            process.kill()
            raise
    if code:
        ended = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        raise CommandFailedError(command=shown, ended=ended)


def _exit_by_sigterm(number: int, _frame: FrameType | None) -> NoReturn:
    """Raise SystemExit, so that what is open is closed and put away."""
    raise SystemExit(128 + number)
