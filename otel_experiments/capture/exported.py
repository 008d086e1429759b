"""From the batches that an exporter was given to a captured run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from otel_experiments.capture.environment import describe_here
from otel_experiments.exporters.golden import GoldenSpanExporter
from otel_experiments.golden.canonical.trace import CapturedRun, MetricSeries, SpanCounts, require_complete


def capture_exported(
    exporter: GoldenSpanExporter,
    *,
    metrics: Sequence[MetricSeries] = (),
    environment: Mapping[str, str] | None = None,
    name: str = "candidate",
) -> CapturedRun:
    """Return what the exporter has collected, as one run. Flush the provider first.

    Args:
        exporter: what collected the spans.
        metrics: histories of metrics.
        environment: where the run took place.
        name: what reports call it.

    Raises:
        EmptyTraceError: nothing was exported.
        IncompleteTraceError: spans were lost, are still open, or have lost their parent.
    """
    counts = SpanCounts(dropped=exporter.lost_count) if exporter.lost_count else None
    made = CapturedRun(
        spans=exporter.spans,
        metrics=metrics,
        counts=counts,
        environment=describe_here() if environment is None else environment,
        name=name,
    )
    require_complete(made)
    return made
