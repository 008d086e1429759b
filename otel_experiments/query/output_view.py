"""What the processes of a run printed, as a reader sees it: text, or lines with their time and stream."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from otel_experiments._short_repr import short
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.values import LogIostream

if TYPE_CHECKING:
    from otel_experiments.model.log import LogRecord

Stream = Literal["stdout", "stderr"]
_Process = tuple[str, int, str]
"""The instance of the program, the process id, the stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputLine:
    """One line.

    Attributes:
        time_ns: when it was written, in nanoseconds since the Unix epoch.
        stream: `stdout` or `stderr`.
        text: the line without its line break, with the terminal's control sequences.
        pid: the process that wrote it.
        rank: its rank; 0 for a process that is alone.
        left_out_count: how many lines of the same stream and process are missing just before this one.
    """

    time_ns: int
    stream: Stream
    text: str
    pid: int
    rank: int = 0
    left_out_count: int = 0

    def __repr__(self) -> str:
        return f"OutputLine({self.stream}, {short(self.text)})"


class OutputView:
    """The output of a run, both streams in the order of time; `str` of it is the text.

    Args:
        records: the events that hold it.
        is_part: whether there may be earlier ones: then no line is missing before the first.
    """

    def __init__(self, records: Sequence[LogRecord], *, is_part: bool = False) -> None:
        self._lines = _lines_of(records, is_part=is_part)

    def lines(self, stream: Stream | None = None) -> list[OutputLine]:
        """Return the lines, of both streams or of one."""
        return [line for line in self._lines if stream is None or line.stream == stream]

    @property
    def text(self) -> str:
        """The lines of both streams, each with a line break."""
        return text_of(self._lines)

    @property
    def stdout(self) -> str:
        """What went to standard output."""
        return text_of(self.lines("stdout"))

    @property
    def stderr(self) -> str:
        """What went to standard error."""
        return text_of(self.lines("stderr"))

    def tail(self, count: int = 20) -> str:
        """Return the last lines of both streams."""
        return text_of(self._lines[-count:] if count > 0 else [])

    @property
    def left_out_count(self) -> int:
        """How many lines are left out, since only the beginning and the end of very much output are kept."""
        return sum(line.left_out_count for line in self._lines)

    def __bool__(self) -> bool:
        return bool(self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[OutputLine]:
        return iter(self._lines)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        more = f", {self.left_out_count:,} lines left out" if self.left_out_count else ""
        return f"OutputView({len(self._lines):,} lines{more})"


def text_of(lines: Sequence[OutputLine], *, says_rank: bool = False) -> str:
    """Return lines as a text, which says where some are left out; `says_rank`: each begins with its rank."""
    made: list[str] = []
    for line in lines:
        if line.left_out_count:
            noun = "line is" if line.left_out_count == 1 else "lines are"
            made.append(f"... {line.left_out_count:,} {noun} left out ...\n")
        made.append(f"[rank {line.rank}] {line.text}\n" if says_rank else f"{line.text}\n")
    return "".join(made)


def _lines_of(records: Sequence[LogRecord], *, is_part: bool) -> list[OutputLine]:
    by_process: defaultdict[_Process, list[tuple[int, LogRecord]]] = defaultdict(list)
    for record in records:
        found = record.attributes
        instance = str(record.resource.attributes.get(attr.SERVICE_INSTANCE_ID, ""))
        key = (instance, _number(found, attr.PROCESS_PID), str(found.get(attr.LOG_IOSTREAM, "")))
        by_process[key].append((_number(found, attr.ML_OUTPUT_LINE_FIRST), record))
    lines: list[OutputLine] = []
    for (_, pid, name), chunks in by_process.items():
        stream: Stream = "stderr" if name == LogIostream.STDERR else "stdout"
        expected = min(first for first, _ in chunks) if is_part else 1
        for first, record in sorted(chunks, key=lambda chunk: chunk[0]):
            rank = _number(record.resource.attributes, attr.ML_DISTRIBUTED_RANK)
            texts = record.body.split("\n") if isinstance(record.body, str) else []
            times_ns = _times_ns(record, len(texts))
            for place, (text, time_ns) in enumerate(zip(texts, times_ns, strict=True)):
                left_out = 0 if place else max(0, first - expected)
                lines.append(
                    OutputLine(
                        time_ns=time_ns, stream=stream, text=text, pid=pid, rank=rank, left_out_count=left_out
                    )
                )
            expected = max(expected, first + len(texts))
    return sorted(lines, key=lambda line: line.time_ns)


def _times_ns(record: LogRecord, count: int) -> list[int]:
    offsets_us = record.attributes.get(attr.ML_OUTPUT_LINE_OFFSETS)
    if not isinstance(offsets_us, list) or len(offsets_us) != count:
        return [record.time_ns] * count
    return [record.time_ns + one * 1000 if isinstance(one, int) else record.time_ns for one in offsets_us]


def _number(attributes: Mapping[str, object], key: str) -> int:
    found = attributes.get(key)
    return found if isinstance(found, int) else 0
