"""Params: from whatever steers a run (dict, Namespace, dataclass, attrs, pydantic, OmegaConf) to typed values.

Nested mappings become dotted keys, lists stay whole, scalars of numpy, torch and JAX become Python's own. A
value that has no form of its own is kept as its `str`, so that nothing is lost without a trace.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, cast

from otel_experiments.errors import InvalidNameError
from otel_experiments.model.run import ParamValue
from otel_experiments.model.span import AttributeValue
from otel_experiments.record.description import text_of
from otel_experiments.record.names import clean_name

MAX_DEPTH: Final = 32
MAX_TEXT_CHARS: Final = 100_000
MAX_ATTRIBUTE_CHARS: Final = 1_000
MAX_ATTRIBUTE_ITEMS: Final = 100


_CYCLE: Final = "<a value that holds itself>"


def flatten_params(
    source: object, refuse: Callable[[InvalidNameError], None] | None = None
) -> dict[str, ParamValue]:
    """Return dotted keys with typed values, in the order of the source; an empty mapping keeps its key.

    A key that cannot be used is handed to `refuse`, if there is one, and left out with what is below it.

    Raises:
        TypeError: the source is no mapping and cannot be seen as one.
        InvalidNameError: a key is empty.
    """
    flat: dict[str, ParamValue] = {}
    _flatten(as_mapping(source), "", flat, refuse, (id(source),))
    return flat


def attribute_of_param(value: ParamValue) -> AttributeValue:
    """Return a param as an attribute of the run span: lists of one type whole, others as JSON; texts up to 1,000 chars."""
    if isinstance(value, list):
        kinds = set(map(type, value))
        if len(value) <= MAX_ATTRIBUTE_ITEMS and len(kinds) == 1 and kinds <= {str, bool, int, float}:
            return cast("AttributeValue", value)
    if isinstance(value, (list, dict)):
        return json.dumps(value)[:MAX_ATTRIBUTE_CHARS]
    return value[:MAX_ATTRIBUTE_CHARS] if isinstance(value, str) else value


def as_mapping(source: object) -> Mapping[object, object]:
    """See the source as a mapping, one level deep.

    Raises:
        TypeError: it cannot be seen as one.
    """
    if isinstance(source, Mapping):
        return source
    if dataclasses.is_dataclass(source) and not isinstance(source, type):
        return {field.name: getattr(source, field.name) for field in dataclasses.fields(source)}
    dump = getattr(source, "model_dump", None)  # pydantic
    if callable(dump):
        return cast("Mapping[object, object]", dump())
    if hasattr(source, "__attrs_attrs__"):
        return {a.name: getattr(source, a.name) for a in cast("Any", source).__attrs_attrs__}
    try:
        return cast("Mapping[object, object]", dict(vars(source)))  # argparse.Namespace and plain objects
    except TypeError:
        raise TypeError(
            f"Params are a mapping of names to values, not {type(source).__name__}.\n"
            "  Pass a dict, an argparse.Namespace, a dataclass or a pydantic model."
        ) from None


def _flatten(
    source: Mapping[object, object],
    prefix: str,
    flat: dict[str, ParamValue],
    refuse: Callable[[InvalidNameError], None] | None,
    above: tuple[int, ...],
) -> None:
    """Take over what is in `source`; `above` are the ids of what it is in, which may not come again."""
    for key, value in source.items():
        try:
            name = prefix + clean_name(key if isinstance(key, str) else text_of(key), "param name")
        except InvalidNameError as error:
            if refuse is None:
                raise
            refuse(error)
            continue
        nested = _nested(value) if id(value) not in above and len(above) <= MAX_DEPTH else None
        if nested is not None:
            _flatten(nested, f"{name}.", flat, refuse, (*above, id(value)))
        else:
            flat[clean_name(name, "param name")] = _typed(value, above)


def _typed(value: object, above: tuple[int, ...]) -> ParamValue:
    try:
        return typed_value(value, above)
    except Exception:  # noqa: BLE001 - a foreign value may do anything
        return param_text(text_of(value))


def _nested(value: object) -> Mapping[object, object] | None:
    try:
        return _seen_as_mapping(value)
    except Exception:  # noqa: BLE001 - a foreign value may do anything
        return None


def _seen_as_mapping(value: object) -> Mapping[object, object] | None:
    is_structure = isinstance(value, Mapping) or (
        not isinstance(value, (type, enum.Enum))
        and (
            dataclasses.is_dataclass(value)
            or hasattr(value, "__attrs_attrs__")
            or callable(getattr(type(value), "model_dump", None))
            or type(value).__name__ == "Namespace"
        )
    )
    if not is_structure:
        return None
    return as_mapping(value) or None


def typed_value(value: object, above: tuple[int, ...] = ()) -> ParamValue:  # noqa: C901, PLR0911 - one line a type
    """Return the value as a str, bool, int, float, None, list or (inside lists) mapping.

    `above` are the ids of what the value is in: what holds itself is not followed.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return param_text(str(value))
    if isinstance(value, enum.Enum):
        return typed_value(value.value, above)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, os.PathLike):
        return param_text(os.fspath(cast("os.PathLike[str]", value)))
    scalar = _scalar(value)
    if scalar is not None:
        return scalar
    if id(value) in above:
        return _CYCLE
    if len(above) > MAX_DEPTH:
        return param_text(text_of(value))
    inside = (*above, id(value))
    if isinstance(value, Mapping):
        return {text_of(key): _typed(inner, inside) for key, inner in value.items()}
    if isinstance(value, (Sequence, AbstractSet)) and not isinstance(value, (bytes, bytearray, memoryview)):
        items = sorted(value, key=text_of) if isinstance(value, AbstractSet) else value
        return [_typed(inner, inside) for inner in items]
    tolist = getattr(value, "tolist", None)
    if callable(tolist) and getattr(value, "size", MAX_TEXT_CHARS) <= 1000:
        return typed_value(tolist(), inside)
    return param_text(text_of(value))


def _scalar(value: object) -> bool | int | float | None:
    """Return the Python number of a zero-dimensional numpy, torch or JAX value; None for anything else."""
    if getattr(value, "shape", None) != () or not hasattr(value, "item"):
        return None
    number = cast("Any", value).item()
    if isinstance(number, (bool, int, float)):
        return number
    return None if not isinstance(number, complex) else math.nan


def param_text(value: str) -> str:
    """Return the text as it is recorded: without NUL, of at most `MAX_TEXT_CHARS` characters."""
    text = value.replace("\0", "\ufffd")
    return text if len(text) <= MAX_TEXT_CHARS else text[:MAX_TEXT_CHARS]
