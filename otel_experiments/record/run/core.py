"""What the parts of a run share, and the run as the other rooms of this package know it: they never see `Run`."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.trace import Span

from otel_experiments.model.run import RunState
from otel_experiments.record.base.current import RUN_KEY
from otel_experiments.record.base.gate import Gate
from otel_experiments.record.base.room import why_not_kept
from otel_experiments.record.base.sdk_locks import is_measuring
from otel_experiments.record.metrics.call_axis import CallAxis
from otel_experiments.record.metrics.instruments import OwnInstruments
from otel_experiments.record.metrics.points import PointRecorder
from otel_experiments.record.pipeline.pipeline import Pipeline
from otel_experiments.record.pipeline.providers import RunProviders
from otel_experiments.record.run.counters import Counters
from otel_experiments.record.run.identity import RunIdentity
from otel_experiments.record.run.pauses import Pauses
from otel_experiments.record.spans import scopes
from otel_experiments.record.spans.scopes import run_context
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv import metrics
from otel_experiments.semconv.definitions import MetricDef

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

    from otel_experiments.model.metric import SeriesKey
    from otel_experiments.record.base.guard import RunGuard
    from otel_experiments.record.base.written import Written
    from otel_experiments.record.pipeline.flush_report import FlushReport


class RunCore:
    """One run in this process: where it records to, its root span, and its counts.

    Attributes:
        parts: the `RunParts` made of this core.
        face: the `Run` that users have; the other rooms need neither class.
        identity: what `start_run` was given.
        state: the run's state as this process knows it; `RunLife` changes it.
        generation: how many forks lie between the first process of the program and the one that the run belongs to.
        otel_span, context: the run's span in this process, and the context in which it is current.
        log: `Run.log`, without a call between.
        axis: gives calls their steps where the run counts calls; None where each metric counts its points.
    """

    parts: Any = None  # a RunParts, which is made of this
    face: Any = None  # a Run, which is made of the parts

    def __init__(self, pipeline: Pipeline, identity: RunIdentity, providers: RunProviders) -> None:
        self.pipeline = pipeline
        self.guard: RunGuard = pipeline.guard.of_run(identity.run_id)
        self.id = identity.run_id
        self.name = identity.name
        self.experiment = identity.experiment
        self.identity = identity
        self.providers = providers
        self.gate: Gate = providers.gate
        self.tracer: Tracer = providers.tracer
        self.instruments = OwnInstruments(pipeline.wake)
        storage, past = pipeline.storage, identity.past
        source, until = identity.continues, past.rewinds.get(identity.attempt, math.inf)
        if past.fork is not None and identity.attempt == 1:
            until = past.fork.step
        highest = storage.highest_steps(source, until=until) if source and storage is not None else {}
        rank = cast("int", providers.resource.attributes.get(attr.ML_DISTRIBUTED_RANK, 0))
        self.points = PointRecorder(
            self.id, pipeline.journal, self.guard, highest, pipeline.clock,
            rank=rank, attempt=identity.attempt, gate=self.gate,
        )  # fmt: skip
        counts = identity.step_axis or pipeline.settings.step_axis
        self.axis = self._call_axis(highest) if counts == "call" else None
        self.log = self.points.log if self.axis is None else self.axis.log
        self.pauses = Pauses(pipeline.clock)
        self.counters = counters = Counters()
        self.count_started_span = counters.count_started  # a call less for each span
        self.count_ended_span = counters.count_ended
        self.state = RunState.PENDING
        self.generation = scopes.fork_generation
        self.otel_span: Span = trace.INVALID_SPAN
        self.context = context_api.get_current()
        self._stamped_ns = identity.not_before_ns
        self._collecting: set[int] = set()

    def _call_axis(self, highest: Mapping[SeriesKey, float]) -> CallAxis:
        return CallAxis(self.points, self.guard, max(filter(math.isfinite, highest.values()), default=-1.0))

    @property
    def is_inherited(self) -> bool:
        """Whether this process is a forked child and the run its parent's."""
        return self.generation != scopes.fork_generation

    @property
    def trace_size(self) -> tuple[int, int]:
        """How many spans ended in the run so far, and their bytes."""
        return self.counters.ended_spans, self.counters.trace_bytes

    def context_here(self) -> context_api.Context:
        """Return the caller's context when it is inside this run, else the run's own."""
        context = context_api.get_current()
        if context.get(RUN_KEY) is self:
            return context
        return trace.set_span_in_context(self.otel_span, run_context(self, context))

    def beat(self) -> None:
        """Give a sign of life."""
        self.parts.life.beat()

    def stamp_ns(self) -> int:
        """Return the time for what replaces what was written before: never earlier, though the clock is set back."""
        self._stamped_ns = now_ns = max(self.pipeline.clock(), self._stamped_ns + 1)
        return now_ns

    def keep(self, payload: bytes, things: str, count: int = 1) -> None:
        """Write to the journal; what it does not take is a loss of the run."""
        if not self.pipeline.journal.append(payload):
            self.guard.lost(*why_not_kept(self.pipeline.journal, things), count=count)

    def flush(self, timeout_s: float) -> FlushReport:
        """Wait until what was recorded is stored and exported; see `Run.flush`."""
        until = time.monotonic() + timeout_s
        self.points.behind.wait(timeout_s)
        return self.pipeline.flush(timeout_s=max(0.0, until - time.monotonic()), run_id=self.id)

    def write_event(
        self,
        event_name: str,
        body: object,
        attributes: Mapping[str, Any],
        *,
        time_ns: int | None = None,
        context: context_api.Context | None = None,
    ) -> None:
        """Write an event that holds no secrets; by default it is of now and of here."""
        is_kept = self.providers.events.write(
            event_name,
            time_ns=self.pipeline.clock() if time_ns is None else time_ns,
            context=self.context_here() if context is None else context,
            body=body,
            attributes=attributes,
        )
        if not is_kept:
            self.guard.lost(*why_not_kept(self.pipeline.journal, "Events"))

    def note_checkpoint(self, attributes: Mapping[str, Any], written: Written, size: int | None) -> str:
        """Record the event of a saved checkpoint; return the digest of its bytes, empty where it is not known yet."""
        digest: str = self.parts.checkpoints.note(attributes, written, size)
        return digest

    def record_duration(self, definition: MetricDef, span: Span) -> None:
        """Record how long a scope took, pauses left out, for live dashboards; without OTLP the span says it."""
        if self.pipeline.otlp is None or self.providers.is_in_child:
            return
        ended = cast("Any", span)
        paused_ns = self.pauses.of_attempt_ns if span is self.otel_span else 0
        found = ended.attributes
        self.instruments.tell(
            definition,
            max(0, ended.end_time - ended.start_time - paused_ns) / 1e9,
            {key: found[key] for key in definition.attributes if key in found},
        )

    def count_active(self, change: int) -> None:
        """Count this run among those that are on, for live dashboards; without OTLP the store says it."""
        if self.pipeline.otlp is not None and not self.providers.is_in_child:
            self.instruments.tell(metrics.ML_RUN_ACTIVE, change)

    def collect_metrics(self) -> None:
        """Collect the run's instruments."""
        caller = threading.get_ident()
        if self.pipeline.is_inherited or caller in self._collecting or is_measuring():
            return  # a forked child has no exporters of its own; the SDK's locks cannot be taken twice
        self._collecting.add(caller)
        try:
            with self.guard:
                if self.pipeline.otlp is not None:
                    _ = self.providers.meter_provider
                self._hand_over()
                reader = self.providers.reader
                if reader is not None:
                    reader.collect()
        finally:
            self._collecting.discard(caller)

    def hand_over_measurements(self) -> None:
        """Give the SDK's instruments what was measured; called where nothing of training waits for it."""
        caller = threading.get_ident()
        if caller in self._collecting:
            return  # as above; what waits is handed over next time
        self._collecting.add(caller)
        try:
            self._hand_over()
        finally:
            self._collecting.discard(caller)

    def _hand_over(self) -> None:
        if self.instruments.is_waiting:
            self.instruments.hand_over(self.providers.meter)

    def reset_in_child(self) -> None:
        """Replace the locks, which another thread of the parent may have held at the fork."""
        self.points.reset_in_child()
        self.instruments.reset_in_child()
        self._collecting = set()
        self.providers.reset_in_child()
