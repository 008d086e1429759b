"""The one module that uses private names of OpenTelemetry; each has a public way round, in case it goes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.util._decorator import _agnosticcontextmanager

agnostic_context_manager = _agnosticcontextmanager
"""The SDK's own: what it returns decorates functions and coroutine functions, too."""

_SUPPRESSED: Final[str | None] = vars(context_api).get("_SUPPRESS_INSTRUMENTATION_KEY")


def without_instrumentation() -> Context:
    """Return the current context, in which instrumentation of libraries makes no spans.

    It is the current one itself where the API has no key for that any more.
    """
    here = context_api.get_current()
    return here if _SUPPRESSED is None else context_api.set_value(_SUPPRESSED, True, here)


def _ask_the_api() -> object:
    found = trace.get_tracer_provider()
    return None if isinstance(found, trace.ProxyTracerProvider) else found


def _reader_of(names: dict[str, object], name: str, ask: Callable[[], object]) -> Callable[[], object]:
    return partial(names.get, name) if name in names else ask


global_tracer_provider: Final = _reader_of(vars(trace), "_TRACER_PROVIDER", _ask_the_api)
"""Returns the global TracerProvider; None where none has been set. Takes a tenth of the time of asking the API.

Where none is set the API looks at the environment, which takes longer than the start of a span may.
"""
