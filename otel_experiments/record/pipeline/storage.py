"""What moves the journal into a store, as the pipeline sees it, which knows no store."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from otel_experiments.model.metric import SeriesKey

if TYPE_CHECKING:
    from otel_experiments.model.log import LogRecord
    from otel_experiments.model.metric import Series
    from otel_experiments.model.rank_config import RankConfig
    from otel_experiments.record.base.used_artifact import UsedArtifact


class Storage(Protocol):
    """Whoever moves the journal into a store, as the pipeline sees it."""

    def wake(self) -> None:
        """Ask for a round now."""
        ...

    def drain_now(self, *, timeout_s: float) -> bool:
        """Store what is recorded so far; True when all of it was stored in time."""
        ...

    def close(self, *, timeout_s: float) -> bool:
        """Store what is left and stop; True when all of it was stored in time."""
        ...

    def release(self) -> None:
        """Let go of the store."""
        ...

    def highest_steps(self, run_id: str, *, until: float = math.inf) -> dict[SeriesKey, float]:
        """Return the highest step, up to `until`, of each series that the store holds of a run."""
        ...

    def series_of(self, run_id: str) -> Sequence[Series]:
        """Return the series that the store holds of a run, with their summaries."""
        ...

    def lost_count_of(self, run_id: str) -> int:
        """Return how many items the store says were not recorded as they were given."""
        ...

    def told_by_ranks(self, run_id: str) -> Sequence[RankConfig]:
        """Return what the store holds of what ranks other than 0 were told about a run."""
        ...

    def describe_run(self, run_id: str) -> tuple[Mapping[str, Any], Sequence[Mapping[str, str]]]:
        """Return what is recorded of a run so far, as JSON can hold it, and the artifacts that it used.

        Nothing where there is no store.
        """
        ...

    def summary_of(self, run_id: str) -> Mapping[str, Any]:
        """Return the summary of a run, what is recorded so far included; nothing where there is no store."""
        ...

    def find_artifact(self, ref: str, experiment: str) -> UsedArtifact:
        """Return the artifact that a text refers to; a name without an experiment is one of `experiment`.

        What is recorded so far is stored before.

        Raises:
            ArtifactNotFoundError: there is none.
        """
        ...

    def experiment_definitions(self) -> Sequence[LogRecord]:
        """Return the events that define experiments: those that are stored, and those of this process."""
        ...

    def know_definition(self, record: LogRecord) -> None:
        """Know an event of this process that defines an experiment, before it is stored."""
        ...

    @property
    def last_error(self) -> Exception | None:
        """What keeps the journal from being stored; None when nothing does."""
        ...
