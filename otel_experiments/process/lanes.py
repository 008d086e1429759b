"""In which lane a span runs: the thread or asyncio task, of this process, of this rank.

Within a lane things happen one after the other; between lanes nothing is ordered. Golden comparison rests on
that, so lanes get names that are the same in every run of the same program: never OS ids.
Source: decision on lanes in the golden-trace design; cost below one microsecond.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time
from typing import Final
from weakref import WeakKeyDictionary

from otel_experiments.process.fork import at_fork

sequence: Final = itertools.count()
"""The per-process counter of started spans."""

next_sequence: Final = sequence.__next__

_process_prefix = ""
_local = threading.local()
_thread_numbers = itertools.count(1)
_task_lanes: WeakKeyDictionary[object, str] = WeakKeyDictionary()
_task_numbers = itertools.count(1)
_children = itertools.count(1)
_next_child_prefix = ""


def current_lane() -> str:
    """Return the name of the caller's lane, such as `main`, `thread-2` or `rank1/main/task-3`."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None:
        try:
            task = None if asyncio._get_running_loop() is None else asyncio.current_task()  # noqa: SLF001 - documented for loop authors
        except AttributeError:  # another thread is importing it: no loop runs yet
            task = None
        if task is not None:
            lane = _task_lanes.get(task)
            if lane is None:
                lane = _task_lanes[task] = f"{_thread_lane()}/task-{next(_task_numbers)}"
            return lane
    try:
        return _local.lane  # type: ignore[no-any-return] # a text, set below
    except AttributeError:
        return _thread_lane()


def _thread_lane() -> str:
    try:
        return _local.lane  # type: ignore[no-any-return] # a text, set below
    except AttributeError:
        is_main = threading.current_thread() is threading.main_thread()
        _local.lane = _process_prefix + ("main" if is_main else f"thread-{next(_thread_numbers)}")
        return _local.lane  # type: ignore[no-any-return] # a text, set above


class LaneClock:
    """CPU time that the caller's lane has spent since the clock was made."""

    __slots__ = ("_lane", "_start_ns")

    def __init__(self) -> None:
        self._lane = current_lane()
        self._start_ns = time.thread_time_ns()

    def read_ns(self) -> int | None:
        """Return the nanoseconds; None in another lane, and in a task, which shares its thread with others."""
        if current_lane() != self._lane or "/task-" in self._lane:
            return None
        return time.thread_time_ns() - self._start_ns


def set_rank(rank: int | None) -> None:
    """Put the rank of a distributed job in front of the names of this process's lanes."""
    global _process_prefix, _local  # noqa: PLW0603 - identity of the process, set once when its run starts
    _process_prefix = "" if rank is None else f"rank{rank}/"
    _local = threading.local()


def set_child(number: int, rank: int | None = None) -> None:
    """Name the lanes of a process that its parent (a rank, if it is one) started without a fork, as after a fork."""
    global _process_prefix, _local  # noqa: PLW0603 - as above
    _process_prefix = f"child-{number}/" if rank is None else f"rank{rank}/child-{number}/"
    _local = threading.local()


def _number_child() -> None:
    global _next_child_prefix  # noqa: PLW0603 - handed from parent to child over the fork
    _next_child_prefix = f"{_process_prefix}child-{next(_children)}/"


def _rename_in_child() -> None:
    global _process_prefix, _local, _thread_numbers, _task_numbers, _children  # noqa: PLW0603 - a new process
    _process_prefix = _next_child_prefix
    _local = threading.local()
    _thread_numbers, _task_numbers, _children = itertools.count(1), itertools.count(1), itertools.count(1)
    _task_lanes.clear()


at_fork(before=_number_child, after_in_child=_rename_in_child)
