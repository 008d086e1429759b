"""Lines of output into the journal: numbered for each run, stream and process, without secrets, each safe when it is written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from otel_experiments.codec.from_sdk import resource_from_sdk
from otel_experiments.codec.plain import TEXT_CHANGED
from otel_experiments.codec.text import clean_text
from otel_experiments.journal.output import MOST_BYTES, STREAM_NUMBERS, encode_output
from otel_experiments.record.base.room import why_not_kept
from otel_experiments.record.base.scope import stored_scope
from otel_experiments.record.output.printed_key import PrintedKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from otel_experiments.journal.output import Stream
    from otel_experiments.record.base.ports import RunPort

MOST_AT_ONCE: Final = 1 << 20
"""Of what is written at once, so many characters are kept: half of them from its beginning, half from its end."""
_KEY_BEGIN: Final = "-----BEGIN"
_KEY: Final = "PRIVATE KEY"
_ANY_DIGIT: Final = str.maketrans("123456789", "000000000")
_MOST_FORMS: Final = 1024
_LONGEST_FORM: Final = 1000
_harmless: Final[set[str]] = set()
"""Lines without a secret, each digit written as 0: no rule looks at which digit it is, and a program prints lines that are alike."""


class RunOutput:
    """Writes the lines of one stream of a run, as this process prints them."""

    __slots__ = ("_declarations", "_key", "_name", "_next_line", "_numbers", "_pid", "_run", "_stream")

    def __init__(self, run: RunPort, stream: Stream, *, pid: int | None = None) -> None:
        """Write for a process, by default this one."""
        self._run = run
        self._name, self._stream = stream, STREAM_NUMBERS[stream]
        self._next_line = 1
        given, given_scope = run.providers.resource, stored_scope()
        resource = run.pipeline.references.resource(given, lambda: resource_from_sdk(given))
        scope = run.pipeline.references.scope(given_scope, lambda: given_scope)
        self._numbers = resource.number, scope.number
        self._declarations = resource.declaration, scope.declaration
        self._key = PrintedKey()
        self._pid = os.getpid() if pid is None else pid

    def write(self, text: str) -> None:
        """Write whole lines, with line breaks between; what no disk takes is a loss of the run."""
        redactor = self._run.pipeline.redactor
        if not redactor.is_on:
            self._write(text)
        elif self._key.is_expected or (_KEY_BEGIN in text and _KEY in text):
            for line in text.split("\n"):
                if self._key.takes(line):
                    self._next_line += 1  # the numbers of lines have a gap, which readers count
                else:
                    self._write(redactor.text(line))
        else:
            self._write(self._without_secrets(text))

    def tell_unreadable(self, count: int) -> None:
        """Count bytes that are not in the text that is kept."""
        what = (
            f"{self._name}: bytes that are neither UTF-8 nor of the stream's encoding are U+FFFD in the run; they went where they "
            "were printed. Have what prints them write UTF-8, or set PYTHONIOENCODING to what it writes"
        )
        self._run.guard.lost(TEXT_CHANGED, what, name=self._name, count=count)

    def _write(self, kept: str) -> None:
        pipeline = self._run.pipeline
        resource_ref, scope_ref = self._numbers
        time_ns = pipeline.clock()
        for piece in (kept,) if len(kept) <= MOST_BYTES else self._pieces(kept):
            count = piece.count("\n") + 1
            data = (piece if piece.isascii() else clean_text(piece)).encode()
            first_line = self._next_line
            self._next_line = first_line + count  # no call between: a signal handler may write, too
            payload = encode_output(
                self._stream, resource_ref, scope_ref, self._pid, first_line, time_ns, data
            )
            if not pipeline.journal.append(payload, self._declarations):
                self._run.guard.lost(*why_not_kept(pipeline.journal, "Lines of output"), count=count)

    def _without_secrets(self, text: str) -> str:
        form = text.translate(_ANY_DIGIT)
        if form in _harmless:
            return text
        made = self._run.pipeline.redactor.text(text)
        if made == text and len(form) <= _LONGEST_FORM:
            if len(_harmless) >= _MOST_FORMS:
                _harmless.clear()
            _harmless.add(form)
        return made

    def _pieces(self, text: str) -> Iterator[str]:
        """Yield much text in pieces of whole lines, without the middle of very much: the numbers of lines have a gap there."""
        lines = text.split("\n")
        if len(text) <= MOST_AT_ONCE:
            yield from _joined(lines)
            return
        first = _count_of_first(lines)
        last = min(_count_of_first(lines[::-1]), len(lines) - first)
        yield from _joined(map(_shortened, lines[:first]))
        self._next_line += len(lines) - first - last
        yield from _joined(map(_shortened, lines[len(lines) - last :]))


def _count_of_first(lines: Sequence[str]) -> int:
    """Return how many of the lines fit into half of what is kept, at least one."""
    room, count = MOST_AT_ONCE // 2, 0
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        count += 1
    return max(1, count)


def _shortened(line: str) -> str:
    left_out = len(line) - MOST_AT_ONCE // 2
    return line if left_out <= 0 else f"{line[: MOST_AT_ONCE // 2]}… ({left_out:,} characters are left out)"


def _joined(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines joined, so many at a time that an event takes them."""
    some: list[str] = []
    size = 0
    for line in lines:
        if some and size + len(line) >= MOST_BYTES:
            yield "\n".join(some)
            some, size = [], 0
        some.append(line)
        size += len(line) + 1
    if some:
        yield "\n".join(some)
