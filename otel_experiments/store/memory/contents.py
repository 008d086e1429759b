"""What the memory store holds, and how a batch changes it: all of it or nothing."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from otel_experiments.codec.text import clean_text
from otel_experiments.codec.values import dump_value, load_attributes, load_value
from otel_experiments.errors import JournalMovedError
from otel_experiments.model.arrivals import arrivals, joined, key_of
from otel_experiments.model.batch import JournalAdvance, MetricDefinition, ParamSet, TagSet, WriteBatch
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import Direction, PointBlock, SeriesKey, Summary
from otel_experiments.model.run import Run
from otel_experiments.model.span import Attributes, Resource, Scope, Span
from otel_experiments.model.unsent import Unsent
from otel_experiments.store.semantics.identity import (
    instrument_point_hash,
    log_record_hash,
    resource_hash,
    scope_hash,
)
from otel_experiments.store.semantics.run import (
    StoredRun,
    apply_change,
    apply_heartbeat,
    apply_record,
    placeholder,
)
from otel_experiments.store.semantics.span import latest_forms
from otel_experiments.store.semantics.summary import Axis, as_floats, direction_of, merge, summarize


@dataclass(slots=True)
class History:
    """The points of one series, as columns that are only ever appended to."""

    steps: array[float]
    times_ns: array[int]
    values: array[float]
    summary: Summary


@dataclass(slots=True)
class Contents:
    """All that a memory store holds. What the dicts hold is never changed but for histories, which grow."""

    runs: dict[str, StoredRun] = field(default_factory=dict)
    experiments: dict[str, int] = field(default_factory=dict)
    params: dict[tuple[str, str], ParamSet] = field(default_factory=dict)
    tags: dict[tuple[str, str], TagSet] = field(default_factory=dict)
    definitions: dict[str, dict[str, Direction | None]] = field(default_factory=dict)
    histories: dict[str, dict[SeriesKey, History]] = field(default_factory=dict)
    spans: dict[tuple[str, str], Span] = field(default_factory=dict)
    log_records: dict[str, LogRecord] = field(default_factory=dict)
    instrument_points: dict[str, InstrumentPoint] = field(default_factory=dict)
    segments: dict[str, int] = field(default_factory=dict)
    unsent: dict[tuple[object, ...], Unsent] = field(default_factory=dict)


def apply(contents: Contents, batch: WriteBatch) -> None:
    """Take the batch in. Everything that can fail is computed first, then all of it is put in place.

    Raises:
        JournalMovedError: a segment does not stand where its advance starts.
        TypeError: a value inside is of a type that no store keeps.
    """
    segments = _advanced(contents.segments, batch.journal)
    news = Contents()
    _take_runs(contents, news, batch)
    _take_labels(contents, news, batch)
    columns = _columns(batch.points)
    for run_id, _, axis, _ in columns:
        _ensure(contents, news, run_id, axis.times_ns[0])
    _take_telemetry(contents, news, batch)
    for row in batch.unsent:
        _ensure(contents, news, row.run_id, row.noted_ns)

    contents.segments = segments
    contents.runs.update(news.runs)
    contents.params.update(news.params)
    contents.tags.update(news.tags)
    contents.spans.update(news.spans)
    for content_hash, record in news.log_records.items():
        contents.log_records.setdefault(content_hash, record)
    for content_hash, point in news.instrument_points.items():
        contents.instrument_points.setdefault(content_hash, point)
    for stored in news.runs.values():
        if not stored.is_placeholder:
            name, created_ns = stored.run.experiment, stored.run.created_ns
            contents.experiments[name] = min(contents.experiments.get(name, created_ns), created_ns)
    _define(contents, batch.metric_definitions)
    for run_id, key, axis, values in columns:
        _append(contents, run_id, key, axis, values)
    _note_unsent(contents, batch)


def _note_unsent(contents: Contents, batch: WriteBatch) -> None:
    contents.unsent.update((key_of(row), row) for row in batch.unsent)
    for row in batch.sent:
        contents.unsent.pop(key_of(row), None)
    if batch.journal and contents.unsent:
        arrived = arrivals(batch)
        for key, row in contents.unsent.items():
            arrival = arrived.get((row.run_id, row.signal))
            if arrival is not None and not row.is_push:
                contents.unsent[key] = joined(row, arrival)


def _define(contents: Contents, definitions: Iterable[MetricDefinition]) -> None:
    for definition in definitions:
        contents.definitions.setdefault(definition.run_id, {})[definition.pattern] = definition.direction
        for key, history in contents.histories.get(definition.run_id, {}).items():
            direction = _direction(contents, definition.run_id, key)
            history.summary = replace(history.summary, direction=direction)


def _advanced(segments: dict[str, int], advances: Iterable[JournalAdvance]) -> dict[str, int]:
    moved = dict(segments)
    for advance in advances:
        found = moved.get(advance.segment_id, 0)
        if found != advance.start_offset:
            raise JournalMovedError(segment_id=advance.segment_id, expected=advance.start_offset, found=found)
        moved[advance.segment_id] = advance.end_offset
    return moved


def _take_runs(contents: Contents, news: Contents, batch: WriteBatch) -> None:
    def known(run_id: str) -> StoredRun | None:
        return news.runs.get(run_id) or contents.runs.get(run_id)

    for record in batch.runs:
        news.runs[record.run_id] = apply_record(known(record.run_id), _plain_run(record))
    for change in batch.state_changes:
        stored = known(change.run_id) or placeholder(change.run_id, change.time_ns)
        news.runs[change.run_id] = apply_change(stored, change)
    for beat in batch.heartbeats:
        stored = known(beat.run_id) or placeholder(beat.run_id, beat.time_ns)
        news.runs[beat.run_id] = apply_heartbeat(stored, beat)


def _take_labels(contents: Contents, news: Contents, batch: WriteBatch) -> None:
    for param in batch.params:
        _ensure(contents, news, param.run_id, max(0, param.time_ns))
        place = (param.run_id, param.key)
        known = news.params.get(place) or contents.params.get(place)
        if known is None or param.time_ns >= known.time_ns:
            news.params[place] = replace(param, value=load_value(dump_value(param.value)))
    for tag in batch.tags:
        _ensure(contents, news, tag.run_id, max(0, tag.time_ns))
        place = (tag.run_id, tag.key)
        known_tag = news.tags.get(place) or contents.tags.get(place)
        if known_tag is None or tag.time_ns >= known_tag.time_ns:
            news.tags[place] = tag
    for definition in batch.metric_definitions:
        _ensure(contents, news, definition.run_id, 0)


def _take_telemetry(contents: Contents, news: Contents, batch: WriteBatch) -> None:
    for span in latest_forms(batch.spans):
        if span.run_id is not None:
            _ensure(contents, news, span.run_id, span.start_ns)
        key = (span.trace_id, span.span_id)
        known = contents.spans.get(key)
        if span.end_ns is not None or known is None or known.end_ns is None:
            run_id = span.run_id if span.run_id is not None or known is None else known.run_id
            news.spans[key] = _plain_span(replace(span, run_id=run_id))
    for record in batch.log_records:
        if record.run_id is not None:
            _ensure(contents, news, record.run_id, record.time_ns)
        content_hash = log_record_hash(record, resource_hash(record.resource), scope_hash(record.scope))
        news.log_records.setdefault(
            content_hash,
            replace(
                record,
                body=load_value(dump_value(record.body)),
                attributes=_plain(record.attributes),
                resource=_plain_resource(record.resource),
                scope=_plain_scope(record.scope),
            ),
        )
    for point in batch.instrument_points:
        if point.run_id is not None:
            _ensure(contents, news, point.run_id, point.time_ns)
        content_hash = instrument_point_hash(point, resource_hash(point.resource), scope_hash(point.scope))
        news.instrument_points.setdefault(
            content_hash,
            replace(
                point,
                attributes=_plain(point.attributes),
                histogram=None if point.histogram is None else _plain(point.histogram),
                exemplars=tuple(_plain(exemplar) for exemplar in point.exemplars),
                resource=_plain_resource(point.resource),
                scope=_plain_scope(point.scope),
            ),
        )


def _ensure(contents: Contents, news: Contents, run_id: str, time_ns: int) -> None:
    if run_id not in contents.runs and run_id not in news.runs:
        news.runs[run_id] = placeholder(run_id, time_ns)


def _columns(blocks: Iterable[PointBlock]) -> list[tuple[str, SeriesKey, Axis, array[float]]]:
    found = []
    for block in blocks:
        if not len(block.steps):
            continue
        axis = Axis.of(block.steps, block.times_ns)
        for key, column in zip(block.keys, block.values, strict=True):
            found.append((block.run_id, key, axis, as_floats(column)))
    return found


def _append(contents: Contents, run_id: str, key: SeriesKey, axis: Axis, values: array[float]) -> None:
    added = summarize(axis, values)
    histories = contents.histories.setdefault(run_id, {})
    history = histories.get(key)
    if history is None:
        summary = replace(added, direction=_direction(contents, run_id, key))
        histories[key] = History(axis.steps[:], axis.times_ns[:], values[:], summary)
        return
    history.steps.extend(axis.steps)
    history.times_ns.extend(axis.times_ns)
    history.values.extend(values)
    history.summary = merge(history.summary, added)


def _direction(contents: Contents, run_id: str, key: SeriesKey) -> Direction | None:
    return direction_of(key.name, contents.definitions.get(run_id, {}).items())


def _plain(attributes: Attributes) -> Attributes:
    """Return the attributes as a file would give them back: copied, sequences as lists."""
    return load_attributes(dump_value(attributes))


def _plain_resource(resource: Resource) -> Resource:
    return replace(resource, attributes=_plain(resource.attributes))


def _plain_scope(scope: Scope) -> Scope:
    return replace(scope, attributes=_plain(scope.attributes))


def _plain_run(run: Run) -> Run:
    return replace(run, name=clean_text(run.name), resource=load_attributes(dump_value(run.resource)))


def _plain_span(span: Span) -> Span:
    return replace(
        span,
        attributes=_plain(span.attributes),
        events=tuple(replace(event, attributes=_plain(event.attributes)) for event in span.events),
        links=tuple(replace(link, attributes=_plain(link.attributes)) for link in span.links),
        resource=_plain_resource(span.resource),
        scope=_plain_scope(span.scope),
    )
