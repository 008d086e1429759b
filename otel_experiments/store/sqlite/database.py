"""Connections to one SQLite database: opened, migrated, handed out, survived across forks.

Knows nothing of runs or spans. One connection writes, guarded by a lock; readers borrow their own, so that a
chart never waits for a drain. A forked child opens connections of its own (`fork` says how that is safe).
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

from otel_experiments.errors import (
    BundleReadOnlyError,
    NewerSchemaError,
    NotAStoreError,
    StoreClosedError,
    StoreError,
    StoreReadOnlyError,
)
from otel_experiments.process import held_files
from otel_experiments.process.paths import is_there
from otel_experiments.store.filesystem import file_id, file_is_gone
from otel_experiments.store.sqlite.application import read_owner
from otel_experiments.store.sqlite.bundle_header import BUNDLE_APPLICATION_ID
from otel_experiments.store.sqlite.fork import close_inherited, survive_forks
from otel_experiments.store.sqlite.functions import register
from otel_experiments.store.sqlite.place import check_path, nothing_there
from otel_experiments.store.sqlite.schema import APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION, SPANS_SUMMARIZED
from otel_experiments.store.sqlite.settled import checkpoint, settle
from otel_experiments.store.sqlite.translated import BUSY, translated

_IDLE_READERS: Final = 4
_STATEMENTS: Final = 256
_YIELD_S: Final = 0.0005
_WAL_LIMIT_BYTES: Final = 64 * 1024 * 1024


class Database:
    """The connections to one SQLite file, or to one database in memory (`path` None).

    Raises (from every method that touches the file): the StoreErrors that `translated` makes.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        read_only: bool,
        create: bool,
        busy_timeout_s: float,
        file_mode: int | None = None,
        takes_older: bool = False,
    ) -> None:
        self._takes_older = takes_older
        self.location = ":memory:" if path is None else str(path)
        self.read_only = read_only
        self.busy_timeout_s = busy_timeout_s
        self.generation = 0
        """Counts what makes cached ids worthless: a rollback, a fork."""
        self._path = path
        self._is_closed = False
        self._write_lock = threading.RLock()
        self._pool = (
            threading.RLock()
        )  # taken by itself: a Condition's `__exit__` is Python, where a signal may raise
        self._pool_lock = threading.Condition(self._pool)
        self._lent_count = 0
        self._is_fork_waiting = False
        self._writes_in: int | None = None
        self._idle: list[sqlite3.Connection] = []
        self._writer: sqlite3.Connection | None = None
        self.is_bundle = path is not None and check_path(
            path, create=create and not read_only, file_mode=file_mode
        )
        self._is_checked = False
        if self.is_bundle and not read_only:
            raise BundleReadOnlyError(path=self.location)
        if not self.is_bundle and (file := file_id(path)) is not None:
            held_files.hold(self, file)
        with translated(self):
            if read_only:
                self._give_back(self._borrow())
            else:
                self._writer = self._connect_writer()
        survive_forks(self)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend the writer inside one transaction; an exception rolls all of it back."""
        if self.read_only:
            raise StoreReadOnlyError(path=self.location, action="write")
        while self._is_fork_waiting and self._writes_in != threading.get_ident():
            time.sleep(
                _YIELD_S
            )  # else this thread, which has just let go of the lock, would take it first again
        with self._write_lock, translated(self):
            connection = self._open_writer()
            self._writes_in = threading.get_ident()
            try:
                connection.execute("begin immediate")
                yield connection
            except BaseException:
                self._writes_in = None
                self.generation += 1
                if connection.in_transaction:
                    connection.rollback()
                raise
            self._writes_in = None
            try:
                connection.commit()
            except BaseException:
                self.generation += 1
                if connection.in_transaction:
                    connection.rollback()
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection inside one read transaction: all statements see the same moment."""
        if self._path is None:
            with self._write_lock, translated(self):
                yield self._open_writer()
            return
        with translated(self):
            connection = self._borrow()
            try:
                connection.execute("begin")
                yield connection
            finally:
                self._give_back(connection)

    def load(self, source: sqlite3.Connection) -> None:
        """Become a copy of another database, brought up to this release's schema."""
        with self._write_lock, translated(self):
            connection = self._open_writer()
            source.backup(connection)
            self.generation += 1
            connection.execute("pragma foreign_keys = off")  # as where a file is brought up
            self._migrate(connection)
            connection.execute("pragma foreign_keys = on")

    def checkpoint(self) -> None:
        """Bring into the file what is in the log, as far as that needs no waiting; it may be tried at any time."""
        with self._write_lock, suppress(sqlite3.Error, StoreError):
            checkpoint(self._open_writer())

    def vacuum(self) -> None:
        """Write the file anew, without what holds nothing."""
        with self._write_lock, translated(self):
            connection = self._open_writer()
            connection.execute("vacuum")
            connection.execute("pragma wal_checkpoint(truncate)").fetchall()

    def settle(self) -> None:
        """Let the file alone hold everything, unless another process keeps that from being done now."""
        with self._write_lock, suppress(sqlite3.Error, StoreError):
            settle(self._open_writer())

    def close(self) -> None:
        """Close every connection of this process; safe to call twice."""
        with self._write_lock, self._pool:
            self._is_closed = True
            connections = [*self._idle, *([self._writer] if self._writer else [])]
            self._idle, self._writer = [], None
        for connection in connections:
            # e.g. a full disk at the last checkpoint: the WAL file stays, complete
            with suppress(sqlite3.Error):
                connection.close()
        held_files.let_go(self)

    def hold_still(self, timeout_s: float) -> bool:
        """Take the locks once nobody uses a connection; False when that takes longer. Called before a fork."""
        deadline = time.monotonic() + timeout_s
        self._is_fork_waiting = True
        if self._writes_in == threading.get_ident() or not self._write_lock.acquire(timeout=timeout_s):
            self._is_fork_waiting = False
            return False
        self._pool_lock.acquire()
        if self._pool_lock.wait_for(lambda: self._lent_count == 0, deadline - time.monotonic()):
            return True
        self.go_on()
        return False

    def go_on(self) -> None:
        """Let go of what `hold_still` took. Called in the parent after a fork."""
        self._pool_lock.release()
        self._write_lock.release()
        self._is_fork_waiting = False

    def start_anew(self) -> list[sqlite3.Connection]:
        """Forget, and return, the connections to files that a forked child inherited. Called in the child."""
        self._write_lock = threading.RLock()
        self._pool = threading.RLock()
        self._pool_lock = threading.Condition(self._pool)
        self._lent_count = 0
        self._is_fork_waiting, self._writes_in = False, None
        self.generation += 1
        if self._path is None:
            return []  # a database in memory is the child's own copy
        inherited = [*self._idle, *([self._writer] if self._writer else [])]
        self._idle, self._writer = [], None
        return inherited

    def _connect_writer(self) -> sqlite3.Connection:
        target = ":memory:" if self._path is None else str(self._path)
        connection = self._connect(target, is_uri=False)
        try:
            if not self._check_ours(
                connection
            ):  # the tables are in the file before there is a log: a reader finds
                self._migrate(connection)  # none of them or all
            if self._path is not None:
                self._switch_to_wal(connection)
            connection.execute("pragma synchronous = normal")
            connection.execute(f"pragma journal_size_limit = {_WAL_LIMIT_BYTES}")
            self._migrate(connection)  # a table that is made anew must not take along what refers to it
            connection.execute("pragma foreign_keys = on")
        except BaseException:
            connection.close()
            raise
        self._file_id = file_id(self._path)
        return connection

    def _connect_reader(self) -> sqlite3.Connection:
        assert self._path is not None
        uri = f"file:{quote(os.fsencode(self._path.absolute()))}?mode=ro"
        try:
            connection = self._checked_reader(uri)
        except sqlite3.OperationalError as error:
            code = getattr(error, "sqlite_errorcode", 0)  # one that Python raises, e.g. of a text, has none
            if code == sqlite3.SQLITE_READONLY_ROLLBACK and os.access(self._path, os.W_OK):
                self._connect_writer().close()  # who made the store died before its tables were there
                return self._checked_reader(uri)
            # A store on a medium that may not be written has no place for the WAL's index. Where no WAL file
            # waits either, the database file is the whole truth.
            if is_there(self._path.with_name(f"{self._path.name}-wal")) or os.access(
                self._path.parent, os.W_OK
            ):
                raise
            connection = self._checked_reader(f"{uri}&immutable=1")
        return connection

    def _checked_reader(self, uri: str) -> sqlite3.Connection:
        connection = self._connect(uri, is_uri=True)
        try:
            connection.execute("pragma query_only = on")
            version = self._check_ours(connection)
            if self.is_bundle:
                self._check_bundle(connection, version)
            else:
                self._check_readable(version)
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_readable(self, version: int) -> None:
        assert self._path is not None
        if version == 0:
            raise nothing_there(self._path, besides=self)
        if version == SCHEMA_VERSION or self._takes_older:
            return
        if not (os.access(self._path, os.W_OK) and os.access(self._path.parent, os.W_OK)):
            raise StoreReadOnlyError(path=self.location, action="be upgraded to this release's schema")
        self._connect_writer().close()  # who reads knows the newest schema only

    def _check_bundle(self, connection: sqlite3.Connection, version: int) -> None:
        from otel_experiments.store.sqlite.bundle_read import check_bundle, check_tables  # noqa: PLC0415 - few read one

        connection.execute("pragma trusted_schema = off")
        if self._is_checked:
            return
        check_bundle(connection, self.location)
        check_tables(connection, self.location, version)
        if version != SCHEMA_VERSION and not self._takes_older:
            raise StoreReadOnlyError(path=self.location, action="be upgraded to this release's schema")
        self._is_checked = True

    def _connect(self, target: str, *, is_uri: bool) -> sqlite3.Connection:
        close_inherited(self.location)
        connection = sqlite3.connect(
            target,
            timeout=self.busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_STATEMENTS,
            uri=is_uri,
        )
        register(connection)
        return connection

    def _check_ours(self, connection: sqlite3.Connection) -> int:
        """Return the schema version, 0 for an empty database.

        Raises:
            NotAStoreError: another program's database.
            NewerSchemaError: a newer release's store.
        """
        application_id, version, tables = read_owner(connection)
        is_copied = self._path is None and application_id == BUNDLE_APPLICATION_ID
        if application_id != APPLICATION_ID and not self.is_bundle and not is_copied:
            if application_id or tables:
                shown = ", ".join(tables[:3]) or "none"
                raise NotAStoreError(
                    path=self.location,
                    found=f"it is a SQLite database of another program (application id {application_id}, tables: {shown})",
                )
            return 0
        if version > SCHEMA_VERSION:
            raise NewerSchemaError(path=self.location, found=version, supported=SCHEMA_VERSION)
        return version

    def _switch_to_wal(self, connection: sqlite3.Connection) -> None:
        # The switch does not wait for a lock by itself, whatever the busy timeout says.
        deadline = time.monotonic() + self.busy_timeout_s
        while True:
            try:
                connection.execute("pragma journal_mode = wal")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.005)
            else:
                return

    def _migrate(self, connection: sqlite3.Connection) -> None:
        if self._check_ours(connection) == SCHEMA_VERSION:
            return
        connection.execute("begin exclusive")
        try:
            former = self._check_ours(connection)
            for version in range(former, SCHEMA_VERSION):
                for statement in MIGRATIONS[version]:
                    connection.execute(statement)
            if 0 < former < SPANS_SUMMARIZED:
                from otel_experiments.store.sqlite.span_summaries import summarize_stored  # noqa: PLC0415 - few need it

                summarize_stored(connection)
            connection.execute(f"pragma application_id = {APPLICATION_ID}")
            connection.execute(f"pragma user_version = {SCHEMA_VERSION}")
            connection.commit()
        except BaseException:
            if connection.in_transaction:
                connection.rollback()
            raise

    def _open_writer(self) -> sqlite3.Connection:
        if self._is_closed:
            raise StoreClosedError(path=self.location)
        if self._writer is None:
            self._writer = self._connect_writer()
        elif file_id(self._path) != self._file_id:
            raise file_is_gone(self.location)
        return self._writer

    def _borrow(self) -> sqlite3.Connection:
        with self._pool:
            if self._is_closed:
                raise StoreClosedError(path=self.location)
            self._lent_count += 1
        try:
            with self._pool:
                if self._idle:
                    return self._idle.pop()
            return self._connect_reader()
        except BaseException:
            with self._pool:
                self._lent_count -= 1
                self._pool_lock.notify_all()
            raise

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if connection.in_transaction:
            connection.rollback()
        with self._pool:
            is_kept = not self._is_closed and len(self._idle) < _IDLE_READERS
            if is_kept:
                self._idle.append(connection)
            else:
                connection.close()
            self._lent_count -= 1
            self._pool_lock.notify_all()
