"""Metrics without loss: what the instruments aggregated, and beside it every point since the last collection.

A synchronous gauge keeps one value between two collections and drops NaN, so the history of `run.log` rides
beside the aggregation: at each collection the gauge `ml.metric.value` gets one data point for every recorded
point, with its own time; the step, and the run's trace and span id, are in the point's exemplar.
Source: decision 0001; OpenTelemetry metrics data model, Exemplars.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Metric,
    MetricReader,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_experiments.codec.from_sdk_metrics import instrument_points_from_sdk
from otel_experiments.journal.encode import encode_instrument_points
from otel_experiments.model.metric import InstrumentPoint, PointBlock
from otel_experiments.record.providers import SCOPE_NAME
from otel_experiments.semconv import SCHEMA_URL
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.metrics import ML_METRIC_VALUE

if TYPE_CHECKING:
    from otel_experiments.record.pipeline import Pipeline

POINTS_PER_EXPORT = 4000
"""Keeps one request below gRPC's default limit of 4 MiB; a point with its exemplar takes up to 200 bytes."""
MAX_HELD: Final = 20_000
"""Data points of system metrics that wait for a collection; the oldest go first. The store keeps all."""


class RunMetricReader(MetricReader):
    """Collects one run's instruments: into the journal, and to OTLP together with the run's points."""

    def __init__(self, pipeline: Pipeline, resource: Resource) -> None:
        super().__init__()
        self._pipeline = pipeline
        self._resource = resource
        self.run_span_context: tuple[int, int] | None = None
        self._held: deque[InstrumentPoint] = deque(maxlen=MAX_HELD)
        self._is_received = False

    def hold(self, points: Sequence[InstrumentPoint]) -> None:
        """Send these data points, which are in the journal already, with the next collection."""
        self._held.extend(points)

    def collect_all(self) -> None:
        """Collect the instruments, and send points even where no instrument has anything to tell."""
        self._is_received = False
        self.collect()
        if not self._is_received:
            self._receive_metrics(MetricsData(resource_metrics=[]))

    def _receive_metrics(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> None:
        """Keep and send what was collected; called by the SDK's `collect`."""
        del timeout_millis, kwargs
        self._is_received = True
        with self._pipeline.guard:
            points = list(instrument_points_from_sdk(metrics_data))
            if points:
                self._journal(points)
        otlp = self._pipeline.otlp
        if otlp is not None and otlp.metric_exporter is not None:
            with self._pipeline.guard:
                run_id = str(self._resource.attributes.get(attr.ML_RUN_ID, ""))
                blocks = otlp.take_points(run_id)
                held = [self._held.popleft() for _ in range(len(self._held))]
                collected = [scope for part in metrics_data.resource_metrics for scope in part.scope_metrics]
                base = [*collected, *_scope_metrics(held)]
                for data in _requests(base, blocks, self._resource, self.run_span_context):
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
    base: Sequence[ScopeMetrics],
    blocks: Sequence[PointBlock],
    resource: Resource,
    run_span: tuple[int, int] | None,
) -> Iterator[MetricsData]:
    """Yield what is to be exported: the collection with the first points, then points alone, in portions."""
    portion: list[NumberDataPoint] = []
    for point in _points(blocks, run_span):
        portion.append(point)
        if len(portion) == POINTS_PER_EXPORT:
            yield _request([*base, _of_run(portion)], resource)
            base, portion = [], []
    if portion:
        base = [*base, _of_run(portion)]
    if base:
        yield _request(base, resource)


def _request(parts: Sequence[ScopeMetrics], resource: Resource) -> MetricsData:
    """Return one request; the SDK's encoder keeps only the last of several parts of one resource or scope."""
    metrics: dict[InstrumentationScope, list[Metric]] = {}
    for part in parts:
        metrics.setdefault(part.scope, []).extend(part.metrics)
    merged = [
        ScopeMetrics(scope=scope, metrics=found, schema_url=scope.schema_url or "")
        for scope, found in metrics.items()
    ]
    whole = ResourceMetrics(resource=resource, scope_metrics=merged, schema_url=resource.schema_url)
    return MetricsData(resource_metrics=[whole])


def _of_run(points: Sequence[NumberDataPoint]) -> ScopeMetrics:
    metric = Metric(
        name=ML_METRIC_VALUE.name,
        description=ML_METRIC_VALUE.brief,
        unit=ML_METRIC_VALUE.unit,
        data=Gauge(data_points=points),
    )
    scope = InstrumentationScope(SCOPE_NAME, "", SCHEMA_URL)
    return ScopeMetrics(scope=scope, metrics=[metric], schema_url=SCHEMA_URL)


def _scope_metrics(points: Sequence[InstrumentPoint]) -> list[ScopeMetrics]:
    """Return data points of numbers, all of one scope, as the SDK would have collected them."""
    by_name: dict[str, list[InstrumentPoint]] = {}
    for point in points:
        by_name.setdefault(point.name, []).append(point)
    metrics = []
    for name, group in by_name.items():
        first = group[0]
        data_points = [
            NumberDataPoint(
                attributes=cast("Any", point.attributes),  # our attributes are the SDK's
                start_time_unix_nano=point.start_ns,
                time_unix_nano=point.time_ns,
                value=point.value if point.value is not None else 0,
            )
            for point in group
        ]
        data = (
            Gauge(data_points=data_points)
            if first.kind == "gauge"
            else Sum(
                data_points=data_points,
                aggregation_temporality=AggregationTemporality(first.temporality),
                is_monotonic=first.is_monotonic,
            )
        )
        metrics.append(Metric(name=name, description=first.description, unit=first.unit, data=data))
    if not metrics:
        return []
    of_all = points[0].scope
    scope = InstrumentationScope(of_all.name, of_all.version, of_all.schema_url)
    return [ScopeMetrics(scope=scope, metrics=metrics, schema_url=of_all.schema_url)]


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
