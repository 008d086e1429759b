"""From log records to the bytes of an ExportLogsServiceRequest. Pure. Source: opentelemetry-proto, logs.proto."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from otel_experiments.codec.otlp.attributes import any_value, attribute_fields
from otel_experiments.codec.otlp.fields import (
    count_field,
    delimited,
    id_field,
    pack_fixed32,
    pack_fixed64,
    text_field,
)
from otel_experiments.codec.otlp.request import RECORD_TAG, Request
from otel_experiments.model.log import LogRecord

_TRACE_FLAGS: Final = 0xFF
_UINT32: Final = 0xFFFFFFFF


def log_records_to_request(records: Sequence[LogRecord], *, is_exact: bool = False) -> bytes:
    """Return a request with the log records and events.

    `is_exact`: all flags as they are stored, for an export, not only those of the trace.

    Raises:
        ValueError, TypeError, struct.error: a record has an id, a time or a value that OTLP has no room for.
    """
    request = Request()
    flags = _UINT32 if is_exact else _TRACE_FLAGS
    for record in records:
        request.records_of(record.resource, record.scope).append(
            delimited(RECORD_TAG, _record(record, flags))
        )
    return request.to_bytes()


def _record(record: LogRecord, flags: int) -> bytes:
    content = (
        b"\x09" + pack_fixed64(record.time_ns),
        count_field(b"\x10", record.severity_number),
        text_field(b"\x1a", record.severity_text),
        delimited(b"\x2a", any_value(record.body)),
        attribute_fields(b"\x32", record.attributes),
        count_field(b"\x38", record.dropped_attributes_count),
        b"\x45" + pack_fixed32(record.flags & flags),
        id_field(b"\x4a", record.trace_id, size=16) if record.trace_id else b"",
        id_field(b"\x52", record.span_id, size=8) if record.span_id else b"",
        b"\x59" + pack_fixed64(record.observed_time_ns),
        text_field(b"\x62", record.event_name),
    )
    return b"".join(content)
