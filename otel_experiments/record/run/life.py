"""The life of a run: its states, its pauses, and how it ends, whatever ends it."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Never, cast

from opentelemetry import context as context_api
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Span, Status, StatusCode

from otel_experiments.codec.plain import TEXT_CUT
from otel_experiments.codec.text import shown, text_of
from otel_experiments.errors import IllegalTransitionError
from otel_experiments.journal.owner import is_alive
from otel_experiments.model.batch import RunStateChange
from otel_experiments.model.run import Owner, RunState, check_transition
from otel_experiments.record.base.current import active_runs, detach, ended_inside
from otel_experiments.record.base.exceptions import error_type
from otel_experiments.record.base.gate import FINISHED, PAUSED
from otel_experiments.record.base.other_trackers import end_of, no_attribute, tell_unknown
from otel_experiments.record.params.config import Config
from otel_experiments.record.pipeline.pipeline import FlushReport
from otel_experiments.record.run.endings import Ending, ending_of
from otel_experiments.record.run.last_exception import LastException
from otel_experiments.record.run.recording import Recording
from otel_experiments.record.spans import scopes as scope_module
from otel_experiments.record.spans.scopes import mark_failed
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv import metrics, values

if TYPE_CHECKING:
    from otel_experiments.process.lanes import LaneClock
    from otel_experiments.record.base.ports import RunPort
    from otel_experiments.record.run.counters import Counters
    from otel_experiments.record.run.pauses import Pauses
    from otel_experiments.record.run.states import States
    from otel_experiments.record.spans.loops import Loops
    from otel_experiments.record.system.host_load import HostLoadClock

MAX_REASON_CHARS = 10_000
_GRACE_NS: Final = 60 * 10**9
"""A process that is still there so long after a signal that ends processes lives on."""
_RESULTS: Mapping[RunState, values.MlRunResult] = {
    RunState.SUCCEEDED: values.MlRunResult.SUCCESS,
    RunState.FAILED: values.MlRunResult.ERROR,
    RunState.CANCELLED: values.MlRunResult.CANCELLATION,
}


class RunLife(Recording):
    """What a run is in time. `Run` adds how it starts and what it records."""

    name: str
    otel_span: Span
    _config: Config
    loops: Loops
    _attempt: int
    _token: object | None
    _context: context_api.Context
    _pauses: Pauses
    _counters: Counters
    _states: States
    _lane_clock: LaneClock | None
    _host_load_clock: HostLoadClock | None

    def __init__(self) -> None:
        self._state = RunState.PENDING
        self._lock = threading.RLock()
        self._generation = scope_module.fork_generation
        self._noted_signal = ""
        self.last_exception = LastException(self._progress)
        self._ending: Ending | None = None
        self._is_span_written = self._is_last_collected = False
        self._signalled_ns: int | None = None
        self._owner: Owner | None = None
        self._session_id = _session_id()
        self._is_taken_over = self.is_in_block = False

    def collect_metrics(self) -> None:
        """Collect the run's instruments and send its points, if there is anybody to send them to."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"Run({shown(self.name)}, id={self.id!r}, state={str(self.state)!r})"

    if not TYPE_CHECKING:  # a type checker that saw it would take every misspelt name for granted

        def __getattr__(self, name: str) -> object:
            raise AttributeError(no_attribute(name), name=name, obj=self)

    @property
    def config(self) -> Config:
        """The params, with attribute access; a mapping that is assigned is added to them, as by `update`."""
        return self._config

    @config.setter
    def config(self, params: Mapping[str, Any]) -> None:
        self.log_params(params)

    @property
    def state(self) -> RunState:
        """The run's state as this process knows it."""
        return self._state

    @property
    def is_active(self) -> bool:
        """Whether the run still records."""
        return not self._state.is_terminal

    @property
    def is_inherited(self) -> bool:
        """Whether this process is a forked child and the run its parent's."""
        return self._generation != scope_module.fork_generation

    @property
    def refused_count(self) -> int:
        """How many items came while the run was paused or after its end, and were not recorded."""
        return self.gate.refused.total()

    @property
    def refused(self) -> Mapping[str, int]:
        """How many came of each kind: point, event, log record, param, tag, span, ..."""
        return dict(self.gate.refused)

    def finish(
        self,
        state: RunState | str | int | None = RunState.SUCCEEDED,
        quiet: bool | None = None,  # noqa: ARG002, FBT001 - as in other trackers
        *,
        reason: str = "",
        exit_code: int | None = None,
        **unknown: Never,
    ) -> FlushReport:
        """End the run and wait (within the exit budget) until the store has it; later calls change nothing.

        A number as the state, or `exit_code`, is the exit code of a program: 0 is succeeded, another failed.

        Raises:
            IllegalTransitionError: `state` is not succeeded, failed or cancelled.
        """
        tell_unknown(self.guard, "run.finish", unknown)
        wanted, why = end_of(state, exit_code)
        wanted, reason = self._terminal(wanted), reason or why
        if self._state is RunState.PENDING:
            check_transition(self.id, self._state, wanted)
        return self._end(Ending(wanted, reason))

    def fail(self, error: BaseException | str) -> FlushReport:
        """End the run as failed, with an exception or a text as the reason."""
        if isinstance(error, BaseException):
            return self._end(Ending(RunState.FAILED, text_of(error), error, error_type(error)))
        return self._end(Ending(RunState.FAILED, error))

    def cancel(self, reason: str = "") -> FlushReport:
        """End the run as cancelled."""
        return self._end(Ending(RunState.CANCELLED, reason))

    def pause(self) -> None:
        """Record nothing until `resume`; pauses are in no duration.

        Points, events, log records, params, tags and new spans that come meanwhile are counted by kind (`refused`)
        and not recorded. Spans that are open may end; samples of the machine go on.

        Raises:
            IllegalTransitionError: the run is not running.
        """
        with self._lock:
            check_transition(self.id, self._state, RunState.PAUSED)
            self._pauses.begin()
            self._take_nothing(PAUSED)
            self._set_state(RunState.PAUSED)

    def resume(self) -> None:
        """Record again.

        Raises:
            IllegalTransitionError: the run is not paused.
        """
        with self._lock:
            if self._state is not RunState.PAUSED:
                check_transition(self.id, self._state, RunState.RUNNING)
            self._settle_pause()
            self._set_state(RunState.RUNNING)
            self.gate.open()
            self._points.is_gated = False

    def _take_nothing(self, reason: str = "") -> None:
        self.gate.close(reason)
        self._points.is_gated = True

    def _settle_pause(self) -> None:
        self._pauses.settle(is_on=self._state is RunState.PAUSED)

    def _progress(self) -> object:
        return self._counters.started_spans, self._points.reach()

    def end_unfinished(
        self, reason: str = "", *, error: BaseException | None = None, is_cut: bool = False
    ) -> FlushReport:
        """End a run that nobody has finished, as what is known of the program says.

        Failed with `error`, or else with the exception that nobody caught and after which the run did nothing; cancelled
        where its block was still on (`is_cut`) or a signal was to stop it; else succeeded.
        """
        error = error if error is not None else self.last_exception.find()
        if error is not None:
            ending = ending_of(error, self._noted_signal)
        elif is_cut and self._noted_signal:
            ending = Ending(RunState.CANCELLED, self._noted_signal)
        elif is_cut and self.is_in_block:
            ending = Ending(RunState.CANCELLED, f"{reason} before the run's block did")
        else:
            ending = Ending(RunState.SUCCEEDED, reason)
        return self._end(ending)

    def _terminal(self, state: object) -> RunState:
        try:
            wanted = RunState(cast("str", state))
        except ValueError:
            wanted = RunState.PENDING
        if not wanted.is_terminal:
            raise IllegalTransitionError(
                run_id=self.id,
                current=str(self._state),
                requested=str(state),
                allowed=sorted(str(s) for s in _RESULTS),
            )
        return wanted

    def _end(self, ending: Ending, *, is_awaited: bool = True) -> FlushReport:
        """End the run; whatever interrupts it, Ctrl-C say, the first word on how it ends is written down."""
        if self._state.is_terminal or not self.take_over(is_leaving=True):
            return self.pipeline.flush(timeout_s=0.0)
        if type(ending.reason) is not str:  # a user's, who may pass anything
            ending = replace(ending, reason=text_of(ending.reason) if ending.reason else "")
        ending = replace(ending, reason=self.pipeline.redactor.text(ending.reason))
        if len(ending.reason) > MAX_REASON_CHARS:
            what = f"The reason why the run ended has {len(ending.reason):,} characters; {MAX_REASON_CHARS:,} are kept"
            self.guard.lost(TEXT_CUT, what, name="reason")
        try:
            self._write_end(ending)
        except BaseException:
            self._write_end(ending)
            raise
        if not self.is_in_block:
            self.leave()
        return self.pipeline.flush_ended_run(is_awaited=is_awaited)

    def leave(self) -> None:
        """Undo `stay` where the caller's context is still the one that it made."""
        token, self._token = self._token, None
        ended_inside.discard(self.id)
        if token is not None and context_api.get_current() is self._context:
            detach(token)

    def _write_end(self, ending: Ending) -> None:
        """Take every step of the end that has not been taken."""
        with self._lock:
            if self._state.is_terminal:
                return
            ending = self._ending = self._ending or ending
            with self.guard, self.pipeline.journal.last_words():
                self.loops.close()
                self._settle_pause()
                if self.otel_span.is_recording():
                    self._end_span(ending)
                elif isinstance(self.otel_span, ReadableSpan) and not self._is_span_written:
                    self.pipeline.journal_processor.on_end(self.otel_span)
                self._is_span_written = True
            self._take_nothing(FINISHED if self.pipeline.settings.enabled else "")
            if not self._is_last_collected:
                self._is_last_collected = True
                with self.guard:
                    self.pipeline.before_last_collection(cast("RunPort", self))
                    self.collect_metrics()
            with self.guard:
                self._set_state(ending.state, reason=ending.reason, error_type=ending.error_type)
            if self._token is not None:
                ended_inside.add(self.id)
            if cast("object", active_runs.get(self.id)) is self:
                del active_runs[self.id]

    def end_by_signal(self, name: str) -> None:
        """Write down that a signal which is about to end the process cancels the run; nothing is waited for.

        It is not the last word. The process may live on (the kernel spares process 1 of a container): then the run
        is still on, and whatever ends it is written over this.
        """
        ending = self._ending or Ending(RunState.CANCELLED, name)
        if not self._state.is_terminal:
            with self.guard, self.pipeline.journal.last_words():
                self._signalled_ns = self.pipeline.clock()
                self._announce(ending.state, reason=ending.reason, error_type=ending.error_type)

    def note_signal(self, name: str) -> None:
        """Know of a signal that the program handles itself: a `sys.exit` that follows it is a stop, no failure."""
        self._noted_signal = name

    def take_over(self, *, is_leaving: bool = False) -> bool:
        """Make the run this process's own where it was inherited from one that is gone; True when it is.

        A program that becomes a daemon forks, ends, and goes on in the child, in a session of its own. A worker whose
        parent was killed is told from it by the session, unless it leaves the run's block or ends the run (`is_leaving`).
        """
        if not self.is_inherited:
            return True
        if self._owner is None or self._state.is_terminal:
            return False
        if not (is_leaving or _session_id() != self._session_id) or is_alive(self._owner) is not False:
            return False
        self._generation = scope_module.fork_generation
        self._owner = self.pipeline.journal.owner
        self._is_taken_over = True
        with self.guard:
            self._announce(self._state)
        return True

    def _end_span(self, ending: Ending) -> None:
        span, state, error = self.otel_span, ending.state, ending.error
        reason = ending.reason
        span.set_attributes(
            {
                attr.ML_RUN_RESULT: _RESULTS[state],
                attr.ML_RUN_SPANS_STARTED: self._counters.started_spans,
                attr.ML_RUN_SPANS_ENDED: self._counters.ended_spans + 1,
                attr.ML_RUN_SPANS_DROPPED: self.guard.losses.get("span", 0),
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
            span.end(self.pipeline.clock())
        self.record_duration(metrics.ML_RUN_DURATION, span)

    def _set_state(
        self, state: RunState, *, reason: str = "", error_type: str = "", is_announced: bool = True
    ) -> None:
        with self._lock:
            check_transition(self.id, self._state, state)
            if is_announced:
                self._announce(state, reason=reason, error_type=error_type)
            self._state = state
        if is_announced and not state.is_terminal:  # whoever ends a run stores it himself
            self.pipeline.wake()

    def _announce(self, state: RunState, *, reason: str = "", error_type: str = "") -> None:
        self._states.write(
            RunStateChange(
                run_id=self.id,
                state=state,
                time_ns=self._stamp_ns(),
                reason=reason[:MAX_REASON_CHARS],
                error_type=error_type,
                paused_total_ns=self._pauses.settled_ns
                if state is RunState.PAUSED
                else self._pauses.total_ns(is_on=self._state is RunState.PAUSED),
                paused_count=self._pauses.count,
                paused_dropped_count=self.gate.refused.total(),
                attempt=self._attempt,
                owner=self._owner if self._is_taken_over else None,
            )
        )

    def beat(self) -> None:
        """Give a sign of life."""
        with self.guard:
            now_ns = self.pipeline.clock()
            if self._signalled_ns is not None and abs(now_ns - self._signalled_ns) > _GRACE_NS:
                self._signalled_ns = None
                self._announce(self._state)
            self._states.beat(self.id, now_ns)


def _session_id() -> int:
    return os.getsid(0) if hasattr(os, "getsid") else 0
