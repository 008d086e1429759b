"""Artifacts that are kept while training goes on: one thread, in the order in which they were given.

The thread is there while there is something to do. What is not done when the process has to end is given up and counted.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from otel_experiments.process.fork import ResetInChild
from otel_experiments.process.interruption import pass_on
from otel_experiments.process.thread_signals import leave_signals_to_the_program
from otel_experiments.record.base.artifact_digest import ArtifactDigest
from otel_experiments.record.base.guard import THREAD_PREFIX
from otel_experiments.record.pipeline.waited import WaitedInVain

Work = Callable[[], ArtifactDigest]

ARTIFACTS_SHARE: Final = 0.8
"""How much of the exit budget they get that are still being kept at the end of a run and of the process, together."""
MOST_WAITING_BYTES: Final = 64 << 20
"""So many bytes that were given, and are held until they are kept, may wait; a file waits where it is, and is not counted."""


class ArtifactHandle:
    """An artifact that is being kept by another thread; what `log_artifact(..., wait=False)` returns.

    Attributes:
        name: what people call the artifact.
    """

    def __init__(self, name: str, work: Work, give_up: Callable[[], None]) -> None:
        self.name = name
        self._work: Work | None = work
        self._give_up = give_up
        self._pid = os.getpid()
        self._given_bytes = 0
        self._done = threading.Event()
        self._digest = ArtifactDigest(name=name)

    def __repr__(self) -> str:
        return f"ArtifactHandle({self.name!r}, {'done' if self.done else 'in progress'})"

    @property
    def done(self) -> bool:
        """Whether it is kept, or known that it is not."""
        return self._done.is_set()

    def result(self, timeout_s: float | None = None) -> ArtifactDigest:
        """Wait until it is kept, and return its digest: an empty one where it was not, or not within `timeout_s`."""
        if self._pid == os.getpid():  # the thread is the parent's in a forked child
            self._done.wait(timeout_s)
        return self._digest

    def _run(self) -> None:
        work, self._work = self._work, None
        try:
            if work is not None:
                self._digest = work()
        finally:
            self._done.set()

    def _abandon(self) -> None:
        work, self._work = self._work, None
        if not self.done:
            self._give_up()
        if work is not None:  # it has not begun, and will not
            self._done.set()


def done_handle(digest: ArtifactDigest) -> ArtifactHandle:
    """Return a handle of what is done already."""
    made = ArtifactHandle(digest.name, lambda: digest, lambda: None)
    made._run()  # noqa: SLF001 - the module's own class
    return made


class ArtifactQueue:
    """What is to be kept by the thread of one pipeline."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._waiting: deque[ArtifactHandle] = deque()
        self._now: ArtifactHandle | None = None
        self._has_thread = False
        self._given_bytes = 0
        self._done_bytes = 0
        _queues.add(self)

    def __bool__(self) -> bool:
        """Tell whether something is not done yet."""
        return bool(self._waiting) or self._now is not None

    def has_room(self, size_bytes: int) -> bool:
        """Tell whether so many bytes may be held until the thread has kept them: any number where nothing waits."""
        return (
            not size_bytes
            or not self
            or self._given_bytes - self._done_bytes + size_bytes <= MOST_WAITING_BYTES
        )

    def add(
        self, name: str, work: Work, give_up: Callable[[], None], *, held_bytes: int = 0
    ) -> ArtifactHandle:
        """Have `work`, which holds so many bytes, done by the thread; `give_up` is called where the process cannot wait."""
        handle = ArtifactHandle(name, work, give_up)
        self._given_bytes += (
            held_bytes  # nothing is called in these two lines, so no other thread comes in between
        )
        handle._given_bytes = self._given_bytes  # noqa: SLF001 - the module's own class
        self._waiting.append(handle)  # without a lock, which a signal handler that raises could leave locked
        self._see_to_thread()
        return handle

    def wait(self, *, timeout_s: float) -> bool:
        """Wait until nothing is left; True when that was so in time."""
        deadline_s = time.monotonic() + timeout_s
        if self:
            self._see_to_thread()
        with self._lock:
            return self._changed.wait_for(lambda: not self, max(0.0, deadline_s - time.monotonic()))

    def wait_at_end(self, waited: WaitedInVain, exit_timeout_s: float) -> None:
        """Wait as the end of a run does, as far as there is time; the rest goes on while the process lives."""
        if not self:
            return
        begun_s = waited.begin()
        is_done = self.wait(timeout_s=waited.left_s(exit_timeout_s * ARTIFACTS_SHARE))
        waited.end(begun_s, is_done=is_done)

    def close(self, *, timeout_s: float) -> None:
        """Wait as long as there is time, and give up what is left."""
        if self and not self.wait(timeout_s=timeout_s):
            with self._lock:
                left = [*filter(None, [self._now]), *self._waiting]
                self._waiting.clear()
            for handle in left:
                handle._abandon()  # noqa: SLF001 - the queue's own class

    def _see_to_thread(self) -> None:
        """Start the thread unless it runs, which it says itself: a signal handler may raise before it is started."""
        if self._has_thread:
            return
        thread = threading.Thread(target=self._loop, name=f"{THREAD_PREFIX}artifacts", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the interpreter is about to end and starts none
            pass_on(error)
            self._loop(is_own_thread=False)

    def _loop(self, *, is_own_thread: bool = True) -> None:
        if is_own_thread:
            leave_signals_to_the_program()
        with self._lock:
            if self._has_thread:  # another one was faster
                return
            self._has_thread = True
        try:
            while (handle := self._next()) is not None:
                handle._run()  # noqa: SLF001 - as above
                self._done_bytes = handle._given_bytes  # noqa: SLF001 - as above
        except BaseException:  # a defect: the next one is not to wait for this thread for ever
            with self._lock:
                self._now, self._has_thread = None, False
            raise

    def _next(self) -> ArtifactHandle | None:
        with self._lock:
            self._now, self._has_thread = None, False
            if self._waiting:  # looked at last: what is added now finds no thread, and starts one
                self._now, self._has_thread = self._waiting.popleft(), True
            else:
                self._changed.notify_all()
            return self._now

    def _reset_in_child(self) -> None:
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._waiting, self._now, self._has_thread = deque(), None, False
        self._given_bytes = self._done_bytes = 0


_queues: Final = ResetInChild(ArtifactQueue._reset_in_child)  # noqa: SLF001 - the module's own class
