"""A global TracerProvider that sends each span to the run that is current when it starts.

Installed only on request (`configure(set_global=True)`), and only when the application has set none: third-party
instrumentation then lands inside the run without any set-up of its own. Outside of a run its spans go nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import NoOpTracer, Span, Tracer, TracerProvider

from otel_experiments.record.current import find_run
from otel_experiments.record.guard import logger
from otel_experiments.record.pipeline import Pipeline


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
        self._tracers: dict[str, Tracer] = {}

    def _tracer(self) -> Tracer:
        run = find_run()
        if run is None:
            return self._idle
        found = self._tracers.get(run.id)
        if found is None:
            if len(self._tracers) > 64:
                self._tracers.clear()
            found = self._tracers[run.id] = run.providers.get_tracer(*self._library)
        return found

    def start_span(self, name: str, context: Any = None, *args: Any, **kwargs: Any) -> Span:
        """Start a span of the current run."""
        run = find_run()
        if run is not None and context is None:
            context = run.context_here()
        return self._tracer().start_span(name, context, *args, **kwargs)

    @contextmanager
    def start_as_current_span(  # type: ignore[override] # the API's own return type is private
        self, name: str, *args: Any, **kwargs: Any
    ) -> Iterator[Span]:
        """Start a span of the current run and make it current."""
        end_on_exit = kwargs.pop("end_on_exit", True)
        span = self.start_span(name, *args, **kwargs)
        with trace.use_span(
            span,
            end_on_exit=end_on_exit,
            record_exception=kwargs.get("record_exception", True),
            set_status_on_exception=kwargs.get("set_status_on_exception", True),
        ) as current:
            yield current


def install_global_provider(pipeline: Pipeline) -> None:
    """Install the routing provider, unless the application has a provider: that one is adopted as it is."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, RoutingTracerProvider):
        return
    if isinstance(provider, trace.ProxyTracerProvider):
        trace.set_tracer_provider(RoutingTracerProvider())
    else:
        logger.info(
            "The application has a global TracerProvider; it stays, and spans inside a run are adopted."
        )
        pipeline.adopt_global_provider()
