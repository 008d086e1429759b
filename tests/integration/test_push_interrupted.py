"""A push that is interrupted, or whose endpoint restarts, is whole in the end."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import otel_experiments as ox
from otel_experiments.store import open_store

COMMAND = Path(sys.executable).with_name("otel-experiments")
COUNT = 3000
REQUEST = 500
"""Spans of a page of the store, so at most of a request."""


def record(store_path):
    """Record a run of many spans; return their ids."""
    ox.configure(store=store_path, system_metrics_s=0.0, capture_git=False)
    with ox.start_run("r") as run:
        for step in range(COUNT):
            with run.step(step):
                pass
    ox.shutdown()
    return {span.span_id for span in ox.run("r", store=store_path).spans}


def holding_after(endpoint, count):
    """Return what lets the request after `count` ones wait until one of the two ends it."""

    def answer(_, context):
        if len(endpoint.of("traces")) == count:
            is_over = threading.Event()
            context.add_callback(is_over.set)
            is_over.wait(60.0)

    return answer


def test_an_endpoint_that_restarts_in_the_middle_of_a_push_gets_everything(make_collector, store_path):
    """The push waits for it and goes on: every span is there, those of one request at most twice."""
    expected = record(store_path)
    first = make_collector()
    reports = []

    def send():
        reports.append(ox.push("r", to=first.endpoint, store=store_path, signals=["traces"]))

    pushing = threading.Thread(target=send)
    first.answers["traces"] = holding_after(first, 3)
    pushing.start()
    first.wait_for(lambda: len(first.asked) == 4)
    arrived = [span for span, _ in first.spans]
    first.close()
    second = make_collector(port=first.port)
    pushing.join(60.0)

    (report,) = reports
    ids = [span.span_id.hex() for span in [*arrived, *(span for span, _ in second.spans)]]
    assert report.is_complete
    assert set(ids) == expected
    assert len(ids) <= len(expected) + REQUEST
    with open_store(store_path) as store:
        assert store.unsent() == []


def test_ctrl_c_ends_a_push_that_the_same_command_goes_on_with(make_collector, store_path):
    """Exit code 130 and one plain line; the second push has the rest, and of the first little twice."""
    expected = record(store_path)
    endpoint = make_collector()
    endpoint.answers["traces"] = holding_after(endpoint, 3)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    command = [COMMAND, "--store", str(store_path), "push", "r", "--to", endpoint.endpoint]
    with subprocess.Popen(
        command, env=plain, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        endpoint.wait_for(lambda: len(endpoint.asked) == 4)
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=60)
    endpoint.answers.clear()

    assert (process.returncode, said) == (130, "")
    assert errors == "Interrupted. What was sent is noted: the same command goes on from there.\n"
    done = subprocess.run(command, env=plain, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    ids = [span.span_id.hex() for span, _ in endpoint.spans]
    assert set(ids) == expected
    assert len(ids) <= len(expected) + 2 * REQUEST
    with open_store(store_path) as store:
        assert store.unsent() == []


def test_values_of_ten_megabytes_are_pushed_whole(make_collector, store_path):
    """An endpoint that takes large requests gets each value as it was recorded, in a span, an event and a body."""
    ox.configure(store=store_path, system_metrics_s=0.0, capture_git=False)
    text = "x" * 10_000_000
    with ox.start_run("r") as run:
        with run.stage("large") as stage:
            stage.set_attribute("app.text", text)
        run.emit("app.large", {"text": text})
    ox.shutdown()
    endpoint = make_collector(max_request_bytes=64 << 20)

    report = ox.push("r", to=endpoint.endpoint, store=store_path)

    assert (report.is_complete, report.refused) == (True, {})
    (stage,) = [span for span, _ in endpoint.spans if span.name == "stage large"]
    assert endpoint.attributes_of(stage)["app.text"] == text
    (event,) = [one for one, _ in endpoint.log_records if one.event_name == "app.large"]
    assert event.body.kvlist_value.values[0].value.string_value == text
