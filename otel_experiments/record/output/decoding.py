"""Bytes that a program and its children print, as text: UTF-8, else the encoding of the program's stream."""

from __future__ import annotations

import codecs
import re
from typing import Final

_LEFT: Final = re.compile("[\udc80-\udcff]+")


class OutputDecoder:
    """Decodes a stream of bytes that may stop anywhere; nothing that is printed is an error.

    Args:
        encoding: that of the program's stream; empty where it is not known. What is no UTF-8 is read so: a line at once
            where all of it that is not ASCII is none, else byte by byte.
    """

    def __init__(self, encoding: str = "") -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._encoding = _usable(encoding)
        self._unreadable_bytes = 0

    def decode(self, data: bytes, *, is_last: bool = False) -> str:
        """Return the text of the bytes, with U+FFFD for each that cannot be read."""
        text = self._decoder.decode(data, final=is_last)
        if text.isascii() or not _LEFT.search(text):
            return text
        return "\n".join(map(self._line, text.split("\n")))

    def take_unreadable(self) -> int:
        """Return how many bytes could not be read since it was asked last."""
        count, self._unreadable_bytes = self._unreadable_bytes, 0
        return count

    def _line(self, line: str) -> str:
        if self._encoding and _LEFT.sub("", line).isascii():
            try:
                return line.encode("utf-8", "surrogateescape").decode(self._encoding)
            except UnicodeDecodeError:
                pass
        return _LEFT.sub(lambda found: self._bytes(found[0].encode("utf-8", "surrogateescape")), line)

    def _bytes(self, data: bytes) -> str:
        if self._encoding:
            try:
                return data.decode(self._encoding)
            except UnicodeDecodeError:
                pass
        self._unreadable_bytes += len(data)
        return "\ufffd" * len(data)


def _usable(encoding: str) -> str:
    """Return the encoding if it can read what UTF-8 cannot: none that is unknown, no text, or has other bytes for ASCII."""
    try:
        name = codecs.lookup(encoding).name if encoding else ""
        is_like_ascii = not name or "a".encode(name) == b"a"
    except (LookupError, UnicodeError, TypeError):
        return ""
    return name if is_like_ascii and name not in {"utf-8", "ascii", "utf-7"} else ""
