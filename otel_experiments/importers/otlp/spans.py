"""Spans that came over OTLP: to which run they belong, and what a run's root span says of its run."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from otel_experiments.codec.incoming.read import read_spans
from otel_experiments.importers.otlp.derived import DerivedSeries
from otel_experiments.importers.otlp.emitters import Identity
from otel_experiments.importers.otlp.origin import Origins
from otel_experiments.model.batch import ParamSet, RunStateChange, TagSet, WriteBatch
from otel_experiments.model.received import ReceivedRequest
from otel_experiments.model.run import ParamValue, RunState
from otel_experiments.model.span import AttributeValue, Span, StatusCode
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.values import MlOperationName, MlRunResult

_STATES: Final = {
    MlRunResult.SUCCESS: RunState.SUCCEEDED,
    MlRunResult.ERROR: RunState.FAILED,
    MlRunResult.TIMEOUT: RunState.FAILED,
    MlRunResult.CANCELLATION: RunState.CANCELLED,
    MlRunResult.SKIP: RunState.CANCELLED,
}
_PARAM: Final = f"{attr.ML_HYPERPARAMETER}."
_TAG: Final = f"{attr.ML_RUN_TAG}."


def add_spans(batch: WriteBatch, request: ReceivedRequest, origins: Origins) -> None:
    """Add the spans of a request, and what they say of their runs."""
    spans = [
        span
        for span in read_spans(request.encoding, request.payload)
        if not origins.replayed.take_span(span, batch)
    ]
    exported_count = len(batch.spans)
    derived = DerivedSeries()
    identities = origins.emitters.identify_spans(spans, origins.hints)
    for span, identity in zip(spans, identities, strict=True):
        if origins.is_refused(identity):
            continue
        run_id = None if identity is None else identity.run_id
        kept = span if span.run_id == run_id else replace(span, run_id=run_id)
        batch.spans.append(kept)
        if identity is None:
            continue
        is_root = _is_root(span, identity)
        origins.see(identity, span.resource, span.attributes, span.start_ns, is_root=is_root)
        if is_root:
            origins.note_root(identity, span.resource, span.span_id)
            _add_root(batch, kept, identity)
        for point in origins.emitters.points_of_span(span):
            derived.add(identity, point.name, point.step, point.time_ns, point.value)
    batch.points += derived.blocks()
    batch.shared_traces += dict.fromkeys(span.trace_id for span in batch.spans[exported_count:])


def _is_root(span: Span, identity: Identity) -> bool:
    """Tell whether a span is the root span of its run."""
    return (
        span.parent_span_id is None
        and identity.is_own
        and span.attributes.get(attr.ML_OPERATION_NAME) == MlOperationName.RUN
        and attr.ML_TRACE_CHUNK_INDEX not in span.attributes
        and attr.ML_RUN_ID in span.resource.attributes
    )


def _add_root(batch: WriteBatch, root: Span, identity: Identity) -> None:
    """Add what a root span says. The events of the run say it more exactly, and later: they win."""
    run_id, said_ns = identity.run_id, max(0, root.start_ns - 1)
    for key, value in root.attributes.items():
        if key.startswith(_PARAM):
            batch.params.append(ParamSet(run_id, key.removeprefix(_PARAM), _param(value), said_ns))
        elif key.startswith(_TAG) and isinstance(value, str):
            batch.tags.append(TagSet(run_id, key.removeprefix(_TAG), value, said_ns))
    if root.end_ns is None:
        return
    attempt, result = (
        root.resource.attributes.get(attr.ML_RUN_ATTEMPT),
        root.attributes.get(attr.ML_RUN_RESULT),
    )
    by_status = RunState.FAILED if root.status is StatusCode.ERROR else RunState.SUCCEEDED
    batch.state_changes.append(
        RunStateChange(
            run_id=run_id,
            state=next((state for one, state in _STATES.items() if one == result), by_status),
            time_ns=root.end_ns,
            reason=_text(root.attributes.get(attr.ML_RUN_REASON)) or root.status_message,
            error_type=_text(root.attributes.get(attr.ERROR_TYPE)),
            attempt=attempt if isinstance(attempt, int) and attempt >= 1 else 1,
        )
    )


def _param(value: AttributeValue) -> ParamValue:
    if isinstance(value, bytes):
        return value.hex()
    return value


def _text(value: AttributeValue) -> str:
    return value if isinstance(value, str) else ""
