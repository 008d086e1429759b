"""What kind of filesystem a folder is on, and whether SQLite's locks can be trusted there."""

from __future__ import annotations

from pathlib import Path
from typing import Final

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
    except OSError:
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
