"""A bell that wakes a thread, safe to ring anywhere: in a signal handler, in `__del__`, in the middle of ringing it.

`threading.Event` is not: it holds a lock while it is set, for which a signal handler in the same thread would wait
for ever.
"""

from __future__ import annotations

import contextlib
import threading


class Bell:
    """Rung by any thread, waited for by one; rings before the wait count, and several count as one."""

    def __init__(self) -> None:
        self._silence = threading.Lock()
        self._silence.acquire()  # held as long as nobody has rung

    def ring(self) -> None:
        """Wake who waits, or who waits next."""
        with contextlib.suppress(RuntimeError):  # rung already
            self._silence.release()

    def wait(self, timeout_s: float) -> bool:
        """Wait until it rings; True when it has rung."""
        return self._silence.acquire(timeout=timeout_s)
