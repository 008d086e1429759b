"""Two texts of a finding as what differs between them; of long ones in its context: a prompt with one changed word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Final, Literal, NamedTuple

from otel_experiments.figures.escape import clip

LONG_CHARS: Final = 160
"""Two texts that take no more than this together are shown whole."""
_WORD: Final = re.compile(r"\s+|\w+|[^\w\s]")
_MAX_WORDS: Final = 4_000
_CONTEXT_WORDS: Final = 14
_MAX_PLACES: Final = 3
_SIDE_CHARS: Final = 120
_LEAST_LIKENESS: Final = 0.3


class Piece(NamedTuple):
    """A piece of a change: what both texts have, what went, or what is new."""

    kind: Literal["same", "gone", "new"]
    text: str


def find_change(golden: str, candidate: str) -> list[Piece] | None:
    """Return what differs between two long texts, with some words around it; None where they are shown side by side.

    That is where they are short, one is empty, or they have little in common. At most three places are shown, the
    others are counted.
    """
    if len(golden) + len(candidate) <= LONG_CHARS or not golden or not candidate:
        return None
    ours, theirs = _WORD.findall(golden), _WORD.findall(candidate)
    head = _common_prefix(ours, theirs)
    tail = _common_prefix(ours[head:][::-1], theirs[head:][::-1])
    left, right = ours[head : len(ours) - tail], theirs[head : len(theirs) - tail]
    if max(len(left), len(right)) > _MAX_WORDS:
        return None
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    if head + tail < _CONTEXT_WORDS and matcher.ratio() < _LEAST_LIKENESS:
        return None
    changes = [
        (low + head, high + head, start + head, end + head)
        for tag, low, high, start, end in matcher.get_opcodes()
        if tag != "equal"
    ]
    pieces: list[Piece] = []
    for change in changes[:_MAX_PLACES]:
        if pieces:
            pieces.append(Piece("same", "; "))
        pieces += _pieces_at(ours, theirs, change)
    more = f"; and {len(changes) - _MAX_PLACES} more places" if len(changes) > _MAX_PLACES else ""
    return [*pieces, Piece("same", f"{more} (of {len(golden):,} characters)")]


def show_change(golden: str, candidate: str) -> str:
    """Return `golden -> candidate`; of long texts only what differs: `...in [-French-]{+German+} and...`.

    The marks are those of `git diff --word-diff`.
    """
    pieces = find_change(golden, candidate)
    if pieces is None:
        return f"{show_value(golden)} -> {show_value(candidate)}"
    marks = {"same": "{}", "gone": "[-{}-]", "new": "{{+{}+}}"}
    return "".join(marks[piece.kind].format(piece.text) for piece in pieces)


def show_value(text: str) -> str:
    """Return one side of a change: the beginning of a long text with its length, `nothing` where it is empty."""
    if len(text) <= LONG_CHARS:
        return text or "nothing"
    return f"{text[:_SIDE_CHARS]}... ({len(text):,} characters)"


def _pieces_at(
    ours: Sequence[str], theirs: Sequence[str], change: tuple[int, int, int, int]
) -> Iterator[Piece]:
    low, high, start, end = change
    opening = "..." if low > _CONTEXT_WORDS else ""
    closing = "..." if high + _CONTEXT_WORDS < len(ours) else ""
    yield Piece("same", opening + "".join(ours[max(0, low - _CONTEXT_WORDS) : low]))
    if high > low:
        yield Piece("gone", clip("".join(ours[low:high]), _SIDE_CHARS))
    if end > start:
        yield Piece("new", clip("".join(theirs[start:end]), _SIDE_CHARS))
    yield Piece("same", "".join(ours[high : high + _CONTEXT_WORDS]) + closing)


def _common_prefix(ours: Sequence[str], theirs: Sequence[str]) -> int:
    for at, (old, new) in enumerate(zip(ours, theirs, strict=False)):
        if old != new:
            return at
    return min(len(ours), len(theirs))
