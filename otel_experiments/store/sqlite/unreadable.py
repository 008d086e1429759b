"""Rows that cannot be read: one is left out and told, so that it hides nothing but itself.

The schema is documented, so anybody may have written a row, and a disk may have changed one.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from otel_experiments.errors import IncompleteReadWarning, StoreDamagedError
from otel_experiments.process.interruption import is_interruption
from otel_experiments.store.reader_warning import warn_reader

ABOUT_CONTENT: Final = (
    ValueError, TypeError, KeyError, IndexError, OverflowError, AttributeError, RecursionError, zlib.error,
)  # fmt: skip
"""What a row raises whose columns hold something else than the schema says."""

_Made = TypeVar("_Made")
_Row = Sequence[object]
_LONGEST: Final = 160


def readable(
    connection: sqlite3.Connection,
    rows: Iterable[_Row],
    make: Callable[[_Row], _Made],
    *,
    table: str,
    key: Callable[[_Row], str],
) -> list[_Made]:
    """Return what `make` makes of each row; one of which it makes nothing is told by its `key`, and left out."""
    found: list[_Made] = []
    for row in rows:
        try:
            found.append(make(row))
        except ABOUT_CONTENT as error:
            if is_interruption(error):
                raise
            tell(connection, table, key(row), error)
    return found


def tell(connection: sqlite3.Connection, table: str, key: str, error: Exception) -> None:
    """Warn whoever reads that a row was left out."""
    warn_reader(
        f"What is read from {_path(connection)!r} is not whole: {_row(table, key, error)}. It is left out.\n"
        f"  {_look(table, key)}",
        IncompleteReadWarning,
    )


def damaged(connection: sqlite3.Connection, table: str, key: str, error: Exception) -> StoreDamagedError:
    """Return the error of a row that was asked for by itself."""
    return StoreDamagedError(path=_path(connection), found=_row(table, key, error), fix=_look(table, key))


def sql_literal(value: object) -> str:
    """Return the value of a column as SQL."""
    if isinstance(value, bytes):  # a text that is not UTF-8
        return f"cast(x'{value.hex()}' as text)"
    return "null" if value is None else repr(value)


def check_numbers(*values: object) -> None:
    """Let numbers and nothing pass.

    Raises:
        TypeError: one of the values is something else.
    """
    try:
        sum(filter(None, values))  # type: ignore[arg-type] # what is no number is what is looked for
    except TypeError:
        found = next(one for one in values if not isinstance(one, (int, float, type(None))))
        raise TypeError(f"a number was expected, {found!r} was found") from None


def check_texts(*values: object) -> None:
    """Let texts pass.

    Raises:
        TypeError: one of the values is something else.
    """
    try:
        "".join(values)  # type: ignore[arg-type] # as above
    except TypeError:
        found = next(one for one in values if not isinstance(one, str))
        raise TypeError(f"a text was expected, {found!r} was found") from None


def _row(table: str, key: str, error: Exception) -> str:
    why = str(error) or type(error).__name__
    why = why if len(why) <= _LONGEST else f"{why[:_LONGEST]}..."
    return f"the row {key} of the table {table} cannot be read ({why})"


def _look(table: str, key: str) -> str:
    return f'Look at it: otel-experiments sql "select * from {table} where {key}"; any SQLite client can mend it.'


def _path(connection: sqlite3.Connection) -> str:
    return str(connection.execute("pragma database_list").fetchone()[2] or ":memory:")
