"""A store with all that was recorded for it: journals merged into it, or gathered in memory where it takes nothing.

Reading never ends in a part of the data that looks like the whole: what could be brought in neither way is
returned as a text that says how much it is, and why.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Final

from otel_experiments.collect.backlog import Backlog, measure_backlog
from otel_experiments.collect.journal_place import has_segments, journal_directory
from otel_experiments.collect.merge import JournalMerger, MergeReport, refuse_received
from otel_experiments.errors import StoreError, StoreNotFoundError, StoreReadOnlyError
from otel_experiments.model.batch import Unpack
from otel_experiments.model.other_stores import without_password
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.notice import tell
from otel_experiments.process.paths import is_folder, is_there
from otel_experiments.store.location import open_store
from otel_experiments.store.protocol import Store
from otel_experiments.store.sqlite.store import SqliteStore, upgraded_copy

logger: Final = logging.getLogger("otel_experiments")

MOST_COPIED_BYTES: Final = 1 << 30
"""How large a store is copied into memory to be read together with journals that it does not take."""

_LOCK_WAIT_S: Final = 2.0
_QUIET_S: Final = 5.0
"""A merge that takes longer is said: somebody waits for it."""


def read_whole(store: Store, *, unpack: Unpack = refuse_received) -> tuple[Store, list[str]]:
    """Return a store with everything that `store`, a file, and its journals hold, and what is to be said about it.

    It is `store` itself where the journals can be merged into it (through a connection of its own where it is
    open for reading only), else a copy in memory. `store` stays open: whoever opened it may be recording into it.
    `unpack` reads the requests that a receiver of OTLP has journalled, here as in what follows.
    """
    path = Path(store.location)
    directory = journal_directory(path)
    backlog = measure_backlog(directory, store.journal_offset)
    if not backlog.journal_count and not backlog.gone_count:
        return store, _unreadable(backlog, store.location)
    try:
        return store, merge_journals(path, unpack=unpack)
    except (StoreError, OSError) as error:
        if is_interruption(error):
            raise
        return _beside(store, directory, error, unpack)


def merge_journals(path: Path, *, unpack: Unpack = refuse_received) -> list[str]:
    """Bring into the store at `path` what processes have recorded and not stored; return what is damaged.

    It takes the journals of processes that are gone, and what those that live have written so far, however long
    that takes. A store that nobody records into holds everything in its one file afterwards.

    Raises:
        StoreError: the store takes nothing now (locked, read-only, full disk); the journals keep everything.
    """
    directory = journal_directory(path)
    if not has_segments(directory):
        return []
    store = open_store(path, busy_timeout_s=_LOCK_WAIT_S)
    try:
        report = _merge(JournalMerger(store, directory, unpack=unpack), str(path))
    finally:
        try:
            if not has_segments(directory):  # however the merge ended
                store.settle()
        finally:
            store.close(settles=False)
    return report.damages


def merge_waiting(store: Store, directory: Path, *, unpack: Unpack = refuse_received) -> list[str]:
    """Bring into a store elsewhere what processes of this machine have recorded for it; return what is to be said.

    A store that takes nothing now is read as it is.
    """
    shown = without_password(store.location)
    try:
        return _merge(JournalMerger(store, directory, unpack=unpack), shown).damages
    except (StoreError, OSError) as error:
        if is_interruption(error):
            raise
        try:
            backlog = measure_backlog(directory, store.journal_offset)
        except StoreError:
            first = str(error).partition("\n")[0]
            lack = f"What is read from {shown!r} is not whole: journals in {str(directory)!r} were not merged. {first}"
            return [f"{lack}\n  Nothing is lost: read again when that has changed."]
        return [_lacks(shown, backlog, error, error), *_unreadable(backlog, shown)]


def settle_store(path: Path) -> None:
    """Bring what a process that is gone left in the write-ahead log into the store's one file, if that can be done."""
    try:
        with open_store(path, create=False, busy_timeout_s=0.1) as store:
            store.settle()
    except (StoreError, OSError) as error:
        if is_interruption(error):
            raise
        return  # it reads as well from the log


def gather_journals(path: Path, *, unpack: Unpack = refuse_received) -> tuple[Store, list[str]]:
    """Return a store in memory with everything that the journals beside `path` hold, and what is damaged.

    For a store on a network filesystem, where nobody writes SQLite and the journals stay.

    Raises:
        StoreNotFoundError: there are no journals.
    """
    location = str(path)
    directory = journal_directory(path)
    if not is_folder(directory):
        raise StoreNotFoundError(path=location)
    gathered = SqliteStore(None)
    damages = _gather(gathered, directory, location, unpack).damages
    gathered.number_versions_by_time()  # the order of the journals is that of their names, which says nothing
    return gathered, damages + _unreadable(measure_backlog(directory, gathered.journal_offset), location)


def read_older(path: Path, *, unpack: Unpack = refuse_received) -> tuple[Store, list[str]]:
    """Return a store in memory with what an older release's store and its journals hold, where it may not be written.

    Raises:
        StoreError: it cannot be read, or is too large to be copied.
    """
    location = str(path)
    if path.stat().st_size > MOST_COPIED_BYTES:
        raise StoreReadOnlyError(path=location, action="be upgraded to this release's schema")
    copy = upgraded_copy(path)
    directory = journal_directory(path)
    damages = _gather_into(copy, directory, location, unpack).damages
    return copy, damages + _unreadable(measure_backlog(directory, copy.journal_offset), location)


def _beside(store: Store, directory: Path, why: Exception, unpack: Unpack) -> tuple[Store, list[str]]:
    """Return a copy in memory with the journals' contents, or the store as it is and what it lacks."""
    copy: SqliteStore | None = None
    try:
        copy = _copy(store)
        damages = _gather_into(copy, directory, store.location, unpack).damages
    except (StoreError, OSError, MemoryError) as error:
        if is_interruption(error):
            raise
        if copy is not None:
            copy.close()
        backlog = measure_backlog(directory, store.journal_offset)
        return store, [_lacks(store.location, backlog, why, error), *_unreadable(backlog, store.location)]
    rest = measure_backlog(directory, copy.journal_offset)
    return copy, damages + _unreadable(rest, store.location)


def _copy(store: Store) -> SqliteStore:
    path = Path(store.location)
    size_bytes = path.stat().st_size if is_there(path) else 0
    if not isinstance(store, SqliteStore) or size_bytes > MOST_COPIED_BYTES:
        raise MemoryError(f"{size_bytes} bytes are too many to be copied into memory")
    return store.copied_to_memory()


def _gather_into(copy: SqliteStore, directory: Path, location: str, unpack: Unpack) -> MergeReport:
    """Gather beside what a store holds: versions of artifacts that it has numbered keep their numbers."""
    copy.keep_version_numbers()
    report = _gather(copy, directory, location, unpack)
    copy.number_versions_by_time()
    return report


def _gather(gathered: Store, directory: Path, location: str, unpack: Unpack) -> MergeReport:
    return _merge(JournalMerger(gathered, directory, keeps_segments=True, unpack=unpack), location)


def _merge(merger: JournalMerger, location: str) -> MergeReport:
    try:
        report = merger.merge(scope="all", deadline_s=time.monotonic() + _QUIET_S)
        if report.is_cut:
            tell(
                logger,
                "Much was recorded into %r that is not stored yet: it is stored before anything is read. "
                "This has no time limit; Ctrl-C ends it and loses nothing.",
                location,
            )
            damages = report.damages
            report = merger.merge(scope="all")
            report.damages[:0] = damages
        return report
    finally:
        merger.close()


def _lacks(location: str, backlog: Backlog, why: Exception, error: Exception) -> str:
    first = str(why).partition("\n")[0]
    second = (
        "" if error is why else f" They could not be gathered in memory either: {str(error) or 'it is full'}."
    )
    return (
        f"What is read from {location!r} is not whole: {backlog} were not merged. {first}{second}\n"
        "  Nothing is lost: read again when that has changed."
    )


def _unreadable(backlog: Backlog, location: str) -> list[str]:
    return [
        f"What is read from {location!r} may not be whole: a journal cannot be read. {text}.\n"
        "  Ask for the right to read it: otel-experiments doctor"
        for text in backlog.unreadable
    ]
