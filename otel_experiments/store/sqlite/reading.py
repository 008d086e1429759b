"""One question to a database in one read transaction, also where a text in it is not UTF-8."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, TypeVar

from otel_experiments.process.interruption import is_interruption

if TYPE_CHECKING:
    from otel_experiments.store.sqlite.database import Database

_NOT_UTF8: Final = "Could not decode to UTF-8"
_Asked = ParamSpec("_Asked")
_Found = TypeVar("_Found")


def read(
    database: Database,
    ask: Callable[Concatenate[sqlite3.Connection, _Asked], _Found],
    *args: _Asked.args,
    **kwargs: _Asked.kwargs,
) -> _Found:
    """Return what `ask` reads; it gets a text that is not UTF-8 as bytes."""
    with database.reading() as connection:
        try:
            return ask(connection, *args, **kwargs)
        except sqlite3.OperationalError as error:
            if is_interruption(error) or not is_not_utf8(error):
                raise
        connection.text_factory = _text_or_bytes  # one call a text: only where one needs it
        try:
            return ask(connection, *args, **kwargs)
        finally:
            connection.text_factory = str


def is_not_utf8(error: Exception) -> bool:
    """Tell whether SQLite refused to make a `str` of a text."""
    return isinstance(error, sqlite3.OperationalError) and _NOT_UTF8 in str(error)


def _text_or_bytes(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw
