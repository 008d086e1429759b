"""Runs of many spans and points arrive whole in real backends."""

import os
import subprocess
import sys
from collections import Counter

import pytest
from real_programs import until

import otel_experiments as ox

SPANS = 60_000
POINTS = 1_000_000
MOST_SPANS_OF_A_TRACE = 10_000
LARGE_S = 110.0
"""How long a large run may take to arrive, before a test fails instead of hanging."""

STEPS = f"""
import otel_experiments as ox
with ox.start_run("large", experiment="large") as run:
    for step in run.steps(range({SPANS}), spans=True):
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
    """Return a function that runs a script in a process of its own and returns what it recorded."""

    def run(script, endpoint):
        store = tmp_path / "experiments.db"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")} | {
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_EXPERIMENTS_STORE": str(store),
            "OTEL_EXPERIMENTS_EXIT_TIMEOUT": "60",
            "OTEL_EXPERIMENTS_SYSTEM_METRICS": "0",
        }
        subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True, timeout=LARGE_S
        )
        return ox.run("large", store=store)

    return run


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_sixty_thousand_steps_are_whole_in_jaeger_with_every_root(make_collector, jaeger, record, came_back):
    """Each chunk trace has at most 10,000 spans, its root, and a link to the run; no span is an orphan."""
    collector = make_collector("jaeger.yaml", JAEGER_ENDPOINT=jaeger.endpoint)
    run = record(STEPS, collector.endpoint)
    stored = {(span.trace_id, span.span_id) for span in run.spans}
    traces = Counter(trace_id for trace_id, _ in stored)

    def sent():
        return sum(collector.counts("otelcol_exporter_sent_spans").values())

    until(lambda: sent() >= len(stored), what=lambda: (sent(), len(stored)), timeout_s=LARGE_S)
    found = {
        (span["traceId"], span["spanId"]): span
        for trace_id in traces
        for document in jaeger.trace(trace_id)
        for group in document["resourceSpans"]
        for part in group["scopeSpans"]
        for span in part["spans"]
    }
    assert found.keys() == stored
    assert max(traces.values()) <= MOST_SPANS_OF_A_TRACE + 1  # the run's trace has the run, too
    roots = {key: span for key, span in found.items() if not span.get("parentSpanId")}
    children = found.keys() - roots.keys()
    assert [key for key in children if (key[0], found[key]["parentSpanId"]) not in found] == []
    assert Counter(trace_id for trace_id, _ in roots) == dict.fromkeys(traces, 1)
    (root,) = [span for (trace_id, _), span in roots.items() if trace_id == run.id]
    chunks = [span for span in roots.values() if span is not root]
    assert {link["traceId"] for link in root["links"]} == {span["traceId"] for span in chunks}
    assert {link["traceId"] for span in chunks for link in span["links"]} == {run.id}
    assert len(chunks) >= SPANS // MOST_SPANS_OF_A_TRACE - 1
    came_back("jaeger", spans=len(found))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_million_points_are_whole_in_victoriametrics(make_collector, victoriametrics, record, came_back):
    """Logged as fast as a loop can, each of a million points is there, in its millisecond, and the run's own span."""
    collector = make_collector("victoriametrics.yaml", VICTORIAMETRICS_ENDPOINT=victoriametrics.otlp_endpoint)
    run = record(LOGS, collector.endpoint)

    def read():
        return [
            sample
            for _, samples in victoriametrics.series('{__name__="ml.metric.value"}')
            for sample in samples
        ]

    until(lambda: len(read()) >= POINTS, what=lambda: len(read()), timeout_s=LARGE_S)
    points = run.metrics["loss"].points()
    expected = sorted(
        (time_ns // 1_000_000, value) for time_ns, value in zip(points.times_ns, points.values, strict=True)
    )
    assert sorted(read()) == expected
    came_back("victoriametrics", points=len(expected))
