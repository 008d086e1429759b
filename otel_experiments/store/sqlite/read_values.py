"""Reading from SQLite what runs were told by key: params, tags, summaries, and how metrics are to be read."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from otel_experiments.codec.values import load_value
from otel_experiments.model.batch import MetricDefinition, ParamSet, SummarySet
from otel_experiments.process.interruption import is_interruption
from otel_experiments.store.sqlite.unreadable import (
    ABOUT_CONTENT,
    check_numbers,
    check_texts,
    readable,
    sql_literal,
    tell,
)

if TYPE_CHECKING:
    from otel_experiments.model.run import ParamValue

# Index: the primary key of params, one stretch a run.
_PARAMS: Final = """
    select run_id, key, value_json from params
    where run_id in (select value from json_each(?)) order by run_id, key
"""
# Indexes: the primary keys, one stretch a run.
_PARAMS_OF_RUN: Final = "select key, value_json, time_ns from params where run_id = ?"
_FORMER_PARAMS: Final = "select key, value_json, time_ns from param_history where run_id = ?"
_SUMMARIES: Final = "select key, value_json, time_ns from summaries where run_id = ? order by key"
_DEFINITIONS: Final = """
    select pattern, direction, step_metric, summary, is_hidden from metric_definitions
    where run_id = ? order by pattern
"""
HIDDEN: Final[dict[object, bool | None]] = {1: True, -1: False, 0: None}
"""What the numbers of `is_hidden` say; 0, which rows of older stores have, says nothing."""

# Index: the primary key of tags, one stretch a run.
_TAGS: Final = """
    select run_id, key, value from tags
    where run_id in (select value from json_each(?)) and value is not null order by run_id, key
"""


def params(connection: sqlite3.Connection, run_ids: Sequence[str]) -> dict[str, dict[str, ParamValue]]:
    """Return the params of each run, by key."""
    found: dict[str, dict[str, ParamValue]] = {run_id: {} for run_id in run_ids}
    for run_id, key, value_json in connection.execute(_PARAMS, (json.dumps(list(found)),)).fetchall():
        try:
            check_texts(key)
            found[run_id][key] = load_value(value_json)
        except ABOUT_CONTENT as error:
            if is_interruption(error):
                raise
            tell(connection, "params", f"run_id = {run_id!r} and key = {sql_literal(key)}", error)
    return found


def param_sets(connection: sqlite3.Connection, run_id: str) -> list[ParamSet]:
    """Return every value that the run's params were given, by key and time."""
    found = _values_of(connection, _PARAMS_OF_RUN, run_id, "params", ParamSet)
    found += _values_of(connection, _FORMER_PARAMS, run_id, "param_history", ParamSet)
    return sorted(found, key=lambda one: (one.key, one.time_ns))


def summary_sets(connection: sqlite3.Connection, run_id: str) -> list[SummarySet]:
    """Return what the program set in the summary of the run, by key."""
    return _values_of(connection, _SUMMARIES, run_id, "summaries", SummarySet)


_Set = TypeVar("_Set", ParamSet, SummarySet)


def _values_of(
    connection: sqlite3.Connection, sql: str, run_id: str, table: str, kind: type[_Set]
) -> list[_Set]:
    def make(row: tuple[object, ...]) -> _Set:
        key, value, time_ns = row
        check_texts(key)
        check_numbers(time_ns)
        return kind(run_id, key, load_value(value), time_ns)  # type: ignore[arg-type] # checked

    def place(row: tuple[object, ...]) -> str:
        return f"run_id = {sql_literal(run_id)} and key = {sql_literal(row[0])}"

    rows = connection.execute(sql, (run_id,)).fetchall()
    return readable(connection, rows, make, table=table, key=place)  # type: ignore[arg-type] # rows are tuples


def metric_definitions(connection: sqlite3.Connection, run_id: str) -> list[MetricDefinition]:
    """Return how the run's metrics are to be read, by pattern."""

    def make(row: tuple[object, ...]) -> MetricDefinition:
        pattern, direction, step_metric, summary, is_hidden = row
        check_texts(pattern, direction or "", step_metric, summary)
        return MetricDefinition(run_id, pattern, direction, step_metric, summary, HIDDEN.get(is_hidden))  # type: ignore[arg-type] # checked

    def place(row: tuple[object, ...]) -> str:
        return f"run_id = {sql_literal(run_id)} and pattern = {sql_literal(row[0])}"

    rows = connection.execute(_DEFINITIONS, (run_id,)).fetchall()
    return readable(connection, rows, make, table="metric_definitions", key=place)  # type: ignore[arg-type] # as above


def tags(connection: sqlite3.Connection, run_ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the tags of each run, by key."""
    found: dict[str, dict[str, str]] = {run_id: {} for run_id in run_ids}
    for run_id, key, value in connection.execute(_TAGS, (json.dumps(list(found)),)).fetchall():
        try:
            check_texts(key, value)
            found[run_id][key] = value
        except ABOUT_CONTENT as error:
            if is_interruption(error):
                raise
            tell(connection, "tags", f"run_id = {run_id!r} and key = {sql_literal(key)}", error)
    return found
