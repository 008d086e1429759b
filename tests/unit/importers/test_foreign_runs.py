"""From the bytes that other programs send to runs in a store: names, ranks, curves on their axis, attributes as they came."""

import math

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData, NumberDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

import otel_experiments as ox
from otel_experiments.importers.otlp import requests, unpack
from otel_experiments.importers.otlp.emitters import mapping_path
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.received import ReceivedRequest
from otel_experiments.store import open_store

SECOND_NS = 1_000_000_000
NOW_NS = 1_790_000_000 * SECOND_NS
UUID = "6f1ed002-ab59-5b8a-a2a2-57a0b9b3d0a1"
MLFLOW_RUN = "0123456789abcdef0123456789abcdef"


def key_values(attributes):
    """Attributes as OTLP has them."""
    kinds = {bool: "bool_value", int: "int_value", float: "double_value", str: "string_value"}
    return [KeyValue(key=key, value=AnyValue(**{kinds[type(one)]: one})) for key, one in attributes.items()]


def spans_of(resource, *spans):
    """A request with spans: (name, attributes, events), a second after each other."""
    data = TracesData()
    group = data.resource_spans.add()
    group.resource.attributes.extend(key_values(resource))
    for number, (name, attributes, *events) in enumerate(spans):
        start_ns = NOW_NS + number * SECOND_NS
        group.scope_spans.add().spans.append(
            SpanMessage(
                trace_id=bytes([1]) * 16,
                span_id=(number + 1).to_bytes(8, "big"),
                name=name,
                start_time_unix_nano=start_ns,
                end_time_unix_nano=start_ns + SECOND_NS,
                attributes=key_values(attributes),
                events=[
                    SpanMessage.Event(name=event, time_unix_nano=start_ns, attributes=key_values(held))
                    for event, held in events
                ],
            )
        )
    return "traces", data.SerializeToString()


def gauges_of(resource, *points):
    """A request with points of gauges: (name, value, attributes), a second after each other."""
    data = MetricsData()
    group = data.resource_metrics.add()
    group.resource.attributes.extend(key_values(resource))
    scope = group.scope_metrics.add()
    for number, (name, value, attributes) in enumerate(points):
        metric = scope.metrics.add(name=name)
        metric.gauge.data_points.append(
            NumberDataPoint(
                time_unix_nano=NOW_NS + number * SECOND_NS, as_double=value, attributes=key_values(attributes)
            )
        )
    return "metrics", data.SerializeToString()


@pytest.fixture
def receive(tmp_path):
    """Return a function that stores requests as whoever merges a receiver's journal does, and gives the store's path."""
    path = tmp_path / "runs.db"

    def store_all(*requests, hints=None):
        for signal, payload in requests:
            batch = WriteBatch(received=[ReceivedRequest(signal, "protobuf", payload, NOW_NS, hints or {})])
            assert unpack(batch, store=path) == []
            with open_store(path) as store:
                store.apply(batch)
        return path

    return store_all


def curves(path, run):
    """The series of a run: (step, value) by name and rank."""
    with open_store(path) as store:
        (run_id,) = store.resolve_run_ids(run)
        return {
            (one.key.name, one.key.rank): list(
                zip(*(column for column in [points.steps, points.values]), strict=True)
            )
            for one in store.series([run_id])[run_id]
            for points in [store.points(run_id, one.key)]
        }


def test_ranks_of_megatron_are_one_run_with_a_curve_for_each(receive):
    """Megatron-LM, older: gauges of two ranks are one run; without steps they are numbered by time, and that is said."""
    path = receive(
        *(
            gauges_of(
                {"service.name": "megatron-lm", "nemo.run.id": "12345", "dl.rank": rank},
                ("megatron.training.loss", 2.5 - rank, {}),
                ("megatron.training.loss", 2.25 - rank, {}),
            )
            for rank in (0, 1)
        )
    )
    (run,) = ox.runs(store=path)
    series = run.metrics["megatron.training.loss"]

    assert (run.name, run.experiment, series.ranks) == ("12345", "megatron-lm", [0, 1])
    assert (list(series.steps), list(series.values), series.has_derived_steps) == ([0, 1], [2.5, 2.25], True)
    assert list(series.points(rank=1).values) == [1.5, 1.25]


def test_the_newest_megatron_has_curves(receive):
    """Megatron-LM, newest: span events that carry numbers are curves at their training steps, and stay span events."""
    key = "nv.dl.training.objective"
    path = receive(
        spans_of(
            {"service.name": "megatron-lm", "nv.dl.run.uuid": UUID, "nv.dl.rank": 7},
            *(
                (
                    "nv.mlm.train.log",
                    {},
                    (key, {"nv.dl.training.step": step, f"{key}.name": "lm loss", f"{key}.value": 1 / step}),
                    (
                        "nv.dl.training.numerics",
                        {"nv.dl.training.step": step, "nv.dl.training.loss_scale": 1024},
                    ),
                )
                for step in (10, 20)
            ),
        )
    )
    (run,) = ox.runs(store=path)

    assert run.id == UUID.replace("-", "")
    assert curves(path, run.id) == {
        ("lm loss", 7): [(10.0, 0.1), (20.0, 0.05)],
        ("nv.dl.training.loss_scale", 7): [(10.0, 1024.0), (20.0, 1024.0)],
    }
    assert [event.attributes[f"{key}.name"] for span in run.spans for event in span.events[:1]] == [
        "lm loss"
    ] * 2


def test_a_training_step_of_nemo_lens_carries_its_loss(receive):
    """NeMo Lens: spans with dl.iteration and dl.loss are a curve by iteration."""
    path = receive(
        spans_of(
            {"service.name": "lens", "nemo.run.id": "7"},
            *(("megatron.train_step", {"dl.iteration": step, "dl.loss": 4.0 / step}) for step in (1, 2)),
        )
    )

    assert curves(path, "7") == {("dl.loss", 0): [(1.0, 4.0), (2.0, 2.0)]}


def test_nemo_rl_has_a_series_for_each_bucket(receive):
    """NeMo-RL: gauges that differ in an attribute such as rl.bucket are series of their own."""
    path = receive(
        gauges_of(
            {"service.name": "nemo-rl", "nemo.run.id": "rl-1"},
            ("rl.reward.mean", 0.5, {}),
            ("rl.efficiency.seconds", 3.0, {"rl.bucket": "idle"}),
            ("rl.efficiency.seconds", 9.0, {"rl.bucket": "productive"}),
        )
    )

    assert {name for name, _ in curves(path, "rl-1")} == {
        "rl.reward.mean", "rl.efficiency.seconds{rl.bucket=idle}", "rl.efficiency.seconds{rl.bucket=productive}",
    }  # fmt: skip


def test_a_trace_of_mlflow_is_in_its_run(receive):
    """MLflow: the headers name run and experiment, and JSON text in attributes stays JSON text."""
    path = receive(
        spans_of({}, ("predict", {"mlflow.spanInputs": '{"x": 1}'})),
        hints={"x-mlflow-run-id": MLFLOW_RUN, "x-mlflow-experiment-id": "7"},
    )
    run = ox.run(MLFLOW_RUN, store=path)

    assert run.experiment == "7"
    assert [dict(span.attributes) for span in run.spans] == [{"mlflow.spanInputs": '{"x": 1}'}]


def test_items_of_a_langfuse_experiment_are_one_run(receive):
    """Langfuse: requests for two items of an experiment are one run of the experiment's name."""
    path = receive(
        *(
            spans_of(
                {"service.name": "evaluation"},
                (
                    "item",
                    {
                        "langfuse.experiment.id": "exp-1",
                        "langfuse.experiment.name": "with tools",
                        "langfuse.experiment.item.id": item,
                    },
                ),
            )
            for item in ("a", "b")
        )
    )
    (run,) = ox.runs(store=path)

    assert (run.name, run.experiment) == ("with tools", "evaluation")


def test_traces_of_an_openinference_project_are_a_run(receive):
    """OpenInference: what a process sends to a project is a run in the experiment of that name."""
    path = receive(
        spans_of(
            {
                "openinference.project.name": "support-bot",
                "service.name": "bot",
                "service.instance.id": "pod-1",
            },
            ("llm", {"openinference.span.kind": "LLM"}),
        )
    )
    (run,) = ox.runs(store=path)

    assert (run.name, run.experiment, len(run.spans)) == ("bot pod-1", "support-bot", 1)


@pytest.mark.parametrize("key", ["step", "iteration", "global_step"])
def test_a_plain_gauge_with_a_step_is_a_run(receive, key):
    """Any program with a gauge that has a step attribute is a run of its service, one series by step; NaN is kept."""
    resource = {"service.name": "trainer", "service.instance.id": "box:1"}
    path = receive(
        gauges_of(
            resource,
            *(("loss", value, {key: step}) for step, value in enumerate([2.0, math.nan, 0.5])),
            ("depth", 1.0, {}),
        )
    )
    (run,) = ox.runs(store=path)

    assert (run.name, run.experiment) == ("trainer box:1", "trainer")
    assert str(curves(path, run.id)) == "{('loss', 0): [(0.0, 2.0), (1.0, nan), (2.0, 0.5)]}"
    with open_store(path) as store:
        assert [dict(one.attributes) for one in store.instrument_points(name="loss")] == [
            {key: 0}, {key: 1}, {key: 2},
        ]  # fmt: skip


@pytest.mark.parametrize("value", [math.nan, math.inf, True, "prepare"])
def test_a_step_that_is_no_finite_number_is_said_once(receive, caplog, monkeypatch, value):
    """A gauge whose step is no number is kept as one without a step, its attribute with it, and the log says so once."""
    monkeypatch.setattr(requests, "_told_steps", set())
    gauges = gauges_of(
        {"nemo.run.id": "7"}, ("loss", 2.0, {"step": value, "epoch": 3}), ("lr", 1.0, {"step": value})
    )
    path = receive(gauges, gauges)

    assert [record.getMessage() for record in caplog.records] == [
        f"The attribute step of a data point over OTLP is {value!r}. A step is a finite number, so this is none."
    ]
    found = curves(path, "7")
    assert sorted(name.partition("{")[0] for name, _ in found) == ["loss", "lr"]
    assert next(points for (name, _), points in found.items() if name.startswith("loss")) == [(3.0, 2.0)]


def test_a_step_may_be_a_number_as_text(receive):
    """Programs that send attributes as texts have steps, too."""
    path = receive(gauges_of({"nemo.run.id": "7"}, ("loss", 2.0, {"step": "7"})))

    assert curves(path, "7") == {("loss", 0): [(7.0, 2.0)]}


def test_a_request_that_comes_twice_doubles_nothing(receive):
    """The same gauges, with and without steps, and the same span events twice, are there once."""
    gauges = gauges_of({"nemo.run.id": "7"}, ("loss", 2.0, {}), ("loss", 1.0, {}), ("lr", 0.1, {"step": 3}))
    spans = spans_of({"nemo.run.id": "7"}, ("step", {"dl.iteration": 1, "dl.loss": 4.0}))
    path = receive(gauges, spans, spans, gauges)

    assert {name: len(points) for (name, _), points in curves(path, "7").items()} == {
        "loss": 2, "lr": 1, "dl.loss": 1,
    }  # fmt: skip


def test_a_mapping_beside_the_store_makes_runs_of_a_program_of_ones_own(receive, tmp_path):
    """With a mapping a program's own names for run and step are understood by whoever stores for the store."""
    mapping_path(tmp_path / "runs.db").write_text(
        '[[emitter]]\nname = "acme"\nrun_id = ["resource:acme.job"]\n[step]\nattributes = ["acme.tick"]\n'
    )
    path = receive(gauges_of({"acme.job": "night"}, ("loss", 2.0, {"acme.tick": 9})))

    assert curves(path, "night") == {("loss", 0): [(9.0, 2.0)]}


def test_telemetry_that_names_no_run_is_kept_and_can_be_attached(receive):
    """Spans of a server that knows no run are kept without one, and are a run's once they are attached."""
    path = receive(
        spans_of({"service.name": "vllm"}, ("llm_request", {})),
        gauges_of({"service.name": "trainer"}, ("loss", 2.0, {"step": 1})),
    )
    (run,) = ox.runs(store=path)
    assert [one.service for one in ox.open_reader(path).unattached()] == ["vllm"]

    assert ox.attach(run.id, service="vllm", store=path).span_count == 1
    assert [span.name for span in ox.run(run.id, store=path).spans] == ["llm_request"]
