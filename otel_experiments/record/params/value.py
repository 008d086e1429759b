"""From whatever a param's value is to a typed value of bounded size; what is not kept exactly is told.

Numbers, texts, booleans, None, lists and mappings of them are kept exactly. Scalars of array libraries become Python's,
small arrays lists. What has no form of its own is kept as its text. What would be large is not expanded: a `range`, a
long list or an array is kept as a text that says what it is.
"""

from __future__ import annotations

import enum
import math
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, TypeVar, cast

from otel_experiments.codec.text import clean_text, shown, text_of
from otel_experiments.errors import RecordingError
from otel_experiments.model.run import ParamValue
from otel_experiments.process.interruption import is_interruption

MAX_DEPTH: Final = 32
MAX_TEXT_CHARS: Final = 100_000
MAX_ITEMS: Final = 10_000
"""Items of a list, those of lists inside it included."""
MAX_ELEMENTS: Final = 1_000
"""Elements of an array that becomes a list."""
_MAX_CHARS: Final = 1_000_000
"""Characters of all texts in one list."""
_LEAST_CHARS: Final = 1_000
_CYCLE: Final = "<a value that holds itself>"

TEXT_CUT: Final = "text cut"
TEXT_CHANGED: Final = "text changed"
KEPT_AS_TEXT: Final = "kept as text"

Item = TypeVar("Item")
Tell = Callable[[str, str, str], None]
"""Takes the kind of what was not kept exactly, its name, and what happened."""


def tell_nobody(kind: str, name: str, what: str) -> None:
    """Take what is told, and do nothing."""


def kept_text(text: str, name: str, tell: Tell, max_chars: int = MAX_TEXT_CHARS) -> str:
    """Return the text as it is recorded: without NUL, of at most `max_chars` characters."""
    if "\0" in text:
        tell(TEXT_CHANGED, name, f"The text of {shown(name)} holds NUL, which is replaced by U+FFFD")
        text = text.replace("\0", "\ufffd")
    if len(text) > max_chars:
        tell(
            TEXT_CUT, name, f"The text of {shown(name)} has {len(text):,} characters; {max_chars:,} are kept"
        )
        text = text[:max_chars]
    return text


def kept_tag(text: str, name: str, tell: Tell) -> str:
    """Return the text of a tag as it is recorded: as `kept_text`, and as UTF-8 can carry it."""
    cleaned = clean_text(text)
    if cleaned != text:
        tell(
            TEXT_CHANGED, name, f"The text of {shown(name)} is no valid Unicode; `?` is kept for what is not"
        )
    return kept_text(cleaned, name, tell)


class ParamTyper:
    """Makes the typed value of one param; whether much is left to keep is known over all its parts."""

    def __init__(self, name: str, tell: Tell) -> None:
        self._name = name
        self._tell = tell
        self._items_left = MAX_ITEMS
        self._chars_left = _MAX_CHARS

    def of(self, value: object, above: tuple[int, ...] = ()) -> ParamValue:
        """Return the value as a str, bool, int, float, None, list or (inside lists) mapping.

        `above` are the ids of what the value is in: what holds itself is not followed.
        """
        try:
            return self._of(value, above)
        except Exception as error:  # a foreign value may do anything
            if is_interruption(error) or isinstance(error, RecordingError):
                raise
            return self._text(text_of(value))

    def _of(self, value: object, above: tuple[int, ...]) -> ParamValue:  # noqa: C901, PLR0911 - one line a type
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self._text(str.__str__(value))
        if isinstance(value, enum.Enum):
            return self.of(value.value, above)
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            return float(value)
        if isinstance(value, os.PathLike):
            return self._text(os.fsdecode(cast("os.PathLike[str]", value)))
        if getattr(value, "shape", None) is not None and not isinstance(value, type):
            return self._of_array(value, above)
        if id(value) in above:
            return self._as_text(value, _CYCLE, "holds itself")
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self._text(text_of(value[: MAX_TEXT_CHARS + 1] if len(value) > MAX_TEXT_CHARS else value))
        if isinstance(value, Collection):
            return self._of_collection(value, above)
        return self._text(text_of(value))

    def _of_collection(self, value: Collection[object], above: tuple[int, ...]) -> ParamValue:
        count = _length(value)
        if count > self._items_left:
            return self._as_text(value, _long_text(value, count), f"has {_many(count)} items")
        if len(above) > MAX_DEPTH:
            return self._as_text(value, text_of(value), f"is {len(above)} levels deep")
        inside = (*above, id(value))
        if isinstance(value, Mapping):
            return self._of_mapping(value, inside)
        if not isinstance(value, (Sequence, AbstractSet)):
            return self._text(text_of(value))
        items = [self.of(item, inside) for item in self._taken(value)]
        return sorted(items, key=text_of) if isinstance(value, AbstractSet) else items

    def _of_mapping(self, value: Mapping[object, object], inside: tuple[int, ...]) -> ParamValue:
        kept: dict[str, ParamValue] = {}
        for key, item in self._taken(value.items()):
            name = text_of(key)
            if name in kept:
                what = (
                    f"Two keys in {shown(self._name)} have one text, {shown(name)}; the first value is lost"
                )
                self._tell("param name", self._name, what)
            kept[name] = self.of(item, inside)
        return kept

    def _taken(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items while there is room for more: what says that it is short may go on without end."""
        for item in items:
            if self._items_left <= 0:
                what = f"The value of {shown(self._name)} has more items than it said; the first are kept"
                self._tell(TEXT_CUT, self._name, what)
                return
            self._items_left -= 1
            yield item

    def _of_array(self, value: Any, above: tuple[int, ...]) -> ParamValue:  # of any array library
        shape = tuple(value.shape)
        if type(value).__module__.startswith("numpy.ma"):
            return self._text(text_of(value))  # what is masked has no number
        if shape == () and hasattr(value, "item"):
            number = value.item()
            return number if isinstance(number, (bool, int, float)) else self._text(text_of(value))
        count = math.prod(shape)
        if callable(getattr(value, "tolist", None)) and count <= MAX_ELEMENTS and id(value) not in above:
            return self.of(value.tolist(), (*above, id(value)))
        if count <= MAX_ELEMENTS:
            return self._text(text_of(value))
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        dtype = getattr(value, "dtype", None)
        text = f"<{kind} of shape {shape}{'' if dtype is None else f', {text_of(dtype)}'}>"
        return self._as_text(value, text, f"has {_many(count)} elements")

    def _text(self, text: str) -> str:
        kept = kept_text(
            text, self._name, self._tell, min(MAX_TEXT_CHARS, max(self._chars_left, _LEAST_CHARS))
        )
        self._chars_left -= len(kept)
        return kept

    def _as_text(self, value: object, text: str, why: str) -> str:
        what = (
            f"The value of {shown(self._name)}, of type {type(value).__name__}, {why}; it is kept as a text"
        )
        self._tell(KEPT_AS_TEXT, self._name, what)
        return self._text(text)


def _length(value: Collection[object]) -> float:
    try:
        return len(value)
    except OverflowError:  # more than an address can count
        return math.inf


def _many(count: float) -> str:
    return f"{count:,}" if count < math.inf else "more than countable"


def _long_text(value: object, count: float) -> str:
    if isinstance(value, range):
        return str(value)
    first = f": {shown(list(value[:3]))[:-1]}, ...]" if type(value) in {list, tuple} else ""  # type: ignore[index] # as its type says
    return f"<{type(value).__name__} of {_many(count)} items{first}>"
