"""Specs of figures as JSON and back, for painters in other languages.

A number that JSON has no form for is the text "NaN", "Infinity" or "-Infinity", as in the exports.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final

from otel_experiments.errors import FigureError
from otel_experiments.figures.spec import VERSION, Area, Axis, Bars, Curves, Heat, Histogram, Line, Mark, Spec

_KINDS: Final[dict[str, type[Spec]]] = {"curves": Curves, "histogram": Histogram, "bars": Bars, "heat": Heat}
_NAMES: Final = {kind: name for name, kind in _KINDS.items()}
_PARTS: Final[dict[str, type[Line | Area | Mark]]] = {"lines": Line, "areas": Area, "marks": Mark}
_NUMBERS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_COLUMNS: Final = {"edges", "counts", "values", "cells"}
_NUMERIC_IN_LINES: Final = {"x", "y", "low", "high"}


def to_json(spec: Spec) -> str:
    """Return the spec as one line of JSON."""
    shape = {"version": VERSION, "kind": _NAMES[type(spec)], **_plain_fields(spec)}
    return json.dumps(shape, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def from_json(text: str | bytes) -> Spec:
    """Return the spec that `to_json` wrote; fields that are not known here are ignored.

    Raises:
        FigureError: it is no spec, or of a later version.
    """
    try:
        shape = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise _unreadable(f"text that is no JSON: {exc}") from exc
    if not isinstance(shape, Mapping):
        raise _unreadable(f"JSON of a {type(shape).__name__}, not of an object")
    version, kind = shape.get("version"), shape.get("kind")
    if version != VERSION:
        raise _unreadable(f"version {version!r}, and this program reads version {VERSION}")
    cls = _KINDS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise _unreadable(f"the kind {kind!r}, which is none of {', '.join(_KINDS)}")
    try:
        made: Spec = _made(cls, shape)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError, RecursionError) as exc:
        raise _unreadable(f"a field of the wrong type in {kind!r}: {exc}") from exc
    return made


def _unreadable(found: str) -> FigureError:
    return FigureError(
        action="read",
        found=found,
        fix="Give the JSON that Figure.to_json() or Figure.save('figure.json') wrote.",
    )


def _plain_fields(value: Any) -> dict[str, object]:  # any of the dataclasses of `spec`
    return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}


def _plain(value: object) -> object:
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, float):
        return _plain_number(value)
    if is_dataclass(value):
        return _plain_fields(value)
    if isinstance(value, Iterable) and getattr(value, "ndim", 1) != 0:  # NumPy's arrays are no sequences
        return [_plain(one) for one in value]
    return _plain_number(float(value))  # type: ignore[arg-type] # NumPy's numbers


def _plain_number(value: float) -> str | float:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


# Any: the class is chosen by the text, and checks its arguments by their names alone.
def _made(cls: Any, shape: Mapping[str, Any]) -> Any:
    known = {one.name for one in fields(cls)}
    values = {name: value for name, value in shape.items() if name in known}
    is_line = cls in (Line, Area)
    for name, value in values.items():
        if name in _PARTS:
            values[name] = tuple(_made(_PARTS[name], one) for one in value)
        elif name in _COLUMNS or (is_line and name in _NUMERIC_IN_LINES):
            values[name] = _column(value)
        elif name in {"x", "y"} and isinstance(value, Mapping):
            values[name] = _made(Axis, value)
        elif name in {"columns", "rows", "labels", "notes"}:
            is_text = all(isinstance(one, str) for one in value)
            values[name] = tuple(value) if is_text else tuple(_column(value))
        elif (cls is Axis and name in {"low", "high"}) or (cls is Mark and name == "x"):
            values[name] = None if value is None else _number(value)
    return cls(**values)


def _column(values: Any) -> list[Any]:
    return [_column(one) if isinstance(one, list) else _number(one) for one in values]


def _number(value: object) -> float:
    if isinstance(value, str):
        return _NUMBERS[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    float(value)  # an integer that is too large for a float is none for a painter
    return value
