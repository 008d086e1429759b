"""The page of one run as plain values that JSON can hold, and its parts: the shapes of `show --json`.

These shapes are documented in docs/reference/cli.md; keys are only ever added.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from otel_experiments.model.log import LogRecord
from otel_experiments.model.past import past_of
from otel_experiments.model.span import SCOPE_NAME, Span
from otel_experiments.model.unsent import Unsent
from otel_experiments.query.fold import FoldedNode, depth_first
from otel_experiments.query.json_values import Plain, plain
from otel_experiments.query.judged_spans import SpanAnnotations, by_span
from otel_experiments.query.output_view import OutputLine
from otel_experiments.query.plain import plain_annotation, plain_artifact, plain_group, plain_media, plain_run
from otel_experiments.query.run_view import RunView
from otel_experiments.query.unsent import rows_left_behind
from otel_experiments.semconv import attributes


def plain_page(
    view: RunView,
    unsent: Sequence[Unsent],
    spans: Sequence[Span],
    roots: Sequence[FoldedNode],
    trace_url: str | None,
) -> dict[str, Plain]:
    """Return the page as JSON can hold it.

    Args:
        view: the run.
        unsent: what endpoints did not take of it.
        spans: its spans, or as many as are shown.
        roots: the same as folded trees.
        trace_url: the address of its trace in a backend's UI.
    """
    return {
        **plain_run(view),
        "summary": plain(view.summary),
        "params_changed": dict(view.params.changed),
        "started_from": plain_origin(view),
        **plain_relations(view),
        "trace_url": trace_url,
        "snapshot": plain(view.snapshot.parts),
        "paused": {
            "count": view.record.paused_count,
            "duration_s": view.record.paused_total_ns / 1e9,
            "dropped_count": view.record.paused_dropped_count,
        },
        "losses": [
            {"kind": loss.kind, "name": loss.name or None, "count": loss.count} for loss in view.losses
        ],
        "unsent": [
            {
                "signal": row.signal,
                "destination": row.destination,
                "count": row.count,
                "reason": row.reason,
            }
            for row in rows_left_behind(unsent)
            if not row.is_empty
        ],
        "rank_differences": [
            {
                "kind": one.kind,
                "key": one.key,
                "value": plain(one.value),
                "others": {str(rank): plain(value) for rank, value in one.others.items()},
            }
            for one in view.rank_differences
        ],
        "media": [plain_media(series) for series in view.media.values()],
        "artifacts": [plain_artifact(one) for one in view.artifacts.all()],
        "used_artifacts": [plain_artifact(one) for one in view.used_artifacts],
        "attached": [plain_group(one) for one in view.attached],
        "annotations": [plain_annotation(one) for one in view.annotations],
        "resource": plain(view.resource),
        "error": traceback_of(spans),
        "span_tree": plain_tree(roots, by_span(view.annotations, view.record.root_span_id)),
    }


def traceback_of(spans: Sequence[Span]) -> str | None:
    """Return the traceback that the outermost failed span recorded; None when there is none."""
    for span in spans:
        for event in span.events:
            found = event.attributes.get(attributes.EXCEPTION_STACKTRACE)
            if isinstance(found, str):
                return found
    return None


def plain_origin(run: RunView) -> dict[str, Plain] | None:
    """Return as JSON has it where the run was started; None where no span was current and no variable named one."""
    link = run.started_from
    if link is None:
        return None
    source = str(link.attributes[attributes.ML_RUN_STARTED_FROM])
    return {"trace_id": link.trace_id, "span_id": link.span_id, "source": source}


def plain_relations(run: RunView) -> dict[str, Plain]:
    """Return as JSON has it which runs a run has to do with, and its attempts."""
    fork = past_of(run.record).fork
    return {
        "children": [child.id for child in run.children],
        "forked_from": None if fork is None else {"run_id": fork.run_id, "step": fork.step},
        "attempts": [
            {
                "number": one.number,
                "state": str(one.state),
                "reason": one.reason,
                "started_unix_nano": one.started_ns,
                "ended_unix_nano": one.ended_ns,
                "rewound_to": one.rewound_to,
            }
            for one in run.attempts
        ],
    }


def plain_tree(
    roots: Sequence[FoldedNode], annotations: SpanAnnotations = MappingProxyType({})
) -> list[Plain]:
    """Return the lines as plain values: a flat list with depths, so that no depth of tree is too deep."""
    return [
        {
            "depth": depth,
            "name": node.name,
            "count": node.count,
            "open_count": node.open_count,
            "error_count": node.error_count,
            "total_s": node.total_ns / 1e9,
            "p50_s": _in_seconds(node.quantile_ns(0.5)),
            "p95_s": _in_seconds(node.quantile_ns(0.95)),
            "annotations": [
                plain_annotation(one) for span in node.spans for one in annotations.get(span.span_id, ())
            ],
        }
        for depth, node in depth_first(roots)
    ]


def plain_line(line: OutputLine) -> dict[str, Plain]:
    """Return a line that a process of the run printed."""
    return {
        "time_ns": line.time_ns,
        "stream": line.stream,
        "text": line.text,
        "pid": line.pid,
        "rank": line.rank,
        "left_out_count": line.left_out_count,
    }


def logged(run: RunView) -> list[LogRecord]:
    """Return the records of the program and its libraries, by time."""
    return [one for one in run.log_records if one.scope.name != SCOPE_NAME or not one.event_name]


def plain_record(record: LogRecord) -> dict[str, Plain]:
    """Return a record as JSON has it."""
    return {
        "time_ns": record.time_ns,
        "severity": record.severity_text or None,
        "severity_number": record.severity_number,
        "logger": record.scope.name or None,
        "event_name": record.event_name or None,
        "body": plain(record.body),
        "attributes": plain(record.attributes),
        "trace_id": record.trace_id,
        "span_id": record.span_id,
    }


def _in_seconds(duration_ns: float | None) -> float | None:
    return None if duration_ns is None else duration_ns / 1e9
