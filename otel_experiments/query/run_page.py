"""Runs that were listed together, and what is read of all of them with one query."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from otel_experiments.model.search import Comparison, RunField, RunQuery
from otel_experiments.query.artifact_source import ArtifactSource
from otel_experiments.query.edited import lender_of

if TYPE_CHECKING:
    from otel_experiments.model.loss import Loss
    from otel_experiments.model.metric import Series
    from otel_experiments.model.run import ParamValue, Run
    from otel_experiments.query.edited import OpenForEdits
    from otel_experiments.query.liveness import Liveness
    from otel_experiments.store import Store

PAGE_SIZE = 500
"""Runs whose params, tags and series are fetched together: three queries for so many runs."""


class RunPage:
    """Runs that were listed together and whose params, tags and series are fetched together: one query each."""

    def __init__(
        self,
        store: Store,
        run_ids: Sequence[str],
        liveness: Liveness,
        read_problems: Callable[[], list[str]] = list,
        artifacts: ArtifactSource | None = None,
        open_for_edits: OpenForEdits | None = None,
    ) -> None:
        self.store = store
        self.open_for_edits = open_for_edits or lender_of(store)
        self.liveness = liveness
        self.read_problems = read_problems
        self.artifacts = artifacts or ArtifactSource(store, store.location)
        self._run_ids = run_ids

    def of(self, run_ids: Sequence[str]) -> RunPage:
        """Return a page of other runs of the same reader, nothing of them read yet."""
        return RunPage(
            self.store, run_ids, self.liveness, self.read_problems, self.artifacts, self.open_for_edits
        )

    @cached_property
    def records(self) -> dict[str, Run]:
        """The rows of the runs of the page as they are now."""
        where = Comparison(RunField("run_id"), "in", tuple(self._run_ids))
        found = self.store.find_runs(RunQuery(where, visibility="present"))
        return {run.run_id: run for run in found}

    @cached_property
    def params(self) -> dict[str, dict[str, ParamValue]]:
        """The flat params of each run of the page."""
        return self.store.params(self._run_ids)

    @cached_property
    def tags(self) -> dict[str, dict[str, str]]:
        """The tags of each run of the page."""
        return self.store.tags(self._run_ids)

    @cached_property
    def losses(self) -> dict[str, list[Loss]]:
        """What the runs of the page lost, without those that lost nothing."""
        return self.store.losses(self._run_ids)

    @cached_property
    def series(self) -> dict[str, list[Series]]:
        """The series of each run of the page, with their summaries."""
        return self.store.series(self._run_ids)
