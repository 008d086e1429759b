"""What was judged of spans, where spans are listed: the judgements stand beside the spans, in events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from otel_experiments.model.annotation import Annotation, latest_annotations
from otel_experiments.semconv.events import GEN_AI_EVALUATION_RESULT

if TYPE_CHECKING:
    from otel_experiments.model.log import LogRecord
    from otel_experiments.model.span import Span
    from otel_experiments.store import Store

SpanAnnotations = Mapping[str, Sequence[Annotation]]
"""By the id of a span what was judged of it. A judgement of a run is that of its root span."""


def annotations_of_spans(store: Store, spans: Iterable[Span]) -> SpanAnnotations:
    """Return what was judged of spans, by time; those of which nothing was judged are left out."""
    places = {(span.run_id, span.span_id) for span in spans}
    run_ids = {run_id for run_id, _ in places}
    only = next(iter(run_ids)) if len(run_ids) == 1 else None
    by_run: dict[str | None, list[LogRecord]] = {}
    for record in store.log_records(run_id=only, event_name=GEN_AI_EVALUATION_RESULT.name):
        if (record.run_id, record.span_id) in places:
            by_run.setdefault(record.run_id, []).append(record)
    judged = (latest_annotations(records, root_span_id=None) for records in by_run.values())
    return by_span(one for some in judged for one in some)


def by_span(annotations: Iterable[Annotation], root_span_id: str | None = None) -> SpanAnnotations:
    """Return judgements by the id of their span; those of the run itself by that of its root span."""
    found: dict[str, list[Annotation]] = {}
    for one in annotations:
        found.setdefault(one.span_id or root_span_id or "", []).append(one)
    return found
