"""Reads what the instruments of an application's MeterProvider measured, into the journal of a run.

Counters and histograms come as what was added since the last collection, so that a run has what was measured while it
was on. Exemplars are left out: the SDK's reservoirs draw from the global `random`, which is the experiment's.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from opentelemetry.sdk.metrics import (
    Counter,
    ExemplarReservoir,
    Histogram,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricReader, MetricsData
from opentelemetry.sdk.metrics.view import Aggregation, DefaultAggregation

from otel_experiments.codec.from_sdk_metrics import instrument_points_from_sdk
from otel_experiments.journal.encode import encode_instrument_points
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.span import Resource
from otel_experiments.process.interruption import is_interruption
from otel_experiments.record.base.otel_internals import sdk_gauge_class
from otel_experiments.record.base.ports import PipelinePort
from otel_experiments.record.base.room import why_not_kept
from otel_experiments.semconv import attributes as attr

Owner = tuple[PipelinePort, str | None]
"""The pipeline that takes points, and the id of the run that they belong to, if they belong to one."""

_DELTA = (Counter, Histogram, ObservableCounter)
_ALL = (*_DELTA, UpDownCounter, ObservableUpDownCounter, ObservableGauge)


class AdoptedMetricReader(MetricReader):
    """Collects the instruments of one provider of the application's, for one run after the other.

    Attributes:
        provider: returns the provider, or None where it is gone.
    """

    def __init__(self, provider: object) -> None:
        self.provider = _reference(provider)
        kinds = [kind for kind in (*_ALL, sdk_gauge_class()) if kind is not None]
        super().__init__(
            preferred_temporality=dict.fromkeys(_DELTA, AggregationTemporality.DELTA),
            preferred_aggregation=dict.fromkeys(kinds, _WithoutExemplars()),
        )
        self._owner: Owner | None = None
        self._resource: tuple[str | None, Resource, Resource] = (None, Resource(), Resource())

    def collect_for(self, owner: Owner | None) -> None:
        """Keep what was measured since the last collection for `owner`, or drop it. Never raises."""
        self._owner = owner
        try:
            self.collect()
        except Exception as error:  # a callback of the application's that takes too long, say
            if is_interruption(error):
                raise
            if owner is not None:
                owner[0].guard.failed(error, owner[1] or "")

    def _receive_metrics(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> None:
        """Keep what was collected; called by the SDK's `collect`."""
        del timeout_millis, kwargs
        if self._owner is None:
            return
        pipeline, run_id = self._owner
        points = [self._of_run(point, run_id) for point in instrument_points_from_sdk(metrics_data)]
        if points:
            self._journal(pipeline, points, run_id)

    def _of_run(self, point: InstrumentPoint, run_id: str | None) -> InstrumentPoint:
        known_id, given, made = self._resource
        if known_id != run_id or given != point.resource:
            given, made = point.resource, _resource_in_run(point.resource, run_id)
            self._resource = run_id, given, made
        return replace(point, resource=made, run_id=run_id)

    @staticmethod
    def _journal(pipeline: PipelinePort, points: list[InstrumentPoint], run_id: str | None) -> None:
        references = pipeline.references
        resources = [references.resource(p.resource, lambda p=p: p.resource) for p in points]  # type: ignore[misc] # mypy cannot infer a default
        scopes = [references.scope(p.scope, lambda p=p: p.scope) for p in points]  # type: ignore[misc] # as above
        is_kept = pipeline.journal.append(
            encode_instrument_points(points, [r.number for r in resources], [s.number for s in scopes]),
            [
                *{r.number: r.declaration for r in resources}.values(),
                *{s.number: s.declaration for s in scopes}.values(),
            ],
        )
        if not is_kept:
            pipeline.guard.lost(
                *why_not_kept(pipeline.journal, "Data points of instruments"),
                run_id=run_id or "",
                count=len(points),
            )

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Do nothing: the journal belongs to the pipeline."""


def _reference(provider: object) -> Callable[[], object]:
    try:
        return weakref.ref(provider)
    except TypeError:  # a foreign provider with slots
        return lambda: provider


def _resource_in_run(resource: Resource, run_id: str | None) -> Resource:
    """Return the application's resource with the run's id, which is no attribute of a data point."""
    if run_id is None:
        return resource
    return replace(
        resource, attributes={**resource.attributes, attr.ML_RUN_ID: run_id, attr.ML_RUN_ADOPTED: True}
    )


class _WithoutExemplars(Aggregation):
    """The SDK's default aggregation of each kind of instrument, whose reservoirs keep nothing and draw nothing."""

    def __init__(self) -> None:
        self._default = DefaultAggregation()

    def _create_aggregation(
        self,
        instrument: Any,  # the SDK's private classes, here and below
        attributes: Any,
        reservoir_factory: Callable[..., Any],
        start_time_unix_nano: int,
    ) -> Any:
        del reservoir_factory
        empty: Any = _EmptyReservoir
        return self._default._create_aggregation(  # noqa: SLF001 - what every Aggregation has to have
            instrument, attributes, lambda _: empty, start_time_unix_nano
        )


class _EmptyReservoir(ExemplarReservoir):
    """Keeps no exemplars."""

    def __init__(self, **_: object) -> None:
        """Take the size that reservoirs of the SDK have."""

    def offer(self, *_: object, **__: object) -> None:
        """Keep nothing."""

    def collect(self, *_: object, **__: object) -> list[Any]:
        """Return nothing."""
        return []
