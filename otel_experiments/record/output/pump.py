"""Hands on what is written to a pipe, byte by byte, and records the lines of it."""

from __future__ import annotations

import fcntl
import os
import pty
import selectors
import struct
import termios
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from otel_experiments.process.interruption import Swallowing, is_interruption
from otel_experiments.record.output.decoding import OutputDecoder
from otel_experiments.record.output.lines import Lines
from otel_experiments.record.output.standby import Standby

if TYPE_CHECKING:
    from otel_experiments.record.output.writer import RunOutput

_READ_BYTES: Final = 64 << 10
_LOOK_S: Final = 0.25
_LAST_LOOK_S: Final = 0.02
_SIZE_BYTES: Final = struct.calcsize("HHHH")
_OPOST: Final = termios.OPOST


class Channel:
    """What comes out of a pipe that has taken the place of one descriptor, or of a terminal where that is a terminal.

    Attributes:
        target: where it is handed on to.
        outer: where it is read.
        inner: what the program writes to; negative where it has it already.
    """

    def __init__(
        self, target: int, output: RunOutput, *, ends: tuple[int, int] | None = None, encoding: str = ""
    ) -> None:
        """Hand on to `target`.

        `ends` are there already where another process has made them; `encoding` is that of the program's stream.
        """
        self.target = target
        self._output = output
        self._is_terminal = os.isatty(target)
        self.outer, self.inner = open_ends(target) if ends is None else ends
        self._decoder = OutputDecoder(encoding)
        self._lines = Lines()
        self._size = b""
        self.is_open = True
        self.take_size()

    def close_inner(self) -> None:
        """Leave the writing end to the program, when it has it."""
        if self.inner >= 0:
            os.close(self.inner)
            self.inner = -1

    def pass_on(self) -> None:
        """Read what is there, write it where it would have gone, and record it."""
        try:
            data = os.read(self.outer, _READ_BYTES)
        except OSError as error:  # a terminal whose last writer has gone
            if is_interruption(error):
                raise
            data = b""
        if not data:
            self.close()
            return
        has_reader = self._hand_on(data)
        self._record(self._decoder.decode(data))
        if not has_reader:  # the program is to notice it, as it would without us
            self.close()

    def close(self) -> None:
        """Record what is left and take nothing more. Safe to call twice."""
        if not self.is_open:
            return
        self.is_open = False
        self.close_inner()
        os.close(self.outer)
        self._record(self._decoder.decode(b"", is_last=True))
        rest = self._lines.take_rest()
        if rest is not None:
            self._output.write(rest)

    def take_size(self) -> None:
        """Give the program's terminal the size of the one that is looked at."""
        if self._is_terminal:
            with Swallowing(OSError):
                size = fcntl.ioctl(self.target, termios.TIOCGWINSZ, bytes(_SIZE_BYTES))
                if size != self._size:
                    self._size = size
                    fcntl.ioctl(self.outer, termios.TIOCSWINSZ, size)

    def _record(self, text: str) -> None:
        whole = self._lines.feed(text) if text else None
        if whole is not None:
            self._output.write(whole)
        unreadable = self._decoder.take_unreadable()
        if unreadable:
            self._output.tell_unreadable(unreadable)

    def _hand_on(self, data: bytes) -> bool:
        """Write all of it; False when whoever read it has gone."""
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self.target, left) :]
            except BlockingIOError:  # whoever gave us the descriptor wants it so
                with selectors.PollSelector() as selector:
                    selector.register(self.target, selectors.EVENT_WRITE)
                    selector.select()
            except OSError as error:
                if is_interruption(error):
                    raise
                return False
        return True


def pump(
    channels: Sequence[Channel],
    *,
    is_over: Callable[[], bool],
    grace_s: float,
    look: Callable[[], object] = lambda: None,
    end_fd: int | None = None,
) -> None:
    """Hand on until the program is over and its channels have ended, or `grace_s` later.

    Another process goes on with it then, and where this one is killed, so that no writer finds a broken pipe.
    `look` is called now and then; that `end_fd` can be read says that the program may be over.
    """
    deadline_s: float | None = None
    standby = Standby([(channel.outer, channel.target) for channel in channels])
    with selectors.PollSelector() as selector:
        for index, channel in enumerate(channels):
            selector.register(channel.outer, selectors.EVENT_READ, (index, channel))
        if end_fd is not None:
            selector.register(end_fd, selectors.EVENT_READ, None)
        while deadline_s is None or time.monotonic() < deadline_s:
            _hand_on_once(selector, standby, _LOOK_S if deadline_s is None else _LAST_LOOK_S)
            look()
            still_open = [channel for channel in channels if channel.is_open]
            for channel in still_open:
                channel.take_size()
            is_last = is_over()
            if is_last and not still_open:
                break
            if is_last and deadline_s is None:
                deadline_s = time.monotonic() + grace_s
    for channel in channels:
        channel.close()
    standby.close()


def _hand_on_once(selector: selectors.BaseSelector, standby: Standby, timeout_s: float) -> None:
    for key, _ in selector.select(timeout_s):
        if key.data is None:
            selector.unregister(key.fileobj)
            continue
        index, channel = key.data
        channel.pass_on()
        if not channel.is_open:
            selector.unregister(key.fileobj)
            standby.leave(index)


def open_ends(target: int) -> tuple[int, int]:
    """Return the reading and the writing end of what takes the place of a descriptor; no child inherits them.

    In the place of a terminal it is one with the same settings, which changes no byte of what is written.
    """
    if not os.isatty(target):
        return os.pipe()
    outer, inner = pty.openpty()
    with Swallowing(termios.error, OSError):
        settings = termios.tcgetattr(target)
        settings[1] &= ~_OPOST
        termios.tcsetattr(inner, termios.TCSANOW, settings)
    return outer, inner
