"""The chunk traces that long runs are cut into.

Tempo drops what goes beyond 5 MB of one trace, and Jaeger chokes on it. So when a run's trace has
nearly `MAX_TRACE_SPANS` spans or `MAX_TRACE_BYTES`, further step and batch spans go to chunk traces of that size: each
has a root span linked to the run span, and the run span is linked to it. The root says which step came first in it, and which
last. A chunk closes at the first step or batch after
`MAX_CHUNK_S` too, so that its root arrives. Short runs are one trace.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any, Final, Protocol, TypeVar, cast

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.trace import Link, Span

from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.lanes import current_lane, next_sequence
from otel_experiments.record.spans.scoped_run import ScopedRun
from otel_experiments.record.spans.scopes import Scope, run_context
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv import values
from otel_experiments.semconv.definitions import MetricDef

Item = TypeVar("Item")
MAX_TRACE_SPANS: Final = 10_000
MAX_TRACE_BYTES: Final = 3_000_000
MAX_CHUNK_S: Final = 3600.0
_ROOM: Final = 20
"""A twentieth of a trace is kept for roots, epochs, evaluations, and what is open in other threads when it is cut."""


class LoopedRun(ScopedRun, Protocol):
    """What chunk traces need of their run."""

    @property
    def trace_size(self) -> tuple[int, int]:
        """How many spans ended in the run so far, and their bytes."""
        ...

    @property
    def is_inherited(self) -> bool:
        """Whether this process is a forked child and the run its parent's."""
        ...


def counted(items: int | Iterable[Item]) -> Iterable[Item]:
    """Return `items`, or the numbers below it where it is one, of whatever library."""
    try:
        return cast("Iterable[Item]", range(operator.index(cast("int", items))))
    except TypeError as error:
        if is_interruption(error):
            raise
        return cast("Iterable[Item]", items)


class Loops:
    """The chunk traces of one run."""

    def __init__(self, run: LoopedRun) -> None:
        self._run = run
        self._chunk: Span | None = None
        self._chunk_index = 0
        self._chunk_from = (0, 0)
        self._chunk_due_ns = 0
        self._last_step: int | None = None

    def chunked(self, name: str, attributes: dict[str, Any], duration: MetricDef | None) -> Scope:
        """Return the scope of a step or batch: in the run's trace, or in the present chunk trace."""
        run = self._run
        if run.gate.is_closed:
            return Scope(run, name, attributes, duration=duration)
        spans, size = run.trace_size
        since_spans, since_bytes = spans - self._chunk_from[0], size - self._chunk_from[1]
        if (
            since_spans >= MAX_TRACE_SPANS - MAX_TRACE_SPANS // _ROOM
            or since_bytes >= MAX_TRACE_BYTES - MAX_TRACE_BYTES // _ROOM
            or (self._chunk is not None and run.pipeline.clock() >= self._chunk_due_ns)
        ):
            self._open_chunk(spans, size, attributes.get(attr.ML_STEP_INDEX))
        if self._chunk is None:
            return Scope(run, name, attributes, duration=duration)
        step = attributes.get(attr.ML_STEP_INDEX)
        if type(step) is int:
            self._last_step = step
        context = run.context_here()
        enclosing = trace.get_current_span(context).get_span_context()
        chunk_id = self._chunk.get_span_context().trace_id
        if enclosing.trace_id == chunk_id:
            return Scope(run, name, attributes, duration=duration)
        parent = trace.set_span_in_context(self._chunk, context)
        return Scope(run, name, attributes, duration=duration, parent=parent, links=(Link(enclosing),))

    def close(self) -> None:
        """End the present chunk."""
        if self._chunk is not None:
            if self._last_step is not None:
                self._chunk.set_attribute(attr.ML_TRACE_CHUNK_LAST_STEP, self._last_step)
            self._chunk.end(self._run.pipeline.clock())
            self._chunk = None

    def reset_in_child(self) -> None:
        """Leave the present chunk to the parent, whose span it is."""
        self._chunk = None
        self._chunk_from = self._run.trace_size

    def _open_chunk(self, spans: int, size: int, step: object) -> None:
        run = self._run
        self.close()
        self._last_step = None
        self._chunk_from = (spans, size)
        now_ns = run.pipeline.clock()
        self._chunk_due_ns = now_ns + round(MAX_CHUNK_S * 1e9)
        attributes: dict[str, Any] = {
            attr.ML_OPERATION_NAME: values.MlOperationName.TRACE,
            attr.ML_TRACE_CHUNK_INDEX: self._chunk_index,
            attr.ML_SPAN_LANE: current_lane(),
            attr.ML_SPAN_SEQUENCE: next_sequence(),
        }
        if type(step) is int:
            attributes[attr.ML_TRACE_CHUNK_FIRST_STEP] = step
        self._chunk = run.tracer.start_span(
            f"chunk {run.experiment}",
            run_context(run, context_api.Context()),
            attributes=attributes,
            links=(Link(run.otel_span.get_span_context()),),
            start_time=now_ns,
        )
        run.count_started_span()
        if not run.is_inherited:  # else the run's span is the parent's
            run.otel_span.add_link(
                self._chunk.get_span_context(), {attr.ML_TRACE_CHUNK_INDEX: self._chunk_index}
            )
        self._chunk_index += 1
