"""A store of one's own, over the few things that only it can know: where its entries are, and adding one.

Whatever is applied becomes an entry of a log, a line of JSON. An entry has a number, and only one writer gets each number: who
comes too late reads what the other has written, and tries the next one. So several processes and machines write one store, and
a batch is in it once. Questions are answered from memory, which follows the log.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from otel_experiments.codec.batch_text import MadePoints, dump_batch, load_batch
from otel_experiments.errors import QueryError, StoreClosedError, StoreDamagedError
from otel_experiments.model.batch import SharedTrace, WriteBatch
from otel_experiments.model.metric import PointBlock
from otel_experiments.model.other_stores import without_password
from otel_experiments.model.run import Run
from otel_experiments.model.span import Span
from otel_experiments.process.interruption import is_interruption
from otel_experiments.store.memory.contents import Contents, advanced
from otel_experiments.store.memory.store import MemoryStore, take_batch
from otel_experiments.store.protocol import Row
from otel_experiments.store.semantics.edits import without_wanted

_FIX: Final = "Mend the store, or tell its author; what is recorded waits in the journals"


class StoreBase(MemoryStore, ABC):
    """A store that keeps what is recorded as numbered entries: write `location`, `read_entries` and `add_entry`.

    Every other method of `Store` is there, and answers from memory what the entries say: right for any store, and quick
    for one that a process can hold. A store that can do better overrides the method. `otel_experiments.testing.StoreContract`
    tests it.

    A process calls the three methods one at a time.
    """

    def __init__(self) -> None:
        super().__init__()
        self._entry_count = 0
        self._is_torn = False

    @property
    @abstractmethod
    def location(self) -> str:
        """The store's address, such as `mine://box/runs`: the same whoever opens it."""

    @abstractmethod
    def read_entries(self, first: int) -> Iterable[bytes]:
        """Return the entries from number `first` (the very first is 0) on, in their order, whoever added them.

        Args:
            first: the number of the first entry that is wanted; there need be none.
        """

    @abstractmethod
    def add_entry(self, number: int, entry: bytes) -> bool:
        """Keep an entry under a number, whole and for good, before returning True; False where another has the number.

        Where it raises, the entry may be kept or not: what is there is read before the next one is added.

        Args:
            number: the one after that of the last entry.
            entry: one line of JSON, without its end.
        """

    def close_entries(self) -> None:
        """Let go of files and connections; called once."""

    def apply(self, batch: WriteBatch) -> None:
        """Add the batch to the entries, whole or not at all. See `Store.apply`."""
        with self._lock:
            while True:
                contents = self._up_to_date()
                number = self._entry_count
                if self._is_added(contents, number, batch):
                    return
                self._up_to_date()
                if self._entry_count == number:
                    raise self._damaged(
                        f"add_entry says that there is an entry {number}, and read_entries gives none"
                    )

    def sql(
        self,
        statement: str,
        parameters: Sequence[object] | Mapping[str, object] = (),
        *,
        limit: int | None = None,
    ) -> tuple[list[str], list[Row]]:
        """Refuse: entries have no tables.

        Args:
            statement: the SQL statement.
            parameters: what its placeholders stand for.
            limit: how many rows would be read at most.

        Raises:
            QueryError: always.
        """
        del limit
        raise QueryError(
            f"The store {without_password(self.location)!r} knows no SQL, so {statement[:60]!r} (with {len(parameters)} parameters) cannot be run.\n"
            "  Search it (runs, params, metrics), or bundle its runs and ask the file: otel-experiments bundle."
        )

    def close(self, *, settles: bool = True) -> None:
        """Let go of all resources; safe to call twice. `settles` changes nothing: there is no file."""
        with self._lock:
            is_open = self._contents is not None
            super().close(settles=settles)
            if is_open:
                self.close_entries()

    def _identity(self) -> str:
        """Return what tells this store from every other: whoever opens it numbers what is in its entries alike."""
        return hashlib.blake2b(self.location.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()

    @contextmanager
    def _open(self) -> Iterator[Contents]:
        """Lend the contents as the entries are now."""
        with self._lock:
            yield self._up_to_date()

    def _up_to_date(self) -> Contents:
        if self._contents is None:
            raise StoreClosedError(path=without_password(self.location))
        if self._is_torn:
            self._contents, self._entry_count, self._is_torn = Contents(), 0, False
        entries: object = self.read_entries(self._entry_count)
        if not isinstance(entries, Iterable):
            raise self._damaged(f"read_entries returned {entries!r:.80}, not entries")
        for entry in entries:
            self._follow(self._contents, self._read(entry))
        return self._contents

    def _read(self, entry: object) -> WriteBatch:
        if not isinstance(entry, (bytes, str)):
            raise self._damaged(f"read_entries gave {entry!r:.80} as entry {self._entry_count}, not bytes")
        try:
            return load_batch(entry)
        except (ValueError, RecursionError) as error:
            if is_interruption(error):
                raise
            raise self._damaged(f"entry {self._entry_count} cannot be read: {error}") from error

    def _follow(self, contents: Contents, batch: WriteBatch) -> None:
        """Take what was added, here or elsewhere; what cannot be taken was refused there as well."""
        try:
            self._take(contents, batch)
        except Exception as error:
            if is_interruption(error):
                raise

    def _take(self, contents: Contents, batch: WriteBatch) -> None:
        """Let the contents follow an entry."""
        self._is_torn = True  # what ends this in the middle, as a signal may, has it all read anew
        try:
            take_batch(contents, batch)
        except Exception as error:
            if is_interruption(error):
                raise
            self._entry_count += 1
            self._is_torn = False
            raise
        self._entry_count += 1
        self._is_torn = False

    def _is_added(self, contents: Contents, number: int, batch: WriteBatch) -> bool:
        """Add the batch where no other entry comes first; False where one does.

        Raises:
            JournalMovedError: a segment does not stand where the batch starts.
            TypeError: a value inside is of a type that no store keeps.
            StoreDamagedError: the store gave what is no answer.
        """
        advanced(contents.segments, batch.journal)
        purges = without_wanted(batch.purges, lambda run_id: _run_of(contents, run_id))
        batch = replace(batch, purges=[replace(one, unless=None) for one in purges])
        if any(trace.points_of is not None for trace in batch.shared_traces):
            return self._is_added_with_points(contents, number, batch)
        if not self._is_kept(number, batch):
            return False
        self._take(contents, batch)
        return True

    def _is_added_with_points(self, contents: Contents, number: int, batch: WriteBatch) -> bool:
        """Add a batch that makes points as it is taken: the entry has those that were made."""
        made: list[list[tuple[PointBlock, ...]]] = [[] for _ in batch.shared_traces]
        noting = [_noting(trace, blocks) for trace, blocks in zip(batch.shared_traces, made, strict=True)]
        self._take(contents, replace(batch, shared_traces=noting))
        self._is_torn = True  # until it is an entry
        told = [
            replace(trace, points_of=MadePoints(tuple(blocks)))
            for trace, blocks in zip(batch.shared_traces, made, strict=True)
        ]
        self._is_torn = not self._is_kept(number, replace(batch, shared_traces=told))
        return not self._is_torn

    def _is_kept(self, number: int, batch: WriteBatch) -> bool:
        answer: object = self.add_entry(number, dump_batch(batch).encode("ascii"))
        if not isinstance(answer, bool):
            raise self._damaged(f"add_entry returned {answer!r:.80}, neither True nor False")
        return answer

    def _damaged(self, found: str) -> StoreDamagedError:
        return StoreDamagedError(path=without_password(self.location), found=found, fix=f"{_FIX}.")


def _run_of(contents: Contents, run_id: str) -> Run | None:
    stored = contents.runs.get(run_id)
    return None if stored is None else stored.run


def _noting(trace: SharedTrace, made: list[tuple[PointBlock, ...]]) -> SharedTrace:
    """Return the trace with what notes the points that are made of its spans."""
    make = trace.points_of
    if make is None:
        return trace

    def points_of(run_id: str, spans: Sequence[Span]) -> list[PointBlock]:
        blocks = make(run_id, spans)
        made.append(tuple(blocks))
        return blocks

    return replace(trace, points_of=points_of)
