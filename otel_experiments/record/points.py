"""The hot path: from `run.log({...})` to a frame in the journal.

One record holds one step, one time and the values of one key set. The key set is declared once a segment;
after that a call packs numbers and nothing else: no system call, no lock, no object kept.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from otel_experiments.errors import InvalidNameError
from otel_experiments.journal.encode import encode_keyset, points_frame_struct, points_struct
from otel_experiments.journal.format import RecordType
from otel_experiments.journal.writer import JournalWriter
from otel_experiments.model.metric import SeriesKey
from otel_experiments.record.description import shown, text_of
from otel_experiments.record.guard import Guard
from otel_experiments.record.names import clean_name

EPOCH_METRIC: Final = "epoch"
"""The series that `epoch=` goes to: a metric of its own, so that it can be an axis."""

_POINTS: Final = int(RecordType.POINTS)
_MAX_KEYSETS: Final = 4096
_MAX_NESTING: Final = 8
FINISHED: Final = "finished"
_INFINITY: Final = math.inf
_next_keyset_number: Final = itertools.count(1).__next__


class _Keyset:
    __slots__ = (
        "declaration",
        "frame",
        "highest",
        "is_shared",
        "keys",
        "known_to",
        "number",
        "pack",
        "picks",
    )

    def __init__(
        self,
        run_id: str,
        keys: tuple[SeriesKey, ...],
        picks: tuple[int, ...] | None,
        highest: float,
        rank: int,
    ) -> None:
        self.keys = keys
        self.picks = picks
        self.number = number = _next_keyset_number()
        self.pack = points_struct(len(keys)).pack
        self.frame = points_frame_struct(len(keys))
        self.highest = highest
        self.is_shared = False
        self.known_to: object = None  # the declarations of a segment: the segment itself would stay mapped
        told = tuple(SeriesKey(key.name, key.phase, rank) for key in keys) if rank else keys
        self.declaration = (("keyset", number), lambda: encode_keyset(number, run_id, told))


class PointRecorder:
    """Records the metric points of one run.

    Attributes:
        is_gated: while True, nothing is recorded and `gated_count` says how much was not.
    """

    def __init__(
        self,
        run_id: str,
        journal: JournalWriter,
        guard: Guard,
        highest_steps: Mapping[SeriesKey, float],
        clock: Callable[[], int] = time.time_ns,
        *,
        rank: int = 0,
    ) -> None:
        self._run_id = run_id
        self._journal = journal
        self._guard = guard
        self._rank = rank
        self._initial_steps = dict(highest_steps)
        self._keysets: dict[object, _Keyset] = {}
        self._by_series: dict[SeriesKey, list[_Keyset]] = {}
        self._lock = threading.Lock()
        self._now_ns = clock
        self.is_gated = False
        self.gated_count = 0
        self.gate_reason = ""

    def log(
        self,
        values: Mapping[str, Any],  # numbers of any library: whatever has __float__
        step: float | None,
        phase: str | None,
    ) -> None:
        """Record one value for each key; see `Run.log`."""
        if self.is_gated:
            self._refuse(values)
            return
        try:
            keyset = self._keysets[tuple(values), phase]
            if step is None:
                if keyset.is_shared:
                    self._log_each(values, phase)
                    return
                step = keyset.highest + 1.0
                keyset.highest = step
            elif step > keyset.highest:
                if step == _INFINITY:
                    raise ValueError(step)  # noqa: TRY301 - the slow path tells the reason
                keyset.highest = float(step)
            elif step != step or step == -_INFINITY:  # noqa: PLR0124 - NaN
                raise ValueError(step)  # noqa: TRY301 - as above
            payload = keyset.pack(_POINTS, keyset.number, step, self._now_ns(), *values.values())
        except Exception:  # noqa: BLE001 - the first call with these keys, or values that need care
            self._log_with_care(values, step, phase)
            return
        segment = self._journal.segment
        if keyset.known_to is segment.declared and segment.append_packed(keyset.frame, payload):
            return
        self._append(keyset, payload)

    def reset_in_child(self) -> None:
        """Replace the lock after a fork."""
        self._lock = threading.Lock()

    def next_step(self, name: str, phase: str | None) -> float:
        """Return the step that the series' next point without a step gets."""
        try:
            return self._highest(SeriesKey(name, phase or "")) + 1.0
        except TypeError:  # a name that is no text has no points
            return 0.0

    def _refuse(self, values: Any) -> None:
        """Count what comes while nothing is recorded; after the end of the run it is a loss, and told."""
        count = len(values) if isinstance(values, Mapping) else 1
        self.gated_count += count
        if self.gate_reason == FINISHED:
            self._guard.lost(
                "after the end",
                f"Run {self._run_id[:8]} has ended and takes no more metric points; they are lost. Log before it "
                "ends, or go on with it: start_run(resume=ID)",
                count=count,
            )

    def _append(self, keyset: _Keyset, payload: bytes) -> None:
        if self._journal.append(payload, (keyset.declaration,)):
            segment = self._journal.segment
            if keyset.declaration[0] in segment.declared:
                keyset.known_to = segment.declared
        elif self._journal.is_closed:
            self._guard.lost(
                "after the end", "Metric points are lost: recording has ended", count=len(keyset.keys)
            )
        else:
            self._guard.lost(
                "journal full",
                f"Metric points are not recorded: the journal at {str(self._journal.directory)!r} has no room: "
                f"{self._journal.why_full}; recording goes on by itself",
                count=len(keyset.keys),
            )

    def _log_with_care(self, values: Any, step: Any, phase: str | None) -> None:
        """Record what can be recorded of a call that the fast path did not take; count and tell the rest."""
        try:
            if not isinstance(values, Mapping):
                self._guard.lost(
                    "metric values",
                    f"run.log takes a mapping of names to numbers, not {type(values).__name__}; the call is lost",
                )
                return
            checked_step = self._check_step(step)
            numbers: dict[Any, float] = {}
            self._gather(values, "", numbers, 0)
            if not numbers:
                return
            keyset = self._keyset(tuple(numbers), phase)
            if keyset is None:
                return
            if checked_step is None:
                self._log_each(numbers, phase)
                return
            self._record(keyset, numbers, checked_step)
        except Exception as error:  # noqa: BLE001 - recording never raises into training code
            self._guard.lost("metric", f"Metric points were not recorded: {error!r}", count=1, error=error)

    def _gather(self, values: Mapping[Any, Any], prefix: str, numbers: dict[Any, float], depth: int) -> None:
        """Collect the numbers of a mapping; below nested ones the names are dotted, as those of params are."""
        for name, value in values.items():
            full = f"{prefix}{text_of(name)}" if prefix else name
            if isinstance(value, Mapping) and value and depth < _MAX_NESTING:
                self._gather(value, f"{text_of(full)}.", numbers, depth + 1)
                continue
            number = self._number(full, value)
            if number is not None:
                numbers[full] = number

    def _check_step(self, step: Any) -> float | None:
        if step is None:
            return None
        try:
            checked = float(step)
            if math.isfinite(checked):
                return checked
        except (TypeError, ValueError, OverflowError):
            checked = math.nan
        self._guard.lost(
            "metric step",
            f"The step {shown(step)} is not a finite number; the points keep their value and get the next step",
            count=0,
        )
        return None

    def _number(self, name: object, value: Any) -> float | None:
        try:
            if isinstance(value, (str, bytes)):
                raise TypeError  # noqa: TRY301 - "0.5" is a text; float() would accept it
            return float(value.item() if getattr(value, "shape", None) else value)
        except Exception:  # noqa: BLE001 - any object may be passed, and any may raise
            self._guard.lost(
                "metric value",
                f"The value of metric {shown(name)} is not a number: {shown(value)}, of type "
                f"{type(value).__name__}. It is lost, the other values of the call are kept; for texts there are "
                "run.set_tag, run.log_params and run.emit",
            )
            return None

    def _keyset(self, names: tuple[object, ...], phase: object) -> _Keyset | None:
        found = self._keysets.get((names, phase))
        if found is not None:
            return found
        keys: dict[SeriesKey, None] = {}
        picks: list[int] = []
        cleaned_phase = "" if phase is None else self._clean(phase, "phase")
        for position, name in enumerate(names):
            cleaned = self._clean(name, "metric name")
            if cleaned is not None and SeriesKey(cleaned, cleaned_phase or "") not in keys:
                keys[SeriesKey(cleaned, cleaned_phase or "")] = None
                picks.append(position)
        if not keys:
            return None
        with self._lock:
            if len(self._keysets) >= _MAX_KEYSETS:
                self._forget_keysets()
            before = {self._highest(key) for key in keys}
            is_whole = len(picks) == len(names)
            keyset = _Keyset(
                self._run_id,
                tuple(keys),
                None if is_whole else tuple(picks),
                before.pop() if len(before) == 1 else -1.0,
                self._rank,
            )
            keyset.is_shared = bool(before)
            for key in keys:
                sharing = self._by_series.setdefault(key, [])
                sharing.append(keyset)
                if len(sharing) > 1:
                    for other in sharing:
                        other.is_shared = True
            if is_whole:
                self._keysets[names, phase] = keyset
        return keyset

    def _forget_keysets(self) -> None:
        """Begin anew where every call has other names: only the steps reached are kept."""
        self._initial_steps |= {key: self._highest(key) for key in self._by_series}
        self._by_series.clear()
        self._keysets.clear()

    def _clean(self, name: object, kind: str) -> str | None:
        try:
            return clean_name(name, kind)
        except InvalidNameError as error:
            self._guard.lost(kind, f"{error} The points are lost")
            return None

    def _highest(self, key: SeriesKey) -> float:
        sharing = self._by_series.get(key)
        known = self._initial_steps.get(key, -1.0)
        return max(known, *(keyset.highest for keyset in sharing)) if sharing else known

    def _log_each(self, values: Mapping[str, Any], phase: str | None) -> None:
        """Give each metric its own next step; metrics whose next step is the same share a record."""
        groups: dict[float, dict[str, Any]] = {}
        for name, value in values.items():
            cleaned = self._clean(name, "metric name")
            if cleaned is not None:
                key = SeriesKey(cleaned, clean_name(phase, "phase") if phase else "")
                groups.setdefault(self._highest(key) + 1.0, {})[name] = value
        for step, group in groups.items():
            keyset = self._keyset(tuple(group), phase)
            if keyset is not None:
                self._record(keyset, group, step)

    def _record(self, keyset: _Keyset, values: Mapping[str, Any], step: float) -> None:
        keyset.highest = max(keyset.highest, step)
        numbers: Sequence[Any] = list(values.values())
        if keyset.picks is not None:
            numbers = [numbers[pick] for pick in keyset.picks]
        self._append(keyset, keyset.pack(_POINTS, keyset.number, step, self._now_ns(), *numbers))
