"""Spans that came over OTLP: to which run they belong, and what a run's root span says of its run."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from otel_experiments.codec.incoming.read import read_spans
from otel_experiments.codec.values import dump_canonical
from otel_experiments.importers.otlp.derived import DerivedSeries
from otel_experiments.importers.otlp.emitters import Identity
from otel_experiments.importers.otlp.origin import Origins
from otel_experiments.model.batch import ParamSet, RunStateChange, TagSet, WriteBatch
from otel_experiments.model.received import ReceivedRequest
from otel_experiments.model.run import ParamValue, RunState
from otel_experiments.model.span import AttributeValue, Span, StatusCode
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.values import MlOperationName, MlRunResult

_LONG_AGO_NS: Final = 2**62
"""A root span has copies of params, often cut: they are no value that a param had, and anything said of the param wins. So
they have negative times, as what ranks say has, in the order of the spans."""
_STATES: Final = {
    MlRunResult.SUCCESS: RunState.SUCCEEDED,
    MlRunResult.FAILURE: RunState.FAILED,
    MlRunResult.ERROR: RunState.FAILED,
    MlRunResult.TIMEOUT: RunState.FAILED,
    MlRunResult.CANCELLATION: RunState.CANCELLED,
    MlRunResult.SKIP: RunState.CANCELLED,
}
_SHOWN_CHARACTERS: Final = 80
_PARAM: Final = f"{attr.ML_HYPERPARAMETER}."
_TAG: Final = f"{attr.ML_RUN_TAG}."


def add_spans(batch: WriteBatch, request: ReceivedRequest, origins: Origins) -> None:
    """Add the spans of a request, and what they say of their runs."""
    spans = [
        span
        for span in read_spans(request.encoding, request.payload)
        if not origins.replayed.take_span(span, batch)
    ]
    derived = DerivedSeries()
    identify = origins.emitters.identify
    identities = [identify(span.resource.attributes, span.attributes, origins.hints) for span in spans]
    inside = {
        (span.trace_id, span.span_id, identity.run_id)
        for span, identity in zip(spans, identities, strict=True)
        if identity is not None
    }
    for span, identity in zip(spans, identities, strict=True):
        if origins.is_refused(identity):
            continue
        run_id = None if identity is None else identity.run_id
        kept = span if span.run_id == run_id else replace(span, run_id=run_id)
        batch.spans.append(kept)
        origins.note_trace(span.trace_id, run_id)
        if identity is None:
            continue
        is_root = _names_run(span, identity) and (
            (span.trace_id, span.parent_span_id, identity.run_id) not in inside
        )
        origins.see(identity, span.resource, span.attributes, span.start_ns, is_root=is_root)
        if is_root:
            origins.note_root(identity, span.resource, span.span_id)
        try:
            if is_root:
                _add_root(batch, kept, identity, origins.host)
            for point in origins.emitters.points_of_span(span):
                derived.add(identity, point.name, point.step, point.time_ns, point.value)
        except Exception as error:  # noqa: BLE001 - raised again where it is not about the span
            origins.pass_over(error, f"the span {span.name!r}")
    batch.points += derived.blocks()


def _names_run(span: Span, identity: Identity) -> bool:
    """Tell whether a span is its run as a whole. One with a parent inside of the run is not: a launcher's is outside."""
    return (
        span.attributes.get(attr.ML_OPERATION_NAME) == MlOperationName.RUN
        and attr.ML_TRACE_CHUNK_INDEX not in span.attributes
        and (attr.ML_RUN_ID in span.resource.attributes or not identity.is_own)
    )


def _add_root(batch: WriteBatch, root: Span, identity: Identity, host: str) -> None:
    """Add what a root span says. The events of the run say it more exactly, and later: they win."""
    run_id, said_ns = identity.run_id, max(0, root.start_ns - 1)
    copied_ns = said_ns // 2 - _LONG_AGO_NS
    for key, value in root.attributes.items():
        if key.startswith(_PARAM):
            batch.params.append(ParamSet(run_id, key.removeprefix(_PARAM), _param(value), copied_ns))
        elif key.startswith(_TAG) and isinstance(value, str):
            batch.tags.append(TagSet(run_id, key.removeprefix(_TAG), value, said_ns))
    if root.end_ns is None:
        return
    attempt, result = (
        root.resource.attributes.get(attr.ML_RUN_ATTEMPT),
        root.attributes.get(attr.ML_RUN_RESULT),
    )
    state, reason = _end(result, root.status)
    batch.state_changes.append(
        RunStateChange(
            run_id=run_id,
            state=state,
            time_ns=root.end_ns,
            reason=_text(root.attributes.get(attr.ML_RUN_REASON)) or root.status_message or reason,
            error_type=_text(root.attributes.get(attr.ERROR_TYPE)),
            attempt=attempt if isinstance(attempt, int) and attempt >= 1 else 1,
            is_root=True,
            received_on=host,
        )
    )


def _end(result: AttributeValue, status: StatusCode) -> tuple[RunState, str]:
    """Return what a root span says of its run's end, and why where it is not said: no unknown result is a success."""
    known = next((state for one, state in _STATES.items() if one == result), None)
    if known is not None:
        return known, ""
    if result is None or result == "" or status is not StatusCode.UNSET:
        return (RunState.FAILED if status is StatusCode.ERROR else RunState.SUCCEEDED), ""
    shown = dump_canonical(result)
    shown = shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[:_SHOWN_CHARACTERS]}..."
    return RunState.FAILED, f"{attr.ML_RUN_RESULT} is {shown}, which is no known result"


def _param(value: AttributeValue) -> ParamValue:
    if isinstance(value, bytes):
        return value.hex()
    return value


def _text(value: AttributeValue) -> str:
    return value if isinstance(value, str) else ""
