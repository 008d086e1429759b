"""Standard input and output as the protocol's own: nothing else is written there, and a signal ends a wait for either.

The SDK reads and writes them in threads, which no signal ends while a client is silent; so they are read and written here when
the system says that they are ready.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import anyio
import anyio.lowlevel

_READ_BYTES: Final = 1 << 16
_WRITE_BYTES: Final = 4096
"""A pipe that is said to be ready takes so many bytes without waiting: PIPE_BUF of POSIX."""


@dataclass(frozen=True, slots=True)
class Wire:
    """The two ends of the wire: what the client says, and what it is told."""

    incoming: Lines
    outgoing: Writer


@contextmanager
def claimed() -> Iterator[Wire]:
    """Lend standard input and output; inside the block other code reads an end of file, and writes to standard error."""
    kept = [_kept(0), _kept(1)]
    nothing = os.open(os.devnull, os.O_RDONLY)
    try:
        os.dup2(nothing, 0)
        os.dup2(2, 1)
        yield Wire(Lines(kept[0]), Writer(kept[1]))
    finally:
        for number, copy in enumerate(kept):
            os.dup2(copy, number)
            os.close(copy)
        os.close(nothing)


def _kept(number: int) -> int:
    """Return a copy of a descriptor, above those of the standard streams; one of nothing where the program was started without it."""
    try:
        return fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 3)
    except OSError:
        os.open(
            os.devnull, os.O_RDWR
        )  # it gets the lowest free number, so that each standard stream is something
        return fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 3)


class _Readiness:
    """Waits until a descriptor is ready; files and devices such as /dev/null always are, and cannot be waited for."""

    def __init__(self, wait: Callable[[int], Awaitable[None]], descriptor: int) -> None:
        self._wait, self._descriptor = wait, descriptor
        self._is_always = False

    async def __call__(self) -> None:
        if self._is_always:
            await anyio.lowlevel.checkpoint()
            return
        try:
            await self._wait(self._descriptor)
        except PermissionError:  # epoll's word for it
            self._is_always = True


class Lines:
    """The lines of a descriptor, as text; bytes that are no UTF-8 become signs that say so."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._ready = _Readiness(anyio.wait_readable, descriptor)

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield line after line up to the end; a last one without its end is yielded, too."""
        waiting: list[bytes] = []
        while True:
            await self._ready()
            chunk = os.read(self._descriptor, _READ_BYTES)
            *whole, rest = chunk.split(b"\n")
            for line in whole:
                yield b"".join((*waiting, line, b"\n")).decode("utf-8", "replace")
                waiting.clear()
            if rest:
                waiting.append(rest)
            if not chunk:
                if waiting:
                    yield b"".join(waiting).decode("utf-8", "replace")
                return


class Writer:
    """Writes text to a descriptor, no more at once than it takes without waiting."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._ready = _Readiness(anyio.wait_writable, descriptor)

    async def write(self, text: str) -> None:
        """Write all of the text.

        Raises:
            BrokenPipeError: nobody reads any more.
        """
        rest = memoryview(text.encode("utf-8", "replace"))
        while rest:
            await self._ready()
            rest = rest[os.write(self._descriptor, rest[:_WRITE_BYTES]) :]

    async def flush(self) -> None:
        """Do nothing: nothing is held back."""
