"""Which spans belong together: those of a run, else those of a trace."""

from __future__ import annotations

from collections.abc import Iterable

from otel_experiments.model.span import Span


def group_spans(spans: Iterable[Span]) -> list[list[Span]]:
    """Return the spans by run, and those of no run by trace, in the order in which they start.

    Spans of other libraries in the trace of a run belong to that run.
    """
    held = list(spans)
    run_of_trace = {span.trace_id: span.run_id for span in held if span.run_id is not None}
    groups: dict[str, list[Span]] = {}
    for span in held:
        key = span.run_id or run_of_trace.get(span.trace_id) or span.trace_id
        groups.setdefault(key, []).append(span)
    return sorted(groups.values(), key=lambda group: min(span.start_ns for span in group))
