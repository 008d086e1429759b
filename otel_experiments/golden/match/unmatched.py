"""What became of children without a partner: wrapped, retried, moved, renamed; else added, removed or counted.

Stages 4 to 6 of matching. Each explanation uses its leftovers up, so that one change is one finding. Source:
golden trace design, section 4.1.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Final

from otel_experiments.golden.canonical.form import Node, NodeType, join_path
from otel_experiments.golden.canonical.values import Value
from otel_experiments.golden.findings import Code, Example
from otel_experiments.golden.match.ledger import MAX_EXAMPLES, Places
from otel_experiments.golden.match.pairing import likeness, share_in_common
from otel_experiments.golden.match.slots import SEQUENTIAL, Side, Slot
from otel_experiments.golden.match.state import Leftover, MatchState
from otel_experiments.semconv import attributes as attr

MAX_RENAMES: Final = 200
"""Unmatched children of one parent beyond this are not tried as renames: the work is their product."""

_ERROR: Final = 2
_MAX_TRIES: Final = 10
_MAX_TASKS: Final = 1_000
_LEAST_STEM: Final = 3
_ALIKE: Final = 0.5
"""What was wrapped still has at least this share of its children. As GumTree's threshold."""
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def resolve_leftovers(state: MatchState) -> None:
    """Explain leftovers where that is possible; newly matched pairs are queued at the matcher."""
    groups: dict[int, list[Leftover]] = {}
    for left in state.leftovers:
        if not left.is_settled and not left.is_rest:
            groups.setdefault(id(left.pairing), []).append(left)
    for group in groups.values():
        _find_wraps(state, group)
    for group in groups.values():
        _find_retries(state, [left for left in group if not left.is_removed])
    _find_moves(state)
    for group in groups.values():
        _find_renames(state, group)
        _find_retries(state, group)  # those that went: a moved or renamed try is not one less


def report_leftovers(state: MatchState, matched: Mapping[str, int]) -> None:
    """Report what stayed unexplained: added, removed, or another count where the path goes on to exist."""
    by_path: dict[str, tuple[list[Leftover], list[Leftover]]] = {}
    ranks: dict[str, Leftover] = {}
    for left in state.leftovers:
        if left.is_settled:
            continue
        if left.slot.node.type is NodeType.RANK:
            ranks.setdefault(left.parent_path, left)
            continue
        by_path.setdefault(left.path, ([], []))[0 if left.is_removed else 1].append(left)
    for path, left in ranks.items():
        ours, theirs = (
            sum(1 for slot in slots if slot.node.type is NodeType.RANK)
            for slots in (left.pairing.golden, left.pairing.candidate)
        )
        state.ledger.note(
            Code.COUNT, path, key="ranks", golden=f"{ours} ranks", candidate=f"{theirs} ranks", detail="ranks"
        )
    gone_below, new_below = (_count_below(sides[at] for sides in by_path.values()) for at in (0, 1))
    for path, (removed, added) in by_path.items():
        gone = sum(len(left.instances) for left in removed) + gone_below[path]
        new = sum(len(left.instances) for left in added) + new_below[path]
        kept = matched.get(path, 0)
        places = _places(state, [*removed, *added])
        if kept == 0 and not (added and removed):
            code = Code.REMOVED if removed else Code.ADDED
            golden, candidate, detail = (f"x{gone}" if gone else ""), (f"x{new}" if new else ""), ""
        else:
            code = Code.COUNT
            golden, candidate = str(kept + gone), str(kept + new)
            parts = [f"{gone} missing"] if gone else []
            parts += [f"{new} more"] if new else []
            where = places[0].examples(1)
            at = where[0].index_text if where else ""
            detail = f"{', '.join(parts)}{f' at {at}' if at else ''}"
        shown = places if places[0].ranks() else places[:MAX_EXAMPLES]  # which ranks differ takes all of them
        for number, one in enumerate(shown):
            count = 0 if number else gone + new
            state.ledger.note(
                code, path, golden=golden, candidate=candidate, detail=detail, count=count, places=one
            )


def _count_below(sides: Iterable[Sequence[Leftover]]) -> Counter[str]:
    """Return how many spans there are by path below what went, or below what is new."""
    heads: Counter[tuple[str, Node]] = Counter()
    for lefts in sides:
        for left in lefts:
            heads[left.path, left.slot.node] += len(left.instances)
    counts: Counter[str] = Counter()
    for (path, node), count in heads.items():
        stack = [(join_path(path, child), child, count * child.count) for child in node.children]
        while stack:
            here_path, here, total = stack.pop()
            if here.type is NodeType.SPAN:
                counts[here_path] += total
            stack += ((join_path(here_path, child), child, total * child.count) for child in here.children)
    return counts


def _places(state: MatchState, lefts: Sequence[Leftover]) -> list[Places]:
    return [
        Places(state.golden if left.is_removed else state.candidate, left.slot.node, left.instances)
        for left in lefts
    ]


# --- wrapped and unwrapped ---------------------------------------------------------------------------------------


def _find_wraps(state: MatchState, group: Sequence[Leftover]) -> None:
    for is_removed, code in ((False, Code.WRAPPED), (True, Code.UNWRAPPED)):
        covers: dict[str, list[Leftover]] = {}
        for left in group:
            node = left.slot.node
            if (
                left.is_removed is is_removed
                and not left.is_settled
                and node.children
                and node.type is NodeType.SPAN
            ):
                covers.setdefault(node.name, []).append(left)
        inner: dict[Hashable, list[tuple[int, Leftover]]] = {}
        for at, left in enumerate(group):
            if left.is_removed is not is_removed:
                inner.setdefault(left.slot.label, []).append((at, left))
        for lefts in covers.values() if inner else ():
            _try_wrap(state, code, lefts, inner)


def _try_wrap(
    state: MatchState,
    code: Code,
    covers: Sequence[Leftover],
    inner: Mapping[Hashable, Sequence[tuple[int, Leftover]]],
) -> None:
    """See whether new spans hold what their parent held before (or the other way round).

    `inner` are the leftovers of the other side with their positions, by label.
    """
    is_wrap = code == Code.WRAPPED
    side = state.theirs if is_wrap else state.ours
    below = [slot for cover in covers for slot in _slots_below(side, cover)]
    kinds: dict[Hashable, dict[int, Node]] = {}
    for slot in below:
        kinds.setdefault(slot.label, {}).setdefault(slot.node.shape, slot.node)
    found = [
        (at, left)
        for label, nodes in kinds.items()
        for at, left in inner.get(label, ())
        if not left.is_settled and any(likeness(left.slot.node, node) >= _ALIKE for node in nodes.values())
    ]
    used = [left for _, left in sorted(found, key=lambda one: one[0])]
    names = Counter(slot.label for slot in below)
    common = sum((names & Counter(left.slot.label for left in used)).values())
    if not common or 2 * common < len(below):
        return
    for left in (*covers, *used):
        left.is_settled = True
    first = covers[0]
    others = [left.slot for left in used]
    golden_slots, candidate_slots = (others, below) if is_wrap else (below, others)
    state.match_slots(
        golden_slots, first.golden_parents, candidate_slots, first.candidate_parents, first.parent_path
    )
    count = sum(len(cover.instances) for cover in covers)
    around = ", ".join(dict.fromkeys(slot.node.name for slot in others))
    state.ledger.note(
        code,
        first.path,
        golden="" if is_wrap else first.slot.node.name,
        candidate=first.slot.node.name if is_wrap else "",
        detail=f"around {around}",
        count=count,
        places=_places(state, [first])[0],
    )


def _slots_below(side: Side, cover: Leftover) -> list[Slot]:
    """Return the children of a leftover as slots of the leftover's parent."""
    outer = cover.slot
    slots = side.slots(outer.node.children, cover.instances[0])
    for slot in slots:
        slot.offset += outer.offset * slot.stride
        slot.stride *= outer.stride
        slot.place += outer.place * 1_000_000
        if slot.block != SEQUENTIAL:
            slot.block += 1_000 * (outer.offset + 1)
        elif outer.block != SEQUENTIAL:  # the caller's lane is one of the lanes of the block
            slot.block, slot.strand = outer.block, outer.strand
            slot.is_floating, slot.is_timed = outer.is_floating, outer.is_timed
    return slots


# --- retries -----------------------------------------------------------------------------------------------------


def _find_retries(state: MatchState, group: Sequence[Leftover]) -> None:
    tasks: dict[bool, dict[Hashable, list[int]]] = {}
    for left in group:
        if left.is_settled or left.slot.node.type is not NodeType.SPAN:
            continue
        tries = _tries(left)
        if not tries and left.slot.block != SEQUENTIAL:
            if left.is_removed not in tasks:
                tasks[left.is_removed] = _parallel_tasks(left.slots)
            tries = _parallel_tries(state, left, tasks[left.is_removed])
        slots = left.slots
        if not any(state.status_of(slots[at]) == _ERROR for at in tries):
            continue
        left.is_settled = True
        matched = left.partners
        more = f"{1 + sum(matched[at] < 0 for at in tries)} tries"
        before, after = (more, "1 try") if left.is_removed else ("1 try", more)
        state.ledger.note(
            Code.RETRY,
            left.path,
            golden=before,
            candidate=after,
            detail="after an error",
            count=len(left.instances),
            places=_places(state, [left])[0],
        )


def _tries(left: Leftover) -> list[int]:
    """Return the positions of the neighbours of a leftover that have its name, with it; empty when none of them was matched."""
    slots, matched = left.slots, left.partners
    found = [left.position]
    is_known = False
    for step in (-1, 1):
        at = left.position + step
        while (
            0 <= at < len(slots)
            and slots[at].label == left.slot.label
            and slots[at].strand == left.slot.strand
            and abs(at - left.position) <= _MAX_TRIES
        ):
            found.append(at)
            is_known = is_known or matched[at] >= 0
            at += step
            if slots[at - step].block == SEQUENTIAL and matched[at - step] >= 0:
                break
    return found if is_known else []


def _parallel_tasks(slots: Sequence[Slot]) -> dict[Hashable, list[int]]:
    """Return the positions of parallel work by block, name and index: the same task of the same block."""
    tasks: dict[Hashable, list[int]] = {}
    for at, slot in enumerate(slots):
        if slot.block != SEQUENTIAL:
            tasks.setdefault((slot.block, slot.label, slot.index), []).append(at)
    return tasks


def _parallel_tries(state: MatchState, left: Leftover, tasks: Mapping[Hashable, Sequence[int]]) -> list[int]:
    """Return the positions of the tries of a parallel task, with the leftover; empty when none of the others was matched.

    A worker that repeats itself has a strand for each repetition, so that tries are no neighbours there. They
    have the same attributes, but for what the failed one says of its failure.
    """
    slots = left.slots
    matched = left.partners
    own = set(state.attributes_of(left.slot))
    others = []
    for at in tasks.get((left.slot.block, left.slot.label, left.slot.index), ())[:_MAX_TASKS]:
        if at == left.position or matched[at] < 0:
            continue
        other = set(state.attributes_of(slots[at]))
        if own <= other or other <= own:
            others.append(at)
    return [left.position, *others] if others else []


# --- moves -------------------------------------------------------------------------------------------------------


def _find_moves(state: MatchState) -> None:
    """Pair subtrees of equal structure that are gone in one place and new in another."""
    open_places: dict[int, list[tuple[Leftover, list[int]]]] = {}
    for left in state.leftovers:
        if left.is_rest:
            continue
        if not left.is_removed and not left.is_settled and left.slot.node.type is NodeType.SPAN:
            open_places.setdefault(left.slot.node.shape, []).append((left, list(left.instances)))
    for left in state.leftovers:
        if not left.is_removed or left.is_settled or left.is_rest:
            continue
        rest = list(left.instances)
        targets = open_places.get(left.slot.node.shape, [])
        while rest and targets:
            target, free = targets[0]
            count = min(len(rest), len(free))
            moved, rest = rest[:count], rest[count:]
            taken = free[:count]
            del free[:count]
            if not free:
                target.is_settled = True
                targets.pop(0)
            target.instances = free
            _note_move(state, left, moved, target, taken)
        left.instances = rest
        left.is_settled = left.is_settled or not rest


def _note_move(
    state: MatchState, left: Leftover, moved: Sequence[int], target: Leftover, taken: Sequence[int]
) -> None:
    before = Places(state.golden, left.slot.node, moved)
    after = Places(state.candidate, target.slot.node, taken)
    if not _note_lane_change(state, left, target, after):
        state.ledger.note(
            Code.MOVED,
            left.path,
            golden=_place_text(left.parent_path, before),
            candidate=_place_text(target.parent_path, after),
            count=len(moved),
            places=after,
        )
    state.queue(left.slot.node, moved, target.slot.node, taken, left.path)


def _note_lane_change(state: MatchState, left: Leftover, target: Leftover, after: Places) -> bool:
    """Report work that changed its parent because it went from workers to their caller, or the other way round.

    A thread starts without the context of who started it, so its spans are children of the run. When the caller
    does the same work itself, its stage holds them: to call that a move would hide the cause.
    """
    before, now = left.slot, target.slot
    was_parallel, is_parallel = before.block != SEQUENTIAL, now.block != SEQUENTIAL
    if not state.has_lanes or was_parallel == is_parallel or before.is_timed or now.is_timed:
        return False
    worker, caller = (left, target) if was_parallel else (target, left)
    if not caller.parent_path.startswith(f"{worker.parent_path}/"):
        return False
    matched = worker.partners
    block = [at for at, slot in enumerate(worker.slots) if slot.block == worker.slot.block]
    strands = {worker.slots[at].strand for at in block}
    if len(strands) < 2 or any(matched[at] >= 0 for at in block):
        return False  # the workers are still there: this one piece was moved
    lanes, inline = f"{len(strands)} lanes", "the caller's lane"
    state.ledger.note(
        Code.SERIALISED if was_parallel else Code.PARALLELISED,
        caller.parent_path,
        golden=lanes if was_parallel else inline,
        candidate=inline if was_parallel else lanes,
        detail=f"{left.slot.node.name}, which was under {left.parent_path}",
        count=len(after.instances),
        places=after,
    )
    return True


def _place_text(parent_path: str, places: Places) -> str:
    examples = places.examples(1)
    outer = examples[0].index[: -len(places.node.index) or None] if examples else ()
    index = Example(index=outer).index_text
    return f"in {parent_path or 'the top'}{f' [{index}]' if index else ''}"


# --- renames -----------------------------------------------------------------------------------------------------


def _find_renames(state: MatchState, group: Sequence[Leftover]) -> None:
    removed = _units([left for left in group if left.is_removed and not left.is_settled])
    added = _units([left for left in group if not left.is_removed and not left.is_settled])
    if not removed or not added or max(len(removed), len(added)) > MAX_RENAMES:
        return
    scored = []
    for at, ours in enumerate(removed):
        for place, theirs in enumerate(added):
            score = _rename_score(state, ours, theirs)
            if score >= 2:
                scored.append((-score, abs(len(ours) - len(theirs)), abs(at - place), at, place))
    used_ours: set[int] = set()
    used_theirs: set[int] = set()
    for _, _, _, at, place in sorted(scored):
        if at in used_ours or place in used_theirs:
            continue
        used_ours.add(at)
        used_theirs.add(place)
        for old, new in zip(removed[at], added[place], strict=False):
            old.is_settled = new.is_settled = True
            state.ledger.note(
                Code.RENAMED,
                old.path,
                golden=old.slot.node.name,
                candidate=new.slot.node.name,
                count=len(old.instances),
                places=_places(state, [new])[0],
            )
            state.queue(old.slot.node, old.instances, new.slot.node, new.instances, old.path)


def _units(lefts: Sequence[Leftover]) -> list[list[Leftover]]:
    """Return leftovers grouped to runs of neighbours with one name."""
    units: list[list[Leftover]] = []
    for left in lefts:
        if left.slot.node.type is not NodeType.SPAN:
            continue
        last = units[-1][-1] if units else None
        if (
            last is not None
            and last.slot.node.name == left.slot.node.name
            and last.position == left.position - 1
        ):
            units[-1].append(left)
        else:
            units.append([left])
    return units


def _rename_score(state: MatchState, ours: Sequence[Leftover], theirs: Sequence[Leftover]) -> int:
    """Count what speaks for a rename: alike below, equal attributes, the same neighbours, shared words."""
    before, after = ours[0].slot, theirs[0].slot
    if before.node.kind != after.node.kind or before.node.name == after.node.name:
        return 0
    score = 0
    if (before.node.children or after.node.children) and _is_alike_below(before.node, after.node):
        score += 1
    ours_attributes, theirs_attributes = state.attributes_of(before), state.attributes_of(after)
    keys = _own_keys(before.node.name, ours_attributes)
    if ours_attributes == theirs_attributes or (
        keys and keys == _own_keys(after.node.name, theirs_attributes)
    ):
        score += 1
    if _is_same_gap(ours[0], theirs[0]):
        score += 1
    if _share_a_word(_words(before.node.name), _words(after.node.name)):
        score += 1
    return score


def _own_keys(name: str, attributes: Sequence[tuple[str, Value]]) -> set[str]:
    """Return the keys that say more than the kind of work and its name: values may change with a rename."""
    return {
        key
        for key, value in attributes
        if key != attr.ML_OPERATION_NAME
        and not (isinstance(value, str) and len(value) > 1 and name.endswith(value))
    }


def _share_a_word(ours: Sequence[str], theirs: Sequence[str]) -> bool:
    """Whether two names share a word, or one has the beginning of another: `opt_step` of `optimizer`."""
    return any(
        word == other
        or (min(len(word), len(other)) >= _LEAST_STEM and (word.startswith(other) or other.startswith(word)))
        for word in ours
        for other in theirs
    )


def _is_alike_below(before: Node, after: Node) -> bool:
    ours, theirs = _names_below(before), _names_below(after)
    return share_in_common(ours, theirs, of_nothing=0.0) >= _ALIKE


def _names_below(node: Node) -> Counter[str]:
    names: Counter[str] = Counter()
    stack = [(child, child.count) for child in node.children]
    while stack:
        here, factor = stack.pop()
        if here.name:
            names[here.name] += factor
        stack.extend((child, factor * child.count) for child in here.children)
    return names


def _is_same_gap(ours: Leftover, theirs: Leftover) -> bool:
    """Whether the two stand between the same matched neighbours."""
    match, back = ours.pairing.match, ours.pairing.back
    if ours.slot.block != SEQUENTIAL or theirs.slot.block != SEQUENTIAL:
        return (ours.slot.block != SEQUENTIAL) == (theirs.slot.block != SEQUENTIAL)
    before = next((match[at] for at in range(ours.position - 1, -1, -1) if match[at] >= 0), -1)
    after = next((match[at] for at in range(ours.position + 1, len(match)) if match[at] >= 0), -1)
    previous = next((at for at in range(theirs.position - 1, -1, -1) if back[at] >= 0), -1)
    following = next((at for at in range(theirs.position + 1, len(back)) if back[at] >= 0), -1)
    return before == previous and after == following


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name) if len(word) > 1]
