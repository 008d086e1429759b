"""What every store can do, in two halves: writing and reading. All stores pass one contract suite.

A store keeps telemetry and answers questions about it. It knows nothing of OpenTelemetry's SDK, of the
process that records, or of whether a run's process is alive: readers compute that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from otel_experiments.model.cursor import LIMIT
from otel_experiments.model.signal import LEAST_NS, NOTHING_NS

if TYPE_CHECKING:  # most readers need few of them, and making dataclasses takes a third of a millisecond each
    from otel_experiments.model.artifact import ArtifactQuery, ArtifactUsed, StoredArtifact
    from otel_experiments.model.attachment import TelemetryGroup, TelemetryQuery
    from otel_experiments.model.batch import MetricDefinition, ParamSet, SummarySet, WriteBatch
    from otel_experiments.model.changes import Changes
    from otel_experiments.model.edit import RunContents, RunEdit
    from otel_experiments.model.instrument import InstrumentPoint
    from otel_experiments.model.journal_report import JournalReport
    from otel_experiments.model.log import LogRecord
    from otel_experiments.model.loss import Loss
    from otel_experiments.model.metric import Band, Points, Series, SeriesKey
    from otel_experiments.model.page import Page
    from otel_experiments.model.run import Experiment, ParamValue, Run
    from otel_experiments.model.search import RunQuery, SpanQuery, TraceQuery
    from otel_experiments.model.signal import Signal
    from otel_experiments.model.span import Span
    from otel_experiments.model.span_summary import SpanSummary
    from otel_experiments.model.stored_page import StoredPage
    from otel_experiments.model.trace import Trace
    from otel_experiments.model.unsent import Unsent

Row = tuple[str | int | float | bytes | None, ...]


class OpenStore(Protocol):
    """What both halves of a store have: where it is, and letting go of it.

    Every method is safe to call from several threads.
    """

    @property
    def location(self) -> str:
        """The store's address, as a user would type it: a path, or `memory://`."""
        ...

    def close(self, *, settles: bool = True) -> None:
        """Let go of all resources; safe to call twice. `settles`: after writing, `settle` first."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class WritingStore(OpenStore, Protocol):
    """The half of a store that takes what is recorded."""

    def apply(self, batch: WriteBatch) -> None:
        """Write the whole batch in one transaction, or nothing of it.

        Runs, state changes, params, tags, spans, log records and instrument points are idempotent upserts
        (an ended span is never overwritten by its open form; the latest time wins for params and tags; a
        state change older than the stored one is ignored). Rows about a run the store has not met yet are
        kept: a run's own record may arrive later, from another process's journal.

        So are artifacts: the same run that logs the same bytes under the same name at the same time is one record; of a
        run's uses of a digest under a name the first is kept; the latest time wins for aliases.

        What is attached to a run keeps its content, and is received again as the same; it has the run's id until it is
        detached, or arrives with the id of a run that it names itself.

        Of the edits of a field of a run the latest counts, whatever the run's own record says later. A purged run is gone
        with all that hangs on it, but what was attached to it, which belongs to no run again; of what is said of it later
        nothing is kept, until it is made anew.

        Raises:
            JournalMovedError: a segment's stored offset is not the `start_offset` of its advance.
            StoreLockedError: another process held the write lock for longer than the busy timeout.
            StoreError: the store cannot be written (full disk, corrupted file).
        """
        ...

    def journal_offset(self, segment_id: str) -> int:
        """Return how many bytes of the segment are in the store; 0 for a segment never seen.

        Args:
            segment_id: the segment of the journal.
        """
        ...

    def forget_segments(self, segment_ids: Sequence[str]) -> None:
        """Drop the bookkeeping of segments whose files are deleted.

        Args:
            segment_ids: the segments of the journal.
        """
        ...

    def settle(self) -> None:
        """Let the store's one file, where it has one, hold everything, as far as no other process is in the way."""
        ...


class ReadingStore(OpenStore, Protocol):
    """The half of a store that answers questions. Its methods see everything that was applied before they were called."""

    def experiments(self) -> list[Experiment]:
        """Return all experiments with their number of runs, by name."""
        ...

    def find_runs(self, query: RunQuery, *, live_run_ids: frozenset[str] | None = None) -> Page[Run]:
        """Return the runs that `query` asks for, in its order; the page's `end` says where the next one begins.

        `live_run_ids` are the runs with a live state whose process exists; the other runs with a live state
        count as LOST wherever the query looks at `state`. None: nobody is known to be gone.
        """
        ...

    def find_run_ids(self, query: RunQuery, *, live_run_ids: frozenset[str] | None = None) -> list[str]:
        """Return the ids of the runs that `find_runs` returns, in the same order, without reading the runs themselves.

        Args:
            query: which runs.
            live_run_ids: as for `find_runs`.
        """
        ...

    def count_runs(self, query: RunQuery, *, live_run_ids: frozenset[str] | None = None) -> int:
        """Return how many runs match, `limit` and `offset` disregarded.

        Args:
            query: which runs.
            live_run_ids: the runs whose process lives, which a search by state needs.
        """
        ...

    def get_run(self, run_id: str) -> Run | None:
        """Return the run with exactly this id; None when there is none, or when it was purged."""
        ...

    def resolve_run_ids(self, prefix_or_name: str, *, limit: int = 10) -> list[str]:
        """Return the ids of runs whose id starts with the text or whose name is the text, newest first, no purged ones.

        Args:
            prefix_or_name: the beginning of an id, or a name.
            limit: at most so many.
        """
        ...

    def params(self, run_ids: Sequence[str]) -> dict[str, dict[str, ParamValue]]:
        """Return the flat params (dotted keys) of each run; runs without any map to an empty dict."""
        ...

    def param_sets(self, run_id: str) -> list[ParamSet]:
        """Return every value that the run's params were given, by key and time."""
        ...

    def summary_sets(self, run_id: str) -> list[SummarySet]:
        """Return what the program set in the summary of the run itself, by key."""
        ...

    def metric_definitions(self, run_id: str) -> list[MetricDefinition]:
        """Return how the run's metrics are to be read, by pattern."""
        ...

    def tags(self, run_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return the tags of each run."""
        ...

    def edits(self, run_ids: Sequence[str]) -> dict[str, list[RunEdit]]:
        """Return the latest edit of each field of each run."""
        ...

    def purged_runs(self) -> dict[str, int]:
        """Return which runs were purged, and when (nanoseconds since the Unix epoch)."""
        ...

    def run_contents(self, run_ids: Sequence[str]) -> RunContents:
        """Return how much hangs on these runs together."""
        ...

    def series(self, run_ids: Sequence[str], *, name: str | None = None) -> dict[str, list[Series]]:
        """Return the series of each run with their summaries, by (name, phase, rank)."""
        ...

    def points(self, run_id: str, key: SeriesKey) -> Points:
        """Return the whole history of a series in recording order; empty when there is none."""
        ...

    def band(self, run_id: str, key: SeriesKey, *, buckets: int) -> Band:
        """Return the series thinned to at most `buckets` buckets of the step axis."""
        ...

    def changes(self, run_id: str, *, since: str | None = None, limit: int = LIMIT) -> Changes:
        """Return what came to a run since a cursor, at a cost of what is new; the oldest of it where it is more than `limit`.

        Args:
            run_id: the id of the run.
            since: the `cursor` of an earlier answer; None: everything that is stored; `now`: nothing but a cursor.
            limit: at most so many points, spans and log records together.

        Raises:
            CursorError: `since` is no cursor, or one of another run or store.
        """
        ...

    def spans(self, query: SpanQuery) -> Page[Span]:
        """Return the spans that `query` asks for, ordered by start."""
        ...

    def traces(self, query: TraceQuery) -> Page[Trace]:
        """Return the traces that `query` asks for, in its order, without the spans of removed runs.

        Raises:
            QueryError: the expression compares what cannot be compared.
        """
        ...

    def span_summaries(self, run_ids: Sequence[str]) -> dict[str, list[SpanSummary]]:
        """Return what is kept of the ended spans of each run, by name; runs without any map to an empty list."""
        ...

    def log_records(self, *, run_id: str | None = None, event_name: str | None = None) -> list[LogRecord]:
        """Return log records by time."""
        ...

    def losses(self, run_ids: Sequence[str] | None = None) -> dict[str, list[Loss]]:
        """Return what these runs (None: all) did not keep as it was given, the largest counts first.

        Runs that lost nothing are left out. The counts of all processes, ranks and attempts are added up.
        """
        ...

    def instrument_points(
        self, *, run_id: str | None = None, name: str | None = None
    ) -> list[InstrumentPoint]:
        """Return data points of OTel instruments by time."""
        ...

    def has_telemetry(self) -> bool:
        """Tell whether there are spans, log records or data points of no run."""
        ...

    def telemetry_groups(
        self, query: TelemetryQuery, *, by_trace: bool = False, limit: int | None = None
    ) -> list[TelemetryGroup]:
        """Return how much telemetry `query` means, by service or by trace, the newest first.

        By trace, what belongs to none is left out.
        """
        ...

    def telemetry_items(self, query: TelemetryQuery) -> Iterator[WriteBatch]:
        """Yield the spans and the data points of instruments that `query` means, a page at a time."""
        ...

    def artifacts(self, query: ArtifactQuery) -> list[StoredArtifact]:
        """Return what runs logged as artifacts or media, as `query` asks, by time.

        Each digest under a name of an experiment is a version, numbered from 0 in the order of arrival. `latest` is an
        alias of the digest that was logged last, by time.
        """
        ...

    def artifact_uses(
        self, *, run_ids: Sequence[str] | None = None, digests: Sequence[str] | None = None
    ) -> list[ArtifactUsed]:
        """Return which artifacts these runs (None: all) used, of these digests (None: all), by time.

        Args:
            digests: only the uses of these bytes.
            run_ids: only the uses by these runs.
        """
        ...

    def unsent(self, run_ids: Sequence[str] | None = None) -> list[Unsent]:
        """Return what destinations have not taken of these runs (None: all), by run and signal.

        Rows whose `since_ns` is `NOTHING_NS` are of processes that have sent everything so far.
        """
        ...

    def journal_reports(self) -> list[JournalReport]:
        """Return the latest report of each journal that feeds this store from any host, by host and time.

        A store beside whose file all journals lie has none.
        """
        ...

    def stored_pages(
        self, run_id: str, signal: Signal, *, since_ns: int = LEAST_NS, until_ns: int = NOTHING_NS
    ) -> Iterator[StoredPage]:
        """Yield what is stored of one signal of a run from `since_ns` to before `until_ns`, page by page.

        In the order of time: ended spans by their end, but those without a parent first; log records; metric points
        (one block a series in each page) and data points of instruments. A page is small enough to be held in memory.
        What is stored while the pages are read may be in them or not.

        Args:
            signal: `traces`, `logs` or `metrics`.
            run_id: the id of the run.
            since_ns: from this time on, in nanoseconds since the Unix epoch.
            until_ns: before this time.
        """
        ...

    def whole_run(self, run_id: str | None) -> Iterator[WriteBatch]:
        """Yield all that is stored of a run but what was not sent, page by page, in the order of recording.

        Applied to a store that does not know the run, the pages make it hold the run as this one does, edits included. Spans come first,
        open ones among them, then log records, data points of instruments, points, and artifacts with their uses and the
        aliases of their names; the last page is the run itself, with params, tags (removed ones too) and definitions of metrics. Where `run_id` is None: the spans, log records and data
        points that belong to no run.

        What is stored while the pages are read may be in them or not.

        Raises:
            StoreDamagedError: the run's row cannot be read.
        """
        ...

    def sql(
        self,
        statement: str,
        parameters: Sequence[object] | Mapping[str, object] = (),
        *,
        limit: int | None = None,
    ) -> tuple[list[str], list[Row]]:
        """Run one read-only SQL statement over the documented schema; returns column names and rows.

        Args:
            statement: the SQL statement.
            parameters: what its placeholders stand for.
            limit: read no more rows than so many.

        Raises:
            QueryError: the statement is wrong, writes, or the store has no SQL.
        """
        ...

    @property
    def is_settled(self) -> bool:
        """Whether the store's one file, where it has one, holds everything by itself; the file says so."""
        ...


class Store(ReadingStore, WritingStore, Protocol):
    """A place that keeps runs, spans, log records and metric series: the two halves together."""
