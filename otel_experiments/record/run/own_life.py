"""The life cycle of a run in the process that started it: the run's record, its root span, states and heartbeats."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.trace import Status, StatusCode

from otel_experiments.journal import encode
from otel_experiments.journal.owner import is_alive
from otel_experiments.model import run as model
from otel_experiments.model.run import Owner, ParamValue, RunState
from otel_experiments.process.lanes import LaneClock, current_lane, next_sequence
from otel_experiments.record.base.propagation import links_of_start
from otel_experiments.record.params.flatten import attribute_of_param
from otel_experiments.record.run.announcement import Announcement
from otel_experiments.record.run.core import RunCore
from otel_experiments.record.run.endings import Ending
from otel_experiments.record.spans import scopes
from otel_experiments.record.spans.scopes import mark_failed, run_context
from otel_experiments.record.system.host_load import HostLoadClock
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv import events, metrics, values

if TYPE_CHECKING:
    from otel_experiments.model.batch import RunStateChange

MAX_HYPERPARAMETERS: Final = 100
"""How many params the run span carries as attributes; all of them are in the event with the config."""

RESULTS: Final[Mapping[RunState, values.MlRunResult]] = {
    RunState.SUCCEEDED: values.MlRunResult.SUCCESS,
    RunState.FAILED: values.MlRunResult.ERROR,
    RunState.CANCELLED: values.MlRunResult.CANCELLATION,
}


class _Given(NamedTuple):
    """The params and tags that a run starts with, without secrets."""

    params: Mapping[str, ParamValue]
    tags: Mapping[str, str | None]


class OwnLife:
    """The life cycle of a run that this process started. `after_end` is called when it has ended, if given."""

    is_owner = True

    def __init__(self, core: RunCore, *, after_end: Callable[[], None] | None = None) -> None:
        self._core = core
        self._call_after_end = after_end
        self._owner: Owner | None = None
        self._session_id = _session_id()
        self._announcement = Announcement(core)
        self._is_taken_over = False
        self._created_ns: int | None = None
        self._due_ns: int | None = None  # when a start began whose record is not written
        self._started = _Given({}, {})
        self._started_ns = 0
        self._lane_clock: LaneClock | None = None
        self._host_load_clock: HostLoadClock | None = None

    @property
    def new_owner(self) -> Owner | None:
        """The process that took the run over; None while it belongs to the one that started it."""
        return self._owner if self._is_taken_over else None

    def announce(self) -> None:
        """Write the run down as pending: it is known, and has not started."""
        core = self._core
        with core.guard:
            given = self._given()
            self._due_ns = core.stamp_ns()
            self._write_record(given, started_ns=None)
            core.pipeline.wake()

    def open_span(self, links: Sequence[trace.Link]) -> None:
        """Open the run's root span."""
        core = self._core
        self._host_load_clock = HostLoadClock()
        self._lane_clock = LaneClock()
        self._started = self._given()
        now_ns = core.stamp_ns()
        root_context = context_api.Context()
        self._due_ns = now_ns
        core.otel_span = core.tracer.start_span(
            f"run {core.experiment}",
            root_context,
            attributes=self._span_attributes(self._started),
            links=(*links, *links_of_start(os.environ, run_id=core.id)),
            start_time=now_ns,
        )
        core.counters.started_spans += 1
        core.context = trace.set_span_in_context(core.otel_span, run_context(core, root_context))

    def write_start(self) -> None:
        """Write the run's record."""
        started_ns, identity = cast("int", self._due_ns), self._core.identity
        if identity.first_started_ns is not None:
            self._core.pauses.start_after(started_ns - identity.first_started_ns - identity.worked_ns)
        self._write_record(self._started, started_ns=started_ns)
        self._started_ns, self._due_ns = started_ns, None

    @property
    def is_start_cut(self) -> bool:
        """Whether a start was interrupted before the run's record was written."""
        return self._due_ns is not None

    def write_cut_start(self) -> None:
        """Write the record of a run whose start was interrupted."""
        self._write_record(self._given(), started_ns=self._due_ns)

    def after_start(self) -> None:
        """Record the events of the run's start and of its whole config, and count it among the runs that are on."""
        core = self._core
        source = core.pipeline.snapshots.source_for(core.id)
        with core.guard:
            core.pipeline.run_events.write_start(
                core.id,
                self._started_ns,
                state=core.state,
                seed=core.identity.seed,
                times=self._earlier_times(),
                facts=core.identity.facts,
                environment_run_id=source,
            )
            if self._started.tags:
                core.pipeline.run_events.write_tags(core.id, self._started.tags, core.stamp_ns())
            core.count_active(1)
        with core.guard:
            self._announcement.begin()
            if not source:
                core.pipeline.snapshots.take(core.id)
        if self._started.params:
            with core.guard:
                name = events.ML_RUN_CONFIG.name
                body = core.pipeline.redactor.value("", self._started.params, f"body of event {name!r}")
                core.write_event(name, body, {})

    def _earlier_times(self) -> dict[str, int]:
        """Return what was before this attempt started, as attributes of the event of its start."""
        identity = self._core.identity
        found = {
            attr.ML_RUN_CREATED_TIME: self._created_ns,
            attr.ML_RUN_STARTED_TIME: identity.first_started_ns,
        }
        times = {key: ns for key, ns in found.items() if ns is not None and ns != self._started_ns}
        if identity.first_started_ns is not None:
            times[attr.ML_RUN_PAUSED_TIME] = self._core.pauses.settled_ns
        return times

    def write_state(self, change: RunStateChange) -> None:
        """Write down that the run's state has changed, in its record and as an event."""
        self._core.pipeline.journal.append(encode.encode_state(change))
        self._core.pipeline.run_events.write_state(change)

    def beat(self, now_ns: int) -> None:
        """Write down that the run is alive."""
        self._core.pipeline.journal.append(encode.encode_heartbeat(self._core.id, now_ns))

    def take_over(self, *, is_leaving: bool) -> bool:
        """Make a run that was inherited in a fork this process's own; True where it may end the run from now on.

        A program that becomes a daemon forks, ends, and goes on in the child, in a session of its own. A worker whose
        parent was killed differs from it by the session, unless it leaves the run's block or ends the run (`is_leaving`).
        """
        if self._owner is None:
            return False
        if not (is_leaving or _session_id() != self._session_id) or is_alive(self._owner) is not False:
            return False
        self._core.generation = scopes.fork_generation
        self._owner = self._core.pipeline.journal.owner
        self._is_taken_over = True
        return True

    def end_span(self, ending: Ending) -> None:
        """End the root span, with the result and what the process used."""
        core = self._core
        span, state, error = core.otel_span, ending.state, ending.error
        reason = ending.reason
        span.set_attributes(
            {
                attr.ML_RUN_RESULT: RESULTS[state],
                attr.ML_RUN_SPANS_STARTED: core.counters.started_spans,
                attr.ML_RUN_SPANS_ENDED: core.counters.ended_spans + 1,
                attr.ML_RUN_SPANS_DROPPED: core.guard.losses.get("span", 0),
            }
        )
        cpu_ns = None if self._lane_clock is None else self._lane_clock.read_ns()
        if cpu_ns is not None:
            span.set_attribute(attr.ML_SPAN_CPU_TIME, cpu_ns)
        host_load = None if self._host_load_clock is None else self._host_load_clock.read()
        if host_load is not None:
            span.set_attribute(attr.ML_RUN_HOST_LOAD_CPU_UTILIZATION, round(host_load, 4))
        if reason:
            span.set_attribute(attr.ML_RUN_REASON, reason[:1000])
        try:
            if error is not None:
                mark_failed(span, error)
            elif state is RunState.FAILED:
                span.set_attribute(attr.ERROR_TYPE, "failed")
                span.set_status(Status(StatusCode.ERROR, reason[:1000]))
            elif state is RunState.SUCCEEDED:
                span.set_status(Status(StatusCode.OK))
        finally:
            span.end(core.pipeline.clock())
        core.record_duration(metrics.ML_RUN_DURATION, span)
        core.count_active(-1)

    def after_end(self) -> None:
        """Say how the run ended, and call what is to be called then."""
        core = self._core
        worked_ns = core.pipeline.clock() - self._started_ns - core.pauses.of_attempt_ns
        self._announcement.end(max(0, worked_ns) / 1e9)
        if self._call_after_end is not None:
            self._call_after_end()

    def _given(self) -> _Given:
        """Return params and tags as they are written down, in the record, the root span and the run's first event."""
        redactor, identity = self._core.pipeline.redactor, self._core.identity
        return _Given(redactor.mapping(identity.params, "param"), redactor.mapping(identity.tags, "tag"))

    def _write_record(self, given: _Given, *, started_ns: int | None) -> None:
        core = self._core
        identity, journal = core.identity, core.pipeline.journal
        now_ns = started_ns or core.stamp_ns()
        self._owner = journal.owner
        context = core.otel_span.get_span_context()
        if self._created_ns is None:
            self._created_ns = identity.first_created_ns or now_ns
            if given.params:
                core.keep(encode.encode_params(core.id, given.params, now_ns), "Params", len(given.params))
            if given.tags:
                core.keep(encode.encode_tags(core.id, given.tags, now_ns), "Tags", len(given.tags))
        record = model.Run(
            run_id=core.id,
            experiment=core.experiment,
            name=core.name,
            state=core.state,
            created_ns=self._created_ns,
            started_ns=started_ns and (identity.first_started_ns or started_ns),
            paused_total_ns=core.pauses.settled_ns,
            heartbeat_ns=now_ns,
            owner=self._owner,
            parent_run_id=identity.parent_run_id,
            attempt=identity.attempt,
            root_span_id=trace.format_span_id(context.span_id) if context.is_valid else None,
            resource=cast("Mapping[str, object]", dict(core.providers.resource.attributes)),
            **asdict(identity.facts),
        )
        journal.append(encode.encode_run(record))

    def _span_attributes(self, given: _Given) -> dict[str, Any]:
        identity = self._core.identity
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


def _session_id() -> int:
    return os.getsid(0) if hasattr(os, "getsid") else 0
