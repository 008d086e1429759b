"""The mutants that no test can catch, each with its reason, in a file that a reviewer reads.

An entry is the key of a mutant on a line, and below it, indented, why the change does no harm. The key holds no line
number and no folder, so that it stays when code moves; an entry whose code is gone is an error.
"""

from __future__ import annotations

from pathlib import Path


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


def module_name(key: str) -> str:
    """Return the file name of the module that a key speaks of."""
    return key.split(" ", 1)[0]
