"""What canonical forms are compared by before anything else: numbers of their structure, and the ranks in them."""

from __future__ import annotations

from collections import Counter

from otel_experiments.golden.canonical.form import Form, Node, NodeType
from otel_experiments.golden.match.ledger import RANK_KEYS


def number_shapes(*forms: Form) -> None:
    """Give all nodes of all forms numbers: equal numbers mean equal structure."""
    numbers: dict[tuple[object, ...], int] = {}
    bags: dict[tuple[object, ...], int] = {}
    for form in forms:
        order = [form.top]
        for node in order:
            order.extend(node.children)
        for node in reversed(order):
            bag = tuple(sorted(_bag_below(node).items()))
            node.bag = bags.setdefault((node.type, node.name, node.kind, bag), len(bags))
            key = (
                node.type,
                node.name,
                node.kind,
                node.is_floating,
                node.is_timed,
                tuple((child.shape, child.count) for child in node.children),
            )
            node.shape = numbers.setdefault(key, len(numbers))


def _bag_below(node: Node) -> Counter[int]:
    """Return the bags of the spans below a node, blocks and lanes opened."""
    found: Counter[int] = Counter()
    stack = [(child, child.count) for child in node.children]
    while stack:
        here, factor = stack.pop()
        if here.type in {NodeType.PAR, NodeType.LANE}:
            stack.extend((child, factor * child.count) for child in here.children)
        else:
            found[here.bag] += factor
    return found


def ranks_of(form: Form) -> frozenset[int]:
    """Return the ranks that take part in a form."""
    return frozenset(
        int(value)
        for _, node in form.walk()
        for key in RANK_KEYS
        for value in node.index.get(key, ())
        if value is not None
    )
