"""What a run's instruments aggregated: into the journal and, where OTLP is on, out to the endpoint.

The points of `run.log` do not pass here: a synchronous gauge keeps one value between two collections and drops
NaN, so the history rides beside the instruments (`otlp/points.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.metrics.export import MetricReader, MetricsData
from opentelemetry.sdk.resources import Resource

from otel_experiments.codec.from_sdk_metrics import instrument_points_from_sdk, plain_metrics
from otel_experiments.journal.encode import encode_instrument_points
from otel_experiments.model.instrument import InstrumentPoint

if TYPE_CHECKING:
    from otel_experiments.record.base.ports import PipelinePort

MAX_HELD: Final = 20_000
"""Data points of system metrics that wait for a collection; the oldest go first. The store keeps all."""


class RunMetricReader(MetricReader):
    """Collects one run's instruments."""

    def __init__(self, pipeline: PipelinePort, resource: Resource) -> None:
        super().__init__()
        self._pipeline = pipeline
        self._resource = resource
        self._held: deque[InstrumentPoint] = deque(maxlen=MAX_HELD)

    def hold(self, points: Sequence[InstrumentPoint]) -> None:
        """Send these data points, which are in the journal already, with the next collection."""
        self._held.extend(points)

    def collect_all(self) -> None:
        """Collect the instruments, and send what `hold` was given even where no instrument has anything to tell."""
        self.collect()
        otlp = self._pipeline.otlp
        if otlp is not None:
            otlp.hold_points([self._held.popleft() for _ in range(len(self._held))], self._resource)

    def _receive_metrics(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> None:
        """Keep and send what was collected; called by the SDK's `collect`."""
        del timeout_millis, kwargs
        with self._pipeline.guard:
            metrics_data = plain_metrics(metrics_data)
            points = list(instrument_points_from_sdk(metrics_data))
            if points:
                self._journal(points)
            otlp = self._pipeline.otlp
            if otlp is not None:
                otlp.hold_collection(metrics_data.resource_metrics)

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
