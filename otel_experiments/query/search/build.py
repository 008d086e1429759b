"""Searches made of objects instead of text: `(Param("lr") < 1e-3) & (Metric("loss").min < 0.1)`.

What is made is the tree that the parser makes of the same search: `str(condition)` is its text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date
from numbers import Integral, Real
from typing import TYPE_CHECKING, Never

from otel_experiments._short_repr import short
from otel_experiments.errors import SearchSyntaxError
from otel_experiments.model.search import (
    And,
    Arithmetic,
    Calculated,
    Comparison,
    Exists,
    IsNan,
    Literal_,
    Not,
    Or,
)
from otel_experiments.query.search.parser import parse_field, parse_search
from otel_experiments.query.search.text import format_operand, format_search
from otel_experiments.query.search.value import UnfitValueError, field_kind, fit_value

if TYPE_CHECKING:
    from otel_experiments.model.search import (
        ArithmeticOperator,
        ComparisonOperator,
        Expression,
        Operand,
        OrderingOperator,
        SearchField,
        SearchValue,
    )
    from otel_experiments.query.search.parser import Meant

Value = Literal_ | date | Real
"""What a field is compared with; a date or time as the text of it."""


class Condition:
    """What holds of the runs that are searched for; join several with `&` and `|`, and turn one round with `~`.

    Attributes:
        expression: the search, as the parser makes it of `str(condition)`.
    """

    __slots__ = ("expression",)

    def __init__(self, expression: Expression) -> None:
        self.expression = expression

    def __and__(self, other: Condition) -> Condition:
        """Both hold."""
        if not isinstance(other, Condition):
            return NotImplemented
        return Condition(And(_operands(And, self.expression, other.expression)))

    def __or__(self, other: Condition) -> Condition:
        """One of them holds."""
        if not isinstance(other, Condition):
            return NotImplemented
        return Condition(Or(_operands(Or, self.expression, other.expression)))

    def __invert__(self) -> Condition:
        """It does not hold."""
        return Condition(Not(self.expression))

    def __bool__(self) -> Never:
        """Refuse `and`, `or`, `not` and chained comparisons, which Python does not let a condition see.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            f"The condition {self} is neither true nor false: it says which runs are searched for.\n"
            "  Join conditions with & and | instead of and and or, each in parentheses; write ~ instead of not.\n"
            "  0 < x < 1 is (x > 0) & (x < 1)."
        )

    def __str__(self) -> str:
        return format_search(self.expression)

    def __repr__(self) -> str:
        return f"Condition({short(str(self))})"


class Number:
    """A number that is calculated of fields, to be compared.

    Args:
        operand: the field, or the calculation with fields and numbers.
    """

    __slots__ = ("operand",)
    __hash__ = None  # type: ignore[assignment]  # == makes a condition

    def __init__(self, operand: Operand) -> None:
        self.operand = operand

    def __lt__(self, other: Number | Value) -> Condition:
        return self._compared("<", other)

    def __le__(self, other: Number | Value) -> Condition:
        return self._compared("<=", other)

    def __gt__(self, other: Number | Value) -> Condition:
        return self._compared(">", other)

    def __ge__(self, other: Number | Value) -> Condition:
        return self._compared(">=", other)

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]
        return self._compared("==", other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return self._compared("!=", other)

    def __add__(self, other: Number | float) -> Number:
        return self._calculated("+", other)

    def __sub__(self, other: Number | float) -> Number:
        return self._calculated("-", other)

    def __mul__(self, other: Number | float) -> Number:
        return self._calculated("*", other)

    def __truediv__(self, other: Number | float) -> Number:
        return self._calculated("/", other)

    def __radd__(self, other: float) -> Number:
        return Number(Arithmetic("+", self._operand("+", other), self.operand))

    def __rsub__(self, other: float) -> Number:
        return Number(Arithmetic("-", self._operand("-", other), self.operand))

    def __rmul__(self, other: float) -> Number:
        return Number(Arithmetic("*", self._operand("*", other), self.operand))

    def __rtruediv__(self, other: float) -> Number:
        return Number(Arithmetic("/", self._operand("/", other), self.operand))

    def __neg__(self) -> Number:
        return Number(Arithmetic("*", -1, self.operand))

    def __str__(self) -> str:
        return format_operand(self.operand)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({short(str(self))})"

    def _calculated(self, operator: ArithmeticOperator, other: object) -> Number:
        return Number(Arithmetic(operator, self.operand, self._operand(operator, other)))

    def _compared(self, operator: OrderingOperator, other: object) -> Condition:
        return Condition(Calculated(self.operand, operator, self._operand(operator, other)))

    def _operand(self, operator: str, other: object) -> Operand:
        """Return the other side of a sign, where both are numbers."""
        found = other.operand if isinstance(other, Number) else _plain(other)
        if _is_text(self.operand):
            raise self._unfit(operator, other, f"{self} is no number to calculate with.", "Name a number.")
        is_number = isinstance(found, int | float) and not isinstance(found, bool) and not math.isnan(found)
        if (
            isinstance(found, str | tuple | None)
            or _is_text(found)
            or not (isinstance(other, Number) or is_number)
        ):
            raise self._unfit(operator, other, f"{other!s} is no number to calculate with.", "Give a number.")
        return found

    def _unfit(self, operator: str, other: object, why: str, fix: str) -> SearchSyntaxError:
        shown = f"{self} {operator} "
        return SearchSyntaxError(expression=f"{shown}{other!s}", column=len(shown), why=why, fix=fix)


class Field(Number):
    """A field of what is searched, to be compared, looked into or calculated with.

    Args:
        field: the field, or its text as in a search.
    """

    __slots__ = ("field",)

    def __init__(self, field: SearchField | str) -> None:
        self.field: SearchField = parse_field(field) if isinstance(field, str) else field
        super().__init__(self.field)

    def contains(self, value: Value) -> Condition:
        """Tell whether it is a text with this part, or a list with this element."""
        return self._condition("contains", value)

    def startswith(self, text: str) -> Condition:
        """Tell whether it is a text that begins so."""
        return self._condition("startswith", text)

    def endswith(self, text: str) -> Condition:
        """Tell whether it is a text that ends so."""
        return self._condition("endswith", text)

    def matches(self, pattern: str) -> Condition:
        """Tell whether the regular expression `pattern` is found in it."""
        return self._condition("matches", pattern)

    def one_of(self, values: Iterable[Value]) -> Condition:
        """Tell whether it equals one of the values."""
        return self._condition("in", tuple(values))

    def none_of(self, values: Iterable[Value]) -> Condition:
        """Tell whether it is there and equals none of the values."""
        return self._condition("not in", tuple(values))

    def exists(self) -> Condition:
        """Tell whether it is there at all."""
        return Condition(Exists(self.field))

    def isnan(self) -> Condition:
        """Tell whether it is NaN.

        Raises:
            SearchSyntaxError: it is a text.
        """
        if field_kind(self.field) in {"text", "texts", "truth"}:
            raise self._unfit("is", "nan", f"{self} is text and never is nan.", "Ask it of a metric.")
        return Condition(IsNan(self.field))

    def _compared(self, operator: OrderingOperator, other: object) -> Condition:
        return (
            super()._compared(operator, other)
            if isinstance(other, Number)
            else self._condition(operator, other)
        )

    def _condition(self, operator: ComparisonOperator, other: object) -> Condition:
        try:
            fitted = fit_value(self.field, operator, _plain(other), shown=str(self))
        except UnfitValueError as exc:
            raise self._unfit(operator, other, exc.why, exc.fix) from exc
        return Condition(Comparison(self.field, operator, fitted))


def expression_of(where: str | Expression | Condition | None, *, meant: Meant) -> Expression | None:
    """Return a search as the tree, however it was given; `meant` is asked when a name is no field.

    Raises:
        SearchSyntaxError: it is a text that cannot be understood.
    """
    if isinstance(where, str):
        return parse_search(where, meant=meant)
    return where.expression if isinstance(where, Condition) else where


def _operands(kind: type[And | Or], *sides: Expression) -> tuple[Expression, ...]:
    """Return what is joined, as one row: `a & b & c` is `a and b and c`."""
    return tuple(one for side in sides for one in (side.operands if isinstance(side, kind) else (side,)))


def _is_text(operand: Operand) -> bool:
    return not isinstance(operand, Arithmetic | int | float) and field_kind(operand) in {
        "text",
        "texts",
        "truth",
    }


def _plain(value: object) -> SearchValue:
    """Return the value as an expression would have it; what is none of these is left to the check of the field."""
    match value:
        case None | str() | bool():
            return value
        case date():
            return value.isoformat()
        case Integral():
            return int(value)
        case Real():
            return float(value)
        case list() | tuple():
            return tuple(one for each in value if not isinstance(one := _plain(each), tuple))
    raise TypeError(
        f"A search cannot compare with {value!r}.\n  Give a number, a text, True, False, None, a date or a list of them."
    )
