"""Two forms as rows side by side, for a report: what both have stands in one row, loops stay folded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Final

from otel_experiments.figures.escape import clip
from otel_experiments.golden.canonical.form import Form, Node, NodeType, join_path
from otel_experiments.golden.canonical.values import show_value
from otel_experiments.golden.match.content_diff import STATUS_NAMES

MAX_ROWS: Final = 1_500
"""Of each side: nobody reads more, and a page of more is slow to open."""
_MAX_ATTRIBUTES: Final = 8
_KINDS: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")
_INTERNAL: Final = 1


@dataclass(frozen=True, slots=True)
class TreeRow:
    """One template: `label` is a span's name or what a block is, `facts` says kind, status and attributes."""

    depth: int
    path: str
    label: str
    count: int
    facts: str
    is_span: bool


@dataclass(frozen=True, slots=True)
class TreePair:
    """A row of the golden beside the candidate's; None where one has none."""

    golden: TreeRow | None
    candidate: TreeRow | None

    @property
    def row(self) -> TreeRow:
        """The golden's row, or the candidate's where there is none."""
        row = self.golden or self.candidate
        assert row is not None
        return row

    @property
    def is_equal(self) -> bool:
        """Whether both sides show the same."""
        return self.golden == self.candidate


@dataclass(frozen=True, slots=True)
class TreePairs:
    """The rows of two trees, and how many rows of either were left out."""

    pairs: tuple[TreePair, ...]
    golden_left_out: int
    candidate_left_out: int


def pair_trees(golden: Form, candidate: Form, *, max_rows: int = MAX_ROWS) -> TreePairs:
    """Return the rows of both forms, aligned by depth, path and label."""
    ours, ours_out = _take(golden, max_rows)
    theirs, theirs_out = _take(candidate, max_rows)
    keys = [[(row.depth, row.path, row.label) for row in side] for side in (ours, theirs)]
    matcher = SequenceMatcher(None, keys[0], keys[1], autojunk=False)
    pairs: list[TreePair] = []
    for tag, start, end, other_start, other_end in matcher.get_opcodes():
        left, right = ours[start:end], theirs[other_start:other_end]
        if tag == "equal":
            pairs += (TreePair(*both) for both in zip(left, right, strict=True))
        elif tag == "replace" and [row.depth for row in left] == [row.depth for row in right]:
            pairs += (TreePair(*both) for both in zip_longest(left, right))
        else:
            pairs += (TreePair(row, None) for row in left)
            pairs += (TreePair(None, row) for row in right)
    return TreePairs(tuple(pairs), ours_out, theirs_out)


def _take(form: Form, limit: int) -> tuple[list[TreeRow], int]:
    kept: list[TreeRow] = []
    left_out = 0
    for row in tree_rows(form, limit):
        if row is None:
            left_out += 1
        else:
            kept.append(row)
    return kept, left_out


def tree_rows(form: Form, limit: int = MAX_ROWS) -> Iterator[TreeRow | None]:
    """Yield the rows of a form, parents first; None for each row beyond the limit."""
    stack = [(child, "", 0) for child in reversed(form.top.children)]
    made = 0
    while stack:
        node, above, depth = stack.pop()
        path = join_path(above, node)
        stack.extend((child, path, depth + 1) for child in reversed(node.children))
        made += 1
        yield _row(form, node, path, depth) if made <= limit else None


def _row(form: Form, node: Node, path: str, depth: int) -> TreeRow:
    if node.type is NodeType.SPAN:
        return TreeRow(depth, path, node.name, node.count, _facts(form, node), is_span=True)
    label = {
        NodeType.PAR: f"in parallel, {node.lanes} lanes" if node.lanes else "in parallel",
        NodeType.LANE: "lane",
        NodeType.RANK: f"rank {node.name}".rstrip(),
    }.get(node.type, "")
    return TreeRow(depth, path, label, node.count, "", is_span=False)


def _facts(form: Form, node: Node) -> str:
    """Return what the first instance is, besides its name; attributes that differ between instances vary."""
    numbers = list(dict.fromkeys(node.own))
    owns = [form.owns[number] for number in numbers[:50]]
    if not owns:
        return ""
    first = owns[0]
    parts = []
    if node.kind != _INTERNAL:
        parts.append(_KINDS[node.kind] if 0 <= node.kind < len(_KINDS) else f"kind {node.kind}")
    statuses = {own.status for own in owns} - {0}
    parts += (STATUS_NAMES[status] for status in sorted(statuses) if 0 <= status < len(STATUS_NAMES))
    maps = [dict(own.attributes) for own in owns]
    for key, value in first.attributes[:_MAX_ATTRIBUTES]:
        is_fixed = all(key in one and one[key] == value for one in maps)
        parts.append(f"{clip(key, 60)}={clip(show_value(value), 60) if is_fixed else '(varies)'}")
    if len(first.attributes) > _MAX_ATTRIBUTES:
        parts.append(f"and {len(first.attributes) - _MAX_ATTRIBUTES} more")
    parts += (f"event {clip(event.name, 60)}" for event in first.events[:3])
    parts += (f"~{clip(key, 60)}" for key in node.metrics)
    return "  ".join(parts)


def fold_equal(pairs: Sequence[TreePair], marked: Mapping[int, object], *, context: int = 3) -> list[range]:
    """Return stretches of rows in order; those that no mark is near, and that are worth it, to be folded.

    Shape: the stretches cover all rows; one is to be folded when it holds no position of `shown_rows`.
    """
    shown = shown_rows(pairs, marked, context=context)
    stretches: list[range] = []
    start = 0
    for at in range(1, len(pairs) + 1):
        if at == len(pairs) or (at in shown) != (start in shown):
            stretches.append(range(start, at))
            start = at
    return stretches


def shown_rows(pairs: Sequence[TreePair], marked: Mapping[int, object], *, context: int = 3) -> set[int]:
    """Return the rows to be seen at once: marked or different ones, their neighbours, and what encloses them."""
    wanted = [at for at, pair in enumerate(pairs) if at in marked or not pair.is_equal]
    shown: set[int] = set()
    for at in wanted:
        shown.update(range(max(0, at - context), min(len(pairs), at + context + 1)))
        depth = pairs[at].row.depth
        for above in range(at - 1, -1, -1):
            if depth == 0:
                break
            if pairs[above].row.depth < depth:
                depth = pairs[above].row.depth
                shown.add(above)
    return shown
