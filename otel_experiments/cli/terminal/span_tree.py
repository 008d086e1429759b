"""The folded span tree as lines: who called what, how often, how long.

Names stand without their index; reports that name one pass of a loop say it as `model/span_index.py` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from rich.console import Console
from rich.text import Text

from otel_experiments.cli.terminal import format as fmt
from otel_experiments.cli.terminal.console import is_unicode
from otel_experiments.cli.terminal.table import Column, print_table
from otel_experiments.model.run import RunState
from otel_experiments.model.span import Span
from otel_experiments.query.fold import FoldedNode
from otel_experiments.query.judged_spans import SpanAnnotations

MAX_DEPTH = 12
"""Levels shown; below them a line says how much is hidden."""
MOST_JUDGEMENTS = 3
"""So many judgements stand in a line."""


@dataclass(frozen=True, slots=True)
class TreeLine:
    """One line of the tree: what stands before the name, and the node; `depth` counts from 0."""

    prefix: str
    depth: int
    node: FoldedNode


def tree_lines(roots: Sequence[FoldedNode], *, is_unicode: bool = True) -> Iterator[TreeLine]:
    """Yield the lines of the trees, parents before children."""
    tee, corner, bar = ("├─ ", "└─ ", "│  ") if is_unicode else ("|- ", "`- ", "|  ")
    # Each entry: the node, what its own line and what its children's lines begin with, its depth.
    waiting = [(root, "", "", 0) for root in reversed(roots)]
    while waiting:
        node, own, below, depth = waiting.pop()
        yield TreeLine(own, depth, node)
        last = len(node.children) - 1
        waiting.extend(
            (child, below + (corner if i == last else tee), below + ("   " if i == last else bar), depth + 1)
            for i, child in reversed(list(enumerate(node.children)))
        )


def print_tree(
    console: Console,
    roots: Sequence[FoldedNode],
    *,
    state: RunState | None,
    now_ns: int,
    annotations: SpanAnnotations = MappingProxyType({}),
) -> None:
    """Print the tree: span, count, times, what is wrong with it and what was judged of it.

    Args:
        console: where to; decides between lines and ASCII signs.
        roots: the folded forest.
        state: the run's state; an open span of a lost run is lost, of a live one it still runs.
        now_ns: for how long an open span has run.
        annotations: what was judged of the spans.
    """
    rows: list[list[str | Text]] = []
    hidden = 0
    for line in tree_lines(roots, is_unicode=is_unicode(console)):
        if line.depth >= MAX_DEPTH:
            hidden += line.node.count
            continue
        node = line.node
        name = Text.assemble((line.prefix, "dim"), fmt.clean(node.name))
        note = _note(node, state, now_ns)
        judged = judgements(node.spans, annotations)
        if judged:
            note.append(" " if note else "").append(judged, style="yellow")
        rows.append([name, f"x{node.count}" if node.count > 1 else "", _times(node), note])
    layout = [Column(is_elastic=True), Column(is_right=True), Column(), Column()]
    print_table(console, layout, rows, has_header=False)
    if hidden:
        console.print(Text(f"({hidden} spans deeper than {MAX_DEPTH} levels)", style="dim"))


def judgements(spans: Sequence[Span], annotations: SpanAnnotations) -> str:
    """Return what was judged of spans in one line: `quality 0.8, correct yes`."""
    if not annotations:
        return ""
    found = [one for span in spans for one in annotations.get(span.span_id, ())]
    texts = []
    for one in found[:MOST_JUDGEMENTS]:
        score = "" if one.score is None else fmt.value(one.score)
        said = " ".join(text for text in (score, fmt.clean(one.label)) if text) or fmt.clean(one.comment)
        texts.append(f"{fmt.clean(one.name)} {said}")
    rest = len(found) - len(texts)
    return ", ".join([*texts, f"{rest} more"] if rest else texts)


def _times(node: FoldedNode) -> str:
    median = node.quantile_ns(0.5)
    if median is None:
        return ""
    if node.count == 1:
        return fmt.duration(median / 1e9)
    tail = node.quantile_ns(0.95) or 0.0
    return f"p50 {fmt.duration(median / 1e9)}  p95 {fmt.duration(tail / 1e9)}"


def _note(node: FoldedNode, state: RunState | None, now_ns: int) -> Text:
    note = Text()
    if node.error_count:
        note.append("failed" if node.count == 1 else f"{node.error_count} failed", style="red")
    if node.open_count:
        if note:
            note.append(" ")
        many = "" if node.count == 1 else f"{node.open_count} "
        if state is RunState.LOST:
            note.append(f"{many}lost", style="magenta")
        elif state is not None and state.is_live:
            since = fmt.duration(
                (now_ns - min(span.start_ns for span in node.spans if span.end_ns is None)) / 1e9
            )
            note.append(f"{many}running {since}", style="cyan")
        else:
            note.append(f"{many}never ended", style="yellow")
    return note
