"""Search expressions back to text, and what they ask about.

`parse_search(format_search(e)) == e` holds for every expression that the parser can make (property test).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from otel_experiments.model.search import (
    And,
    Arithmetic,
    ArtifactField,
    AttributeField,
    Calculated,
    Comparison,
    DirtyField,
    EventCountField,
    Exists,
    FactField,
    IsNan,
    LogTextField,
    MetricField,
    Not,
    Or,
    PackageField,
    ParamField,
    RecordField,
    RunField,
    SpanStatField,
    SummaryField,
    TagField,
)

if TYPE_CHECKING:
    from otel_experiments.model.search import Expression, Operand, SearchField, SearchValue


def format_field(field: SearchField) -> str:  # noqa: PLR0911 - one return a kind of field
    """Return the field as the parser reads it."""
    match field:
        case RunField(name) | RecordField(name=name) | FactField(name):
            return name
        case ArtifactField(name, part):
            return f"artifacts[{_quote(name)}].{part}"
        case SummaryField(key):
            return f"summary[{_quote(key)}]"
        case ParamField(key):
            return f"params[{_quote(key)}]"
        case TagField(key):
            return f"tags[{_quote(key)}]"
        case MetricField(name, stat, phase):
            inside = _quote(name) if phase is None else f"{_quote(name)}, {_quote(phase)}"
            return f"metrics[{inside}]" + ("" if stat == "last" else f".{stat}")
        case SpanStatField() | EventCountField() | LogTextField() | DirtyField() | PackageField():
            return _format_inside(field)
        case AttributeField(key):
            return f"attributes[{_quote(key)}]"


def _format_inside(
    field: SpanStatField | EventCountField | LogTextField | DirtyField | PackageField,
) -> str:
    match field:
        case DirtyField():
            return "git.dirty"
        case PackageField(name):
            return f"environment.packages[{_quote(name)}]"
        case SpanStatField(name, stat):
            return f"spans[{_quote(name)}].{stat}"
        case EventCountField(name):
            return f"events[{_quote(name)}].count"
        case LogTextField():
            return "logs"


def format_search(expression: Expression) -> str:  # noqa: PLR0911 (one return a shape)
    """Return the expression as the parser reads it."""
    match expression:
        case Comparison(field, ("contains" | "startswith" | "endswith" | "matches") as operator, value):
            return f"{format_field(field)}.{operator}({_literal(value)})"
        case Comparison(field, operator, value):
            return f"{format_field(field)} {operator} {_literal(value)}"
        case Calculated(left, operator, right):
            return f"{format_operand(left)} {operator} {format_operand(right)}"
        case IsNan(field):
            return f"isnan({format_field(field)})"
        case Exists(field):
            return f"exists({format_field(field)})"
        case Not(operand):
            return f"not {_inside(operand)}"
        case And(operands):
            return " and ".join(map(_inside, operands))
        case Or(operands):
            return " or ".join(map(_inside, operands))


def fields_of(expression: Expression | None) -> Iterator[SearchField]:
    """Yield every field that the expression looks at, repeated ones too."""
    waiting = [] if expression is None else [expression]
    while waiting:
        match waiting.pop():
            case And(operands) | Or(operands):
                waiting.extend(operands)
            case Not(operand):
                waiting.append(operand)
            case Comparison(field) | IsNan(field) | Exists(field):
                yield field
            case Calculated(left, _, right):
                yield from operand_fields(left)
                yield from operand_fields(right)


def operand_fields(operand: Operand) -> Iterator[SearchField]:
    """Yield every field of a calculation, repeated ones too."""
    waiting = [operand]
    while waiting:
        match waiting.pop():
            case Arithmetic(_, left, right):
                waiting += [left, right]
            case int() | float():
                pass
            case field:
                yield field


def format_operand(operand: Operand) -> str:
    """Return a calculation as the parser reads it."""
    match operand:
        case Arithmetic(operator, left, right):
            sides = [
                f"({format_operand(side)})" if isinstance(side, Arithmetic) else format_operand(side)
                for side in (left, right)
            ]
            return f"{sides[0]} {operator} {sides[1]}"
        case int() | float():
            return repr(operand)
        case _:
            return format_field(operand)


def _inside(expression: Expression) -> str:
    text = format_search(expression)
    return f"({text})" if isinstance(expression, And | Or) else text


def _quote(text: str) -> str:
    # JSON's escapes are Python's too, as long as characters beyond the first plane stay unescaped.
    return json.dumps(text, ensure_ascii=False)


def _literal(value: SearchValue) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_literal, value))}{',' if len(value) == 1 else ''})"
    return _quote(value) if isinstance(value, str) else repr(value)
