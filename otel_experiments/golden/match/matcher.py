"""Two canonical forms compared: equal subtrees are passed by, differing ones matched child by child.

Works on pairs of templates with the instances that belong together, so that a change in every step of a loop
is met once. Emits differences into a `Ledger`; judges nothing. Source: golden trace design, section 4.1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, TypeVar

from otel_experiments.golden.canonical.form import (
    Form,
    Node,
    NodeType,
    Number,
    extend_path,
    join_path,
)
from otel_experiments.golden.canonical.values import is_unbounded
from otel_experiments.golden.findings import Code
from otel_experiments.golden.match.content_diff import EXACT, OwnChange, OwnTolerance, diff_owns
from otel_experiments.golden.match.ledger import Ledger, Places
from otel_experiments.golden.match.shapes import number_shapes
from otel_experiments.golden.match.slots import long_rests
from otel_experiments.golden.match.state import Instances, Leftover, Matched, MatchState, Pair
from otel_experiments.golden.match.unmatched import report_leftovers, resolve_leftovers

_LONG_QUEUE_NS: Final = 50_000_000
"""Tasks that take less together, the longest left out, may all land on one worker by chance. Units: nanoseconds.

A pool starts another worker only when none is idle, and who hands in the tasks may wait for the interpreter's
lock (5 ms a turn), or for a processor, until the first is done. Measured with `ThreadPoolExecutor(4)` and four
tasks on two cores: one worker did all in 39 % of runs at 1 ms a task, 5 % at 4 ms, and with two busy neighbours
in some at 16 ms.
"""


def match_forms(golden: Form, candidate: Form, ledger: Ledger, *, tolerance: OwnTolerance = EXACT) -> Matched:
    """Compare the structure and the spans of two forms; differences go to the ledger."""
    state = MatchState(golden, candidate, ledger, tolerance)
    _Matcher(state).run()
    return state.matched


class _Matcher:
    """The stages that compare pairs, over the state that those which explain what is left share."""

    def __init__(self, state: MatchState) -> None:
        self.state = state
        self.index_changes: dict[tuple[str, str], list[tuple[Number, Number, Pair, int]]] = {}
        self._changes: dict[tuple[int, int], list[OwnChange]] = {}
        self._single_ids = 0

    def run(self) -> None:
        number_shapes(self.state.golden, self.state.candidate)
        self.state.waiting.append(
            Pair(self.state.golden.top, range(1), self.state.candidate.top, range(1), "")
        )
        while self.state.waiting:
            while self.state.waiting:
                self._compare(self.state.waiting.popleft())
            resolve_leftovers(self.state)
        counts = self.state.matched_counts()
        report_leftovers(self.state, counts)
        for left in self.state.leftovers:
            self.state.matched.changed_paths.add(left.path)
            if left.is_removed and not left.is_settled and not counts[left.path]:
                self.state.matched.removed_paths[left.path] = left.slot.node
        self._report_indices()
        self._report_labels()

    # --- one pair of templates ---------------------------------------------------------------------------------

    def _compare(self, pair: Pair) -> None:
        ours, theirs = pair.golden, pair.candidate
        if ours.type is NodeType.SPAN:
            self.state.matched.pairs.append(pair)
            if ours.kind != theirs.kind:
                self.state.ledger.note(
                    Code.KIND,
                    pair.path,
                    golden=kind_name(ours.kind),
                    candidate=kind_name(theirs.kind),
                    count=len(pair.golden_at),
                    places=Places(self.state.candidate, theirs, pair.candidate_at),
                )
            different = self._compare_owns(pair)
            is_same = ours.name == theirs.name and ours.kind == theirs.kind
            self.state.matched.equal_count += len(pair.golden_at) - different if is_same else 0
            self._compare_indices(pair)
        elif ours.type is NodeType.PAR:
            self._compare_widths(pair)
        if ours.shape == theirs.shape:
            self._descend(pair)
        else:
            self._match_children(pair)

    def _compare_owns(self, pair: Pair) -> int:
        """Report how the spans differ themselves; return how many differ in status."""
        ours = _select(pair.golden.own, pair.golden_at)
        theirs = _select(pair.candidate.own, pair.candidate_at)
        golden_numbers, candidate_numbers = self.state.ours.own_numbers, self.state.theirs.own_numbers
        different: dict[tuple[int, int], list[OwnChange]] = {}
        statuses = 0
        for couple, count in Counter(zip(ours, theirs, strict=True)).items():
            key = golden_numbers[couple[0]], candidate_numbers[couple[1]]
            if key[0] == key[1]:
                continue
            changes = self._changes_between(key, pair)
            if changes:
                different[couple] = changes
                statuses += count if any(change.code == Code.STATUS for change in changes) else 0
        if not different:
            return 0
        where: dict[tuple[int, int], list[int]] = {couple: [] for couple in different}
        for couple, instance in zip(zip(ours, theirs, strict=True), pair.candidate_at, strict=True):
            found = where.get(couple)
            if found is not None:
                found.append(instance)
        for couple, changes in different.items():
            places = Places(self.state.candidate, pair.candidate, where[couple])
            for change in changes:
                self.state.ledger.note(
                    change.code,
                    pair.path,
                    key=change.key,
                    golden=change.golden,
                    candidate=change.candidate,
                    detail=change.detail,
                    count=len(where[couple]),
                    places=places,
                )
        return statuses

    def _changes_between(self, key: tuple[int, int], pair: Pair) -> list[OwnChange]:
        changes = self._changes.get(key)
        if changes is None:
            changes = diff_owns(self.state.common[key[0]], self.state.common[key[1]], self.state.tolerance)
            self._changes[key] = changes
        if pair.golden.name != pair.candidate.name:
            return [change for change in changes if not _is_of_name(change, pair)]
        return changes

    def _compare_indices(self, pair: Pair) -> None:
        ours, theirs = pair.golden.index, pair.candidate.index
        for key in {**ours, **theirs}:
            before = _select(ours[key], pair.golden_at) if key in ours else [None] * len(pair.golden_at)
            after = _select(theirs[key], pair.candidate_at) if key in theirs else [None] * len(before)
            if before == after:
                continue
            lost: dict[Code, list[int]] = {}
            for at, (old, new) in enumerate(zip(before, after, strict=True)):
                if old == new:
                    continue
                if old is None and self._is_open(pair, at, key):
                    continue
                if old is None or new is None:
                    code = Code.ATTR_ADDED if old is None else Code.ATTR_REMOVED
                    lost.setdefault(code, []).append(pair.candidate_at[at])
                else:
                    self.index_changes.setdefault((pair.path, key), []).append((old, new, pair, at))
            for code, instances in lost.items():
                self.state.ledger.note(
                    code,
                    pair.path,
                    key=key,
                    detail="an index",
                    count=len(instances),
                    places=Places(self.state.candidate, pair.candidate, instances),
                )

    def _is_open(self, pair: Pair, at: int, key: str) -> bool:
        """Whether the golden takes any value under a key, and maybe none, in one instance of a pair."""
        own = self.state.golden.owns[pair.golden.own[pair.golden_at[at]]]
        return any(name == key and is_unbounded(value) for name, value in own.attributes)

    def _compare_widths(self, pair: Pair) -> None:
        """Report work that was spread over lanes and is done by one now, though its tasks are long enough."""
        ours, theirs = pair.golden, pair.candidate
        if not self.state.has_lanes or ours.lanes < 2 or theirs.lanes != 1:
            return
        lane = theirs.children[0]
        durations = sorted(
            (span.end_ns or span.start_ns) - span.start_ns
            for child in lane.children
            for instance in range(min(child.size, 1_000))
            if (span := self.state.candidate.span_at(child, instance)) is not None
        )
        if sum(durations[:-1]) >= _LONG_QUEUE_NS:
            self.state.ledger.note(
                Code.SERIALISED,
                pair.path,
                golden=f"{ours.lanes} lanes",
                candidate="1 lane",
                detail=", ".join(dict.fromkeys(child.name for child in lane.children)),
                count=len(pair.golden_at),
                places=Places(self.state.candidate, lane.children[0], [0]),
            )

    def _descend(self, pair: Pair) -> None:
        """Go on with the children of equal structure."""
        for ours, theirs in zip(pair.golden.children, pair.candidate.children, strict=True):
            path = pair.path
            if ours.type is NodeType.SPAN:
                path = extend_path(path, ours.name)
            if ours.type is NodeType.PAR:
                self._descend_parallel(pair, ours, theirs, path)
                continue
            self.state.waiting.append(
                Pair(
                    ours,
                    _below(pair.golden_at, ours.count),
                    theirs,
                    _below(pair.candidate_at, theirs.count),
                    path,
                )
            )

    def _descend_parallel(self, pair: Pair, ours: Node, theirs: Node, path: str) -> None:
        """Go on inside a parallel block: lane by lane where the contents are equal, else matched anew."""
        groups: dict[tuple[object, object] | None, list[int]] = {}
        for at, (old, new) in enumerate(zip(pair.golden_at, pair.candidate_at, strict=True)):
            before, after = self.state.ours.content(ours, old), self.state.theirs.content(theirs, new)
            groups.setdefault(None if before == after else (before, after), []).append(at)
        for key, members in groups.items():
            golden_at = [pair.golden_at[at] for at in members]
            candidate_at = [pair.candidate_at[at] for at in members]
            if key is None:
                self.state.waiting.append(Pair(ours, golden_at, theirs, candidate_at, path))
            else:
                self._compare_widths(Pair(ours, golden_at, theirs, candidate_at, path))
                self._match_group([ours], golden_at, [theirs], candidate_at, path)

    # --- children of differing structure -----------------------------------------------------------------------

    def _match_children(self, pair: Pair) -> None:
        ours, theirs = pair.golden.children, pair.candidate.children
        if len(pair.golden_at) == 1:
            self._match_group(ours, pair.golden_at, theirs, pair.candidate_at, pair.path)
            return
        groups: dict[tuple[object, ...], list[int]] = {}
        is_plain = not any(child.index or child.type is NodeType.PAR for child in (*ours, *theirs))
        if is_plain:
            groups[()] = list(range(len(pair.golden_at)))
        else:
            for at, (old, new) in enumerate(zip(pair.golden_at, pair.candidate_at, strict=True)):
                groups.setdefault(self._group_key(ours, old, theirs, new), []).append(at)
        for members in groups.values():
            golden_at = [pair.golden_at[at] for at in members]
            candidate_at = [pair.candidate_at[at] for at in members]
            self._match_group(ours, golden_at, theirs, candidate_at, pair.path)

    def _group_key(
        self, ours: Sequence[Node], old: int, theirs: Sequence[Node], new: int
    ) -> tuple[object, ...]:
        """Return what instances of a pair have to share to be matched in one go."""
        before, golden_base = self.state.ours.index_pattern(ours, old)
        after, candidate_base = self.state.theirs.index_pattern(theirs, new)
        shift = tuple(
            (key, dict(candidate_base).get(key, 0) - value)  # type: ignore[call-overload] # pairs of key and number
            for key, value in golden_base  # type: ignore[attr-defined] # as above
        )
        parallel = [
            side.content(child, at)
            for side, children, at in ((self.state.ours, ours, old), (self.state.theirs, theirs, new))
            for child in children
            if child.type is NodeType.PAR
        ]
        return before, after, shift, tuple(parallel)

    def _match_group(
        self,
        ours: Sequence[Node],
        golden_at: Instances,
        theirs: Sequence[Node],
        candidate_at: Instances,
        path: str,
    ) -> None:
        old, new = golden_at[0], candidate_at[0]
        golden_limits = long_rests(ours, old, theirs, new)
        candidate_limits = long_rests(theirs, new, ours, old)
        golden_slots = self.state.ours.slots(ours, old, golden_limits)
        candidate_slots = self.state.theirs.slots(theirs, new, candidate_limits)
        pairing = self.state.match_slots(golden_slots, golden_at, candidate_slots, candidate_at, path)
        for is_removed, side, limits, at in (
            (True, self.state.ours, golden_limits, golden_at),
            (False, self.state.theirs, candidate_limits, candidate_at),
        ):
            for node, laid_out in limits.items():
                self.state.leftovers.append(
                    Leftover(
                        is_removed=is_removed,
                        path=join_path(path, node),
                        parent_path=path,
                        slot=side.rest_slot(node, at[0], laid_out),
                        instances=_rest_of(node, laid_out, at),
                        pairing=pairing,
                        position=-1,
                        golden_parents=golden_at,
                        candidate_parents=candidate_at,
                        is_rest=True,
                    )
                )

    # --- indices and labels ------------------------------------------------------------------------------------

    def _report_indices(self) -> None:
        disturbed = {left.path for left in self.state.leftovers}
        for (path, key), changes in self.index_changes.items():
            if path in disturbed:
                continue  # one iteration more or less moves all later numbers; the count says so
            ours = Counter(old for old, _, _, _ in changes)
            theirs = Counter(new for _, new, _, _ in changes)
            missing, extra = list((ours - theirs).elements()), list((theirs - ours).elements())
            pair, at = changes[0][2], changes[0][3]
            places = Places(self.state.candidate, pair.candidate, [pair.candidate_at[at]])
            known = set(_index_values(pair, key))
            twice = [value for value in extra if value in known or extra.count(value) > 1][:100]
            if twice:
                self.state.ledger.note(
                    Code.DUPLICATE_INDEX,
                    path,
                    key=key,
                    candidate=_few(twice),
                    count=len(twice),
                    places=places,
                )
            if missing:
                self.state.ledger.note(
                    Code.MISSING_INDEX,
                    path,
                    key=key,
                    golden=_few(missing),
                    candidate=_few(extra),
                    count=len(missing),
                    places=places,
                )
            elif not twice:
                self.state.ledger.note(
                    Code.REORDERED,
                    path,
                    key=key,
                    golden=_few([old for old, _, _, _ in changes]),
                    candidate=_few([new for _, new, _, _ in changes]),
                    count=len(changes),
                    places=places,
                )

    def _report_labels(self) -> None:
        """Report ids that were one id in the golden and are two now, or the other way round."""
        forward: dict[int, int] = {}
        backward: dict[int, int] = {}
        for pair in self.state.matched.pairs:
            ours, theirs = pair.golden.labels, pair.candidate.labels
            if not (ours or theirs) or is_ambiguous(self.state.golden, pair.golden):
                continue
            for key in {**ours, **theirs}:
                for at, (old_at, new_at) in enumerate(zip(pair.golden_at, pair.candidate_at, strict=True)):
                    old = ours[key][old_at] if key in ours else ()
                    new = theirs[key][new_at] if key in theirs else ()
                    if self._is_open(pair, at, key) or self._is_consistent(old, new, forward, backward):
                        continue
                    self.state.ledger.note(
                        Code.ATTR,
                        pair.path,
                        key=key,
                        golden=_labels(old),
                        candidate=_labels(new),
                        detail="the same id is no longer used in the same places",
                        places=Places(self.state.candidate, pair.candidate, [new_at]),
                    )

    def _is_consistent(
        self,
        old: tuple[int, ...],
        new: tuple[int, ...],
        forward: dict[int, int],
        backward: dict[int, int],
    ) -> bool:
        old, new = old or (0,) * len(new), new or (0,) * len(old)
        if len(old) != len(new):
            return not any(old) and not any(new)
        for ours, theirs in zip(old, new, strict=True):
            self._single_ids += 1  # an id that occurs once is unlike any other
            before, after = ours or -self._single_ids, theirs or -self._single_ids
            if ours and forward.setdefault(ours, after) != after:
                return bool(self.state.leftovers)  # its other use may have gone with a span that is reported
            if theirs and backward.setdefault(theirs, before) != before:
                return bool(self.state.leftovers)
        return True


def kind_name(kind: int) -> str:
    """Return the name of a span kind by its number in OTLP."""
    return ("unspecified", "internal", "server", "client", "producer", "consumer")[kind]


_Entry = TypeVar("_Entry")


def _is_of_name(change: OwnChange, pair: Pair) -> bool:
    """Whether an attribute only repeats the name of a span that was renamed."""
    before, after = change.golden.strip('"'), change.candidate.strip('"')
    return (
        change.code == Code.ATTR
        and len(before) > 1
        and pair.golden.name.endswith(before)
        and pair.candidate.name == pair.golden.name.removesuffix(before) + after
    )


def _select(column: Sequence[_Entry], instances: Instances) -> list[_Entry]:
    if isinstance(instances, range):
        return list(column[instances.start : instances.stop])
    return [column[instance] for instance in instances]


def _below(instances: Instances, count: int) -> Instances:
    if isinstance(instances, range):
        return range(instances.start * count, instances.stop * count)
    if count == 1:
        return instances
    return [instance * count + at for instance in instances for at in range(count)]


def _rest_of(node: Node, laid_out: int, parents: Instances) -> Instances:
    """Return the instances of a loop that were not laid out."""
    if len(parents) == 1:
        return range(parents[0] * node.count + laid_out, (parents[0] + 1) * node.count)
    return [
        at for parent in parents for at in range(parent * node.count + laid_out, (parent + 1) * node.count)
    ]


def _index_values(pair: Pair, key: str) -> list[Number]:
    return _select(pair.golden.index.get(key, ()), pair.golden_at)


def _few(values: Sequence[Number]) -> str:
    shown = ", ".join("none" if value is None else f"{value:g}" for value in values[:3])
    return f"{shown}, ... ({len(values)})" if len(values) > 3 else shown


def _labels(numbers: tuple[int, ...]) -> str:
    return ", ".join(f"<{number or 'new'}>" for number in numbers) or "<new>"


def is_ambiguous(form: Form, node: Node) -> bool:
    """Whether instances of a node may have been paired by chance: parallel work without an index."""
    here: Node | None = node
    while here is not None:
        if here.type is NodeType.LANE and not any(child.index for child in here.children):
            return True
        here = form.parent_of(here)
    return False
