"""What the memory store holds, and how a batch changes it: all of it or nothing."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Final, TypeAlias, TypeVar

from otel_experiments.codec.values import dump_value, load_value
from otel_experiments.errors import JournalMovedError
from otel_experiments.model.arrivals import arrivals, joined, key_of
from otel_experiments.model.batch import JournalAdvance, ParamSet, SummarySet, TagSet, WriteBatch
from otel_experiments.model.edit import EditField, RunEdit
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.journal_report import JournalReport
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, Points, SeriesKey, Summary
from otel_experiments.model.span import Span
from otel_experiments.model.unsent import Unsent
from otel_experiments.store.memory.artifacts import Artifacts, plain_batch
from otel_experiments.store.memory.artifacts import take as take_artifacts
from otel_experiments.store.memory.labels import Labels
from otel_experiments.store.memory.output import trim_output
from otel_experiments.store.memory.plain import plain, plain_resource, plain_run, plain_scope, plain_span
from otel_experiments.store.semantics.attached import blocks_of, counts_by_series, without
from otel_experiments.store.semantics.identity import (
    instrument_point_hash,
    log_record_hash,
    resource_hash,
    scope_hash,
)
from otel_experiments.store.semantics.received_points import StepRange, without_known
from otel_experiments.store.semantics.run import (
    StoredRun,
    apply_change,
    apply_heartbeat,
    apply_record,
    apply_sighting,
    placeholder,
)
from otel_experiments.store.semantics.span import SpanKey, StoredSpan, latest_forms, received_forms
from otel_experiments.store.semantics.summary import Axis, as_floats, merge, summarize

_Item = TypeVar("_Item", LogRecord, InstrumentPoint)


@dataclass(slots=True)
class History:
    """The points of one series, as columns that are only ever appended to."""

    steps: array[float]
    times_ns: array[int]
    values: array[float]
    summary: Summary
    attempts: array[int] = field(default_factory=lambda: array("q"))

    def points(self) -> Points:
        """Return the points, as they are now."""
        attempts = self.attempts[:] if any(self.attempts) else ()
        return Points(self.steps[:], self.times_ns[:], self.values[:], attempts)


@dataclass(slots=True)
class Contents:
    """All that a memory store holds. What the dicts hold is never changed but for histories, which grow."""

    runs: dict[str, StoredRun] = field(default_factory=dict)
    experiments: dict[str, int] = field(default_factory=dict)
    labels: Labels = field(default_factory=Labels)
    histories: dict[str, dict[SeriesKey, History]] = field(default_factory=dict)
    spans: dict[tuple[str, str], Span] = field(default_factory=dict)
    log_records: dict[str, LogRecord] = field(default_factory=dict)
    instrument_points: dict[str, InstrumentPoint] = field(default_factory=dict)
    segments: dict[str, int] = field(default_factory=dict)
    unsent: dict[tuple[object, ...], Unsent] = field(default_factory=dict)
    attached: set[object] = field(default_factory=set)
    """Keys of what was attached to a run, as in `spans`, `log_records` and `instrument_points`."""
    joined: set[object] = field(default_factory=set)
    """Keys of what joined a run by its trace."""
    artifacts: Artifacts = field(default_factory=Artifacts)
    edits: dict[str, dict[EditField, RunEdit]] = field(default_factory=dict)
    purged: dict[str, int] = field(default_factory=dict)
    late: Counter[str] = field(default_factory=Counter)
    """How many records the latest batch had of each purged run."""
    journal_reports: dict[str, JournalReport] = field(default_factory=dict)
    purge_counts: dict[str, int] = field(default_factory=dict)
    """How often each run was purged."""
    arrived_spans: list[tuple[SpanKey | None, bool]] = field(default_factory=list)
    """Which spans opened or ended (True), in the order of arrival; no place is ever another's, None where the item was purged."""
    arrived_records: list[str | None] = field(default_factory=list)

    def forget_purged(self) -> None:
        """Take what was purged out of the order of arrival: it may arrive again."""
        self.arrived_spans = [(key if key in self.spans else None, ends) for key, ends in self.arrived_spans]
        self.arrived_records = [key if key in self.log_records else None for key in self.arrived_records]

    def given_ns(self, place: object) -> int | None:
        """Return what marks an item that has its run from elsewhere than its attributes, as `Span.given_ns`."""
        if place in self.attached:
            return _UNKNOWN_NS
        return 0 if place in self.joined else None


_UNKNOWN_NS: Final = 1
"""A memory store keeps that an item was attached, not when."""


def apply(contents: Contents, batch: WriteBatch) -> None:
    """Take the batch in. Everything that can fail is computed first, then all of it is put in place.

    Raises:
        JournalMovedError: a segment does not stand where its advance starts.
        TypeError: a value inside is of a type that no store keeps.
    """
    segments = advanced(contents.segments, batch.journal)
    news = Contents()
    _take_runs(contents, news, batch)
    _take_labels(contents, news, batch)
    grown = _grown(contents, news, batch)
    own = _take_spans(contents, news, batch)
    _take_telemetry(contents, news, batch)
    artifacts = plain_batch(batch)
    _take_named_runs(contents, news, batch)

    contents.runs.update(news.runs)
    contents.labels.update(news.labels)
    contents.arrived_spans.extend(
        (key, span.end_ns is not None) for key, span in news.spans.items() if _is_news(contents, key, span)
    )
    contents.spans.update(news.spans)
    contents.arrived_records.extend(key for key in news.log_records if key not in contents.log_records)
    contents.attached.difference_update(own)
    contents.joined.difference_update(own)
    for content_hash, record in news.log_records.items():
        _keep(contents.log_records, content_hash, replace(record, given_ns=None))
    trim_output(contents.log_records, news.log_records)
    for content_hash, point in news.instrument_points.items():
        _keep(contents.instrument_points, content_hash, replace(point, given_ns=None))
    for stored in news.runs.values():
        if stored.run.experiment:
            name, created_ns = stored.run.experiment, stored.run.created_ns
            contents.experiments[name] = min(contents.experiments.get(name, created_ns), created_ns)
    contents.attached.update(news.attached)
    contents.attached.update(key for key, record in news.log_records.items() if record.given_ns)
    contents.attached.update(key for key, point in news.instrument_points.items() if point.given_ns)
    contents.joined.update(news.joined)
    contents.joined.update(key for key, record in news.log_records.items() if record.given_ns == 0)
    _direct(contents, news.labels.definitions)
    take_artifacts(contents.artifacts, artifacts)
    # Points are what must not be put in place twice: nothing is called from here to the offsets that could raise.
    for histories, key, history, added in grown:
        if history is None:
            histories[key] = added
        else:
            history.steps.extend(added.steps)
            history.times_ns.extend(added.times_ns)
            history.values.extend(added.values)
            history.attempts.extend(added.attempts)
            history.summary = added.summary
    contents.segments = segments
    for report in batch.journal_reports:
        known = contents.journal_reports.get(report.journal_id)
        if known is None or known.time_ns <= report.time_ns:
            contents.journal_reports[report.journal_id] = report
    _note_unsent(contents, batch)


def _is_news(contents: Contents, key: SpanKey, span: Span) -> bool:
    """Tell whether a span opens here, or ends."""
    known = contents.spans.get(key)
    return known is None or (known.end_ns is None and span.end_ns is not None)


def _take_named_runs(contents: Contents, news: Contents, batch: WriteBatch) -> None:
    """Make sure of the runs that what is put in place last names."""
    named = (
        *((row.run_id, row.noted_ns) for row in batch.unsent),
        *((one.run_id, one.time_ns) for one in batch.attach),
        *((one.run_id, one.time_ns) for one in batch.artifacts),
        *((one.run_id, one.time_ns) for one in batch.artifact_uses),
        *((one.run_id, max(0, one.time_ns)) for one in batch.edits),
    )
    for run_id, time_ns in named:
        _ensure(contents, news, run_id, time_ns)


def remove_points(contents: Contents, run_id: str, blocks: Iterable[PointBlock]) -> None:
    """Take points out of a run's series; an empty series goes."""
    histories = contents.histories.get(run_id, {})
    for key, removed in counts_by_series(run_id, blocks).items():
        history = histories.pop(key, None)
        if history is None:
            continue
        left = without(history.points(), removed)
        if len(left):
            apply(contents, WriteBatch(points=blocks_of(run_id, key, left)))


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


def _direct(contents: Contents, run_ids: Iterable[str]) -> None:
    """Give the series of runs whose metrics were defined their direction."""
    for run_id in run_ids:
        for key, history in contents.histories.get(run_id, {}).items():
            direction = contents.labels.direction(run_id, key.name)
            history.summary = replace(history.summary, direction=direction)


def advanced(segments: dict[str, int], advances: Iterable[JournalAdvance]) -> dict[str, int]:
    """Return where the segments stand after the advances.

    Raises:
        JournalMovedError: a segment does not stand where its advance starts.
    """
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
        news.runs[record.run_id] = apply_record(
            known(record.run_id), plain_run(record), is_journalled=bool(batch.journal)
        )
    for sighting in batch.sightings:
        run = plain_run(sighting.run)
        news.runs[run.run_id] = apply_sighting(known(run.run_id), replace(sighting, run=run))
    for change in batch.state_changes:
        stored = known(change.run_id) or placeholder(change.run_id, change.time_ns)
        news.runs[change.run_id] = apply_change(stored, change)
    for beat in batch.heartbeats:
        stored = known(beat.run_id) or placeholder(beat.run_id, beat.time_ns)
        news.runs[beat.run_id] = apply_heartbeat(stored, beat)


def _take_labels(contents: Contents, news: Contents, batch: WriteBatch) -> None:
    told: list[ParamSet | SummarySet | TagSet] = [*batch.params, *batch.summaries, *batch.tags]
    for one in told:
        _ensure(contents, news, one.run_id, max(0, one.time_ns))
    for definition in batch.metric_definitions:
        _ensure(contents, news, definition.run_id, 0)
    news.labels = contents.labels.with_news(batch)


def _take_spans(contents: Contents, news: Contents, batch: WriteBatch) -> set[SpanKey]:
    """Put the spans into `news`; return the keys of those that came with their run."""
    own: set[SpanKey] = set()

    def note_run(key: SpanKey, run_id: str, start_ns: int, given_ns: int | None) -> None:
        _ensure(contents, news, run_id, start_ns)
        own.add(key)
        news.attached.discard(key)
        news.joined.discard(key)
        news.attached.update([key] if given_ns else [])
        news.joined.update([key] if given_ns == 0 else [])

    def find(key: SpanKey) -> StoredSpan | None:
        known = news.spans.get(key) or contents.spans.get(key)
        if known is None:
            return None
        is_given = (news if key in own else contents).given_ns(key) is not None
        return StoredSpan(known.run_id, known.start_ns, known.end_ns is not None, is_given)

    def take(span: Span) -> None:
        key = (span.trace_id, span.span_id)
        known = news.spans.get(key) or contents.spans.get(key)
        run_id = span.run_id if span.run_id is not None or known is None else known.run_id
        news.spans[key] = plain_span(replace(span, run_id=run_id, given_ns=None, is_received=False))
        if span.run_id is not None:
            note_run(key, span.run_id, span.start_ns, span.given_ns)

    for span in latest_forms(span for span in batch.spans if not span.is_received):
        known = contents.spans.get((span.trace_id, span.span_id))
        if span.end_ns is not None or known is None or known.end_ns is None:
            take(span)
    received, runs = received_forms((span for span in batch.spans if span.is_received), find)
    for span in received:
        take(span)
    for run in runs:
        known = news.spans.get(run.key) or contents.spans[run.key]
        news.spans[run.key] = replace(known, run_id=run.run_id)
        note_run(run.key, run.run_id, run.start_ns, run.given_ns)
    return own


def _keep(items: dict[str, _Item], content_hash: str, item: _Item) -> None:
    """Keep an item that is new, or that came without its run before."""
    known = items.get(content_hash)
    if known is None or (known.run_id is None and item.run_id is not None):
        items[content_hash] = item


def _take_telemetry(contents: Contents, news: Contents, batch: WriteBatch) -> None:
    for record in batch.log_records:
        if record.run_id is not None:
            _ensure(contents, news, record.run_id, record.time_ns)
        content_hash = log_record_hash(record, resource_hash(record.resource), scope_hash(record.scope))
        _keep(
            news.log_records,
            content_hash,
            replace(
                record,
                body=load_value(dump_value(record.body)),
                attributes=plain(record.attributes),
                resource=plain_resource(record.resource),
                scope=plain_scope(record.scope),
            ),
        )
    for point in batch.instrument_points:
        if point.run_id is not None:
            _ensure(contents, news, point.run_id, point.time_ns)
        content_hash = instrument_point_hash(point, resource_hash(point.resource), scope_hash(point.scope))
        _keep(
            news.instrument_points,
            content_hash,
            replace(
                point,
                attributes=plain(point.attributes),
                histogram=None if point.histogram is None else plain(point.histogram),
                exemplars=tuple(plain(exemplar) for exemplar in point.exemplars),
                resource=plain_resource(point.resource),
                scope=plain_scope(point.scope),
            ),
        )


def _ensure(contents: Contents, news: Contents, run_id: str, time_ns: int) -> None:
    if run_id not in contents.runs and run_id not in news.runs:
        news.runs[run_id] = placeholder(run_id, time_ns)


_Grown: TypeAlias = "tuple[dict[SeriesKey, History], SeriesKey, History | None, History]"
"""Where a series is, its name, what is there, and what comes to it, with the summary of both."""


def _grown(contents: Contents, news: Contents, batch: WriteBatch) -> list[_Grown]:
    parts: dict[tuple[str, SeriesKey], list[tuple[Axis, array[float], PointBlock]]] = {}
    for block in batch.points:
        if not len(block.steps):
            continue
        axis = Axis.of(block.steps, block.times_ns)
        _ensure(contents, news, block.run_id, axis.times_ns[0])
        for key, column in zip(block.keys, block.values, strict=True):
            parts.setdefault((block.run_id, key), []).append((axis, as_floats(column), block))
    grown = []
    for (run_id, key), those in parts.items():
        histories = contents.histories.setdefault(run_id, {})
        history = histories.get(key)
        added = _added(history, those)
        if added is None:
            continue
        if history is None or run_id in news.labels.definitions:
            direction = contents.labels.direction(run_id, key.name, news.labels)
            added.summary = replace(added.summary, direction=direction)
        grown.append((histories, key, history, added))
    return grown


def _added(history: History | None, parts: Iterable[tuple[Axis, array[float], PointBlock]]) -> History | None:
    """Return what of the parts is new in a series, with the summary of all; None where nothing is."""

    def load(_: StepRange) -> Points:
        return (
            Points((), (), ()) if history is None else Points(history.steps, history.times_ns, history.values)
        )

    last_time_ns = None if history is None else history.summary.last_time_ns
    steps, times_ns, values, attempts = array("d"), array("q"), array("d"), array("q")
    summary = None if history is None else history.summary
    for attempt, those in groupby(parts, key=lambda part: part[2].attempt):
        for axis, column in without_known(those, last_time_ns, load):
            steps.extend(axis.steps)
            times_ns.extend(axis.times_ns)
            values.extend(column)
            attempts.extend(array("q", (attempt,)) * len(column))
            found = summarize(axis, column)
            summary = found if summary is None else merge(summary, found)
    return None if summary is None or not values else History(steps, times_ns, values, summary, attempts)
