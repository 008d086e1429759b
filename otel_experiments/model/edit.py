"""Edits of stored runs: what a person or a program said of a run after it was recorded, and what removes one for good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from otel_experiments.model.run import Run

EditField = Literal["name", "group", "note", "pinned", "archived", "removed"]
"""What of a run can be edited beside its tags. The last three are marks: there or not."""

EDIT_FIELDS: Final[tuple[EditField, ...]] = get_args(EditField)
TEXTS: Final[tuple[EditField, ...]] = ("name", "group", "note")
MARKS: Final[frozenset[EditField]] = frozenset({"pinned", "archived", "removed"})
MOST_NOTE_BYTES: Final = 1 << 20
SET: Final = "yes"
"""The value of a mark that is there."""


@dataclass(frozen=True, slots=True)
class RunEdit:
    """A field of a stored run took another value; the latest `time_ns` of a field wins.

    Attributes:
        run_id: the run.
        field: what was edited.
        value: the text, or `SET` for a mark; None takes a mark away.
        time_ns: when, in nanoseconds since the Unix epoch.
        author: who, as the operating system calls the user; empty where it is not known.
    """

    run_id: str
    field: EditField
    value: str | None
    time_ns: int
    author: str = ""


@dataclass(frozen=True, slots=True)
class RunPurge:
    """A run is taken out of the store with all that hangs on it, and what arrives of it later is not stored.

    A run that is made after `time_ns` under the same id is a new one, and is stored. The store asks `unless` in the
    transaction of the purge: a run of which it says yes, as it is then, stays.
    """

    run_id: str
    time_ns: int
    unless: Callable[[Run], bool] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class RunContents:
    """How much hangs on some runs together."""

    run_count: int = 0
    point_count: int = 0
    span_count: int = 0
    log_record_count: int = 0
    data_point_count: int = 0
    artifact_count: int = 0
