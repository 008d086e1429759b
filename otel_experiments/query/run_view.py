"""A run as a reader sees it: the row at once, everything else when it is looked at, a page at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING

from otel_experiments._short_repr import short
from otel_experiments.model.run import RunFacts, RunState
from otel_experiments.model.search import SpanQuery
from otel_experiments.query.given_facts import GivenFacts
from otel_experiments.query.related_runs import RelatedRuns
from otel_experiments.query.run_edits import OneRunEdits
from otel_experiments.query.run_page import PAGE_SIZE
from otel_experiments.query.run_row import RunRow
from otel_experiments.semconv import attributes

if TYPE_CHECKING:
    from typing import Self

    from otel_experiments.model.attachment import TelemetryGroup
    from otel_experiments.model.changes import Changes
    from otel_experiments.model.loss import Loss
    from otel_experiments.model.past import Past
    from otel_experiments.model.rank_config import RankDifference
    from otel_experiments.model.run import ParamValue, Run
    from otel_experiments.model.search import SearchField
    from otel_experiments.model.span import Link
    from otel_experiments.query.artifact_view import ArtifactView
    from otel_experiments.query.artifacts_view import ArtifactsView
    from otel_experiments.query.media_view import MediaView
    from otel_experiments.query.metrics_view import MetricsView
    from otel_experiments.query.output_view import OutputView
    from otel_experiments.query.params_view import ParamsView
    from otel_experiments.query.record_lists import InstrumentPointList, LogRecordList
    from otel_experiments.query.run_page import RunPage
    from otel_experiments.query.snapshot_view import SnapshotView
    from otel_experiments.query.span_analysis import Analysis, Prices
    from otel_experiments.query.spans_view import SpansView
    from otel_experiments.query.summary_view import SummaryView


class RunView(OneRunEdits, GivenFacts, RunRow, RelatedRuns):
    """One run, as it was when it was listed; ask the reader again for news. What edits it shows what holds afterwards."""

    def __init__(self, run: Run, page: RunPage) -> None:
        self._known = run
        self._page: RunPage = page
        self._is_edited = False

    @property
    def _run(self) -> Run:
        if self._is_edited:  # read when it is looked at: who edits many runs looks at few of them again
            self._is_edited = False
            self._known = self._page.records.get(self._known.run_id, self._known)
        return self._known

    @property
    def record(self) -> Run:
        """The run's row as it is stored."""
        return self._run

    def read_problems(self) -> list[str]:
        """Return what the reader that found the run could not read or merge; see `Reader.read_problems`."""
        return self._page.read_problems()

    def _take_page(self, page: RunPage) -> None:
        """Show the run as another page of the same reader has it."""
        self._page, self._is_edited = page, True

    def _beside(self, records: Sequence[Run]) -> list[RunView]:
        page = self._page.of([one.run_id for one in records])
        return [RunView(one, page) for one in records]

    def _edited_runs(self) -> list[RunView]:
        return [self]

    def read_anew(self) -> RunView:
        """Return the same run with nothing of it read yet, apart from the runs it was listed with."""
        page = self._page
        return RunView(self._run, page.of([self.id]))

    @cached_property
    def state(self) -> RunState:
        """The state as it was when the run was listed; LOST when its process is gone."""
        return self._page.liveness.state(self._run)

    @cached_property
    def duration_s(self) -> float | None:
        """Seconds of work without pauses, up to now for a live run; None before it starts."""
        last_point_ns = 0
        if self.state is RunState.LOST:
            mine = self._page.series.get(self.id, ())
            last_point_ns = max((series.summary.last_time_ns for series in mine), default=0)
        return self._page.liveness.duration_s(self._run, last_point_ns=last_point_ns)

    @property
    def age_s(self) -> float:
        """Seconds since the run was made."""
        return (self._page.liveness.now_ns - self._run.created_ns) / 1e9

    def value(self, field: SearchField) -> ParamValue:
        """Return what a field of a search expression is for this run; None where the run has no such field.

        Args:
            field: what a search expression names, parsed by `parse_order`.
            field: what a search expression names, parsed by `parse_order`.
        """
        from otel_experiments.query.run_value import value_of  # noqa: PLC0415 - few ask

        return value_of(self, self._page.store, field)

    @property
    def losses(self) -> list[Loss]:
        """What was not recorded as it was given, by kind and name, the largest counts first; mostly empty."""
        return list(self._page.losses.get(self.id, ()))

    @property
    def lost_count(self) -> int:
        """How many items were not recorded as they were given."""
        return sum(loss.count for loss in self.losses)

    @cached_property
    def snapshot(self) -> SnapshotView:
        """What was not committed, packages, machine and job, as they were when the latest attempt started."""
        from otel_experiments.query.snapshot_view import SnapshotView  # noqa: PLC0415 - as others below

        store = self._page.store
        return SnapshotView(self.id, lambda run_id, name: store.log_records(run_id=run_id, event_name=name))

    @cached_property
    def params(self) -> ParamsView:
        """The parameters, nested as they were given; `.flat` has dotted keys."""
        from otel_experiments.query.params_view import params_of  # noqa: PLC0415 - as others below

        return params_of(self._page.params.get(self.id, {}), self._page.store, self._run)

    @cached_property
    def summary(self) -> SummaryView:
        """What the run came to: what the program set, and of each metric its last value or what its definition says."""
        from otel_experiments.query.summary_view import summary_of  # noqa: PLC0415 - few ask

        store = self._page.store
        return summary_of(self.metrics, store.metric_definitions(self.id), store.summary_sets(self.id))

    @property
    def tags(self) -> dict[str, str]:
        """The tags."""
        return dict(self._page.tags.get(self.id, {}))

    @cached_property
    def rank_differences(self) -> list[RankDifference]:
        """Where ranks that record the run together were told other params, tags and facts than it has."""
        from otel_experiments.model.rank_config import find_differences  # noqa: PLC0415 - as below
        from otel_experiments.query.rank_configs import seed_of, told_by_ranks  # noqa: PLC0415 - few runs have ranks

        store, run = self._page.store, self._run
        told = told_by_ranks(store, self.id)
        if not told:
            return []
        facts = {one.name: getattr(run, one.name) for one in fields(RunFacts)}
        if any("seed" in one.facts for one in told):
            facts["seed"] = seed_of(store, run)
        return find_differences(self.params.flat, self.tags, facts, told)

    def _view(self, run: Run, page: RunPage) -> Self:
        return type(self)(run, page)

    @cached_property
    def metrics(self) -> MetricsView:
        """The series by metric name, with their summaries; points are read when asked for."""
        return self._metrics_of(self._past)

    def _metrics_of(self, past: Past) -> MetricsView:
        store, own = self._page.store, self._page.series.get(self.id, [])
        if not past.starts_ns and past.fork is None:
            from otel_experiments.query.metrics_view import MetricsView  # noqa: PLC0415 - as others below

            return MetricsView(store, self.short_id, own)
        from otel_experiments.query.continued import continued_metrics  # noqa: PLC0415 - few runs were resumed

        return continued_metrics(store, self.id, own, past, self._inherited)

    @property
    def spans(self) -> SpansView:
        """The run's spans, to be narrowed, listed or made into trees."""
        from otel_experiments.query.spans_view import SpansView  # noqa: PLC0415 - 4 ms that few need

        return SpansView(self._page.store, SpanQuery(run_id=self.id))

    def analysis(self, *, prices: Prices | None = None, cost_attribute: str | None = None) -> Analysis:
        """Return what the run's spans say together: latency, reliability, tokens, cost.

        The span of the run itself is left out. `run.spans.named("chat *").analysis()` is of some of them.

        Args:
            prices: what models cost, as for `SpansView.analysis`.
            cost_attribute: the attribute in which the program recorded what a request cost.

        Raises:
            PriceTableError: the price table cannot be used.
        """
        from otel_experiments.query.span_analysis import analyse  # noqa: PLC0415 - few analyse

        root = self.record.root_span_id
        inside = (span for span in self.spans if span.span_id != root)
        return analyse(inside, prices=prices, cost_attribute=cost_attribute)

    @property
    def started_from(self) -> Link | None:
        """The link to the span that the run was started in: a CI job's, or one of the same program; None without one."""
        from otel_experiments.query.spans_view import SpansView  # noqa: PLC0415 - as above

        named = SpansView(self._page.store, SpanQuery(run_id=self.id, name=f"run {self.experiment}"))
        links = [link for span in named if span.span_id == self.record.root_span_id for link in span.links]
        return next((link for link in links if attributes.ML_RUN_STARTED_FROM in link.attributes), None)

    @property
    def output(self) -> OutputView:
        """What the run's processes printed: text with `str`, or `.stdout`, `.stderr`, `.lines()`, `.tail(n)`; read anew each time."""
        from otel_experiments.query.output_view import OutputView  # noqa: PLC0415 - as others below
        from otel_experiments.semconv.events import ML_RUN_OUTPUT  # noqa: PLC0415 - as above

        return OutputView(self._page.store.log_records(run_id=self.id, event_name=ML_RUN_OUTPUT.name))

    @property
    def log_records(self) -> LogRecordList:
        """The run's log records and events, by time."""
        from otel_experiments.query.record_lists import LogRecordList  # noqa: PLC0415 - as above

        return LogRecordList(self._page.store.log_records(run_id=self.id))

    def follow(self, *, since: str | None = None, poll_s: float = 1.0) -> Iterator[Changes]:
        """Yield what comes to the run as it comes, until the run has ended or is lost: what is stored already comes first.

        What a process recorded comes a quarter of a second later, mostly. The last item says the state in which the run ended.

        Args:
            since: the `cursor` of an item that was yielded before; None: from the start; `now`: only what comes from now on.
            poll_s: how long to wait at most, in seconds, before the store is looked at again; less after news.

        Raises:
            CursorError: `since` is no cursor, or one of another run or store.
        """
        from otel_experiments.query.follow import Follower, follow  # noqa: PLC0415 - few ask

        page = self._page
        follower = Follower(page.store, self.id, since=since, open_for_edits=page.open_for_edits)
        return follow(follower, poll_s=poll_s)

    def events(self, name: str) -> LogRecordList:
        """Return the run's events of this name, by time.

        Args:
            name: the name of the event; without it all.
            name: the name of the event; without it all.
        """
        from otel_experiments.query.record_lists import LogRecordList  # noqa: PLC0415 - as above

        return LogRecordList(self._page.store.log_records(run_id=self.id, event_name=name))

    @property
    def instrument_points(self) -> InstrumentPointList:
        """The data points of OpenTelemetry instruments that the run brought, by time."""
        from otel_experiments.query.record_lists import InstrumentPointList  # noqa: PLC0415 - as above

        return InstrumentPointList(self._page.store.instrument_points(run_id=self.id))

    @cached_property
    def artifacts(self) -> ArtifactsView:
        """What the run logged as artifacts, by name; bytes are read when they are asked for."""
        from otel_experiments.query.artifacts_view import ArtifactsView  # noqa: PLC0415 - few ask

        return ArtifactsView(self._page.artifacts, self.id)

    @cached_property
    def media(self) -> MediaView:
        """What the run logged that is no number, by name: pictures, tables, sounds; bytes are read when they are asked for."""
        from otel_experiments.query.media_view import MediaView  # noqa: PLC0415 - as above

        past = self._past
        return MediaView(self._page.artifacts, self.id, past if past.starts_ns else None)

    @cached_property
    def used_artifacts(self) -> list[ArtifactView]:
        """The artifacts that the run used, in the order of first use."""
        from otel_experiments.query.artifact_view import used_artifacts  # noqa: PLC0415 - few ask

        return used_artifacts(self._page.artifacts, self.id)

    @property
    def attached(self) -> list[TelemetryGroup]:
        """What was attached to the run afterwards, by service, the newest first."""
        from otel_experiments.model.attachment import TelemetryQuery  # noqa: PLC0415 - few runs have any

        return self._page.store.telemetry_groups(TelemetryQuery(self.id))

    def _repr_html_(self) -> str:
        from otel_experiments.figures.panel import heading  # noqa: PLC0415 - only notebooks ask
        from otel_experiments.query.shown.artifact_html import artifacts_table  # noqa: PLC0415 - as above
        from otel_experiments.query.shown.media_html import media_part  # noqa: PLC0415 - as above
        from otel_experiments.query.shown.run_html import run_html  # noqa: PLC0415 - as above

        artifacts = self.artifacts.all()
        table = [heading("artifacts"), artifacts_table(artifacts)] if artifacts else []
        return run_html(self.read_anew(), *media_part(self.media), *table)

    def __repr__(self) -> str:
        return f"RunView({self.short_id!r}, {short(self.name)}, {str(self.state)!r})"


def pages_of(runs: Sequence[RunView]) -> Iterator[list[RunView]]:
    """Yield the runs a page at a time, nothing of them read yet.

    Whoever drops each page before the next keeps the params and series of `PAGE_SIZE` runs in memory,
    however many runs there are.
    """
    for _, group in groupby(runs, key=lambda run: run._page.store):  # noqa: SLF001 - of this module
        same = list(group)
        for start in range(0, len(same), PAGE_SIZE):
            part = same[start : start + PAGE_SIZE]
            page = part[0]._page.of([run.id for run in part])  # noqa: SLF001 - as above
            yield [RunView(run.record, page) for run in part]
