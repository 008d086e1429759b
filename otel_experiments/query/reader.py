"""The read API over one store: runs, experiments, spans across runs, read-only SQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from otel_experiments._short_repr import cut
from otel_experiments.errors import ExperimentNotFoundError, QueryError
from otel_experiments.model.run import RunState
from otel_experiments.model.search import And, Comparison, MetricField, RunField, RunQuery
from otel_experiments.query.artifact_reader import ArtifactReader
from otel_experiments.query.artifact_source import ArtifactSource
from otel_experiments.query.changes_reader import ChangesReader
from otel_experiments.query.closest import closest
from otel_experiments.query.edited import lender_of
from otel_experiments.query.liveness import Liveness
from otel_experiments.query.paged_list import begin_of, page_of
from otel_experiments.query.run_list import RunList
from otel_experiments.query.run_page import PAGE_SIZE, RunPage
from otel_experiments.query.run_view import RunView
from otel_experiments.query.search.build import expression_of
from otel_experiments.query.search.parents import with_parent_ids
from otel_experiments.query.search.parser import parse_order
from otel_experiments.query.search.text import fields_of
from otel_experiments.query.telemetry_reader import TelemetryReader

if TYPE_CHECKING:
    from otel_experiments.artifacts.protocol import Blobs
    from otel_experiments.model.experiment import ExperimentList
    from otel_experiments.model.run import Run
    from otel_experiments.model.search import Expression, Order, SearchField, Visibility
    from otel_experiments.query.edited import OpenForEdits
    from otel_experiments.query.search.build import Condition
    from otel_experiments.query.search.told import SearchTeller
    from otel_experiments.query.table import Table
    from otel_experiments.store import Store

_OF_BEST = frozenset({"best", "best_step"})
_STATE = RunField("state")
_ARCHIVED, _REMOVED = RunField("archived"), RunField("removed")
_STORED_LIVE = Comparison(_STATE, "in", tuple(str(state) for state in RunState if state.is_live))


class Reader(ArtifactReader, TelemetryReader, ChangesReader):
    """Answers questions about one store.

    Args:
        store: where the runs are; the reader closes it, unless another has it open too.
        clock: nanoseconds since the Unix epoch, for states, ages and durations of live runs.
        notes: what was found to be amiss when the store was opened; kept as `notes`.
        location: the address to show where it is not the store's own, as for what was gathered in memory.
        find_problems: finds what was not read or merged at some time, one text each; see `read_problems`.
        open_place: returns the place that has the bytes of artifacts, by its address; the empty one is the store's own.
        open_for_edits: lends the store open for writing, where `store` is not or is a copy.
        is_shared: whether another has the store open too, as the recorder of this process: then `close` leaves it open.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], int] = time.time_ns,
        notes: Sequence[str] = (),
        location: str | None = None,
        find_problems: Callable[[], list[str]] = list,
        open_place: Callable[[str], Blobs] | None = None,
        is_shared: bool = False,
        open_for_edits: OpenForEdits | None = None,
    ) -> None:
        self.notes = tuple(notes)
        self._lend: OpenForEdits = open_for_edits or lender_of(store)
        self._is_shared = is_shared
        self._location = location or store.location
        self._find_problems = find_problems
        self._problems: list[str] = []
        self._store = store
        self._clock = clock
        self._artifacts = ArtifactSource(
            store, self._location, open_place=open_place, find_runs=self._runs_by_id
        )

    def note_problem(self, text: str) -> None:
        """Keep what could not be read or merged when the store was opened."""
        self._problems.append(text)

    def read_problems(self) -> list[str]:
        """Return what could not be read or merged of the store's journals, now or by an earlier merge, one text each."""
        return [*self._problems, *self._find_problems()]

    @property
    def location(self) -> str:
        """The store's address, as a user would type it."""
        return self._location

    @property
    def store(self) -> Store:
        """The store itself."""
        return self._store

    def runs(
        self,
        where: str | Expression | Condition | None = None,
        *,
        order: str | Sequence[str] | None = None,
        limit: int | None = None,
        offset: int = 0,
        after: str | None = None,
        experiment: str | None = None,
        visibility: Visibility = "listed",
    ) -> RunList:
        """Return the runs that match, newest first unless `order` says otherwise.

        Args:
            where: a search expression such as `metrics.loss.min < 0.1 and state != "failed"`.
            order: sort keys such as `-metrics.loss.min, name`; a minus turns the order round.
            limit: at most so many.
            offset: leave out so many at the start.
            after: the `cursor` of the page before, of the same search.
            experiment: only runs of this experiment.
            visibility: which runs are seen; `where` sees archived and removed ones too where it asks for these fields.

        A `SearchWarning` says which sort keys no run has, which fields of a search without an answer no run has, and
        what was guessed to be the best value of a metric whose direction nobody declared.

        Raises:
            SearchSyntaxError: `where` or `order` cannot be understood.
            PageCursorError: `after` is of another search.
            ExperimentNotFoundError: the store holds no experiment of that name.
        """
        if (limit is not None and limit < 0) or offset < 0:
            raise QueryError(f"A page has limit {limit} and offset {offset}.\n  Neither may be below zero.")
        asked = expression_of(where, meant=self.meant)
        expression = self._where(asked, experiment)
        teller = None if order is None else self._teller
        orders = (
            () if order is None or teller is None else teller.orders(parse_order(order, meant=self.meant))
        )
        seen = _seen(expression, visibility)
        search = ("runs", asked, orders, experiment, seen)
        begins = None if after is None else begin_of(after, search, keys=len(orders), ties=(int, str))
        query = RunQuery(expression, orders, limit, offset, seen, begins)
        liveness = Liveness(self._clock())
        found = self._store.find_runs(query, live_run_ids=self._live_ids(liveness, expression, orders))
        if found and teller is not None:
            teller.tell_unsorted(expression, orders, found[0])
        elif not found and not offset and limit != 0 and after is None:
            if experiment is not None:
                self._check_experiment(experiment)
            if expression is not None:
                self._teller.tell_unmatched(expression)
        return page_of(search, found.end, RunList(self._views(found, liveness)))

    def check_fields(self, fields: Sequence[SearchField]) -> list[SearchField]:
        """Return the fields as they are to be shown, and warn of those that no run has."""
        teller = self._teller
        meant = [teller.field(field) for field in fields]
        teller.tell_unknown(meant)
        return meant

    def count_runs(
        self,
        where: str | Expression | Condition | None = None,
        *,
        experiment: str | None = None,
        visibility: Visibility = "listed",
    ) -> int:
        """Return how many runs match; `visibility` as for `runs`.

        Raises:
            SearchSyntaxError: `where` cannot be understood.
        """
        expression = self._where(where, experiment)
        live = self._live_ids(Liveness(self._clock()), expression, ())
        return self._store.count_runs(
            RunQuery(expression, visibility=_seen(expression, visibility)), live_run_ids=live
        )

    def run(self, wanted: str) -> RunView:
        """Return the run that is meant by an id, the beginning of one, or a name.

        A name means the newest run that has it; `latest` is the newest run of all, `name~1` (and `latest~1`) the
        one before the newest. A run that is really called so comes first.

        Raises:
            RunNotFoundError: there is none; the error lists what there is.
            RunRemovedError: it was removed.
            AmbiguousRunError: the ids of several runs begin so; the error lists them.
            StoreDamagedError: its row cannot be read.
        """
        from otel_experiments.query.run_search import find_run  # noqa: PLC0415 - as others below

        return self._views([find_run(self._store, wanted, location=self.location)], Liveness(self._clock()))[
            0
        ]

    def only_run(self, wanted: str, *, with_removed: bool = False) -> RunView:
        """Return the run as `run` does, by a name only when no other run has it; `with_removed`: also one that was removed.

        Raises:
            RunNotFoundError: there is none.
            AmbiguousRunError: several runs have the name, or ids that begin so.
        """
        from otel_experiments.query.run_search import find_only_run  # noqa: PLC0415 - as others below

        found = find_only_run(self._store, wanted, location=self.location, with_removed=with_removed)
        return self._views([found], Liveness(self._clock()))[0]

    def pages(self, runs: Sequence[RunView]) -> Iterator[list[RunView]]:
        """Yield the runs a page at a time, nothing of them read yet.

        Whoever drops each page before the next keeps the params and series of `PAGE_SIZE` runs in memory,
        however many runs there are.
        """
        liveness = Liveness(self._clock())
        for start in range(0, len(runs), PAGE_SIZE):
            yield self._views([run.record for run in runs[start : start + PAGE_SIZE]], liveness)

    def experiments(self) -> ExperimentList:
        """Return the experiments with their number of runs and what all of these share, by name.

        `experiments()["digits"].config` is what `otel_experiments.experiment` defined.
        """
        from otel_experiments.query.experiments import find_experiments  # noqa: PLC0415 - few ask

        return find_experiments(self._store)

    def sql(self, statement: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> Table:
        """Return what one read-only statement over the documented schema answers.

        Raises:
            QueryError: the statement is wrong, would write, or the store speaks no SQL.
        """
        from otel_experiments.query.table import Table  # noqa: PLC0415 - few ask

        columns, rows = self._store.sql(statement, parameters)
        return Table(tuple(columns), rows)

    def meant(self, name: str) -> str:
        """Return the param, metric or tag of the newest runs that a misspelt name may mean; empty when none is like it."""
        return self._teller.meant(name)

    def __repr__(self) -> str:
        return f"Reader({cut(self.location, 120)!r})"

    def close(self) -> None:
        """Let go of the store; safe to call twice. A store that this process records into stays open for that."""
        if not self._is_shared:
            self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _teller(self) -> SearchTeller:
        """Return who tells of one search."""
        from otel_experiments.query.search.told import SearchTeller  # noqa: PLC0415 - 2 ms that few need

        return SearchTeller(self._store)

    def _where(self, where: str | Expression | Condition | None, experiment: str | None) -> Expression | None:
        expression = with_parent_ids(self._store, expression_of(where, meant=self.meant))
        if any(isinstance(one, MetricField) and one.stat in _OF_BEST for one in fields_of(expression)):
            assert expression is not None
            expression = self._teller.expression(expression)
        if experiment is None:
            return expression
        of_experiment = Comparison(RunField("experiment"), "==", experiment)
        return of_experiment if expression is None else And((of_experiment, expression))

    def _live_ids(
        self, liveness: Liveness, expression: Expression | None, orders: Sequence[Order]
    ) -> frozenset[str] | None:
        """Return who is alive, where the query looks at it: asking costs a look at each run not ended."""
        if _STATE not in fields_of(expression) and all(order.field != _STATE for order in orders):
            return None
        return liveness.live_ids(self._store.find_runs(RunQuery(_STORED_LIVE)))

    def _views(self, runs: Sequence[Run], liveness: Liveness) -> list[RunView]:
        views: list[RunView] = []
        for start in range(0, len(runs), PAGE_SIZE):
            part = runs[start : start + PAGE_SIZE]
            ids = [run.run_id for run in part]
            page = RunPage(self._store, ids, liveness, self.read_problems, self._artifacts, self._lend)
            views.extend(RunView(run, page) for run in part)
        return views

    def _runs_by_id(self, run_ids: Sequence[str]) -> list[RunView]:
        """Return the runs with these ids that there are."""
        found = [run for run in map(self._store.get_run, run_ids) if run is not None]
        return self._views(found, Liveness(self._clock()))

    def _check_experiment(self, wanted: str) -> None:
        known = [experiment.name for experiment in self.experiments()]
        if wanted not in known:
            raise ExperimentNotFoundError(
                wanted=wanted, store=self.location, known=known, suggestion=closest(wanted, known)
            )


def _seen(expression: Expression | None, visibility: Visibility) -> Visibility:
    """Return which runs a search sees: it finds archived and removed ones where it asks for them."""
    asked = tuple(fields_of(expression)) if visibility == "listed" else ()
    if _REMOVED in asked:
        return "present"
    return "kept" if _ARCHIVED in asked else visibility
