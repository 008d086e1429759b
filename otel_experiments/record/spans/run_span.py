"""The span that a scope opens: what OpenTelemetry's API and `ReadableSpan` offer, at less than the SDK's cost.

The SDK cleans each attribute on its way in (1.2 us), though what a scope sets is clean, builds a second span when
the first one ends, and asks a sampler; of our seven attributes a span that was half of a decorator's cost. Spans
that others open through a run's providers are the SDK's own; both are told apart by nobody (a property test holds
that the same calls leave the same record). Decision 0009.

Sources: OpenTelemetry specification, trace API, Span; trace SDK, limits.
"""

from __future__ import annotations

import logging
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationInfo
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from otel_experiments.codec.text import text_of
from otel_experiments.process.fork import at_fork
from otel_experiments.process.notice import tell
from otel_experiments.record.base.exceptions import EXCEPTION_EVENT, exception_attributes
from otel_experiments.record.base.span_limits import MAX_ATTRIBUTES, OWN_ATTRIBUTES
from otel_experiments.record.spans.span_attributes import (
    bounded,
    clean_attribute,
    clean_attributes,
)
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv import values

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanLimits
    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.util.types import Attributes, AttributeValue

    from otel_experiments.record.spans.processors import JournalSpanProcessor
    from otel_experiments.record.spans.user_processors import UserProcessors

_logger: Final = logging.getLogger("otel_experiments")
_CLEAN: Final = frozenset({str, bool, int, float, values.MlOperationName})
"""Types of values that an attribute takes as they are."""
_KEYS: Final = frozenset({str})
_UNSET: Final = Status()
_NO_EVENTS: Final[list[Event]] = []
_NO_LINKS: Final[list[Link]] = []
"""Never appended to: what is added makes a new list, so that readers in other threads see a whole one."""
_changing = threading.RLock()
"""Held while what a span has is replaced; one for all spans, since it is hardly ever wanted twice."""
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_SAMPLED_RANDOM: Final = TraceFlags(TraceFlags.SAMPLED | TraceFlags.RANDOM_TRACE_ID)


def _reset_in_child() -> None:
    global _changing  # noqa: PLW0603 - another thread may have held it at the fork
    _changing = threading.RLock()


at_fork(after_in_child=_reset_in_child)


class SpanSource:
    """What the spans of one run have in common: identity, limits, ids, and who is told of them."""

    __slots__ = (
        "_ids",
        "_long_operations",
        "has_length_limit",
        "journal",
        "limits",
        "max_attributes",
        "resource",
        "scope",
        "user",
    )

    def __init__(
        self,
        *,
        resource: Resource,
        scope: InstrumentationScope,
        limits: SpanLimits,
        ids: IdGenerator,
        journal: JournalSpanProcessor,
        user: UserProcessors | None,
    ) -> None:
        self.resource = resource
        self.scope = scope
        self.limits = limits
        most = limits.max_span_attributes
        self.max_attributes = MAX_ATTRIBUTES if most is None else most
        self.has_length_limit = limits.max_span_attribute_length is not None
        self._ids = ids
        self.journal = journal
        self._long_operations = journal.long_operations
        self.user = user

    def start_span(
        self,
        name: str,
        context: Context,
        attributes: dict[str, Any],
        *,
        start_ns: int,
        links: Sequence[Link] = (),
    ) -> trace.Span:
        """Open a span under the one that is current in `context`; `attributes` becomes the span's own."""
        parent: SpanContext | None = trace.get_current_span(context).get_span_context()
        if parent is not None and parent.is_valid:
            flags = _SAMPLED_RANDOM if parent.trace_flags & TraceFlags.RANDOM_TRACE_ID else _SAMPLED
            span_context = SpanContext(
                parent.trace_id, self._ids.generate_span_id(), False, flags, parent.trace_state
            )
        else:
            parent = None
            ids = self._ids
            flags = _SAMPLED_RANDOM if ids.is_trace_id_random() else _SAMPLED
            span_context = SpanContext(ids.generate_trace_id(), ids.generate_span_id(), False, flags)
        span = RunSpan(self, name, span_context, parent, attributes, start_ns)
        try:
            for link in links:
                span.add_link(link.context, link.attributes)
            if self.user is not None:
                self.user.on_start(span, context)
            if span._own.get(attr.ML_OPERATION_NAME) in self._long_operations:  # noqa: SLF001 - the module's own class
                self.journal.on_opened(span)
        except BaseException:  # a signal handler's: nobody gets the span, which may be in the journal as open
            span.end()
            raise
        return span


class RunSpan(ReadableSpan, trace.Span):
    """An open or ended span of a run. Ended, it is recorded; it then takes no more, and says so in the log."""

    __slots__ = (
        "_happened",
        "_is_open",
        "_linked",
        "_own",
        "_source",
        "context",
        "dropped_attributes",
        "dropped_events",
        "dropped_links",
        "end_time",
        "kind",
        "name",
        "parent",
        "start_time",
        "status",
    )
    name: str
    context: SpanContext
    parent: SpanContext | None
    kind: SpanKind
    start_time: int
    end_time: int | None
    status: Status
    dropped_attributes: int
    dropped_events: int
    dropped_links: int

    def __init__(
        self,
        source: SpanSource,
        name: str,
        context: SpanContext,
        parent: SpanContext | None,
        attributes: dict[str, Any],
        start_ns: int,
    ) -> None:
        self._source = source
        self.name = name
        self.context = context
        self.parent = parent
        self.kind = SpanKind.INTERNAL
        self.start_time = start_ns
        self.end_time = None
        self.status = _UNSET
        self.dropped_attributes = self.dropped_events = self.dropped_links = 0
        self._happened: list[Event] = _NO_EVENTS
        self._linked: list[Link] = _NO_LINKS
        self._is_open = {True: True}
        self._own = attributes
        if (
            source.has_length_limit
            or len(attributes) > source.max_attributes
            or "" in attributes
            or not _KEYS.issuperset(map(type, attributes))
            or not _CLEAN.issuperset(map(type, attributes.values()))
        ):
            self._own = {}
            self._take(clean_attributes(attributes, source.limits.max_span_attribute_length))

    @property
    def attributes(self) -> Mapping[str, Any]:  # the SDK's type
        """The attributes so far; what other threads set meanwhile is not in it."""
        return MappingProxyType(self._own.copy())

    @property
    def events(self) -> Sequence[Event]:
        """The events so far."""
        return tuple(self._happened)

    @property
    def links(self) -> Sequence[Link]:
        """The links so far."""
        return tuple(self._linked)

    @property
    def resource(self) -> Resource:
        """The run's resource."""
        return self._source.resource

    @property
    def instrumentation_scope(self) -> InstrumentationScope:
        """This package."""
        return self._source.scope

    @property
    def instrumentation_info(self) -> InstrumentationInfo:
        """This package, in the form that the SDK has given up."""
        scope = self._source.scope
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return InstrumentationInfo(scope.name, scope.version or "", scope.schema_url)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(name="{self.name}", context={self.context})'

    def get_span_context(self) -> SpanContext:
        """Return trace id, span id and flags."""
        return self.context

    def is_recording(self) -> bool:
        """Tell whether the span is open."""
        return self.end_time is None

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Set one attribute."""
        if self._has_ended("an attribute"):
            return
        source, own = self._source, self._own
        if (
            type(value) in _CLEAN
            and type(key) is str
            and key
            and not source.has_length_limit
            and len(own) < source.max_attributes
        ):
            if key not in own:
                own[key] = value
                return
            with _changing:
                if self.end_time is None:  # else whoever records it is not to see it without the key
                    own.pop(key, None)
                    own[key] = value
            return
        self._take(clean_attribute(key, value, source.limits.max_span_attribute_length))

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Set several attributes."""
        if not self._has_ended("attributes"):
            self._take(clean_attributes(attributes, self._source.limits.max_span_attribute_length))

    def _take(self, cleaned: BoundedAttributes) -> None:
        own, most = self._own, self._source.max_attributes
        with _changing:
            if self.end_time is not None:
                return
            self.dropped_attributes += cleaned.dropped
            for key, value in cleaned.copy().items():
                own.pop(key, None)
                if len(own) < most or key in OWN_ATTRIBUTES:
                    own[key] = value
                else:  # the newest, since the oldest say what the span is
                    self.dropped_attributes += 1

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """Add an event, by default at the present time."""
        if self._has_ended("an event"):
            return
        limits = self._source.limits
        cleaned = clean_attributes(attributes, limits.max_attribute_length, limits.max_event_attributes)
        event = Event(name, cleaned, timestamp)
        with _changing:
            if limits.max_events is not None and len(self._happened) >= limits.max_events:
                self._happened = self._happened[1:]
                self.dropped_events += 1
            self._happened = [*self._happened, event]

    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        """Add a link to another span; one that points nowhere and says nothing is left out."""
        if not context or not (context.is_valid or attributes or context.trace_state):
            return
        if self._has_ended("a link"):
            return
        limits = self._source.limits
        link = Link(
            context, clean_attributes(attributes, limits.max_attribute_length, limits.max_link_attributes)
        )
        with _changing:
            if limits.max_links is not None and len(self._linked) >= limits.max_links:
                self._linked = self._linked[1:]
                self.dropped_links += 1
            self._linked = [*self._linked, link]

    def update_name(self, name: str) -> None:
        """Give the span another name."""
        if not self._has_ended("a name"):
            self.name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Set the status; OK is final, and UNSET changes nothing."""
        if self._has_ended("a status"):
            return
        if not isinstance(status, Status):
            status = Status(status, description)
        if self.status.status_code is not StatusCode.OK and status.status_code is not StatusCode.UNSET:
            self.status = status

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,  # noqa: ARG002, FBT001, FBT002 - the API's
    ) -> None:
        """Add an event that describes an exception; `exception.escaped`, which is deprecated, is left out."""
        self.add_event(EXCEPTION_EVENT, {**exception_attributes(exception), **(attributes or {})}, timestamp)

    def end(self, end_time: int | None = None) -> None:
        """End and record the span; the first call counts."""
        source = self._source
        try:
            if not self._is_open.pop(True, False):
                self._has_ended("an end")
                return
            with _changing:
                end_ns = time.time_ns() if end_time is None else end_time
                self.end_time = end_ns if end_ns > self.start_time else self.start_time  # noqa: FURB136 - half of max()
            if source.user is not None:
                source.user.on_end(self.snapshot())
            source.journal.on_ended(self, self._own.copy(), has_more=bool(self._happened or self._linked))
        except BaseException:  # a signal handler's: it is recorded all the same; twice is once
            self._is_open.clear()
            self.end_time = self.end_time or end_time or time.time_ns()
            source.journal.on_ended(self, self._own.copy(), has_more=bool(self._happened or self._linked))
            raise

    def snapshot(self) -> ReadableSpan:
        """Return the span as the SDK makes it for exporters."""
        attributes = BoundedAttributes(None, self._own)
        attributes.dropped = self.dropped_attributes
        return ReadableSpan(
            self.name,
            self.context,
            self.parent,
            self.resource,
            attributes,
            bounded(self._happened, self.dropped_events),
            bounded(self._linked, self.dropped_links),
            self.kind,
            status=self.status,
            start_time=self.start_time,
            end_time=self.end_time,
            instrumentation_scope=self.instrumentation_scope,
        )

    def to_json(self, indent: int | None = 4) -> str:
        """Return the span as the SDK prints it."""
        return str(self.snapshot().to_json(indent))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace_back: TracebackType | None
    ) -> None:
        """End the span, as failed where an exception leaves the body."""
        if error is not None and self.is_recording():
            self.record_exception(error, escaped=True)
            self.set_status(StatusCode.ERROR, f"{type(error).__name__}: {text_of(error)}")
        self.end()

    def _has_ended(self, what: str) -> bool:
        if self.end_time is None:
            return False
        tell(_logger, "The span %r has ended and takes no more: %s came too late.", self.name, what)
        return True
