"""Signals and the threads that recording starts: none of them takes a signal that is sent to the process.

The system gives such a signal to any thread that does not block it, and Python runs the handler in the main thread. If
the main thread is inside a system call that another thread's signal does not interrupt, such as a long `sleep`, the
handler runs only when that call returns. If the program blocks the signal to wait for it with `sigwait`, a thread that
does not block it takes the signal away. A blocked signal in our threads leaves it to the program's threads.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import Final

_OF_THE_THREAD: Final = {
    "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP", "SIGSYS", "SIGPROF", "SIGVTALRM",
}  # fmt: skip
"""What a thread causes itself, which `faulthandler` has to see, and what profilers send to each thread."""


def leave_signals_to_the_program() -> set[int]:
    """Block the signals of the process in the calling thread, which must be one that recording started.

    Returns:
        What the thread blocked before, as the thread that started it did.
    """
    if sys.platform == "win32":
        return set()
    stay = {getattr(signal, name) for name in _OF_THE_THREAD if hasattr(signal, name)}
    before = set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - stay)
    except BaseException:  # it handles what came just before, when it has blocked what comes
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        raise
    return before


@contextmanager
def blocking_only(blocked: AbstractSet[int]) -> Iterator[None]:
    """Block only these signals inside the block, where a program's callback runs: what it starts inherits that."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
