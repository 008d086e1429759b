"""What only a bundle has, read from its file: the manifest, and whether everything in it is as it was made."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Final

from otel_experiments.codec.values import load_value
from otel_experiments.errors import ArtifactError, NewerBundleError, StoreDamagedError
from otel_experiments.model.bundle import BundleManifest, LeftOut
from otel_experiments.model.run import is_run_id
from otel_experiments.process.interruption import is_interruption
from otel_experiments.store.sqlite.bundle_format import (
    FORMAT_VERSION,
    MANIFEST_DIGEST,
    TABLES,
    connect,
    manifest_digest,
    rows_digest,
)
from otel_experiments.store.sqlite.bundle_header import GET_IT_AGAIN
from otel_experiments.store.sqlite.schema import MIGRATIONS

_NOT_READABLE: Final = (sqlite3.DatabaseError, ValueError, TypeError, KeyError)


def check_bundle(connection: sqlite3.Connection, path: str) -> None:
    """Let a bundle pass that this release reads, and whose tables are those that a bundle has.

    Raises:
        NewerBundleError: its format is of a newer release.
        StoreDamagedError: there are other tables in it, or things that run by themselves.
    """
    try:
        (found,) = connection.execute(
            "select value from bundle_manifest where key = 'format_version'"
        ).fetchone()
        version = int(found)
    except _NOT_READABLE as error:
        if is_interruption(error) or _is_about_file(error):
            raise
        raise _damaged(path, "it has no manifest") from error
    if version > FORMAT_VERSION:
        raise NewerBundleError(path=path, found=version, supported=FORMAT_VERSION)
    schema = "select type, name from sqlite_master where type in ('trigger', 'view') order by name"
    for kind, name in connection.execute(schema):
        raise _damaged(path, f"it holds the {kind} {name!r}, which no bundle has")


def check_tables(connection: sqlite3.Connection, path: str, version: int) -> None:
    """Let a bundle pass whose tables and columns are those of the schema that it says it has.

    Raises:
        StoreDamagedError: a table or a column is missing, or another one.
    """
    found, expected = _columns(connection), _expected_columns(version)
    for name in sorted({*found, *expected}):
        if found.get(name) != expected.get(name):
            raise _damaged(path, f"its table {name!r} is not that of a bundle")


def left_out_of(path: Path) -> dict[str, LeftOut]:
    """Return which bytes a bundle names and does not hold, by digest.

    Raises:
        StoreDamagedError: its manifest cannot be read.
    """
    return {one.digest: one for one in read_manifest(path).left_out}


def read_manifest(path: Path) -> BundleManifest:
    """Return what a bundle says of itself.

    Raises:
        StoreDamagedError: its manifest cannot be read.
    """
    try:
        with closing(connect(path)) as connection:
            return _manifest(connection)
    except _NOT_READABLE as error:
        if is_interruption(error):
            raise
        raise _damaged(str(path), f"its manifest cannot be read ({error})") from error


def find_damage(path: Path) -> list[str]:
    """Return what of a bundle no release made so, one text each: its rows, ids in them, and each of its files."""
    rows = find_damaged_rows(path)
    found = [rows] if rows else []
    try:
        with closing(connect(path)) as connection:
            found += _strange_ids(connection)
            digests = [
                digest for (digest,) in connection.execute("select digest from bundle_blobs order by blob_id")
            ]
    except _NOT_READABLE as error:
        if is_interruption(error):
            raise
        return [f"it cannot be read ({error})"]
    from otel_experiments.store.sqlite.bundle_blobs import BundleBlobs  # noqa: PLC0415 - who opens a bundle does without

    blobs = BundleBlobs(path)
    for digest in digests:
        try:
            blobs.verify(digest)
        except ArtifactError:
            found.append(f"the bytes of {digest} are others")
    return found


def find_damaged_rows(path: Path) -> str:
    """Return why what a bundle holds beside bytes is not what it was made with; empty where it is."""
    try:
        with closing(connect(path)) as connection:
            manifest = _manifest(connection)
            if manifest_digest(connection) != _said(connection).get(MANIFEST_DIGEST):
                return "what it says of itself is not what it was made with"
            if rows_digest(connection) != manifest.rows_digest:
                return "its rows are not those that it was made with"
            return _broken(connection)
    except _NOT_READABLE as error:
        if is_interruption(error):
            raise
        return f"it cannot be read ({error})"


def _broken(connection: sqlite3.Connection) -> str:
    """Return what SQLite finds wrong in the file, e.g. an index that misses a row; empty where there is nothing."""
    connection.text_factory = _shown
    found = [text for (text,) in connection.execute("pragma integrity_check(1)")]
    connection.text_factory = str
    return (
        "" if found == ["ok"] else f"its file is not whole ({found[0] if found else 'nothing can be said'})"
    )


def _shown(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _strange_ids(connection: sqlite3.Connection) -> list[str]:
    """Return which run ids cannot be any: a digest is made anew as easily as a row."""
    found = []
    for name, columns in _columns(connection).items():
        if any(column == "run_id" for column, *_ in columns):
            counts = connection.execute(
                f"select run_id, count(*) from \"{name}\" where run_id <> '' group by run_id"
            )
            found += [
                f"the run id {run_id!r:.80} of {count} row{'s' * (count != 1)} in {name!r} is not 32 hexadecimal digits"
                for run_id, count in counts
                if not is_run_id(run_id)
            ]
    return found


def _manifest(connection: sqlite3.Connection) -> BundleManifest:
    values = _said(connection)
    left_out = connection.execute(
        "select digest, name, size_bytes, why from bundle_left_out order by name, digest"
    )
    return BundleManifest(
        format_version=int(str(values["format_version"])),
        product_version=str(values["product_version"]),
        schema_url=str(values["schema_url"]),
        created_ns=int(str(values["created_ns"])),
        run_count=int(str(values["run_count"])),
        live_run_ids=tuple(map(str, _list(values["live_run_ids"]))),
        blob_count=int(str(values["blob_count"])),
        blob_size_bytes=int(str(values["blob_size_bytes"])),
        rows_digest=str(values["rows_digest"]),
        left_out=tuple(LeftOut(*row) for row in left_out),
    )


def _said(connection: sqlite3.Connection) -> dict[str, object]:
    rows = connection.execute("select key, value from bundle_manifest")
    return {key: load_value(value) for key, value in rows}


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError(f"a list was expected, {value!r:.80} was found")
    return value


@cache
def _expected_columns(version: int) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(":memory:")) as expected:
        for statement in (*chain.from_iterable(MIGRATIONS[:version]), *TABLES):
            expected.execute(statement)
        return _columns(expected)


def _columns(connection: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    found = connection.execute("select name from sqlite_master where type = 'table'")
    names = [
        str(name) for (name,) in found if not str(name).startswith("sqlite_")
    ]  # a changed one may be a blob
    return {
        name: connection.execute("select name, type, pk from pragma_table_info(?)", (name,)).fetchall()
        for name in names
    }


def _is_about_file(error: Exception) -> bool:
    return isinstance(error, sqlite3.Error) and "no such table" not in str(error)


def _damaged(path: str, found: str) -> StoreDamagedError:
    return StoreDamagedError(path=path, found=found, fix=GET_IT_AGAIN)
