"""From a test to the file of its golden."""

from __future__ import annotations

import re
from hashlib import blake2b
from pathlib import Path
from typing import Final

import pytest

from otel_experiments.goldens.paths import SUFFIX

_UNSAFE: Final = re.compile(r"[^\w.-]+")
_LONGEST: Final = 120


def base_path(item: pytest.Item, folder: str, name: str | None = None) -> Path:
    """Return the golden of a test: in `folder` beside its file, `MODULE.TEST.otg`, or `NAME.otg`.

    A test named as its module is `TEST.otg`. What a file name cannot hold is replaced, and a digest added, so that
    two tests never share a file by accident.
    """
    if name is None:
        marker = item.get_closest_marker("golden")
        given = marker.kwargs.get("name") if marker is not None else None
        name = str(given) if given else _test_name(item)
    return item.path.parent / folder / f"{_safe(name)}{SUFFIX}"


def part_path(base: Path, part: str) -> Path:
    """Return the golden of a part of a test: `BASE.PART.otg`."""
    return base.with_name(f"{base.name.removesuffix(SUFFIX)}.{_safe(part)}{SUFFIX}")


def _test_name(item: pytest.Item) -> str:
    module = item.path.stem
    inside = item.nodeid.partition("::")[2].replace("::", ".")
    return inside if inside == module else f"{module}.{inside}"


def _safe(name: str) -> str:
    safe = _UNSAFE.sub("-", name).strip("-.") or "golden"
    if safe == name and len(safe) <= _LONGEST:
        return safe
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=3).hexdigest()
    return f"{safe[:_LONGEST]}-{digest}"
