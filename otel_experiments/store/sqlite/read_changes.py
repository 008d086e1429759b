"""Reading from SQLite what came to a run since a cursor, at a cost of what is new.

`span_key` and `log_record_id` grow with each row. SQLite gives a number again only after all rows from it on were deleted,
which a purge may do: after one, the last row of all runs that was seen has to be there still, else the last one of this run,
which was before it. Where both are gone, the run is read anew.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from otel_experiments.model.changes import Changes
from otel_experiments.model.metric import Points, SeriesKey
from otel_experiments.model.run import Run
from otel_experiments.store.semantics.changes import NewRecords, NewSpans, changes_of
from otel_experiments.store.semantics.position import Mark, Position
from otel_experiments.store.sqlite.read_point import points_between
from otel_experiments.store.sqlite.read_run import run_by_id
from otel_experiments.store.sqlite.read_telemetry import log_records_by_key, spans_by_key
from otel_experiments.store.sqlite.unreadable import check_numbers, check_texts, readable, sql_literal

NEAR_ROWS: Final = 20_000
"""So many rows of all runs are looked through for those of one; where there are more, its index is."""
_PURGE: Final = "purge"


class _Table(NamedTuple):
    """A table whose rows have numbers in the order of arrival, and the column that tells two rows of a number apart."""

    name: str
    key: str
    what: str

    @property
    def own(self) -> str:
        """The name of the mark of the last row of the run itself."""
        return f"{self.name} of run"


_SPANS: Final = _Table("spans", "span_key", "span_id")
_RECORDS: Final = _Table("log_records", "log_record_id", "hash")

# Indexes: the primary keys of params, summaries, tags and edits, one stretch a run each.
_LABELS: Final = " union all ".join(
    f"select count(*), max(time_ns), sum(time_ns % 1000000007) from {table} where run_id = ?1"
    for table in ("params", "summaries", "tags", "edits")
)
# Index: unique (run_id, name, phase, rank).
_COUNTS: Final = "select name, phase, rank, count from series where run_id = ? order by name, phase, rank"
_LATEST_PURGE: Final = "select coalesce(max(purge_id), 0) from purged_runs"
# Index: unique (run_id).
_PURGE_OF: Final = "select purge_id from purged_runs where run_id = ?"
# Index: the primary key, one step a span.
_ENDED: Final = """
    select span_key from (select value wanted from json_each(?)) cross join spans on span_key = wanted
    where end_ns is not null and run_id = ? order by span_key limit ?
"""
# Index: the same.
_STILL_OPEN: Final = """
    select span_key from (select value wanted from json_each(?)) cross join spans on span_key = wanted
    where end_ns is null
"""
# Index: spans_by_run.
_OPEN: Final = "select span_key from spans where run_id = ? and end_ns is null order by span_key"


def changes(
    connection: sqlite3.Connection, identity: str, run_id: str, since: str | None, limit: int
) -> Changes:
    """Return what came to the run since the cursor."""
    return changes_of(_Source(connection), identity, run_id, since, limit)


@dataclass(frozen=True, slots=True)
class _Source:
    """The database within one read transaction."""

    connection: sqlite3.Connection

    def run_with_labels(self, run_id: str) -> tuple[Run, object] | None:
        run = run_by_id(self.connection, run_id)
        return None if run is None else (run, self.connection.execute(_LABELS, (run_id,)).fetchall())

    def counts(self, run_id: str) -> dict[SeriesKey, int]:
        def make(row: Sequence[object]) -> tuple[SeriesKey, int]:
            name, phase, rank, count = row
            check_texts(name, phase)
            check_numbers(rank, count)
            return SeriesKey(name, phase, rank), count  # type: ignore[arg-type,return-value] # checked above

        def key(row: Sequence[object]) -> str:
            return f"run_id = {sql_literal(run_id)} and name = {sql_literal(row[0])} and phase = {sql_literal(row[1])}"

        rows = self.connection.execute(_COUNTS, (run_id,)).fetchall()
        return dict(readable(self.connection, rows, make, table="series", key=key))

    def points_between(self, run_id: str, key: SeriesKey, start: int, stop: int) -> Points:
        return points_between(self.connection, run_id, key, start, stop)

    def can_follow(self, position: Position) -> bool:
        if not position.marks:
            return True
        row = self.connection.execute(_PURGE_OF, (position.run_id,)).fetchone()
        if row is not None and row[0] > position.mark(_PURGE).number:
            return False
        return all(self._start(table, position) is not None for table in (_SPANS, _RECORDS))

    def new_spans(self, position: Position, limit: int) -> NewSpans:
        wanted = json.dumps(list(position.open_spans))
        ended = [key for (key,) in self.connection.execute(_ENDED, (wanted, position.run_id, limit + 1))]
        is_cut = len(ended) > limit
        del ended[limit:]
        new, marks, has_more = self._new(_SPANS, position, limit - len(ended))
        found = spans_by_key(self.connection, [*ended, *new])
        gone = set(ended)
        still = [key for key in position.open_spans if key not in gone]
        if any(span.end_ns is None for span in found):
            still += [key for (key,) in self.connection.execute(_STILL_OPEN, (json.dumps(new),))]
        return NewSpans(found, marks | {_PURGE: Mark(self._purge())}, still, has_more or is_cut)

    def new_records(self, position: Position, limit: int) -> NewRecords:
        new, marks, has_more = self._new(_RECORDS, position, limit)
        return NewRecords(log_records_by_key(self.connection, new), marks, has_more)

    def end(self, run_id: str) -> tuple[dict[str, Mark], Sequence[int]]:
        marks = {_PURGE: Mark(self._purge())}
        for table in (_SPANS, _RECORDS):
            # Index: TABLE_by_run.
            (own,) = self.connection.execute(
                f"select coalesce(max({table.key}), 0) from {table.name} where run_id = ?", (run_id,)
            ).fetchone()
            marks |= {table.name: self._last(table), table.own: self._mark(table, own)}
        return marks, [key for (key,) in self.connection.execute(_OPEN, (run_id,))]

    def _start(self, table: _Table, position: Position) -> Mark | None:
        """Return from where on rows are new; None where that cannot be known any more."""
        last, own = position.mark(table.name), position.mark(table.own)
        if position.mark(_PURGE).number == self._purge() or self._is_there(table, last):
            return last
        return own if self._is_there(table, own) else None

    def _new(self, table: _Table, position: Position, limit: int) -> tuple[list[int], dict[str, Mark], bool]:
        """Return the numbers of the run's new rows, how far was read, and whether there are more."""
        before, own, last = self._start(table, position), position.mark(table.own), self._last(table)
        assert before is not None  # else `can_follow` said so
        if last.number == before.number:
            return [], {table.name: before, table.own: own}, False
        # Index: the primary key of the table, or TABLE_by_run.
        column = "+run_id" if last.number - before.number <= NEAR_ROWS else "run_id"
        rows = self.connection.execute(
            f"select {table.key} from {table.name} where {table.key} > ? and {column} = ? order by {table.key} limit ?",
            (before.number, position.run_id, limit + 1),
        ).fetchall()
        keys = [key for (key,) in rows]
        has_more = len(keys) > limit
        del keys[limit:]
        if keys:
            own = self._mark(table, keys[-1])
        read = (own if keys else before) if has_more else last
        return keys, {table.name: read, table.own: own}, has_more

    def _last(self, table: _Table) -> Mark:
        row = self.connection.execute(
            f"select {table.key}, {table.what} from {table.name} order by {table.key} desc limit 1"
        ).fetchone()
        return Mark() if row is None else Mark(row[0], str(row[1])[:16])

    def _mark(self, table: _Table, number: int) -> Mark:
        if not number:
            return Mark()
        row = self.connection.execute(
            f"select {table.what} from {table.name} where {table.key} = ?", (number,)
        ).fetchone()
        return Mark(number, "" if row is None else str(row[0])[:16])

    def _is_there(self, table: _Table, mark: Mark) -> bool:
        return self._mark(table, mark.number) == mark

    def _purge(self) -> int:
        (number,) = self.connection.execute(_LATEST_PURGE).fetchone()
        return int(number)
