"""Runs of many spans and points arrive whole in real backends."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter

import pytest
from real_programs import until

import otel_experiments as ox
from otel_experiments.record.spans.loops import MAX_CHUNK_S, MAX_TRACE_SPANS

STEPS = 200_000
HOURS = 24
POINTS = 1_000_000
LARGE_S = 200.0
"""How long a large run may take to arrive, before a test fails instead of hanging."""

DAY = f"""
import sys
import otel_experiments as ox
from otel_experiments.testing import SteppingClock

step_ns = {HOURS} * 3600 * 10**9 // (2 * {STEPS})  # a step reads the clock twice, and once more in a chunk
ox.configure(clock=SteppingClock(int(sys.argv[1]), step_ns))
with ox.start_run("large", experiment="large") as run:
    for step in run.steps(range({STEPS}), spans=True):
        pass
"""
LOGS = f"""
import otel_experiments as ox
with ox.start_run("large", experiment="large") as run:
    for step in range({POINTS}):
        run.log({{"loss": step / 8}}, step=step)
"""


@pytest.fixture
def record(tmp_path):
    """Return a function that runs a script in a process of its own and returns the run that it recorded."""

    def run(script, endpoint, *arguments):
        store = tmp_path / "experiments.db"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")} | {
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_EXPERIMENTS_STORE": str(store),
            "OTEL_EXPERIMENTS_EXIT_TIMEOUT": "120",
            "OTEL_EXPERIMENTS_SYSTEM_METRICS": "0",
        }
        subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=tmp_path,
            env=environment,
            check=True,
            timeout=LARGE_S,
        )
        return ox.run("large", store=store)

    return run


def stored_ids(store):
    """Return trace and span id of each span, without reading all of it."""
    with contextlib.closing(sqlite3.connect(store)) as database:
        return set(database.execute("select trace_id, span_id from spans"))


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_a_day_of_200_000_steps_is_whole_in_jaeger_in_linked_traces(
    make_collector, jaeger, record, tmp_path, came_back
):
    """No trace has more than 10,000 spans or an hour; each has its root, linked to the run and back; none is an orphan."""
    collector = make_collector("jaeger.yaml", JAEGER_ENDPOINT=jaeger.endpoint)
    start_ns = time.time_ns() - 2 * HOURS * 3600 * 10**9
    run = record(DAY, collector.endpoint, str(start_ns))
    stored = stored_ids(tmp_path / "experiments.db")
    sizes = Counter(trace_id for trace_id, _ in stored)

    def sent():
        return sum(collector.counts("otelcol_exporter_sent_spans").values())

    until(lambda: sent() >= len(stored), what=lambda: (sent(), len(stored)), timeout_s=LARGE_S)
    traces = jaeger.spans(sizes)

    found = [(trace_id, span.span_id.hex()) for trace_id, spans in traces.items() for span in spans]
    assert len(found) == len(stored)
    assert set(found) == stored
    roots = {}
    for trace_id, spans in traces.items():
        known = {span.span_id for span in spans}
        (roots[trace_id],) = [span for span in spans if not span.parent_span_id]
        assert all(span.parent_span_id in known for span in spans if span.parent_span_id)
    root = roots.pop(run.id)
    assert {link.trace_id.hex() for link in root.links} == set(roots)
    for chunk in roots.values():
        assert [(link.trace_id.hex(), link.span_id) for link in chunk.links] == [(run.id, root.span_id)]
        length_ns = chunk.end_time_unix_nano - chunk.start_time_unix_nano
        assert length_ns <= (MAX_CHUNK_S + 60) * 1e9
    assert max(sizes.values()) <= MAX_TRACE_SPANS
    assert len(roots) >= HOURS - 2
    steps = sum(span.name == "step" for spans in traces.values() for span in spans)
    assert steps == STEPS
    assert root.end_time_unix_nano - root.start_time_unix_nano >= HOURS * 3600 * 10**9
    came_back("jaeger", spans=len(found))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_million_points_are_whole_in_victoriametrics(make_collector, victoriametrics, record, came_back):
    """Logged as fast as a loop can, each of a million points is there, in its millisecond, with its value."""
    collector = make_collector("victoriametrics.yaml", VICTORIAMETRICS_ENDPOINT=victoriametrics.otlp_endpoint)
    run = record(LOGS, collector.endpoint)
    selector = '{__name__="ml.metric.value"}'

    def count():
        return victoriametrics.count(selector)

    until(lambda: count() >= POINTS, what=count, timeout_s=LARGE_S)
    points = run.metrics["loss"].points()
    expected = sorted(
        (time_ns // 1_000_000, value) for time_ns, value in zip(points.times_ns, points.values, strict=True)
    )
    assert len(expected) == POINTS
    assert sorted(sample for _, samples in victoriametrics.series(selector) for sample in samples) == expected
    came_back("victoriametrics", points=len(expected))
