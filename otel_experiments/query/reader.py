"""The read API over one store: runs, experiments, spans across runs, read-only SQL."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from otel_experiments.errors import (
    AmbiguousRunError,
    ExperimentNotFoundError,
    IncompleteReadWarning,
    QueryError,
    RunNotFoundError,
    StoreError,
    StoreIncompleteError,
    StoreNotFoundError,
)
from otel_experiments.model.run import Experiment, Run, RunState
from otel_experiments.model.search import And, Comparison, Expression, Order, RunField, RunQuery, SpanQuery
from otel_experiments.model.store_address import SQLITE
from otel_experiments.query.closest import beginning_so, closest
from otel_experiments.query.liveness import Liveness
from otel_experiments.query.run_view import RunPage, RunView
from otel_experiments.query.search import parse_order, parse_search
from otel_experiments.query.search_text import fields_of
from otel_experiments.store import UNSETTLED, Row, Store, open_store
from otel_experiments.store.filesystem import is_network_filesystem
from otel_experiments.store.journal_place import has_segments, journal_directory, local_path
from otel_experiments.store.reader_warning import warn_reader

if TYPE_CHECKING:
    from otel_experiments.query.spans_view import SpansView

PAGE_SIZE = 500
"""Runs whose params, tags and series are fetched together: three queries for so many runs."""

_COPIED = (
    "What is read from {path!r} may not be whole: the file was copied while a process recorded into it, or after it "
    "was killed, without {path}-wal and {path}.journals beside it.\n"
    "  Copy all three again, or read the original once (otel-experiments runs): then the one file holds all."
)
LATEST = "latest"
"""Names the newest run of a store."""
_BACK = re.compile(r"~[0-9]{1,18}\Z")
_STATE = RunField("state")
_STORED_LIVE = Comparison(_STATE, "in", tuple(str(state) for state in RunState if state.is_live))


@dataclass(frozen=True, slots=True)
class Table:
    """The answer to an SQL statement."""

    columns: tuple[str, ...]
    rows: list[Row]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


class Reader:
    """Answers questions about one store.

    Args:
        store: where the runs are; the reader closes it.
        clock: nanoseconds since the Unix epoch, for states, ages and durations of live runs.
        notes: what was found to be amiss when the store was opened; kept as `notes`.
        location: the address to show where it is not the store's own, as for what was gathered in memory.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], int] = time.time_ns,
        notes: Sequence[str] = (),
        location: str | None = None,
    ) -> None:
        self.notes = tuple(notes)
        self._location = location or store.location
        self._store = store
        self._clock = clock

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
        where: str | Expression | None = None,
        *,
        order: str | Sequence[str] | None = None,
        limit: int | None = None,
        offset: int = 0,
        experiment: str | None = None,
    ) -> list[RunView]:
        """Return the runs that match, newest first unless `order` says otherwise.

        Args:
            where: a search expression such as `metrics.loss.min < 0.1 and state != "failed"`.
            order: sort keys such as `-metrics.loss.min, name`; a minus turns the order round.
            limit: at most so many.
            offset: leave out so many at the start.
            experiment: only runs of this experiment.

        Raises:
            SearchSyntaxError: `where` or `order` cannot be understood.
            ExperimentNotFoundError: the store holds no experiment of that name.
        """
        if (limit is not None and limit < 0) or offset < 0:
            raise QueryError(f"A page has limit {limit} and offset {offset}.\n  Neither may be below zero.")
        expression = self._where(where, experiment)
        orders = () if order is None else parse_order(order)
        query = RunQuery(expression, orders, limit, offset)
        liveness = Liveness(self._clock())
        found = self._store.find_runs(query, live_run_ids=self._live_ids(liveness, expression, orders))
        if not found and experiment is not None:
            self._check_experiment(experiment)
        return self._views(found, liveness)

    def count_runs(self, where: str | Expression | None = None, *, experiment: str | None = None) -> int:
        """Return how many runs match.

        Raises:
            SearchSyntaxError: `where` cannot be understood.
        """
        expression = self._where(where, experiment)
        live = self._live_ids(Liveness(self._clock()), expression, ())
        return self._store.count_runs(RunQuery(expression), live_run_ids=live)

    def run(self, wanted: str) -> RunView:
        """Return the run that is meant by an id, the beginning of one, or a name.

        A name means the newest run that has it; `latest` is the newest run of all, `name~1` (and `latest~1`) the
        one before the newest. A run that is really called so comes first.

        Raises:
            RunNotFoundError: there is none; the error lists what there is.
            AmbiguousRunError: the ids of several runs begin so; the error lists them.
            StoreDamagedError: its row cannot be read.
        """
        return self._views([self._find(wanted)], Liveness(self._clock()))[0]

    def only_run(self, wanted: str) -> RunView:
        """Return the run as `run` does, but by a name only when no other run has it: for who changes a run.

        Raises:
            RunNotFoundError: there is none.
            AmbiguousRunError: several runs have the name, or ids that begin so.
        """
        found = self._find(wanted)
        if wanted not in {found.run_id, ""} and found.name == wanted:
            self._only(wanted, self._named(wanted, limit=2, offset=0))
        return self._views([found], Liveness(self._clock()))[0]

    def _find(self, wanted: str) -> Run:
        # An argument that was no valid text in the terminal's encoding names nothing that could be stored.
        is_text = bool(wanted) and not any("\ud800" <= character <= "\udfff" for character in wanted)
        exact = self._store.get_run(wanted) if is_text else None
        found = [exact] if exact is not None else []
        if is_text and not found:
            found = self._named(wanted, limit=1) or self._counted_back(wanted) or self._beginning(wanted)
        if not found:
            raise self._run_not_found(wanted)
        return self._only(wanted, found)

    def _only(self, wanted: str, found: Sequence[Run]) -> Run:
        if len(found) > 1:
            labels = [f"{run.run_id[:12]} ({run.name})" for run in found]
            raise AmbiguousRunError(wanted=wanted, store=self.location, matches=labels)
        return found[0]

    def _named(self, name: str, *, limit: int, offset: int = 0) -> list[Run]:
        """Return the runs of this name, newest first."""
        where = Comparison(RunField("name"), "==", name)
        return self._store.find_runs(RunQuery(where, limit=limit, offset=offset))

    def _counted_back(self, wanted: str) -> list[Run]:
        """Return the run that `latest`, `latest~2` or `name~1` means."""
        name, _, count = wanted.rpartition("~") if _BACK.search(wanted) else (wanted, "", "0")
        back = int(count)
        if name != LATEST:
            return self._named(name, limit=1, offset=back)
        return self._store.find_runs(RunQuery(limit=1, offset=back))

    def _beginning(self, wanted: str) -> list[Run]:
        """Return the runs whose ids begin so."""
        ids = self._store.resolve_run_ids(wanted)
        return [run for run in map(self._store.get_run, ids) if run is not None]

    def pages(self, runs: Sequence[RunView]) -> Iterator[list[RunView]]:
        """Yield the runs a page at a time, nothing of them read yet.

        Whoever drops each page before the next keeps the params and series of `PAGE_SIZE` runs in memory,
        however many runs there are.
        """
        liveness = Liveness(self._clock())
        for start in range(0, len(runs), PAGE_SIZE):
            yield self._views([run.record for run in runs[start : start + PAGE_SIZE]], liveness)

    def experiments(self) -> list[Experiment]:
        """Return the experiments with their number of runs, by name."""
        return self._store.experiments()

    @property
    def spans(self) -> SpansView:
        """The spans of all runs and of none, to be narrowed, listed or made into trees."""
        from otel_experiments.query.spans_view import SpansView  # noqa: PLC0415 - 4 ms that few need

        return SpansView(self._store, SpanQuery())

    def sql(self, statement: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> Table:
        """Return what one read-only statement over the documented schema answers.

        Raises:
            QueryError: the statement is wrong, would write, or the store speaks no SQL.
        """
        columns, rows = self._store.sql(statement, parameters)
        return Table(tuple(columns), rows)

    def close(self) -> None:
        """Let go of the store; safe to call twice."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _where(self, where: str | Expression | None, experiment: str | None) -> Expression | None:
        expression = parse_search(where) if isinstance(where, str) else where
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
            page = RunPage(self._store, [run.run_id for run in part], liveness)
            views.extend(RunView(run, page) for run in part)
        return views

    def _check_experiment(self, wanted: str) -> None:
        known = [experiment.name for experiment in self.experiments()]
        if wanted not in known:
            raise ExperimentNotFoundError(
                wanted=wanted, store=self.location, known=known, suggestion=closest(wanted, known)
            )

    def _run_not_found(self, wanted: str) -> RunNotFoundError:
        runs = self._store.find_runs(RunQuery())
        names = list(dict.fromkeys(run.name for run in runs))
        nearest = closest(wanted, [*names, *(run.run_id for run in runs)])
        return RunNotFoundError(
            wanted=wanted[:80],
            store=self.location,
            known=[run.name for run in runs],
            suggestions=beginning_so(wanted, names, limit=3) or ([nearest] if nearest else []),
        )


def open_reader(location: str | Path, *, is_network: bool | None = None) -> Reader:
    """Return a reader over the store at `location`: a path, `sqlite://PATH` or `memory://`.

    What processes have recorded and not stored is merged first, or gathered in memory where the store takes
    nothing (locked, read-only, full disk); an `IncompleteReadWarning` says what could be had neither way.

    `is_network`: whether the store lies on a network filesystem; found out when not given. There the journals
    are the truth, and what they hold is gathered in memory.

    Raises:
        StoreNotFoundError: there is no store.
        StoreIncompleteError: there is the beginning of one, copied without the rest.
        StoreError: it cannot be read: not ours, newer than this release, locked.
    """
    text = str(location)
    path = local_path(text)
    if is_network is None:
        is_network = is_network_filesystem(path.parent)
    store, notes = _network_store(text) if is_network else _local_store(text, path)
    reader = Reader(store, notes=notes, location=text.removeprefix(SQLITE))
    _tell(reader)
    return reader


def reader_over(store: Store) -> Reader:
    """Return a reader over a store that this process has open, with what others have recorded for it."""
    path = Path(store.location)
    directory = journal_directory(path)
    if not path.is_file() or not has_segments(directory):
        return Reader(store)
    from otel_experiments.store.gather import read_whole  # noqa: PLC0415 - as below

    whole, notes = read_whole(store, directory)
    reader = Reader(whole, notes=notes, location=store.location)
    _tell(reader)
    return reader


def _network_store(location: str) -> tuple[Store, list[str]]:
    from otel_experiments.store.gather import gather_journals  # noqa: PLC0415 - as below

    return gather_journals(location)


def _local_store(location: str, path: Path) -> tuple[Store, list[str]]:
    # Opened first: a store that is not ours is said before any journal is touched.
    log_bytes = _size(f"{path}-wal")
    try:
        store = open_store(location, read_only=True, create=False)
    except (StoreNotFoundError, StoreIncompleteError):  # deleted, perhaps, while somebody recorded into it
        if not has_segments(journal_directory(path)):
            raise
        return _recorded_store(location)
    directory = journal_directory(path)
    if not has_segments(directory):
        if log_bytes:
            from otel_experiments.store.gather import settle_store  # noqa: PLC0415 - after a kill only

            settle_store(location)
        elif store.journal_offset(UNSETTLED):
            return store, [_COPIED.format(path=location)]
        return store, []
    from otel_experiments.store.gather import read_whole  # noqa: PLC0415 - 6 ms, if nothing is to be merged

    return read_whole(store, directory)


def _recorded_store(location: str) -> tuple[Store, list[str]]:
    """Return a store that is made of journals alone: in its file, or in memory where none can be made."""
    from otel_experiments.store.gather import gather_journals, merge_journals  # noqa: PLC0415 - as above

    try:
        damages = merge_journals(location)
        return open_store(location, read_only=True, create=False), damages
    except (StoreError, OSError):
        return gather_journals(location)


def _tell(reader: Reader) -> None:
    for note in reader.notes:
        warn_reader(note, IncompleteReadWarning)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - no Path need be made of it
    except (OSError, ValueError):
        return 0
