"""Metrics without loss: what the instruments aggregated, and beside it every point since the last collection.

A synchronous gauge keeps one value between two collections and drops NaN, so the history of `run.log` rides
beside the aggregation: at each collection the gauge `ml.metric.value` gets one data point for every recorded
point, with its own time; the step, and the run's trace and span id, are in the point's exemplar.
Source: decision 0001; OpenTelemetry metrics data model, Exemplars.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    Gauge,
    Metric,
    MetricReader,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_experiments.codec.from_sdk import instrument_points_from_sdk
from otel_experiments.journal.encode import encode_instrument_points
from otel_experiments.model.metric import InstrumentPoint, PointBlock
from otel_experiments.semconv import SCHEMA_URL
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.metrics import ML_METRIC_VALUE

if TYPE_CHECKING:
    from otel_experiments.record.pipeline import Pipeline

POINTS_PER_EXPORT = 4000
"""Keeps one request below gRPC's default limit of 4 MiB; a point with its exemplar takes up to 200 bytes."""


class RunMetricReader(MetricReader):
    """Collects one run's instruments: into the journal, and to OTLP together with the run's points."""

    def __init__(self, pipeline: Pipeline, resource: Resource) -> None:
        super().__init__()
        self._pipeline = pipeline
        self._resource = resource
        self.run_span_context: tuple[int, int] | None = None

    def _receive_metrics(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> None:
        """Keep and send what was collected; called by the SDK's `collect`."""
        del timeout_millis, kwargs
        with self._pipeline.guard:
            points = list(instrument_points_from_sdk(metrics_data))
            if points:
                self._journal(points)
        otlp = self._pipeline.otlp
        if otlp is not None and otlp.metric_exporter is not None:
            with self._pipeline.guard:
                run_id = str(self._resource.attributes.get(attr.ML_RUN_ID, ""))
                blocks = otlp.take_points(run_id)
                for data in _requests(metrics_data, blocks, self._resource, self.run_span_context):
                    otlp.export_metrics(data)

    def _journal(self, points: Sequence[InstrumentPoint]) -> None:
        references = self._pipeline.references
        resources = [references.resource(self._resource, lambda p=p: p.resource) for p in points]  # type: ignore[misc] # mypy cannot infer a default
        scopes = [references.scope(p.scope, lambda p=p: p.scope) for p in points]  # type: ignore[misc] # as above
        self._pipeline.journal.append(
            encode_instrument_points(points, [r.number for r in resources], [s.number for s in scopes]),
            [
                *{r.number: r.declaration for r in resources}.values(),
                *{s.number: s.declaration for s in scopes}.values(),
            ],
        )

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Do nothing: exporter and journal belong to the pipeline."""


def _requests(
    collected: MetricsData | None,
    blocks: Sequence[PointBlock],
    resource: Resource,
    run_span: tuple[int, int] | None,
) -> Iterator[MetricsData]:
    """Yield what is to be exported: the collection with the first points, then points alone, in portions."""
    scope = InstrumentationScope("otel_experiments", "", SCHEMA_URL)
    base = list(collected.resource_metrics) if collected is not None else []
    portion: list[NumberDataPoint] = []
    for point in _points(blocks, run_span):
        portion.append(point)
        if len(portion) == POINTS_PER_EXPORT:
            yield _with_points(base, portion, resource, scope)
            base, portion = [], []
    if portion or base:
        yield _with_points(base, portion, resource, scope)


def _with_points(
    base: Sequence[ResourceMetrics],
    points: Sequence[NumberDataPoint],
    resource: Resource,
    scope: InstrumentationScope,
) -> MetricsData:
    if not points:
        return MetricsData(resource_metrics=base)
    metric = Metric(
        name=ML_METRIC_VALUE.name,
        description=ML_METRIC_VALUE.brief,
        unit=ML_METRIC_VALUE.unit,
        data=Gauge(data_points=points),
    )
    scope_metrics = ScopeMetrics(scope=scope, metrics=[metric], schema_url=SCHEMA_URL)
    own = ResourceMetrics(resource=resource, scope_metrics=[scope_metrics], schema_url=resource.schema_url)
    return MetricsData(resource_metrics=[*base, own])


def _points(blocks: Sequence[PointBlock], run_span: tuple[int, int] | None) -> Iterator[NumberDataPoint]:
    trace_id, span_id = run_span if run_span is not None else (None, None)
    for block in blocks:
        for key, column in zip(block.keys, block.values, strict=True):
            attributes = {attr.ML_METRIC_NAME: key.name}
            if key.phase:
                attributes[attr.ML_PHASE] = key.phase
            for step, time_ns, value in zip(block.steps, block.times_ns, column, strict=True):
                yield NumberDataPoint(
                    attributes=attributes,
                    start_time_unix_nano=0,
                    time_unix_nano=time_ns,
                    value=value,
                    exemplars=[
                        Exemplar(
                            filtered_attributes={attr.ML_METRIC_STEP: step},
                            value=value,
                            time_unix_nano=time_ns,
                            span_id=span_id,
                            trace_id=trace_id,
                        )
                    ],
                )
