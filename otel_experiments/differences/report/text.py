"""Two runs as text for a terminal: ten lines of differences, or all of them with the times of every path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from otel_experiments.differences.difference import Difference
from otel_experiments.differences.found import Differing
from otel_experiments.differences.report.words import change_of, head_of, same_text, verdict_of
from otel_experiments.differences.span_sides import PathTimes
from otel_experiments.figures.escape import clip, show_hidden
from otel_experiments.figures.quantity import duration

_ROLES: Final = {"cause": "causes", "symptom": "symptoms", "label": "labels"}
_LEAST_KEY: Final = 14
_LEAST_CHANGE: Final = 20
_INDENT: Final = "  "


def render_text(diff: Differing, *, is_all: bool = False, width: int = 100) -> str:
    """Return the report.

    Args:
        diff: what differs.
        is_all: whether every difference is shown, with the patches line by line and the times of every path.
        width: how many columns wide; with `is_all` nothing is cut.
    """
    shown = diff.shown(is_all=is_all)
    lines = [f"A  {head_of(diff.a)}", f"B  {head_of(diff.b)}", verdict_of(diff)]
    room = None if is_all else width
    for role, heading in _ROLES.items():
        of_role = [one for one in shown if one.role == role]
        if of_role:
            lines += ["", heading, *_rows(of_role, room, with_lines=is_all)]
    rest = len(diff.differences) - len(shown)
    if rest:
        lines.append(f"{_INDENT}and {rest:,} more (--all, or text(is_all=True))")
    if is_all:
        lines += _path_table(diff)
    same = same_text(diff)
    if same or diff.notes:
        lines.append("")
    lines += [f"the same: {same}"] if same else []
    lines += [f"note: {show_hidden(note)}" for note in diff.notes]
    return "\n".join(lines)


def _rows(differences: Sequence[Difference], width: int | None, *, with_lines: bool) -> Iterator[str]:
    keys = [show_hidden(one.key) for one in differences]
    section_width = max(len(one.section) for one in differences)
    key_width = max(map(len, keys))
    if width is not None:
        key_width = min(key_width, max(_LEAST_KEY, width * 2 // 5))
    for one, key in zip(differences, keys, strict=True):
        change = change_of(one) if width is None else clip(change_of(one), max(_LEAST_CHANGE, width * 2 // 5))
        start = f"{_INDENT}{one.section:<{section_width}}  {clip(key, key_width):<{key_width}}"
        line = f"{start}  {change}  {show_hidden(one.detail)}".rstrip()
        yield line if width is None or len(line) <= width else f"{line[: width - 3].rstrip()}..."
        if with_lines:
            yield from (f"{_INDENT}{' ' * section_width}  | {show_hidden(text)}" for text in one.lines)


def _path_table(diff: Differing) -> list[str]:
    paths = list(dict.fromkeys((*diff.paths_a, *diff.paths_b)))
    if not paths:
        return []
    rows: list[tuple[str, ...]] = [("path", "count", "p50", "p95", "self", "CPU")]
    for path in paths:
        both = diff.paths_a.get(path), diff.paths_b.get(path)
        rows.append((show_hidden(path), *(" / ".join(pair) for pair in zip(*map(_cells, both), strict=True))))
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return ["", "times of spans, A / B", *(_INDENT + _joined(row, widths) for row in rows)]


def _joined(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = row
    cells = [
        first.ljust(widths[0]),
        *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)),
    ]
    return "  ".join(cells).rstrip()


def _cells(times: PathTimes | None) -> tuple[str, ...]:
    if times is None:
        return ("-",) * 5
    return (f"{times.count:,}", *map(duration, (times.p50_s, times.p95_s, times.self_s, times.cpu_s)))
