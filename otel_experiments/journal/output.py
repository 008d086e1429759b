"""Lines of standard output and standard error: one frame a write, one event for many lines that follow each other.

A frame is written while the program waits, so it is small and takes no JSON. What reads frames joins them: a store has one
row for up to `MOST_LINES` lines, and not one a line.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, Literal

from otel_experiments.journal.format import RecordType
from otel_experiments.model.log import LogRecord
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.events import ML_RUN_OUTPUT
from otel_experiments.semconv.values import LogIostream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_experiments.model.span import Resource, Scope

Stream = Literal["stdout", "stderr"]

OUTPUT_PREFIX: Final = struct.Struct("<BBxxIIIQQ")
"""type, stream, resource ref, scope ref, process id, number of the first line, time ns; the text is the rest"""
MOST_LINES: Final = 1_000
MOST_BYTES: Final = 64 << 10
"""So large an event may become before the next one begins; a line is never cut."""
STREAM_NUMBERS: Final[Mapping[Stream, int]] = {"stdout": 1, "stderr": 2}
_STREAMS: Final = {1: LogIostream.STDOUT.value, 2: LogIostream.STDERR.value}
_OUTPUT: Final = int(RecordType.OUTPUT)
_TOO_LATE_NS: Final = 1 << 63
_pack = OUTPUT_PREFIX.pack


def encode_output(  # one argument a field, by position: it is called for every line
    stream: int, resource_ref: int, scope_ref: int, pid: int, first_line: int, time_ns: int, text: bytes
) -> bytes:
    """Return the record of lines that were written together; `text` has line breaks between them, in UTF-8."""
    return _pack(_OUTPUT, stream, resource_ref, scope_ref, pid, first_line, time_ns) + text


class _Chunk:
    __slots__ = (
        "first_line",
        "next_line",
        "offsets_us",
        "resource",
        "scope",
        "size_bytes",
        "texts",
        "time_ns",
    )

    def __init__(self, first_line: int, time_ns: int, resource: Resource, scope: Scope) -> None:
        self.resource = resource
        self.scope = scope
        self.first_line = self.next_line = first_line
        self.time_ns = time_ns
        self.size_bytes = 0
        self.texts: list[bytes] = []
        self.offsets_us: list[int] = []


class OutputDecoder:
    """Joins the frames of one segment to events; `take` gives those that are made."""

    def __init__(self) -> None:
        self._open: dict[tuple[int, int, int, int], _Chunk] = {}
        self._made: list[tuple[tuple[int, int, int, int], _Chunk]] = []

    def add(self, payload: bytes, resources: Mapping[int, Resource], scopes: Mapping[int, Scope]) -> None:
        """Add a frame.

        Raises:
            KeyError: its resource or scope is not declared.
            ValueError: it is no frame of ours.
        """
        _, stream, resource_ref, scope_ref, pid, first_line, time_ns = OUTPUT_PREFIX.unpack_from(payload)
        if stream not in _STREAMS or time_ns >= _TOO_LATE_NS or first_line >= _TOO_LATE_NS:
            raise ValueError("it is of a stream or a time that cannot be")
        text, key = payload[OUTPUT_PREFIX.size :], (resource_ref, scope_ref, pid, stream)
        chunk, count = self._open.get(key), text.count(b"\n") + 1
        if chunk is not None and (
            chunk.next_line != first_line
            or len(chunk.offsets_us) + count > MOST_LINES
            or chunk.size_bytes + len(text) > MOST_BYTES
        ):
            self._made.append((key, chunk))
            chunk = None
        if chunk is None:
            chunk = self._open[key] = _Chunk(first_line, time_ns, resources[resource_ref], scopes[scope_ref])
        chunk.texts.append(text)
        chunk.offsets_us += [(time_ns - chunk.time_ns) // 1000] * count
        chunk.size_bytes += len(text)
        chunk.next_line += count

    def take(self) -> list[LogRecord]:
        """Return the events of all frames since the last call."""
        if not self._open:
            return []
        made, self._made = [*self._made, *self._open.items()], []
        self._open = {}
        return [_event(chunk, pid=key[2], stream=_STREAMS[key[3]]) for key, chunk in made]


def _event(chunk: _Chunk, *, pid: int, stream: str) -> LogRecord:
    run_id = chunk.resource.attributes.get(attr.ML_RUN_ID)
    known = run_id if isinstance(run_id, str) else None
    attributes: dict[str, str | int | list[int]] = {
        attr.LOG_IOSTREAM: stream,
        attr.ML_OUTPUT_LINE_FIRST: chunk.first_line,
        attr.PROCESS_PID: pid,
    }
    if len(chunk.offsets_us) > 1:
        attributes[attr.ML_OUTPUT_LINE_OFFSETS] = chunk.offsets_us
    return LogRecord(
        time_ns=chunk.time_ns,
        observed_time_ns=chunk.time_ns,
        event_name=ML_RUN_OUTPUT.name,
        body=b"\n".join(chunk.texts).decode("utf-8", "replace"),
        attributes=attributes,
        trace_id=known,
        resource=chunk.resource,
        scope=chunk.scope,
        run_id=known,
    )
