"""Where the handlers of signals run after what is done: imports on first use in a user's call, and what they would spoil.

Python's import system takes an `OSError` for a file that is not there and looks further, as `os.path.realpath` does, so a
`TimeoutError` that a signal handler raises meanwhile is swallowed. And the locks of imports are not reentrant: a handler
that imports the same module waits for ever. Both are so in CPython 3.11 (Lib/importlib/_bootstrap.py, `_ModuleLock`, and
_bootstrap_external.py, `_path_stat`).
"""

from __future__ import annotations

import signal
import sys
from types import TracebackType

from otel_experiments.process.bytecode import begins_uninterrupted
from otel_experiments.process.thread_signals import leave_signals_to_the_program


class SignalsWait:
    """Block the process's signals in this thread inside a block; they are handled at its end.

    A thread of the program that does not block them may take one, and the handler then still runs in the main thread at
    once. Blocking costs some 50 us, because Python makes a set of names.

    Args:
        modules: what the block imports, to do nothing once that is loaded; without any, signals always wait.
    """

    __slots__ = ("_before", "_modules")

    def __init__(self, *modules: str) -> None:
        self._modules = modules
        self._before: set[int] | None = None

    def __enter__(self) -> None:
        """Begin."""
        if not self._modules or not all(name in sys.modules for name in self._modules):
            self._before = leave_signals_to_the_program()

    @begins_uninterrupted
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let signals in again; what their handlers raise comes out of here."""
        if self._before is not None and sys.platform != "win32":
            signal.pthread_sigmask(signal.SIG_SETMASK, self._before)
