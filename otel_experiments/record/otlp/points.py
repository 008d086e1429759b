"""Metric points as OTLP: the gauge `ml.metric.value` with one data point for every recorded point.

A synchronous gauge keeps one value between two collections and drops NaN, so the history rides beside the
instruments' aggregation: each point with its own time, the step and the run's trace and span id in its exemplar.
Source: decision 0001; OpenTelemetry metrics data model, Exemplars.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    Gauge,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_experiments.model.metric import PointBlock
from otel_experiments.record.base.known_runs import KnownRun, KnownRuns
from otel_experiments.record.base.scope import sdk_scope
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.metrics import ML_METRIC_VALUE


def points_to_metrics(blocks: Sequence[PointBlock], known: KnownRuns) -> MetricsData:
    """Return the blocks' points, by run; points of runs that nobody knows any more are left out."""
    made = []
    for run_id, group in groupby(sorted(blocks, key=_run_id), key=_run_id):
        run = known.get(run_id)
        if run is not None:
            points = [point for block in group for point in _points(block, run)]
            metric = Metric(
                name=ML_METRIC_VALUE.name,
                description=ML_METRIC_VALUE.brief,
                unit=ML_METRIC_VALUE.unit,
                data=Gauge(data_points=points),
            )
            made.append(_resource_metrics([metric], run.resource, sdk_scope()))
    return MetricsData(resource_metrics=made)


def _resource_metrics(
    metrics: Sequence[Metric], resource: Resource, scope: InstrumentationScope
) -> ResourceMetrics:
    scope_metrics = ScopeMetrics(scope=scope, metrics=metrics, schema_url=scope.schema_url or "")
    return ResourceMetrics(resource=resource, scope_metrics=[scope_metrics], schema_url=resource.schema_url)


def _run_id(block: PointBlock) -> str:
    return block.run_id


def _points(block: PointBlock, run: KnownRun) -> Iterator[NumberDataPoint]:
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
                        span_id=run.span_id,
                        trace_id=run.trace_id,
                    )
                ],
            )
