"""How long the ends of runs have just waited in vain, so that the end of the process does not wait as long again.

The `with` block at the end of a program is followed by the end of its process. What the first waited for without success, a
large artifact or an endpoint that does not answer, is not waited for twice. While the program does something else, the time
comes back.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class WaitedInVain:
    """The seconds of the exit budget that are used up."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        """Begin with none. `clock_s` gives seconds that never go back."""
        self._clock_s = clock_s
        self._used_s = 0.0
        self._until_s = clock_s()

    def left_s(self, budget_s: float) -> float:
        """Return how many seconds of a budget are left now."""
        return max(0.0, budget_s - self._used_at(self._clock_s()))

    def begin(self) -> float:
        """Return the time at which a wait begins, for `end`."""
        return self._clock_s()

    def end(self, begun_s: float, *, is_done: bool) -> None:
        """Note that something was waited for since `begun_s`; with `is_done` not in vain."""
        if not is_done:
            used_s, now_s = self._used_at(begun_s), self._clock_s()
            self._used_s, self._until_s = used_s + now_s - begun_s, now_s

    def _used_at(self, time_s: float) -> float:
        return max(0.0, self._used_s - (time_s - self._until_s))
