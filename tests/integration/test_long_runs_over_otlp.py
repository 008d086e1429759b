"""A run that is long and wide, as Tempo and Jaeger take it: what a real gRPC server on this machine gets.

Tempo cannot be started here; these are its documented limits, and what a backend needs to put the pieces together.
`tests/backends` sends five times as many steps to a real Jaeger.
"""

import pytest

import otel_experiments as ox
from otel_experiments.testing import SteppingClock

STEPS = 40_000
DAY_NS = 24 * 3600 * 10**9
READINGS_OF_A_STEP = 2
MOST_SPANS = 10_000
MOST_BYTES = 3_000_000
MOST_TEXT_BYTES = 2048
MOST_REQUEST_BYTES = 4 << 20


TIMEOUT_S = 600
"""Only catches a hang."""


@pytest.fixture
def captured(collector, configure, monkeypatch):
    """Record 40,000 steps of a simulated day, and return the run, its spans by trace, and the requests."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "80000")
    clock = SteppingClock(step_ns=DAY_NS // (STEPS * READINGS_OF_A_STEP))
    configure(clock=clock, heartbeat_s=3600.0)
    with ox.start_run("r", experiment="e", config={"note": "x" * 10_000}) as run:
        for _ in run.epochs(4):
            for _ in run.steps(range(STEPS // 4), spans=True):
                pass
        run.flush(timeout_s=300.0)
    report = run.flush(timeout_s=300.0)

    assert (report.is_exported, report.lost) == (True, {})
    traces = {}
    for span, _ in collector.spans:
        traces.setdefault(span.trace_id.hex(), []).append(span)
    return run, traces, collector.of("traces")


def texts_of(pairs):
    """Yield keys and values of attributes; a nested value fails."""
    for pair in pairs:
        kind = pair.value.WhichOneof("value")
        assert kind != "kvlist_value"
        yield pair.key
        values = pair.value.array_value.values if kind == "array_value" else [pair.value]
        yield from (value.string_value for value in values)


@pytest.mark.timeout(TIMEOUT_S)
def test_a_day_of_40_000_steps_arrives_whole_in_linked_traces_that_backends_take(captured):
    """Every step arrives once, in traces of a bounded size, each with one root that holds it, all linked both ways."""
    run, traces, requests = captured
    names = [span.name for spans in traces.values() for span in spans]
    roots = {key: [span for span in spans if not span.parent_span_id] for key, spans in traces.items()}
    chunks = {key: root for key, (root,) in roots.items() if key != run.id}

    assert (names.count("step"), names.count("epoch"), names.count("run e")) == (STEPS, 4, 1)
    assert max(map(len, traces.values())) <= MOST_SPANS
    assert max(sum(span.ByteSize() for span in spans) for spans in traces.values()) <= MOST_BYTES
    assert max(request.ByteSize() for request in requests) < MOST_REQUEST_BYTES
    for request in requests:
        for part in request.resource_spans:
            assert max(len(text.encode()) for text in texts_of(part.resource.attributes)) <= MOST_TEXT_BYTES
    for key, spans in traces.items():
        (root,) = roots[key]
        known = {span.span_id for span in spans}
        for span in spans:
            assert (len(span.trace_id), len(span.span_id)) == (16, 8)
            assert any(span.span_id)
            assert span is root or span.parent_span_id in known
            assert root.start_time_unix_nano <= span.start_time_unix_nano
            assert span.end_time_unix_nano <= root.end_time_unix_nano
            assert max(len(text.encode()) for text in texts_of(span.attributes)) <= MOST_TEXT_BYTES
            assert {link.trace_id.hex() for link in span.links} <= set(traces)

    (root,) = roots[run.id]
    assert {link.trace_id.hex() for link in root.links} == set(chunks)
    for chunk in chunks.values():
        assert [(link.trace_id.hex(), link.span_id) for link in chunk.links] == [(run.id, root.span_id)]
        said = {pair.key: pair.value.int_value for pair in chunk.attributes}
        steps = [
            pair.value.int_value
            for span in traces[chunk.trace_id.hex()]
            if span.name == "step"
            for pair in span.attributes
            if pair.key == "ml.step.index"
        ]
        # In epochs whose steps begin at 0 anew: the first and the last are by time, not by number.
        assert (said["ml.trace.chunk.first_step"], said["ml.trace.chunk.last_step"]) == (steps[0], steps[-1])
    assert len(chunks) >= STEPS // MOST_SPANS
    assert_roots_arrive_early(run, traces, requests)


def assert_roots_arrive_early(run, traces, requests):
    """See that a backend has the root of a chunk soon after its last step, not at the end of the run."""
    arrived = {}
    for number, request in enumerate(requests):
        for part in request.resource_spans:
            for scope in part.scope_spans:
                for span in scope.spans:
                    arrived[span.span_id] = number

    last = max(arrived.values())
    for key, spans in traces.items():
        if key != run.id:
            (root,) = [span for span in spans if not span.parent_span_id]
            steps = [arrived[span.span_id] for span in spans if span.parent_span_id]
            assert arrived[root.span_id] - max(steps) <= 2
    early = [key for key, spans in traces.items() if max(arrived[span.span_id] for span in spans) < last // 2]
    assert len(early) >= 5
