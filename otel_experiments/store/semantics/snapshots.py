"""What the snapshot of a run says of its code and packages, taken out of the stored JSON without reading all of it.

A snapshot has 10 KB of packages, and may have 256 KiB of a patch; a search looks at those of thousands of runs.
"""

from __future__ import annotations

import json
import re
from typing import Final

TAKING_NS: Final = 60 * 10**9
"""A snapshot may be written so long after the start of a run that has it in common."""
_PACKAGES: Final = b'"packages":"'
_LINE_END: Final = rb"\n"
_DIRTY: Final = b'"is_dirty":'
_TRUTHS: Final = {b"t": 1, b"f": 0}


def package_key(name: str) -> str:
    """Return the name of a package as snapshots have it. Source: Names and normalization, packaging.python.org."""
    return re.sub(r"[-_.]+", "-", name).lower()


def package_version(snapshot_json: bytes | None, key: str) -> str | None:
    """Return the version of an installed package; None where there is none. SQLite calls it as `ox_package`."""
    start = -1 if snapshot_json is None else snapshot_json.find(_PACKAGES)
    if snapshot_json is None or start < 0:
        return None
    start += len(_PACKAGES)
    lines = _LINE_END + snapshot_json[start : snapshot_json.find(b'"', start)] + _LINE_END
    wanted = _LINE_END + json.dumps(key)[1:-1].encode() + b"=="
    found = lines.find(wanted)
    if found < 0:
        return None
    found += len(wanted)
    try:
        return lines[found : lines.index(_LINE_END, found)].decode("ascii") or None
    except UnicodeDecodeError:
        return None


def is_dirty(snapshot_json: bytes | None) -> int | None:
    """Return 1 where something was not committed, else 0; None if not known. SQLite calls it as `ox_dirty`."""
    start = -1 if snapshot_json is None else snapshot_json.find(_DIRTY)
    if snapshot_json is None or start < 0:
        return None
    start += len(_DIRTY)
    return _TRUTHS.get(snapshot_json[start : start + 1])
