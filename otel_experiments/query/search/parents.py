"""What a search says of parents, by name or the beginning of an id, as the ids that runs have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from otel_experiments.model.run import is_run_id
from otel_experiments.model.search import And, Comparison, Exists, Not, Or, RunField

if TYPE_CHECKING:
    from otel_experiments.model.search import Expression
    from otel_experiments.store import Store

_MOST_PARENTS: Final = 1000
_PARENT: Final = RunField("parent_run_id")
_EQUAL: Final = {"==": "in", "in": "in"}
_UNEQUAL: Final = {"!=": "not in", "not in": "not in"}


def with_parent_ids(store: Store, expression: Expression | None) -> Expression | None:
    """Return the search with `parent == "sweep-1"` as a comparison with the ids of the runs that are called so."""
    match expression:
        case And(operands):
            return And(tuple(_each(store, operands)))
        case Or(operands):
            return Or(tuple(_each(store, operands)))
        case Not(operand):
            found = with_parent_ids(store, operand)
            return expression if found is None else Not(found)
        case Comparison(field, operator, value) if field == _PARENT and operator in {*_EQUAL, *_UNEQUAL}:
            return _compared(store, expression, value if isinstance(value, tuple) else (value,))
    return expression


def _each(store: Store, operands: tuple[Expression, ...]) -> list[Expression]:
    return [found for one in operands if (found := with_parent_ids(store, one)) is not None]


def _compared(store: Store, comparison: Comparison, values: tuple[object, ...]) -> Expression:
    if all(is_run_id(one) for one in values):
        return comparison
    ids: list[str] = []
    for one in values:
        if is_run_id(one):
            ids.append(str(one))
        elif isinstance(one, str) and one:
            ids += store.resolve_run_ids(one, limit=_MOST_PARENTS)
    if not ids:
        return Or(()) if comparison.operator in _EQUAL else Exists(_PARENT)
    return Comparison(_PARENT, "in" if comparison.operator in _EQUAL else "not in", tuple(dict.fromkeys(ids)))
