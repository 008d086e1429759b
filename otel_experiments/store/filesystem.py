"""What kind of filesystem a folder is on, whether SQLite's locks can be trusted there, and which file is at a path."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from otel_experiments.errors import StorePathError
from otel_experiments.process.interruption import is_interruption

MOUNTS: Final = Path("/proc/mounts")
NETWORK_FILESYSTEMS: Final = (
    "nfs", "cifs", "smb", "fuse.sshfs", "fuse.s3", "fuse.gcs", "lustre", "gpfs", "ceph", "fuse.ceph", "glusterfs",
    "fuse.gluster", "9p", "beegfs", "afs", "wekafs", "fuse.juicefs", "orangefs",
)  # fmt: skip
"""Types (and beginnings of types) where SQLite's write-ahead log, which needs shared memory, is unsafe."""


def filesystem_of(folder: Path, *, mounts: Path = MOUNTS) -> str:
    """Return the type of the filesystem that a folder is (or would be) on; empty where nobody tells."""
    try:
        lines = [line.split() for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines()]
        real = folder.resolve()
    except OSError as error:
        if is_interruption(error):
            raise
        return ""
    best, kind = "", ""
    for fields in lines:
        if len(fields) > 2:
            point = fields[1].replace("\\040", " ")
            if real.is_relative_to(point) and len(point) >= len(best):
                best, kind = point, fields[2]
    return kind


def is_network_filesystem(folder: Path, *, mounts: Path = MOUNTS) -> bool:
    """Tell whether the folder is on a filesystem of another machine."""
    return filesystem_of(folder, mounts=mounts).startswith(NETWORK_FILESYSTEMS)


def file_id(path: Path | None) -> tuple[int, int] | None:
    """Return which file is at the path now; None where there is none, and for a store in memory."""
    try:
        found = path.stat() if path is not None else None
    except OSError as error:
        if is_interruption(error):
            raise
        return None
    return (found.st_dev, found.st_ino) if found is not None else None


def file_is_gone(location: str) -> StorePathError:
    """Return the error of a store whose file was deleted, or replaced, while it was open."""
    return StorePathError(
        path=location,
        why="its file was deleted or replaced while it was open",
        fix=f"Start again; what is recorded meanwhile waits in {location}.journals, and the next reader stores it.",
    )
