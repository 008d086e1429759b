"""Removing the bytes that nothing refers to: where stores, their journals and the place of their artifacts meet."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from otel_experiments._opening import open_reader
from otel_experiments.artifacts.place import blobs_for
from otel_experiments.errors import (
    ArtifactDamagedError,
    ArtifactError,
    ArtifactsUnknownError,
    BundleReadOnlyError,
    IncompleteReadWarning,
)
from otel_experiments.model.artifact import ArtifactQuery
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.store.reader_warning import collect_incomplete
from otel_experiments.store.sqlite.bundle_format import is_bundle

if TYPE_CHECKING:
    from otel_experiments.artifacts.protocol import Blobs, BlobStore, Swept

_LARGEST_LIST_BYTES = 64 << 20
"""What is larger, and not said to be a folder, is not read to find out whether it is one."""


def sweep_artifacts(
    location: StoreLocation,
    *,
    address: str | None = None,
    others: Sequence[StoreLocation] = (),
    dry_run: bool = False,
) -> Swept:
    """Remove the blobs that no run logged or used, and what killed writers left; runs may be recorded meanwhile.

    Args:
        location: the store.
        address: where the artifacts are, if not beside the store.
        others: other stores whose artifacts are at that address.
        dry_run: only count.

    Raises:
        StoreError: a store is not there, cannot be read, or is a bundle.
        ArtifactsUnknownError: what is in use cannot be known: something of a store, or the list of a folder, cannot be
            read. Nothing was removed.
        ArtifactsLockedError: a writer holds the lock for longer than we wait.
        ArtifactPlaceError: the place cannot be written.
    """
    path = location.absolute_path
    if path is not None and is_bundle(path):
        raise BundleReadOnlyError(path=str(path))
    blobs = blobs_for(location, address)
    try:
        stores = [location, *others]
        if not dry_run and not _has_unused(blobs, _kept(stores, blobs)):
            return blobs.sweep(lambda: {blob.digest for blob in blobs.digests()}, dry_run=True)
        return blobs.sweep(lambda: _kept(stores, blobs), dry_run=dry_run)
    finally:
        blobs.close()


def _has_unused(blobs: BlobStore, kept: set[str]) -> bool:
    """Tell whether there may be something to remove: if not, no writer has to wait."""
    return any(blob.digest not in kept for blob in blobs.digests()) or any(
        not partial.is_being_written for partial in blobs.partials()
    )


def _kept(stores: Iterable[StoreLocation], blobs: Blobs) -> set[str]:
    """Return the digests that stores refer to, those of the files of folders included."""
    kept: set[str] = set()
    for store in stores:
        kept |= digests_in_use(store, blobs)
    return kept


def digests_in_use(location: StoreLocation, blobs: Blobs) -> set[str]:
    """Return the digests that a store and its journals refer to, those of the files of folders included.

    Raises:
        StoreError: it is not there, or cannot be read.
        ArtifactsUnknownError: something of it, or the list of a folder, cannot be read.
    """
    with warnings.catch_warnings(), collect_incomplete() as told:
        warnings.simplefilter("ignore", IncompleteReadWarning)  # it is an error here
        with open_reader(location) as reader:
            logged = [stored.logged for stored in reader.store.artifacts(ArtifactQuery(role=None))]
            used = {use.digest for use in reader.store.artifact_uses()}
            problems = [*told, *reader.read_problems()]
    if problems:
        raise ArtifactsUnknownError(store=str(location), why=_first_line(problems[0]))
    here = {"", blobs.address}
    digests = {one.digest for one in logged}
    folders = {one.digest for one in logged if one.is_folder and one.place in here}
    perhaps = {digest for digest in used - digests if _may_be_list(digest, blobs)}
    kept = digests | used
    for digest in folders | perhaps:
        kept |= _files_of(digest, blobs, str(location), is_folder=digest in folders)
    return kept


def _may_be_list(digest: str, blobs: Blobs) -> bool:
    return blobs.has(digest) and blobs.size_bytes(digest) <= _LARGEST_LIST_BYTES


def _files_of(digest: str, blobs: Blobs, store: str, *, is_folder: bool) -> set[str]:
    """Return the digests of a folder's files; none for what is no folder."""
    try:
        return {entry.digest for entry in blobs.folder(digest)}
    except ArtifactError as error:
        if is_folder or not isinstance(error, ArtifactDamagedError):
            raise ArtifactsUnknownError(store=store, why=_first_line(error)) from error
        return set()


def _first_line(error: Exception | str) -> str:
    return str(error).partition("\n")[0]
