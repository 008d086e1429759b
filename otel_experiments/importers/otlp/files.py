"""The requests that files of OTLP hold, one after the other: JSON lines, JSON documents, and protobuf.

What a file holds is found by its content, not by its name. No more than one request is in memory, but for JSON that goes over
several lines, which is read whole. A part that cannot be read is said with its place, and costs nothing but itself.

Source: opentelemetry-collector-contrib, fileexporter: a request of JSON a line, or any request, of zstd where that is
asked for, behind its length, four bytes, big-endian.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, Final, cast

from otel_experiments.errors import MissingPackageError, TelemetryDecodeError
from otel_experiments.importers.otlp.protobuf_signal import signal_of
from otel_experiments.model.received import Encoding
from otel_experiments.model.signal import Signal
from otel_experiments.model.store_location import SQLITE_START

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_BOM: Final = b"\xef\xbb\xbf"
_FIRST_FIELD: Final = 0x0A
"""How a message of OTLP begins. As the first byte of a length that would be 167 MB at least."""
MAX_REQUEST_BYTES: Final = 128 << 20
_KEYS: Final[Mapping[str, Signal]] = {
    "resourceSpans": "traces",
    "resourceLogs": "logs",
    "resourceMetrics": "metrics",
}
_USUAL: Final = re.compile(rb'\s*\{\s*"(resourceSpans|resourceLogs|resourceMetrics)"\s*:')
_PROTOBUF_AS_JSON: Final = re.compile(rb"\n[{\[](?:\x12|\n[^\s\"}])")
"""A message of protobuf whose first length is the number of a bracket: a resource, or a scope, follows it."""
_NO_TEXT: Final = (ValueError, RecursionError)


@dataclass(frozen=True, slots=True)
class FilePart:
    """A request that a file holds. `place` says where: `line 7`, `message 3`."""

    place: str
    signal: Signal
    encoding: Encoding
    payload: bytes


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A part of a file that is no request, and why."""

    place: str
    why: str


def parts_of(raw: IO[bytes], *, name: str) -> Iterator[FilePart | Unreadable]:
    """Yield what a file holds; `name` is for messages.

    Raises:
        TelemetryDecodeError: it is of another kind: a store, or a length that no request has.
        MissingPackageError: it is compressed with zstd, and the package for that is missing.
        OSError: it cannot be read.
    """
    stream = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(cast("io.RawIOBase", raw))
    try:
        yield from _parts(_decompressed(stream, name), name)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        yield Unreadable("the rest", f"it is cut or damaged: {error}")
    finally:
        if stream is not raw:
            stream.detach()  # the caller goes on to have its file open


def _parts(stream: io.BufferedReader, name: str) -> Iterator[FilePart | Unreadable]:
    start = stream.peek(len(SQLITE_START))[: len(SQLITE_START)]
    if start == SQLITE_START:
        raise TelemetryDecodeError(source=name, found="it is a store, which `ox.import_store` takes")
    if start.removeprefix(_BOM).lstrip()[:1] in {b"{", b"["} and not _PROTOBUF_AS_JSON.match(start):
        yield from _json_lines(stream)
    elif start[:1] == bytes((_FIRST_FIELD,)):
        yield from _message(stream.read(), "the file")
    elif start.strip():
        yield from _framed(stream, name)
    elif start:
        yield from _json_lines(stream)


def _decompressed(stream: io.BufferedReader, name: str) -> io.BufferedReader:
    start = stream.peek(len(_ZSTD))
    if start.startswith(_GZIP):
        return io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=stream)))
    if start.startswith(_ZSTD):
        return io.BufferedReader(_zstandard(name).ZstdDecompressor().stream_reader(stream))
    return stream


def _zstandard(name: str) -> Any:  # the package has no types where it is not installed
    try:
        import zstandard  # type: ignore[import-not-found,unused-ignore] # noqa: PLC0415 - optional
    except ImportError:
        raise MissingPackageError(
            package="zstandard", purpose=f"Reading {name!r}, which is compressed with zstd,", extra="receiver"
        ) from None
    return zstandard


def _framed(stream: io.BufferedReader, name: str) -> Iterator[FilePart | Unreadable]:
    number = 0
    while head := stream.read(4):
        number += 1
        place, size = f"message {number}", int.from_bytes(head, "big")
        if size > MAX_REQUEST_BYTES:
            found = "it is neither JSON in UTF-8 nor protobuf of OTLP: " + (
                "no file of these begins so"
                if number == 1
                else f"a message of {size:,} bytes would begin here, and at most {MAX_REQUEST_BYTES:,} are read"
            )
            raise TelemetryDecodeError(source=f"{name}, {place}", found=found)
        payload = stream.read(size)
        if len(head) < 4 or len(payload) < size:
            yield Unreadable(place, "the file ends within it")
            return
        if payload.startswith(_ZSTD):
            # The Collector's encoder says no size in the frame.
            payload = _zstandard(name).ZstdDecompressor().decompressobj().decompress(payload)
        yield from _message(payload, place)


def _message(payload: bytes, place: str) -> Iterator[FilePart | Unreadable]:
    if payload[:1] == b"{" or (payload.lstrip()[:1] == b"{" and _is_json(payload)):
        yield from _json(payload, place)
        return
    try:
        signal = signal_of(payload)
    except ValueError as error:
        yield Unreadable(place, f"it is no message of OTLP: {error}")
        return
    if signal is not None:
        yield FilePart(place, signal, "protobuf", payload)


def _is_json(payload: bytes) -> bool:
    """Tell whether bytes are JSON: protobuf may begin as JSON after a line break does, with its first field and a length."""
    try:
        json.loads(payload)
    except _NO_TEXT:
        return False
    return True


def _json_lines(stream: io.BufferedReader) -> Iterator[FilePart | Unreadable]:
    pending: list[bytes] = []
    began = 0
    for number, raw in enumerate(stream, start=1):
        line = raw.removeprefix(_BOM).strip() if number == 1 else raw.strip()
        if pending and _USUAL.match(line) is None:
            pending.append(raw)
        elif line.startswith(b"{") and line.endswith(b"}"):
            if pending:
                yield from _documents(pending, began)
                pending = []
            yield from _json(line, f"line {number}")
        elif line:
            if pending:
                yield from _documents(pending, began)
            pending, began = [line, b"\n"], number
    if pending:
        yield from _documents(pending, began)


def _documents(lines: list[bytes], began: int) -> Iterator[FilePart | Unreadable]:
    """Yield the documents of JSON that goes over several lines."""
    text = b"".join(lines).decode("utf-8", "replace")
    offset = 0
    while rest := text[offset:].lstrip():
        offset = len(text) - len(rest)
        place = f"line {began + text.count(chr(10), 0, offset)}"
        try:
            document, size = json.JSONDecoder().raw_decode(rest)
        except _NO_TEXT as error:
            yield Unreadable(place, _no_json(error))
            return
        for one in document if isinstance(document, list) else [document]:
            yield from _document(one, json.dumps(one).encode(), place)
        offset += size


def _no_json(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "its JSON is nested too deeply to be read"
    return f"no JSON: {error}; is it cut?"


def _json(payload: bytes, place: str) -> Iterator[FilePart | Unreadable]:
    usual = _USUAL.match(payload)
    if usual is not None:
        yield FilePart(place, _KEYS[usual[1].decode()], "json", payload)
        return
    try:
        document = json.loads(payload)
    except _NO_TEXT as error:
        yield Unreadable(place, _no_json(error))
        return
    yield from _document(document, payload, place)


def _document(document: Any, payload: bytes, place: str) -> Iterator[FilePart | Unreadable]:  # parsed JSON
    keys = list(document) if isinstance(document, dict) else []
    signals = [_KEYS[key] for key in keys if key in _KEYS]
    for signal in signals:
        yield FilePart(place, signal, "json", payload)
    if not signals and document != {}:
        held = f"its keys: {', '.join(keys[:5])}" if keys else f"a {type(document).__name__}"
        yield Unreadable(place, f"it has no resourceSpans, resourceLogs or resourceMetrics ({held})")
