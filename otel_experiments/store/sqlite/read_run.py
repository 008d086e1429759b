"""Reading runs and experiments from SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from otel_experiments.model.page import Page
from otel_experiments.model.run import Experiment
from otel_experiments.process.interruption import is_interruption
from otel_experiments.store.semantics.search import check
from otel_experiments.store.sqlite.paging import page_statement
from otel_experiments.store.sqlite.run_columns import RUN_COLUMNS, run_of
from otel_experiments.store.sqlite.run_places import RunPlaces
from otel_experiments.store.sqlite.search import Statement
from otel_experiments.store.sqlite.unreadable import (
    ABOUT_CONTENT,
    check_numbers,
    check_texts,
    damaged,
    readable,
    sql_literal,
)

if TYPE_CHECKING:
    from otel_experiments.model.run import Run
    from otel_experiments.model.search import RunQuery, Visibility
    from otel_experiments.store.sqlite.paging import PageStatement

# Index: unique (run_id) of purged_runs.
_PRESENT: Final = "runs.run_id not in (select run_id from purged_runs where not is_back)"
# Index: the primary key of runs, once a run of the page.
_RUNS_BY_ID: Final = f"""
    select {RUN_COLUMNS} from json_each(?1) page
    join runs on runs.run_id = page.value left join resources using (resource_id)
    order by page.key
"""
# Index: unique (run_id) of purged_runs.
_IS_PURGED: Final = "select exists (select 1 from purged_runs where run_id = ? and not is_back)"
# Index: runs_by_experiment (covering).
_EXPERIMENTS: Final = """
    select experiments.name, experiments.created_ns,
      count(case when runs.removed_ns is null then runs.run_id end)
    from experiments left join runs on runs.experiment = experiments.name
    group by experiments.name order by experiments.name
"""
# Indexes: the primary key of runs for the id, runs_by_name for the name.
_RESOLVE: Final = f"""
    select run_id from (
      select run_id, created_ns from runs where run_id >= ?1 and run_id < ?2 and {_PRESENT}
      union
      select run_id, created_ns from runs where name = ?3 and {_PRESENT}
    ) order by created_ns desc, run_id limit ?4
"""

_VISIBLE: Final[dict[Visibility, str]] = {
    "listed": "runs.removed_ns is null and runs.archived_ns is null",
    "kept": "runs.removed_ns is null",
    "archived": "runs.removed_ns is null and runs.archived_ns is not null",
    # Indexes: runs_removed, unique (run_id) of purged_runs.
    "removed": f"runs.removed_ns is not null and {_PRESENT}",
    "hidden": f"(runs.removed_ns is not null or runs.archived_ns is not null) and {_PRESENT}",
    "present": _PRESENT,
    "all": "1",
}


def find_run_ids(
    connection: sqlite3.Connection, query: RunQuery, live_run_ids: frozenset[str] | None
) -> Page[str]:
    """Return the ids of the runs that the query asks for, in its order.

    Raises:
        QueryError: the expression compares what cannot be compared.
    """
    rows, end = find_statement(query, live_run_ids).rows(connection)
    return Page(_run_ids(connection, rows), end)


def find_runs(
    connection: sqlite3.Connection, query: RunQuery, live_run_ids: frozenset[str] | None
) -> Page[Run]:
    """Return the runs that the query asks for, in its order.

    Raises:
        QueryError: the expression compares what cannot be compared.
    """
    ids = find_run_ids(connection, query, live_run_ids)
    return Page(runs_by_id(connection, ids), ids.end)


def find_statement(query: RunQuery, live_run_ids: frozenset[str] | None) -> PageStatement:
    """Return the SQL of a query over runs with its bound values."""
    made = _statement(query, live_run_ids)
    return page_statement(
        made, query, columns="runs.run_id", rows="runs", conditions=[_condition(made, query)]
    )


def count_runs(connection: sqlite3.Connection, query: RunQuery, live_run_ids: frozenset[str] | None) -> int:
    """Return how many runs match the query.

    Raises:
        QueryError: the expression compares what cannot be compared.
    """
    statement = _statement(query, live_run_ids)
    condition = _condition(statement, query)
    row = connection.execute(f"select count(*) from runs where {condition}", statement.parameters).fetchone()
    return int(row[0])


def runs_by_id(connection: sqlite3.Connection, run_ids: Sequence[str]) -> list[Run]:
    """Return the runs with these ids, in this order, unknown and unreadable ones left out; the latter are told."""
    rows = connection.execute(_RUNS_BY_ID, (json.dumps(run_ids),))
    return readable(connection, rows, run_of, table="runs", key=_run_key)


def run_by_id(connection: sqlite3.Connection, run_id: str) -> Run | None:
    """Return the run with exactly this id; None when there is none, or no more than the rest of a purged one.

    Raises:
        StoreDamagedError: its row cannot be read.
    """
    row = connection.execute(_RUNS_BY_ID, (json.dumps([run_id]),)).fetchone()
    if row is not None and connection.execute(_IS_PURGED, (run_id,)).fetchone()[0]:
        return None
    try:
        return None if row is None else run_of(row)
    except ABOUT_CONTENT as error:
        if is_interruption(error):
            raise
        raise damaged(connection, "runs", _run_key(row), error) from error


def _run_key(row: Sequence[object]) -> str:
    return f"run_id = {sql_literal(row[0])}"


def resolve_run_ids(connection: sqlite3.Connection, prefix_or_name: str, limit: int) -> list[str]:
    """Return the ids that start with the text or belong to runs of this name, newest first."""
    prefix = prefix_or_name.lower()
    beyond = f"{prefix}\U0010ffff"
    return _run_ids(connection, connection.execute(_RESOLVE, (prefix, beyond, prefix_or_name, limit)))


def _run_ids(connection: sqlite3.Connection, rows: Iterable[Sequence[object]]) -> list[str]:
    def make(row: Sequence[object]) -> str:
        check_texts(row[0])
        return str(row[0])

    return readable(connection, rows, make, table="runs", key=_run_key)


def experiments(connection: sqlite3.Connection) -> list[Experiment]:
    """Return all experiments with their number of runs, by name."""

    def make(row: Sequence[object]) -> Experiment:
        check_texts(row[0])
        check_numbers(*row[1:])
        return Experiment(*row)  # type: ignore[arg-type]

    rows = connection.execute(_EXPERIMENTS)
    return readable(
        connection, rows, make, table="experiments", key=lambda row: f"name = {sql_literal(row[0])}"
    )


def _condition(statement: Statement, query: RunQuery) -> str:
    seen = _VISIBLE[query.visibility]
    return seen if query.where is None else f"{statement.where(query.where)} and {seen}"


def _statement(query: RunQuery, live_run_ids: frozenset[str] | None) -> Statement:
    if query.where is not None:
        check(query.where)
    live = None if live_run_ids is None else json.dumps(sorted(live_run_ids))
    return Statement(RunPlaces(live))
