"""This package's own instruments of one run: what they are told waits until the run's metrics are collected.

The SDK's instruments take locks, and are imported when the first one is made. A scope that ends must do neither: it may
end in a signal handler that interrupted the SDK, or in a forked child whose parent's thread held the lock. So a
measurement is an entry in a queue, and whoever collects the metrics, in the parent, hands the queue to the SDK.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from otel_experiments.codec.number import plain_number

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

    from otel_experiments.semconv.definitions import MetricDef

_MANY: Final = 4096
"""So many measurements wait at most until somebody is asked to hand them over."""


class OwnInstruments:
    """The counters, up-down counters and histograms of one run, in the form of a queue.

    `on_many` is called when many measurements wait.
    """

    def __init__(self, on_many: Callable[[], None]) -> None:
        self._on_many = on_many
        self._waiting: deque[tuple[MetricDef, float, Mapping[str, Any]]] = deque()
        self._made: dict[str, Any] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether something waits to be handed over."""
        return bool(self._waiting)

    def tell(self, definition: MetricDef, amount: float, attributes: Mapping[str, Any] | None = None) -> None:
        """Note one measurement."""
        waiting = self._waiting
        waiting.append((definition, amount, attributes or {}))
        if not len(waiting) % _MANY:
            self._on_many()

    def hand_over(self, meter: Meter) -> None:
        """Give the SDK what waits."""
        while self._waiting:
            try:
                definition, amount, attributes = self._waiting.popleft()
            except IndexError:  # another thread is at it
                return
            instrument = self._made.get(definition.name)
            if instrument is None:
                instrument = self._made[definition.name] = _make(meter, definition)
            if definition.instrument == "histogram":
                instrument.record(amount, attributes)
            else:
                instrument.add(plain_number(amount), attributes)

    def reset_in_child(self) -> None:
        """Forget what waits: the parent has it, and hands it over."""
        self._waiting = deque()
        self._made = {}


def _make(meter: Meter, definition: MetricDef) -> Any:  # an instrument of any kind
    """Return the SDK's instrument of a metric of the vocabulary, which has the boundaries of a histogram's buckets."""
    name, unit, brief = definition.name, definition.unit, definition.brief
    if definition.instrument == "counter":
        return meter.create_counter(name, unit, brief)
    if definition.instrument == "updowncounter":
        return meter.create_up_down_counter(name, unit, brief)
    return meter.create_histogram(
        name, unit, brief, explicit_bucket_boundaries_advisory=definition.boundaries
    )
