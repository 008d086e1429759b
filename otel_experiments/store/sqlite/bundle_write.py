"""Making a bundle: a file beside the one that is asked for, which takes its name only when everything is in it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Final

from otel_experiments.codec.values import dump_value
from otel_experiments.errors import StoreFullError
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.bundle import BundleManifest, LeftOut
from otel_experiments.process.interruption import is_interruption
from otel_experiments.store.sqlite.bundle_format import (
    CHUNK_BYTES,
    FORMAT_VERSION,
    TABLES,
    rows_digest,
    seal_manifest,
)
from otel_experiments.store.sqlite.bundle_header import BUNDLE_APPLICATION_ID
from otel_experiments.store.sqlite.bundle_part import end_part, make_part
from otel_experiments.store.sqlite.schema import MIGRATIONS, SCHEMA_VERSION
from otel_experiments.store.sqlite.write_batch import BatchWriter

_APART: Final = frozenset({"left_out"})
"""What of a manifest has a table of its own."""


class BundleWriter:
    """Takes runs and the bytes of artifacts into one new file. Only `writing_bundle` makes one."""

    def __init__(self, path: Path, *, shown: Path) -> None:
        """Make the tables of a bundle in a new file; `shown` is what errors name."""
        self._shown = shown
        self._writer = BatchWriter()
        self._blob_count = self._blob_bytes = 0
        self._left_out: list[LeftOut] = []
        # Nobody else has the file, and it is thrown away if this process dies: what is new in it goes there once.
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("pragma journal_mode = memory").fetchall()
        self._connection.execute("pragma synchronous = off")
        with self._writing():
            for statement in (*chain.from_iterable(MIGRATIONS), *TABLES):
                self._connection.execute(statement)
            self._connection.execute(f"pragma user_version = {SCHEMA_VERSION}")

    def apply(self, batch: WriteBatch) -> None:
        """Write the whole batch in one transaction. See `Store.apply`."""
        with self._writing():
            self._writer.write(self._connection, batch, 0)

    def has_blob(self, digest: str) -> bool:
        """Tell whether the bytes are there already."""
        found = self._connection.execute("select 1 from bundle_blobs where digest = ?", (digest,))
        return found.fetchone() is not None

    def add_blob(self, digest: str, pieces: Iterable[bytes]) -> int:
        """Take the bytes that have this digest, and return how many they are; what raises leaves nothing of them."""
        size_bytes = 0
        with self._writing():
            add = "insert into bundle_blobs (digest, size_bytes) values (?, 0)"
            blob_id = self._connection.execute(add, (digest,)).lastrowid
            for seq, chunk in enumerate(_chunks(pieces)):
                self._connection.execute("insert into bundle_chunks values (?, ?, ?)", (blob_id, seq, chunk))
                size_bytes += len(chunk)
            self._connection.execute(
                "update bundle_blobs set size_bytes = ? where blob_id = ?", (size_bytes, blob_id)
            )
        self._blob_count += 1
        self._blob_bytes += size_bytes
        return size_bytes

    def leave_out(self, one: LeftOut) -> None:
        """Note bytes that the bundle names and does not hold."""
        self._left_out.append(one)

    def finish(self, manifest: BundleManifest) -> BundleManifest:
        """Write the manifest, completed by what was taken, and return it so."""
        connection = self._connection
        with self._writing():
            connection.executemany(
                "insert or ignore into bundle_left_out values (?, ?, ?, ?)",
                [(one.digest, one.name, one.size_bytes, one.why) for one in self._left_out],
            )
            whole = replace(
                manifest,
                format_version=FORMAT_VERSION,
                blob_count=self._blob_count,
                blob_size_bytes=self._blob_bytes,
                rows_digest=rows_digest(connection),
                left_out=tuple({one.digest: one for one in reversed(self._left_out)}.values()),
            )
            connection.executemany(
                "insert into bundle_manifest values (?, ?)",
                [(key, dump_value(value)) for key, value in asdict(whole).items() if key not in _APART],
            )
            seal_manifest(connection)
        return whole

    def close(self) -> None:
        """Let go of the file; safe to call twice."""
        self._connection.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Let a block be one transaction; an exception rolls all of it back."""
        with _no_room(self._shown):
            self._connection.execute("begin")
            try:
                yield
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.rollback()
                raise
            self._connection.commit()


@contextlib.contextmanager
def writing_bundle(path: Path) -> Iterator[BundleWriter]:
    """Yield what takes the contents of a bundle at `path`; where the body raises, what was there before stays.

    Raises:
        StoreError: there is no room for it.
        OSError: the folder takes no file.
    """
    lock, part = make_part(path)
    try:
        writer = BundleWriter(part, shown=path)
        try:
            yield writer
        finally:
            writer.close()
        with _no_room(path):
            _seal(part)
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o666 & ~umask)  # as a file made by open() would be; mkstemp makes it private
        part.replace(path)
    finally:
        end_part(lock, part)


@contextlib.contextmanager
def _no_room(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours: what goes wrong with a new file that nobody else has is that it cannot be written."""
    try:
        yield
    except sqlite3.Error as error:
        if is_interruption(error):
            raise
        raise StoreFullError(
            path=str(path), why=str(error), fix="Free some space, or name another folder"
        ) from error


def _seal(part: Path) -> None:
    """Make one file of the database, on the disk, that says what it is."""
    connection = sqlite3.connect(part, isolation_level=None)
    try:
        connection.execute("pragma journal_mode = delete").fetchall()
        connection.execute("pragma synchronous = full")
        connection.execute(f"pragma application_id = {BUNDLE_APPLICATION_ID}")
    finally:
        connection.close()
    descriptor = os.open(part, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in rows of one size, but for the last."""
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= CHUNK_BYTES:
            yield bytes(held[:CHUNK_BYTES])
            del held[:CHUNK_BYTES]
    if held:
        yield bytes(held)
