"""From spans to the bytes of an ExportTraceServiceRequest. Pure. Source: opentelemetry-proto, trace.proto."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final

from otel_experiments.codec.otlp.attributes import attribute_fields
from otel_experiments.codec.otlp.fields import (
    count_field,
    delimited,
    id_field,
    pack_fixed32,
    pack_fixed64,
    text_field,
    varint,
)
from otel_experiments.codec.otlp.request import RECORD_TAG, Request
from otel_experiments.model.span import Event, Link, Span, SpanKind, StatusCode

_TRACE_FLAGS: Final = 0xFF
_UINT32: Final = 0xFFFFFFFF
_KNOWS_REMOTE: Final = 0x100
_IS_REMOTE: Final = 0x200
"""Flags: it is known whether the parent is of another process; it is."""
_IDS: Final = Struct("<2s16s2s8s").pack
_KIND_AND_TIMES: Final = Struct("<2scQcQ").pack
_KINDS: Final = {
    kind: bytes((0x30, kind if kind is not SpanKind.UNSPECIFIED else SpanKind.INTERNAL)) for kind in SpanKind
}
_NO_STATUS: Final = b"\x7a\x00"


def spans_to_request(spans: Sequence[Span], *, is_exact: bool = False) -> bytes:
    """Return a request with the spans, which have ended unless they are exported.

    Args:
        spans: what is sent.
        is_exact: kinds and flags as they are stored, for an export. A sender says of each span what kind it is, and of
            its parent whether it is of another process.

    Raises:
        ValueError, TypeError, struct.error: a span has an id, a time or a value that OTLP has no room for.
    """
    request = Request()
    for span in spans:
        request.records_of(span.resource, span.scope).append(
            delimited(RECORD_TAG, _span(span, is_exact=is_exact))
        )
    return request.to_bytes()


def _span(span: Span, *, is_exact: bool) -> bytes:
    kept_flags = _TRACE_FLAGS | _IS_REMOTE if span.parent_span_id else _TRACE_FLAGS
    kind, flags = _KINDS[span.kind], _KNOWS_REMOTE | span.flags & kept_flags
    if is_exact:
        kind, flags = b"\x30" + varint(span.kind), span.flags & _UINT32
    return b"".join(
        (
            id_field(b"\x0a", span.trace_id, size=16),
            id_field(b"\x12", span.span_id, size=8),
            text_field(b"\x1a", span.trace_state),
            id_field(b"\x22", span.parent_span_id, size=8) if span.parent_span_id else b"",
            text_field(b"\x2a", span.name),
            kind,
            b"\x39",
            pack_fixed64(span.start_ns),
            b"\x41",
            pack_fixed64(span.end_ns or 0),
            attribute_fields(b"\x4a", span.attributes),
            count_field(b"\x50", span.dropped_attributes_count),
            b"".join([_event(event) for event in span.events]),
            count_field(b"\x60", span.dropped_events_count),
            b"".join([_link(link) for link in span.links]),
            count_field(b"\x70", span.dropped_links_count),
            _status(span),
            b"\x85\x01",
            pack_fixed32(flags),
        )
    )


def _event(event: Event) -> bytes:
    content = (
        b"\x09" + pack_fixed64(event.time_ns),
        text_field(b"\x12", event.name),
        attribute_fields(b"\x1a", event.attributes),
        count_field(b"\x20", event.dropped_attributes_count),
    )
    return delimited(b"\x5a", b"".join(content))


def _link(link: Link) -> bytes:
    content = (
        id_field(b"\x0a", link.trace_id, size=16),
        id_field(b"\x12", link.span_id, size=8),
        text_field(b"\x1a", link.trace_state),
        attribute_fields(b"\x22", link.attributes),
        count_field(b"\x28", link.dropped_attributes_count),
        b"\x35",
        pack_fixed32(_KNOWS_REMOTE),
    )
    return delimited(b"\x6a", b"".join(content))


def _status(span: Span) -> bytes:
    if span.status is StatusCode.UNSET and not span.status_message:
        return _NO_STATUS
    code = b"\x18" + varint(span.status) if span.status else b""
    return delimited(b"\x7a", text_field(b"\x12", span.status_message) + code)
