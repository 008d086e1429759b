"""Whatever an endpoint answers: what waiting can save arrives exactly once, what is lost is counted and told."""

import threading
from collections import Counter

import grpc
import pytest

import otel_experiments as ox

CODES = [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK]
PASSING = {
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
DENIED = {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}
FORMS = ("none", "retryinfo", "details")
POINTS, SPANS, EVENTS = 1200, 50, 5


def record(run, *, points=POINTS, spans=SPANS, events=EVENTS):
    """Record points, spans and events whose numbers tell them apart."""
    for number in range(points):
        run.log({"loss": float(number)})
    for number in range(spans):
        with run.tracer.start_as_current_span(f"span {number}"):
            pass
    for number in range(events):
        run.emit("app.event", {"number": number})


def arrived(collector):
    """Return how often each thing arrived, by signal, what the run itself adds left out."""
    return {
        "metrics": Counter(point.as_double for point in collector.points),
        "traces": Counter(span.name for span, _ in collector.spans if span.name.startswith("span ")),
        "logs": Counter(
            value.int_value
            for record, _ in collector.log_records
            if record.event_name == "app.event"
            for value in [record.body.kvlist_value.values[0].value]
        ),
    }


def once(*, points=POINTS, spans=SPANS, events=EVENTS):
    """Return what `arrived` is when all of it arrived exactly once."""
    return {
        "metrics": Counter(float(number) for number in range(points)),
        "traces": Counter(f"span {number}" for number in range(spans)),
        "logs": Counter(range(events)),
    }


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_every_answer_ends_with_arrived_once_or_counted(
    collector, configure, monkeypatch, caplog, code, form
):
    """All three signals are refused once: what the code calls passing arrives, the rest is counted and told, or kept."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    configure()
    for signal in ("traces", "metrics", "logs"):
        collector.refuse(
            signal, code, "not now", times=1, trailers=collector.retry_trailers(form, 0.01, code)
        )
    with ox.start_run() as run:
        record(run)
        report = run.flush(timeout_s=60.0)

        assert report.is_exported is (code in PASSING or code is grpc.StatusCode.UNIMPLEMENTED)
        if code in PASSING:
            assert (arrived(collector), report.lost) == (once(), {})
            assert max(Counter(collector.asked).values()) <= 6
        elif code is grpc.StatusCode.UNIMPLEMENTED:
            assert (collector.requests, report.lost) == ([], {})
            assert caplog.text.count("takes no ") == 3
        else:
            found = arrived(collector)
            assert [count for counts in found.values() for count in counts.values() if count > 1] == []
            assert code.name in caplog.text
            if code in DENIED:  # the store has it for the right token
                assert report.lost == {}
                assert caplog.text.count("does not let this process send") == 3
                return
            starts = [1 for one, _ in collector.log_records if one.event_name == "ml.run.start"]
            got = {
                "otlp metric points": POINTS - found["metrics"].total(),
                "otlp spans": SPANS - found["traces"].total(),
                "otlp log records": EVENTS + 1 - found["logs"].total() - len(starts),
            }
            assert {name: report.lost[name] for name in got} == got
            assert all(got.values())
            assert caplog.text.count("did not take") == 3


@pytest.mark.parametrize("form", FORMS)
def test_throttling_loses_nothing_and_is_not_answered_with_a_flood(collector, configure, monkeypatch, form):
    """Four refusals in a row for each signal: 16,000 points and 800 spans arrive once, in a handful of requests."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    configure()
    for signal in ("traces", "metrics", "logs"):
        collector.refuse(
            signal,
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "RATE_LIMITED: ingestion rate limit (30000000 bytes) exceeded while adding 84 bytes",
            times=4 if form != "none" else 2,
            trailers=collector.retry_trailers(form, 0.05),
        )
    with ox.start_run() as run:
        record(run, points=16_000, spans=800)
        report = run.flush(timeout_s=60.0)

    assert (report.is_exported, report.lost) == (True, {})
    assert arrived(collector) == once(points=16_000, spans=800)
    assert len(collector.asked) <= 60


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED])
@pytest.mark.parametrize("form", ["retryinfo", "details"])
def test_an_endpoint_that_names_a_time_is_not_asked_before_it(
    collector, configure, monkeypatch, code, form, caplog
):
    """It asks for 600 s: whoever flushes hears at once that it is not sent, and nobody asks again."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "none")
    configure()
    collector.refuse("traces", code, "slow down", trailers=collector.retry_trailers(form, 600.0, code))
    with ox.start_run() as run, run.stage("load"):
        pass
    reports = [run.flush(timeout_s=30.0) for _ in range(5)]
    ox.shutdown()

    assert [report.is_exported for report in reports] == [False] * 5
    assert [report.lost for report in reports] == [{}] * 5
    assert collector.asked == ["traces"]
    assert "did not take 2 spans" in caplog.text
    assert "it asks to wait 600 s" in caplog.text


def test_the_end_of_a_process_asks_a_throttling_endpoint_once_more(collector, configure, monkeypatch):
    """An endpoint that names no time and takes requests again is not given up while the exit budget lasts."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    configure(exit_timeout_s=5.0)
    for signal in ("traces", "metrics", "logs"):
        collector.refuse(signal, grpc.StatusCode.RESOURCE_EXHAUSTED, "busy", times=2)
    run = ox.start_run()
    record(run)
    ox.shutdown()

    assert arrived(collector) == once()


@pytest.mark.parametrize("max_request_bytes", [4_000, 40_000, 400_000])
def test_requests_are_made_smaller_only_for_their_size(
    make_collector, configure, monkeypatch, max_request_bytes
):
    """A server with a small limit gets everything, and the way to requests of its size is short."""
    collector = make_collector(max_request_bytes=max_request_bytes)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    configure()
    with ox.start_run(config={"lr": 0.1}) as run:
        record(run, points=2000, spans=200)
        report = run.flush(timeout_s=60.0)

    assert {name for name in report.lost if name != "otlp data points of instruments"} == set()
    assert arrived(collector) == once(points=2000, spans=200)
    smallest = 200_000 // max_request_bytes + 30
    assert len(collector.requests) <= 4 * smallest


def test_one_signals_hanging_endpoint_holds_up_no_other(make_collector, collector, configure, monkeypatch):
    """Traces hang at an endpoint of their own: points and events arrive all the same, while they hang and at exit."""
    held, traces = threading.Event(), make_collector()
    traces.answers["traces"] = lambda *_: held.wait(60.0) and None
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", traces.endpoint)
    configure(exit_timeout_s=2.0)
    try:
        with ox.start_run() as run:
            record(run)
            collector.wait_for(lambda: len(collector.points) == POINTS)
        ox.shutdown()
    finally:
        held.set()

    assert arrived(collector) == once(spans=0)


def test_a_dead_endpoint_of_one_signal_holds_up_no_other(collector, configure, monkeypatch, make_collector):
    """Nobody listens where traces should go: every point and event arrives elsewhere."""
    gone = make_collector()
    gone.close()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", gone.endpoint)
    configure()
    with ox.start_run() as run:
        record(run)
        report = run.flush(timeout_s=60.0)

    assert (report.is_exported, report.lost) == (False, {})
    assert arrived(collector) == once(spans=0)


def test_a_long_queue_of_one_signal_starves_no_other(collector, configure, monkeypatch):
    """While the first of many requests of points waits for its answer, spans and events arrive."""
    held = threading.Event()
    collector.answers["metrics"] = lambda *_: held.wait(60.0) and None
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    configure()
    with ox.start_run() as run:
        record(run, points=30_000)
        try:
            collector.wait_for(lambda: arrived(collector)["traces"].total() == SPANS)
            collector.wait_for(lambda: arrived(collector)["logs"].total() == EVENTS)
            assert collector.points == []
        finally:
            held.set()
        run.flush(timeout_s=60.0)

    assert arrived(collector) == once(points=30_000)


def test_a_signal_that_an_endpoint_does_not_take_is_off_and_said_once(
    collector, configure, monkeypatch, caplog
):
    """Traces only, as Jaeger has it: one line a signal in words, that names the switch; no further request."""
    for signal in ("metrics", "logs"):
        collector.refuse(signal, grpc.StatusCode.UNIMPLEMENTED, f"unknown service {signal}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    configure()
    for _ in range(3):
        with ox.start_run(config={"lr": 0.1}) as run:
            record(run, points=10, spans=2, events=1)
            report = run.flush()
    ox.shutdown()

    assert (report.is_exported, report.lost) == (True, {})
    assert Counter(collector.asked)["metrics"] == Counter(collector.asked)["logs"] == 1
    lines = [line for line in caplog.text.splitlines() if "OTLP" in line]
    assert len(lines) == 2
    assert any("takes no metrics" in line and "OTEL_METRICS_EXPORTER=none" in line for line in lines)
    assert any("takes no logs" in line and "OTEL_LOGS_EXPORTER=none" in line for line in lines)


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_a_signal_whose_exporter_is_none_is_not_sent(collector, configure, monkeypatch, caplog, signal):
    """OTEL_*_EXPORTER=none means none, for that signal alone, without a word."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    monkeypatch.setenv(f"OTEL_{signal.upper()}_EXPORTER", "none")
    configure()
    with ox.start_run() as run:
        record(run)
        report = run.flush()

    assert (report.is_exported, report.lost) == (True, {})
    assert arrived(collector) == once() | {signal: Counter()}
    assert set(collector.asked) == {"traces", "metrics", "logs"} - {signal}
    assert caplog.text == ""


def test_only_signals_with_an_endpoint_are_sent(collector, configure, monkeypatch, caplog):
    """An endpoint for traces is one for traces: points and events go nowhere, and nobody complains."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.endpoint)
    configure(otlp=True)
    with ox.start_run() as run:
        record(run)
        report = run.flush()
    ox.shutdown()

    assert report.is_exported
    assert set(collector.asked) == {"traces"}
    assert caplog.text == ""


def test_an_endpoint_that_is_back_is_found_by_the_next_request(make_collector, configure, monkeypatch):
    """It was gone for several tries; the first one after its return gets through, without a pause of gRPC's own."""
    gone = make_collector()
    gone.close()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", gone.endpoint)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    configure()
    run = ox.start_run()
    record(run)
    refused = [run.flush(timeout_s=60.0).is_exported for _ in range(6)]
    collector = make_collector(port=gone.port)
    report = run.flush(timeout_s=60.0)

    assert refused == [False] * 6
    assert (report.is_exported, report.lost) == (True, {})
    assert arrived(collector) == once()
