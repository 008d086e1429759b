"""Blobs at an URL that fsspec reads: S3, GCS, a shared disk. The same layout as in a local folder.

There is no lock that ends with its process, so time takes its place: bytes that were there for a day are written again
before they are named, and a sweep removes only what nobody wrote for a week. A blob is uploaded under a partial name,
compared on the way, and renamed.
"""

from __future__ import annotations

import io
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from os import PathLike, stat_result
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self, cast

from otel_experiments.artifacts import hashing
from otel_experiments.artifacts.copy_out import copy_read
from otel_experiments.artifacts.folder_list import NoListError, Walk, decode_list, encode_list
from otel_experiments.artifacts.left_out import FIX, FOUND
from otel_experiments.artifacts.protocol import (
    BlobInfo,
    FolderEntry,
    Link,
    Partial,
    Prepared,
    Put,
    Readable,
    Swept,
    UsingStore,
)
from otel_experiments.artifacts.remote_left_out import RemoteLeftOutNotes
from otel_experiments.artifacts.remote_prepared import (
    RemotePiece,
    RemotePrepared,
    again_of,
    check_same,
    piece_of_bytes,
    piece_of_file,
)
from otel_experiments.artifacts.remote_system import age_s, changed_ns, file_system, url_errors
from otel_experiments.artifacts.using_stores import (
    NOTES_FOLDER,
    damaged_note,
    note_of,
    parse_note,
)
from otel_experiments.artifacts.verified import open_verified
from otel_experiments.errors import (
    ArtifactDamagedError,
    ArtifactMissingError,
    ArtifactPlaceError,
)
from otel_experiments.model.artifact import DIGEST_START, parse_digest
from otel_experiments.model.bundle import WhyLeftOut

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

REFRESH_S: Final = 24 * 3600.0
"""Bytes that were written longer ago are written again before they are named anew."""
GRACE_S: Final = 7 * 24 * 3600.0
"""What was written since is never swept: whoever named it may not have written that down yet."""


class RemoteBlobs:
    """The blobs at an URL, for readers and for who records."""

    def __init__(
        self,
        address: str,
        *,
        refresh_s: float = REFRESH_S,
        grace_s: float = GRACE_S,
        store: Path | None = None,
    ) -> None:
        """Refer to an URL; nothing is asked of it yet.

        Args:
            address: the URL.
            refresh_s: after how long bytes are written again before they are named.
            grace_s: for how long what was written stays, used or not.
            store: the file of the store whose bytes are put; it is noted there.

        Raises:
            MissingPackageError: fsspec, or its package for that kind of URL, is not installed.
        """
        self.address = address
        self._refresh_s, self._grace_s = refresh_s, grace_s
        self._store, self._is_noted = store, False
        self._files, self._root = file_system(address)
        self._pid = os.getpid()
        self._left_out = RemoteLeftOutNotes(lambda: self._fs, self._root)

    def is_there(self) -> bool:
        """Whether anything is there."""
        with url_errors(self.address):
            return bool(self._fs.exists(self._root))

    def path_of(self, digest: str) -> Path | None:  # noqa: ARG002 - the protocol's
        """Return None: no local file has it."""
        return None

    def has(self, digest: str) -> bool:
        """Whether the blob is there."""
        return self._info(digest) is not None

    def why_left_out(self, digest: str) -> WhyLeftOut | None:
        """Return why a bundle was made without the blob, which is not here."""
        return None if self.has(digest) else self._left_out.why(digest)

    def note_left_out(self, digest: str, why: WhyLeftOut) -> None:
        """Note that a bundle was made without a blob."""
        with url_errors(self.address):
            self._left_out.write(digest, why)

    def size_bytes(self, digest: str) -> int:
        """Return the size of a blob."""
        info = self._info(digest)
        if info is None:
            raise self._missing(digest)
        return int(info["size"])

    def open(self, digest: str) -> BinaryIO:
        """Return a readable that checks what is read."""
        size = self.size_bytes(digest)
        with url_errors(self.address):
            source = self._fs.open(self._path(digest), "rb")
        return open_verified(
            cast("io.RawIOBase", source), digest=digest, path=self._shown(digest), size_bytes=size
        )

    def verify(self, digest: str) -> None:
        """Read the whole blob."""
        with self.open(digest) as source:
            while source.read(hashing.PIECE_BYTES):
                pass

    def folder(self, digest: str) -> tuple[FolderEntry, ...]:
        """Return the files of a folder."""
        with self.open(digest) as source:
            data = source.read()
        try:
            return decode_list(data)
        except NoListError as error:
            found = f"no usable list: {error}"
            raise ArtifactDamagedError(digest=digest, path=self._shown(digest), found=found) from None

    def copy_to(self, digest: str, target: Path) -> None:
        """Write a blob to a file, as a whole or not at all."""
        self.size_bytes(digest)
        with url_errors(self.address), self._fs.open(self._path(digest), "rb") as source:
            copy_read(source.readinto, target, digest=digest, path=self._shown(digest))

    def prepare_bytes(self, data: bytes) -> Prepared:
        """Hash bytes."""
        piece = piece_of_bytes(data)
        return RemotePrepared(Put(piece.digest, piece.size_bytes), [piece])

    def prepare_file(
        self, path: str | PathLike[str], *, link: Link = "auto", seen: stat_result | None = None
    ) -> Prepared:
        """Hash a file; it is read again when it is placed."""
        _refuse_link(link, self.address)
        piece = piece_of_file(path, seen)
        return RemotePrepared(Put(piece.digest, piece.size_bytes), [piece])

    def prepare_stream(self, source: Readable) -> Prepared:
        """Hash what a readable gives, and keep a temporary copy of it."""
        staged = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - closed by `discard`
        try:
            digits, size = hashing.copy_hashed(hashing.reading_of(source), staged.write)
        except BaseException:
            staged.close()
            raise
        piece = RemotePiece(DIGEST_START + digits, size, partial(again_of, staged))
        return RemotePrepared(Put(piece.digest, size), [piece], staged)

    def prepare_folder(self, path: str | PathLike[str], *, link: Link = "auto") -> Prepared:
        """Hash the files of a folder; they are read again when they are placed."""
        _refuse_link(link, self.address)
        walk, entries, pieces = Walk(path), list[FolderEntry](), list[RemotePiece]()
        for inside, here in walk.files():
            piece = piece_of_file(here)
            is_executable = bool(Path(here).stat().st_mode & 0o100)
            entries.append(FolderEntry(inside, piece.digest, piece.size_bytes, is_executable))
            pieces.append(piece)
        pieces.append(piece_of_bytes(encode_list(entries)))
        size = sum(entry.size_bytes for entry in entries)
        left_out = tuple(walk.left_out)
        put = Put(pieces[-1].digest, size, len(entries), is_folder=True, left_out=left_out)
        return RemotePrepared(put, pieces)

    def adding(self) -> RemoteAdding:
        """Give what puts bytes; there is no lock."""
        return RemoteAdding(self)

    def note_store(self) -> None:
        """Write the note of this process's store where it is not there."""
        if self._store is None or self._is_noted:
            return
        name, data = note_of(self._store, None)
        path = f"{self._root}/{NOTES_FOLDER}/{name}"
        with url_errors(self.address):
            if not self._fs.exists(path):
                self._fs.makedirs(f"{self._root}/{NOTES_FOLDER}", exist_ok=True)
                self._fs.pipe_file(path, data)
        self._is_noted = True

    def users(self) -> list[UsingStore]:
        """Return the stores that have kept bytes there."""
        found = []
        for path, _ in self._found(NOTES_FOLDER):
            with url_errors(self.address):
                data = self._fs.cat_file(path)
            try:
                found.append(parse_note(data, note=path, place=None))
            except ValueError as error:
                raise damaged_note(path, self.address, error) from error
        return found

    def forget(self, user: UsingStore) -> None:
        """Remove the note of a store."""
        with url_errors(self.address):
            self._fs.rm_file(user.note)

    def is_fresh(self, digest: str) -> bool:
        """Whether a blob is there and was written not long ago, so that it may be named."""
        info = self._info(digest)
        return info is not None and age_s(info) < self._refresh_s

    def place_piece(self, piece: RemotePiece) -> bool:
        """Upload a piece, unless it was written not long ago; return whether it was there."""
        info = self._info(piece.digest)
        if info is not None and int(info["size"]) == piece.size_bytes and age_s(info) < self._refresh_s:
            return True
        target = self._path(piece.digest)
        partial_path = f"{self._root}/partial/{os.getpid()}-{secrets.token_hex(8)}"
        with url_errors(self.address):
            self._fs.makedirs(f"{self._root}/partial", exist_ok=True)
            self._fs.makedirs(target.rpartition("/")[0], exist_ok=True)
            try:
                with piece.opener() as source, self._fs.open(partial_path, "wb") as upload:
                    digits, _ = hashing.copy_hashed(hashing.reading_of(source), upload.write)
                check_same(digits, piece)
                self._fs.mv(partial_path, target)
                self._left_out.forget(piece.digest)
            except BaseException:
                if self._fs.exists(partial_path):
                    self._fs.rm_file(partial_path)
                raise
        return False

    def digests(self) -> Iterator[BlobInfo]:
        """Yield the blobs, in the order of their digests."""
        for path, info in self._found("sha256"):
            found = parse_digest(path.rpartition("/")[2])
            if found is not None and not found[1]:
                yield BlobInfo(found[0], int(info["size"]), changed_ns(info))

    def partials(self) -> list[Partial]:
        """Return what was not uploaded to its end; what is younger than a week may still be."""
        return [
            Partial(path, int(info["size"]), changed_ns(info), age_s(info) < self._grace_s)
            for path, info in self._found("partial")
        ]

    def sweep(self, keep: Callable[[], Iterable[str]], *, dry_run: bool = False) -> Swept:
        """Remove every blob that `keep` does not name and nobody wrote for a week, and as old rests."""
        before_ns = time.time_ns() - int(self._grace_s * 1e9)
        blobs = list(self.digests())
        kept = set(keep())
        gone = [blob for blob in blobs if blob.digest not in kept and blob.changed_ns <= before_ns]
        rests = [rest for rest in self.partials() if not rest.is_being_written]
        if not dry_run:
            with url_errors(self.address):
                for path in [*(self._path(blob.digest) for blob in gone), *(rest.path for rest in rests)]:
                    self._fs.rm_file(path)
                self._left_out.sweep(kept, before_ns)
        went = {blob.digest for blob in gone}
        stay = [blob for blob in blobs if blob.digest not in went]
        return Swept(
            blob_count=len(gone),
            blob_bytes=sum(blob.size_bytes for blob in gone),
            partial_count=len(rests),
            partial_bytes=sum(rest.size_bytes for rest in rests),
            kept_count=len(stay),
            kept_bytes=sum(blob.size_bytes for blob in stay),
            is_dry_run=dry_run,
        )

    def close(self) -> None:
        """Nothing is held open."""

    @property
    def _fs(self) -> AbstractFileSystem:
        if self._pid != os.getpid():  # connections do not survive a fork
            self._files, self._root = file_system(self.address)
            self._pid = os.getpid()
        return self._files

    def _path(self, digest: str) -> str:
        digits = digest.removeprefix(DIGEST_START)
        return f"{self._root}/sha256/{digits[:2]}/{digits}"

    def _shown(self, digest: str) -> str:
        return self.address.rstrip("/") + self._path(digest)[len(self._root) :]

    def _info(self, digest: str) -> dict[str, Any] | None:
        with url_errors(self.address):
            try:
                return dict(self._fs.info(self._path(digest)))
            except FileNotFoundError:
                return None

    def _found(self, folder: str) -> list[tuple[str, dict[str, Any]]]:
        with url_errors(self.address):
            self._fs.invalidate_cache()
            found: dict[str, dict[str, Any]] = self._fs.find(f"{self._root}/{folder}", detail=True)
        return sorted(found.items())

    def _missing(self, digest: str) -> ArtifactMissingError:
        with url_errors(self.address):
            if self._left_out.why(digest) is not None:
                return ArtifactMissingError(
                    digest=digest, place=self.address, found=FOUND, fix=FIX, is_lost=False
                )
        return ArtifactMissingError(digest=digest, place=self.address)


class RemoteAdding:
    """Puts bytes at an URL."""

    def __init__(self, blobs: RemoteBlobs) -> None:
        self._blobs = blobs

    def __enter__(self) -> Self:
        self._blobs.note_store()
        return self

    def __exit__(self, *raised: object) -> None:
        pass

    def place(self, prepared: Prepared) -> Put:
        """Upload what was prepared."""
        try:
            was_there = [self._blobs.place_piece(piece) for piece in cast("RemotePrepared", prepared).pieces]
        finally:
            prepared.discard()
        return replace(prepared.put, was_there=all(was_there))

    def hold(self, digest: str) -> bool:
        """Have a blob that is there stay; False where it has to be written again."""
        return self._blobs.is_fresh(digest)

    def put_bytes(self, data: bytes) -> Put:
        """Keep bytes."""
        return self.place(self._blobs.prepare_bytes(data))

    def put_file(self, path: str | PathLike[str], *, link: Link = "auto") -> Put:
        """Keep a file."""
        return self.place(self._blobs.prepare_file(path, link=link))

    def put_stream(self, source: Readable) -> Put:
        """Keep what a readable gives."""
        return self.place(self._blobs.prepare_stream(source))

    def put_folder(self, path: str | PathLike[str], *, link: Link = "auto") -> Put:
        """Keep a folder."""
        return self.place(self._blobs.prepare_folder(path, link=link))


def _refuse_link(link: Link, address: str) -> None:
    if link == "hardlink":
        raise ArtifactPlaceError(
            place=address, why="an URL has no hard links", fix="Let it be copied: leave link out."
        )
