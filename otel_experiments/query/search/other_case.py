"""The text that a search without an answer may mean, where runs have it in other capitals."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from otel_experiments.model.search import And, Comparison, Or, ParamField, RunField, RunQuery, TagField

if TYPE_CHECKING:
    from otel_experiments.model.search import Expression, SearchField
    from otel_experiments.store import Store


def other_case(store: Store, where: Expression | None) -> tuple[SearchField, str, str] | None:
    """Return the first field that is compared with a text that no run has, the text, and what a run has instead.

    Args:
        store: the runs.
        where: a search that no run matches. What is negated in it is left out: no value of that is missed.
    """
    for field, text in dict.fromkeys(_texts(where)):
        if text.lower() == text.upper() or store.find_run_ids(
            RunQuery(Comparison(field, "==", text), limit=1)
        ):
            continue
        pattern = rf"(?i)\A{re.escape(text)}\Z"
        for run_id in store.find_run_ids(RunQuery(Comparison(field, "matches", pattern), limit=1)):
            has = _value(store, run_id, field)
            if isinstance(has, str) and has.lower() == text.lower():
                return field, text, has
    return None


def _texts(where: Expression | None) -> Iterator[tuple[SearchField, str]]:
    match where:
        case And(operands) | Or(operands):
            for operand in operands:
                yield from _texts(operand)
        case Comparison(
            ParamField() | TagField() | RunField("name" | "experiment" | "group") as field, "==" | "in", value
        ):
            for one in value if isinstance(value, tuple) else (value,):
                if isinstance(one, str):
                    yield field, one


def _value(store: Store, run_id: str, field: SearchField) -> object:
    match field:
        case ParamField(key):
            return store.params([run_id])[run_id].get(key)
        case TagField(key):
            return store.tags([run_id])[run_id].get(key)
        case RunField(name):
            is_it = Comparison(RunField("run_id"), "==", run_id)
            return next((getattr(run, name) for run in store.find_runs(RunQuery(is_it, limit=1))), None)
    return None
