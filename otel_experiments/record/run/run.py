"""A run: one execution of an experiment, from its start to its end."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar, cast

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.trace import Span

from otel_experiments.journal import encode
from otel_experiments.model import run as model
from otel_experiments.model.run import ParamValue, RunState, check_transition
from otel_experiments.process.bytecode import begins_uninterrupted
from otel_experiments.process.fork import at_fork
from otel_experiments.process.lanes import LaneClock
from otel_experiments.record.base import propagation
from otel_experiments.record.base.current import RUN_KEY, active_runs, detach, ended_inside
from otel_experiments.record.base.gate import Gate
from otel_experiments.record.metrics.instruments import OwnInstruments
from otel_experiments.record.metrics.points import PointRecorder
from otel_experiments.record.params.config import Config
from otel_experiments.record.params.flatten import attribute_of_param
from otel_experiments.record.pipeline.pipeline import FlushReport, Pipeline
from otel_experiments.record.pipeline.providers import RunProviders
from otel_experiments.record.run.counters import Counters
from otel_experiments.record.run.endings import ending_of
from otel_experiments.record.run.identity import RunIdentity
from otel_experiments.record.run.life import RunLife
from otel_experiments.record.run.pauses import Pauses
from otel_experiments.record.run.recording import Recording
from otel_experiments.record.run.states import States, WrittenStates
from otel_experiments.record.run.work import Work
from otel_experiments.record.spans import loops
from otel_experiments.record.spans.scopes import place_of, run_context
from otel_experiments.record.system.host_load import HostLoadClock
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv import events, values
from otel_experiments.semconv.definitions import MetricDef

if TYPE_CHECKING:
    from typing import Self

    from opentelemetry.trace import Tracer

    from otel_experiments.record.base.guard import RunGuard

Item = TypeVar("Item")
MAX_HYPERPARAMETERS = 100
"""How many params the run span carries as attributes; all of them are in the event with the config."""


class _Given(NamedTuple):
    """The params and tags that a run starts with, without secrets."""

    params: Mapping[str, ParamValue]
    tags: Mapping[str, str | None]


class Run(RunLife, Work):
    """One execution of an experiment. Made by `start_run`, `init` or the decorator `run`.

    Used with `with`, it ends by itself: succeeded, failed with the exception that left the body, or cancelled
    by KeyboardInterrupt or SIGTERM. Used as an object, `finish()` ends it. None of its methods that record ever
    raises into training code: what cannot be recorded is counted and told once.

    Attributes:
        id: the run's id, 32 hex digits; it is the trace id of the run's root trace.
        name, experiment: as given or made up.
        config: the params with attribute access, `run.config.optimizer.lr`.
        tracer: makes spans inside the run.
    """

    def __init__(self, pipeline: Pipeline, identity: RunIdentity, providers: RunProviders) -> None:
        self.pipeline = pipeline
        self.guard: RunGuard = pipeline.guard.of_run(identity.run_id)
        self.id = identity.run_id
        self.name = identity.name
        self.experiment = identity.experiment
        self.providers = providers
        self.tracer: Tracer = providers.tracer
        self._config = Config(self, identity.params)
        self._identity = identity
        self._attempt = identity.attempt
        super().__init__()
        self._created_ns: int | None = None
        self._due_ns: int | None = None  # when a start began whose record is not written
        self._stamped_ns = identity.not_before_ns
        self._pid = os.getpid()
        highest = pipeline.storage.highest_steps(self.id) if identity.attempt > 1 and pipeline.storage else {}
        rank = cast("int", providers.resource.attributes.get(attr.ML_DISTRIBUTED_RANK, 0))
        self.instruments = OwnInstruments(pipeline.wake)
        self._collecting: set[int] = set()
        self.gate: Gate = providers.gate
        self._points = PointRecorder(
            self.id, pipeline.journal, self.guard, highest, pipeline.clock, rank=rank, gate=self.gate
        )
        if type(self).log is Recording.log:  # the hot path: a call less
            self.log = self._points.log  # type: ignore[method-assign] # the same signature
        self._pauses = Pauses(pipeline.clock)
        self._counters = counters = Counters()
        self.count_started_span = counters.count_started  # a call less for each span
        self.count_ended_span = counters.count_ended
        self._states: States = WrittenStates(pipeline.journal)
        self._token: object | None = None
        self._lane_clock: LaneClock | None = None
        self._host_load_clock: HostLoadClock | None = None
        self.otel_span: Span = trace.INVALID_SPAN
        self._context = context_api.get_current()
        self.loops = loops.Loops(self)

    def announce(self) -> Self:
        """Write the run down as pending: it is known, and has not started. `start_run(pending=True)` has done it."""
        with self.guard:
            given = self._given()
            self._due_ns = self._stamp_ns()
            self._write_record(given, started_ns=None)
            self.pipeline.wake()
        return self

    def start(self, *, links: Sequence[trace.Link] = ()) -> Self:
        """Write the run's record, open its root span and make it active. `start_run` has done it already.

        Raises:
            IllegalTransitionError: the run has started before.
        """
        check_transition(self.id, self._state, RunState.RUNNING)
        given = _Given({}, {})
        with self.guard:
            self._host_load_clock = HostLoadClock()
            self._lane_clock = LaneClock()
            given = self._given()
            now_ns = self._stamp_ns()
            root_context = context_api.Context()
            self._due_ns = now_ns
            self.otel_span = self.tracer.start_span(
                f"run {self.experiment}",
                root_context,
                attributes=self._span_attributes(given),
                links=links,
                start_time=now_ns,
            )
            self._counters.started_spans += 1
            self._context = trace.set_span_in_context(self.otel_span, run_context(self, root_context))
            self._set_state(RunState.RUNNING, is_announced=False)
            if self._identity.first_started_ns is not None:
                self._pauses.start_after(now_ns - self._identity.first_started_ns - self._identity.worked_ns)
            self._write_record(given, started_ns=now_ns)
            self._due_ns = None
        if not self.pipeline.settings.enabled:
            self._take_nothing()
            return self
        active_runs[self.id] = self
        self.pipeline.admit(self)
        if given.params:
            with self.guard:
                name = events.ML_RUN_CONFIG.name
                body = self.pipeline.redactor.value("", given.params, f"body of event {name!r}")
                self._write_event(name, body, {})
        return self

    def _given(self) -> _Given:
        """Return params and tags as they are written down, in the record, the root span and the run's first event."""
        redactor, identity = self.pipeline.redactor, self._identity
        return _Given(redactor.mapping(identity.params, "param"), redactor.mapping(identity.tags, "tag"))

    def _write_record(self, given: _Given, *, started_ns: int | None) -> None:
        identity, journal = self._identity, self.pipeline.journal
        now_ns = started_ns or self._stamp_ns()
        self._owner = journal.owner
        context = self.otel_span.get_span_context()
        if self._created_ns is None:
            self._created_ns = now_ns
            if given.params:
                self._keep(encode.encode_params(self.id, given.params, now_ns), "Params", len(given.params))
            if given.tags:
                self._keep(encode.encode_tags(self.id, given.tags, now_ns), "Tags", len(given.tags))
        record = model.Run(
            run_id=self.id,
            experiment=self.experiment,
            name=self.name,
            state=self._state,
            created_ns=self._created_ns,
            started_ns=started_ns and (identity.first_started_ns or started_ns),
            paused_total_ns=self._pauses.settled_ns,
            heartbeat_ns=now_ns,
            owner=self._owner,
            parent_run_id=identity.parent_run_id,
            attempt=identity.attempt,
            root_span_id=trace.format_span_id(context.span_id) if context.is_valid else None,
            resource=cast("Mapping[str, object]", dict(self.providers.resource.attributes)),
            **asdict(identity.facts),
        )
        journal.append(encode.encode_run(record))

    def environment(self) -> dict[str, str]:
        """Return the environment variables with which another process joins this run; sets none of them.

        `subprocess.run(command, env={**os.environ, **run.environment()})`, or `worker_init` in a pool. What the
        process records goes into this run, its spans under the span that is current here.

        Raises:
            ConfigurationError: the run is kept in memory, where no other process finds it.
        """
        return propagation.environment_of(self)

    def flush(self, *, timeout_s: float = 5.0) -> FlushReport:
        """Wait until what was recorded is stored and exported; the report says how far that went."""
        return self.pipeline.flush(timeout_s=timeout_s)

    def __enter__(self) -> Self:
        if self._state is RunState.PENDING:
            self.start()
        here = context_api.get_current()
        try:
            self._token = context_api.attach(self._context)
        except BaseException as error:  # a signal handler's: `with` calls no `__exit__` then
            self._token = None
            if context_api.get_current() is not here:
                context_api.attach(here)
            self.abandon(error)
            raise
        self.is_in_block = True
        return self

    def abandon(self, error: BaseException) -> None:
        """End a run whose start an exception cut short, so that no caller has it; what is not written yet is never known."""
        if self._due_ns is not None:
            if self._state is RunState.PENDING:
                self._set_state(RunState.RUNNING, is_announced=False)
            with self.guard:
                self._write_record(self._given(), started_ns=self._due_ns)
        if self._state is not RunState.PENDING:
            self._end(ending_of(error), is_awaited=False)

    @begins_uninterrupted
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        try:
            self._leave_block(error)
        except BaseException:  # a signal handler's, Ctrl-C say: the run ends, and then that goes on
            self._leave_block(error)
            raise
        return False

    def _leave_block(self, error: BaseException | None) -> None:
        self.is_in_block = False
        ended_inside.discard(self.id)
        try:
            if self._token is not None and not self.is_inherited:
                detach(self._token)
            self._token = None
        finally:
            with self.guard:
                self._end(ending_of(error, self._noted_signal), is_awaited=False)

    def stay(self) -> Self:
        """Make the run current in the caller's context until it ends, without `with`: what `init` does."""
        self.__enter__()
        self.is_in_block = False
        return self

    def _span_attributes(self, given: _Given) -> dict[str, Any]:
        identity = self._identity
        from otel_experiments.process.lanes import current_lane, next_sequence  # noqa: PLC0415 - beside its use

        attributes: dict[str, Any] = {
            attr.ML_OPERATION_NAME: values.MlOperationName.RUN,
            attr.ML_SPAN_LANE: current_lane(),
            attr.ML_SPAN_SEQUENCE: next_sequence(),
        }
        if identity.seed is not None:
            attributes[attr.ML_RANDOM_SEED] = identity.seed
        for key, value in itertools.islice(given.params.items(), MAX_HYPERPARAMETERS):
            if value is not None:
                attributes[f"{attr.ML_HYPERPARAMETER}.{key}"] = attribute_of_param(value)
        for key, tag in itertools.islice(given.tags.items(), MAX_HYPERPARAMETERS):
            attributes[f"{attr.ML_RUN_TAG}.{key}"] = (tag or "")[:1000]
        return attributes

    def context_here(self) -> context_api.Context:
        """Return the caller's context when it is inside this run, else the run's own."""
        context = context_api.get_current()
        if context.get(RUN_KEY) is self:
            return context
        return trace.set_span_in_context(self.otel_span, run_context(self, context))

    @property
    def trace_size(self) -> tuple[int, int]:
        """How many spans ended in the run so far, and their bytes."""
        return self._counters.ended_spans, self._counters.trace_bytes

    def take_step_index(self, caller: object) -> int:
        """Return the number of the next call of a function decorated with `step`, from 0 on."""
        return self._counters.next_step(caller)

    def record_duration(self, definition: MetricDef, span: Span) -> None:
        """Record how long a scope took, pauses left out, for live dashboards; without OTLP the span says it."""
        if self.pipeline.otlp is None or self.providers.is_in_child:
            return
        ended = cast("Any", span)
        paused_ns = self._pauses.of_attempt_ns if span is self.otel_span else 0
        found = ended.attributes
        self.instruments.tell(
            definition,
            max(0, ended.end_time - ended.start_time - paused_ns) / 1e9,
            {key: found[key] for key in definition.attributes if key in found},
        )

    def note_checkpoint(self, attributes: Mapping[str, Any], path: str, size: int | None) -> None:
        """Record the event of a saved checkpoint."""
        if attributes.get(attr.ML_OPERATION_NAME) != values.MlOperationName.SAVE_CHECKPOINT:
            return
        found = {attr.ML_CHECKPOINT_NAME: attributes[attr.ML_CHECKPOINT_NAME], attr.ML_CHECKPOINT_URI: path}
        place = {**place_of(context_api.get_current()), **attributes}
        found |= {key: place[key] for key in (attr.ML_EPOCH_INDEX, attr.ML_STEP_INDEX) if key in place}
        if size is not None:
            found[attr.ML_CHECKPOINT_SIZE] = size
        self.emit(events.ML_CHECKPOINT_SAVED.name, None, found)

    def collect_metrics(self) -> None:
        """Collect the run's instruments."""
        caller = threading.get_ident()
        if self.pipeline.is_inherited or caller in self._collecting:
            return  # a forked child has no exporters of its own; the SDK's locks cannot be taken twice
        self._collecting.add(caller)
        try:
            with self.guard:
                if self.pipeline.otlp is not None:
                    _ = self.providers.meter_provider
                self.hand_over_measurements()
                reader = self.providers.reader
                if reader is not None:
                    reader.collect()
        finally:
            self._collecting.discard(caller)

    def hand_over_measurements(self) -> None:
        """Give the SDK's instruments what was measured; called where nothing of training waits for it."""
        if self.instruments.is_waiting:
            self.instruments.hand_over(self.providers.meter)

    def reset_in_child(self) -> None:
        """Replace the locks, which another thread of the parent may have held at the fork."""
        self._lock = threading.RLock()
        self.pipeline.journal.call_on_roll(self.take_over)  # now and then, as a daemon does its first work
        self._points.reset_in_child()
        self.instruments.reset_in_child()
        self.loops.reset_in_child()
        self._collecting = set()
        self.providers.reset_in_child()


def _reset_runs_in_child() -> None:
    for run in active_runs.values():
        run.reset_in_child()


at_fork(after_in_child=_reset_runs_in_child)
