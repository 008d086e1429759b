"""OTLP out: what has been stored is sent, each signal by a thread of its own, to where the environment says.

The drain hands over each batch that it has stored, so that what leaves is what was kept: forked workers' spans
and points included, nothing of it on the training thread. What memory has no room for while an endpoint is away is
read back from the store. A dead or hanging endpoint delays nothing but its signal's thread; when the process ends, it
gets a bounded time, roots of traces before all else and spans before points; one line an endpoint says what was not
sent, and the store remembers it (`progress`).
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, cast

from opentelemetry.trace import TraceFlags

from otel_experiments.codec.otlp.instruments import instrument_points_to_request
from otel_experiments.codec.otlp.logs import log_records_to_request
from otel_experiments.codec.otlp.spans import spans_to_request
from otel_experiments.model.arrivals import arrivals, is_never_sent
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock
from otel_experiments.model.signal import Signal
from otel_experiments.model.span import Span
from otel_experiments.model.unsent import Unsent
from otel_experiments.process.interruption import is_interruption
from otel_experiments.record.base.guard import Guard
from otel_experiments.record.base.known_runs import KnownRuns
from otel_experiments.record.base.notices import say_once
from otel_experiments.record.otlp.answer import Outcome
from otel_experiments.record.otlp.backoff import Backoff
from otel_experiments.record.otlp.client import open_client
from otel_experiments.record.otlp.ending import go_on_while_taken, tell_unsent
from otel_experiments.record.otlp.environment import Destination, SendingPlan
from otel_experiments.record.otlp.leftovers import Leftovers, SendingStore
from otel_experiments.record.otlp.points import encode_points
from otel_experiments.record.otlp.progress import SendingProgress
from otel_experiments.record.otlp.queue import (
    Queue,
    block_bytes,
    block_points,
    halve_block,
    instrument_point_bytes,
    log_record_bytes,
    one,
    span_bytes,
    split_block,
)
from otel_experiments.record.otlp.sender import SignalSender
from otel_experiments.semconv import attributes as attr

MAX_HELD: Final = 65_536
"""Spans, and log records, and data points of instruments, that wait in memory. The store keeps all."""
MAX_HELD_BYTES: Final = 128 << 20
"""What each of these takes of memory at most, by the size of its requests; items of megabytes are few."""
MAX_HELD_POINTS: Final = 2_000_000
"""Metric points that wait in memory; they are held as columns."""
POINTS_PER_REQUEST: Final = 10_000  # whatever OTEL_BSP_MAX_EXPORT_BATCH_SIZE says, which is about spans
_SUSPECT_WAIT_S: Final = 1.0
"""How long the end of a process waits for an endpoint that did not answer when it was asked last."""
_STOP_S: Final = 0.5
_SPANS_SHARE: Final = 0.7
"""How much of the last wait the spans have before everything else."""


class OtlpExport:
    """What one process sends over OTLP.

    Args:
        plan: which signals go where, and how.
        guard: counts what is lost.
        known: the runs whose telemetry is sent; what else the drain meets stays at home.
        is_stored: whether a store has what cannot be sent.
        store: that store, for what is sent later; None where what does not fit into memory is lost.
        progress: what writes how far sending is; None without such a store.
        version: of this package, for the user agent.
        store_option: what a command needs behind it to find that store, with a space before it.

    Attributes:
        metric_interval_s: seconds between two metric collections.
    """

    def __init__(
        self,
        plan: SendingPlan,
        guard: Guard,
        known: KnownRuns,
        *,
        is_stored: bool,
        version: str,
        store: SendingStore | None = None,
        progress: SendingProgress | None = None,
        store_option: str = "",
    ) -> None:
        self.metric_interval_s = plan.metric_interval_s
        self._sampling = plan.sampling
        self._guard = guard
        self._known = known
        self._is_stored = is_stored
        self._store = store
        self._progress = progress
        self._tell_unsent = partial(tell_unsent, store_option=store_option)
        self._random = random.Random(os.urandom(16))  # noqa: S311 - jitter, and never the global generator
        self._is_stopping = False
        self._senders: list[SignalSender] = []
        self._ways: dict[str, tuple[SignalSender, Queue[Any]]] = {}
        for destination in plan.destinations.values():
            self._add(destination, plan, user_agent=f"otel-experiments/{version}")

    @property
    def unsent_counts(self) -> dict[str, int]:
        """How many items wait, or were lost for good, by what they are called; empty when all was taken."""
        found: dict[str, int] = {}
        for sender in self._senders:
            found |= sender.waiting.counts
        return found

    def hold(self, batch: WriteBatch) -> None:
        """Send what of a stored batch belongs to this process's runs. Returns at once."""
        for noun, entries in self._entries_of(batch).items():
            self._put(noun, entries)
        if self._progress is not None:
            self._progress.note_stored(batch)

    @property
    def sent_counts(self) -> dict[str, int]:
        """How many items were taken, by what they are called."""
        return {noun: queue.sent_count for noun, (_, queue) in self._ways.items() if queue.sent_count}

    @property
    def lost_counts(self) -> dict[str, int]:
        """How many items were refused for good, by what they are called."""
        return {noun: queue.lost_count for noun, (_, queue) in self._ways.items() if queue.lost_count}

    @property
    def waiting_count(self) -> int:
        """How many items have no answer yet."""
        return sum(queue.held_count + queue.flying_count for _, queue in self._ways.values())

    @property
    def is_unreachable(self) -> bool:
        """Whether an endpoint that items wait for did not answer when it was asked last."""
        return any(sender.is_suspect for sender, queue in self._ways.values() if queue.held_count)

    @property
    def reason(self) -> str:
        """Why endpoints do not take what waits, or what is set aside."""
        details = [sender.last_detail for sender, queue in self._ways.values() if queue.held_count]
        details += [sender.said.denial for sender in self._senders if sender.said.denial]
        return "; ".join(dict.fromkeys(details))

    @property
    def denied_signals(self) -> set[str]:
        """The signals that endpoints do not let this process send."""
        return {sender.signal for sender in self._senders if sender.said.denial}

    @property
    def unserved_signals(self) -> dict[str, str]:
        """The signals that endpoints do not take at all, with what they said."""
        return {sender.signal: sender.last_detail for sender in self._senders if sender.is_off}

    def begin(self, run_id: str) -> list[Unsent]:
        """Return what the journal is to say of a run that starts: that it is sent, and where to."""
        return [] if self._progress is None else self._progress.begin(run_id, self._senders)

    def open_rows(self, batch: WriteBatch) -> None:
        """Let the store know, with a batch that is about to be stored, of runs that are sent from now on."""
        if self._progress is not None:
            batch.unsent += self._progress.rows_to_open(batch, self._senders)

    def note_progress(self) -> None:
        """Write how far sending is, if it is time. Raises nothing."""
        if self._progress is not None:
            self._progress.write(self._senders)

    def note_taken_over(self, batch: WriteBatch) -> None:
        """Know that another process has stored what of a batch comes first; it is read back from the store."""
        for (run_id, signal), arrival in arrivals(batch).items():
            for sender in self._senders:
                if sender.signal == signal and self._known.get(run_id) is not None:
                    sender.leave_in_store(run_id, arrival)

    def _entries_of(self, batch: WriteBatch) -> dict[str, list[Any]]:
        """Return what of a batch is sent, as entries of the queues."""
        known = self._known
        blocks = [block for block in batch.points if known.get(block.run_id) is not None]
        return {
            "spans": [span for span in batch.spans if self._is_sent(span)],
            "log records": [
                self._as_sampled(r) for r in batch.log_records if self._is_ours(r) and not is_never_sent(r)
            ],
            "metric points": [piece for block in blocks for piece in split_block(block)],
            "data points of instruments": [p for p in batch.instrument_points if self._is_ours(p)],
        }

    def flush(self, *, timeout_s: float) -> bool:
        """Send what waits; True when the endpoints have taken everything, since the start, within the time."""
        self._await(dict.fromkeys(self._senders, timeout_s))
        return not self.unsent_counts

    def settle(self, *, timeout_s: float) -> bool:
        """Flush, without waiting for an endpoint that did not answer when it was asked last."""
        self._await({sender: 0.0 if sender.is_suspect else timeout_s for sender in self._senders})
        return not self.unsent_counts

    def shutdown(self, *, timeout_s: float, longest_s: float = 0.0, is_whole: bool = True) -> bool:
        """Send what waits and stop; say in one line an endpoint what was not sent. Safe to call twice.

        `longest_s`: how long it may go on, all in all, while endpoints take requests. `is_whole`: everything that was
        recorded is stored, so that nothing waits in a journal.
        """
        if self._is_stopping:
            return not self.unsent_counts
        self._is_stopping = True
        longest_until_s = time.monotonic() + longest_s
        self._let_spans_pass(timeout_s)
        self._await(
            {
                sender: min(timeout_s, _SUSPECT_WAIT_S) if sender.is_suspect else timeout_s
                for sender in self._senders
            },
            is_last=True,
        )
        go_on_while_taken(
            self._senders, longest_until_s, lambda timeouts_s: self._await(timeouts_s, is_last=True)
        )
        self.stop()
        if self._progress is not None:
            self._progress.write(self._senders, is_due=True, is_whole=is_whole)
        self._tell_unsent(self._senders, self._kept, is_kept=self._store is not None, is_whole=is_whole)
        return not self.unsent_counts

    def stop(self) -> None:
        """Send nothing more, and let go of the connections. Says nothing."""
        for sender in self._senders:
            sender.stop()
        deadline_s = time.monotonic() + _STOP_S
        for sender in self._senders:
            sender.join(max(0.0, deadline_s - time.monotonic()))

    def _let_spans_pass(self, timeout_s: float) -> None:
        """Let all other signals wait for the spans: a trace without its root is worth less than a curve without its end."""
        until_s = time.monotonic() + timeout_s * _SPANS_SHARE
        traces = next((sender for sender in self._senders if sender.signal == "traces"), None)
        for sender in self._senders:
            if traces is not None and sender is not traces and not traces.is_suspect:
                sender.give_way(traces, until_s)

    def _add(self, destination: Destination, plan: SendingPlan, *, user_agent: str) -> None:
        try:
            client = open_client(destination, user_agent=user_agent)
        except Exception as error:  # a provider of credentials, which is foreign code
            if is_interruption(error):
                raise
            say_once(
                f"OTLP: {destination.signal} are not sent to {destination.address.target}: its credentials cannot be "
                f"made: {error!r}. {self._kept.capitalize()}. Correct the OTEL_EXPORTER_OTLP_* and "
                "OTEL_PYTHON_EXPORTER_OTLP_* variables, or turn sending off: OTEL_EXPERIMENTS_OTLP=false."
            )
            return
        queues = self._queues(destination.signal, client.send, plan)
        sender = SignalSender(
            destination.signal,
            destination.address.target,
            client,
            queues,
            guard=self._guard,
            backoff=Backoff(self._random.uniform),
            delay_s=plan.delay_s,
            kept=self._kept,
            is_kept=self._is_stored,
            on_unserved=self._tell_unserved,
            leftovers=None
            if self._store is None
            else Leftovers(cast("Signal", destination.signal), self._store, self._entries_of),
            describe=describe,
        )
        self._senders.append(sender)
        self._ways.update({queue.noun: (sender, queue) for queue in queues})

    def _queues(
        self, signal: str, send: Callable[[bytes], Outcome], plan: SendingPlan
    ) -> tuple[Queue[Any], ...]:
        plain = partial(
            Queue[Any],
            weight=one,
            max_held=plan.max_held or MAX_HELD,
            max_held_bytes=MAX_HELD_BYTES,
            max_request=plan.max_request,
        )
        if signal == "traces":
            return (plain("spans", lambda spans: send(spans_to_request(spans)), size=span_bytes),)
        if signal == "logs":
            return (
                plain("log records", lambda logs: send(log_records_to_request(logs)), size=log_record_bytes),
            )
        points = Queue[PointBlock](
            "metric points",
            lambda blocks: send(encode_points(blocks, self._known)),
            weight=block_points,
            size=block_bytes,
            max_held=MAX_HELD_POINTS,
            max_request=POINTS_PER_REQUEST,
            halve=halve_block,
        )
        measured = Queue[InstrumentPoint](
            "data points of instruments",
            lambda held: send(instrument_points_to_request(held)),
            weight=one,
            size=instrument_point_bytes,
            max_held=MAX_HELD,
            max_held_bytes=MAX_HELD_BYTES,
            max_request=POINTS_PER_REQUEST,
        )
        return points, measured

    @property
    def _kept(self) -> str:
        return "the store has them" if self._is_stored else "no store has them"

    def _is_sent(self, span: Span) -> bool:
        is_ended = span.end_ns is not None
        if not is_ended or not self._is_ours(span):
            return False
        return self._sampling.takes_all or self._sampling.takes(span.trace_id, span.resource.attributes)

    def _as_sampled(self, record: LogRecord) -> LogRecord:
        """Return a log record with the flags of its trace: a trace that is not sent is not sampled."""
        if self._sampling.takes_all or record.trace_id is None or not record.flags & TraceFlags.SAMPLED:
            return record
        if self._sampling.takes(record.trace_id, record.resource.attributes):
            return record
        return replace(record, flags=record.flags & ~TraceFlags.SAMPLED)

    def _is_ours(self, record: Span | LogRecord | InstrumentPoint) -> bool:
        # What an application's own provider made goes where the application sends it, not there again.
        attributes = record.resource.attributes
        return (
            self._known.get(attributes.get(attr.ML_RUN_ID)) is not None
            and attr.ML_RUN_ADOPTED not in attributes
        )

    def _put(self, noun: str, entries: Sequence[Any]) -> None:
        if entries and noun in self._ways:
            sender, queue = self._ways[noun]
            sender.put(queue, entries)

    def _await(self, timeouts_s: dict[SignalSender, float], *, is_last: bool = False) -> None:
        """Ask all senders, then wait for each: they send side by side, and each has the whole time."""
        if "spans" in self._ways:
            self._ways["spans"][1].bring_forward(lambda span: span.parent_span_id is None)
        now_s = time.monotonic()
        asked = [
            (sender, sender.ask(now_s + timeout_s, is_last=is_last), now_s + timeout_s)
            for sender, timeout_s in timeouts_s.items()
        ]
        for sender, number, deadline_s in asked:
            sender.await_answer(number, deadline_s)

    def _tell_unserved(self, sender: SignalSender, detail: str) -> None:
        say_once(
            f"OTLP: {sender.address} takes no {sender.signal} ({detail}): this process sends it none. "
            f"{self._kept.capitalize()}. If that is meant, say so: OTEL_{sender.signal.upper()}_EXPORTER=none; else name "
            f"an endpoint that takes them: OTEL_EXPORTER_OTLP_{sender.signal.upper()}_ENDPOINT."
        )


def describe(entry: Span | LogRecord | PointBlock | InstrumentPoint) -> tuple[str, int, int]:
    """Return whose an entry of a queue is, and from when to when its items are."""
    if isinstance(entry, PointBlock):
        return entry.run_id, min(entry.times_ns), max(entry.times_ns)
    time_ns = entry.end_ns or 0 if isinstance(entry, Span) else entry.time_ns
    return str(entry.resource.attributes.get(attr.ML_RUN_ID, "")), time_ns, time_ns
