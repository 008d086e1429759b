"""A reader over the same runs that shows nothing of who and where; `codec/anonymize.py` says what that is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn, TypeVar, cast

from otel_experiments.codec.anonymize import Anonymizer, is_output
from otel_experiments.codec.values import load_attributes
from otel_experiments.errors import QueryError
from otel_experiments.model.batch import MetricDefinition, ParamSet, SummarySet, WriteBatch
from otel_experiments.model.page import Page
from otel_experiments.model.search import RunQuery, SpanQuery
from otel_experiments.model.signal import LEAST_NS, NOTHING_NS, Signal
from otel_experiments.model.unsent import Unsent
from otel_experiments.process.interruption import pass_on
from otel_experiments.query.liveness import Liveness
from otel_experiments.query.reader import Reader
from otel_experiments.query.run_list import RunList
from otel_experiments.query.run_page import PAGE_SIZE, RunPage
from otel_experiments.query.run_view import RunView
from otel_experiments.store import Store, open_store

if TYPE_CHECKING:
    from otel_experiments.model.artifact import ArtifactQuery, ArtifactUsed, StoredArtifact
    from otel_experiments.model.instrument import InstrumentPoint
    from otel_experiments.model.log import LogRecord
    from otel_experiments.model.loss import Loss
    from otel_experiments.model.metric import Band, Points, Series, SeriesKey
    from otel_experiments.model.run import ParamValue, Run
    from otel_experiments.model.span import Span
    from otel_experiments.model.stored_page import StoredPage

_Set = TypeVar("_Set", ParamSet, SummarySet)


def anonymous(
    reader: Reader, runs: Sequence[RunView] | None, *, salt: str | None = None
) -> tuple[Reader, RunList]:
    """Return a reader and runs that say nothing of who and where, for what only reads them.

    Args:
        reader: over the store.
        runs: which of its runs; None for all.
        salt: what the new ids are made with; see `Anonymizer`.
    """
    found = reader.runs() if runs is None else runs
    store = AnonymousStore(reader.store, found, Anonymizer(salt))
    made = Reader(cast("Store", store), location=reader.location)
    views: list[RunView] = []
    records = store.find_runs(RunQuery())
    for start in range(0, len(records), PAGE_SIZE):
        part = records[start : start + PAGE_SIZE]
        page = RunPage(cast("Store", store), [one.run_id for one in part], store.liveness)
        views.extend(RunView(one, page) for one in part)
    return made, RunList(views)


class AnonymousStore:
    """The reading half of a store, as exports use it, over some of its runs.

    Args:
        store: the store itself.
        runs: the runs that are shown.
        anonymizer: makes what is read anonymous.
    """

    def __init__(self, store: Store, runs: Sequence[RunView], anonymizer: Anonymizer) -> None:
        self._store = store
        self._made = anonymizer
        self._learn_resources()
        readable = _with_sources(runs)
        for run in readable:
            anonymizer.learn(run.record)
        self._real = {anonymizer.id(run.id): run.id for run in readable}
        # The state is computed from the owner, who is left out.
        self._readable = [replace(anonymizer.run(run.record), state=run.state) for run in readable]
        self._runs = self._readable[: len(runs)]
        self.liveness: Liveness = _AsStored(time.time_ns())

    @property
    def location(self) -> str:
        """The address, which says nothing."""
        return "<path>"

    def find_runs(self, query: RunQuery, *, live_run_ids: frozenset[str] | None = None) -> Page[Run]:
        """Return the runs that are shown and match, in the order in which they were chosen where none is asked for.

        For `present`, the runs that they are forks of as well.
        """
        del live_run_ids  # states were computed before
        shown = self._readable if query.visibility == "present" else self._runs
        if query.where is None:
            return Page(shown)
        place = {run.run_id: index for index, run in enumerate(shown)}
        page = self._rows.find_runs(query)
        found = Page((shown[place[run.run_id]] for run in page if run.run_id in place), page.end)
        if not query.order and query.limit is None and not query.offset:
            found.sort(key=lambda run: place[run.run_id])
        return found

    def find_run_ids(self, query: RunQuery, *, live_run_ids: frozenset[str] | None = None) -> list[str]:
        """Return the ids of the runs that are shown and match, as `find_runs` does."""
        return [run.run_id for run in self.find_runs(query, live_run_ids=live_run_ids)]

    def params(self, run_ids: Sequence[str]) -> dict[str, dict[str, ParamValue]]:
        """Return the params of each run, without what says who and where."""
        found = self._store.params(self._reals(run_ids))
        return {self._made.id(run_id): self._made.chosen(one) for run_id, one in found.items()}

    def param_sets(self, run_id: str) -> list[ParamSet]:
        """Return every value that the run's params were given."""
        return self._of(run_id, self._store.param_sets)

    def summary_sets(self, run_id: str) -> list[SummarySet]:
        """Return what the program set in the summary of the run."""
        return self._of(run_id, self._store.summary_sets)

    def _of(self, run_id: str, read: Callable[[str], Sequence[_Set]]) -> list[_Set]:
        found = read(self._real.get(run_id, ""))
        return [replace(one, run_id=run_id, value=self._made.value(one.value)) for one in found]

    def metric_definitions(self, run_id: str) -> list[MetricDefinition]:
        """Return how the run's metrics are to be read; names of metrics stay."""
        found = self._store.metric_definitions(self._real.get(run_id, ""))
        return [replace(one, run_id=run_id) for one in found]

    def tags(self, run_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return the tags of each run, without what says who and where."""
        found = self._store.tags(self._reals(run_ids))
        return {self._made.id(run_id): self._made.chosen(one) for run_id, one in found.items()}

    def series(self, run_ids: Sequence[str], *, name: str | None = None) -> dict[str, list[Series]]:
        """Return the series of each run; names of metrics stay."""
        found = self._store.series(self._reals(run_ids), name=name)
        return {
            self._made.id(run_id): [replace(one, run_id=self._made.id(run_id)) for one in series]
            for run_id, series in found.items()
        }

    def losses(self, run_ids: Sequence[str] | None = None) -> dict[str, list[Loss]]:
        """Return what the runs lost."""
        found = self._store.losses(self._reals(self._shown if run_ids is None else run_ids))
        return {
            self._made.id(run_id): [self._made.loss(one) for one in losses]
            for run_id, losses in found.items()
        }

    def points(self, run_id: str, key: SeriesKey) -> Points:
        """Return a series."""
        return self._store.points(self._real.get(run_id, ""), key)

    def band(self, run_id: str, key: SeriesKey, *, buckets: int) -> Band:
        """Return a series thinned to buckets."""
        return self._store.band(self._real.get(run_id, ""), key, buckets=buckets)

    def spans(self, query: SpanQuery) -> Page[Span]:
        """Return spans with other ids."""
        if query.run_id is not None:
            query = replace(query, run_id=self._real.get(query.run_id, ""))
        found = self._store.spans(query)
        return Page((self._made.span(span) for span in found), found.end)

    def log_records(self, *, run_id: str | None = None, event_name: str | None = None) -> list[LogRecord]:
        """Return log records with other ids."""
        found = self._store.log_records(run_id=self._optional(run_id), event_name=event_name)
        return [self._made.log_record(one) for one in found if not is_output(one)]

    def instrument_points(
        self, *, run_id: str | None = None, name: str | None = None
    ) -> list[InstrumentPoint]:
        """Return data points of instruments with other ids."""
        found = self._store.instrument_points(run_id=self._optional(run_id), name=name)
        return [self._made.instrument_point(one) for one in found]

    def artifacts(self, query: ArtifactQuery) -> list[StoredArtifact]:
        """Return what is said of artifacts."""
        run_ids = self._shown if query.run_ids is None else query.run_ids
        found = self._store.artifacts(replace(query, run_ids=tuple(self._reals(list(run_ids)))))
        return [self._made.stored_artifact(one) for one in found]

    def artifact_uses(
        self, *, run_ids: Sequence[str] | None = None, digests: Sequence[str] | None = None
    ) -> list[ArtifactUsed]:
        """Return which artifacts the runs used."""
        reals = self._reals(self._shown if run_ids is None else run_ids)
        found = self._store.artifact_uses(run_ids=reals, digests=digests)
        return [self._made.artifact_use(one) for one in found]

    def unsent(self, run_ids: Sequence[str] | None = None) -> list[Unsent]:
        """Return nothing: destinations have addresses."""
        del run_ids
        return []

    def stored_pages(
        self, run_id: str, signal: Signal, *, since_ns: int = LEAST_NS, until_ns: int = NOTHING_NS
    ) -> Iterator[StoredPage]:
        """Yield what is stored of one signal of a run."""
        real = self._real.get(run_id, "")
        for page in self._store.stored_pages(real, signal, since_ns=since_ns, until_ns=until_ns):
            yield replace(page, batch=self._made.batch(page.batch))

    def whole_run(self, run_id: str | None) -> Iterator[WriteBatch]:
        """Yield all that is stored of a run, or what belongs to none."""
        for batch in self._store.whole_run(self._optional(run_id)):
            yield self._made.batch(batch)

    def sql(
        self,
        statement: str,
        parameters: Sequence[object] | Mapping[str, object] = (),
        *,
        limit: int | None = None,
    ) -> NoReturn:
        """Refuse.

        Raises:
            QueryError: always: the tables say who and where.
        """
        del statement, parameters, limit
        raise QueryError("Anonymous runs answer no SQL.\n  Export them, and ask the file.")

    def close(self, *, settles: bool = True) -> None:
        """Do nothing: the store is the reader's."""
        del settles

    def _learn_resources(self) -> None:
        """Take the names of machines and users from all resources: one that is met last is in texts before it."""
        try:
            rows = self._store.sql("select attributes from resources")[1]
        except QueryError:  # plain Python, which answers no SQL
            self._made.learn_all(
                self._store.spans(SpanQuery()), self._store.log_records(), self._store.instrument_points()
            )
            return
        for (text,) in rows:
            try:
                found = load_attributes(str(text))
            except (ValueError, RecursionError) as error:  # a row that is damaged is told when it is read
                pass_on(error)
                continue
            self._made.learn_attributes(found)

    @cached_property
    def _rows(self) -> Store:
        """What searches the runs."""
        rows = open_store("memory://")
        rows.apply(WriteBatch(runs=self._readable))
        return rows

    @property
    def _shown(self) -> list[str]:
        return [one.run_id for one in self._runs]

    def _reals(self, run_ids: Sequence[str]) -> list[str]:
        return [self._real[run_id] for run_id in run_ids if run_id in self._real]

    def _optional(self, run_id: str | None) -> str | None:
        return None if run_id is None else self._real.get(run_id, "")


def _with_sources(runs: Sequence[RunView]) -> list[RunView]:
    """Return runs, and after them the others that they are forks of: a fork's curve begins with theirs."""
    found = {run.id: run for run in runs}
    for run in runs:
        source = run.forked_from
        while source is not None and source.id not in found:
            found[source.id] = source
            source = source.forked_from
    return list(found.values())


class _AsStored(Liveness):
    """Takes states for what they are: they were computed before the owner was left out."""

    def _is_gone(self, run: Run) -> bool:
        del run
        return False
