"""Child runs that left by OTLP and come back from files go into the golden of the run they are part of."""

import json

import pytest
from google.protobuf.json_format import MessageToDict

import otel_experiments as ox
from otel_experiments.capture import capture_file, capture_store
from otel_experiments.errors import IncompleteTraceError


def write(path, requests):
    """Write OTLP requests as JSON Lines."""
    path.write_text("".join(json.dumps(MessageToDict(one)) + "\n" for one in requests if one.ByteSize()))
    return path


def sweep():
    """Record a run with two child runs of one name, each with a metric."""
    with ox.start_run("sweep") as run:
        run.log({"best": 0.25}, step=0)
        for value in (0.5, 0.25):
            with ox.start_run("trial") as trial, trial.stage("fit"):
                trial.log({"loss": value}, step=3)
    ox.shutdown()


def test_metrics_of_child_runs_are_kept(exporting, tmp_path, store_path):
    """Files of OTLP give one run with the spans and the metrics of its child runs, the same as the store does."""
    sweep()
    traces = write(tmp_path / "traces.json", exporting.of("traces"))
    metrics = write(tmp_path / "metrics.json", exporting.of("metrics"))

    (run,) = capture_file(traces, metrics)

    stored = capture_store(store_path)
    found = sorted((one.name, list(one.indices), list(one.values)) for one in run.metrics)
    assert found == [("best", [0.0], [0.25]), ("trial#2:loss", [3.0], [0.25]), ("trial:loss", [3.0], [0.5])]
    assert found == sorted((one.name, list(one.indices), list(one.values)) for one in stored.metrics)
    assert {span.span_id for span in run.spans} == {span.span_id for span in stored.spans}
    assert run.name == "sweep"


def test_metrics_of_a_run_without_spans_are_refused(exporting, tmp_path):
    """Files with the metrics of a run and none of its spans are incomplete, and the error names the run."""
    sweep()
    root = next(
        attributes["ml.run.id"] for _, attributes in exporting.spans if attributes["ml.run.name"] == "sweep"
    )
    requests = exporting.of("traces")
    for request in requests:
        for part in list(request.resource_spans):
            if not any(
                one.value.string_value == root for one in part.resource.attributes if one.key == "ml.run.id"
            ):
                request.resource_spans.remove(part)
    traces = write(tmp_path / "traces.json", requests)
    metrics = write(tmp_path / "metrics.json", exporting.of("metrics"))

    with pytest.raises(
        IncompleteTraceError, match=r"2 metric series belong to the run .* and 1 more, .*no span"
    ):
        capture_file(traces, metrics)


def lines(*runs):
    """Return OTLP JSON Lines with one span of each run: (id, attributes of its resource, trace or None for its own)."""
    for number, (run_id, attributes) in enumerate(runs, 1):
        resource = [{"key": key, "value": value} for key, value in attributes.items()]
        span = {
            "traceId": run_id,
            "spanId": f"{number:016x}",
            "name": "ml.run",
            "kind": 1,
            "startTimeUnixNano": f"{number}000",
            "endTimeUnixNano": f"{number}500",
        }
        scope = {"scope": {"name": "t"}, "spans": [span]}
        yield json.dumps({"resourceSpans": [{"resource": {"attributes": resource}, "scopeSpans": [scope]}]})


def text(value):
    """Return a text as OTLP's JSON has it."""
    return {"stringValue": value}


A, B, C = "a" * 32, "b" * 32, "c" * 32


def captured(tmp_path, *runs):
    """Return the names and numbers of spans of the runs that a file of `lines` gives."""
    path = tmp_path / "runs.json"
    path.write_text("\n".join(lines(*runs)))
    return [(one.name, len(list(one.spans))) for one in capture_file(path)]


def test_runs_below_child_runs_are_part_of_the_outermost(tmp_path):
    """A run two levels below goes into the run at the top, in whatever order the file has them."""
    run = {
        "root": (A, {"ml.run.id": text(A), "ml.run.name": text("root")}),
        "child": (B, {"ml.run.id": text(B), "ml.run.parent.id": text(A)}),
        "grandchild": (C, {"ml.run.id": text(C), "ml.run.parent.id": text(B)}),
    }

    assert captured(tmp_path, run["grandchild"], run["child"], run["root"]) == [("root", 3)]


def test_runs_that_are_each_others_parents_end_the_search(tmp_path):
    """A file in which runs name each other, or themselves, as their parent is read all the same."""
    assert sum(count for _, count in captured(
        tmp_path,
        (A, {"ml.run.id": text(A), "ml.run.parent.id": text(B)}),
        (B, {"ml.run.id": text(B), "ml.run.parent.id": text(A)}),
        (C, {"ml.run.id": text(C), "ml.run.parent.id": text(C)}),
    )) == 3  # fmt: skip


def test_names_and_parents_that_are_no_texts_are_none(tmp_path):
    """A resource whose run name or parent is a number or a list makes a run without them."""
    parents = {"arrayValue": {"values": [text(A)]}}

    found = captured(
        tmp_path, (A, {"ml.run.id": text(A), "ml.run.name": {"intValue": "7"}, "ml.run.parent.id": parents})
    )

    assert found == [("runs.json", 1)]


def test_spans_of_other_resources_in_the_trace_do_not_rename_the_run(tmp_path):
    """A span of another library that starts first and names no run leaves the run its name and its id."""
    found = captured(
        tmp_path, (A, {"service.name": text("lib")}), (A, {"ml.run.id": text(A), "ml.run.name": text("x")})
    )

    assert found == [("x", 2)]


def test_metrics_of_no_run_refuse_nothing(exporting, tmp_path):
    """Data points whose resource names no run belong to none, and the runs are captured without them."""
    with ox.start_run("alone") as run:
        run.log({"loss": 0.5}, step=1)
    ox.shutdown()
    requests = exporting.of("metrics")
    for request in requests:
        for part in request.resource_metrics:
            kept = [one for one in part.resource.attributes if one.key != "ml.run.id"]
            del part.resource.attributes[:]
            part.resource.attributes.extend(kept)
    traces = write(tmp_path / "traces.json", exporting.of("traces"))

    (found,) = capture_file(traces, write(tmp_path / "metrics.json", requests))

    assert found.name == "alone"
