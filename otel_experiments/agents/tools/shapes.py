"""What several tools say in the same way: which run, a page of a list, and how both are described in JSON Schema."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from otel_experiments.agents.tool import Argument, Schema

if TYPE_CHECKING:
    from otel_experiments.query import RunView
    from otel_experiments.query.json_values import Plain

RUN: Final = Argument(
    "run",
    "text",
    "the id of a run, the beginning of one, or a name, which means its newest run; latest is the newest of all.",
    is_required=True,
)
WHERE: Final = Argument(
    "where",
    "text",
    "a search expression such as: metrics.loss.min < 0.1 and params.lr > 1e-4 and state == 'succeeded'. The resource "
    "otel-experiments://search describes it.",
)
OFFSET: Final = Argument("offset", "whole", "leave out so many at the start.", default=0, least=0)

TEXT: Final[Schema] = {"type": "string"}
MAYBE_TEXT: Final[Schema] = {"type": ["string", "null"]}
WHOLE: Final[Schema] = {"type": "integer"}
OBJECT: Final[Schema] = {"type": "object"}
OBJECTS: Final[Schema] = {"type": "array", "items": {"type": "object"}}
ID: Final[Schema] = {
    "type": "string",
    "description": "The beginning of the run's id; tools take it as `run`.",
}
NEXT_OFFSET: Final[Schema] = {
    "type": ["integer", "null"],
    "description": "The `offset` with which the list goes on; null at its end.",
}


def limit(default: int, most: int, what: str) -> Argument:
    """Return the argument that says how many of something are answered."""
    return Argument("limit", "whole", f"at most so many {what}.", default=default, least=1, most=most)


def next_offset(offset: int, shown: int, total: int) -> int | None:
    """Return where a list goes on; None at its end."""
    end = offset + shown
    return end if shown and end < total else None


def plain_name(run: RunView) -> dict[str, Plain]:
    """Return which run it is."""
    return {"id": run.short_id, "name": run.name, "experiment": run.experiment, "state": str(run.state)}


def moment(time_ns: int | None) -> str | None:
    """Return a time in ISO 8601, UTC, with seconds."""
    if time_ns is None:
        return None
    return datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def counted(count: int, noun: str) -> str:
    """Return how many there are, in words."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
