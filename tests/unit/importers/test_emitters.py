"""What becomes of telemetry of programs that know nothing of us: which run, which step, which points."""

import math

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from otel_experiments.codec.incoming.from_protobuf import decode_spans
from otel_experiments.importers.otlp.emitters import NO_STEP, DerivedPoint, Emitters

UUID = "6f1ed002-ab59-5b8a-a2a2-57a0b9b3d0a1"
MLFLOW_RUN = "0123456789abcdef0123456789abcdef"
SECOND_NS = 1_000_000_000


def any_value(value):
    """A value of Python as OTLP has it."""
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=map(any_value, value)))
    return AnyValue(string_value=value)


def key_values(attributes):
    """Attributes as OTLP has them."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def a_span(name="work", attributes=(), events=(), *, trace=1, number=1):
    """A span that took a second; events are (name, attributes)."""
    return SpanMessage(
        trace_id=trace.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        name=name,
        start_time_unix_nano=SECOND_NS,
        end_time_unix_nano=2 * SECOND_NS,
        attributes=key_values(dict(attributes)),
        events=[
            SpanMessage.Event(name=event, time_unix_nano=SECOND_NS + index, attributes=key_values(dict(held)))
            for index, (event, held) in enumerate(events)
        ],
    )


def received(resource, *spans):
    """The spans of a request, through its bytes."""
    data = TracesData()
    group = data.resource_spans.add()
    group.resource.attributes.extend(key_values(resource))
    group.scope_spans.add().spans.extend(spans)
    return decode_spans(data.SerializeToString())


@pytest.fixture(scope="module")
def emitters():
    """The rules that are built in."""
    return Emitters.of_store(None)


def identity(emitters, resource, attributes=(), hints=None):
    """The run of one span."""
    (span,) = received(resource, a_span(attributes=dict(attributes)))
    return emitters.identify(span.resource.attributes, span.attributes, hints or {})


def test_our_attributes_make_a_run_of_any_language(emitters):
    """A program in any language that sets ml.run.id on its resource is that run, with its name, experiment and rank."""
    found = identity(
        emitters,
        {
            "ml.run.id": MLFLOW_RUN,
            "ml.run.name": "brave-otter",
            "ml.experiment.name": "digits",
            "ml.distributed.rank": 3,
        },
    )

    assert found == (MLFLOW_RUN, "brave-otter", "digits", 3, True)


def test_a_run_id_of_ours_that_is_no_id_becomes_the_name(emitters):
    """A run that calls itself "try 7" has an id made from that text, always the same, and the text as its name."""
    found = identity(emitters, {"ml.run.id": "try 7", "service.name": "trainer"})
    again = identity(emitters, {"ml.run.id": "try 7", "service.name": "trainer"})

    assert len(found.run_id) == 32
    assert int(found.run_id, 16)
    assert (found.run_name, found.experiment, found.is_own) == ("try 7", "trainer", True)
    assert again == found


@pytest.mark.parametrize("run_id", [None, "", " ", True, 1.5])
def test_a_run_without_an_id_is_told_by_its_name(emitters, run_id):
    """Two trainings of one service that name their runs are two runs, also where their ids are empty or no text."""
    resource = {"service.name": "trainer"} | ({} if run_id is None else {"ml.run.id": run_id})
    first = identity(emitters, {**resource, "ml.run.name": "A", "ml.experiment.name": "digits"})
    second = identity(emitters, {**resource, "ml.run.name": "B"})

    assert (first.run_name, first.experiment) == ("A", "digits")
    assert (second.run_name, second.experiment) == ("B", "trainer")
    assert first.run_id != second.run_id
    assert emitters.identify_resource({**resource, "ml.run.name": "B"}) == second


@pytest.mark.parametrize("name", ["", 7])
def test_a_run_whose_id_or_name_is_a_number_has_it_as_text(emitters, name):
    """An id that is a number is one, and a number is a name; without a name the id is it."""
    found = identity(emitters, {"ml.run.id": 12345, "ml.run.name": name})

    assert found == identity(emitters, {"ml.run.id": "12345", "ml.run.name": name})
    assert (found.run_name, found.is_own) == (str(name) or "12345", True)


@pytest.mark.parametrize("spelling", [UUID, UUID.upper(), UUID.replace("-", "")])
def test_a_uuid_is_a_run_id_without_its_dashes(emitters, spelling):
    """A run that is named by a UUID can be found by its digits."""
    assert identity(emitters, {"nv.dl.run.uuid": spelling}).run_id == UUID.replace("-", "")


def test_no_run_has_the_id_of_zeros(emitters):
    """Thirty-two zeros are no trace id, so they are hashed as any other text."""
    assert identity(emitters, {"ml.run.id": "0" * 32}).run_id != "0" * 32


def test_all_ranks_of_a_nemo_run_are_one_run(emitters):
    """NeMo Lens: processes that carry one nemo.run.id are one run, each with its rank, however it is written."""
    resources = [
        {"service.name": "megatron-lm", "nemo.run.id": "12345", "nv.dl.rank": 0},
        {"service.name": "megatron-lm", "nemo.run.id": "12345", "dl.rank": "1"},
        {"service.name": "megatron-lm", "nemo.run.id": "12345", "service.instance.id": "12345-rank2"},
    ]

    found = [identity(emitters, resource) for resource in resources]

    assert len({one.run_id for one in found}) == 1
    assert [one.rank for one in found] == [0, 1, 2]
    assert {(one.run_name, one.experiment, one.is_own) for one in found} == {("12345", "megatron-lm", False)}


def test_an_attempt_of_a_nemo_job_is_a_run_of_its_own(emitters):
    """NeMo Lens: a job that is started again has another nv.dl.run.uuid, and is another run of the same name."""
    other = "11111111-2222-3333-4444-555555555555"

    first = identity(emitters, {"nemo.run.id": "12345", "nv.dl.run.uuid": UUID})
    second = identity(emitters, {"nemo.run.id": "12345", "nv.dl.run.uuid": other})

    assert first.run_id != second.run_id
    assert first.run_name == second.run_name == "12345"


def test_a_launcher_names_the_run_on_each_span(emitters):
    """NVRx: a launcher starts several attempts, so it names the attempt on the span and not on the resource."""
    found = identity(emitters, {"service.name": "nvrx"}, {"nv.dl.run.uuid": UUID})

    assert found.run_id == UUID.replace("-", "")


def test_mlflow_names_the_run_in_a_header(emitters):
    """MLflow: the headers of a request say which run and experiment its spans belong to."""
    hints = {"x-mlflow-run-id": MLFLOW_RUN, "x-mlflow-experiment-id": "7"}

    assert identity(emitters, {"service.name": "agent"}, hints=hints) == (
        MLFLOW_RUN, MLFLOW_RUN, "7", 0, False,
    )  # fmt: skip


def test_mlflow_attributes_are_json_text_and_stay_so(emitters):
    """MLflow: attribute values are JSON text; they are read as such and kept as they came."""
    attributes = {"mlflow.sourceRun": f'"{MLFLOW_RUN}"', "mlflow.experimentId": '"7"'}
    (span,) = received({}, a_span(attributes=attributes))

    found = emitters.identify(span.resource.attributes, span.attributes, {})

    assert found == (MLFLOW_RUN, MLFLOW_RUN, "7", 0, False)
    assert dict(span.attributes) == attributes


def test_text_that_only_looks_like_json_is_taken_as_it_is(emitters):
    """MLflow: a run id that begins with a quotation mark and is no JSON is a text like any other."""
    assert identity(emitters, {"mlflow.sourceRun": '"half'}).run_name == '"half'


def test_mlflow_traces_without_a_run_are_a_run_of_their_process(emitters):
    """MLflow: traces of an experiment without a run are gathered in one run for each process, in that experiment."""
    resource = {"service.name": "agent", "service.instance.id": UUID}
    hints = {"x-mlflow-experiment-id": "7"}

    found = identity(emitters, resource, hints=hints)
    other = identity(emitters, {**resource, "service.instance.id": "other"}, hints=hints)

    assert (found.run_name, found.experiment) == ("agent 6f1ed002", "7")
    assert other.run_id != found.run_id


def test_a_langfuse_experiment_is_a_run(emitters):
    """Langfuse: all items of an experiment are one run of its name; its dataset is what is studied."""
    attributes = {
        "langfuse.experiment.id": "exp-17",
        "langfuse.experiment.name": "gpt-5 with tools",
        "langfuse.experiment.dataset.id": "questions",
        "langfuse.experiment.item.id": "item-3",
    }

    found = identity(emitters, {"service.name": "evaluation"}, attributes)
    next_item = identity(emitters, {}, {**attributes, "langfuse.experiment.item.id": "item-4"})

    assert (found.run_name, found.experiment) == ("gpt-5 with tools", "questions")
    assert next_item.run_id == found.run_id


def test_an_openinference_project_is_an_experiment(emitters):
    """OpenInference: a project is an experiment, and what one process sends to it is a run."""
    project = {"openinference.project.name": "support-bot"}

    first = identity(emitters, {**project, "service.name": "bot", "service.instance.id": "pod-1"})
    second = identity(emitters, {**project, "service.name": "bot", "service.instance.id": "pod-2"})

    assert first.experiment == second.experiment == "support-bot"
    assert (first.run_name, second.run_name) == ("bot pod-1", "bot pod-2")
    assert first.run_id != second.run_id


def test_telemetry_that_names_no_run_has_none(emitters):
    """Spans of a web server, and of vLLM, say no run: they can be attached to one later."""
    spans = received(
        {"service.name": "vllm"},
        a_span("llm_request", {"gen_ai.request.model": "llama", "gen_ai.usage.output_tokens": 12}),
    )

    assert emitters.identify(spans[0].resource.attributes, spans[0].attributes, {}) is None
    assert emitters.points_of_span(spans[0]) == []


def test_a_resource_without_a_service_is_told_by_all_it_says(emitters):
    """Gauges of a program that names no service belong to the run of exactly its resource attributes."""
    first = emitters.identify_resource({"host.name": "a"})
    second = emitters.identify_resource({"host.name": "b"})

    assert first.run_id != second.run_id
    assert (first.run_name, first.experiment) == ("unnamed", "unnamed")
    assert emitters.identify_resource({"host.name": "a"}) == first


def test_a_service_is_told_by_namespace_name_and_instance(emitters):
    """What else a resource says, such as a version, makes no other run of it."""
    resource = {"service.namespace": "lab", "service.name": "trainer", "service.instance.id": "box:17"}

    first = emitters.identify_resource(resource)
    second = emitters.identify_resource({**resource, "service.version": "2"})

    assert first == second
    assert (first.run_name, first.experiment) == ("lab/trainer box:17", "lab/trainer")


@pytest.mark.parametrize("key", ["step", "iteration", "global_step", "dl.iteration", "epoch"])
@pytest.mark.parametrize("value", [12, 12.0, "12"])
def test_an_attribute_that_is_a_step_tells_no_series_apart(emitters, key, value):
    """A gauge with a step attribute has that step, and is one series whatever its steps are."""
    assert emitters.step_of({key: value, "gpu": 1}) == (12.0, frozenset({key}))


def test_of_several_step_attributes_one_is_the_step_and_all_leave_the_series(emitters):
    """A gauge with step and epoch is a series by step: each epoch would be a series otherwise."""
    assert emitters.step_of({"epoch": 2, "step": 150}) == (150.0, frozenset({"step", "epoch"}))


@pytest.mark.parametrize("value", ["warm", "", "nan", math.inf, True, [1], 10**400])
def test_what_is_no_number_is_no_step(emitters, value):
    """An attribute that is called step and is no finite number stays an attribute like any other."""
    assert emitters.step_of({"step": value}) is None
    assert emitters.step_of({"gpu": 1}) is None


def test_training_reports_of_the_newest_megatron_are_points(emitters):
    """Megatron-LM, newest: span events that carry numbers are the run's curves, each at its training step."""
    (span,) = received(
        {"nv.dl.run.uuid": UUID},
        a_span(
            "nv.mlm.train.log",
            events=[
                (
                    "nv.dl.training.objective",
                    {
                        "nv.dl.training.step": 40,
                        "nv.dl.training.objective.name": "lm loss",
                        "nv.dl.training.objective.value": 2.5,
                        "nv.dl.measurement.domain": "dp_mean",
                    },
                ),
                (
                    "nv.dl.training.numerics",
                    {
                        "nv.dl.training.step": 40,
                        "nv.dl.training.learning_rate": 3e-4,
                        "nv.dl.training.consumed_samples": 1280,
                    },
                ),
                ("exception", {"exception.type": "ValueError"}),
            ],
        ),
    )

    assert emitters.points_of_span(span) == [
        DerivedPoint("lm loss", 40.0, SECOND_NS, 2.5),
        DerivedPoint("nv.dl.training.learning_rate", 40.0, SECOND_NS + 1, 3e-4),
        DerivedPoint("nv.dl.training.consumed_samples", 40.0, SECOND_NS + 1, 1280.0),
    ]


def test_a_report_without_a_step_takes_that_of_its_span(emitters):
    """A span event that names no step was taken at the iteration of the span around it."""
    report = ("nv.dl.training.numerics", {"nv.dl.training.loss_scale": 1024})
    inside, alone = received(
        {},
        a_span("train", {"dl.iteration": 9}, [report], number=1),
        a_span("train", {}, [report], number=2),
    )

    assert [point.step for point in emitters.points_of_span(inside)] == [9.0]
    assert [point.step for point in emitters.points_of_span(alone)] == [pytest.approx(NO_STEP, nan_ok=True)]


def test_numbers_of_a_training_step_span_are_points(emitters):
    """Megatron-LM, older, and NeMo Lens: the loss that a step's span carries is a point at its iteration, at its end."""
    (span,) = received(
        {"nemo.run.id": "12345"},
        a_span(
            "megatron.train_step", {"megatron.iteration": 5, "megatron.loss": 2.25, "megatron.skipped": False}
        ),
    )

    assert emitters.points_of_span(span) == [DerivedPoint("megatron.loss", 5.0, 2 * SECOND_NS, 2.25)]


def test_a_loss_that_is_not_a_number_is_a_point_too(emitters):
    """A loss that became NaN or infinite is what a curve has to show."""
    (span,) = received({}, a_span("step", {"dl.iteration": 1, "dl.loss": math.nan, "dl.grad_norm": math.inf}))

    values = {point.name: point.value for point in emitters.points_of_span(span)}

    assert math.isnan(values["dl.loss"])
    assert values["dl.grad_norm"] == math.inf


def test_an_objective_without_a_name_or_a_number_is_no_point(emitters):
    """A report that is not whole makes no point, and nothing else of the span is lost."""
    key = "nv.dl.training.objective"
    (span,) = received(
        {},
        a_span(
            events=[
                (key, {f"{key}.value": 1.0}),
                (key, {f"{key}.name": "loss", f"{key}.value": "high"}),
                (key, {f"{key}.name": "loss", f"{key}.value": 3}),
            ]
        ),
    )

    assert [(point.name, point.value) for point in emitters.points_of_span(span)] == [("loss", 3.0)]
