"""The summaries of ended spans by run and name in SQLite: written with the spans, in the same transaction.

A span that is new is counted as it is written. What changes a span that is there (an end that comes after the start, the same span
once more, a run that is given or taken) is seen by a trigger of the connection, which notes the former form beside the new
one: so each span counts once, whatever way it came, and no writer has to know of summaries.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from otel_experiments.analysis.quantile_sketch import from_bytes, to_bytes
from otel_experiments.model.span import StatusCode
from otel_experiments.model.span_summary import SpanSummary
from otel_experiments.process.interruption import is_interruption
from otel_experiments.store.semantics.span_tally import SpanTally, duration_ns_of
from otel_experiments.store.sqlite.unreadable import (
    ABOUT_CONTENT,
    check_numbers,
    check_texts,
    readable,
    sql_literal,
)

_WATCH: Final = (
    """
    create temp table if not exists span_changes (
      trace_id, span_id, old_run_id, old_name, old_start_ns, old_end_ns, old_status,
      run_id, name, start_ns, end_ns, status
    )
    """,
    """
    create temp trigger if not exists span_changed after update on main.spans
    when old.end_ns is not null or new.end_ns is not null
    begin
      insert into span_changes values (
        new.trace_id, new.span_id, old.run_id, old.name, old.start_ns, old.end_ns, old.status,
        new.run_id, new.name, new.start_ns, new.end_ns, new.status
      );
    end
    """,
)
_CHANGES: Final = "select * from temp.span_changes order by rowid"
_FORGET: Final = "delete from temp.span_changes"
_STORED: Final = """
    select count, error_count, total_ns, minimum_ns, maximum_ns, sketch from span_summaries where run_id = ? and name = ?
"""
# Index: spans_by_run.
_SPANS: Final = """
    select start_ns, end_ns, status from spans where run_id = ? and name = ? and end_ns is not null
"""
_ALL: Final = (
    "select run_id, name, start_ns, end_ns, status from spans where run_id is not null and end_ns is not null"
)
_OF_RUNS: Final = """
    select run_id, name, count, error_count, total_ns, minimum_ns, maximum_ns, p50_ns, p95_ns, p99_ns from span_summaries
    where run_id in (select value from json_each(?)) order by run_id, name
"""
_SAVE: Final = """
    insert or replace into span_summaries (
      run_id, name, count, error_count, total_ns, minimum_ns, maximum_ns, p50_ns, p95_ns, p99_ns, sketch
    ) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_DROP: Final = "delete from span_summaries where run_id = ? and name = ?"
_DATA_VERSION: Final = "pragma main.data_version"
"""Says whether another connection has written since."""
_MOST_KNOWN: Final = 256
"""So many tallies are kept for the next transaction."""
_ERROR: Final = int(StatusCode.ERROR)

_Key = tuple[str, str]
_Row = Sequence[Any]


class SpanCounter:
    """Counts what is written in one transaction. One for each writer; `start` before anything is written."""

    def __init__(self) -> None:
        self._changes = _Changes()
        self._known: dict[_Key, SpanTally] = {}
        self._data_version: int | None = None

    def start(self, connection: sqlite3.Connection, *, is_new: bool) -> None:
        """Forget what was counted, and see from now on what changes; a rollback takes table and trigger away.

        `is_new`: what was written before may not be stored.
        """
        self._changes = _Changes()
        for statement in _WATCH:
            connection.execute(statement)
        (version,) = connection.execute(_DATA_VERSION).fetchone()
        if is_new or version != self._data_version or len(self._known) > _MOST_KNOWN:
            self._known = {}
        self._data_version = version

    def forget_changes(self, connection: sqlite3.Connection) -> None:
        """Leave out what was changed until now: it was of runs that are gone."""
        connection.execute(_FORGET)
        self._known = {}

    def count(self, connection: sqlite3.Connection, rows: Iterable[_Row]) -> None:
        """Count spans that were just written, each with the columns of the table from `trace_id` to `status`, and more."""
        changed = self._take_changes(connection)
        added, errors = self._changes.added, self._changes.added_errors
        for row in rows:
            run_id, end_ns = row[3], row[7]
            if run_id is None or end_ns is None or (changed and (row[0], row[1]) in changed):
                continue
            added[run_id, row[4]].append(duration_ns_of(row[6], end_ns))
            if row[8] == _ERROR:
                errors[run_id, row[4]] += 1

    def finish(self, connection: sqlite3.Connection) -> None:
        """Write the summaries of all that was counted and changed."""
        self._take_changes(connection)
        saved: list[_Row] = []
        for key, change in self._changes.tallies().items():
            tally = _changed(connection, key, change, self._known.get(key))
            self._known[key] = tally
            if tally.count > 0:
                saved.append(_columns(key, tally))
            else:
                connection.execute(_DROP, key)
        connection.executemany(_SAVE, saved)
        self._changes = _Changes()

    def _take_changes(self, connection: sqlite3.Connection) -> set[_Key]:
        """Count what the trigger noted, and return which spans that was of."""
        changed: set[_Key] = set()
        connection.text_factory = _text
        try:
            rows = connection.execute(_CHANGES).fetchall()
        finally:
            connection.text_factory = str
        if not rows:
            return changed
        connection.execute(_FORGET)
        for trace_id, span_id, *forms in rows:
            changed.add((trace_id, span_id))
            old, new = forms[:5], forms[5:]
            if old != new:
                self._changes.take_out(old)
                self._changes.add(new)
        return changed


class _Changes:
    """Durations that are added and taken out, by run and name, with how many of them are errors."""

    def __init__(self) -> None:
        self.added: dict[_Key, list[int]] = defaultdict(list)
        self.added_errors: dict[_Key, int] = defaultdict(int)
        self._taken: dict[_Key, list[int]] = defaultdict(list)
        self._taken_errors: dict[_Key, int] = defaultdict(int)

    def add(self, form: _Row) -> None:
        """Add a span, given by run id, name, start, end and status, where it counts."""
        if (duration_ns := _duration_ns(form)) is not None:
            self.added[form[0], form[1]].append(duration_ns)
            self.added_errors[form[0], form[1]] += form[4] == _ERROR

    def take_out(self, form: _Row) -> None:
        """Take a former form of a span out, where it counted."""
        if (duration_ns := _duration_ns(form)) is not None:
            self._taken[form[0], form[1]].append(duration_ns)
            self._taken_errors[form[0], form[1]] += form[4] == _ERROR

    def tallies(self) -> dict[_Key, SpanTally]:
        """Return what changes of each run and name."""
        found: dict[_Key, SpanTally] = {}
        for key in self.added | self._taken:
            tally = SpanTally()
            if key in self.added:
                tally.add(self.added[key], error_count=self.added_errors.get(key, 0))
            if key in self._taken:
                tally.take_out(self._taken[key], error_count=self._taken_errors[key])
            found[key] = tally
        return found


def summarize_stored(connection: sqlite3.Connection) -> None:
    """Write the summaries of all spans of a store that has none yet."""
    changes = _Changes()
    connection.text_factory = _text
    try:
        for row in connection.execute(_ALL):
            changes.add(row)
    finally:
        connection.text_factory = str
    connection.executemany(_SAVE, [_columns(key, tally) for key, tally in changes.tallies().items()])


def span_summaries(connection: sqlite3.Connection, run_ids: Sequence[str]) -> dict[str, list[SpanSummary]]:
    """Return the summaries of each run by name."""
    found: dict[str, list[SpanSummary]] = {run_id: [] for run_id in run_ids}

    def make(row: _Row) -> tuple[str, SpanSummary]:
        run_id, name, *numbers = row
        check_texts(run_id, name)
        check_numbers(*numbers)
        return run_id, SpanSummary(name, *numbers)

    rows = connection.execute(_OF_RUNS, (json.dumps(list(found)),)).fetchall()
    for run_id, one in readable(connection, rows, make, table="span_summaries", key=_key):
        found[run_id].append(one)
    return found


def _key(row: _Row) -> str:
    return f"run_id = {sql_literal(row[0])} and name = {sql_literal(row[1])}"


def _changed(
    connection: sqlite3.Connection, key: _Key, change: SpanTally, known: SpanTally | None
) -> SpanTally:
    """Return a tally with what changed; where that cannot be told from what is kept, the spans are read."""
    try:
        if known is None:
            row = connection.execute(_STORED, key).fetchone()
            if row is None and not change.has_taken_out:
                return change
            count, error_count, total_ns, minimum_ns, maximum_ns, sketch = row
            known = SpanTally(count, error_count, total_ns, minimum_ns, maximum_ns, from_bytes(sketch))
        tally = known.with_change(change)
        is_known = tally.is_exact and min(tally.count, tally.error_count, tally.total_ns) >= 0
    except ABOUT_CONTENT as error:  # no row, or one that somebody else has written
        if is_interruption(error):
            raise
        is_known = False
    return tally.settled() if is_known else _read_again(connection, key)


def _read_again(connection: sqlite3.Connection, key: _Key) -> SpanTally:
    changes = _Changes()
    for row in connection.execute(_SPANS, key):
        changes.add((*key, *row))
    return changes.tallies().get(key, SpanTally())


def _duration_ns(form: _Row) -> int | None:
    """Return the duration of a span; None where it does not count."""
    run_id, _, start_ns, end_ns, _ = form
    if run_id is None or not isinstance(start_ns, int) or not isinstance(end_ns, int):
        return None
    return duration_ns_of(start_ns, end_ns)


def _columns(key: _Key, tally: SpanTally) -> _Row:
    one = tally.summary(key[1])
    return (
        *key, one.count, one.error_count, one.total_ns, one.minimum_ns, one.maximum_ns, one.p50_ns, one.p95_ns, one.p99_ns,
        to_bytes(tally.buckets),
    )  # fmt: skip


def _text(raw: bytes) -> str:
    """Return what can be read of a text that somebody else may have written."""
    return raw.decode("utf-8", "replace")
