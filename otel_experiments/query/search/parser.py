"""Search expressions in Python's syntax, read into the model's search tree.

    metrics["val/acc"].max > 0.9 and params.lr < 1e-3
    metrics.val_loss - metrics.loss > 0.1 or isnan(metrics.loss)

Nothing is ever evaluated: the text goes through `ast.parse`, and of its tree a small, fixed set of shapes is
understood. Everything else, whatever the text, is a `SearchSyntaxError` that points at its column. Which fields there
are says the subject: what is searched, runs unless it is given.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from otel_experiments.model.search import And, Calculated, Comparison, Exists, IsNan, Not, Or, Order
from otel_experiments.query.search.fields import FieldReader
from otel_experiments.query.search.literals import is_literal, read_value
from otel_experiments.query.search.operands import OperandReader
from otel_experiments.query.search.runs import RUNS
from otel_experiments.query.search.source import Source
from otel_experiments.query.search.subject import FUNCTIONS, METHODS, suggest
from otel_experiments.query.search.value import UnfitValueError, field_kind, fit_value

if TYPE_CHECKING:
    from otel_experiments.errors import SearchSyntaxError
    from otel_experiments.model.search import ComparisonOperator, Expression, OrderingOperator, SearchField
    from otel_experiments.query.search.subject import Subject

_OPERATORS: Final[dict[type[ast.cmpop], OrderingOperator]] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
_MIRRORED: Final[dict[OrderingOperator, OrderingOperator]] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_CALLS: Final = 'Write isnan(metrics.loss) or name.contains("x")'

MAX_CONDITIONS = 500
"""Comparisons in one expression: SQLite refuses trees deeper than 1000, and a long `or` is such a tree."""


Meant = Callable[[str], str]
"""Returns the field that a name without `params.`, `metrics.` or `tags.` may mean; an empty text when there is none."""


def parse_search(text: str, *, meant: Meant | None = None, subject: Subject = RUNS) -> Expression:
    """Return the search that the expression means; `meant` is asked when a name is no field, to explain the error.

    Args:
        text: the expression, such as `metrics.loss.min < 0.1`.
        meant: finds what a name was meant to be, for the error.
        subject: what is searched.

    Raises:
        SearchSyntaxError: the text is anything else; the error points at the column and says what to write.
    """
    parser = _Parser(text, subject, meant)
    return parser.expression(parser.tree(), 0)


def parse_order(
    text: str | Sequence[str], *, meant: Meant | None = None, subject: Subject = RUNS
) -> tuple[Order, ...]:
    """Return the sort keys of `"-metrics.loss.min, params.lr"` or of a sequence of such texts; the rest as above.

    Args:
        text: the keys, such as `-metrics.loss.min, name`.
        meant: finds what a name was meant to be, for the error.
        subject: what is searched.

    Raises:
        SearchSyntaxError: a key is not a field, with or without a leading minus.
    """
    texts = [text] if isinstance(text, str) else list(text)
    orders: list[Order] = []
    for one in texts:
        parser = _Parser(one, subject, meant)
        node = parser.tree()
        orders.extend(map(parser.order, node.elts if isinstance(node, ast.Tuple) else [node]))
    return tuple(orders)


def parse_fields(
    text: str | Sequence[str], *, meant: Meant | None = None, subject: Subject = RUNS
) -> tuple[SearchField, ...]:
    """Return the fields of `"params.lr, metrics.loss.min"` or of a sequence of such texts; the rest as above.

    Raises:
        SearchSyntaxError: one of them is not a field.
    """
    fields: list[SearchField] = []
    for one in [text] if isinstance(text, str) else text:
        parser = _Parser(one, subject, meant)
        node = parser.tree()
        fields.extend(map(parser.field, node.elts if isinstance(node, ast.Tuple) else [node]))
    return tuple(fields)


def parse_field(text: str, *, subject: Subject = RUNS) -> SearchField:
    """Return the one field that the text names, such as `metrics.loss.min`.

    Raises:
        SearchSyntaxError: the text is not a field.
    """
    parser = _Parser(text, subject)
    return parser.field(parser.tree())


class _Parser:
    """One expression on its way from text to search tree."""

    def __init__(self, text: str, subject: Subject, meant: Meant | None = None) -> None:
        self._source = Source(text)
        self._subject = subject
        self._fields = FieldReader(self._source, subject, meant)
        self.field = self._fields.read
        self._operands = OperandReader(self._source, self._fields)
        self._conditions = 0

    def tree(self) -> ast.expr:
        return self._source.tree()

    def order(self, node: ast.expr) -> Order:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return Order(self.field(node.operand), is_descending=True)
        return Order(self.field(node))

    def expression(self, node: ast.expr, depth: int) -> Expression:
        self._source.check_depth(node, depth)
        match node:
            case ast.BoolOp(op, values):
                operands = tuple(self.expression(value, depth + 1) for value in values)
                return And(operands) if isinstance(op, ast.And) else Or(operands)
            case ast.UnaryOp(ast.Not(), operand):
                return Not(self.expression(operand, depth + 1))
            case ast.Compare(left, ops, comparators):
                sides = [left, *comparators]
                found = tuple(self._pair(sides[i], op, sides[i + 1]) for i, op in enumerate(ops))
                return found[0] if len(found) == 1 else And(found)
            case ast.Call():
                return self._call(node)
            case ast.BinOp(left, (ast.BitAnd() | ast.BitOr()) as op, _):
                word = "and" if isinstance(op, ast.BitAnd) else "or"
                raise self._source.error(
                    f"Conditions are joined with {word}.",
                    f"Write {word}, and parentheses where needed.",
                    left,
                )
        raise self._alone(node)

    def _alone(self, node: ast.expr) -> SearchSyntaxError:
        """Return the error for a node that compares nothing."""
        if is_literal(node):
            return self._source.error(
                "A value alone is not a condition.", "Compare a field with it: params.lr == 0.1", node
            )
        shown = self._source.slice(node)
        if self._operands.is_calculation(node):
            self._operands.read(node)
            return self._source.error(
                f"{shown} alone is not a condition.", f"Compare it: {shown} > 0.5", node
            )
        kind = field_kind(self.field(node))
        there = f"or ask whether it is there: exists({shown})"
        fixes = {"any": f"{shown} == True", "number": f"{shown} > 0.5", "text": f'{shown} == "..."'}
        fixes["truth"] = f"{shown} == True"
        fixes["texts"] = f'{shown}.contains("...")'
        return self._source.error(
            f"{shown} alone is not a condition.", f"Compare it: {fixes[kind]}, {there}", node
        )

    def _pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Expression:
        self._count(left)
        if isinstance(op, ast.In | ast.NotIn):
            return self._membership(left, right, is_negated=isinstance(op, ast.NotIn))
        if isinstance(op, ast.Is | ast.IsNot):
            return self._identity(left, right, is_negated=isinstance(op, ast.IsNot))
        operator = _OPERATORS[type(op)]
        is_left, is_right = is_literal(left), is_literal(right)
        if is_left and is_right:
            raise self._source.error(
                "Two values are compared, and no field.", "Name a field: params.lr < 0.1", left
            )
        calculates = self._operands.is_calculation
        if (
            not (is_left or is_right)
            or (calculates(left) and not is_left)
            or (calculates(right) and not is_right)
        ):
            return self._calculated(left, operator, right)
        if is_left:
            left, right, operator = right, left, _MIRRORED.get(operator, operator)
        return self._comparison(self.field(left), left, operator, right)

    def _calculated(self, left: ast.expr, operator: OrderingOperator, right: ast.expr) -> Calculated:
        found = Calculated(self._operands.read(left), operator, self._operands.read(right))
        self._operands.check_size(found, left)
        return found

    def _comparison(
        self, field: SearchField, field_node: ast.expr, operator: ComparisonOperator, value_node: ast.expr
    ) -> Comparison:
        value = read_value(self._source, value_node)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # re warns of expressions that will change their meaning
                fitted = fit_value(field, operator, value, shown=self._source.slice(field_node))
        except UnfitValueError as exc:
            raise self._source.error(exc.why, exc.fix, value_node) from exc
        return Comparison(field, operator, fitted)

    def _membership(self, left: ast.expr, right: ast.expr, *, is_negated: bool) -> Expression:
        if self._subject.namespace(right) is not None:
            there = self._has(right, left)
            return Not(there) if is_negated else there
        if isinstance(right, ast.Tuple | ast.List | ast.Set):
            return self._comparison(self.field(left), left, "not in" if is_negated else "in", right)
        if not is_literal(left):
            raise self._source.error(
                "The right side of in is a list of values.",
                f"Write {self._source.slice(left)} in (1, 2)",
                right,
            )
        if is_literal(right):
            raise self._source.error(
                "in looks into a list, or into a field.", "Write params.lr in (0.1, 0.01)", right
            )
        field = self.field(right)
        held = self._comparison(field, right, "contains", left)
        # As with the other comparisons, what is without the field matches neither in nor not in.
        return And((Exists(field), Not(held))) if is_negated else held

    def _has(self, namespace: ast.expr, key: ast.expr) -> Exists:
        """Return the condition that something of a namespace is there: `"lr" in params`, `tags.contains("prod")`."""
        found = self._subject.namespace(namespace)
        assert found is not None
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            return Exists(found.keyed(self._source, key.value, namespace))
        word = self._source.slice(namespace)
        raise self._source.error(f"Only a name can be looked for in {word}.", "Put it in quotes.", key)

    def _identity(self, left: ast.expr, right: ast.expr, *, is_negated: bool) -> Expression:
        field = self.field(left)
        if isinstance(right, ast.Name) and right.id == "nan":
            found = self._nan(field, left)
            return Not(found) if is_negated else found
        if isinstance(right, ast.Constant) and right.value is None:
            return self._comparison(field, left, "!=" if is_negated else "==", right)
        raise self._source.error("is takes nan or None.", "Compare with == instead.", right)

    def _call(self, node: ast.Call) -> Expression:
        self._count(node)
        if node.keywords or len(node.args) != 1 or isinstance(node.args[0], ast.Starred):
            raise self._source.error("A call takes one argument.", _CALLS, node)
        argument = node.args[0]
        match node.func:
            case ast.Name("isnan"):
                return self._nan(self.field(argument), argument)
            case ast.Name("exists"):
                return Exists(self.field(argument))
            case ast.Name(name):
                hint = suggest(name, FUNCTIONS)
                raise self._source.error(
                    f"There is no function {name!r}.", f"{hint}There are: isnan(...) and exists(...).", node
                )
            case ast.Attribute(of, "contains") if self._subject.namespace(of) is not None:
                return self._has(of, argument)
            case ast.Attribute(of, ("contains" | "startswith" | "endswith" | "matches") as method):
                return self._comparison(self.field(of), of, method, argument)
            case ast.Attribute(of, method):
                self.field(of)
                there = ", ".join(f".{one}(...)" for one in METHODS)
                raise self._source.error(
                    f"There is no method {method!r}.", f"{suggest(method, METHODS)}There are: {there}", node
                )
        raise self._source.error("This cannot be called.", _CALLS, node)

    def _nan(self, field: SearchField, node: ast.expr) -> IsNan:
        if field_kind(field) in {"text", "texts", "truth"}:
            what = "true or false" if field_kind(field) == "truth" else "text"
            raise self._source.error(
                f"{self._source.slice(node)} is {what} and never is nan.",
                "Ask it of a metric: isnan(metrics.loss)",
                node,
            )
        return IsNan(field)

    def _count(self, node: ast.expr) -> None:
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            raise self._source.error(
                f"The expression has more than {MAX_CONDITIONS} conditions.",
                "Ask for one of several: run_id in (...)",
                node,
            )
