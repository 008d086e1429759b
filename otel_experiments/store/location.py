"""From where a store is to an open one."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

from otel_experiments.model.store_location import StoreLocation
from otel_experiments.store.sqlite.bundle_header import is_bundle
from otel_experiments.store.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from otel_experiments.artifacts.protocol import Blobs
    from otel_experiments.store.protocol import Store


def open_store(
    location: str | PathLike[str] | StoreLocation,
    *,
    read_only: bool = False,
    create: bool = True,
    busy_timeout_s: float = 5.0,
    file_mode: int | None = None,
) -> Store:
    """Return the store at `location`, made there when it is missing. Opening changes nothing of what is there.

    Units: `busy_timeout_s` is how long a write waits for another process, in seconds.

    Args:
        location: a path, `sqlite://PATH`, `file:PATH`, `:memory:` or `sqlite://:memory:` (SQLite in memory), or
            `memory://` (plain Python); or `SCHEME://...` of a package that adds the scheme. What follows
            is for our own.
        read_only: open for reading; works while another process writes, and makes no file. A store that an older
            release wrote is brought up to this release's schema, as it is when it is opened for writing.
        create: make the store (and its folders) when it is missing.
        busy_timeout_s: see above.
        file_mode: who may read and write a file that is made, such as 0o660; by default the owner alone, or whom
            the journals beside it are for. A file that is there keeps its mode.

    Raises:
        StorePathError: an unknown scheme, a word that is no path, a directory, a place that may not be written.
        StoreNotFoundError: nothing is there and nothing may be made.
        NotAStoreError: the file is something else.
        NewerSchemaError: a newer release wrote it.
        StoreReadOnlyError: an older release wrote it, and this process may not write it.
        StoreLockedError: another process held it for too long.
    """
    where = location if isinstance(location, StoreLocation) else StoreLocation.parse(location)
    where.require_store()
    if where.kind == "memory":
        from otel_experiments.store.memory.store import MemoryStore  # noqa: PLC0415 - 20 ms that few need

        return MemoryStore(read_only=read_only)
    if where.kind == "other":
        from otel_experiments.store.other import open_other_store  # noqa: PLC0415 - few have one

        return open_other_store(where.address)
    if where.path is None:
        return SqliteStore(None, busy_timeout_s=busy_timeout_s)
    return SqliteStore(
        where.path, read_only=read_only, create=create, busy_timeout_s=busy_timeout_s, file_mode=file_mode
    )


def open_blobs(location: StoreLocation, address: str = "") -> Blobs:
    """Return what reads the bytes of a store's artifacts: those in a bundle, at an address, or beside the store's file.

    A bundle has its bytes, or has not: no other place that it names is looked at.

    Raises:
        StorePathError: there is no store (`none`).
    """
    path = location.absolute_path
    if path is not None and is_bundle(path):
        from otel_experiments.store.sqlite.bundle_blobs import BundleBlobs  # noqa: PLC0415 - few read one

        return BundleBlobs(path)
    from otel_experiments.artifacts.place import blobs_for  # noqa: PLC0415 - few readers need bytes

    return blobs_for(location, address or None)
