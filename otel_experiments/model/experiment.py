"""What all runs of an experiment share: its config, tags and description, as events without a run define them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, SupportsIndex, TypeVar, cast, overload

from otel_experiments.model.run import Experiment
from otel_experiments.semconv import attributes as attr

if TYPE_CHECKING:
    from otel_experiments.model.log import LogRecord
    from otel_experiments.model.run import ParamValue

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class ExperimentDefinition:
    """What is defined of an experiment.

    `config` has dotted keys. `first_ns` and `last_ns` are the times of its first and its last event.
    """

    config: Mapping[str, ParamValue] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    first_ns: int = 0
    last_ns: int = 0


class ExperimentList(list[Experiment]):
    """Experiments by name: `experiments["digits"]`, or by number as in any list."""

    @overload
    def __getitem__(self, key: SupportsIndex | str, /) -> Experiment: ...
    @overload
    def __getitem__(self, key: slice, /) -> list[Experiment]: ...
    def __getitem__(self, key: SupportsIndex | slice | str, /) -> Experiment | list[Experiment]:
        """Return the experiment of this name or at this place.

        Args:
            key: a name, a number or a slice.

        Raises:
            KeyError: no experiment has the name.
        """
        if not isinstance(key, str):
            return super().__getitem__(key)
        for one in self:
            if one.name == key:
                return one
        known = ", ".join(repr(one.name) for one in self[:10]) or "none"
        raise KeyError(f"There is no experiment {key!r}. There are: {known}.")


def with_defaults(values: Mapping[str, V], defaults: Mapping[str, V]) -> dict[str, V]:
    """Return the values, and those defaults whose key is none of theirs, nor above or below one."""
    above = {prefix for key in values for prefix in _prefixes(key)}
    kept = {
        key: value
        for key, value in defaults.items()
        if key not in values and key not in above and not any(prefix in values for prefix in _prefixes(key))
    }
    return {**kept, **values}


def definitions_in(records: Iterable[LogRecord]) -> dict[str, ExperimentDefinition]:
    """Return what events define of experiments, by name. Of each key the latest event counts."""
    found: dict[str, ExperimentDefinition] = {}
    for record in sorted(records, key=lambda one: one.time_ns):
        name, body = experiment_of(record), record.body
        if not name or not isinstance(body, Mapping):
            continue
        known = found.get(name, ExperimentDefinition(first_ns=record.time_ns))
        tags = {**known.tags, **_mapping(body, "tags")}
        description = body.get("description")
        found[name] = ExperimentDefinition(
            config=with_defaults(cast("Mapping[str, ParamValue]", _mapping(body, "config")), known.config),
            tags={key: value for key, value in tags.items() if isinstance(value, str)},
            description=description if isinstance(description, str) else known.description,
            first_ns=known.first_ns,
            last_ns=record.time_ns,
        )
    return found


def experiment_of(record: LogRecord) -> str:
    """Return the name of the experiment that an event is about; empty where it names none."""
    name = record.resource.attributes.get(attr.ML_EXPERIMENT_NAME)
    return name if isinstance(name, str) else ""


def _mapping(body: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = body.get(key)
    return found if isinstance(found, Mapping) else {}


def _prefixes(key: str) -> list[str]:
    parts = key.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]
