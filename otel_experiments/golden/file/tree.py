"""From the lines of a golden's tree to a canonical form, references to templates filled in.

Works from an outline (lines with what is indented below them), top down and without recursion. Patterns for
whole lines (`*`, `**`, `x2..5`) are not read here: a form stands for spans, `golden/inline.py` reads patterns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from otel_experiments.golden.canonical.form import (
    BLANK,
    EventForm,
    Form,
    LinkForm,
    Node,
    NodeType,
    Number,
    Order,
    Own,
    join_path,
)
from otel_experiments.golden.canonical.values import Value
from otel_experiments.golden.file.scan import OtgSyntaxError, Scanner, short_key
from otel_experiments.golden.match.content_diff import STATUS_NAMES

MAX_NODES: Final = 2_000_000
"""Nested templates could stand for more than any program does; then the file is refused."""

_KINDS: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")
_TEMPLATE_INDEX: Final = re.compile(r"<([A-Za-z_]\w*)(?::0(\d+))?>")


@dataclass(eq=False, slots=True)
class OutlineLine:
    """A line without its indentation, and the lines below it."""

    number: int
    text: str
    below: list[OutlineLine] = field(default_factory=list)


class TreeError(ValueError):
    """A line of the tree cannot be used."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number


def read_outline(lines: Sequence[tuple[int, str]]) -> list[OutlineLine]:
    """Return numbered lines as an outline; two blanks are one level.

    Raises:
        TreeError: a line is indented by an odd number of blanks, or deeper than its predecessor allows.
    """
    top: list[OutlineLine] = []
    levels: list[list[OutlineLine]] = [top]
    for number, text in lines:
        content = text.lstrip(" ")
        depth, odd = divmod(len(text) - len(content), 2)
        if odd or depth >= len(levels) or content.startswith("\t"):
            raise TreeError("the indentation fits no line above (two blanks are one level)", number)
        line = OutlineLine(number, content.rstrip())
        levels[depth].append(line)
        del levels[depth + 1 :]
        levels.append(line.below)
    return top


@dataclass(slots=True)
class _Parsed:
    """What one span's line says."""

    name: str
    kind: int = 1
    count: int = 1
    index: list[tuple[str, str, list[Number]]] = field(default_factory=list)
    """Key, `+step` or empty, listed values."""
    attributes: list[tuple[str, list[Value | None], list[tuple[int, ...]], bool]] = field(
        default_factory=list
    )
    """Key, values, labels of ids, whether the one text follows indices."""
    words: dict[str, list[str]] = field(default_factory=dict)


class TreeReader:
    """Reads trees; `curves` maps the names of curves to the nodes and metrics they belong to, in order."""

    def __init__(self, templates: Mapping[str, Sequence[OutlineLine]]) -> None:
        self.templates = templates
        self.curves: dict[str, list[tuple[Node, str]]] = {}

    def read(self, lines: Sequence[OutlineLine], order: Order, schemas: Mapping[str, str]) -> Form:
        """Return the form that an outline describes.

        Raises:
            TreeError: a line cannot be read.
        """
        self._count_lines(lines)
        top = Node(NodeType.TOP, own=[0])
        form = Form(top, [BLANK], order, schemas)
        reader = _FormReader(form)
        stack: list[tuple[OutlineLine, Node, str, str]] = [
            (line, top, "", "") for line in reversed(self._resolve(lines))
        ]
        while stack:
            line, above, path, scope = stack.pop()
            try:
                node, inherited = reader.node(line, above, path, scope)
                below = self._resolve(line.below)
                inside = join_path(path, node)
                children = reader.finish(node, below, self.curves)
            except OtgSyntaxError as error:
                raise TreeError(f"column {error.column}: {error}", line.number) from error
            if node.type is NodeType.PAR:
                node = reader.open_lane(node, line, children)
            stack.extend((child, node, inside, inherited) for child in reversed(children))
        return form

    def _resolve(self, lines: Sequence[OutlineLine]) -> list[OutlineLine]:
        """Return lines with those that name a template replaced by its lines."""
        found: list[OutlineLine] = []
        stack = list(reversed(lines))
        while stack:
            line = stack.pop()
            if line.text.startswith("@"):
                stack.extend(reversed(self._template(line)))
            else:
                found.append(line)
        return found

    def _template(self, line: OutlineLine) -> Sequence[OutlineLine]:
        template = self.templates.get(line.text[1:].split(" ")[0])
        if template is None:
            raise TreeError(f"there is no template {line.text[1:]!r}", line.number)
        return template

    def _count_lines(self, lines: Sequence[OutlineLine]) -> int:
        """Return how many lines these stand for, templates filled in.

        Raises:
            TreeError: they stand for too many, or a template stands inside itself.
        """
        sizes: dict[int, int] = {}
        opened: set[int] = set()
        stack: list[tuple[Sequence[OutlineLine], bool]] = [(lines, False)]
        while stack:
            own, is_done = stack.pop()
            if id(own) in sizes:
                continue
            inner, count = self._named_below(own)
            if is_done:
                opened.discard(id(own))
                sizes[id(own)] = count + sum(sizes[id(one)] for one in inner)
                if sizes[id(own)] > MAX_NODES:
                    raise TreeError(
                        f"the templates stand for more than {MAX_NODES} lines", own[0].number if own else 1
                    )
                continue
            if id(own) in opened:
                raise TreeError("a template stands inside itself", own[0].number if own else 1)
            opened.add(id(own))
            stack.append((own, True))
            for one in inner:
                if id(one) in opened:
                    raise TreeError("a template stands inside itself", one[0].number if one else 1)
                stack.append((one, False))
        return sizes[id(lines)]

    def _named_below(self, lines: Sequence[OutlineLine]) -> tuple[list[Sequence[OutlineLine]], int]:
        """Return the templates that are named at or below some lines, and how many other lines there are."""
        inner: list[Sequence[OutlineLine]] = []
        count = 0
        stack = list(lines)
        while stack:
            line = stack.pop()
            if line.text.startswith("@"):
                inner.append(self._template(line))
            else:
                count += 1
                stack += line.below
        return inner, count


class _FormReader:
    def __init__(self, form: Form) -> None:
        self.form = form
        self.above: dict[Node, Node] = {}
        self.parsed: dict[Node, _Parsed] = {}
        self.scopes: dict[Node, str] = {}
        self.own_numbers: dict[Own, int] = {BLANK: 0}
        self.last: dict[tuple[str, str], Number] = {}

    def node(self, line: OutlineLine, above: Node, path: str, scope: str) -> tuple[Node, str]:
        """Return the node of a line and the scope that its children inherit; it is hung below `above`."""
        scanner = Scanner(line.text)
        word = re.match(r"[a-z]+(?= |$)", line.text)
        keyword = word.group() if word else ""
        if keyword == "par":
            node = self._par(scanner)
        elif keyword == "lane":
            scanner.word()
            node = Node(NodeType.LANE, count=self._count(scanner))
        elif keyword == "rank" and above.type is not NodeType.LANE:
            scanner.word()
            parsed = _Parsed("")
            self._parts(scanner, parsed)
            node = Node(NodeType.RANK, count=parsed.count)
            self.parsed[node] = parsed
        else:
            parsed = _Parsed(scanner.name())
            self._parts(scanner, parsed)
            node = Node(NodeType.SPAN, parsed.name, parsed.kind, parsed.count)
            self.parsed[node] = parsed
        if not scanner.is_done:
            raise scanner.fail("the end of the line")
        node.size = above.size * node.count
        above.children.append(node)
        self.above[node] = above
        node.own = [0] * node.size
        inherited = scope
        own_parsed = self.parsed.get(node)
        if own_parsed is not None:
            self._read_index(node, own_parsed, join_path(path, node))
            scopes = own_parsed.words.get("scope", [json.dumps(scope)])
            self.scopes[node] = scope
            inherited = json.loads(scopes[0]) if len(scopes) == 1 else scope
        return node, inherited

    def _par(self, scanner: Scanner) -> Node:
        scanner.word()
        node = Node(NodeType.PAR)
        node.lanes = -1
        strands = self._count(scanner)
        while not scanner.is_done:
            word = scanner.word()
            if word.startswith("lanes="):
                node.lanes = int(word.removeprefix("lanes="))
            elif word == "floating":
                node.is_floating = True
            elif word == "timed":
                node.is_timed = True
            else:
                scanner.at -= len(word)
                raise scanner.fail("'lanes=', 'floating' or 'timed'")
        node.count = 1
        self._strands = strands
        return node

    def open_lane(self, node: Node, line: OutlineLine, children: Sequence[OutlineLine]) -> Node:
        """Return what the lines in a block hang below: the one lane, or the block where lanes are listed."""
        strands = self._strands
        if not children:
            raise TreeError("a parallel block has nothing in it", line.number)
        listed = [re.match(r"lane(?: x(\d+))?(?: |$)", child.text) for child in children]
        if all(listed):
            total = sum(int(one.group(1) or 1) for one in listed if one)
            node.lanes = total if node.lanes < 0 else node.lanes
            return node
        lane = Node(NodeType.LANE, count=strands, size=node.size * strands, own=[0] * (node.size * strands))
        node.lanes = strands if node.lanes < 0 else node.lanes
        node.children.append(lane)
        self.above[lane] = node
        return lane

    def _count(self, scanner: Scanner) -> int:
        scanner.skip()
        match = scanner.take(re.compile(r"x(\d+)(?= |$)"))
        return 1 if match is None else _positive(match.group(1), scanner)

    # --- one line ----------------------------------------------------------------------------------------------

    def _parts(self, scanner: Scanner, parsed: _Parsed) -> None:
        parsed.count = self._count(scanner)
        while not scanner.is_done:
            if scanner.accept("["):
                self._scan_index(scanner, parsed)
            elif scanner.accept("{"):
                self._scan_attributes(scanner, parsed)
            else:
                self._scan_word(scanner, parsed)

    def _scan_index(self, scanner: Scanner, parsed: _Parsed) -> None:
        while not scanner.accept("]"):
            key = scanner.key()
            scanner.expect("=")
            if scanner.accept("+"):
                parsed.index.append((key, f"+{scanner.integer()}", []))
            else:
                parsed.index.append((key, "", scanner.index_list()))
            scanner.skip()

    def _scan_attributes(self, scanner: Scanner, parsed: _Parsed) -> None:
        scanner.skip()
        while not scanner.accept("}"):
            key = scanner.key()
            scanner.expect("=")
            scanner.labels = []
            if scanner.text.startswith("(", scanner.at):
                values = scanner.column()
                parsed.attributes.append((key, values, scanner.column_labels, False))
            elif scanner.text.startswith('f"', scanner.at):
                scanner.at += 1
                parsed.attributes.append((key, [scanner.string()], [], True))
            else:
                value = scanner.value()
                parsed.attributes.append((key, [value], [tuple(scanner.labels)], False))
            scanner.skip()
            scanner.accept(",")
            scanner.skip()

    def _scan_word(self, scanner: Scanner, parsed: _Parsed) -> None:
        key = scanner.key()
        if key not in {"kind", "status", "scope"}:
            scanner.at -= len(key)
            raise scanner.fail("kind=, status= or scope=")
        scanner.expect("=")
        if key == "kind":
            name = scanner.word()
            if name not in _KINDS:
                scanner.at -= len(name)
                raise scanner.fail("a span kind")
            parsed.kind = _KINDS.index(name)
        elif key == "scope" and scanner.text.startswith('"', scanner.at):
            parsed.words[key] = [json.dumps(scanner.string())]
        elif scanner.text.startswith("(", scanner.at):
            parsed.words[key] = _bare_column(scanner)
        else:
            parsed.words[key] = [scanner.word()]

    def _read_index(self, node: Node, parsed: _Parsed, path: str) -> None:
        for key, step, values in parsed.index:
            last = self.last.get((path, key))
            if step:
                width = int(step)
                first = 0 if last is None else int(last) + width
                column: list[Number] = list(range(first, first + width * node.size, width)) if width else []
            else:
                column = _tiled(values, node.size)
            node.index[key] = column
            self.last[path, key] = column[-1]

    # --- columns -----------------------------------------------------------------------------------------------

    def finish(
        self,
        node: Node,
        below: Sequence[OutlineLine],
        curves: dict[str, list[tuple[Node, str]]],
    ) -> list[OutlineLine]:
        """Read what the lines below a node say of the node itself; return those that are its children."""
        children: list[OutlineLine] = []
        events: list[tuple[EventForm, list[Number] | None]] = []
        links: list[tuple[LinkForm, list[Number] | None]] = []
        for line in below:
            if line.text.startswith("~"):
                name = line.text.split(" ")[0] if '"' not in line.text else line.text
                curves.setdefault(name, []).append((node, _metric_of(name)))
            elif line.text.startswith("! "):
                scanner = Scanner(line.text, 2)
                event = scanner.name()
                events.append((EventForm(event, self._small(scanner)), _marked(scanner)))
            elif line.text.startswith("-> "):
                scanner = Scanner(line.text, 3)
                target = scanner.string()
                links.append((LinkForm(target, self._small(scanner)), _marked(scanner)))
            else:
                children.append(line)
        if node.type is NodeType.SPAN:
            self._fill(node, events, links)
        return children

    def _small(self, scanner: Scanner) -> tuple[tuple[str, Value], ...]:
        parsed = _Parsed("")
        scanner.skip()
        if scanner.accept("{"):
            self._scan_attributes(scanner, parsed)
        return tuple(
            (key, values[0] if values[0] is not None else ("none",))
            for key, values, _, _ in parsed.attributes
        )

    def _fill(
        self,
        node: Node,
        events: Sequence[tuple[EventForm, list[Number] | None]],
        links: Sequence[tuple[LinkForm, list[Number] | None]],
    ) -> None:
        parsed = self.parsed[node]
        size = node.size
        columns: list[tuple[str, Sequence[Value | None]]] = []
        for key, values, labels, is_template in sorted(parsed.attributes, key=lambda one: one[0]):
            column: Sequence[Value | None] = self._expand(node, str(values[0])) if is_template else values
            columns.append((key, column if len(column) == 1 else _tiled(column, size)))
            if any(any(one) for one in labels):
                node.labels[key] = _tiled(labels, size)
        status = parsed.words.get("status", ["unset"])
        scope = parsed.words.get("scope", [json.dumps(self.scopes[node])])
        is_single = (
            all(len(column) == 1 for _, column in columns)
            and len(status) == len(scope) == 1
            and all(marks is None for _, marks in (*events, *links))
        )
        event_marks = [(event, None if marks is None else set(marks)) for event, marks in events]
        link_marks = [(link, None if marks is None else set(marks)) for link, marks in links]
        statuses, scopes = _tiled(status, size), _tiled(scope, size)

        def own_at(instance: int) -> int:
            attributes = tuple(
                (key, value)
                for key, column in columns
                if (value := column[0 if len(column) == 1 else instance]) is not None
            )
            own = Own(
                attributes,
                STATUS_NAMES.index(statuses[instance]),
                json.loads(scopes[instance]),
                tuple(event for event, marks in event_marks if marks is None or instance in marks),
                tuple(
                    sorted(
                        (link for link, marks in link_marks if marks is None or instance in marks), key=repr
                    )
                ),
            )
            number = self.own_numbers.setdefault(own, len(self.form.owns))
            if number == len(self.form.owns):
                self.form.owns.append(own)
            return number

        if any(name not in STATUS_NAMES for name in status):
            raise OtgSyntaxError(f"a status is one of {', '.join(STATUS_NAMES)}", 1)
        node.own = [own_at(0)] * size if is_single else [own_at(instance) for instance in range(size)]

    def _expand(self, node: Node, template: str) -> list[Value | None]:
        """Return a text for each instance, the indices in it filled in."""
        found: dict[str, Callable[[int], Number]] = {}
        here: Node | None = node
        divisor = 1
        while here is not None:
            for key, column in here.index.items():
                found.setdefault(
                    short_key(key),
                    lambda at, column=column, divisor=divisor: column[at // divisor],  # type: ignore[misc] # the defaults bind the loop's variables
                )
            divisor *= here.count
            here = self.above.get(here)

        def fill(instance: int) -> str:
            def replace(match: re.Match[str]) -> str:
                column = found.get(match.group(1))
                if column is None:
                    return match.group()
                return str(column(instance)).zfill(int(match.group(2) or 0))

            return _TEMPLATE_INDEX.sub(replace, template)

        return [fill(instance) for instance in range(node.size)]


def _positive(text: str, scanner: Scanner) -> int:
    count = int(text)
    if not 0 < count <= 10**8:
        raise scanner.fail("a number of repetitions from 1 on")
    return count


_Entry = TypeVar("_Entry")


def _tiled(values: Sequence[_Entry], size: int) -> list[_Entry]:
    """Return a column of `size` entries: as listed, or the list once for each parent."""
    if not values or size % len(values):
        message = f"{len(values)} values do not fit {size} instances"
        raise OtgSyntaxError(message, 1)
    return list(values) * (size // len(values))


def _bare_column(scanner: Scanner) -> list[str]:
    """Read `(error, unset x3)`: words or quoted texts with repetitions."""
    scanner.expect("(")
    entries: list[str] = []
    scanner.skip()
    while not scanner.accept(")"):
        if scanner.text.startswith('"', scanner.at):
            entry = json.dumps(scanner.string())
        else:
            match = scanner.take(re.compile(r"[a-z]+"))
            if match is None:
                raise scanner.fail("a word")
            entry = match.group()
        scanner.skip()
        times = scanner.take(re.compile(r"x(\d+)"))
        entries += [entry] * (int(times.group(1)) if times else 1)
        scanner.skip()
        scanner.accept(",")
        scanner.skip()
    return entries


def _marked(scanner: Scanner) -> list[Number] | None:
    """Read `@0..3,7`: the instances that a line is about; None for all."""
    scanner.skip()
    marks = scanner.index_list() if scanner.accept("@") else None
    if not scanner.is_done:
        raise scanner.fail("the end of the line")
    return marks


def _metric_of(name: str) -> str:
    """Return the metric of a curve's name: `~loss#2` is the second curve of loss."""
    scanner = Scanner(name, 1)
    if name.startswith('~"'):
        return scanner.string()
    return name[1:].rsplit("#", 1)[0] if re.search(r"#\d+$", name) else name[1:]
