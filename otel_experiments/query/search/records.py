"""What a search for spans, log records, traces and artifacts can ask for."""

from __future__ import annotations

from typing import Final

from otel_experiments.model.search import AttributeField, RecordField
from otel_experiments.query.search.subject import Keyed, Subject

SPANS: Final = Subject(
    noun="span",
    fields={
        field.name: field
        for field in (
            RecordField("span", "name"),
            RecordField("span", "duration", "number"),
            RecordField("span", "status"),
            RecordField("span", "status_message"),
            RecordField("span", "kind"),
            RecordField("span", "started", "time"),
            RecordField("span", "ended", "time"),
            RecordField("span", "run_id"),
            RecordField("span", "trace_id"),
            RecordField("span", "span_id"),
            RecordField("span", "parent_span_id"),
        )
    },
    namespaces={"attributes": Keyed("attributes", AttributeField)},
    aliases={"id": "span_id", "parent": "parent_span_id", "run": "run_id"},
    elsewhere={
        "start": "started", "start_time": "started", "end": "ended", "end_time": "ended", "time": "started",
        "duration_s": "duration", "latency": "duration", "attribute": "attributes", "attr": "attributes",
        "attrs": "attributes", "tags": "attributes", "error": 'status == "error"', "errors": 'status == "error"',
        "span_name": "name", "traceid": "trace_id", "spanid": "span_id", "parent_id": "parent_span_id",
        "message": "status_message", "status_code": "status",
    },
    suggests=lambda word: f'Write attributes["{word}"]',
)  # fmt: skip
LOG_RECORDS: Final = Subject(
    noun="log record",
    fields={
        field.name: field
        for field in (
            RecordField("log record", "text"),
            RecordField("log record", "event_name"),
            RecordField("log record", "severity", "number"),
            RecordField("log record", "severity_text"),
            RecordField("log record", "time", "time"),
            RecordField("log record", "run_id"),
            RecordField("log record", "trace_id"),
            RecordField("log record", "span_id"),
        )
    },
    namespaces={"attributes": Keyed("attributes", AttributeField)},
    aliases={"run": "run_id"},
    elsewhere={
        "body": "text", "message": "text", "line": "text", "name": "event_name", "event": "event_name",
        "level": "severity", "severity_number": "severity", "timestamp": "time", "started": "time",
        "attribute": "attributes", "attr": "attributes", "attrs": "attributes",
    },
    suggests=lambda word: f'Write attributes["{word}"]',
)  # fmt: skip
TRACES: Final = Subject(
    noun="trace",
    fields={
        field.name: field
        for field in (
            RecordField("trace", "name"),
            RecordField("trace", "duration", "number"),
            RecordField("trace", "spans", "number"),
            RecordField("trace", "errors", "number"),
            RecordField("trace", "started", "time"),
            RecordField("trace", "run_id"),
            RecordField("trace", "trace_id"),
        )
    },
    aliases={"id": "trace_id", "run": "run_id"},
    elsewhere={
        "start": "started", "start_time": "started", "time": "started", "root": "name", "span_count": "spans",
        "error_count": "errors", "latency": "duration",
    },
)  # fmt: skip
ARTIFACTS: Final = Subject(
    noun="artifact",
    fields={
        field.name: field
        for field in (
            RecordField("artifact", "name"),
            RecordField("artifact", "experiment"),
            RecordField("artifact", "type"),
            RecordField("artifact", "digest"),
            RecordField("artifact", "size", "number"),
            RecordField("artifact", "files", "number"),
            RecordField("artifact", "step", "number"),
            RecordField("artifact", "version", "number"),
            RecordField("artifact", "aliases"),
            RecordField("artifact", "file_name"),
            RecordField("artifact", "media_type"),
            RecordField("artifact", "logged", "time"),
            RecordField("artifact", "run_id"),
        )
    },
    namespaces={"metadata": Keyed("metadata", AttributeField)},
    aliases={"run": "run_id"},
    elsewhere={
        "size_bytes": "size", "file_count": "files", "alias": "aliases", "time": "logged", "created": "logged",
        "created_at": "logged", "attributes": "metadata", "meta": "metadata", "path": "file_name", "kind": "type",
    },
    suggests=lambda word: f'Write metadata["{word}"]',
)  # fmt: skip
