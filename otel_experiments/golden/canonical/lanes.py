"""How the children of a span are ordered: by program order inside a lane, not at all between lanes.

From the lanes of fork-join programs follow sequences and parallel blocks (a normal form in the sense of Foata);
without lanes, what overlaps in time has no order. Source: golden trace design, section 3.3.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

_RANK: Final = re.compile(r"rank:?(\d+)(?:/|$)")


@dataclass(slots=True)
class Block:
    """A part of a list of children.

    A `seq` has one strand; a `par` has one for each piece of work that runs on its own, a `rank` one for each
    rank, whose number is in `ranks`. Strands hold positions of spans, in order. `lanes` counts lanes.
    """

    kind: Literal["seq", "par", "rank"]
    strands: list[list[int]]
    lanes: int = 0
    is_floating: bool = False
    is_timed: bool = False
    """The strands are only told apart by their overlap in time: another run may not have it."""
    ranks: list[int] = field(default_factory=list)


def rank_of_lane(lane: str | None) -> int | None:
    """Return the rank in a lane's name; None for a lane of no rank."""
    match = _RANK.match(lane) if isinstance(lane, str) else None
    return int(match.group(1)) if match else None


@dataclass(slots=True)
class Timeline:
    """Columns over the spans of a run: where and when each ran, and which label (name and kind) it has."""

    lane: Sequence[str | None]
    start_ns: Sequence[int]
    end_ns: Sequence[int]
    label: Sequence[int]
    rank: dict[str | None, int | None] = field(default_factory=dict)
    is_coarse: bool = False
    """The lanes are operating system threads, on which tasks may take turns."""

    def rank_at(self, position: int) -> int | None:
        """Return the rank of the lane in which a span ran."""
        lane = self.lane[position]
        if lane not in self.rank:
            self.rank[lane] = rank_of_lane(lane)
        return self.rank[lane]


def arrange_by_lane(
    timeline: Timeline, caller: str | None, caller_rank: int | None, kids: Sequence[int]
) -> list[Block]:
    """Return the blocks of the children of a span that ran in the lane `caller`, in order.

    `kids` are in the order of their start.
    """
    blocks: list[Block] = []
    ranks = {timeline.rank_at(kid) for kid in kids}
    foreign = ranks - {None, caller_rank}
    if foreign:
        by_rank: dict[int, list[int]] = {}
        rest: list[int] = []
        for kid in kids:
            rank = timeline.rank_at(kid)
            if rank is None:
                rest.append(kid)
            else:
                by_rank.setdefault(rank, []).append(kid)
        numbers = sorted(by_rank)
        blocks.append(Block("rank", [by_rank[rank] for rank in numbers], ranks=numbers))
        kids = rest
    blocks += _fork_join(timeline, caller, kids)
    return blocks


def caller_of_rank(timeline: Timeline, caller: str | None, kids: Sequence[int]) -> str | None:
    """Return the lane in which a rank's own program runs: named like the caller's, `main`, or the rank alone.

    Where the rank has a single lane, it is that; where none has such a name, all its spans run beside its
    program, and the answer is None.
    """
    suffix = _RANK.sub("", caller) if caller else ""
    lanes = dict.fromkeys(timeline.lane[kid] for kid in kids)
    if len(lanes) == 1:
        return next(iter(lanes))
    suffixes = {_RANK.sub("", lane): lane for lane in lanes if lane is not None}
    return next((suffixes[name] for name in (suffix, "main", "") if name in suffixes), None)


def _fork_join(timeline: Timeline, caller: str | None, kids: Sequence[int]) -> list[Block]:
    lane = timeline.lane
    own = [kid for kid in kids if lane[kid] == caller]
    if len(own) == len(kids):
        return _own_lane(timeline, own)
    floating = _floating_lanes(timeline, own, [kid for kid in kids if lane[kid] != caller])
    blocks: list[Block] = []
    adrift: list[int] = []
    for kid in kids:
        here = lane[kid]
        if here == caller:
            if not blocks or blocks[-1].kind != "seq":
                blocks.append(Block("seq", [[]]))
            blocks[-1].strands[0].append(kid)
        elif here in floating:
            adrift.append(kid)
        else:
            if not blocks or blocks[-1].kind != "par":
                blocks.append(Block("par", [[]]))
            blocks[-1].strands[0].append(kid)
    blocks = [part for block in blocks for part in _finish(timeline, block)]
    if adrift:
        blocks.append(_parallel(timeline, adrift, is_floating=True))
    return blocks


def _finish(timeline: Timeline, block: Block) -> list[Block]:
    """Return a block with its strands told apart."""
    if block.kind == "par":
        return [_parallel(timeline, block.strands[0], is_floating=False)]
    return _own_lane(timeline, block.strands[0])


def _own_lane(timeline: Timeline, kids: Sequence[int]) -> list[Block]:
    if timeline.is_coarse:
        return arrange_by_time(timeline, kids)
    return [Block("seq", [list(kids)])] if kids else []


def _floating_lanes(timeline: Timeline, own: Sequence[int], others: Sequence[int]) -> set[str | None]:
    """Return the lanes that worked while the caller worked: nothing orders them against the caller's spans."""
    if not own:
        return set()
    starts = [timeline.start_ns[kid] for kid in own]
    latest: list[int] = []
    for kid in own:
        latest.append(max(timeline.end_ns[kid], latest[-1] if latest else 0))
    floating = set()
    for kid in others:
        at = bisect_right(starts, timeline.start_ns[kid])
        overlaps_before = at > 0 and latest[at - 1] > timeline.start_ns[kid]
        overlaps_after = at < len(own) and starts[at] < timeline.end_ns[kid]
        if overlaps_before or overlaps_after:
            floating.add(timeline.lane[kid])
    return floating


def _parallel(timeline: Timeline, kids: Sequence[int], *, is_floating: bool) -> Block:
    by_lane: dict[str | None, list[int]] = {}
    for kid in kids:
        by_lane.setdefault(timeline.lane[kid], []).append(kid)
    strands = [unit for lane in by_lane.values() for unit in _units(timeline, lane)]
    return Block("par", strands, lanes=len(by_lane), is_floating=is_floating)


def _units(timeline: Timeline, lane: list[int]) -> list[list[int]]:
    """Return a lane cut into the repetitions of its shortest period.

    Which worker of a pool takes which task is chance: a lane that did "read, decode, read, decode" is two
    pieces of work, and another run may give them to two lanes.
    """
    length = len(lane)
    if length == 1:
        return [lane]
    labels = [timeline.label[kid] for kid in lane]
    border = [0] * length
    matched = 0
    for at in range(1, length):
        while matched and labels[at] != labels[matched]:
            matched = border[matched - 1]
        if labels[at] == labels[matched]:
            matched += 1
        border[at] = matched
    period = length - border[-1]
    if length % period:
        return [lane]
    return [lane[at : at + period] for at in range(0, length, period)]


def arrange_by_time(timeline: Timeline, kids: Sequence[int]) -> list[Block]:
    """Return the blocks of children whose lanes are not known: what overlaps in time has no order."""
    blocks: list[Block] = []
    group: list[int] = []
    latest = 0
    for kid in kids:
        if group and timeline.start_ns[kid] >= latest:
            _close_group(blocks, group)
            group = []
        group.append(kid)
        latest = max(latest, timeline.end_ns[kid]) if len(group) > 1 else timeline.end_ns[kid]
    if group:
        _close_group(blocks, group)
    return blocks


def _close_group(blocks: list[Block], group: list[int]) -> None:
    if len(group) > 1:
        blocks.append(Block("par", [[kid] for kid in group], lanes=len(group), is_timed=True))
    elif blocks and blocks[-1].kind == "seq":
        blocks[-1].strands[0].extend(group)
    else:
        blocks.append(Block("seq", [group]))
