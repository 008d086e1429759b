"""What a run has to do with other runs, and with its own earlier attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from otel_experiments.model.search import Comparison, Order, RunField, RunQuery

if TYPE_CHECKING:
    from otel_experiments.model.past import Past
    from otel_experiments.model.run import Run, RunState
    from otel_experiments.query.attempts import Attempt
    from otel_experiments.query.metrics_view import MetricsView
    from otel_experiments.query.run_page import RunPage

_MOST_FORKS = 100
"""Forks of forks that are followed: telemetry of other programs may go in a circle."""


class RelatedRuns:
    """The runs that a run is part of, that are part of it, and that it goes on from."""

    _fork_depth = 0
    _page: RunPage

    if TYPE_CHECKING:

        @property
        def _run(self) -> Run:
            """The row as it is stored."""
            ...

        @property
        def state(self) -> RunState:
            """The state as it is computed."""
            ...

    @property
    def _past(self) -> Past:
        """What the run goes on from: its own earlier attempts, and the run that it is a fork of."""
        from otel_experiments.model.past import past_of  # noqa: PLC0415 - 1 ms that few need

        return past_of(self._run)

    def _view(self, run: Run, page: RunPage) -> Self:
        raise NotImplementedError

    def _metrics_of(self, past: Past) -> MetricsView:
        """Return the series with what counts of them in a past of the run: that of now, or an earlier one."""
        raise NotImplementedError

    @property
    def _inherited(self) -> MetricsView | None:
        """The series of the run that this one is a fork of, as they were when the fork was made."""
        source = self.forked_from
        if source is None:
            return None
        return source._metrics_of(source._past.until(self._run.created_ns))  # noqa: SLF001 - of this class

    @property
    def parent_id(self) -> str | None:
        """The id of the run that this one is part of; None where it is part of none."""
        return self._run.parent_run_id

    @property
    def parent(self) -> Self | None:
        """The run that this one is part of, as a trial is of a sweep; None without one, or where it is not in the store."""
        return None if self.parent_id is None else self._other(self.parent_id)

    @property
    def children(self) -> list[Self]:
        """The runs that are part of this one, the oldest first."""
        where = Comparison(RunField("parent_run_id"), "==", self._run.run_id)
        found = self._page.store.find_runs(RunQuery(where, (Order(RunField("created")),)))
        page = self._page.of([run.run_id for run in found])
        return [self._view(run, page) for run in found]

    @property
    def forked_from(self) -> Self | None:
        """The run that this one is a fork of; None for no fork, or where that run is not in the store."""
        fork = self._past.fork
        if fork is None or self._fork_depth >= _MOST_FORKS:
            return None
        found = self._other(fork.run_id)
        if found is not None:
            found._fork_depth = self._fork_depth + 1  # noqa: SLF001 - of this class
        return found

    @property
    def fork_step(self) -> float | None:
        """The last step of the other run that counts for this one, which is a fork of it; None for no fork."""
        fork = self._past.fork
        return None if fork is None else fork.step

    @property
    def attempts(self) -> list[Attempt]:
        """The times that the run was started or resumed, the first one first."""
        from otel_experiments.query.attempts import attempts_of  # noqa: PLC0415 - few ask

        return attempts_of(self._page.store, self._run, self.state)

    def _other(self, run_id: str) -> Self | None:
        if run_id == self._run.run_id:
            return None
        # What is left of a purged run is no run to read: it has no points.
        query = RunQuery(Comparison(RunField("run_id"), "==", run_id), visibility="present")
        found = next((one for one in self._page.store.find_runs(query) if one.run_id == run_id), None)
        return None if found is None else self._view(found, self._page.of([run_id]))
