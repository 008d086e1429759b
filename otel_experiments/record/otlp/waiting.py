"""All that waits to be sent of one signal: in queues in memory, and beyond them in the store."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from otel_experiments.model.arrivals import Arrival
from otel_experiments.process.interruption import is_interruption
from otel_experiments.record.otlp.leftovers import Leftovers, unsent_by_run
from otel_experiments.record.otlp.queue import Queue

_UNREADABLE_S: Final = 5.0
"""For how long a store that could not be read is left alone."""


class WaitingItems:
    """What waits of one signal.

    Args:
        queues: what waits in memory; each is given its turn.
        leftovers: what is left in the store; None where no store has it.
        describe: says of an entry of a queue whose it is, and from when to when its items are.
        clock: seconds, never going back.

    Attributes:
        read_error: why what is left in the store could not be read; empty when it could.
    """

    def __init__(
        self,
        queues: Iterable[Queue[Any]],
        leftovers: Leftovers | None = None,
        describe: Callable[[Any], tuple[str, int, int]] = lambda _: ("", 0, 0),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.queues = tuple(queues)
        self.read_error = ""
        self._leftovers = leftovers
        self._describe = describe
        self._clock = clock
        self._unreadable_until_s = 0.0
        self._dropped: Counter[str] = Counter()
        self._aside: dict[str, tuple[int, int]] = {}
        self._aside_counts: Counter[str] = Counter()
        for queue in self.queues:
            queue.overflow = partial(self._note_overflow, queue)

    @property
    def counts(self) -> dict[str, int]:
        """How many items wait, or were lost for good, by what they are called; empty when all was taken."""
        kept, lost = self.kept_counts, self.lost_counts
        counts = {q.noun: kept.get(q.noun, 0) + lost.get(q.noun, 0) for q in self.queues}
        return {noun: count for noun, count in counts.items() if count}

    @property
    def kept_counts(self) -> dict[str, int]:
        """How many items wait, or are set aside."""
        left = self._leftovers.counts if self._leftovers is not None else {}
        counts = {
            q.noun: q.held_count + q.flying_count + left.get(q.noun, 0) + self._aside_counts[q.noun]
            for q in self.queues
        }
        return {noun: count for noun, count in counts.items() if count}

    @property
    def lost_counts(self) -> dict[str, int]:
        """How many items were refused for good, or had no room."""
        return {queue.noun: queue.lost_count for queue in self.queues if queue.lost_count}

    @property
    def by_run(self) -> dict[str, tuple[int, int]]:
        """The earliest time, and how many items, of what each run has in memory, left in the store, or set aside."""
        found = unsent_by_run(self.queues, self._leftovers, self._describe)
        for run_id, (since_ns, count) in tuple(self._aside.items()):
            known_ns, known = found.get(run_id, (since_ns, 0))
            found[run_id] = min(known_ns, since_ns), known + count
        return found

    @property
    def is_set_aside(self) -> bool:
        """Whether items are left to a later push."""
        return bool(self._aside)

    @property
    def is_in_memory(self) -> bool:
        """Whether a queue holds something."""
        return any(queue.held_count for queue in self.queues)

    @property
    def is_flying(self) -> bool:
        """Whether a request has no answer yet."""
        return any(queue.flying_count for queue in self.queues)

    @property
    def is_none(self) -> bool:
        """Whether nothing waits that could be sent now, in memory or in the store."""
        left = self._leftovers
        is_left = left is not None and not left.is_empty and self._clock() >= self._unreadable_until_s
        return not (self.is_in_memory or is_left)

    def leave_in_store(self, run_id: str, arrival: Arrival) -> None:
        """Know of items that are in the store and were never in a queue."""
        if self._leftovers is not None:
            first, *others = self.queues
            for queue in others:  # which of them have how many of the items is not known
                self._leftovers.add(run_id, queue.noun, arrival.since_ns, arrival.last_ns, 0)
            self._leftovers.add(run_id, first.noun, arrival.since_ns, arrival.last_ns, arrival.count)

    def read_rest(self) -> bool:
        """Let wait in memory what the next page from the store holds; False when it cannot be read now."""
        left = self._leftovers
        if left is None:
            return False
        try:
            entries = left.read()
            if entries is None:
                return True
            counts = {}
            for queue in self.queues:
                page = entries.get(queue.noun, [])
                queue.put(page, is_bounded=False)
                counts[queue.noun] = sum(map(queue.weight, page))
            left.settle({noun: count for noun, count in counts.items() if noun in entries})
        except Exception as error:
            if is_interruption(error):
                raise
            self._unreadable_until_s = self._clock() + _UNREADABLE_S
            self.read_error = f"what is left in the store cannot be read now: {error}"
            return False
        self.read_error = ""
        return True

    def set_aside(self, queue: Queue[Any], entries: Iterable[Any]) -> None:
        """Leave entries to a later push: this process does not send them again."""
        for entry in entries:
            run_id, since_ns, _ = self._describe(entry)
            count = queue.weight(entry)
            known_ns, known = self._aside.get(run_id, (since_ns, 0))
            self._aside[run_id] = min(known_ns, since_ns), known + count
            self._aside_counts[queue.noun] += count

    def note_taken(self) -> None:
        """Know that a request was taken: what leaves memory from now on is apart from what left it before."""
        if self._leftovers is not None:
            self._leftovers.end_stretches()

    def take_dropped(self, queue: Queue[Any]) -> int:
        """Return how many items of a queue were lost, for lack of room, since this was asked last."""
        return self._dropped.pop(queue.noun, 0)

    def _note_overflow(self, queue: Queue[Any], entries: list[Any]) -> None:
        """Let go of entries for which there is no room; called with the queue locked, so it tells nobody."""
        for entry in entries:
            run_id, since_ns, last_ns = self._describe(entry)
            count = queue.weight(entry)
            if self._leftovers is not None and run_id:
                self._leftovers.add(run_id, queue.noun, since_ns, last_ns, count)
            else:
                queue.lost_count += count
                self._dropped[queue.noun] += count
