"""What somebody may have meant who typed a name that there is not."""

from __future__ import annotations

from collections.abc import Sequence


def closest(wanted: str, known: Sequence[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known name that is most like the wanted one; None when none is like it."""
    import difflib  # noqa: PLC0415 - only to explain a mistake

    found = difflib.get_close_matches(wanted, known, n=1, cutoff=cutoff)
    return found[0] if found else None
