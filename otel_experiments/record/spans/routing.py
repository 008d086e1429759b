"""A global TracerProvider that sends each span to the run that is current when it starts.

Installed only on request (`configure(set_global=True)`), and only when the application has set none: third-party
instrumentation then lands inside the run without any set-up of its own. Outside of a run its spans go nowhere.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from opentelemetry import trace
from opentelemetry.trace import NoOpTracer, Span, SpanKind, Tracer, TracerProvider

from otel_experiments.process.notice import tell
from otel_experiments.record.base.current import find_run
from otel_experiments.record.base.guard import logger
from otel_experiments.record.base.otel_internals import agnostic_context_manager
from otel_experiments.record.base.provider_watch import adopt_global_providers
from otel_experiments.record.base.sound_environment import sound_environment

if TYPE_CHECKING:
    from otel_experiments.record.base.ports import RunPort


class RoutingTracerProvider(TracerProvider):
    """Hands out tracers that look for the current run at each span."""

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Any = None,
    ) -> Tracer:
        """Return a tracer for the library."""
        return _RoutingTracer(
            instrumenting_module_name, instrumenting_library_version, schema_url, attributes
        )


class _RoutingTracer(Tracer):
    def __init__(self, *library: Any) -> None:
        self._library = library
        self._idle = NoOpTracer()
        self._tracers: WeakKeyDictionary[RunPort, Tracer] = WeakKeyDictionary()

    def _tracer(self, run: RunPort) -> Tracer:
        found = self._tracers.get(run)
        if found is None:
            found = self._tracers[run] = run.providers.get_tracer(*self._library)
        return found

    def start_span(self, name: str, context: Any = None, *args: Any, **kwargs: Any) -> Span:
        """Start a span of the current run."""
        run = find_run(context)
        if run is None:
            return self._idle.start_span(name, context, *args, **kwargs)
        if context is None:
            context = run.context_here()
        return self._tracer(run).start_span(name, context, *args, **kwargs)

    @agnostic_context_manager
    def start_as_current_span(  # noqa: PLR0913, PLR0917 - the API's signature
        self,
        name: str,
        context: Any = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Any = None,
        links: Any = None,
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: FBT001, FBT002 - the API's signature
        set_status_on_exception: bool = True,  # noqa: FBT001, FBT002 - as above
        end_on_exit: bool = True,  # noqa: FBT001, FBT002 - as above
    ) -> Iterator[Span]:
        """Start a span of the current run and make it current."""
        span = self.start_span(
            name, context, kind, attributes, links, start_time, record_exception, set_status_on_exception
        )
        with trace.use_span(span, end_on_exit, record_exception, set_status_on_exception) as current:
            yield current


def install_global_provider() -> None:
    """Install the routing provider, unless the application has a provider: that one is adopted as it is."""
    with sound_environment():
        provider = trace.get_tracer_provider()
    if isinstance(provider, RoutingTracerProvider):
        return
    if isinstance(provider, trace.ProxyTracerProvider):
        trace.set_tracer_provider(RoutingTracerProvider())
    else:
        tell(
            logger,
            "The application has a global TracerProvider; it stays, and spans inside a run are adopted.",
            level=logging.INFO,
        )
        adopt_global_providers()
