"""Which store a call of the public face works on: the one it names, else the one that this process records into, else the settings'."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from otel_experiments import _opening
from otel_experiments._active import active_settings, active_store
from otel_experiments.errors import ConfigurationError
from otel_experiments.model.other_stores import StoreObject
from otel_experiments.model.setting import NETWORK_FILESYSTEM
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.store import open_store
from otel_experiments.store.filesystem import is_network_filesystem

if TYPE_CHECKING:
    from otel_experiments.query import Reader
    from otel_experiments.record.base.settings import Settings
    from otel_experiments.store import Store

Named = str | os.PathLike[str] | StoreObject | None
"""What a call gives as `store=`."""


def open_chosen(store: Named) -> Reader:
    """Return a reader over the store that a call works on; closing it leaves the store of the recording open.

    Raises:
        StoreError: the store cannot be read.
    """
    if store is None:
        active = active_store()
        if active is not None:
            return _opening.reader_over(active)
    where = StoreLocation.named(None) if store is None else StoreLocation.parse(store)
    is_network = NETWORK_FILESYSTEM.read(os.environ)
    return _opening.open_reader(where, is_network=None if is_network is None else bool(is_network))


def chosen_settings(store: Named) -> Settings:
    """Return the settings of a call that writes: those of the recording where it works on the store of the recording.

    Raises:
        ConfigurationError: a setting cannot be used.
        StorePathError: `store` names no place for a store.
    """
    from otel_experiments.record.base.settings import Settings  # noqa: PLC0415 - 5 ms that readers do without

    recording = active_settings()
    if recording is None:
        return Settings.resolve(store=store)
    active = active_store()
    if active is not None and (path := StoreLocation.parse(active.location).path) is not None:
        recording = replace(recording, store=str(path))  # wherever the process has gone since
    if store is None:
        return recording if recording.is_stored else Settings.resolve()
    path = StoreLocation.parse(store).absolute_path
    return recording if path is not None and path == recording.store_path else Settings.resolve(store=store)


@contextmanager
def writing(store: Named) -> Iterator[tuple[Store, Settings]]:
    """Give the store that a call writes into, made where there is none, and its settings.

    Raises:
        StoreError: the store cannot be written.
    """
    settings = chosen_settings(store)
    location = settings.location.require_store()
    active = active_store() if store is None else None
    if active is not None and location.path is None:  # in memory: there is no second way to it
        yield active, settings
        return
    with open_store(location) as opened:
        yield opened, settings


@contextmanager
def editing(store: Named, *, refused: str, done_there: str) -> Iterator[tuple[Reader, Store]]:
    """Give a reader over all that was recorded for the store of a call, and the store open for writing.

    Args:
        store: what the call gives.
        refused: what cannot be done where the store lies on a network filesystem: `No alias can be set`.
        done_there: what can be done on another disk: `set it`.

    Raises:
        ConfigurationError: the store lies on a network filesystem.
        StoreError: it cannot be read or written.
    """
    active = active_store() if store is None else None
    if active is not None:
        yield _opening.reader_over(active), active
        return
    from otel_experiments.record.base.settings import Settings  # noqa: PLC0415 - as above

    settings = Settings.resolve(store=store)
    where = settings.location.require_store()
    is_network = settings.network_filesystem
    if where.path is not None and (
        is_network_filesystem(where.path.parent) if is_network is None else is_network
    ):
        raise ConfigurationError(
            f"{refused} in store {str(where)!r}: it lies on a network filesystem, where runs stay in journals.\n"
            f"  Copy the store and its journals to a disk of this machine, and {done_there} there."
        )
    with (
        _opening.open_reader(where, is_network=is_network) as reader,
        open_store(where, create=False) as opened,
    ):
        yield reader, opened
