"""Runs, experiments and the states a run may take."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from otel_experiments._short_repr import repr_pretty
from otel_experiments.errors import IllegalTransitionError
from otel_experiments.semconv import attributes as attr

ParamValue = str | bool | int | float | None | Sequence["ParamValue"] | Mapping[str, "ParamValue"]
"""A typed, possibly nested value that steers a run."""


_RUN_ID: Final = re.compile(r"(?!0{32})[0-9a-f]{32}")


class RunState(StrEnum):
    """The states of a run."""

    PENDING = "pending"
    """Written down, and not started."""
    RUNNING = "running"
    """Its process records."""
    PAUSED = "paused"
    """Its process is there and records nothing for a while."""
    SUCCEEDED = "succeeded"
    """It ended as it should."""
    FAILED = "failed"
    """An exception ended it, or `fail`."""
    CANCELLED = "cancelled"
    """Ctrl-C, SIGTERM or `cancel` ended it."""
    LOST = "lost"
    """Its process is gone without having ended it. Never stored: readers find it out (`query/liveness.py`)."""

    @property
    def is_terminal(self) -> bool:
        """Whether the run has ended by its own word."""
        return self in _TERMINAL

    @property
    def is_live(self) -> bool:
        """Whether the run's process should exist."""
        return self in _LIVE


_TERMINAL = (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED)
_LIVE = (RunState.PENDING, RunState.RUNNING, RunState.PAUSED)
LEGAL_TRANSITIONS: Mapping[RunState, frozenset[RunState]] = {
    RunState.PENDING: frozenset({RunState.RUNNING, RunState.FAILED, RunState.CANCELLED}),
    RunState.RUNNING: frozenset({RunState.PAUSED, *_TERMINAL}),
    RunState.PAUSED: frozenset({RunState.RUNNING, *_TERMINAL}),
    RunState.LOST: frozenset({RunState.RUNNING, *_TERMINAL}),
    RunState.SUCCEEDED: frozenset({RunState.RUNNING}),
    RunState.FAILED: frozenset({RunState.RUNNING}),
    RunState.CANCELLED: frozenset({RunState.RUNNING}),
}
"""From a state to the states that may follow it; a terminal state is left only by resuming the run."""


def is_run_id(text: object) -> bool:
    """Tell whether this can be the id of a run, a trace id: 32 lower hexadecimal digits, not all zero.

    Ids in files that come from elsewhere are only texts: they end up in paths, URLs and spreadsheets.
    """
    return isinstance(text, str) and _RUN_ID.fullmatch(text) is not None


def check_transition(run_id: str, current: RunState, requested: RunState, *, is_resume: bool = False) -> None:
    """Let a legal change of state pass.

    Raises:
        IllegalTransitionError: `requested` may not follow `current`; the error names both.
    """
    allowed = LEGAL_TRANSITIONS[current]
    if current.is_terminal and not is_resume:
        allowed = frozenset()
    if requested not in allowed:
        raise IllegalTransitionError(
            run_id=run_id, current=str(current), requested=str(requested), allowed=sorted(map(str, allowed))
        )


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that drives a run, identified so that a reused pid is not mistaken for it.

    `start_ticks` is the kernel's start time of the process (clock ticks since boot, 0 where unknown).
    """

    host: str
    boot_id: str
    pid: int
    start_ticks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """The texts that a user gives of a run, each "" where none was given.

    A field here is a field of `Run`, an argument of `start_run` and an attribute of the resource.
    """

    group: str = ""
    condition: str = ""
    hypothesis: str = ""
    description: str = ""


FACT_ATTRIBUTES: Final[Mapping[str, str]] = {
    "group": attr.ML_EXPERIMENT_GROUP,
    "condition": attr.ML_EXPERIMENT_CONDITION,
    "hypothesis": attr.ML_EXPERIMENT_HYPOTHESIS,
    "description": attr.ML_EXPERIMENT_DESCRIPTION,
}
"""By field of `RunFacts` the attribute of the resource that holds it."""


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of an experiment, as the store knows it.

    `state` is what was last written; readers compute LOST from `owner` and `heartbeat_ns`.
    Units: all `_ns` are nanoseconds since the Unix epoch, except `paused_total_ns`, a length.

    `EDITED_FIELDS` come from edits of the stored run alone: no record of a run has them.
    """

    run_id: str
    experiment: str
    name: str
    state: RunState
    created_ns: int
    started_ns: int | None = None
    ended_ns: int | None = None
    paused_ns: int | None = None
    paused_total_ns: int = 0
    paused_count: int = 0
    paused_dropped_count: int = 0
    heartbeat_ns: int | None = None
    reason: str = ""
    error_type: str = ""
    owner: Owner | None = None
    parent_run_id: str | None = None
    group: str = ""
    hypothesis: str = ""
    condition: str = ""
    description: str = ""
    note: str = ""
    pinned_ns: int | None = None
    archived_ns: int | None = None
    removed_ns: int | None = None
    attempt: int = 1
    root_span_id: str | None = None
    resource: Mapping[str, object] = field(default_factory=dict)

    _repr_pretty_ = repr_pretty


EDITED_FIELDS: Final = ("note", "pinned_ns", "archived_ns", "removed_ns")
"""Fields of `Run` that a store makes of edits, and of nothing else."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """What is studied.

    `config` (by dotted key), `tags` and `description` are what its runs share, as a reader finds it; a store leaves them empty.
    """

    name: str
    created_ns: int
    run_count: int = 0
    config: Mapping[str, ParamValue] = field(default_factory=dict, hash=False)
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    description: str = ""
