"""From where a store is to a store, open for reading, with all that was recorded for it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from otel_experiments.collect.journal_place import damaged_journals, has_segments, journal_directory
from otel_experiments.errors import StoreError, StoreIncompleteError, StoreNotFoundError, StoreReadOnlyError
from otel_experiments.journal.names import DAMAGED_SUFFIX, SEGMENT_SUFFIX
from otel_experiments.model.other_stores import without_password
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.paths import is_regular
from otel_experiments.store import open_store
from otel_experiments.store.filesystem import is_network_filesystem
from otel_experiments.store.sqlite.bundle_header import is_bundle

if TYPE_CHECKING:
    from otel_experiments.model.batch import Unpack
    from otel_experiments.store import Store

WHOLE_TEXT = "What is read from "
"""What a note begins with that needs nothing before it to be understood."""

_COPIED = (
    WHOLE_TEXT
    + "{path!r} may not be whole: the file was copied while a process recorded into it, or after it "
    "was killed, without {path}-wal and {path}.journals beside it.\n"
    "  Copy all three again, or read the original once (otel-experiments runs): then the one file holds all."
)


def open_collected(
    where: StoreLocation, *, unpack: Unpack, is_network: bool | None = None
) -> tuple[Store, list[str]]:
    """Return the store at `where` with all that was recorded for it, and what is to be said about it.

    What processes have recorded and not stored is merged first, or gathered in memory where the store takes
    nothing (locked, read-only, full disk). `unpack` reads the requests that a receiver of OTLP has journalled.

    `is_network`: whether the store lies on a network filesystem; found out when not given. There the journals
    are the truth, and what they hold is gathered in memory.

    Raises:
        StoreNotFoundError: there is no store.
        StoreIncompleteError: there is the beginning of one, copied without the rest.
        StoreError: it cannot be read: not ours, newer than this release, locked.
    """
    path = where.path
    if where.kind == "other":
        return with_waiting(open_store(where), where, unpack)
    if path is None:
        return open_store(where, read_only=True), []
    if is_bundle(path):
        return open_bundle(path)
    if is_network_filesystem(path.parent) if is_network is None else is_network:
        from otel_experiments.collect.gather import gather_journals  # noqa: PLC0415 - as below

        return gather_journals(path, unpack=unpack)
    return _local_store(path, unpack)


def open_bundle(path: Path) -> tuple[Store, list[str]]:
    """Return the store that a bundle is: nothing is recorded for it, wherever it lies.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        return open_store(path, read_only=True, create=False), []
    except (
        StoreReadOnlyError
    ):  # an older release's, which is brought to the newest schema in a temporary file
        from otel_experiments.store.sqlite.bundle_upgrade import upgraded_bundle  # noqa: PLC0415 - few need it

        return upgraded_bundle(path), []


def collected(store: Store, *, unpack: Unpack) -> tuple[Store, list[str]]:
    """Return a store that this process has open with what others have recorded for it, and what is to be said.

    `unpack`: as for `open_collected`.
    """
    where = StoreLocation.parse(store.location)
    path = where.path
    if where.kind == "other":
        return with_waiting(store, where, unpack)
    if path is None or not is_regular(path) or not has_segments(journal_directory(path)):
        return store, []
    from otel_experiments.collect.gather import read_whole  # noqa: PLC0415 - as below

    return read_whole(store, unpack=unpack)


def with_waiting(store: Store, where: StoreLocation, unpack: Unpack) -> tuple[Store, list[str]]:
    """Return a store elsewhere with what processes of this machine have recorded for it, and what it lacks."""
    beside = where.beside
    if beside is None:
        return store, []
    directory, notes = journal_directory(beside), []
    if has_segments(directory):
        from otel_experiments.collect.gather import merge_waiting  # noqa: PLC0415 - as below

        notes = merge_waiting(store, directory, unpack=unpack)
    if any(report.is_open for report in store.journal_reports()):
        from otel_experiments.collect.journal_reports import held_elsewhere, settle_reports  # noqa: PLC0415 - as below

        with suppress(StoreError):  # it takes nothing now: a later reader says it
            settle_reports(store, directory)
        notes += held_elsewhere(store, directory, shown=without_password(store.location), begin=WHOLE_TEXT)
    return store, notes


def earlier_damages(where: StoreLocation, *, noted: Sequence[str] = ()) -> list[str]:
    """Return what earlier merges could not read of the journals beside a store, one text each.

    `noted`: texts about the merge of this reader; the journals that they name are left out.
    """
    path = where.beside
    if path is None or not (where.address or is_regular(path)):
        return []
    names = [name for name in damaged_journals(journal_directory(path)) if not _is_named(name, noted)]
    if not names:
        return []
    is_one = len(names) == 1
    journals = f"the journal {names[0]}" if is_one else f"{len(names)} journals, {names[0]} first,"
    end = "the file is" if is_one else "the files are"
    lack = f"{WHOLE_TEXT}{str(where)!r} may not be whole: an earlier merge could not read all of {journals} beside it."
    return [f"{lack}\n  This warning ends when {end} gone: otel-experiments doctor"]


def _is_named(damaged_journal: str, texts: Sequence[str]) -> bool:
    name = damaged_journal.removesuffix(DAMAGED_SUFFIX).removesuffix(SEGMENT_SUFFIX) + SEGMENT_SUFFIX
    return any(name in text for text in texts)


def _local_store(path: Path, unpack: Unpack) -> tuple[Store, list[str]]:
    # Opened first: a store that is not ours is said before any journal is touched.
    log_bytes = _size(f"{path}-wal")
    try:
        store = open_store(path, read_only=True, create=False)
    except (StoreNotFoundError, StoreIncompleteError):  # deleted, perhaps, while a process recorded into it
        if not has_segments(journal_directory(path)):
            raise
        return _recorded_store(path, unpack)
    except StoreReadOnlyError:  # an older release's, which this user may not bring up to the newest schema
        from otel_experiments.collect.gather import read_older  # noqa: PLC0415 - as below

        return read_older(path, unpack=unpack)
    if not has_segments(journal_directory(path)):
        if log_bytes:
            from otel_experiments.collect.gather import settle_store  # noqa: PLC0415 - after a kill only

            settle_store(path)
        elif lacks_its_rest(path, store):
            return store, [_COPIED.format(path=str(path))]
        return store, []
    from otel_experiments.collect.gather import read_whole  # noqa: PLC0415 - 6 ms, if nothing is to be merged

    whole, notes = read_whole(store, unpack=unpack)
    if whole is not store:
        store.close()
    return whole, notes


def lacks_its_rest(path: Path, store: Store) -> bool:
    """Return whether the store's file was copied without what lay beside it.

    Its mark alone does not say so while a process begins to record, which sets it, or ends, which takes it away. So both
    are looked at twice, in turn.
    """
    return not (
        _has_rest(path) or store.is_settled or _has_rest(path) or store.is_settled
    )  # fmt: skip


def _has_rest(path: Path) -> bool:
    return bool(_size(f"{path}-wal")) or has_segments(journal_directory(path))


def _recorded_store(path: Path, unpack: Unpack) -> tuple[Store, list[str]]:
    """Return a store that is made of journals alone: in its file, or in memory where none can be made."""
    from otel_experiments.collect.gather import gather_journals, merge_journals  # noqa: PLC0415 - as above

    try:
        damages = merge_journals(path, unpack=unpack)
        return open_store(path, read_only=True, create=False), damages
    except (StoreError, OSError) as error:
        if is_interruption(error):
            raise
        return gather_journals(path, unpack=unpack)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - no Path need be made of it
    except (OSError, ValueError) as error:
        if is_interruption(error):
            raise
        return 0
