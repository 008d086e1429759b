"""Attribute values in a form that can be hashed without mixing up types: int 1, float 1.0 and True differ.

Texts and ints stand for themselves, everything else is a tuple that starts with its type. The same form is
written to golden files and read back, where a value may also be a pattern: `*`, `~1e-3`, `a|b`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from otel_experiments.golden.canonical.environment import NOWHERE, Surroundings
from otel_experiments.golden.canonical.long_text import shorten_text
from otel_experiments.golden.canonical.normalize import Token, normalize_text

Value: TypeAlias = "str | int | tuple[Value, ...]"
"""A hashable value: a text, an int, or ("float", text of repr), ("bool", 0 or 1), ("none",), ("bytes", hex),
("list", items...), ("map", key, value, ...); as patterns ("any",), ("near", centre, rtol), ("either", items...), where
an item may be ("absent",)."""

MAX_DEPTH: Final = 16
"""Values nested deeper than this are cut: the SDK does not make them and no reader could follow them."""

ANY: Final[Value] = ("any",)
MAY_BE_ABSENT: Final[Value] = ("absent",)
"""Inside `either`: the attribute may be absent."""


def encode_value(  # noqa: C901, PLR0911 - one case a type
    value: object, tokens: list[Token] | None = None, depth: int = 0, *, where: Surroundings = NOWHERE
) -> Value:
    """Return the value in hashable form, its texts normalised; the ids found are appended to `tokens`.

    With `tokens` None texts are kept as they are. `where` has the hosts and processes whose names are left out.
    """
    if isinstance(value, str):
        if tokens is None:
            return value
        text, found = normalize_text(shorten_text(where.hide(value)), where)
        tokens.extend(found)
        return text
    if isinstance(value, bool):
        return ("bool", int(value))
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return encode_float(value)
    if value is None:
        return ("none",)
    if isinstance(value, bytes | bytearray):
        return ("bytes", bytes(value).hex())
    if depth >= MAX_DEPTH:
        return "<nested>"
    if isinstance(value, Mapping):
        parts: list[Value] = ["map"]
        for key in sorted(map(str, value)):
            parts += [key, encode_value(value[key], tokens, depth + 1, where=where)]
        return tuple(parts)
    if isinstance(value, Sequence):
        return ("list", *(encode_value(one, tokens, depth + 1, where=where) for one in value))
    return encode_value(str(value), tokens, where=where)


def encode_float(value: float) -> Value:
    """Return a float in hashable form; -0.0 is 0.0 and every NaN is the same."""
    return ("float", repr(value + 0.0))


def type_name(value: Value) -> str:
    """Return the name of the value's type, as a report shows it."""
    if isinstance(value, str):
        return "str"
    if isinstance(value, int):
        return "int"
    return str(value[0])


def is_pattern(value: Value) -> bool:
    """Whether the value is a pattern of a golden and not a value."""
    return isinstance(value, tuple) and value[0] in {"any", "near", "either"}


def is_unbounded(value: Value) -> bool:
    """Whether a golden takes any value here."""
    return isinstance(value, tuple) and (value == ANY or (value[0] == "either" and ANY in value[1:]))


def allows_absence(value: Value) -> bool:
    """Whether an attribute of this value in a golden may be absent."""
    return isinstance(value, tuple) and (
        value == ("none",) or (value[0] == "either" and MAY_BE_ABSENT in value[1:])
    )


def values_match(golden: Value, candidate: Value, *, rtol: float, is_loose: bool = False) -> bool:  # noqa: PLR0911 - one case a pattern
    """Whether a candidate's value is what the golden has, or what the golden's pattern allows.

    Floats are equal within the relative tolerance `rtol`; NaN equals NaN. When `is_loose`, an int equals the
    float of the same size.
    """
    if golden == candidate:
        return True
    if isinstance(golden, tuple):
        kind = golden[0]
        if kind == "any":
            return True
        if kind == "either":
            return any(values_match(one, candidate, rtol=rtol, is_loose=is_loose) for one in golden[1:])
        if kind == "near":
            wanted, found = _number(golden[1]), _number(candidate)
            return wanted is not None and found is not None and _is_close(wanted, found, _tolerance(golden))
        if kind in {"list", "map"} and isinstance(candidate, tuple) and candidate[0] == kind:
            return len(golden) == len(candidate) and all(
                values_match(ours, theirs, rtol=rtol, is_loose=is_loose)
                for ours, theirs in zip(golden[1:], candidate[1:], strict=True)
            )
    if type_name(golden) != type_name(candidate) and not is_loose:
        return False
    wanted, found = _number(golden), _number(candidate)
    return wanted is not None and found is not None and _is_close(wanted, found, rtol)


def _tolerance(pattern: tuple[Value, ...]) -> float:
    rtol = _number(pattern[2])
    return 0.01 if rtol is None else rtol


def _number(value: Value) -> float | None:
    if isinstance(value, int):
        return value
    if isinstance(value, tuple) and value[0] == "float":
        return float(str(value[1]))
    return None


def _is_close(wanted: float, found: float, rtol: float) -> bool:
    if math.isnan(wanted) or math.isnan(found):
        return math.isnan(wanted) and math.isnan(found)
    return math.isclose(wanted, found, rel_tol=rtol, abs_tol=0.0)


def show_value(value: Value) -> str:  # noqa: C901, PLR0911 - one case a type
    """Return the value as a golden file and a report write it."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        return str(value)
    kind, *rest = value
    if kind == "float":
        return str(rest[0])
    if kind == "bool":
        return "true" if rest[0] else "false"
    if kind == "none":
        return "none"
    if kind == "bytes":
        return f'b"{rest[0]}"'
    if kind == "list":
        return "[" + ", ".join(map(show_value, rest)) + "]"
    if kind == "map":
        pairs = zip(rest[::2], rest[1::2], strict=True)
        return "{" + ", ".join(f"{show_value(key)}: {show_value(one)}" for key, one in pairs) + "}"
    if kind == "either":
        return "|".join(map(show_value, rest))
    if kind == "absent":
        return "-"
    if kind == "near":
        return f"~{show_value(rest[0])}" + (f"±{show_value(rest[1])}" if len(rest) > 1 else "")
    return "*"
