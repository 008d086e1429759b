"""Whatever user code passes as a value, as a value that OpenTelemetry knows. Pure; imports no array library.

The SDK checks attributes of spans and log records, but neither measurements and their attributes nor the bodies
of log records: one `numpy.float32` there breaks the whole batch when it is encoded.

Params, attributes, event bodies and tags go the same way with other limits. A new type of value is added here, and to
`number_of` in `codec/number.py` if metrics shall take it.
"""

from __future__ import annotations

import enum
import math
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from otel_experiments.codec.text import shown, text_of
from otel_experiments.errors import RecordingError
from otel_experiments.model.span import AttributeValue
from otel_experiments.process.interruption import is_interruption

Item = TypeVar("Item")
OnLoss = Callable[[str, object, str], None]
"""Takes the kind of what is not kept exactly, the value or text it is about, and what happened, as in "has 9 items"."""

KEPT_AS_TEXT: Final = "kept as text"
TEXT_CUT: Final = "text cut"
TEXT_CHANGED: Final = "text changed"
ITEMS_CUT: Final = "items cut"
KEY_TWICE: Final = "key twice"

_EXACT: Final = frozenset({bool, int, float, type(None)})
SCALARS: Final = _EXACT | {str, bytes}
"""Types of values that are plain already."""
_STORED: Final = (list, tuple, set, frozenset, Mapping)
"""Collections that have their items; others may make each when it is asked."""
_BUILT_IN: Final = frozenset({list, tuple, dict, set, frozenset})
_CYCLE: Final = "<a value that holds itself>"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a value is kept; None is without a limit."""

    max_depth: int
    """Levels of lists and mappings."""
    max_elements: int
    """Elements of an array that becomes a list."""
    max_lazy_items: int
    """Items of one collection that may make them when they are asked, as a `range` does."""
    max_made_chars: int
    """Characters of a text that stands for a value which is none."""
    max_items: int | None = None
    """Items of all collections of one value together."""
    max_text_chars: int | None = None
    """Characters of one text."""
    max_all_chars: int | None = None
    """Characters of all texts of one value together; each text is allowed 1,000."""
    has_bytes: bool = True
    """Whether bytes are kept as they are, or as their text."""
    has_nul: bool = True
    """Whether texts keep NUL, or get U+FFFD for it."""


_LEAST_CHARS: Final = 1_000
ATTRIBUTE_LIMITS: Final = Limits(
    max_depth=20, max_elements=1_000, max_lazy_items=10_000, max_made_chars=1_000
)
"""Of attributes and bodies of events; the SDK and the journal have limits of their own."""
PARAM_LIMITS: Final = Limits(
    max_depth=33,
    max_elements=1_000,
    max_lazy_items=10_000,
    max_made_chars=100_000,
    max_items=10_000,
    max_text_chars=100_000,
    max_all_chars=1_000_000,
    has_bytes=False,
    has_nul=False,
)


def plain_value(value: object, *, on_loss: OnLoss | None = None) -> AttributeValue:
    """Return the value as text, boolean, number, bytes, None, or lists and mappings of them.

    Scalars of array libraries become numbers, arrays of up to 1,000 elements lists, sets sorted lists, members of enums
    their values, anything else its text. Larger arrays, sequences that make their items when asked, such as a long
    `range`, what holds itself and what is too deep become texts that say so: of these `on_loss` is told.
    """
    if type(value) in SCALARS:
        return value  # type: ignore[return-value] # one of the types of an AttributeValue
    return Plainer(ATTRIBUTE_LIMITS, on_loss).of(value)


def bounded_text(text: str, limits: Limits, on_loss: OnLoss | None, max_chars: int | None = None) -> str:
    """Return the text within the limits; `max_chars` takes the place of that of one text."""
    if not limits.has_nul and "\0" in text:
        if on_loss is not None:
            on_loss(TEXT_CHANGED, text, "holds NUL, which is replaced by U+FFFD")
        text = text.replace("\0", "\ufffd")
    most = limits.max_text_chars if max_chars is None else max_chars
    if most is not None and len(text) > most:
        if on_loss is not None:
            on_loss(TEXT_CUT, text, f"has {len(text):,} characters; {most:,} are kept")
        text = text[:most]
    return text


class Plainer:
    """Makes one value plain; how much is left to keep is known over all its parts."""

    def __init__(self, limits: Limits, on_loss: OnLoss | None = None) -> None:
        self._limits = limits
        self._on_loss = on_loss
        self._items_left: float = math.inf if limits.max_items is None else limits.max_items
        self._chars_left: float = math.inf if limits.max_all_chars is None else limits.max_all_chars

    def of(self, value: object, above: tuple[int, ...] = ()) -> AttributeValue:
        """Return the value as `plain_value` does.

        `above` are the ids of what the value is in: what holds itself is not followed.
        """
        kind = type(value)
        if kind in _EXACT:
            return value  # type: ignore[return-value] # one of the types of an AttributeValue
        if kind is str:
            return self._text(cast("str", value))
        try:
            return self._of(value, above)
        except Exception as error:  # a foreign value may do anything
            if is_interruption(error) or isinstance(error, RecordingError):
                raise
            return self._made_text(text_of(value))

    def _of(self, value: object, above: tuple[int, ...]) -> AttributeValue:  # noqa: C901, PLR0911 - one line a type
        if type(value) in _BUILT_IN and id(value) not in above:  # without the checks below, which take 3 us
            return self._of_collection(cast("Collection[object]", value), above)
        if isinstance(value, str):
            return self._text(str.__str__(value))  # str() of an enum's member is its name
        if isinstance(value, enum.Enum):
            return self.of(value.value, above)
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            return float(value)
        if isinstance(value, os.PathLike):
            return self._text(os.fsdecode(cast("os.PathLike[str]", value)))
        if self._limits.has_bytes and isinstance(value, (bytes, bytearray, memoryview)):
            return bytes(value)
        if getattr(value, "shape", None) is not None and not isinstance(value, type):
            return self._of_array(value, above)
        if id(value) in above:
            return self._as_text(value, _CYCLE, "holds itself")
        if isinstance(value, (bytes, bytearray)):
            return self._made_text(text_of(value[: self._limits.max_made_chars + 1]))
        if isinstance(value, Collection):
            return self._of_collection(value, above)
        return self._made_text(text_of(value))

    def _of_collection(self, value: Collection[object], above: tuple[int, ...]) -> AttributeValue:
        count = _length(value)
        if count > self._items_left or (
            count > self._limits.max_lazy_items and not isinstance(value, _STORED)
        ):
            return self._as_text(value, _long_text(value, count), f"has {_many(count)} items")
        if len(above) >= self._limits.max_depth:
            return self._as_text(value, text_of(value), f"is {len(above)} levels deep")
        inside = (*above, id(value))
        if isinstance(value, Mapping):
            return self._of_mapping(value, inside)
        if not isinstance(value, (Sequence, AbstractSet)):
            return self._made_text(text_of(value))
        of = self.of
        items = [item if type(item) in _EXACT else of(item, inside) for item in self._taken(value)]
        return sorted(items, key=text_of) if isinstance(value, AbstractSet) else items

    def _of_mapping(self, value: Mapping[object, object], inside: tuple[int, ...]) -> AttributeValue:
        kept: dict[str, AttributeValue] = {}
        for key, item in self._taken(value.items()):
            name = str.__str__(key) if isinstance(key, str) else text_of(key)  # of an enum's member its value
            if name in kept and self._on_loss is not None:
                self._on_loss(KEY_TWICE, key, f"have one text, {shown(name)}; the first value is lost")
            kept[name] = self.of(item, inside)
        return kept

    def _taken(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items while there is room for more: what says that it is short may go on without end."""
        if self._limits.max_items is None:
            yield from items
            return
        for item in items:
            if self._items_left <= 0:
                if self._on_loss is not None:
                    self._on_loss(ITEMS_CUT, items, "has more items than its length; the first are kept")
                return
            self._items_left -= 1
            yield item

    def _of_array(self, value: Any, above: tuple[int, ...]) -> AttributeValue:  # of any array library
        shape = tuple(value.shape)
        if type(value).__module__.startswith("numpy.ma") and bool(value.mask.any()):
            return self._made_text(text_of(value))  # what is masked has no number
        if shape == () and hasattr(value, "item"):
            item = value.item()
            is_plain = type(item) in SCALARS and (self._limits.has_bytes or not isinstance(item, bytes))
            return self.of(item) if is_plain else self._made_text(text_of(value))
        count = math.prod(shape)
        if callable(getattr(value, "tolist", None)) and count <= self._limits.max_elements:
            if id(value) not in above:
                return self.of(value.tolist(), (*above, id(value)))
            return self._as_text(value, _CYCLE, "holds itself")
        if count <= self._limits.max_elements:
            return self._made_text(text_of(value))
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        dtype = getattr(value, "dtype", None)
        text = f"<{kind} of shape {shape}{'' if dtype is None else f', {text_of(dtype)}'}>"
        return self._as_text(value, text, f"has {_many(count)} elements")

    def _text(self, text: str) -> str:
        most = self._limits.max_text_chars
        if most is None:
            return text
        kept = bounded_text(text, self._limits, self._on_loss, self._room(most))
        self._chars_left -= len(kept)
        return kept

    def _made_text(self, text: str) -> str:
        kept = bounded_text(text, self._limits, self._on_loss, self._room(self._limits.max_made_chars))
        self._chars_left -= len(kept)
        return kept

    def _room(self, most: int) -> int:
        return int(min(most, max(self._chars_left, _LEAST_CHARS)))

    def _as_text(self, value: object, text: str, why: str) -> str:
        if self._on_loss is not None:
            self._on_loss(KEPT_AS_TEXT, value, why)
        return self._made_text(text)


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
