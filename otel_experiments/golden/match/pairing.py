"""Which child of one span is which child of another: stages 2 and 3 of matching, and what is left over.

Children with an index are joined by it; sequences are aligned; parallel work is joined as a multiset; what
crosses is paired last, so that a new order is seen as such. Source: golden trace design, section 4.1.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from otel_experiments.golden.canonical.form import Node, Own
from otel_experiments.golden.canonical.values import Value
from otel_experiments.golden.match.align import (
    Pairs,
    align_sequences,
    align_weighted,
    join_multisets,
    longest_increasing,
    match_weighted,
)
from otel_experiments.golden.match.slots import SEQUENTIAL, IndexKey, Slot

Level = Callable[[Slot], Hashable]


def _full(slot: Slot) -> Hashable:
    return slot.node.shape, slot.own


def _full_index(slot: Slot) -> Hashable:
    return slot.node.shape, slot.own, slot.index


def _content(slot: Slot) -> Hashable:
    """What a slot is whatever lanes its inside was dealt to: a shape holds those too, and they are chance."""
    return slot.node.bag, slot.own, slot.index


def _named_index(slot: Slot) -> Hashable:
    return slot.label, slot.index


def _shape_status(slot: Slot) -> Hashable:
    return slot.node.shape, slot.status


def _shape(slot: Slot) -> Hashable:
    return slot.node.shape


def _bag(slot: Slot) -> Hashable:
    return slot.node.bag


def _bag_own(slot: Slot) -> Hashable:
    return slot.node.bag, slot.own


def _named_own(slot: Slot) -> Hashable:
    return slot.label, slot.own


def _label(slot: Slot) -> Hashable:
    return slot.label


_WITH_LANES: Final[Sequence[Level]] = (_full, _shape_status, _shape, _bag, _named_own, _label)
_STRONG: Final[Sequence[Level]] = (_content,)
_WEAK: Final[Sequence[Level]] = (_named_index, _full, _shape_status, _shape, _bag, _named_own, _label)
_PARALLEL: Final[Sequence[Level]] = (
    _full_index,
    _full,
    _bag_own,
    _shape_status,
    _shape,
    _bag,
    _named_own,
    _label,
)
_WITHOUT_LANES: Final[Sequence[Level]] = (_bag_own, _bag, _named_own, _label)


@dataclass(slots=True)
class Pairing:
    """Two lists of children with what was matched: `match[i]` is the candidate slot of golden slot i, or -1."""

    golden: Sequence[Slot]
    candidate: Sequence[Slot]
    sequence_levels: Sequence[Level] = ()
    owns: Sequence[Own] = ()
    """What the slots' own numbers stand for."""
    match: list[int] = field(default_factory=list)
    back: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.match = [-1] * len(self.golden)
        self.back = [-1] * len(self.candidate)

    def join(self, at: int, place: int) -> None:
        """Match golden slot `at` with candidate slot `place`."""
        self.match[at] = place
        self.back[place] = at

    @property
    def pairs(self) -> Pairs:
        """All matched pairs, in golden order."""
        return [(at, place) for at, place in enumerate(self.match) if place >= 0]

    @property
    def removed(self) -> list[int]:
        """Golden slots without a partner."""
        return [at for at, place in enumerate(self.match) if place < 0]

    @property
    def added(self) -> list[int]:
        """Candidate slots without a partner."""
        return [place for place, at in enumerate(self.back) if at < 0]


_MAX_WEIGHED: Final = 2_500
"""Gaps with more candidate pairs than this are aligned by name alone."""
_MAX_REPETITIONS: Final = 100


def pair_slots(
    golden: Sequence[Slot], candidate: Sequence[Slot], *, has_lanes: bool = True, owns: Sequence[Own] = ()
) -> Pairing:
    """Return which slot is which; without lanes, shapes hold chance overlap and say less than what is inside."""
    levels = _WITH_LANES if has_lanes else _WITHOUT_LANES
    pairing = Pairing(golden, candidate, sequence_levels=levels, owns=owns)
    _join_strands(pairing)
    _join_by_index(pairing)
    _align_gaps(pairing)
    _join_parallel(pairing)
    _join_rest(pairing)
    return pairing


# --- by index ----------------------------------------------------------------------------------------------------


def _join_by_index(pairing: Pairing) -> None:
    blocks = [sorted({slot.block for slot in slots}) for slots in (pairing.golden, pairing.candidate)]
    is_alike = len(blocks[0]) == len(blocks[1]) and len({SEQUENTIAL in own for own in blocks}) == 1
    if (
        is_alike and len(blocks[0]) > 1
    ):  # a pool in a loop counts anew each time: first block with first block
        _join_indices(pairing, blocks)
    _join_indices(pairing, None)


def _join_indices(pairing: Pairing, blocks: Sequence[Sequence[int]] | None) -> None:
    ours = _by_index(pairing.golden, pairing.match, None if blocks is None else blocks[0])
    theirs = _by_index(pairing.candidate, pairing.back, None if blocks is None else blocks[1])
    for group, own in ours.items():
        other = theirs.get(group)
        if other is None:
            continue
        shift = _shift_between(own, other)
        for index, positions in own.items():
            places = other.get(_shifted(index, shift))
            if places:
                _join_equal(pairing, positions, places)


def _by_index(
    slots: Sequence[Slot], matched: Sequence[int], blocks: Sequence[int] | None
) -> dict[Hashable, dict[IndexKey, list[int]]]:
    """Return unmatched slots with an index by label and keys, and by the number of their block among `blocks`."""
    found: dict[Hashable, dict[IndexKey, list[int]]] = {}
    for position, slot in enumerate(slots):
        if matched[position] < 0 and slot.index and all(value is not None for _, value in slot.index):
            keys = tuple(key for key, _ in slot.index)
            number = 0 if blocks is None else bisect_right(blocks, slot.block)
            found.setdefault((slot.label, keys, number), {}).setdefault(slot.index, []).append(position)
    return found


def _shift_between(ours: dict[IndexKey, list[int]], theirs: dict[IndexKey, list[int]]) -> float:
    """Return by how much the candidate's index runs ahead, where joining so finds more partners.

    A loop with one step more makes every later step's number one larger; those are the same steps still.
    """
    first = next(iter(ours))
    if len(first) != 1 or (first in theirs and next(iter(theirs)) == first):
        return 0
    start, other = first[0][1], next(iter(theirs))[0][1]
    if start is None or other is None or start == other:
        return 0
    shift = other - start
    plain = sum(1 for index in ours if index in theirs)
    moved = sum(1 for index in ours if _shifted(index, shift) in theirs)
    return shift if moved > plain else 0


def _shifted(index: IndexKey, shift: float) -> IndexKey:
    if not shift:
        return index
    return tuple((key, None if value is None else value + shift) for key, value in index)


def _join_equal(pairing: Pairing, positions: Sequence[int], places: Sequence[int]) -> None:
    """Join slots of one index: those that are alike first, the last ones of either side before earlier ones."""
    free = list(positions)
    open_places = list(places)
    if _join_repetitions(pairing, free, open_places):
        return
    for level in (_full, _shape_status, _shape, _bag, _named_own, _label):
        if not free or not open_places:
            return
        for at in list(free[::-1]):
            key = level(pairing.golden[at])
            for place in reversed(open_places):
                if level(pairing.candidate[place]) == key:
                    pairing.join(at, place)
                    free.remove(at)
                    open_places.remove(place)
                    break


def _join_repetitions(pairing: Pairing, positions: list[int], places: list[int]) -> bool:
    """Pair spans that repeat one index in program order: they are as many on both sides, so each is itself."""
    if len(positions) != len(places) or len(positions) == 1:
        return False
    ours, theirs = _at(pairing.golden, positions), _at(pairing.candidate, places)
    if any(slot.block != SEQUENTIAL for slot in (*ours, *theirs)):
        return False
    joined = join_multisets(list(map(_bag_own, ours)), list(map(_bag_own, theirs)))
    if len(joined) < len(ours):
        joined = [(at, at) for at in range(len(ours))]
    for at, place in joined:
        pairing.join(positions[at], places[place])
    return True


# --- sequences ---------------------------------------------------------------------------------------------------


def _align_gaps(pairing: Pairing) -> None:
    """Align what is in program order on both sides, between the pairs that are already certain."""
    ours = [at for at, slot in enumerate(pairing.golden) if slot.block == SEQUENTIAL]
    theirs = [place for place, slot in enumerate(pairing.candidate) if slot.block == SEQUENTIAL]
    sequential = set(theirs)
    certain = [(at, pairing.match[at]) for at in ours if pairing.match[at] in sequential]
    kept = longest_increasing([place for _, place in certain])
    anchors = [certain[at] for at in kept]
    free = [at for at in ours if pairing.match[at] < 0]
    open_places = [place for place in theirs if pairing.back[place] < 0]
    if not free or not open_places:
        return
    golden_gaps: dict[int, list[int]] = {}
    candidate_gaps: dict[int, list[int]] = {}
    firsts, seconds = [at for at, _ in anchors], [place for _, place in anchors]
    for at in free:
        golden_gaps.setdefault(bisect_right(firsts, at), []).append(at)
    for place in open_places:
        candidate_gaps.setdefault(bisect_right(seconds, place), []).append(place)
    for gap, positions in golden_gaps.items():
        places = candidate_gaps.get(gap)
        if places:
            _align_gap(pairing, positions, places)


def _align_gap(pairing: Pairing, positions: list[int], places: list[int]) -> None:
    golden, candidate = pairing.golden, pairing.candidate
    if _pair_in_place(pairing, positions, places):
        return
    gaps = [(positions, places)]
    for level in pairing.sequence_levels:
        rest: list[tuple[list[int], list[int]]] = []
        for own, other in gaps:
            ours, theirs = [golden[at] for at in own], [candidate[place] for place in other]
            if level is _named_own and len(own) * len(other) <= _MAX_WEIGHED:
                found = align_weighted([_weights(slot, theirs) for slot in ours])
            else:
                found = align_sequences([level(slot) for slot in ours], [level(slot) for slot in theirs])
            low = left = 0
            for at, place in [*found, (len(own), len(other))]:
                if low < at and left < place:
                    rest.append((own[low:at], other[left:place]))
                if at < len(own):
                    pairing.join(own[at], other[place])
                low, left = at + 1, place + 1
        gaps = rest


def _weights(slot: Slot, others: Sequence[Slot]) -> list[float]:
    """Return how well a slot fits each of the others: 0 for another name, else from 1 to 2.5."""
    return [
        0.0
        if slot.label != other.label
        else 1.0 + likeness(slot.node, other.node) + (0.5 if slot.own == other.own else 0.0)
        for other in others
    ]


def likeness(ours: Node, theirs: Node) -> float:
    """Return Dice's coefficient of the children's names, 1 for two leaves."""
    return share_in_common(Counter(_names(ours)), Counter(_names(theirs)), of_nothing=1.0)


def share_in_common(before: Counter[str], after: Counter[str], *, of_nothing: float) -> float:
    """Return Dice's coefficient of two multisets of names; `of_nothing` where both are empty."""
    total = before.total() + after.total()
    return 2 * (before & after).total() / total if total else of_nothing


def _names(node: Node) -> Iterator[str]:
    stack = list(node.children)
    while stack:
        child = stack.pop()
        if child.name:
            yield from [child.name] * min(child.count, _MAX_REPETITIONS)
        else:
            stack += child.children


def _pair_in_place(pairing: Pairing, positions: Sequence[int], places: Sequence[int]) -> bool:
    """Pair a gap whose two sides have the same names in the same order; return whether it was such a gap."""
    ours = [pairing.golden[at] for at in positions]
    theirs = [pairing.candidate[place] for place in places]
    if list(map(_label, ours)) != list(map(_label, theirs)):
        return False
    joined = join_multisets(list(map(_bag_own, ours)), list(map(_bag_own, theirs)))
    if len(joined) < len(ours):
        joined = [(at, at) for at in range(len(ours))]
    for at, place in joined:  # where all are alike, these are the same children, perhaps in another order
        pairing.join(positions[at], places[place])
    return True


# --- parallel work, and what crosses -----------------------------------------------------------------------------


def _join_strands(pairing: Pairing) -> None:
    """Match whole pieces of parallel work first, so that what changed its order inside one is seen."""
    ours, theirs = _strands(pairing.golden), _strands(pairing.candidate)
    if all(len(strand) == 1 for strand in (*ours, *theirs)):
        return
    before, after = _by_block(pairing.golden, ours), _by_block(pairing.candidate, theirs)
    if (
        len(before) == len(after) > 1
    ):  # first block with first block: the pool of another loop is not this one
        for own, other in zip(before, after, strict=True):
            _join_strand_lists(pairing, own, other)
        ours = [strand for strand in ours if all(pairing.match[at] < 0 for at in strand)]
        theirs = [strand for strand in theirs if all(pairing.back[place] < 0 for place in strand)]
    _join_strand_lists(pairing, ours, theirs)


def _by_block(slots: Sequence[Slot], strands: Sequence[list[int]]) -> list[list[list[int]]]:
    found: dict[int, list[list[int]]] = {}
    for strand in strands:
        found.setdefault(slots[strand[0]].block, []).append(strand)
    return [found[block] for block in sorted(found)]


def _join_strand_lists(
    pairing: Pairing, ours: Sequence[Sequence[int]], theirs: Sequence[Sequence[int]]
) -> None:
    joined = join_multisets(
        [tuple(_content(pairing.golden[at]) for at in strand) for strand in ours],
        [tuple(_content(pairing.candidate[place]) for place in strand) for strand in theirs],
    )
    couples = [(ours[at], theirs[place]) for at, place in joined]
    known, taken = {at for at, _ in joined}, {place for _, place in joined}
    rest = [strand for at, strand in enumerate(ours) if at not in known]
    others = [strand for place, strand in enumerate(theirs) if place not in taken]
    if 0 < len(rest) * len(others) <= _MAX_WEIGHED:
        weights = [[_strand_weight(pairing, own, other) for other in others] for own in rest]
        couples += ((rest[at], others[place]) for at, place in match_weighted(weights))
    for own, other in couples:
        _join_in_strand(pairing, own, other, _STRONG)
    if any(pairing.match[at] < 0 for own, _ in couples for at in own):
        # What is equal to a span of another lane was dealt to another worker; only then may likeness decide.
        _join_in_strand(pairing, list(chain(*ours)), list(chain(*theirs)), _STRONG)
        for own, other in couples:
            _join_in_strand(pairing, own, other, _WEAK)


def _strands(slots: Sequence[Slot]) -> list[list[int]]:
    found: dict[tuple[int, int], list[int]] = {}
    for position, slot in enumerate(slots):
        if slot.block != SEQUENTIAL:
            found.setdefault((slot.block, slot.strand), []).append(position)
    return list(found.values())


def _strand_weight(pairing: Pairing, ours: Sequence[int], theirs: Sequence[int]) -> float:
    """Return how much two pieces of work have in common; what is equal with its index counts most."""
    before, after = _at(pairing.golden, ours), _at(pairing.candidate, theirs)
    common = [
        sum((Counter(map(level, before)) & Counter(map(level, after))).values())
        for level in (_label, _named_own, _named_index, _bag_own, _content)
    ]
    if not common[0]:
        return 0.0
    return (
        common[0]
        + common[1]
        + 5 * common[2]
        + 2 * common[3]
        + 3 * common[4]
        - 0.1 * abs(len(ours) - len(theirs))
    )


def _at(slots: Sequence[Slot], positions: Sequence[int]) -> list[Slot]:
    return [slots[position] for position in positions]


def _join_in_strand(
    pairing: Pairing, ours: Sequence[int], theirs: Sequence[int], levels: Sequence[Level]
) -> None:
    for level in levels:
        free = [at for at in ours if pairing.match[at] < 0]
        open_places = [place for place in theirs if pairing.back[place] < 0]
        if not free or not open_places:
            return
        for at, place in join_multisets(
            [level(slot) for slot in _at(pairing.golden, free)],
            [level(slot) for slot in _at(pairing.candidate, open_places)],
        ):
            pairing.join(free[at], open_places[place])


def _join_parallel(pairing: Pairing) -> None:
    blocks = {slot.block for slot in pairing.golden} | {slot.block for slot in pairing.candidate}
    counts = [
        len({slot.block for slot in slots} - {SEQUENTIAL}) for slots in (pairing.golden, pairing.candidate)
    ]
    if counts[0] == counts[1]:  # first block with first block, and so on
        for block in sorted(blocks - {SEQUENTIAL}):
            _join_levels(
                pairing,
                lambda slot, block=block: slot.block == block,  # type: ignore[misc] # the default binds the loop's variable
                _PARALLEL,
            )
    _join_levels(
        pairing,
        lambda slot: slot.block != SEQUENTIAL,
        _PARALLEL,
    )


def _join_rest(pairing: Pairing) -> None:
    """Pair across: parallel with sequential children, and sequential ones whose order changed."""
    _join_levels(pairing, lambda slot: True, (_full_index, _full, _shape, _bag))  # noqa: ARG005 - all slots
    added = {(slot.label, slot.block == SEQUENTIAL) for slot in _at(pairing.candidate, pairing.added)}
    if any((slot.label, slot.block != SEQUENTIAL) in added for slot in _at(pairing.golden, pairing.removed)):
        _join_levels(pairing, lambda slot: True, (_named_own, _label))  # noqa: ARG005 - all slots
        return
    singles: dict[Hashable, list[int]] = {}
    for place in pairing.added:
        singles.setdefault(pairing.candidate[place].label, []).append(place)
    by_label: dict[Hashable, list[int]] = {}
    for at in pairing.removed:
        by_label.setdefault(pairing.golden[at].label, []).append(at)
    for label, positions in by_label.items():
        places = singles.get(label, [])
        if len(positions) == 1 == len(places):
            pairing.join(positions[0], places[0])


def _join_stable(pairing: Pairing, ours: Sequence[int], theirs: Sequence[int]) -> tuple[list[int], list[int]]:
    """Pair slots of one content that agree in all attributes but those that changed; return what is left.

    An attribute has not changed where both sides have the same values, whichever slots have them.
    """
    groups: dict[Hashable, tuple[list[int], list[int]]] = {}
    for side, slots, positions in ((0, pairing.golden, ours), (1, pairing.candidate, theirs)):
        for position in positions:
            slot = slots[position]
            groups.setdefault((slot.node.bag, slot.status), ([], []))[side].append(position)
    for own, other in groups.values():
        if len(own) > 1 < len(other):
            before = [dict(pairing.owns[slot.own].attributes) for slot in _at(pairing.golden, own)]
            after = [dict(pairing.owns[slot.own].attributes) for slot in _at(pairing.candidate, other)]
            parts = _unchanged_parts(before, after)
            if not any(parts[0]):
                continue
            joined = join_multisets(*parts)
            for at, place in joined:
                pairing.join(own[at], other[place])
    return (
        [at for at in ours if pairing.match[at] < 0],
        [place for place in theirs if pairing.back[place] < 0],
    )


def _unchanged_parts(
    before: Sequence[Mapping[str, Value]], after: Sequence[Mapping[str, Value]]
) -> tuple[list[Hashable], list[Hashable]]:
    """Return of each slot the attributes that are unchanged together: what tells most slots apart comes first."""
    fewer = min(len(before), len(after))
    keys = {key: len({one.get(key) for one in (*before, *after)}) for key in {*chain(*before, *after)}}
    ours: list[Hashable] = [()] * len(before)
    theirs: list[Hashable] = [()] * len(after)
    for key in sorted(keys, key=lambda key: (-keys[key], key)):
        if keys[key] > 1:
            more = [(part, one.get(key)) for part, one in zip(ours, before, strict=True)]
            others = [(part, one.get(key)) for part, one in zip(theirs, after, strict=True)]
            if (Counter(more) & Counter(others)).total() == fewer:
                ours, theirs = list(more), list(others)
    return ours, theirs


def _join_levels(pairing: Pairing, accept: Callable[[Slot], bool], levels: Sequence[Level]) -> None:
    for level in levels:
        ours = [at for at in pairing.removed if accept(pairing.golden[at])]
        theirs = [place for place in pairing.added if accept(pairing.candidate[place])]
        if not ours or not theirs:
            return
        if level is _shape_status and pairing.owns:
            ours, theirs = _join_stable(pairing, ours, theirs)
        if level is _named_own and len(ours) * len(theirs) <= _MAX_WEIGHED:
            slots = [pairing.candidate[place] for place in theirs]
            for at, place in match_weighted([_weights(pairing.golden[at], slots) for at in ours]):
                pairing.join(ours[at], theirs[place])
            continue
        joined = join_multisets(
            [level(pairing.golden[at]) for at in ours], [level(pairing.candidate[place]) for place in theirs]
        )
        for at, place in joined:
            pairing.join(ours[at], theirs[place])
