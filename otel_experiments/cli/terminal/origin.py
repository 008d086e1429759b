"""Where a run came from: the run that it is part of, and the span that it was started in."""

from __future__ import annotations

from collections.abc import Iterator

from otel_experiments.query import RunView
from otel_experiments.query.json_values import Plain
from otel_experiments.semconv import attributes, values


def plain_origin(run: RunView) -> dict[str, Plain] | None:
    """Return as JSON has it where the run was started; None where no span was current and no variable named one."""
    link = run.started_from
    if link is None:
        return None
    source = str(link.attributes[attributes.ML_RUN_STARTED_FROM])
    return {"trace_id": link.trace_id, "span_id": link.span_id, "source": source}


def origin_lines(run: RunView) -> Iterator[str]:
    """Yield a line for each step that leads to the run from outside."""
    if run.record.parent_run_id is not None:
        yield f"part of run {run.record.parent_run_id}"
    link = run.started_from
    if link is not None:
        source = link.attributes[attributes.ML_RUN_STARTED_FROM]
        told = " (TRACEPARENT)" if source == values.MlRunStartedFrom.ENVIRONMENT else ""
        yield f"started from trace {link.trace_id}, span {link.span_id}{told}"
