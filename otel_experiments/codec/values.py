"""Attribute and parameter values as JSON text, exactly.

Plain values are plain JSON, so that SQLite's `json_extract` and any other reader understand them. What JSON
cannot say is an object with one key that starts with `$`:

    {"$float": "nan" | "inf" | "-inf"}     a float that is no number or infinite
    {"$bytes": "<base64>"}                 bytes
    {"$int": "<hexadecimal>"}              an integer too long for Python's decimal conversion (4,300 digits)

A mapping of one key that itself starts with `$` gets one more `$` in front of that key. Integers of any other
size are JSON integers, floats always carry a point or an exponent, sequences come back as lists. Lone surrogates
are escaped; two that form a pair come back as the one character they mean.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeGuard

from otel_experiments.process.interruption import is_interruption

if TYPE_CHECKING:
    from otel_experiments.model.span import AttributeValue

JsonValue = str | bool | int | float | None | list["JsonValue"] | dict[str, "JsonValue"]

_TAG = '"$'
_plain = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"), check_circular=False)
_ascii = json.JSONEncoder(allow_nan=False, ensure_ascii=True, separators=(",", ":"), check_circular=False)
_make_c_encoder = getattr(json.encoder, "c_make_encoder", None)


def _refuse(value: object) -> object:
    message = f"An attribute value cannot be of type {type(value).__name__}."
    raise TypeError(message)


def _plain_encoder() -> Callable[[object], str]:
    """Return what does as `_plain.encode` does, without building an encoder for every call (2 of its 3 us)."""
    if _make_c_encoder is None:  # an interpreter without the C accelerator
        return _plain.encode
    encode = _make_c_encoder(
        None, _refuse, json.encoder.encode_basestring, None, ":", ",", False, False, False
    )
    return lambda value: "".join(encode(value, 0))


_encode_plain = _plain_encoder()
_decode = json.JSONDecoder().raw_decode
_sorted = json.JSONEncoder(
    allow_nan=False, ensure_ascii=True, separators=(",", ":"), check_circular=False, sort_keys=True
)


def dump_value(value: object) -> str:
    """Return `value` (an AttributeValue) as compact JSON text.

    Raises:
        TypeError: something inside is neither a string, number, bytes, None, sequence nor mapping.
    """
    if value is None:
        return "null"
    tagged: object = value
    try:
        text = _encode_plain(value)
    except (TypeError, ValueError) as error:
        if is_interruption(error):
            raise
        text = ""
    if not text or _TAG in text:
        tagged = _tag(value)
        text = _plain.encode(tagged)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:  # a lone surrogate, which UTF-8 cannot carry but an escape can
            text = _ascii.encode(tagged)
    return text


def dump_canonical(value: object) -> str:
    """Return `value` as JSON text that is the same for equal values: keys sorted, ASCII only."""
    return _sorted.encode(_tag(value))


def load_value(text: str) -> JsonValue | bytes:
    """Return the value that `dump_value` wrote; sequences are lists, mappings dicts."""
    if _TAG in text:
        tagged: JsonValue | bytes = json.loads(text, object_hook=_untag)
        return tagged
    plain: JsonValue = None
    try:
        plain, end = _decode(
            text
        )  # what `json.loads` does, but for a look for blanks, of which we write none
    except ValueError as error:
        if is_interruption(error):
            raise
        end = -1
    if end != len(text):
        plain = json.loads(text)
    return plain


def load_attributes(text: str) -> dict[str, AttributeValue]:
    """Return the mapping that `dump_value` wrote.

    Raises:
        ValueError: the text holds something other than a mapping.
    """
    if text == "{}":
        return {}
    value = load_value(text)
    if not _is_mapping(value):
        message = f"Attributes are a JSON object, not {text[:40]!r}."
        raise ValueError(message)
    return value


def load_mappings(text: str) -> tuple[dict[str, AttributeValue], ...]:
    """Return the sequence of mappings that `dump_value` wrote.

    Raises:
        ValueError: the text holds something other than a sequence of mappings.
    """
    value = load_value(text)
    if not isinstance(value, list) or not all(map(_is_mapping, value)):
        message = f"A sequence of attributes is a JSON array of objects, not {text[:40]!r}."
        raise ValueError(message)
    return tuple(one for one in value if _is_mapping(one))


def tagged(value: object) -> JsonValue:
    """Return what `dump_value` writes of a value, before it is text.

    Raises:
        TypeError: as `dump_value`.
    """
    return _tag(value)


def untagged(found: dict[str, JsonValue]) -> JsonValue | bytes:
    """Return what a mapping that `tagged` returned stands for: itself where it has no tag; what is inside stays."""
    return _untag(found)


def _is_mapping(value: object) -> TypeGuard[dict[str, AttributeValue]]:
    return isinstance(value, dict)


def _tag(value: object) -> JsonValue:  # noqa: PLR0911 - one return a type
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        return _tag_int(int(value))
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": str(float(value))}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"$bytes": base64.b64encode(bytes(value)).decode("ascii")}
    if isinstance(value, Mapping):
        items = {str(key): _tag(inner) for key, inner in value.items()}
        if len(items) == 1:
            (key,) = items
            if key.startswith("$"):
                return {f"${key}": items[key]}
        return items
    if isinstance(value, Sequence):
        return [_tag(inner) for inner in value]
    message = f"An attribute value cannot be of type {type(value).__name__}: {value!r:.80}."
    raise TypeError(message)


def _tag_int(value: int) -> JsonValue:
    # 4,300 decimal digits (sys.int_info.default_max_str_digits) are at least 14,281 bits.
    return value if value.bit_length() < 14_000 else {"$int": hex(value)}


def _untag(found: dict[str, JsonValue]) -> JsonValue | bytes:  # noqa: PLR0911 - one return a tag
    if len(found) != 1:
        return found
    ((key, value),) = found.items()
    if not key.startswith("$"):
        return found
    if key.startswith("$$"):
        return {key[1:]: value}
    if isinstance(value, str):
        if key == "$float":
            return float(value)
        if key == "$bytes":
            return base64.b64decode(value)
        if key == "$int":
            return int(value, 16)
    return found
