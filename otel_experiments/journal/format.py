"""The bytes of a journal segment: header, frames, checksums.

A segment is a file of fixed size, zero-filled. It opens with a header of `HEADER_SIZE_BYTES` and goes on with
frames, back to back:

    u32 length      bytes of payload; 0 means that nothing was written here (yet)
    u32 crc32       of the payload
    payload         its first byte is the record's type (`RecordType`)

All numbers are little-endian. A frame counts only when its checksum holds, so the order in which its bytes
reach the page cache does not matter and a torn frame is never taken for a value. Format versions: a reader
reads its own and older ones and leaves newer ones untouched.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from otel_experiments.errors import JournalError, NewerJournalError
from otel_experiments.model.run import Owner

MAGIC: Final = b"OXJRNL\r\n"
FORMAT_VERSION: Final = 5
"""1: until a key set could name its rank; 2: until a record could be a request of another program; 3: until there were
artifacts; 4: until there were output and summaries, definitions of metrics said more than a direction,
an artifact came with its event, and a run was renamed while it was recorded."""
HEADER_SIZE_BYTES: Final = 256
FRAME_HEADER: Final = struct.Struct("<II")
FRAME_HEADER_SIZE_BYTES: Final = FRAME_HEADER.size

# magic, version, header size, segment number, pid, start ticks, created ns, drainer pid, drainer ticks,
# size of the file, 1 if every frame is synced to the disk, boot id (64), host (64), writer id (32), crc32 of
# all before it
_HEADER: Final = struct.Struct("<8sHHIQQQQQQB64s64s32s")
_HEADER_CRC: Final = struct.Struct("<I")

SEALED_END: Final = struct.Struct("<Q")
"""Where the frames of a segment end, written into its header when its writer leaves it; 0 before."""
SEALED_END_OFFSET: Final = HEADER_SIZE_BYTES - SEALED_END.size
DAMAGED_MARK: Final = b"\1"
DAMAGED_MARK_OFFSET: Final = SEALED_END_OFFSET - len(DAMAGED_MARK)
"""Written into the header of a segment of which a merge could not read all: whoever finishes it keeps the file."""
assert _HEADER.size + _HEADER_CRC.size <= DAMAGED_MARK_OFFSET


class RecordType(IntEnum):
    """What a frame's payload is; the number is its first byte."""

    POINTS = 1
    KEYSET = 2
    RUN = 3
    STATE = 4
    HEARTBEAT = 5
    PARAMS = 6
    TAGS = 7
    METRIC_DEFINITION = 8
    RESOURCE = 9
    SCOPE = 10
    SPAN = 11
    LOG = 12
    INSTRUMENT_POINTS = 13
    SENDING = 14
    REQUEST = 15
    ARTIFACT = 16
    ARTIFACT_USE = 17
    ARTIFACT_ALIAS = 18
    SUMMARY = 21
    OUTPUT = 23
    EDIT = 24


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """Who wrote a segment, and who is to drain it (the process that has a drain thread).

    `size_bytes` is the size of the whole file, so that a file which lost its end is known; `is_synced` says
    that the writer promised to survive a loss of power.
    """

    writer_id: str
    number: int
    created_ns: int
    owner: Owner
    drainer_pid: int
    drainer_start_ticks: int
    size_bytes: int
    is_synced: bool = False

    @property
    def segment_id(self) -> str:
        """The name under which the store remembers how much of the segment it holds."""
        return f"{self.writer_id}.{self.number:06d}"

    @property
    def drainer(self) -> Owner:
        """The process that is to drain the segment; it runs on the writer's machine."""
        return Owner(self.owner.host, self.owner.boot_id, self.drainer_pid, self.drainer_start_ticks)


def pack_header(header: SegmentHeader) -> bytes:
    """Return the header's `HEADER_SIZE_BYTES` bytes."""
    body = _HEADER.pack(
        MAGIC,
        FORMAT_VERSION,
        HEADER_SIZE_BYTES,
        header.number,
        header.owner.pid,
        header.owner.start_ticks,
        header.created_ns,
        header.drainer_pid,
        header.drainer_start_ticks,
        header.size_bytes,
        header.is_synced,
        header.owner.boot_id.encode()[:64],
        header.owner.host.encode()[:64],
        header.writer_id.encode("ascii"),
    )
    return (body + _HEADER_CRC.pack(zlib.crc32(body))).ljust(HEADER_SIZE_BYTES, b"\0")


def unpack_header(raw: bytes, *, path: str) -> SegmentHeader:
    """Read a segment's header.

    Raises:
        NewerJournalError: a newer release wrote the segment.
        JournalError: the bytes are not a segment's header, or are damaged.
    """
    if len(raw) < _HEADER.size + _HEADER_CRC.size or raw[:8] != MAGIC:
        raise JournalError(
            f"{path!r} is not a journal segment of ours, or its first bytes are damaged.\n"
            "  It was left as it is; move it away to stop this message."
        )
    version = int.from_bytes(raw[8:10], "little")
    if version > FORMAT_VERSION:
        raise NewerJournalError(path=path, found=version, supported=FORMAT_VERSION)
    (checksum,) = _HEADER_CRC.unpack_from(raw, _HEADER.size)
    if checksum != zlib.crc32(raw[: _HEADER.size]):
        raise JournalError(
            f"The header of journal segment {path!r} is damaged (its checksum does not hold).\n"
            "  It was left as it is; move it away to stop this message."
        )
    fields = _HEADER.unpack_from(raw)
    number, pid, ticks, created_ns, drainer_pid, drainer_ticks, size_bytes, is_synced = fields[3:11]
    boot_id, host, writer_id = fields[11:]
    owner = Owner(
        host=host.rstrip(b"\0").decode(errors="replace"),
        boot_id=boot_id.rstrip(b"\0").decode(errors="replace"),
        pid=pid,
        start_ticks=ticks,
    )
    return SegmentHeader(
        writer_id=writer_id.decode("ascii"),
        number=number,
        created_ns=created_ns,
        owner=owner,
        drainer_pid=drainer_pid,
        drainer_start_ticks=drainer_ticks,
        size_bytes=size_bytes,
        is_synced=bool(is_synced),
    )
