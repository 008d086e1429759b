"""Runs that another program recorded, and came in a file of OTLP, are compared like any other."""

import json

import pytest

import otel_experiments as ox
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.metrics import ML_METRIC_VALUE
from otel_experiments.semconv.spans import ML_RUN

SECOND = 10**9
START = 1_700_000_000 * SECOND
ONE, TWO = "1" * 32, "2" * 32


def attributes(values):
    """Attributes as OTLP's JSON has them."""
    kinds = {str: "stringValue", float: "doubleValue", int: "intValue"}
    return [{"key": key, "value": {kinds[type(value)]: value}} for key, value in values.items()]


def lines_of(run_id, name, *, lr, stages, loss):
    """Lines of OTLP JSON as a program in another language writes them: its spans, then its gauge."""
    resource = {
        "attributes": attributes(
            {"service.name": "trainer", attr.ML_RUN_ID: run_id, attr.ML_RUN_NAME: name, attr.ML_EXPERIMENT_NAME: "foreign"}
        )
    }  # fmt: skip
    params = {f"{attr.ML_HYPERPARAMETER}.lr": lr}

    def span(number, name, start_s, end_s, parent=None, **more):
        return {
            "traceId": run_id, "kind": 1, "spanId": f"{number:016x}", "name": name, "startTimeUnixNano": str(START + start_s * SECOND),
            "endTimeUnixNano": str(START + end_s * SECOND), **({"parentSpanId": f"{parent:016x}"} if parent else {}), **more,
        }  # fmt: skip

    spans = [
        span(
            1,
            "run foreign",
            0,
            100,
            attributes=attributes(params | {ML_RUN.match_key: ML_RUN.match_values[0]}),
        )
    ]
    spans += [
        span(number, stage, 10 * number, 10 * number + 5, parent=1) for number, stage in enumerate(stages, 2)
    ]
    points = [
        {"timeUnixNano": str(START + step * SECOND), "asDouble": value, "attributes": attributes({attr.ML_METRIC_NAME: "loss"})}
        for step, value in enumerate(loss)
    ]  # fmt: skip
    metric = {"name": ML_METRIC_VALUE.name, "gauge": {"dataPoints": points}}
    return [
        json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}),
        json.dumps({"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [metric]}]}]}),
    ]


@pytest.fixture
def store(tmp_path):
    """A store into which a file with two foreign runs was imported."""
    file = tmp_path / "foreign.jsonl"
    flat, steep = [1.0 / (1 + step) for step in range(40)], [3.0 / (1 + step) for step in range(40)]
    lines = lines_of(ONE, "one", lr=0.1, stages=["load", "fit"], loss=flat)
    lines += lines_of(TWO, "two", lr=0.4, stages=["load", "fit", "fit", "check"], loss=steep)
    file.write_text("\n".join(lines) + "\n")
    ox.import_otlp(file, store=tmp_path / "experiments.db")
    return tmp_path / "experiments.db"


def test_two_foreign_runs_say_why_they_differ(store):
    """The param is the one cause; the metric and the paths of spans are what came of it; nothing is invented of machine and packages."""
    found = ox.diff("one", "two", store=store)

    causes = [(one.section, one.key, one.a, one.b) for one in found.causes]
    assert causes == [("params", "lr", 0.1, 0.4)]
    (loss,) = [one for one in found.symptoms if one.section == "metrics"]
    assert (loss.key, loss.a, loss.b) == ("loss", pytest.approx(1 / 40), pytest.approx(3 / 40))
    paths = {one.key for one in found.symptoms if one.section == "spans"}
    assert any("check" in path for path in paths)
    assert any("fit" in path for path in paths)
    assert {one.section for one in found.differences} <= {"params", "metrics", "spans", "times", "labels"}


def test_a_foreign_run_is_compared_with_one_that_was_recorded_here(store):
    """What only one of the two can know, its packages and machine, is no difference."""
    ox.configure(store=store, capture_environment=True, capture_output="off")
    with ox.start_run("here", experiment="foreign", config={"lr": 0.1}) as run:
        for step in range(40):
            run.log({"loss": 1.0 / (1 + step)}, step=step)
    ox.shutdown()

    found = ox.diff("one", "here", store=store)

    assert [one for one in found.causes if one.section in {"packages", "params"}] == []
    assert [one for one in found.symptoms if one.section == "metrics"] == []
