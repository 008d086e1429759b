"""The children of one span laid out one by one: what two differing lists of children are matched on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from otel_experiments.golden.canonical.form import Form, Node, NodeType, Number

SEQUENTIAL: Final = -1
"""The block of slots that are in program order with their parent."""

_LONG_REST: Final = 10_000
"""A loop that goes on for so many more turns than the other side has is not laid out to its end."""
_KEPT_TURNS: Final = 1_000
"""How many of the turns beyond the other side's are laid out all the same."""

IndexKey = tuple[tuple[str, Number], ...]


@dataclass(slots=True)
class Slot:
    """One child of a parent, at the same place in every instance of the parent.

    Instance `parent * stride + offset` of `node` is this child of instance `parent`. `place` counts the
    places in program order (a parallel block has one); `block` numbers parallel blocks, `strand` their lanes.
    """

    node: Node
    stride: int
    offset: int
    place: int
    block: int = SEQUENTIAL
    strand: int = 0
    is_floating: bool = False
    is_timed: bool = False
    own: int = 0
    status: int = 0
    index: IndexKey = ()

    @property
    def label(self) -> tuple[str, int]:
        """What pairs slots at the weakest: name and type."""
        return self.node.name, self.node.type

    def instances(self, parents: Sequence[int]) -> list[int]:
        """Return the instances of this slot in some instances of the parent."""
        stride, offset = self.stride, self.offset
        return [parent * stride + offset for parent in parents]


class Side:
    """One of the two forms being compared, with its spans' own numbers in common with the other's."""

    def __init__(self, form: Form, own_numbers: Sequence[int]) -> None:
        self.form = form
        self.statuses = [own.status for own in form.owns]
        self.own_numbers = own_numbers
        self._below: dict[Node, list[tuple[Node, int]]] = {}

    def slots(
        self, children: Sequence[Node], parent: int, limits: Mapping[Node, int] | None = None
    ) -> list[Slot]:
        """Return the slots of some children of a node, as they are in the instance `parent` of it.

        Of a loop in `limits` only so many turns are laid out.
        """
        limits = limits or {}
        slots: list[Slot] = []
        place = 0
        block = 0
        for child in children:
            if child.type is NodeType.PAR:
                self._add_block(slots, child, place, block)
                block += 1
                place += 1
                continue
            for offset in range(limits.get(child, child.count)):
                slots.append(Slot(child, child.count, offset, place))
                place += 1
        for slot in slots:
            self._fill(slot, parent)
        return slots

    def rest_slot(self, child: Node, parent: int, laid_out: int) -> Slot:
        """Return the first turn of a loop that `slots` left out, at a place behind all others."""
        slot = Slot(child, child.count, laid_out, child.count)
        self._fill(slot, parent)
        return slot

    def _fill(self, slot: Slot, parent: int) -> None:
        instance = parent * slot.stride + slot.offset
        own = slot.node.own[instance]
        slot.own, slot.status = self.own_numbers[own], self.statuses[own]
        if slot.node.index:
            slot.index = tuple((key, column[instance]) for key, column in slot.node.index.items())

    def _add_block(self, slots: list[Slot], par: Node, place: int, block: int) -> None:
        strand = 0
        for lane in par.children:
            for number in range(lane.count):
                for child in lane.children:
                    stride = lane.count * child.count
                    slots.extend(
                        Slot(
                            child,
                            stride,
                            offset,
                            place,
                            block,
                            strand,
                            is_floating=par.is_floating,
                            is_timed=par.is_timed,
                        )
                        for offset in range(number * child.count, (number + 1) * child.count)
                    )
                strand += 1

    def content(self, node: Node, instance: int) -> tuple[object, ...]:
        """Return everything that is compared below an instance of a node, in canonical order."""
        key: list[object] = []
        numbers = self.own_numbers
        for below, factor in self._descendants(node):
            low, high = instance * factor, (instance + 1) * factor
            key.append(tuple(numbers[own] for own in below.own[low:high]))
            key += (tuple(column[low:high]) for column in below.index.values())
        return tuple(key)

    def _descendants(self, node: Node) -> list[tuple[Node, int]]:
        found = self._below.get(node)
        if found is None:
            found = self._below[node] = []
            stack = [(child, child.count) for child in node.children]
            while stack:
                here, factor = stack.pop()
                if here.type is NodeType.SPAN or here.index:
                    found.append((here, factor))
                stack.extend((child, factor * child.count) for child in here.children)
        return found

    def index_pattern(self, children: Sequence[Node], parent: int) -> tuple[object, ...]:
        """Return the indices of some children relative to the first of each key, and those first ones."""
        base: dict[str, float] = {}
        pattern: list[object] = []
        for child in children:
            low, high = parent * child.count, (parent + 1) * child.count
            for key, column in child.index.items():
                values = column[low:high]
                first = base.setdefault(key, next((value for value in values if value is not None), 0))
                pattern.append(tuple(None if value is None else value - first for value in values))
        return tuple(pattern), tuple(base.items())


def long_rests(
    ours: Sequence[Node], parent: int, theirs: Sequence[Node], other_parent: int
) -> dict[Node, int]:
    """Return how many turns to lay out of loops that go on for much longer than all that the other side has.

    Only of loops whose turns are alike, and whose later turns have no index in common with the other side: they
    can only be more, or fewer, and a number says so. What is laid out costs memory for each turn.
    """
    totals = Counter[str]()
    for child in theirs:
        if child.type is NodeType.SPAN:
            totals[child.name] += child.count
    limits: dict[Node, int] = {}
    for child in ours:
        kept = totals[child.name] + _KEPT_TURNS
        if child.type is not NodeType.SPAN or child.count - kept < _LONG_REST:
            continue
        first, last = parent * child.count, (parent + 1) * child.count
        if len(set(child.own[first:last])) > 1:
            continue
        seen = {
            value
            for other in theirs
            if other.name == child.name
            for column in other.index.values()
            for value in column[other_parent * other.count : (other_parent + 1) * other.count]
        }
        if all(seen.isdisjoint(column[first + kept : last]) for column in child.index.values()):
            limits[child] = kept
    return limits
