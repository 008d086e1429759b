"""Whatever user code passes as a value, as a value that OpenTelemetry knows. Pure; imports no array library.

The SDK checks attributes of spans and log records, but neither measurements and their attributes nor the bodies
of log records: one `numpy.float32` there breaks the whole batch when it is encoded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from otel_experiments.model.span import AttributeValue
from otel_experiments.process.interruption import is_interruption

_PLAIN: Final = frozenset({str, bool, int, float, bytes, type(None)})
_MAX_ELEMENTS: Final = 1000
_MAX_LAZY: Final = 10_000
"""Items of a sequence that may make each of them when it is asked."""
_MAX_DEPTH: Final = 20
_INT64: Final = 2**63


def plain_value(
    value: object, *, above: tuple[int, ...] = (), on_text: Callable[[object], None] | None = None
) -> AttributeValue:
    """Return the value as text, boolean, number, bytes, None, or lists and mappings of them.

    `above` are the ids of what the value is in: what holds itself is not followed.
    Scalars of array libraries become numbers, arrays of up to 1,000 elements lists, sets sorted lists, anything
    else its text; so do larger arrays and sequences that make their items when asked, such as a long `range`: of
    these `on_text` is told.
    """
    if type(value) in _PLAIN:
        return value  # type: ignore[return-value] # one of the types of an AttributeValue
    if isinstance(value, Mapping) and _is_followed(value, above):
        inside = (*above, id(value))
        return {
            _text(key): inner if type(inner) in _PLAIN else plain_value(inner, above=inside, on_text=on_text)
            for key, inner in value.items()
        }
    if isinstance(value, (str, int, float, bytes, bytearray, memoryview)):
        return _base(value)
    if isinstance(value, Sequence) and _is_followed(value, above):
        if not isinstance(value, (list, tuple)) and _is_long(value):
            if on_text is not None:
                on_text(value)
            return _text(value) if isinstance(value, range) else f"<{type(value).__name__}>"
        inside = (*above, id(value))
        return [
            inner if type(inner) in _PLAIN else plain_value(inner, above=inside, on_text=on_text)
            for inner in value
        ]
    return _of_library(value, above, on_text)


def plain_number(value: object) -> int | float:
    """Return a number of any library as Python's; integers stay integers as long as 64 bits hold them.

    A larger one becomes the nearest float, or an infinity: neither OTLP nor the column of a store has room for it.

    Raises:
        TypeError: it is no number.
        ValueError: as above.
    """
    if is_plain_number(value):
        return value  # type: ignore[return-value] # an int or a float
    made = plain_value(value)
    number = made if isinstance(made, (int, float)) else float(made)  # type: ignore[arg-type] # raises, as documented
    if isinstance(number, float) or is_plain_number(int(number)):
        return number
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def is_plain_number(value: object) -> bool:
    """Tell whether `plain_number` would change nothing."""
    return type(value) is float or (type(value) is int and -_INT64 <= value < _INT64)


def _is_long(value: Sequence[object]) -> bool:
    try:
        return len(value) > _MAX_LAZY
    except OverflowError:  # more than an address can count
        return True


def _is_followed(value: object, above: tuple[int, ...]) -> bool:
    return len(above) < _MAX_DEPTH and id(value) not in above


def _of_library(
    value: object, above: tuple[int, ...], on_text: Callable[[object], None] | None
) -> AttributeValue:
    is_large = False
    try:
        shape: Any = getattr(value, "shape", None)
        if shape is not None and tuple(shape) == ():
            item = value.item()  # type: ignore[attr-defined] # what arrays and scalars have, or the except below
            if type(item) in _PLAIN:
                return item  # type: ignore[no-any-return] # one of the types of an AttributeValue
        elif shape is not None and _size(shape) <= _MAX_ELEMENTS and _is_followed(value, above):
            return plain_value(value.tolist(), above=(*above, id(value)))  # type: ignore[attr-defined] # as above
        elif shape is not None:
            is_large = _size(shape) > _MAX_ELEMENTS
        elif isinstance(value, (set, frozenset)):
            return sorted(_text(inner) for inner in value)
    except Exception as error:  # a foreign object may do anything
        if is_interruption(error):
            raise
        return _text(value)
    if is_large and on_text is not None:
        on_text(value)
    return _text(value)


def _base(value: str | float | bytes | bytearray | memoryview) -> AttributeValue:
    """Return an instance of a subclass (an enum's member, `numpy.float64`) as the plain type."""
    if isinstance(value, str):
        return str.__str__(value)  # str() of an enum's member is its name
    if isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, float) else bytes(value)


def _size(shape: Sequence[int]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size


def _text(value: object) -> str:
    try:
        return str(value)[:1000]
    except Exception as error:  # a foreign __str__ may do anything
        if is_interruption(error):
            raise
        return f"<{type(value).__name__}>"
