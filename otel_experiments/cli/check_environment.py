"""The doctor's look at versions, settings and where telemetry is sent."""

from __future__ import annotations

import importlib.metadata
import platform
import socket
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from otel_experiments.cli.finding import Finding
from otel_experiments.record.settings import SETTINGS, Settings

_PACKAGES = (
    "otel-experiments", "opentelemetry-api", "opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-grpc", "protobuf",
)  # fmt: skip
_SIGNALS = ("TRACES", "METRICS", "LOGS")
_DEFAULT_PORTS = {"grpc": 4317, "http/protobuf": 4318, "http/json": 4318}
_CONNECT_TIMEOUT_S = 1.0


def check_versions() -> Iterator[Finding]:
    """Yield the versions that a bug report needs."""
    versions = []
    for package in _PACKAGES:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            yield Finding(
                "problem",
                "versions",
                f"{package} is not installed.",
                "pip install --force-reinstall otel-experiments",
            )
    yield Finding("ok", "versions", f"Python {platform.python_version()}, {', '.join(versions)}.")
    try:
        importlib.metadata.version("scikit-learn")
    except importlib.metadata.PackageNotFoundError:
        yield Finding(
            "note",
            "versions",
            "scikit-learn is not installed; only the demo needs it.",
            "pip install 'otel-experiments[demo]'",
        )


def check_settings(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what the settings in force mean for recording."""
    given = [
        f"{one.variable}={environ[one.variable]}" for one in SETTINGS.values() if environ.get(one.variable)
    ]
    yield Finding(
        "ok", "settings", f"From the environment: {', '.join(given)}." if given else "All defaults."
    )
    known = {one.variable for one in SETTINGS.values()}
    for name in environ:
        if name.startswith("OTEL_EXPERIMENTS_") and name not in known:
            yield Finding(
                "warning",
                "settings",
                f"{name} is not a setting of ours.",
                f"There are: {', '.join(sorted(known))}",
            )
    if not settings.enabled:
        yield Finding(
            "warning", "settings", "Recording is turned off.", f"unset {SETTINGS['enabled'].variable}"
        )
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        yield Finding(
            "warning",
            "settings",
            "OTEL_SDK_DISABLED=true turns spans and OTLP off.",
            "unset OTEL_SDK_DISABLED",
        )


def check_otlp(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield where OTLP goes, and whether anything listens there."""
    endpoints: dict[str, list[str]] = {}
    general = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    for signal in _SIGNALS:
        endpoint = environ.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT") or general
        if endpoint:
            endpoints.setdefault(endpoint, []).append(signal.lower())
    if not endpoints and not settings.otlp:
        yield Finding("ok", "otlp", "No endpoint is set: nothing leaves this machine.")
        return
    if settings.otlp is False:
        yield Finding("note", "otlp", "Endpoints are set, but OTEL_EXPERIMENTS_OTLP turns sending off.")
        return
    protocol = environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    for endpoint, signals in (endpoints or {"http://localhost:4317": ["traces", "metrics", "logs"]}).items():
        yield _check_endpoint(endpoint, protocol, ", ".join(signals))
    if protocol != "grpc" and protocol in _DEFAULT_PORTS:
        yield Finding(
            "warning", "otlp", f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol}, but OTLP over gRPC is what we send.",
            "Name the collector's gRPC port (usually 4317).",
        )  # fmt: skip


def _check_endpoint(endpoint: str, protocol: str, signals: str) -> Finding:
    parts = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
    try:
        host, port = parts.hostname, parts.port or _DEFAULT_PORTS.get(protocol, 4317)
    except ValueError as error:
        return Finding(
            "problem", "otlp", f"{endpoint!r} is not an endpoint: {error}.", "Write it as http://host:4317"
        )
    if not host:
        return Finding("problem", "otlp", f"{endpoint!r} names no host.", "Write it as http://host:4317")
    try:
        with socket.create_connection((host, port), timeout=_CONNECT_TIMEOUT_S):
            pass
    except OSError as error:
        return Finding(
            "warning",
            "otlp",
            f"Nothing answers at {host}:{port} ({error.strerror or error}), where {signals} would go.",
            "Runs are stored locally all the same. Start the collector, or unset OTEL_EXPORTER_OTLP_ENDPOINT.",
        )
    return Finding("ok", "otlp", f"{signals}: {host}:{port} answers.")
