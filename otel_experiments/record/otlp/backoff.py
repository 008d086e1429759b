"""When a refused request may be tried again: never before the endpoint allows it, else ever more rarely.

It knows no clock: whoever asks says what time it is, and hands in what draws the jitter (never the global
`random`, which belongs to the experiment).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

SHORTEST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
_JITTER: Final = 0.2
_MOST_DOUBLINGS: Final = 10


class Backoff:
    """The pauses of one signal at one endpoint.

    Attributes:
        refusals: how many requests were refused since one was taken.
        is_asked_for: the endpoint itself named the pause that is in force.
    """

    def __init__(self, draw: Callable[[float, float], float]) -> None:
        self._draw = draw
        self.refusals = 0
        self.is_asked_for = False
        self._due_s = 0.0

    def note_taken(self) -> None:
        """Forget all pauses: the endpoint takes requests."""
        self.refusals = 0
        self.is_asked_for = False
        self._due_s = 0.0

    def note_refused(self, now_s: float, delay_s: float | None = None) -> None:
        """Pause: for `delay_s` where the endpoint named it, else twice as long as last time."""
        self.is_asked_for = delay_s is not None
        if delay_s is not None:
            pause_s = delay_s * self._draw(1.0, 1.0 + _JITTER / 2)
        else:
            pause_s = min(LONGEST_PAUSE_S, SHORTEST_PAUSE_S * 2.0 ** min(self.refusals, _MOST_DOUBLINGS))
            pause_s *= self._draw(1.0 - _JITTER, 1.0 + _JITTER)
        self.refusals += 1
        self._due_s = now_s + pause_s

    def wait_s(self, now_s: float) -> float:
        """Return for how long the endpoint is to be left alone from `now_s` on; 0 when it may be asked."""
        return max(0.0, self._due_s - now_s)
