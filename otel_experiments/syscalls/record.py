"""Running a command under strace."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Final, Literal

from otel_experiments.errors import CommandFailedError, MissingToolError
from otel_experiments.process.sigterm import handle_sigterm
from otel_experiments.record.base.propagation import THREAD_IDS_VARIABLE
from otel_experiments.record.base.settings import SETTINGS

Calls = Literal["io", "all"]
"""`io`: files, descriptors, network and processes; `all`: memory and waiting as well, several times as many."""

_IO: Final = "trace=%file,%desc,%network,%process,%ipc"
_START_PAUSE_S: Final = 0.001


def find_strace() -> str:
    """Return the path of strace.

    Raises:
        MissingToolError: it is not installed; the text has the command that installs it.
    """
    found = shutil.which("strace")
    if found is None:
        raise MissingToolError(
            tool="strace",
            purpose="Recording system calls",
            install="sudo apt-get install strace   (Fedora: sudo dnf install strace; it works on Linux only)",
        )
    return found


def record_command(
    command: Sequence[str], output: Path, *, calls: Calls = "io", environ: Mapping[str, str] | None = None
) -> int:
    """Run the command with all its threads and children under strace, write the calls to `output`.

    Arguments that are texts are written without their content: what a program reads and writes stays with it. A
    SIGTERM meanwhile is the command's, which strace would keep from it.

    Returns:
        The command's exit code; 128 and the signal's number where a signal ended it, as a shell says it.

    Raises:
        MissingToolError: strace is not installed.
        CommandFailedError: the command is not there, `output` cannot be written, or strace could not watch it.
    """
    strace, shown = find_strace(), shlex.join(command)
    program = shutil.which(command[0], path=None if environ is None else environ.get("PATH"))
    if program is None:
        raise CommandFailedError(
            command=shown,
            ended="could not be started: there is no such program",
            fix="Check its name, the PATH, and whether it may be run.",
        )
    if not os.access(output.absolute().parent, os.W_OK | os.X_OK):
        raise CommandFailedError(
            command=shown,
            ended=f"was not started, for {str(output)!r} cannot be written",
            fix="Name a file in a folder that is there and may be written.",
        )
    # Calls of the program are wanted, and none by which its packages and code are looked at.
    quiet = {
        SETTINGS["capture_environment"].variable: "false",
        SETTINGS["capture_output"].variable: "off",
    }
    told = quiet | dict(os.environ if environ is None else environ) | {THREAD_IDS_VARIABLE: "1"}
    options = ["-f", "-ttt", "-T", "-s", "0", "-o", str(output)]
    if calls == "io":
        options += ["-e", _IO]
    whole = [strace, *options, "--", *command]
    # strace ends itself by the signal that ended the command, and passes Ctrl-C on to it.
    before = signal.getsignal(signal.SIGINT)
    sigterm = _SigtermOfTheCommand()
    try:
        with handle_sigterm(sigterm), subprocess.Popen(whole, env=told) as tracer:  # noqa: S603 - it is the user's own
            sigterm.hand_on_from(tracer.pid)
            try:
                code = tracer.wait()
            except BaseException:
                tracer.kill()
                raise
    finally:
        signal.signal(signal.SIGINT, before)
    if not output.exists() or (code and output.stat().st_size == 0):
        raise CommandFailedError(
            command=shown,
            ended="was not started, or strace may not watch it",
            fix="The message of strace is above; in a container ptrace has to be allowed (--cap-add=SYS_PTRACE).",
        )
    return 128 - code if code < 0 else code


class _SigtermOfTheCommand:
    """A handler that hands a SIGTERM on to what strace runs, at any time from before strace is there.

    strace ignores it. What it forks is the command only from `execve` on: before, it is a copy of strace that waits or
    ends without running the command.
    """

    def __init__(self) -> None:
        self._tracer: int | None = None
        self._waiting: int | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Hand the signal on as soon as the command runs."""
        self._waiting = number
        if self._tracer is not None:
            self.hand_on_from(self._tracer)

    def hand_on_from(self, tracer: int) -> None:
        """Know the process of strace, and hand on what came before."""
        self._tracer = tracer
        number, self._waiting = self._waiting, None
        while number is not None and not _has_ended(tracer):
            command = _command_of(tracer)
            if command is not None:
                with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                    os.kill(command, number)
                return
            time.sleep(_START_PAUSE_S)


def _has_ended(tracer: int) -> bool:
    """Return whether the process has ended; its exit code stays for `Popen.wait`, which may be interrupted here."""
    try:
        return os.waitid(os.P_PID, tracer, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # `wait` has seen it
        return True


def _command_of(tracer: int) -> int | None:
    """Return the process that strace has started and that runs the command by now."""
    try:
        own = Path(f"/proc/{tracer}/cmdline").read_bytes()
        for child in Path(f"/proc/{tracer}/task/{tracer}/children").read_text().split():
            if Path(f"/proc/{child}/cmdline").read_bytes() not in {own, b""}:
                return int(child)
    except OSError:  # one of them has ended meanwhile
        return None
    return None
