"""The read API: runs, search expressions, series, spans, read-only SQL, exports. Writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_experiments._face import lazy_names

if TYPE_CHECKING:
    from otel_experiments.query.artifact_view import ArtifactView
    from otel_experiments.query.artifacts_view import ArtifactsView
    from otel_experiments.query.lineage import Lineage, LineageNode
    from otel_experiments.query.media_view import Heatmap, MediaItem, MediaSeries, MediaView
    from otel_experiments.query.metrics_view import MetricsView
    from otel_experiments.query.output_view import OutputLine, OutputView
    from otel_experiments.query.paged_list import TraceList
    from otel_experiments.query.params_view import ParamChange, ParamsView
    from otel_experiments.query.point_order import NumpyPoints
    from otel_experiments.query.reader import Reader
    from otel_experiments.query.run_list import RunList
    from otel_experiments.query.run_view import RunView
    from otel_experiments.query.search.parser import parse_order, parse_search
    from otel_experiments.query.series_view import SeriesView
    from otel_experiments.query.span_analysis import Analysis, SpanWindow
    from otel_experiments.query.spans_view import SpansView
    from otel_experiments.query.summary_view import SummaryView
    from otel_experiments.query.table import Table

__all__ = [
    "Analysis",
    "ArtifactView",
    "ArtifactsView",
    "Heatmap",
    "Lineage",
    "LineageNode",
    "MediaItem",
    "MediaSeries",
    "MediaView",
    "MetricsView",
    "NumpyPoints",
    "OutputLine",
    "OutputView",
    "ParamChange",
    "ParamsView",
    "Reader",
    "RunList",
    "RunView",
    "SeriesView",
    "SpanWindow",
    "SpansView",
    "SummaryView",
    "Table",
    "TraceList",
    "parse_order",
    "parse_search",
]

if not TYPE_CHECKING:  # a type checker that saw it would take every misspelt name for granted
    # A cold process that lists runs needs few of them, and each is some milliseconds.
    __getattr__, _ = lazy_names(
        __name__,
        {
            "Analysis": "span_analysis",
            "ArtifactsView": "artifacts_view",
            "ArtifactView": "artifact_view",
            "Heatmap": "media_view",
            "Lineage": "lineage",
            "LineageNode": "lineage",
            "MediaItem": "media_view",
            "MediaSeries": "media_view",
            "MediaView": "media_view",
            "MetricsView": "metrics_view",
            "NumpyPoints": "point_order",
            "OutputLine": "output_view",
            "OutputView": "output_view",
            "ParamChange": "params_view",
            "ParamsView": "params_view",
            "parse_order": "search.parser",
            "parse_search": "search.parser",
            "Reader": "reader",
            "RunList": "run_list",
            "RunView": "run_view",
            "SeriesView": "series_view",
            "SpanWindow": "span_analysis",
            "SpansView": "spans_view",
            "SummaryView": "summary_view",
            "Table": "table",
            "TraceList": "paged_list",
        },
    )


def __dir__() -> list[str]:
    return __all__
