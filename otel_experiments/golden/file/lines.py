"""From canonical forms to the lines of a golden file, and the templates that repeat among them.

A block is the list of lines below a line; equal blocks are one object, printed once when they are used twice
and longer than three lines. Nothing recurses, and no line is indented deeper than 64 levels.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final, TypeVar

from otel_experiments.golden.canonical.form import Form, Node, NodeType, Number, Own, join_path
from otel_experiments.golden.canonical.values import Value, show_value
from otel_experiments.golden.file.scan import (
    ABSENT,
    LABEL,
    NOT_IDS,
    short_key,
    show_index,
    show_key,
    show_name,
)
from otel_experiments.golden.match.content_diff import STATUS_NAMES
from otel_experiments.golden.match.matcher import kind_name

MAX_DEPTH: Final = 64
_INDENT: Final = "  "
_Entry = TypeVar("_Entry")
_DIGITS: Final = re.compile(r"(\d+)")


@dataclass(eq=False, slots=True)
class Block:
    """Lines with what stands below each; `size` counts all of them."""

    entries: tuple[tuple[str, Block | None], ...]
    size: int
    depth: int


@dataclass(slots=True)
class Renderer:
    """Renders forms to blocks; several forms of one file share names of curves and templates."""

    curves: dict[str, list[tuple[Node, str]]] = field(default_factory=dict)
    """By the name of a curve the nodes that carry it, in canonical order."""
    _curve_names: dict[tuple[str, str], str] = field(default_factory=dict)
    _known: dict[tuple[tuple[str, int], ...], Block] = field(default_factory=dict)
    _curve_uses: Counter[str] = field(default_factory=Counter)

    def render(self, form: Form) -> Block:
        """Return the lines of a form."""
        writer = _NodeWriter(form, self._curve_name)
        order: list[tuple[Node, str, str]] = []
        stack = [(form.top, "", "")]
        while stack:
            node, path, scope = stack.pop()
            order.append((node, path, scope))
            inherited = writer.scope_of(node) or scope
            stack.extend((child, join_path(path, child), inherited) for child in reversed(node.children))
        own = {id(node): writer.lines(node, path, scope) for node, path, scope in order}
        rendered: dict[int, list[tuple[str, Block | None]]] = {}
        for node, _, _ in reversed(order):
            line, extra = own[id(node)]
            entries: list[tuple[str, Block | None]] = [(one, None) for one in extra]
            for child in node.children:
                entries += rendered.pop(id(child))
            block = self._intern(entries) if entries else None
            if not line:  # the top, and the only lane of a block: nothing of their own to say
                rendered[id(node)] = entries
            else:
                rendered[id(node)] = [(line, block)]
        return self._intern(rendered[id(form.top)])

    def _intern(self, entries: Sequence[tuple[str, Block | None]]) -> Block:
        key = tuple((line, -1 if below is None else id(below)) for line, below in entries)
        block = self._known.get(key)
        if block is None:
            size = sum(1 + (below.size if below else 0) for _, below in entries)
            depth = 1 + max((below.depth if below else 0 for _, below in entries), default=0)
            block = self._known[key] = Block(tuple(entries), size, depth)
        return block

    def _curve_name(self, path: str, node: Node, metric: str) -> str:
        """Return the name of a metric's curve: one for all nodes of a path, so that equal blocks stay equal."""
        name = self._curve_names.get((path, metric))
        if name is None:
            self._curve_uses[metric] += 1
            use = self._curve_uses[metric]
            name = f"~{show_name(metric)}" + (f"#{use}" if use > 1 else "")
            self._curve_names[path, metric] = name
        self.curves.setdefault(name, []).append((node, metric))
        return name


def layout(roots: Sequence[Block]) -> tuple[list[str], list[list[str]]]:
    """Return the lines of the templates, and the lines of each root block with references to them."""
    templates = _templates(roots)
    names = {id(block): f"t{number}" for number, block in enumerate(templates, 1)}
    lines: list[str] = []
    for block in templates:
        lines.append(f"template {names[id(block)]}")
        lines += _indented(block, names)
    return lines, [_indented(root, names, first_depth=0) for root in roots]


def _templates(roots: Sequence[Block]) -> list[Block]:
    """Return the blocks to print once, in the order in which they are first met."""
    uses: Counter[int] = Counter()
    order: list[Block] = []
    seen: set[int] = set()
    stack = [(root, 1) for root in reversed(roots)]
    forced: set[int] = set()
    while stack:
        block, depth = stack.pop()
        if id(block) in seen:
            continue
        seen.add(id(block))
        order.append(block)
        for _, below in reversed(block.entries):
            if below is None:
                continue
            uses[id(below)] += 1
            if depth % MAX_DEPTH == 0:
                forced.add(id(below))
            stack.append((below, depth + 1))
    return [block for block in order if id(block) in forced or (uses[id(block)] > 1 and block.size > 3)]


def _indented(block: Block, names: Mapping[int, str], *, first_depth: int = 1) -> list[str]:
    lines: list[str] = []
    stack = [(entry, first_depth) for entry in reversed(block.entries)]
    while stack:
        (line, below), depth = stack.pop()
        lines.append(_INDENT * depth + line)
        if below is None:
            continue
        name = names.get(id(below))
        if name is not None:
            lines.append(_INDENT * (depth + 1) + f"@{name}")
        else:
            stack.extend((entry, depth + 1) for entry in reversed(below.entries))
    return lines


# --- one node ----------------------------------------------------------------------------------------------------


class _NodeWriter:
    def __init__(self, form: Form, curve_name: Callable[[str, Node, str], str]) -> None:
        self.form = form
        self.curve_name = curve_name
        self.last: dict[tuple[str, str], Number] = {}
        self.path_sizes: Counter[str] = Counter()
        for path, node in form.walk():
            if node.type is NodeType.SPAN:
                self.path_sizes[path] += node.size

    def scope_of(self, node: Node) -> str:
        """Return the scope that a node's children inherit; empty when it has none or several."""
        if node.type is not NodeType.SPAN:
            return ""
        scopes = {self.form.owns[own].scope for own in set(node.own)}
        return next(iter(scopes)) if len(scopes) == 1 else ""

    def lines(self, node: Node, path: str, scope: str) -> tuple[str, list[str]]:
        """Return a node's own line (empty for what has none) and the lines of its events, links and metrics."""
        if node.type is NodeType.TOP:
            return "", []
        if node.type is NodeType.PAR:
            return self._par(node), []
        if node.type is NodeType.LANE:
            above = self.form.parent_of(node)
            is_only = above is not None and len(above.children) == 1
            return ("" if is_only else f"lane x{node.count}"), []
        parts = ["rank" if node.type is NodeType.RANK else show_name(node.name)]
        if node.count > 1:
            parts.append(f"x{node.count}")
        if node.index:
            parts.append(f"[{' '.join(self._index(node, path, key) for key in node.index)}]")
        if node.type is NodeType.RANK:
            return " ".join(parts), []
        attributes = self._attributes(node)
        if attributes:
            parts.append("{" + " ".join(attributes) + "}")
        if node.kind != 1:
            parts.append(f"kind={kind_name(node.kind)}")
        parts += self._column_word(
            node, "status", [STATUS_NAMES[own.status] for own in self._owns(node)], "unset"
        )
        parts += self._column_word(
            node,
            "scope",
            [json.dumps(own.scope, ensure_ascii=False) for own in self._owns(node)],
            json.dumps(scope),
        )
        extra = [*self._events(node), *self._links(node)]
        extra += (self.curve_name(path, node, metric) for metric in sorted(node.metrics))
        return " ".join(parts), extra

    def _par(self, node: Node) -> str:
        parts = ["par"]
        only = node.children[0] if len(node.children) == 1 else None
        if only is not None and only.count > 1:
            parts.append(f"x{only.count}")
        strands = sum(lane.count for lane in node.children)
        if node.lanes != strands:
            parts.append(f"lanes={node.lanes}")
        if node.is_floating:
            parts.append("floating")
        if node.is_timed:
            parts.append("timed")
        return " ".join(parts)

    def _owns(self, node: Node) -> list[Own]:
        """Return what the instances are, a single one where all are the same."""
        owns = self.form.owns
        if len(set(node.own)) == 1:
            return [owns[node.own[0]]]
        return [owns[number] for number in node.own]

    def _index(self, node: Node, path: str, key: str) -> str:
        column = node.index[key]
        above = path.rpartition("/")[0]
        place = path, key
        last = self.last.get(place)
        self.last[place] = column[-1]
        shown = show_key(key)
        if self.path_sizes[above] > 1 and node.type is NodeType.SPAN:
            step = _step_from(column, last)
            if step is not None:
                return f"{shown}=+{step}"
        return f"{shown}={show_index(self._period(column, node))}"

    def _period(self, column: Sequence[_Entry], node: Node) -> Sequence[_Entry]:
        """Return one parent's entries where all parents have the same; of all enclosing nodes the nearest."""
        length = 1
        here: Node | None = node
        while here is not None and len(column) == node.size:
            length *= here.count
            here = self.form.parent_of(here)
            if length < node.size and list(column[:length]) * (node.size // length) == list(column):
                return column[:length]
        return column

    def _column_word(self, node: Node, word: str, texts: Sequence[str], default: str) -> list[str]:
        if len(set(texts)) == 1:
            return [] if texts[0] == default else [f"{word}={texts[0]}"]
        return [f"{word}=({_runs(self._period(texts, node))})"]

    def _attributes(self, node: Node) -> list[str]:
        owns = self._owns(node)
        keys = sorted({key for own in owns for key, _ in own.attributes})
        shown = []
        for key in keys:
            values = [dict(own.attributes).get(key) for own in owns] if len(owns) > 1 else None
            if values is None:
                values = [dict(owns[0].attributes).get(key)]
            labels = node.labels.get(key)
            if labels is not None:
                values = values if len(values) > 1 else values * node.size
                texts = [_labelled(value, label) for value, label in zip(values, labels, strict=True)]
            else:
                texts = [ABSENT if value is None else _show(value) for value in values]
            if len(set(texts)) == 1 and texts[0] != ABSENT:
                shown.append(f"{show_key(key)}={texts[0]}")
                continue
            template = self._text_template(node, values) if labels is None else None
            shown.append(f"{show_key(key)}={template or f'({_runs(self._period(texts, node))})'}")
        return shown

    def _indices_above(self, node: Node) -> dict[str, tuple[Sequence[Number], int]]:
        """Return the index columns of a node and what encloses it, by short key, with how far to divide."""
        found: dict[str, tuple[Sequence[Number], int]] = {}
        here: Node | None = node
        divisor = 1
        while here is not None:
            for key, column in here.index.items():
                found.setdefault(short_key(key), (column, divisor))
            divisor *= here.count
            here = self.form.parent_of(here)
        return found

    def _text_template(self, node: Node, values: Sequence[Value | None]) -> str | None:
        """Return one text with `<epoch>` in place of numbers that follow an index; None when they do not."""
        if not all(isinstance(value, str) for value in values):
            return None
        pieces = [_DIGITS.split(str(value)) for value in values]
        first = pieces[0]
        if len(first) < 3 or any(piece[::2] != first[::2] or len(piece) != len(first) for piece in pieces):
            return None
        indices = self._indices_above(node)
        if any(f"<{key}" in piece for key in indices for piece in first[::2]):
            return None
        result = list(first)
        for slot in range(1, len(first), 2):
            numbers = [piece[slot] for piece in pieces]
            if len(set(numbers)) == 1:
                continue
            label = _index_of_numbers(numbers, indices)
            if label is None:
                return None
            result[slot] = label
        return "f" + json.dumps("".join(result), ensure_ascii=False)

    def _events(self, node: Node) -> list[str]:
        return self._marked(
            [
                tuple(f"! {show_name(event.name)}{_small(event.attributes)}" for event in own.events)
                for own in self._owns(node)
            ],
        )

    def _links(self, node: Node) -> list[str]:
        return self._marked(
            [
                tuple(
                    f"-> {json.dumps(link.target, ensure_ascii=False)}{_small(link.attributes)}"
                    for link in own.links
                )
                for own in self._owns(node)
            ],
        )

    def _marked(self, lines: Sequence[tuple[str, ...]]) -> list[str]:
        """Return lines that some instances have, each with the instances that have it."""
        if len(set(lines)) == 1:
            return list(lines[0])
        found: dict[tuple[str, ...], list[Number]] = {}
        for instance, own in enumerate(lines):
            if own:
                found.setdefault(own, []).append(instance)
        return [f"{line} @{show_index(instances)}" for own, instances in found.items() for line in own]


def _small(attributes: Sequence[tuple[str, Value]]) -> str:
    if not attributes:
        return ""
    return " {" + " ".join(f"{show_key(key)}={show_value(value)}" for key, value in attributes) + "}"


def _runs(texts: Sequence[str]) -> str:
    parts = []
    for text, group in groupby(texts):
        count = len(list(group))
        parts.append(text if count == 1 else f"{text} x{count}")
    return ", ".join(parts)


def _step_from(column: Sequence[Number], last: Number) -> int | None:
    """Return the step of a column that counts on from `last` (or from 0 when there is none)."""
    first = column[0]
    if type(first) is not int or (last is not None and type(last) is not int):
        return None
    if last is not None:
        step = first - int(last)
    else:
        second = column[1] if len(column) > 1 else None
        step = second - first if type(second) is int else 1
        if first != 0:
            return None
    if step <= 0 or list(column) != list(range(first, first + step * len(column), step)):
        return None
    return step


def _labelled(value: Value | None, labels: Sequence[int]) -> str:
    if value is None:
        return ABSENT
    numbers = iter(labels)

    def number(match: re.Match[str]) -> str:
        if match.group(1) in NOT_IDS or match.group(2):
            return match.group()
        label = next(numbers, 0)
        return f"<{match.group(1)}:{label}>" if label else match.group()

    return LABEL.sub(number, show_value(value))


def _show(value: Value) -> str:
    """Return a value; what only looks like a numbered label is escaped."""
    text = show_value(value)
    if "<" not in text:
        return text
    return LABEL.sub(
        lambda match: match.group().replace("<", "\\u003c") if match.group(2) else match.group(), text
    )


def _index_of_numbers(
    numbers: Sequence[str], indices: Mapping[str, tuple[Sequence[Number], int]]
) -> str | None:
    for key, (column, divisor) in indices.items():
        expected = [column[instance // divisor] for instance in range(len(numbers))]
        if [str(value) for value in expected] == list(numbers):
            return f"<{key}>"
        width = len(numbers[0])
        if all(len(one) == width for one in numbers) and [int(one) for one in numbers] == expected:
            return f"<{key}:0{width}>"
    return None
