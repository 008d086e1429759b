"""Removing the bytes that nothing refers to: where stores, their journals and the place of their artifacts meet."""

from __future__ import annotations

import dataclasses
import os
import platform
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from otel_experiments._opening import open_reader
from otel_experiments.artifacts.place import blobs_for
from otel_experiments.errors import (
    ArtifactDamagedError,
    ArtifactError,
    ArtifactsUnknownError,
    BundleReadOnlyError,
    ConfigurationError,
    IncompleteReadWarning,
    StoreError,
)
from otel_experiments.model.artifact import ArtifactQuery
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.store.reader_warning import collect_incomplete
from otel_experiments.store.sqlite.bundle_header import is_bundle

if TYPE_CHECKING:
    from otel_experiments.artifacts.protocol import Blobs, BlobStore, Swept, UsingStore

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
    forgotten: Sequence[str] = (),
    dry_run: bool = False,
) -> Swept:
    """Remove the blobs that no run logged or used, and what killed writers left; runs may be recorded meanwhile.

    Args:
        location: the store.
        address: where the artifacts are, if not beside the store.
        others: stores that are read beside those that have kept bytes there, which are noted there.
        forgotten: paths of stores that are noted there, and are not asked any more.
        dry_run: only count.

    Raises:
        StoreError: the store, or one of `others`, is not there, cannot be read, or is a bundle.
        ConfigurationError: one of `forgotten` is not noted there.
        ArtifactsUnknownError: what is in use cannot be known: something of a store, or the list of a folder, cannot be
            read, or a store that has kept bytes there is gone. Nothing was removed.
        ArtifactsLockedError: a writer holds the lock for longer than we wait.
        ArtifactPlaceError: the place cannot be written.
    """
    path = location.absolute_path
    if path is not None and is_bundle(path):
        raise BundleReadOnlyError(path=str(path))
    blobs = blobs_for(location, address)
    found = InUse()
    sharing: list[StoreLocation] = []
    try:
        forget = [_noted(blobs, store) for store in forgotten]

        def keep() -> set[str]:
            for store in (location, *others):
                add_in_use(found, store, blobs)
            left_out = {*map(_real_path, (location, *others)), *(one.path for one in forget)}
            sharing.extend(_sharing(blobs, left_out))
            for store in sharing:
                _add_other(found, store, blobs)
            return found.digests

        swept = blobs.sweep(keep, dry_run=dry_run)
        for one in forget:
            if not dry_run:
                blobs.forget(one)
    finally:
        blobs.close()
    return dataclasses.replace(
        swept, absent_folder_count=len(found.absent_folders), other_stores=tuple(map(str, sharing))
    )


def _real_path(location: StoreLocation) -> str:
    path = location.absolute_path
    return "" if path is None else os.path.realpath(path)


def _noted(blobs: BlobStore, store: str) -> UsingStore:
    """Return the note of a store that is given as it was named, or as a path.

    Raises:
        ConfigurationError: there is none.
    """
    users = blobs.users()
    wanted = {store, os.path.realpath(store)}
    for user in users:
        if user.path in wanted:
            return user
    noted = ", ".join(repr(user.path) for user in users) or "none"
    raise ConfigurationError(
        f"The store {store!r} cannot be forgotten: it has kept no bytes in {blobs.address!r}. Stores that have: {noted}.\n"
        "  Name one of them: otel-experiments gc --forget STORE"
    )


def _sharing(blobs: BlobStore, left_out: set[str]) -> list[StoreLocation]:
    """Return the stores that have kept bytes in a place, but for some.

    Raises:
        ArtifactsUnknownError: one of them is not here.
    """
    found: dict[str, StoreLocation] = {}
    for user in blobs.users():
        if user.path in left_out:
            continue
        if not user.is_here:
            where = "" if user.host == platform.node() else f" (on the machine {user.host!r})"
            raise ArtifactsUnknownError(
                store=user.path,
                why=f"it has kept bytes in {blobs.address!r}{where}, and is not here.",
                fix=f"If it was moved, name where it is now, and forget where it was: otel-experiments gc --also STORE "
                f"--forget {user.path}\n  If it was deleted: otel-experiments gc --forget {user.path}",
            )
        found[user.path] = StoreLocation("file", Path(user.path))
    return list(found.values())


def _add_other(found: InUse, location: StoreLocation, blobs: Blobs) -> None:
    """Add what a store refers to that was not named; raises ArtifactsUnknownError where it cannot be read."""
    try:
        add_in_use(found, location, blobs)
    except StoreError as error:
        raise ArtifactsUnknownError(store=str(location), why=_first_line(error)) from error


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
