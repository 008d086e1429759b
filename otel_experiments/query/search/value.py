"""Which values a search field may be compared with, and what a literal in an expression means.

A comparison that could never hold (text with a metric, a state that does not exist, a broken regular
expression) is refused here, when the expression is read, instead of silently matching nothing.
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

from otel_experiments.model.run import RunState
from otel_experiments.model.search import (
    ArtifactField,
    AttributeField,
    DirtyField,
    EventCountField,
    FactField,
    LogTextField,
    MetricField,
    PackageField,
    ParamField,
    RecordField,
    RunField,
    SpanStatField,
    TagField,
)
from otel_experiments.process.interruption import pass_on
from otel_experiments.query.closest import closest

if TYPE_CHECKING:
    from otel_experiments.model.search import (
        ArtifactPart,
        ComparisonOperator,
        Literal_,
        SearchField,
        SearchValue,
    )

TIME_FIELDS = frozenset({"created", "started", "ended", "pinned", "archived", "removed"})
NUMBER_FIELDS = TIME_FIELDS | {"duration", "attempt", "artifacts"}
_EARLY: Final = 1e8
"""Seconds since 1970: somebody who compares with fewer means how long something took."""
_ORDERING = frozenset({"<", "<=", ">", ">="})
_OF_TEXT = frozenset({"contains", "startswith", "endswith", "matches"})
_STATE_WORDS = {
    word: state
    for state, words in {
        RunState.SUCCEEDED: "finished finish done complete completed success successful ok passed closed ended",
        RunState.FAILED: "crashed crash error errored exception broken",
        RunState.CANCELLED: "canceled killed kill aborted stopped interrupted terminated preempted",
        RunState.RUNNING: "active alive live started working",
        RunState.PENDING: "queued scheduled waiting created new",
        RunState.LOST: "dead gone vanished zombie unknown",
        RunState.PAUSED: "suspended",
    }.items()
    for word in words.split()
}
"""What other programs call a state, and what it is here."""
FieldKind = Literal["text", "number", "any", "texts", "truth"]
_ARTIFACT_KINDS: Final[dict[ArtifactPart, FieldKind]] = {
    "digest": "text", "type": "text", "size": "number", "aliases": "texts",
}  # fmt: skip


class UnfitValueError(Exception):
    """A value that the field can never have; the parser adds where it stands."""

    def __init__(self, why: str, fix: str) -> None:
        super().__init__(why)
        self.why, self.fix = why, fix


def field_kind(field: SearchField) -> FieldKind:  # noqa: PLR0911 - one return a kind
    """Return what the field holds; parameters may hold anything."""
    match field:
        case ParamField() | AttributeField():
            return "any"
        case TagField() | LogTextField() | FactField() | PackageField():
            return "text"
        case DirtyField():
            return "truth"
        case MetricField() | SpanStatField() | EventCountField():
            return "number"
        case ArtifactField(part=part):
            return _ARTIFACT_KINDS[part]
        case RecordField(kind=kind):
            return "text" if kind == "text" else "number"
        case RunField(name):
            return "number" if name in NUMBER_FIELDS else "text"


def fit_value(
    field: SearchField, operator: ComparisonOperator, value: SearchValue, *, shown: str
) -> SearchValue:
    """Return the value as the store compares it: dates become seconds since the epoch.

    Args:
        field: the left side.
        operator: what is asked of it.
        value: a literal, or a tuple of literals for `in` and `not in`.
        shown: the field as the user wrote it, for the texts.

    Raises:
        UnfitValueError: the comparison could never hold.
    """
    if isinstance(value, tuple):
        is_list = operator in {"==", "!="} and field_kind(field) == "any"
        if operator not in {"in", "not in"} and not is_list:
            raise UnfitValueError(
                f"{shown} {operator} (...) compares with a list.",
                f"Ask for one of several: {shown} in (1, 2)",
            )
        return tuple(_fit_one(field, "==", one, shown) for one in value)
    return _fit_one(field, operator, value, shown)


def _fit_one(field: SearchField, operator: ComparisonOperator, value: Literal_, shown: str) -> Literal_:
    if isinstance(value, float) and math.isnan(value):
        raise UnfitValueError("Nothing compares with nan, not even nan.", f"Write isnan({shown})")
    kind = field_kind(field)
    if operator in _OF_TEXT:
        return _fit_text_search(kind, operator, value, shown)
    if kind == "truth":
        if not isinstance(value, bool) or operator in _ORDERING:
            raise UnfitValueError(f"{shown} is True or False.", f"Write {shown} == True")
        return value
    if kind == "texts":
        raise UnfitValueError(f"{shown} are several.", f'Ask for one of them: {shown}.contains("best")')
    if value is None and not (kind == "any" and operator in {"==", "!="}):
        raise UnfitValueError(f"{shown} never is None.", f"Ask whether it is there: exists({shown})")
    if kind == "text":
        return _fit_text(field, value, shown)
    if kind == "number":
        return _fit_number(field, value, shown)
    if isinstance(value, bool) and operator in _ORDERING:
        raise UnfitValueError(f"{value} has no order.", f"Write {shown} == {value}")
    return value


def _fit_text(field: SearchField, value: Literal_, shown: str) -> str:
    if not isinstance(value, str):
        raise UnfitValueError(f"{shown} is text, {value!r} is not.", f'Put it in quotes: "{value}"')
    if isinstance(field, RecordField):
        words = _words_of(field) or (value,)
        if value not in words:
            like = closest(value.lower(), words, cutoff=0.5)
            hint = f"Did you mean {like!r}? " if like else ""
            raise UnfitValueError(
                f"There is no {field.name} {value!r}.", f"{hint}There are: {', '.join(words)}"
            )
        return value
    if isinstance(field, RunField) and field.name == "state":
        known = [str(state) for state in RunState]
        if value not in known:
            close = _STATE_WORDS.get(value.lower()) or closest(value.lower(), known, cutoff=0.5)
            hint = f"Did you mean {str(close)!r}? " if close else ""
            raise UnfitValueError(
                f"There is no state {value!r}.", f"{hint}The states are: {', '.join(known)}"
            )
    return value


def _words_of(field: RecordField) -> tuple[str, ...]:
    """Return the only texts that a field can have; none where it may be any text."""
    from otel_experiments.model.span import SpanKind, StatusCode  # noqa: PLC0415 - 4 ms that few searches need

    kinds = {"kind": SpanKind, "status": StatusCode}
    return tuple(one.name.lower() for one in kinds.get(field.name, ())) if field.of == "span" else ()


def _fit_number(field: SearchField, value: Literal_, shown: str) -> int | float:
    if _is_time(field) and isinstance(value, str):
        return _seconds(value)
    if shown == "time" and isinstance(value, int | float) and abs(value) < _EARLY:
        raise UnfitValueError(
            "time is when a run was created.",
            'Write a date, as in time > "2026-01-31"; how long a run worked is duration.',
        )
    if isinstance(value, bool):
        raise UnfitValueError(f"{shown} is a number, {value} is not.", f"Write {int(value)}")
    if not isinstance(value, int | float):
        raise UnfitValueError(f"{shown} is a number, {value!r} is text.", "Write the number without quotes.")
    return value


def _is_time(field: SearchField) -> bool:
    if isinstance(field, RecordField):
        return field.kind == "time"
    return isinstance(field, RunField) and field.name in TIME_FIELDS


def _fit_text_search(kind: FieldKind, operator: str, value: Literal_, shown: str) -> Literal_:
    if kind == "truth":
        raise UnfitValueError(f"{shown} is True or False and has no .{operator}().", f"Write {shown} == True")
    if kind == "number":
        raise UnfitValueError(
            f"{shown} is a number and has no .{operator}().", f"Compare it: {shown} > 0.5, or 0 < {shown} < 1"
        )
    if kind == "texts" and operator != "contains":
        raise UnfitValueError(
            f"{shown} are several texts and have no .{operator}().", f'Write {shown}.contains("best")'
        )
    if operator == "contains":
        if value is None or (kind in {"text", "texts"} and not isinstance(value, str)):
            raise UnfitValueError(f"{shown}.contains() looks for text, not {value!r}.", "Put it in quotes.")
        return value
    if operator != "matches":
        if not isinstance(value, str):
            raise UnfitValueError(f"{shown}.{operator}() looks for text, not {value!r}.", "Put it in quotes.")
        return value
    if not isinstance(value, str):
        raise UnfitValueError(f"{shown}.matches() takes a regular expression, not {value!r}.", "Quote it.")
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError) as exc:
        raise UnfitValueError(
            f"The regular expression does not compile: {exc}.", "Escape special characters with a backslash."
        ) from exc
    return value


def _seconds(text: str) -> float:
    """Return a date as seconds since the epoch; without an offset it is meant in local time."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError) as exc:
        pass_on(exc)
        raise UnfitValueError(
            f"{text!r} is not a date.",
            'Write it as "2026-01-31", "2026-01-31 18:30" or "2026-01-31T18:30:00Z".',
        ) from exc
