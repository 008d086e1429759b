"""A write batch as one line of JSON, exactly, and back: what a store that keeps entries of text writes.

User values are written as `codec.values` writes them. What JSON cannot say beside those is an object with one key:

    {"$Span": {...}}           an object of the model, by the name of its class; fields that have their default are left out
    {"$array": ["d", "..."]}   a column of floats (`d`) or integers (`q`), 8 bytes each, little-endian, in base64
    {"$tuple": [...]}          a tuple; a list of the user stays a list
    {"$set": [...]}            a set of texts, sorted

No mapping of a user looks like these: one with a single key that starts with `$` gets one more `$` in front of it.
"""

from __future__ import annotations

import base64
import json
import sys
from array import array
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import MISSING, Field, dataclass, fields
from enum import Enum
from typing import Any, Final

from otel_experiments.codec.values import JsonValue, tagged, untagged
from otel_experiments.model.artifact import AliasSet, ArtifactLogged, ArtifactUsed
from otel_experiments.model.attachment import Attachment, Detachment, TelemetryQuery
from otel_experiments.model.batch import (
    Heartbeat,
    JournalAdvance,
    MetricDefinition,
    ParamSet,
    RunSighting,
    RunStateChange,
    SharedTrace,
    SummarySet,
    TagSet,
    WriteBatch,
)
from otel_experiments.model.edit import RunEdit, RunPurge
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.journal_report import JournalReport
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Owner, Run, RunState
from otel_experiments.model.span import Event, Link, Resource, Scope, Span, SpanKind, StatusCode
from otel_experiments.model.unsent import Unsent


@dataclass(frozen=True)
class MadePoints:
    """The points that were made of the spans of a shared trace, in the order of the calls: its `points_of` once more."""

    blocks: tuple[tuple[PointBlock, ...], ...] = ()

    def __call__(self, run_id: str, spans: Sequence[Span]) -> list[PointBlock]:  # noqa: ARG002 - those of `points_of`
        """Return what the next call returned when the batch was stored first."""
        position = self.__dict__.get("_position", 0)
        self.__dict__["_position"] = position + 1
        return list(self.blocks[position]) if position < len(self.blocks) else []


_OBJECTS: Final[dict[str, type[Any]]] = {
    one.__name__: one
    for one in (
        AliasSet, ArtifactLogged, ArtifactUsed, Attachment, Detachment, Event, Heartbeat, InstrumentPoint, JournalAdvance,
        JournalReport, Link, LogRecord, MadePoints, MetricDefinition, Owner, ParamSet, PointBlock, Resource, Run, RunEdit, RunPurge, RunSighting,
        RunState, RunStateChange, Scope, SeriesKey, SharedTrace, Span, SpanKind, StatusCode, SummarySet, TagSet,
        TelemetryQuery, Unsent, WriteBatch,
    )
}  # fmt: skip
_FIELDS: Final = {name: fields(kind) for name, kind in _OBJECTS.items() if not issubclass(kind, Enum)}
_COLUMNS: Final = frozenset({"d", "q"})
_encode = json.JSONEncoder(
    allow_nan=False, ensure_ascii=True, separators=(",", ":"), check_circular=False
).encode


def dump_batch(batch: WriteBatch) -> str:
    """Return the batch as one line of ASCII.

    Raises:
        TypeError: something inside is of a type that no store keeps, as a function is.
    """
    return _encode(_dumped(batch))


def load_batch(text: str | bytes) -> WriteBatch:
    """Return the batch that `dump_batch` wrote.

    Raises:
        ValueError: the text is none of ours, or has what this release does not know.
    """
    found = _loaded(json.loads(text))
    if not isinstance(found, WriteBatch):
        message = f"A batch is an object with the key $WriteBatch, not {text[:40]!r}."
        raise ValueError(message)  # noqa: TRY004 - the type of what a text holds
    return found


def _dumped(value: object) -> JsonValue:
    kind: type[Any] = type(value)
    if _OBJECTS.get(kind.__name__) is kind:
        return {f"${kind.__name__}": value.value if isinstance(value, Enum) else _dumped_fields(kind, value)}
    if isinstance(value, array) and value.typecode in _COLUMNS:
        return {"$array": [value.typecode, base64.b64encode(_little(value).tobytes()).decode("ascii")]}
    if isinstance(value, tuple):
        return {"$tuple": [_dumped(inner) for inner in value]}
    if isinstance(value, AbstractSet):
        texts: list[JsonValue] = [*sorted(map(str, value))]
        return {"$set": texts}
    if isinstance(value, list) and value and type(value[0]).__name__ in _OBJECTS:
        return [_dumped(inner) for inner in value]
    return tagged(value)


def _dumped_fields(kind: type[Any], value: object) -> dict[str, JsonValue]:
    told = [(one, getattr(value, one.name)) for one in _FIELDS[kind.__name__]]
    return {one.name: _dumped(held) for one, held in told if not _is_default(one, held)}


def _is_default(one: Field[Any], value: object) -> bool:
    if one.default_factory is not MISSING:
        return isinstance(value, (Mapping, Sequence, AbstractSet)) and not value
    return one.default is not MISSING and (
        value is one.default or (type(value) is type(one.default) and value == one.default)
    )


def _little(column: array[Any]) -> array[Any]:
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return column


def _loaded(value: object) -> Any:  # whatever was dumped
    if isinstance(value, list):
        return [_loaded(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, inner),) = value.items()
        if key.startswith("$"):
            return _loaded_tag(value, key, inner)
    return {key: _loaded(inner) for key, inner in value.items()}


def _loaded_tag(value: dict[str, JsonValue], key: str, inner: JsonValue) -> object:
    kind = _OBJECTS.get(key[1:])
    if kind is not None:
        return _made(kind, inner)
    if key == "$tuple":
        return tuple(_loaded(inner))
    if key == "$set":
        return frozenset(_loaded(inner))
    if key == "$array" and isinstance(inner, list):
        return _column(*inner)
    plain = untagged(value)
    return {one: _loaded(held) for one, held in plain.items()} if isinstance(plain, dict) else plain


def _made(kind: type[Any], inner: Any) -> object:
    if issubclass(kind, Enum):
        return kind(inner)
    try:
        return kind(**{key: _loaded(one) for key, one in dict(inner or {}).items()})
    except TypeError as error:  # a field that a newer release added
        message = f"{kind.__name__} cannot be made: {error}."
        raise ValueError(message) from None


def _column(typecode: object, text: object) -> array[Any]:
    if typecode not in _COLUMNS or not isinstance(text, str):
        message = f"A column is of {' or '.join(sorted(_COLUMNS))}, not {typecode!r}."
        raise ValueError(message)
    column: array[Any] = array(str(typecode))
    column.frombytes(base64.b64decode(text))
    return _little(column)
