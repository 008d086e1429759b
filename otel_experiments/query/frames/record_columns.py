"""Spans, log records and data points of instruments as columns: one row each.

In tables of libraries each attribute is a column of its own, `attributes.KEY`, as params of runs are. In files all of them are
one column of JSON: a file is written a part at a time, and its columns are the same whatever comes later.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from otel_experiments.model.artifact import StoredArtifact
from otel_experiments.model.instrument import TEMPORALITIES, InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.span import Span
from otel_experiments.query.frames.columns import (
    INT64,
    Column,
    Columns,
    Kind,
    attribute_columns,
    text_of,
    texts,
)
from otel_experiments.query.json_values import plain


def span_columns(spans: Sequence[Span], *, expands: bool) -> Columns:
    """Return one row a span; `end` and `duration_s` are missing while it is open."""
    durations = [span.duration_ns for span in spans]
    return Columns(
        len(spans),
        {
            "run_id": texts(span.run_id for span in spans),
            "trace_id": texts(span.trace_id for span in spans),
            "span_id": texts(span.span_id for span in spans),
            "parent_span_id": texts(span.parent_span_id for span in spans),
            "name": texts(span.name for span in spans),
            "kind": texts(span.kind.name.lower() for span in spans),
            "start": Column("time", [span.start_ns for span in spans]),
            "end": Column("time", [span.end_ns for span in spans]),
            "duration_s": Column("float", [None if one is None else one / 1e9 for one in durations]),
            "status": texts(span.status.name.lower() for span in spans),
            "status_message": texts(span.status_message for span in spans),
            "scope_name": texts(span.scope.name for span in spans),
            "scope_version": texts(span.scope.version for span in spans),
            **_attributes([span.attributes for span in spans], expands=expands),
            "events": _json(
                [
                    {"name": event.name, "time_unix_nano": event.time_ns, "attributes": event.attributes}
                    for event in span.events
                ]
                for span in spans
            ),
            "links": _json(
                [
                    {"trace_id": link.trace_id, "span_id": link.span_id, "attributes": link.attributes}
                    for link in span.links
                ]
                for span in spans
            ),
        },
    )


def log_columns(records: Sequence[LogRecord], *, expands: bool) -> Columns:
    """Return one row a log record or event; a body that is no text is JSON."""
    return Columns(
        len(records),
        {
            "run_id": texts(one.run_id for one in records),
            "time": Column("time", [one.time_ns for one in records]),
            "observed_time": Column("time", [one.observed_time_ns or None for one in records]),
            "event_name": texts(one.event_name for one in records),
            "severity": texts(one.severity_text for one in records),
            "severity_number": Column("int", [one.severity_number for one in records]),
            "body": Column("text", [None if one.body is None else text_of(one.body) for one in records]),
            "trace_id": texts(one.trace_id for one in records),
            "span_id": texts(one.span_id for one in records),
            "scope_name": texts(one.scope.name for one in records),
            "scope_version": texts(one.scope.version for one in records),
            **_attributes([one.attributes for one in records], expands=expands),
        },
    )


def instrument_columns(points: Sequence[InstrumentPoint], *, expands: bool) -> Columns:
    """Return one row a data point: the number of a gauge or a sum, the histogram of one as JSON.

    `value` is a float, which has no room for each integer; `int_value` is the integer as it was.
    """
    whole = [
        point.value if isinstance(point.value, int) and point.value in INT64 else None for point in points
    ]
    return Columns(
        len(points),
        {
            "run_id": texts(point.run_id for point in points),
            "name": texts(point.name for point in points),
            "kind": texts(point.kind for point in points),
            "unit": texts(point.unit for point in points),
            "description": texts(point.description for point in points),
            "start": Column("time", [point.start_ns or None for point in points]),
            "time": Column("time", [point.time_ns for point in points]),
            "value": Column("float", [None if one.value is None else float(one.value) for one in points]),
            "int_value": Column("int", whole),
            "histogram": _json(point.histogram for point in points),
            "is_monotonic": Column("bool", [point.is_monotonic for point in points]),
            "temporality": texts(TEMPORALITIES.get(point.temporality) for point in points),
            "scope_name": texts(point.scope.name for point in points),
            "scope_version": texts(point.scope.version for point in points),
            **_attributes([point.attributes for point in points], expands=expands),
        },
    )


def artifact_columns(stored: Sequence[StoredArtifact]) -> Columns:
    """Return one row an artifact or a medium that was logged; metadata is JSON."""
    logged = [one.logged for one in stored]
    return Columns(
        len(stored),
        {
            "run_id": texts(one.run_id for one in logged),
            "experiment": texts(one.experiment for one in logged),
            "name": texts(one.name for one in logged),
            "version": Column("int", [one.version for one in stored]),
            "aliases": texts(", ".join(one.aliases) for one in stored),
            "type": texts(one.type for one in logged),
            "media_type": texts(one.media_type for one in logged),
            "digest": texts(one.digest for one in logged),
            "size_bytes": Column("int", [one.size_bytes for one in logged]),
            "file_count": Column("int", [one.file_count for one in logged]),
            "is_folder": Column("bool", [one.is_folder for one in logged]),
            "file_name": texts(one.file_name for one in logged),
            "phase": texts(one.phase for one in logged),
            "step": Column("float", [one.step for one in logged]),
            "index": Column("int", [one.index for one in logged]),
            "caption": texts(one.caption for one in logged),
            "time": Column("time", [one.time_ns for one in logged]),
            "rank": Column("int", [one.rank for one in logged]),
            "metadata": _json(one.metadata for one in logged),
        },
    )


def kinds_of(columns: Columns) -> dict[str, Kind]:
    """Return the kind of each column."""
    return {name: column.kind for name, column in columns.by_name.items()}


def _attributes(maps: Sequence[Mapping[str, object]], *, expands: bool) -> dict[str, Column]:
    return attribute_columns("attributes", maps) if expands else {"attributes": _json(maps)}


# Any: an iterable of what has a JSON form.
def _json(values: Any) -> Column:
    """Return values as JSON; those that are empty are missing."""
    return Column(
        "text",
        [
            json.dumps(plain(value), ensure_ascii=True, separators=(",", ":")) if value else None
            for value in values
        ],
    )
