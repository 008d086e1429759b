"""What waits in memory to be sent: bounded, oldest out first, cut into requests that gRPC's default limit takes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Generic, TypeVar

from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock
from otel_experiments.model.span import Attributes, AttributeValue, Span
from otel_experiments.record.otlp.answer import Outcome

Item = TypeVar("Item")

MAX_REQUEST_BYTES: Final = 2 << 20
"""A request is cut here, by an estimate that errs high; gRPC's default limit is 4 MiB."""
LEAST_REQUEST_BYTES: Final = 4096
"""An endpoint that takes no request of this size takes none."""
POINT_BYTES: Final = 130
"""A metric point with its exemplar, without the metric's name."""
_ROWS: Final = 1000


class Queue(Generic[Item]):
    """Items of one kind that wait for OTLP.

    Args:
        noun: what the items are called in messages, in the plural.
        send: tries to send items, once.
        weight: how many items (spans, records, points) one entry holds.
        size: about how many bytes it takes in a request; never too few.
        max_held: how many items may wait.
        max_held_bytes: about how many bytes they may take in requests, so in memory as well; None: as many as they have. One
            item waits however large it is. Not for entries that are cut.
        max_request: how many go into one request.
        halve: cuts an entry of many items in two; an entry of one item comes back alone.

    Attributes:
        overflow: called, with the queue locked, with entries that have to go since more wait than may.
        held_count: items that wait.
        flying_count: items in a request that has no answer yet.
        sent_count, lost_count: items that the endpoint took; items that it refused or that did not fit.
    """

    def __init__(
        self,
        noun: str,
        send: Callable[[list[Item]], Outcome],
        *,
        weight: Callable[[Item], int],
        size: Callable[[Item], int],
        max_held: int,
        max_request: int,
        max_held_bytes: int | None = None,
        halve: Callable[[Item], list[Item]] = lambda entry: [entry],
    ) -> None:
        self.noun = noun
        self.send = send
        self.weight = weight
        self._size = size
        self._max_held = max_held
        self._max_held_bytes = max_held_bytes
        self._held_bytes = 0
        self._max_request = max_request
        self._max_bytes = MAX_REQUEST_BYTES
        self._halve = halve
        self._entries: deque[Item] = deque()
        self._flying: list[Item] = []
        self.overflow: Callable[[list[Item]], None] = lambda _: None
        self._lock = threading.RLock()  # a signal handler may flush in the middle of a flush
        self._is_closed = False
        self.held_count = 0
        self.flying_count = 0
        self.sent_count = 0
        self.lost_count = 0

    def put(self, entries: Iterable[Item], *, is_bounded: bool = True) -> None:
        """Let entries wait; the oldest go for them where more wait than may, but for what a page brings."""
        with self._lock:
            if self._is_closed:
                return
            for entry in entries:
                self._entries.append(entry)
                self.held_count += self.weight(entry)
                self._held_bytes += self._counted_bytes(entry)
            if is_bounded:
                self._drop_oldest()

    def put_back(self, entries: Sequence[Item]) -> None:
        """Let entries wait that were taken; they stay the oldest."""
        with self._lock:
            self._entries.extendleft(reversed(entries))
            self.held_count += sum(map(self.weight, entries))
            self._held_bytes += sum(map(self._counted_bytes, entries))
            self._drop_oldest()

    def bring_forward(self, is_wanted: Callable[[Item], bool]) -> None:
        """Let the entries that are wanted be the next ones."""
        with self._lock:
            found: list[Item] = []
            while self._entries:  # one by one: what a signal handler puts here meanwhile stays
                found.append(self._entries.popleft())
            found.sort(key=lambda entry: not is_wanted(entry))  # stable
            found.reverse()
            self._entries.extendleft(found)

    def waiting(self) -> list[Item]:
        """Return the entries that nobody has taken yet, those of a request that has no answer among them."""
        with self._lock:
            return [*self._flying, *self._entries]

    def take(self) -> list[Item]:
        """Return the oldest entries, enough for one request; empty when nothing waits."""
        taken: list[Item] = []
        count = size_bytes = 0
        with self._lock:
            while self._entries:
                self._cut_first()
                weight, size = self.weight(self._entries[0]), self._size(self._entries[0])
                if taken and (count + weight > self._max_request or size_bytes + size > self._max_bytes):
                    break
                taken.append(self._entries.popleft())
                count, size_bytes = count + weight, size_bytes + size
            self.held_count -= count
            if self._max_held_bytes is not None:
                self._held_bytes -= size_bytes
            self.flying_count = count
            self._flying = taken
        return taken

    def attempt(self, entries: list[Item]) -> Outcome:
        """Try once to send entries that were taken. Never raises."""
        try:
            return self.send(entries)
        except Exception as error:  # noqa: BLE001 - what cannot be made into a request now never can
            return Outcome(is_taken=False, is_divisible=True, detail=f"it cannot be encoded: {error!r}")

    def land(self) -> None:
        """Note that the request that was taken has its answer, and what it held is sent, lost or put back."""
        self.flying_count, self._flying = 0, []

    def make_smaller(self, entries: Sequence[Item]) -> Sequence[Item]:
        """Let entries wait that are too large for one request, for requests of at most half their size.

        Returns those that cannot be made smaller; they do not wait.
        """
        size_bytes = sum(map(self._size, entries))
        pieces = self._halve(entries[0]) if len(entries) == 1 else entries
        if len(pieces) == 1 or size_bytes <= LEAST_REQUEST_BYTES:
            return entries
        self._max_bytes = min(self._max_bytes, max(LEAST_REQUEST_BYTES, size_bytes // 2))
        self.put_back(pieces)
        return ()

    def close(self) -> None:
        """Let go of everything that waits, uncounted, and of all that comes."""
        with self._lock:
            self._is_closed = True
            self.held_count = self._held_bytes = 0
            self._entries.clear()

    def _cut_first(self) -> None:
        """Cut the oldest entry until it fits, as far as it can be cut."""
        while self._size(self._entries[0]) > self._max_bytes:
            pieces = self._halve(self._entries[0])
            if len(pieces) == 1:
                return
            self._entries.popleft()
            self._entries.extendleft(reversed(pieces))

    def _counted_bytes(self, entry: Item) -> int:
        return 0 if self._max_held_bytes is None else self._size(entry)

    def _drop_oldest(self) -> None:
        dropped: list[Item] = []
        most_bytes = self._max_held_bytes
        while self._entries and (
            self.held_count > self._max_held
            or (most_bytes is not None and self._held_bytes > most_bytes and len(self._entries) > 1)
        ):
            dropped.append(self._entries.popleft())
            self.held_count -= self.weight(dropped[-1])
            self._held_bytes -= self._counted_bytes(dropped[-1])
        if dropped:
            self.overflow(dropped)


def one(_: object) -> int:
    """Weigh an entry that is one item."""
    return 1


def span_bytes(span: Span) -> int:
    """Estimate a span's size in a request."""
    size = (
        200
        + (len(span.name) + len(span.trace_state)) * 4
        + _attributes_bytes(span.attributes)
        + len(span.status_message) * 4
    )
    size += sum(60 + len(event.name) * 4 + _attributes_bytes(event.attributes) for event in span.events)
    return size + sum(80 + _attributes_bytes(link.attributes) for link in span.links)


def log_record_bytes(record: LogRecord) -> int:
    """Estimate a log record's size in a request."""
    texts = 4 * (len(record.event_name) + len(record.severity_text))
    return 150 + texts + _value_bytes(record.body) + _attributes_bytes(record.attributes)


def block_points(block: PointBlock) -> int:
    """Count the points of a block."""
    return len(block.steps) * len(block.keys)


def block_bytes(block: PointBlock) -> int:
    """Estimate the size of a block's points in a request, where each repeats its metric's name."""
    names = sum(POINT_BYTES + 4 * (len(key.name) + len(key.phase)) for key in block.keys)
    return names * len(block.steps)


def split_block(block: PointBlock) -> Iterable[PointBlock]:
    """Yield the block in pieces of about a thousand points, so that requests can be cut between them."""
    rows = max(1, _ROWS // max(1, len(block.keys)))
    for start in range(0, len(block.steps), rows):
        cut = slice(start, start + rows)
        yield PointBlock(
            block.run_id,
            block.keys,
            block.steps[cut],
            block.times_ns[cut],
            tuple(column[cut] for column in block.values),
        )


def halve_block(block: PointBlock) -> list[PointBlock]:
    """Return the block in two halves, by rows where it has several, else by metrics; one point comes back alone."""
    rows, columns = len(block.steps), len(block.keys)
    if rows > 1:
        cuts = (slice(None, rows // 2), slice(rows // 2, None))
        return [
            PointBlock(
                block.run_id,
                block.keys,
                block.steps[cut],
                block.times_ns[cut],
                tuple(column[cut] for column in block.values),
            )
            for cut in cuts
        ]
    if columns > 1:
        return [
            PointBlock(block.run_id, block.keys[cut], block.steps, block.times_ns, block.values[cut])
            for cut in (slice(None, columns // 2), slice(columns // 2, None))
        ]
    return [block]


def instrument_point_bytes(point: InstrumentPoint) -> int:
    """Estimate the size of an instrument's data point in a request, with what says which metric it is of."""
    texts = 4 * (len(point.name) + len(point.description) + len(point.unit))
    buckets = 0 if point.histogram is None else _attributes_bytes(point.histogram)
    exemplars = sum(80 + _attributes_bytes(exemplar) for exemplar in point.exemplars)
    return 150 + texts + buckets + exemplars + _attributes_bytes(point.attributes)


def _attributes_bytes(attributes: Attributes | Any) -> int:  # the SDK's attributes are ours
    return sum(12 + len(key) * 2 + _value_bytes(value) for key, value in attributes.items())


def _value_bytes(value: AttributeValue) -> int:
    if isinstance(value, str):
        return 4 + len(value) if value.isascii() else 4 + 4 * len(value)
    if value is None or isinstance(value, (bool, int, float)):
        return 12
    if isinstance(value, bytes):
        return 4 + len(value)
    if hasattr(value, "items"):
        return _attributes_bytes(value)
    return 8 + sum(map(_value_bytes, value))
