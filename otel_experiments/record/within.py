"""Waiting for foreign code for a bounded time."""

from __future__ import annotations

import threading
from collections.abc import Callable

from otel_experiments.record.guard import logger


def run_within(timeout_s: float, work: Callable[[], object]) -> bool:
    """Run `work` in a thread of its own; True when it came back, without an error, within `timeout_s` seconds."""
    done: list[bool] = []

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - foreign code may raise anything
            logger.debug("%r failed", work, exc_info=error)
        else:
            done.append(True)

    thread = threading.Thread(target=run, name="otel-experiments-within", daemon=True)
    thread.start()
    thread.join(timeout=max(0.0, timeout_s))
    return bool(done)
