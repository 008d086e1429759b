"""What a bundle is: a store's tables, those of its manifest and of bytes, and a header that tells it from a store.

The application id in the header is its own, so that neither this program nor another takes a bundle for a store that can be
recorded into. `rows_digest` and `manifest_digest` define the digests of what it holds, whatever the layout of the file.
"""

from __future__ import annotations

import sqlite3
import struct
from hashlib import sha256
from pathlib import Path
from typing import Final

from otel_experiments.codec.values import dump_value
from otel_experiments.model.artifact import DIGEST_START
from otel_experiments.process.held_files import is_held
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.paths import is_regular
from otel_experiments.store.filesystem import file_id

BUNDLE_APPLICATION_ID: Final = 0x6F78_424E
"""`oxBN` in SQLite's header."""
FORMAT_VERSION: Final = 1
CHUNK_BYTES: Final = 1 << 20
"""So many bytes of an artifact are in one row."""
MANIFEST_DIGEST: Final = "manifest_digest"
"""The key of the manifest's row that has the digest of the others."""
GET_IT_AGAIN: Final = (
    "Get the bundle again from where it was made, or let otel-experiments bundle make it anew."
)
"""What to do with one that is not as it was made."""

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
_HEADER: Final = struct.Struct(">16x H 10x I 36x I 28x")
"""Size of a page, count of pages, application id. Source: sqlite.org/fileformat2.html, section 1.3."""
HEADER_BYTES: Final = _HEADER.size
_LARGEST_PAGE_BYTES: Final = 65_536
"""What the size 1 in the header stands for."""


class _Text(bytes):
    """The bytes of a text, which need be no UTF-8, as opposed to those of a blob."""


def is_bundle_header(header: bytes) -> bool:
    """Tell whether a SQLite file that begins so is a bundle."""
    return len(header) >= HEADER_BYTES and _HEADER.unpack_from(header)[2] == BUNDLE_APPLICATION_ID


def is_bundle(path: Path) -> bool:
    """Tell whether the file is a bundle, whatever it is called; False where it cannot be read."""
    try:
        if not is_regular(path) or is_in_use_here(path):  # a pipe would be waited for
            return False
        with path.open("rb") as file:
            return is_bundle_header(file.read(HEADER_BYTES))
    except (OSError, ValueError) as error:
        if is_interruption(error):
            raise
        return False


def is_in_use_here(path: Path, *, besides: object = None) -> bool:
    """Tell whether this process has a store open that is at the path: then its file must not be opened and closed.

    `besides`: an object that has it open and does not count.
    """
    file = file_id(path)
    return file is not None and is_held(file, besides=besides)


def expected_size_bytes(header: bytes) -> int:
    """Return how large the file has to be that begins so."""
    page_bytes, page_count, _ = _HEADER.unpack_from(header)
    return int(page_count) * (_LARGEST_PAGE_BYTES if page_bytes == 1 else int(page_bytes))


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
