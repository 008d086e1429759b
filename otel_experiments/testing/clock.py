"""A clock that goes one step each time it is read, for tests that assert on times."""

from __future__ import annotations

import itertools


class SteppingClock:
    """Returns `start_ns`, then one step more at each call; pass it as `configure(clock=...)`.

    Units: nanoseconds since the Unix epoch.

    Args:
        step_ns: how much later each call is.
    """

    def __init__(self, start_ns: int = 1_700_000_000_000_000_000, step_ns: int = 1_000_000_000) -> None:
        self._times = itertools.count(start_ns, step_ns)

    def __call__(self) -> int:
        """Return the present time and go one step on."""
        return next(self._times)
