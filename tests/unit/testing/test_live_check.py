"""The live check finds what strays from the vocabulary, and nothing else."""

import math
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord as ApiLogRecord
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource as SdkResource
from opentelemetry.sdk.trace import TracerProvider

from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.span import Event, Link, Resource, Scope, Span, SpanKind, StatusCode
from otel_experiments.semconv import SCHEMA_URL, metrics, spans
from otel_experiments.store import open_store
from otel_experiments.testing.advice import Level
from otel_experiments.testing.live_check import (
    LiveCheck,
    LiveCheckLogProcessor,
    LiveCheckMetricExporter,
    LiveCheckSpanProcessor,
    check_instrument_point,
    check_log_record,
    check_resource,
    check_span,
)

RUN_RESOURCE = Resource(
    {"service.name": "vision", "ml.experiment.name": "mnist", "ml.run.id": "0af7651916cd43dd8448eb211c80319c"}
)
STAGE = Span(
    trace_id="0af7651916cd43dd8448eb211c80319c",
    span_id="b7ad6b7169203331",
    name="stage fit",
    start_ns=1,
    end_ns=2,
    attributes={
        "ml.operation.name": "stage",
        "ml.stage.name": "fit",
        "ml.span.lane": "main",
        "ml.span.sequence": 3,
        "ml.span.cpu_time": 1,
    },
    resource=RUN_RESOURCE,
)
FOREIGN = replace(STAGE, name="GET /items", kind=SpanKind.CLIENT, attributes={"http.request.method": "GET"})
POINT = InstrumentPoint(
    name="ml.metric.value",
    kind="gauge",
    time_ns=1,
    value=0.5,
    attributes={"ml.metric.name": "loss"},
    exemplars=({"time_ns": 1, "value": 0.5, "attributes": {"ml.metric.step": 3.0}},),
)
CHECKPOINT_SAVED = LogRecord(
    time_ns=1,
    observed_time_ns=1,
    event_name="ml.checkpoint.saved",
    attributes={"ml.checkpoint.name": "best", "ml.checkpoint.size": 10},
)


def with_attributes(span: Span, **changes: object) -> Span:
    """The span with some attributes set (underscores twice for dots) or, where None, taken away."""
    attributes = dict(span.attributes) | {name.replace("__", "."): value for name, value in changes.items()}
    return replace(span, attributes={name: value for name, value in attributes.items() if value is not None})


def told(advice: list) -> list[tuple[str, str, str]]:
    """Level, code and attribute of each advice."""
    return [(str(one.level), one.code, one.attribute) for one in advice]


def with_layers(count: int) -> Span:
    """Return a run span with a parameter of so many entries."""
    attributes = {"ml.operation.name": "run", "ml.hyperparameter.layers": [1] * count}
    return replace(STAGE, name="run mnist", attributes=attributes)


@pytest.mark.parametrize(
    "span",
    [
        pytest.param(STAGE, id="stage"),
        pytest.param(
            replace(STAGE, name="run mnist", attributes={"ml.operation.name": "run", "ml.hyperparameter.lr": 0.1, "ml.hyperparameter.layers": [1, 2], "ml.run.tag.owner": "ada"}),
            id="run-with-parameters-and-tags",
        ),
        pytest.param(with_layers(1000), id="array-of-the-greatest-length"),
        pytest.param(replace(STAGE, name="epoch", attributes={"ml.operation.name": "epoch", "ml.epoch.index": 0, "ml.phase": "train"}), id="epoch"),
        pytest.param(replace(STAGE, name="save_checkpoint", attributes={"ml.operation.name": "save_checkpoint", "ml.checkpoint.name": "best"}), id="checkpoint"),
        pytest.param(replace(STAGE, name="my own name", attributes={"ml.operation.name": "trace", "code.function.name": "f"}), id="function-with-a-name-of-its-own"),
        pytest.param(replace(STAGE, name="evaluate", attributes={"ml.operation.name": "evaluate"}), id="evaluation-without-a-name"),
        pytest.param(replace(STAGE, name="execute_tool search", attributes={"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}), id="tool"),
        pytest.param(with_attributes(STAGE, my__team="vision"), id="with-an-attribute-of-the-user"),
        pytest.param(with_attributes(FOREIGN, ml__run__id="0af7651916cd43dd8448eb211c80319c", ml__span__lane="main"), id="foreign-span-adopted-by-a-run"),
        pytest.param(replace(STAGE, end_ns=None), id="open"),
        pytest.param(replace(STAGE, status=StatusCode.ERROR, attributes={**STAGE.attributes, "error.type": "ValueError"}), id="failed"),
        pytest.param(replace(STAGE, events=(Event("exception", 1, {"exception.type": "ValueError"}),)), id="with-an-exception"),
        pytest.param(replace(STAGE, links=(Link("0" * 31 + "1", "0" * 15 + "1", {"ml.trace.chunk.index": 2}),)), id="linked-chunk"),
    ],
)  # fmt: skip
def test_good_spans_get_no_advice(span: Span) -> None:
    """Spans that keep to their definition, and spans of others, are left in peace."""
    assert check_span(span) == []


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        pytest.param(with_attributes(STAGE, ml__stage__nam="fit"), ("violation", "undefined_attribute", "ml.stage.nam"), id="unknown-name-of-ours"),
        pytest.param(with_attributes(FOREIGN, ml__nothing="x"), ("violation", "undefined_attribute", "ml.nothing"), id="unknown-name-of-ours-on-a-foreign-span"),
        pytest.param(with_attributes(STAGE, ml__hyperparameter=1), ("violation", "undefined_attribute", "ml.hyperparameter"), id="template-without-key"),
        pytest.param(with_attributes(STAGE, ml__span__sequence="3"), ("violation", "type_mismatch", "ml.span.sequence"), id="string-for-int"),
        pytest.param(with_attributes(STAGE, ml__span__sequence=True), ("violation", "type_mismatch", "ml.span.sequence"), id="boolean-for-int"),
        pytest.param(with_attributes(STAGE, ml__span__sequence=3.0), ("violation", "type_mismatch", "ml.span.sequence"), id="double-for-int"),
        pytest.param(with_attributes(STAGE, error__type=5), ("violation", "type_mismatch", "error.type"), id="reused-name-on-our-span"),
        pytest.param(with_attributes(FOREIGN, error__type=5), ("information", "type_mismatch", "error.type"), id="reused-name-on-a-foreign-span"),
        pytest.param(with_attributes(STAGE, ml__stage__name=None), ("violation", "missing_attribute", "ml.stage.name"), id="required-attribute-missing"),
        pytest.param(replace(STAGE, kind=SpanKind.SERVER), ("violation", "span_kind_mismatch", ""), id="kind"),
        pytest.param(replace(STAGE, name="fit"), ("improvement", "unexpected_span_name", ""), id="name"),
        pytest.param(with_attributes(STAGE, ml__phase="warmup"), ("improvement", "undefined_enum_variant", "ml.phase"), id="new-value-of-an-open-enum"),
        pytest.param(with_attributes(FOREIGN, ml__run__result="good"), ("violation", "undefined_enum_variant", "ml.run.result"), id="new-value-of-a-closed-enum"),
        pytest.param(with_attributes(FOREIGN, ml__operation__name="walk"), ("violation", "undefined_enum_variant", "ml.operation.name"), id="unknown-operation"),
        pytest.param(with_attributes(FOREIGN, cpu__mode="turbo"), ("information", "undefined_enum_variant", "cpu.mode"), id="new-value-on-a-foreign-span"),
        pytest.param(with_attributes(STAGE, ml__epoch__index=1), ("improvement", "unlisted_attribute", "ml.epoch.index"), id="attribute-of-another-span"),
        pytest.param(replace(STAGE, status=StatusCode.ERROR), ("improvement", "missing_attribute", "error.type"), id="error-without-type"),
        pytest.param(with_attributes(STAGE, ml__dataset__version="é" * 513), ("improvement", "too_long", "ml.dataset.version"), id="long-string"),
        pytest.param(with_layers(1001), ("improvement", "too_long", "ml.hyperparameter.layers"), id="long-array"),
        pytest.param(with_attributes(STAGE, BatchSize=1), ("information", "invalid_format", "BatchSize"), id="capitals"),
        pytest.param(with_attributes(STAGE, team="vision"), ("information", "missing_namespace", "team"), id="no-namespace"),
        pytest.param(replace(STAGE, events=(Event("ml.checkpoint.lost", 1),)), ("violation", "undefined_event", ""), id="unknown-span-event"),
        pytest.param(replace(STAGE, events=(Event("note", 1, {"ml.nothing": 1}),)), ("violation", "undefined_attribute", "ml.nothing"), id="attribute-of-a-span-event"),
        pytest.param(replace(STAGE, links=(Link("0" * 31 + "1", "0" * 15 + "1", {"ml.nothing": 1}),)), ("violation", "undefined_attribute", "ml.nothing"), id="attribute-of-a-link"),
    ],
)  # fmt: skip
def test_a_straying_span_is_told(span: Span, expected: tuple[str, str, str]) -> None:
    """One fault gives one advice, with its level, code and attribute."""
    assert told(check_span(span)) == [expected]


def test_an_unknown_name_comes_with_a_suggestion() -> None:
    """A misspelled name of ours is answered with the name that was likely meant."""
    (advice,) = check_span(with_attributes(STAGE, ml__stage__indx=1))

    assert str(advice) == (
        "violation: span 'stage fit': has the attribute ml.stage.indx, which is not in the vocabulary; "
        "did you mean ml.stage.index? [undefined_attribute]"
    )


@pytest.mark.parametrize("definition", spans.ALL, ids=lambda definition: definition.type)
def test_every_span_definition_is_enforced(definition: spans.SpanDef) -> None:
    """A span of any type without its required attributes is told about each of them that does not tell its type."""
    attributes = {definition.match_key: definition.match_values[0]}
    kind = SpanKind[definition.kind.upper()]
    span = replace(STAGE, name=definition.match_values[0], kind=kind, attributes=attributes)
    required = [
        name
        for name, level in definition.attributes.items()
        if level == "required" and name != definition.match_key
    ]

    assert [one.attribute for one in check_span(span) if one.level is Level.VIOLATION] == required


@pytest.mark.parametrize(
    "point",
    [
        pytest.param(POINT, id="metric-value"),
        pytest.param(replace(POINT, value=math.nan), id="nan"),
        pytest.param(replace(POINT, attributes={**POINT.attributes, "ml.phase": "train"}), id="with-a-phase"),
        pytest.param(InstrumentPoint("ml.training.samples", "sum", 1, unit="{sample}", value=3, is_monotonic=True), id="counter"),
        pytest.param(InstrumentPoint("ml.run.active", "sum", 1, unit="{run}", value=1), id="updowncounter"),
        pytest.param(InstrumentPoint("ml.epoch.duration", "exponential_histogram", 1, unit="s", histogram={}), id="exponential-histogram"),
        pytest.param(InstrumentPoint("process.memory.usage", "gauge", 1, unit="bytes", value=1), id="foreign-with-another-unit"),
        pytest.param(InstrumentPoint("http.server.active_requests", "sum", 1, unit="{request}", value=1), id="foreign"),
    ],
)  # fmt: skip
def test_good_points_get_no_advice(point: InstrumentPoint) -> None:
    """Points that keep to their definition, and points of others, are left in peace."""
    assert check_instrument_point(point) == []


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        pytest.param(replace(POINT, unit="s"), ("violation", "unit_mismatch", ""), id="unit"),
        pytest.param(replace(POINT, kind="sum"), ("violation", "instrument_mismatch", ""), id="instrument"),
        pytest.param(InstrumentPoint("ml.training.samples", "sum", 1, unit="{sample}", value=1), ("violation", "instrument_mismatch", ""), id="counter-that-may-fall"),
        pytest.param(replace(POINT, attributes={}), ("violation", "missing_attribute", "ml.metric.name"), id="required-attribute-missing"),
        pytest.param(replace(POINT, exemplars=({"attributes": {"ml.metric.stp": 1.0}},)), ("violation", "undefined_attribute", "ml.metric.stp"), id="exemplar"),
        pytest.param(InstrumentPoint("ml.metric.values", "gauge", 1, value=1), ("violation", "undefined_metric", ""), id="unknown-metric-of-ours"),
        pytest.param(InstrumentPoint("http.server.load", "gauge", 1, value=1, attributes={"ml.run.id": "0af7"}), ("violation", "forbidden_attribute", "ml.run.id"), id="run-id-on-a-foreign-metric"),
        pytest.param(InstrumentPoint("http.server.load", "gauge", 1, value=1, attributes={"process.pid": 5}), ("information", "forbidden_attribute", "process.pid"), id="pid-on-a-foreign-metric"),
        pytest.param(InstrumentPoint("BadName", "gauge", 1, value=1), ("information", "invalid_format", ""), id="capitals"),
        pytest.param(InstrumentPoint("process.memory.usage", "sum", 1, unit="MiBy", value=1, scope=Scope("any", schema_url=SCHEMA_URL)), ("violation", "unit_mismatch", ""), id="reused-metric-recorded-by-us"),
        pytest.param(replace(POINT, attributes={**POINT.attributes, "ml.stage.name": "fit"}), ("improvement", "unlisted_attribute", "ml.stage.name"), id="attribute-of-another-metric"),
    ],
)  # fmt: skip
def test_a_straying_point_is_told(point: InstrumentPoint, expected: tuple[str, str, str]) -> None:
    """One fault gives one advice, with its level, code and attribute."""
    assert told(check_instrument_point(point)) == [expected]


@pytest.mark.parametrize(
    "name", ["ml.run.id", "ml.metric.step", "ml.random.seed", "ml.span.lane", "ml.step.index"]
)
def test_nothing_unbounded_passes_on_a_metric(name: str) -> None:
    """Run id, step, seed and lane on a data point are violations."""
    value = {"ml.run.id": "0af7", "ml.metric.step": 1.0, "ml.span.lane": "main"}.get(name, 1)

    found = check_instrument_point(replace(POINT, attributes={**POINT.attributes, name: value}))

    assert ("violation", "forbidden_attribute", name) in told(found)


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(CHECKPOINT_SAVED, id="checkpoint-saved"),
        pytest.param(replace(CHECKPOINT_SAVED, event_name="ml.run.config", attributes={}, body={"lr": 0.1}), id="config"),
        pytest.param(replace(CHECKPOINT_SAVED, event_name="", attributes={"code.file.path": "a.py"}), id="plain-log"),
        pytest.param(replace(CHECKPOINT_SAVED, event_name="device.app.lifecycle", attributes={}), id="foreign-event"),
    ],
)  # fmt: skip
def test_good_records_get_no_advice(record: LogRecord) -> None:
    """Events that keep to their definition, plain logs and events of others are left in peace."""
    assert check_log_record(record) == []


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        pytest.param(replace(CHECKPOINT_SAVED, event_name="ml.checkpoint.save"), ("violation", "undefined_event", ""), id="unknown-event-of-ours"),
        pytest.param(replace(CHECKPOINT_SAVED, attributes={}), ("violation", "missing_attribute", "ml.checkpoint.name"), id="required-attribute-missing"),
        pytest.param(replace(CHECKPOINT_SAVED, event_name="", attributes={"ml.nothing": 1}), ("violation", "undefined_attribute", "ml.nothing"), id="unknown-name-on-a-plain-log"),
        pytest.param(replace(CHECKPOINT_SAVED, event_name="Saved", attributes={}), ("information", "invalid_format", ""), id="capitals"),
    ],
)  # fmt: skip
def test_a_straying_record_is_told(record: LogRecord, expected: tuple[str, str, str]) -> None:
    """One fault gives one advice, with its level, code and attribute."""
    assert told(check_log_record(record)) == [expected]


def test_a_described_run_needs_its_identity() -> None:
    """A Resource that describes a run or an experiment without identifying it is told once for each."""
    resource = Resource({"service.name": "vision", "ml.run.name": "a", "ml.experiment.group": "g"})

    assert told(check_resource(resource)) == [
        ("violation", "missing_attribute", "ml.experiment.name"),
        ("violation", "missing_attribute", "ml.run.id"),
    ]
    assert check_resource(RUN_RESOURCE) == []
    assert check_resource(Resource({"service.name": "web"})) == []


@pytest.mark.parametrize(
    ("schema_url", "level"),
    [(SCHEMA_URL, "improvement"), ("https://opentelemetry.io/schemas/1.44.0", "information")],
)
def test_a_resource_of_ours_is_held_to_the_reused_enums(schema_url: str, level: str) -> None:
    """Python's word for the architecture on a Resource that names our schema is worth mending."""
    found = check_resource(Resource({"service.name": "vision", "host.arch": "x86_64"}, schema_url))

    assert told(found) == [(level, "undefined_enum_variant", "host.arch")]


ANY_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
ANY_NAME = st.text() | st.sampled_from(
    sorted(
        {name for definition in spans.ALL for name in definition.attributes} | {"ml.", "ml.hyperparameter.x"}
    )
)


@given(attributes=st.dictionaries(ANY_NAME, ANY_VALUE, max_size=8), name=st.text())
def test_whatever_comes_is_checked_without_an_error(attributes: dict, name: str) -> None:
    """Telemetry of any shape gets advice, never an exception; each advice can be shown."""
    found = [
        *check_span(replace(STAGE, name=name, attributes=attributes, events=(Event(name, 1, attributes),))),
        *check_instrument_point(replace(POINT, name=name, attributes=attributes)),
        *check_log_record(replace(CHECKPOINT_SAVED, event_name=name, attributes=attributes)),
        *check_resource(Resource(attributes)),
    ]

    assert all(str(advice) for advice in found)


def test_live_check_gathers_and_counts() -> None:
    """The same advice is kept once with its count; violations come first."""
    live_check = LiveCheck()
    live_check.check_span(with_attributes(STAGE, team="vision"))
    live_check.check_span(with_attributes(STAGE, ml__phase="warmup"))
    live_check.check_span(with_attributes(STAGE, ml__stage__name=None))
    live_check.check_span(with_attributes(STAGE, ml__stage__name=None))

    assert [(one.code, live_check.count(one)) for one in live_check.advice] == [
        ("missing_attribute", 2),
        ("undefined_enum_variant", 1),
        ("missing_namespace", 1),
    ]
    assert [one.code for one in live_check.violations] == ["missing_attribute"]
    assert live_check.report().splitlines()[0] == (
        "violation: span 'stage fit': lacks the required attribute ml.stage.name [missing_attribute] (2 times)"
    )


def test_live_check_of_good_telemetry_says_so() -> None:
    """A clean report is a sentence, not an empty text."""
    live_check = LiveCheck()
    live_check.check_span(STAGE)
    live_check.check_instrument_point(POINT)
    live_check.check_log_record(CHECKPOINT_SAVED)

    assert (live_check.violations, live_check.report()) == ([], "The telemetry keeps to the vocabulary.")


def test_live_check_looks_at_the_resource() -> None:
    """The Resource of each signal is checked with it."""
    live_check = LiveCheck()
    live_check.check_span(replace(STAGE, resource=Resource({"ml.run.idd": "0af7"})))

    assert [one.attribute for one in live_check.violations] == ["ml.run.idd"]


def test_live_check_counts_from_many_threads() -> None:
    """No advice is lost when several threads feed one live check."""
    live_check = LiveCheck()
    stray = with_attributes(STAGE, team="vision")
    threads = [
        threading.Thread(target=lambda: [live_check.check_span(stray) for _ in range(200)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (advice,) = live_check.advice

    assert live_check.count(advice) == 800


def test_the_span_processor_checks_spans_of_the_sdk() -> None:
    """A provider with our processor reports a straying span as it ends."""
    live_check = LiveCheck()
    provider = TracerProvider(resource=SdkResource.create({"ml.run.id": "0af7", "ml.experiment.name": "e"}))
    provider.add_span_processor(LiveCheckSpanProcessor(live_check))
    tracer = provider.get_tracer("test")

    with tracer.start_as_current_span(
        "epoch", attributes={"ml.operation.name": "epoch", "ml.epoch.index": 0}
    ):
        assert live_check.advice == []
        tracer.start_span("epoch", attributes={"ml.operation.name": "epoch"}).end()
    provider.shutdown()

    assert told(live_check.advice) == [("violation", "missing_attribute", "ml.epoch.index")]


def test_the_log_processor_checks_events_of_the_sdk() -> None:
    """A logger provider with our processor reports a straying event as it is emitted."""
    live_check = LiveCheck()
    provider = LoggerProvider()
    provider.add_log_record_processor(LiveCheckLogProcessor(live_check))

    provider.get_logger("test").emit(
        ApiLogRecord(event_name="ml.run.state", attributes={"ml.run.state": "asleep"})
    )
    assert provider.force_flush()
    provider.shutdown()

    assert told(live_check.advice) == [("violation", "undefined_enum_variant", "ml.run.state")]


def test_the_metric_exporter_checks_points_of_the_sdk() -> None:
    """A meter provider with our exporter reports instruments that stray and lets good ones pass."""
    live_check = LiveCheck()
    reader = PeriodicExportingMetricReader(
        LiveCheckMetricExporter(live_check), export_interval_millis=math.inf
    )
    provider = MeterProvider(metric_readers=[reader])
    meter = provider.get_meter("test", schema_url=SCHEMA_URL)

    meter.create_counter("ml.training.samples", unit="{sample}").add(3, {"ml.phase": "train"})
    meter.create_up_down_counter("ml.run.active", unit="{run}").add(1)
    meter.create_histogram("ml.epoch.duration", unit="s").record(1.5)
    meter.create_gauge("ml.metric.value").set(0.5, {"ml.metric.name": "loss"})
    meter.create_histogram("ml.step.duration", unit="ms").record(1.5)
    provider.force_flush()
    provider.shutdown()

    assert [(one.name, one.code) for one in live_check.advice] == [("ml.step.duration", "unit_mismatch")]


def test_every_metric_of_ours_can_be_made_as_defined() -> None:
    """Instruments made from the definitions pass their own check."""
    makers = {
        "counter": "create_counter",
        "updowncounter": "create_up_down_counter",
        "histogram": "create_histogram",
    }
    live_check = LiveCheck()
    reader = PeriodicExportingMetricReader(
        LiveCheckMetricExporter(live_check), export_interval_millis=math.inf
    )
    provider = MeterProvider(metric_readers=[reader])
    meter = provider.get_meter("test", schema_url=SCHEMA_URL)
    for definition in metrics.ALL:
        instrument = getattr(meter, makers.get(definition.instrument, "create_gauge"))(
            definition.name, unit=definition.unit
        )
        attributes = {
            name: {
                "ml.operation.name": "save_checkpoint",
                "network.io.direction": "transmit",
                "hw.type": "gpu",
            }.get(name, "x")
            for name, level in definition.attributes.items()
            if level == "required"
        }
        getattr(instrument, {"gauge": "set", "histogram": "record"}.get(definition.instrument, "add"))(
            1, attributes
        )
    provider.force_flush()
    provider.shutdown()

    assert live_check.report() == "The telemetry keeps to the vocabulary."


@pytest.mark.parametrize("location", ["memory://", "runs.db"])
def test_a_whole_store_is_checked(tmp_path: Path, location: str) -> None:
    """Spans, data points and records of a store are all looked at."""
    live_check = LiveCheck()
    with open_store(location if "://" in location else str(tmp_path / location)) as store:
        store.apply(
            WriteBatch(
                spans=[STAGE, replace(STAGE, span_id="00f067aa0ba902b7", kind=SpanKind.SERVER)],
                instrument_points=[replace(POINT, unit="s")],
                log_records=[replace(CHECKPOINT_SAVED, attributes={})],
            )
        )

        live_check.check_store(store)

    assert [(one.signal, one.code) for one in live_check.advice] == [
        ("span", "span_kind_mismatch"),
        ("metric", "unit_mismatch"),
        ("event", "missing_attribute"),
    ]


def test_a_store_is_checked_to_its_last_span() -> None:
    """A store with more spans than are read at once is checked whole, each span once."""
    live_check = LiveCheck()
    stray = replace(STAGE, kind=SpanKind.SERVER)
    with open_store("memory://") as store:
        store.apply(
            WriteBatch(spans=[replace(stray, span_id=f"{n:016x}", start_ns=n) for n in range(1, 10_003)])
        )

        live_check.check_store(store)

    assert [live_check.count(one) for one in live_check.advice] == [10_002]
