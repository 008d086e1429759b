"""Values that are fetched from a device behind the training, `run.log(..., lazy=True)`: on one thread, in the order of the calls.

At the call a value is cloned where it is, so that training may go on writing to it; its step and its time are those of the
call. Until the thread has fetched it, it is in the memory of the device and of this process alone: not durable yet.
`flush` and the end of a run wait, within their time; what is left then is counted as lost and not recorded any more, also if
its value comes later. A forked child fetches nothing
of its parent's.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from otel_experiments.record.base.guard import THREAD_PREFIX

if TYPE_CHECKING:
    from otel_experiments.record.base.guard import RunGuard
    from otel_experiments.record.metrics.keysets import Keyset

_JAX: Final = frozenset({"jax", "jaxlib"})
MAX_WAITING: Final = 10_000
"""Calls that may wait; one more is fetched at the call, so that memory is bounded."""


class Deferred(NamedTuple):
    """Values of one call that share a step, and the key set of their names. `wait_until_ready` waits for the clones."""

    keyset: Keyset
    step: float
    time_ns: int
    clones: Mapping[str, Any]
    phase: str | None
    wait_until_ready: Callable[[], object]


def is_on_a_device(value: Any) -> bool:
    """Tell whether it is one number of torch or JAX, which may be computed still."""
    libraries = _libraries(value)
    if "torch" in libraries:
        return bool(value.numel() == 1)
    return not _JAX.isdisjoint(libraries) and bool(value.size == 1)


def clone(value: Any) -> Any:
    """Return a copy that nothing writes to, made where the value is; a step of JAX may take over the memory of its arrays."""
    return value.detach().clone() if "torch" in _libraries(value) else value.copy()


def _libraries(value: object) -> set[str]:
    return {kind.__module__.partition(".")[0] for kind in type(value).__mro__}


def waiting_for(values: Mapping[str, Any]) -> Callable[[], object]:
    """Return what waits for the streams on which the clones are made."""
    devices = {value.device for value in values.values() if "torch" in _libraries(value) and value.is_cuda}
    if not devices:
        return bool  # there is none to wait for
    cuda = sys.modules["torch"].cuda
    events = [cuda.current_stream(device).record_event() for device in devices]
    return lambda: [event.synchronize() for event in events]


class Behind:
    """Fetches what one run deferred, on a thread that ends with the run.

    `fetch` returns the numbers of a call, which may take any time; `record` records them.
    """

    def __init__(
        self,
        guard: RunGuard,
        fetch: Callable[[Deferred], dict[Any, float]],
        record: Callable[[Deferred, dict[Any, float]], None],
    ) -> None:
        self._guard = guard
        self._fetch = fetch
        self._record = record
        self._start_anew()

    def _start_anew(self) -> None:
        self._queue: SimpleQueue[Deferred | threading.Event | None] = (
            SimpleQueue()
        )  # of C: a signal handler may put, too; None ends the thread
        self._now: deque[Deferred] = deque()  # what is being fetched: who takes it out records or counts it
        self._left_count = 0
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self.is_closed = False

    @property
    def is_full(self) -> bool:
        """Whether no more may wait."""
        return self._queue.qsize() >= MAX_WAITING

    def put(self, deferred: Deferred) -> None:
        """Have values fetched after those that wait."""
        self._queue.put(deferred)
        if self.is_closed:  # since the call began
            self._count_left()
        elif self._thread is None and self._lock.acquire(
            blocking=False
        ):  # who does not get it finds it being done
            try:
                if self._thread is None:
                    thread = threading.Thread(target=self._work, name=f"{THREAD_PREFIX}fetch", daemon=True)
                    thread.start()
                    self._thread = thread
            finally:
                self._lock.release()

    def wait(self, timeout_s: float) -> bool:
        """Wait until all that was put so far is fetched; tell whether it is. After the end nothing is waited for."""
        if self.is_closed or self._thread is None:
            return self._queue.empty() or self.is_closed
        if threading.current_thread() is self._thread:
            return False
        mark = threading.Event()
        self._queue.put(mark)
        return self.is_closed or mark.wait(timeout_s)

    def close(self) -> None:
        """Fetch nothing any more; what waits is counted, and what is being fetched."""
        self.is_closed = True
        self._count_left()

    def reset_in_child(self) -> None:
        """Forget what the parent fetches, after a fork."""
        self._start_anew()

    def _count_left(self) -> None:
        """Count what is not recorded after the end, each value once, and have the thread end."""
        while self._now or not self._queue.empty():
            one = self._next_left()
            if isinstance(one, threading.Event):
                one.set()
            elif one is not None:
                self._left_count += len(one.clones)
        self._queue.put(None)
        count, self._left_count = self._left_count, 0
        if count:
            text = (
                f"{count} values of run.log(..., lazy=True) were not fetched before the run ended, and are lost. Call "
                "run.flush() before, or log them without lazy"
            )
            with self._guard:
                self._guard.lost("metric value", text, name="lazy", count=count)

    def _next_left(self) -> Deferred | threading.Event | None:
        """Return one of what is left; None where another thread was faster."""
        try:
            return self._now.pop() if self._now else self._queue.get_nowait()
        except (IndexError, Empty):
            return None

    def _work(self) -> None:
        while (one := self._queue.get()) is not None:
            if isinstance(one, threading.Event):
                one.set()
                continue
            self._now.append(one)
            if self.is_closed:
                self._count_left()
                return
            with self._guard:
                numbers = self._fetch(one)
                if self._is_still_wanted():
                    self._record(one, numbers)
            self._now.clear()

    def _is_still_wanted(self) -> bool:
        """Tell whether the end has not counted what is being fetched; from now on it is recorded."""
        try:
            self._now.pop()
        except IndexError:
            return False
        return True
