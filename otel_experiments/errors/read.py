"""Errors and warnings of what is read: searches, figures, OTLP of others, and answers that lack something."""

from __future__ import annotations

from typing import Final

from otel_experiments.errors.root import OtelExperimentsError, OtelExperimentsWarning

_SHOWN: Final = 60
"""Characters of a cursor that a message shows."""


class IncompleteReadWarning(OtelExperimentsWarning):
    """What was read from a store lacks something: journals that could not be merged, rows that cannot be read."""


class SearchWarning(OtelExperimentsWarning):
    """A search was answered otherwise than its words say: a field that no run has, a direction that was guessed."""


class QueryError(OtelExperimentsError, ValueError):
    """A question to the store cannot be understood or may not be asked."""


class PageCursorError(QueryError):
    """A cursor does not say where a page of this search begins."""

    def __init__(self, *, cursor: str, found: str) -> None:
        self.cursor, self.found = cursor, found
        shown = cursor if len(cursor) <= _SHOWN else f"{cursor[:_SHOWN]}..."
        super().__init__(
            f"The cursor {shown!r} says no place in this search: {found}.\n"
            "  Give the one that the page before gave, with the same search and order; or none, to begin at the start."
        )


class SearchSyntaxError(QueryError):
    """A search expression cannot be understood; the text points at the column."""

    def __init__(self, *, expression: str, column: int, why: str, fix: str) -> None:
        self.expression, self.column, self.why = expression, column, why
        # A long expression is shown as the window around the mistake.
        first = max(0, column - 60) if len(expression) > 160 else 0
        shown = expression[first : first + 160]
        if first + len(shown) < len(expression):
            shown += "..."
        mark = column - first
        if first:
            shown, mark = f"...{shown}", mark + 3
        super().__init__(f"{why}\n  {shown}\n  {' ' * mark}^\n  {fix.rstrip()}")


class CursorError(QueryError):
    """A cursor cannot be followed: it is none, or one of another run or store."""

    def __init__(self, *, cursor: str, why: str) -> None:
        self.cursor, self.why = cursor, why
        shown = cursor if len(cursor) <= 24 else f"{cursor[:24]}..."
        super().__init__(
            f"The cursor {shown!r} cannot be followed: {why}.\n  Ask without one: changes(run) begins at the start of the run."
        )


class FigureError(OtelExperimentsError, ValueError):
    """A figure cannot be read from a text, or saved under a name."""

    def __init__(self, *, action: str, found: str, fix: str) -> None:
        self.action, self.found = action, found
        super().__init__(f"The figure cannot be {action}: {found}.\n  {fix}")


class TelemetryDecodeError(OtelExperimentsError, ValueError):
    """Bytes or JSON that should be OTLP are not."""

    def __init__(self, *, source: str, found: str) -> None:
        self.source, self.found = source, found
        super().__init__(
            f"{source}: {found}.\n"
            "  Give OTLP as the specification has it: JSON, JSON Lines, or protobuf (TracesData, MetricsData, LogsData)."
        )
