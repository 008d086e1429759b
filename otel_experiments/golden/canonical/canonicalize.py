"""From the spans of a run to its canonical form: ids, times and hosts out, lanes decide order, loops folded.

Works on columns over span positions and never recurses: a chain of 100,000 spans is as good as a loop of a
million. Equal structure gets one number by hash-consing, bottom up; templates are then built top down. Source:
golden trace design, section 3; the idea is Filliatre and Conchon, Type-safe modular hash-consing, ML'06.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from hashlib import blake2b
from itertools import groupby

from otel_experiments.errors import EmptyTraceError, IncompleteTraceError
from otel_experiments.golden.canonical.content import OwnTable
from otel_experiments.golden.canonical.form import Form, Node, NodeType, Number, Order, SpanColumns
from otel_experiments.golden.canonical.lanes import (
    Block,
    Timeline,
    arrange_by_lane,
    arrange_by_time,
    caller_of_rank,
)
from otel_experiments.golden.canonical.roles import DEFAULT_RULES, Role, Roles, Rules
from otel_experiments.golden.canonical.trace import CapturedRun, assess_completeness
from otel_experiments.model.span import Span
from otel_experiments.semconv import attributes as attr

_PAR, _LANE, _RANK, _FLOATING, _TIMED = -1, -2, -3, -4, -5
"""Labels of structural nodes; spans have labels from 0."""

_BLOCKS = frozenset({_PAR, _FLOATING, _TIMED})
_STRUCTURAL = {
    _PAR: NodeType.PAR,
    _FLOATING: NodeType.PAR,
    _TIMED: NodeType.PAR,
    _LANE: NodeType.LANE,
    _RANK: NodeType.RANK,
}


def canonicalize(run: CapturedRun, rules: Rules = DEFAULT_RULES, *, order: Order | None = None) -> Form:
    """Return the canonical form of a complete run.

    Args:
        run: The run, its spans in any order.
        rules: Declared roles and orders.
        order: Where the order of siblings comes from; by default from lanes where every span has one.

    Raises:
        EmptyTraceError: the run has no spans.
        IncompleteTraceError: spans are lost, open or orphaned.
    """
    return _Canonicalizer(run, rules, order).form()


class _Canonicalizer:
    """The columns of one run, filled step by step; structural nodes get positions after those of the spans."""

    def __init__(self, run: CapturedRun, rules: Rules, order: Order | None) -> None:
        self.run = run
        self.rules = rules
        self.owns = _read_columns(run, rules)
        self.spans = self.owns.spans
        self.raw = self.owns.raw
        self.label = list(self.owns.label)
        self.top = len(self.spans)
        self.kids: list[list[int] | None] = [None] * (self.top + 1)
        self.label.append(len(self.owns.labels))
        self.lane_count: dict[int, int] = {}
        self.rank: dict[int, int] = {}
        self.timeline, self.order = self._timeline(order)
        self._is_skewed = False
        self._used_orders: set[str] = set()
        self.mixed: set[int] = set()
        """Spans that have children in other lanes."""
        self._shapes: dict[tuple[int, ...], int] = {}
        self._shape_of_list: dict[tuple[int, ...], int] = {}
        self._shape_runs: list[tuple[int, tuple[int, ...]]] = []
        self._digests: list[bytes] = []
        self.shape: list[int] = []
        self._content: dict[int, bytes] = {}

    def form(self) -> Form:
        self._adopt()
        self._number_shapes(self._parents_first())
        top = self._build()
        self.owns.number_labels(top)
        return Form(
            top=top,
            owns=self.owns.owns,
            order=self.order,
            schemas=self.owns.schemas,
            series=(tuple(self.run.metrics),),
            run=self.run,
            asked=self.owns.roles.asked,
            used_orders=frozenset(self._used_orders),
            spans=self.spans,
            columns=SpanColumns(
                parent=self.owns.parent,
                start_ns=self.owns.start_ns,
                end_ns=self.owns.end_ns,
                lane=self.timeline.lane,
                cpu_ns=self.owns.cpu_ns,
                order=self.positions,
            ),
        )

    # --- order -----------------------------------------------------------------------------------------------

    def _timeline(self, order: Order | None) -> tuple[Timeline, Order]:
        known = self.owns.lane
        is_coarse = False
        if set(map(type, known)) == {str}:
            lane: list[str | None] = known  # type: ignore[assignment] # texts, as just checked
        else:
            is_coarse = True
            lane = [
                own if isinstance(own, str) else _thread_of(span)
                for own, span in zip(known, self.spans, strict=True)
            ]
        found: Order = "learned" if None in lane else "lanes"
        timeline = Timeline(
            lane=lane,
            start_ns=self.owns.start_ns,
            end_ns=self.owns.end_ns,
            label=self.label,
            is_coarse=is_coarse,
        )
        return timeline, order or found

    def _adopt(self) -> None:
        """Give every span its children, in the order of their start."""
        parent, kids, top = self.owns.parent, self.kids, self.top
        lane, dropped, mixed = self.timeline.lane, self.owns.dropped, self.mixed
        sequence = self.owns.sequence
        positions = list(range(top))
        is_numbered = set(map(type, sequence)) == {int}
        if is_numbered:
            positions.sort(key=sequence.__getitem__)  # type: ignore[arg-type] # numbers, as just checked
        by_number = list(positions)
        positions.sort(key=self.timeline.start_ns.__getitem__)
        self._is_skewed = (
            is_numbered and positions != by_number and self._clock_went_back(positions, sequence)
        )
        self.positions = positions
        has_lanes = len(set(lane)) > 1
        for position in positions:
            above = parent[position]
            if above < 0:
                above = top
            elif has_lanes and lane[above] != lane[position]:
                mixed.add(above)
            siblings = kids[above]
            if siblings is None:
                kids[above] = [position]
            else:
                siblings.append(position)
        if dropped:
            kids[top] = [position for position in kids[top] or () if position not in dropped]

    def _clock_went_back(self, positions: Sequence[int], sequence: Sequence[object]) -> bool:
        """Whether a lane's spans are not in the order of their start: the wall clock was set meanwhile."""
        latest: dict[object, object] = {}
        lane = self.timeline.lane
        for position in positions:
            number = sequence[position]
            if number < latest.get(lane[position], -1):  # type: ignore[operator] # numbers, as checked by the caller
                return True
            latest[lane[position]] = number
        return False

    def _parents_first(self) -> list[int]:
        reached = [self.top]
        kids = self.kids
        for position in reached:
            below = kids[position]
            if below is not None:
                reached.extend(below)
        lost = self.top - len(self.owns.dropped) - (len(reached) - 1)
        if lost:
            raise IncompleteTraceError(
                run=self.run.name, problems=(f"{lost} spans name each other as parents",)
            )
        return reached

    def _blocks(self, position: int, below: list[int]) -> list[Block] | None:
        """Return the blocks of a span's children; None when they are one sequence."""
        timeline, rules = self.timeline, self.rules
        if rules.ordered or rules.unordered:
            path = self.owns.path(position) if position < self.top else ""
            if self._is_declared(path, rules.ordered):
                return None
            if self._is_declared(path, rules.unordered):
                return [Block("par", [[kid] for kid in below], lanes=len(below))]
        if self.order == "ignore":
            return [Block("par", [[kid] for kid in below], lanes=len(below))] if len(below) > 1 else None
        if self.order == "learned":
            return arrange_by_time(timeline, below) if len(below) > 1 else None
        if position == self.top:
            return arrange_by_lane(timeline, timeline.lane[below[0]], None, below)
        return arrange_by_lane(timeline, timeline.lane[position], timeline.rank_at(position), below)

    def _is_declared(self, path: str, patterns: Sequence[str]) -> bool:
        """Whether a rule of an order is about a path; the rules that are, are noted."""
        found = [pattern for pattern in patterns if pattern == path or fnmatchcase(path, pattern)]
        self._used_orders.update(found)
        return bool(found)

    # --- shapes, bottom up -----------------------------------------------------------------------------------

    def _number_shapes(self, parents_first: Sequence[int]) -> None:
        kids, label = self.kids, self.label
        self.shape = shape = [-1] * len(label)
        leaves: dict[int, int] = {}
        is_lane_order = (
            self.order == "lanes"
            and not self.timeline.is_coarse
            and not (self.rules.ordered or self.rules.unordered)
        )
        for position in reversed(parents_first):
            below = kids[position]
            if below is None:
                own_label = label[position]
                number = leaves.get(own_label)
                if number is None:
                    number = leaves[own_label] = self._intern((own_label,))
                shape[position] = number
                continue
            if self._is_skewed:
                self._order_by_sequence(below)
            is_plain = is_lane_order and position not in self.mixed and position < self.top
            blocks = None if is_plain else self._blocks(position, below)
            if blocks is not None:
                caller = self.timeline.lane[position] if position < self.top else None
                below = kids[position] = self._structured(blocks, caller)
            shape[position] = self._shape_of(label[position], below)

    def _shape_of(self, label: int, below: Sequence[int]) -> int:
        shapes = (label, *map(self.shape.__getitem__, below))
        known = self._shape_of_list.get(shapes)
        if known is None:
            known = self._shape_of_list[shapes] = self._fold(label, shapes[1:])
        return known

    def _fold(self, label: int, shapes: Sequence[int]) -> int:
        """Return the shape of a list of children, equal neighbours counted."""
        key = [label]
        for number, group in groupby(shapes):
            count = len(list(group))
            if self._shape_runs[number][0] in _BLOCKS:  # each block keeps its place, even beside an equal one
                key += (number, 1) * count
            else:
                key += (number, count)
        return self._intern(tuple(key))

    def _intern(self, key: tuple[int, ...]) -> int:
        number = self._shapes.get(key)
        if number is None:
            number = self._shapes[key] = len(self._shape_runs)
            self._shape_runs.append((key[0], key[1:]))
        return number

    def _order_by_sequence(self, below: list[int]) -> None:
        """Put the spans of each lane in the order of their sequence, in the places that the lane has."""
        places: dict[object, list[int]] = {}
        for place, kid in enumerate(below):
            places.setdefault(self.timeline.lane[kid], []).append(place)
        for own in places.values():
            kids = sorted((below[place] for place in own), key=self.owns.sequence.__getitem__)  # type: ignore[arg-type] # numbers where the clock went back
            for place, kid in zip(own, kids, strict=True):
                below[place] = kid

    def _structured(self, blocks: Sequence[Block], caller: str | None) -> list[int]:
        """Return the children with structural nodes for what is not a sequence."""
        below: list[int] = []
        for block in blocks:
            if block.kind == "seq":
                below += block.strands[0]
            elif block.kind == "rank":
                for rank, strand in zip(block.ranks, block.strands, strict=True):
                    own = caller_of_rank(self.timeline, caller, strand)
                    inner = arrange_by_lane(self.timeline, own, rank, strand)
                    position = self._add(_RANK, self._structured(inner, own))
                    self.rank[position] = rank
                    below.append(position)
            else:
                strands = [self._add(_LANE, strand) for strand in block.strands]
                strands.sort(key=self._lane_key)
                is_timed = block.is_timed and self.order == "lanes"
                label = _FLOATING if block.is_floating else _TIMED if is_timed else _PAR
                position = self._add(label, strands)
                self.lane_count[position] = block.lanes
                below.append(position)
        return below

    def _add(self, label: int, below: list[int]) -> int:
        position = len(self.label)
        self.label.append(label)
        self.kids.append(below)
        self.shape.append(self._shape_of(label, below))
        return position

    def _lane_key(self, position: int) -> tuple[tuple[str, ...], bytes]:
        names = tuple(self._name(kid) for kid in self.kids[position] or ())
        return names, self._digest(self.shape[position])

    def _name(self, position: int) -> str:
        return self.owns.name_of(self.spans[position]) if position < self.top else ""

    def _digest(self, shape: int) -> bytes:
        """Return a digest of a shape that is the same in every process; shapes refer to smaller numbers only."""
        digests = self._digests
        for number in range(len(digests), shape + 1):
            label, runs = self._shape_runs[number]
            digest = blake2b(digest_size=12)
            digest.update(repr(self.owns.labels[label] if label >= 0 else label).encode())
            for inner, count in zip(runs[::2], runs[1::2], strict=True):
                digest.update(digests[inner] + count.to_bytes(8, "little"))
            digests.append(digest.digest())
        return digests[shape]

    # --- templates, top down ---------------------------------------------------------------------------------

    def _build(self) -> Node:
        top = Node(NodeType.TOP, own=[0])
        queue: list[tuple[Node, list[int]]] = [(top, [self.top])]
        kids = self.kids
        while queue:
            node, instances = queue.pop()
            if node.type is NodeType.PAR:
                for position in instances:
                    self._order_lanes(kids[position] or [])
            runs = self._shape_runs[self.shape[instances[0]]][1]
            at = 0
            for shape, count in zip(runs[::2], runs[1::2], strict=True):
                if count == 1:
                    below = [kids[position][at] for position in instances]  # type: ignore[index] # equal shapes have equally many children
                else:
                    end = at + count
                    below = [kid for position in instances for kid in kids[position][at:end]]  # type: ignore[index] # as above
                at += count
                child = self._node(shape, count, below)
                node.children.append(child)
                if self._shape_runs[shape][1]:
                    queue.append((child, below))
        return top

    def _node(self, shape: int, count: int, positions: list[int]) -> Node:
        label = self._shape_runs[shape][0]
        if label < 0:
            node = Node(_STRUCTURAL[label], count=count, size=len(positions))
            node.own = [0] * len(positions)
            if label == _RANK:
                node.index["rank"] = [self.rank[position] for position in positions]
            elif label != _LANE:
                node.lanes = self.lane_count[positions[0]]
                node.is_floating = label == _FLOATING
                node.is_timed = label == _TIMED
            return node
        name, kind = self.owns.labels[label]
        node = Node(NodeType.SPAN, name, kind, count, len(positions), spans=positions)
        own_of_raw = self.owns.own_of_raw
        node.own = [own_of_raw[raw] for raw in map(self.raw.__getitem__, positions)]
        plans = set(map(self.owns.plan.__getitem__, positions))
        for key in sorted({key for plan in plans for key in self.owns.index_keys[plan]}):
            node.index[key] = self._column(key, Role.INDEX, positions)
        for key in sorted({key for plan in plans for key in self.owns.metric_keys[plan]}):
            node.metrics[key] = [self._column(key, Role.METRIC, positions)]
        return node

    def _column(self, key: str, role: Role, positions: Sequence[int]) -> list[Number]:
        spans = self.spans
        values = [spans[position].attributes.get(key) for position in positions]
        kinds = set(map(type, values))
        allowed = {kind for kind in kinds if self.owns.roles.role_of(key, kind) is role}
        if kinds == allowed:
            return values  # type: ignore[return-value] # numbers, or they would have another role
        return [value if type(value) in allowed else None for value in values]  # type: ignore[misc] # as above

    def _order_lanes(self, lanes: list[int]) -> None:
        """Put lanes of equal shape in the order of their content: indices first, then everything else."""
        at = 0
        for _, group in groupby(list(lanes), key=self.shape.__getitem__):
            same = list(group)
            end = at + len(same)
            if len(same) > 1:
                keys = {lane: self._outer_key(lane) for lane in same}
                if len(set(keys.values())) < len(same):
                    ties = {key for key, n in Counter(keys.values()).items() if n > 1}
                    keys = {
                        lane: (*key, self._content_digest(lane), self._metrics_below(lane))
                        if key in ties
                        else key
                        for lane, key in keys.items()
                    }
                same.sort(key=keys.__getitem__)
                lanes[at:end] = same
            at = end

    def _metrics_below(self, position: int) -> tuple[tuple[str, int | float], ...]:
        """Return the numbers that only tell lanes apart which are alike in everything else."""
        if not any(self.owns.metric_keys):
            return ()
        found: list[tuple[str, int | float]] = []
        stack = [position]
        while stack:
            here = stack.pop()
            stack.extend(reversed(self.kids[here] or ()))
            if here < self.top:
                attributes = self.spans[here].attributes
                keys = self.owns.metric_keys[self.owns.plan[here]]
                found += ((key, attributes[key]) for key in sorted(keys))  # type: ignore[misc] # numbers by their role
        return tuple(found)

    def _outer_key(self, lane: int) -> tuple[object, ...]:
        below = self.kids[lane] or ()
        indices = tuple(self._index_of(kid) for kid in below)
        texts = tuple(self.owns.text(self.raw[kid]) for kid in below if kid < self.top)
        return indices, texts

    def _index_of(self, position: int) -> tuple[tuple[str, int | float], ...]:
        if position >= self.top:
            return (("rank", self.rank.get(position, 0)),)
        attributes = self.spans[position].attributes
        keys = self.owns.index_keys[self.owns.plan[position]]
        return tuple((key, attributes[key]) for key in sorted(keys))  # type: ignore[misc] # numbers by their role

    def _content_digest(self, position: int) -> bytes:
        """Return a digest of everything below a node, the same in every process."""
        known, kids = self._content, self.kids
        stack = [position]
        while stack:
            here = stack[-1]
            if here in known:
                stack.pop()
                continue
            below = kids[here] or ()
            missing = [kid for kid in below if kid not in known]
            if missing:
                stack += missing
                continue
            stack.pop()
            digest = blake2b(digest_size=12)
            digest.update(self._digest(self.shape[here]))
            if here < self.top:
                digest.update(self.owns.digest(self.raw[here]) + repr(self._index_of(here)).encode())
            parts = [known[kid] for kid in below]
            if self.label[here] in _BLOCKS:
                parts.sort()
            for part in parts:
                digest.update(part)
            known[here] = digest.digest()
        return known[position]


def _read_columns(run: CapturedRun, rules: Rules) -> OwnTable:
    """Return the columns of a run that is complete; of a span exported twice the later one counts.

    Raises:
        EmptyTraceError: the run has no spans.
        IncompleteTraceError: spans are lost, open or orphaned.
    """
    if not run.spans:
        raise EmptyTraceError(run=run.name)
    table = OwnTable(list(run.spans), Roles(rules))
    if not table.fill():
        last = {(span.trace_id, span.span_id): span for span in run.spans}
        table = OwnTable(list(last.values()), Roles(rules))
        table.fill()
    state = assess_completeness(run, roots=table.roots, orphans=table.orphans, still_open=table.still_open)
    if state.problems:
        raise IncompleteTraceError(run=run.name, problems=state.problems)
    return table


def _thread_of(span: Span) -> str | None:
    """Return the operating system's thread of a span as a lane; None when it was not recorded."""
    thread = span.attributes.get(attr.THREAD_ID, span.attributes.get(attr.THREAD_NAME))
    return None if thread is None else str(thread)
