"""The meaning of search expressions, in plain Python.

The memory store evaluates with it, the SQLite store compiles to SQL that means the same (`_search_sql`); the
contract suite compares the two on random expressions.

- Integers and floats compare as numbers (integers beyond 64 bits as floats), strings by code point. Truth
  values and null know only `==`, `!=`, `in`, `not in`. Values of two different kinds never match, `!=` included.
- A missing field matches nothing, NaN compares false, both satisfy `not (...)` around the comparison.
- `x in (...)`: some element equals x. `x not in (...)`: some element is of x's kind and none equals x.
"""

from __future__ import annotations

import math
import operator as operator_of
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeVar

from otel_experiments.codec.text import clean_text
from otel_experiments.codec.values import load_value
from otel_experiments.errors import QueryError
from otel_experiments.model.run import ParamValue
from otel_experiments.model.search import (
    And,
    Arithmetic,
    Calculated,
    Comparison,
    Exists,
    FactField,
    IsNan,
    Not,
    Or,
    RunField,
    SearchField,
)
from otel_experiments.store.semantics.run_facts import is_version, version_key

if TYPE_CHECKING:
    from otel_experiments.model.metric import Summary
    from otel_experiments.model.run import Run
    from otel_experiments.model.search import (
        ArithmeticOperator,
        Expression,
        Literal_,
        MetricStat,
        Operand,
        RunFieldName,
    )


@dataclass(frozen=True, slots=True)
class Several:
    """The values of a field that has many; a comparison holds where it holds for one of them."""

    values: Sequence[ParamValue]


FoundValue = ParamValue | Several
"""What a field of a run is found to be; `MISSING` where the run has no such field."""


class Missing:
    """The type of MISSING."""


MISSING: Final = Missing()

Lookup = Callable[[SearchField], FoundValue | Missing]
_Ordered = TypeVar("_Ordered", str, float)
_INT64: Final = 2**63
_ARITHMETIC: Final[Mapping[ArithmeticOperator, Callable[[float, float], float]]] = {
    "+": operator_of.add, "-": operator_of.sub, "*": operator_of.mul, "/": operator_of.truediv,
}  # fmt: skip
_WITH_LISTS: Final = frozenset({"in", "not in", "==", "!="})


def matches(expression: Expression, lookup: Lookup) -> bool:  # noqa: PLR0911 - one return a shape
    """Return whether the run whose fields `lookup` finds satisfies the expression."""
    match expression:
        case And(operands):
            return all(matches(operand, lookup) for operand in operands)
        case Or(operands):
            return any(matches(operand, lookup) for operand in operands)
        case Not(operand):
            return not matches(operand, lookup)
        case Exists(field):
            found = lookup(field)
            # A text of the run itself is empty where none was given; a tag or a param may be set to "".
            return not isinstance(found, Missing) and not (
                isinstance(field, RunField | FactField) and found == ""
            )
        case IsNan(field):
            found = lookup(field)
            return isinstance(found, float) and math.isnan(found)
        case Comparison():
            found = lookup(expression.field)
            if isinstance(found, Several):
                return any(_compare(expression, one) for one in found.values)
            return _compare(expression, found)
        case Calculated(left, operator, right):
            return _holds(calculate(left, lookup), operator, calculate(right, lookup))


def _holds(left: float | None, operator: str, right: float | None) -> bool:
    if left is None or right is None:
        return False
    if operator in {"==", "!="}:
        return (left == right) == (operator == "==")
    return _is_ordered(operator, left, right)


def calculate(operand: Operand, lookup: Lookup) -> float | None:
    """Return the number, as a float; None where a field has none, for NaN, and for a division by zero."""
    match operand:
        case Arithmetic(operator, left, right):
            sides = [calculate(side, lookup) for side in (left, right)]
            if sides[0] is None or sides[1] is None or (operator == "/" and sides[1] == 0):
                return None
            found = _ARITHMETIC[operator](sides[0], sides[1])
            return None if math.isnan(found) else found
        case int() | float():
            return float(comparable(operand))
        case field:
            value = lookup(field)
            if isinstance(value, Missing) or kind_of(value) != "number" or _is_nan(value):
                return None
            return float(comparable(value)) if isinstance(value, int | float) else None


def check(expression: Expression) -> None:
    """Let an expression pass whose operators and values go together.

    Raises:
        QueryError: a tuple or a pattern where it cannot be used, or a pattern that is no regular expression.
    """
    match expression:
        case And(operands) | Or(operands):
            for operand in operands:
                check(operand)
        case Not(operand):
            check(operand)
        case Comparison(operator=operator, value=value):
            is_wrong = (
                operator not in _WITH_LISTS if isinstance(value, tuple) else operator in {"in", "not in"}
            )
            if is_wrong:
                raise QueryError(
                    f"{operator!r} cannot compare with {value!r}.\n  Lists go with 'in', 'not in', '==' and '!=', single values with all but the first two."
                )
            if operator == "matches":
                _check_pattern(value)
        case Exists() | IsNan() | Calculated():
            return


def _check_pattern(value: object) -> None:
    if not isinstance(value, str):
        raise QueryError(f"'matches' needs a regular expression in quotes, not {value!r}.")
    try:
        _compiled(value)
    except re.error as error:
        raise QueryError(
            f"{value!r} is not a regular expression: {error}.\n  The syntax is that of Python's re module."
        ) from error


def kind_of(value: object) -> str:
    """Return the kind within which values compare: `number`, `str`, `bool`, `null` or `list`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    return "str" if isinstance(value, str) else "list"


def comparable(value: float) -> float:
    """Return the number as it compares: integers that a 64-bit column cannot hold become floats."""
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    return value


def _is_equal(found: object, wanted: object) -> bool:
    if kind_of(found) != kind_of(wanted):
        return False
    if isinstance(found, (int, float)) and isinstance(wanted, (int, float)):
        return comparable(found) == comparable(wanted)
    return found == wanted


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _compare(comparison: Comparison, found: ParamValue | Missing) -> bool:  # noqa: PLR0911 - one return a rule
    operator, wanted = comparison.operator, comparison.value
    if isinstance(found, Missing) or _is_nan(found):
        return False
    if isinstance(wanted, tuple):
        if operator in {"==", "!="}:
            return isinstance(found, list | tuple) and _is_same_list(found, wanted) == (operator == "==")
        return _is_among(found, wanted, is_negated=operator == "not in")
    if operator == "contains":
        return _contains(found, wanted)
    if operator in {"startswith", "endswith", "matches"}:
        return isinstance(found, str) and isinstance(wanted, str) and _fits(found, operator, wanted)
    if kind_of(found) != kind_of(wanted) or _is_nan(wanted) or kind_of(found) == "list":
        return False
    if operator in {"==", "!="}:
        return _is_equal(found, wanted) == (operator == "==")
    if isinstance(found, str) and isinstance(wanted, str):
        return _is_ordered(operator, *_as_ordered(comparison, found, wanted))
    if kind_of(found) == "number" and isinstance(found, (int, float)) and isinstance(wanted, (int, float)):
        return _is_ordered(operator, comparable(found), comparable(wanted))
    return False


def _as_ordered(comparison: Comparison, *texts: str) -> tuple[str, ...]:
    """Return texts as their order goes: as versions where the field is one."""
    return tuple(version_key(text) or "" for text in texts) if is_version(comparison.field) else texts


def _is_ordered(operator: str, found: _Ordered, wanted: _Ordered) -> bool:
    if operator == "<":
        return found < wanted
    if operator == "<=":
        return found <= wanted
    return found > wanted if operator == ">" else found >= wanted


def _is_among(found: FoundValue, wanted: Sequence[Literal_], *, is_negated: bool) -> bool:
    alike = [one for one in wanted if kind_of(one) == kind_of(found) and not _is_nan(one)]
    is_found = any(_is_equal(found, one) for one in alike)
    return bool(alike) and not is_found if is_negated else is_found


def _is_same_list(found: Sequence[object], wanted: Sequence[object]) -> bool:
    return len(found) == len(wanted) and all(map(_is_equal, found, wanted))


def _fits(found: str, operator: str, wanted: str) -> bool:
    if operator == "startswith":
        return found.startswith(wanted)
    return found.endswith(wanted) if operator == "endswith" else search_pattern(wanted, found)


def _contains(found: FoundValue, wanted: Literal_) -> bool:
    if isinstance(found, str):
        return isinstance(wanted, str) and wanted in found
    if isinstance(found, Sequence):
        return any(_is_equal(element, wanted) for element in found)
    return False


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def search_pattern(pattern: str, text: object) -> bool:
    """Return whether the pattern is found in the text. SQLite calls it for `text regexp pattern`.

    The text may come as bytes: SQLite ends the statement where it cannot make a `str` of an argument.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError:
            return False  # reading the row itself warns
    return isinstance(text, str) and _compiled(pattern).search(text) is not None


def json_list_contains(value_json: bytes, wanted_json: str) -> bool:
    """Return whether the stored list contains the stored value. SQLite calls it as `ox_list_contains`."""
    try:
        elements = load_value(value_json.decode())
    except (ValueError, TypeError, KeyError, AttributeError):
        return False  # reading the row itself warns
    wanted = load_value(wanted_json)
    return isinstance(elements, list) and any(_is_equal(element, wanted) for element in elements)


def json_list_is(value_json: bytes, wanted_json: str) -> bool | None:
    """Return whether the stored list equals the stored value. SQLite calls it as `ox_list_is`; NULL: neither can be said."""
    try:
        elements = load_value(value_json.decode())
    except (ValueError, TypeError, KeyError, AttributeError):
        return None  # reading the row itself warns
    wanted = load_value(wanted_json)
    return isinstance(elements, list) and isinstance(wanted, list) and _is_same_list(elements, wanted)


def json_text(value_json: bytes) -> str | None:
    """Return the text that a stored value is; None for any other value. SQLite calls it as `ox_text`."""
    try:
        return text_value(load_value(value_json.decode()))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None  # reading the row itself warns


def text_value(value: object) -> str | None:
    """Return the text that the body of a log record is, as it is searched; None for any other body."""
    return clean_text(value) if isinstance(value, str) else None


def json_attribute_is(attributes_json: bytes, key: str, wanted_json: str) -> bool:
    """Return whether the attribute has this value. SQLite calls it as `ox_attribute_is`."""
    try:
        attributes = load_value(attributes_json.decode())
    except (ValueError, TypeError, KeyError, AttributeError):
        return False  # reading the row itself warns
    return isinstance(attributes, dict) and attribute_is(attributes, key, load_value(wanted_json))


def attribute_is(attributes: Mapping[str, object], key: str, wanted: object) -> bool:
    """Return whether the attribute is there and equal, numbers as numbers; None as the wanted value means any."""
    return key in attributes and (wanted is None or _is_equal(attributes[key], wanted))


def no_field(wanted: SearchField, what: str) -> QueryError:
    """Return the error for what a run, a span, ... never has."""
    return QueryError(
        f"{wanted!r} is no field of a {what}.\n"
        "  Search for runs with runs(), for spans with spans.where(), for traces with traces()."
    )


def run_value(  # noqa: PLR0911 - one return a field
    run: Run, name: RunFieldName, *, state: str, is_placeholder: bool, artifact_count: int
) -> FoundValue | Missing:
    """Return what a run's own field is; `state` is the computed one, `artifact_count` how many artifacts it logged."""
    match name:
        case "state":
            return state
        case "experiment":
            return MISSING if is_placeholder else run.experiment
        case "duration":
            return _duration(run)
        case "parent_run_id":
            return MISSING if run.parent_run_id is None else run.parent_run_id
        case "attempt":
            return run.attempt
        case "artifacts":
            return artifact_count
        case "created" | "started" | "ended" | "pinned" | "archived" | "removed":
            time_ns: int | None = getattr(run, f"{name}_ns")
            return MISSING if time_ns is None else time_ns / 1e9
        case "run_id" | "name" | "group" | "condition" | "hypothesis" | "reason" | "error_type" | "note":
            text: str = getattr(run, name)
            return text


def _duration(run: Run) -> float | Missing:
    # A run that has not ended lasts until its pause or the last sign of life.
    until_ns = next((ns for ns in (run.ended_ns, run.paused_ns, run.heartbeat_ns) if ns is not None), None)
    if run.started_ns is None or until_ns is None:
        return MISSING
    return max(0, until_ns - run.started_ns - run.paused_total_ns) / 1e9


def summary_value(summary: Summary, stat: MetricStat) -> float | Missing:  # noqa: PLR0911 - one a number
    """Return a number of a metric's summary."""
    match stat:
        case "last" | "count" | "nan_count" | "first_step" | "last_step" | "mean":
            number: float = getattr(summary, stat)
            return number
        case "min":
            return summary.minimum
        case "max":
            return summary.maximum
        case "min_step":
            return MISSING if summary.minimum_step is None else summary.minimum_step
        case "max_step":
            return MISSING if summary.maximum_step is None else summary.maximum_step
        case "best":
            return MISSING if summary.best is None else summary.best
        case "best_step":
            return MISSING if summary.best_step is None else summary.best_step


def sort_key(found: FoundValue | Missing) -> tuple[int, float | str] | None:
    """Return what a value sorts by (truth values, then numbers, then strings); None: it comes last."""
    if isinstance(found, bool):
        return (0, int(found))
    if isinstance(found, (int, float)):
        return None if _is_nan(found) else (1, comparable(found))
    if isinstance(found, str) and found:
        return (2, found)
    return None
