"""Calculations in a search expression: `metrics.val_loss - metrics.loss`, `duration / 60`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from otel_experiments.model.search import Arithmetic
from otel_experiments.query.search.literals import arithmetic_of, is_literal, read_scalar
from otel_experiments.query.search.text import operand_fields
from otel_experiments.query.search.value import field_kind

if TYPE_CHECKING:
    from otel_experiments.model.search import Calculated, Operand
    from otel_experiments.query.search.fields import FieldReader
    from otel_experiments.query.search.source import Source

MAX_FIELDS: Final = 16
"""Different fields in one comparison of calculations: each is a table of a join, of which SQLite allows 64."""


class OperandReader:
    """Reads the calculations of one expression."""

    def __init__(self, source: Source, fields: FieldReader) -> None:
        self._source = source
        self._fields = fields

    def is_calculation(self, node: ast.expr) -> bool:
        """Tell whether the node calculates, or turns the sign of a field round."""
        return isinstance(node, ast.BinOp) or (
            isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd)
        )

    def read(self, node: ast.expr, depth: int = 0) -> Operand:
        """Return what is calculated.

        Raises:
            SearchSyntaxError: it cannot be calculated.
        """
        self._source.check_depth(node, depth)
        if is_literal(node):
            return self._number(node)
        match node:
            case ast.BinOp(left, sign, right):
                quoted = self._fields.name_with_signs(node)
                if quoted:
                    raise self._source.error(
                        "A calculation has a word in it that is no field.",
                        f"A name with a sign in it is quoted: {quoted}",
                        node,
                    )
                operator = arithmetic_of(self._source, node, sign)
                return Arithmetic(operator, self.read(left, depth + 1), self.read(right, depth + 1))
            case ast.UnaryOp(ast.UAdd(), operand):
                return self.read(operand, depth + 1)
            case ast.UnaryOp(ast.USub(), operand):
                return Arithmetic("*", -1, self.read(operand, depth + 1))
        field = self._fields.read(node)
        if field_kind(field) in {"text", "texts", "truth"}:
            shown = self._source.slice(node)
            what = "true or false" if field_kind(field) == "truth" else "text"
            raise self._source.error(
                f"{shown} is {what}, and only numbers are calculated with or compared with other fields.",
                f"Compare it by itself: {shown} == ...",
                node,
            )
        return field

    def check_size(self, found: Calculated, node: ast.expr) -> None:
        """Let a comparison pass that has not too many fields.

        Raises:
            SearchSyntaxError: it has.
        """
        if len({*operand_fields(found.left), *operand_fields(found.right)}) > MAX_FIELDS:
            raise self._source.error(
                f"One comparison has more than {MAX_FIELDS} fields.", "Compare fewer of them at once.", node
            )

    def _number(self, node: ast.expr) -> int | float:
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            raise self._source.error("A list cannot be calculated with.", "Write a number.", node)
        value = read_scalar(self._source, node)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._source.error(f"{value!r} is no number to calculate with.", "Write a number.", node)
        if value != value:  # noqa: PLR0124 - NaN alone differs from itself
            raise self._source.error("Nothing compares with nan, not even nan.", "Write isnan(...)", node)
        return value
