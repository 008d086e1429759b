"""Putting bytes into a local folder, and removing those that nothing refers to."""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import Self, cast

from otel_experiments.artifacts import lock
from otel_experiments.artifacts.local import BLOBS_FOLDER, LocalBlobs
from otel_experiments.artifacts.partial import Partials
from otel_experiments.artifacts.place_error import place_errors
from otel_experiments.artifacts.prepared import Piece, PreparedBlobs
from otel_experiments.artifacts.preparing import Preparing
from otel_experiments.artifacts.protocol import (
    BlobInfo,
    Link,
    Partial,
    Prepared,
    Put,
    Readable,
    Swept,
    UsingStore,
)
from otel_experiments.artifacts.source import changed
from otel_experiments.artifacts.sweeping import look, sweep_folder
from otel_experiments.artifacts.using_stores import StoreNotes
from otel_experiments.model.bundle import WhyLeftOut
from otel_experiments.process.file_mode import make_directory
from otel_experiments.process.interruption import is_interruption, pass_on


class LocalBlobStore(LocalBlobs):
    """The blobs of a folder, which is made when the first one is put."""

    def __init__(
        self,
        place: Path,
        *,
        address: str = "",
        file_mode: int = 0o600,
        sync: bool = False,
        store: Path | None = None,
    ) -> None:
        """Refer to a folder.

        Args:
            place: the folder, which need not be there.
            address: what the user calls it; else its path.
            file_mode: who may read the blobs; they are written once and by nobody afterwards.
            sync: have each blob on the disk before it gets its name, against a loss of power.
            store: the file of the store whose bytes are put; it is noted in the folder, so that a sweep knows of it.
        """
        super().__init__(place, address=address)
        self._file_mode, self._sync = file_mode, sync
        self._shared = lock.Shared(place, file_mode)
        self._partials = Partials(place, file_mode)
        self._notes = StoreNotes(place, self._partials, file_mode, store)
        self._preparing = Preparing(self._partials, self.holds, mode=file_mode & 0o444, sync=sync)

    def prepare_bytes(self, data: bytes) -> Prepared:
        """Hash bytes."""
        return self._preparing.bytes(data)

    def prepare_file(
        self, path: str | PathLike[str], *, link: Link = "auto", seen: os.stat_result | None = None
    ) -> Prepared:
        """Hash a file, and copy a large one."""
        return self._preparing.file(path, link, seen)

    def prepare_stream(self, source: Readable) -> Prepared:
        """Hash and copy what a readable gives."""
        return self._preparing.stream(source)

    def prepare_folder(self, path: str | PathLike[str], *, link: Link = "auto") -> Prepared:
        """Hash and copy a folder."""
        return self._preparing.folder(path, link)

    def adding(self) -> LocalAdding:
        """Hold the shared lock for a block."""
        return LocalAdding(self)

    def take_lock(self, taken: list[lock.Pair]) -> None:
        """Take the shared lock, in a folder that is there; `taken` gets what is locked."""
        with place_errors(self.address):
            is_new = False
            try:
                self._shared.take(taken)
            except FileNotFoundError:
                make_directory(self.place, self._file_mode)
                self._shared.take(taken)
                is_new = True
            self._notes.write(anew=is_new, sync=self._sync)

    def give_lock_back(self, taken: list[lock.Pair]) -> None:
        """Let go of the shared lock."""
        self._shared.give_back(taken)

    def place_piece(self, piece: Piece) -> bool:
        """Give a piece its name; return whether the blob was there. Under the shared lock."""
        was_copied = piece.partial is not None
        if self.holds(piece) and (was_copied or self.renew(piece.digest)):
            return True
        target = self._path(piece.digest)
        with place_errors(self.address):
            if piece.data is not None:
                piece.partial = self._partials.write(piece.data, self._file_mode & 0o444, sync=self._sync)
            assert piece.partial is not None, "a piece without bytes is none to be placed"
            try:
                os.replace(piece.partial, target)  # noqa: PTH105 - texts
            except FileNotFoundError:
                folder = Path(target).parent
                make_directory(folder.parent, self._file_mode)
                make_directory(folder, self._file_mode)
                os.replace(piece.partial, target)  # noqa: PTH105 - texts
                if self._sync:  # each new folder is an entry of the one above it
                    for above in (folder.parent, self.place, self.place.absolute().parent):
                        _sync_folder(above)
            piece.partial = None
            if self._sync:
                _sync_folder(Path(target).parent)
            self._left_out.forget(piece.digest)
        return False

    def note_left_out(self, digest: str, why: WhyLeftOut) -> None:
        """Note that a bundle was made without a blob; under the shared lock."""
        with place_errors(self.address):
            self._left_out.write(digest, why, self._file_mode)

    def digests(self) -> Iterator[BlobInfo]:
        """Yield the blobs, in the order of their digests."""
        for blob in look(self.place / BLOBS_FOLDER):
            yield BlobInfo(blob.digest, blob.size_bytes, blob.written_ns)

    def partials(self) -> list[Partial]:
        """Return what was not written to its end."""
        return self._partials.listed()

    def sweep(self, keep: Callable[[], Iterable[str]], *, dry_run: bool = False) -> Swept:
        """Remove every blob that `keep` does not name, and what dead writers left."""
        return sweep_folder(
            self.place, self.place / BLOBS_FOLDER, self._partials, self._left_out, keep,
            address=self.address, file_mode=self._file_mode, dry_run=dry_run,
        )  # fmt: skip

    def renew(self, digest: str) -> bool:
        """Have a sweep that has looked at a blob see that it is about to be named. Under the shared lock.

        Its time of change becomes now. False where it is not there, or where this user may not change it: then it has to
        be written again.
        """
        path = self._path(digest)
        try:
            os.chmod(path, stat.S_IMODE(os.stat(path).st_mode))  # noqa: PTH101, PTH116 - texts
        except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
            if is_interruption(error):
                raise
            return False
        return True

    def users(self) -> list[UsingStore]:
        """Return the stores that have kept bytes here."""
        with place_errors(self.address):
            return list(self._notes.read())

    def forget(self, user: UsingStore) -> None:
        """Remove the note of a store."""
        with place_errors(self.address):
            Path(user.note).unlink(missing_ok=True)

    def close(self) -> None:
        """Stop being a writer of the folder."""
        self._shared.close()
        self._partials.close()

    def holds(self, piece: Piece) -> bool:
        """Tell whether the blob is there already, and have its bytes be those of the piece.

        Bytes that are held are compared with it, and a copy that was made takes its place: so what something else has
        damaged is whole again, and nothing has to be hashed for that. A piece that will be placed is left as it is.
        """
        target = self._path(piece.digest)
        if not os.access(target, os.F_OK):  # most are new, and a `stat` that raises takes twice as long
            return False
        if self._size(piece.digest) != piece.size_bytes:
            return False
        if piece.data is not None:
            return _has_bytes(target, piece.data)
        if piece.partial is not None:
            try:
                os.replace(piece.partial, target)  # noqa: PTH105 - texts
            except OSError as error:  # the folder was removed just now, or it is that of another user
                pass_on(error)
                if isinstance(error, FileNotFoundError):
                    return False
            piece.discard()  # two links to one file are left as they are by a rename
        return True


class LocalAdding:
    """Puts bytes while the shared lock is held: inside its block.

    A signal handler may raise on the way in or out. What is still locked then is given back when the object goes.
    """

    def __init__(self, store: LocalBlobStore) -> None:
        self._taken: list[lock.Pair] = []
        self._store = store

    def __enter__(self) -> Self:
        try:
            self._store.take_lock(self._taken)
        except BaseException:
            self._give_back()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        try:
            self._give_back()
        except BaseException:  # it was cut off
            self._give_back()
            raise

    def __del__(self) -> None:
        if getattr(self, "_taken", None):  # it may not have come so far
            self._give_back()

    def _give_back(self) -> None:
        if self._taken:
            self._store.give_lock_back(self._taken)

    def place(self, prepared: Prepared) -> Put:
        """Keep what was prepared."""
        blobs = cast("PreparedBlobs", prepared)
        try:
            was_there = [self._place(piece) for piece in blobs.pieces]
        except BaseException:
            blobs.discard()
            raise
        return dataclasses.replace(blobs.put, was_there=True) if all(was_there) else blobs.put

    def _place(self, piece: Piece) -> bool:
        if piece.again is None:
            return self._store.place_piece(piece)
        if self._store.holds(piece) and self._store.renew(piece.digest):
            return True
        fresh = piece.again()  # swept, damaged, or not ours; this one has its bytes
        try:
            if fresh.digest != piece.digest:
                raise changed(piece.digest)
            return self._store.place_piece(fresh)
        finally:
            fresh.discard()

    def hold(self, digest: str) -> bool:
        """Have a blob that is there stay."""
        return self._store.renew(digest)

    def put_bytes(self, data: bytes) -> Put:
        """Keep bytes."""
        return self.place(self._store.prepare_bytes(data))

    def put_file(self, path: str | PathLike[str], *, link: Link = "auto") -> Put:
        """Keep a file."""
        return self.place(self._store.prepare_file(path, link=link))

    def put_stream(self, source: Readable) -> Put:
        """Keep what a readable gives."""
        return self.place(self._store.prepare_stream(source))

    def put_folder(self, path: str | PathLike[str], *, link: Link = "auto") -> Put:
        """Keep a folder."""
        return self.place(self._store.prepare_folder(path, link=link))


def _has_bytes(path: str, data: bytes) -> bool:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - a text, as all paths here
            return file.read(len(data) + 1) == data
    except OSError as error:
        pass_on(error)
        return False


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
