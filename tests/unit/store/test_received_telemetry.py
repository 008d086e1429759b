"""What stores make of telemetry that came over OTLP: in any order, twice, and in parts."""

from __future__ import annotations

import itertools
import math
import sqlite3
import struct
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.model.attachment import Attachment, Detachment, TelemetryQuery
from otel_experiments.model.batch import (
    Heartbeat,
    JournalAdvance,
    RunSighting,
    RunStateChange,
    SharedTrace,
    WriteBatch,
)
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Owner, Run, RunState
from otel_experiments.model.search import SpanQuery
from otel_experiments.model.span import Event, Span
from otel_experiments.store import open_store
from otel_experiments.store.semantics.received_points import StepRange
from otel_experiments.store.sqlite.read_point import points_with

RUN, OTHER = "a" * 32, "b" * 32
LOSS = SeriesKey("loss")
OWN = {"ml.run.id": RUN, "service.name": "digits", "process.pid": 17}
WORKER = {"ml.run.id": RUN, "service.name": "digits", "process.pid": 18}


def a_block(*points: tuple[float, int, float], is_received: bool = True) -> PointBlock:
    """Points of one series: step, time, value of each."""
    steps, times, values = (list(column) for column in zip(*points, strict=True))
    return PointBlock(RUN, (LOSS,), steps, times, (values,), is_received=is_received)


def columns(store) -> list[tuple[object, ...]]:
    """The points of the series as step, time and the bits of the value."""
    found = store.points(RUN, LOSS)
    bits = [struct.pack("<d", value) for value in found.values]
    return list(zip(found.steps, found.times_ns, bits, strict=True))


def expected(*points: tuple[float, int, float]) -> list[tuple[object, ...]]:
    """The points as `columns` gives them."""
    return [(step, time_ns, struct.pack("<d", value)) for step, time_ns, value in points]


def test_late_points_are_compared_with_the_part_of_the_series_that_they_are_in(store_path):
    """A point that comes late is looked for where its step is, and not in the chunks far from it."""
    many = [(float(step), step, step / 7) for step in range(40_000)]
    late = [(5.0, 5, 5 / 7), (5.5, 6, 0.25), (6.0, 6, 6 / 7), (math.nan, 7, 1.0)]
    with open_store(store_path) as store:
        store.apply(WriteBatch(points=[a_block(*many)]))
        for _ in range(2):
            store.apply(WriteBatch(points=[a_block(*late)]))

        assert store.series([RUN])[RUN][0].summary.count == 40_002
    with sqlite3.connect(store_path) as database:
        compared = points_with(database, RUN, LOSS, StepRange(5.0, 6.0, has_others=False))
        unplaced = points_with(database, RUN, LOSS, StepRange(math.nan, math.nan, has_others=True))

    assert 4_000 < len(compared) < 6_000
    assert (len(unplaced), unplaced.values[-1]) == (2, 1.0)


def a_sighting(time_ns: int = 100, *, is_root: bool = False, **changes: object) -> RunSighting:
    """What one request says of its run."""
    run = Run(RUN, "", "", RunState.RUNNING, time_ns, started_ns=time_ns, resource=WORKER)
    return RunSighting(replace(run, **changes), is_root)


POINTS = [(1.0, 10, 0.5), (2.0, 20, math.nan), (3.0, 30, -0.0), (3.0, 31, math.inf)]


def test_points_that_come_twice_are_kept_once(store):
    """The same request again, as a sender does that missed the answer, adds no point to a series."""
    for _ in range(3):
        store.apply(WriteBatch(points=[a_block(*POINTS)]))
    store.apply(WriteBatch(points=[a_block(*POINTS), a_block(*POINTS)]))

    assert columns(store) == expected(*POINTS)
    assert store.series([RUN])[RUN][0].summary.count == 4


def test_a_part_of_what_is_there_adds_only_what_is_new(store):
    """A request whose beginning is known adds its end, and one from before all that is known is kept whole."""
    store.apply(WriteBatch(points=[a_block(*POINTS[1:3])]))
    store.apply(WriteBatch(points=[a_block(*POINTS)]))
    store.apply(WriteBatch(points=[a_block(*POINTS[:2]), a_block((9.0, 90, 1.0)), a_block(*POINTS)]))

    assert sorted(columns(store)) == sorted(expected(*POINTS, (9.0, 90, 1.0)))


def test_points_differ_by_step_time_and_every_bit_of_the_value(store):
    """Points are taken for the same one only when nothing tells them apart: 0.0 and -0.0 are two."""
    alike = [(1.0, 10, 0.0), (1.0, 10, -0.0), (1.0, 11, 0.0), (2.0, 10, 0.0), (1.0, 10, math.nan)]
    store.apply(WriteBatch(points=[a_block((5.0, 99, 1.0))]))
    for _ in range(2):
        store.apply(WriteBatch(points=[a_block(*alike)]))

    assert columns(store) == expected((5.0, 99, 1.0), *alike)


def test_points_that_were_recorded_twice_stay_two(store):
    """A series that holds a point twice, as it was logged, still does after it came by OTLP, once or again."""
    twice = [POINTS[0], POINTS[0], POINTS[1]]
    for _ in range(2):
        store.apply(WriteBatch(points=[a_block(*twice)]))

    assert columns(store) == expected(*twice)


def test_points_of_a_journal_are_never_compared(store):
    """What this machine logged is kept as often as it was logged, whatever came by OTLP before."""
    store.apply(WriteBatch(points=[a_block(*POINTS)]))
    store.apply(WriteBatch(points=[a_block(*POINTS, is_received=False)]))

    assert columns(store) == expected(*POINTS, *POINTS)


def a_repeating_block(*points):
    """Points of a gauge whose step is an attribute: step, time, value of each."""
    steps, times, values = (list(column) for column in zip(*points, strict=True))
    return PointBlock(RUN, (LOSS,), steps, times, (values,), is_received=True, is_repeating=True)


def test_a_gauge_that_is_sent_again_at_each_collection_keeps_the_first_point_of_each_step(store):
    """The value of a step that comes again with a later time adds nothing; another value of the step does."""
    store.apply(WriteBatch(points=[a_repeating_block((0.0, 10, 5.0), (1.0, 10, 4.0), (1.0, 11, 4.0))]))
    store.apply(
        WriteBatch(
            points=[
                a_repeating_block((0.0, 20, 5.0), (1.0, 20, 4.0), (2.0, 20, 3.0)),
                a_repeating_block((1.0, 30, 4.0), (2.0, 30, 3.0), (0.0, 30, math.nan)),
            ]
        )
    )
    store.apply(WriteBatch(points=[a_repeating_block((2.0, 40, 3.0), (0.0, 40, math.nan))]))

    assert columns(store) == expected((0.0, 10, 5.0), (1.0, 10, 4.0), (2.0, 20, 3.0), (0.0, 30, math.nan))


def test_what_comes_again_is_known_in_sealed_chunks_too(store):
    """A long history that comes again, in other portions, adds nothing."""
    long = [(float(step), 1_000 + step, step / 7) for step in range(10_000)]
    store.apply(WriteBatch(points=[a_block(*long)]))
    for start in range(0, 10_000, 3_000):
        store.apply(WriteBatch(points=[a_block(*long[start : start + 3_000])]))

    assert columns(store) == expected(*long)


@given(st.lists(st.lists(st.sampled_from(range(12)), min_size=1, max_size=6), max_size=6), st.data())
def test_any_portions_in_any_order_give_each_point_once(portions, data):
    """However a history is cut into requests, and however these are shuffled and repeated, each point is there once."""
    points = [(float(number % 3), 10 + number // 2, float(number)) for number in range(12)]
    blocks = [a_block(*(points[number] for number in dict.fromkeys(portion))) for portion in portions]
    again = data.draw(st.permutations(blocks + blocks))
    wanted = expected(*(points[number] for number in sorted({n for portion in portions for n in portion})))
    for location in ("memory://", "sqlite://:memory:"):
        with open_store(location) as store:
            for block in again:
                store.apply(WriteBatch(points=[block]))
            assert sorted(columns(store)) == sorted(wanted)


def test_a_run_that_is_only_seen_is_running(store):
    """A run of which no own record came, only telemetry that names it, is there, with what that says of it."""
    sighting = a_sighting(name="brave-otter", experiment="digits", group="sweep")
    store.apply(WriteBatch(sightings=[sighting], heartbeats=[Heartbeat(RUN, 500)]))

    assert store.get_run(RUN) == replace(sighting.run, heartbeat_ns=500)
    assert [one.name for one in store.experiments()] == ["digits"]


def test_a_run_without_an_experiment_makes_none(store):
    """Telemetry that names a run and no experiment leaves no nameless experiment behind."""
    store.apply(WriteBatch(sightings=[a_sighting()]))

    assert (store.get_run(RUN).experiment, store.experiments()) == ("", [])


PARTS = (
    WriteBatch(sightings=[a_sighting(300, name="brave-otter")]),
    WriteBatch(sightings=[a_sighting(200, experiment="digits", resource=OWN)]),
    WriteBatch(sightings=[a_sighting(250, is_root=True, root_span_id="c" * 16, resource=OWN, group="sweep")]),
    WriteBatch(state_changes=[RunStateChange(RUN, RunState.SUCCEEDED, 9_000, paused_count=2)]),
    WriteBatch(state_changes=[RunStateChange(RUN, RunState.PAUSED, 8_000)]),
    WriteBatch(heartbeats=[Heartbeat(RUN, 9_500)], points=[a_block(*POINTS)]),
)
OWN_RECORD = Run(
    RUN, "digits", "brave-otter", RunState.RUNNING, 150, started_ns=150, group="sweep", resource=OWN, root_span_id="c" * 16
)  # fmt: skip


@given(st.permutations(PARTS))
def test_what_requests_say_of_a_run_does_not_depend_on_their_order(parts):
    """Sightings, the root span, states and points may come in any order: the run is the same."""
    for location in ("memory://", "sqlite://:memory:"):
        with open_store(location) as store:
            for part in (*parts, parts[0]):
                store.apply(part)

            assert store.get_run(RUN) == Run(
                RUN, "digits", "brave-otter", RunState.SUCCEEDED, 250, started_ns=250, ended_ns=9_000,
                heartbeat_ns=9_500, group="sweep", paused_count=2, resource=OWN, root_span_id="c" * 16,
            )  # fmt: skip


@given(st.permutations([*PARTS, WriteBatch(runs=[OWN_RECORD])]))
def test_a_runs_own_record_says_more_than_sightings(parts):
    """The event of a run's start, whenever it comes, says when it started and who it is."""
    for location in ("memory://", "sqlite://:memory:"):
        with open_store(location) as store:
            for part in (*parts, parts[0]):
                store.apply(part)

            assert store.get_run(RUN) == replace(
                OWN_RECORD, state=RunState.SUCCEEDED, ended_ns=9_000, heartbeat_ns=9_500, paused_count=2
            )


@given(
    st.permutations(
        [
            WriteBatch(runs=[OWN_RECORD]),
            WriteBatch(state_changes=[RunStateChange(RUN, RunState.FAILED, 700, reason="out of memory")]),
            WriteBatch(sightings=[a_sighting(800, attempt=2)]),
            WriteBatch(runs=[replace(OWN_RECORD, attempt=2, created_ns=800, started_ns=800)]),
            WriteBatch(state_changes=[RunStateChange(RUN, RunState.SUCCEEDED, 900, attempt=2)]),
        ]
    )
)
def test_attempts_of_a_run_may_come_in_any_order(parts):
    """What is received of a resumed run ends as its last attempt did, and started with its first."""
    with open_store("sqlite://:memory:") as store:
        for part in parts:
            store.apply(part)
        found = store.get_run(RUN)

    assert (found.state, found.attempt, found.reason, found.ended_ns) == (RunState.SUCCEEDED, 2, "", 900)


def test_a_run_that_this_machine_recorded_is_not_changed_by_what_is_received(store):
    """Telemetry of a run that has its own record with an owner, coming back by OTLP, changes nothing of the row."""
    local = replace(OWN_RECORD, owner=Owner("host-1", "boot-1", 17, 99), heartbeat_ns=200)
    store.apply(WriteBatch(runs=[local]))
    store.apply(
        WriteBatch(sightings=[a_sighting(1, name="other", description="from elsewhere", is_root=True)])
    )

    assert store.get_run(RUN) == local


LOCAL = replace(OWN_RECORD, owner=Owner("host-1", "boot-1", 17, 99), state=RunState.RUNNING, ended_ns=None)
LOCAL_NEWS = (
    WriteBatch(runs=[LOCAL], journal=[JournalAdvance("s.0", 0, 10)]),
    WriteBatch(
        state_changes=[RunStateChange(RUN, RunState.SUCCEEDED, 700)], journal=[JournalAdvance("s.0", 10, 20)]
    ),
)
SENT_NEWS = (
    WriteBatch(
        sightings=[a_sighting(900, is_root=True)],
        state_changes=[
            RunStateChange(RUN, RunState.FAILED, 900, reason="forged", is_root=True, received_on="host-1")
        ],
    ),
    WriteBatch(state_changes=[RunStateChange(RUN, RunState.PAUSED, 950, received_on="host-1")]),
    WriteBatch(runs=[replace(LOCAL, owner=None, name="forged", created_ns=800, started_ns=800)]),
)


@pytest.mark.parametrize("order", list(itertools.permutations(range(5))), ids=str)
def test_a_run_that_this_machine_recorded_takes_no_state_from_the_network(store, order):
    """Whatever root spans and events come by OTLP, before the run, while it runs or after it: it ends as it ended here."""
    batches = (*LOCAL_NEWS, *SENT_NEWS)
    for number in order:
        if number == 1 and order.index(0) > order.index(1):
            continue  # a journal is read from its beginning
        store.apply(batches[number])
    if order.index(0) > order.index(1):
        store.apply(batches[1])

    found = store.get_run(RUN)
    assert (found.state, found.ended_ns, found.reason) == (RunState.SUCCEEDED, 700, "")
    assert (found.name, found.owner, found.started_ns) == (LOCAL.name, LOCAL.owner, LOCAL.started_ns)


def test_a_run_of_another_machine_goes_on_by_what_is_received(store):
    """A run that was imported while it ran elsewhere ends as its root span says."""
    store.apply(WriteBatch(runs=[LOCAL]))
    store.apply(
        WriteBatch(
            state_changes=[RunStateChange(RUN, RunState.FAILED, 900, is_root=True, received_on="host-2")]
        )
    )

    assert store.get_run(RUN).state is RunState.FAILED


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=str)
def test_a_run_has_the_resource_of_its_lowest_rank(store, order):
    """Before the run's own record comes, the process that most probably owns it says what machine it is on."""
    ranks = [WORKER | {"ml.distributed.rank": rank, "host.name": f"box-{9 - rank}"} for rank in (1, 2)]
    for number in order:
        store.apply(WriteBatch(sightings=[a_sighting(resource=ranks[number])]))

    assert store.get_run(RUN).resource == ranks[0]


def test_a_run_that_is_seen_in_another_attempt_started_with_the_first(store):
    """Telemetry of a second attempt makes an ended run run again, and leaves it its start."""
    store.apply(WriteBatch(runs=[OWN_RECORD], state_changes=[RunStateChange(RUN, RunState.FAILED, 700)]))
    store.apply(WriteBatch(sightings=[a_sighting(800, attempt=2)]))

    found = store.get_run(RUN)
    assert (found.state, found.attempt, found.started_ns, found.ended_ns) == (RunState.RUNNING, 2, 150, None)
    assert (found.name, found.group) == (OWN_RECORD.name, OWN_RECORD.group)


def an_attempt(number: int, start_ns: int, **changes: object) -> Run:
    """What is said of one attempt of a run at its start."""
    return replace(
        Run(RUN, "e", "n", RunState.RUNNING, start_ns, started_ns=start_ns), attempt=number, **changes
    )


def an_end(number: int, state: RunState, time_ns: int, **changes: object) -> WriteBatch:
    """How one attempt of a run ended."""
    return WriteBatch(state_changes=[RunStateChange(RUN, state, time_ns, attempt=number, **changes)])


FIRST = (WriteBatch(runs=[an_attempt(1, 100)]), an_end(1, RunState.FAILED, 200, reason="x"))
SECOND = (WriteBatch(runs=[an_attempt(2, 300)]), an_end(2, RunState.SUCCEEDED, 400))
FIRST_SEEN = (
    WriteBatch(sightings=[RunSighting(an_attempt(1, 100), is_root=True)]),
    an_end(1, RunState.FAILED, 200, is_root=True),
)
SECOND_SEEN = (
    WriteBatch(sightings=[RunSighting(an_attempt(2, 300, description="d"), is_root=True)]),
    WriteBatch(sightings=[RunSighting(an_attempt(2, 310))]),
    an_end(2, RunState.SUCCEEDED, 400, is_root=True),
)


@pytest.mark.parametrize(
    "said", [FIRST + SECOND, FIRST_SEEN + SECOND_SEEN, FIRST + SECOND_SEEN], ids=["records", "seen", "mixed"]
)
def test_a_resumed_run_is_the_same_whatever_comes_first(said):
    """Two attempts, each with its start and end: the run began with the first and is what the second says, in every order."""
    found = set()
    for order in itertools.permutations(said):
        with open_store(":memory:") as store:
            for batch in order:
                store.apply(batch)
            run = store.get_run(RUN)
        found.add(
            (
                run.state,
                run.attempt,
                run.created_ns,
                run.started_ns,
                run.ended_ns,
                run.reason,
                run.description,
            )
        )

    description = "" if said == FIRST + SECOND else "d"
    assert found == {(RunState.SUCCEEDED, 2, 100, 100, 400, "", description)}


TRACE = "e" * 32
SHARED = SharedTrace(TRACE, frozenset({RUN, "b" * 32}))


def a_span(number: int, *, run_id: str | None = None, trace_id: str = TRACE) -> Span:
    """A span of a trace, which may name its run."""
    return Span(trace_id, f"{number:016x}", "call", start_ns=number, end_ns=number + 1, run_id=run_id)


def a_log(number: int, *, trace_id: str = TRACE) -> LogRecord:
    """A log record of a trace that names no run."""
    return LogRecord(number, number, body=f"line {number}", trace_id=trace_id)


CALLS = (
    WriteBatch(spans=[a_span(1)], shared_traces=[SHARED]),
    WriteBatch(spans=[a_span(2, run_id=RUN)], shared_traces=[SHARED]),
    WriteBatch(log_records=[a_log(3)], shared_traces=[SHARED]),
    WriteBatch(spans=[a_span(1), a_span(4)], log_records=[a_log(3)], shared_traces=[SHARED]),
)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=str)
def test_what_names_no_run_joins_the_run_of_its_trace(store, order):
    """A service that a run calls writes spans and logs in the run's trace: they are the run's, whatever came first."""
    for number in order:
        store.apply(CALLS[number])

    assert len(store.spans(SpanQuery(run_id=RUN))) == 3
    assert [record.body for record in store.log_records(run_id=RUN)] == ["line 3"]


def a_point_each(run_id: str, spans: Sequence[Span]) -> list[PointBlock]:
    """A point of each span."""
    key = (SeriesKey("loss"),)
    return [
        PointBlock(run_id, key, [float(one.start_ns)], [one.start_ns], ([1.0],), is_received=True)
        for one in spans
    ]


@pytest.mark.parametrize("is_open", [False, True])
def test_a_span_that_says_its_run_late_takes_its_points_along(store, is_open):
    """A span that joined the run of its trace, and comes again naming another one, is there with its points, and only there."""
    shared = SharedTrace(TRACE, points_of=a_point_each)
    first = replace(a_span(1), is_received=True, end_ns=None if is_open else 2)
    store.apply(
        WriteBatch(
            spans=[first, replace(a_span(2), is_received=True), a_span(3, run_id=RUN)],
            shared_traces=[replace(shared, run_ids=frozenset({RUN}))],
        )
    )
    again = replace(a_span(1, run_id=OTHER), is_received=True)
    batch = WriteBatch(
        points=a_point_each(OTHER, [again]),
        spans=[again],
        shared_traces=[replace(shared, run_ids=frozenset({OTHER}))],
    )

    store.apply(batch)
    store.apply(batch)

    assert [span.start_ns for span in store.spans(SpanQuery(run_id=OTHER))] == [1]
    assert list(store.points(OTHER, SeriesKey("loss")).steps) == [1.0]
    assert 1.0 not in store.points(RUN, SeriesKey("loss")).steps


def test_a_trace_with_the_id_of_a_run_is_the_runs(store):
    """Spans of a service belong to the run whose id is that of their trace, also when the run has no span there yet."""
    store.apply(WriteBatch(sightings=[a_sighting()]))
    store.apply(WriteBatch(spans=[a_span(1, trace_id=RUN)], shared_traces=[SharedTrace(RUN)]))

    assert len(store.spans(SpanQuery(run_id=RUN))) == 1


def test_a_trace_of_several_runs_or_none_is_left_alone(store):
    """Nothing is guessed: where a trace has spans of two runs, or of none, what names no run stays without one."""
    store.apply(
        WriteBatch(
            spans=[
                a_span(1),
                a_span(2, run_id=RUN),
                a_span(3, run_id="b" * 32),
                a_span(4, trace_id="f" * 32),
            ],
            shared_traces=[SHARED, SharedTrace("f" * 32)],
        )
    )

    assert sorted(span.start_ns for span in store.spans(SpanQuery()) if span.run_id is None) == [1, 4]
    assert len(store.spans(SpanQuery(run_id=RUN))) == 1


def test_what_joins_an_attached_trace_is_taken_back_with_it(store):
    """When a trace was attached to a run, what comes later in it is attached as well, and can be taken back."""
    store.apply(WriteBatch(spans=[a_span(1)], shared_traces=[SHARED]))
    query = TelemetryQuery(trace_id=TRACE)
    store.apply(WriteBatch(attach=[Attachment(RUN, query, 7)]))
    store.apply(WriteBatch(spans=[a_span(2)], shared_traces=[SHARED]))
    assert len(store.spans(SpanQuery(run_id=RUN))) == 2

    store.apply(WriteBatch(detach=[Detachment(replace(query, run_id=RUN))]))

    assert store.spans(SpanQuery(run_id=RUN)) == []


MINE, THEIRS = "1" * 32, "2" * 32


def a_form(end_ns=20, *, run_id=None, is_received=True, start_ns=10, **changes) -> Span:
    """One form of one span: journalled here, or received."""
    return Span(
        TRACE, "c" * 16, changes.pop("name", "theirs"), start_ns, end_ns, run_id=run_id, is_received=is_received, **changes
    )  # fmt: skip


@pytest.mark.parametrize("run_id", [None, MINE, THEIRS], ids=["no run", "same run", "other run"])
@pytest.mark.parametrize("start_ns", [10, 11])
@pytest.mark.parametrize("is_one_batch", [True, False])
def test_what_is_received_changes_no_span_that_was_recorded_here(store, run_id, start_ns, is_one_batch):
    """A span with the ids of one that this machine recorded, of whatever run, leaves that span and its run as they are."""
    events = (Event("checkpoint", 15, {"n": 1}),)
    mine = a_form(run_id=MINE, is_received=False, name="mine", attributes={"a": 1}, events=events)
    theirs = a_form(30, run_id=run_id, start_ns=start_ns)
    for batch in [[theirs, mine, theirs]] if is_one_batch else [[mine], [theirs]]:
        store.apply(WriteBatch(spans=batch, shared_traces=[SHARED]))

    assert store.spans(SpanQuery()) == [mine]
    assert store.spans(SpanQuery(run_id=MINE)) == [mine]


def test_what_this_machine_records_replaces_what_was_received_of_it(store):
    """The row of a span is what its process journalled, also when a copy of it came by OTLP before."""
    mine = a_form(run_id=MINE, is_received=False, name="mine")
    store.apply(WriteBatch(spans=[a_form(30, run_id=THEIRS)]))
    store.apply(WriteBatch(spans=[mine]))

    assert store.spans(SpanQuery()) == [mine]


def test_an_open_span_that_was_recorded_here_is_not_ended_by_another(store):
    """A span with the ids of an open one that started at another time, or is of another run, does not end it."""
    mine = a_form(None, run_id=MINE, is_received=False, name="mine")
    store.apply(WriteBatch(spans=[mine]))
    store.apply(WriteBatch(spans=[a_form(30, start_ns=11), a_form(30, run_id=THEIRS)]))

    assert store.spans(SpanQuery()) == [mine]


@pytest.mark.parametrize("is_one_batch", [True, False])
def test_a_received_span_keeps_its_run_and_content(store, is_one_batch):
    """Of a received span the first ended form stays; it may get a run, and is never moved to another."""
    forms = [
        a_form(None, name="open"),
        a_form(20, name="ended"),
        a_form(30, name="again", run_id=MINE),
        a_form(40, name="moved", run_id=THEIRS),
        a_form(50, name="orphan"),
        a_form(None, name="open again"),
    ]
    for batch in [forms] if is_one_batch else [[form] for form in forms]:
        store.apply(WriteBatch(spans=batch))

    assert store.spans(SpanQuery()) == [a_form(20, name="ended", run_id=MINE)]


def test_an_attached_span_that_is_received_again_with_its_run_is_that_runs(store):
    """What was attached by hand goes to the run that the span itself names later, and only that changes."""
    store.apply(WriteBatch(spans=[a_form(20, name="first")]))
    store.apply(WriteBatch(attach=[Attachment(MINE, TelemetryQuery(trace_id=TRACE), 7)]))
    store.apply(WriteBatch(spans=[a_form(20, name="retry")]))
    assert store.spans(SpanQuery()) == [a_form(20, name="first", run_id=MINE)]

    store.apply(WriteBatch(spans=[a_form(30, name="later", run_id=THEIRS)]))
    store.apply(WriteBatch(detach=[Detachment(TelemetryQuery(run_id=THEIRS))]))

    assert store.spans(SpanQuery()) == [a_form(20, name="first", run_id=THEIRS)]


FORMS = st.builds(
    a_form,
    st.sampled_from([None, 20, 30]),
    run_id=st.sampled_from([None, MINE, THEIRS]),
    is_received=st.booleans(),
    start_ns=st.sampled_from([10, 10, 11]),
    given_ns=st.sampled_from([None, None, 5]),
)


@given(st.lists(st.one_of(st.lists(FORMS, min_size=1, max_size=4), st.just([])), max_size=6))
def test_both_stores_take_the_same_forms_of_a_span(batches):
    """Whatever forms of a span come in whatever order and batches, with attaching between, both stores hold the same."""
    found = []
    for location in ("memory://", "sqlite://:memory:"):
        with open_store(location) as store:
            for forms in batches:
                attach = [] if forms else [Attachment(MINE, TelemetryQuery(trace_id=TRACE), 7)]
                store.apply(WriteBatch(spans=forms, attach=attach))
            whole = store.spans(SpanQuery())
            store.apply(
                WriteBatch(detach=[Detachment(TelemetryQuery(run_id=run_id)) for run_id in (MINE, THEIRS)])
            )
            found.append((whole, store.spans(SpanQuery())))
    assert found[0] == found[1]
