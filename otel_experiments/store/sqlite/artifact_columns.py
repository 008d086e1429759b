"""The columns of the table `artifacts`, and what a row says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, Final

from otel_experiments.codec.values import dump_value, load_attributes
from otel_experiments.model.artifact import ArtifactLogged
from otel_experiments.store.sqlite.unreadable import check_numbers, check_texts

_NAMES: Final = {"index": "position"}
_FIELDS: Final = tuple(one.name for one in fields(ArtifactLogged) if one.name != "version")
COLUMNS: Final = tuple(_NAMES.get(name, name) for name in _FIELDS)
"""All of the table but its key and the hash, in the order of the fields of `ArtifactLogged`."""
_values: Final[Callable[[ArtifactLogged], tuple[Any, ...]]] = attrgetter(*_FIELDS)
_METADATA: Final = _FIELDS.index("metadata")
_IS_FOLDER: Final = _FIELDS.index("is_folder")
_TRUTHS: Final = frozenset({"is_folder"})
_NUMBERS: Final = frozenset({"time_ns", "size_bytes", "file_count", "step", "index", "rank"})
_OPTIONAL: Final = frozenset({"step", "rank"})
_ROLES: Final = frozenset({"artifact", "media"})


def artifact_of(row: Sequence[object]) -> ArtifactLogged:
    """Return what a row of COLUMNS says.

    Raises:
        TypeError: a column holds something else than the schema says; other errors of contents as well.
    """
    values: dict[str, Any] = dict(zip(_FIELDS, row, strict=True))
    check_texts(*(value for name, value in values.items() if name not in _NUMBERS | _TRUTHS))
    check_numbers(*(values[name] for name in _NUMBERS), values["is_folder"])
    if values["role"] not in _ROLES:
        raise ValueError(f"no artifact has the role {values['role']!r:.40}")
    if any(values[name] is None for name in _NUMBERS - _OPTIONAL):
        raise TypeError("a number was expected, nothing was found")
    values["is_folder"] = bool(values["is_folder"])
    values["metadata"] = load_attributes(values["metadata"])
    return ArtifactLogged(**values)


def row_of(logged: ArtifactLogged) -> tuple[str | float | None, ...]:
    """Return the values of COLUMNS."""
    values = list(_values(logged))
    values[_METADATA] = dump_value(logged.metadata) if logged.metadata else "{}"
    values[_IS_FOLDER] = int(logged.is_folder)
    return tuple(values)
