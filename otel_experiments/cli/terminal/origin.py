"""Where a run came from: the run that it is part of, and the span that it was started in."""

from __future__ import annotations

from collections.abc import Iterator

from otel_experiments.cli.terminal.format import clean
from otel_experiments.model.past import past_of
from otel_experiments.query import RunView
from otel_experiments.semconv import attributes, values

_MOST_ATTEMPTS = 5
"""Of earlier attempts the latest ones are shown."""


def origin_lines(run: RunView) -> Iterator[str]:
    """Yield a line for each step that leads to the run from outside."""
    if run.parent_id is not None:
        yield f"part of run {run.parent_id}"
    fork = past_of(run.record).fork
    if fork is not None:
        forked_from = run.forked_from
        name = "not in this store" if forked_from is None else clean(forked_from.name)
        lacks = (
            "; the curves begin after it: the points up to there are that run's"
            if forked_from is None
            else ""
        )
        yield f"fork of run {fork.run_id} ({name}) at step {fork.step:g}{lacks}"
    for attempt in run.attempts[:-1][-_MOST_ATTEMPTS:]:
        reason = f": {clean(attempt.reason)}" if attempt.reason else ""
        yield f"attempt {attempt.number} {attempt.state}{reason}"
    if run.record.attempt > 1:
        latest = run.attempts[-1]
        rewound = "" if latest.rewound_to is None else f", from step {latest.rewound_to:g}"
        yield f"attempt {latest.number}{rewound}; the time is that of all attempts"
    link = run.started_from
    if link is not None:
        source = link.attributes[attributes.ML_RUN_STARTED_FROM]
        told = " (TRACEPARENT)" if source == values.MlRunStartedFrom.ENVIRONMENT else ""
        yield f"started from trace {link.trace_id}, span {link.span_id}{told}"
