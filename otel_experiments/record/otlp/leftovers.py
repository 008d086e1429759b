"""What has left memory and was not sent: stretches of time whose items are read back from the store.

While an endpoint is away for long, more waits than memory is given to it. Where a store has the items, they leave
memory only: what is remembered is from when to when, for each run, and they are read in pages once the endpoint
takes requests again. An item of such a stretch that was sent already is sent again; none is left out.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.signal import NOTHING_NS, Signal
from otel_experiments.model.stored_page import StoredPage
from otel_experiments.model.unsent import Unsent
from otel_experiments.record.otlp.queue import Queue

MAX_STRETCHES: Final = 64
"""Of one run; more of them are joined, at the price of items that are sent twice."""

Entries = dict[str, list[Any]]
"""What a queue holds, by the noun of the queue."""


class SendingStore(Protocol):
    """What sending needs of the store."""

    def note(self, rows: Sequence[Unsent], sent: Sequence[Unsent]) -> None:
        """Write how far sending is.

        Raises:
            StoreError: the store does not take it now.
        """
        ...

    def pages(self, run_id: str, signal: Signal, since_ns: int, until_ns: int) -> Iterator[StoredPage]:
        """Yield what is stored; see `Store.stored_pages`.

        Raises:
            StoreError: the store cannot be read.
        """
        ...


@dataclass(slots=True)
class Stretch:
    """From `since_ns` to before `until_ns`, with how many items of each noun are in it."""

    run_id: str
    since_ns: int
    until_ns: int
    counts: Counter[str] = field(default_factory=Counter)
    is_open: bool = True
    is_being_read: bool = False


class Leftovers:
    """The stretches of one signal.

    Args:
        signal: `traces`, `metrics` or `logs`.
        store: where the items are.
        entries_of: makes entries of the queues of a page.
    """

    def __init__(
        self, signal: Signal, store: SendingStore, entries_of: Callable[[WriteBatch], Entries]
    ) -> None:
        self._signal = signal
        self._store = store
        self._entries_of = entries_of
        self._lock = threading.RLock()
        self._stretches: list[Stretch] = []
        self._pages: Iterator[StoredPage] | None = None
        self._read: StoredPage | None = None

    @property
    def is_empty(self) -> bool:
        """Whether everything is in memory, or sent."""
        return not self._stretches

    @property
    def counts(self) -> Counter[str]:
        """How many items are left in the store, by noun."""
        with self._lock:
            return sum((stretch.counts for stretch in self._stretches), Counter())

    def by_run(self) -> dict[str, tuple[int, int]]:
        """Return the earliest time, and how many items, of each run."""
        found: dict[str, tuple[int, int]] = {}
        with self._lock:
            for stretch in self._stretches:
                since_ns, count = found.get(stretch.run_id, (stretch.since_ns, 0))
                found[stretch.run_id] = (
                    min(since_ns, stretch.since_ns),
                    count + stretch.counts.total(),
                )
        return found

    def add(self, run_id: str, noun: str, since_ns: int, last_ns: int, count: int) -> None:
        """Remember items that have left memory, or never were in it."""
        with self._lock:
            own = [one for one in self._stretches if one.run_id == run_id and not one.is_being_read]
            if own and (own[-1].is_open or len(own) >= MAX_STRETCHES):
                stretch = own[-1]
            else:
                stretch = Stretch(run_id, since_ns, last_ns + 1)
                self._stretches.append(stretch)
            stretch.since_ns = min(stretch.since_ns, since_ns)
            stretch.until_ns = max(stretch.until_ns, last_ns + 1)
            stretch.counts[noun] += count

    def end_stretches(self) -> None:
        """Let what is added next begin stretches of its own: something in between was sent from memory."""
        for stretch in self._stretches[:]:
            stretch.is_open = False

    def read(self) -> Entries | None:
        """Return the next page, as entries of the queues; None when nothing is left.

        Whoever calls it says with `settle` that the entries wait in the queues: until then they count as left over.

        Raises:
            StoreError: the store cannot be read now.
        """
        while True:
            with self._lock:
                if not self._stretches:
                    return None
                stretch = self._stretches[0]
                stretch.is_being_read = True
            if self._pages is None:
                self._pages = self._store.pages(
                    stretch.run_id, self._signal, stretch.since_ns, stretch.until_ns
                )
            try:
                self._read = next(self._pages, None)
            except BaseException:
                self._pages = None  # the next time begins where this one has got to
                raise
            if self._read is not None:
                wanted = stretch.counts
                found = self._entries_of(self._read.batch)
                return {noun: entries for noun, entries in found.items() if noun in wanted}
            with self._lock:
                self._pages = None
                self._stretches.remove(stretch)

    def settle(self, counts: dict[str, int]) -> None:
        """Count the items of the page that was read as waiting in the queues."""
        with self._lock:
            stretch, page = self._stretches[0], self._read
            if page is not None:
                stretch.since_ns = max(stretch.since_ns, page.until_ns)
            for noun, count in counts.items():  # a noun stays, with 0, as long as its stretch is read
                stretch.counts[noun] = max(0, stretch.counts[noun] - count)


def unsent_by_run(
    queues: Iterable[Queue[Any]],
    leftovers: Leftovers | None,
    describe: Callable[[Any], tuple[str, int, int]],
) -> dict[str, tuple[int, int]]:
    """Return the earliest time, and how many items, of what each run has in queues or left in the store."""
    before = leftovers.by_run() if leftovers is not None else {}
    found: dict[str, tuple[int, int]] = {}
    for queue in queues:
        for entry in queue.waiting():
            run_id, since_ns, _ = describe(entry)
            known_ns, count = found.get(run_id, (since_ns, 0))
            found[run_id] = min(known_ns, since_ns), count + queue.weight(entry)
    # Twice, since a page goes from there into a queue meanwhile.
    after = leftovers.by_run() if leftovers is not None else {}
    for run_id in before.keys() | after.keys():
        (first_ns, first), (second_ns, second) = (one.get(run_id, (NOTHING_NS, 0)) for one in (before, after))
        known_ns, count = found.get(run_id, (NOTHING_NS, 0))
        found[run_id] = min(known_ns, first_ns, second_ns), count + min(first, second)
    return found
