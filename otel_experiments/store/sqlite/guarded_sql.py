"""Users' own SQL: one statement, which may only read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from otel_experiments.errors import QueryError
from otel_experiments.process.interruption import is_interruption
from otel_experiments.store.sqlite.reading import is_not_utf8

if TYPE_CHECKING:
    from otel_experiments.store.protocol import Row

_ALLOWED: Final = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
_REFUSED: Final = {
    sqlite3.SQLITE_INSERT: "insert into", sqlite3.SQLITE_UPDATE: "update", sqlite3.SQLITE_DELETE: "delete from",
    sqlite3.SQLITE_ATTACH: "attach", sqlite3.SQLITE_DETACH: "detach", sqlite3.SQLITE_PRAGMA: "pragma",
    sqlite3.SQLITE_TRANSACTION: "transaction", sqlite3.SQLITE_SAVEPOINT: "savepoint",
    sqlite3.SQLITE_ALTER_TABLE: "alter table", sqlite3.SQLITE_REINDEX: "reindex",
    sqlite3.SQLITE_ANALYZE: "analyze", sqlite3.SQLITE_FUNCTION: "call",
    sqlite3.SQLITE_CREATE_TABLE: "create table", sqlite3.SQLITE_DROP_TABLE: "drop table",
    sqlite3.SQLITE_CREATE_INDEX: "create index", sqlite3.SQLITE_DROP_INDEX: "drop index",
    sqlite3.SQLITE_CREATE_VIEW: "create view", sqlite3.SQLITE_DROP_VIEW: "drop view",
    sqlite3.SQLITE_CREATE_TRIGGER: "create trigger", sqlite3.SQLITE_DROP_TRIGGER: "drop trigger",
    sqlite3.SQLITE_CREATE_TEMP_TABLE: "create temp table", sqlite3.SQLITE_CREATE_TEMP_VIEW: "create temp view",
    sqlite3.SQLITE_CREATE_TEMP_TRIGGER: "create temp trigger",
    sqlite3.SQLITE_CREATE_TEMP_INDEX: "create temp index",
    sqlite3.SQLITE_CREATE_VTABLE: "create virtual table", sqlite3.SQLITE_DROP_VTABLE: "drop virtual table",
}  # fmt: skip
"""How SQLite's action codes are called in the error text."""

_PRAGMAS: Final = frozenset({
    "table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list",
    "quick_check", "integrity_check",
})  # fmt: skip
_PRAGMAS_WITHOUT_VALUE: Final = frozenset({
    "user_version", "application_id", "schema_version", "page_count", "page_size", "freelist_count", "encoding",
    "journal_mode",
})  # fmt: skip
_TABLE_FUNCTIONS: Final = (
    "json_each('[]')",
    "json_tree('[]')",
    "pragma_table_info('runs')",
    "pragma_index_list('runs')",
    "pragma_index_info('runs_by_name')",
)
"""The table-valued functions that a statement may use."""
_FUNCTIONS_REFUSED: Final = frozenset({"load_extension", "fts3_tokenizer"})


def run_guarded(
    connection: sqlite3.Connection,
    statement: str,
    parameters: Sequence[object] | Mapping[str, object],
    limit: int | None = None,
) -> tuple[list[str], list[Row]]:
    """Run one reading statement and return (column names, rows); no more than `limit` rows are read.

    Raises:
        QueryError: the statement is wrong or is refused; the text says what it would have done.
    """
    with _only_reading(connection) as refused:
        try:
            cursor = connection.execute(statement, parameters)
            rows: list[Row] = cursor.fetchall() if limit is None else cursor.fetchmany(limit)
        except (sqlite3.Error, sqlite3.Warning, OverflowError, ValueError, TypeError) as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CORRUPT}:
                raise
            if is_not_utf8(error):
                raise
            if refused:
                raise QueryError(
                    f"The statement was refused: it would {refused[0]}. The store's SQL only reads.\n"
                    "  Ask with one select statement; docs/reference/schema.md shows the tables."
                ) from error
            if "user-defined function raised exception" in str(error):
                raise QueryError(
                    "The statement cannot be run: a function that it calls was given a value that it does not take, "
                    "such as a text that is not UTF-8 or a pattern that is no regular expression.\n"
                    "  Give it bytes: cast(name as blob) regexp 'PATTERN'."
                ) from error
            raise QueryError(
                f"The statement cannot be run: {str(error).rstrip('.')}.\n"
                "  One SQL statement of SQLite's dialect; docs/reference/schema.md shows the tables."
            ) from error
        except MemoryError as error:
            if is_interruption(error):
                raise
            raise QueryError(
                "The statement needs more memory than there is.\n"
                "  Ask for less: fewer rows, length() or substr() of long values, or count() and other aggregates."
            ) from error
    names = [column[0] for column in cursor.description or ()]
    return names, rows


@contextmanager
def _only_reading(connection: sqlite3.Connection) -> Iterator[list[str]]:
    refused: list[str] = []

    def decide(action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if _is_allowed(action, first, second):
            return sqlite3.SQLITE_OK
        verb = _REFUSED.get(action, f"do action {action} on")
        target = second if action in {sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_ALTER_TABLE} else first
        if target in {"sqlite_master", "sqlite_temp_master"}:
            # The first thing that a change of the schema does, whatever it is called.
            verb, target = "change", "the schema"
        refused.append(f"{verb} {target}" if target else verb)
        return sqlite3.SQLITE_DENY

    for function in _TABLE_FUNCTIONS:
        # Their first use declares them to the connection, which looks like a change of the schema.
        connection.execute(f"select * from {function} limit 0")
    was_query_only = connection.execute("pragma query_only").fetchone()[0]
    connection.execute("pragma query_only = on")
    connection.set_authorizer(decide)
    try:
        yield refused
    finally:
        connection.set_authorizer(None)
        connection.execute(f"pragma query_only = {was_query_only}")


def _is_allowed(action: int, first: str | None, second: str | None) -> bool:
    if action == sqlite3.SQLITE_PRAGMA:
        name = (first or "").lower()
        return name in _PRAGMAS or (name in _PRAGMAS_WITHOUT_VALUE and second is None)
    if action == sqlite3.SQLITE_FUNCTION:
        return (second or "").lower() not in _FUNCTIONS_REFUSED
    return action in _ALLOWED
