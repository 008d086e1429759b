"""Removing the bytes that nothing refers to: where stores, their journals and the place of their artifacts meet."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
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


@dataclass(slots=True)
class InUse:
    """What stores refer to: digests, those of the files of folders included, and folders whose list is not in the place."""

    digests: set[str] = field(default_factory=set)
    absent_folders: set[str] = field(default_factory=set)


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
        found = _in_use(stores, blobs)

        def keep() -> set[str]:
            nonlocal found
            found = _in_use(stores, blobs)
            return found.digests

        if not dry_run and not _has_unused(blobs, found.digests):
            swept = blobs.sweep(lambda: {blob.digest for blob in blobs.digests()}, dry_run=True)
        else:
            swept = blobs.sweep(keep, dry_run=dry_run)
        return dataclasses.replace(swept, absent_folder_count=len(found.absent_folders))
    finally:
        blobs.close()


def _has_unused(blobs: BlobStore, kept: set[str]) -> bool:
    """Tell whether there may be something to remove: if not, no writer has to wait."""
    return any(blob.digest not in kept for blob in blobs.digests()) or any(
        not partial.is_being_written for partial in blobs.partials()
    )


def _in_use(stores: Iterable[StoreLocation], blobs: Blobs) -> InUse:
    """Return what all of these stores refer to."""
    found = InUse()
    for store in stores:
        add_in_use(found, store, blobs)
    return found


def add_in_use(found: InUse, location: StoreLocation, blobs: Blobs) -> None:
    """Add what a store and its journals refer to.

    The list of a folder is read where this place has it, whatever the place was called when the folder was logged. A
    folder whose list is not here keeps no other bytes: they are elsewhere, or never came.

    Raises:
        StoreError: it is not there, or cannot be read.
        ArtifactsUnknownError: something of it, or the list of a folder that is here, cannot be read.
    """
    with warnings.catch_warnings(), collect_incomplete() as told:
        warnings.simplefilter("ignore", IncompleteReadWarning)  # it is an error here
        with open_reader(location) as reader:
            logged = [stored.logged for stored in reader.store.artifacts(ArtifactQuery(role=None))]
            used = {use.digest for use in reader.store.artifact_uses()}
            problems = [*told, *reader.read_problems()]
    if problems:
        raise ArtifactsUnknownError(store=str(location), why=_first_line(problems[0]))
    digests = {one.digest for one in logged}
    folders = {one.digest for one in logged if one.is_folder}
    perhaps = {digest for digest in used - digests if _may_be_list(digest, blobs)}
    found.digests |= digests | used
    for digest in folders | perhaps:
        files = _files_of(digest, blobs, str(location), is_folder=digest in folders)
        if files is None:
            found.absent_folders.add(digest)
        else:
            found.digests |= files


def _may_be_list(digest: str, blobs: Blobs) -> bool:
    return blobs.has(digest) and blobs.size_bytes(digest) <= _LARGEST_LIST_BYTES


def _files_of(digest: str, blobs: Blobs, store: str, *, is_folder: bool) -> set[str] | None:
    """Return the digests of a folder's files; none for what is no folder, None where the list is not here."""
    try:
        if not blobs.has(digest):
            return None
        return {entry.digest for entry in blobs.folder(digest)}
    except ArtifactError as error:
        if is_folder or not isinstance(error, ArtifactDamagedError):
            raise ArtifactsUnknownError(store=store, why=_first_line(error)) from error
        return set()


def _first_line(error: Exception | str) -> str:
    return str(error).partition("\n")[0]
