"""`query_sql`: read-only SQL over the documented schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from otel_experiments.agents.tool import Answer, Argument, Tool
from otel_experiments.agents.tools.shapes import counted, limit
from otel_experiments.query.json_values import Plain, plain

if TYPE_CHECKING:
    from otel_experiments.agents.place import Place

_MOST_BYTES: Final = 64
"""A longer cell of bytes is only told."""


def _sql(place: Place, given: Mapping[str, Any]) -> Answer:  # arguments by name, each of its kind
    with place.open() as reader:
        # One more than is shown says whether there are more.
        columns, found = reader.store.sql(given["statement"], limit=given["limit"] + 1)
    rows: list[Plain] = [[_cell(cell) for cell in row] for row in found[: given["limit"]]]
    is_more = len(found) > given["limit"]
    more = (
        "; there are more: add `limit` and `offset` to the statement, or ask for a larger limit"
        if is_more
        else ""
    )
    return Answer(
        f"{counted(len(rows), 'row')}{more}.",
        {"columns": list(columns), "rows": rows, "has_more": is_more},
    )


def _cell(cell: object) -> Plain:
    if isinstance(cell, bytes) and len(cell) > _MOST_BYTES:
        return f"({len(cell):,} bytes)"
    return plain(cell)


QUERY_SQL: Final = Tool(
    "query_sql",
    "Ask in SQL",
    "Ask the store in SQL: one statement that only reads. The resource otel-experiments://schema has the tables. Short bytes are "
    "base64. Prefer search_runs and read_series where they answer the question.",
    (
        Argument("statement", "text", "one select statement in the dialect of SQLite.", is_required=True),
        limit(100, 1000, "rows"),
    ),
    {
        "columns": {"type": "array", "items": {"type": "string"}},
        "rows": {"type": "array", "items": {"type": "array"}},
        "has_more": {"type": "boolean"},
    },
    _sql,
    rest="Select fewer columns or rows, or substr() of long texts.",
)
