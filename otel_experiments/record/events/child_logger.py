"""The logger that user code gets in a forked child: OpenTelemetry's API over the journal, without the SDK.

Importing the SDK's logs starts threads and takes locks of the interpreter; a child must do neither. What is recorded is
what the SDK's logger in the parent records.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry import context as context_api
from opentelemetry._logs import Logger

from otel_experiments.record.base.exceptions import exception_attributes

if TYPE_CHECKING:
    from opentelemetry._logs import LogRecord

    from otel_experiments.record.base.guard import Guard
    from otel_experiments.record.events.writer import EventWriter


class ChildLogger(Logger):
    """Writes log records of one run."""

    def __init__(self, name: str, version: str, schema_url: str, events: EventWriter, guard: Guard) -> None:
        super().__init__(name, version, schema_url)
        self._events = events
        self._guard = guard

    def emit(self, record: LogRecord | None = None, **parts: Any) -> None:  # the API's parts, all by keyword
        """Record a log record, or one of the parts that the API names."""

        def part(name: str) -> Any:
            return parts.get(name) if record is None else getattr(record, name, None)

        with self._guard:
            severity, error = part("severity_number"), part("exception")
            attributes: Mapping[str, Any] = part("attributes") or {}
            if isinstance(error, BaseException):
                attributes = {**exception_attributes(error), **attributes}
            observed_ns = part("observed_timestamp") or time.time_ns()
            self._events.write(
                part("event_name") or "",
                time_ns=part("timestamp") or observed_ns,
                observed_ns=observed_ns,
                context=part("context") or context_api.get_current(),
                body=part("body"),
                attributes=attributes,
                severity_number=0 if severity is None else severity.value,
                severity_text=part("severity_text") or "",
            )

    def enabled(self, **_: Any) -> bool:  # the API's arguments
        """Say that every record is wanted."""
        return True
