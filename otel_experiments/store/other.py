"""A store of another package, held at arm's length: what it raises, and when it does not answer, becomes an error of ours.

Writing is done by a thread of its own, and is waited for no longer than `WAIT_S`. What the store was given and did not answer
to it may have kept: the offsets of the journals say it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar, cast

from otel_experiments.errors import StoreError, StoreFailedError
from otel_experiments.model.other_stores import open_other, without_password
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.thread_signals import leave_signals_to_the_program

if TYPE_CHECKING:
    from otel_experiments.model.batch import WriteBatch
    from otel_experiments.store.protocol import Store

WAIT_S: Final = 2.0
"""How long the store is waited for at once; who calls tries again. It is less than the end of a process may take."""

READ_WAIT_S: Final = 5.0
"""How long a question of recording is waited for: a program that starts a run is not held up for more."""

_Answer = TypeVar("_Answer")


def open_other_store(address: str) -> Store:
    """Return the store of another package at this address.

    Raises:
        StorePathError: there is no way to it, or it is none.
    """
    found, is_opened_here = open_other(address)
    return cast("Store", OtherStore(cast("Store", found), address, is_opened_here=is_opened_here))


def in_time(store: Store) -> Store:
    """Return the store for questions that recording asks: one that does not answer in time has failed.

    Questions that a reader asks are waited for.
    """
    return cast("Store", _InTime(store)) if isinstance(store, OtherStore) else store


class OtherStore:
    """A store of another package. Questions are handed on as they are, and writing is watched."""

    def __init__(self, store: Store, address: str, *, is_opened_here: bool) -> None:
        self._store = store
        self._address = address
        self._is_opened_here = is_opened_here
        self._is_closed = False
        self._waiting: _Call[Any] | None = None
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:  # whatever the store has
        return getattr(self._store, name)

    @property
    def location(self) -> str:
        """The address by which the store is found."""
        return self._address

    def apply(self, batch: WriteBatch) -> None:
        """Let the store write the batch, and see that it has. See `Store.apply`.

        Raises:
            JournalMovedError: a segment's stored offset is not the `start_offset` of its advance.
            TypeError: the batch holds what the store cannot take; so do ValueError and a plain StoreError say.
            StoreFailedError: the store raised anything else, did not answer, or did not keep the batch.
        """
        self._answer("apply", lambda: self._store.apply(batch))
        for advance in {one.segment_id: one for one in batch.journal}.values():
            found = self.journal_offset(advance.segment_id)
            if found != advance.end_offset:
                raise self._failed(
                    f"after its apply() of a journal up to byte {advance.end_offset} its journal_offset() is {found}"
                )

    def journal_offset(self, segment_id: str) -> int:
        """Return how many bytes of the segment are in the store.

        Raises:
            StoreFailedError: the store raised, did not answer, or gave what is no offset.
        """
        found: object = self._answer("journal_offset", lambda: self._store.journal_offset(segment_id))
        if not isinstance(found, int) or isinstance(found, bool) or found < 0:
            raise self._failed(f"its journal_offset() returned {found!r:.60}, not a number of bytes")
        return found

    def settle(self) -> None:
        """Do nothing: only one file is to be settled."""

    def close(self, *, settles: bool = True) -> None:
        """Close the store where it was opened here; one that the program gave stays open."""
        if self._is_opened_here and not self._is_closed:
            self._is_closed = True
            try:
                self._answer("close", lambda: self._store.close(settles=settles))
            except Exception as error:
                if is_interruption(error):
                    raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def question(self, method: str, ask: Callable[[], _Answer]) -> _Answer:
        """Return what the store answers to a question of recording; while it owes another answer it is not asked.

        Raises:
            StoreFailedError: it raised, or did not answer in time.
        """
        return self._answer(method, ask, wait_s=READ_WAIT_S, waits_for_another=False)

    def _answer(
        self,
        method: str,
        ask: Callable[[], _Answer],
        *,
        wait_s: float | None = None,
        waits_for_another: bool = True,
    ) -> _Answer:
        """Return what the store answers in time.

        Raises:
            StoreFailedError: it raised what says nothing of the batch, or did not answer.
        """
        wait_s = WAIT_S if wait_s is None else wait_s
        with self._lock:
            before = self._waiting
            if before is not None and not before.is_done(WAIT_S if waits_for_another else 0.0):
                raise self._failed(f"its {before.method}() has not answered yet")
            call = self._waiting = _Call(method, ask)
            if not call.is_done(wait_s):
                raise self._failed(f"its {method}() did not answer within {wait_s:g} s")
            self._waiting = None
        error = call.error
        if error is None:
            return cast("_Answer", call.answer)
        if isinstance(error, StoreError) or (
            isinstance(error, (TypeError, ValueError)) and not isinstance(error, OSError)
        ):
            raise error
        raise self._failed(f"its {method}() raised {type(error).__name__}: {error}") from error

    def _failed(self, why: str) -> StoreFailedError:
        return StoreFailedError(path=without_password(self._address), why=why)


class _InTime:
    """A store of another package, as recording asks it."""

    def __init__(self, store: OtherStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:  # whatever the store has
        asked = getattr(self._store, name)
        if not callable(asked):
            return asked
        return lambda *given, **named: self._store.question(name, lambda: asked(*given, **named))


class _Call(Generic[_Answer]):
    """A question to a store, asked by a thread of its own."""

    answer: _Answer

    def __init__(self, method: str, ask: Callable[[], _Answer]) -> None:
        self.method = method
        self.error: BaseException | None = None
        self._ask = ask
        self._done = threading.Event()
        threading.Thread(target=self._run, name="otel-experiments-store", daemon=True).start()

    def is_done(self, wait_s: float) -> bool:
        """Wait for the answer; False where there is none yet."""
        return self._done.wait(wait_s)

    def _run(self) -> None:
        leave_signals_to_the_program()
        try:
            self.answer = self._ask()
        except BaseException as error:  # noqa: BLE001 - handed to the thread that asked
            self.error = error
        finally:
            self._done.set()
