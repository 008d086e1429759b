"""What a bundle is: a store's tables, those of its manifest and of bytes, and a header that tells it from a store.

`rows_digest` and `manifest_digest` define the digests of what it holds, whatever the layout of the file.
"""

from __future__ import annotations

import sqlite3
import struct
from hashlib import sha256
from pathlib import Path
from typing import Final

from otel_experiments.codec.values import dump_value
from otel_experiments.model.artifact import DIGEST_START

FORMAT_VERSION: Final = 1
CHUNK_BYTES: Final = 1 << 20
"""So many bytes of an artifact are in one row."""
MANIFEST_DIGEST: Final = "manifest_digest"
"""The key of the manifest's row that has the digest of the others."""

TABLES: Final = (
    "create table bundle_manifest (key text primary key, value text not null) without rowid",
    """
    create table bundle_blobs (
      blob_id integer primary key,
      digest text not null unique,
      size_bytes integer not null
    )
    """,
    """
    create table bundle_chunks (
      blob_id integer not null references bundle_blobs (blob_id),
      seq integer not null,
      data blob not null,
      unique (blob_id, seq)
    )
    """,
    """
    create table bundle_left_out (
      digest text primary key,
      name text not null,
      size_bytes integer not null,
      why text not null check (why in ('not asked for', 'too large', 'missing', 'damaged', 'outside'))
    ) without rowid
    """,
)

_UNDIGESTED: Final = frozenset({"bundle_manifest", "bundle_chunks"})
"""The manifest holds the digest, and the bytes have their own."""


class _Text(bytes):
    """The bytes of a text, which need be no UTF-8, as opposed to those of a blob."""


def bundle_uri(path: Path) -> str:
    """Return the address by which SQLite opens a bundle, only to read it."""
    return f"{path.absolute().as_uri()}?mode=ro"


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection to a bundle that can only read it."""
    connection = sqlite3.connect(bundle_uri(path), uri=True, isolation_level=None)
    connection.execute("pragma query_only = on")
    connection.execute("pragma trusted_schema = off")
    return connection


def rows_digest(connection: sqlite3.Connection) -> str:
    """Return the digest of all rows but the manifest and the bytes.

    It is SHA-256 over the tables in order of their names. Of each table come its name and those of its columns, then its
    rows in the order of its primary key. A value is a letter for its type, its length in bytes, `:`, and its
    bytes: `n` null, `i` an integer in decimal digits, `f` a float of eight bytes, big-endian, `s` a text in UTF-8, `b` a blob.
    """
    hashed = sha256()
    before, connection.text_factory = connection.text_factory, _Text
    try:
        names = sorted(
            name.decode()
            for (name,) in connection.execute("select name from sqlite_master where type = 'table'")
            if not name.startswith(b"sqlite_")
        )
        for name in names:
            if name in _UNDIGESTED:
                continue
            columns = connection.execute(f'pragma table_info("{name}")').fetchall()
            keys = sorted((column[5], column[1]) for column in columns if column[5])
            hashed.update(_encoded((_Text(name.encode()), *(column[1] for column in columns))))
            order = ", ".join(f'"{key.decode()}"' for _, key in keys) or "rowid"
            for row in connection.execute(f'select * from "{name}" order by {order}'):
                hashed.update(_encoded(row))
    finally:
        connection.text_factory = before
    return DIGEST_START + hashed.hexdigest()


def seal_manifest(connection: sqlite3.Connection) -> None:
    """Write the digest of a manifest that is complete."""
    row = MANIFEST_DIGEST, dump_value(manifest_digest(connection))
    connection.execute("insert or replace into bundle_manifest values (?, ?)", row)


def manifest_digest(connection: sqlite3.Connection) -> str:
    """Return the digest of what a bundle says of itself, and of how its tables and indexes are defined.

    It is SHA-256 over the rows of `bundle_manifest` but `MANIFEST_DIGEST`, by key, and then `type`, `name`, `tbl_name` and `sql`
    of `sqlite_master`, by type and name; values are written as for `rows_digest`.
    """
    hashed = sha256()
    before, connection.text_factory = connection.text_factory, _Text
    try:
        said = "select key, value from bundle_manifest where key <> ? order by key"
        for row in connection.execute(said, (MANIFEST_DIGEST,)):
            hashed.update(_encoded(row))
        for row in connection.execute(
            "select type, name, tbl_name, sql from sqlite_master order by type, name"
        ):
            hashed.update(_encoded(row))
    finally:
        connection.text_factory = before
    return DIGEST_START + hashed.hexdigest()


def _encoded(row: tuple[bytes | int | float | None, ...]) -> bytes:
    parts = []
    for value in row:
        match value:
            case None:
                parts.append(b"n0:")
            case _Text():
                parts.append(b"s%d:%b" % (len(value), value))
            case bytes():
                parts.append(b"b%d:%b" % (len(value), value))
            case int():
                digits = b"%d" % value
                parts.append(b"i%d:%b" % (len(digits), digits))
            case float():
                parts.append(b"f8:%b" % struct.pack(">d", value))
    return b"".join(parts)
