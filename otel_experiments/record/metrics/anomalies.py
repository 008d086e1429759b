"""Tells of NaN and infinities in metrics as events, so that an alert can be built on them.

Looks at points when they have been stored, off the training thread. A series that stays wrong is told once,
and again after it was right in between: a diverged run that trains on for hours makes one event, not millions.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.events import ML_ANOMALY
from otel_experiments.semconv.values import MlAnomalyKind

if TYPE_CHECKING:
    from otel_experiments.record.base.known_runs import KnownRuns
    from otel_experiments.record.events.own_event import OwnEvents

_MAX_WRONG: Final = 100_000


class AnomalyEvents:
    """Writes the events of one process's runs to its journal.

    Attributes:
        count: how many events were written.
    """

    def __init__(self, events: OwnEvents, known: KnownRuns) -> None:
        self._events = events
        self._known = known
        self._wrong: set[tuple[str, SeriesKey]] = set()
        self._lock = threading.RLock()
        self.count = 0

    def look(self, blocks: Sequence[PointBlock], now_ns: int) -> None:
        """Write an event for each series that turns wrong in these points."""
        with self._lock:
            for block in blocks:
                for key, column in zip(block.keys, block.values, strict=True):
                    self._look_at(block, key, column, now_ns)

    def _look_at(self, block: PointBlock, key: SeriesKey, column: Sequence[float], now_ns: int) -> None:
        series = (block.run_id, key)
        if math.isfinite(
            sum(column)
        ):  # a sum of large numbers may overflow, one with NaN or inf never is finite
            self._wrong.discard(series)
            return
        first = next((i for i, value in enumerate(column) if not math.isfinite(value)), None)
        if first is None:
            self._wrong.discard(series)
            return
        if series not in self._wrong or first > 0:
            self._write(block, key, first, column[first], now_ns)
        if math.isfinite(column[-1]):
            self._wrong.discard(series)
        elif len(self._wrong) < _MAX_WRONG:
            self._wrong.add(series)

    def _write(self, block: PointBlock, key: SeriesKey, row: int, value: float, now_ns: int) -> None:
        run = self._known.get(block.run_id)
        if run is None:
            return
        attributes: dict[str, str | float] = {
            attr.ML_ANOMALY_KIND: _kind(value),
            attr.ML_METRIC_NAME: key.name,
            attr.ML_METRIC_STEP: block.steps[row],
        }
        if key.phase:
            attributes[attr.ML_PHASE] = key.phase
        self._events.write(
            block.run_id,
            run,
            ML_ANOMALY.name,
            attributes,
            time_ns=block.times_ns[row],
            observed_ns=now_ns,
        )
        self.count += 1

    def reset_in_child(self) -> None:
        """Replace the lock, which another thread of the parent may have held at the fork."""
        self._lock = threading.RLock()


def _kind(value: float) -> MlAnomalyKind:
    if math.isnan(value):
        return MlAnomalyKind.NAN
    return MlAnomalyKind.POSITIVE_INFINITY if value > 0 else MlAnomalyKind.NEGATIVE_INFINITY
