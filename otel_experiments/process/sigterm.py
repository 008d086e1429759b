"""A SIGTERM that the program itself does not handle, handled for a while."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def handle_sigterm(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Let `handler` have a SIGTERM inside the block, where the signal would end the process.

    A program's handler stays, and outside of the main thread, where none can be set, nothing changes.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
