"""The life of a run: its states, its pauses, its block, and how it ends, whatever ends it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from opentelemetry.sdk.trace import ReadableSpan

from otel_experiments.codec.plain import TEXT_CUT
from otel_experiments.codec.text import text_of
from otel_experiments.errors import IllegalTransitionError
from otel_experiments.model.batch import RunStateChange
from otel_experiments.model.run import RunState, check_transition
from otel_experiments.record.base import claims
from otel_experiments.record.base.current import active_runs, ended_inside, silent_runs
from otel_experiments.record.base.gate import FINISHED, PAUSED
from otel_experiments.record.base.other_trackers import end_of, tell_unknown
from otel_experiments.record.pipeline.flush_report import FlushReport
from otel_experiments.record.run.core import RunCore
from otel_experiments.record.run.endings import Ending, ending_of
from otel_experiments.record.run.in_context import InContext
from otel_experiments.record.run.last_exception import LastException
from otel_experiments.record.run.life_cycle import LifeCycle
from otel_experiments.record.spans.loops import Loops

if TYPE_CHECKING:
    from opentelemetry.trace import Link

MAX_REASON_CHARS = 10_000
_GRACE_NS: Final = 60 * 10**9
"""A process that is still there so long after a signal that ends processes lives on."""

_LAZY_SHARE: Final = 0.8
"""How much of the exit budget the ends of runs get for values that are being fetched."""
_LEAST_FOR_LAZY_S: Final = 0.05
"""So long a run waits for them where others have used the budget up: a device that works takes less."""


class RunLife:
    """What a run is in time. What a process does at each turn is its `LifeCycle`'s: the owner's, or a joined one.

    Attributes:
        last_exception: the exceptions of the run's time that nothing caught.
        here: where the run is the current one.
    """

    def __init__(self, core: RunCore, cycle: LifeCycle, loops: Loops) -> None:
        self._core = core
        self._cycle = cycle
        self._loops = loops
        self._lock = threading.RLock()
        self._noted_signal = ""
        self.last_exception = LastException(self._progress)
        self._ending: Ending | None = None
        self._is_span_written = self._is_last_collected = False
        self._signalled_ns: int | None = None
        self.here = InContext(core)

    def start(self, links: Sequence[Link] = ()) -> None:
        """Start the run, or this process's part of it, and make it active; see `Run.start`."""
        core, cycle = self._core, self._cycle
        check_transition(core.id, core.state, RunState.RUNNING)
        with core.guard:
            cycle.open_span(links)
            self._set_state(RunState.RUNNING, is_announced=False)
            cycle.write_start()
        if not core.pipeline.settings.enabled:
            self._take_nothing()
            silent_runs[core.id] = core
            return
        if cycle.is_owner:
            active_runs[core.id] = core
        else:
            active_runs.setdefault(core.id, core)
        core.pipeline.admit(core)
        cycle.after_start()

    def abandon(self, error: BaseException) -> None:
        """End a run whose start an exception cut short, so that no caller has it; what is not written yet is never known."""
        core = self._core
        if self._cycle.is_start_cut:
            if core.state is RunState.PENDING:
                self._set_state(RunState.RUNNING, is_announced=False)
            with core.guard:
                self._cycle.write_cut_start()
        if core.state is not RunState.PENDING:
            self.end(ending_of(error), is_awaited=False)

    def enter(self) -> None:
        """Begin the run's `with` block: make the run current."""
        self._make_current(self.here.enter)

    def stay(self) -> None:
        """Make the run current in the caller's context until it ends, without `with`: what `init` does."""
        self._make_current(self.here.stay)

    def leave_block(self, error: BaseException | None) -> None:
        """End the run's `with` block, which `error` left, and the run. Where it was interrupted, call it again."""
        try:
            self.here.leave_block()
        finally:
            with self._core.guard:
                self.end(ending_of(error, self._noted_signal), is_awaited=False)

    def pause(self) -> None:
        """Record nothing until `resume`; see `Run.pause`."""
        core = self._core
        with self._lock:
            check_transition(core.id, core.state, RunState.PAUSED)
            core.pauses.begin()
            self._take_nothing(PAUSED)
            self._set_state(RunState.PAUSED)

    def resume(self) -> None:
        """Record again; see `Run.resume`."""
        core = self._core
        with self._lock:
            if core.state is not RunState.PAUSED:
                check_transition(core.id, core.state, RunState.RUNNING)
            self._settle_pause()
            self._set_state(RunState.RUNNING)
            core.gate.open()
            core.points.is_gated = False

    def finish(
        self, state: object, reason: str, exit_code: int | None, unknown: Mapping[str, object]
    ) -> FlushReport:
        """End the run as the program says; see `Run.finish`."""
        core = self._core
        tell_unknown(core.guard, "run.finish", unknown)
        wanted, why = end_of(state, exit_code)
        ending = Ending(self._terminal(wanted), reason or why)
        if core.state is RunState.PENDING:
            check_transition(core.id, core.state, ending.state)
        return self.end(ending)

    def end_unfinished(
        self, reason: str = "", *, error: BaseException | None = None, is_cut: bool = False
    ) -> FlushReport:
        """End a run that the program has not finished, as what is known of the program says.

        Failed with `error`, or else with the exception that nothing caught and after which the run did nothing; cancelled
        where its block was still on (`is_cut`) or a signal was to stop it; else succeeded.
        """
        error = error if error is not None else self.last_exception.find()
        if error is not None:
            ending = ending_of(error, self._noted_signal)
        elif is_cut and self._noted_signal:
            ending = Ending(RunState.CANCELLED, self._noted_signal)
        elif is_cut and self.here.is_in_block:
            ending = Ending(RunState.CANCELLED, f"{reason} before the run's block did")
        else:
            ending = Ending(RunState.SUCCEEDED, reason)
        return self.end(ending)

    def end(self, ending: Ending, *, is_awaited: bool = True) -> FlushReport:
        """End the run; whatever interrupts it, Ctrl-C say, the first word on how it ends is written down."""
        core = self._core
        if core.state.is_terminal or not self.take_over(is_leaving=True):
            return core.pipeline.flush(timeout_s=0.0, run_id=core.id)
        if type(ending.reason) is not str:  # a user's, who may pass anything
            ending = replace(ending, reason=text_of(ending.reason) if ending.reason else "")
        ending = replace(ending, reason=core.pipeline.redactor.text(ending.reason))
        if len(ending.reason) > MAX_REASON_CHARS:
            what = f"The reason why the run ended has {len(ending.reason):,} characters; {MAX_REASON_CHARS:,} are kept"
            core.guard.lost(TEXT_CUT, what, name="reason")
        try:
            _await_lazy_points(core)
            if not core.pipeline.is_exiting:
                core.pipeline.artifacts.wait_at_end(
                    core.pipeline.waited, core.pipeline.settings.exit_timeout_s
                )
            self._write_end(ending)
        except BaseException:
            self._write_end(ending)
            raise
        self.here.leave()
        begun_s = core.pipeline.waited.begin()
        report = core.pipeline.flush_ended_run(core.id, is_awaited=is_awaited)
        core.pipeline.waited.end(begun_s, is_done=report.is_exported)
        claims.release(core.id)
        with core.guard:
            self._cycle.after_end()
        return report

    def end_by_signal(self, name: str) -> None:
        """Write down that a signal which is about to end the process cancels the run; nothing is waited for.

        It is not the last word. The process may live on (the kernel spares process 1 of a container): then the run
        is still on, and whatever ends it is written over this.
        """
        core, ending = self._core, self._ending or Ending(RunState.CANCELLED, name)
        if not core.state.is_terminal:
            with core.guard, core.pipeline.journal.last_words():
                self._signalled_ns = core.pipeline.clock()
                self._announce(ending.state, reason=ending.reason, error_type=ending.error_type)

    def note_signal(self, name: str) -> None:
        """Know of a signal that the program handles itself: a `sys.exit` that follows it is a stop, no failure."""
        self._noted_signal = name

    def take_over(self, *, is_leaving: bool = False) -> bool:
        """Make the run this process's own where it was inherited from one that is gone; True when it may end it."""
        core = self._core
        if not core.is_inherited:
            return True
        if core.state.is_terminal or not self._cycle.take_over(is_leaving=is_leaving):
            return False
        with core.guard:
            self._announce(core.state)
        return True

    def beat(self) -> None:
        """Give a sign of life."""
        core = self._core
        with core.guard:
            now_ns = core.pipeline.clock()
            if self._signalled_ns is not None and abs(now_ns - self._signalled_ns) > _GRACE_NS:
                self._signalled_ns = None
                self._announce(core.state)
            self._cycle.beat(now_ns)

    def reset_in_child(self) -> None:
        """Replace the lock, which another thread of the parent may have held at the fork."""
        self._lock = threading.RLock()
        self._core.pipeline.journal.call_on_roll(
            self.take_over
        )  # now and then, as a daemon does its first work

    def _make_current(self, attach: Callable[[], None]) -> None:
        if self._core.state is RunState.PENDING:
            self.start()
        try:
            attach()
        except BaseException as error:  # a signal handler's: `with` calls no `__exit__` then
            self.abandon(error)
            raise

    def _progress(self) -> object:
        return self._core.counters.started_spans, self._core.points.reach()

    def _take_nothing(self, reason: str = "") -> None:
        self._core.gate.close(reason)
        self._core.points.is_gated = True

    def _settle_pause(self) -> None:
        self._core.pauses.settle(is_on=self._core.state is RunState.PAUSED)

    def _terminal(self, state: object) -> RunState:
        try:
            wanted = RunState(cast("str", state))
        except ValueError:
            wanted = RunState.PENDING
        if not wanted.is_terminal:
            raise IllegalTransitionError(
                run_id=self._core.id,
                current=str(self._core.state),
                requested=str(state),
                allowed=sorted(str(end) for end in (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED)),
            )
        return wanted

    def _write_end(self, ending: Ending) -> None:
        """Take every step of the end that has not been taken."""
        core = self._core
        with self._lock:
            if core.state.is_terminal:
                return
            ending = self._ending = self._ending or ending
            with core.guard, core.pipeline.journal.last_words():
                self._loops.close()
                self._settle_pause()
                if core.otel_span.is_recording():
                    self._cycle.end_span(ending)
                elif isinstance(core.otel_span, ReadableSpan) and not self._is_span_written:
                    core.pipeline.journal_processor.on_end(core.otel_span)
                self._is_span_written = True
            core.points.behind.close()
            self._take_nothing(FINISHED if core.pipeline.settings.enabled else "")
            if not self._is_last_collected:
                self._is_last_collected = True
                with core.guard:
                    core.pipeline.before_last_collection(core)
                    core.collect_metrics()
            with core.guard:
                self._set_state(ending.state, reason=ending.reason, error_type=ending.error_type)
            if self.here.is_attached:
                ended_inside.add(core.id)
            for runs in (active_runs, silent_runs):
                if runs.get(core.id) is core:
                    del runs[core.id]

    def _set_state(
        self, state: RunState, *, reason: str = "", error_type: str = "", is_announced: bool = True
    ) -> None:
        core = self._core
        with self._lock:
            check_transition(core.id, core.state, state)
            if is_announced:
                self._announce(state, reason=reason, error_type=error_type)
            core.state = state
        if is_announced and not state.is_terminal:  # the caller that ends a run flushes it
            core.pipeline.wake()

    def _announce(self, state: RunState, *, reason: str = "", error_type: str = "") -> None:
        core = self._core
        self._cycle.write_state(
            RunStateChange(
                run_id=core.id,
                state=state,
                time_ns=core.stamp_ns(),
                reason=reason[:MAX_REASON_CHARS],
                error_type=error_type,
                paused_total_ns=core.pauses.settled_ns
                if state is RunState.PAUSED
                else core.pauses.total_ns(is_on=core.state is RunState.PAUSED),
                paused_count=core.pauses.count,
                paused_dropped_count=core.gate.refused.total(),
                attempt=core.identity.attempt,
                owner=self._cycle.new_owner,
            )
        )


def _await_lazy_points(core: RunCore) -> None:
    """Wait for what is being fetched, with other ends of runs and that of the process within one exit budget."""
    waited, budget_s = core.pipeline.waited, core.pipeline.settings.exit_timeout_s * _LAZY_SHARE
    begun_s = waited.begin()
    is_done = core.points.behind.wait(max(waited.left_s(budget_s), _LEAST_FOR_LAZY_S))
    waited.end(begun_s, is_done=is_done)
