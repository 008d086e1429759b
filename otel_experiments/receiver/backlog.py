"""How many bytes this receiver has journalled that the store does not hold yet.

Beyond a limit requests are refused, so that a store that takes nothing for hours does not fill the disk.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from otel_experiments.journal.format import HEADER_SIZE_BYTES


class Backlog:
    """The bytes of this process's segments that wait to be stored.

    Args:
        limit_bytes: from how many on no request is taken.
        stored_bytes: how many bytes of a segment, named by its id, the store holds.
    """

    def __init__(self, limit_bytes: int, stored_bytes: Callable[[str], int]) -> None:
        self._limit_bytes = limit_bytes
        self._stored_bytes = stored_bytes
        self._lock = threading.Lock()
        self._ends: dict[str, int] = {}
        self._size_bytes = 0

    @property
    def size_bytes(self) -> int:
        """How many bytes wait; what was stored since the last `measure` counts still."""
        return self._size_bytes

    @property
    def is_full(self) -> bool:
        """Whether no more is to be journalled now."""
        return self._size_bytes >= self._limit_bytes

    def add(self, segment_id: str, end_offset: int, size_bytes: int) -> None:
        """Count a record of `size_bytes` that ends at most at `end_offset` of a segment."""
        with self._lock:
            self._ends[segment_id] = max(end_offset, self._ends.get(segment_id, 0))
            self._size_bytes += size_bytes

    def measure(self) -> None:
        """Ask the store how much of what was counted it holds.

        Raises:
            StoreError: the store cannot be read now.
        """
        with self._lock:
            ends = dict(self._ends)
        waiting = {}
        for segment_id, end in ends.items():
            rest = end - max(self._stored_bytes(segment_id), HEADER_SIZE_BYTES)
            if rest > 0:
                waiting[segment_id] = rest
        with self._lock:
            grown = sum(self._ends[name] - ends.get(name, HEADER_SIZE_BYTES) for name in self._ends)
            self._size_bytes = sum(waiting.values()) + grown
            self._ends = {
                name: end for name, end in self._ends.items() if name in waiting or ends.get(name) != end
            }
