"""The columns of the table `runs`, derived from the fields of a run; the schema of a new field is a migration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, Literal

from otel_experiments.codec.text import clean_text
from otel_experiments.codec.values import load_attributes
from otel_experiments.model.run import EDITED_FIELDS, Owner, Run, RunState
from otel_experiments.store.sqlite.unreadable import check_numbers, check_texts

if TYPE_CHECKING:
    from otel_experiments.store.semantics.run import StoredRun


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, the field of a run that it holds (a path such as `owner.pid`), and its kind."""

    name: str
    field: str
    kind: Literal["text", "integer", "state", "resource"]
    may_be_null: bool


_NAMES: Final = {"group": "group_name", "resource": "resource_id"}
"""Columns that are called otherwise than the field: a word of SQL, and a row of another table."""
_KINDS: Final[dict[str, Literal["text", "integer", "state", "resource"]]] = {
    "str": "text",
    "int": "integer",
    "RunState": "state",
    "Mapping[str, object]": "resource",
}
_PLACEHOLDER_LACKS: Final = frozenset({"experiment"})
"""What a run whose record has not arrived may not refer to."""


def columns_of(model: type[Run]) -> tuple[Column, ...]:
    """Return the columns of a run, those of its owner among them, in the order of its fields."""
    found = []
    for field in fields(model):
        if field.name == "owner":
            found += [
                Column(f"owner_{part.name}", f"owner.{part.name}", _KINDS[str(part.type)], may_be_null=True)
                for part in fields(Owner)
            ]
            continue
        kind, _, rest = str(field.type).partition(" | ")
        may_be_null = rest == "None" or field.name in _PLACEHOLDER_LACKS
        name = _NAMES.get(field.name, field.name)
        found.append(Column(name, field.name, _KINDS[kind], may_be_null))
    return tuple(found)


COLUMNS: Final = columns_of(Run)
STORED: Final = ("state_ns", "record_ns")
"""Of when the state and the record are; what `StoredRun` has beside the run."""

_NAMES_OF_ALL: Final = (*(column.name for column in COLUMNS), *STORED)
RUN_COLUMNS: Final = ", ".join(
    "resources.attributes" if column.kind == "resource" else f"runs.{column.name}" for column in COLUMNS
)
"""What is selected of `runs left join resources using (resource_id)` for `run_of`."""
_RECORDED: Final = tuple(name for name in _NAMES_OF_ALL if name not in EDITED_FIELDS)
_EDITABLE: Final = {"name": "name", "group_name": "group"}
"""Columns that a record of the run fills, and an edit of it better."""


def _newest(column: str) -> str:
    if column not in _EDITABLE:
        return f"{column} = excluded.{column}"
    field = _EDITABLE[column]
    edit = f"select value from edits where edits.run_id = excluded.run_id and edits.field = '{field}'"
    return f"{column} = coalesce(({edit}), excluded.{column})"


UPSERT_RUN: Final = (
    f"insert into runs ({', '.join(_RECORDED)}) values ({', '.join('?' * len(_RECORDED))}) "
    f"on conflict (run_id) do update set {', '.join(map(_newest, _RECORDED[1:]))}"
)
"""Sets all columns of a run that are recorded, to the values of `row_of`; what was edited stays."""


def _places(kind: str, *, may_be_null: bool | None = None) -> list[int]:
    return [
        i
        for i, column in enumerate(COLUMNS)
        if column.kind == kind and may_be_null in {None, column.may_be_null}
    ]


_numbers: Final = itemgetter(*_places("integer"))
_texts: Final = itemgetter(*_places("text", may_be_null=False))
_optional_texts: Final = itemgetter(*_places("text", may_be_null=True))
_FIRST_OF_OWNER: Final = next(i for i, column in enumerate(COLUMNS) if column.field.startswith("owner."))
_OWNER: Final = slice(_FIRST_OF_OWNER, _FIRST_OF_OWNER + len(fields(Owner)))
_EXPERIMENT: Final = _NAMES_OF_ALL.index("experiment")
_STATE: Final = _NAMES_OF_ALL.index("state")
_STATES: Final[dict[object, RunState]] = {str(state): state for state in RunState}
_EMPTY: Final[dict[str, object]] = {
    "text": "", "integer": 0, "state": str(RunState.RUNNING), "resource": None
}  # fmt: skip
_LEAST: Final[dict[str, object]] = {"attempt": 1}
_CLEANED: Final = (
    frozenset(
        column.field
        for column in COLUMNS
        if column.kind == "text" and column.field != "run_id" and not column.may_be_null
    )
    | _PLACEHOLDER_LACKS
)
"""Texts that users give; the others are ids and names that a machine has."""


def run_of(row: Sequence[object]) -> Run:
    """Return the run of a row of RUN_COLUMNS.

    Raises:
        TypeError: a column holds something else than the schema says; other errors of contents as well.
    """
    check_numbers(*_numbers(row))
    check_texts(*_texts(row), *filter(None, _optional_texts(row)))
    values: list[Any] = list(row)
    values[_EXPERIMENT] = values[_EXPERIMENT] or ""
    values[_STATE] = _STATES.get(values[_STATE]) or RunState(values[_STATE])
    values[-1] = {} if values[-1] is None else load_attributes(values[-1])
    owner = values[_OWNER]
    values[_OWNER] = [None if owner[0] is None else Owner(*owner)]
    return Run(*values)


def mended(row: Sequence[object]) -> list[object]:
    """Return a row of RUN_COLUMNS with what stands for nothing where a column does not hold what it should."""
    return [_mended(column, value) for column, value in zip(COLUMNS, row, strict=True)]


def row_of(stored: StoredRun, resource_id: int | None) -> list[object]:
    """Return the values of UPSERT_RUN."""
    run = stored.run
    values: list[object] = []
    for column in COLUMNS:
        if column.name in EDITED_FIELDS:
            continue
        if column.kind == "resource":
            values.append(resource_id)
        elif column.field.startswith("owner."):
            values.append(run.owner and getattr(run.owner, column.field.removeprefix("owner.")))
        elif column.field in _PLACEHOLDER_LACKS and not getattr(run, column.field):
            values.append(None)
        else:
            value = getattr(run, column.field)
            value = clean_text(value) if column.field in _CLEANED else value
            values.append(str(value) if column.kind == "state" else value)
    return [*values, stored.state_ns, stored.record_ns]


def _mended(column: Column, value: object) -> object:
    if column.kind == "resource":
        return None
    if column.kind == "state":
        is_right = value in _STATES
    else:
        is_right = isinstance(value, int if column.kind == "integer" else str)
    if is_right:
        return value
    return None if column.may_be_null else _LEAST.get(column.name, _EMPTY[column.kind])
