"""Points of telemetry that was attached to a run: of gauges, and of spans and span events that carry numbers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from otel_experiments.importers.otlp.derived import DerivedSeries, series_key
from otel_experiments.importers.otlp.emitters import NO_STEP, Emitters
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.span import Attributes, AttributeValue, Span
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.notice import tell
from otel_experiments.semconv import attributes as attr

logger: Final = logging.getLogger("otel_experiments")


def points_of_store(store: Path | None) -> Callable[[str, Iterable[WriteBatch]], list[PointBlock]]:
    """Return what makes points for a run of a store, by the mapping beside it.

    Raises:
        MappingFileError: the mapping cannot be used.
    """
    emitters = Emitters.of_store(store)

    def points_of(run_id: str, pages: Iterable[WriteBatch]) -> list[PointBlock]:
        series = DerivedSeries()
        for page in pages:
            for span in page.spans:
                _add_span(series, emitters, run_id, span)
            for point in page.instrument_points:
                if point.value is not None:
                    _add_data_point(series, emitters, run_id, point, float(point.value))
        return series.blocks()

    return points_of


def points_of_joining(emitters: Emitters) -> Callable[[str, Sequence[Span]], list[PointBlock]]:
    """Return what makes points for a run of spans that join it. A span of which none can be made has none."""

    def points_of(run_id: str, spans: Sequence[Span]) -> list[PointBlock]:
        series = DerivedSeries()
        for span in spans:
            try:
                _add_span(series, emitters, run_id, span)
            except Exception as error:
                if isinstance(error, MemoryError) or is_interruption(error):
                    raise
                tell(logger, "A span over OTLP has numbers that cannot be read: %s", error, about=error)
        return series.blocks()

    return points_of


def _add_span(series: DerivedSeries, emitters: Emitters, run_id: str, span: Span) -> None:
    points = emitters.points_of_span(span)
    if points:
        rank = _rank(emitters, span.resource.attributes, span.attributes)
        for one in points:
            series.add_to(run_id, SeriesKey(one.name, "", rank), one.step, one.time_ns, one.value)


def _add_data_point(
    series: DerivedSeries, emitters: Emitters, run_id: str, point: InstrumentPoint, value: float
) -> None:
    """Add a gauge, and a sum that comes with a step."""
    found = emitters.step_of(point.attributes)
    if point.kind != "gauge" and found is None:
        return
    step, steps = found or (NO_STEP, frozenset[str]())
    exemplar = _exemplar_step(point)
    name = point.attributes.get(attr.ML_METRIC_NAME)
    rank = _rank(emitters, point.resource.attributes, point.attributes)
    key = series_key(name if isinstance(name, str) and name else point.name, point.attributes, steps, rank)
    if exemplar is None:
        series.add_to(run_id, key, step, point.time_ns, value, is_repeating=bool(steps))
    else:
        series.add_to(run_id, key, exemplar, point.time_ns, value)


def _exemplar_step(point: InstrumentPoint) -> float | None:
    """Return the step that comes with a point of our own gauge; None where none does."""
    for exemplar in point.exemplars:
        held: AttributeValue = exemplar.get("attributes")
        step = held.get(attr.ML_METRIC_STEP) if isinstance(held, dict) else None
        if isinstance(step, (int, float)) and not isinstance(step, bool):
            return float(step)
    return None


def _rank(emitters: Emitters, resource: Attributes, attributes: Attributes) -> int:
    """Return the number of the process that an item says it comes from."""
    said = emitters.identify(resource, attributes, {})
    return 0 if said is None else said.rank
