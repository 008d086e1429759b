"""Stores of other packages: schemes that entry points add, and objects that a program gives; where this machine keeps what waits for them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from otel_experiments.errors import OtelExperimentsError, StorePathError
from otel_experiments.process.interruption import is_interruption

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINTS: Final = "otel_experiments.store"
"""The group of entry points whose names are schemes: `mine = "my_package:open_store"` is called with `mine://...`."""
JOURNAL_DIR_VARIABLE: Final = "OTEL_EXPERIMENTS_JOURNAL_DIR"

_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://.*", re.DOTALL)
_PASSWORD: Final = re.compile(r"(?<=://)([^/@:]*):[^/@]*@")
_METHODS: Final = ("apply", "journal_offset", "find_runs", "close")
_given: dict[str, object] = {}
"""By address, the stores that the program has given as objects."""
_places: dict[str, Path] = {}
"""By address, where this process keeps what waits for the store, where that was chosen."""


class StoreObject(Protocol):
    """A store that is open, as far as a setting knows it: what it has beside is in `otel_experiments.store.Store`."""

    @property
    def location(self) -> str:
        """The store's address."""
        ...

    def close(self, *, settles: bool = True) -> None:
        """Let go of all resources."""
        ...


def give_store(store: object) -> str:
    """Return the address by which a store that is an object is found in this process from now on.

    Raises:
        StorePathError: it is no store, or has no address.
    """
    missing = [name for name in _METHODS if not callable(getattr(type(store), name, None))]
    if missing:
        raise StorePathError(
            path=repr(store)[:80],
            why=f"it is a {type(store).__name__} without {missing[0]}(), and no store",
            fix="Give a path, an address, or an object that has what otel_experiments.store.Store has.",
        )
    address: object = getattr(store, "location")  # noqa: B009 - any object
    if not isinstance(address, str):
        raise StorePathError(
            path=type(store).__name__,
            why=f"its location is {address!r:.60}, and no text",
            fix="Let location return an address such as mine://NAME, the same for whoever opens the store.",
        )
    if _ADDRESS.fullmatch(address) is None or address.lower().startswith(("memory:", "sqlite:", "file:")):
        address = f"object://{id(store):x}"  # a store of ours that is open: there is no second way to it
    _given[address] = store
    return address


def given_store(address: str) -> object | None:
    """Return the store that the program gave under this address; None where it gave none."""
    return _given.get(address)


def entry_point_of(scheme: str) -> EntryPoint | None:
    """Return the entry point that opens stores of a scheme; None where no installed package has one."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - 20 ms that few need

    found = tuple(entry_points(group=ENTRY_POINTS, name=scheme))
    return found[0] if found else None


def is_known(address: str, scheme: str) -> bool:
    """Tell whether there is a way to a store at this address."""
    return address in _given or entry_point_of(scheme) is not None


def is_reachable(address: str) -> bool:
    """Tell whether other processes find the store, too."""
    return entry_point_of(address.partition("://")[0].lower()) is not None


def open_other(address: str) -> tuple[object, bool]:
    """Return the store at an address, and whether it was opened here and is to be closed here.

    Raises:
        StorePathError: there is no way to it, or it is none.
    """
    if address in _given:
        return _given[address], False
    scheme = address.partition("://")[0].lower()
    point = entry_point_of(scheme)
    shown = without_password(address)
    if point is None:
        raise StorePathError(
            path=shown,
            why=f"{scheme!r} is no kind of store that is known",
            fix=f"Install the package that adds it: an entry point {scheme!r} of the group {ENTRY_POINTS!r}.",
        )
    try:
        store: object = point.load()(address)
        missing = [name for name in _METHODS if not callable(getattr(type(store), name, None))]
    except Exception as error:
        if is_interruption(error) or isinstance(error, OtelExperimentsError):
            raise
        raise StorePathError(
            path=shown,
            why=f"{point.value} cannot open it: {type(error).__name__}: {error}",
            fix="Mend the address, or ask the author of that package.",
        ) from error
    if missing:
        raise StorePathError(
            path=shown,
            why=f"{point.value} returned a {type(store).__name__} without {missing[0]}(), and no store",
            fix="Ask the author of that package.",
        )
    return store, True


def without_password(address: str) -> str:
    """Return an address as it may be shown."""
    return _PASSWORD.sub(r"\1:***@", address)


def keep_waiting_in(address: str, journal_dir: str | None) -> None:
    """Have readers of this process look for what waits for a store in the folder that was chosen for it."""
    if journal_dir:
        _places[address] = Path(journal_dir).expanduser().absolute()


def waiting_place(address: str) -> Path:
    """Return the path, on this machine, beside which journals and artifacts of a store elsewhere are kept.

    In the folder of the setting `journal_dir`, else in `$XDG_STATE_HOME/otel-experiments`. The name has a part that people can
    read and one that only this address has.
    """
    from hashlib import sha256  # noqa: PLC0415 - as above

    folder = _places.get(address)
    if folder is None:
        chosen = os.environ.get(JOURNAL_DIR_VARIABLE)
        state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
        folder = Path(chosen or f"{state}/otel-experiments").expanduser().absolute()
    known = _PASSWORD.sub(r"\1@", address)  # a password may be changed, and left out
    readable = re.sub(r"[^A-Za-z0-9.-]+", "-", re.sub(r"(?<=://)[^/@]*@", "", known)).strip("-.")[:60]
    return folder / f"{readable}-{sha256(known.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
