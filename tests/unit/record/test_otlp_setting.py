"""`configure(otlp=...)`: an endpoint or an `Otlp` in code, over what the environment says."""

import pytest

import otel_experiments as ox
from otel_experiments.errors import ConfigurationError
from otel_experiments.record.base.otlp_setting import SIGNALS
from otel_experiments.record.otlp.environment import read_plan
from otel_experiments.record.otlp.start import resolve_settings

ENVIRONMENT = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://general:1",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://traces:2",
    "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT": "7",
    "OTEL_EXPORTER_OTLP_HEADERS": "x-of=environment",
    "OTEL_LOGS_EXPORTER": "none",
}


def test_what_code_gives_wins_and_the_environment_fills_the_rest():
    """An endpoint in code holds for every signal; timeouts, headers and exporters still come from the variables."""
    plan = read_plan(ox.Otlp(endpoint="http://code:3"), ENVIRONMENT)

    assert plan.notices == []
    assert {signal: one.address.target for signal, one in plan.destinations.items()} == {
        "traces": "code:3",
        "metrics": "code:3",
    }
    assert plan.destinations["metrics"].timeout_s == 7.0
    assert plan.destinations["metrics"].headers == (("x-of", "environment"),)


def test_everything_can_be_given_in_code(tmp_path):
    """Each field is what its variable would be, values that a variable has to encode included."""
    setting = ox.Otlp(
        endpoint="http://h:1/base",
        protocol="http/protobuf",
        headers={"X-Key": "a=b, c%"},
        compression="gzip",
        timeout_s=1500,
        signals=["logs", "traces"],
    )

    plan = read_plan(setting, ENVIRONMENT | {"OTEL_TRACES_EXPORTER": "otlp_proto_grpc"})

    assert plan.notices == []
    assert set(plan.destinations) == {"traces", "logs"}
    logs = plan.destinations["logs"]
    assert (logs.address.path, logs.headers) == ("/base/v1/logs", (("x-key", "a=b, c%"),))
    assert (logs.is_compressed, logs.timeout_s) == (True, 1500.0)
    assert {one.protocol for one in plan.destinations.values()} == {"http/protobuf"}


def test_without_an_endpoint_anywhere_the_default_of_the_protocol_is_used():
    """An `Otlp` asks for sending as True does."""
    plan = read_plan(ox.Otlp(protocol="http/protobuf"), {})

    assert {one.address.target for one in plan.destinations.values()} == {"localhost:4318"}
    assert tuple(plan.destinations) == SIGNALS


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"endpoint": ""}, "endpoint of Otlp cannot be used: it is not a text"),
        ({"endpoint": 4317}, "endpoint of Otlp cannot be used: it is not a text"),
        (
            {"protocol": "http/json"},
            "protocol='http/json' of Otlp cannot be used: it is none of grpc, http/protobuf",
        ),
        ({"compression": "zstd"}, "compression='zstd' of Otlp cannot be used"),
        ({"timeout_s": 0}, "timeout_s=0 of Otlp cannot be used: it is no number above zero"),
        ({"timeout_s": float("nan")}, "timeout_s=nan of Otlp cannot be used"),
        ({"timeout_s": True}, "timeout_s=True of Otlp cannot be used"),
        ({"headers": "a=b"}, "headers of Otlp cannot be used: it is a str and no mapping"),
        ({"headers": {"a b": "secret"}}, "headers of Otlp cannot be used: 'a b' is no name of a header"),
        ({"headers": {"a": "secret\n"}}, "headers of Otlp cannot be used: the value of 'a' is no text"),
        ({"signals": "traces"}, "signals='traces' of Otlp cannot be used: it is no list"),
        ({"signals": ["spans"]}, "'spans' is no signal"),
        ({"signals": []}, "it names none"),
        ({"client_key": "x.pem"}, "client_certificate and client_key belong together"),
    ],
)
def test_a_value_that_cannot_be_used_is_an_error_where_it_is_written(given, said):
    """The error names the field and the reason, and never a secret."""
    with pytest.raises(ConfigurationError) as caught:
        ox.Otlp(**given)

    assert said in str(caught.value)
    assert "\n  " in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("ftp://h", "endpoint='ftp://h' of Otlp cannot be used: ftp:// is no scheme"),
        ("http://u:secret@h:99999", "endpoint='http://h:99999' of Otlp cannot be used: it names no port"),
        (ox.Otlp(endpoint="h:4318", protocol="http/protobuf"), "it needs a scheme, http:// or https://"),
        (
            ox.Otlp(endpoint="https://h", certificate="/no/such"),
            "certificate='/no/such' of Otlp cannot be used: No such file",
        ),
        (ox.Otlp(certificate=__file__), "of Otlp cannot be used: it is no PEM file"),
        (ox.Otlp(endpoint="http://h", certificate=__file__), "the endpoint is without TLS"),
        (5, "otlp=5 cannot be used: it is neither True nor False, nor an endpoint or an Otlp"),
    ],
)
def test_what_cannot_be_sent_to_is_refused_by_configure(setting, said):
    """Endpoints that cannot be dialled and files that are of no use are found before anything is recorded."""
    with pytest.raises(ConfigurationError) as caught:
        resolve_settings(otlp=setting)

    assert said in str(caught.value)
    assert "\n  " in str(caught.value)
    assert "secret" not in str(caught.value)


def test_secrets_are_in_no_representation():
    """What prints the setting shows the names of headers, never a value, and no password."""
    setting = ox.Otlp(endpoint="https://me:hidden@h:1/?key=hidden", headers={"x-key": "hidden"}, timeout_s=3)

    assert repr(setting) == "Otlp(endpoint='https://h:1/', timeout_s=3, headers=<x-key>)"
    assert "hidden" not in repr(resolve_settings(otlp=setting))


def test_an_otlp_is_a_value():
    """Two with the same fields are equal, and changing the mapping afterwards changes neither."""
    headers = {"a": "b"}
    one, other = ox.Otlp(headers=headers, signals=["logs"]), ox.Otlp(headers={"a": "b"}, signals=("logs",))
    headers["a"] = "c"

    assert one == other
    assert hash(one) == hash(other)
