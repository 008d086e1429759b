"""The one broad except: what goes wrong in recording is counted, logged once a kind, and never raised.

`on_error="raise"` (a public setting, for tests of this package and of integrations) raises instead.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from types import TracebackType
from typing import Final, Self

logger: Final = logging.getLogger("otel_experiments")


class Guard:
    """Keeps count of what recording lost, by reason."""

    def __init__(self, *, raises: bool = False) -> None:
        self.raises = raises
        self.losses: Counter[str] = Counter()
        self._seen: set[str] = set()
        self._lock = threading.Lock()

    def lost(self, reason: str, what: str, *, count: int = 1, error: BaseException | None = None) -> None:
        """Count `count` lost items under `reason` (a short fixed text); say `what` the first time.

        `what` names the object, what was found instead and what to do.
        """
        if self.raises and error is not None:
            raise error
        with self._lock:
            self.losses[reason] += count
            is_first = reason not in self._seen
            self._seen.add(reason)
        if is_first:
            logger.warning("%s (further cases are only counted: %s)", what, reason)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """Swallow what is an Exception; KeyboardInterrupt and SystemExit pass."""
        if error is None or not isinstance(error, Exception):
            return False
        if self.raises:
            return False
        self.lost(
            f"internal:{type(error).__name__}",
            f"Recording failed with {type(error).__name__}: {error}; training goes on, this item is lost",
        )
        logger.debug("Recording failed", exc_info=error)
        return True

    def reset_in_child(self) -> None:
        """Forget the parent's lock and counts after a fork."""
        self._lock = threading.Lock()
        self.losses = Counter()
