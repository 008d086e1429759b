"""Where the bytes of a store's artifacts are: beside its file, unless an address says otherwise."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from otel_experiments.artifacts.local_store import LocalBlobStore
from otel_experiments.artifacts.protocol import BlobStore
from otel_experiments.artifacts.using_stores import FOLDER_SUFFIX
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.process.paths import real_path
from otel_experiments.process.temporary import TemporaryFolder

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


_temporary: list[TemporaryFolder] = []
"""That of the stores in memory of this process: one for all of them, since bytes are known by their digest."""


def artifacts_directory(store_path: Path) -> Path:
    """Return where the artifacts of a store file lie: beside the file itself, whatever links lead to it."""
    path = Path(real_path(store_path))
    return path.with_name(path.name + FOLDER_SUFFIX)


def blobs_for(
    location: StoreLocation, address: str | None = None, *, file_mode: int = 0o600, sync: bool = False
) -> BlobStore:
    """Return the place of a store's artifacts; nothing is made before something is put.

    Args:
        location: the store. One elsewhere has a folder of this machine. One in memory has a temporary folder that goes with the process; a child that is forked
            after this was called has the same one.
        address: a folder or an URL that is used instead.
        file_mode: who may read local files, as the store's own.
        sync: have bytes on the disk before they get their name, against a loss of power.

    Raises:
        StorePathError: there is no store (`none`).
        MissingPackageError: an URL needs a package that is not installed.
    """
    if address and (scheme := _SCHEME.match(address)) and scheme[1].lower() not in {"file", "local"}:
        from otel_experiments.artifacts.remote import RemoteBlobs  # noqa: PLC0415 - few have an URL

        return RemoteBlobs(address, store=location.absolute_path)
    store = location.absolute_path
    if address:
        if scheme:
            from urllib.parse import unquote  # noqa: PLC0415 - as above

            folder = Path(unquote(address[scheme.end() :]))
        else:
            folder = Path(address).expanduser()
        return LocalBlobStore(folder, address=address, file_mode=file_mode, sync=sync, store=store)
    location.require_store()
    if store is not None:
        return LocalBlobStore(artifacts_directory(store), file_mode=file_mode, sync=sync, store=store)
    beside = location.beside
    if beside is not None:  # of a store elsewhere: beside its journals on this machine
        return LocalBlobStore(artifacts_directory(beside), file_mode=file_mode, sync=sync)
    if not _temporary:
        _temporary.append(TemporaryFolder())
    return LocalBlobStore(_temporary[0].path / "artifacts", file_mode=file_mode, sync=sync)
