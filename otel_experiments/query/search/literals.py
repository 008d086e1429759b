"""Values in a search expression: numbers, texts, truth values, None, lists of them, and numbers that are calculated."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeGuard

from otel_experiments.process.interruption import pass_on

if TYPE_CHECKING:
    from otel_experiments.model.search import ArithmeticOperator, Literal_, SearchValue
    from otel_experiments.query.search.source import Source

_CONSTANTS: Final = {"inf": math.inf, "nan": math.nan}
_LARGEST: Final = 2**63
ARITHMETIC: Final[Mapping[type[ast.operator], ArithmeticOperator]] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/",
}  # fmt: skip
_CALCULATE: Final[Mapping[ArithmeticOperator, Callable[[float, float], float]]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
}  # fmt: skip


def is_literal(node: ast.expr) -> bool:
    """Tell whether the node is a value or a list of values, of which none is a field."""
    match node:
        case ast.Tuple() | ast.List() | ast.Set() | ast.JoinedStr():
            return True
    waiting = [node]
    while waiting:  # no recursion: 1 + 1 + 1 + ... may be deeper than Python goes
        match waiting.pop():
            case ast.Constant():
                pass
            case ast.Name(name) if name in _CONSTANTS:
                pass
            case ast.UnaryOp(ast.USub() | ast.UAdd(), operand):
                waiting.append(operand)
            case ast.BinOp(left, _, right):
                waiting += [left, right]
            case _:
                return False
    return True


def read_value(source: Source, node: ast.expr) -> SearchValue:
    """Return the value that the node stands for, a list as a tuple.

    Raises:
        SearchSyntaxError: it stands for none.
    """
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return tuple(read_scalar(source, element) for element in node.elts)
    return read_scalar(source, node)


def read_scalar(source: Source, node: ast.expr, depth: int = 0) -> Literal_:
    """Return the one value that the node stands for.

    Raises:
        SearchSyntaxError: it stands for none, or for several.
    """
    source.check_depth(node, depth)
    match node:
        case ast.Constant(value) if _is_scalar(value):
            return value
        case ast.Name(("inf" | "nan") as name):
            return _CONSTANTS[name]
        case ast.UnaryOp((ast.USub() | ast.UAdd()) as sign, operand):
            value = read_scalar(source, operand, depth + 1)
            if isinstance(value, int | float) and not isinstance(value, bool):
                return -value if isinstance(sign, ast.USub) else value
            raise source.error("A sign stands before a number.", "Remove the sign.", node)
        case ast.BinOp(left, sign, right):
            sides = [read_scalar(source, side, depth + 1) for side in (left, right)]
            return _calculated(source, node, arithmetic_of(source, node, sign), sides)
        case ast.JoinedStr():
            raise source.error("An f-string cannot stand here.", "Write the text itself.", node)
    raise source.error(
        "Here a value is expected.", "Write a number, text in quotes, True, False or None.", node
    )


def arithmetic_of(source: Source, node: ast.expr, sign: ast.operator) -> ArithmeticOperator:
    """Return the sign of a calculation.

    Raises:
        SearchSyntaxError: it is none that a search knows.
    """
    if type(sign) not in ARITHMETIC:
        raise source.error(
            "A search does not know this sign of a calculation.",
            "There are: + - * and /, and parentheses.",
            node,
        )
    return ARITHMETIC[type(sign)]


def _calculated(
    source: Source, node: ast.expr, sign: ArithmeticOperator, sides: list[Literal_]
) -> int | float:
    numbers = [side for side in sides if isinstance(side, int | float) and not isinstance(side, bool)]
    if len(numbers) != len(sides):
        raise source.error("Only numbers are calculated with.", "Write the value itself.", node)
    try:
        found = _CALCULATE[sign](*numbers)
        return float(found) if abs(found) >= _LARGEST else found
    except (ZeroDivisionError, OverflowError) as exc:
        pass_on(exc)
        raise source.error("This has no number as its result.", "Write the number itself.", node) from exc


def _is_scalar(value: object) -> TypeGuard[Literal_]:
    return value is None or isinstance(value, str | bool | int | float)
