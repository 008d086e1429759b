"""From flat spans to a forest: orphans become roots, order is stable, nothing recurses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from otel_experiments._short_repr import short
from otel_experiments.model.span import Span


@dataclass(slots=True)
class SpanNode:
    """A span with its children, ordered by start time (ties in the order given)."""

    span: Span
    children: list[SpanNode] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"SpanNode({short(self.span.name)}, {len(self.children)} children)"

    def walk(self) -> Iterator[tuple[int, SpanNode]]:
        """Yield (depth, node) for this node and all below it, parents first."""
        stack = [(0, self)]
        while stack:
            depth, node = stack.pop()
            yield depth, node
            stack.extend((depth + 1, child) for child in reversed(node.children))


def build_forest(spans: Iterable[Span]) -> list[SpanNode]:
    """Return the roots of the trees that `spans` form.

    A span whose parent is not among `spans` is a root and marked as an orphan; of several spans with the same
    ids the last one given counts. A cycle of parents (which no tracer makes, but a file may hold) is cut at
    its earliest span, which becomes an orphan root, so that every span given is reachable.
    """
    nodes: dict[tuple[str, str], SpanNode] = {}
    for span in spans:
        nodes[span.trace_id, span.span_id] = SpanNode(span)
    ordered = sorted(nodes.values(), key=lambda node: node.span.start_ns)
    roots: list[SpanNode] = []
    for node in ordered:
        span = node.span
        if span.parent_span_id is None:
            roots.append(node)
            continue
        parent = nodes.get((span.trace_id, span.parent_span_id))
        if parent is None:
            roots.append(node)
        else:
            parent.children.append(node)
    reached = {id(node) for root in roots for _, node in root.walk()}
    for node in ordered:
        if id(node) in reached:
            continue
        span = node.span
        nodes[span.trace_id, span.parent_span_id or ""].children.remove(node)
        roots.append(node)
        reached.update(id(below) for _, below in node.walk())
    roots.sort(key=lambda node: node.span.start_ns)
    return roots
