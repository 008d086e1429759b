"""The address of a run's trace in a backend's UI, as the reader's setting or else the run itself says."""

from __future__ import annotations

from otel_experiments.model.trace_link import parse_trace_url, trace_link
from otel_experiments.query import RunView
from otel_experiments.record.base.settings import Settings
from otel_experiments.semconv import attributes as attr


def trace_url_of(run: RunView, settings: Settings) -> str | None:
    """Return the address; None where none is known, or the run has not started."""
    template = settings.trace_url or run.resource.get(attr.ML_RUN_TRACE_URL)
    if not isinstance(template, str):
        return None
    try:
        return trace_link(parse_trace_url(template), run.record)
    except ValueError:  # recorded by another program, or with its secrets left out
        return None
