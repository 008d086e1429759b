"""Writing the steps and times that metrics logged together share: stored once for all of them."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Sequence
from itertools import chain
from typing import Final

from otel_experiments.store.semantics.band import finite_steps, is_ascending, step_increment
from otel_experiments.store.semantics.summary import Axis
from otel_experiments.store.sqlite.chunk import PACKED, RAW, decode_floats, decode_times, pack, pack_raw
from otel_experiments.store.sqlite.read_point import null_of_nan

_INSERT_AXIS: Final = """
    insert into axes (
      run_id, encoding, count, first_step, last_step, min_step, max_step, unplaced_count, is_ascending,
      step_increment, first_time_ns, last_time_ns, steps_data, times_data
    ) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_SELECT_AXIS: Final = "select encoding, count, steps_data, times_data from axes where axis_id = ?"
# Index: chunks_by_axis.
_DELETE_UNUSED: Final = """
    delete from axes where axis_id = ?1 and not exists (select 1 from chunks where chunks.axis_id = ?1)
"""


class AxisShelf:
    """The axes that one batch stores, joins and gives up. Lives as long as the batch is written."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._stored: dict[tuple[str, int, int, int, bool], int] = {}
        self._joined: dict[tuple[object, ...], Axis] = {}
        self._loaded: dict[int, tuple[array[float], array[int]]] = {}
        self._kept: list[Axis] = []
        self._given_up: set[int] = set()

    def store(self, run_id: str, axis: Axis, start: int, stop: int, *, is_sealed: bool) -> int:
        """Return the row id of a stretch of the axis, stored now where another series has not done so."""
        key = (run_id, id(axis), start, stop, is_sealed)
        row_id = self._stored.get(key)
        if row_id is None:
            self._kept.append(axis)  # so that its id stays its own
            row_id = self._stored[key] = self._insert(run_id, axis, start, stop, is_sealed=is_sealed)
        return row_id

    def join(self, axes: Sequence[Axis]) -> Axis:
        """Return the axes one after the other, the same object for the same axes."""
        if len(axes) == 1:
            return axes[0]
        key = tuple(map(id, axes))
        found = self._joined.get(key)
        if found is None:
            self._kept.extend(axes)
            steps = array("d", chain.from_iterable(axis.steps for axis in axes))
            times = array("q", chain.from_iterable(axis.times_ns for axis in axes))
            found = self._joined[key] = Axis.of(steps, times)
        return found

    def reopen(self, axis_ids: Sequence[int], axis: Axis) -> Axis:
        """Return the stored axes followed by `axis`; the stored ones are given up by one series."""
        self._given_up.update(axis_ids)
        key = (*axis_ids, -1, id(axis))
        found = self._joined.get(key)
        if found is None:
            self._kept.append(axis)
            steps, times = array("d"), array("q")
            for axis_id in axis_ids:
                stored_steps, stored_times = self._load(axis_id)
                steps.extend(stored_steps)
                times.extend(stored_times)
            steps.extend(axis.steps)
            times.extend(axis.times_ns)
            found = self._joined[key] = Axis.of(steps, times)
        return found

    def clear_given_up(self) -> None:
        """Delete the axes that no chunk refers to any more."""
        self._connection.executemany(_DELETE_UNUSED, [(axis_id,) for axis_id in sorted(self._given_up)])

    def _load(self, axis_id: int) -> tuple[array[float], array[int]]:
        found = self._loaded.get(axis_id)
        if found is None:
            row = self._connection.execute(_SELECT_AXIS, (axis_id,)).fetchone()
            encoding, count, steps_data, times_data = row
            found = decode_floats(encoding, count, steps_data), decode_times(encoding, count, times_data)
            self._loaded[axis_id] = found
        return found

    def _insert(self, run_id: str, axis: Axis, start: int, stop: int, *, is_sealed: bool) -> int:
        steps, times = axis.steps[start:stop], axis.times_ns[start:stop]
        low, high, unplaced_count = finite_steps(steps)
        encode = pack if is_sealed else pack_raw
        bounds = map(null_of_nan, (steps[0], steps[-1], low, high))
        cursor = self._connection.execute(
            _INSERT_AXIS,
            (
                run_id, PACKED if is_sealed else RAW, len(steps), *bounds, unplaced_count,
                int(is_ascending(steps)), step_increment(steps), times[0], times[-1], encode(steps), encode(times),
            ),
        )  # fmt: skip
        assert cursor.lastrowid is not None
        return cursor.lastrowid
