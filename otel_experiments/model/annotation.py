"""What a person or a program judged of a run or of one of its spans: an event in the words of GenAI evaluations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from otel_experiments.model.log import LogRecord
from otel_experiments.semconv import attributes as attr


@dataclass(frozen=True, slots=True)
class Annotation:
    """One judgement.

    Attributes:
        name: what is judged, such as `quality`.
        score: as a number; None where there is none.
        label: as a word; empty where there is none.
        comment: why.
        author: who judged; empty where it is not known.
        span_id: the span that is judged; empty where it is the run.
        time_ns: when, in nanoseconds since the Unix epoch.
    """

    name: str
    score: float | None = None
    label: str = ""
    comment: str = ""
    author: str = ""
    span_id: str = ""
    time_ns: int = 0

    @property
    def is_withdrawn(self) -> bool:
        """Whether it says nothing any more: its author took an earlier one back."""
        return self.score is None and not self.label and not self.comment


def attributes_of(annotation: Annotation) -> dict[str, str | float]:
    """Return the attributes of the event of a judgement."""
    found: dict[str, str | float] = {attr.GEN_AI_EVALUATION_NAME: annotation.name}
    if annotation.score is not None:
        found[attr.GEN_AI_EVALUATION_SCORE_VALUE] = annotation.score
    texts = {
        attr.GEN_AI_EVALUATION_SCORE_LABEL: annotation.label,
        attr.GEN_AI_EVALUATION_EXPLANATION: annotation.comment,
        attr.USER_NAME: annotation.author,
    }
    return found | {key: text for key, text in texts.items() if text}


def latest_annotations(records: Iterable[LogRecord], *, root_span_id: str | None) -> list[Annotation]:
    """Return what holds of the judgements that events are of, by time: of each author the latest on a name and a span.

    `root_span_id` is the run's root span: what is judged of it is judged of the run.
    """
    found: dict[tuple[str, str, str], Annotation] = {}
    for record in sorted(records, key=lambda one: one.time_ns):
        one = _annotation_of(record, root_span_id)
        place = (one.span_id, one.name, one.author)
        found.pop(place, None)
        found[place] = one
    return [one for one in found.values() if not one.is_withdrawn]


def _annotation_of(record: LogRecord, root_span_id: str | None) -> Annotation:
    def text(key: str) -> str:
        value = record.attributes.get(key)
        return value if isinstance(value, str) else ""

    score = record.attributes.get(attr.GEN_AI_EVALUATION_SCORE_VALUE)
    is_number = isinstance(score, int | float) and not isinstance(score, bool)
    span_id = record.span_id or ""
    return Annotation(
        name=text(attr.GEN_AI_EVALUATION_NAME),
        score=float(score) if is_number else None,  # type: ignore[arg-type] # checked
        label=text(attr.GEN_AI_EVALUATION_SCORE_LABEL),
        comment=text(attr.GEN_AI_EVALUATION_EXPLANATION),
        author=text(attr.USER_NAME),
        span_id="" if span_id == root_span_id else span_id,
        time_ns=record.time_ns,
    )
