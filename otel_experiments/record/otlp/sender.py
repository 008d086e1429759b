"""One thread that sends one signal: its queues in turn, its own pauses, whatever the other signals meet.

Each signal has an endpoint of its own to wait for, so that a dead one, or a long queue, holds up no other. What does
not fit into memory is read back from the store once everything else is sent. Where the endpoint says that this
process may not send, what it refused is left to a later push. Items are lost only where waiting cannot save them: what
the endpoint refuses for good, and without a store what does not fit into memory. Each is counted and told.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from opentelemetry import context as context_api

from otel_experiments.model.arrivals import Arrival
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.thread_signals import leave_signals_to_the_program
from otel_experiments.record.base.guard import Guard
from otel_experiments.record.base.notices import say_once
from otel_experiments.record.base.otel_internals import without_instrumentation
from otel_experiments.record.otlp.answer import Outcome
from otel_experiments.record.otlp.backoff import Backoff
from otel_experiments.record.otlp.counts import counted
from otel_experiments.record.otlp.leftovers import Leftovers
from otel_experiments.record.otlp.queue import Queue
from otel_experiments.record.otlp.waiting import WaitingItems

_LOOK_S: Final = 0.02
_LAST_CHANCE_S: Final = 0.25
"""So long before a wait ends, an endpoint that named no time is asked once more."""


class Client(Protocol):
    """Whoever sends requests."""

    def close(self) -> None:
        """End a request that waits, and send no more."""
        ...


class Sayings:
    """What is said of items that an endpoint did not take: each thing once, and again when the process ends.

    Args:
        signal, address: of the sender.
        kept: where else the items are.
        guard: counts what is lost.

    Attributes:
        denial: what the endpoint said last of who may send; empty where it lets this process send.
        loss: why items were lost last; empty where none were.
    """

    def __init__(self, signal: str, address: str, kept: str, guard: Guard) -> None:
        self.denial = ""
        self.loss = ""
        self._signal = signal
        self._address = address
        self._kept = kept
        self._guard = guard
        self._has_warned = False

    def note_denied(self, detail: str) -> None:
        """Know that the endpoint does not let this process send."""
        if not self.denial:
            say_once(
                f"OTLP: {self._address} does not let this process send {self._signal}: {detail}. "
                f"{self._kept.capitalize()}. Correct the credentials (OTEL_EXPORTER_OTLP_HEADERS)."
            )
        self.denial = detail

    def note_lost(self, noun: str, count: int, why: str) -> None:
        """Count items that the endpoint does not get."""
        self.loss = why
        self._guard.lost(
            f"otlp {noun}",
            f"OTLP: {self._address} did not take {counted({noun: count})}: {why}; {self._kept}",
            count=count,
        )

    def note_warning(self, detail: str) -> None:
        """Say what the endpoint said of items that it took."""
        if not self._has_warned:
            self._has_warned = True
            say_once(f"OTLP: {self._address} took {self._signal}, with a warning: {detail}. Nothing is lost.")


class SignalSender:
    """Sends what waits in the queues of one signal.

    Args:
        signal: `traces`, `metrics` or `logs`.
        address: where it goes, for messages.
        client: sends; closed when the sender stops.
        queues: what waits; each is given its turn.
        guard: counts what is lost.
        backoff: the pauses.
        delay_s: for how long what comes first waits for more.
        kept: where else the items are, for messages.
        is_kept: whether a store has them, so that a push can send them later.
        leftovers: what is left in the store; None where no store has it.
        describe: says of an entry of a queue whose it is, and from when to when its items are.
        on_unserved: told when the endpoint does not take the signal at all, with what it said.
        clock: seconds, never going back.

    Attributes:
        waiting: what is not sent.
        is_off: the endpoint does not take this signal; nothing more is sent.
        is_suspect: nobody answered when the endpoint was asked last.
        last_detail: what the endpoint said last when it refused.
        said: what was said of items that it did not take.
        taken_requests: how many requests it took.
    """

    def __init__(  # noqa: PLR0913 - what it is made of, each by name
        self,
        signal: str,
        address: str,
        client: Client,
        queues: Sequence[Queue[Any]],
        *,
        guard: Guard,
        backoff: Backoff,
        delay_s: float,
        kept: str,
        on_unserved: Callable[[SignalSender, str], None],
        is_kept: bool = False,
        leftovers: Leftovers | None = None,
        describe: Callable[[Any], tuple[str, int, int]] = lambda _: ("", 0, 0),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.signal = signal
        self.address = address
        self.is_off = False
        self.is_suspect = False
        self.last_detail = ""
        self._client = client
        self.said = Sayings(signal, address, kept, guard)
        self._guard = guard
        self._backoff = backoff
        self._delay_s = delay_s
        self._is_kept = is_kept
        self._on_unserved = on_unserved
        self._clock = clock
        self.waiting = WaitingItems(queues, leftovers, describe, clock)
        self._first: SignalSender | None = None
        self._first_until_s = 0.0
        self._mutex = (
            threading.RLock()
        )  # taken by itself: a Condition's `__exit__` is Python, where a signal may raise
        self._changed = threading.Condition(self._mutex)
        self._asked = self._answered = 0
        self._deadline_s = 0.0
        self._is_last = False
        self.taken_requests = 0
        self._next_s: float | None = None
        self._is_stopping = False
        self._thread: threading.Thread | None = None

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing waits, or waiting for it is in vain."""
        return (
            (self.waiting.is_none and not self.waiting.is_flying) or self.is_off or self._backoff.refusals > 0
        )

    @property
    def reason(self) -> str:
        """What the endpoint said when it refused the last request, or what is left to a push; else empty."""
        return self.last_detail if self._backoff.refusals or self.is_suspect else self.said.denial

    def put(self, queue: Queue[Any], entries: Sequence[Any]) -> None:
        """Let entries wait in one of the sender's queues. Returns at once."""
        if not entries or self.is_off:
            return
        queue.put(entries)
        self._tell_dropped(queue)
        self.wake()

    def wake(self) -> None:
        """Send soon what waits."""
        with self._mutex:
            if self._next_s is None or self._thread is None:
                self._next_s = self._clock() + self._delay_s
                self._start()
                self._changed.notify_all()

    def ask(self, deadline_s: float, *, is_last: bool = False) -> int:
        """Ask for everything to be sent by `deadline_s`; returns a number to wait for.

        An endpoint that throttles is asked again when its pause is over, and (`is_last`) once more before the end.
        """
        with self._mutex:
            self._asked += 1
            self._deadline_s = max(self._deadline_s, deadline_s)
            self._is_last = self._is_last or is_last
            is_done = self.waiting.is_none and not self.waiting.is_flying
            if not is_done:
                self._start()
            if is_done or self._thread is None or self._is_too_late():
                self._answered = self._asked
            self._changed.notify_all()
            return self._asked

    def await_answer(self, number: int, deadline_s: float) -> None:
        """Wait until what was asked for is done, or can no longer be done in time."""
        taken_before = self.taken_requests
        with self._mutex:
            while self._answered < number and not self._is_stopping:
                left_s = deadline_s - self._clock()
                if left_s <= 0:
                    if self.taken_requests == taken_before and not self._backoff.refusals:
                        self.is_suspect = True
                        self.last_detail = "there was no answer in time"
                    return
                self._changed.wait(left_s)

    def leave_in_store(self, run_id: str, arrival: Arrival) -> None:
        """Send later what another process has stored of what this one recorded."""
        self.waiting.leave_in_store(run_id, arrival)
        self.wake()

    def give_way(self, first: SignalSender, until_s: float) -> None:
        """Send nothing more until another sender is at rest, or `until_s`."""
        self._first_until_s, self._first = until_s, first

    def stop(self) -> None:
        """Send no more; a request that waits for its answer is ended."""
        with self._mutex:
            self._is_stopping = True
            self._changed.notify_all()
        self._client.close()

    def join(self, timeout_s: float) -> None:
        """Wait until the thread has ended."""
        if self._thread is not None:
            self._thread.join(timeout=timeout_s)

    def _start(self) -> None:
        if self._thread is None and not self._is_stopping:
            name = f"otel-experiments-otlp-{self.signal}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # the system gives no more threads now; the next entry asks again
                if is_interruption(error):
                    raise
                self.last_detail = f"no thread could be started: {error}"
                return
            self._thread = thread

    def _work(self) -> None:
        leave_signals_to_the_program()
        # Without this, instrumentation of gRPC would make spans of sending spans. Source: the SDK's processors.
        context_api.attach(without_instrumentation())
        while True:
            with self._mutex:
                while not self._is_stopping and (pause_s := self._pause_s()) != 0:
                    self._changed.wait(pause_s)
                if self._is_stopping:
                    return
                asked, self._next_s = self._asked, None
            with self._guard:
                self._round()
            with self._mutex:
                if not self.waiting.is_none and self._next_s is None:
                    self._next_s = self._clock()
                if self._has_answer():
                    self._answered = max(self._answered, asked)
                    self._changed.notify_all()

    def _pause_s(self) -> float | None:
        """Return for how long to do nothing; None: until something comes."""
        now_s = self._clock()
        wait_s = self._backoff.wait_s(now_s)
        if self._asked > self._answered:
            if self._is_hopeless():
                return 0.0
            if self._is_last and not self._backoff.is_asked_for:
                wait_s = min(wait_s, max(0.0, self._deadline_s - _LAST_CHANCE_S - now_s))
            return wait_s
        if self._next_s is None:
            return None
        return max(wait_s, self._next_s - now_s, 0.0)

    def _has_answer(self) -> bool:
        """Tell whether those who wait have waited enough: all is sent, or will not be in their time."""
        return self.waiting.is_none or self.is_off or self._is_hopeless() or self._is_too_late()

    def _is_hopeless(self) -> bool:
        """Tell whether nobody answers, so that one try is enough for whoever waits."""
        return self.is_suspect and not self._backoff.is_asked_for

    def _is_too_late(self) -> bool:
        """Tell whether the pause that the endpoint is given outlasts those who wait."""
        now_s = self._clock()
        wait_s = self._backoff.wait_s(now_s)
        if self._is_hopeless() or not wait_s or now_s + wait_s <= self._deadline_s:
            return False
        is_last_chance = self._is_last and not self._backoff.is_asked_for
        return not is_last_chance or now_s >= self._deadline_s - _LAST_CHANCE_S

    def _round(self) -> None:
        """Send a request of each queue in turn, until nothing waits or the endpoint takes none now."""
        while not self.waiting.is_none:
            if not self.waiting.is_in_memory and not self.waiting.read_rest():
                self.last_detail = self.waiting.read_error
                return
            for queue in self.waiting.queues:
                self._wait_for_first()
                if self._is_stopping or self.is_off:
                    return
                entries = queue.take()
                rest = self._deliver(queue, entries) if entries else None
                if rest:
                    queue.put_back(rest)
                    self._tell_dropped(queue)
                queue.land()
                if rest is not None:
                    return

    def _wait_for_first(self) -> None:
        first = self._first
        while first is not None and not first.is_at_rest and not self._is_stopping:
            left_s = self._first_until_s - self._clock()
            if left_s <= 0:
                break
            with self._mutex:
                self._changed.wait(min(left_s, _LOOK_S))
        self._first = None

    def _tell_dropped(self, queue: Queue[Any]) -> None:
        count = self.waiting.take_dropped(queue)
        if count:
            self.said.note_lost(queue.noun, count, "more wait than memory is given to them")

    def _deliver(self, queue: Queue[Any], entries: list[Any]) -> list[Any] | None:
        """Send one request; returns None when that is done, else what waits since the endpoint takes none now."""
        outcome = queue.attempt(entries)
        if outcome.is_taken:
            self._note_taken(queue, entries, outcome)
            return None
        self.last_detail = "there was no answer in time" if self._is_stopping else outcome.detail
        if outcome.is_unserved:
            self._switch_off(outcome.detail)
            return []
        if outcome.is_passing:
            self.is_suspect = outcome.is_unreachable
            self._backoff.note_refused(self._clock(), outcome.delay_s)
            return entries
        if outcome.is_denied and self._is_kept:
            self.waiting.set_aside(queue, entries)
            self.said.note_denied(outcome.detail)
            return None
        if outcome.is_divisible and len(entries) > 1:
            half = len(entries) // 2
            rest = self._deliver(queue, entries[:half])
            return self._deliver(queue, entries[half:]) if rest is None else [*rest, *entries[half:]]
        lost = queue.make_smaller(entries) if outcome.is_too_large else entries
        if lost:
            count = sum(map(queue.weight, lost))
            queue.lost_count += count
            self.said.note_lost(queue.noun, count, outcome.detail)
        return None

    def _note_taken(self, queue: Queue[Any], entries: list[Any], outcome: Outcome) -> None:
        self._backoff.note_taken()
        self.taken_requests += 1
        self.is_suspect = False
        self.waiting.note_taken()
        count = sum(map(queue.weight, entries))
        rejected = min(outcome.rejected_count, count)
        queue.sent_count += count - rejected
        if rejected:
            queue.lost_count += rejected
            self.said.note_lost(queue.noun, rejected, outcome.detail or "it gives no reason")
        elif outcome.detail:
            self.said.note_warning(outcome.detail)

    def _switch_off(self, detail: str) -> None:
        self.is_off = True
        for queue in self.waiting.queues:
            queue.close()
        self._on_unserved(self, detail)
