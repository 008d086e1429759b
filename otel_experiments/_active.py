"""What this process records into and with which settings, for those who read and push: told by `_configure`.

It lies below both, so that reading in a process that records nothing imports nothing of recording.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_experiments.record.base.settings import Settings
    from otel_experiments.store import Store

_find: Callable[[], Store | None] | None = None
_find_settings: Callable[[], Settings | None] | None = None


def set_finders(find: Callable[[], Store | None], find_settings: Callable[[], Settings | None]) -> None:
    """Let `active_store` ask `find`, and `active_settings` ask `find_settings`, from now on."""
    global _find, _find_settings
    _find, _find_settings = find, find_settings


def active_store() -> Store | None:
    """Return the store that this process records into, up to date; None when it records into none."""
    return None if _find is None else _find()


def active_settings() -> Settings | None:
    """Return the settings that this process records with; None when recording is not set up."""
    return None if _find_settings is None else _find_settings()
