"""Tables as plain columns, each of one kind: what frames and Parquet files are made of. Knows no other library.

A missing value is None, in a column of any kind; NaN is a number. What a column's kind is does not depend on the library, so
that pandas, polars, Arrow and Parquet show the same types.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, Final, Literal, NamedTuple, overload

from otel_experiments.query.json_values import plain

Kind = Literal["text", "int", "uint", "float", "bool", "time", "bytes"]
"""`int` and `uint` are of 64 bits, `float` a double, `time` nanoseconds since the Unix epoch."""

INT64: Final = range(-(2**63), 2**63)
_UINT64: Final = range(2**64)
_EXACT: Final = range(-(2**53), 2**53 + 1)
"""Integers that a double holds exactly."""
_MANY: Final = 10_000
"""Fewer steps are looked at faster than NumPy is imported."""


class Repeated(Sequence[Any]):
    """The same value so many times."""

    __slots__ = ("length", "value")

    def __init__(self, value: object, length: int) -> None:
        self.value = value
        self.length = length

    # Any: the kind of the column says what the value is.
    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return [self.value] * len(range(self.length)[index]) if isinstance(index, slice) else self.value

    def __iter__(self) -> Iterator[Any]:
        return repeat(self.value, self.length)

    def __len__(self) -> int:
        return self.length


class Column(NamedTuple):
    """The values of one column; None where one is missing. `array`s hold none that is."""

    kind: Kind
    # Any: the kind says what they are.
    values: Sequence[Any]


@dataclass(slots=True)
class Columns:
    """A table: columns of the same length by name."""

    length: int
    by_name: dict[str, Column] = field(default_factory=dict)


class KindGuess:
    """Finds the kind of a column from its values, a part at a time.

    Numbers stay numbers only where none loses a digit: integers beyond 64 bits, and integers beyond 2**53 beside floats, make
    a column of texts; so do values of several kinds, and lists and mappings, which are JSON then.
    """

    __slots__ = ("_high", "_low", "_types")

    def __init__(self) -> None:
        self._types: set[type] = set()
        self._low = 0
        self._high = 0

    def see(self, value: object) -> None:
        """Take a value into account."""
        if value is None:
            return
        kind = type(value)
        self._types.add(kind)
        if kind is int:
            assert isinstance(value, int)
            self._low, self._high = min(self._low, value), max(self._high, value)

    def kind(self) -> Kind:
        """Return the kind of all that was seen; text where nothing was."""
        if self._types == {bool}:
            return "bool"
        if self._types == {int}:
            if self._fits(INT64):
                return "int"
            return "uint" if self._fits(_UINT64) else "text"
        if self._types == {float} or (self._types == {int, float} and self._fits(_EXACT)):
            return "float"
        return "bytes" if self._types == {bytes} else "text"

    def _fits(self, numbers: range) -> bool:
        return self._low in numbers and self._high in numbers


def as_kind(values: Iterable[object], kind: Kind) -> list[Any]:
    """Return values of any kind as a column of this one holds them; see `KindGuess`."""
    if kind == "text":
        return [None if value is None else text_of(value) for value in values]
    if kind == "float":
        return [None if value is None else float(value) for value in values]  # type: ignore[arg-type] # ints and floats
    return list(values)


def guessed(values: Sequence[object]) -> Column:
    """Return values as a column of the kind that fits them."""
    guess = KindGuess()
    for value in values:
        guess.see(value)
    kind = guess.kind()
    return Column(kind, as_kind(values, kind))


def row_columns(names: Sequence[str], rows: Sequence[Sequence[object]]) -> Columns:
    """Return rows as columns of the kinds that fit them; a name that is there already gets a number, as in `name_2`."""
    made: dict[str, Column] = {}
    for index, name in enumerate(names):
        free, number = name, 2
        while free in made:
            free, number = f"{name}_{number}", number + 1
        made[free] = guessed([row[index] for row in rows])
    return Columns(len(rows), made)


def text_of(value: object) -> str:
    """Return a value as a text: text as it is, everything else as JSON writes it."""
    as_plain = plain(value)
    text = as_plain if isinstance(as_plain, str) else json.dumps(as_plain, ensure_ascii=False)
    # Half a surrogate pair: no file can carry it.
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def texts(values: Iterable[object]) -> Column:
    """Return a column of texts; "" is missing."""
    return Column("text", [text_of(value) if value not in {"", None} else None for value in values])


def attribute_columns(prefix: str, maps: Sequence[Mapping[str, object]]) -> dict[str, Column]:
    """Return a column for each key of some mappings, named `prefix.key`, in the order of the keys."""
    found: dict[str, list[object]] = {}
    for row, one in enumerate(maps):
        for key, value in one.items():
            found.setdefault(key, [None] * len(maps))[row] = value
    return {f"{prefix}.{key}": guessed(found[key]) for key in sorted(found)}


def step_column(steps: Sequence[float]) -> Column:
    """Return steps as integers where every one is whole, as they mostly are, else as floats."""
    if len(steps) >= _MANY and (found := _whole_steps(steps)) is not None:
        return found
    if all(step.is_integer() and -(2**53) <= step <= 2**53 for step in steps):
        return Column("int", array("q", map(int, steps)))
    return Column("float", steps)


def _whole_steps(steps: Sequence[float]) -> Column | None:
    """Return the same by NumPy, 20 times as fast; None where it is missing."""
    try:
        import numpy as np  # noqa: PLC0415 - optional
    except ImportError:
        return None
    found = np.asarray(steps, np.float64)
    if not (np.abs(found) <= 2**53).all() or (found != np.trunc(found)).any():
        return Column("float", steps)
    return Column("int", array("q", found.astype(np.int64).tobytes()))
