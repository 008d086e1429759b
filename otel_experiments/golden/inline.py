"""Goldens that stand in a test: patterns of spans, matched against one captured run.

The grammar is that of the golden file's tree, with wildcards: `*` and `?` in names, `**` for any spans, counts
such as `x2..5`, values such as `*`, `~1e-3`, `"a"|"b"`. The structure is compared exactly, apart from wildcards; of
attributes, indices and events only those that are written. A span in error has to be written as such.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from otel_experiments.errors import GoldenInvalidError
from otel_experiments.golden.canonical.canonicalize import canonicalize
from otel_experiments.golden.canonical.form import EventForm, Form, Node, NodeType, Number, Own, extend_path
from otel_experiments.golden.canonical.roles import DEFAULT_RULES, Rules
from otel_experiments.golden.canonical.trace import CapturedRun
from otel_experiments.golden.canonical.values import Value
from otel_experiments.golden.comparison import Comparison, incomplete_findings, verdict_of
from otel_experiments.golden.file.scan import OtgSyntaxError, Scanner
from otel_experiments.golden.file.tree import OutlineLine, TreeError, read_outline
from otel_experiments.golden.findings import Code, sort_findings
from otel_experiments.golden.match.align import align_sequences
from otel_experiments.golden.match.content_diff import STATUS_NAMES, OwnTolerance, diff_owns
from otel_experiments.golden.match.ledger import Ledger, Places
from otel_experiments.golden.match.matcher import kind_name
from otel_experiments.golden.match.slots import SEQUENTIAL, Side, Slot
from otel_experiments.golden.policy import Policy
from otel_experiments.golden.report.text import render_text

_ANY_SPANS: Final = "**"
_NAME: Final = re.compile(r"[\w*?][\w.*?/:@+-]*")
_COUNT: Final = re.compile(r"x(\d+)(?:(\.\.)(\d*))?(?= |$)")
_UNLIMITED: Final = 10**9
_ERROR: Final = 2


@dataclass(slots=True)
class Pattern:
    """One line: which spans it stands for, how many in a row, and what has to hold for each."""

    number: int
    name: str
    low: int = 1
    high: int = 1
    is_parallel: bool = False
    attributes: list[tuple[str, list[Value | None]]] = field(default_factory=list)
    index: list[tuple[str, list[Number]]] = field(default_factory=list)
    status: int | None = None
    kind: str = ""
    events: list[str] = field(default_factory=list)
    below: list[Pattern] = field(default_factory=list)

    def matches(self, slot: Slot) -> bool:
        """Whether a span's name and its place (in program order or beside others) fit."""
        if self.name == _ANY_SPANS:
            return True
        return self.is_parallel == (slot.block != SEQUENTIAL) and fnmatchcase(slot.node.name, self.name)


def assert_trace(
    run: CapturedRun, golden: str, *, rules: Rules = DEFAULT_RULES, rtol: float = 1e-9
) -> Comparison:
    """Return the comparison of a run with an inline golden that it matches.

    Args:
        run: what was captured.
        golden: the text.
        rules: roles of attributes.
        rtol: the relative tolerance of numbers.

    Raises:
        AssertionError: it does not; the text is the report.
        GoldenInvalidError: a line of the golden cannot be read.
    """
    comparison = compare_inline(run, golden, rules=rules, rtol=rtol)
    if comparison.verdict != "pass":
        raise AssertionError(render_text(comparison))
    return comparison


def compare_inline(
    run: CapturedRun, golden: str, *, rules: Rules = DEFAULT_RULES, rtol: float = 1e-9
) -> Comparison:
    """Return the comparison of a run with a golden that stands in the program.

    Raises:
        GoldenInvalidError: a line of the golden cannot be read.
    """
    patterns = read_patterns(golden)
    policy = Policy(timing="off", rtol=rtol)
    broken = incomplete_findings([run])
    if broken:
        return Comparison(
            "error", tuple(broken), policy, golden_name="inline golden", golden_runs=1, candidate_runs=1
        )
    form = canonicalize(run, rules)
    ledger = Ledger()
    _InlineMatcher(form, ledger, OwnTolerance(rtol, rules.numeric_types == "loose")).match(patterns)
    findings = [finding.with_severity(policy.severity(finding)) for finding in ledger.findings()]
    return Comparison(
        verdict_of(findings, policy),
        tuple(sort_findings(findings)),
        policy,
        golden_name="inline golden",
        golden_runs=1,
        candidate_runs=1,
        candidate=form,
    )


# --- reading -----------------------------------------------------------------------------------------------------


def read_patterns(text: str) -> list[Pattern]:
    """Return the patterns of an inline golden; comments and empty lines are left out.

    Raises:
        GoldenInvalidError: a line cannot be read, or there is none.
    """
    lines = [
        (number, line.rstrip())
        for number, line in enumerate(text.expandtabs(2).split("\n"), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not lines:
        raise GoldenInvalidError(
            path="inline golden",
            line=None,
            found="it is empty",
            fix="Write the spans that the run must have.",
        )
    indent = min(len(line) - len(line.lstrip(" ")) for _, line in lines)
    try:
        outline = read_outline([(number, line[indent:]) for number, line in lines])
        return _read_below(outline, is_parallel=False)
    except TreeError as error:
        raise GoldenInvalidError(
            path="inline golden", line=error.number, found=str(error), fix="See the grammar of golden files."
        ) from error


def _read_below(outline: Sequence[OutlineLine], *, is_parallel: bool) -> list[Pattern]:
    """Return the patterns of some lines; what stands in a `par` line is parallel to what encloses it."""
    top: list[Pattern] = []
    stack: list[tuple[OutlineLine, list[Pattern], bool, tuple[int, int]]] = [
        (line, top, is_parallel, (1, 1)) for line in reversed(outline)
    ]
    while stack:
        line, into, parallel, times = stack.pop()
        keyword = line.text.split(" ")[0]
        if keyword in {"par", "lane"}:
            scanner = Scanner(line.text, len(keyword))
            low, high = _read_count(scanner)
            inner = (times[0] * low, min(_UNLIMITED, times[1] * high))
            stack.extend((child, into, True, inner) for child in reversed(line.below))
            continue
        try:
            pattern = _read_line(line, is_parallel=parallel)
        except OtgSyntaxError as error:
            raise TreeError(f"column {error.column}: {error}", line.number) from error
        if pattern.name != _ANY_SPANS:
            pattern.low *= times[0]
            pattern.high = min(_UNLIMITED, pattern.high * times[1])
        into.append(pattern)
        children = [child for child in line.below if not child.text.startswith(("~", "!", "->"))]
        pattern.events = [
            Scanner(child.text, 2).name() for child in line.below if child.text.startswith("! ")
        ]
        stack.extend((child, pattern.below, False, (1, 1)) for child in reversed(children))
    return top


def _read_line(line: OutlineLine, *, is_parallel: bool) -> Pattern:
    scanner = Scanner(line.text)
    if line.text == _ANY_SPANS or line.text.startswith(f"{_ANY_SPANS} "):
        return Pattern(line.number, _ANY_SPANS, 0, _UNLIMITED, is_parallel=is_parallel)
    if line.text.startswith('"'):
        name = scanner.string()
    else:
        match = scanner.take(_NAME)
        if match is None:
            raise scanner.fail("a name")
        name = match.group()
    pattern = Pattern(line.number, name, is_parallel=is_parallel)
    pattern.low, pattern.high = _read_count(scanner)
    while not scanner.is_done:
        if scanner.accept("["):
            while not scanner.accept("]"):
                key = scanner.key()
                scanner.expect("=")
                pattern.index.append((key, scanner.index_list()))
                scanner.skip()
        elif scanner.accept("{"):
            _read_attributes(scanner, pattern)
        else:
            _read_word(scanner, pattern)
    return pattern


def _read_count(scanner: Scanner) -> tuple[int, int]:
    scanner.skip()
    match = scanner.take(_COUNT)
    if match is None:
        return 1, 1
    low = int(match.group(1))
    if match.group(2) is None:
        return low, low
    return low, int(match.group(3)) if match.group(3) else _UNLIMITED


def _read_attributes(scanner: Scanner, pattern: Pattern) -> None:
    scanner.skip()
    while not scanner.accept("}"):
        key = scanner.key()
        scanner.expect("=")
        is_column = scanner.text.startswith("(", scanner.at)
        pattern.attributes.append((key, scanner.column() if is_column else [scanner.value()]))
        scanner.skip()
        scanner.accept(",")
        scanner.skip()


def _read_word(scanner: Scanner, pattern: Pattern) -> None:
    key = scanner.key()
    scanner.expect("=")
    word = scanner.word()
    if key == "status" and word in STATUS_NAMES:
        pattern.status = STATUS_NAMES.index(word)
    elif key == "kind":
        pattern.kind = word
    else:
        scanner.at -= len(word)
        raise scanner.fail("status= or kind=")


# --- matching ----------------------------------------------------------------------------------------------------


class _InlineMatcher:
    def __init__(self, form: Form, ledger: Ledger, tolerance: OwnTolerance) -> None:
        self.form = form
        self.ledger = ledger
        self.tolerance = tolerance
        self.side = Side(form, range(len(form.owns)))

    def match(self, patterns: Sequence[Pattern]) -> None:
        stack: list[tuple[Sequence[Pattern], Node, Sequence[int], str]] = [
            (patterns, self.form.top, range(1), "")
        ]
        while stack:
            own, node, instances, path = stack.pop()
            if not own and not node.children:
                continue
            slots = [slot for slot in self._slots(node, instances[0]) if slot.node.type is NodeType.SPAN]
            for pattern, matched in self._assign(own, slots, instances, path):
                by_node: dict[Node, list[Slot]] = {}
                for slot in matched:
                    by_node.setdefault(slot.node, []).append(slot)
                for child, run in by_node.items():
                    below = [at for slot in run for at in slot.instances(instances)]
                    child_path = extend_path(path, child.name)
                    self._check(pattern, child, below, child_path)
                    stack.append((pattern.below, child, below, child_path))

    def _slots(self, node: Node, instance: int) -> list[Slot]:
        """Return the spans below an instance, those of ranks included."""
        children: list[Node] = []
        for child in node.children:
            children += child.children if child.type is NodeType.RANK else [child]
        return (
            self.side.slots(children, instance) if children == node.children else self._ranked(node, instance)
        )

    def _ranked(self, node: Node, instance: int) -> list[Slot]:
        slots: list[Slot] = []
        for child in node.children:
            if child.type is not NodeType.RANK:
                slots += self.side.slots([child], instance)
                continue
            for rank in range(child.count):
                at = instance * child.count + rank
                for slot in self.side.slots(child.children, at):
                    slot.offset += rank * slot.stride
                    slot.stride *= child.count
                    slots.append(slot)
        return slots

    def _assign(
        self, patterns: Sequence[Pattern], slots: Sequence[Slot], parents: Sequence[int], path: str
    ) -> list[tuple[Pattern, list[Slot]]]:
        """Return which spans each pattern stands for; what does not fit is reported."""
        counts = _feasible_counts(patterns, slots)
        if counts is not None:
            found = []
            at = 0
            for pattern, count in zip(patterns, counts, strict=True):
                if pattern.name != _ANY_SPANS:
                    found.append((pattern, list(slots[at : at + count])))
                at += count
            return found
        return self._assign_loosely(patterns, slots, parents, path)

    def _assign_loosely(
        self, patterns: Sequence[Pattern], slots: Sequence[Slot], parents: Sequence[int], path: str
    ) -> list[tuple[Pattern, list[Slot]]]:
        is_open = any(pattern.name == _ANY_SPANS for pattern in patterns)
        wanted = [
            number
            for number, pattern in enumerate(patterns)
            if pattern.name != _ANY_SPANS
            for _ in range(min(pattern.low or 1, len(slots) + 1))
        ]
        named = [
            next(
                (
                    n
                    for n, p in enumerate(patterns)
                    if p.name != _ANY_SPANS and fnmatchcase(slot.node.name, p.name)
                ),
                -1,
            )
            for slot in slots
        ]
        pairs = align_sequences(wanted, named)
        by_pattern: dict[int, list[Slot]] = {}
        used = {place for _, place in pairs}
        for at, place in pairs:
            by_pattern.setdefault(wanted[at], []).append(slots[place])
        for place, number in enumerate(named):
            if number >= 0 and place not in used:  # more of them than were asked for
                by_pattern.setdefault(number, []).append(slots[place])
                used.add(place)
        for number, pattern in enumerate(patterns):
            if pattern.name == _ANY_SPANS:
                continue
            self._report_count(pattern, by_pattern.get(number, []), parents, path)
        if not is_open:
            for place, slot in enumerate(slots):
                if place not in used:
                    self._note(Code.ADDED, slot, parents, path, candidate=slot.node.name)
        self._report_order(patterns, by_pattern, slots, parents, path)
        return [(patterns[number], own) for number, own in sorted(by_pattern.items())]

    def _report_count(self, pattern: Pattern, own: Sequence[Slot], parents: Sequence[int], path: str) -> None:
        shown = (
            f"x{pattern.low}" if pattern.low == pattern.high else f"x{pattern.low}..{_shown(pattern.high)}"
        )
        where = extend_path(path, pattern.name)
        if not own:
            if pattern.low:
                self.ledger.note(
                    Code.REMOVED, where, golden=shown, detail=f"line {pattern.number}", count=len(parents)
                )
        elif not pattern.low <= len(own) <= pattern.high:
            self._note(Code.COUNT, own[-1], parents, path, golden=shown, candidate=f"x{len(own)}")
        beside = [slot for slot in own if pattern.is_parallel != (slot.block != SEQUENTIAL)]
        if beside:
            code = Code.SERIALISED if pattern.is_parallel else Code.PARALLELISED
            self._note(code, beside[0], parents, path, detail=pattern.name)

    def _report_order(
        self,
        patterns: Sequence[Pattern],
        by_pattern: dict[int, list[Slot]],
        slots: Sequence[Slot],
        parents: Sequence[int],
        path: str,
    ) -> None:
        """Report that all spans are there, but not where the lines have them."""
        complete = all(
            pattern.name == _ANY_SPANS or pattern.low <= len(by_pattern.get(number, ())) <= pattern.high
            for number, pattern in enumerate(patterns)
        )
        placed = sum(map(len, by_pattern.values())) == len(slots)
        if complete and placed and slots and all(slot.block == SEQUENTIAL for slot in slots):
            wanted = [pattern.name for pattern in patterns]
            found = list(dict.fromkeys(slot.node.name for slot in slots))
            self._note(
                Code.REORDERED,
                slots[0],
                parents,
                path,
                golden=", ".join(wanted[:6]),
                candidate=", ".join(found[:6]),
            )

    def _note(
        self,
        code: Code,
        slot: Slot,
        parents: Sequence[int],
        path: str,
        *,
        golden: str = "",
        candidate: str = "",
        detail: str = "",
    ) -> None:
        where = extend_path(path, slot.node.name)
        self.ledger.note(
            code,
            where,
            golden=golden,
            candidate=candidate,
            detail=detail,
            count=len(parents),
            places=Places(self.form, slot.node, slot.instances(parents)),
        )

    # --- one span ----------------------------------------------------------------------------------------------

    def _check(self, pattern: Pattern, node: Node, instances: Sequence[int], path: str) -> None:
        if pattern.kind and pattern.kind != kind_name(node.kind):
            places = Places(self.form, node, instances)
            self.ledger.note(
                Code.KIND,
                path,
                golden=pattern.kind,
                candidate=kind_name(node.kind),
                count=len(instances),
                places=places,
            )
        for key, wanted in pattern.index:
            self._check_index(key, wanted, node, instances, path)
        for order, instance in enumerate(instances):
            own = self.form.owns[node.own[instance]]
            for change in diff_owns(*self._restricted(pattern, own, order, len(instances)), self.tolerance):
                self.ledger.note(
                    change.code,
                    path,
                    key=change.key,
                    golden=change.golden,
                    candidate=change.candidate,
                    detail=change.detail,
                    places=Places(self.form, node, [instance]),
                )

    def _restricted(self, pattern: Pattern, own: Own, order: int, size: int) -> tuple[Own, Own]:
        """Return what the line asks of a span, and the same part of the span."""
        present = dict(own.attributes)
        wanted = []
        for key, column in pattern.attributes:
            value = column[order % len(column)] if column and size % len(column) == 0 else column[0]
            if value is not None:
                wanted.append((key, value))
        keys = {key for key, _ in wanted}
        status = pattern.status if pattern.status is not None else (0 if own.status == _ERROR else own.status)
        names = {event.name for event in own.events}
        events = [event for event in own.events if event.name in pattern.events]
        asked = (*events, *(EventForm(name, ()) for name in pattern.events if name not in names))
        golden = Own(tuple(sorted(wanted)), status, own.scope, asked)
        candidate = Own(
            tuple((key, value) for key, value in sorted(present.items()) if key in keys),
            own.status,
            own.scope,
            tuple(events),
        )
        return golden, candidate

    def _check_index(
        self, key: str, wanted: Sequence[Number], node: Node, instances: Sequence[int], path: str
    ) -> None:
        column = node.index.get(key)
        found = [column[at] for at in instances] if column else []
        expected = list(wanted) * (len(found) // len(wanted)) if wanted else []
        if found != expected:
            self.ledger.note(
                Code.MISSING_INDEX,
                path,
                key=key,
                golden=_numbers(wanted),
                candidate=_numbers(found),
                count=len(instances),
                places=Places(self.form, node, instances),
            )


def _feasible_counts(patterns: Sequence[Pattern], slots: Sequence[Slot]) -> list[int] | None:
    """Return how many spans in a row each pattern takes, the first ones as many as they can; None if none fit."""
    n, m = len(patterns), len(slots)
    fits = [[False] * (m + 1) for _ in range(n)] + [[False] * m + [True]]
    runs: list[list[int]] = []
    for number in range(n - 1, -1, -1):
        pattern, after, row = patterns[number], fits[number + 1], fits[number]
        run = [0] * (m + 1)
        for at in range(m - 1, -1, -1):
            run[at] = run[at + 1] + 1 if pattern.matches(slots[at]) else 0
        sums = [0] * (m + 2)
        for at in range(m, -1, -1):
            sums[at] = sums[at + 1] + after[at]
        for at in range(m + 1):
            most = min(pattern.high, run[at])
            if most >= pattern.low:
                row[at] = sums[at + pattern.low] - sums[at + most + 1] > 0
        runs.append(run)
    if not fits[0][0]:
        return None
    counts = []
    at = 0
    for number, pattern in enumerate(patterns):
        run = runs[n - 1 - number]
        after = fits[number + 1]
        count = next(
            count for count in range(min(pattern.high, run[at]), pattern.low - 1, -1) if after[at + count]
        )
        counts.append(count)
        at += count
    return counts


def _shown(high: int) -> str:
    return "" if high >= _UNLIMITED else str(high)


def _numbers(values: Sequence[Number]) -> str:
    shown = ", ".join("none" if value is None else f"{value:g}" for value in values[:4])
    return f"{shown}, ... ({len(values)})" if len(values) > 4 else shown or "nothing"
