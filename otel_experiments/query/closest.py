"""What somebody may have meant who typed a name that there is not."""

from __future__ import annotations

from collections.abc import Sequence


def closest(wanted: str, known: Sequence[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known name that is most like the wanted one, case disregarded; None when none is like it."""
    import difflib  # noqa: PLC0415 - only to explain a mistake

    by_folded: dict[str, str] = {}
    for name in known:
        by_folded.setdefault(name.casefold(), name)
    found = difflib.get_close_matches(wanted.casefold(), by_folded, n=1, cutoff=cutoff)
    return by_folded[found[0]] if found else None


def beginning_so(wanted: str, known: Sequence[str], *, limit: int) -> list[str]:
    """Return the known names that begin with the wanted one, case disregarded, each once, in their order."""
    folded = wanted.casefold()
    if not folded:
        return []
    return list(dict.fromkeys(name for name in known if name.casefold().startswith(folded)))[:limit]
