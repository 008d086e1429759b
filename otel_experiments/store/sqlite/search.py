"""Search expressions as SQL over the documented schema; their meaning is that of `semantics/search.py`.

This is the same for everything that is searched: and, or, not, comparisons, calculations. Where in the schema the fields of
a run, a span, ... are, says a `Places` of its own. A condition under a `not` is true or false, never NULL, so that `not` is
what it says.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from otel_experiments.codec.text import clean_text
from otel_experiments.codec.values import dump_value
from otel_experiments.model.search import And, Arithmetic, Calculated, Comparison, Exists, IsNan, Not, Or
from otel_experiments.store.semantics.search import comparable, kind_of

if TYPE_CHECKING:
    from otel_experiments.model.search import Expression, Operand, SearchField, SearchValue

FALSE: Final = "0"
TRUE: Final = "1"
_SQL_OPERATORS: Final = {"==": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}

_MOST_BOUND: Final = 100
"""Values of a list that are bound one by one; of more, most are one text of JSON, which holds as many as there are."""

Bound = str | int | float | None


class Binder(Protocol):
    """Takes the values of a statement."""

    def bind(self, value: Bound) -> str:
        """Bind one value and return its place holder."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where in SQL the values of one field are; a kind of value that the field never has is an empty text.

    Attributes:
        within: makes, of a condition on one value, the condition on what is searched; None where the value is of its own row.
        is_there: the condition that the field is there at all.
        is_nan: the condition that it is NaN.
        number: the column of numbers; NULL where it is none, or NaN.
        text: the column of texts.
        truth: the column of truth values, for rows of which `of_type("bool")` holds.
        lists: the column of JSON, for rows of which `of_type("list")` holds.
        of_type: makes the condition that the value is a truth value, a null or a list.
        is_version: whether texts are ordered as versions are.
        contains: makes the condition on a value that the field, which is several texts, has one of them; the text is bound.
        found: `select KEY as of, NUMBER as found from ...`, one row for each that has a number; empty where the value is
            of the row itself.
    """

    is_there: str
    within: Callable[[str], str] | None = None
    is_nan: str = FALSE
    number: str = ""
    text: str = ""
    truth: str = ""
    lists: str = ""
    of_type: Callable[[str], str] | None = None
    is_version: bool = False
    contains: Callable[[str], str] | None = None
    found: str = ""


class Tie:
    """What items are sorted by at last.

    Attributes:
        column: the column that sorts.
        is_descending: whether the greatest comes first.
        columns: what a position keeps of it; the column itself unless it is given.
        found: the SQL of its value, of what a position keeps.
    """

    def __init__(
        self, column: str, *, is_descending: bool = False, shown: tuple[str, ...] = (), found: str = "{}"
    ) -> None:
        self.column, self.is_descending, self.found = column, is_descending, found
        self.columns = shown or (column,)

    @property
    def term(self) -> str:
        """How it stands in `order by`."""
        return f"{self.column} desc" if self.is_descending else self.column


class Places(Protocol):
    """Where the fields of one kind of thing are: runs, spans, ..."""

    @property
    def table(self) -> str:
        """The table of what is searched."""
        ...

    @property
    def key(self) -> str:
        """Its column that each condition may name: `runs.run_id`."""
        ...

    def of(self, wanted: SearchField, binder: Binder) -> Place:
        """Return where a field is.

        Raises:
            QueryError: it is no field of what is searched.
        """
        ...

    def sorted_by(self, wanted: SearchField, alias: str, binder: Binder) -> tuple[list[str], str]:
        """Return the columns that a field sorts by, and the join that they need.

        Raises:
            QueryError: it is no field of what is searched.
        """
        ...

    def ties(self) -> tuple[Tie, ...]:
        """Return what the results are sorted by at last."""
        ...


@dataclass(slots=True)
class Statement:
    """SQL text with its bound values."""

    places: Places
    parameters: dict[str, Bound] = field(default_factory=dict)

    def bind(self, value: Bound) -> str:
        """Bind one value and return its place holder, named so that a text may be dropped or moved."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = clean_text(value) if isinstance(value, str) else value
        return f":{name}"

    def where(self, expression: Expression, *, is_negated: bool = False) -> str:  # noqa: PLR0911 - one a shape
        """Return the condition that the expression means; under a `not` it is never NULL."""
        match expression:
            case And(operands):
                parts = [self.where(operand, is_negated=is_negated) for operand in operands]
                return _joined(" and ", parts, empty=TRUE)
            case Or(operands):
                parts = [self.where(operand, is_negated=is_negated) for operand in operands]
                return _joined(" or ", parts, empty=FALSE)
            case Not(operand):
                return f"not ({self.where(operand, is_negated=True)})"
            case Exists(found):
                return self.places.of(found, self).is_there
            case IsNan(found):
                return self.places.of(found, self).is_nan
            case Comparison():
                return self._comparison(expression, is_negated=is_negated)
            case Calculated():
                return self._calculated(expression, is_negated=is_negated)

    # Comparisons with a value.

    def _comparison(self, comparison: Comparison, *, is_negated: bool) -> str:
        place = self.places.of(comparison.field, self)
        conditions = [
            self._numeric(place.number, comparison),
            self._textual(place, comparison),
            self._contained(place, comparison),
            self._other(place, comparison),
            self._listed(place, comparison),
        ]
        conditions = [condition for condition in conditions if condition != FALSE]
        if place.within is not None:
            conditions = [place.within(condition) for condition in conditions]
        elif is_negated:
            # NULL is as good as false but under a `not`; without the function an index can serve.
            conditions = [f"ifnull({condition}, 0)" for condition in conditions]
        return conditions[0] if len(conditions) == 1 else _joined(" or ", conditions, empty=FALSE)

    def _numeric(self, column: str, comparison: Comparison) -> str:
        operator, wanted = comparison.operator, comparison.value
        if not column:
            return FALSE
        if isinstance(wanted, tuple):
            numbers = [number for number in map(_number, wanted) if number is not None]
            return self._among(column, operator, numbers)
        number = _number(wanted)
        if number is None or operator not in _SQL_OPERATORS:
            return FALSE
        return f"{column} {_SQL_OPERATORS[operator]} {self.bind(number)}"

    def _contained(self, place: Place, comparison: Comparison) -> str:
        wanted = comparison.value
        if place.contains is None or comparison.operator != "contains" or not isinstance(wanted, str):
            return FALSE
        return place.contains(wanted)

    def _textual(self, place: Place, comparison: Comparison) -> str:  # noqa: PLR0911 - one return an operator
        column, operator, wanted = place.text, comparison.operator, comparison.value
        if not column:
            return FALSE
        if isinstance(wanted, tuple):
            return self._among(column, operator, [one for one in wanted if isinstance(one, str)])
        if not isinstance(wanted, str):
            return FALSE
        if operator == "contains":
            return f"instr({column}, {self.bind(wanted)}) > 0"
        if operator == "matches":
            return f"{column} is not null and cast({column} as blob) regexp {self.bind(wanted)}"
        if operator in {"startswith", "endswith"}:
            return self._end(column, wanted, is_start=operator == "startswith")
        bound = self.bind(wanted)
        if place.is_version and operator not in {"==", "!="}:
            column, bound = f"ox_version({column})", f"ox_version({bound})"
        return f"{column} {_SQL_OPERATORS[operator]} {bound}"

    def _end(self, column: str, wanted: str, *, is_start: bool) -> str:
        """Compare the first or last bytes: functions of texts stop at a NUL."""
        length = len(clean_text(wanted).encode())
        if not length:
            return f"{column} is not null"
        part = f"1, {length}" if is_start else f"-{length}"
        return f"substr(cast({column} as blob), {part}) = cast({self.bind(wanted)} as blob)"

    def _other(self, place: Place, comparison: Comparison) -> str:
        """Compare truth values and null, which know only equality."""
        operator, wanted = comparison.operator, comparison.value
        if place.of_type is None or operator not in {"==", "!=", "in", "not in"} or _is_list(comparison):
            return FALSE
        values = wanted if isinstance(wanted, tuple) else (wanted,)
        is_negated = operator in {"!=", "not in"}
        found = []
        truths = [str(int(one)) for one in values if isinstance(one, bool)]
        if truths:
            among = "not in" if is_negated else "in"
            found.append(f"{place.of_type('bool')} and {place.truth} {among} ({', '.join(truths)})")
        if None in values and not is_negated:
            found.append(place.of_type("null"))
        return found[0] if len(found) == 1 else _joined(" or ", found, empty=FALSE)

    def _listed(self, place: Place, comparison: Comparison) -> str:
        """Compare lists, as a whole or with what one of their elements is."""
        if place.of_type is None:
            return FALSE
        is_list, column = place.of_type("list"), f"cast({place.lists} as blob)"
        wanted = comparison.value
        if _is_list(comparison):
            same = f"ox_list_is({column}, {self.bind(dump_value(wanted))})"
            return f"{is_list} and {same} = {int(comparison.operator == '==')}"
        if comparison.operator != "contains":
            return FALSE
        return f"{is_list} and ox_list_contains({column}, {self.bind(dump_value(wanted))})"

    def _among(self, column: str, operator: str, values: Sequence[str | float]) -> str:
        if not values or operator not in {"in", "not in"}:
            return FALSE
        if len(values) > _MOST_BOUND:
            exact = [
                clean_text(value) if isinstance(value, str) else value for value in values if _is_exact(value)
            ]
            rest = ", ".join(f"({self.bind(value)})" for value in values if not _is_exact(value))
            one_by_one = f" union all values {rest}" if rest else ""
            return f"{column} {operator} (select value from json_each({self.bind(json.dumps(exact))}){one_by_one})"
        bound = ", ".join(self.bind(value) for value in values)
        return f"{column} {operator} ({bound})"

    # Calculations.

    def _calculated(self, wanted: Calculated, *, is_negated: bool) -> str:
        """Join the fields by what has them: each is read in one stretch of its index, however many rows there are."""
        sources: dict[SearchField, str] = {}
        places: dict[SearchField, Place] = {}

        def term(operand: Operand) -> str:
            match operand:
                case Arithmetic(operator, left, right):
                    return f"({term(left)} {operator} {term(right)})"
                case int() | float():
                    return self.bind(float(comparable(operand)))
                case _:
                    if operand not in places:
                        places[operand] = self.places.of(operand, self)
                        sources[operand] = f"f{len(sources)}"
                    return f"cast({sources[operand]}.found as real)"

        condition = f"{term(wanted.left)} {_SQL_OPERATORS[wanted.operator]} {term(wanted.right)}"
        if not places:
            return f"ifnull({condition}, 0)" if is_negated else f"({condition})"
        if not all(place.number for place in places.values()):
            return FALSE
        tables = [f"({place.found or self._of_row(place)}) {sources[one]}" for one, place in places.items()]
        joined = " ".join(
            f"join {table} on f{number}.of = f0.of" for number, table in enumerate(tables) if number
        )
        return f"{self.places.key} in (select f0.of from {tables[0]} {joined} where {condition})"

    def _of_row(self, place: Place) -> str:
        return f"select {self.places.key} as of, {place.number} as found from {self.places.table}"


def _is_list(comparison: Comparison) -> bool:
    """Tell whether a list is compared as a whole."""
    return isinstance(comparison.value, tuple) and comparison.operator in {"==", "!="}


def _number(value: SearchValue) -> float | None:
    if isinstance(value, tuple) or kind_of(value) != "number" or not isinstance(value, int | float):
        return None
    return None if math.isnan(value) else comparable(value)


def _is_exact(value: str | float) -> bool:
    """Tell whether SQLite reads the value out of JSON as it is: its functions of texts stop at a NUL, and floats it rounds."""
    return isinstance(value, int) or (isinstance(value, str) and "\0" not in value)


def _joined(operator: str, conditions: Sequence[str], *, empty: str) -> str:
    return f"({operator.join(conditions)})" if conditions else empty
