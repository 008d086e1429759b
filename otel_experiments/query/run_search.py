"""Finding the run that a text means: an id, the beginning of one, a name, `latest`, `name~1`."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from otel_experiments.errors import AmbiguousRunError, RunNotFoundError, RunRemovedError
from otel_experiments.model.search import Comparison, RunField, RunQuery
from otel_experiments.query.closest import beginning_so, closest

if TYPE_CHECKING:
    from otel_experiments.model.run import Run
    from otel_experiments.model.search import Visibility
    from otel_experiments.store import Store

_LISTED: Final = "listed"
_KEPT: Final = "kept"
_REMOVED: Final = "removed"
LATEST: Final = "latest"
"""Names the newest run of a store."""
_LEAST_DIGITS: Final = 4
"""Of an id where a run is changed: fewer are soon those of another run, or a word that was meant as a name."""
_BACK: Final = re.compile(r"~[0-9]{1,18}\Z")


def find_run(store: Store, wanted: str, *, location: str) -> Run:
    """Return the run that a text means to who reads; `location` is the store's address in errors.

    It means what `_found` says, and else the newest run whose name begins so.

    Raises:
        RunNotFoundError: there is none; the error lists what there is.
        RunRemovedError: it was removed.
        AmbiguousRunError: the ids of several runs begin so; the error lists them.
    """
    return _found(store, as_typed(wanted), location=location, takes_beginnings=True)


def _found(
    store: Store, wanted: str, *, location: str, with_removed: bool = False, takes_beginnings: bool = False
) -> Run:
    """Return the run that is called so, or whose id it is, or the only one whose id begins so.

    A name means an archived run only where no other one has it, and a removed run only `with_removed` where no kept one
    has it.

    Raises:
        RunNotFoundError: there is none; the error lists what there is.
        RunRemovedError: it was removed.
        AmbiguousRunError: the ids of several runs begin so; the error lists them.
    """
    # An argument that was no valid text in the terminal's encoding names nothing that could be stored.
    is_text = bool(wanted) and not any("\ud800" <= character <= "\udfff" for character in wanted)
    exact = store.get_run(wanted) if is_text else None
    found = [exact] if exact is not None else []
    if is_text and not found:
        found = _counted_back(store, wanted, _LISTED) or _counted_back(store, wanted, _KEPT)
        found = found or _beginning(store, wanted)
        if takes_beginnings and not found:
            found = _named_so(store, wanted)
        removed = [] if found else _counted_back(store, wanted, _REMOVED)
        found = found or removed
    if not found:
        raise _not_found(store, wanted, location)
    if not with_removed:
        found = [run for run in found if run.removed_ns is None] or found[:1]
    run = _only(wanted, found, location)
    if run.removed_ns is not None and not with_removed:
        raise RunRemovedError(run=wanted, run_id=run.run_id, store=location)
    return run


def find_only_run(store: Store, wanted: str, *, location: str, with_removed: bool = False) -> Run:
    """Return the run as `find_run` does, but by a name only when no other run has it, and by an id with some digits of it.

    Raises:
        RunNotFoundError: there is none, or only one whose id begins with fewer digits.
        AmbiguousRunError: several runs have the name, or ids that begin so.
    """
    wanted = as_typed(wanted)
    found = _found(store, wanted, location=location, with_removed=with_removed)
    if wanted not in {found.run_id, ""} and found.name == wanted:
        seen: Visibility = _KEPT if found.removed_ns is None else _REMOVED
        _only(wanted, _named(store, wanted, seen, limit=2), location)
    elif len(wanted) < _LEAST_DIGITS and found.run_id.startswith(wanted.lower()):
        names = [run.name for run in store.find_runs(RunQuery())]
        raise RunNotFoundError(
            wanted=wanted,
            store=location,
            known=names,
            suggestions=[found.run_id[:12]],
            least_digits=_LEAST_DIGITS,
        )
    return found


def as_typed(text: str) -> str:
    """Return an argument as it was typed, in UTF-8, where the locale took its bytes for none."""
    if text.isprintable():
        return text
    try:
        return os.fsencode(text).decode()
    except UnicodeError:
        return text


def _only(wanted: str, found: Sequence[Run], location: str) -> Run:
    if len(found) > 1:
        labels = [f"{run.run_id[:12]} ({run.name})" for run in found]
        raise AmbiguousRunError(wanted=wanted, store=location, matches=labels)
    return found[0]


def _named(store: Store, name: str, seen: Visibility, *, limit: int, offset: int = 0) -> list[Run]:
    """Return the runs of this name, newest first."""
    where = Comparison(RunField("name"), "==", name)
    return store.find_runs(RunQuery(where, limit=limit, offset=offset, visibility=seen))


def _counted_back(store: Store, wanted: str, seen: Visibility) -> list[Run]:
    """Return the run that a name, `latest`, `latest~2` or `name~1` means."""
    if found := _named(store, wanted, seen, limit=1):
        return found
    name, _, count = wanted.rpartition("~") if _BACK.search(wanted) else (wanted, "", "0")
    back = int(count)
    if name != LATEST:
        return _named(store, name, seen, limit=1, offset=back) if back or name != wanted else []
    return store.find_runs(RunQuery(limit=1, offset=back, visibility=seen))


def _beginning(store: Store, wanted: str) -> list[Run]:
    """Return the runs whose ids begin so."""
    ids = store.resolve_run_ids(wanted)
    return [run for run in map(store.get_run, ids) if run is not None]


def _named_so(store: Store, wanted: str) -> list[Run]:
    """Return the newest run whose name begins so."""
    where = Comparison(RunField("name"), "matches", rf"\A{re.escape(wanted)}")
    return store.find_runs(RunQuery(where, limit=1, visibility=_LISTED))


def _not_found(store: Store, wanted: str, location: str) -> RunNotFoundError:
    runs = store.find_runs(RunQuery())
    names = list(dict.fromkeys(run.name for run in runs))
    nearest = closest(wanted, [*names, *(run.run_id for run in runs)])
    return RunNotFoundError(
        wanted=wanted[:80],
        store=location,
        known=[run.name for run in runs],
        suggestions=beginning_so(wanted, names, limit=3) or ([nearest] if nearest else []),
    )
