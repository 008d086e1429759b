"""From the JSON objects that `otel-experiments export spans` writes to spans of the model. Pure.

The export has no resource but the run's id, and of the instrumentation scope name and version, so no more comes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_experiments.errors import TelemetryDecodeError
from otel_experiments.model.span import Event, Link, Scope, Span, SpanKind, StatusCode


def is_exported_span(document: Mapping[str, Any]) -> bool:
    """Tell whether a JSON object has the shape of an exported span."""
    return "trace_id" in document and "span_id" in document and "start_unix_nano" in document


def span_from_export(document: Mapping[str, Any]) -> Span:  # parsed JSON
    """Return the span.

    Raises:
        TelemetryDecodeError: something in it is not what the export writes.
    """
    try:
        return Span(
            trace_id=document["trace_id"],
            span_id=document["span_id"],
            name=document["name"],
            start_ns=int(document["start_unix_nano"]),
            end_ns=None if document["end_unix_nano"] is None else int(document["end_unix_nano"]),
            parent_span_id=document.get("parent_span_id"),
            kind=SpanKind[document.get("kind", "internal").upper()],
            status=StatusCode[document.get("status", "unset").upper()],
            status_message=document.get("status_message", ""),
            attributes=document.get("attributes") or {},
            events=tuple(
                Event(event["name"], int(event["time_unix_nano"]), event.get("attributes") or {})
                for event in document.get("events") or ()
            ),
            links=tuple(
                Link(link["trace_id"], link["span_id"], link.get("attributes") or {})
                for link in document.get("links") or ()
            ),
            scope=_scope(document.get("scope") or {}),
            run_id=document.get("run_id"),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise TelemetryDecodeError(
            source="An exported span", found=f"it cannot be read: {type(exc).__name__} {exc}"
        ) from exc


def _scope(document: Mapping[str, Any]) -> Scope:
    return Scope(name=document.get("name", ""), version=document.get("version", ""))
