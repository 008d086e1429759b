"""Runs, series and spans as plain values that JSON can hold: the shapes of `--json` and of the exports.

These shapes are documented in docs/reference/cli.md; keys are only ever added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING

from otel_experiments.model.attachment import TelemetryGroup
from otel_experiments.model.instrument import TEMPORALITIES, InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.run import RunFacts
from otel_experiments.model.span import Span
from otel_experiments.query.json_values import Plain, plain, plain_number, plain_step
from otel_experiments.query.media_view import MediaSeries
from otel_experiments.query.run_view import RunView
from otel_experiments.query.series_view import SeriesView

if TYPE_CHECKING:
    from otel_experiments.model.annotation import Annotation
    from otel_experiments.model.trace import Trace
    from otel_experiments.query.artifact_view import ArtifactView
    from otel_experiments.query.media_view import MediaItem


def plain_series(series: SeriesView) -> dict[str, Plain]:
    """Return a series' summary."""
    return {
        "name": series.name,
        "phase": series.phase or None,
        "rank": series.rank,
        "count": series.count,
        "nan_count": series.nan_count,
        "first_step": plain_step(series.first_step),
        "last": plain_number(series.last),
        "last_step": plain_step(series.last_step),
        "min": plain_number(series.min),
        "min_step": plain_step(series.min_step),
        "max": plain_number(series.max),
        "max_step": plain_step(series.max_step),
        "mean": plain_number(series.mean),
        "direction": series.direction,
        "best": None if series.best is None else plain_number(series.best),
        "best_step": plain_step(series.best_step),
        "has_derived_steps": series.has_derived_steps,
    }


def plain_curve(series: SeriesView, *, x: str | None, buckets: int | None) -> dict[str, Plain]:
    """Return a series' summary, with its `points`, or thinned to a `band` of so many buckets.

    Args:
        series: the series.
        x: the metric over which it is drawn; None for the steps.
        buckets: how many parts it is thinned to, each with its least, greatest and last value; None for all points.
    """
    shape: dict[str, Plain] = {**plain_series(series), "x": "step" if x is None else x}
    if buckets is None:
        points = series.points() if x is None else series.against(x)
        shape["points"] = {
            "steps": [plain_step(step) for step in points.steps],
            "times_unix_nano": list(points.times_ns),
            "values": plain(points.values),
        }
        return shape
    band = series.band(buckets=buckets, x=x)
    shape["band"] = {
        "first_steps": [plain_step(step) for step in band.first_steps],
        "last_steps": [plain_step(step) for step in band.last_steps],
        "low": plain(band.low),
        "high": plain(band.high),
        "last": plain(band.last),
        "counts": list(band.counts),
    }
    return shape


def run_fields(run: RunView, times: Mapping[str, Plain]) -> dict[str, Plain]:
    """Return what is known of a run itself, with its times in the form of the output."""
    record = run.record
    return {
        "run_id": run.id,
        "experiment": run.experiment,
        "name": run.name,
        "key": run.key,
        "state": str(run.state),
        "reason": run.reason,
        "error_type": run.error_type,
        **times,
        "duration_s": run.duration_s,
        **{one.name: getattr(record, one.name) for one in fields(RunFacts)},
        "parent_run_id": record.parent_run_id,
        "attempt": record.attempt,
    }


def plain_run(run: RunView) -> dict[str, Plain]:
    """Return a run with its params (nested), tags and summaries; without points, spans and resource."""
    times: dict[str, Plain] = {
        "created_unix_nano": run.created_ns,
        "started_unix_nano": run.started_ns,
        "ended_unix_nano": run.ended_ns,
    }
    return {
        **run_fields(run, times),
        "note": run.note or None,
        "pinned_unix_nano": run.record.pinned_ns,
        "archived_unix_nano": run.record.archived_ns,
        "removed_unix_nano": run.record.removed_ns,
        "params": plain(run.params),
        "tags": plain(run.tags),
        "lost_count": run.lost_count,
        "metrics": [plain_series(series) for series in run.metrics.all()],
    }


def plain_annotation(annotation: Annotation) -> dict[str, Plain]:
    """Return a judgement of a run, or of the span with its id."""
    return {
        "name": annotation.name,
        "score": None if annotation.score is None else plain_number(annotation.score),
        "label": annotation.label or None,
        "comment": annotation.comment or None,
        "author": annotation.author or None,
        "span_id": annotation.span_id or None,
        "time_unix_nano": annotation.time_ns,
    }


def plain_artifact(artifact: ArtifactView) -> dict[str, Plain]:
    """Return what is known of an artifact, without its bytes."""
    return {
        "ref": artifact.ref,
        "name": artifact.name,
        "experiment": artifact.experiment,
        "version": artifact.version,
        "aliases": list(artifact.aliases),
        "type": artifact.type,
        "digest": artifact.digest,
        "size_bytes": artifact.size_bytes,
        "file_count": artifact.file_count,
        "is_folder": artifact.is_folder,
        "file_name": artifact.file_name,
        "media_type": artifact.media_type,
        "step": plain_step(artifact.step),
        "metadata": plain(artifact.metadata),
        "run_id": artifact.run_id or None,
        "logged_unix_nano": artifact.logged_ns,
    }


def plain_media_item(item: MediaItem) -> dict[str, Plain]:
    """Return what is known of a medium, without its bytes."""
    return {
        **plain_artifact(item),
        "phase": item.phase or None,
        "index": item.index,
        "caption": item.caption or None,
        "rank": item.rank,
    }


def plain_trace(trace: Trace) -> dict[str, Plain]:
    """Return a trace; `end_unix_nano` and `duration_s` are null where none of its spans has ended."""
    return {
        "trace_id": trace.trace_id,
        "name": trace.name,
        "run_id": trace.run_id,
        "start_unix_nano": trace.start_ns,
        "end_unix_nano": trace.end_ns,
        "duration_s": trace.duration_s,
        "spans": trace.span_count,
        "errors": trace.error_count,
    }


def plain_span(span: Span) -> dict[str, Plain]:
    """Return a span with its attributes, events and links; `end_unix_nano` is null while it is open."""
    return {
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_span_id": span.parent_span_id,
        "run_id": span.run_id,
        "name": span.name,
        "kind": span.kind.name.lower(),
        "start_unix_nano": span.start_ns,
        "end_unix_nano": span.end_ns,
        "duration_s": None if span.duration_ns is None else span.duration_ns / 1e9,
        "status": span.status.name.lower(),
        "status_message": span.status_message,
        "attributes": plain(span.attributes),
        "events": [
            {"name": event.name, "time_unix_nano": event.time_ns, "attributes": plain(event.attributes)}
            for event in span.events
        ],
        "links": [
            {"trace_id": link.trace_id, "span_id": link.span_id, "attributes": plain(link.attributes)}
            for link in span.links
        ],
        "scope": {"name": span.scope.name, "version": span.scope.version},
    }


def plain_log_record(record: LogRecord) -> dict[str, Plain]:
    """Return a log record or event with its attributes; `event_name` is null for what is no event."""
    return {
        "run_id": record.run_id,
        "time_unix_nano": record.time_ns,
        "observed_time_unix_nano": record.observed_time_ns or None,
        "event_name": record.event_name or None,
        "severity": record.severity_text or None,
        "severity_number": record.severity_number,
        "body": plain(record.body),
        "attributes": plain(record.attributes),
        "trace_id": record.trace_id,
        "span_id": record.span_id,
        "scope": {"name": record.scope.name, "version": record.scope.version},
    }


def plain_instrument_point(point: InstrumentPoint) -> dict[str, Plain]:
    """Return a data point of an instrument: `value` of a gauge or a sum, `histogram` of the others."""
    return {
        "run_id": point.run_id,
        "name": point.name,
        "kind": point.kind,
        "unit": point.unit or None,
        "description": point.description or None,
        "start_unix_nano": point.start_ns or None,
        "time_unix_nano": point.time_ns,
        "value": plain(point.value),
        "histogram": plain(point.histogram),
        "is_monotonic": point.is_monotonic,
        "temporality": TEMPORALITIES.get(point.temporality),
        "attributes": plain(point.attributes),
        "scope": {"name": point.scope.name, "version": point.scope.version},
    }


def plain_media(series: MediaSeries) -> dict[str, Plain]:
    """Return what a run logged under one name that is no number, without its bytes."""
    return {
        "name": series.name,
        "type": series.type,
        "count": len(series),
        "steps": [plain_step(step) for step in series.steps],
        "media_type": series.last.media_type,
        "size_bytes": sum(item.size_bytes for item in series),
    }


def plain_group(group: TelemetryGroup) -> dict[str, Plain]:
    """Return how much telemetry of a service or trace there is."""
    return {
        "service": group.service or None,
        "trace_id": group.trace_id,
        "name": group.name or None,
        "span_count": group.span_count,
        "log_record_count": group.log_record_count,
        "data_point_count": group.data_point_count,
        "first_unix_nano": group.first_ns,
        "last_unix_nano": group.last_ns,
    }
