"""The open connections of the HTTP server, so that idle ones can be ended and busy ones waited for."""

from __future__ import annotations

import socket
import threading
import time

from otel_experiments.process.interruption import Swallowing


class Connections:
    """The open connections: since when each waits for a request; None for one with a request under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting_since_s: dict[socket.socket, float | None] = {}
        self._empty = threading.Condition(self._lock)

    def __len__(self) -> int:
        return len(self._waiting_since_s)

    def add(self, connection: socket.socket) -> None:
        """Count a new connection."""
        self.note_idle(connection)

    def remove(self, connection: socket.socket) -> None:
        """Forget a connection that ends."""
        with self._empty:
            self._waiting_since_s.pop(connection, None)
            self._empty.notify_all()

    def note_busy(self, connection: socket.socket) -> None:
        """Note that a request is under way."""
        with self._lock:
            self._waiting_since_s[connection] = None

    def note_idle(self, connection: socket.socket) -> None:
        """Note that the connection waits for a request."""
        with self._lock:
            self._waiting_since_s[connection] = time.monotonic()

    def end_idle(self, *, for_s: float) -> None:
        """End the connections that have waited for so long: their threads read the end of the stream."""
        with self._lock:
            before_s = time.monotonic() - for_s
            idle = [
                one
                for one, since_s in self._waiting_since_s.items()
                if since_s is not None and since_s <= before_s
            ]
        for connection in idle:
            with Swallowing(OSError):
                socket.socket.shutdown(
                    connection, socket.SHUT_RD
                )  # that of ssl would end the encryption of answers

    def wait_for_end(self, timeout_s: float) -> bool:
        """Wait until there are none; True when there are."""
        with self._empty:
            return self._empty.wait_for(lambda: not self._waiting_since_s, timeout_s)
