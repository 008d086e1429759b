"""What the files of collector-config/ are for happens: sampled, counted, scraped, guarded, kept through an outage."""

import re
import subprocess
import sys

import pytest
from read_back import logged_points_of, spans_of, stored_points, stored_spans
from real_programs import fetch, free_port, until

import otel_experiments as ox

TRAINING = """
import sys
import otel_experiments as ox

name, steps, failing = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with ox.start_run(name, experiment="uses") as run, run.stage("fit"):
    for number in range(steps):
        try:
            with run.step(number):
                if number == failing:
                    raise ValueError("one step of many")
        except ValueError:
            pass
        if number % 100 == 0:
            run.log({"loss": number / 10}, step=number)
"""


@pytest.fixture
def record(tmp_path):
    """Return a function that records a run in a process of its own and returns it as the store has it."""

    def run(name, endpoint, *, steps=20, failing=-1, **variables):
        store = tmp_path / "experiments.db"
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_EXPERIMENTS_STORE": str(store),
            "OTEL_EXPERIMENTS_EXIT_TIMEOUT": "60",
        }
        command = [sys.executable, "-c", TRAINING, name, str(steps), str(failing)]
        subprocess.run(command, cwd=tmp_path, env=environment | variables, check=True, timeout=100)
        return ox.run(name, store=store)

    return run


def read_all(jaeger, run):
    """Return the spans that Jaeger has of all traces of a run."""
    traces = sorted({span.trace_id for span in run.spans})
    return spans_of(document for trace_id in traces for document in jaeger.trace(trace_id))


def test_a_collector_and_a_backend_that_were_away_lose_nothing(make_collector, jaeger, record):
    """What a Collector took while Jaeger was away is on disk: it arrives though the Collector is killed, too."""
    jaeger.kill()
    collector = make_collector("jaeger.yaml", JAEGER_ENDPOINT=jaeger.endpoint)
    run = record("away", collector.endpoint)
    collector.kill()

    jaeger.start()
    collector.start()

    stored = stored_spans(run)
    until(lambda: stored.keys() <= read_all(jaeger, run).keys(), what=lambda: len(read_all(jaeger, run)))
    assert read_all(jaeger, run).keys() == stored.keys()


def test_sampling_keeps_runs_whole_and_chunks_that_failed(make_collector, jaeger, record):
    """Of a long run its own trace is kept whole; of its chunk traces, with a share of 0, only one that failed."""
    collector = make_collector(
        "tail-sampling.yaml", TRACES_ENDPOINT=jaeger.endpoint, SAMPLING_WAIT="2s", CHUNK_TRACES_PERCENT="0"
    )
    run = record("long", collector.endpoint, steps=25_000, failing=15_000)
    stored = stored_spans(run)
    (failed,) = {span.trace_id for span in run.spans.errors()}
    kept = {key for key in stored if key[0] in {run.id, failed}}
    chunks = {trace_id for trace_id, _ in stored} - {run.id}

    until(lambda: read_all(jaeger, run).keys() >= kept, what=lambda: len(read_all(jaeger, run)))
    assert read_all(jaeger, run).keys() == kept
    assert (failed in chunks, len(chunks)) == (True, 2)


def test_spans_are_counted_by_operation_and_never_by_run(make_collector, jaeger, victoriametrics, record):
    """Span metrics add up two runs by operation and result; no label would make series of each run."""
    collector = make_collector(
        "span-metrics.yaml",
        TRACES_ENDPOINT=jaeger.endpoint,
        SPAN_METRICS_ENDPOINT=victoriametrics.otlp_endpoint,
        SPAN_METRICS_FLUSH="500ms",
    )
    runs = [record(name, collector.endpoint) for name in ("one", "two")]

    def calls():
        series = victoriametrics.series('{__name__=~"traces.span.metrics.calls(_total)?"}')
        return {labels.get("ml.operation.name"): samples[-1][1] for labels, samples in series}

    until(lambda: calls().get("step") == 40, what=calls)
    until(lambda: calls().get("run") == 2, what=calls)
    labels = {key for one, _ in victoriametrics.series('{__name__=~"traces.span.metrics.+"}') for key in one}
    assert {"ml.experiment.name", "ml.operation.name", "ml.run.result"} <= labels
    assert labels & {"ml.run.id", "ml.run.name", "service.instance.id", "span.name"} == set()
    for run in runs:
        until(
            lambda run=run: read_all(jaeger, run).keys() == stored_spans(run).keys(),
            what="the spans are there, too",
        )


def test_a_scrape_sees_the_newest_value_of_each_run(make_collector, record):
    """Two runs are two series, told by their ids and names, each with its newest value."""
    port = free_port()
    collector = make_collector("prometheus-scrape.yaml", PROMETHEUS_SCRAPE_ENDPOINT=f"127.0.0.1:{port}")
    runs = {
        name: record(
            name, collector.endpoint, steps=steps, OTEL_TRACES_EXPORTER="none", OTEL_LOGS_EXPORTER="none"
        )
        for name, steps in (("one", 101), ("two", 301))
    }

    def scraped():
        text = fetch(f"http://127.0.0.1:{port}/metrics") or ""
        found = re.findall(r"^ml_metric_value(?:_ratio)?{(.*)} (\S+)", text, re.MULTILINE)
        labels = [dict(re.findall(r'(\w+)="([^"]*)"', line)) for line, _ in found]
        return {
            one["ml_run_name"]: (one["ml_run_id"], float(value))
            for one, (_, value) in zip(labels, found, strict=True)
        }

    expected = {"one": (runs["one"].id, 10.0), "two": (runs["two"].id, 30.0)}
    until(lambda: scraped() == expected, what=scraped)


def test_a_gateway_takes_all_signals_of_who_has_the_token(make_collector, record):
    """With the token spans, points and events arrive where the gateway sends them; without it nothing does."""
    behind = make_collector("file.yaml")
    gateway = make_collector(
        "gateway.yaml",
        GATEWAY_TOKEN="a-token",
        GATEWAY_TRACES_ENDPOINT=behind.http_endpoint,
        GATEWAY_METRICS_ENDPOINT=behind.http_endpoint,
        GATEWAY_LOGS_ENDPOINT=behind.http_endpoint,
    )
    record("refused", gateway.endpoint, OTEL_EXPERIMENTS_EXIT_TIMEOUT="1")
    run = record("taken", gateway.endpoint, OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20a-token")

    until(lambda: spans_of(behind.lines).keys() >= stored_spans(run).keys(), what=lambda: behind.lines)
    until(lambda: logged_points_of(behind.lines, run) == stored_points(run), what=lambda: behind.lines)
    assert spans_of(behind.lines) == stored_spans(run)


def test_the_minimal_file_prints_what_arrives(make_collector, record):
    """A line a request in the Collector's own output shows that a run leaves."""
    collector = make_collector("minimal.yaml")
    run = record("seen", collector.endpoint)
    collector.stop()

    printed = collector.log.read_text(encoding="utf-8")
    counted = [int(number) for number in re.findall(r'\tTraces\t.*"spans": (\d+)', printed)]
    assert sum(counted) == len(stored_spans(run))
    assert re.search(r'\tMetrics\t.*"data points": \d+', printed)
