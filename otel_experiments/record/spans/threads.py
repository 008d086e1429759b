"""The id of the thread in which a span was opened, for who records system calls beside it.

Off unless asked for: an id of the operating system means nothing outside the machine and the moment.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import Span, SpanProcessor

from otel_experiments.record.base.propagation import THREAD_IDS_VARIABLE
from otel_experiments.semconv import attributes as attr

if TYPE_CHECKING:
    from opentelemetry.context import Context


class ThreadIdProcessor(SpanProcessor):
    """Gives each span `thread.id`."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the SDK's interface
        """Note the caller's thread."""
        span.set_attribute(attr.THREAD_ID, threading.get_native_id())


def thread_id_processors(environ: Mapping[str, str]) -> list[SpanProcessor]:
    """Return what gives spans the ids of their threads, where `otel-experiments trace` has asked for it."""
    return [ThreadIdProcessor()] if environ.get(THREAD_IDS_VARIABLE) else []
