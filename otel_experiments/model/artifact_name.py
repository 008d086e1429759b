"""What the name of an artifact may be: it is typed behind commands, in references and in paths, so it is never changed.

A name that cannot be used is refused, while names of metrics and params are cut and cleaned: who asks for an artifact later
asks for it by the name that was given.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from otel_experiments.model.artifact import is_alias_reserved, parse_digest

MAX_NAME_BYTES: Final = 1000
_HALF_PAIR: Final = re.compile(r"[\ud800-\udfff]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_OTHER_SIGNS: Final = re.compile(r"[\x00-\x1f\x7f:\\]")
_COMMON: Final = re.compile(r"(?![sS][hH][aA]256)[A-Za-z0-9_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*")
_MAX_COMMON: Final = 60
"""Most names are of letters and digits, with an ending, and shorter than a digest; they have no fault."""


_FAULTS: Final[tuple[tuple[Callable[[str], object], str, str], ...]] = (
    (lambda name: not name.strip(), "it is empty", "Give it at least one visible character."),
    (_HALF_PAIR.search, "it is no valid Unicode", "Give it another."),
    (_CONTROL.search, "it holds a control character", "Leave it out."),
    (
        lambda name: ":" in name,
        "`:` ends a name and begins an alias",
        'Leave it out; an alias is given apart: aliases=["best"].',
    ),
    (
        lambda name: "\\" in name or any(part in {"", ".", ".."} for part in name.split("/")),
        "its parts are no names",
        "Separate parts by one `/`, none of them empty, `.` or `..`.",
    ),
    (parse_digest, "it reads as a digest", "Choose a name that does not."),
)


def why_no_name(name: str) -> tuple[str, str] | None:
    """Return why an artifact cannot have this name and what to do about it; None where it can."""
    if len(name) <= _MAX_COMMON and _COMMON.fullmatch(name):
        return None
    size_bytes = len(name.encode("utf-8", "surrogatepass"))
    if size_bytes > MAX_NAME_BYTES:
        return (
            f"it has {size_bytes:,} bytes, and {MAX_NAME_BYTES:,} at most are kept",
            "Give it a shorter one.",
        )
    return next(((why, fix) for is_fault, why, fix in _FAULTS if is_fault(name)), None)


def why_no_alias(alias: str) -> tuple[str, str] | None:
    """Return why an artifact cannot have this alias and what to do about it; None where it can."""
    if is_alias_reserved(alias):
        why = "`latest` moves by itself, and `v` with a number is a version"
        return why, 'Choose another, such as "best".'
    if "/" in alias:
        return "it holds `/`", "Leave it out."
    return why_no_name(alias)


def name_of_file(file_name: str) -> str:
    """Return a name for an artifact whose file is called so: signs that no name may hold become `_`."""
    return _OTHER_SIGNS.sub("_", file_name)
