"""Metrics that came over OTLP: histories and gauges with a step become series, all other data points stay what they are."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from otel_experiments.codec.incoming.read import read_metrics
from otel_experiments.codec.incoming.series import SeriesPoints
from otel_experiments.importers.otlp.derived import DerivedSeries, series_key
from otel_experiments.importers.otlp.emitters import NO_STEP
from otel_experiments.importers.otlp.origin import Origins
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.received import ReceivedRequest
from otel_experiments.model.span import Attributes
from otel_experiments.semconv import attributes as attr

_NO_STEPS: Final[frozenset[str]] = frozenset()


def add_metrics(batch: WriteBatch, request: ReceivedRequest, origins: Origins) -> None:
    """Add the metric points of a request."""
    histories, points = read_metrics(request.encoding, request.payload)
    _add_histories(batch, histories, origins)
    derived = DerivedSeries()
    for point in points:
        kept_count = len(batch.instrument_points)
        try:
            _add_point(batch, derived, point, origins)
        except Exception as error:  # noqa: BLE001 - raised again where it is not about the point
            origins.pass_over(error, f"the data point of {point.name!r}")
            if len(batch.instrument_points) == kept_count:
                batch.instrument_points.append(replace(point, run_id=None))
    batch.points += derived.blocks()


def _add_histories(batch: WriteBatch, histories: list[SeriesPoints], origins: Origins) -> None:
    """Add series of `ml.metric.value`; those of the same steps and times as one block, as they were logged."""
    blocks: dict[tuple[str, bytes, bytes, bool], dict[SeriesKey, SeriesPoints]] = {}
    rest: list[tuple[str, SeriesKey, SeriesPoints, bool]] = []
    for one in histories:
        if origins.replayed.is_of_no_run(one.resource):
            kept = replace(one, resource=origins.replayed.unmarked(one.resource))
            batch.instrument_points.extend(_as_instrument_points(kept))
            continue
        exported = origins.replayed.identify(one.resource)
        identity = exported or origins.emitters.identify(
            one.resource.attributes, one.attributes, origins.hints
        )
        if origins.is_refused(identity):
            continue
        if identity is None:
            batch.instrument_points.extend(_as_instrument_points(one))
            continue
        if exported is None:
            origins.see(identity, one.resource, one.attributes, min(one.times_ns))
        try:
            steps, keys = _steps(one, origins)
            key = series_key(str(one.attributes[attr.ML_METRIC_NAME]), one.attributes, keys, identity.rank)
        except Exception as error:  # noqa: BLE001 - raised again where it is not about the series
            origins.pass_over(error, f"the series of {one.name!r}")
            batch.instrument_points.extend(_as_instrument_points(one))
            continue
        kept = replace(one, steps=steps)
        place = (identity.run_id, steps.tobytes(), array("q", one.times_ns).tobytes(), bool(keys))
        if blocks.setdefault(place, {}).setdefault(key, kept) is not kept:
            rest.append((identity.run_id, key, kept, bool(keys)))
    for (run_id, _, _, is_repeating), by_key in blocks.items():
        batch.points.append(_block(run_id, by_key, is_repeating=is_repeating))
    for run_id, key, one, is_repeating in rest:
        batch.points.append(_block(run_id, {key: one}, is_repeating=is_repeating))


def _block(run_id: str, by_key: Mapping[SeriesKey, SeriesPoints], *, is_repeating: bool) -> PointBlock:
    first = next(iter(by_key.values()))
    return PointBlock(
        run_id,
        tuple(by_key),
        first.steps or (),
        first.times_ns,
        tuple(one.values for one in by_key.values()),
        is_received=True,
        is_repeating=is_repeating,
    )


def _steps(one: SeriesPoints, origins: Origins) -> tuple[array[float], frozenset[str]]:
    """Return the step of each point, and the attributes that are steps."""
    if one.steps is not None:
        return array("d", one.steps), _NO_STEPS
    step, keys = origins.emitters.step_of(one.attributes) or (NO_STEP, _NO_STEPS)
    return array("d", [step]) * len(one.times_ns), keys


def _as_instrument_points(one: SeriesPoints) -> Iterator[InstrumentPoint]:
    """Yield a history that no run claims as the data points that it came as."""
    steps: Sequence[float | None] = one.steps or [None] * len(one.times_ns)
    for step, time_ns, value in zip(steps, one.times_ns, one.values, strict=True):
        exemplar: Attributes = {"time_ns": time_ns, "value": value, "attributes": {attr.ML_METRIC_STEP: step}}
        yield InstrumentPoint(
            name=one.name,
            kind="gauge",
            time_ns=time_ns,
            unit=one.unit,
            value=value,
            attributes=one.attributes,
            exemplars=() if step is None else (exemplar,),
            resource=one.resource,
            scope=one.scope,
        )


def _add_point(batch: WriteBatch, derived: DerivedSeries, point: InstrumentPoint, origins: Origins) -> None:
    """Add a data point of an instrument, and what it is in a series: a gauge with a step, or of a program that knows steps."""
    if origins.replayed.take_instrument_point(point, batch):
        return
    identity = origins.emitters.identify(point.resource.attributes, point.attributes, origins.hints)
    if origins.is_refused(identity):
        return
    found = origins.emitters.step_of(point.attributes) if _has_number(point) else None
    if identity is None and found is not None:
        identity = origins.emitters.identify_resource(point.resource.attributes)
    run_id = None if identity is None else identity.run_id
    batch.instrument_points.append(point if point.run_id == run_id else replace(point, run_id=run_id))
    if identity is None:
        return
    origins.see(identity, point.resource, point.attributes, point.time_ns)
    if found is not None or (not identity.is_own and _has_number(point) and point.kind == "gauge"):
        step, keys = found or (NO_STEP, _NO_STEPS)
        key = series_key(point.name, point.attributes, keys, identity.rank)
        value = math.nan if point.value is None else float(point.value)
        derived.add_to(identity.run_id, key, step, point.time_ns, value, is_repeating=bool(keys))


def _has_number(point: InstrumentPoint) -> bool:
    return point.kind in {"gauge", "sum"} and point.value is not None
