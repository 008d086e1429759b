"""Telemetry of no run: found, given to a run, taken back; in every store."""

import math
import shutil
import sqlite3
from pathlib import Path

import pytest

from otel_experiments.errors import IncompleteReadWarning
from otel_experiments.model.attachment import Attachment, Detachment, TelemetryQuery
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.search import SpanQuery
from otel_experiments.model.span import Resource, Span
from otel_experiments.store import open_store

RUN, OTHER = "a" * 32, "b" * 32
TRACE = "1" * 32
WEB = Resource({"service.namespace": "shop", "service.name": "web", "host.cpus": 8})
LOADER = Resource({"service.name": "loader"})
LOSS = SeriesKey("loss")
OLDER = Path(__file__).parents[2] / "data" / "store_v3.db"


def a_span(number=1, *, resource=WEB, trace=TRACE, run_id=None, parent=None, end_ns=None):
    """A span that starts at its number."""
    return Span(
        trace, f"{number:016x}", f"span {number}", number, end_ns or number + 1,
        parent_span_id=parent, resource=resource, run_id=run_id,
    )  # fmt: skip


def a_log(number=1, *, resource=WEB, trace=TRACE, run_id=None):
    """A log record of a time that is its number."""
    return LogRecord(number, number, body=f"line {number}", trace_id=trace, resource=resource, run_id=run_id)


def a_gauge(number=1, *, resource=WEB, run_id=None):
    """A data point of a time that is its number."""
    return InstrumentPoint("depth", "gauge", number, value=0.5, resource=resource, run_id=run_id)


@pytest.fixture
def filled(store):
    """A store with a run of one span, and telemetry of two services that belongs to none."""
    store.apply(
        WriteBatch(
            runs=[Run(RUN, "digits", "brave-otter", RunState.SUCCEEDED, 1, 1, 9)],
            spans=[
                a_span(1, trace=RUN, run_id=RUN),
                a_span(10),
                a_span(20, parent=f"{10:016x}", resource=LOADER),
                a_span(30, trace="2" * 32),
            ],
            log_records=[a_log(15), a_log(35, trace=None, resource=LOADER)],
            instrument_points=[a_gauge(12), a_gauge(40, resource=LOADER)],
        )
    )
    return store


def attach(store, run_id=RUN, time_ns=99, **query):
    """Give what a query means to a run."""
    store.apply(WriteBatch(attach=[Attachment(run_id, TelemetryQuery(**query), time_ns)]))


def detach(store, run_id=RUN, points=(), **query):
    """Take back what was given to a run."""
    store.apply(WriteBatch(detach=[Detachment(TelemetryQuery(run_id, **query), tuple(points))]))


def names_of(store, run_id):
    """What a run has: names of spans, bodies of log records, times of data points."""
    return (
        [span.name for span in store.spans(SpanQuery(run_id=run_id))],
        [record.body for record in store.log_records(run_id=run_id)],
        [point.time_ns for point in store.instrument_points(run_id=run_id)],
    )


def counts(groups):
    """What groups say, shortened."""
    return [
        (one.service, one.span_count, one.log_record_count, one.data_point_count, one.first_ns, one.last_ns)
        for one in groups
    ]


def test_telemetry_of_no_run_is_counted_by_service(filled):
    """What belongs to no run is known by its services, the newest first; what belongs to one is not in it."""
    assert counts(filled.telemetry_groups(TelemetryQuery())) == [
        ("loader", 1, 1, 1, 20, 40),
        ("shop/web", 2, 1, 1, 10, 30),
    ]
    assert filled.has_telemetry()


def test_telemetry_of_no_run_is_counted_by_trace(filled):
    """Traces have the name of their first span; what belongs to no trace is left out."""
    groups = filled.telemetry_groups(TelemetryQuery(), by_trace=True)

    assert [(one.trace_id, one.name, one.span_count, one.log_record_count) for one in groups] == [
        ("2" * 32, "span 30", 1, 0),
        (TRACE, "span 10", 2, 1),
    ]
    assert len(filled.telemetry_groups(TelemetryQuery(), by_trace=True, limit=1)) == 1


def test_a_store_without_foreign_telemetry_says_so(store):
    """A store that holds runs only has no telemetry of none."""
    store.apply(WriteBatch(spans=[a_span(run_id=RUN)], log_records=[a_log(run_id=RUN)]))

    assert not store.has_telemetry()
    assert store.telemetry_groups(TelemetryQuery()) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"trace_id": TRACE}, (["span 1", "span 10", "span 20"], ["line 15"], [])),
        ({"service": "web"}, (["span 1", "span 10", "span 30"], ["line 15"], [12])),
        ({"service": "shop/web"}, (["span 1", "span 10", "span 30"], ["line 15"], [12])),
        ({"since_ns": 20, "until_ns": 35}, (["span 1", "span 20", "span 30"], [], [])),
        ({"resource": (("host.cpus", "8"),)}, (["span 1", "span 10", "span 30"], ["line 15"], [12])),
        ({"resource": (("host.cpus", None),)}, (["span 1", "span 10", "span 30"], ["line 15"], [12])),
        ({"resource": (("host.cpus", 9),)}, (["span 1"], [], [])),
        ({"service": "web", "since_ns": 30}, (["span 1", "span 30"], [], [])),
        ({"service": "nowhere"}, (["span 1"], [], [])),
    ],
)
def test_what_a_query_means_becomes_the_runs(filled, query, expected):
    """Telemetry is attached by trace, service, time and resource; what is meant by all of them."""
    attach(filled, **query)

    assert names_of(filled, RUN) == expected


def test_attaching_twice_changes_nothing(filled):
    """The same attachment again leaves everything as it is, and says what is attached."""
    attach(filled, service="web")
    first = names_of(filled, RUN), filled.telemetry_groups(TelemetryQuery(RUN))
    attach(filled, service="web", time_ns=100)

    assert (names_of(filled, RUN), filled.telemetry_groups(TelemetryQuery(RUN))) == first
    assert counts(first[1]) == [("shop/web", 2, 1, 1, 10, 30)]
    assert counts(filled.telemetry_groups(TelemetryQuery())) == [("loader", 1, 1, 1, 20, 40)]


def test_what_has_a_run_is_never_attached_to_another(filled):
    """A run's own telemetry, and what is attached to one, cannot be attached to a second run."""
    attach(filled, service="web")
    attach(filled, OTHER)

    assert names_of(filled, RUN) == (["span 1", "span 10", "span 30"], ["line 15"], [12])
    assert names_of(filled, OTHER) == (["span 20"], ["line 35"], [40])


def test_attached_telemetry_that_comes_again_is_the_same(filled):
    """A sender that repeats a request doubles nothing, and takes nothing away from the run."""
    attach(filled)
    before = names_of(filled, RUN)

    filled.apply(
        WriteBatch(
            spans=[a_span(10)],
            log_records=[a_log(15)],
            instrument_points=[a_gauge(12)],
        )
    )

    assert names_of(filled, RUN) == before
    assert not filled.has_telemetry()


def test_a_span_that_names_its_run_later_is_that_runs(filled):
    """An attached span that arrives again with a run of its own belongs to that one, and is attached no more."""
    attach(filled, trace_id=TRACE)
    filled.apply(WriteBatch(spans=[a_span(10, run_id=OTHER)]))

    detach(filled, OTHER)
    detach(filled, RUN)

    assert names_of(filled, OTHER)[0] == ["span 10"]
    assert names_of(filled, RUN)[0] == ["span 1"]


def test_what_is_detached_is_as_it_was(filled):
    """Detaching gives back what was attached, and nothing that the run brought itself."""
    before = (
        filled.telemetry_groups(TelemetryQuery()),
        filled.telemetry_groups(TelemetryQuery(), by_trace=True),
    )
    attach(filled)
    detach(filled)

    assert names_of(filled, RUN) == (["span 1"], [], [])
    assert (
        filled.telemetry_groups(TelemetryQuery()), filled.telemetry_groups(TelemetryQuery(), by_trace=True),
    ) == before  # fmt: skip
    assert filled.telemetry_groups(TelemetryQuery(RUN)) == []


def test_a_part_can_be_detached(filled):
    """Of two services that are attached, one is taken back."""
    attach(filled)
    detach(filled, service="loader")

    assert names_of(filled, RUN) == (["span 1", "span 10", "span 30"], ["line 15"], [12])


def test_points_that_came_of_attached_telemetry_leave_with_it(filled):
    """Of a series that the run logged too, the run's own points stay, in their order; NaN is a value as any other."""
    own = PointBlock(RUN, (LOSS,), [0.0, 1.0, 2.0], [1, 2, 3], ([0.5, math.nan, 0.25],))
    foreign = PointBlock(
        RUN, (LOSS, SeriesKey("depth")), [7.0, math.nan], [5, 6], ([math.nan, 9.0], [1.0, 2.0])
    )
    filled.apply(WriteBatch(points=[own]))
    filled.apply(WriteBatch(points=[foreign]))

    detach(filled, points=[foreign])

    points = filled.points(RUN, LOSS)
    assert [list(points.steps), list(points.times_ns), str(list(points.values))] == [
        [0.0, 1.0, 2.0], [1, 2, 3], "[0.5, nan, 0.25]",
    ]  # fmt: skip
    assert [(one.key.name, one.summary.count) for one in filled.series([RUN])[RUN]] == [("loss", 3)]


def test_a_point_is_taken_back_once_for_each_time(filled):
    """Of a point that a series has twice, one is left when one is taken back."""
    once = PointBlock(RUN, (LOSS,), [0.0], [1], ([0.5],))
    filled.apply(WriteBatch(points=[once, once]))

    detach(filled, points=[once])

    assert filled.series([RUN])[RUN][0].summary.count == 1


def test_the_items_of_attached_telemetry_come_in_pages(filled):
    """Spans and data points that are attached can be read again, whole."""
    attach(filled)

    pages = list(filled.telemetry_items(TelemetryQuery(RUN)))

    assert sorted(span.name for page in pages for span in page.spans) == ["span 10", "span 20", "span 30"]
    assert sorted(point.time_ns for page in pages for point in page.instrument_points) == [12, 40]


def test_a_run_that_is_not_there_yet_can_be_attached_to(store):
    """Telemetry is attached to a run whose own record arrives later."""
    store.apply(WriteBatch(spans=[a_span(10)]))
    attach(store, service="web")
    store.apply(WriteBatch(runs=[Run(RUN, "digits", "brave-otter", RunState.RUNNING, 200)]))

    assert store.get_run(RUN).name == "brave-otter"
    assert names_of(store, RUN)[0] == ["span 10"]


def test_a_store_of_an_older_release_takes_attachments(tmp_path):
    """A file that the release before wrote opens, keeps what it holds, and its telemetry of no run can be attached."""
    path = tmp_path / "older.db"
    shutil.copy(OLDER, path)
    with open_store(path) as store:
        (run,) = store.resolve_run_ids("brave-otter")
        attach(store, run, service="web")

        assert names_of(store, run)[0] == ["GET /"]
        assert list(store.points(run, LOSS).values) == [0.5, 0.25]


def test_nothing_is_left_of_a_series_that_is_taken_back(tmp_path):
    """Rows of steps and values go with the series that they belong to."""
    path = tmp_path / "runs.db"
    block = PointBlock(RUN, (LOSS,), [0.0], [1], ([0.5],))
    with open_store(path) as store:
        store.apply(WriteBatch(points=[block]))
        detach(store, points=[block])
    with sqlite3.connect(path) as connection:
        left = [
            connection.execute(f"select count(*) from {name}").fetchone()
            for name in ("series", "chunks", "axes")
        ]
    connection.close()

    assert left == [(0,), (0,), (0,)]


def test_a_resource_that_cannot_be_read_is_told(tmp_path):
    """Telemetry of a resource that cannot be read is still counted, and a warning names the row."""
    path = tmp_path / "runs.db"
    with open_store(path) as store:
        store.apply(WriteBatch(spans=[a_span(10)]))
    with sqlite3.connect(path) as connection:
        connection.execute("update resources set attributes = 'no JSON'")
    connection.close()

    with open_store(path) as store, pytest.warns(IncompleteReadWarning, match="resource_id = 1"):
        groups = store.telemetry_groups(TelemetryQuery())

    assert [(one.service, one.span_count) for one in groups] == [("", 1)]
