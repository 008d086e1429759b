"""What the stages of matching share: the two sides, the matched pairs, the queue, and what has no partner."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from otel_experiments.golden.canonical.form import Form, Node, Own, join_path, round_floats
from otel_experiments.golden.canonical.values import Value
from otel_experiments.golden.match.content_diff import OwnTolerance, number_alike
from otel_experiments.golden.match.ledger import Ledger
from otel_experiments.golden.match.order import check_order
from otel_experiments.golden.match.pairing import Pairing, pair_slots
from otel_experiments.golden.match.schema_moves import move_attributes
from otel_experiments.golden.match.slots import Side, Slot

Instances = Sequence[int]


@dataclass(frozen=True, slots=True)
class Pair:
    """Instances of a golden template and the instances of a candidate's template that they are."""

    golden: Node
    golden_at: Instances
    candidate: Node
    candidate_at: Instances
    path: str


@dataclass(slots=True)
class Matched:
    """What a comparison of structure leaves for the comparison of numbers."""

    pairs: list[Pair] = field(default_factory=list)
    """Matched spans, by template."""
    removed_paths: dict[str, Node] = field(default_factory=dict)
    """Paths that the candidate lacks altogether, with the golden's template."""
    changed_paths: set[str] = field(default_factory=set)
    """Paths at which spans were lost or won: shorter curves there are a consequence."""
    equal_count: int = 0
    """Matched spans of equal name, kind and status."""


@dataclass(slots=True, eq=False)
class Leftover:
    """A child without a partner, in all instances of its parent that were matched in one go."""

    is_removed: bool
    path: str
    parent_path: str
    slot: Slot
    instances: Instances
    pairing: Pairing
    position: int
    golden_parents: Instances
    candidate_parents: Instances
    is_settled: bool = False
    """Explained, so that it is neither added nor removed."""
    is_rest: bool = False
    """The turns of a long loop that were not laid out: they are counted, and nothing else explains them."""

    @property
    def slots(self) -> Sequence[Slot]:
        """The children on its side of the pairing, itself among them."""
        return self.pairing.golden if self.is_removed else self.pairing.candidate

    @property
    def partners(self) -> Sequence[int]:
        """The position of each of these children's partner on the other side, or -1."""
        return self.pairing.match if self.is_removed else self.pairing.back


class MatchState:
    """Two forms with what has been matched of them, what waits to be compared, and what has no partner.

    The stages of matching work on it: those that compare pairs, and those that explain what is left.
    """

    def __init__(self, golden: Form, candidate: Form, ledger: Ledger, tolerance: OwnTolerance) -> None:
        self.golden, self.candidate = golden, candidate
        self.ledger = ledger
        self.tolerance = tolerance
        self.common: list[Own] = []
        """What is compared of the spans of both forms, each once; slots hold positions in it."""
        self.waiting: deque[Pair] = deque()
        self.matched = Matched()
        self.leftovers: list[Leftover] = []
        self.has_lanes = golden.order == "lanes" == candidate.order
        self.ours, self.theirs = self._number_sides()

    def _number_sides(self) -> tuple[Side, Side]:
        numbers: dict[Own, int] = {}
        golden, candidate = self.golden, self.candidate
        moved = move_attributes(golden.owns, golden.schemas, candidate.schemas, candidate.owns)
        ours = [self._number(own, numbers) for own in moved]
        known = len(self.common)
        theirs = [self._number(own, numbers) for own in candidate.owns]
        if any(round_floats(own) for own in self.common[known:]):  # else all floats are those of the golden
            first = number_alike(self.common, self.tolerance)
            ours, theirs = [first[own] for own in ours], [first[own] for own in theirs]
        return Side(golden, ours), Side(candidate, theirs)

    def _number(self, own: Own, numbers: dict[Own, int]) -> int:
        number = numbers.setdefault(own, len(self.common))
        if number == len(self.common):
            self.common.append(own)
        return number

    def match_slots(
        self,
        golden_slots: Sequence[Slot],
        golden_at: Instances,
        candidate_slots: Sequence[Slot],
        candidate_at: Instances,
        path: str,
    ) -> Pairing:
        """Match children of one parent (in all its instances) and go on with what was matched."""
        pairing = pair_slots(golden_slots, candidate_slots, has_lanes=self.has_lanes, owns=self.common)
        check_order(
            pairing,
            self.ledger,
            path=path,
            candidate=self.candidate,
            parents=candidate_at,
            has_lanes=self.has_lanes,
        )
        self._queue_pairs(pairing, golden_at, candidate_at, path)
        for side, positions, slots, at in (
            (True, pairing.removed, golden_slots, golden_at),
            (False, pairing.added, candidate_slots, candidate_at),
        ):
            for position in positions:
                slot = slots[position]
                self.leftovers.append(
                    Leftover(
                        is_removed=side,
                        path=join_path(path, slot.node),
                        parent_path=path,
                        slot=slot,
                        instances=slot.instances(at),
                        pairing=pairing,
                        position=position,
                        golden_parents=golden_at,
                        candidate_parents=candidate_at,
                    )
                )
        return pairing

    def _queue_pairs(
        self, pairing: Pairing, golden_at: Instances, candidate_at: Instances, path: str
    ) -> None:
        """Queue the matched slots; neighbours of the same templates go together."""
        runs: dict[tuple[Node, Node], tuple[list[Slot], list[Slot]]] = {}
        for at, place in pairing.pairs:
            ours, theirs = pairing.golden[at], pairing.candidate[place]
            run = runs.setdefault((ours.node, theirs.node), ([], []))
            run[0].append(ours)
            run[1].append(theirs)
        for (ours_node, theirs_node), (ours_run, theirs_run) in runs.items():
            self.waiting.append(
                Pair(
                    ours_node,
                    _spread(ours_run, golden_at),
                    theirs_node,
                    _spread(theirs_run, candidate_at),
                    join_path(path, ours_node),
                )
            )

    def queue(
        self, ours: Node, golden_at: Instances, theirs: Node, candidate_at: Instances, path: str
    ) -> None:
        """Compare these instances too."""
        self.waiting.append(Pair(ours, golden_at, theirs, candidate_at, path))

    def status_of(self, slot: Slot) -> int:
        """Return the status code of a slot's span."""
        return self.common[slot.own].status

    def attributes_of(self, slot: Slot) -> tuple[tuple[str, Value], ...]:
        """Return the compared attributes of a slot's span."""
        return self.common[slot.own].attributes

    def matched_counts(self) -> Counter[str]:
        """Return how many spans were matched by path."""
        counts: Counter[str] = Counter()
        for pair in self.matched.pairs:
            counts[pair.path] += len(pair.golden_at)
        return counts


def _spread(slots: Sequence[Slot], parents: Instances) -> Instances:
    """Return the instances of some slots of one node, parent by parent."""
    stride = slots[0].stride
    offsets = [slot.offset for slot in slots]
    if isinstance(parents, range) and offsets == list(range(stride)):
        return range(parents.start * stride, parents.stop * stride)
    return [parent * stride + offset for parent in parents for offset in offsets]
