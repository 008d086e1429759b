"""What a store holds and what a backend gives back, in one form, to be compared."""

import dataclasses
import math
import struct

from otel_experiments.codec.incoming.from_json import log_records_from_json, spans_from_json
from otel_experiments.codec.incoming.metrics_from_json import instrument_points_from_json

VALUE = "ml.metric.value"
MOST_DIGITS = 9
"""Digits that every backend keeps of a number; VictoriaMetrics keeps some twelve of the largest of a block."""
KNOWN_PARENT = 0x100
"""Of a span's flags: that it is known where its parent is, which OTLP says of a span without one, too."""


def plain(value):
    """Return a value with lists for all sequences, and floats by their bits: NaN is itself, -0.0 is not 0.0."""
    if hasattr(value, "items"):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return ("float", struct.pack("<d", value)) if isinstance(value, float) else value


def by_id(spans):
    """Return spans as plain fields by their ids; one that came twice has to be the same."""
    found = {}
    for span in spans:
        fields = plain(dataclasses.asdict(span)) | {
            "flags": span.flags & ~KNOWN_PARENT,
            "is_received": True,
        }
        key = (span.trace_id, span.span_id)
        assert found.get(key, fields) == fields, "a span came twice, and differently"
        found[key] = fields
    return found


def spans_of(documents):
    """Return the spans of OTLP JSON documents."""
    return by_id(span for document in documents for span in spans_from_json(document))


def stored_spans(run):
    """Return the spans of a run that have ended, as the store has them."""
    return by_id(span for span in run.spans if span.end_ns is not None)


def without_schema_urls(spans):
    """Return spans as a backend has them that keeps no schema URL."""
    return {
        key: span | {part: span[part] | {"schema_url": ""} for part in ("resource", "scope")}
        for key, span in spans.items()
    }


def differences(stored, found):
    """Return what differs between stored and found spans, field by field; empty when nothing does."""
    lines = [f"missing: {stored[key]['name']}" for key in stored.keys() - found.keys()]
    lines += [f"unknown: {found[key]['name']}" for key in found.keys() - stored.keys()]
    for key in stored.keys() & found.keys():
        one, other = stored[key], found[key]
        lines += [
            f"{one['name']}.{field}: {one[field]!r} != {other[field]!r}"
            for field in one
            if one[field] != other[field]
        ]
    return lines


def point_order(point):
    """Sort points by time, then value, NaN last."""
    return (point[0], math.isnan(point[1]), point[1])


def exact(points):
    """Return (time, value, step) sorted, values by their bits."""
    return plain(sorted(points, key=point_order))


def stored_points(run, *, bits=True):
    """Return what `run.log` recorded: {(name, phase, rank): [(time in ns, value, step), ...]}, floats by their bits."""
    found = {}
    for view in run.metrics.all(rank="all"):
        points = view.points(rank=view.rank)
        found[view.name, view.phase, view.rank] = list(
            zip(points.times_ns, points.values, map(float, points.steps), strict=True)
        )
    return {key: exact(points) for key, points in found.items()} if bits else found


def logged_points_of(documents, run):
    """Return the points of a run's `ml.metric.value` in OTLP JSON documents, as `stored_points` does."""
    found = {}
    for point in _points_of(documents, run):
        if point.name != VALUE:
            continue
        step = point.exemplars[0]["attributes"]["ml.metric.step"]
        rank = point.resource.attributes.get("ml.distributed.rank", 0)
        key = (point.attributes["ml.metric.name"], point.attributes.get("ml.phase", ""), rank)
        found.setdefault(key, []).append((point.time_ns, point.value, float(step)))
    return {key: exact(points) for key, points in found.items()}


def _points_of(documents, run):
    """Yield a run's data points."""
    for document in documents:
        yield from (point for point in instrument_points_from_json(document) if point.run_id == run.id)


def _sorted(items):
    """Return dataclasses as plain fields, in an order that depends on nothing but them."""
    return sorted((plain(dataclasses.asdict(item)) for item in items), key=repr)


def _bounds_as_floats(point):
    """Return a data point with bounds of buckets as OTLP has them, also where the store keeps 1 for 1.0."""
    if point.kind != "histogram":
        return point
    bounds = [float(bound) for bound in point.histogram["explicit_bounds"]]
    return dataclasses.replace(point, histogram={**point.histogram, "explicit_bounds": bounds})


def instruments_of(documents, run):
    """Return the other data points of a run in OTLP JSON documents."""
    return _sorted(point for point in _points_of(documents, run) if point.name != VALUE)


def stored_instruments(run):
    """Return what the instruments of a run measured, as the store has it."""
    return _sorted(map(_bounds_as_floats, run.instrument_points))


def logs_of(documents, run):
    """Return the log records of a run in OTLP JSON documents."""
    return _sorted(
        record
        for document in documents
        for record in log_records_from_json(document)
        if record.run_id == run.id
    )


def stored_logs(run):
    """Return the log records of a run, as the store has them."""
    return _sorted(run.log_records)


def point_count(curves):
    """Return how many points some curves have."""
    return sum(map(len, curves.values()))


def label(labels, name):
    """Return a label by its OpenTelemetry name, whether a backend keeps dots or writes underscores."""
    return labels.get(name, labels.get(name.replace(".", "_"), ""))


def rounded(value):
    """Return a number with the digits that every backend keeps; what is nearly zero beside others is zero."""
    return float(f"{value:.{MOST_DIGITS}g}") if not math.isfinite(value) or abs(value) > 1e-300 else 0.0


def curves(series, run):
    """Return samples of a run's `ml.metric.value`, by metric, phase and rank."""
    ranks = {
        span.resource.attributes["service.instance.id"]: span.resource.attributes.get(
            "ml.distributed.rank", 0
        )
        for span in run.spans
    }
    found = {}
    for labels, samples in series:
        if label(labels, "ml.run.id") != run.id:
            continue
        process = labels.get("service.instance.id") or labels["instance"]
        key = (label(labels, "ml.metric.name"), label(labels, "ml.phase"), ranks[process])
        found.setdefault(key, []).extend((time_ms, rounded(value)) for time_ms, value in samples)
    return {key: sorted(samples, key=point_order) for key, samples in found.items()}


def in_milliseconds(run, *, keep=lambda _: True):
    """Return the stored curves of a run as a backend can have them: in milliseconds, some values left out."""
    found = {
        key: sorted(
            ((time_ns // 1_000_000, rounded(value)) for time_ns, value, _ in points if keep(value)),
            key=point_order,
        )
        for key, points in stored_points(run, bits=False).items()
    }
    return {key: points for key, points in found.items() if points}
