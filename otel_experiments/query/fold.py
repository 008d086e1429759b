"""A span tree with repeated siblings folded, so that an epoch of 10,000 steps is one line.

Pure: it takes the model's tree and knows neither store nor terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from otel_experiments.model.span import Span, StatusCode
from otel_experiments.model.tree import SpanNode

FOLD_ABOVE = 3
"""So many siblings of one name are shown one by one; more of them become one line."""


@dataclass(slots=True)
class FoldedNode:
    """One span, or all siblings of one name, with the children of all of them below.

    `durations_ns` are those of the ended spans, ascending.
    """

    name: str
    spans: list[Span]
    durations_ns: list[int]
    open_count: int
    error_count: int
    children: list[FoldedNode] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many spans stand behind this line."""
        return len(self.spans)

    def quantile_ns(self, ratio: float) -> float | None:
        """Return a quantile of the durations, linearly interpolated; None when no span has ended.

        Units: nanoseconds; `ratio` is 0 to 1.
        """
        durations = self.durations_ns
        if not durations:
            return None
        position = ratio * (len(durations) - 1)
        below = int(position)
        above = min(below + 1, len(durations) - 1)
        return durations[below] + (durations[above] - durations[below]) * (position - below)

    @property
    def total_ns(self) -> int:
        """The sum of the durations of the ended spans, in nanoseconds."""
        return sum(self.durations_ns)


def fold(roots: Sequence[SpanNode], *, above: int = FOLD_ABOVE) -> list[FoldedNode]:
    """Return the trees with every group of more than `above` siblings of one name as one node.

    The groups stand in the order of their first spans. Nothing recurses: a trace may be as deep as it likes.
    """
    folded: list[FoldedNode] = []
    waiting: list[tuple[list[FoldedNode], Sequence[SpanNode]]] = [(folded, roots)]
    while waiting:
        target, siblings = waiting.pop()
        for group in _groups(siblings, above):
            node = _node([member.span for member in group])
            target.append(node)
            below = [child for member in group for child in member.children]
            if below:
                waiting.append((node.children, below))
    return folded


def depth_first(roots: Sequence[FoldedNode]) -> Iterator[tuple[int, FoldedNode]]:
    """Yield each node with its depth, from 0, parents before children."""
    waiting = [(0, root) for root in reversed(roots)]
    while waiting:
        depth, node = waiting.pop()
        yield depth, node
        waiting.extend((depth + 1, child) for child in reversed(node.children))


def _groups(siblings: Sequence[SpanNode], above: int) -> list[list[SpanNode]]:
    by_name: dict[str, list[SpanNode]] = {}
    for sibling in siblings:
        by_name.setdefault(sibling.span.name, []).append(sibling)
    groups: list[list[SpanNode]] = []
    for sibling in siblings:
        members = by_name[sibling.span.name]
        if len(members) <= above:
            groups.append([sibling])
        elif members[0] is sibling:
            groups.append(members)
    return groups


def _node(spans: list[Span]) -> FoldedNode:
    durations = sorted(span.duration_ns for span in spans if span.duration_ns is not None)
    return FoldedNode(
        name=spans[0].name,
        spans=spans,
        durations_ns=durations,
        open_count=len(spans) - len(durations),
        error_count=sum(span.status is StatusCode.ERROR for span in spans),
    )
