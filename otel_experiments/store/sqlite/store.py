"""The store in one SQLite file, or in one SQLite database in memory.

It joins the parts: connections (`database`), schema (`schema`), writers and readers. What only few readers
need, and everything that writes, is imported when it is asked for.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from otel_experiments.model.signal import LEAST_NS, NOTHING_NS
from otel_experiments.store.sqlite import read_run as _read_run
from otel_experiments.store.sqlite.database import Database
from otel_experiments.store.sqlite.file_space import FileSpace
from otel_experiments.store.sqlite.followed import Followed
from otel_experiments.store.sqlite.reading import read
from otel_experiments.store.sqlite.run_values import RunValues
from otel_experiments.store.sqlite.settled import UNSETTLED, has_log, mark, segment_offset

if TYPE_CHECKING:
    from otel_experiments.model.artifact import ArtifactQuery, ArtifactUsed, StoredArtifact
    from otel_experiments.model.attachment import TelemetryGroup, TelemetryQuery
    from otel_experiments.model.batch import WriteBatch
    from otel_experiments.model.edit import RunContents, RunEdit
    from otel_experiments.model.instrument import InstrumentPoint
    from otel_experiments.model.journal_report import JournalReport
    from otel_experiments.model.log import LogRecord
    from otel_experiments.model.loss import Loss
    from otel_experiments.model.metric import Band, Points, Series, SeriesKey
    from otel_experiments.model.page import Page
    from otel_experiments.model.run import Experiment, Run
    from otel_experiments.model.search import RunQuery, SpanQuery, TraceQuery
    from otel_experiments.model.signal import Signal
    from otel_experiments.model.span import Span
    from otel_experiments.model.span_summary import SpanSummary
    from otel_experiments.model.stored_page import StoredPage
    from otel_experiments.model.trace import Trace
    from otel_experiments.model.unsent import Unsent
    from otel_experiments.store.protocol import Row
    from otel_experiments.store.sqlite.write_batch import BatchWriter


class SqliteStore(Followed, FileSpace, RunValues):
    """A `Store` over SQLite. `path` None keeps the database in memory.

    Raises:
        StorePathError: the path is a directory or cannot be written.
        StoreNotFoundError: nothing is there and nothing may be made.
        NotAStoreError: the file is something else; it was left untouched.
        NewerSchemaError: a newer release wrote the store.
        StoreLockedError: another process held the store for longer than `busy_timeout_s`.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        read_only: bool = False,
        create: bool = True,
        busy_timeout_s: float = 5.0,
        file_mode: int | None = None,
    ) -> None:
        self._found_log = path is not None and not read_only and has_log(path)
        self._database = Database(
            path, read_only=read_only, create=create, busy_timeout_s=busy_timeout_s, file_mode=file_mode
        )
        self._note_file(path)
        self._has_file = path is not None
        self._has_written = False
        # Before the first write, which may come while the interpreter ends: dataclasses that are made then are
        # compiled from text, after which CPython has forgotten that Ctrl-C ended the program, and exits with 1.
        self._writer = None if read_only else _make_writer()

    @property
    def location(self) -> str:
        """The path of the file, or `:memory:`."""
        return self._database.location

    def apply(self, batch: WriteBatch) -> None:
        """Write the whole batch in one transaction, or nothing of it. See `Store.apply`."""
        writer = self._writer = self._writer or _make_writer()
        with self._database.writing() as connection:
            writer.write(connection, batch, self._database.generation)
            is_first = self._has_file and mark(connection)
        self._note_late(writer.late)
        self._has_written = self._has_file
        if is_first:
            self._database.checkpoint()

    def journal_offset(self, segment_id: str) -> int:
        """Return how many bytes of the segment are in the store; 0 for a segment never seen."""
        with self._database.reading() as connection:
            return segment_offset(connection, segment_id)

    def forget_segments(self, segment_ids: Sequence[str]) -> None:
        """Drop the bookkeeping of segments whose files are deleted."""
        if not segment_ids:
            return
        with self._database.writing() as connection:
            connection.executemany(
                "delete from segments where segment_id = ?", [(segment_id,) for segment_id in segment_ids]
            )

    def keep_version_numbers(self) -> None:
        """Have `number_versions_by_time` leave alone what is numbered now."""
        from otel_experiments.store.sqlite.write_artifacts import keep_numbers  # noqa: PLC0415 - as the writer

        with self._database.writing() as connection:
            keep_numbers(connection)

    def number_versions_by_time(self) -> None:
        """Number the versions of artifacts by when each was first logged: for a store that is gathered anew for each reader."""
        from otel_experiments.store.sqlite.write_artifacts import number_by_time  # noqa: PLC0415 - as the writer

        with self._database.writing() as connection:
            number_by_time(connection)

    def experiments(self) -> list[Experiment]:
        """Return all experiments with their number of runs, by name."""
        return read(self._database, _read_run.experiments)

    def find_runs(self, query: RunQuery, *, live_run_ids: frozenset[str] | None = None) -> Page[Run]:
        """Return the runs that `query` asks for, in its order. See `Store.find_runs`.

        Raises:
            QueryError: the expression compares what cannot be compared.
        """
        return read(self._database, _read_run.find_runs, query, live_run_ids)

    def find_run_ids(self, query: RunQuery, *, live_run_ids: frozenset[str] | None = None) -> list[str]:
        """Return the ids of the runs that `find_runs` returns, in the same order. See `Store.find_run_ids`.

        Raises:
            QueryError: the expression compares what cannot be compared.
        """
        return read(self._database, _read_run.find_run_ids, query, live_run_ids)

    def count_runs(self, query: RunQuery, *, live_run_ids: frozenset[str] | None = None) -> int:
        """Return how many runs match, `limit` and `offset` disregarded.

        Raises:
            QueryError: the expression compares what cannot be compared.
        """
        with self._database.reading() as connection:
            return _read_run.count_runs(connection, query, live_run_ids)

    def get_run(self, run_id: str) -> Run | None:
        """Return the run with exactly this id; None when there is none."""
        return read(self._database, _read_run.run_by_id, run_id)

    def resolve_run_ids(self, prefix_or_name: str, *, limit: int = 10) -> list[str]:
        """Return the ids of runs whose id starts with the text or whose name is the text, newest first."""
        return read(self._database, _read_run.resolve_run_ids, prefix_or_name, limit)

    def edits(self, run_ids: Sequence[str]) -> dict[str, list[RunEdit]]:
        """Return the latest edit of each field of each run."""
        from otel_experiments.store.sqlite import edits as _edits  # noqa: PLC0415 - few need it

        return read(self._database, _edits.edits, run_ids)

    def purged_runs(self) -> dict[str, int]:
        """Return which runs were purged, and when."""
        from otel_experiments.store.sqlite import purge as _purge  # noqa: PLC0415 - few need it

        return read(self._database, _purge.purged_runs)

    def run_contents(self, run_ids: Sequence[str]) -> RunContents:
        """Return how much hangs on these runs together."""
        from otel_experiments.store.sqlite import purge as _purge  # noqa: PLC0415 - few need it

        return read(self._database, _purge.contents, run_ids)

    def series(self, run_ids: Sequence[str], *, name: str | None = None) -> dict[str, list[Series]]:
        """Return the series of each run with their summaries, by (name, phase, rank)."""
        from otel_experiments.store.sqlite import read_point as _read_point  # noqa: PLC0415 - as above

        return read(self._database, _read_point.series, run_ids, name)

    def points(self, run_id: str, key: SeriesKey) -> Points:
        """Return the whole history of a series in recording order; empty when there is none."""
        from otel_experiments.store.sqlite import read_point as _read_point  # noqa: PLC0415 - as above

        return read(self._database, _read_point.points, run_id, key)

    def band(self, run_id: str, key: SeriesKey, *, buckets: int) -> Band:
        """Return the series thinned to at most `buckets` buckets of the step axis."""
        from otel_experiments.store.sqlite import read_point as _read_point  # noqa: PLC0415 - as above

        return read(self._database, _read_point.band, run_id, key, buckets)

    def spans(self, query: SpanQuery) -> Page[Span]:
        """Return the spans that `query` asks for, ordered by start."""
        from otel_experiments.store.sqlite import read_telemetry as _read_telemetry  # noqa: PLC0415 - 4 ms that few need

        return read(self._database, _read_telemetry.spans, query)

    def traces(self, query: TraceQuery) -> Page[Trace]:
        """Return the traces that `query` asks for, in its order. See `Store.traces`."""
        from otel_experiments.store.sqlite import read_traces as _read_traces  # noqa: PLC0415 - few need it

        return read(self._database, _read_traces.traces, query)

    def span_summaries(self, run_ids: Sequence[str]) -> dict[str, list[SpanSummary]]:
        """Return what is kept of the ended spans of each run, by name."""
        from otel_experiments.store.sqlite import span_summaries as _span_summaries  # noqa: PLC0415 - few need it

        return read(self._database, _span_summaries.span_summaries, run_ids)

    def log_records(self, *, run_id: str | None = None, event_name: str | None = None) -> list[LogRecord]:
        """Return log records by time."""
        from otel_experiments.store.sqlite import read_telemetry as _read_telemetry  # noqa: PLC0415 - 4 ms that few need

        return read(self._database, _read_telemetry.log_records, run_id, event_name)

    def losses(self, run_ids: Sequence[str] | None = None) -> dict[str, list[Loss]]:
        """Return what these runs (None: all) lost, added up."""
        from otel_experiments.store.sqlite import read_loss as _read_loss  # noqa: PLC0415 - as above

        return read(self._database, _read_loss.losses, run_ids)

    def instrument_points(
        self, *, run_id: str | None = None, name: str | None = None
    ) -> list[InstrumentPoint]:
        """Return data points of OTel instruments by time."""
        from otel_experiments.store.sqlite import read_telemetry as _read_telemetry  # noqa: PLC0415 - 4 ms that few need

        return read(self._database, _read_telemetry.instrument_points, run_id, name)

    def has_telemetry(self) -> bool:
        """Tell whether there are spans, log records or data points of no run."""
        from otel_experiments.store.sqlite import attached as _attached  # noqa: PLC0415 - as above

        return read(self._database, _attached.has_telemetry)

    def telemetry_groups(
        self, query: TelemetryQuery, *, by_trace: bool = False, limit: int | None = None
    ) -> list[TelemetryGroup]:
        """Return how much telemetry `query` means, by service or by trace. See `Store.telemetry_groups`."""
        from otel_experiments.store.sqlite import attached as _attached  # noqa: PLC0415 - as above

        return read(self._database, _attached.telemetry_groups, query, by_trace=by_trace, limit=limit)

    def telemetry_items(self, query: TelemetryQuery) -> Iterator[WriteBatch]:
        """Yield the spans and the data points of instruments that `query` means, a page at a time."""
        from otel_experiments.store.sqlite import attached as _attached  # noqa: PLC0415 - as above

        return _attached.telemetry_items(self._database, query)

    def artifacts(self, query: ArtifactQuery) -> list[StoredArtifact]:
        """Return what runs logged as artifacts or media, as `query` asks, by time."""
        from otel_experiments.store.sqlite import read_artifacts as _read_artifacts  # noqa: PLC0415 - few need it

        return read(self._database, _read_artifacts.artifacts, query)

    def artifact_uses(
        self, *, run_ids: Sequence[str] | None = None, digests: Sequence[str] | None = None
    ) -> list[ArtifactUsed]:
        """Return which artifacts these runs (None: all) used, of these digests (None: all), by time."""
        from otel_experiments.store.sqlite import read_artifacts as _read_artifacts  # noqa: PLC0415 - few need it

        return read(self._database, _read_artifacts.uses, run_ids, digests)

    def unsent(self, run_ids: Sequence[str] | None = None) -> list[Unsent]:
        """Return what destinations have not taken of these runs (None: all)."""
        from otel_experiments.store.sqlite import unsent as _unsent  # noqa: PLC0415 - as above

        return read(self._database, _unsent.unsent, run_ids)

    def journal_reports(self) -> list[JournalReport]:
        """Return none: journals lie beside the file."""
        return []

    def stored_pages(
        self, run_id: str, signal: Signal, *, since_ns: int = LEAST_NS, until_ns: int = NOTHING_NS
    ) -> Iterator[StoredPage]:
        """Yield what is stored of one signal of a run, page by page. See `Store.stored_pages`."""
        from otel_experiments.store.sqlite.pages import stored_pages  # noqa: PLC0415 - as above

        return stored_pages(self._database, run_id, signal, since_ns=since_ns, until_ns=until_ns)

    def whole_run(self, run_id: str | None) -> Iterator[WriteBatch]:
        """Yield all that is stored of a run, page by page. See `Store.whole_run`."""
        from otel_experiments.store.sqlite.whole import whole_run  # noqa: PLC0415 - as above

        return whole_run(self._database, run_id)

    def sql(
        self,
        statement: str,
        parameters: Sequence[object] | Mapping[str, object] = (),
        *,
        limit: int | None = None,
    ) -> tuple[list[str], list[Row]]:
        """Run one read-only SQL statement over the documented schema; returns column names and rows.

        A text that is not UTF-8 comes as bytes. No more than `limit` rows are read.

        Raises:
            QueryError: the statement is wrong or writes.
        """
        from otel_experiments.store.sqlite.guarded_sql import run_guarded  # noqa: PLC0415 - few need it

        return read(self._database, run_guarded, statement, parameters, limit)

    def copied_to_memory(self) -> SqliteStore:
        """Return a store in memory that holds what this one holds now."""
        copy = SqliteStore(None)
        with self._database.reading() as connection:
            copy.load(connection)
        return copy

    def load(self, source: sqlite3.Connection) -> None:
        """Hold what another database holds, and nothing else."""
        self._database.load(source)

    @property
    def is_settled(self) -> bool:
        """Whether the one file holds everything by itself; the file says so."""
        return not self.journal_offset(UNSETTLED)

    def settle(self) -> None:
        """Let the one file hold everything, as far as no other process is in the way."""
        self._has_written = self._found_log = False
        self._database.settle()

    def close(self, *, settles: bool = True) -> None:
        """Let go of all connections; safe to call twice.

        `settles`: bring everything into the one file, after writing and where a log was found; not worth it where others
        go on writing.
        """
        if settles and (self._has_written or self._found_log):
            self.settle()
        self._let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def upgraded_copy(path: Path) -> SqliteStore:
    """Return a store in memory with what the store of an older release holds, which may not be written here.

    Raises:
        StoreError: it cannot be read.
    """
    older = Database(path, read_only=True, create=False, busy_timeout_s=5.0, takes_older=True)
    copy = SqliteStore(None)
    try:
        with older.reading() as connection:
            copy.load(connection)
    except BaseException:
        copy.close()
        raise
    finally:
        older.close()
    return copy


def _make_writer() -> BatchWriter:
    from otel_experiments.store.sqlite.write_batch import BatchWriter  # noqa: PLC0415 - readers do without, 5 ms

    return BatchWriter()
