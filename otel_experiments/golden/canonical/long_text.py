"""Long texts as their beginning and a digest: no reviewer reads the rest, and no file's memory should follow it.

What varies is taken out first, so that equal texts stay equal; which id is which is told no longer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

from otel_experiments.golden.canonical.normalize import normalize_text

LONGEST_CHARS: Final = 4096
_KEPT_CHARS: Final = 100
_DIGEST_BYTES: Final = 6  # 12 digits: 16 would be taken for an id


def shorten_text(text: str) -> str:
    """Return a text of at most `LONGEST_CHARS` characters as it is, a longer one as its beginning and a digest."""
    if len(text) <= LONGEST_CHARS:
        return text
    # Word by word: the patterns for whole texts take a millisecond for 5,000 characters.
    plain = " ".join([word if word.isalpha() else normalize_text(word)[0] for word in text.split(" ")])
    digest = blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()
    head, _ = normalize_text(text[: 5 * _KEPT_CHARS])
    return f"{head[:_KEPT_CHARS]}... <{len(plain)} characters, {digest}>"


def shorten_attributes(attributes: Mapping[str, Any]) -> Mapping[str, Any]:  # values of attributes
    """Return attributes with long texts shortened, also inside lists and mappings; the same object without any."""
    if not any(map(_is_long, attributes.values())):
        return attributes
    return {key: _shorten(value) for key, value in attributes.items()}


def _is_long(value: object) -> bool:
    if isinstance(value, str):
        return len(value) > LONGEST_CHARS
    if isinstance(value, Mapping):
        return any(map(_is_long, value.values()))
    return isinstance(value, list | tuple) and any(map(_is_long, value))


def _shorten(value: Any) -> Any:  # as above
    if isinstance(value, str):
        return shorten_text(value)
    if isinstance(value, Mapping):
        return {key: _shorten(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return tuple(map(_shorten, value))
    return value
