# Generated from semconv/model by semconv/generate.py. Do not edit: change the YAML and run it again.
"""What a definition of the vocabulary holds. Plain data, imported by the other modules of this package only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

RequirementLevel = Literal["required", "conditionally_required", "recommended", "opt_in"]
Stability = Literal["development", "alpha", "beta", "release_candidate", "stable"]
SpanKindName = Literal["internal", "client", "server", "producer", "consumer"]
InstrumentName = Literal["counter", "updowncounter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class AttributeDef:
    """An attribute. `type` is as in the YAML: `string`, `int[]`, `template[any]`, `enum`.

    `members` are the values of an enum; where `is_closed`, no other is allowed. `is_unbounded` says that the
    attribute takes so many values that no metric may carry it. `upstream` is the schema URL of the registry
    that defines it, empty for our own.
    """

    name: str
    type: str
    brief: str
    stability: Stability
    examples: tuple[object, ...] = ()
    members: tuple[str, ...] = ()
    is_closed: bool = False
    is_unbounded: bool = False
    upstream: str = ""


@dataclass(frozen=True, slots=True)
class SpanDef:
    """A type of span. A span is one of it when its attribute `match_key` has one of `match_values`.

    `name_pattern` is the span's name with attributes in braces; a trailing one that is not set is left out.
    Where `is_opt_in`, such spans are made only when asked for. `sampling_relevant` attributes are set at start.
    """

    type: str
    kind: SpanKindName
    name_pattern: str
    brief: str
    attributes: Mapping[str, RequirementLevel]
    match_key: str
    match_values: tuple[str, ...]
    sampling_relevant: tuple[str, ...] = ()
    is_opt_in: bool = False
    upstream: str = ""


@dataclass(frozen=True, slots=True)
class MetricDef:
    """A metric; `unit` is UCUM, empty where a metric has none.

    `boundaries` are those of a histogram's buckets.
    """

    name: str
    unit: str
    instrument: InstrumentName
    brief: str
    attributes: Mapping[str, RequirementLevel]
    boundaries: tuple[float, ...] = ()
    upstream: str = ""


@dataclass(frozen=True, slots=True)
class EventDef:
    """An event: a log record with this `event_name`. Where not `is_sent`, this package never records it."""

    name: str
    brief: str
    attributes: Mapping[str, RequirementLevel]
    is_sent: bool = True
    upstream: str = ""


@dataclass(frozen=True, slots=True)
class EntityDef:
    """An entity: attributes of the Resource that identify something, and attributes that describe it."""

    type: str
    brief: str
    identity: tuple[str, ...]
    description: tuple[str, ...]
