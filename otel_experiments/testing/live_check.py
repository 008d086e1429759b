"""Tells where telemetry strays from the vocabulary: names, types, required attributes, units, cardinality.

Telemetry of ours is held to its definition. Telemetry of others, which a run may hold as well, only gets remarks
on its names. Nothing is changed and nothing is sent; the checks are pure functions, `LiveCheck` gathers what
they say, and three small adapters feed it from a running SDK.

Source: the advice of weaver's live check, with its levels and, where the finding is the same, its codes.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from otel_experiments.codec.from_sdk import log_record_from_sdk, span_from_sdk
from otel_experiments.codec.from_sdk_metrics import instrument_points_from_sdk
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.search import SpanQuery
from otel_experiments.model.span import Resource, Scope, Span, StatusCode
from otel_experiments.semconv import SCHEMA_URL, attributes, entities, events, metrics, spans
from otel_experiments.semconv.definitions import InstrumentName, SpanDef
from otel_experiments.testing.advice import (
    Advice,
    Level,
    Signal,
    check_attributes,
    check_levels,
    check_unknown_name,
    find_definition,
)

if TYPE_CHECKING:
    from otel_experiments.store.protocol import Store

_PLACEHOLDER = re.compile(r"\{([^}]+)\}")
_SPANS_A_PAGE = 10_000
_MATCH_KEYS: Final = tuple(dict.fromkeys(definition.match_key for definition in spans.ALL))
_ON_ANY_SPAN: Final = frozenset(
    {
        *(name for entity in entities.ALL for name in (*entity.identity, *entity.description)),
        attributes.ML_SPAN_LANE,
        attributes.ML_SPAN_SEQUENCE,
        attributes.ML_SPAN_CPU_TIME,
    }
)
"""Identity and place in the run: on spans whose Resource is another's, they stand on the span itself."""


def check_span(span: Span) -> list[Advice]:
    """Return what strays in a span, its events and its links; its Resource is left to `check_resource`."""
    definition = definition_of(span)
    signal = Signal("span", span.name, definition is not None)
    found = list(check_attributes(signal, span.attributes))
    for event in span.events:
        found += check_attributes(signal, event.attributes)
        if event.name not in events.BY_NAME:
            found += check_unknown_name(Signal("event", event.name, is_ours=False), events.BY_NAME)
    for link in span.links:
        found += check_attributes(signal, link.attributes)
    if definition is None:
        return found
    found += check_levels(signal, span.attributes, definition.attributes, allowed=_ON_ANY_SPAN)
    if span.kind.name.lower() != definition.kind:
        found.append(
            signal.advice(
                Level.VIOLATION,
                "span_kind_mismatch",
                f"has the kind {span.kind.name.lower()}, but {definition.type} is {definition.kind}",
            )
        )
    expected = expected_name(definition, span)
    if expected is not None and span.name != expected:
        found.append(
            signal.advice(
                Level.IMPROVEMENT, "unexpected_span_name", f"is a {definition.type}, to be named {expected!r}"
            )
        )
    if span.status is StatusCode.ERROR and attributes.ERROR_TYPE not in span.attributes:
        found.append(
            signal.advice(
                Level.IMPROVEMENT,
                "missing_attribute",
                f"ended in an error without {attributes.ERROR_TYPE}",
                attributes.ERROR_TYPE,
            )
        )
    return found


def check_instrument_point(point: InstrumentPoint) -> list[Advice]:
    """Return what strays in a data point of an instrument."""
    definition = metrics.BY_NAME.get(point.name)
    is_ours = definition is not None and (not definition.upstream or _is_our_scope(point.scope))
    signal = Signal("metric", point.name, is_ours)
    found = list(check_attributes(signal, point.attributes))
    for exemplar in point.exemplars:
        filtered = exemplar.get("attributes")
        if isinstance(filtered, Mapping):
            found += check_attributes(signal, filtered)
    for name in point.attributes:
        known = find_definition(name)
        if known is not None and known.is_unbounded:
            found.append(
                signal.advice(
                    signal.graded(name),
                    "forbidden_attribute",
                    f"carries {name}, which takes unboundedly many values; "
                    "put it on a span, an event, an exemplar or the Resource",
                    name,
                )
            )
    if definition is None:
        return found + check_unknown_name(signal, metrics.BY_NAME)
    if not is_ours:
        return found
    found += check_levels(signal, point.attributes, definition.attributes, allowed=frozenset())
    if point.unit != definition.unit:
        found.append(
            signal.advice(
                Level.VIOLATION, "unit_mismatch", f"has the unit {point.unit!r}, not {definition.unit!r}"
            )
        )
    instrument = _instrument(point)
    if instrument != definition.instrument:
        found.append(
            signal.advice(
                Level.VIOLATION,
                "instrument_mismatch",
                f"comes from a {instrument}, not a {definition.instrument}",
            )
        )
    return found


def check_log_record(record: LogRecord) -> list[Advice]:
    """Return what strays in a log record or event."""
    if not record.event_name:
        return list(check_attributes(Signal("log", record.severity_text, is_ours=False), record.attributes))
    definition = events.BY_NAME.get(record.event_name)
    signal = Signal("event", record.event_name, definition is not None)
    found = list(check_attributes(signal, record.attributes))
    if definition is None:
        return found + check_unknown_name(signal, events.BY_NAME)
    return found + list(check_levels(signal, record.attributes, definition.attributes, allowed=_ON_ANY_SPAN))


def check_resource(resource: Resource) -> list[Advice]:
    """Return what strays in a Resource: its attributes, and entities that are described but not identified."""
    name = str(resource.attributes.get(attributes.SERVICE_NAME, ""))
    signal = Signal("resource", name, is_ours=resource.schema_url == SCHEMA_URL)
    found = list(check_attributes(signal, resource.attributes))
    for entity in entities.ALL:
        described = [key for key in entity.description if key in resource.attributes]
        found += [
            signal.advice(
                Level.VIOLATION,
                "missing_attribute",
                f"describes the entity {entity.type} ({', '.join(described)}) without its identity {key}",
                key,
            )
            for key in entity.identity
            if described and key not in resource.attributes
        ]
    return found


def definition_of(span: Span) -> SpanDef | None:
    """Return the definition that the span's operation names; None for spans that are not ours."""
    for key in _MATCH_KEYS:
        value = span.attributes.get(key)
        if isinstance(value, str) and (found := spans.BY_OPERATION.get((key, value))) is not None:
            return found
    return None


def expected_name(definition: SpanDef, span: Span) -> str | None:
    """Return the name that the definition's pattern gives the span; None where the user may choose it.

    None too where an attribute that the pattern needs is missing.

    Attributes of the pattern are looked up on the span, then on its Resource; the name ends before the first
    one that is not set.
    """
    placeholders = _PLACEHOLDER.findall(definition.name_pattern)
    if not placeholders or placeholders[0] != definition.match_key:
        return None
    words: list[str] = []
    for key in placeholders:
        value = span.attributes.get(key, span.resource.attributes.get(key))
        if value is None:
            if definition.attributes.get(key) == "required":
                return None  # told as missing; what the name should be cannot be said
            break
        words.append(str(value))
    return " ".join(words)


class LiveCheck:
    """Gathers advice, each one once however often it is given. Safe to feed from several threads."""

    def __init__(self) -> None:
        self._counts: Counter[Advice] = Counter()
        self._lock = threading.RLock()

    @property
    def advice(self) -> list[Advice]:
        """All advice, violations first, then in the order in which it was first given."""
        order = list(Level)
        with self._lock:
            return sorted(self._counts, key=lambda advice: order.index(advice.level))

    @property
    def violations(self) -> list[Advice]:
        """The advice that a test should fail for."""
        return [advice for advice in self.advice if advice.level is Level.VIOLATION]

    def count(self, advice: Advice) -> int:
        """Return how often this advice was given.

        Args:
            advice: what strays.
        """
        with self._lock:
            return self._counts[advice]

    def check_span(self, span: Span) -> None:
        """Check a span and its Resource."""
        self._add(check_span(span) + check_resource(span.resource))

    def check_instrument_point(self, point: InstrumentPoint) -> None:
        """Check a data point and its Resource.

        Args:
            point: a data point of an instrument.
        """
        self._add(check_instrument_point(point) + check_resource(point.resource))

    def check_log_record(self, record: LogRecord) -> None:
        """Check a log record or event and its Resource.

        Args:
            record: a log record or an event.
        """
        self._add(check_log_record(record) + check_resource(record.resource))

    def check_store(self, store: Store) -> None:
        """Check all spans, data points and log records of a store."""
        offset = 0
        while page := store.spans(SpanQuery(limit=_SPANS_A_PAGE, offset=offset)):
            for span in page:
                self.check_span(span)
            offset += len(page)
        for point in store.instrument_points():
            self.check_instrument_point(point)
        for record in store.log_records():
            self.check_log_record(record)

    def report(self) -> str:
        """Return the advice as text, a line each with its count; one line when there is none."""
        lines = [f"{advice} ({self.count(advice)} times)" for advice in self.advice]
        return "\n".join(lines) or "The telemetry keeps to the vocabulary."

    def _add(self, advice: list[Advice]) -> None:
        with self._lock:
            self._counts.update(advice)


class LiveCheckSpanProcessor(SpanProcessor):
    """Checks each span as it ends."""

    def __init__(self, live_check: LiveCheck) -> None:
        self._live_check = live_check

    def on_end(self, span: ReadableSpan) -> None:
        """Check the ended span."""
        self._live_check.check_span(span_from_sdk(span))


class LiveCheckLogProcessor(LogRecordProcessor):
    """Checks each log record and event as it is emitted."""

    def __init__(self, live_check: LiveCheck) -> None:
        self._live_check = live_check

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Check the record."""
        self._live_check.check_log_record(log_record_from_sdk(log_record))

    def shutdown(self) -> None:
        """Nothing is held that would have to be let go."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's interface
        """Return True: every record was checked when it was emitted."""
        return True


class LiveCheckMetricExporter(MetricExporter):
    """Checks every data point that a reader collects."""

    def __init__(self, live_check: LiveCheck) -> None:
        super().__init__()
        self._live_check = live_check

    def export(
        self,
        metrics_data: MetricsData,
        timeout_millis: float = 10_000,  # noqa: ARG002 - the SDK's interface
        **kwargs: object,  # noqa: ARG002 - as above
    ) -> MetricExportResult:
        """Check the points of one collection."""
        for point in instrument_points_from_sdk(metrics_data):
            self._live_check.check_instrument_point(point)
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002 - the SDK's interface
        """Return True: every point was checked when it was exported."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: object) -> None:
        """Nothing is held that would have to be let go."""


def _instrument(point: InstrumentPoint) -> InstrumentName:
    if point.kind == "gauge":
        return "gauge"
    if point.kind == "sum":
        return "counter" if point.is_monotonic else "updowncounter"
    return "histogram"


def _is_our_scope(scope: Scope) -> bool:
    return scope.schema_url == SCHEMA_URL
