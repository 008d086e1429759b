"""Adopting the application's TracerProvider: third-party spans that start inside a run land in it.

A provider is adopted by its public `add_span_processor` (`base/provider_watch.py` finds it). It stays as it was given
to us: resource, sampler, ids, exporters.
"""

from __future__ import annotations

import logging
import weakref
from typing import TYPE_CHECKING, Final

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider

from otel_experiments.codec.text import shown
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.lanes import current_lane, next_sequence
from otel_experiments.process.notice import tell
from otel_experiments.record.base.current import active_runs, find_run
from otel_experiments.record.base.guard import logger
from otel_experiments.record.base.otel_internals import tracer_provider_finder
from otel_experiments.record.base.provider_watch import ProviderKind
from otel_experiments.record.spans.processors import with_attributes
from otel_experiments.semconv import attributes as attr

if TYPE_CHECKING:
    from otel_experiments.record.base.ports import PipelinePort

_MAX_OPEN: Final = 65_536

_Stamp = dict[str, str | int]


class AdoptingSpanProcessor(SpanProcessor):
    """Sits on the application's provider and brings into the run what starts while a run is current.

    It stamps run, lane and sequence at the start, so a span belongs to the run that was current when it started,
    and hands the ended span on to the journal of that run. The stamp is kept here as well: the application's limit
    on attributes drops the oldest ones first. Other spans are left alone. It holds no pipeline: a provider outlives
    `configure()` and `shutdown()`, and can give no processor back.
    """

    def __init__(self) -> None:
        self._stamps: dict[tuple[int, int], tuple[_Stamp, weakref.ref[PipelinePort]]] = {}

    def on_start(self, span: Span, parent_context: context_api.Context | None = None) -> None:
        """Stamp a span that starts inside a run."""
        run = None
        try:
            context = span.get_span_context()
            # A processor that is called in a thread of its own is told no context, and knows the run by its trace.
            run = find_run(parent_context) or (
                active_runs.get(trace.format_trace_id(context.trace_id)) if active_runs else None
            )
            if run is None or not run.pipeline.has_telemetry:
                return
            if run.gate.is_closed:
                run.gate.refuse("span")
                return
            key = (context.trace_id, context.span_id)
            if key in self._stamps:  # two providers share their processors
                return
            stamp: _Stamp = {
                attr.ML_RUN_ID: run.id,
                attr.ML_SPAN_LANE: current_lane(),
                attr.ML_SPAN_SEQUENCE: next_sequence(),
            }
            self._stamps[key] = (stamp, weakref.ref(run.pipeline))
            while len(self._stamps) > _MAX_OPEN:  # spans that are never ended
                self._stamps.pop(next(iter(self._stamps)), None)
            span.set_attributes(stamp)
        except Exception as error:  # a processor's exception would reach user code
            if is_interruption(error):
                raise
            self._tell(
                run.pipeline if run is not None else None, run.id if run is not None else "", span, error
            )

    def on_end(self, span: ReadableSpan) -> None:
        """Hand on a span that belongs to a run."""
        pipeline, run_id = None, ""
        try:
            if not self._stamps:
                return
            context = span.get_span_context()
            found = self._stamps.pop((context.trace_id, context.span_id), None) if context else None
            if found is None:
                return
            stamp, pipeline = found[0], found[1]()
            run_id = str(stamp[attr.ML_RUN_ID])
            if pipeline is not None:
                kept = span.attributes or {}
                is_whole = stamp.keys() <= kept.keys()
                pipeline.journal_processor.on_end(
                    span if is_whole else with_attributes(span, {**stamp, **kept})
                )
        except Exception as error:  # as above
            if is_interruption(error):
                raise
            self._tell(pipeline, run_id, span, error)

    @staticmethod
    def _tell(pipeline: PipelinePort | None, run_id: str, span: ReadableSpan, error: Exception) -> None:
        name = getattr(span, "name", "")
        if pipeline is None:
            tell(
                logger,
                "The span %r of another library was not looked at: %r",
                name,
                error,
                level=logging.DEBUG,
            )
            return
        pipeline.guard.lost(
            "foreign span",
            lambda: f"Span {shown(name)} was not adopted: {error!r}",
            name=str(name),
            run_id=run_id,
            error=error,
        )

    def shutdown(self) -> None:
        """Do nothing: what was recorded is not the application's to close."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002 - the SDK's interface
        """Say that all is written: it was, before `end()` returned."""
        return True


_processor: Final = AdoptingSpanProcessor()


def _adopt(provider: TracerProvider) -> None:
    provider.add_span_processor(_processor)


PROVIDERS: Final = ProviderKind(
    name="TracerProvider",
    items="spans",
    added="span processor",
    variable="OTEL_PYTHON_TRACER_PROVIDER",
    getter="get_tracer",
    adder="add_span_processor",
    finder=tracer_provider_finder,
    ask=trace.get_tracer_provider,
    sdk_class=lambda: TracerProvider,
    adopt=_adopt,
)
"""What finds and adopts them."""
