"""The hot path: from `run.log({...})` to a frame in the journal.

One record holds one step, one time and the values of one key set. The key set is declared once a segment;
after that a call packs numbers and nothing else: no system call, no lock, no object kept.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Never

from otel_experiments.codec.number import PLAIN
from otel_experiments.codec.text import shown
from otel_experiments.errors import InvalidNameError
from otel_experiments.journal.format import RecordType
from otel_experiments.journal.writer import JournalWriter
from otel_experiments.model.metric import SeriesKey
from otel_experiments.process.interruption import is_interruption
from otel_experiments.record.base.gate import Gate
from otel_experiments.record.base.guard import RunGuard
from otel_experiments.record.base.names import clean_name
from otel_experiments.record.base.other_trackers import tell_uncommitted, tell_unknown
from otel_experiments.record.base.room import why_not_kept
from otel_experiments.record.metrics.given_points import GivenPoints, checked_step
from otel_experiments.record.metrics.keysets import Keyset, Keysets, Known
from otel_experiments.record.metrics.other_values import OtherValues

EPOCH_METRIC: Final = "epoch"
"""The series that `epoch=` goes to: a metric of its own, so that it can be an axis."""

_POINTS: Final = int(RecordType.POINTS)
_INFINITY: Final = math.inf
_are_exact: Final = frozenset({float, int, bool}).issuperset
_are_plain: Final = PLAIN.issuperset


class PointRecorder:
    """Records the metric points of one run.

    Attributes:
        is_gated: while True, nothing is recorded; `goldens` counts what came.
        others: takes what is no number.
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
        gate: Gate | None = None,
    ) -> None:
        self._run_id = run_id
        self._journal = journal
        self._guard = guard
        self._keysets = Keysets(run_id, highest_steps, rank=rank)
        self._now_ns = clock
        self._gate = gate or Gate(run_id, guard)
        self.others = OtherValues(guard, self._keysets)
        self._given = GivenPoints(guard, self.others)
        self.is_gated = False

    @property
    def is_gated(self) -> bool:
        """Whether nothing is recorded now."""
        return self._is_gated

    @is_gated.setter
    def is_gated(self, is_gated: bool) -> None:
        self._is_gated = is_gated
        # What the fast path looks into: where it finds nothing, the other one asks for the reason.
        self._fast = Known() if is_gated else self._keysets.known
        self._fast_in: dict[object, Known] = {} if is_gated else self._keysets.known_in

    def log(  # noqa: C901, PLR0912 - the hot path: a call less is what counts
        self,
        values: Mapping[str, Any],  # numbers of any library: whatever has __float__
        step: float | None = None,
        commit: bool | None = None,  # noqa: FBT001 - as in other trackers
        sync: bool | None = None,  # noqa: FBT001 - as above
        *,
        epoch: float | None = None,
        phase: str | None = None,
        **unknown: Never,
    ) -> None:
        """Record one value for each metric at one step; see `Run.log`."""
        if epoch is not None or unknown or commit is not None or sync is not None:
            values = self._with_more(values, epoch, commit, sync, unknown)
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

    def _with_more(
        self, values: Any, epoch: Any, commit: object, sync: object, unknown: Mapping[str, object]
    ) -> Any:
        """Return the values with the metric `epoch` among them, and tell of arguments that do nothing."""
        tell_unknown(self._guard, "run.log", unknown)
        tell_uncommitted("run.log", commit, sync)
        if epoch is None or not isinstance(values, Mapping):
            return values
        with self._guard:
            given = values.get(EPOCH_METRIC, epoch)
            if given is not epoch and given != epoch:
                self._guard.lost(
                    "metric value",
                    f"Metric {EPOCH_METRIC!r} came twice in one call: {shown(given)} among the values is lost, "
                    f"epoch={shown(epoch)} is kept",
                    name=EPOCH_METRIC,
                )
            return {**values, EPOCH_METRIC: epoch}
        return values

    def _log_with_care(self, values: Any, step: Any, phase: str | None) -> None:
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
            self._given.gather(values, "", numbers, others)
            step_of_numbers = self._record_numbers(values, numbers, usable_step, phase)
            if others:
                at = step_of_numbers if usable_step is None else usable_step
                self.others.keep(others, at, self._given.usable_phase(phase))
        except Exception as error:  # recording never raises into training code
            if is_interruption(error):
                raise
            self._guard.lost("metric", f"Metric points were not recorded: {error!r}", count=1, error=error)

    def _record_numbers(
        self, values: Mapping[Any, Any], numbers: dict[Any, float], step: float | None, phase: str | None
    ) -> float | None:
        """Record the numbers of a call; return the step that they got, None where none was recorded."""
        keyset = self._keysets.find(tuple(numbers), phase)
        if keyset is None:
            numbers, phase = self._given.usable(numbers), self._given.usable_phase(phase)
            if not numbers:
                return None
            keyset = self._keysets.get(tuple(numbers), phase)
        if keyset.is_exact and not _are_exact(map(type, values.values())):
            keyset.is_exact = False
        if step is None:
            return self._record_next(keyset, numbers, phase)
        self._record(keyset, numbers.values(), step)
        return step

    def _record_next(self, keyset: Keyset, numbers: Mapping[Any, float], phase: str | None) -> float:
        """Give each metric its own next step; metrics whose next step is the same share a record. Return the highest."""
        if not keyset.is_shared:
            step = keyset.highest + 1.0  # as above
            keyset.highest = step
            self._record(keyset, numbers.values(), step)
            return step
        groups: dict[float, dict[str, float]] = {}
        for key, (name, number) in zip(keyset.keys, numbers.items(), strict=True):
            groups.setdefault(self._keysets.take_step(key), {})[name] = number
        for step, group in groups.items():
            part = keyset if len(groups) == 1 else self._keysets.get(tuple(group), phase)
            self._record(part, group.values(), step)
        return max(groups)

    def _record(self, keyset: Keyset, numbers: Iterable[float], step: float) -> None:
        if step > keyset.highest:  # noqa: PLR1730 - as above
            keyset.highest = step
        self._append(keyset, keyset.pack(_POINTS, keyset.number, step, self._now_ns(), *numbers))
