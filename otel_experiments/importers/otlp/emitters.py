"""Which run an item of foreign telemetry belongs to, at which step it was taken, and which spans carry points.

The rules are data: `emitters.toml` beside this module, and before it the file `<store>.mapping.toml` beside a store, so
that every process that stores what was received for it uses the same ones. Nothing here changes an attribute.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from otel_experiments.codec.values import dump_canonical
from otel_experiments.errors import MappingFileError
from otel_experiments.importers.otlp.attribute_values import (
    is_number,
    number_of,
    plain_text,
    rank_of,
    text_of,
)
from otel_experiments.importers.otlp.emitters_table import (
    MappingTable,
    Place,
    PointRule,
    Source,
    parse_mapping,
)
from otel_experiments.model.span import Attributes, Span, service_of
from otel_experiments.process.file_mode import create_file, file_mode_of
from otel_experiments.process.interruption import Swallowing
from otel_experiments.semconv import attributes as attr

NO_STEP: Final = math.nan
"""The step of a point that came without one: readers number such points by time, and say so."""

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RUN_ID: Final = re.compile(r"[0-9a-f]{32}")
_NO_ID: Final = "0" * 32
_KEPT_IDENTITIES: Final = 4096
_SHOWN_CHARACTERS: Final = 60


class Identity(NamedTuple):
    """The run that an item belongs to.

    `is_own`: the item says so in our attributes. `rank` is the number of its process among those of the run.
    """

    run_id: str
    run_name: str
    experiment: str
    rank: int
    is_own: bool


class DerivedPoint(NamedTuple):
    """A number that a span or one of its events carries. `step` is `NO_STEP` where none is given."""

    name: str
    step: float
    time_ns: int
    value: float


class Emitters:
    """The rules of one or more tables, the first that fits counting.

    Attributes:
        header_names: the headers of a request that a rule looks at, in lower case.
        refused_steps: of attributes that should be steps a first value that is no finite number.
    """

    def __init__(self, table: MappingTable) -> None:
        self.refused_steps: dict[str, str] = {}
        self._emitters = table.emitters
        self._steps = tuple(key for key in dict.fromkeys(table.steps) if key not in table.without_steps)
        self._step_keys = frozenset(self._steps)
        self._of_spans = tuple(rule for rule in table.points if not rule.event)
        self._of_events = tuple(rule for rule in table.points if rule.event)
        self._by_event: dict[str, tuple[PointRule, ...]] = {}
        self._are_values: dict[int, dict[str, bool]] = {}  # by the id of a rule, which lives as long as this
        self._made: dict[tuple[str, str, str, int, bool], Identity] = {}
        self._last: tuple[Attributes, Mapping[str, str], Identity | None] | None = None
        sources = [
            source
            for one in table.emitters
            for source in (*one.run_id, *one.when, *one.run_name, *one.experiment, *one.rank)
        ]
        self._identifying = frozenset({attr.ML_RUN_ID, attr.ML_DISTRIBUTED_RANK}).union(
            source.key for source in sources if source.place == "attribute"
        )
        self.header_names = frozenset(source.key for source in sources if source.place == "header")

    @classmethod
    def of_store(cls, store: str | os.PathLike[str] | None) -> Emitters:
        """Return the rules for what is received for the store in this file: those beside it, then the built-in ones.

        Raises:
            MappingFileError: the file beside the store cannot be used.
        """
        path = None if store is None else mapping_path(store)
        return cls(_built_in() if path is None else _read_if_there(path).before(_built_in()))

    def identify(
        self, resource: Attributes, attributes: Attributes, hints: Mapping[str, str]
    ) -> Identity | None:
        """Return the run that an item of these attributes says it belongs to; None where it says none.

        `hints` are headers of its request, by lower-case name.
        """
        if not self._identifying.isdisjoint(attributes):
            return self._identify(resource, attributes, hints)
        last = self._last  # the items of a request come resource by resource
        if last is None or last[0] is not resource or last[1] is not hints:
            last = self._last = (resource, hints, self._identify(resource, {}, hints))
        return last[2]

    def identify_resource(self, resource: Attributes) -> Identity:
        """Return the run of a resource without an id of one: its service's namespace, name and instance, else all of it.

        It is for telemetry that has a step: gauges of a program that knows nothing of runs. The names of run and
        experiment count where the resource has them: two trainings of one service are two runs.
        """
        run_id = run_id_of_text(_identity_text(resource), kind="")
        name = text_of(resource, attr.ML_RUN_NAME) or _name_of_resource(resource)
        experiment = text_of(resource, attr.ML_EXPERIMENT_NAME) or service_of(resource) or "unnamed"
        return self._identity(
            run_id, name, experiment, rank_of(text_of(resource, attr.ML_DISTRIBUTED_RANK)) or 0
        )

    def step_of(self, attributes: Attributes) -> tuple[float, frozenset[str]] | None:
        """Return the step that attributes give, and those that are steps: they do not tell one series from another.

        None where there is none.
        """
        if self._step_keys.isdisjoint(attributes):
            return None
        found = {
            key: step
            for key in self._steps
            if key in attributes and math.isfinite(step := number_of(attributes[key], takes_text=True))
        }
        for key in self._step_keys.intersection(attributes).difference(found):
            self.refused_steps.setdefault(key, repr(attributes[key])[:_SHOWN_CHARACTERS])
        return (next(iter(found.values())), frozenset(found)) if found else None

    def points_of_span(self, span: Span) -> list[DerivedPoint]:
        """Return the numbers that a span and its events carry, as points: of its events in their order, then its own."""
        points: list[DerivedPoint] = []
        for event in span.events:
            for rule in self._rules_of(event.name):
                numbers = self._numbers(rule, event.attributes)
                if numbers and fnmatchcase(span.name, rule.span):
                    step = self._step(rule, event.attributes, span.attributes)
                    points += [DerivedPoint(name, step, event.time_ns, value) for name, value in numbers]
        if span.end_ns is not None:
            for rule in self._of_spans:
                numbers = self._numbers(rule, span.attributes)
                if numbers and fnmatchcase(span.name, rule.span):
                    step = self._step(rule, span.attributes)
                    points += [DerivedPoint(name, step, span.end_ns, value) for name, value in numbers]
        return points

    def _identify(
        self, resource: Attributes, attributes: Attributes, hints: Mapping[str, str]
    ) -> Identity | None:
        own = text_of(attributes, attr.ML_RUN_ID) or text_of(resource, attr.ML_RUN_ID)
        if own:
            return self._own(own, resource, attributes)
        for emitter in self._emitters:
            item = _Item(resource, attributes, hints, is_json=emitter.is_json)
            place, run_id = item.find(emitter.run_id)
            if not run_id or (emitter.when and not item.text(emitter.when)):
                continue
            if place == "identity":
                plain = self.identify_resource(resource)
                run_id, name = plain.run_id, plain.run_name
            else:
                run_id, name = run_id_of_text(run_id, kind=emitter.name), run_id
            return self._identity(
                run_id,
                item.text(emitter.run_name) or name,
                item.text(emitter.experiment) or service_of(resource) or emitter.name,
                next((rank for one in emitter.rank if (rank := rank_of(item.text((one,)))) is not None), 0),
            )
        return None

    def _own(self, run_id: str, resource: Attributes, attributes: Attributes) -> Identity:
        rank = attributes.get(attr.ML_DISTRIBUTED_RANK, resource.get(attr.ML_DISTRIBUTED_RANK))
        return self._identity(
            run_id_of_text(run_id, kind=attr.ML_RUN_ID),
            text_of(resource, attr.ML_RUN_NAME) or run_id,
            text_of(resource, attr.ML_EXPERIMENT_NAME) or service_of(resource),
            rank_of(plain_text(rank)) or 0,
            is_own=True,
        )

    def _identity(
        self, run_id: str, name: str, experiment: str, rank: int, *, is_own: bool = False
    ) -> Identity:
        """Return the identity, the same object for the same one: there is one for each span."""
        key = (run_id, name, experiment, rank, is_own)
        found = self._made.get(key)
        if found is None:
            if len(self._made) >= _KEPT_IDENTITIES:
                self._made.clear()
            found = self._made[key] = Identity(*key)
        return found

    def _rules_of(self, event: str) -> tuple[PointRule, ...]:
        rules = self._by_event.get(event)
        if rules is None:
            rules = tuple(rule for rule in self._of_events if fnmatchcase(event, rule.event))
            if len(self._by_event) < _KEPT_IDENTITIES:
                self._by_event[event] = rules
        return rules

    def _step(self, rule: PointRule, *attributes: Attributes) -> float:
        for held in attributes:
            for key in rule.step:
                step = number_of(held.get(key), takes_text=True)
                if math.isfinite(step):
                    return step
        for held in attributes:
            found = self.step_of(held)
            if found is not None:
                return found[0]
        return NO_STEP

    def _numbers(self, rule: PointRule, attributes: Attributes) -> list[tuple[str, float]]:
        """Return what a rule takes of attributes, by name. Most spans have nothing of it, and are many."""
        if rule.value:
            name, value = attributes.get(rule.name), attributes.get(rule.value)
            return [(name, number_of(value))] if isinstance(name, str) and name and is_number(value) else []
        known = self._are_values.setdefault(id(rule), {})
        if len(known) > _KEPT_IDENTITIES:
            known.clear()
        known.update({key: self._is_value(rule, key) for key in attributes if key not in known})
        return [
            (key, number_of(value)) for key, value in attributes.items() if known[key] and is_number(value)
        ]

    def _is_value(self, rule: PointRule, key: str) -> bool:
        """Tell whether a rule takes an attribute as a value: one that is a step only where it is named letter by letter."""
        if key in rule.values:
            return True
        if key in rule.step or key in self._step_keys or any(fnmatchcase(key, glob) for glob in rule.without):
            return False
        return any(fnmatchcase(key, glob) for glob in rule.values)


def mapping_path(store: str | os.PathLike[str]) -> Path:
    """Return where the mapping of the store in this file lies: beside it."""
    path = Path(store)
    return path.with_name(f"{path.name}.mapping.toml")


def use_mapping(store: str | os.PathLike[str], file: str | os.PathLike[str]) -> Path:
    """Copy a mapping beside the store in this file, so that every process that stores for it uses it.

    Returns:
        Where it lies now. A mapping that lay there is replaced.

    Raises:
        MappingFileError: the file cannot be read, used or written there; what lies beside the store stays as it is.
    """
    source, target = Path(file), mapping_path(store)
    text = _read(source)
    parse_mapping(text, path=str(source))
    temporary = target.with_name(f"{target.name}.{os.urandom(8).hex()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _write_new(temporary, text, file_mode_of(None, Path(store)))
        temporary.replace(target)
    except OSError as error:
        with Swallowing(OSError):
            temporary.unlink(missing_ok=True)
        raise MappingFileError(path=str(target), problems=[f"it cannot be written: {error}"]) from error
    return target


def _write_new(path: Path, text: str, file_mode: int) -> None:
    """Write a file that is not there yet: through no link that another user has put there."""
    with os.fdopen(create_file(path, file_mode), "w", encoding="utf-8") as stream:
        stream.write(text)


def run_id_of_text(text: str, *, kind: str) -> str:
    """Return the run id for what a program calls its run: 32 hexadecimal digits and UUIDs are ids, all else is hashed.

    `kind` keeps texts apart that different kinds of programs use.
    """
    lowered = text.strip().lower()
    digits = lowered.replace("-", "") if _UUID.fullmatch(lowered) else lowered
    if _RUN_ID.fullmatch(digits) and digits != _NO_ID:
        return digits
    return sha256(f"{kind}\0{text.strip()}".encode(errors="surrogatepass")).hexdigest()[:32]


@cache
def _built_in() -> MappingTable:
    path = Path(__file__).with_name("emitters.toml")
    return parse_mapping(path.read_text(encoding="utf-8"), path=str(path))


def _read_if_there(path: Path) -> MappingTable:
    if not os.path.exists(path):  # noqa: PTH110 - that of Path raises where a folder may not be entered
        return MappingTable()
    return parse_mapping(_read(path), path=str(path))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MappingFileError(path=str(path), problems=[f"it cannot be read: {error}"]) from error


class _Item(NamedTuple):
    """What is known of an item beside its content."""

    resource: Attributes
    attributes: Attributes
    hints: Mapping[str, str]
    is_json: bool

    def find(self, sources: Iterable[Source]) -> tuple[Place, str]:
        """Return the first text that one of the sources has, and of which place; an empty one where none has one."""
        for place, key in sources:
            match place:
                case "resource":
                    text = plain_text(self.resource.get(key), is_json=self.is_json)
                case "attribute":
                    text = plain_text(self.attributes.get(key), is_json=self.is_json)
                case "header":
                    text = self.hints.get(key, "").strip()
                case "identity":
                    text = _identity_text(self.resource)
            if text:
                return place, text
        return "resource", ""

    def text(self, sources: Iterable[Source]) -> str:
        """Return the first text that one of the sources has; empty where none has one."""
        return self.find(sources)[1]


def _identity_text(resource: Attributes) -> str:
    """Return what tells a resource from others: its service's identity, else all its attributes."""
    service = service_of(resource)
    if not service:
        return dump_canonical(dict(resource))
    plain = f"{service}/{text_of(resource, attr.SERVICE_INSTANCE_ID)}"
    named = [text_of(resource, key) for key in (attr.ML_EXPERIMENT_NAME, attr.ML_RUN_NAME)]
    return dump_canonical([plain, *named]) if any(named) else plain


def _name_of_resource(resource: Attributes) -> str:
    instance = text_of(resource, attr.SERVICE_INSTANCE_ID)
    shown = instance[:8] if _UUID.fullmatch(instance.lower()) else instance
    return " ".join(part for part in (service_of(resource) or "unnamed", shown) if part)
