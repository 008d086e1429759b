"""The small grammar inside a line of a golden file: names, values, columns, index lists.

Values are those of `canonical/values.py`; a column in parentheses lists one entry an instance, with repetitions and
ranges. Whatever cannot be read raises `OtgSyntaxError` with the column; the reader adds file and line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final

from otel_experiments.golden.canonical.form import Number
from otel_experiments.golden.canonical.values import ANY, MAY_BE_ABSENT, Value, encode_float

ABSENT: Final = "-"

_BARE: Final = re.compile(r"[A-Za-z_*?][\w.*?/:@+-]*")
_KEY: Final = re.compile(r'[^\s=,{}()\[\]"|]+')
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_NUMBER: Final = re.compile(r"-?(?:inf|nan|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|nan|inf")
_RANGE: Final = re.compile(r"(-?\d+)\.\.(-?\d+)(?:/(-?\d+))?")
_TIMES: Final = re.compile(r"x(\d+)(?!\w)")
_MAX_ENTRIES: Final = 20_000_000
RESERVED: Final = frozenset({"par", "lane", "rank", "template", "variant", "curve", "series", "end", "run"})


class OtgSyntaxError(ValueError):
    """A line cannot be read; `column` counts from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(message)
        self.column = column


class Scanner:
    """Reads one line from left to right."""

    def __init__(self, text: str, at: int = 0) -> None:
        self.text = text
        self.at = at
        self.labels: list[int] = []
        """Numbers of the id labels in the texts read so far; 0 for a label without one."""
        self.column_labels: list[tuple[int, ...]] = []
        """The same for each entry of the column read last."""

    def skip(self) -> None:
        """Pass over blanks."""
        while self.at < len(self.text) and self.text[self.at] == " ":
            self.at += 1

    @property
    def is_done(self) -> bool:
        """Whether nothing is left but blanks and a comment."""
        self.skip()
        return self.at >= len(self.text) or self.text[self.at] == "#"

    def fail(self, wanted: str) -> OtgSyntaxError:
        """Return the error that `wanted` is not what stands here."""
        found = self.text[self.at : self.at + 20] or "the end of the line"
        return OtgSyntaxError(f"{wanted} expected, found {found!r}", self.at + 1)

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Read what matches here."""
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return match

    def accept(self, literal: str) -> bool:
        """Read a literal if it stands here."""
        if self.text.startswith(literal, self.at):
            self.at += len(literal)
            return True
        return False

    def expect(self, literal: str) -> None:
        """Read a literal that has to stand here."""
        self.skip()
        if not self.accept(literal):
            raise self.fail(repr(literal))

    def word(self) -> str:
        """Read letters up to a blank."""
        self.skip()
        start = self.at
        while self.at < len(self.text) and self.text[self.at] != " ":
            self.at += 1
        return self.text[start : self.at]

    def string(self) -> str:
        """Read a quoted text."""
        match = self.take(_STRING)
        if match is None:
            raise self.fail("a quoted text")

        def plain(label: re.Match[str]) -> str:
            if label.group(1) in NOT_IDS:
                return label.group()
            self.labels.append(int(label.group(2) or 0))
            return f"<{label.group(1)}>"

        try:
            return str(json.loads(LABEL.sub(plain, match.group())))
        except json.JSONDecodeError as error:
            raise OtgSyntaxError(
                f"the text {match.group()[:30]} is not a JSON string", match.start() + 1
            ) from error

    def name(self) -> str:
        """Read a span's or metric's name, bare or quoted."""
        self.skip()
        if self.text.startswith('"', self.at):
            return self.string()
        match = self.take(_BARE)
        if match is None:
            raise self.fail("a name")
        return match.group()

    def key(self) -> str:
        """Read an attribute's key."""
        self.skip()
        if self.text.startswith('"', self.at):
            return self.string()
        match = self.take(_KEY)
        if match is None:
            raise self.fail("an attribute's key")
        return match.group()

    def integer(self) -> int:
        """Read a whole number."""
        match = self.take(re.compile(r"\d+"))
        if match is None:
            raise self.fail("a number")
        return int(match.group())

    # --- values ------------------------------------------------------------------------------------------------

    def value(self) -> Value:
        """Read a value, or a pattern of values."""
        first = self._single()
        self.skip()
        if not self.text.startswith("|", self.at):
            return first
        choices = [first]
        while self.accept("|"):
            self.skip()
            choices.append(self._single(is_choice=True))
            self.skip()
        return ("either", *choices)

    def _single(self, *, is_choice: bool = False) -> Value:  # noqa: PLR0911 - one case a type
        self.skip()
        text, at = self.text, self.at
        if text.startswith('"', at):
            return self.string()
        if text.startswith('b"', at):
            self.at += 1
            return ("bytes", self.string())
        if self.accept("*"):
            return ANY
        if self.accept("~"):
            return self._near()
        if self.accept("["):
            return ("list", *self._items("]"))
        if self.accept("{"):
            return self._map()
        for word, value in (("true", ("bool", 1)), ("false", ("bool", 0)), ("none", ("none",))):
            if self.accept(word):
                return value
        match = self.take(_NUMBER)
        if match is None:
            return self._absent(is_choice=is_choice)
        number = match.group()
        return int(number) if re.fullmatch(r"-?\d+", number) else encode_float(float(number))

    def _absent(self, *, is_choice: bool) -> Value:
        if not is_choice or not self.accept(ABSENT):
            raise self.fail("a value")
        return MAY_BE_ABSENT

    def _near(self) -> Value:
        match = self.take(_NUMBER)
        if match is None:
            raise self.fail("a number")
        centre = encode_float(float(match.group()))
        if self.accept("±") or self.accept("+-"):
            tolerance = self.take(_NUMBER)
            if tolerance is None:
                raise self.fail("a relative tolerance")
            return ("near", centre, encode_float(float(tolerance.group())))
        return ("near", centre, encode_float(0.01))

    def _items(self, end: str) -> list[Value]:
        items: list[Value] = []
        self.skip()
        while not self.accept(end):
            items.append(self.value())
            self.skip()
            if not self.accept(",") and not self.text.startswith(end, self.at):
                raise self.fail(f"',' or {end!r}")
            self.skip()
        return items

    def _map(self) -> Value:
        parts: list[Value] = ["map"]
        self.skip()
        while not self.accept("}"):
            parts.append(self.string())
            self.expect(":")
            parts.append(self.value())
            self.skip()
            if not self.accept(",") and not self.text.startswith("}", self.at):
                raise self.fail("',' or '}'")
            self.skip()
        return tuple(parts)

    # --- columns -----------------------------------------------------------------------------------------------

    def column(self) -> list[Value | None]:
        """Read `(value xN, value, -, ...)`, the opening parenthesis included; None is an absent value."""
        self.expect("(")
        entries: list[Value | None] = []
        self.column_labels = []
        self.skip()
        while not self.accept(")"):
            entry: Value | None = None
            if self.text.startswith(ABSENT, self.at) and not _NUMBER.match(self.text, self.at):
                self.at += 1
            else:
                self.labels = []
                entry = self.value()
            times = self._repetitions()
            entries += [entry] * times
            self.column_labels += [tuple(self.labels) if entry is not None else ()] * times
            self._limit(entries)
            self.skip()
            if not self.accept(",") and not self.text.startswith(")", self.at):
                raise self.fail("',' or ')'")
            self.skip()
        return entries

    def _repetitions(self) -> int:
        self.skip()
        times = self.take(_TIMES)
        return 1 if times is None else int(times.group(1))

    def _limit(self, entries: Sequence[object]) -> None:
        if len(entries) > _MAX_ENTRIES:
            raise OtgSyntaxError(f"more than {_MAX_ENTRIES} entries", self.at + 1)

    def index_list(self) -> list[Number]:
        """Read `0..9,12,20..40/2,3 x4,-` up to a blank or a closing bracket."""
        entries: list[Number] = []
        while True:
            span = self.take(_RANGE)
            if span is not None:
                low, high, step = int(span.group(1)), int(span.group(2)), int(span.group(3) or 1)
                if not step or abs((high - low) // step) > _MAX_ENTRIES:
                    raise OtgSyntaxError(f"the range {span.group()} cannot be counted", span.start() + 1)
                entries += range(low, high + (1 if step > 0 else -1), step)
            elif self.text.startswith(ABSENT, self.at) and not _NUMBER.match(self.text, self.at):
                self.at += 1
                entries += [None] * self._close_repetitions()
            else:
                match = self.take(_NUMBER)
                if match is None:
                    raise self.fail("an index")
                text = match.group()
                number: Number = int(text) if re.fullmatch(r"-?\d+", text) else float(text)
                entries += [number] * self._close_repetitions()
            self._limit(entries)
            if not self.accept(","):
                return entries

    def _close_repetitions(self) -> int:
        times = self.take(_TIMES)
        return 1 if times is None else int(times.group(1))


LABEL: Final = re.compile(r"<([a-z_]\w*)(?::([1-9]\d*))?>")
"""A placeholder in a text, with its number."""

NOT_IDS: Final = frozenset({"tmp", "home", "time", "port", "host", "pid", "redacted", "external", "nested"})
"""Placeholders that do not stand for an id."""


def short_key(key: str) -> str:
    """Return how an index is called inside a text: `epoch` for the vocabulary's index of epochs and for `epoch`."""
    parts = key.split(".")
    return parts[-2] if len(parts) > 2 and parts[-1] == "index" else parts[-1]


def show_name(name: str) -> str:
    """Return a name as a golden file writes it: bare where that cannot be misread."""
    if _BARE.fullmatch(name) and name not in RESERVED - {"run"} and "*" not in name and "?" not in name:
        return name
    return json.dumps(name, ensure_ascii=False)


def show_key(key: str) -> str:
    """Return an attribute's key as a golden file writes it."""
    return key if _KEY.fullmatch(key) and not key.startswith("#") else json.dumps(key, ensure_ascii=False)


def show_index(values: Sequence[Number]) -> str:
    """Return numbers as a list of ranges, repetitions and single values."""
    parts: list[str] = []
    at = 0
    while at < len(values):
        end = _equal_to(values, at)
        if end - at > 1:
            parts.append(f"{_show_number(values[at])}x{end - at}")
            at = end
            continue
        end, step = _progression_to(values, at)
        if end - at > 2:
            parts.append(f"{values[at]}..{values[end - 1]}" + (f"/{step}" if step != 1 else ""))
            at = end
            continue
        parts.append(_show_number(values[at]))
        at += 1
    return ",".join(parts)


def _show_number(value: Number) -> str:
    return ABSENT if value is None else repr(value)


def _equal_to(values: Sequence[Number], at: int) -> int:
    end = at + 1
    while end < len(values) and values[end] == values[at] and type(values[end]) is type(values[at]):
        end += 1
    return end


def _progression_to(values: Sequence[Number], at: int) -> tuple[int, int]:
    """Return where the arithmetic progression of ints that starts here ends, and its step."""
    first = values[at]
    if at + 1 >= len(values) or type(first) is not int:
        return at + 1, 1
    second = values[at + 1]
    if type(second) is not int:
        return at + 1, 1
    step = second - first
    end = at + 1
    expected = second
    while end < len(values) and type(values[end]) is int and values[end] == expected:
        end += 1
        expected += step
    return (end, step) if step else (at + 1, 1)
