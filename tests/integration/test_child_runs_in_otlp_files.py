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
