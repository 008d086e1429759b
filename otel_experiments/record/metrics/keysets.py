"""The sets of names that `run.log` is called with, and the steps that their metrics have reached.

A set used alone keeps its metrics' step itself: the hot path reads it and stores it again, with no call in between, so
that neither a thread nor a signal handler gets the same step. Metrics that several sets share take their steps here.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Mapping
from typing import Final, cast

from otel_experiments.journal.encode import encode_keyset, points_frame_struct, points_struct
from otel_experiments.model.metric import SeriesKey
from otel_experiments.record.base.names import clean_name

_MAX_KEYSETS: Final = 4096
_next_keyset_number: Final = itertools.count(1).__next__


class Keyset:
    """The metrics that are logged together, ready to be packed.

    Attributes:
        highest: the highest step of any of them, so far as calls with this set of names know it.
        is_exact: all values so far were floats and ints of Python itself.
        is_shared: one of them is in another set too, or they stand at different steps.
        names: as they were given.
    """

    __slots__ = (
        "declaration",
        "frame",
        "highest",
        "is_exact",
        "is_shared",
        "is_single",
        "keys",
        "known_to",
        "names",
        "number",
        "pack",
    )

    def __init__(
        self,
        run_id: str,
        keys: tuple[SeriesKey, ...],
        names: Iterable[str],
        highest: float,
        *,
        is_shared: bool,
        rank: int,
        attempt: int,
    ) -> None:
        self.keys = keys
        self.names: list[str] | None = list(names)
        self.number = number = _next_keyset_number()
        self.pack = points_struct(len(keys)).pack
        self.frame = points_frame_struct(len(keys))
        self.highest = highest
        self.is_shared = is_shared
        self.is_exact = True
        self.is_single = len(keys) == 1
        self.known_to: object = None  # the declarations of a segment: the segment itself would stay mapped
        told = tuple(SeriesKey(key.name, key.phase, rank) for key in keys) if rank else keys
        self.declaration = (("keyset", number), lambda: encode_keyset(number, run_id, told, attempt=attempt))


class _NoKeyset:
    """In the place of a key set where none was used: no names are equal to its own."""

    names = None


class Known(dict[tuple[object, ...], Keyset]):
    """Key sets by the names as they were given.

    Attributes:
        last: the one that was used last.
    """

    __slots__ = ("last",)

    def __init__(self) -> None:
        super().__init__()
        self.last = cast("Keyset", _NoKeyset)

    def clear(self) -> None:
        """Forget every key set."""
        super().clear()
        self.last = cast("Keyset", _NoKeyset)


class Keysets:
    """The key sets of one run.

    Attributes:
        known: by the names as they were given, without a phase.
        known_in: the same by phase.
    """

    def __init__(
        self, run_id: str, highest_steps: Mapping[SeriesKey, float], *, rank: int, attempt: int = 0
    ) -> None:
        self._run_id = run_id
        self._rank = rank
        self._attempt = attempt
        self._floors = {key: [step] for key, step in highest_steps.items()}
        self.known = Known()
        self.known_in: dict[object, Known] = {}
        self._by_series: dict[SeriesKey, list[Keyset]] = {}
        self._has_forgotten = False
        self._lock = threading.RLock()

    def find(self, names: tuple[object, ...], phase: object) -> Keyset | None:
        """Return the key set of these names, if it is known."""
        try:
            known = self.known if phase is None else self.known_in.get(phase)
            return None if known is None else known.get(names)
        except TypeError:  # a phase that can be no key
            return None

    def get(self, names: tuple[str, ...], phase: str | None) -> Keyset:
        """Return the key set of names that can be used, made where it is new."""
        return self.find(names, phase) or self._make(names, phase)

    def _make(self, names: tuple[str, ...], phase: str | None) -> Keyset:
        cleaned_phase = "" if phase is None else clean_name(phase, "phase")
        keys = tuple(SeriesKey(clean_name(name, "metric name"), cleaned_phase) for name in names)
        with self._lock:
            found = self.find(names, phase)
            if found is not None:
                return found
            if len(self.known) + sum(map(len, self.known_in.values())) >= _MAX_KEYSETS:
                self._forget()
            before = {self.highest(key) for key in keys}
            is_shared = (
                self._has_forgotten or len(before) > 1 or any(self._by_series.get(key) for key in keys)
            )
            keyset = Keyset(
                self._run_id,
                keys,
                names,
                -1.0 if is_shared else max(before),
                is_shared=is_shared,
                rank=self._rank,
                attempt=self._attempt,
            )
            for key in keys:
                sharing = self._by_series.setdefault(key, [])
                sharing.append(keyset)
                if len(sharing) > 1:
                    sharing[0].is_shared = True
            known = self.known if phase is None else self.known_in.setdefault(phase, Known())
            known[names] = keyset
        return keyset

    def _forget(self) -> None:
        """Begin anew where every call has other names: only the steps reached are kept.

        Another thread may be inside a call with a key set that is forgotten here. From now on all key sets of the run
        take their steps from the floors, the forgotten ones too, and a floor only ever rises: no step is given twice.
        """
        self._has_forgotten = True
        for sharing in list(self._by_series.values()):
            for keyset in sharing:
                keyset.is_shared = True
        for key in list(self._by_series):
            self._raise_floor(key)
        self._by_series.clear()
        self.known.clear()
        self.known_in.clear()

    def _raise_floor(self, key: SeriesKey) -> None:
        """Set the floor of a series to the highest step of its key sets."""
        floor = self._floors.setdefault(key, [-1.0])
        while True:
            seen = floor[0]
            reached = self.highest(key)
            if floor[0] == seen:  # as in take_step
                floor[0] = reached
                return

    def highest(self, key: SeriesKey) -> float:
        """Return the highest step of a series so far, -1 where it has none."""
        floor = self._floors.get(key)
        sharing = self._by_series.get(key)
        known = floor[0] if floor is not None else -1.0
        return max(known, *(keyset.highest for keyset in sharing)) if sharing else known

    def reach(self) -> tuple[int, float]:
        """Return how many series there are, and the sum of the steps that they have reached."""
        series = list(self._by_series)
        return len(series), sum(map(self.highest, series))

    def take_step(self, key: SeriesKey) -> float:
        """Return the next step of a series that several key sets have, to this caller alone."""
        floor = self._floors.setdefault(key, [-1.0])
        while True:
            seen = floor[0]
            step = self.highest(key) + 1.0
            if (
                floor[0] == seen
            ):  # no call from here to the store: neither a thread nor a signal handler comes in between
                floor[0] = step
                return step

    def reach_step(self, key: SeriesKey, step: float) -> None:
        """Let the next step of a series be above this one."""
        floor = self._floors.setdefault(key, [-1.0])
        if step > floor[0]:  # noqa: PLR1730 - no call in between, as in take_step
            floor[0] = step

    def reset_in_child(self) -> None:
        """Replace the lock, which another thread of the parent may have held at the fork."""
        self._lock = threading.RLock()
