"""A store whose entries are rows of one table of PostgreSQL.

The number of an entry is the primary key, so that the server gives each number to one writer, whichever host it is on. A
connection that broke is made anew by the next call; what was being written then is in the table or not, and is looked for.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Final, TypeVar

from otel_experiments.errors import (
    MissingPackageError,
    NewerSchemaError,
    NotAStoreError,
    StoreFailedError,
)
from otel_experiments.model.other_stores import without_password
from otel_experiments.store.store_base import StoreBase

if TYPE_CHECKING:
    import psycopg

SCHEMA_VERSION: Final = 1
EXTRA: Final = "postgres"
_LOCK: Final = 0x6F78_7374_6F72  # "oxstor": who makes or upgrades the tables holds it
_PAGE_ENTRIES: Final = 64
"""How many entries are fetched at once: each is of some megabytes at most."""
_MAKE: Final = (
    "create schema if not exists otel_experiments",
    "create table if not exists otel_experiments.layout (version integer not null)",
    """
    create table if not exists otel_experiments.entries (
        number bigint primary key check (number >= 0),
        entry text not null,
        added_at timestamptz not null default now()
    )
    """,
)
_FIND: Final = "select to_regclass('otel_experiments.layout') is not null"
_VERSION: Final = "select version from otel_experiments.layout"
_READ: Final = (
    "select number, entry from otel_experiments.entries where number >= %s order by number limit %s"
)
_ADD: Final = "insert into otel_experiments.entries (number, entry) values (%s, %s) on conflict do nothing"
_CONNECTION: Final = {
    "connect_timeout": "5",
    "application_name": "otel-experiments",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
"""What is asked of a connection where the address says nothing else; a server that is gone is noticed after 20 s."""

_Answer = TypeVar("_Answer")


def open_store(address: str) -> PostgresStore:
    """Return the store at an address of libpq, such as `postgresql://ann@box/runs`; its tables are made where there are none.

    Raises:
        MissingPackageError: psycopg is not installed.
        StoreError: the server cannot be reached, lets nobody in, or has a store of a newer release.
    """
    store = PostgresStore(address)
    store.check()
    return store


class PostgresStore(StoreBase):
    """Keeps entries in the table `otel_experiments.entries` of a database."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._psycopg = _library()
        self._address = address
        self._connection: psycopg.Connection | None = None

    @property
    def location(self) -> str:
        """The address of the database."""
        return self._address

    def check(self) -> None:
        """See that the server is there, and make the tables where there are none."""
        self._ask(_version)

    def read_entries(self, first: int) -> Iterator[bytes]:
        """Read the rows from a number on, a page at a time."""
        number = first
        while True:
            page = self._ask(lambda connection, number=number: _read(connection, number))  # type: ignore[misc]
            for found, entry in page:
                if found != number:
                    raise self._failed(f"entry {number} is missing, and {found} is there")
                yield entry.encode("ascii")
                number += 1
            if len(page) < _PAGE_ENTRIES:
                return

    def add_entry(self, number: int, entry: bytes) -> bool:
        """Insert a row, which fails where the number is taken."""
        text = entry.decode("ascii")

        def insert(connection: psycopg.Connection) -> bool:
            return connection.execute(_ADD, (number, text)).rowcount == 1

        return self._ask(insert, tries=1)

    def close_entries(self) -> None:
        """Let go of the connection."""
        self._let_go()

    def _ask(self, question: Callable[[psycopg.Connection], _Answer], *, tries: int = 2) -> _Answer:
        """Return the answer of the server; a connection that turns out to be broken is made anew and asked once more.

        Raises:
            StoreError: the server cannot answer.
        """
        was_there = self._connection is not None
        try:
            return question(self._connected())
        except self._psycopg.Error as error:
            connection = self._connection
            is_broken = connection is None or connection.broken or connection.closed
            if is_broken:
                self._let_go()
            if is_broken and was_there and tries > 1:
                return self._ask(question, tries=1)
            raise self._failed(_said(error)) from error

    def _connected(self) -> psycopg.Connection:
        if self._connection is None:
            made = self._psycopg.conninfo.make_conninfo(self._address)
            told = self._psycopg.conninfo.conninfo_to_dict(made)
            wanted = {key: value for key, value in _CONNECTION.items() if key not in told}
            connection: psycopg.Connection = self._psycopg.connect(made, autocommit=True, **wanted)
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
            weakref.finalize(self, connection.close)  # a reader that nobody closes leaves it to the collector
        return self._connection

    def _prepare(self, connection: psycopg.Connection) -> None:
        """Make the tables where there are none, one process at a time.

        Raises:
            NewerSchemaError: a newer release made them.
        """
        if not _one(connection, _FIND):
            with connection.transaction():
                connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
                for statement in _MAKE:
                    connection.execute(statement)
                connection.execute(
                    "insert into otel_experiments.layout (version)"
                    " select %s where not exists (select from otel_experiments.layout)",
                    (SCHEMA_VERSION,),
                )
        version = _version(connection)
        shown = without_password(self._address)
        if not isinstance(version, int):
            raise NotAStoreError(path=shown, found="its table otel_experiments.layout has no version")
        if version > SCHEMA_VERSION:
            raise NewerSchemaError(path=shown, found=version, supported=SCHEMA_VERSION)

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _failed(self, why: str) -> StoreFailedError:
        return StoreFailedError(path=without_password(self._address), why=why)


def _read(connection: psycopg.Connection, number: int) -> list[tuple[int, str]]:
    rows: list[tuple[int, str]] = connection.execute(_READ, (number, _PAGE_ENTRIES)).fetchall()
    return rows


def _version(connection: psycopg.Connection) -> object:
    return _one(connection, _VERSION)


def _one(connection: psycopg.Connection, statement: str) -> object:
    row = connection.execute(statement).fetchone()
    return None if row is None else row[0]


def _said(error: Exception) -> str:
    """Return the first line of what the server, or the library, says."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def _library() -> ModuleType:
    try:
        import psycopg  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingPackageError(package="psycopg", purpose="a store in PostgreSQL", extra=EXTRA) from error
    return psycopg
