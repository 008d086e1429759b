"""What came before the latest attempt of a run: its earlier attempts, where it was rewound, and the run it is a fork of.

It is on the run's resource, so that it goes wherever the run goes: into bundles, over OTLP, into another store.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from otel_experiments.semconv import attributes as attr

if TYPE_CHECKING:
    from otel_experiments.model.run import Run

MOST_ATTEMPTS: Final = 64
"""So many attempts are told apart, the latest ones."""


@dataclass(frozen=True, slots=True)
class ForkPoint:
    """The run that another one goes on from, and the last step of it that counts."""

    run_id: str
    step: float


@dataclass(frozen=True, slots=True)
class Past:
    """The attempts of a run and where they begin.

    `starts_ns` are when the latest attempts started, by time, the last of them attempt `attempt`; it is empty for a run that
    has one. `rewinds` has, by attempt, the last step of earlier attempts that counts. `before_ns` is when the first attempt
    started that is left out of it; None where none is.
    """

    attempt: int = 1
    starts_ns: tuple[int, ...] = ()
    rewinds: Mapping[int, float] = field(default_factory=dict)
    fork: ForkPoint | None = None
    before_ns: int | None = None

    def until(self, time_ns: int) -> Past:
        """Return the past as it was at a time: without the attempts that started later."""
        count = max(1, bisect_right(self.starts_ns, time_ns))
        later = self.starts_ns[count:]
        if not later:
            return self
        attempt = self.attempt - len(later)
        rewinds = {number: step for number, step in self.rewinds.items() if number <= attempt}
        return replace(
            self, attempt=attempt, starts_ns=self.starts_ns[:count], rewinds=rewinds, before_ns=later[0]
        )

    def attempt_at(self, time_ns: int) -> int:
        """Return the attempt in which something was recorded."""
        return max(1, self.attempt - len(self.starts_ns) + bisect_right(self.starts_ns, time_ns))

    def rewound_after(self, attempt: int) -> float:
        """Return the last step of an attempt that counts, as later attempts were rewound; infinity where none was."""
        return min((step for later, step in self.rewinds.items() if later > attempt), default=math.inf)

    def next_attempt(self, started_ns: int, rewind_to: float | None, *, first_ns: int | None) -> Past:
        """Return the past as the next attempt has it, which starts now; `first_ns` is when the run started first."""
        known = self.starts_ns or ((first_ns,) if first_ns is not None and self.attempt == 1 else ())
        starts_ns = tuple(ns for ns in known if ns < started_ns)
        rewinds = dict(self.rewinds)
        if rewind_to is not None:
            rewinds[self.attempt + 1] = rewind_to
        return Past(
            self.attempt + 1, (*starts_ns[-MOST_ATTEMPTS + 1 :], started_ns), _latest(rewinds), self.fork
        )

    def attributes(self) -> dict[str, Any]:
        """Return the past as attributes of the run's resource."""
        found: dict[str, Any] = {}
        if self.starts_ns:
            found[attr.ML_RUN_START_TIMES] = list(self.starts_ns)
        if self.rewinds:
            found[attr.ML_RUN_REWIND_ATTEMPTS] = list(self.rewinds)
            found[attr.ML_RUN_REWIND_STEPS] = list(map(float, self.rewinds.values()))
        if self.fork is not None:
            found[attr.ML_RUN_FORK_RUN_ID] = self.fork.run_id
            found[attr.ML_RUN_FORK_STEP] = float(self.fork.step)
        return found


def past_of(run: Run) -> Past:
    """Return what a run's resource says of its past; what is not as we write it counts as not said."""
    resource = run.resource
    starts = _numbers(resource.get(attr.ML_RUN_START_TIMES), int)
    attempts = _numbers(resource.get(attr.ML_RUN_REWIND_ATTEMPTS), int)
    steps = _numbers(resource.get(attr.ML_RUN_REWIND_STEPS), float)
    source, step = resource.get(attr.ML_RUN_FORK_RUN_ID), resource.get(attr.ML_RUN_FORK_STEP)
    is_fork = isinstance(source, str) and source != run.run_id and isinstance(step, (int, float))
    return Past(
        attempt=run.attempt,
        starts_ns=tuple(sorted(starts)) if len(starts) <= max(run.attempt, 1) else (),
        rewinds=dict(zip(attempts, steps, strict=False)),
        fork=ForkPoint(source, float(step)) if is_fork else None,  # type: ignore[arg-type] # as checked above
    )


def _latest(rewinds: dict[int, float]) -> dict[int, float]:
    return dict(sorted(rewinds.items())[-MOST_ATTEMPTS:])


def _numbers(found: object, kind: type[Any]) -> Sequence[Any]:
    kinds = (int, float) if kind is float else int
    if not isinstance(found, Sequence) or isinstance(found, str):
        return ()
    whole = [kind(one) for one in found if isinstance(one, kinds) and not isinstance(one, bool)]
    return whole if len(whole) == len(found) else ()
