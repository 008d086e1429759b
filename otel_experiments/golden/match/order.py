"""Whether matched children kept their order, and whether parallel work became serial or the other way round."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from otel_experiments.golden.canonical.form import Form
from otel_experiments.golden.findings import Code
from otel_experiments.golden.match.align import longest_increasing
from otel_experiments.golden.match.ledger import Ledger, Places
from otel_experiments.golden.match.pairing import Pairing
from otel_experiments.golden.match.slots import SEQUENTIAL, Slot

_MAX_NAMES: Final = 4


def check_order(
    pairing: Pairing,
    ledger: Ledger,
    *,
    path: str,
    candidate: Form,
    parents: Sequence[int],
    has_lanes: bool,
) -> None:
    """Report what is `reordered`, `serialised` or `parallelised` among the matched children of a parent.

    Without lanes on both sides nothing can be said of concurrency: whether work overlaps in time is chance.
    """
    pairs = pairing.pairs
    moved = _crossing(pairing, pairs, has_lanes=has_lanes)
    moved += _crossing_in_strands(pairing, pairs)
    if moved:
        shown = _with_crossed(pairing, min(moved))
        first = pairing.candidate[pairing.match[min(moved)]]
        ledger.note(
            Code.REORDERED,
            path,
            golden=_names([pairing.golden[at] for at in shown]),
            candidate=_names([pairing.golden[at] for at in sorted(shown, key=pairing.match.__getitem__)]),
            count=len(parents),
            places=Places(candidate, first.node, first.instances(parents)),
        )
    if has_lanes:
        _check_concurrency(pairing, ledger, path=path, candidate=candidate, parents=parents)


def _crossing(pairing: Pairing, pairs: Sequence[tuple[int, int]], *, has_lanes: bool) -> list[int]:
    """Return the golden slots that left their place in program order; a parallel block counts as one place.

    Where concurrency is only known from overlap, blocks begin and end by chance and have no place.
    """
    places: list[tuple[int, int, int]] = []
    seen: set[tuple[int, int]] = set()
    for at, place in pairs:
        ours, theirs = pairing.golden[at], pairing.candidate[place]
        if (ours.block == SEQUENTIAL) != (theirs.block == SEQUENTIAL):
            continue
        if ours.is_floating or theirs.is_floating or not ours.node.name:
            continue
        if ours.block != SEQUENTIAL:
            if not has_lanes or ours.is_timed or theirs.is_timed:
                continue
            if (ours.block, theirs.block) in seen:
                continue
            seen.add((ours.block, theirs.block))
        places.append((ours.place, theirs.place, at))
    places.sort()
    strict: list[int] = []
    for _, place, _ in places:
        strict.append(place * 2)
    if all(low < high for low, high in pairwise(strict)):
        return []
    kept = set(longest_increasing(strict))
    return [
        at
        for number, (_, place, at) in enumerate(places)
        if number not in kept and not _is_tied(places, kept, number, place)
    ]


def _is_tied(places: Sequence[tuple[int, int, int]], kept: set[int], number: int, place: int) -> bool:
    """Whether a place is only out because it shares its place with a kept one: blocks that were split.

    What passed a kept one that shares neither of its places is out: it ran after that, and runs before it now.
    """
    before = places[number][0]
    is_shared = any(
        places[other][1] == place or places[other][0] == before for other in kept if abs(other - number) <= 1
    )
    return is_shared and not any(
        (places[other][0] - before) * (places[other][1] - place) < 0 for other in kept
    )


def _crossing_in_strands(pairing: Pairing, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Return golden slots of parallel work that changed their order inside a lane."""
    strands: dict[tuple[int, int, int, int], list[tuple[int, int]]] = {}
    for at, place in pairs:
        ours, theirs = pairing.golden[at], pairing.candidate[place]
        if SEQUENTIAL not in {ours.block, theirs.block}:
            key = (ours.block, ours.strand, theirs.block, theirs.strand)
            strands.setdefault(key, []).append((at, place))
    moved: list[int] = []
    for own in strands.values():
        own.sort()
        kept = set(longest_increasing([place for _, place in own]))
        moved += (at for number, (at, _) in enumerate(own) if number not in kept)
    return moved


def _with_crossed(pairing: Pairing, moved: int) -> list[int]:
    """Return a golden slot that moved with those it passed, in golden order."""
    place = pairing.match[moved]
    crossed = [
        at
        for at, partner in pairing.pairs
        if ((at < moved and partner > place) or (at > moved and partner < place))
        and _is_comparable(pairing.golden[at], pairing.golden[moved])
    ]
    return sorted([*crossed[:_MAX_NAMES], moved])


def _is_comparable(one: Slot, other: Slot) -> bool:
    """Whether the order of two children means anything: not across the lanes of a block."""
    return one.block != other.block or one.block == SEQUENTIAL or one.strand == other.strand


def _check_concurrency(
    pairing: Pairing,
    ledger: Ledger,
    *,
    path: str,
    candidate: Form,
    parents: Sequence[int],
) -> None:
    for code, slots, others, match in (
        (Code.SERIALISED, pairing.golden, pairing.candidate, pairing.match),
        (Code.PARALLELISED, pairing.candidate, pairing.golden, pairing.back),
    ):
        blocks: dict[int, list[int]] = {}
        for at, slot in enumerate(slots):
            partner = match[at]
            if slot.is_timed:
                continue
            if slot.block != SEQUENTIAL and partner >= 0 and others[partner].block == SEQUENTIAL:
                blocks.setdefault(slot.block, []).append(at)
        for block, members in blocks.items():
            width = len({slot.strand for slot in slots if slot.block == block})
            lanes = f"{width} lanes" if width > 1 else "a lane of its own"
            inline = "the caller's lane"
            is_serial = code == Code.SERIALISED
            first = others[match[members[0]]] if is_serial else slots[members[0]]
            ledger.note(
                code,
                path,
                golden=lanes if is_serial else inline,
                candidate=inline if is_serial else lanes,
                detail=_names([slots[at] for at in members]),
                count=len(parents),
                places=Places(candidate, first.node, first.instances(parents)),
            )


def _names(slots: Sequence[Slot]) -> str:
    names = list(dict.fromkeys(slot.node.name or f"rank {slot.index[0][1]}" for slot in slots))
    shown = ", ".join(names[:_MAX_NAMES])
    return f"{shown}, ..." if len(names) > _MAX_NAMES else shown
