"""What we rely on in OpenTelemetry's SDK that it does not promise: a new SDK that changes it fails here, loudly."""

import importlib.metadata
import inspect
import re
import threading
import tomllib
import warnings
from pathlib import Path

import grpc
import pytest
from opentelemetry import _logs, metrics, trace
from opentelemetry import context as context_api
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator

from otel_experiments.record.base.otel_internals import (
    logger_provider_finder,
    meter_provider_finder,
    sdk_gauge_class,
    tracer_provider_finder,
)

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "sdk", "exporter-otlp-proto-grpc", "exporter-otlp-proto-common", "proto")


def test_the_sdk_that_runs_is_the_one_that_is_declared():
    """Version 1.45 of all parts, as pyproject.toml says; another one needs these tests, then another bound."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [line for line in project["dependencies"] if line.startswith("opentelemetry-sdk")]
    versions = {name: importlib.metadata.version(f"opentelemetry-{name}") for name in PACKAGES}

    assert declared == ["opentelemetry-sdk>=1.45,<1.46"]
    assert {version.rsplit(".", 1)[0] for version in versions.values()} == {"1.45"}


def test_the_exporter_is_bound_to_the_sdk_that_we_bind():
    """The gRPC exporter asks for the SDK of its own minor version, so our bound on the SDK holds it as well."""
    required = importlib.metadata.requires("opentelemetry-exporter-otlp-proto-grpc")
    (on_sdk,) = [line for line in required if line.startswith("opentelemetry-sdk")]

    assert re.match(r"opentelemetry-sdk~=1\.45\.", on_sdk.replace(" ", "").replace("(", ""))


def test_the_encoder_of_spans_makes_a_request():
    """The exporter for golden comparisons writes what this function makes of the SDK's spans."""
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

    request = encode_spans([])

    assert (type(request).__name__, request.SerializeToString()) == ("ExportTraceServiceRequest", b"")


def test_the_sdks_retry_still_draws_from_the_global_random():
    """Why we try by ourselves; when this fails, the SDK was mended and `otlp_client` can go."""
    from opentelemetry.exporter.otlp.proto.grpc import exporter

    assert "random.uniform" in inspect.getsource(exporter.OTLPExporterMixin._export)


def test_an_rpc_error_tells_code_and_details():
    """What grpc raises from a call has `code()`, `details()` and `trailing_metadata()`."""
    channel = grpc.insecure_channel("127.0.0.1:1")
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/a.B/C")(b"", timeout=5)
    channel.close()

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert isinstance(caught.value.details(), str)
    assert list(caught.value.trailing_metadata() or ()) == []
    with pytest.raises(ValueError, match="closed channel"):
        channel.unary_unary("/a.B/C")(b"", timeout=5)


def test_instrumentation_is_suppressed_by_a_key_of_the_context():
    """The key that the SDK's own processors set while they export exists and is a plain context key."""
    token = context_api.attach(context_api.set_value(context_api._SUPPRESS_INSTRUMENTATION_KEY, True))
    try:
        assert context_api.get_value(context_api._SUPPRESS_INSTRUMENTATION_KEY) is True
    finally:
        context_api.detach(token)


def test_the_apis_context_manager_decorates_coroutines():
    """`_agnosticcontextmanager` is what `start_as_current_span` of the API is made of."""
    from opentelemetry.util._decorator import _agnosticcontextmanager

    @_agnosticcontextmanager
    def managed():
        yield 1

    @managed()
    async def coroutine():
        """Do nothing."""

    assert inspect.iscoroutinefunction(coroutine)
    with managed() as value:
        assert value == 1


def test_a_reader_receives_what_it_collects():
    """`_receive_metrics` is the documented override; `collect` calls it on the caller's thread, and never for nothing."""
    received = []

    class Reader(MetricReader):
        def _receive_metrics(self, metrics_data, timeout_millis=10_000, **kwargs):
            received.append((metrics_data, threading.get_ident()))

        def shutdown(self, timeout_millis=30_000, **kwargs):
            """Do nothing."""

    reader = Reader()
    provider = MeterProvider(
        metric_readers=[reader], exemplar_filter=AlwaysOffExemplarFilter(), shutdown_on_exit=False
    )
    reader.collect()
    assert received == []

    counter = provider.get_meter("m").create_counter("n")
    counter.add(2)
    reader.collect()
    ((data, thread),) = received
    (metric,) = data.resource_metrics[0].scope_metrics[0].metrics
    assert (metric.name, metric.data.data_points[0].value, thread) == ("n", 2, threading.get_ident())
    assert metric.data.data_points[0].exemplars == []


class Seen(SpanProcessor):
    """Keeps what it is handed."""

    def __init__(self):
        self.started, self.ended = [], []

    def on_start(self, span, parent_context=None):  # noqa: D102 - the SDK's interface
        self.started.append((span, parent_context))

    def on_end(self, span):  # noqa: D102 - the SDK's interface
        self.ended.append(span)


def test_processors_are_handed_what_we_read(monkeypatch):
    """on_start gets the live span and its parent context, on_end a span with the same ids whose attributes copy."""
    seen = Seen()
    provider = TracerProvider(resource=Resource({"a": 1}), active_span_processor=seen, shutdown_on_exit=False)
    tracer = provider.get_tracer("t", "1", "https://example.com/schema")
    context = context_api.set_value("k", "v")
    span = tracer.start_span("s", context, attributes={"x": 1})
    span.end()

    ((started, parent_context),) = seen.started
    (ended,) = seen.ended
    assert (started is span, parent_context) == (True, context)
    assert ended.context == span.get_span_context()
    assert ended.attributes.copy() == {"x": 1}
    assert (ended.dropped_attributes, ended.dropped_events, ended.dropped_links) == (0, 0, 0)
    assert ended.resource is provider.resource
    assert ended.instrumentation_scope.schema_url == "https://example.com/schema"


def test_a_provider_takes_generator_sampler_and_limits_of_ours():
    """A trace id for each root, a span id for each span are asked of the generator, in that order of need."""
    asked = []

    class Ids(IdGenerator):
        def generate_span_id(self):
            asked.append("span")
            return 5

        def generate_trace_id(self):
            asked.append("trace")
            return 7

    limits = SpanLimits(max_span_attributes=3, max_span_attribute_length=SpanLimits.UNSET)
    provider = TracerProvider(id_generator=Ids(), span_limits=limits, shutdown_on_exit=False)
    root = provider.get_tracer("t").start_span("root")
    child = provider.get_tracer("t").start_span("child", trace.set_span_in_context(root))

    assert sorted(asked) == ["span", "span", "trace"]
    assert (root.get_span_context().trace_id, child.get_span_context().trace_id) == (7, 7)
    for i in range(10):
        root.set_attribute(f"k{i}", i)
    assert set(root.attributes) == {"k7", "k8", "k9"}


def test_the_logs_of_the_sdk_are_where_we_import_them_from():
    """Underscore paths by name, a stable signal by specification: emit, processors and records as we use them."""
    with warnings.catch_warnings():
        from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor, ReadableLogRecord

    records = []

    class Keep(LogRecordProcessor):
        def on_emit(self, log_record):
            records.append(log_record)

        def shutdown(self):
            """Do nothing."""

        def force_flush(self, timeout_millis=30_000):
            return True

    provider = LoggerProvider(resource=Resource({"a": 1}), shutdown_on_exit=False)
    provider.add_log_record_processor(Keep())
    provider.get_logger("l", "1", "https://example.com/schema").emit(
        event_name="e", timestamp=1, observed_timestamp=2, body={"x": [1]}, attributes={"k": "v"}
    )

    (data,) = records
    record = data.log_record
    assert (record.event_name, record.timestamp, record.observed_timestamp) == ("e", 1, 2)
    assert (record.body, dict(record.attributes)) == ({"x": [1]}, {"k": "v"})
    assert (data.resource, data.instrumentation_scope.name) == (provider.resource, "l")
    assert list(inspect.signature(ReadableLogRecord).parameters)[:3] == [
        "log_record",
        "resource",
        "instrumentation_scope",
    ]


@pytest.mark.parametrize(
    ("module", "name", "finder", "ask"),
    [
        (trace, "_TRACER_PROVIDER", tracer_provider_finder, trace.get_tracer_provider),
        (metrics._internal, "_METER_PROVIDER", meter_provider_finder, metrics.get_meter_provider),
        (_logs._internal, "_LOGGER_PROVIDER", logger_provider_finder, _logs.get_logger_provider),
    ],
    ids=["traces", "metrics", "logs"],
)
def test_the_global_provider_is_the_variable_that_we_look_at(monkeypatch, module, name, finder, ask):
    """The API keeps it in one variable of its module, which every scope compares; by the API itself it costs more."""
    provider = object()
    monkeypatch.setattr(module, name, provider)

    assert finder()() is provider
    assert ask() is provider
    monkeypatch.setattr(module, name, None)
    assert finder()() is None
    assert "Proxy" in type(ask()).__name__


def test_gauges_of_the_sdk_have_a_class_that_readers_know():
    """By it a reader says how gauges are aggregated; it has no public name."""
    made = MeterProvider(shutdown_on_exit=False).get_meter("m").create_gauge("g")

    assert isinstance(made, sdk_gauge_class())


def test_a_metric_reader_can_be_added_to_a_provider_that_is_in_use():
    """The application's MeterProvider is adopted by this public method, which older SDKs do not have."""
    assert callable(MeterProvider.add_metric_reader)
