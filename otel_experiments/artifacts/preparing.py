"""From what a user gives to pieces that can be placed: hashing and copying, before any lock is taken."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from functools import partial
from os import PathLike
from pathlib import Path

from otel_experiments.artifacts import hashing
from otel_experiments.artifacts.folder_list import Walk, encode_list
from otel_experiments.artifacts.partial import Partials
from otel_experiments.artifacts.place_error import place_errors
from otel_experiments.artifacts.prepared import HELD_BYTES, HELD_OF_FOLDER_BYTES, Piece, PreparedBlobs
from otel_experiments.artifacts.protocol import FolderEntry, Link, Put, Readable
from otel_experiments.artifacts.source import OPENING, changed, opened, source_error, version_of
from otel_experiments.errors import ArtifactSourceError
from otel_experiments.model.artifact import DIGEST_START
from otel_experiments.process import held_files
from otel_experiments.process.interruption import pass_on
from otel_experiments.process.paths import real_path

Settle = Callable[[Piece], bool]


class Preparing:
    """Makes pieces; large ones in the partial files of a folder."""

    def __init__(self, partials: Partials, settle: Settle, *, mode: int, sync: bool) -> None:
        """Write partial files with the mode that a blob has. `settle(piece)` says whether its blob is there, whole."""
        self._partials, self._settle, self._mode, self._sync = partials, settle, mode, sync

    def bytes(self, data: bytes) -> PreparedBlobs:
        """Prepare bytes; they are held until they are placed."""
        piece = Piece(DIGEST_START + hashing.hash_bytes(data), len(data), data=data)
        return PreparedBlobs(Put(piece.digest, piece.size_bytes), [piece])

    def file(
        self, path: str | PathLike[str], link: Link, seen: os.stat_result | None = None
    ) -> PreparedBlobs:
        """Prepare a file, which is as it was seen."""
        piece = self._small(path, seen) if link != "hardlink" and seen is not None else None
        if piece is None:
            piece = self._piece(path, link, HELD_BYTES, seen)
        return PreparedBlobs(Put(piece.digest, piece.size_bytes), [piece])

    def stream(self, source: Readable) -> PreparedBlobs:
        """Prepare all that a readable gives. What it raises passes."""
        piece = self._copied(hashing.reading_of(source))
        return PreparedBlobs(Put(piece.digest, piece.size_bytes), [piece])

    def folder(self, path: str | PathLike[str], link: Link) -> PreparedBlobs:
        """Prepare a folder: a piece for each file that is not there yet, and one for the list."""
        walk, room = Walk(path), HELD_OF_FOLDER_BYTES
        entries: list[FolderEntry] = []
        pieces: list[Piece] = []
        prepared = PreparedBlobs(Put("", 0), pieces)
        try:
            for inside, here in walk.files():
                piece = self._piece(here, link, min(HELD_BYTES, room))
                if piece.data is not None:  # many small files would use up what may be held
                    again = partial(self._piece, here, link, HELD_BYTES, has_bytes=True)
                    piece = self._without_bytes(piece, again)
                pieces.append(piece)
                room -= piece.size_bytes if piece.data is not None else 0
                is_executable = bool(Path(here).stat().st_mode & 0o100)
                entries.append(FolderEntry(inside, piece.digest, piece.size_bytes, is_executable))
        except BaseException as error:
            prepared.discard()
            if isinstance(error, OSError):
                pass_on(error)
                raise source_error(path, error) from error
            raise
        listing = encode_list(entries)
        digest = DIGEST_START + hashing.hash_bytes(listing)
        pieces.append(Piece(digest, len(listing), data=listing))
        size = sum(entry.size_bytes for entry in entries)
        prepared.put = Put(digest, size, len(entries), is_folder=True, left_out=tuple(walk.left_out))
        return prepared

    def _piece(
        self,
        path: str | PathLike[str],
        link: Link,
        held_bytes: int,
        seen: os.stat_result | None = None,
        *,
        has_bytes: bool = False,
    ) -> Piece:
        """Return the piece of a file, which is read once more if it changed meanwhile.

        With `has_bytes` it has its bytes, or a partial file, also where the blob is there already.
        """
        try:
            piece = self._read(path, link, held_bytes, seen)
        except ArtifactSourceError as error:
            if error.why != changed(path).why:
                raise
            piece = self._read(path, link, held_bytes)
        if has_bytes or piece.data is not None:
            return piece
        try:
            return self._without_bytes(piece, partial(self._piece, path, link, held_bytes, has_bytes=True))
        except BaseException:
            piece.discard()
            raise

    def _small(self, path: str | PathLike[str], seen: os.stat_result) -> Piece | None:
        """Return the piece of a small file that is as it was seen; None for all others, with which more care is taken.

        It does as `_read`, without its layers, which took as long as the system.
        """
        size = seen.st_size
        if (
            size > HELD_BYTES
            or not stat.S_ISREG(seen.st_mode)
            or held_files.is_held((seen.st_dev, seen.st_ino))
        ):
            return None
        try:
            descriptor = os.open(path, OPENING)
        except OSError as error:
            pass_on(error)
            return None
        is_unchanged = False
        try:
            data = os.read(descriptor, size + 1)
            is_unchanged = version_of(os.fstat(descriptor)) == version_of(seen)
        except OSError as error:
            pass_on(error)
        finally:
            if is_unchanged:
                os.close(descriptor)
            else:  # another file may have come to its place, that of the store itself
                held_files.close(descriptor, os.fstat(descriptor))
        if not is_unchanged or len(data) != size:
            return None
        return Piece(DIGEST_START + hashing.hash_bytes(data), size, data)

    def _read(
        self, path: str | PathLike[str], link: Link, held_bytes: int, seen: os.stat_result | None = None
    ) -> Piece:
        if link == "hardlink":
            return self._linked(path, seen)
        piece: Piece | None = None
        try:
            with opened(path, seen) as (descriptor, facts):
                if facts.st_size <= held_bytes:
                    data = _read_small(path, descriptor, facts.st_size)
                    piece = Piece(DIGEST_START + hashing.hash_bytes(data), len(data), data=data)
                else:
                    clone = descriptor if link == "auto" else None
                    piece = self._copied(_reading(path, descriptor), clone=clone)
                    _check_size(piece, path, facts.st_size)
        except BaseException:
            if piece is not None:
                piece.discard()
            raise
        return piece

    def _without_bytes(self, piece: Piece, again: Callable[[], Piece]) -> Piece:
        """Return the piece without its bytes where they are there already."""
        if not self._settle(piece):
            return piece
        return Piece(piece.digest, piece.size_bytes, again=again)

    def _copied(self, read: hashing.Read, *, clone: int | None = None) -> Piece:
        """Write a partial file. `clone` is the descriptor whose blocks may be shared."""
        with place_errors(self._partials.folder.parent), self._partials.new(self._mode) as (descriptor, path):
            if clone is not None and hashing.share_blocks(clone, descriptor):
                digits, size = hashing.read_hashed(hashing.reader_of(descriptor))
            else:
                digits, size = hashing.copy_to(read, descriptor)
            if self._sync:
                os.fsync(descriptor)
            return Piece(DIGEST_START + digits, size, partial=path)

    def _linked(self, path: str | PathLike[str], seen: os.stat_result | None) -> Piece:
        """Make the file itself the blob, read-only; a filesystem that cannot, and another one, is an error."""
        with opened(path, seen) as (descriptor, facts):
            with place_errors(self._partials.folder.parent):
                target = self._partials.free_path()
                os.link(real_path(path), target)
            piece = Piece("", facts.st_size, partial=target)
            try:
                _check_same(target, path, facts)
                if self._sync:
                    with place_errors(target):
                        os.fsync(descriptor)
                digits, piece.size_bytes = hashing.read_hashed(_reading(path, descriptor))
                piece.digest = DIGEST_START + digits
                _check_size(piece, path, facts.st_size)
            except BaseException:
                piece.discard()
                raise
        with place_errors(target):
            Path(target).chmod(facts.st_mode & 0o555)
        return piece


def _check_size(piece: Piece, path: str | PathLike[str], size_bytes: int) -> None:
    if piece.size_bytes != size_bytes:
        raise changed(path)


def _check_same(target: str, path: str | PathLike[str], facts: os.stat_result) -> None:
    if not os.path.samestat(Path(target).stat(), facts):  # exchanged since it was opened
        raise changed(path)


def _reading(path: str | PathLike[str], descriptor: int) -> hashing.Read:
    """Return a function that reads a source; what the system says then is of the source, not of the place."""
    read = hashing.reader_of(descriptor)

    def read_source(buffer: memoryview) -> int:
        try:
            return read(buffer)
        except OSError as error:
            pass_on(error)
            raise source_error(path, error) from error

    return read_source


def _read_small(path: str | PathLike[str], descriptor: int, size: int) -> bytes:
    """Return the bytes of a small file, which must be as many as it says."""
    try:
        data = os.read(descriptor, size + 1)
        while len(data) < size and (more := os.read(descriptor, size + 1 - len(data))):
            data += more
    except OSError as error:
        pass_on(error)
        raise source_error(path, error) from error
    if len(data) != size:
        raise changed(path)
    return data
