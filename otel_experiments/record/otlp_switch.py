"""Whether OTLP is on; apart from `otlp`, whose exporters take long to import."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_ENDPOINT_VARIABLES: Final = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
)


def is_wanted(setting: bool | None, environ: Mapping[str, str]) -> bool:  # noqa: FBT001 - the setting itself
    """Tell whether OTLP is on: when the setting says so, else when an endpoint is set."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if setting is not None:
        return setting
    return any(environ.get(variable) for variable in _ENDPOINT_VARIABLES)
