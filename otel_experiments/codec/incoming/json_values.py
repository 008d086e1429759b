"""Values of OTLP/JSON: numbers, texts, ids, attributes, and what of them a dialect accepts. Pure.

Null, and what is not there, is the default of its type; keys that are not known are ignored. What has another type than
the specification says raises ValueError or TypeError, and an id or a time that no item can be kept with `RefusedItem`.
Source: opentelemetry-proto, docs/specification.md, "JSON Protobuf Encoding", and protobuf.dev, ProtoJSON Format.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from otel_experiments.codec.incoming.refusals import (
    LATEST_NS,
    SPAN_ID_BYTES,
    TOO_LATE,
    TRACE_ID_BYTES,
    RefusedItem,
)
from otel_experiments.errors import TelemetryDecodeError
from otel_experiments.model.span import AttributeValue, Resource, Scope
from otel_experiments.process.interruption import pass_on

Document = Mapping[str, Any]  # parsed JSON, whose shape is only known after looking
"""One parsed OTLP/JSON message: TracesData, MetricsData, LogsData or an export request of these."""

SOURCE: Final = "OTLP/JSON"
"""What errors call this encoding."""
UNREADABLE: Final = (TypeError, ValueError, KeyError, AttributeError, OverflowError)
"""What reading JSON of another shape than OTLP's raises."""

_DEEPEST: Final = 90
"""Messages that the lists and mappings of a value make inside each other. Protobuf's parsers refuse more than 100, and up to
eight are around the value."""
_OF_LIST: Final = 2
"""Messages that a list makes: ArrayValue, AnyValue."""
_OF_MAPPING: Final = 3
"""Messages that a mapping makes: KeyValueList, KeyValue, AnyValue."""
_HEX: Final = frozenset("0123456789abcdefABCDEF")
_NUMBER: Final = re.compile(r"-?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|Infinity)|NaN", re.ASCII)
_INTEGER: Final = re.compile(r"-?\d{1,20}", re.ASCII)
_ID_NAMES: Final = {"parentSpanId": "parent span"}
_ID_SIZES: Final = {"trace": TRACE_ID_BYTES, "span": SPAN_ID_BYTES}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How far JSON may be from the specification.

    Attributes:
        accepts_variants: names of enumerations, ids in base64 as protobuf's own JSON has them, and the keys of Tempo and of
            former versions.
    """

    accepts_variants: bool


REQUESTS: Final = Dialect(accepts_variants=False)
"""Requests, which the specification holds to integers and hex digits."""
FILES: Final = Dialect(accepts_variants=True)
"""Files, which many programs have written."""


def load_document(payload: bytes) -> Document:
    """Return the object that the bytes of a request hold.

    Raises:
        TelemetryDecodeError: they are no JSON in UTF-8, or no object.
    """
    try:
        document = json.loads(payload.decode("utf-8-sig"), parse_int=parse_integer)
    except (ValueError, RecursionError) as exc:
        pass_on(exc)
        raise TelemetryDecodeError(
            source=SOURCE, found=f"{len(payload)} bytes that are no JSON: {exc}"
        ) from exc
    if not isinstance(document, dict):
        raise TelemetryDecodeError(source=SOURCE, found=f"{json_kind(document)} where an object should be")
    return document


def json_kind(found: object) -> str:
    """Return what JSON calls a value, with its article."""
    return _JSON_KINDS.get(type(found), "an object")


_JSON_KINDS: Final[dict[type, str]] = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "a list",
}


def parse_integer(text: str) -> float:
    """Return a number without a fraction; `-0`, as programs in Go write the float, keeps its sign."""
    return -0.0 if text == "-0" else int(text)


def items(holder: Document, key: str) -> Sequence[Any]:  # JSON
    """Return the list under a key; an empty one for null and for no such key."""
    found = holder.get(key)
    if found is None:
        return ()
    if not isinstance(found, list):
        raise TypeError(f"{key} is {json_kind(found)}, no list")
    return found


def message(holder: Document, key: str) -> Document:
    """Return the object under a key; an empty one for null and for no such key."""
    found = holder.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise TypeError(f"{key} is {json_kind(found)}, no object")
    return found


def text(holder: Document, key: str) -> str:
    """Return the text under a key."""
    found = holder.get(key)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise TypeError(f"{key} is {json_kind(found)}, no text")
    return found


def flag(holder: Document, key: str) -> bool:
    """Return the boolean under a key."""
    found = holder.get(key)
    if found is None:
        return False
    if not isinstance(found, bool):
        raise TypeError(f"{key} is {json_kind(found)}, no boolean")
    return found


def integer(found: object, what: str, *, bits: int = 64, is_signed: bool = False) -> int:
    """Return an integer, given as a number or as text.

    Raises:
        ValueError, TypeError: it is none, or has more bits.
    """
    if found is None:
        return 0
    if (isinstance(found, str) and _INTEGER.fullmatch(found)) or (
        isinstance(found, float) and found.is_integer()
    ):
        number = int(found)
    elif isinstance(found, int) and not isinstance(found, bool):
        number = found
    else:
        raise TypeError(f"{what} is {_shown(found)}, no integer")
    low, high = (-(1 << bits - 1), 1 << bits - 1) if is_signed else (0, 1 << bits)
    if not low <= number < high:
        raise ValueError(
            f"{what} is {_shown(number)}, no {'' if is_signed else 'unsigned '}integer of {bits} bits"
        )
    return number


def count(holder: Document, key: str) -> int:
    """Return the unsigned integer of 32 bits under a key."""
    found = holder.get(key)
    return 0 if found is None else integer(found, key, bits=32)


def double(found: object, what: str) -> float:
    """Return a float, given as a number or as text, which may be `NaN`, `Infinity` and `-Infinity`.

    Raises:
        ValueError, TypeError: it is none.
    """
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        raise TypeError(f"{what} is {_shown(found)}, no number")
    if isinstance(found, str) and not _NUMBER.fullmatch(found):
        raise ValueError(f"{what} is {_shown(found)}, no number")
    return float(found)


def time_ns(holder: Document, key: str) -> int:
    """Return the time under a key.

    Raises:
        RefusedItem: it is later than a store can hold.
        ValueError, TypeError: it is no time.
    """
    found = holder.get(key)
    number = 0 if found is None else integer(found, key)
    if number > LATEST_NS:
        raise RefusedItem(TOO_LATE)
    return number


def enumerated(found: object, what: str, names: Mapping[str, int], dialect: Dialect) -> int:
    """Return the number of an enumeration; in files also given by name.

    Raises:
        ValueError, TypeError: it is none.
    """
    if dialect.accepts_variants and isinstance(found, str) and found in names:
        return names[found]
    if isinstance(found, str) and not dialect.accepts_variants:
        raise TypeError(f"{what} is {_shown(found)}, and OTLP/JSON has enumerations as integers only")
    return integer(found, what, bits=32, is_signed=True)


def optional_id(holder: Document, key: str, kind: Literal["trace", "span"], dialect: Dialect) -> str | None:
    """Return an id that an item may lack, as lower-case hex digits; None for none and for zeros.

    Raises:
        RefusedItem: there is one, and it has another length or other digits.
        TypeError: it is no text.
    """
    given = text(holder, key)
    size = _ID_SIZES[kind]
    if not given:
        return None
    found = given.lower() if len(given) == 2 * size and _HEX.issuperset(given) else ""
    if not found and dialect.accepts_variants:
        found = _from_base64(given, size)
    if not found:
        raise RefusedItem(
            f"the {_ID_NAMES.get(key, kind)} id {_shown(given)}, which is none of {2 * size} hex digits"
        )
    return found if found.strip("0") else None


def valid_id(holder: Document, key: str, kind: Literal["trace", "span"], dialect: Dialect) -> str | None:
    """Return an id as lower-case hex digits; None for none, and for one that the item is kept without.

    Raises:
        TypeError: it is no text.
    """
    try:
        return optional_id(holder, key, kind, dialect)
    except RefusedItem:
        return None


def required_id(holder: Document, key: str, kind: Literal["trace", "span"], dialect: Dialect) -> str:
    """Return an id that an item must have, as lower-case hex digits.

    Raises:
        RefusedItem: it has none, or one of zeros, of another length or of other digits.
        TypeError: it is no text.
    """
    found = optional_id(holder, key, kind, dialect)
    if found is None:
        raise RefusedItem(f"a {kind} id of zeros" if holder.get(key) else f"no {kind} id")
    return found


def _from_base64(given: str, size: int) -> str:
    try:
        raw = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return raw.hex() if len(raw) == size else ""


def resource_of(group: Document) -> Resource:
    """Return the resource of a group of items.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: it is none.
    """
    resource = message(group, "resource")
    return Resource(attributes(resource.get("attributes")), text(group, "schemaUrl"))


def scope_of(part: Document, dialect: Dialect) -> Scope:
    """Return the scope of a group of items.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: it is none.
    """
    scope = message(part, "scope")
    if not scope and dialect.accepts_variants:
        scope = message(part, "instrumentationLibrary")
    return Scope(
        text(scope, "name"),
        text(scope, "version"),
        text(part, "schemaUrl"),
        attributes(scope.get("attributes")),
    )


def attributes(given: Sequence[Document] | None, depth: int = 0) -> dict[str, AttributeValue]:
    """Return attributes by key; of a key that comes twice the last. `depth` is that of `value`.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: they are none.
    """
    if given is None:
        return {}
    if not isinstance(given, list):
        raise TypeError(f"attributes are {json_kind(given)}, no list")
    return {text(item, "key"): value(item.get("value"), depth) for item in given}


def value(given: Document | None, depth: int = 0) -> AttributeValue:
    """Return a value; None for one that is not set. `depth` is how many messages the values around it make.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: it is none.
    """
    for kind, found in ({} if given is None else given).items():
        if found is not None and kind in _KINDS:
            return _of_kind(kind, found, depth)
    return None


_KINDS: Final = frozenset(
    ("stringValue", "boolValue", "intValue", "doubleValue", "arrayValue", "kvlistValue", "bytesValue")
)


def _of_kind(kind: str, found: Any, depth: int) -> AttributeValue:  # noqa: PLR0911 - one return a type; JSON
    match kind:
        case "stringValue":
            return text({kind: found}, kind)
        case "boolValue":
            return flag({kind: found}, kind)
        case "intValue":
            return integer(found, kind, is_signed=True)
        case "doubleValue":
            return double(found, kind)
        case "arrayValue":
            return [value(inner, _deeper(depth, _OF_LIST)) for inner in items(found, "values")]
        case "kvlistValue":
            return attributes(found.get("values"), _deeper(depth, _OF_MAPPING))
        case _:
            return _bytes(found)


def _deeper(depth: int, messages: int) -> int:
    if depth + messages > _DEEPEST:
        raise ValueError(
            f"a value has more than {_DEEPEST // _OF_LIST} lists or {_DEEPEST // _OF_MAPPING} mappings inside each other, "
            "for which protobuf has no room"
        )
    return depth + messages


def _bytes(found: str) -> bytes:
    """Return bytes from base64 of either alphabet, with or without padding, as ProtoJSON has it."""
    if not isinstance(found, str):
        raise TypeError(f"{json_kind(found)} where a text should be")
    plain = found.translate({ord("-"): "+", ord("_"): "/"}).rstrip("=")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)


def _shown(found: object) -> str:
    """Return a value for a message, which may be megabytes long."""
    shown = repr(found)
    return shown if len(shown) <= 80 else f"{shown[:80]}..."
