"""What an attribute of a program that knows nothing of us says: as text, as the number of a rank, as a number. Pure."""

from __future__ import annotations

import json
import math
import re
from typing import Final

from otel_experiments.model.span import Attributes, AttributeValue

_RANK: Final = re.compile(r"(?:\A|rank[-_ ]?)(\d{1,9})\Z", re.IGNORECASE)


def text_of(attributes: Attributes, key: str) -> str:
    """Return an attribute that is a text or a whole number as text; empty where it is neither."""
    return plain_text(attributes.get(key))


def rank_of(text: str) -> int | None:
    """Return the number that a text is, or ends with after the word rank; None where it does neither."""
    found = _RANK.search(text)
    return int(found[1]) if found else None


def plain_text(value: AttributeValue, *, is_json: bool = False) -> str:
    """Return a text or whole number as text; empty for what is neither."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        return ""
    text = value.strip()
    if is_json and text[:1] == '"':
        try:
            inner = json.loads(text)
        except ValueError:
            return text
        return inner.strip() if isinstance(inner, str) else text
    return text


def number_of(value: AttributeValue, *, takes_text: bool = False) -> float:
    """Return an attribute as a number; NaN where it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return math.nan
    if isinstance(value, str) and not takes_text:
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def is_number(value: AttributeValue) -> bool:
    """Tell whether an attribute is a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
