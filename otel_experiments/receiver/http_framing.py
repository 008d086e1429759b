"""Where the headers and the body of an HTTP/1.1 request end: whatever another server could read differently is refused.

A proxy in front of the receiver that finds another end takes part of one request for the next one (request smuggling).

Source: RFC 9112, sections 2.2, 5, 6 and 7.1.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from email.message import Message
from typing import Final, Protocol

from otel_experiments.receiver.body import PIECE_BYTES
from otel_experiments.receiver.refusal import Reason, Refusal

_PATIENCE_S: Final = 30.0
_LEAST_BYTES_A_SECOND: Final = 64 << 10
"""A body may take the patience, and a second for so many bytes."""
_DISCARD_S: Final = 10.0
_DISCARD_BYTES: Final = 1 << 30
_LONGEST_LINE: Final = 1024
_MOST_TRAILERS: Final = 100
_LENGTH: Final = re.compile(r"[0-9]{1,18}")
_FIELD_LINE: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*\r?\n")
_BLANK_LINES: Final = (b"\r\n", b"\n")
_SPACES: Final = " \t"
"""What may stand around a value; `str.strip` takes away more, such as vertical tabs."""
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")


class Source(Protocol):
    """What bytes are read from: the buffered side of a socket, whose reads may time out."""

    def read1(self, size: int = -1, /) -> bytes:
        """Return what is there, at most `size` bytes; nothing at the end."""
        ...

    def peek(self, size: int = 0, /) -> bytes:
        """Return what is there, and leave it there; nothing at the end."""
        ...

    def readline(self, size: int = -1, /) -> bytes:
        """Return a line, at most `size` bytes of it, however long that takes."""
        ...


class HeaderLines:
    """The stream that a request line was read from, as long as its headers are read: each line is checked.

    The parser of the standard library skips lines that are no headers, takes a lone CR for the end of a line, and folds
    lines; other servers do not.

    Attributes:
        wrong: the first line that is no header; None while there is none.
        is_whole: the blank line at the end has been read.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self.wrong: bytes | None = None
        self.is_whole = False

    def readline(self, size: int = -1, /) -> bytes:
        """Return a line, at most `size` bytes of it."""
        line = self._source.readline(size)
        if line in _BLANK_LINES:
            self.is_whole = True
        elif self.wrong is None and not _FIELD_LINE.fullmatch(line):
            self.wrong = line
        return line


class FramedBody:
    """The body of one request, as it lies in the stream.

    Attributes:
        is_read: it was read to its end, so that another request may follow.

    Raises:
        Refusal: the headers do not say where the body ends.
    """

    def __init__(self, source: Source, headers: Message) -> None:
        self._source = source
        self.is_read = False
        lengths = {one.strip(_SPACES) for one in headers.get_all("Content-Length", [])}
        codings = [one.strip(_SPACES).lower() for one in headers.get_all("Transfer-Encoding", [])]
        if codings not in ([], ["chunked"]):
            raise _malformed(f"its Transfer-Encoding {', '.join(codings)[:40]!r} is not chunked")
        if codings and lengths:
            raise _malformed("it has both a Content-Length and a Transfer-Encoding")
        if len(lengths) > 1 or not all(map(_LENGTH.fullmatch, lengths)):
            raise _malformed("its Content-Length is no number of bytes")
        self._length = int(lengths.pop()) if lengths else 0
        self._is_chunked = bool(codings)
        self._stream = self._chunks() if self._is_chunked else self._of_length(self._length)
        self._begun_s = time.monotonic()
        self._discard_due_s: float | None = None
        self._size_bytes = 0

    @property
    def declared_bytes(self) -> int:
        """How long the body is by its headers; 0 where they do not say."""
        return self._length

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes of the body as they arrive.

        Raises:
            Refusal: it ends too early, is framed wrongly, or comes too slowly.
        """
        try:
            for piece in self._stream:
                self._size_bytes += len(piece)
                self._check_pace()
                yield piece
        except TimeoutError:
            raise self._too_slow() from None
        self.is_read = True

    def discard(self) -> None:
        """Read the rest and throw it away, for a while; `is_read` says whether it came to its end."""
        self._discard_due_s = time.monotonic() + _DISCARD_S
        size_bytes = 0
        try:
            for piece in self._stream:
                size_bytes += len(piece)
                self._check_pace()
                if size_bytes > _DISCARD_BYTES:
                    return
        except (Refusal, OSError):
            return
        self.is_read = True

    def _check_pace(self) -> None:
        """Check the time after each read, of the framing too: a client may send it byte by byte."""
        due_s = self._discard_due_s
        if due_s is None:
            due_s = self._begun_s + _PATIENCE_S + self._size_bytes / _LEAST_BYTES_A_SECOND
        if time.monotonic() > due_s:
            raise self._too_slow()

    def _too_slow(self) -> Refusal:
        return Refusal(
            Reason.TOO_SLOW,
            f"The request came too slowly: {self._size_bytes:,} bytes in {time.monotonic() - self._begun_s:.0f} s. "
            "Send smaller batches, or compress them.",
        )

    def _of_length(self, length: int) -> Iterator[bytes]:
        rest = length
        while rest:
            piece = self._source.read1(min(rest, PIECE_BYTES))
            if not piece:
                raise _malformed(f"{rest:,} of {length:,} bytes are missing at its end")
            rest -= len(piece)
            yield piece

    def _line(self) -> bytes:
        line = b""
        while len(line) < _LONGEST_LINE and not line.endswith(b"\n"):
            there = self._source.peek()[: _LONGEST_LINE - len(line)]
            if not there:
                break
            line += self._source.read1(there.find(b"\n") + 1 or len(there))
            self._check_pace()
        return line

    def _chunks(self) -> Iterator[bytes]:
        while True:
            line = self._line()
            found = _CHUNK.fullmatch(line)
            if found is None:
                raise _malformed(f"{line[:40]!r} is not the size of a chunk")
            size = int(found[1], 16)
            if not size:
                break
            yield from self._of_length(size)
            if self._line().strip(b"\r\n"):
                raise _malformed("a chunk is longer than its size")
        for _ in range(_MOST_TRAILERS):
            if not self._line().strip(b"\r\n"):
                return
        raise _malformed("it has too many trailers")


def _malformed(why: str) -> Refusal:
    return Refusal(Reason.INVALID, f"The request cannot be read: {why}. It was not stored.")
