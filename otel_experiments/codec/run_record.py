"""What is stored of a run itself as the text of one event, and back. Pure.

The text is JSON as `codec.values` writes it, so that nothing of a param is lost that OTLP has no room for: integers of any
size, and a float that is no number as itself. A reader of another release ignores what it does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Final

from otel_experiments.codec.values import dump_value, load_value
from otel_experiments.errors import TelemetryDecodeError
from otel_experiments.model.artifact import AliasSet, ArtifactLogged, ArtifactUsed, parse_digest
from otel_experiments.model.batch import (
    Heartbeat,
    MetricDefinition,
    ParamSet,
    RunStateChange,
    SummarySet,
    TagSet,
    WriteBatch,
)
from otel_experiments.model.edit import EDIT_FIELDS, RunEdit
from otel_experiments.model.run import Owner, Run, RunState
from otel_experiments.process.interruption import pass_on
from otel_experiments.semconv.events import ML_RUN_RECORD

_ROWS: Final[dict[str, type[Any]]] = {
    "runs": Run,
    "state_changes": RunStateChange,
    "heartbeats": Heartbeat,
    "params": ParamSet,
    "summaries": SummarySet,
    "tags": TagSet,
    "metric_definitions": MetricDefinition,
    "artifacts": ArtifactLogged,
    "artifact_uses": ArtifactUsed,
    "artifact_aliases": AliasSet,
    "edits": RunEdit,
}
"""The fields of a batch that are about a run itself."""
_OF_OTHERS: Final = frozenset({AliasSet})
"""Rows that may be of another run, or of none: they keep the id."""
_OF_ALL: Final = "run_id"
_INT64: Final = 2**63
_DIRECTIONS: Final = (None, "min", "max")
_ROLES: Final = ("artifact", "media")
Json = Any  # parsed JSON


def dump_run_record(batch: WriteBatch) -> str:
    """Return what the batch says of one run itself, its id left out."""
    return dump_value(
        {name: list(map(_mapping, getattr(batch, name))) for name in _ROWS if getattr(batch, name)}
    )


def load_run_record(run_id: str, text: str) -> WriteBatch:
    """Return what a text of `dump_run_record` says, of the run with this id.

    Raises:
        TelemetryDecodeError: it is no such text.
    """
    batch = WriteBatch()
    try:
        document = _object(load_value(text))
        for name, kind in _ROWS.items():
            own = {} if kind in _OF_OTHERS else {_OF_ALL: run_id}
            rows = [_row(kind, {**_object(row), **own}) for row in _list(document.get(name, ()))]
            getattr(batch, name).extend(rows)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        pass_on(error)
        raise TelemetryDecodeError(
            source=f"The event {ML_RUN_RECORD.name} of the run {run_id}",
            found=f"a body that cannot be read: {error}",
        ) from error
    return batch


def _mapping(row: Any) -> dict[str, object]:  # a dataclass
    return {
        field.name: _mapping(value) if is_dataclass(value) else value
        for field in fields(row)
        if (field.name != _OF_ALL or type(row) in _OF_OTHERS)
        and (value := getattr(row, field.name)) != field.default
    }


def _row(kind: type[Any], found: Mapping[str, Json]) -> Any:
    """Return a dataclass of the kind with the values that are there, each of the type that the model says."""
    values = {}
    for field in fields(kind):
        if field.name in found:
            values[field.name] = _checked(field, found[field.name])
        elif field.default is MISSING and field.default_factory is MISSING:
            raise KeyError(f"a {kind.__name__} without {field.name}")
    return kind(**values)


def _checked(field: Field[Any], value: Json) -> Any:
    kind, _, rest = str(field.type).partition(" | ")
    if value is None and rest == "None":
        return None
    return _digest(value) if field.name == "digest" else _CHECKS[kind](value)


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text was expected, {value!r:.80} was found")
    return value


def _integer(value: Json) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not -_INT64 <= value < _INT64:
        raise TypeError(f"an integer was expected, {value!r:.80} was found")
    return value


def _list(value: Json) -> Sequence[Json]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise TypeError(f"a list was expected, {value!r:.80} was found")
    return value


def _object(value: Json) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError(f"an object was expected, {value!r:.80} was found")
    return value


def _param(value: Json) -> Json:
    if isinstance(value, (bytes, Mapping)):
        raise TypeError(f"no param has the value {value!r:.80}")
    return value


def _attributes(value: Json) -> Json:
    return {_text(key): item for key, item in _object(value).items()}


def _truth(value: Json) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"true or false was expected, {value!r:.80} was found")
    return value


def _number(value: Json) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"a number was expected, {value!r:.80} was found")
    return float(value)


def _role(value: Json) -> Json:
    if value not in _ROLES:
        raise ValueError(f"no artifact has the role {value!r:.80}")
    return value


def _digest(value: Json) -> str:
    found = parse_digest(_text(value))
    if found is None or found[1]:
        raise ValueError(f"a digest was expected, {value!r:.80} was found")
    return found[0]


def _edit_field(value: Json) -> Json:
    if value not in EDIT_FIELDS:
        raise ValueError(f"no edit is of the field {value!r:.80}")
    return value


def _direction(value: Json) -> Json:
    if value not in _DIRECTIONS:
        raise ValueError(f"no metric has the direction {value!r:.80}")
    return value


_CHECKS: Final[dict[str, Callable[[Json], Any]]] = {
    "str": _text,
    "int": _integer,
    "RunState": RunState,
    "Owner": lambda value: _row(Owner, _object(value)),
    "Mapping[str, object]": _object,
    "ParamValue": _param,
    "Direction": _direction,
    "EditField": _edit_field,
    "bool": _truth,
    "float": _number,
    "ArtifactRole": _role,
    "Mapping[str, ParamValue]": _attributes,
}
