"""What a backend learns of a run before its root span arrives, as a real gRPC server on this machine sees it."""

import os
import signal
import subprocess
import sys

import pytest

import otel_experiments as ox
from otel_experiments.semconv import SCHEMA_URL, events, metrics

LIVING = """
import sys
import otel_experiments as ox

ox.configure(store="experiments.db", system_metrics_s=0.0, capture_git=False)
with ox.start_run("r", experiment="e"):
    sys.stdin.read()
"""


def told_of_run(collector):
    """Return name and attributes of the events about the life of runs, in the order of their times."""
    wanted = {"ml.run.start", "ml.run.state", "ml.telemetry.loss"}
    found = [record for record, _ in collector.log_records if record.event_name in wanted]
    return [
        (record.event_name, collector.attributes_of(record))
        for record in sorted(found, key=lambda record: record.time_unix_nano)
    ]


def test_a_backend_learns_of_start_pause_loss_and_end(exporting, configure):
    """Each is an event with the run's identity, its trace and its root span."""
    configure()
    with ox.start_run("r", experiment="e", seed=3) as run:
        run.pause()
        run.resume()
        run.log({"note": "no number"})

    context = run.otel_span.get_span_context()
    told = told_of_run(exporting)
    paused_ns = [told[number][1].pop("ml.run.paused_time") for number in (2, 4)]
    loss = {"ml.loss.kind": "metric value", "ml.loss.reason": "not_encodable", "ml.loss.count": 1}
    assert told == [
        ("ml.run.start", {"ml.run.state": "running", "ml.random.seed": 3}),
        ("ml.run.state", {"ml.run.state": "paused", "ml.run.pause.count": 1}),
        ("ml.run.state", {"ml.run.state": "running", "ml.run.pause.count": 1}),
        ("ml.telemetry.loss", loss | {"ml.loss.name": "note"}),
        ("ml.run.state", {"ml.run.state": "succeeded", "ml.run.pause.count": 1}),
    ]
    assert min(paused_ns) > 0
    for record, resource in exporting.log_records:
        assert (record.trace_id.hex(), record.span_id.hex()) == (run.id, f"{context.span_id:016x}")
        assert (resource["ml.run.id"], resource["ml.run.name"]) == (run.id, "r")


def test_a_failed_run_says_why_it_ended(exporting):
    """The last state has the reason and the type of the exception, as the run's span has."""
    with pytest.raises(ValueError, match="no data"), ox.start_run("r"):
        raise ValueError("no data")

    (_, (name, attributes)) = told_of_run(exporting)
    assert name == "ml.run.state"
    assert attributes == {"ml.run.state": "failed", "ml.run.reason": "no data", "error.type": "ValueError"}


def test_a_backend_knows_a_run_that_is_killed(collector, tmp_path):
    """The start leaves while the run goes on, so a run whose root span never arrives is known."""
    process = subprocess.Popen(
        [sys.executable, "-c", LIVING],
        env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint},
        cwd=tmp_path,
        stdin=subprocess.PIPE,
    )
    try:
        collector.wait_for(lambda: collector.log_records, timeout_s=60.0)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()

    (record, resource), *others = collector.log_records
    assert (record.event_name, resource["ml.run.name"], others) == ("ml.run.start", "r", [])
    assert collector.spans == []


def test_runs_that_are_on_are_counted(exporting):
    """`ml.run.active` is 1 while the run is on and 0 after its end; summed over runs it says how many are on."""
    with ox.start_run("r") as run:
        run.flush()
        during = [value_of(metric) for metric, _ in exporting.metrics if metric.name == "ml.run.active"]

    after = [value_of(metric) for metric, _ in exporting.metrics if metric.name == "ml.run.active"]
    assert (during[-1], after[-1]) == (1, 0)


def value_of(metric):
    """Return the value of a sum that goes up and down."""
    (point,) = metric.sum.data_points
    assert not metric.sum.is_monotonic
    return point.as_int


def test_durations_fall_into_the_buckets_of_the_vocabulary(exporting):
    """A stage of some milliseconds is in a bucket of milliseconds, not in one up to 5 s."""
    with ox.start_run("r") as run, run.stage("load"):
        pass

    sent = {metric.name: metric for metric, _ in exporting.metrics}
    for definition in (metrics.ML_RUN_DURATION, metrics.ML_STAGE_DURATION):
        (point,) = sent[definition.name].histogram.data_points
        assert tuple(point.explicit_bounds) == definition.boundaries
        assert sum(point.bucket_counts) == 1
    assert min(definition.boundaries) == 0.001
    assert max(definition.boundaries) >= 24 * 3600


def test_the_gauge_of_logged_metrics_has_no_unit(exporting):
    """Prometheus would call it a ratio if its unit were 1."""
    with ox.start_run("r") as run:
        run.log({"loss": 0.5})

    assert {metric.unit for metric, _ in exporting.metrics if metric.name == "ml.metric.value"} == {""}


def test_every_signal_names_the_scope_its_version_and_its_schema(exporting):
    """Spans, events, points of metrics and of instruments say which version of what recorded them."""
    with ox.start_run("r") as run:
        run.log({"loss": 0.5})
        run.count(samples=1)

    parts = [
        (part.scope, part.schema_url)
        for signal_name, holders, scopes in (
            ("traces", "resource_spans", "scope_spans"),
            ("metrics", "resource_metrics", "scope_metrics"),
            ("logs", "resource_logs", "scope_logs"),
        )
        for request in exporting.of(signal_name)
        for holder in getattr(request, holders)
        for part in getattr(holder, scopes)
    ]
    from otel_experiments.record.base.scope import version

    assert len(parts) > 3
    assert {(scope.name, scope.version, url) for scope, url in parts} == {
        ("otel_experiments", version(), SCHEMA_URL)
    }


def test_the_vocabulary_marks_the_event_that_is_never_sent():
    """`ml.metric.batch` is for other emitters, and says so."""
    assert {event.name for event in events.ALL if not event.is_sent} == {"ml.metric.batch"}


RANK = """
import otel_experiments as ox

ox.configure(store="experiments.db", system_metrics_s=0.0, capture_git=False, ranks="join")
with ox.start_run("r", experiment="e"):
    pass
ox.shutdown()
"""


def test_every_rank_says_that_it_has_started(collector, tmp_path):
    """Each has its number; the state of the run is rank 0's to say."""
    for rank in ("0", "1"):
        places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "OTEL_EXPERIMENTS_JOB_ID": "job"}
        subprocess.run(
            [sys.executable, "-c", RANK],
            env={**os.environ, **places, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint},
            cwd=tmp_path,
            check=True,
            timeout=120,
        )

    starts = [attributes for name, attributes in told_of_run(collector) if name == "ml.run.start"]
    assert starts == [
        {"ml.run.state": "running", "ml.distributed.rank": 0, "ml.distributed.world_size": 2},
        {"ml.distributed.rank": 1, "ml.distributed.world_size": 2},
    ]
    states = [
        attributes["ml.run.state"] for name, attributes in told_of_run(collector) if name == "ml.run.state"
    ]
    assert states == ["succeeded"]
    assert len({resource["ml.run.id"] for _, resource in collector.log_records}) == 1
