"""What a place for the bytes of artifacts can do: `Blobs` for readers, `BlobStore` for who records and who cleans.

Bytes are known by their digest, `sha256:` and 64 hex digits. A folder is known by the digest of its list, which is a
blob like any other. What a name points at is written elsewhere: a place never knows whether anything refers to a blob.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from os import PathLike, stat_result
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from otel_experiments.model.bundle import WhyLeftOut

Link = Literal["auto", "copy", "hardlink"]
"""How a file's bytes are kept: `auto` shares blocks with the source where the filesystem can (a reflink), else copies.

`hardlink` makes the kept file the very file that was given, which becomes read-only. Who writes to it nevertheless
changes the artifact, and reading finds that.
"""


@dataclass(frozen=True, slots=True)
class FolderEntry:
    """One file of a folder. `path` is relative, with `/`."""

    path: str
    digest: str
    size_bytes: int
    is_executable: bool = False


@dataclass(frozen=True, slots=True)
class Put:
    """What was kept. `was_there`: nothing was written. `left_out`: what of a folder cannot be kept, each with the reason."""

    digest: str
    size_bytes: int
    file_count: int = 1
    is_folder: bool = False
    was_there: bool = False
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """A blob that is there. `changed_ns` is nanoseconds since the Unix epoch."""

    digest: str
    size_bytes: int
    changed_ns: int


@dataclass(frozen=True, slots=True)
class Partial:
    """A file that was not written to its end. `is_being_written`: the process that writes it lives."""

    path: str
    size_bytes: int
    changed_ns: int
    is_being_written: bool


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep removed, or with `is_dry_run` would remove: blobs that nothing refers to, and what dead writers left.

    `absent_folder_count`: folders that are in use and whose list is not in this place. `other_stores`: those that keep
    bytes here as well, and were read.
    """

    blob_count: int = 0
    blob_bytes: int = 0
    partial_count: int = 0
    partial_bytes: int = 0
    kept_count: int = 0
    kept_bytes: int = 0
    absent_folder_count: int = 0
    other_stores: tuple[str, ...] = ()
    is_dry_run: bool = False


@dataclass(frozen=True, slots=True)
class UsingStore:
    """A store that has kept bytes in a place.

    Attributes:
        path: its file.
        host: the machine on which it was noted.
        is_here: whether that store is at the path now, on this machine.
        note: where the note is.
    """

    path: str
    host: str
    is_here: bool
    note: str


class Readable(Protocol):
    """What `put_stream` reads from."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the end."""
        ...


class Prepared(Protocol):
    """Bytes that are hashed and waiting for `Adding.place`. Leaving its block without that discards them."""

    @property
    def put(self) -> Put:
        """What will be kept; `was_there` is not known yet."""
        ...

    def discard(self) -> None:
        """Remove what was written for it; harmless after `place`, and twice."""
        ...


class Adding(Protocol):
    """Holds the shared lock: what is put here is not swept before the block is left, so name it inside the block."""

    def place(self, prepared: Prepared) -> Put:
        """Keep what was prepared.

        Raises:
            ArtifactPlaceError: it cannot be written.
            ArtifactSourceError: the source has changed since it was prepared.
        """
        ...

    def hold(self, digest: str) -> bool:
        """Have a blob that is there stay, so that it may be named; False where its bytes have to be put."""
        ...

    def put_bytes(self, data: bytes) -> Put:
        """Keep these bytes."""
        ...

    def put_file(self, path: str | PathLike[str], *, link: Link = "auto") -> Put:
        """Keep a file; a large one is better prepared before the lock is taken."""
        ...

    def put_stream(self, source: Readable) -> Put:
        """Keep what a readable gives."""
        ...

    def put_folder(self, path: str | PathLike[str], *, link: Link = "auto") -> Put:
        """Keep a folder: its files, and their list, whose digest is the folder's."""
        ...


class Blobs(Protocol):
    """What readers need of a place."""

    @property
    def address(self) -> str:
        """A folder's path, or an URL, as it was given."""
        ...

    def is_there(self) -> bool:
        """Whether the place itself exists; a store whose folder was not copied along has none."""
        ...

    def has(self, digest: str) -> bool:
        """Whether a blob is there; its bytes are not looked at."""
        ...

    def open(self, digest: str) -> BinaryIO:
        """Return a readable of the blob that checks the bytes as they are read.

        Raises:
            ArtifactMissingError: it is not there.
            ArtifactDamagedError: from the read that comes to the end, and from the first `seek`, when the bytes are
                not those of the digest.
        """
        ...

    def size_bytes(self, digest: str) -> int:
        """Return the size of a blob.

        Raises:
            ArtifactMissingError: it is not there.
        """
        ...

    def verify(self, digest: str) -> None:
        """Read the whole blob.

        Raises:
            ArtifactMissingError: it is not there.
            ArtifactDamagedError: its bytes are not those of the digest.
        """
        ...

    def folder(self, digest: str) -> tuple[FolderEntry, ...]:
        """Return the files of a folder, of which `digest` is that of the list.

        Raises:
            ArtifactMissingError: the list is not there.
            ArtifactDamagedError: it is damaged, is no list, or has a path that leaves the folder.
        """
        ...

    def copy_to(self, digest: str, target: Path) -> None:
        """Write a blob to a file, which is replaced as a whole or not at all.

        Raises:
            ArtifactMissingError: it is not there.
            ArtifactDamagedError: its bytes are not those of the digest; the target is as it was.
            ArtifactPlaceError: the target cannot be written.
        """
        ...

    def why_left_out(self, digest: str) -> WhyLeftOut | None:
        """Return why a bundle was made without this blob; None where it is here, and where it is lost."""
        ...

    def path_of(self, digest: str) -> Path | None:
        """Return the local file that has the blob, unread; None where there is no such file."""
        ...


class BlobStore(Blobs, Protocol):
    """What recording and cleaning need of a place, beside what readers do."""

    def adding(self) -> AbstractContextManager[Adding]:
        """Hold the shared lock for a block: put bytes, write down their name, leave.

        Raises:
            ArtifactsLockedError: a sweep holds the lock for longer than we wait.
            ArtifactPlaceError: the place cannot be made or written.
        """
        ...

    def prepare_bytes(self, data: bytes) -> Prepared:
        """Hash bytes; they are written by `place`."""
        ...

    def prepare_file(
        self, path: str | PathLike[str], *, link: Link = "auto", seen: stat_result | None = None
    ) -> Prepared:
        """Hash a file, and copy a large one, outside of any lock.

        Args:
            path: the file.
            link: how its bytes are kept.
            seen: what it was when it was given; None where that is now.

        Raises:
            ArtifactSourceError: it is no regular file that can be read, is another one than was seen, or changes
                while it is read.
            ArtifactPlaceError: it cannot be written.
        """
        ...

    def prepare_stream(self, source: Readable) -> Prepared:
        """Hash and copy what a readable gives; raises as `prepare_file`."""
        ...

    def prepare_folder(self, path: str | PathLike[str], *, link: Link = "auto") -> Prepared:
        """Hash and copy a folder; raises as `prepare_file`."""
        ...

    def note_left_out(self, digest: str, why: WhyLeftOut) -> None:
        """Note that a bundle was made without this blob, until it is put; inside the block of `adding`.

        Raises:
            ArtifactPlaceError: it cannot be written.
        """
        ...

    def digests(self) -> Iterator[BlobInfo]:
        """Yield the blobs that are there, in the order of their digests."""
        ...

    def partials(self) -> list[Partial]:
        """Return what was not written to its end."""
        ...

    def sweep(self, keep: Callable[[], Iterable[str]], *, dry_run: bool = False) -> Swept:
        """Remove every blob that `keep` does not name, and what dead writers left.

        `keep` is called once, without a lock, when the name of whatever was put before can be read; what is put while it
        works stays. What it raises passes, and nothing is removed. With `dry_run` nobody is waited for.

        Raises:
            ArtifactsLockedError: a writer holds the lock for longer than we wait.
            ArtifactPlaceError: the place cannot be locked, or a file cannot be removed.
        """
        ...

    def users(self) -> list[UsingStore]:
        """Return the stores that have kept bytes here.

        Raises:
            ArtifactsUnknownError: a note of one cannot be read.
            ArtifactPlaceError: the place cannot be read.
        """
        ...

    def forget(self, user: UsingStore) -> None:
        """Take a store for one that keeps no bytes here, until it does so again.

        Raises:
            ArtifactPlaceError: the place cannot be written.
        """
        ...

    def close(self) -> None:
        """Give back what the place holds open. It may be called twice."""
        ...
