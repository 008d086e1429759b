"""The mutants that no test can catch, each with its reason, in a file that a reviewer reads.

An entry is the key of a mutant on a line, and below it, indented, why the change does no harm. The key holds no line
number and no folder, so that it stays when code moves; an entry whose code is gone is an error.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from change import PACKAGE, is_generated
from mutant import read_mutants


class ExplainedError(Exception):
    """The file has an entry without a reason, or a reason without an entry."""


def read_explained(path: Path) -> dict[str, str]:
    """Return the reasons by key; empty if there is no file.

    Raises:
        ExplainedError: an entry has no reason, stands twice, or a reason has no entry.
    """
    reasons: dict[str, str] = {}
    key = ""
    for number, line in enumerate(
        path.read_text(encoding="utf-8").splitlines() if path.exists() else [], start=1
    ):
        if not line.strip() or line.startswith("#"):
            continue
        if not line[0].isspace():
            key = line.strip()
            if key in reasons:
                raise ExplainedError(f"{path.name}:{number}: this entry stands twice: {key}")
            reasons[key] = ""
        elif key:
            reasons[key] = f"{reasons[key]} {line.strip()}".strip()
        else:
            raise ExplainedError(f"{path.name}:{number}: this reason has no entry above it: {line.strip()}")
    for key, reason in reasons.items():
        if not reason:
            raise ExplainedError(f"{path.name}: write the reason, indented, below: {key}")
    return reasons


def stale_entries(root: Path, reasons: dict[str, str]) -> list[str]:
    """Return the keys of explained mutants whose code is gone."""
    names = {key.partition(" ")[0] for key in reasons}
    keys = {
        mutant.key
        for file in sorted((root / PACKAGE).rglob("*.py"))
        if file.name in names and not is_generated(path := PurePosixPath(file.relative_to(root)))
        for mutant in read_mutants(root, path, None)
    }
    return [key for key in reasons if key not in keys]
