"""What a run's instruments aggregated: into the journal, from which it is stored and, where OTLP is on, sent.

The points of `run.log` do not pass here: a synchronous gauge keeps one value between two collections and drops
NaN, so the history rides beside the instruments (`otlp/points.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics.export import MetricReader, MetricsData
from opentelemetry.sdk.resources import Resource

from otel_experiments.codec.from_sdk_metrics import instrument_points_from_sdk
from otel_experiments.journal.encode import encode_instrument_points
from otel_experiments.model.instrument import InstrumentPoint

if TYPE_CHECKING:
    from otel_experiments.record.base.ports import PipelinePort


class RunMetricReader(MetricReader):
    """Collects one run's instruments."""

    def __init__(self, pipeline: PipelinePort, resource: Resource) -> None:
        super().__init__()
        self._pipeline = pipeline
        self._resource = resource

    def _receive_metrics(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> None:
        """Keep what was collected; called by the SDK's `collect`."""
        del timeout_millis, kwargs
        with self._pipeline.guard:
            points = list(instrument_points_from_sdk(metrics_data))
            if points:
                self._journal(points)

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
