"""The hot path: from `run.log({...})` to a frame in the journal.

One record holds one step, one time and the values of one key set. The key set is declared once a segment;
after that a call packs numbers and nothing else: no system call, no lock, no object kept.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from otel_experiments.codec.number import PLAIN
from otel_experiments.errors import InvalidNameError
from otel_experiments.journal.format import RecordType
from otel_experiments.journal.writer import JournalWriter
from otel_experiments.model.metric import SeriesKey
from otel_experiments.process.interruption import is_interruption
from otel_experiments.record.base.gate import Gate
from otel_experiments.record.base.guard import RunGuard
from otel_experiments.record.base.names import clean_name
from otel_experiments.record.base.other_trackers import tell_unknown, values_among
from otel_experiments.record.base.room import why_not_kept
from otel_experiments.record.metrics.behind import Behind, Deferred, waiting_for
from otel_experiments.record.metrics.given_points import GivenPoints, checked_step, is_true
from otel_experiments.record.metrics.keysets import Keyset, Keysets, Known
from otel_experiments.record.metrics.other_values import OtherValues
from otel_experiments.record.metrics.point_time import time_ns_of

_POINTS: Final = int(RecordType.POINTS)
_INFINITY: Final = math.inf
_are_exact: Final = frozenset({float, int, bool}).issuperset
_are_plain: Final = PLAIN.issuperset


class PointRecorder:
    """Records the metric points of one run.

    Attributes:
        is_gated: while True, nothing is recorded; `goldens` counts what came.
        others: takes what is no number.
        behind: fetches what was logged with `lazy=True`.
    """

    def __init__(
        self,
        run_id: str,
        journal: JournalWriter,
        guard: RunGuard,
        highest_steps: Mapping[SeriesKey, float],
        clock: Callable[[], int] = time.time_ns,
        *,
        rank: int = 0,
        attempt: int = 0,
        gate: Gate | None = None,
    ) -> None:
        self._run_id = run_id
        self._journal = journal
        self._guard = guard
        self._keysets = Keysets(run_id, highest_steps, rank=rank, attempt=attempt)
        self._now_ns = clock
        self._gate = gate or Gate(run_id, guard)
        self.others = OtherValues(guard, self._keysets)
        self.behind = Behind(guard, self._fetch, self._keep)
        self._given = GivenPoints(guard, self.others)
        self._row: float | None = None
        self.is_gated = False

    @property
    def is_gated(self) -> bool:
        """Whether nothing is recorded now."""
        return self._is_gated

    @is_gated.setter
    def is_gated(self, is_gated: bool) -> None:
        self._is_gated = is_gated
        self._choose_path()

    def _choose_path(self) -> None:
        """Set what the fast path looks into: where it finds nothing, the other one knows why."""
        is_fast = not self._is_gated and self._row is None
        self._fast = self._keysets.known if is_fast else Known()
        self._fast_in: dict[object, Known] = self._keysets.known_in if is_fast else {}

    def log(  # noqa: C901, PLR0911, PLR0912 - the hot path: a call less is what counts
        self,
        values: Any = None,  # a mapping; its numbers are of any library: whatever has __float__
        step: float | None = None,
        commit: bool | None = None,  # noqa: FBT001 - as in other trackers
        sync: bool | None = None,  # noqa: FBT001 - as above
        *,
        epoch: float | None = None,
        phase: str | None = None,
        **more: Any,  # `time`, `lazy`, and what other trackers have: looked at only where there is any
    ) -> None:
        """Record one value for each metric at one step; see `Run.log`."""
        if epoch is not None or more or commit is not None or sync is not None:
            if more or commit is not None:
                self._log_specially(values, step, (commit, sync), epoch, phase, more)
                return
            values = self._given.with_more(values, epoch, sync)
        try:
            fast = self._fast if phase is None else self._fast_in[phase]
            keyset = fast.last
            names = [*values]
            if names != keyset.names:  # comparing takes half the time of hashing and finding a tuple
                keyset = fast.last = fast[tuple(names)]
            numbers = values.values()
            if keyset.is_single:
                (number,) = numbers  # handed on as it is: no list is made of it on the way
                if type(number) not in PLAIN:
                    self._log_with_care(values, step, phase)
                    return
            elif keyset.is_exact:
                # Floats and ints add up to a float, and nothing that `struct` would change in silence does: 3 ns a value, a
                # look at each type 20. Beginning with a float, `sum` takes its way for floats at once.
                if type(sum(numbers, 0.0)) is not float:
                    self._log_with_care(values, step, phase)
                    return
            elif not _are_plain(map(type, numbers)):
                self._log_with_care(values, step, phase)
                return
            if step is None:
                if keyset.is_shared:
                    self._log_with_care(values, step, phase)
                    return
                # No call from here to the store: no other thread comes in between.
                step = keyset.highest + 1.0
                keyset.highest = step
            elif step > keyset.highest:
                if type(step) is int:
                    step += 0.0  # an error where no float is so large
                else:
                    step = float(step)
                    if step == _INFINITY:
                        raise ValueError(step)  # noqa: TRY301 - the slow path tells the reason
                if step > keyset.highest:  # noqa: PLR1730 - as above, max() would be one
                    keyset.highest = step
            elif step != step or step == -_INFINITY:  # noqa: PLR0124 - NaN
                raise ValueError(step)  # noqa: TRY301 - as above
            if keyset.is_single:
                payload = keyset.pack(_POINTS, keyset.number, step, self._now_ns(), number)
            else:
                payload = keyset.pack(_POINTS, keyset.number, step, self._now_ns(), *numbers)
        except Exception as error:  # the first call with these keys, or values that need care
            if is_interruption(error):
                raise
        else:
            segment = self._journal.segment
            if keyset.known_to is segment.declared and segment.append_packed(keyset.frame, payload):
                return
            self._append(keyset, payload)
            return
        self._log_with_care(values, step, phase)

    def reset_in_child(self) -> None:
        """Replace the lock after a fork."""
        self._keysets.reset_in_child()
        self.behind.reset_in_child()

    def next_step(self, name: str, phase: str | None) -> float:
        """Return the step that the series' next point without a step gets."""
        try:
            return self._keysets.highest(SeriesKey(clean_name(name, "metric name"), phase or "")) + 1.0
        except (TypeError, InvalidNameError):  # a name that is no text has no points
            return 0.0

    def reach(self) -> tuple[int, float]:
        """Return how far the points have got; it changes when points with new steps or names come."""
        return self._keysets.reach()

    def _append(self, keyset: Keyset, payload: bytes) -> None:
        if self._journal.append(payload, (keyset.declaration,)):
            segment = self._journal.segment
            if keyset.declaration[0] in segment.declared:
                keyset.known_to = segment.declared
        else:
            self._guard.lost(*why_not_kept(self._journal, "Metric points"), count=len(keyset.keys))

    def _log_specially(
        self,
        values: Any,
        step: Any,
        words: tuple[object, object],
        epoch: Any,
        phase: str | None,
        more: dict[str, Any],
    ) -> None:
        """Record a call that has more to say than values, a step and a phase; `words` are commit and sync."""
        with self._guard:
            commit, sync = words
            values = values_among(values, more)
            time, is_lazy = more.pop("time", None), is_true(more.pop("lazy", False))
            tell_unknown(self._guard, "run.log", more)
            self._log_with_care(
                self._given.with_more(values, epoch, sync),
                step,
                phase,
                time_ns=None if time is None or self._is_gated else time_ns_of(time, self._guard),
                ends_row=commit is None or is_true(commit),
                is_lazy=is_lazy and not self.behind.is_full,
            )

    def _log_with_care(
        self,
        values: Any,
        step: Any,
        phase: str | None,
        *,
        time_ns: int | None = None,
        ends_row: bool = True,
        is_lazy: bool = False,
    ) -> None:
        """Record what can be recorded of a call that the fast path did not take; count and tell the rest."""
        try:
            if self._is_gated:
                self._gate.refuse("point", values)
                return
            if not isinstance(values, Mapping):
                self._guard.lost(
                    "metric values",
                    f"run.log takes a mapping of names to numbers, not {type(values).__name__}; the call is lost",
                )
                return
            usable_step = checked_step(step, self._guard)
            numbers: dict[Any, float] = {}
            others: dict[Any, Any] = {}
            deferred: dict[Any, Any] | None = {} if is_lazy else None
            self._given.gather(values, "", numbers, others, deferred)
            if self._row is not None or not ends_row:
                usable_step = self._step_of_row(usable_step, [*numbers, *others, *(deferred or ())], phase)
                self._row = None if ends_row else usable_step
                self._choose_path()
            step_of_numbers = self._record_numbers(values, numbers, usable_step, phase, time_ns)
            if deferred:
                self._defer(deferred, usable_step, phase, time_ns)
            if others:
                at = step_of_numbers if usable_step is None else usable_step
                self.others.keep(others, at, self._given.usable_phase(phase), time_ns)
        except Exception as error:  # recording never raises into training code
            if is_interruption(error):
                raise
            self._guard.lost("metric", f"Metric points were not recorded: {error!r}", count=1, error=error)

    def _step_of_row(self, step: float | None, names: Iterable[Any], phase: str | None) -> float:
        """Return the step of a call that goes on with a row, or begins one that the next call goes on with."""
        given = self._row if step is None else step
        return max((self.next_step(name, phase) for name in names), default=0.0) if given is None else given

    def _record_numbers(
        self,
        values: Mapping[Any, Any],
        numbers: dict[Any, float],
        step: float | None,
        phase: str | None,
        time_ns: int | None,
    ) -> float | None:
        """Record the numbers of a call; return the highest step that they got, None where none was recorded."""
        keyset = self._keysets.find(tuple(numbers), phase)
        if keyset is None:
            numbers, phase = self._given.usable(numbers), self._given.usable_phase(phase)
            if not numbers:
                return None
            keyset = self._keysets.get(tuple(numbers), phase)
        if keyset.is_exact and not _are_exact(map(type, values.values())):
            keyset.is_exact = False
        placed = self._placed(keyset, numbers, step, phase)
        if time_ns is None:
            time_ns = self._now_ns()  # one for all of them: what was logged together is found together
        for part, group, at in placed:
            self._record(part, group.values(), at, time_ns)
        return max(at for _, _, at in placed)

    def _placed(
        self, keyset: Keyset, values: Mapping[Any, Any], step: float | None, phase: str | None
    ) -> list[tuple[Keyset, Mapping[Any, Any], float]]:
        """Return the values by step, each metric's own next one where none is given; those of one step share a record."""
        if step is not None:
            return [(keyset, values, step)]
        if not keyset.is_shared:
            step = keyset.highest + 1.0  # as above
            keyset.highest = step
            return [(keyset, values, step)]
        groups: dict[float, dict[Any, Any]] = {}
        for key, (name, value) in zip(keyset.keys, values.items(), strict=True):
            groups.setdefault(self._keysets.take_step(key), {})[name] = value
        return [
            (keyset if len(groups) == 1 else self._keysets.get(tuple(group), phase), group, at)
            for at, group in groups.items()
        ]

    def _defer(
        self, values: Mapping[Any, Any], step: float | None, phase: str | None, time_ns: int | None
    ) -> None:
        """Have values fetched behind that are placed now."""
        usable, phase = self._given.usable(values), self._given.usable_phase(phase)
        time_ns = self._now_ns() if time_ns is None else time_ns
        wait_until_ready = waiting_for(usable)
        names = tuple(usable)
        for part, group, at in (
            self._placed(self._keysets.get(names, phase), usable, step, phase) if names else ()
        ):
            if at > part.highest:  # noqa: PLR1730 - as above
                part.highest = at
            self.behind.put(Deferred(part, at, time_ns, group, phase, wait_until_ready))

    def _fetch(self, deferred: Deferred) -> dict[Any, float]:
        """Return the numbers that were deferred, when they are there; on the thread that fetches them."""
        deferred.wait_until_ready()
        numbers: dict[Any, float] = {}
        self._given.gather(deferred.clones, "", numbers, {})
        return numbers

    def _keep(self, deferred: Deferred, numbers: dict[Any, float]) -> None:
        """Record what was fetched."""
        if numbers:
            is_part = len(numbers) < len(deferred.clones)
            keyset = self._keysets.get(tuple(numbers), deferred.phase) if is_part else deferred.keyset
            self._record(keyset, numbers.values(), deferred.step, deferred.time_ns)

    def _record(
        self, keyset: Keyset, numbers: Iterable[float], step: float, time_ns: int | None = None
    ) -> None:
        if step > keyset.highest:  # noqa: PLR1730 - as above
            keyset.highest = step
        time_ns = self._now_ns() if time_ns is None else time_ns
        self._append(keyset, keyset.pack(_POINTS, keyset.number, step, time_ns, *numbers))
