"""A small process that goes on handing on what is written, when the one that records it is gone: killed, or done with waiting.

A pipe whose last reader has gone ends the program that prints into it, and recording is to end no program. So the reading
ends have a second holder. It imports nothing of ours, reads nothing while the recording process lives, and ends with it
where nothing is left to be read.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Final

from otel_experiments.process.interruption import Swallowing

if TYPE_CHECKING:
    from collections.abc import Sequence

_END_S: Final = 1.0
"""How long the end of the other process is waited for, which has nothing to do any more."""
_LOOK_S: Final = 0.001
_STAND_BY: Final = """
import os, select, signal, sys
for name in ("SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGTTOU"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
told, *numbers = map(int, sys.argv[1:])
pairs = dict(zip(numbers[::2], numbers[1::2]))
outers = list(pairs)
def leave(outer):
    os.close(outer)
    del pairs[outer]
def hand_on(outer):
    data = os.read(outer, 1 << 16)
    if not data:
        raise OSError
    while data:
        try:
            data = data[os.write(pairs[outer], data):]
        except BlockingIOError:
            room = select.poll()
            room.register(pairs[outer], select.POLLOUT)
            room.poll()
while pairs and (number := os.read(told, 1)):
    leave(outers[number[0]])
while pairs:
    waiting = select.poll()
    for outer in pairs:
        waiting.register(outer, select.POLLIN)
    for outer, _ in waiting.poll():
        try:
            hand_on(outer)
        except OSError:
            leave(outer)
"""


class Standby:
    """The process that hands on what comes out of each reading end that it has not been told to leave."""

    def __init__(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Start it for reading ends, each with the descriptor that it is handed on to; without it where none may be started."""
        self._left = len(pairs)
        self._pid = 0
        self._told = -1
        if pairs:
            with Swallowing(OSError):  # no process or no descriptor is left here
                self._start(pairs)

    def _start(self, pairs: Sequence[tuple[int, int]]) -> None:
        told, self._told = os.pipe()
        passed = [told, *(number for pair in pairs for number in pair)]
        before = [(number, os.get_inheritable(number)) for number in passed]
        command = [sys.executable, "-I", "-S", "-c", _STAND_BY, *map(str, passed)]
        actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
        try:
            for number in passed:
                os.set_inheritable(number, True)
            self._pid = os.posix_spawn(sys.executable, command, os.environ, file_actions=actions, setpgroup=0)
        finally:
            for number, is_inheritable in before:
                os.set_inheritable(number, is_inheritable)
            os.close(told)

    def leave(self, index: int) -> None:
        """Have it close the reading end with this number, which has ended or whose reader has gone."""
        self._left -= 1
        if self._told >= 0:
            with Swallowing(OSError):  # it was killed
                os.write(self._told, bytes([index]))

    def close(self) -> None:
        """Have it go on with what it was not told to leave; where that is nothing, wait for its end."""
        if self._told >= 0:
            os.close(self._told)
            self._told = -1
        deadline_s = time.monotonic() + _END_S
        with Swallowing(ChildProcessError):
            while self._pid and not self._left and time.monotonic() < deadline_s:
                if os.waitpid(self._pid, os.WNOHANG)[0]:
                    self._pid = 0
                    break
                time.sleep(_LOOK_S)
