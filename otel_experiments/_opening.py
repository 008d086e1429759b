"""From where a store is to a reader over all that was recorded for it: collected first, then read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from os import PathLike
from typing import TYPE_CHECKING

from otel_experiments.collect.opening import WHOLE_TEXT, collected, earlier_damages, open_collected
from otel_experiments.errors import ConfigurationError, IncompleteReadWarning
from otel_experiments.importers.otlp import unpack_for
from otel_experiments.model.other_stores import without_password
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.query import Reader
from otel_experiments.store import open_store
from otel_experiments.store.filesystem import is_network_filesystem
from otel_experiments.store.location import open_blobs
from otel_experiments.store.reader_warning import warn_reader
from otel_experiments.store.sqlite.bundle_header import is_bundle

if TYPE_CHECKING:
    from otel_experiments.store import Store

_KEPT = "What is readable around it is there; the file is kept: otel-experiments doctor"


def open_reader(location: str | PathLike[str] | StoreLocation, *, is_network: bool | None = None) -> Reader:
    """Return a reader over the store at `location`: a path, `sqlite://PATH`, `file:PATH` or `memory://`.

    What processes have recorded and not stored is merged first, or gathered in memory where the store takes
    nothing (locked, read-only, full disk); an `IncompleteReadWarning` says what could be had neither way.

    `is_network`: whether the store lies on a network filesystem; found out when not given. There the journals
    are the truth, and what they hold is gathered in memory.

    Raises:
        StorePathError: `location` names no place for a store.
        StoreNotFoundError: there is no store.
        StoreIncompleteError: there is the beginning of one, copied without the rest.
        StoreError: it cannot be read: not ours, newer than this release, locked.
    """
    where = location if isinstance(location, StoreLocation) else StoreLocation.parse(location)
    store, notes = open_collected(
        where.require_store(), unpack=unpack_for(where.beside), is_network=is_network
    )
    return _reader(store, notes, where, is_network=is_network)


def reader_over(store: Store) -> Reader:
    """Return a reader over a store that this process has open, with what others have recorded for it.

    Closing the reader leaves that store open.
    """
    where = StoreLocation.parse(store.location)
    whole, notes = collected(store, unpack=unpack_for(where.beside))
    return _reader(whole, notes, where, is_shared=whole is store, active=store)


def _reader(
    store: Store,
    notes: list[str],
    where: StoreLocation,
    *,
    is_shared: bool = False,
    active: Store | None = None,
    is_network: bool | None = None,
) -> Reader:
    absolute = StoreLocation(
        where.kind, where.absolute_path, where.address
    )  # bytes are found wherever the process goes
    reader = Reader(
        store,
        notes=notes,
        location=without_password(str(where)),
        find_problems=lambda: earlier_damages(where, noted=notes),
        open_place=lambda address: open_blobs(absolute, address),
        is_shared=is_shared,
        open_for_edits=lambda *, collects=False: _lent(
            nullcontext(active) if active is not None else _for_edits(store, absolute, is_network=is_network),
            collects=collects,
        ),
    )
    _warn(reader)
    return reader


@contextmanager
def _lent(opened: AbstractContextManager[Store], *, collects: bool) -> Iterator[Store]:
    """Lend a store for edits, with what processes have recorded for it up to now."""
    with opened as store:
        if collects:
            whole, _ = collected(store, unpack=unpack_for(StoreLocation.parse(store.location).beside))
            if whole is not store:  # it takes nothing now
                whole.close()
        yield store


def _for_edits(
    store: Store, where: StoreLocation, *, is_network: bool | None
) -> AbstractContextManager[Store]:
    """Lend the store at `where` open for writing.

    Raises:
        ConfigurationError: it lies on a network filesystem.
        StoreError: it cannot be written.
    """
    path = where.path
    if path is None:
        return nullcontext(store)
    if not is_bundle(path) and (is_network_filesystem(path.parent) if is_network is None else is_network):
        raise ConfigurationError(
            f"Nothing can be edited in store {str(where)!r}: it lies on a network filesystem, where runs stay in journals.\n"
            "  Copy the store and its journals to a disk of this machine, and edit it there."
        )
    return open_store(path, create=False)


def _warn(reader: Reader) -> None:
    if reader.notes:
        from otel_experiments.journal.scan import UNFINISHED  # noqa: PLC0415 - who has a note has it already

        for note in reader.notes:
            if UNFINISHED in note:
                continue  # a process was killed before it wrote that: no caller was promised that it is recorded
            whole = note.startswith(WHOLE_TEXT)
            text = note if whole else f"{WHOLE_TEXT}{reader.location!r} may not be whole: {note}.\n  {_KEPT}"
            reader.note_problem(text)
    for text in reader.read_problems():
        warn_reader(text, IncompleteReadWarning)
