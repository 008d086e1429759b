"""Values as JSON can hold them: the spelling of `--json` and of the exports.

JSON has no NaN and no infinity, and a null would hide which of them it was, so they become the strings
"NaN", "Infinity" and "-Infinity" (the spelling of protobuf's JSON form). Bytes become base64.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Plain: TypeAlias = "str | bool | int | float | list[Plain] | dict[str, Plain] | None"


def plain(value: object) -> Plain:
    """Return the value as JSON can hold it; what it cannot hold becomes text."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return plain_number(value)
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, Sequence):
        return [plain(one) for one in value]
    return str(value)


def plain_number(value: float) -> str | float:
    """Return the number, or its name where JSON has no number for it."""
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def plain_step(step: float | None) -> Plain:
    """Return a step as the integer it mostly is."""
    if step is None or not math.isfinite(step):
        return None if step is None else plain_number(step)
    return int(step) if step == int(step) else step


def json_line(value: object) -> str:
    """Return a value in JSON on one line, characters beyond ASCII as they are.

    Those that a terminal could obey (control characters, marks that turn the direction of writing round) and
    halves of surrogate pairs, which no output can carry, are escaped, which changes no value.
    """
    line = json.dumps(plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if line.isprintable():
        return line
    # Outside its texts JSON is printable, and inside them every character may be escaped.
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in line)
