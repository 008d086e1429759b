"""What the fields of spans, log records, traces and artifacts are found to be, in a search for such."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cmp_to_key
from typing import TYPE_CHECKING, TypeVar

from otel_experiments.codec.text import clean_text
from otel_experiments.model.page import Page
from otel_experiments.model.search import AttributeField, RecordField
from otel_experiments.model.span import StatusCode
from otel_experiments.model.trace import Trace
from otel_experiments.store.semantics.paging import page_of, position_of
from otel_experiments.store.semantics.search import (
    MISSING,
    Missing,
    Several,
    check,
    matches,
    no_field,
    sort_key,
    text_value,
)

if TYPE_CHECKING:
    from otel_experiments.model.artifact import StoredArtifact
    from otel_experiments.model.log import LogRecord
    from otel_experiments.model.search import Order, SearchField, TraceQuery
    from otel_experiments.model.span import Attributes, Span
    from otel_experiments.store.semantics.search import FoundValue, Lookup

_Item = TypeVar("_Item")


def span_values(span: Span) -> Lookup:
    """Return what finds the fields of a span."""

    def value(wanted: SearchField) -> FoundValue | Missing:
        match wanted:
            case AttributeField(key):
                return attribute_value(span.attributes, key)
            case RecordField("span", name):
                found: dict[str, FoundValue | None] = {
                    "name": span.name,
                    "duration": None if span.end_ns is None else (span.end_ns - span.start_ns) / 1e9,
                    "status": span.status.name.lower(),
                    "status_message": span.status_message,
                    "kind": span.kind.name.lower(),
                    "started": span.start_ns / 1e9,
                    "ended": None if span.end_ns is None else span.end_ns / 1e9,
                    "run_id": span.run_id,
                    "trace_id": span.trace_id,
                    "span_id": span.span_id,
                    "parent_span_id": span.parent_span_id,
                }
                return _there(found.get(name))
            case _:
                raise no_field(wanted, "span")

    return value


def log_values(record: LogRecord) -> Lookup:
    """Return what finds the fields of a log record."""

    def value(wanted: SearchField) -> FoundValue | Missing:
        match wanted:
            case AttributeField(key):
                return attribute_value(record.attributes, key)
            case RecordField("log record", name):
                found: dict[str, FoundValue | None] = {
                    "text": text_value(record.body),
                    "event_name": record.event_name,
                    "severity": record.severity_number,
                    "severity_text": record.severity_text,
                    "time": record.time_ns / 1e9,
                    "run_id": record.run_id,
                    "trace_id": record.trace_id,
                    "span_id": record.span_id,
                }
                return _there(found.get(name))
            case _:
                raise no_field(wanted, "log record")

    return value


def trace_values(trace: Trace) -> Lookup:
    """Return what finds the fields of a trace."""

    def value(wanted: SearchField) -> FoundValue | Missing:
        if not isinstance(wanted, RecordField) or wanted.of != "trace":
            raise no_field(wanted, "trace")
        found: dict[str, FoundValue | None] = {
            "name": trace.name,
            "run_id": trace.run_id,
            "trace_id": trace.trace_id,
            "started": trace.start_ns / 1e9,
            "duration": trace.duration_s,
            "spans": trace.span_count,
            "errors": trace.error_count,
        }
        return _there(found.get(wanted.name))

    return value


def artifact_values(stored: StoredArtifact) -> Lookup:
    """Return what finds the fields of an artifact; a comparison with its aliases holds where it holds for one of them."""
    logged = stored.logged

    def value(wanted: SearchField) -> FoundValue | Missing:
        match wanted:
            case AttributeField(key):
                return attribute_value(logged.metadata, key)
            case RecordField("artifact", name):
                found: dict[str, FoundValue | None] = {
                    "name": logged.name,
                    "experiment": logged.experiment,
                    "type": logged.type,
                    "digest": logged.digest,
                    "size": logged.size_bytes,
                    "files": logged.file_count,
                    "step": logged.step,
                    "version": stored.version,
                    "aliases": Several(stored.aliases),
                    "file_name": logged.file_name,
                    "media_type": logged.media_type,
                    "logged": logged.time_ns / 1e9,
                    "run_id": logged.run_id,
                }
                return _there(found.get(name))
            case _:
                raise no_field(wanted, "artifact")

    return value


def traces_of(spans: Iterable[Span]) -> list[Trace]:
    """Return the traces that the spans form, the one that began last first."""
    by_trace: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        by_trace[span.trace_id].append(span)
    found = []
    for trace_id, those in by_trace.items():
        root = min(those, key=lambda span: (span.parent_span_id is not None, span.start_ns))
        ends = [span.end_ns for span in those if span.end_ns is not None]
        errors = sum(span.status is StatusCode.ERROR for span in those)
        start_ns = min(span.start_ns for span in those)
        found.append(
            Trace(trace_id, root.name, root.run_id, start_ns, max(ends, default=None), len(those), errors)
        )
    return sorted(found, key=lambda trace: (-trace.start_ns, trace.trace_id))


def find_traces(spans: Iterable[Span], query: TraceQuery) -> Page[Trace]:
    """Return the traces of these spans that the query asks for, in its order.

    Raises:
        QueryError: the expression compares what cannot be compared.
    """
    where = query.where
    if where is not None:
        check(where)
    found = [one for one in traces_of(spans) if where is None or matches(where, trace_values(one))]
    found = ordered(found, query.order, trace_values)
    return page_of(
        found,
        query,
        lambda trace: position_of(trace_values(trace), query.order, (trace.start_ns, trace.trace_id)),
        tie=lambda ties: (-ties[0], ties[1]),
    )


def attribute_value(attributes: Attributes, key: str) -> FoundValue | Missing:
    """Return what an attribute is; one of a kind that nothing compares with is there, and fits nothing."""
    found = attributes.get(key, MISSING)
    if isinstance(found, str):
        return clean_text(found)
    if found is None or isinstance(found, Missing | bool | int | float):
        return found
    if isinstance(found, list | tuple):
        return list(found)
    return Several(())


def ordered(
    items: Iterable[_Item], orders: Sequence[Order], values: Callable[[_Item], Lookup]
) -> list[_Item]:
    """Return the items sorted by these keys; of equal ones the order stays."""
    found = list(items)
    for order in reversed(orders):

        def compare(left: _Item, right: _Item, order: Order = order) -> int:
            first, second = (sort_key(values(one)(order.field)) for one in (left, right))
            if first is None or second is None:
                return (first is None) - (second is None)
            return (-1 if order.is_descending else 1) * ((first > second) - (first < second))

        found.sort(key=cmp_to_key(compare))
    return found


def _there(found: FoundValue | None) -> FoundValue | Missing:
    return MISSING if found is None or found == "" else found
