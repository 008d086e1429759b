"""A command of the user's as a child: its terminal, its signals and its exit code are what they are without us.

The child is a process group of its own and, where there is a terminal, the one that the keyboard's signals reach. So every
signal reaches it once: from the keyboard directly, and any other, also one that was sent to our whole group, through us.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Final, Self

from otel_experiments.process.interruption import Swallowing, is_interruption

CANNOT_BE_RUN: Final = 126
NOT_FOUND: Final = 127
"""What a shell ends with where a command cannot be run, and where there is none."""
_SIGNALLED: Final = 128
_HANDED_ON: Final = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCONT")
    if hasattr(signal, name)
)


class NotStartedError(Exception):
    """The command could not be started; `code` is what a shell ends with."""

    def __init__(self, why: str, code: int) -> None:
        super().__init__(why)
        self.why = why
        self.code = code


class Command:
    """A command that runs; use it with `with`, in the main thread, so that signals are handed on to it.

    Attributes:
        pid: its process id, which is also its process group.
        status: how it ended, as `os.waitstatus_to_exitcode` says it; None while it runs.
        end_fd: can be read when it has ended; None where the system has no such descriptors.
    """

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], outputs: Sequence[int]) -> None:
        """Start the command; `outputs` become its standard output and standard error.

        Raises:
            NotStartedError: it is not there, or cannot be run.
        """
        self.status: int | None = None
        self._terminal = _terminal()
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}
        self._waiting: list[int] = []
        self.pid = 0
        self.end_fd: int | None = None
        # From here on nothing that is sent is lost: what comes before the child is there waits for it.
        for number in (one for one in _HANDED_ON if signal.getsignal(one) is not signal.SIG_IGN):
            self._before[number] = signal.signal(number, self._hand_on)
        self._before[signal.SIGTTOU] = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        try:
            self.pid = _spawn(command, environ, outputs)
        except BaseException:
            self._restore()
            raise
        with Swallowing(OSError, AttributeError):  # an older kernel, another system
            self.end_fd = os.pidfd_open(self.pid)
        self._give_terminal(self.pid)
        for number in self._waiting:
            self._send(number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Have signals and terminal as before; what is not over is ended."""
        if self.status is None:
            self._send(signal.SIGKILL)
            with Swallowing(ChildProcessError):
                self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self._restore()

    def poll(self) -> int | None:
        """Return how it ended, None while it runs. When it was stopped from the keyboard, so are we."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG | os.WUNTRACED)
            if pid and os.WIFSTOPPED(status):
                self._stop_as_well()
            elif pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status

    @property
    def exit_code(self) -> int:
        """What a shell makes of how it ended: the exit code, or 128 and the number of the signal."""
        status = self.status or 0
        return status if status >= 0 else _SIGNALLED - status

    def _hand_on(self, number: int, _frame: FrameType | None) -> None:
        if self.pid:
            self._send(number)
        else:
            self._waiting.append(number)

    def _send(self, number: int) -> None:
        with Swallowing(ProcessLookupError, PermissionError):  # it has ended meanwhile
            os.killpg(self.pid, number)

    def _give_terminal(self, group: int) -> None:
        if self._terminal is not None:
            with Swallowing(OSError):  # it has been taken from us
                os.tcsetpgrp(self._terminal, group)
                if group == self.pid:
                    self._send(signal.SIGCONT)  # it may have asked for the keyboard before it had it

    def _stop_as_well(self) -> None:
        if self._terminal is None:  # somebody has stopped it on purpose, and lets it go on
            return
        self._give_terminal(os.getpgrp())
        os.kill(os.getpid(), signal.SIGSTOP)
        self._give_terminal(self.pid)

    def _restore(self) -> None:
        if self.pid:
            self._give_terminal(os.getpgrp())
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        if self.end_fd is not None:
            os.close(self.end_fd)
            self.end_fd = None


def _terminal() -> int | None:
    """Return the descriptor of the terminal whose keyboard is ours, None where there is none."""
    with Swallowing(OSError):
        if os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp():
            return 0
    return None


def _spawn(command: Sequence[str], environ: Mapping[str, str], outputs: Sequence[int]) -> int:
    path = path_of(command[0], environ)
    actions = [(os.POSIX_SPAWN_DUP2, given, number) for number, given in enumerate(outputs, start=1)]
    ours = {signal.SIGPIPE, signal.SIGTTOU, getattr(signal, "SIGXFSZ", signal.SIGPIPE)}
    # What Python and this class ignore; what else is ignored stays so, as with `nohup`.
    options = {"file_actions": actions, "setpgroup": 0, "setsigmask": (), "setsigdef": ours}
    try:
        return os.posix_spawn(path, list(command), dict(environ), **options)  # type: ignore[arg-type] # by name
    except OSError as error:
        if is_interruption(error):
            raise
        if error.errno != errno.ENOEXEC:
            raise NotStartedError(error.strerror or str(error), CANNOT_BE_RUN) from error
    # A script without a first line that names its interpreter: shells run it themselves.
    return os.posix_spawn("/bin/sh", ["/bin/sh", path, *command[1:]], dict(environ), **options)  # type: ignore[arg-type] # as above


def path_of(program: str, environ: Mapping[str, str]) -> str:
    """Return the file of a program, as a shell finds it.

    Raises:
        NotStartedError: there is none, or it may not be run.
    """
    found = shutil.which(program, path=environ.get("PATH"))
    if found is not None:
        return found
    is_path = os.sep in program
    if is_path and os.path.isdir(program):  # noqa: PTH112 - a text of the user's
        raise NotStartedError("it is a folder", CANNOT_BE_RUN)
    if is_path and os.path.lexists(program):
        raise NotStartedError("it may not be run", CANNOT_BE_RUN)
    raise NotStartedError("there is no such program", NOT_FOUND)
