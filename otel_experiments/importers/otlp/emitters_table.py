"""The form of a mapping: how a file says which run telemetry belongs to, which attributes are steps, what is a point.

Everything that is wrong in a file is found at once, each with its line. docs/reference/mapping.md documents the form.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Literal, NamedTuple, cast

from otel_experiments.errors import MappingFileError

Place = Literal["resource", "attribute", "header", "identity"]

_PLACES: Final = ("resource", "attribute", "header")
_WHOLE_RESOURCE: Final = "resource"
_PLACES_FIX: Final = "Write resource:KEY, attribute:KEY, header:NAME, or resource alone."


class Source(NamedTuple):
    """Where a text is looked for: an attribute of the resource or of the item, or a header of the request.

    `identity` is the identity of the whole resource: its service's namespace, name and instance.
    """

    place: Place
    key: str


@dataclass(frozen=True, slots=True)
class Emitter:
    """How one kind of program says which run its telemetry belongs to.

    Of each list the first source that has a value counts. `when`: the emitter is meant only where one of these has a
    value. `is_json`: attribute values may be JSON text.
    """

    name: str
    run_id: tuple[Source, ...]
    when: tuple[Source, ...] = ()
    run_name: tuple[Source, ...] = ()
    experiment: tuple[Source, ...] = ()
    rank: tuple[Source, ...] = ()
    is_json: bool = False


@dataclass(frozen=True, slots=True)
class PointRule:
    """Which spans or span events carry points.

    `span` and `event` are globs of names. Without `event` the attributes of the span itself are looked at. Either the
    attribute `name` holds the metric's name and `value` its number, or every number among the attributes that match
    `values` and not `without` is a point of its attribute's name.
    """

    span: str = "*"
    event: str = ""
    step: tuple[str, ...] = ()
    name: str = ""
    value: str = ""
    values: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MappingTable:
    """What a mapping file says. `without_steps` are attributes that are no step although another table says so."""

    emitters: tuple[Emitter, ...] = ()
    steps: tuple[str, ...] = ()
    without_steps: tuple[str, ...] = ()
    points: tuple[PointRule, ...] = ()

    def before(self, other: MappingTable) -> MappingTable:
        """Return both tables as one in which the entries of this one come first."""
        return MappingTable(
            (*self.emitters, *other.emitters),
            (*self.steps, *other.steps),
            (*self.without_steps, *other.without_steps),
            (*self.points, *other.points),
        )


def parse_mapping(text: str, *, path: str) -> MappingTable:
    """Return what a mapping file says; `path` is for messages.

    Raises:
        MappingFileError: the file is no TOML, or an entry cannot be understood; the error lists all of them.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problem = f"it is no TOML: {error}. Its syntax: https://toml.io"
        raise MappingFileError(path=path, problems=[problem]) from error
    except RecursionError:
        problem = "it has more lists or tables inside each other than can be read"
        raise MappingFileError(path=path, problems=[problem]) from None
    return _Parser(text, path).table(document)


class _Parser:
    """Reads one document and gathers what is wrong in it."""

    def __init__(self, text: str, path: str) -> None:
        self._lines = text.splitlines()
        self._path = path
        self._problems: list[_Problem] = []

    def table(self, document: Mapping[str, object]) -> MappingTable:
        self._check_keys(_Entry("the file", document, 0), ("emitter", "step", "points"))
        emitters = tuple(map(self._emitter, self._entries(document, "emitter")))
        points = tuple(map(self._rule, self._entries(document, "points")))
        steps, without = self._steps(document)
        if self._problems:
            raise MappingFileError(path=self._path, problems=[str(one) for one in sorted(self._problems)])
        return MappingTable(emitters, steps, without, points)

    def _entries(self, document: Mapping[str, object], table: str) -> list[_Entry]:
        found = document.get(table, [])
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            line = self._line(1, table)
            self._note(line, table, f"{_shown(found)}, which is no list of tables", f"Write [[{table}]].")
            return []
        lines = self._headers(rf"\[\[\s*{table}\s*\]\]")
        return [
            _Entry(
                f"[[{table}]] {number}",
                cast("dict[str, object]", one),
                lines[number - 1] if number <= len(lines) else 0,
            )
            for number, one in enumerate(found, 1)
        ]

    def _emitter(self, entry: _Entry) -> Emitter:
        self._check_keys(entry, ("name", "when", "run_id", "run_name", "experiment", "rank", "is_json"))
        is_json = entry.values.get("is_json", False)
        if not isinstance(is_json, bool):
            self._note_key(entry, "is_json", is_json, "Write true or false.")
        emitter = Emitter(
            name=self._text(entry, "name"),
            run_id=self._sources(entry, "run_id"),
            when=self._sources(entry, "when"),
            run_name=self._sources(entry, "run_name"),
            experiment=self._sources(entry, "experiment"),
            rank=self._sources(entry, "rank"),
            is_json=is_json is True,
        )
        if not emitter.name and "name" not in entry.values:
            self._note(entry.line, entry.label, "no name", 'Add one: name = "my-trainer".')
        if not emitter.run_id and "run_id" not in entry.values:
            self._note(
                entry.line, entry.label, "no run_id", 'Say where it is: run_id = ["resource:my.run.id"].'
            )
        return emitter

    def _rule(self, entry: _Entry) -> PointRule:
        self._check_keys(entry, ("span", "event", "step", "name", "value", "values", "without"))
        rule = PointRule(
            span=self._text(entry, "span") or "*",
            event=self._text(entry, "event"),
            step=self._texts(entry, "step"),
            name=self._text(entry, "name"),
            value=self._text(entry, "value"),
            values=self._texts(entry, "values"),
            without=self._texts(entry, "without"),
        )
        has_pair, has_values = {"name", "value"} & entry.values.keys(), "values" in entry.values
        if has_values == bool(has_pair) or len(has_pair) == 1:
            keys = ", ".join(sorted({*has_pair, *(["values"] if has_values else [])})) or "none of them"
            fix = "Give name and value (attributes that hold a metric's name and number), or values (names of attributes)."
            self._note(entry.line, entry.label, f"{keys} where the numbers should be", fix)
        if not {"span", "event"} & entry.values.keys():
            self._note(entry.line, entry.label, "neither span nor event", 'Say which: event = "my.report".')
        return rule

    def _steps(self, document: Mapping[str, object]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        found = document.get("step", {})
        if not isinstance(found, dict):
            line = self._line(1, "step")
            self._note(line, "step", f"{_shown(found)}, which is no table", "Write [step].")
            return (), ()
        lines = self._headers(r"\[\s*step\s*\]")
        entry = _Entry("[step]", found, lines[0] if lines else 0)
        self._check_keys(entry, ("attributes", "without"))
        return self._texts(entry, "attributes"), self._texts(entry, "without")

    def _sources(self, entry: _Entry, key: str) -> tuple[Source, ...]:
        return tuple(
            source
            for text in self._texts(entry, key)
            if (source := self._source(entry, key, text)) is not None
        )

    def _source(self, entry: _Entry, key: str, text: str) -> Source | None:
        if text == _WHOLE_RESOURCE:
            return Source("identity", "")
        place, _, name = text.partition(":")
        if place not in _PLACES or not name:
            self._note_key(entry, key, text, _PLACES_FIX)
            return None
        return Source(cast("Place", place), name.lower() if place == "header" else name)

    def _texts(self, entry: _Entry, key: str) -> tuple[str, ...]:
        found = entry.values.get(key, [])
        if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
            self._note_key(entry, key, found, f'Write a list of texts: {key} = ["..."].')
            return ()
        return tuple(found)

    def _text(self, entry: _Entry, key: str) -> str:
        found = entry.values.get(key, "")
        if not isinstance(found, str) or (key in entry.values and not found):
            self._note_key(entry, key, found, f'Write a text: {key} = "...".')
            return ""
        return found

    def _check_keys(self, entry: _Entry, known: tuple[str, ...]) -> None:
        for key in entry.values:
            if key not in known:
                near = get_close_matches(key, known, n=1)
                fix = f"Did you mean {near[0]}?" if near else f"Known are: {', '.join(known)}."
                self._note(self._line(entry.line + 1, key), entry.label, f"the unknown key {key!r}", fix)

    def _note_key(self, entry: _Entry, key: str, found: object, fix: str) -> None:
        self._note(self._line(entry.line + 1, key), f"{entry.label}, {key}", _shown(found), fix)

    def _note(self, line: int, entry: str, found: str, fix: str) -> None:
        self._problems.append(_Problem(line, entry, found, fix))

    def _headers(self, pattern: str) -> list[int]:
        """Return the numbers of the lines that begin such a table."""
        return [number for number, line in enumerate(self._lines, 1) if re.match(rf"\s*{pattern}", line)]

    def _line(self, first: int, key: str) -> int:
        """Return the number of the line of a key, from the line `first` on; that of what precedes it where it has none."""
        for number in range(max(first, 1), len(self._lines) + 1):
            if re.match(rf"\s*(\[+\s*)?[\"']?{re.escape(key)}[\"']?\s*[=\].]", self._lines[number - 1]):
                return number
        return max(first - 1, 0)


class _Entry(NamedTuple):
    label: str
    values: Mapping[str, object]
    line: int


class _Problem(NamedTuple):
    line: int
    entry: str
    found: str
    fix: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.entry}: found {self.found}. {self.fix}"


def _shown(found: object) -> str:
    text = repr(found)
    return text if len(text) <= 60 else f"{text[:57]}..."
