"""What the tests of a store give it: a run, points and a span with every field set."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Owner, Run, RunState
from otel_experiments.model.span import Event, Link, Resource, Scope, Span, SpanKind, StatusCode
from otel_experiments.store import Store

RUN = "a" * 32
OTHER = "b" * 32
LOSS = SeriesKey("loss")


def a_run(run_id: str = RUN, **changes: Any) -> Run:
    """A run with every field set."""
    run = Run(
        run_id=run_id,
        experiment="digits",
        name="brave-otter",
        state=RunState.RUNNING,
        created_ns=1_000,
        started_ns=2_000,
        heartbeat_ns=3_000,
        owner=Owner("host-1", "boot-1", 17, 99),
        group="sweep",
        hypothesis="wider is better",
        condition="treatment",
        description="a note",
        root_span_id="c" * 16,
        resource={"service.name": "digits", "process.pid": 17},
    )
    return replace(run, **changes)


def a_block(values: list[float], *, run_id: str = RUN, key: SeriesKey = LOSS, start: int = 0) -> PointBlock:
    """Points of one series at consecutive steps."""
    steps = [float(start + index) for index in range(len(values))]
    times = [1_000 * (start + index + 1) for index in range(len(values))]
    return PointBlock(run_id, (key,), steps, times, (values,))


def a_span(span_id: str = "1" * 16, **changes: Any) -> Span:
    """A span with every field set."""
    span = Span(
        trace_id=RUN,
        span_id=span_id,
        name="train",
        start_ns=10,
        end_ns=30,
        parent_span_id="2" * 16,
        kind=SpanKind.CLIENT,
        status=StatusCode.ERROR,
        status_message="out of memory",
        attributes={"batch": 32, "rate": 0.1, "device": "gpu", "amp": True, "shape": [3, 4], "odd": math.inf},
        events=(Event("oom", 20, {"bytes": b"\x00\xff"}, 1), Event("retry", 25)),
        links=(Link(OTHER, "3" * 16, {"why": "resumed"}, "k=v", 2),),
        resource=Resource({"service.name": "digits"}, "https://example.test/schema"),
        scope=Scope("tracer", "1.0", "", {"kind": "test"}),
        trace_state="a=b",
        flags=1,
        dropped_attributes_count=4,
        dropped_events_count=5,
        dropped_links_count=6,
        run_id=RUN,
    )
    return replace(span, **changes)


def ids(runs: list[Run]) -> list[str]:
    """Return the ids of the runs."""
    return [run.run_id for run in runs]


def stored(store: Store, run_id: str = RUN) -> Run:
    """The run, which has to be there."""
    run = store.get_run(run_id)
    assert run is not None
    return run
