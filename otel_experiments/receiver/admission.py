"""How many bytes of requests may be in memory at once; what does not fit is refused, never queued."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from otel_experiments.receiver.refusal import Reason, Refusal


class Admission:
    """The room that all requests in flight share.

    Args:
        limit_bytes: the sum of their bodies, decompressed. A request that is alone is always let in.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._taken_bytes = 0
        self._lock = threading.Lock()

    @property
    def taken_bytes(self) -> int:
        """How many bytes are in flight now."""
        return self._taken_bytes

    def claim(self) -> Claim:
        """Return a claim on room, empty so far; use it with `with`."""
        return Claim(self)

    def change(self, claimed_bytes: int, by_bytes: int) -> None:
        """Give a claim of `claimed_bytes` more room, or take some back.

        Raises:
            Refusal: others have the room.
        """
        with self._lock:
            after_bytes = self._taken_bytes + by_bytes
            if by_bytes > 0 and after_bytes > self._limit_bytes and self._taken_bytes > claimed_bytes:
                raise Refusal(
                    Reason.BUSY,
                    f"The receiver is busy: requests of {self._taken_bytes:,} bytes are in flight, "
                    f"{self._limit_bytes:,} may be. Send this one again.",
                )
            self._taken_bytes = after_bytes


class Claim:
    """The room of one request: it grows as bytes arrive, and is given back at the end of the `with` block."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._claimed_bytes = 0

    def grow(self, by_bytes: int) -> None:
        """Claim more bytes.

        Raises:
            Refusal: there is no room for them.
        """
        self._admission.change(self._claimed_bytes, by_bytes)
        self._claimed_bytes += by_bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._admission.change(self._claimed_bytes, -self._claimed_bytes)
        self._claimed_bytes = 0
