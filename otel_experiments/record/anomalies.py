"""Tells of NaN and infinities in metrics as events, so that an alert can be built on them.

Looks at points when they have been stored, off the training thread. A series that stays wrong is told once,
and again after it was right in between: a diverged run that trains on for hours makes one event, not millions.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from opentelemetry.trace import format_span_id, format_trace_id

from otel_experiments.codec.from_sdk import resource_from_sdk
from otel_experiments.journal.encode import encode_log_record
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.span import Scope
from otel_experiments.record.providers import SCOPE_NAME
from otel_experiments.semconv import SCHEMA_URL
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.events import ML_ANOMALY
from otel_experiments.semconv.values import MlAnomalyKind

if TYPE_CHECKING:
    from otel_experiments.journal.writer import JournalWriter
    from otel_experiments.record.declared import References
    from otel_experiments.record.known_runs import KnownRuns

_WARN: Final = 13
"""SeverityNumber of logs.proto."""
_SAMPLED: Final = 1
_MAX_WRONG: Final = 100_000


class AnomalyEvents:
    """Writes the events of one process's runs to its journal.

    Attributes:
        count: how many events were written.
    """

    def __init__(self, journal: JournalWriter, references: References, known: KnownRuns) -> None:
        self._journal = journal
        self._references = references
        self._known = known
        self._scope: Scope | None = None
        self._wrong: set[tuple[str, SeriesKey]] = set()
        self._lock = threading.Lock()
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
        if self._scope is None:
            from otel_experiments.record.start import version  # noqa: PLC0415 - it imports the pipeline

            self._scope = Scope(SCOPE_NAME, version(), SCHEMA_URL)
        attributes: dict[str, str | float] = {
            attr.ML_ANOMALY_KIND: _kind(value),
            attr.ML_METRIC_NAME: key.name,
            attr.ML_METRIC_STEP: block.steps[row],
        }
        if key.phase:
            attributes[attr.ML_PHASE] = key.phase
        resource = self._references.resource(run.resource, lambda: resource_from_sdk(run.resource))
        scope_value = self._scope
        scope = self._references.scope(scope_value, lambda: scope_value)
        record = LogRecord(
            time_ns=block.times_ns[row],
            observed_time_ns=now_ns,
            event_name=ML_ANOMALY.name,
            severity_number=_WARN,
            severity_text="WARN",
            attributes=attributes,
            trace_id=format_trace_id(run.trace_id),
            span_id=format_span_id(run.span_id),
            flags=_SAMPLED,
            resource=resource.value,
            scope=scope_value,
            run_id=block.run_id,
        )
        self._journal.append(
            encode_log_record(record, resource.number, scope.number),
            (resource.declaration, scope.declaration),
        )
        self.count += 1

    def reset_in_child(self) -> None:
        """Replace the lock, which another thread of the parent may have held at the fork."""
        self._lock = threading.Lock()


def _kind(value: float) -> MlAnomalyKind:
    if math.isnan(value):
        return MlAnomalyKind.NAN
    return MlAnomalyKind.POSITIVE_INFINITY if value > 0 else MlAnomalyKind.NEGATIVE_INFINITY
