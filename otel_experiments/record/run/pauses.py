"""The pauses of a run: how many there were, and how long they took."""

from __future__ import annotations

from collections.abc import Callable


class Pauses:
    """Counts pauses and their time. Whether one is on is the run's state, which the caller passes as `is_on`.

    Attributes:
        count: how many pauses there were in this process.
        away_ns: the time between the run's attempts, which counts as paused.
        settled_ns: the length of the pauses, and of the time away, up to the last `settle`.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._now_ns = clock
        self._since_ns = 0
        self.count = 0
        self.away_ns = 0
        self.settled_ns = 0

    def start_after(self, away_ns: int) -> None:
        """Count the time between the attempts."""
        self.away_ns = self.settled_ns = max(0, away_ns)

    def begin(self) -> None:
        """Begin a pause."""
        self._since_ns = self._now_ns()
        self.count += 1

    def settle(self, *, is_on: bool) -> None:
        """Add to `settled_ns` what the pause has taken so far."""
        self.settled_ns, self._since_ns = self.total_ns(is_on=is_on), self._now_ns()

    def total_ns(self, *, is_on: bool) -> int:
        """Return the length of all pauses so far; a clock that is set back in one makes none shorter."""
        now_ns = self._now_ns() if is_on else self._since_ns
        return self.settled_ns + max(0, now_ns - self._since_ns)

    @property
    def of_attempt_ns(self) -> int:
        """How long this attempt was paused, up to the last `settle`."""
        return self.settled_ns - self.away_ns
