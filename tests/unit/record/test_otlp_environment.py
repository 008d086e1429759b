"""What the standard variables mean for sending, and what is said of those that cannot be used."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.record.base.otlp_setting import SIGNALS
from otel_experiments.record.otlp.destination import read_address
from otel_experiments.record.otlp.environment import read_plan

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"}


@pytest.mark.parametrize(
    ("text", "target", "is_plain"),
    [
        ("http://localhost:4317", "localhost:4317", True),
        ("HTTP://LOCALHOST:4317/", "localhost:4317", True),
        ("http://collector", "collector:4317", True),
        ("https://api.example.com", "api.example.com:443", False),
        ("https://api.example.com:4317/v1/traces", "api.example.com:4317", False),
        ("http://[::1]:4317", "[::1]:4317", True),
        ("http://me:secret@host:1", "host:1", True),
        ("localhost:4317", "localhost:4317", False),
        ("collector", "collector:4317", False),
        ("unix:///run/otlp.sock", "unix:///run/otlp.sock", True),
        ("unix:run/otlp.sock", "unix:run/otlp.sock", True),
        ("unix-abstract:otlp", "unix-abstract:otlp", True),
        ("dns:///collector:4317", "dns:///collector:4317", False),
    ],
)
def test_an_endpoint_is_read_as_it_is_meant(text, target, is_plain):
    """With and without scheme, port, path and brackets."""
    address = read_address(text, is_insecure=None)

    assert (address.target, address.is_plain) == (target, is_plain)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("http://host:99999", "no port between 1 and 65535"),
        ("http://host:0", "no port between 1 and 65535"),
        ("http://host:port", "no port between 1 and 65535"),
        ("host:-1", "no port between 1 and 65535"),
        ("http://", "no host"),
        ("http://:4317", "no host"),
        ("not an endpoint", "no host"),
        ("ftp://host:4317", "ftp:// is no scheme"),
        ("http://[::1", "no host"),
    ],
)
def test_what_cannot_be_dialled_is_refused_with_the_reason(text, why):
    """A port that there is not is refused as a port."""
    with pytest.raises(ValueError, match=why):
        read_address(text, is_insecure=None)
    plan = read_plan(None, {"OTEL_EXPORTER_OTLP_ENDPOINT": text})

    assert plan.destinations == {}
    assert [why in notice for notice in plan.notices] == [True]
    assert "http://HOST:4317" in plan.notices[0]


@given(st.text(max_size=30))
def test_any_text_is_an_endpoint_or_a_notice(text):
    """Nothing that a variable can hold raises."""
    plan = read_plan(None, {"OTEL_EXPORTER_OTLP_ENDPOINT": text})

    assert bool(plan.destinations) != bool(plan.notices) or not text.strip()


@given(
    st.dictionaries(
        st.sampled_from(
            [
                f"OTEL_EXPORTER_OTLP_{signal}{what}"
                for signal in ("", "TRACES_", "LOGS_")
                for what in (
                    "ENDPOINT",
                    "HEADERS",
                    "TIMEOUT",
                    "COMPRESSION",
                    "CERTIFICATE",
                    "INSECURE",
                    "PROTOCOL",
                )
            ]
            + ["OTEL_TRACES_EXPORTER", "OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_MAX_QUEUE_SIZE", "http_proxy"]
        ),
        st.text(st.characters(exclude_characters="\0"), max_size=20),
    )
)
def test_no_environment_raises_and_headers_can_be_sent(environment):
    """Whatever there is, the plan has positive numbers and headers that gRPC takes."""
    plan = read_plan(True, environment | {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "https://h:1"})

    assert min(plan.metric_interval_s, plan.delay_s, plan.max_request, plan.max_held or 1) > 0
    for destination in plan.destinations.values():
        assert 0 < destination.timeout_s <= 86_400
        for name, value in destination.headers:
            assert name == name.lower()
            assert value.isascii()


@pytest.mark.parametrize(
    ("setting", "environment", "signals"),
    [
        (None, {}, ()),
        (False, ENDPOINT, ()),
        (True, {}, SIGNALS),
        (None, ENDPOINT, SIGNALS),
        (None, ENDPOINT | {"OTEL_SDK_DISABLED": " True "}, ()),
        (True, {"OTEL_SDK_DISABLED": "true"}, ()),
        (None, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://a:1"}, ("traces",)),
        (True, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://a:1"}, ("traces",)),
        (None, ENDPOINT | {"OTEL_METRICS_EXPORTER": "none"}, ("traces", "logs")),
        (None, ENDPOINT | {"OTEL_METRICS_EXPORTER": " None "}, ("traces", "logs")),
        (None, ENDPOINT | {"OTEL_LOGS_EXPORTER": "console,otlp"}, SIGNALS),
        (None, ENDPOINT | {"OTEL_LOGS_EXPORTER": "console"}, ("traces", "metrics")),
        (None, ENDPOINT | {"OTEL_TRACES_EXPORTER": "oltp"}, SIGNALS),
        (None, ENDPOINT | {"OTEL_TRACES_EXPORTER": "otlp_proto_http"}, SIGNALS),
    ],
)
def test_only_what_is_wanted_is_sent(setting, environment, signals):
    """Our setting, endpoints, exporters, protocols and the SDK's switch together."""
    plan = read_plan(setting, environment)

    assert tuple(plan.destinations) == signals


HTTP_ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:1/base"}
GENERAL, TRACES = "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"


@pytest.mark.parametrize(
    ("environment", "protocols"),
    [
        ({}, {"grpc"}),
        ({GENERAL: "http/protobuf"}, {"http/protobuf"}),
        ({GENERAL: " HTTP/Protobuf "}, {"http/protobuf"}),
        ({GENERAL: "http/json"}, {"http/protobuf"}),
        ({GENERAL: "carrier pigeon"}, {"grpc"}),
        ({GENERAL: "grpc", TRACES: "http/protobuf"}, {"grpc", "http/protobuf"}),
        ({GENERAL: "http/protobuf", "OTEL_TRACES_EXPORTER": "otlp_proto_grpc"}, {"grpc", "http/protobuf"}),
        ({"OTEL_TRACES_EXPORTER": "otlp_proto_http"}, {"grpc", "http/protobuf"}),
    ],
)
def test_each_signal_has_its_protocol(environment, protocols):
    """The signal's variable goes before the general one, and a named exporter before both; without any it is gRPC."""
    plan = read_plan(None, HTTP_ENDPOINT | environment)

    assert {destination.protocol for destination in plan.destinations.values()} == protocols


def test_json_is_said_to_be_sent_as_protobuf():
    """An endpoint that takes JSON takes protobuf at the same place, and one line says that it gets that."""
    plan = read_plan(None, HTTP_ENDPOINT | {GENERAL: "http/json"})

    assert len(plan.notices) == 1
    assert "http/protobuf is sent instead" in plan.notices[0]


@pytest.mark.parametrize(
    ("environment", "target", "path"),
    [
        ({}, "localhost:4318", "/v1/traces"),
        ({"ENDPOINT": "http://h"}, "h:80", "/v1/traces"),
        ({"ENDPOINT": "https://h/"}, "h:443", "/v1/traces"),
        ({"ENDPOINT": "http://h:4318/a b/"}, "h:4318", "/a%20b/v1/traces"),
        ({"ENDPOINT": "http://[::1]:9/x?key=a%20b"}, "[::1]:9", "/x/v1/traces?key=a%20b"),
        ({"TRACES_ENDPOINT": "http://h:4318"}, "h:4318", "/"),
        ({"TRACES_ENDPOINT": "http://u:p@h:4318/x?y=1#z"}, "h:4318", "/x?y=1"),
    ],
)
def test_an_endpoint_over_http_is_a_url(environment, target, path):
    """The general variable is a base to which the signal's path is added; a signal's own is used as it is."""
    variables = {f"OTEL_EXPORTER_OTLP_{name}": value for name, value in environment.items()}
    plan = read_plan(True, variables | {GENERAL: "http/protobuf"})

    address = plan.destinations["traces"].address
    assert (address.target, address.path) == (target, path)
    assert "u:p" not in repr(address)


@pytest.mark.parametrize(
    "text", ["h:4318", "ftp://h", "http://", "http://h:99999", "unix:///x", "http://[::1"]
)
def test_an_endpoint_that_is_no_url_of_http_is_a_notice(text):
    """Nothing is sent there, and one line says why."""
    plan = read_plan(None, {"OTEL_EXPORTER_OTLP_ENDPOINT": text, GENERAL: "http/protobuf"})

    assert (plan.destinations, len(plan.notices)) == ({}, 1)
    assert "cannot be used" in plan.notices[0]


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({"http_proxy": "http://p:1"}, "http://p:1"),
        ({"HTTP_PROXY": "p:1"}, "http://p:1"),
        ({"https_proxy": "http://p:1"}, ""),
        ({"ALL_PROXY": "http://p:1"}, "http://p:1"),
        ({"http_proxy": "http://p:1", "NO_PROXY": "other,*.b"}, "http://p:1"),
        ({"http_proxy": "http://p:1", "NO_PROXY": "*"}, ""),
        ({"http_proxy": "http://p:1", "NO_PROXY": ".b.example"}, ""),
        ({"http_proxy": "http://p:1", "NO_PROXY": "a.b.example:4318"}, ""),
        ({"http_proxy": "http://p:1", "NO_PROXY": "b.exampl,xample"}, "http://p:1"),
    ],
)
def test_the_usual_variables_name_a_proxy_for_http(environment, proxy):
    """By the endpoint's scheme, in either case, but for hosts and domains of NO_PROXY."""
    plan = read_plan(
        None,
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a.b.example:4318", GENERAL: "http/protobuf"} | environment,
    )

    assert {destination.proxy_url for destination in plan.destinations.values()} == {proxy}


@pytest.mark.parametrize(
    ("variable", "value", "instead"),
    [
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "Requests are not compressed"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "long", "10 s is used"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "-3", "10 s is used"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/file", "TLS goes on without it"),
        ("OTEL_EXPORTER_OTLP_INSECURE", "perhaps", "It counts as false"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier pigeon", "grpc is used"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "http/protobuf is sent instead"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "inf", "10000 ms is used"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many", "The default is used"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0", "2048 is used"),
        ("OTEL_TRACES_EXPORTER", "oltp", "names no exporter that is installed"),
        ("OTEL_LOGS_EXPORTER", "console", "logs are not sent"),
    ],
)
def test_what_cannot_be_used_is_told_with_what_happens_instead(variable, value, instead):
    """One notice names the variable, its value and what takes its place."""
    plan = read_plan(None, {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector:4317", variable: value})

    (notice,) = plan.notices
    assert f"{variable}={value!r}" in notice
    assert instead in notice


def test_headers_are_read_and_their_values_never_shown():
    """Names and values percent-encoded; a header that cannot be sent is left out, and its value stays secret."""
    text = "Authorization=Bearer%20abc,tenant=a=b, x=1 ,secret-without-equals,bad name=s3cret,key=caf\u00e9,ok=%C3%A9"
    plan = read_plan(None, ENDPOINT | {"OTEL_EXPORTER_OTLP_HEADERS": text})

    assert plan.destinations["logs"].headers == (
        ("authorization", "Bearer abc"),
        ("tenant", "a=b"),
        ("x", "1"),
    )
    assert len(plan.notices) == 4
    assert [secret for secret in ("s3cret", "caf", "without-equals") if secret in str(plan.notices)] == []


@pytest.mark.parametrize(
    ("text", "seconds"), [("3", 3.0), ("0.5", 0.5), ("10000", 10.0), ("500", 500.0), ("1000", 1.0)]
)
def test_a_timeout_is_in_seconds_or_as_specified(text, seconds):
    """Seconds as OpenTelemetry for Python has it, milliseconds where only those can be meant."""
    plan = read_plan(None, ENDPOINT | {"OTEL_EXPORTER_OTLP_TIMEOUT": text})

    assert plan.destinations["traces"].timeout_s == seconds


@pytest.mark.parametrize(
    ("text", "detail", "advice"),
    [
        ("localhost:4317", "SSL_ERROR_SSL: WRONG_VERSION_NUMBER", "write http://localhost:4317"),
        (
            "https://h:5",
            "Ssl handshake failed: WRONG_VERSION_NUMBER",
            "https means TLS, and this port speaks none",
        ),
        ("http://h:4318", "failed to connect", "4318 is the port of OTLP over HTTP"),
        ("http://h:4318", "Trying to connect an http1.x server", "write http://h:4317"),
        ("http://h:80", "Trying to connect an http1.x server", "speaks no gRPC"),
        ("https://h:5", "CERTIFICATE_VERIFY_FAILED: self-signed", "OTEL_EXPORTER_OTLP_CERTIFICATE"),
    ],
)
def test_what_grpc_says_is_explained(text, detail, advice):
    """A wrong scheme, the HTTP port, a web server, a certificate that nobody knows."""
    explained = read_address(text, is_insecure=None).explain(detail)

    assert advice in explained
    assert detail in explained
    assert read_address(text, is_insecure=None).explain("busy", "p:1 of http_proxy").endswith("(busy)")
