"""What an advice is, and the checks that all signals share: attributes, their levels, unknown names."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Final, Literal

from otel_experiments.model.span import Attributes, AttributeValue
from otel_experiments.semconv import NAMESPACE
from otel_experiments.semconv.definitions import AttributeDef, RequirementLevel
from otel_experiments.semconv.registry import ATTRIBUTES

MAX_STRING_BYTES: Final = 1024
"""Longest string an attribute should hold; longer ones belong into the body of an event."""
MAX_ARRAY_LENGTH: Final = 1000
"""Longest array an attribute should hold."""

_NAME = re.compile(r"^[a-z][a-z0-9]*([._][a-z0-9]+)*$")
_TEMPLATES: Final[Mapping[str, AttributeDef]] = {
    name: definition for name, definition in ATTRIBUTES.items() if definition.type.startswith("template[")
}


class Level(StrEnum):
    """How much an advice matters."""

    VIOLATION = "violation"
    """The vocabulary is broken; a test should fail."""
    IMPROVEMENT = "improvement"
    """Allowed, but it can be better."""
    INFORMATION = "information"
    """A remark on telemetry that is not ours."""


SignalName = Literal["span", "metric", "event", "log", "resource"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One thing that strays.

    Attributes:
        level: how bad it is.
        code: what kind of thing it is, as a word.
        signal: whether a span, an event, a metric or a resource is meant.
        name: what it is called.
        attribute: the attribute that is meant; empty where it is the signal as a whole.
        message: what is wrong, for people.
    """

    level: Level
    code: str
    signal: SignalName
    name: str
    attribute: str
    message: str

    def __str__(self) -> str:
        return f"{self.level}: {self.signal} {self.name!r}: {self.message} [{self.code}]"


@dataclass(frozen=True, slots=True)
class Signal:
    """What is being checked; makes the advice about it. `is_ours` where it has a definition to be held to."""

    kind: SignalName
    name: str
    is_ours: bool

    def advice(self, level: Level, code: str, message: str, attribute: str = "") -> Advice:
        """Return an advice about this signal."""
        return Advice(
            level=level, code=code, signal=self.kind, name=self.name, attribute=attribute, message=message
        )

    def graded(self, name: str) -> Level:
        """A violation where the name is ours or the signal is; a remark about others' telemetry."""
        return Level.VIOLATION if self.is_ours or is_our_name(name) else Level.INFORMATION


def check_attributes(signal: Signal, found: Attributes) -> Iterator[Advice]:
    """Yield what strays in each attribute by itself: its name, its type, its value, its size."""
    for name, value in found.items():
        definition = find_definition(name)
        if definition is not None:
            yield from _check_value(signal, name, value, definition)
        elif is_our_name(name):
            yield signal.advice(
                Level.VIOLATION,
                "undefined_attribute",
                f"has the attribute {name}, which is not in the vocabulary{_suggestion(name, ATTRIBUTES)}",
                name,
            )
        elif not _NAME.match(name):
            yield signal.advice(
                Level.INFORMATION,
                "invalid_format",
                f"has the attribute {name!r}, not lower-case words in dots",
                name,
            )
        elif "." not in name:
            yield signal.advice(
                Level.INFORMATION,
                "missing_namespace",
                f"has the attribute {name}, which has no namespace",
                name,
            )


def _check_value(
    signal: Signal, name: str, value: AttributeValue, definition: AttributeDef
) -> Iterator[Advice]:
    wanted = _value_type(definition)
    if not _has_type(value, wanted):
        yield signal.advice(
            signal.graded(name),
            "type_mismatch",
            f"has {name} = {reprlib.repr(value)}, a {type(value).__name__} where {wanted} is defined",
            name,
        )
    elif definition.members and value not in definition.members:
        level = Level.VIOLATION if definition.is_closed else Level.IMPROVEMENT
        yield signal.advice(
            min(level, signal.graded(name), key=_mildness),
            "undefined_enum_variant",
            f"has {name} = {reprlib.repr(value)}; defined are {', '.join(definition.members)}",
            name,
        )
    elif is_our_name(name) and _is_too_long(value):
        yield signal.advice(
            Level.IMPROVEMENT,
            "too_long",
            f"has {name} longer than {MAX_STRING_BYTES} bytes or {MAX_ARRAY_LENGTH} entries; put it in an event's body",
            name,
        )


def check_levels(
    signal: Signal, found: Attributes, levels: Mapping[str, RequirementLevel], *, allowed: frozenset[str]
) -> Iterator[Advice]:
    """Yield the required attributes that are missing, and those of ours that neither list holds."""
    for name, level in levels.items():
        if level == "required" and name not in found:
            yield signal.advice(
                Level.VIOLATION, "missing_attribute", f"lacks the required attribute {name}", name
            )
    for name in found:
        definition = find_definition(name)
        if definition is None or not is_our_name(name):
            continue
        if definition.name not in levels and definition.name not in allowed:
            yield signal.advice(
                Level.IMPROVEMENT,
                "unlisted_attribute",
                f"has {name}, which its definition does not list",
                name,
            )


def check_unknown_name(signal: Signal, known: Mapping[str, object]) -> list[Advice]:
    """Return what strays in the name of a metric or event that has no definition among `known`."""
    if is_our_name(signal.name):
        text = f"is not in the vocabulary{_suggestion(signal.name, known)}"
        return [signal.advice(Level.VIOLATION, f"undefined_{signal.kind}", text)]
    if not _NAME.match(signal.name):
        return [
            signal.advice(Level.INFORMATION, "invalid_format", "is not named in lower-case words in dots")
        ]
    return []


def find_definition(name: str) -> AttributeDef | None:
    """Return the attribute's definition, that of its template where it is one of a template's entries."""
    found = ATTRIBUTES.get(name)
    if found is not None:
        return None if name in _TEMPLATES else found
    if not is_our_name(name):
        return None
    return next((known for prefix, known in _TEMPLATES.items() if name.startswith(f"{prefix}.")), None)


def _value_type(definition: AttributeDef) -> str:
    if definition.type == "enum":
        return "string"
    return (
        definition.type.removeprefix("template[").removesuffix("]")
        if definition.name in _TEMPLATES
        else definition.type
    )


def _has_type(value: AttributeValue, wanted: str) -> bool:
    if wanted.endswith("[]"):
        return isinstance(value, list | tuple) and all(_has_type(entry, wanted[:-2]) for entry in value)
    return _TYPE_CHECKS[wanted](value)


_TYPE_CHECKS: Final[Mapping[str, Callable[[AttributeValue], bool]]] = {
    "any": lambda _: True,
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "double": lambda value: isinstance(value, float),
}


def _is_too_long(value: AttributeValue) -> bool:
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass")) > MAX_STRING_BYTES
    return isinstance(value, list | tuple) and len(value) > MAX_ARRAY_LENGTH


def is_our_name(name: str) -> bool:
    """Return whether the name is in the namespace that is ours."""
    return name.startswith(f"{NAMESPACE}.")


def _mildness(level: Level) -> int:
    """Order by how little an advice matters, the mildest first."""
    return -list(Level).index(level)


def _suggestion(name: str, known: Mapping[str, object]) -> str:
    close = get_close_matches(name, known, n=1, cutoff=0.8)
    return f"; did you mean {close[0]}?" if close else ""
