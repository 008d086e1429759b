"""Search expressions in Python's syntax, read into the model's search tree.

    metrics["val/acc"].max > 0.9 and params.lr < 1e-3
    state == "failed" or isnan(metrics.loss)

Nothing is ever evaluated: the text goes through `ast.parse`, and of its tree a small, fixed set of shapes is
understood. Everything else, whatever the text, is a `SearchSyntaxError` that points at its column.
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Callable, Sequence
from typing import TypeGuard, get_args

from otel_experiments.errors import SearchSyntaxError
from otel_experiments.model.search import (
    And,
    Comparison,
    ComparisonOperator,
    Exists,
    Expression,
    IsNan,
    Literal_,
    MetricField,
    MetricStat,
    Not,
    Or,
    Order,
    ParamField,
    RunField,
    RunFieldName,
    SearchField,
    SearchValue,
    SummaryField,
    TagField,
)
from otel_experiments.query.closest import closest
from otel_experiments.query.search.source import Source
from otel_experiments.query.search.text import format_field
from otel_experiments.query.search.value import UnfitValueError, field_kind, fit_value

RUN_FIELDS: tuple[str, ...] = get_args(RunFieldName)
METRIC_STATS: tuple[str, ...] = get_args(MetricStat)
_NAMESPACES = ("params", "metrics", "tags", "summary")
_FUNCTIONS = ("isnan", "exists")
_METHODS = ("contains", "matches")
_ALIASES = {"id": "run_id", "config": "params", "parent": "parent_run_id"}
"""Names that people bring along, and that mean one thing only."""
_ELSEWHERE = {
    "param": "params", "parameters": "params", "hparams": "params", "hyperparameters": "params", "hyperparams": "params",
    "args": "params", "cfg": "params", "metric": "metrics", "history": "metrics", "tag": "tags",
    "status": "state", "time": "duration", "runtime": "duration", "start_time": "started", "end_time": "ended",
    "title": "name", "project": "experiment", "error": "error_type",
}  # fmt: skip
"""What other trackers call a field, and what it is here."""
_CONSTANTS = {"inf": math.inf, "nan": math.nan}
_OPERATORS: dict[type[ast.cmpop], ComparisonOperator] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
_MIRRORED: dict[ComparisonOperator, ComparisonOperator] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}

MAX_CONDITIONS = 500
"""Comparisons in one expression: SQLite refuses trees deeper than 1000, and a long `or` is such a tree."""
MAX_DEPTH = 100
"""Levels of nesting, far below where Python's own recursion would end."""


Meant = Callable[[str], str]
"""Returns the field that a name without `params.`, `metrics.` or `tags.` may mean; an empty text when there is none."""


def parse_search(text: str, *, meant: Meant | None = None) -> Expression:
    """Return the search that the expression means; `meant` is asked when a name is no field, to explain the error.

    Args:
        text: the expression, such as `metrics.loss.min < 0.1`.
        meant: finds what a name was meant to be, for the error.

    Raises:
        SearchSyntaxError: the text is anything else; the error points at the column and says what to write.
    """
    parser = _Parser(text, meant)
    return parser.expression(parser.tree(), 0)


def parse_order(text: str | Sequence[str], *, meant: Meant | None = None) -> tuple[Order, ...]:
    """Return the sort keys of `"-metrics.loss.min, params.lr"` or of a sequence of such texts; `meant` as above.

    Args:
        text: the keys, such as `-metrics.loss.min, name`.
        meant: finds what a name was meant to be, for the error.

    Raises:
        SearchSyntaxError: a key is not a field, with or without a leading minus.
    """
    texts = [text] if isinstance(text, str) else list(text)
    orders: list[Order] = []
    for one in texts:
        parser = _Parser(one, meant)
        orders.extend(parser.orders(parser.tree()))
    return tuple(orders)


def parse_fields(text: str | Sequence[str], *, meant: Meant | None = None) -> tuple[SearchField, ...]:
    """Return the fields of `"params.lr, metrics.loss.min"` or of a sequence of such texts; `meant` as above.

    Raises:
        SearchSyntaxError: one of them is not a field.
    """
    fields: list[SearchField] = []
    for one in [text] if isinstance(text, str) else text:
        parser = _Parser(one, meant)
        node = parser.tree()
        fields.extend(map(parser.field, node.elts if isinstance(node, ast.Tuple) else [node]))
    return tuple(fields)


def parse_field(text: str) -> SearchField:
    """Return the one field that the text names, such as `metrics.loss.min`.

    Raises:
        SearchSyntaxError: the text is not a field.
    """
    parser = _Parser(text)
    return parser.field(parser.tree())


class _Parser:
    """One expression on its way from text to search tree."""

    def __init__(self, text: str, meant: Meant | None = None) -> None:
        self._source = Source(text)
        self._meant = meant
        self._conditions = 0

    def tree(self) -> ast.expr:
        return self._source.tree()

    # Conditions.

    def expression(self, node: ast.expr, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise self._source.error(
                f"The expression is nested deeper than {MAX_DEPTH} levels.", "Make it simpler.", node
            )
        match node:
            case ast.BoolOp(op, values):
                operands = tuple(self.expression(value, depth + 1) for value in values)
                return And(operands) if isinstance(op, ast.And) else Or(operands)
            case ast.UnaryOp(ast.Not(), operand):
                return Not(self.expression(operand, depth + 1))
            case ast.Compare():
                return self._comparisons(node)
            case ast.Call():
                return self._call(node)
            case ast.BinOp(left, (ast.BitAnd() | ast.BitOr()) as op, _):
                word = "and" if isinstance(op, ast.BitAnd) else "or"
                raise self._source.error(
                    f"Conditions are joined with {word}.",
                    f"Write {word}, and parentheses where needed.",
                    left,
                )
        if self._is_literal(node):
            raise self._source.error(
                "A value alone is not a condition.", "Compare a field with it: params.lr == 0.1", node
            )
        field = self.field(node)
        shown = self._source.slice(node)
        fixes = {
            "any": f"Compare it: {shown} == True, or ask whether it is there: exists({shown})",
            "number": f"Compare it: {shown} > 0.5, or ask whether it is there: exists({shown})",
            "text": f'Compare it: {shown} == "...", or ask whether it is there: exists({shown})',
        }
        raise self._source.error(f"{shown} alone is not a condition.", fixes[field_kind(field)], node)

    def _comparisons(self, node: ast.Compare) -> Expression:
        sides = [node.left, *node.comparators]
        found = tuple(self._pair(sides[i], op, sides[i + 1]) for i, op in enumerate(node.ops))
        return found[0] if len(found) == 1 else And(found)

    def _pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Expression:
        self._count(left)
        if isinstance(op, ast.In | ast.NotIn):
            return self._membership(left, right, is_negated=isinstance(op, ast.NotIn))
        if isinstance(op, ast.Is | ast.IsNot):
            return self._identity(left, right, is_negated=isinstance(op, ast.IsNot))
        operator = _OPERATORS[type(op)]
        if self._is_literal(left):
            if self._is_literal(right):
                raise self._source.error(
                    "Two values are compared, and no field.", "Name a field: params.lr < 0.1", left
                )
            left, right, operator = right, left, _MIRRORED.get(operator, operator)
        field = self.field(left)
        if not self._is_literal(right):
            self.field(right)  # a misspelt name is the likelier mistake, and has the better text
            raise self._source.error(
                "Two fields cannot be compared with each other.", "Put a value on one side.", right
            )
        return self._comparison(field, left, operator, right)

    def _comparison(
        self, field: SearchField, field_node: ast.expr, operator: ComparisonOperator, value_node: ast.expr
    ) -> Comparison:
        value = self._value(value_node)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # re warns of expressions that will change their meaning
                fitted = fit_value(field, operator, value, shown=self._source.slice(field_node))
        except UnfitValueError as exc:
            raise self._source.error(exc.why, exc.fix, value_node) from exc
        return Comparison(field, operator, fitted)

    def _membership(self, left: ast.expr, right: ast.expr, *, is_negated: bool) -> Expression:
        if isinstance(right, ast.Name) and _ALIASES.get(right.id, right.id) in _NAMESPACES:
            key = self._text(left, f"Only a name can be looked for in {right.id}.")
            there = Exists(self._keyed(_ALIASES.get(right.id, right.id), [key], right))
            return Not(there) if is_negated else there
        if isinstance(right, ast.Tuple | ast.List | ast.Set):
            return self._comparison(self.field(left), left, "not in" if is_negated else "in", right)
        if not self._is_literal(left):
            raise self._source.error(
                "The right side of in is a list of values.",
                f"Write {self._source.slice(left)} in (1, 2)",
                right,
            )
        if self._is_literal(right):
            raise self._source.error(
                "in looks into a list, or into a field.", "Write params.lr in (0.1, 0.01)", right
            )
        field = self.field(right)
        held = self._comparison(field, right, "contains", left)
        # As with the other comparisons, a run without the field matches neither in nor not in.
        return And((Exists(field), Not(held))) if is_negated else held

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
            raise self._source.error(
                "A call takes one argument.", 'Write isnan(metrics.loss) or name.contains("x")', node
            )
        argument = node.args[0]
        match node.func:
            case ast.Name("isnan"):
                return self._nan(self.field(argument), argument)
            case ast.Name("exists"):
                return Exists(self.field(argument))
            case ast.Name(name):
                hint = _suggest(name, _FUNCTIONS)
                raise self._source.error(
                    f"There is no function {name!r}.", f"{hint}There are: isnan(...) and exists(...).", node
                )
            case ast.Attribute(of, ("contains" | "matches") as method):
                return self._comparison(self.field(of), of, method, argument)
            case ast.Attribute(of, method):
                self.field(of)
                hint = _suggest(method, _METHODS)
                raise self._source.error(
                    f"There is no method {method!r}.",
                    f"{hint}There are: .contains(...) and .matches(...).",
                    node,
                )
        raise self._source.error(
            "This cannot be called.", 'Write isnan(metrics.loss) or name.contains("x")', node
        )

    def _nan(self, field: SearchField, node: ast.expr) -> IsNan:
        if field_kind(field) == "text":
            raise self._source.error(
                f"{self._source.slice(node)} is text and never is nan.",
                "Ask it of a metric: isnan(metrics.loss)",
                node,
            )
        return IsNan(field)

    # Fields.

    def orders(self, node: ast.expr) -> list[Order]:
        if isinstance(node, ast.Tuple):
            return [self._order(element) for element in node.elts]
        return [self._order(node)]

    def _order(self, node: ast.expr) -> Order:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return Order(self.field(node.operand), is_descending=True)
        return Order(self.field(node))

    def field(self, node: ast.expr) -> SearchField:
        """Return the field that the node names; anything else is refused with the nearest right spelling."""
        parts: list[tuple[str | tuple[str, str], ast.expr]] = []
        root = node
        while isinstance(root, ast.Attribute | ast.Subscript):
            parts.append((self._part(root), root))
            root = root.value
        parts.reverse()
        if not isinstance(root, ast.Name):
            raise self._not_a_field(node)
        name = _ALIASES.get(root.id, root.id)
        if name in _NAMESPACES:
            if not parts:
                raise self._source.error(f"{root.id} needs a name.", f'Write {name}.x or {name}["x"]', root)
            if name == "metrics":
                return self._metric(parts)
            return self._keyed(name, [self._plain_part(part, at) for part, at in parts], root)
        for known in get_args(RunFieldName):
            if known == name:
                if parts and not (known == "artifacts" and [part for part, _ in parts] == ["count"]):
                    raise self._source.error(
                        f"{root.id} has no parts.", f"Write {root.id} alone.", parts[0][1]
                    )
                return RunField(known)
        raise self._unknown_name(root)

    def _part(self, node: ast.Attribute | ast.Subscript) -> str | tuple[str, str]:
        match node:
            case ast.Attribute(_, name):
                return name
            case ast.Subscript(_, ast.Constant(str() as name)):
                return name
            case ast.Subscript(_, ast.Tuple([ast.Constant(str() as name), ast.Constant(str() as phase)])):
                return (name, phase)
        raise self._source.error(
            "A name in brackets is text.",
            'Write params["lr"], or metrics["loss", "validation"] with a phase.',
            node,
        )

    def _plain_part(self, part: str | tuple[str, str], node: ast.expr) -> str:
        if isinstance(part, tuple):
            raise self._source.error("Only metrics have a phase.", f'Write one name: ["{part[0]}"]', node)
        return part

    def _keyed(self, namespace: str, keys: list[str], node: ast.expr) -> SearchField:
        key = ".".join(keys)
        if not key:
            raise self._source.error(
                f"{namespace} needs a name that is not empty.", f'Write {namespace}["x"]', node
            )
        if namespace == "metrics":
            return MetricField(key)
        if namespace == "tags":
            return TagField(key)
        return ParamField(key) if namespace == "params" else SummaryField(key)

    def _metric(self, parts: list[tuple[str | tuple[str, str], ast.expr]]) -> MetricField:
        (first, at), *rest = parts
        name, phase = first if isinstance(first, tuple) else (first, None)
        if not name:
            raise self._source.error("metrics needs a name that is not empty.", 'Write metrics["loss"]', at)
        if not rest:
            return MetricField(name, phase=phase)
        stat, at_stat = rest[0]
        for known in get_args(MetricStat):
            if known == stat and isinstance(at_stat, ast.Attribute) and len(rest) == 1:
                return MetricField(name, known, phase)
        after = ".".join(self._plain_part(part, node) for part, node in rest)
        hint = _suggest(after, METRIC_STATS)
        raise self._source.error(
            f"A metric has no {after!r}.",
            f'{hint}There are: {", ".join(METRIC_STATS)}. A name with a dot is quoted: metrics["{name}.{after}"]',
            at_stat,
        )

    def _unknown_name(self, node: ast.Name) -> SearchSyntaxError:
        known = _ELSEWHERE.get(node.id.lower())
        stored = "" if known or self._meant is None else self._meant(node.id)
        if known:
            hint = f"Here it is called {known}. "
        elif stored:
            hint = f"Did you mean {stored}? "
        else:
            hint = _suggest(node.id, [*RUN_FIELDS, *_NAMESPACES, *_FUNCTIONS, "True", "False", "None"])
        return self._source.error(
            f"There is no field {node.id!r}.",
            hint
            or f"Write params.{node.id}, metrics.{node.id} or tags.{node.id}; of a run there are: {', '.join(RUN_FIELDS)}",
            node,
        )

    def _not_a_field(self, node: ast.expr) -> SearchSyntaxError:
        if isinstance(node, ast.BinOp):
            quoted = _quoted(self._source.slice(node))
            if quoted:
                why, fix = "A calculation is not a field.", f"A name with a sign in it is quoted: {quoted}"
            else:
                why, fix = "There are no calculations in a search.", "Compare a field with a value."
            return self._source.error(why, fix, node)
        return self._source.error(
            "Here a field is expected.",
            'Write one such as metrics.loss.min, params["optim.lr"] or state',
            node,
        )

    # Values.

    def _is_literal(self, node: ast.expr) -> bool:
        match node:
            case ast.Constant() | ast.Tuple() | ast.List() | ast.Set() | ast.JoinedStr():
                return True
            case ast.Name(name):
                return name in _CONSTANTS
            case ast.UnaryOp(ast.USub() | ast.UAdd(), ast.Constant() | ast.Name("inf" | "nan")):
                return True
        return False

    def _value(self, node: ast.expr) -> SearchValue:
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            return tuple(self._scalar(element) for element in node.elts)
        return self._scalar(node)

    def _scalar(self, node: ast.expr) -> Literal_:
        match node:
            case ast.Constant(value) if _is_scalar(value):
                return value
            case ast.Name(("inf" | "nan") as name):
                return _CONSTANTS[name]
            case ast.UnaryOp((ast.USub() | ast.UAdd()) as sign, operand):
                value = self._scalar(operand)
                if isinstance(value, int | float) and not isinstance(value, bool):
                    return -value if isinstance(sign, ast.USub) else value
                raise self._source.error("A sign stands before a number.", "Remove the sign.", node)
            case ast.JoinedStr():
                raise self._source.error("An f-string cannot stand here.", "Write the text itself.", node)
        raise self._source.error(
            "Here a value is expected.", "Write a number, text in quotes, True, False or None.", node
        )

    def _text(self, node: ast.expr, why: str) -> str:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        raise self._source.error(why, "Put it in quotes.", node)

    # Failing.

    def _count(self, node: ast.expr) -> None:
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            raise self._source.error(
                f"The expression has more than {MAX_CONDITIONS} conditions.",
                "Ask for one of several: run_id in (...)",
                node,
            )


def _is_scalar(value: object) -> TypeGuard[Literal_]:
    return value is None or isinstance(value, str | bool | int | float)


def _quoted(text: str) -> str:
    """Return a name such as metrics.val/acc.max or val/acc, which Python reads as a calculation, as it is written."""
    found = re.fullmatch(
        rf"-?(?:({'|'.join(_NAMESPACES)}|config)\.)?([\w./-]+?)(\.(?:{'|'.join(METRIC_STATS)}))?", text
    )
    if found is None:
        return ""
    namespace, name, stat = found[1], found[2], found[3] or ""
    if namespace is None:
        return f'metrics["{name}"]{stat} or params["{name}{stat}"]'
    return f'metrics["{name}"]{stat}' if namespace == "metrics" else f'{namespace}["{name}{stat}"]'


def _suggest(name: str, known: Sequence[str]) -> str:
    close = closest(name, known)
    return f"Did you mean {close}? " if close else ""


__all__ = ["format_field", "parse_field", "parse_fields", "parse_order", "parse_search"]
