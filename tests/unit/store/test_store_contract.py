"""What every store does, whatever keeps its data."""

from __future__ import annotations

import itertools
import math
from array import array
from dataclasses import replace

import pytest

from otel_experiments.errors import JournalMovedError, QueryError, StoreClosedError
from otel_experiments.model.batch import (
    Heartbeat,
    JournalAdvance,
    MetricDefinition,
    ParamSet,
    RunStateChange,
    SharedTrace,
    TagSet,
    WriteBatch,
)
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.loss import Loss
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Experiment, Owner, Run, RunState
from otel_experiments.model.search import (
    Comparison,
    Exists,
    IsNan,
    MetricField,
    Not,
    Order,
    ParamField,
    RunField,
    RunQuery,
    SpanQuery,
    TagField,
)
from otel_experiments.model.span import Event, Link, Resource, Scope, Span, SpanKind, StatusCode

RUN = "a" * 32
OTHER = "b" * 32
LOSS = SeriesKey("loss")


def a_run(run_id: str = RUN, **changes: object) -> Run:
    """A run with every field set."""
    run = Run(
        run_id=run_id,
        experiment="digits",
        name="brave-otter",
        state=RunState.RUNNING,
        created_ns=1_000,
        started_ns=2_000,
        heartbeat_ns=3_000,
        owner=Owner("host-1", "boot-1", 17, 99),
        group="sweep",
        hypothesis="wider is better",
        condition="treatment",
        description="a note",
        root_span_id="c" * 16,
        resource={"service.name": "digits", "process.pid": 17},
    )
    return replace(run, **changes)


def a_block(values: list[float], *, run_id: str = RUN, key: SeriesKey = LOSS, start: int = 0) -> PointBlock:
    """Points of one series at consecutive steps."""
    steps = [float(start + index) for index in range(len(values))]
    times = [1_000 * (start + index + 1) for index in range(len(values))]
    return PointBlock(run_id, (key,), steps, times, (values,))


def a_span(span_id: str = "1" * 16, **changes: object) -> Span:
    """A span with every field set."""
    span = Span(
        trace_id=RUN,
        span_id=span_id,
        name="train",
        start_ns=10,
        end_ns=30,
        parent_span_id="2" * 16,
        kind=SpanKind.CLIENT,
        status=StatusCode.ERROR,
        status_message="out of memory",
        attributes={"batch": 32, "rate": 0.1, "device": "gpu", "amp": True, "shape": [3, 4], "odd": math.inf},
        events=(Event("oom", 20, {"bytes": b"\x00\xff"}, 1), Event("retry", 25)),
        links=(Link(OTHER, "3" * 16, {"why": "resumed"}, "k=v", 2),),
        resource=Resource({"service.name": "digits"}, "https://example.test/schema"),
        scope=Scope("tracer", "1.0", "", {"kind": "test"}),
        trace_state="a=b",
        flags=1,
        dropped_attributes_count=4,
        dropped_events_count=5,
        dropped_links_count=6,
        run_id=RUN,
    )
    return replace(span, **changes)


def ids(runs: list[Run]) -> list[str]:
    """The ids of the runs."""
    return [run.run_id for run in runs]


def test_an_empty_store_answers_every_question(store):
    """A store without data gives empty answers, not errors."""
    assert store.experiments() == []
    assert store.find_runs(RunQuery()) == []
    assert store.count_runs(RunQuery()) == 0
    assert store.get_run(RUN) is None
    assert store.resolve_run_ids("a") == []
    assert store.params([RUN]) == {RUN: {}}
    assert store.tags([RUN]) == {RUN: {}}
    assert store.series([RUN]) == {RUN: []}
    assert len(store.points(RUN, LOSS)) == 0
    assert list(store.band(RUN, LOSS, buckets=10).counts) == []
    assert store.spans(SpanQuery()) == []
    assert store.log_records() == []
    assert store.instrument_points() == []
    assert store.journal_offset("segment") == 0


def test_a_run_comes_back_as_it_was_written(store):
    """Every field of a run survives."""
    run = a_run(parent_run_id=OTHER, attempt=3, reason="because", error_type="ValueError")

    store.apply(WriteBatch(runs=[run]))

    assert store.get_run(RUN) == run
    assert store.experiments() == [Experiment("digits", 1_000, 1)]


def test_a_paused_run_comes_back_as_it_was_written(store):
    """The bookkeeping of pauses survives."""
    run = a_run(
        state=RunState.PAUSED, paused_ns=5_000, paused_total_ns=70, paused_count=2, paused_dropped_count=9
    )

    store.apply(WriteBatch(runs=[run]))

    assert store.get_run(RUN) == run


def test_state_changes_lead_a_run_through_its_life(store):
    """Each change of state moves the run's state and times."""
    store.apply(
        WriteBatch(runs=[a_run(state=RunState.PENDING, started_ns=None, heartbeat_ns=None, owner=None)])
    )
    owner = Owner("host-2", "boot-2", 1, 2)

    store.apply(WriteBatch(state_changes=[RunStateChange(RUN, RunState.RUNNING, 5_000, owner=owner)]))
    running = store.get_run(RUN)
    store.apply(WriteBatch(state_changes=[RunStateChange(RUN, RunState.PAUSED, 6_000)]))
    paused = store.get_run(RUN)
    store.apply(
        WriteBatch(
            state_changes=[
                RunStateChange(RUN, RunState.FAILED, 9_000, "diverged", "ValueError", 100, 1, 7, 2),
            ]
        )
    )
    failed = store.get_run(RUN)

    assert (running.state, running.started_ns, running.owner) == (RunState.RUNNING, 5_000, owner)
    assert (paused.state, paused.paused_ns, paused.owner) == (RunState.PAUSED, 6_000, owner)
    assert failed == a_run(
        state=RunState.FAILED, started_ns=5_000, ended_ns=9_000, heartbeat_ns=None, owner=owner,
        reason="diverged", error_type="ValueError", paused_total_ns=100, paused_count=1,
        paused_dropped_count=7, attempt=2,
    )  # fmt: skip


def test_an_older_state_change_is_ignored(store):
    """News that arrive late do not undo newer news."""
    store.apply(WriteBatch(runs=[a_run()], state_changes=[RunStateChange(RUN, RunState.SUCCEEDED, 9_000)]))

    store.apply(WriteBatch(state_changes=[RunStateChange(RUN, RunState.PAUSED, 8_000)]))
    store.apply(WriteBatch(runs=[a_run()]))

    assert store.get_run(RUN) == a_run(state=RunState.SUCCEEDED, ended_ns=9_000)


def test_a_run_resumes(store):
    """A run that ended may run again; its former end and reason are gone."""
    store.apply(
        WriteBatch(runs=[a_run()], state_changes=[RunStateChange(RUN, RunState.FAILED, 9_000, "x", "E")])
    )

    store.apply(WriteBatch(state_changes=[RunStateChange(RUN, RunState.RUNNING, 10_000, attempt=2)]))

    assert store.get_run(RUN) == a_run(attempt=2)


def test_heartbeats_only_move_forward(store):
    """The latest sign of life is kept."""
    store.apply(WriteBatch(runs=[a_run()], heartbeats=[Heartbeat(RUN, 8_000), Heartbeat(RUN, 7_000)]))

    store.apply(WriteBatch(heartbeats=[Heartbeat(RUN, 5_000)]))

    assert store.get_run(RUN).heartbeat_ns == 8_000


def test_rows_may_arrive_before_their_run(store):
    """Points, params, spans and changes of an unknown run wait for its record and join it."""
    store.apply(WriteBatch(points=[a_block([1.0])]))
    store.apply(WriteBatch(params=[ParamSet(RUN, "lr", 0.1, 1)], tags=[TagSet(RUN, "team", "vision", 1)]))
    store.apply(WriteBatch(spans=[a_span()], metric_definitions=[MetricDefinition(RUN, "loss", "min")]))
    store.apply(WriteBatch(state_changes=[RunStateChange(RUN, RunState.SUCCEEDED, 9_000)]))
    before = store.get_run(RUN)

    store.apply(WriteBatch(runs=[a_run()]))

    assert (before.name, before.experiment, before.state) == ("", "", RunState.SUCCEEDED)
    assert store.get_run(RUN) == replace(a_run(), state=RunState.SUCCEEDED, ended_ns=9_000)
    assert store.params([RUN]) == {RUN: {"lr": 0.1}}
    assert store.tags([RUN]) == {RUN: {"team": "vision"}}
    assert store.series([RUN])[RUN][0].summary.direction == "min"
    assert store.experiments() == [Experiment("digits", 1_000, 1)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=str)
def test_what_a_rank_knows_of_a_run_stands_until_rank_0_says_more(store, order):
    """In whatever order they arrive: a run is what rank 0 said, though a rank said something later in time."""
    parts = [
        WriteBatch(runs=[Run(RUN, "digits", "guess", RunState.PENDING, 99_000, attempt=0)]),
        WriteBatch(runs=[a_run()]),
        WriteBatch(state_changes=[RunStateChange(RUN, RunState.SUCCEEDED, 9_000)]),
        WriteBatch(points=[a_block([1.0], key=SeriesKey("loss", rank=1))]),
    ]
    for part in order:
        store.apply(parts[part])

    assert store.get_run(RUN) == replace(a_run(), state=RunState.SUCCEEDED, ended_ns=9_000)
    assert store.experiments() == [Experiment("digits", 1_000, 1)]


def test_a_run_that_only_a_rank_knows_has_a_name(store):
    """A rank that starts a run without rank 0 leaves no nameless row; nobody has said that it runs."""
    store.apply(WriteBatch(runs=[Run(RUN, "digits", "debug", RunState.PENDING, 99_000, attempt=0)]))

    (run,) = store.find_runs(RunQuery(where=Comparison(RunField("name"), "==", "debug")))
    assert (run.experiment, run.state, run.attempt) == ("digits", RunState.PENDING, 0)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["points first", "points last"])
def test_what_a_rank_knows_is_no_attempt(store, order):
    """Whether its points or its row arrive first, the run that only a rank knows has not been tried by rank 0 yet."""
    parts = [
        WriteBatch(points=[a_block([1.0], key=SeriesKey("loss", rank=1))]),
        WriteBatch(runs=[Run(RUN, "digits", "debug", RunState.PENDING, 99_000, attempt=0)]),
    ]
    for part in order:
        store.apply(parts[part])

    assert store.get_run(RUN).attempt == 0


def test_a_later_attempt_counts_whatever_its_clock_says(store):
    """A run that is resumed after the clock was set back is of its newest attempt, in row and change of state."""
    store.apply(
        WriteBatch(runs=[a_run()], state_changes=[RunStateChange(RUN, RunState.FAILED, 9_000, "x", "E")])
    )

    store.apply(WriteBatch(runs=[a_run(attempt=2, started_ns=1_500, heartbeat_ns=None)]))
    resumed = store.get_run(RUN)
    store.apply(WriteBatch(state_changes=[RunStateChange(RUN, RunState.SUCCEEDED, 1_600, attempt=3)]))
    ended = store.get_run(RUN)

    assert (resumed.state, resumed.attempt) == (RunState.RUNNING, 2)
    assert (ended.state, ended.attempt) == (RunState.SUCCEEDED, 3)


def test_a_placeholder_belongs_to_no_experiment(store):
    """A run known only by its points invents no experiment."""
    store.apply(WriteBatch(points=[a_block([1.0])]))

    assert store.experiments() == []
    assert store.count_runs(RunQuery()) == 1
    assert store.count_runs(RunQuery(where=Exists(RunField("experiment")))) == 0


@pytest.mark.parametrize(
    "value",
    [
        "text", "", "Grüße 漢字 \U0001f9ea", "nul\0inside", "lone \udc80 surrogate", True, False, None, 0, -7, 2**63 - 1, -(2**63), 2**200,
        0.1, -0.0, 1e308, 5e-324, math.inf, -math.inf, math.nan, [], [1, 2.5, "x", None, True, [1, [2]]],
        [{"nested": math.nan}], [math.inf, -math.inf], {"$float": "nan"}, [{"$$x": 1}],
    ],
    ids=lambda value: repr(value)[:24].encode("ascii", "replace").decode(),
)  # fmt: skip
def test_params_keep_value_and_type(store, value):
    """A param comes back exactly, type included."""
    store.apply(WriteBatch(params=[ParamSet(RUN, "p", value, 1)]))

    found = store.params([RUN])[RUN]["p"]

    assert repr(found) == repr(value) if not isinstance(value, int) else found == value
    assert type(found) is type(value)


def test_the_latest_param_wins_whatever_the_order(store):
    """An older value that arrives late changes nothing."""
    store.apply(WriteBatch(params=[ParamSet(RUN, "lr", 0.2, 20), ParamSet(RUN, "lr", 0.1, 10)]))
    store.apply(WriteBatch(params=[ParamSet(RUN, "lr", 0.05, 5)]))

    assert store.params([RUN, OTHER]) == {RUN: {"lr": 0.2}, OTHER: {}}


def test_a_removed_tag_stays_removed(store):
    """None removes a tag, and an older value that arrives late does not bring it back."""
    store.apply(WriteBatch(tags=[TagSet(RUN, "team", "vision", 10), TagSet(RUN, "kept", "yes", 10)]))
    store.apply(WriteBatch(tags=[TagSet(RUN, "team", None, 20)]))
    store.apply(WriteBatch(tags=[TagSet(RUN, "team", "speech", 15)]))

    assert store.tags([RUN]) == {RUN: {"kept": "yes"}}


def test_points_come_back_bit_for_bit_in_recording_order(store):
    """NaN, infinities, negative zero, repeated, backward and fractional steps survive."""
    values = array("d", [1.5, math.nan, math.inf, -math.inf, -0.0, 5e-324, 0.1])
    steps = array("d", [3.0, 3.0, 1.0, 2.5, -1.0, 2.0**53, 0.0])
    times = array("q", [7, 5, 5, 2**62, 1, 0, -3])

    store.apply(WriteBatch(points=[PointBlock(RUN, (LOSS,), steps, times, (values,))]))

    found = store.points(RUN, LOSS)
    assert array("d", found.values).tobytes() == values.tobytes()
    assert array("d", found.steps).tobytes() == steps.tobytes()
    assert list(found.times_ns) == list(times)


@pytest.mark.parametrize("sizes", [[5000], [1] * 70, [1000, 100, 3000, 1], [4095, 1], [4096], [400] * 12])
def test_points_of_many_batches_form_one_history(store, sizes):
    """However points are cut into batches, the series reads as one."""
    written: list[float] = []
    for size in sizes:
        block = a_block([float(index % 17) for index in range(size)], start=len(written))
        store.apply(WriteBatch(points=[block]))
        written.extend(block.values[0])

    found = store.points(RUN, LOSS)

    assert list(found.values) == written
    assert list(found.steps) == [float(step) for step in range(len(written))]
    assert list(found.times_ns) == [1_000 * (step + 1) for step in range(len(written))]
    assert store.series([RUN])[RUN][0].summary.count == len(written)


def test_a_summary_keeps_each_extreme_with_its_step(store):
    """Minimum and maximum ignore NaN, the mean is over finite values, last is the latest by time."""
    store.apply(WriteBatch(points=[a_block([3.0, math.nan, 1.0, math.inf])]))
    store.apply(WriteBatch(points=[a_block([2.0, 1.0], start=4)]))
    store.apply(WriteBatch(metric_definitions=[MetricDefinition(RUN, "l*", "min")]))

    (series,) = store.series([RUN])[RUN]
    summary = series.summary

    assert (summary.count, summary.nan_count, summary.finite_count, summary.finite_sum) == (6, 1, 4, 7.0)
    assert (summary.first_step, summary.last, summary.last_step, summary.last_time_ns) == (
        0.0,
        1.0,
        5.0,
        6_000,
    )
    assert (summary.minimum, summary.minimum_step) == (1.0, 2.0)
    assert (summary.maximum, summary.maximum_step) == (math.inf, 3.0)
    assert (summary.best, summary.best_step, summary.mean) == (1.0, 2.0, 1.75)


@pytest.mark.parametrize(
    "batches", [[[2.0, 5.0], [1.0, 3.0]], [[1.0, 3.0], [2.0, 5.0]], [[math.nan], [5.0, 1.0]]], ids=str
)
def test_an_extreme_of_any_batch_has_its_own_step(store, batches):
    """Whether the first write or a later one holds the lowest and the highest value, their steps are theirs."""
    values = [value for batch in batches for value in batch]
    for batch in batches:
        store.apply(WriteBatch(points=[a_block(batch, start=values.index(batch[0]))]))

    summary = store.series([RUN])[RUN][0].summary

    assert (summary.minimum, summary.minimum_step) == (1.0, values.index(1.0))
    assert (summary.maximum, summary.maximum_step) == (5.0, values.index(5.0))


def test_a_summary_of_nothing_but_nan_says_nan(store):
    """Where no point qualifies the extremes are NaN and have no step."""
    store.apply(WriteBatch(points=[a_block([math.nan, math.nan])]))

    summary = store.series([RUN])[RUN][0].summary

    assert summary.minimum_step is None
    assert summary.maximum_step is None
    assert all(map(math.isnan, (summary.last, summary.minimum, summary.maximum, summary.mean)))
    assert summary.nan_count == 2


def test_last_is_the_latest_point_by_time(store):
    """A worker's older points that are drained late do not become the last value."""
    store.apply(WriteBatch(points=[PointBlock(RUN, (LOSS,), [5.0], [500], ([5.0],))]))
    store.apply(WriteBatch(points=[PointBlock(RUN, (LOSS,), [1.0, 2.0], [100, 200], ([1.0, 2.0],))]))

    summary = store.series([RUN])[RUN][0].summary

    assert (summary.last, summary.last_step, summary.last_time_ns, summary.first_step) == (5.0, 5.0, 500, 5.0)


def test_a_direction_holds_for_series_that_come_later(store):
    """A definition made before the first point counts, the exact name before globs, a longer glob before others."""
    store.apply(
        WriteBatch(
            metric_definitions=[
                MetricDefinition(RUN, "val/*", "max"),
                MetricDefinition(RUN, "val/loss", "min"),
                MetricDefinition(RUN, "[v]al/loss", "max"),
                MetricDefinition(RUN, "*", None),
                MetricDefinition(RUN, "a*", "min"),
                MetricDefinition(RUN, "*acc/top5", "max"),
            ]
        )
    )
    keys = (SeriesKey("val/loss"), SeriesKey("val/acc"), SeriesKey("loss"), SeriesKey("acc/top5"))
    store.apply(WriteBatch(points=[PointBlock(RUN, keys, [0.0], [1], ([1.0], [2.0], [3.0], [4.0]))]))

    directions = {series.key.name: series.summary.direction for series in store.series([RUN])[RUN]}

    assert directions == {"val/loss": "min", "val/acc": "max", "loss": None, "acc/top5": "max"}


def test_a_direction_holds_that_comes_with_points_of_a_known_series(store):
    """A metric whose direction is declared while it is logged has it from then on."""
    store.apply(WriteBatch(points=[a_block([3.0])]))
    store.apply(
        WriteBatch(
            metric_definitions=[MetricDefinition(RUN, "loss", "min")], points=[a_block([1.0], start=1)]
        )
    )

    (series,) = store.series([RUN])[RUN]
    assert (series.summary.direction, series.summary.best, series.summary.count) == ("min", 1.0, 2)


def test_series_are_listed_by_name_and_phase(store):
    """Series of a run come in order; a name narrows them."""
    keys = (SeriesKey("b", "val"), SeriesKey("b"), SeriesKey("a", "train"))
    store.apply(WriteBatch(points=[PointBlock(RUN, keys, [0.0], [1], ([1.0], [2.0], [3.0]))]))

    listed = [series.key for series in store.series([RUN])[RUN]]
    named = [series.key for series in store.series([RUN], name="b")[RUN]]

    assert listed == [SeriesKey("a", "train"), SeriesKey("b"), SeriesKey("b", "val")]
    assert named == [SeriesKey("b"), SeriesKey("b", "val")]


def test_a_band_hides_no_extreme(store):
    """Each bucket holds the least, the greatest and the last value of its stretch of steps."""
    store.apply(WriteBatch(points=[a_block([float((index * 37) % 100) for index in range(4000)])]))
    store.apply(WriteBatch(points=[a_block([500.0, -500.0], start=4000)]))

    band = store.band(RUN, LOSS, buckets=2)

    assert list(band.first_steps) == [0.0, 2001.0]
    assert list(band.last_steps) == [2000.0, 4001.0]
    assert list(band.low) == [0.0, -500.0]
    assert list(band.high) == [99.0, 500.0]
    assert list(band.counts) == [2001, 2001]
    assert list(band.last) == [float((2000 * 37) % 100), -500.0]


def test_a_short_series_keeps_every_step_apart_in_its_band(store):
    """Where there are no more points than buckets nothing is thinned."""
    store.apply(
        WriteBatch(points=[PointBlock(RUN, (LOSS,), [0.0, 100.0, 101.0], [1, 2, 3], ([1.0, math.nan, 3.0],))])
    )

    band = store.band(RUN, LOSS, buckets=3)

    assert list(band.first_steps) == [0.0, 100.0, 101.0]
    assert list(band.counts) == [1, 1, 1]
    assert math.isnan(band.low[1])
    assert list(band.last)[::2] == [1.0, 3.0]


def test_a_span_comes_back_as_it_was_written(store):
    """Every field of a span, its events, links, resource and scope survive."""
    span = a_span()

    store.apply(WriteBatch(spans=[span]))

    assert store.spans(SpanQuery()) == [span]


def test_an_ended_span_is_never_overwritten_by_its_open_form(store):
    """The start of a span that arrives after its end changes nothing, in one batch or in two."""
    opened = a_span(end_ns=None, status=StatusCode.UNSET, events=(), links=(), attributes={})

    store.apply(WriteBatch(spans=[a_span(), opened]))
    store.apply(WriteBatch(spans=[opened]))

    assert store.spans(SpanQuery()) == [a_span()]


def test_an_open_span_is_completed_by_its_end(store):
    """The ended form replaces attributes, events and links of the open one."""
    opened = a_span(end_ns=None, events=(Event("a", 1), Event("b", 2), Event("c", 3)), attributes={"old": 1})

    store.apply(WriteBatch(spans=[opened]))
    before = store.spans(SpanQuery())
    store.apply(WriteBatch(spans=[a_span()]))

    assert before == [opened]
    assert store.spans(SpanQuery()) == [a_span()]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (SpanQuery(), ["1", "2", "3", "4"]),
        (SpanQuery(run_id=RUN), ["1", "2", "3"]),
        (SpanQuery(trace_id=OTHER), ["4"]),
        (SpanQuery(name="step"), ["2"]),
        (SpanQuery(name_glob="st*"), ["2", "3"]),
        (SpanQuery(name_glob="s[!x]ep"), ["2"]),
        (SpanQuery(name_glob="?ag*"), []),
        (SpanQuery(min_duration_ns=20), ["1", "4"]),
        (SpanQuery(max_duration_ns=19), ["2"]),
        (SpanQuery(is_error=True), ["1"]),
        (SpanQuery(is_error=False), ["2", "3", "4"]),
        (SpanQuery(attributes=(("rate", 0.1),)), ["1"]),
        (SpanQuery(attributes=(("batch", 32.0), ("amp", True))), ["1"]),
        (SpanQuery(attributes=(("amp", 1),)), []),
        (SpanQuery(attributes=(("odd", math.inf),)), ["1"]),
        (SpanQuery(attributes=(("a.b \"c'", "x"),)), ["4"]),
        (SpanQuery(limit=2, offset=1), ["2", "3"]),
        (SpanQuery(limit=0), []),
    ],
)
def test_spans_are_found_by_what_is_asked(store, query, expected):
    """All conditions of a span query must hold; spans come by start."""
    store.apply(
        WriteBatch(
            spans=[
                a_span("4" * 16, trace_id=OTHER, run_id=None, name="x", start_ns=40, end_ns=70,
                       attributes={"a.b \"c'": "x"}, status=StatusCode.OK, events=(), links=()),
                a_span("1" * 16),
                a_span("2" * 16, name="step", start_ns=20, attributes={}, status=StatusCode.OK),
                a_span("3" * 16, name="stage", start_ns=30, end_ns=None, attributes={}, status=StatusCode.UNSET),
            ]
        )
    )  # fmt: skip

    found = store.spans(query)

    assert [span.span_id[0] for span in found] == expected


@pytest.mark.parametrize("first", ["adopted", "sent", "at once"])
@pytest.mark.parametrize("trace_id", [RUN, "c" * 32])
def test_a_record_that_was_adopted_and_sent_is_one(store, first, trace_id):
    """The application's exporter sends what the run adopted without the run's id: the run has it once."""
    sent = LogRecord(10, 20, body="hello", attributes={"a": 1}, trace_id=trace_id)
    adopted = replace(sent, attributes={"a": 1, "ml.run.id": RUN}, run_id=RUN)
    other = replace(adopted, attributes={"a": 1, "ml.run.id": OTHER}, run_id=OTHER, time_ns=11)
    batches = {"adopted": [[adopted], [sent]], "sent": [[sent], [adopted]], "at once": [[sent, adopted]]}
    for records in batches[first]:
        store.apply(WriteBatch(log_records=records, shared_traces=[SharedTrace(trace_id)]))
    store.apply(WriteBatch(log_records=[other]))

    (record,) = store.log_records(run_id=RUN)
    assert (record.body, record.attributes["a"]) == ("hello", 1)
    assert len(store.log_records()) == 2


def test_log_records_are_kept_once_and_come_by_time(store):
    """A record that is delivered twice is stored once."""
    event = LogRecord(
        time_ns=20, observed_time_ns=21, event_name="evaluated", severity_number=9, severity_text="INFO",
        body={"config": {"lr": [0.1, math.nan]}, "raw": b"\x01"}, attributes={"k": 1.0}, trace_id=RUN,
        span_id="1" * 16, flags=1, dropped_attributes_count=2, resource=Resource({"a": 1}), scope=Scope("s"),
        run_id=RUN,
    )  # fmt: skip
    line = LogRecord(time_ns=10, observed_time_ns=11, body="hello")

    store.apply(WriteBatch(log_records=[event, line, event]))
    store.apply(WriteBatch(log_records=[event]))

    assert [record.time_ns for record in store.log_records()] == [10, 20]
    assert store.log_records(run_id=OTHER) == []
    assert repr(store.log_records(run_id=RUN, event_name="evaluated")) == repr([event])


def test_losses_add_up_over_whoever_had_them(store):
    """Two processes of a run count apart; the store gives the sum by kind and name, the largest first."""

    def lost(time_ns, run_id, **said):
        attributes = {f"ml.loss.{key}": value for key, value in said.items()}
        return LogRecord(
            time_ns, time_ns, event_name="ml.telemetry.loss", attributes=attributes, run_id=run_id
        )

    store.apply(
        WriteBatch(
            log_records=[
                lost(1, RUN, kind="tag", name="a", reason="changed", count=2),
                lost(2, RUN, kind="metric value", name="b", reason="not_encodable", count=5),
                lost(3, RUN, kind="tag", name="a", reason="changed", count=40),
                lost(4, OTHER, reason="queue_full", count=3),
                lost(5, None, kind="tag", name="of no run", reason="changed", count=1),
                LogRecord(6, 6, event_name="other", attributes={"ml.loss.count": 9}, run_id=RUN),
            ]
        )
    )

    of_run = [Loss("tag", "a", 42), Loss("metric value", "b", 5)]
    of_other = [Loss("queue_full", "", 3)]
    assert store.losses([RUN]) == {RUN: of_run}
    assert store.losses([]) == {}
    assert store.losses() == {RUN: of_run, OTHER: of_other}
    assert store.losses([OTHER, "c" * 32]) == {OTHER: of_other}


def test_instrument_points_are_kept_once_and_come_by_time(store):
    """Gauges, sums and histograms of instruments survive with all they say."""
    gauge = InstrumentPoint(
        "step.duration", "gauge", 20, 10, "s", "how long", 0.5, attributes={"a": "b"},
        exemplars=({"value": 1, "span_id": "1" * 16},), run_id=RUN, resource=Resource({"a": 1}),
    )  # fmt: skip
    histogram = InstrumentPoint(
        "latency", "histogram", 10, value=None, histogram={"count": 3, "bucket_counts": [1, 2], "min": math.inf},
        temporality=2, flags=1,
    )  # fmt: skip
    counter = InstrumentPoint("samples", "sum", 15, value=2**40, is_monotonic=True)
    odd = InstrumentPoint("odd", "gauge", 30, value=math.nan)

    store.apply(WriteBatch(instrument_points=[gauge, histogram, counter, odd, gauge]))
    store.apply(WriteBatch(instrument_points=[gauge]))

    assert repr(store.instrument_points()) == repr([histogram, counter, gauge, odd])
    assert store.instrument_points(run_id=RUN, name="step.duration") == [gauge]


def test_applying_a_batch_twice_is_applying_it_once(store):
    """Everything but points is an idempotent upsert."""
    batch = WriteBatch(
        runs=[a_run(), a_run(OTHER, created_ns=500)],
        state_changes=[
            RunStateChange(RUN, RunState.PAUSED, 4_000),
            RunStateChange(RUN, RunState.RUNNING, 5_000),
        ],
        heartbeats=[Heartbeat(RUN, 6_000)],
        params=[ParamSet(RUN, "lr", 0.1, 1)],
        tags=[TagSet(RUN, "t", "v", 1)],
        metric_definitions=[MetricDefinition(RUN, "loss", "min")],
        spans=[a_span(end_ns=None), a_span(), a_span("9" * 16, end_ns=None)],
        log_records=[LogRecord(1, 2)],
        instrument_points=[InstrumentPoint("x", "gauge", 1, value=1)],
    )

    def everything() -> object:
        return (
            store.find_runs(RunQuery()), store.experiments(), store.params([RUN]), store.tags([RUN]),
            store.spans(SpanQuery()), store.log_records(), store.instrument_points(),
        )  # fmt: skip

    store.apply(batch)
    once = everything()
    store.apply(batch)

    assert everything() == once


def test_a_journal_is_taken_exactly_once(store):
    """The offset moves with the data; a batch that another process has applied is refused whole."""
    batch = WriteBatch(points=[a_block([1.0])], journal=[JournalAdvance("seg", 0, 100)])
    store.apply(batch)

    with pytest.raises(JournalMovedError) as caught:
        store.apply(replace(batch, runs=[a_run(OTHER)]))

    assert (caught.value.expected, caught.value.found) == (0, 100)
    assert store.journal_offset("seg") == 100
    assert len(store.points(RUN, LOSS)) == 1
    assert store.get_run(OTHER) is None


def test_a_refused_batch_leaves_no_trace_of_earlier_advances(store):
    """When one of several segments has moved, the others stand where they stood."""
    store.apply(WriteBatch(journal=[JournalAdvance("b", 0, 10)]))

    with pytest.raises(JournalMovedError):
        store.apply(
            WriteBatch(
                journal=[JournalAdvance("a", 0, 5), JournalAdvance("a", 5, 7), JournalAdvance("b", 0, 3)]
            )
        )
    store.apply(WriteBatch(journal=[JournalAdvance("a", 0, 5), JournalAdvance("a", 5, 7)]))

    assert (store.journal_offset("a"), store.journal_offset("b")) == (7, 10)


def test_a_batch_that_cannot_be_stored_leaves_nothing_behind(store):
    """A value of a foreign type refuses the whole batch, and the store goes on working."""
    bad = a_span("8" * 16, attributes={"what": object()}, resource=Resource({"new": 1}), run_id=OTHER)

    with pytest.raises(TypeError, match="object"):
        store.apply(WriteBatch(runs=[a_run()], points=[a_block([1.0])], spans=[a_span(), bad]))
    store.apply(WriteBatch(spans=[replace(bad, attributes={})]))

    assert store.get_run(RUN) is None
    assert len(store.points(RUN, LOSS)) == 0
    assert store.spans(SpanQuery()) == [replace(bad, attributes={})]


def test_forgotten_segments_start_anew(store):
    """Bookkeeping of deleted segments goes away."""
    store.apply(WriteBatch(journal=[JournalAdvance("a", 0, 5), JournalAdvance("b", 0, 5)]))

    store.forget_segments(["a", "never seen"])

    assert (store.journal_offset("a"), store.journal_offset("b")) == (0, 5)


def test_runs_are_resolved_by_prefix_or_name_newest_first(store):
    """Some digits of the id or the whole name find runs."""
    runs = [
        a_run("ab" + "0" * 30, created_ns=1),
        a_run("ab" + "1" * 30, created_ns=2),
        a_run("cd" + "0" * 30, name="ab"),
    ]
    store.apply(WriteBatch(runs=runs))

    assert store.resolve_run_ids("ab") == [runs[2].run_id, runs[1].run_id, runs[0].run_id]
    assert store.resolve_run_ids("AB0") == [runs[0].run_id]
    assert store.resolve_run_ids("brave-otter", limit=1) == [runs[1].run_id]
    assert store.resolve_run_ids("brave") == []


def test_a_live_state_without_its_process_counts_as_lost(store):
    """A query sees lost runs, the run itself keeps what was written."""
    store.apply(
        WriteBatch(
            runs=[
                a_run(),
                a_run(OTHER, created_ns=2_000),
                a_run("c" * 32, state=RunState.SUCCEEDED, ended_ns=9),
            ]
        )
    )
    lost = RunQuery(where=Comparison(RunField("state"), "==", "lost"))

    assert store.find_runs(lost) == []
    assert ids(store.find_runs(lost, live_run_ids=frozenset({OTHER}))) == [RUN]
    assert store.count_runs(lost, live_run_ids=frozenset()) == 2
    assert store.find_runs(lost, live_run_ids=frozenset())[0].state is RunState.RUNNING
    by_state = RunQuery(order=(Order(RunField("state"), is_descending=True),))
    assert ids(store.find_runs(by_state, live_run_ids=frozenset({OTHER}))) == ["c" * 32, OTHER, RUN]


def test_runs_are_ordered_with_the_missing_last_in_both_directions(store):
    """NaN and missing values come last; ties are broken by creation, newest first."""
    values = {"1": 0.5, "2": math.nan, "3": 0.1, "5": 0.1}
    for digit in "12345":
        run_id = digit * 32
        points = [a_block([values[digit]], run_id=run_id)] if digit in values else []
        store.apply(WriteBatch(runs=[a_run(run_id, created_ns=int(digit))], points=points))
    loss = MetricField("loss")

    ascending = ids(store.find_runs(RunQuery(order=(Order(loss),))))
    descending = ids(store.find_runs(RunQuery(order=(Order(loss, is_descending=True),), limit=3, offset=1)))

    assert [run_id[0] for run_id in ascending] == ["5", "3", "1", "4", "2"]
    assert [run_id[0] for run_id in descending] == ["5", "3", "4"]


def test_a_metric_without_a_phase_asked_takes_the_series_without_one_first(store):
    """No phase asks for the plain series, else for one that has a phase."""
    plain, val = SeriesKey("loss"), SeriesKey("loss", "val")
    store.apply(WriteBatch(points=[PointBlock(RUN, (val, plain), [0.0], [1], ([1.0], [2.0]))]))
    store.apply(WriteBatch(points=[PointBlock(OTHER, (val,), [0.0], [1], ([1.0],))]))

    def matching(phase: str | None, value: float) -> list[str]:
        where = Comparison(MetricField("loss", "last", phase), "==", value)
        return sorted(ids(store.find_runs(RunQuery(where=where))))

    assert matching(None, 2) == [RUN]
    assert matching(None, 1.0) == [OTHER]
    assert matching("val", 1.0) == [RUN, OTHER]
    assert matching("", 1.0) == []


@pytest.mark.parametrize("stat", ["last", "best", "max_step"])
def test_a_run_has_a_metric_in_the_phases_in_which_it_was_logged(store, stat):
    """`exists` with a phase asks for that phase; without one any will do."""
    val = SeriesKey("loss", "val")
    definition = MetricDefinition(RUN, "loss", "min")
    store.apply(
        WriteBatch(metric_definitions=[definition], points=[PointBlock(RUN, (val,), [0.0], [1], ([1.0],))])
    )

    phases = [None, "val", "", "train"]
    wanted = [RunQuery(where=Exists(MetricField("loss", stat, phase))) for phase in phases]
    assert list(map(store.count_runs, wanted)) == [1, 1, 0, 0]


def test_ranks_have_series_of_their_own(store):
    """Points that two ranks record under one name and phase stay apart: histories, summaries, thinned charts."""
    zero, one = SeriesKey("loss"), SeriesKey("loss", rank=1)
    for _ in range(3):
        store.apply(WriteBatch(points=[a_block([1.0, 2.0], key=zero), a_block([30.0], key=one)]))

    listed = [
        (series.key, series.summary.count, series.summary.maximum) for series in store.series([RUN])[RUN]
    ]

    assert listed == [(zero, 6, 2.0), (one, 3, 30.0)]
    assert list(store.points(RUN, zero).values) == [1.0, 2.0] * 3
    assert list(store.points(RUN, one).values) == [30.0] * 3
    assert list(store.band(RUN, one, buckets=1).counts) == [3]


def test_a_search_for_a_metric_looks_at_its_lowest_rank(store):
    """Rank 0 answers where it has the metric, else the lowest rank that has it, in a phase and without one."""
    batch = WriteBatch()
    for run_id, phase, ranks in [(RUN, "", (2, 0, 10)), (OTHER, "val", (10, 2))]:
        for rank in ranks:
            batch.points.append(a_block([float(rank)], run_id=run_id, key=SeriesKey("loss", phase, rank)))
    store.apply(batch)

    def matching(phase: str | None, value: float) -> list[str]:
        where = Comparison(MetricField("loss", "last", phase), "==", value)
        return sorted(ids(store.find_runs(RunQuery(where=where))))

    assert [matching(None, float(rank)) for rank in (0, 2, 10)] == [[RUN], [OTHER], []]
    assert [matching("val", float(rank)) for rank in (0, 2, 10)] == [[], [OTHER], []]
    order = Order(MetricField("loss", "last"), is_descending=True)
    assert ids(store.find_runs(RunQuery(order=(order,))))[:2] == [OTHER, RUN]


def test_values_of_different_types_never_match(store):
    """1, "1" and true are three things, and != between them is no match either."""
    store.apply(
        WriteBatch(
            params=[
                ParamSet(digit * 32, "p", value, 1)
                for digit, value in {"1": 1, "2": "1", "3": True, "4": 2.0}.items()
            ]
        )
    )

    def matching(operator: str, value: object) -> list[str]:
        found = store.find_runs(RunQuery(where=Comparison(ParamField("p"), operator, value)))
        return sorted(run.run_id[0] for run in found)

    assert matching("==", 1.0) == ["1"]
    assert matching("!=", 1) == ["4"]
    assert matching("==", "1") == ["2"]
    assert matching("!=", "2") == ["2"]
    assert matching("==", True) == ["3"]
    assert matching("!=", False) == ["3"]
    assert matching("in", (True, 2, "1")) == ["2", "3", "4"]
    assert matching("not in", (2, "x")) == ["1", "2"]
    assert matching("<", True) == []


def test_a_missing_field_matches_nothing_but_a_negation(store):
    """A run without the field matches neither == nor !=, but not (...)."""
    store.apply(WriteBatch(runs=[a_run()]))
    equal = Comparison(TagField("team"), "==", "x")
    unequal = Comparison(TagField("team"), "!=", "x")

    assert store.count_runs(RunQuery(where=equal)) == 0
    assert store.count_runs(RunQuery(where=unequal)) == 0
    assert store.count_runs(RunQuery(where=Not(unequal))) == 1


def test_nan_is_found_by_asking_for_it(store):
    """NaN compares false; IsNan finds it in params and metrics."""
    store.apply(WriteBatch(params=[ParamSet(RUN, "p", math.nan, 1)], points=[a_block([math.nan])]))

    for wanted in (ParamField("p"), MetricField("loss"), MetricField("loss", "min")):
        assert store.count_runs(RunQuery(where=IsNan(wanted))) == 1
        assert store.count_runs(RunQuery(where=Comparison(wanted, "!=", 1.0))) == 0
        assert store.count_runs(RunQuery(where=Comparison(wanted, "==", math.nan))) == 0
        assert store.count_runs(RunQuery(where=Exists(wanted))) == 1


@pytest.mark.parametrize(
    "where",
    [
        Comparison(RunField("name"), "matches", "(unclosed"),
        Comparison(RunField("name"), "matches", 3),
        Comparison(RunField("name"), "==", ("a", "b")),
        Comparison(RunField("name"), "in", "a"),
    ],
)
def test_a_comparison_that_makes_no_sense_is_refused(store, where):
    """A broken pattern or a list in the wrong place raises, even where no run exists."""
    with pytest.raises(QueryError):
        store.find_runs(RunQuery(where=Not(where)))


def test_sql_reads_or_is_refused(store):
    """SQL stores answer with names and rows; a store without SQL says so."""
    store.apply(WriteBatch(runs=[a_run()]))
    if store.location == "memory://":
        with pytest.raises(QueryError, match="no SQL"):
            store.sql("select 1")
        return

    names, rows = store.sql("select run_id, name from runs where name = :name", {"name": "brave-otter"})

    assert (names, rows) == (["run_id", "name"], [(RUN, "brave-otter")])


def test_a_closed_store_says_so(store):
    """Closing twice is safe, using the store afterwards is not."""
    store.close()
    store.close()

    with pytest.raises(StoreClosedError):
        store.find_runs(RunQuery())
    with pytest.raises(StoreClosedError):
        store.apply(WriteBatch(runs=[a_run()]))


def test_a_store_knows_whether_its_file_holds_everything(store):
    """A file that was written to says that a copy of it may lack the newest rows, until it is settled; memory needs no file."""
    assert store.is_settled
    store.apply(WriteBatch(runs=[a_run()]))

    assert store.is_settled == ("memory" in store.location)
    store.settle()
    assert store.is_settled
