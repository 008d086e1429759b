"""The read API: runs, search expressions, series, spans, read-only SQL, exports. Writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otel_experiments.query.metrics_view import MetricsView, NumpyPoints, SeriesView
from otel_experiments.query.params_view import ParamsView
from otel_experiments.query.reader import Reader, Table
from otel_experiments.query.run_view import RunView
from otel_experiments.query.search import parse_order, parse_search

if TYPE_CHECKING:
    from otel_experiments.query.spans_view import SpansView

__all__ = [
    "MetricsView",
    "NumpyPoints",
    "ParamsView",
    "Reader",
    "RunView",
    "SeriesView",
    "SpansView",
    "Table",
    "parse_order",
    "parse_search",
]


def __getattr__(name: str) -> Any:  # a class or nothing
    if name == "SpansView":  # with the model of spans 4 ms, which few readers need
        from otel_experiments.query.spans_view import SpansView  # noqa: PLC0415 - as above

        return SpansView
    raise AttributeError(name)
