"""Files that are being written: named with their writer, so that the rest of a dead one is known, counted and swept.

A writer is a process that holds the lock of `<writer>.writer`; the kernel gives it back when the process dies.
"""

from __future__ import annotations

import itertools
import os
import secrets
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from otel_experiments.artifacts.protocol import Partial
from otel_experiments.process.file_lock import can_lock, hold, let_go, try_lock
from otel_experiments.process.file_mode import create_file, make_directory
from otel_experiments.process.interruption import Swallowing

PARTIAL_FOLDER: Final = "partial"
WRITER_SUFFIX: Final = ".writer"


class Partials:
    """The folder of partial files, for one process; a forked child writes as a writer of its own."""

    def __init__(self, folder: Path, file_mode: int) -> None:
        self.folder = folder / PARTIAL_FOLDER
        self._start = f"{self.folder}/"
        self._file_mode = file_mode
        self._guard = threading.Lock()
        self._writer: _Writer | None = None
        self._above: os.stat_result | None = None
        """What the folder was when this process became its writer: asking once for each file took a tenth of its time."""

    @contextmanager
    def new(self, mode: int) -> Iterator[tuple[int, str]]:
        """Make an empty partial file; it is removed if the block raises, and closed at its end.

        Raises:
            OSError: it cannot be made.
        """
        path, descriptor = self._create(mode)
        try:
            yield descriptor, path
        except BaseException:
            with Swallowing(OSError):
                os.unlink(path)  # noqa: PTH108 - a text, as all paths here
            raise
        finally:
            os.close(descriptor)

    def write(self, data: bytes, mode: int, *, sync: bool) -> str:
        """Write bytes to a new partial file and return its path; raises as `new`."""
        path, descriptor = self._create(
            mode
        )  # as in `new`, of which the generator takes a tenth of the time of a small file
        try:
            written = os.write(descriptor, data)
            while written < len(data):
                written += os.write(descriptor, memoryview(data)[written:])
            if sync:
                os.fsync(descriptor)
        except BaseException:
            with Swallowing(OSError):
                os.unlink(path)  # noqa: PTH108 - as above
            raise
        finally:
            os.close(descriptor)
        return path

    def _create(self, mode: int) -> tuple[str, int]:
        path = self.free_path()
        try:
            return path, create_file(path, mode, above=self._above)
        except FileNotFoundError:  # the folder was removed since this process became a writer
            self.close()
            path = self.free_path()
            return path, create_file(path, mode, above=self._above)

    def free_path(self) -> str:
        """Return the path of a partial file that is not there yet; this process is its writer.

        Raises:
            OSError: the folder cannot be written.
        """
        writer = self._writer
        if writer is None or writer.pid != os.getpid():
            writer = self._become_writer()
        return f"{self._start}{writer.name}-{next(writer.count)}"

    def _become_writer(self) -> _Writer:
        fresh = _Writer.begin(self.folder, self._file_mode)
        self._above = self.folder.stat()
        with self._guard:
            if self._writer is None or self._writer.pid != os.getpid():
                self._writer, fresh = fresh, self._writer or fresh
        if fresh is not self._writer:
            fresh.end()
        return self._writer

    def listed(self) -> list[Partial]:
        """Return what was not written to its end, whichever process wrote it."""
        found, alive = [], {}
        for path in _files(self.folder):
            if path.suffix == WRITER_SUFFIX:
                continue
            name = path.name.rpartition("-")[0]
            if name not in alive:
                alive[name] = self._is_alive(name)
            with Swallowing(FileNotFoundError):
                facts = path.lstat()
                found.append(Partial(str(path), facts.st_size, facts.st_mtime_ns, alive[name]))
        return found

    def sweep_writers(self) -> None:
        """Remove the marks of writers that died.

        Each is removed while it is locked, so that one which a process has just made, and not locked yet, is not taken
        from it: it finds the lock taken, or the mark gone, and makes another.
        """
        for path in _files(self.folder):
            if path.suffix == WRITER_SUFFIX:
                self._is_alive(path.stem, removes=True)

    def _is_alive(self, name: str, *, removes: bool = False) -> bool:
        """Tell whether a writer lives; `removes`: the mark of one that died."""
        if self._writer is not None and self._writer.pid == os.getpid() and self._writer.name == name:
            return True
        path = self.folder / f"{name}{WRITER_SUFFIX}"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            is_alive = not can_lock() or not try_lock(descriptor)
            if removes and not is_alive:
                path.unlink(missing_ok=True)
            return is_alive
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Stop being a writer."""
        with self._guard:
            writer, self._writer = self._writer, None
        if writer is not None:
            writer.end()


class _Writer:
    """The mark of this process, locked until `end`, or until the process dies."""

    def __init__(self, name: str, descriptor: int, path: Path) -> None:
        self.name, self.pid = name, os.getpid()
        self.count = itertools.count()
        self.end = weakref.finalize(self, _end, descriptor, path, self.pid)

    @classmethod
    def begin(cls, folder: Path, file_mode: int) -> _Writer:
        """Become a writer."""
        make_directory(folder, file_mode)
        while True:
            name = f"{os.getpid()}-{secrets.token_hex(8)}"
            path = folder / f"{name}{WRITER_SUFFIX}"
            descriptor = create_file(path, file_mode)
            hold(descriptor)
            # A sweep that sees the mark before it is locked takes it for that of a dead process.
            if try_lock(descriptor) and os.fstat(descriptor).st_nlink:
                return cls(name, descriptor, path)
            let_go(descriptor)


def _end(descriptor: int, path: Path, pid: int) -> None:
    if os.getpid() == pid:  # a forked child has closed its copy
        with Swallowing(OSError):
            path.unlink(missing_ok=True)
        let_go(descriptor)


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []
