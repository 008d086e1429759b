"""Tables of text: columns as wide as they need to be, the elastic ones cut where the line would be too long.

Rich's own tables shrink every column alike when the terminal is narrow; here an id stays an id.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from otel_experiments.cli.terminal.console import is_unicode

GAP = "  "
_NARROWEST = 8


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, and how it is set.

    `max_width` cuts longer cells; an elastic column gives way when the line would be wider than the terminal.
    """

    heading: str = ""
    is_right: bool = False
    is_elastic: bool = False
    max_width: int | None = None
    style: str = ""


def print_table(
    console: Console,
    columns: Sequence[Column],
    rows: Sequence[Sequence[str | Text]],
    *,
    has_header: bool = True,
) -> None:
    """Print the rows below each other, the headings and a rule above them."""
    for line in table_lines(console, columns, rows, has_header=has_header):
        console.print(line, no_wrap=True, crop=False, overflow="ignore")


def table_lines(
    console: Console,
    columns: Sequence[Column],
    rows: Sequence[Sequence[str | Text]],
    *,
    has_header: bool = True,
) -> Iterator[Text]:
    """Yield the lines of the table, without spaces at their ends."""
    headings = [Text(column.heading, style="bold") for column in columns]
    cells = [
        [
            one if isinstance(one, Text) else Text(one, style=column.style)
            for one, column in zip(row, columns, strict=True)
        ]
        for row in rows
    ]
    widths = _widths(columns, [headings, *cells] if has_header else cells, console.width)
    ellipsis = "…" if is_unicode(console) else "~"
    if has_header:
        yield _line(columns, headings, widths, ellipsis)
        yield Text(
            ("─" if is_unicode(console) else "-") * (sum(widths) + len(GAP) * (len(widths) - 1)), style="dim"
        )
    for row in cells:
        yield _line(columns, row, widths, ellipsis)


def room_beside(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[str | Text]]) -> int:
    """Return how wide one more column can be once the elastic ones have given way; below 0 where even these have no room."""
    widths = [cell_len(column.heading) for column in columns]
    for row in rows:
        widths = [max(width, cell_len(str(cell))) for width, cell in zip(widths, row, strict=True)]
    least = [
        min(width, _NARROWEST) if column.is_elastic else min(width, column.max_width or width)
        for width, column in zip(widths, columns, strict=True)
    ]
    return console.width - sum(least) - len(GAP) * len(columns)


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Text]], room: int) -> list[int]:
    widths = []
    for i, column in enumerate(columns):
        natural = max((cell_len(row[i].plain) for row in rows), default=0)
        widths.append(natural if column.max_width is None else min(natural, column.max_width))
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - room
    elastic = [i for i, column in enumerate(columns) if column.is_elastic]
    # The last elastic column gives way first: what comes earlier matters more.
    for i in reversed(elastic):
        cut = max(0, min(excess, widths[i] - _NARROWEST))
        widths[i] -= cut
        excess -= cut
    return widths


def _line(columns: Sequence[Column], cells: Sequence[Text], widths: Sequence[int], ellipsis: str) -> Text:
    line = Text()
    last = len(columns) - 1
    for i, (column, cell, width) in enumerate(zip(columns, cells, widths, strict=True)):
        shown = _cut(cell, width, ellipsis)
        padding = " " * (width - cell_len(shown.plain))
        if column.is_right:
            line.append(padding)
        line.append_text(shown)
        if i < last:
            line.append(GAP if column.is_right else padding + GAP)
    line.rstrip()
    return line


def _cut(cell: Text, width: int, ellipsis: str) -> Text:
    if cell_len(cell.plain) <= width:
        return cell
    shown = cell.copy()
    shown.truncate(max(0, width - 1))
    shown.append(ellipsis)
    return shown
