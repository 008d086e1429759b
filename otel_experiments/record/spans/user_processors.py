"""Between the SDK and the span processors of the user, whose exceptions would reach training code."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Literal

from opentelemetry.sdk.trace import SpanProcessor

from otel_experiments.process.interruption import is_interruption
from otel_experiments.record.base.guard import Guard


class UserProcessors(SpanProcessor):
    """Hands spans on to the user's processors; what one of them raises is counted and told once."""

    def __init__(self, processors: Sequence[SpanProcessor], guard: Guard) -> None:
        self._processors = tuple(processors)
        self._guard = guard

    def on_start(self, span: Any, parent_context: Any = None) -> None:  # the SDK's types, passed through
        """Hand on a span that starts."""
        for processor in self._processors:
            try:
                processor.on_start(span, parent_context)
            except Exception as error:  # as the class says
                if is_interruption(error):
                    raise
                self._tell(processor, "on_start", error)

    def on_end(self, span: Any) -> None:  # the SDK's type, passed through
        """Hand on a span that has ended."""
        for processor in self._processors:
            try:
                processor.on_end(span)
            except Exception as error:  # as the class says
                if is_interruption(error):
                    raise
                self._tell(processor, "on_end", error)

    def flush_within(self, timeout_s: float) -> None:
        """Have each export what it holds; wait at most `timeout_s` seconds."""
        self._each_within(timeout_s, "force_flush")

    def shut_down_within(self, timeout_s: float) -> None:
        """Shut each down; wait at most `timeout_s` seconds."""
        self._each_within(timeout_s, "shutdown")

    def _each_within(self, timeout_s: float, method: Literal["force_flush", "shutdown"]) -> None:
        if not self._processors:
            return

        def run() -> None:
            for processor in self._processors:
                try:
                    getattr(processor, method)()
                except Exception as error:  # as the class says
                    if is_interruption(error):
                        raise
                    self._tell(processor, method, error)

        thread = threading.Thread(target=run, name="otel-experiments-user-processors", daemon=True)
        thread.start()
        thread.join(timeout=max(0.0, timeout_s))

    def _tell(self, processor: SpanProcessor, where: str, error: Exception) -> None:
        self._guard.lost(
            "span processor", f"{type(processor).__name__}.{where} failed: {error!r}", error=error
        )
