"""The instrumentation scope under which this package records: its name, its version, its schema."""

from __future__ import annotations

from functools import lru_cache
from importlib import metadata

from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_experiments.model.span import SCOPE_NAME, Scope
from otel_experiments.semconv import SCHEMA_URL


@lru_cache(maxsize=1)
def version() -> str:
    """Return the version of this package; `0` where it is not installed."""
    try:
        return metadata.version("otel-experiments")
    except metadata.PackageNotFoundError:
        return "0"


@lru_cache(maxsize=1)
def sdk_scope() -> InstrumentationScope:
    """Return the scope as the SDK has it."""
    return InstrumentationScope(SCOPE_NAME, version(), SCHEMA_URL)


@lru_cache(maxsize=1)
def stored_scope() -> Scope:
    """Return the scope as it is stored."""
    return Scope(SCOPE_NAME, version(), SCHEMA_URL)
