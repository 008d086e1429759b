"""Span and log processors that write to the journal.

None of them raises into user code, whatever happens inside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry import context as context_api
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from otel_experiments.codec.from_sdk import (
    IS_REMOTE_FLAG,
    REMOTE_PARENT_FLAGS,
    log_record_from_sdk,
    resource_from_sdk,
    scope_from_sdk,
    span_from_sdk,
)
from otel_experiments.codec.text import shown
from otel_experiments.journal.encode import (
    NO_PARENT,
    SPAN_PREFIX,
    encode_log_record,
    encode_span,
    encode_span_rest,
)
from otel_experiments.journal.format import RecordType
from otel_experiments.journal.writer import JournalWriter
from otel_experiments.model.span import Span as RecordedSpan
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.lanes import current_lane, next_sequence
from otel_experiments.record.base.declared import References
from otel_experiments.record.base.gate import Gate
from otel_experiments.record.base.guard import Guard
from otel_experiments.record.base.room import why_not_kept
from otel_experiments.record.base.span_limits import MAX_ATTRIBUTES, within_limit
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv import values

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadWriteLogRecord

_SPAN: Final = int(RecordType.SPAN)
OPENED_IN_JOURNAL: Final = frozenset(
    {
        values.MlOperationName.RUN,
        values.MlOperationName.STAGE,
        values.MlOperationName.EPOCH,
        values.MlOperationName.EVALUATE,
        values.MlOperationName.SAVE_CHECKPOINT,
        values.MlOperationName.LOAD_CHECKPOINT,
    }
)
"""Operations whose spans are journalled when they open, so that a running or killed job shows them."""


class JournalSpanProcessor(SpanProcessor):
    """Writes every span of a run to the journal before `end()` returns, long ones also when they start.

    `on_span(run_id, size_bytes)` is told of each ended span: the run counts its trace by it.

    Attributes:
        long_operations: the operations whose spans are to be handed to `on_opened`.
    """

    long_operations = OPENED_IN_JOURNAL

    def __init__(
        self,
        journal: JournalWriter,
        references: References,
        guard: Guard,
        on_span: Callable[[str | None, int], None],
        redact: Callable[[RecordedSpan], RecordedSpan] = lambda span: span,
    ) -> None:
        self._redact = redact
        self._journal = journal
        self._references = references
        self._guard = guard
        self._on_span = on_span

    def on_start(self, span: Span, parent_context: context_api.Context | None = None) -> None:  # noqa: ARG002 - the SDK's interface
        """Give the span its lane and sequence number where its opener has not; journal it if it is long."""
        attributes = span.attributes
        if attributes is not None and attr.ML_SPAN_LANE in attributes:
            if attributes.get(attr.ML_OPERATION_NAME) in OPENED_IN_JOURNAL:
                self.on_opened(span)
            return
        try:
            span.set_attributes({attr.ML_SPAN_LANE: current_lane(), attr.ML_SPAN_SEQUENCE: next_sequence()})
        except Exception as error:  # a processor's exception would reach user code
            if is_interruption(error):
                raise
            self._tell_not_started(span, error)

    def on_opened(self, span: ReadableSpan) -> None:
        """Journal a span that has just been opened: the caller knows that its operation is one of `long_operations`."""
        try:
            self._journal_open(span)
        except Exception as error:  # as above
            if is_interruption(error):
                raise
            self._tell_not_started(span, error)

    def _tell_not_started(self, span: ReadableSpan, error: Exception) -> None:
        self._guard.lost(
            "span start",
            f"The start of span {shown(span.name)} was not recorded: {error}",
            name=span.name,
            run_id=_run_of(span),
            error=error,
        )

    def on_end(self, span: ReadableSpan) -> None:
        """Write the ended span."""
        self.on_ended(span)

    def on_ended(
        self, span: ReadableSpan, own: dict[str, Any] | None = None, *, has_more: bool | None = None
    ) -> None:
        """Write the ended span; the rest is what the caller has at hand, and is read from the span otherwise.

        Args:
            span: the span.
            own: a copy of its attributes.
            has_more: whether it has events or links.
        """
        try:
            if has_more is None:
                has_more = bool(span.events or span.links)
            attributes: dict[str, Any] = cast("Any", span.attributes).copy() if own is None else own
            if len(attributes) > MAX_ATTRIBUTES:
                span = _bounded(span)
                attributes = cast("Any", span.attributes).copy()
            self._journal_ended(span, attributes, has_more)
        except Exception as error:  # as above
            if is_interruption(error):
                raise
            self._guard.lost(
                "span",
                f"Span {shown(span.name)} was not recorded: {error}",
                name=span.name,
                run_id=_run_of(span),
                error=error,
            )

    def _journal_open(self, span: ReadableSpan) -> None:
        resource = self._references.resource(span.resource, lambda: resource_from_sdk(span.resource))
        scope = self._references.scope(
            span.instrumentation_scope, lambda: scope_from_sdk(span.instrumentation_scope)
        )
        model = span_from_sdk(span, resource=resource.value, scope=scope.value)
        self._journal.append(
            encode_span(model, resource.number, scope.number), (resource.declaration, scope.declaration)
        )

    def _journal_ended(self, span: ReadableSpan, attributes: dict[str, Any], has_more: bool) -> None:  # noqa: FBT001 - the hot path
        references = self._references
        resource = references.resources.get(id(span.resource)) or references.resource(
            span.resource, lambda: resource_from_sdk(span.resource)
        )
        scope = references.scopes.get(id(span.instrumentation_scope)) or references.scope(
            span.instrumentation_scope, lambda: scope_from_sdk(span.instrumentation_scope)
        )
        status = span.status
        if has_more or status.description or span.dropped_attributes:
            model = self._redact(span_from_sdk(span, resource=resource.value, scope=scope.value))
            if (model.end_ns or 0) < model.start_ns:  # the clock was set back
                model = replace(model, end_ns=model.start_ns)
            run_id, payload = model.run_id, encode_span(model, resource.number, scope.number)
        else:
            context, parent = span.context, span.parent
            assert context is not None
            run_id = resource.run_id or attributes.get(attr.ML_RUN_ID)
            flags, parent_id = int(context.trace_flags), NO_PARENT
            if parent is not None:
                flags |= REMOTE_PARENT_FLAGS | IS_REMOTE_FLAG if parent.is_remote else REMOTE_PARENT_FLAGS
                parent_id = parent.span_id.to_bytes(8, "big")
            start_ns, end_ns = span.start_time or 0, span.end_time or 0
            rest = [span.name, run_id, attributes]
            if context.trace_state:
                rest += [(), (), "", context.trace_state.to_header(), (0, 0, 0)]
            prefix = SPAN_PREFIX.pack(
                _SPAN,
                span.kind.value + 1,
                status.status_code.value,
                resource.number,
                scope.number,
                flags,
                context.trace_id.to_bytes(16, "big"),
                context.span_id.to_bytes(8, "big"),
                parent_id,
                start_ns,
                end_ns if end_ns > start_ns else start_ns,  # noqa: FURB136 - a third of what max() takes, for each span
            )
            payload = encode_span_rest(prefix, rest)
        if not self._journal.append(payload, (resource.declaration, scope.declaration)):
            self._guard.lost(*why_not_kept(self._journal, "Spans"), run_id=run_id or "")
        if span.dropped_attributes or span.dropped_events or span.dropped_links:
            self._tell_dropped(span, run_id)
        self._on_span(run_id, len(payload))

    def _tell_dropped(self, span: ReadableSpan, run_id: str | None) -> None:
        for noun, count in (
            ("attributes", span.dropped_attributes),
            ("events", span.dropped_events),
            ("links", span.dropped_links),
        ):
            if count:
                self._guard.lost(
                    f"span {noun}",
                    f"Span {shown(span.name)} has more {noun} than a span may have, or some without a name; {count:,} are "
                    "lost. Points, params and events of the run have no such limit",
                    name=span.name,
                    run_id=run_id or "",
                    count=count,
                )

    def shutdown(self) -> None:
        """Do nothing: the journal belongs to the pipeline, which outlives every provider."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002 - the SDK's interface
        """Say that all is written: it was, before `end()` returned."""
        return True


def _run_of(span: ReadableSpan) -> str:
    resource = getattr(span, "resource", None)  # what an application hands on may be anything
    return str(resource.attributes.get(attr.ML_RUN_ID) or "") if isinstance(resource, Resource) else ""


def _bounded(span: ReadableSpan) -> ReadableSpan:
    """Return the span with as many attributes as one may have."""
    given = span.attributes or {}
    kept = within_limit(given)
    return span if len(kept) == len(given) else with_attributes(span, kept, len(given) - len(kept))


def with_attributes(span: ReadableSpan, given: dict[str, Any], dropped_count: int = 0) -> ReadableSpan:
    """Return the span with these attributes in the place of its own, and so many more dropped."""
    attributes = BoundedAttributes(attributes=given)
    attributes.dropped = span.dropped_attributes + dropped_count
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        events=span.events,
        links=span.links,
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


class GatedLogProcessor:
    """Hands on a run's log records while the run takes any; it has the methods of `LogRecordProcessor`."""

    def __init__(self, gate: Gate, target: JournalLogProcessor) -> None:
        self._gate = gate
        self._target = target

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Write the record, or count it."""
        if self._gate.is_closed:
            self._gate.refuse("event" if log_record.log_record.event_name else "log record")
        else:
            self._target.on_emit(log_record)

    def enabled(self, **_: object) -> bool:
        """Say that every record is wanted."""
        return True

    def shutdown(self) -> None:
        """Do nothing: the journal belongs to the pipeline."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002 - the SDK's interface
        """Say that all is written."""
        return True


class JournalLogProcessor:
    """Writes every log record of a run to the journal before `emit` returns.

    It has the methods of `LogRecordProcessor` without deriving from it, so that importing this module does not
    import the SDK's logs, which takes as long as all the rest.
    """

    def __init__(self, journal: JournalWriter, references: References, guard: Guard) -> None:
        self._journal = journal
        self._references = references
        self._guard = guard

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Write the record."""
        try:
            record = log_record_from_sdk(log_record)
            resource = self._references.resource(log_record.resource, lambda: record.resource)
            scope = self._references.scope(log_record.instrumentation_scope, lambda: record.scope)
            is_kept = self._journal.append(
                encode_log_record(record, resource.number, scope.number),
                (resource.declaration, scope.declaration),
            )
            if not is_kept:
                self._guard.lost(*why_not_kept(self._journal, "Log records"), run_id=record.run_id or "")
        except Exception as error:  # a processor's exception would reach user code
            if is_interruption(error):
                raise
            self._guard.lost("log record", f"A log record was not recorded: {error}", error=error)

    def enabled(self, **_: object) -> bool:
        """Say that every record is wanted."""
        return True

    def shutdown(self) -> None:
        """Do nothing: the journal belongs to the pipeline."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002 - the SDK's interface
        """Say that all is written."""
        return True
