"""The one module that uses private names of OpenTelemetry; each has a public way round, in case it goes."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import partial
from typing import Final

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import get_meter_provider
from opentelemetry.util._decorator import _agnosticcontextmanager

agnostic_context_manager = _agnosticcontextmanager
"""The SDK's own: what it returns decorates functions and coroutine functions, too."""

_SUPPRESSED: Final[str | None] = vars(context_api).get("_SUPPRESS_INSTRUMENTATION_KEY")


def is_instrumentation_suppressed(context: Context) -> bool:
    """Tell whether the code that runs in this context is telemetry's own, such as an exporter that sends."""
    return _SUPPRESSED is not None and bool(context.get(_SUPPRESSED))


def without_instrumentation() -> Context:
    """Return the current context, in which instrumentation of libraries makes no spans.

    It is the current one itself where the API has no key for that any more.
    """
    here = context_api.get_current()
    return here if _SUPPRESSED is None else context_api.set_value(_SUPPRESSED, True, here)


def tracer_provider_finder() -> Callable[[], object]:
    """Return a function that returns the global TracerProvider; None where none has been set.

    It takes a tenth of the time of asking the API, which looks at the environment where none is set: longer than the
    start of a span may take.
    """
    return _finder("opentelemetry.trace", "_TRACER_PROVIDER", _ask_for_tracer_provider)


def meter_provider_finder() -> Callable[[], object]:
    """Return a function that returns the global MeterProvider; None where none has been set."""
    return _finder("opentelemetry.metrics._internal", "_METER_PROVIDER", get_meter_provider)


def logger_provider_finder() -> Callable[[], object]:
    """Return a function that returns the global LoggerProvider; None where none has been set.

    Nobody has set one where the API of logs is not imported: until then it returns None, and the module afterwards.
    """
    return _finder("opentelemetry._logs._internal", "_LOGGER_PROVIDER", _ask_for_logger_provider)


def _finder(module: str, name: str, ask: Callable[[], object]) -> Callable[[], object]:
    found = sys.modules.get(module)
    if found is None and module.rpartition(".")[0] not in sys.modules:
        return partial(sys.modules.get, module)
    names = {} if found is None else vars(found)
    return partial(names.get, name) if name in names else ask


def _ask_for_tracer_provider() -> object:
    found = trace.get_tracer_provider()
    return None if isinstance(found, trace.ProxyTracerProvider) else found


def _ask_for_logger_provider() -> object:
    return importlib.import_module("opentelemetry._logs").get_logger_provider()


def sdk_gauge_class() -> type | None:
    """Return the SDK's class of synchronous gauges, which has no public name; None where it is gone."""
    found = vars(sys.modules["opentelemetry.sdk.metrics"]).get("_Gauge")
    return found if isinstance(found, type) else None
