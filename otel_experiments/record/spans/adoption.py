"""Adopting the application's TracerProvider: third-party spans that start inside a run land in it.

A provider is adopted by its public `add_span_processor`, once for the life of the process, whoever set it and when:
before the first run, inside of one, or in the place of another. It stays as it was given to us: resource, sampler,
ids, exporters. What wraps an SDK provider is looked through. Nothing is installed (decision 0002).
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, cast

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider

from otel_experiments.codec.text import shown
from otel_experiments.process.fork import at_fork
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.lanes import current_lane, next_sequence
from otel_experiments.process.notice import tell
from otel_experiments.record.base.current import active_runs, find_run
from otel_experiments.record.base.guard import logger
from otel_experiments.record.base.otel_internals import global_provider
from otel_experiments.record.spans.processors import with_attributes
from otel_experiments.semconv import attributes as attr

if TYPE_CHECKING:
    from otel_experiments.record.base.ports import PipelinePort

_MAX_OPEN: Final = 65_536
_MAX_DEPTH: Final = 8
_WRAPPED: Final = ("__wrapped__", "wrapped", "provider", "tracer_provider", "delegate")
"""The public names under which a provider that wraps another one has it."""

_Stamp = dict[str, str | int]


class OwnTracerProvider(TracerProvider):
    """The provider of a run, which records by itself; it is not adopted where the user makes it the global one."""


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
_adopted: list[Callable[[], object]] = []
"""References to the providers that have the processor, weak where they can be."""
_seen: object = None
_seen_chain: list[object] = []
_is_wrapper = False
_lock = threading.RLock()


def look_again() -> None:
    """Adopt the global provider where it is another one than the last time. Never raises.

    Called at the start of every scope: for a provider that is no wrapper it is one comparison.
    """
    if global_provider() is _seen and not _is_wrapper:
        return
    try:
        _look(global_provider())
    except Exception as error:  # recording never raises into training code
        if is_interruption(error):
            raise
        tell(logger, "The global TracerProvider was not looked at: %r", error, level=logging.DEBUG)


def adopt_global_provider() -> None:
    """Adopt the global provider, also one that the environment names and nobody has asked for yet. Never raises."""
    try:
        trace.get_tracer_provider()
    except Exception as error:  # it is the application's to be told, when it asks
        if is_interruption(error):
            raise
        tell(logger, "There is no global TracerProvider: %r", error, level=logging.DEBUG)
    look_again()


def _look(outer: object) -> None:
    global _seen, _seen_chain, _is_wrapper
    with _lock:
        chain = list(_chain(outer))
        if outer is _seen and len(chain) == len(_seen_chain) and all(map(_is_same, chain, _seen_chain)):
            return
        _seen, _seen_chain, _is_wrapper = outer, chain, len(chain) > 1
        providers = [one for one in chain if issubclass(type(one), TracerProvider)]
        if not providers:  # one that is no SDK provider, and takes processors as if it were
            providers = [one for one in chain if callable(_get(one, "add_span_processor"))][:1]
        for provider in providers:
            if not isinstance(provider, OwnTracerProvider):
                _adopt(provider)


def _chain(outer: object) -> Iterator[object]:
    """Yield a provider and what it wraps, from outside to inside."""
    seen: list[object] = []
    waiting = [outer]
    while waiting and len(seen) < _MAX_DEPTH:
        one = waiting.pop()
        if one is None or any(one is before for before in seen) or not callable(_get(one, "get_tracer")):
            continue
        seen.append(one)
        yield one
        waiting.extend(_get(one, name) for name in reversed(_WRAPPED))


def _get(one: object, name: str) -> object:
    try:
        return getattr(one, name, None)
    except Exception as error:  # a foreign object may do anything
        if is_interruption(error):
            raise
        return None


def _is_same(left: object, right: object) -> bool:
    return left is right


def _adopt(provider: object) -> None:
    _adopted[:] = [refer for refer in _adopted if refer() is not None]
    if any(refer() is provider for refer in _adopted):
        return
    try:
        _adopted.append(weakref.ref(provider))
    except TypeError:
        _adopted.append(lambda: provider)
    try:
        cast("TracerProvider", provider).add_span_processor(_processor)
    except Exception as error:  # as in `_get`
        if is_interruption(error):
            raise
        tell(
            logger,
            "The application's TracerProvider (%s) takes no span processor (%r): its spans do not land in runs.",
            type(provider).__name__,
            error,
        )


def _reset_in_child() -> None:
    global _lock  # noqa: PLW0603 - another thread may have held it at the fork
    _lock = threading.RLock()


at_fork(after_in_child=_reset_in_child)
