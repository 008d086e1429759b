"""What a command records, as captured runs: it runs with a store of its own in a temporary folder."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from otel_experiments.capture.stored import capture_store
from otel_experiments.capture.surroundings import describe_here
from otel_experiments.errors import CommandFailedError, EmptyTraceError, GoldenRuleError, RunNotFoundError
from otel_experiments.golden.trace import CapturedRun
from otel_experiments.record.propagation import RUN_ID_VARIABLE, TRACEPARENT_VARIABLE
from otel_experiments.record.settings import SETTINGS

_NOT_HANDED_ON: Final = (RUN_ID_VARIABLE, TRACEPARENT_VARIABLE)
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

    The command's own output goes where this process's goes. It finds its store by `OTEL_EXPERIMENTS_STORE`.

    Raises:
        CommandFailedError: the command is not there, or ended with another exit code than 0.
        EmptyTraceError: it recorded nothing.
        IncompleteTraceError: spans are missing.
        GoldenRuleError: it recorded several runs and `select` names none, or one there is not.
    """
    captured = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="otel-experiments-golden-") as folder:
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
    }


def run_command(command: Sequence[str], environ: Mapping[str, str]) -> None:
    """Run the command to its end.

    Raises:
        CommandFailedError: it is not there, or ended with another exit code than 0.
    """
    shown = shlex.join(command)
    try:
        code = subprocess.run(command, env=environ, check=False).returncode  # noqa: S603 - it is the user's own
    except OSError as exc:
        raise CommandFailedError(
            command=shown,
            ended=f"could not be started: {exc.strerror}",
            fix="Check its name, the PATH, and whether it may be run.",
        ) from exc
    if code:
        ended = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        raise CommandFailedError(command=shown, ended=ended)
