"""The store in plain Python objects: for tests, for a glance, and as the second opinion on what SQL computes."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fnmatch import fnmatchcase
from types import TracebackType
from typing import Self

from otel_experiments.errors import QueryError, StoreClosedError, StoreReadOnlyError
from otel_experiments.model.artifact import ArtifactQuery, ArtifactUsed, StoredArtifact
from otel_experiments.model.attachment import TelemetryGroup, TelemetryQuery
from otel_experiments.model.batch import MetricDefinition, ParamSet, SummarySet, WriteBatch
from otel_experiments.model.edit import RunContents, RunEdit
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.journal_report import JournalReport
from otel_experiments.model.log import LogRecord
from otel_experiments.model.loss import Loss
from otel_experiments.model.metric import Band, Points, Series, SeriesKey
from otel_experiments.model.page import Page
from otel_experiments.model.position import Position
from otel_experiments.model.run import Experiment, ParamValue, Run
from otel_experiments.model.search import RunQuery, SpanQuery, TraceQuery
from otel_experiments.model.signal import LEAST_NS, NOTHING_NS, Signal
from otel_experiments.model.span import Span, StatusCode
from otel_experiments.model.span_summary import SpanSummary
from otel_experiments.model.stored_page import StoredPage
from otel_experiments.model.trace import Trace
from otel_experiments.model.unsent import Unsent
from otel_experiments.semconv.events import ML_TELEMETRY_LOSS
from otel_experiments.store.memory import artifacts as _artifacts
from otel_experiments.store.memory import attached as _attached
from otel_experiments.store.memory import contents as _memory_contents
from otel_experiments.store.memory import edits as _edits
from otel_experiments.store.memory.contents import Contents, remove_points
from otel_experiments.store.memory.finder import Finder, newest_first
from otel_experiments.store.memory.followed import Followed
from otel_experiments.store.memory.join_traces import join_traces, points_left
from otel_experiments.store.memory.losses import add_up
from otel_experiments.store.memory.pages import stored_pages
from otel_experiments.store.memory.whole import whole_run
from otel_experiments.store.protocol import Row
from otel_experiments.store.semantics.band import band_of
from otel_experiments.store.semantics.late import LateItems
from otel_experiments.store.semantics.paging import page_of, position_of
from otel_experiments.store.semantics.record_values import find_traces, ordered, span_values
from otel_experiments.store.semantics.search import attribute_is, check, matches
from otel_experiments.store.semantics.span_tally import summaries

LOCATION = "memory://"

_Parameters = Sequence[object] | Mapping[str, object]


class MemoryStore(Followed):
    """A `Store` that forgets everything when it is closed."""

    def __init__(self, *, read_only: bool = False) -> None:
        super().__init__()
        self._lock = threading.RLock()
        self._contents: Contents | None = Contents()
        self._read_only = read_only
        self._late = LateItems()

    @property
    def location(self) -> str:
        """Always `memory://`."""
        return LOCATION

    def apply(self, batch: WriteBatch) -> None:
        """Take in the whole batch, or nothing of it. See `Store.apply`."""
        if self._read_only:
            raise StoreReadOnlyError(path=self.location, action="write")
        with self._open() as contents:
            take_batch(contents, batch)
            late = contents.late
        self._late.note(late, store=self.location)

    def journal_offset(self, segment_id: str) -> int:
        """Return how many bytes of the segment `segment_id` are in the store; 0 for a segment never seen."""
        with self._open() as contents:
            return contents.segments.get(segment_id, 0)

    def forget_segments(self, segment_ids: Sequence[str]) -> None:
        """Drop the bookkeeping of `segment_ids`, segments whose files are deleted."""
        with self._open() as contents:
            for segment_id in segment_ids:
                contents.segments.pop(segment_id, None)

    def experiments(self) -> list[Experiment]:
        """Return all experiments with their number of runs, by name."""
        with self._open() as contents:
            kept = Finder(contents, None).find(RunQuery())
            names = [stored.run.experiment for stored in kept if not stored.is_placeholder]
            return [
                Experiment(name, created_ns, names.count(name))
                for name, created_ns in sorted(contents.experiments.items())
            ]

    def find_runs(self, query: RunQuery, *, live_run_ids: frozenset[str] | None = None) -> Page[Run]:
        """Return the runs that `query` asks for, in its order. See `Store.find_runs` for `live_run_ids`.

        Raises:
            QueryError: the expression compares what cannot be compared.
        """
        with self._open() as contents:
            return Finder(contents, live_run_ids).page(query)

    def find_run_ids(self, query: RunQuery, *, live_run_ids: frozenset[str] | None = None) -> list[str]:
        """Return the ids of the runs that `query` asks for, in its order; `live_run_ids` as for `find_runs`."""
        return [run.run_id for run in self.find_runs(query, live_run_ids=live_run_ids)]

    def count_runs(self, query: RunQuery, *, live_run_ids: frozenset[str] | None = None) -> int:
        """Return how many runs match `query`, `limit` and `offset` disregarded; `live_run_ids`, and errors, as for `find_runs`."""
        with self._open() as contents:
            return len(Finder(contents, live_run_ids).find(replace(query, order=())))

    def get_run(self, run_id: str) -> Run | None:
        """Return the run with exactly this id; None when there is none."""
        with self._open() as contents:
            stored = contents.runs.get(run_id)
            return None if stored is None or run_id in contents.purged else stored.run

    def resolve_run_ids(self, prefix_or_name: str, *, limit: int = 10) -> list[str]:
        """Return the ids of runs whose id starts with `prefix_or_name` or whose name it is, newest first."""
        with self._open() as contents:
            found = [
                stored.run
                for stored in contents.runs.values()
                if stored.run.run_id not in contents.purged
                and (
                    stored.run.run_id.startswith(prefix_or_name.lower()) or stored.run.name == prefix_or_name
                )
            ]
            return [run.run_id for run in sorted(found, key=newest_first)][:limit]

    def params(self, run_ids: Sequence[str]) -> dict[str, dict[str, ParamValue]]:
        """Return the flat params (dotted keys) of each run; runs without any map to an empty dict."""
        with self._open() as contents:
            return contents.labels.params_of(run_ids)

    def param_sets(self, run_id: str) -> list[ParamSet]:
        """Return every value that the run's params were given, by key and time."""
        with self._open() as contents:
            return contents.labels.param_sets(run_id)

    def summary_sets(self, run_id: str) -> list[SummarySet]:
        """Return what the program set in the summary of the run itself, by key."""
        with self._open() as contents:
            return contents.labels.summary_sets(run_id)

    def metric_definitions(self, run_id: str) -> list[MetricDefinition]:
        """Return how the run's metrics are to be read, by pattern."""
        with self._open() as contents:
            return contents.labels.definitions_of(run_id)

    def tags(self, run_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return the tags of each run."""
        with self._open() as contents:
            return contents.labels.tags_of(run_ids)

    def edits(self, run_ids: Sequence[str]) -> dict[str, list[RunEdit]]:
        """Return the latest edit of each field of each run."""
        with self._open() as contents:
            return {run_id: _edits.of_run(contents, run_id) for run_id in run_ids}

    def purged_runs(self) -> dict[str, int]:
        """Return which runs were purged, and when."""
        with self._open() as contents:
            return dict(contents.purged)

    def run_contents(self, run_ids: Sequence[str]) -> RunContents:
        """Return how much hangs on these runs together."""
        with self._open() as contents:
            return _edits.count(contents, frozenset(run_ids))

    def series(self, run_ids: Sequence[str], *, name: str | None = None) -> dict[str, list[Series]]:
        """Return the series of each run with their summaries, by (name, phase)."""
        with self._open() as contents:
            return {
                run_id: [
                    Series(run_id, key, history.summary)
                    for key, history in sorted(
                        contents.histories.get(run_id, {}).items(), key=lambda item: item[0]
                    )
                    if name is None or key.name == name
                ]
                for run_id in run_ids
            }

    def points(self, run_id: str, key: SeriesKey) -> Points:
        """Return the whole history of a series in recording order; empty when there is none."""
        with self._open() as contents:
            history = contents.histories.get(run_id, {}).get(key)
            return Points(array("d"), array("q"), array("d")) if history is None else history.points()

    def band(self, run_id: str, key: SeriesKey, *, buckets: int) -> Band:
        """Return the series thinned to at most `buckets` buckets of the step axis."""
        return band_of(self.points(run_id, key), buckets=buckets)

    def spans(self, query: SpanQuery) -> Page[Span]:
        """Return the spans that `query` asks for, in its order.

        Raises:
            QueryError: the expression compares what cannot be compared.
        """
        if query.where is not None:
            check(query.where)
        with self._open() as contents:
            removed = _edits.removed_ids(contents)
            found = sorted(
                (
                    span
                    for span in contents.spans.values()
                    if _is_wanted(span, query) and not (query.hides_removed and span.run_id in removed)
                ),
                key=lambda span: span.start_ns,
            )
            return _page_of_spans(contents, ordered(found, query.order, span_values), query)

    def traces(self, query: TraceQuery) -> Page[Trace]:
        """Return the traces that `query` asks for, in its order, without the spans of removed runs.

        Raises:
            QueryError: the expression compares what cannot be compared.
        """
        with self._open() as contents:
            removed = _edits.removed_ids(contents)
            kept = [span for span in contents.spans.values() if span.run_id not in removed]
        return find_traces(kept, query)

    def span_summaries(self, run_ids: Sequence[str]) -> dict[str, list[SpanSummary]]:
        """Return what is to be said of the ended spans of each run of `run_ids`, by name."""
        with self._open() as contents:
            found = summaries(contents.spans.values())
            return {run_id: list(found.get(run_id, {}).values()) for run_id in run_ids}

    def log_records(self, *, run_id: str | None = None, event_name: str | None = None) -> list[LogRecord]:
        """Return log records by time."""
        with self._open() as contents:
            found = contents.log_records.values()
            kept = (r for r in found if run_id in {None, r.run_id} and event_name in {None, r.event_name})
            return sorted(kept, key=lambda record: record.time_ns)

    def losses(self, run_ids: Sequence[str] | None = None) -> dict[str, list[Loss]]:
        """Return what these runs (None: all) lost, added up."""
        return add_up(self.log_records(event_name=ML_TELEMETRY_LOSS.name), run_ids)

    def instrument_points(
        self, *, run_id: str | None = None, name: str | None = None
    ) -> list[InstrumentPoint]:
        """Return data points of OTel instruments by time."""
        with self._open() as contents:
            found = contents.instrument_points.values()
            kept = (p for p in found if run_id in {None, p.run_id} and name in {None, p.name})
            return sorted(kept, key=lambda point: point.time_ns)

    def has_telemetry(self) -> bool:
        """Tell whether there are spans, log records or data points of no run."""
        with self._open() as contents:
            return _attached.has_telemetry(contents)

    def telemetry_groups(
        self, query: TelemetryQuery, *, by_trace: bool = False, limit: int | None = None
    ) -> list[TelemetryGroup]:
        """Return how much telemetry `query` means, by service or by trace. See `Store.telemetry_groups`."""
        with self._open() as contents:
            return _attached.telemetry_groups(contents, query, by_trace=by_trace, limit=limit)

    def telemetry_items(self, query: TelemetryQuery) -> Iterator[WriteBatch]:
        """Yield the spans and the data points of instruments that `query` means."""
        with self._open() as contents:
            return iter(list(_attached.telemetry_items(contents, query)))

    def artifacts(self, query: ArtifactQuery) -> list[StoredArtifact]:
        """Return what runs logged as artifacts or media, as `query` asks, by time."""
        with self._open() as contents:
            return _artifacts.find(contents.artifacts, query, _edits.removed_ids(contents))

    def artifact_uses(
        self, *, run_ids: Sequence[str] | None = None, digests: Sequence[str] | None = None
    ) -> list[ArtifactUsed]:
        """Return which artifacts these runs (None: all) used, of these `digests` (None: all), by time."""
        with self._open() as contents:
            return _artifacts.uses(contents.artifacts, run_ids, digests)

    def unsent(self, run_ids: Sequence[str] | None = None) -> list[Unsent]:
        """Return what destinations have not taken of these runs (None: all)."""
        with self._open() as contents:
            wanted = None if run_ids is None else set(run_ids)
            found = [row for row in contents.unsent.values() if wanted is None or row.run_id in wanted]
            return sorted(found, key=lambda row: (row.run_id, row.signal, row.destination))

    def journal_reports(self) -> list[JournalReport]:
        """Return the latest report of each journal that feeds this store, by host and time."""
        with self._open() as contents:
            return sorted(contents.journal_reports.values(), key=lambda one: (one.owner.host, one.time_ns))

    def stored_pages(
        self, run_id: str, signal: Signal, *, since_ns: int = LEAST_NS, until_ns: int = NOTHING_NS
    ) -> Iterator[StoredPage]:
        """Yield what is stored of one `signal` of a run, from `since_ns` to before `until_ns`, page by page. See `Store.stored_pages`."""
        with self._open() as contents:
            return iter(list(stored_pages(contents, run_id, signal, since_ns, until_ns)))

    def whole_run(self, run_id: str | None) -> Iterator[WriteBatch]:
        """Yield all that is stored of a run, page by page. See `Store.whole_run`."""
        with self._open() as contents:
            return iter(list(whole_run(contents, run_id)))

    def sql(
        self, statement: str, parameters: _Parameters = (), *, limit: int | None = None
    ) -> tuple[list[str], list[Row]]:
        """Refuse: there is no SQL in plain memory.

        Raises:
            QueryError: always.
        """
        del limit
        raise QueryError(
            f"A {self.location} store knows no SQL, so {statement[:60]!r} (with {len(parameters)} parameters) cannot be run.\n"
            "  Use sqlite://:memory: for a store in memory that does."
        )

    @property
    def is_settled(self) -> bool:
        """True: there is no file."""
        return True

    def settle(self) -> None:
        """Do nothing: there is no file."""

    def close(self, *, settles: bool = True) -> None:  # noqa: ARG002 - the protocol's
        """Forget everything; safe to call twice."""
        with self._lock:
            self._contents = None
        self._late.tell_all(store=self.location)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _open(self) -> Iterator[Contents]:
        with self._lock:
            if self._contents is None:
                raise StoreClosedError(path=self.location)
            yield self._contents


def take_batch(contents: Contents, batch: WriteBatch) -> None:
    """Take in the whole batch, or nothing of it. See `Store.apply`."""
    batch = _edits.let_in(contents, batch)
    left = points_left(contents, batch) if batch.shared_traces else []
    _memory_contents.apply(contents, batch)
    for run_id, blocks in left:
        remove_points(contents, run_id, blocks)
    _edits.take(contents, batch.edits)
    _attached.detach(contents, batch.detach)
    _attached.attach(contents, batch.attach)
    join_traces(contents, batch.shared_traces)


def _page_of_spans(contents: Contents, found: Sequence[Span], query: SpanQuery) -> Page[Span]:
    """Return the part of the spans that the query wants; of those that began at once, the one that came first is first."""
    places = {(span.trace_id, span.span_id): place for place, span in enumerate(contents.spans.values())}

    def position(span: Span) -> Position:
        return position_of(span_values(span), query.order, (span.start_ns, span.trace_id, span.span_id))

    return page_of(found, query, position, tie=lambda ties: (ties[0], places.get(ties[1:], -1)))


def _is_wanted(span: Span, query: SpanQuery) -> bool:
    duration_ns = span.duration_ns
    return (
        query.run_id in {None, span.run_id}
        and query.trace_id in {None, span.trace_id}
        and query.name in {None, span.name}
        and (query.name_glob is None or fnmatchcase(span.name, query.name_glob))
        and (
            query.min_duration_ns is None
            or (duration_ns is not None and duration_ns >= query.min_duration_ns)
        )
        and (
            query.max_duration_ns is None
            or (duration_ns is not None and duration_ns <= query.max_duration_ns)
        )
        and (query.is_error is None or (span.status is StatusCode.ERROR) == query.is_error)
        and all(attribute_is(span.attributes, key, value) for key, value in query.attributes)
        and (query.where is None or matches(query.where, span_values(span)))
    )
