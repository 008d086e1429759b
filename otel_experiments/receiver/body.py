"""The body of an HTTP request: read piece by piece, decompressed piece by piece, and never beyond its limit.

A few kilobytes of gzip may hold gigabytes, so each step hands out a bounded piece, and the room for it is claimed
before the next one is made.

Source: RFC 9110 (content codings), RFC 1950 and 1952 (zlib, gzip), RFC 9659 (zstd and its window of 8 MB).
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from otel_experiments.receiver.admission import Claim
from otel_experiments.receiver.refusal import Reason, Refusal

PIECE_BYTES: Final = 256 << 10
"""How much is read, and about how much is decompressed, at once."""
_GZIP_BITS: Final = 31
_ZLIB_BITS: Final = 15
_RAW_BITS: Final = -15
_MOST_MEMBERS: Final = 10_000
"""Streams that a body may be of, back to back; empty ones cost time and give nothing, however large the body may be."""
_ZSTD_STEP_BYTES: Final = 256
"""One block of zstd takes four bytes and may hold 128 KiB: so little of it at once keeps what comes out small."""
_ZSTD_WINDOW_BYTES: Final = 8 << 20

# A decompressor of zlib or of a zstd package: they share the methods, and no base.
Decompressor = Any


def whole_body(pieces: Iterable[bytes], coding: str, *, limit_bytes: int, claim: Claim) -> bytes:
    """Return the body that the pieces make, decompressed.

    Args:
        pieces: as they were received, each small.
        coding: the value of `Content-Encoding`; empty for none.
        limit_bytes: how large the body may be, before and after it is decompressed.
        claim: grows with the body.

    Raises:
        Refusal: the coding is unknown, the bytes are not of it or end too early, the body is too large, or there is
            no room for it.
    """
    name = coding.strip().lower().removeprefix("x-")
    received = _limited(pieces, limit_bytes)
    if name in {"", "identity"}:
        found = received
    elif name in _DECODERS:
        found = _DECODERS[name](received)
    else:
        raise Refusal(
            Reason.WRONG_TYPE,
            f"The content encoding {coding[:40]!r} cannot be read here; use one of {', '.join(codings())}, or none.",
        )
    parts, size_bytes = [], 0
    for part in found:
        size_bytes += len(part)
        if size_bytes > limit_bytes:
            raise too_large(limit_bytes)
        claim.grow(len(part))
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def codings() -> list[str]:
    """Return the content codings that can be read here."""
    return [name for name in _DECODERS if name != "zstd" or _zstd() is not None]


def too_large(limit_bytes: int) -> Refusal:
    """Return the refusal of a body that is larger than the limit."""
    return Refusal(
        Reason.TOO_LARGE,
        f"The request is larger than {limit_bytes:,} bytes, which is the most that this receiver takes. Send smaller batches.",
    )


def _limited(pieces: Iterable[bytes], limit_bytes: int) -> Iterator[bytes]:
    size_bytes = 0
    for piece in pieces:
        size_bytes += len(piece)
        if size_bytes > limit_bytes:
            raise too_large(limit_bytes)
        if piece:
            yield piece


def _gunzip(pieces: Iterable[bytes]) -> Iterator[bytes]:
    return _inflated(pieces, "gzip", lambda _: _GZIP_BITS)


def _inflate(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress `deflate`, which is zlib's format; some clients leave its header out."""
    return _inflated(pieces, "deflate", lambda start: _ZLIB_BITS if _is_zlib(start) else _RAW_BITS)


def _is_zlib(start: bytes) -> bool:
    return len(start) > 1 and start[0] & 0x0F == 8 and int.from_bytes(start[:2], "big") % 31 == 0


def _inflated(pieces: Iterable[bytes], name: str, bits_of: Callable[[bytes], int]) -> Iterator[bytes]:
    inflater: Decompressor = None
    member_count = 0
    try:
        for piece in pieces:
            rest = piece
            while rest:
                if inflater is None or inflater.eof:  # gzip may be several streams, back to back
                    member_count = _one_more(member_count, name)
                    inflater = zlib.decompressobj(bits_of(rest))
                part = inflater.decompress(rest, PIECE_BYTES)
                rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
                yield part
                while len(part) == PIECE_BYTES and not rest and not inflater.eof:
                    part = inflater.decompress(b"", PIECE_BYTES)
                    yield part
    except zlib.error as error:
        raise _not_of(name, str(error)) from error
    if inflater is not None and not inflater.eof:
        raise _not_of(name, "it ends too early")


def _unzstd(pieces: Iterable[bytes]) -> Iterator[bytes]:
    package = _zstd()
    if package is None:
        raise Refusal(
            Reason.WRONG_TYPE,
            "The content encoding 'zstd' needs the package 'zstandard' in the receiver, which is not installed: "
            f"pip install 'otel-experiments[receiver]'. Or use one of {', '.join(codings())}, or none.",
        )
    errors: type[Exception] = package.ZstdError
    current: Decompressor = None
    member_count = 0
    try:
        for piece in pieces:
            for begin in range(0, len(piece), _ZSTD_STEP_BYTES):
                rest = piece[begin : begin + _ZSTD_STEP_BYTES]
                while rest:
                    if current is None or current.eof:
                        member_count = _one_more(member_count, "zstd")
                        current = package.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES).decompressobj()
                    yield current.decompress(rest)
                    rest = current.unused_data if current.eof else b""
    except errors as error:
        raise _not_of("zstd", str(error)) from error
    if current is not None and not current.eof:
        raise _not_of("zstd", "it ends too early")


def _one_more(member_count: int, name: str) -> int:
    """Return the number of streams with the one that begins.

    Raises:
        Refusal: there are too many.
    """
    if member_count >= _MOST_MEMBERS:
        raise _not_of(name, f"it is of more than {_MOST_MEMBERS:,} streams, which no program writes")
    return member_count + 1


def _zstd() -> Any | None:  # the module, of which there are no types
    try:
        return importlib.import_module("zstandard")
    except ImportError:
        return None


def _not_of(name: str, why: str) -> Refusal:
    return Refusal(
        Reason.INVALID,
        f"The body is not {name}, which Content-Encoding says it is: {why}. It was not stored.",
    )


_DECODERS: Final[dict[str, Callable[[Iterable[bytes]], Iterator[bytes]]]] = {
    "gzip": _gunzip,
    "deflate": _inflate,
    "zstd": _unzstd,
}
