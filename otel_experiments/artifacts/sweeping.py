"""Removing the blobs of a local folder that nothing refers to, beside writers that put and name others all the while.

What is in use takes seconds to read, for which no training is to wait. So a sweep

1. looks at all blobs;
2. holds the exclusive lock for a moment: who put bytes until now has written down their names;
3. reads what is in use, without the lock;
4. holds the lock again, and removes what is not in use and is still as it was seen first.

Who names bytes after the second step makes a new file, or changes the time of change of the one that is there
(`LocalBlobStore.renew`), under the shared lock; so the fourth step sees it.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final, NamedTuple

from otel_experiments.artifacts import lock
from otel_experiments.artifacts.left_out import LeftOutNotes, Note
from otel_experiments.artifacts.partial import Partials
from otel_experiments.artifacts.place_error import place_errors
from otel_experiments.artifacts.protocol import Swept
from otel_experiments.model.artifact import parse_digest
from otel_experiments.process.interruption import Swallowing, is_interruption

_TICK_S: Final = 0.02
"""Filesystems take the time from a clock that ticks a hundred times a second, or more often."""
_COARSE_TICK_S: Final = 2.0
"""Some keep whole seconds, or every second one."""
_PORTION: Final = 256
"""How many files are removed before writers are let in again."""


class SeenBlob(NamedTuple):
    """A blob as it was at the first look."""

    digest: str
    path: str
    inode: int
    changed_ns: int
    size_bytes: int
    written_ns: int


def look(blobs_folder: Path) -> Iterator[SeenBlob]:
    """Yield the blobs of a folder in the order of their digests; what is no file is none."""
    for folder in _sorted(blobs_folder):
        for path in _sorted(folder):
            found = parse_digest(path.name)
            if found is None or found[1]:
                continue
            with Swallowing(FileNotFoundError):
                facts = path.stat()
                if stat.S_ISREG(facts.st_mode):
                    yield _seen(found[0], str(path), facts)


def sweep_folder(
    place: Path,
    blobs_folder: Path,
    partials: Partials,
    left_out: LeftOutNotes,
    keep: Callable[[], Iterable[str]],
    *,
    address: str,
    file_mode: int,
    dry_run: bool,
) -> Swept:
    """Remove every blob that `keep` does not name, and what dead writers left. What `keep` raises passes."""
    with place_errors(address):
        first = list(look(blobs_folder))
        notes = list(left_out.listed())
        if (first or notes) and not dry_run:
            _let_clock_tick([*(blob.changed_ns for blob in first), *(note.changed_ns for note in notes)])
            with lock.exclusive(place, file_mode):
                pass
    kept = set(keep())
    gone = [blob for blob in first if blob.digest not in kept]
    with place_errors(address):
        rests = [partial for partial in partials.listed() if not partial.is_being_written]
        if not dry_run:
            gone = list(_remove(gone, place, file_mode))
            for rest in rests:
                Path(rest.path).unlink(missing_ok=True)
            partials.sweep_writers()
            _remove_notes(notes, kept, left_out, place, file_mode)
    went = {blob.digest for blob in gone}
    stay = [blob for blob in first if blob.digest not in went]
    return Swept(
        blob_count=len(gone),
        blob_bytes=sum(blob.size_bytes for blob in gone),
        partial_count=len(rests),
        partial_bytes=sum(rest.size_bytes for rest in rests),
        kept_count=len(stay),
        kept_bytes=sum(blob.size_bytes for blob in stay),
        is_dry_run=dry_run,
    )


def _let_clock_tick(changed_ns: Sequence[int]) -> None:
    """Wait until a change gets another time than these, whatever their clock says now."""
    is_coarse = not any(one % 1_000_000_000 for one in changed_ns)
    time.sleep(_COARSE_TICK_S if is_coarse else _TICK_S)


def _remove(blobs: Sequence[SeenBlob], place: Path, file_mode: int) -> Iterator[SeenBlob]:
    """Remove those that are as they were seen, and yield them."""
    for start in range(0, len(blobs), _PORTION):
        with lock.exclusive(place, file_mode):
            for blob in blobs[start : start + _PORTION]:
                if _now(blob) == blob:
                    os.unlink(blob.path)  # noqa: PTH108 - a text
                    yield blob


def _remove_notes(
    notes: Sequence[Note], kept: AbstractSet[str], left_out: LeftOutNotes, place: Path, file_mode: int
) -> None:
    """Remove the notes on bytes that nothing refers to, as far as they are as they were seen."""
    gone = {note for note in notes if note.digest not in kept}
    if gone:
        with lock.exclusive(place, file_mode):
            for note in gone.intersection(left_out.listed()):
                os.unlink(note.path)  # noqa: PTH108 - a text


def _now(blob: SeenBlob) -> SeenBlob | None:
    """Return the blob as it is now; None where it is gone.

    A filesystem of another machine may answer out of a cache unless the file is opened.
    """
    try:
        descriptor = os.open(blob.path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        if is_interruption(error):
            raise
        with Swallowing(OSError):
            return _seen(blob.digest, blob.path, os.stat(blob.path))  # noqa: PTH116 - a text
        return None
    try:
        return _seen(blob.digest, blob.path, os.fstat(descriptor))
    finally:
        os.close(descriptor)


def _seen(digest: str, path: str, facts: os.stat_result) -> SeenBlob:
    return SeenBlob(digest, path, facts.st_ino, facts.st_ctime_ns, facts.st_size, facts.st_mtime_ns)


def _sorted(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
