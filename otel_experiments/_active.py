"""Which store this process records into, for those who read: told by `_configure`, asked by `_reading`.

It lies below both, so that reading in a process that records nothing imports nothing of recording.
"""

from __future__ import annotations

from collections.abc import Callable

from otel_experiments.store import Store

_find: Callable[[], Store | None] | None = None


def set_finder(find: Callable[[], Store | None]) -> None:
    """Let `active_store` ask `find` from now on."""
    global _find  # noqa: PLW0603 - the process's set-up
    _find = find


def active_store() -> Store | None:
    """Return the store that this process records into, up to date; None when it records into none."""
    return None if _find is None else _find()
