"""What a receiver has taken and what it has not, counted for its last line and for whoever asks."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from otel_experiments.model.signal import SIGNALS, Signal
from otel_experiments.process.notice import tell
from otel_experiments.receiver.refusal import Reason, Refusal

logger: Final = logging.getLogger("otel_experiments")
_ITEMS: Final = {"traces": "span", "metrics": "metric point", "logs": "log record"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverCounts:
    """What a receiver did so far.

    Attributes:
        request_count: requests that were taken, whole or in part.
        item_counts: items that were taken, by signal: `traces` (spans), `metrics` (data points), `logs` (log records).
        refused_item_counts: items of these requests that were not, by signal.
        refused_request_counts: requests that were not taken, by reason.
    """

    request_count: int = 0
    item_counts: dict[Signal, int] = field(default_factory=dict)
    refused_item_counts: dict[Signal, int] = field(default_factory=dict)
    refused_request_counts: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        taken = " and ".join(_joined([_number(self.item_counts[s], _ITEMS[s]) for s in self._signals()]))
        text = f"Received {taken or 'nothing'} in {_number(self.request_count, 'request')}."
        refused_items = sum(self.refused_item_counts.values())
        if refused_items:
            text += f" Refused {_number(refused_items, 'item')} of them."
        if self.refused_request_counts:
            reasons = [f"{count:,} {brief}" for brief, count in self.refused_request_counts.items()]
            refused = _number(sum(self.refused_request_counts.values()), "request")
            text += f" Refused {refused}: {', '.join(reasons)}."
        return text

    def _signals(self) -> list[Signal]:
        return [signal for signal in SIGNALS if self.item_counts.get(signal)]


class Tally:
    """Counts of a receiver that runs; safe in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._request_count = 0
        self._items: Counter[Signal] = Counter()
        self._refused_items: Counter[Signal] = Counter()
        self._refused: Counter[Reason] = Counter()
        self._told: set[object] = set()

    def take(self, signal: Signal, *, item_count: int, refused_count: int, message: str) -> None:
        """Count a request that was taken; the first refusal of items of a signal is logged, and so is the first warning."""
        with self._lock:
            self._request_count += 1
            self._items[signal] += item_count - refused_count
            self._refused_items[signal] += refused_count
        if refused_count:
            self._tell_once(
                signal,
                f"The receiver refused {_number(refused_count, _ITEMS[signal])} of a request: {message}",
            )
        elif message:
            self._tell_once((signal, "warning"), f"The receiver warns of a request of {signal}: {message}")

    def refuse(self, refusal: Refusal) -> None:
        """Count a request that was not taken; the first one of each reason is logged."""
        with self._lock:
            self._refused[refusal.reason] += 1
        self._tell_once(refusal.reason, f"The receiver refused a request: {refusal.message}")

    def counts(self) -> ReceiverCounts:
        """Return what was counted so far."""
        with self._lock:
            return ReceiverCounts(
                request_count=self._request_count,
                item_counts=dict(+self._items),
                refused_item_counts=dict(+self._refused_items),
                refused_request_counts={reason.brief: count for reason, count in self._refused.items()},
            )

    def _tell_once(self, subject: object, text: str) -> None:
        with self._lock:
            if subject in self._told:
                return
            self._told.add(subject)
        tell(logger, "%s", _printable(text))


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _printable(text: str) -> str:
    """Return the text with what a terminal would obey escaped: parts of it come from clients."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1] for letter in text
    )


def _joined(parts: list[str]) -> list[str]:
    return [", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts
