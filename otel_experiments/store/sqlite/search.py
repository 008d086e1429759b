"""Search expressions as SQL over the documented schema; their meaning is that of `_search_eval`.

A condition on a param, tag or metric becomes `run_id in (select ...)` over an index that leads with the key, so
that SQLite reads one narrow stretch of it, however many params and metrics the runs have. A condition under a
`not` is true or false, never NULL, so that `not` is what it says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from otel_experiments.codec.text import clean_text
from otel_experiments.codec.values import dump_value
from otel_experiments.model.search import (
    And,
    Comparison,
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
    SearchField,
    SummaryField,
    TagField,
)
from otel_experiments.store.semantics.search import comparable, kind_of
from otel_experiments.store.sqlite.run_columns import COLUMNS

_FALSE: Final = "0"
_ALWAYS: Final = "1"

_DURATION: Final = "max(0, coalesce(ended_ns, paused_ns, heartbeat_ns) - started_ns - paused_total_ns) / 1e9"
_TEXT_COLUMNS: Final = {
    column.field: f"runs.{column.name}"
    for column in COLUMNS
    if column.kind == "text" and "." not in column.field
}
# Index: artifacts_by_run.
_ARTIFACTS: Final = """
    select count(distinct experiment || char(0) || name || char(0) || digest) from artifacts
    where artifacts.run_id = runs.run_id and role = 'artifact'
"""
_NUMBER_COLUMNS: Final = {
    "created": "runs.created_ns / 1e9", "started": "runs.started_ns / 1e9", "ended": "runs.ended_ns / 1e9",
    "duration": _DURATION, "attempt": "runs.attempt", "artifacts": _ARTIFACTS, "pinned": "runs.pinned_ns / 1e9",
    "archived": "runs.archived_ns / 1e9", "removed": "runs.removed_ns / 1e9",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Stat:
    """How a metric's number is read: `exists` tells the missing from the NaN, which is NULL."""

    expression: str
    exists: str = _ALWAYS


_PLACE: Final = "case rank when 0 then phase else phase || char(0) || printf('%010d', rank) end"
"""Sorts the series of one name as their keys do: by phase, and in a phase by rank."""
_HAS_BEST: Final = "direction is not null"
_BEST: Final = "(case direction when 'min' then minimum when 'max' then maximum end)"
_STATS: Final[dict[MetricStat, _Stat]] = {
    "last": _Stat("last"),
    "min": _Stat("minimum"),
    "max": _Stat("maximum"),
    "mean": _Stat("(case when finite_count > 0 then finite_sum / finite_count end)"),
    "best": _Stat(_BEST, _HAS_BEST),
    "count": _Stat("count"),
    "nan_count": _Stat("nan_count"),
    "first_step": _Stat("first_step"),
    "last_step": _Stat("last_step"),
    "min_step": _Stat("minimum_step", "minimum is not null"),
    "max_step": _Stat("maximum_step", "maximum is not null"),
    "best_step": _Stat(
        "(case direction when 'min' then minimum_step when 'max' then maximum_step end)",
        f"{_HAS_BEST} and {_BEST} is not null",
    ),
}
_SQL_OPERATORS: Final = {"==": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}

Bound = str | int | float | None


@dataclass(slots=True)
class Statement:
    """SQL text with its bound values."""

    parameters: dict[str, Bound] = field(default_factory=dict)
    live_run_ids: str | None = None
    """JSON array of the runs known to be alive; None: nobody is known to be gone."""

    def bind(self, value: Bound) -> str:
        """Bind one value and return its place holder, named so that a text may be dropped or moved."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = clean_text(value) if isinstance(value, str) else value
        return f":{name}"

    def where(self, expression: Expression, *, is_negated: bool = False) -> str:
        """Return the condition on `runs` that the expression means; under a `not` it is never NULL."""
        match expression:
            case And(operands):
                parts = [self.where(operand, is_negated=is_negated) for operand in operands]
                return _joined(" and ", parts, empty="1")
            case Or(operands):
                parts = [self.where(operand, is_negated=is_negated) for operand in operands]
                return _joined(" or ", parts, empty=_FALSE)
            case Not(operand):
                return f"not ({self.where(operand, is_negated=True)})"
            case Exists(found):
                return self._exists(found)
            case IsNan(found):
                return self._is_nan(found)
            case Comparison():
                return self._comparison(expression, is_negated=is_negated)

    def state(self) -> str:
        """Return the expression for the computed state."""
        if self.live_run_ids is None:
            return "runs.state"
        live = self.bind(self.live_run_ids)
        return (
            "(case when runs.state in ('pending', 'running', 'paused') "
            f"and runs.run_id not in (select value from json_each({live})) then 'lost' else runs.state end)"
        )

    def order(self, orders: Sequence[Order]) -> tuple[str, str]:
        """Return (joins, order by terms) for the sort keys, ties broken by creation, newest first."""
        joins: list[str] = []
        terms: list[str] = []
        for number, order in enumerate(orders):
            columns, join = self._sort_columns(order.field, f"sort{number}")
            joins.append(join)
            direction = " desc" if order.is_descending else ""
            terms.append(f"{columns[0]} is null")
            terms.extend(f"{column}{direction}" for column in columns)
        terms.extend(("runs.created_ns desc", "runs.run_id"))
        return " ".join(joins), ", ".join(terms)

    def _sort_columns(self, wanted: SearchField, alias: str) -> tuple[list[str], str]:
        match wanted:
            case RunField("state"):
                return [self.state()], ""
            case RunField(name):
                if name in _NUMBER_COLUMNS:
                    return [f"({_NUMBER_COLUMNS[name]})"], ""
                return [f"nullif({_TEXT_COLUMNS[name]}, '')"], ""
            case TagField(key):
                bound = self.bind(key)
                return [f"nullif({alias}.value, '')"], (
                    f"left join tags {alias} on {alias}.run_id = runs.run_id and {alias}.key = {bound}"
                )
            case ParamField(key):
                bound = self.bind(key)
                kind = (
                    f"(case when {alias}.value_bool is not null then 0 when {alias}.value_number is not null then 1 "
                    f"when {alias}.value_text <> '' then 2 end)"
                )
                value = f"coalesce({alias}.value_bool, {alias}.value_number, nullif({alias}.value_text, ''))"
                return [kind, value], (
                    f"left join {_table(wanted)} {alias} on {alias}.run_id = runs.run_id and {alias}.key = {bound}"
                )
            case MetricField(stat=stat):
                source = self._metric(wanted, f"{_STATS[stat].expression} as found")
                return [f"{alias}.found"], f"left join ({source}) {alias} on {alias}.run_id = runs.run_id"

    def _metric(self, wanted: MetricField, columns: str) -> str:
        """Select `columns` of the series meant by the field, one row a run. Index: series_by_name."""
        name = self.bind(wanted.name)
        if wanted.phase is None:
            # SQLite takes the bare columns from the row that holds the minimum: no phase first, else the first.
            return f"select run_id, {columns}, min({_PLACE}) from series where name = {name} group by run_id"
        return (
            f"select run_id, {columns}, min(rank) from series "
            f"where name = {name} and phase = {self.bind(wanted.phase)} group by run_id"
        )

    def _metric_where(self, wanted: MetricField, condition: str) -> str:
        stat = _STATS[wanted.stat]
        source = self._metric(wanted, f"{stat.expression} as found, {stat.exists} as is_there")
        return f"runs.run_id in (select run_id from ({source}) where is_there and {condition})"

    def _param_where(self, wanted: ParamField, condition: str) -> str:
        return f"runs.run_id in (select run_id from {_table(wanted)} where key = {self.bind(wanted.key)} and {condition})"

    def _tag_where(self, key: str, condition: str) -> str:
        return f"runs.run_id in (select run_id from tags where key = {self.bind(key)} and {condition})"

    def _exists(self, wanted: SearchField) -> str:
        match wanted:
            case RunField("state"):
                return "1"
            case RunField(name):
                if name in _NUMBER_COLUMNS:
                    return f"({_NUMBER_COLUMNS[name]}) is not null"
                return f"ifnull({_TEXT_COLUMNS[name]} <> '', 0)"
            case ParamField():
                return self._param_where(wanted, "1")
            case TagField(key):
                return self._tag_where(key, "value is not null")  # a removed tag is NULL
            case MetricField():
                return self._metric_exists(wanted)

    def _metric_exists(self, wanted: MetricField) -> str:
        if _STATS[wanted.stat].exists != _ALWAYS:
            return self._metric_where(wanted, "1")
        # Each series of that name has the number: no need to find the one that is meant. Index: series_by_name.
        in_phase = "" if wanted.phase is None else f" and phase = {self.bind(wanted.phase)}"
        return f"runs.run_id in (select run_id from series where name = {self.bind(wanted.name)}{in_phase})"

    def _is_nan(self, wanted: SearchField) -> str:
        match wanted:
            case ParamField():
                return self._param_where(
                    wanted,
                    "type = 'float' and value_number is null and value_text is null and value_bool is null",
                )
            case MetricField():
                return self._metric_where(wanted, "found is null")
            case RunField() | TagField():
                return _FALSE

    def _comparison(self, comparison: Comparison, *, is_negated: bool) -> str:
        match comparison.field:
            case RunField(name):
                if name in _NUMBER_COLUMNS:
                    condition = self._numeric(f"({_NUMBER_COLUMNS[name]})", comparison)
                else:
                    column = self.state() if name == "state" else _TEXT_COLUMNS[name]
                    condition = self._textual(column, comparison)
                # NULL is as good as false but under a `not`; without the function an index can serve.
                return f"ifnull({condition}, 0)" if is_negated else condition
            case TagField(key):
                condition = self._textual("value", comparison)
                return condition if condition == _FALSE else self._tag_where(key, condition)
            case MetricField():
                condition = self._numeric("found", comparison)
                return condition if condition == _FALSE else self._metric_where(comparison.field, condition)
            case ParamField():
                return self._param_comparison(comparison.field, comparison)

    def _param_comparison(self, field: ParamField, comparison: Comparison) -> str:
        if comparison.operator == "contains":
            return self._param_contains(field, comparison.value)
        conditions = [
            self._numeric("value_number", comparison),
            self._textual("value_text", comparison),
            self._other(comparison, kind="bool"),
            self._other(comparison, kind="null"),
        ]
        places = [self._param_where(field, condition) for condition in conditions if condition != _FALSE]
        return _joined(" or ", places, empty=_FALSE)

    def _param_contains(self, field: ParamField, wanted: object) -> str:
        in_list = self._param_where(
            field,
            "value_number is null and value_text is null and type = 'list' "
            f"and ox_list_contains(cast(value_json as blob), {self.bind(dump_value(wanted))})",
        )
        if not isinstance(wanted, str):
            return in_list
        in_text = self._param_where(
            field, f"value_text is not null and instr(value_text, {self.bind(wanted)}) > 0"
        )
        return f"({in_text} or {in_list})"

    def _other(self, comparison: Comparison, *, kind: str) -> str:
        """Compare truth values or null, which know only equality. Index: params_by_other."""
        operator, wanted = comparison.operator, comparison.value
        values = [one for one in (wanted if isinstance(wanted, tuple) else (wanted,)) if kind_of(one) == kind]
        if not values or operator not in {"==", "!=", "in", "not in"}:
            return _FALSE
        is_negated = operator in {"!=", "not in"}
        where = f"value_number is null and value_text is null and type = '{kind}'"
        if kind == "null":
            return _FALSE if is_negated else where
        bound = ", ".join(str(int(bool(one))) for one in values)
        return f"{where} and value_bool {'not in' if is_negated else 'in'} ({bound})"

    def _numeric(self, column: str, comparison: Comparison) -> str:
        operator, wanted = comparison.operator, comparison.value
        if isinstance(wanted, tuple):
            numbers = [number for number in map(_number, wanted) if number is not None]
            return self._among(column, operator, numbers)
        number = _number(wanted)
        if number is None or operator not in _SQL_OPERATORS:
            return _FALSE
        return f"{column} {_SQL_OPERATORS[operator]} {self.bind(number)}"

    def _textual(self, column: str, comparison: Comparison) -> str:
        operator, wanted = comparison.operator, comparison.value
        if isinstance(wanted, tuple):
            return self._among(column, operator, [one for one in wanted if isinstance(one, str)])
        if not isinstance(wanted, str):
            return _FALSE
        if operator == "contains":
            return f"instr({column}, {self.bind(wanted)}) > 0"
        if operator == "matches":
            return f"{column} is not null and cast({column} as blob) regexp {self.bind(wanted)}"
        return f"{column} {_SQL_OPERATORS[operator]} {self.bind(wanted)}"

    def _among(self, column: str, operator: str, values: Sequence[str | float]) -> str:
        if not values:
            return _FALSE
        bound = ", ".join(self.bind(value) for value in values)
        return f"{column} {operator} ({bound})"


def _number(value: Literal_) -> float | None:
    if value is None or isinstance(value, (bool, str)) or (isinstance(value, float) and math.isnan(value)):
        return None
    return comparable(value)


def _joined(operator: str, conditions: Sequence[str], *, empty: str) -> str:
    return f"({operator.join(conditions)})" if conditions else empty


def _table(wanted: ParamField) -> str:
    """Return the table of a field with the columns of params."""
    return "summaries" if isinstance(wanted, SummaryField) else "params"
