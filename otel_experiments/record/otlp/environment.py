"""What the standard variables say about sending: which signal goes where, how, and what of it cannot be used.

The environment is often set for other programs too. So nothing in it ends a training: a value that cannot be used
gives a notice, and either the default takes its place or its signal is not sent. Nothing is opened here but the
files of certificates; importing it costs nothing.

Sources: OpenTelemetry specification, protocol/exporter.md (endpoints, headers, timeouts, compression, TLS) and
configuration/sdk-environment-variables.md (`OTEL_SDK_DISABLED`, `OTEL_*_EXPORTER`, parsing of numbers and enums).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from otel_experiments.record.base.otlp_setting import SIGNALS, Otlp, variables_of
from otel_experiments.record.otlp.certificates import read_certificates
from otel_experiments.record.otlp.destination import Address, read_address, read_url
from otel_experiments.record.otlp.sampling import Share, TraceSampling, read_sampling
from otel_experiments.record.otlp.variables import own_variable, read_number, unusable

GRPC: Final = "grpc"
HTTP: Final = "http/protobuf"
_DEFAULT_ENDPOINTS: Final = {GRPC: "http://localhost:4317", HTTP: "http://localhost:4318"}
SDK_DISABLED: Final = (
    "OTEL_SDK_DISABLED=true: there are no spans, events, instruments and no OTLP. Points, params, tags and states are "
    "stored. Unset it to have all of them."
)
_CONFIG_FILE: Final = "OTEL_CONFIG_FILE"
_SILENT: Final = "To send nothing, and hear nothing of it: OTEL_EXPERIMENTS_OTLP=false."
_OTHER_EXPORTERS: Final = frozenset(
    {"console", "logging", "memory", "zipkin", "jaeger", "prometheus", "otel_experiments", "otlp_json_file"}
)
"""Values of `OTEL_*_EXPORTER` that are meant for others: with one of them alone, nothing leaves by OTLP."""
_LONGEST_S: Final = 86_400.0
_SHORTEST_S: Final = 0.01
_LEAST_MILLISECONDS: Final = 1000.0
_HEADER_NAME: Final = re.compile(r"[0-9a-z_.-]+")
_HTTP_HEADER_NAME: Final = re.compile(r"[0-9a-z!#$%&'*+.^_`|~-]+")
_HEADERS_OF_OURS: Final = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "host",
        "te",
        "transfer-encoding",
        "upgrade",
    }
)
_HEADER_VALUE: Final = re.compile(r"[ -~]*")


@dataclass(frozen=True, slots=True)
class Destination:
    """Where one signal goes, and how.

    Attributes:
        signal: `traces`, `metrics` or `logs`.
        headers: sent with each request.
        timeout_s: how long one request may take.
        is_compressed: whether requests are compressed with gzip.
        authority, client_certificate, client_key: PEM, where given.
        client_files: the files of the last two.
        credential_provider: the name of an entry point that gives channel credentials, where given.
        protocol: `GRPC` or `HTTP`.
        proxy: what requests go through, as host and port, for messages; empty where nothing is.
        proxy_url: the same as a URL, for HTTP; gRPC reads the variables itself.
    """

    signal: str
    address: Address
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    timeout_s: float = 10.0
    is_compressed: bool = False
    authority: bytes | None = None
    client_certificate: bytes | None = None
    client_key: bytes | None = field(default=None, repr=False)
    client_files: tuple[Path, Path] | None = None
    credential_provider: str = ""
    protocol: str = GRPC
    proxy: str = ""
    proxy_url: str = field(default="", repr=False)


@dataclass(slots=True)
class SendingPlan:
    """What is sent by OTLP, from what the environment says.

    Attributes:
        destinations: by signal; a signal that is not there is not sent.
        notices: what of the environment cannot be used, and what happens instead, a text each.
        metric_interval_s: between two collections of instruments.
        delay_s: for how long what was stored waits for more.
        max_held: how many spans, or log records, may wait in memory; None: the default.
        max_request: how many of them go into one request.
        sampling: which traces are sent.
    """

    destinations: dict[str, Destination] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    metric_interval_s: float = 10.0
    delay_s: float = 1.0
    max_held: int | None = None
    max_request: int = 2048
    sampling: TraceSampling = field(default_factory=Share)


def is_sdk_disabled(environ: Mapping[str, str]) -> bool:
    """Tell whether `OTEL_SDK_DISABLED` turns OpenTelemetry off in this process."""
    return environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def read_plan(
    setting: bool | Otlp | None,  # noqa: FBT001 - the setting itself
    environ: Mapping[str, str],
) -> SendingPlan:
    """Return what is to be sent. `setting` is ours (`otlp`): None leaves it to the endpoints."""
    if isinstance(setting, Otlp):
        environ, setting = variables_of(setting, environ), True
    plan = SendingPlan()
    if is_sdk_disabled(environ) or setting is False:
        return plan
    if environ.get(_CONFIG_FILE, "").strip():
        plan.notices.append(
            f"{_CONFIG_FILE}={environ[_CONFIG_FILE]!r:.200} sets up the application's providers, whose spans are in the run; "
            "what runs send is not read from it. To send runs, set OTEL_EXPORTER_OTLP_ENDPOINT as "
            f"well. {_SILENT}"
        )
    own = {signal: own_variable(environ, signal, "ENDPOINT") for signal in SIGNALS}
    if not any(text for _, text in own.values()):
        if not setting:
            return plan
        own = dict.fromkeys(SIGNALS, ("", ""))
    is_default = not any(text for _, text in own.values())
    for signal, (variable, endpoint) in own.items():
        if (endpoint or is_default) and _is_chosen(environ, signal, plan.notices):
            destination = _destination(environ, signal, variable, endpoint, plan.notices)
            if destination is not None:
                plan.destinations[signal] = destination
    if plan.destinations:
        _read_numbers(environ, plan)
    plan.notices = list(dict.fromkeys(plan.notices))
    return plan


def _is_chosen(environ: Mapping[str, str], signal: str, notices: list[str]) -> bool:
    """Tell whether `OTEL_*_EXPORTER` lets a signal leave by OTLP: unset, it does."""
    variable = f"OTEL_{signal.upper()}_EXPORTER"
    names = [name.strip().lower() for name in environ.get(variable, "").split(",") if name.strip()]
    if not names or not {"otlp", "otlp_proto_grpc", "otlp_proto_http"}.isdisjoint(names):
        return True
    if "none" in names:
        return False
    known = [name for name in names if name in _OTHER_EXPORTERS or _is_installed(signal, name)]
    if known:
        notices.append(
            f"{variable}={environ[variable]!r} does not name otlp: {signal} are not sent. The store has them. "
            f"Set it to otlp to send them, or to none to hear nothing of it."
        )
        return False
    notices.append(
        f"{variable}={environ[variable]!r} names no exporter that is installed; it is not heeded, and {signal} are sent. "
        "It may be otlp or none."
    )
    return True


def _is_installed(signal: str, name: str) -> bool:
    from importlib.metadata import entry_points  # noqa: PLC0415 - only for names that are not ours

    return bool(entry_points(group=f"opentelemetry_{signal}_exporter", name=name))


def read_protocol(environ: Mapping[str, str], signal: str, notices: list[str]) -> str:
    """Return the protocol that a signal is sent by, `GRPC` where nothing says otherwise."""
    chosen = environ.get(f"OTEL_{signal.upper()}_EXPORTER", "").lower()
    if "otlp_proto_grpc" in chosen:
        return GRPC
    if "otlp_proto_http" in chosen:
        return HTTP
    variable, text = own_variable(environ, signal, "PROTOCOL")
    protocol = text.lower()
    if protocol in {"", GRPC, HTTP}:
        return protocol or GRPC
    if protocol == "http/json":
        notices.append(
            f"{variable}={text!r}: JSON is not sent; http/protobuf is sent instead, to the same endpoint, which takes both. "
            f"Write {HTTP} to hear nothing of it."
        )
        return HTTP
    notices.append(unusable(variable, text, f"it is neither {GRPC} nor {HTTP}", f"{GRPC} is used."))
    return GRPC


def read_endpoint(text: str, protocol: str, *, suffix: str = "", is_insecure: bool | None = None) -> Address:
    """Return the address that an endpoint's text means to a protocol.

    Raises:
        ValueError: it cannot be dialled; the message says why.
    """
    if protocol == HTTP:
        return read_url(text, suffix=suffix)
    return read_address(text, is_insecure=is_insecure)


def _destination(
    environ: Mapping[str, str], signal: str, endpoint_variable: str, endpoint: str, notices: list[str]
) -> Destination | None:
    protocol = read_protocol(environ, signal, notices)
    endpoint = endpoint or _DEFAULT_ENDPOINTS[protocol]
    variable, text = own_variable(environ, signal, "INSECURE")
    is_insecure = {"true": True, "false": False}.get(text.lower())
    if text and is_insecure is None:
        notices.append(unusable(variable, text, "it is neither true nor false", "It counts as false."))
    try:
        is_whole = endpoint_variable == f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT"
        suffix = "" if is_whole else f"v1/{signal}"
        address = read_endpoint(endpoint, protocol, suffix=suffix, is_insecure=is_insecure)
    except ValueError as error:
        shown = re.sub(r"//[^/@]*@", "//", endpoint)
        notices.append(
            f"{endpoint_variable}={shown!r} cannot be used: {error}. What would go there is not sent; the store "
            f"has it. Write the endpoint as http://HOST:{4318 if protocol == HTTP else 4317}. {_SILENT}"
        )
        return None
    certificates = {} if address.is_plain else read_certificates(environ, signal, notices)
    provider = "" if address.is_plain or protocol == HTTP else _credential_provider(environ, signal)
    proxy, proxy_url = ("", "") if address.is_loopback else _proxy(environ, address, protocol)
    return Destination(
        signal,
        address,
        headers=_headers(environ, signal, protocol, notices),
        timeout_s=_timeout_s(environ, signal, notices),
        is_compressed=_is_compressed(environ, signal, notices),
        authority=certificates.get("CERTIFICATE"),
        client_certificate=certificates.get("CLIENT_CERTIFICATE"),
        client_key=certificates.get("CLIENT_KEY"),
        client_files=_client_files(environ, signal) if "CLIENT_KEY" in certificates else None,
        credential_provider=provider,
        protocol=protocol,
        proxy=proxy,
        proxy_url=proxy_url,
    )


def _client_files(environ: Mapping[str, str], signal: str) -> tuple[Path, Path]:
    certificate, key = (own_variable(environ, signal, f"CLIENT_{what}")[1] for what in ("CERTIFICATE", "KEY"))
    return Path(certificate).expanduser(), Path(key).expanduser()


def _headers(
    environ: Mapping[str, str], signal: str, protocol: str, notices: list[str]
) -> tuple[tuple[str, str], ...]:
    """Read `key=value,key2=value2`, percent-encoded. Source: W3C Baggage, as the specification says."""
    variable, text = own_variable(environ, signal, "HEADERS")
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        name, value = unquote(name).strip().lower(), unquote(value).strip()
        why = ""
        if not equals:
            why = "one has no '='"
        elif not _may_be_sent(name, protocol):
            why = f"{name!r:.60} is no name of a header"
        elif not _HEADER_VALUE.fullmatch(value):
            why = f"the value of {name!r} has characters that a header cannot have"
        if why:  # the text itself may be a secret, and is not shown
            notices.append(
                f"{variable} holds a header that cannot be used: {why}. It is left out. Write NAME=VALUE,NAME=VALUE, "
                "with other characters percent-encoded."
            )
        else:
            found[name] = value
    return tuple(found.items())


def _may_be_sent(name: str, protocol: str) -> bool:
    if protocol == HTTP:
        return _HTTP_HEADER_NAME.fullmatch(name) is not None and name not in _HEADERS_OF_OURS
    return (
        _HEADER_NAME.fullmatch(name) is not None
        and not name.endswith("-bin")
        and not name.startswith("grpc-")
    )


def _timeout_s(environ: Mapping[str, str], signal: str, notices: list[str]) -> float:
    """Read a timeout: seconds, as OpenTelemetry for Python has it; from 1,000 on milliseconds, as specified."""
    variable, text = own_variable(environ, signal, "TIMEOUT")
    value = read_number(variable, text, 10.0, float, notices, unit=" s")
    return min(value / 1000 if value >= _LEAST_MILLISECONDS else value, _LONGEST_S)


def _is_compressed(environ: Mapping[str, str], signal: str, notices: list[str]) -> bool:
    variable, text = own_variable(environ, signal, "COMPRESSION")
    if text.lower() in {"", "none", "gzip"}:
        return text.lower() == "gzip"
    notices.append(unusable(variable, text, "it is neither gzip nor none", "Requests are not compressed."))
    return False


def _credential_provider(environ: Mapping[str, str], signal: str) -> str:
    general = "OTEL_PYTHON_EXPORTER_OTLP_GRPC_CREDENTIAL_PROVIDER"
    own = f"OTEL_PYTHON_EXPORTER_OTLP_GRPC_{signal.upper()}_CREDENTIAL_PROVIDER"
    return (environ.get(own) or environ.get(general) or "").strip()


def _proxy(environ: Mapping[str, str], address: Address, protocol: str) -> tuple[str, str]:
    """Return the proxy that requests go through, as it is shown and as a URL; empty where they go through none.

    Sources: gRPC, environment_variables.md, `http_proxy`; for HTTP what most clients do, as there is no standard.
    """
    if not address.host:
        return "", ""
    is_http = protocol == HTTP
    exempt = ("no_proxy", "NO_PROXY") if is_http else ("no_grpc_proxy", "no_proxy", "NO_PROXY")
    names = next((environ[name] for name in exempt if environ.get(name)), "")
    if any(_is_exempt(address, name, is_http=is_http) for name in names.split(",")):
        return "", ""
    variables: tuple[str, ...] = ("grpc_proxy", "https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY")
    if is_http:
        variables = ("http_proxy", "HTTP_PROXY") if address.is_plain else ("https_proxy", "HTTPS_PROXY")
        variables = (*variables, "all_proxy", "ALL_PROXY")
    for variable in variables:
        text = environ.get(variable, "").strip()
        if text:
            shown = re.sub(r"^(.*//)?(.*@)?", "", text)  # a password is nobody's to see
            return f"{shown} of {variable}", text if "://" in text else f"http://{text}"
    return "", ""


def _is_exempt(address: Address, name: str, *, is_http: bool) -> bool:
    name, host = name.strip().lstrip(".").lower(), address.host.lower()
    if not name:
        return False
    if not is_http:
        return host.endswith(name)
    return name in {"*", host, f"{host}:{address.port}"} or host.endswith(f".{name}")


def _read_numbers(environ: Mapping[str, str], plan: SendingPlan) -> None:
    def milliseconds(variable: str, default: float) -> float:
        value = read_number(variable, environ.get(variable, ""), default, float, plan.notices, unit=" ms")
        return min(max(value / 1000, _SHORTEST_S), _LONGEST_S)

    def count(variable: str, default: int) -> int:
        return int(read_number(variable, environ.get(variable, ""), default, int, plan.notices))

    plan.metric_interval_s = milliseconds("OTEL_METRIC_EXPORT_INTERVAL", 10_000)
    plan.delay_s = milliseconds("OTEL_BSP_SCHEDULE_DELAY", 1_000)
    plan.max_held = count("OTEL_BSP_MAX_QUEUE_SIZE", 0) or None
    plan.max_request = count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", plan.max_request)
    if not {"traces", "logs"}.isdisjoint(plan.destinations):
        plan.sampling = read_sampling(environ, plan.notices)
