"""Edits of runs in SQLite: the rows of `edits`, and the columns of `runs` that are made of them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Final

from otel_experiments.model.edit import EDIT_FIELDS, MARKS, EditField, RunEdit
from otel_experiments.store.semantics.edits import plain_edit
from otel_experiments.store.sqlite.unreadable import check_numbers, check_texts, readable, sql_literal
from otel_experiments.store.sqlite.write_run import RunWriter

# Index: the primary key.
_UPSERT: Final = """
    insert into edits (run_id, field, value, time_ns, author) values (?, ?, ?, ?, ?)
    on conflict (run_id, field) do update set
      value = excluded.value, time_ns = excluded.time_ns, author = excluded.author
    where (excluded.time_ns, ifnull(excluded.value, ''), excluded.author)
      > (edits.time_ns, ifnull(edits.value, ''), edits.author)
"""
_SELECT: Final = """
    select run_id, field, value, time_ns, author from edits
    where run_id in (select value from json_each(?)) order by run_id, field
"""
_TEXT_COLUMNS: Final = {"name": "name", "group": "group_name", "note": "note"}
_OF_MARK: Final = "(select case when value is not null then time_ns end from edits where edits.run_id = runs.run_id and field = '{}')"
_OF_TEXT: Final = "coalesce((select value from edits where edits.run_id = runs.run_id and field = '{}'), {})"


def _column(field: EditField) -> str:
    if field in MARKS:
        return f"{field}_ns = {_OF_MARK.format(field)}"
    column = _TEXT_COLUMNS[field]
    return f"{column} = {_OF_TEXT.format(field, column)}"


# Indexes: the primary keys of runs and edits.
_TAKE_OVER: Final = {
    field: f"update runs set {_column(field)} where run_id in (select value from json_each(?))"
    for field in EDIT_FIELDS
}


def write_edits(connection: sqlite3.Connection, edits: Sequence[RunEdit], runs: RunWriter) -> None:
    """Write edits, of which the latest of a field wins, and make the columns of their runs of them."""
    by_field: dict[EditField, list[str]] = {}
    runs.ensure_all(connection, {edit.run_id: max(0, edit.time_ns) for edit in edits})
    for edit in edits:
        by_field.setdefault(edit.field, []).append(edit.run_id)
    plain = map(plain_edit, edits)
    connection.executemany(
        _UPSERT, [(one.run_id, one.field, one.value, one.time_ns, one.author) for one in plain]
    )
    for field, run_ids in by_field.items():
        connection.execute(_TAKE_OVER[field], (json.dumps(run_ids),))


def edits(connection: sqlite3.Connection, run_ids: Sequence[str]) -> dict[str, list[RunEdit]]:
    """Return the edits of each run by field; runs without any map to an empty list."""
    found: dict[str, list[RunEdit]] = {run_id: [] for run_id in run_ids}

    def make(row: Sequence[object]) -> RunEdit:
        run_id, field, value, time_ns, author = row
        check_texts(run_id, field, value or "", author)
        check_numbers(time_ns)
        return RunEdit(run_id, field, value, time_ns, author)  # type: ignore[arg-type] # checked

    rows = connection.execute(_SELECT, (json.dumps(list(found)),)).fetchall()
    for edit in readable(connection, rows, make, table="edits", key=_key):
        found[edit.run_id].append(edit)
    return found


def _key(row: Sequence[object]) -> str:
    return f"run_id = {sql_literal(row[0])} and field = {sql_literal(row[1])}"
