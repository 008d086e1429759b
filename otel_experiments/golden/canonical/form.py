"""The canonical form of a run: a tree of templates, each standing for all its equal-shaped instances.

A template (`Node`) says what every instance has in common (name, kind, structure); what may differ between the
instances stands in columns, one entry an instance. A loop of a million steps is one node with long columns, so
that comparing and writing cost what the structure costs. Nothing here recurses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Literal, NamedTuple, TypeAlias

from otel_experiments.golden.canonical.trace import CapturedRun, MetricSeries
from otel_experiments.golden.canonical.values import Value
from otel_experiments.golden.timing.model import TimingRun
from otel_experiments.model.span import Span

Order = Literal["lanes", "learned", "ignore"]
"""Where the order of siblings comes from: recorded lanes, overlap in time, or nowhere."""

Number: TypeAlias = "int | float | None"
"""An entry of an index or metric column; None where the instance lacks the attribute."""


class NodeType(IntEnum):
    """What a node stands for."""

    SPAN = 0
    PAR = 1
    """A parallel block: its lanes have no order among each other."""
    LANE = 2
    """What one lane does inside a parallel block, in order."""
    RANK = 3
    """What one rank of a distributed job does, in order."""
    TOP = 4
    """The nameless node above the roots."""


class EventForm(NamedTuple):
    """An event without its time."""

    name: str
    attributes: tuple[tuple[str, Value], ...]


class LinkForm(NamedTuple):
    """A link; `target` is the canonical path of the span it points at."""

    target: str
    attributes: tuple[tuple[str, Value], ...]


class Own(NamedTuple):
    """What is compared of a span besides its name, kind and children; attributes are sorted by key."""

    attributes: tuple[tuple[str, Value], ...] = ()
    status: int = 0
    scope: str = ""
    events: tuple[EventForm, ...] = ()
    links: tuple[LinkForm, ...] = ()


_HOLDS_FLOATS: Final = frozenset({"float", "list"})


def round_floats(own: Own) -> Own | None:
    """Return a span's own form with floats cut to the digits that no noise reaches; None where there are none."""
    if not any(isinstance(value, tuple) and value[0] in _HOLDS_FLOATS for _, value in own.attributes):
        return None
    return own._replace(attributes=tuple((key, _rounded(value)) for key, value in own.attributes))


def _rounded(value: Value) -> Value:
    if isinstance(value, tuple) and value[0] == "float":
        return ("float", f"{float(str(value[1])):.6e}")
    if isinstance(value, tuple) and value[0] == "list":
        return (value[0], *map(_rounded, value[1:]))
    return value


BLANK: Final = Own()
"""What structural nodes have."""


@dataclass(slots=True, eq=False)
class Node:
    """A template.

    Shape: every column has `size` entries; instance i of a node belongs to instance i // `count` of its
    parent. `own` holds positions in `Form.owns`. `metrics` holds one column a run (a candidate has one run).
    `spans` are positions in the captured run, empty when the form was read from a file.
    """

    type: NodeType
    name: str = ""
    kind: int = 1
    count: int = 1
    size: int = 1
    children: list[Node] = field(default_factory=list)
    own: list[int] = field(default_factory=list)
    index: dict[str, list[Number]] = field(default_factory=dict)
    metrics: dict[str, list[list[Number]]] = field(default_factory=dict)
    labels: dict[str, list[tuple[int, ...]]] = field(default_factory=dict)
    """Numbers of repeated ids by attribute, an entry an instance; 0 stands for an id that occurs once."""
    spans: Sequence[int] = ()
    thinned: dict[str, int] = field(default_factory=dict)
    """Of metrics read from a file that kept only every k-th value: k."""
    digests: dict[str, str] = field(default_factory=dict)
    """Of the same metrics: a digest of all values."""
    lanes: int = 0
    """Of a parallel block: how many lanes its first instance used."""
    is_floating: bool = False
    """Of a parallel block: it ran while its caller went on, so that its place among the siblings says nothing."""
    is_timed: bool = False
    """Of a parallel block: it is known from overlap in time only, which another run may lack."""
    shape: int = -1
    """Set by whoever compares: equal numbers mean equal structure."""
    bag: int = -1
    """The same for structure without order and concurrency: which spans there are below which."""


@dataclass(frozen=True, slots=True)
class SpanColumns:
    """What times are measured on: columns over `Form.spans`.

    Shape: all have one entry a span. `parent` are positions, -1 for roots; `order` are all positions by start.
    `cpu_ns` has what was recorded, None where nothing was.
    """

    parent: Sequence[int]
    start_ns: Sequence[int]
    end_ns: Sequence[int]
    lane: Sequence[str | None]
    cpu_ns: Sequence[object]
    order: Sequence[int]


@dataclass(slots=True)
class Form:
    """The canonical form of one run, or of one accepted behaviour of a golden."""

    top: Node
    owns: list[Own]
    order: Order = "lanes"
    schemas: Mapping[str, str] = field(default_factory=dict)
    series: Sequence[Sequence[MetricSeries]] = ()
    """Metric series of each run."""
    run: CapturedRun | None = None
    spans: Sequence[Span] = ()
    """What the nodes' `spans` are positions in."""
    columns: SpanColumns | None = None
    timing: TimingRun | None = None
    """The run's times, once they were measured."""
    own_numbers: dict[Own, int] = field(default_factory=dict, repr=False)
    """Positions in `owns`, while new ones are added."""
    asked: frozenset[str] = frozenset()
    """The names of all attributes of the captured run, left out ones too."""
    used_orders: frozenset[str] = frozenset()
    """The rules `ordered` and `unordered` that a path of the captured run matched."""
    _above: dict[Node, Node] = field(default_factory=dict, repr=False)

    @property
    def span_count(self) -> int:
        """How many spans the form stands for."""
        return sum(node.size for _, node in self.walk() if node.type is NodeType.SPAN)

    @property
    def template_count(self) -> int:
        """How many templates of spans there are."""
        return sum(1 for _, node in self.walk() if node.type is NodeType.SPAN)

    def walk(self) -> Iterator[tuple[str, Node]]:
        """Yield (canonical path, node) for all nodes, parents first, in canonical order."""
        stack = [(child, "") for child in reversed(self.top.children)]
        while stack:
            node, above = stack.pop()
            path = join_path(above, node)
            yield path, node
            stack.extend((child, path) for child in reversed(node.children))

    def parent_of(self, node: Node) -> Node | None:
        """Return the node above a node; None for the top."""
        if not self._above:
            stack = [self.top]
            while stack:
                here = stack.pop()
                for child in here.children:
                    self._above[child] = here
                    stack.append(child)
        return self._above.get(node)

    def index_of(self, node: Node, instance: int) -> tuple[tuple[str, float], ...]:
        """Return where an instance is: the index values of it and of what encloses it, outermost first."""
        found: list[tuple[str, float]] = []
        here: Node | None = node
        at = instance
        while here is not None:
            for key, column in here.index.items():
                value = column[at]
                if value is not None:
                    found.append((key, value))
            at //= here.count
            here = self.parent_of(here)
        return tuple(reversed(found))

    def span_at(self, node: Node, instance: int) -> Span | None:
        """Return the captured span of an instance; None in a form that was read from a file."""
        return self.spans[node.spans[instance]] if node.spans else None


def program_order(golden: Form, candidate: Form) -> dict[str, int]:
    """Return the place of each canonical path in the program; what is new comes behind what is before it there."""
    after: dict[str, list[str]] = {}
    known = dict.fromkeys(path for path, _ in golden.walk())
    last = ""
    for path, _ in candidate.walk():
        if path in known:
            last = path
        else:
            after.setdefault(last, []).append(path)
    merged = dict.fromkeys(after.get("", ()))
    for path in known:
        merged[path] = None
        merged.update(dict.fromkeys(after.get(path, ())))
    return {path: place for place, path in enumerate(merged)}


def join_path(above: str, node: Node) -> str:
    """Return the canonical path of a node below `above`; lanes, blocks and ranks add nothing to it."""
    return extend_path(above, node.name) if node.type is NodeType.SPAN else above


_MAX_PATH: Final = 1_000
"""Characters of a canonical path; of longer ones the end is kept. Else deep recursion would cost its square."""


def extend_path(above: str, name: str) -> str:
    """Return the canonical path of a span called `name` below `above`."""
    path = f"{above}/{name}" if above else name
    return path if len(path) <= _MAX_PATH else f"...{path[-_MAX_PATH // 2 :]}"
