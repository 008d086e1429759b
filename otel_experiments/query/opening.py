"""From where a store is to a reader over all that was recorded for it."""

from __future__ import annotations

import os
from pathlib import Path

from otel_experiments.collect.journal_place import has_segments, journal_directory, local_path
from otel_experiments.errors import (
    IncompleteReadWarning,
    StoreError,
    StoreIncompleteError,
    StoreNotFoundError,
    StoreReadOnlyError,
)
from otel_experiments.model.store_address import SQLITE
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.paths import is_regular
from otel_experiments.query.reader import Reader
from otel_experiments.store import UNSETTLED, Store, open_store
from otel_experiments.store.filesystem import is_network_filesystem
from otel_experiments.store.reader_warning import warn_reader

_BEGINNING = "What is read from "
_KEPT = "What is readable around it is there; the file is kept: otel-experiments doctor"
_COPIED = (
    "What is read from {path!r} may not be whole: the file was copied while a process recorded into it, or after it "
    "was killed, without {path}-wal and {path}.journals beside it.\n"
    "  Copy all three again, or read the original once (otel-experiments runs): then the one file holds all."
)


def open_reader(location: str | Path, *, is_network: bool | None = None) -> Reader:
    """Return a reader over the store at `location`: a path, `sqlite://PATH` or `memory://`.

    What processes have recorded and not stored is merged first, or gathered in memory where the store takes
    nothing (locked, read-only, full disk); an `IncompleteReadWarning` says what could be had neither way.

    `is_network`: whether the store lies on a network filesystem; found out when not given. There the journals
    are the truth, and what they hold is gathered in memory.

    Raises:
        StoreNotFoundError: there is no store.
        StoreIncompleteError: there is the beginning of one, copied without the rest.
        StoreError: it cannot be read: not ours, newer than this release, locked.
    """
    text = str(location)
    path = local_path(text)
    if is_network is None:
        is_network = is_network_filesystem(path.parent)
    store, notes = _network_store(text) if is_network else _local_store(text, path)
    reader = Reader(store, notes=notes, location=text.removeprefix(SQLITE))
    _tell(reader)
    return reader


def reader_over(store: Store) -> Reader:
    """Return a reader over a store that this process has open, with what others have recorded for it."""
    path = Path(store.location)
    directory = journal_directory(path)
    if not is_regular(path) or not has_segments(directory):
        return Reader(store)
    from otel_experiments.collect.gather import read_whole  # noqa: PLC0415 - as below

    whole, notes = read_whole(store, directory)
    reader = Reader(whole, notes=notes, location=store.location)
    _tell(reader)
    return reader


def _network_store(location: str) -> tuple[Store, list[str]]:
    from otel_experiments.collect.gather import gather_journals  # noqa: PLC0415 - as below

    return gather_journals(location)


def _local_store(location: str, path: Path) -> tuple[Store, list[str]]:
    # Opened first: a store that is not ours is said before any journal is touched.
    log_bytes = _size(f"{path}-wal")
    try:
        store = open_store(location, read_only=True, create=False)
    except (StoreNotFoundError, StoreIncompleteError):  # deleted, perhaps, while somebody recorded into it
        if not has_segments(journal_directory(path)):
            raise
        return _recorded_store(location)
    except StoreReadOnlyError:  # an older release's, which this user may not bring up to the newest schema
        from otel_experiments.collect.gather import read_older  # noqa: PLC0415 - as below

        return read_older(location)
    directory = journal_directory(path)
    if not has_segments(directory):
        if log_bytes:
            from otel_experiments.collect.gather import settle_store  # noqa: PLC0415 - after a kill only

            settle_store(location)
        elif store.journal_offset(UNSETTLED):
            return store, [_COPIED.format(path=location)]
        return store, []
    from otel_experiments.collect.gather import read_whole  # noqa: PLC0415 - 6 ms, if nothing is to be merged

    whole, notes = read_whole(store, directory)
    if whole is not store:
        store.close()
    return whole, notes


def _recorded_store(location: str) -> tuple[Store, list[str]]:
    """Return a store that is made of journals alone: in its file, or in memory where none can be made."""
    from otel_experiments.collect.gather import gather_journals, merge_journals  # noqa: PLC0415 - as above

    try:
        damages = merge_journals(location)
        return open_store(location, read_only=True, create=False), damages
    except (StoreError, OSError) as error:
        if is_interruption(error):
            raise
        return gather_journals(location)


def _tell(reader: Reader) -> None:
    if not reader.notes:
        return
    from otel_experiments.journal.scan import UNFINISHED  # noqa: PLC0415 - who has a note has it already

    for note in reader.notes:
        if UNFINISHED in note:
            continue  # a process was killed before it wrote that: nobody was told that it is recorded
        whole = note.startswith(_BEGINNING)
        text = note if whole else f"{_BEGINNING}{reader.location!r} may not be whole: {note}.\n  {_KEPT}"
        reader.note_problem(text)
        warn_reader(text, IncompleteReadWarning)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - no Path need be made of it
    except (OSError, ValueError) as error:
        if is_interruption(error):
            raise
        return 0
