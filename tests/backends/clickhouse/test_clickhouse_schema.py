"""Our ClickHouse tables, on the real engine: what comes is kept whole, and what comes twice is kept once."""

import re
import struct
from pathlib import Path

from otel_experiments.model.search import RunQuery, SpanQuery
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv import events, metrics
from otel_experiments.store import open_store

SCHEMA = Path(__file__).parents[3] / "collector-config" / "clickhouse"
RUN = "5" * 32
KEPT = ("points", "instrument_points", "histogram_points", "otel_traces", "otel_logs", "run_events")


def bits(number):
    """Return a float's eight bytes, in which NaN equals itself and 0 is not -0."""
    return struct.pack("<d", number).hex()


def nanoseconds(column):
    """Return SQL for a DateTime64(9) as a text of nanoseconds, which JSON keeps exactly."""
    return f"toString(toUnixTimestamp64Nano({column}))"


def point(step, value, time="2026-01-02 03:04:05.000000006", **resource):
    """Return a row of the gauge's landing table: one logged point of the metric `loss`."""
    return "otel_metrics_gauge", {
        "ResourceAttributes": {"ml.run.id": RUN, "service.instance.id": "p0"} | resource,
        "MetricName": "ml.metric.value",
        "Attributes": {"ml.metric.name": "loss"},
        "TimeUnix": time,
        "Value": value,
        "Exemplars.FilteredAttributes": [{"ml.metric.step": step}],
        "Exemplars.TimeUnix": [time],
        "Exemplars.Value": [value],
        "Exemplars.SpanId": [""],
        "Exemplars.TraceId": [""],
    }


def run_event(name, time, state="", **log_attributes):
    """Return a row of `otel_logs`: an event of the run."""
    return "otel_logs", {
        "Timestamp": time,
        "ResourceAttributes": {"ml.run.id": RUN, "ml.run.name": "long", "service.instance.id": "p0"},
        "LogAttributes": {"ml.run.state": state} | log_attributes,
        "EventName": name,
    }


def test_tables_are_made_twice_without_harm(empty_clickhouse):
    """The files of the schema can be applied again, and the version table says which were."""
    empty_clickhouse.apply_schema()
    versions = empty_clickhouse.rows(
        "select Version, Name from otel_experiments_schema final order by Version"
    )
    assert [row["Version"] for row in versions] == [1, 2, 3]


def test_every_point_is_kept_exactly(clickhouse, captured):
    """Each logged point has its step, its time to the nanosecond, and every bit of its value, ranks apart."""
    with open_store(captured.store, read_only=True, create=False) as store:
        runs = [run.run_id for run in store.find_runs(RunQuery())]
        stored = [
            (run_id, key.name, key.phase, key.rank, bits(step), str(time_ns), bits(value))
            for run_id, all_series in store.series(runs).items()
            for key in (one.key for one in all_series)
            for points in [store.points(run_id, key)]
            for step, time_ns, value in zip(points.steps, points.times_ns, points.values, strict=True)
        ]
    found = clickhouse.rows(
        f"select RunId, Metric, Phase, Rank, hex(reinterpretAsString(Step)) as Step, {nanoseconds('Time')} as Time, "
        "hex(reinterpretAsString(Value)) as Value from points final"
    )
    # A trailing zero byte is no part of a text of reinterpretAsString.
    kept = [
        (
            row["RunId"],
            row["Metric"],
            row["Phase"],
            row["Rank"],
            padded(row["Step"]),
            row["Time"],
            padded(row["Value"]),
        )
        for row in found
    ]
    assert len(stored) > 170
    assert sorted(kept) == sorted(stored)


def padded(text):
    """Return hex digits as those of eight bytes."""
    return text.lower().ljust(16, "0")


def test_every_span_is_kept(clickhouse, captured):
    """Each span has its parent, times, status, attributes, events and links."""
    with open_store(captured.store, read_only=True, create=False) as store:
        stored = {
            span.span_id: (
                span.trace_id,
                span.parent_span_id or "",
                span.name,
                str(span.start_ns),
                span.end_ns - span.start_ns,
                span.status.name.capitalize(),
                len(span.attributes),
                [event.name for event in span.events],
                [link.span_id for link in span.links],
            )
            for span in store.spans(SpanQuery())
        }
    found = clickhouse.rows(
        "select TraceId, SpanId, ParentSpanId, SpanName, "
        f"{nanoseconds('Timestamp')} as Start, toInt64(Duration) as Took, StatusCode, length(SpanAttributes) as Size, "
        "Events.Name as EventNames, Links.SpanId as Targets from otel_traces final"
    )
    kept = {
        row["SpanId"]: (
            row["TraceId"],
            row["ParentSpanId"],
            row["SpanName"],
            row["Start"],
            int(row["Took"]),
            row["StatusCode"],
            int(row["Size"]),
            row["EventNames"],
            row["Targets"],
        )
        for row in found
    }
    assert len(stored) > 80
    assert kept == stored


def test_every_log_record_is_kept(clickhouse, captured):
    """Each log record has its event, time, severity and attributes."""
    with open_store(captured.store, read_only=True, create=False) as store:
        stored = sorted(
            (one.event_name, str(one.time_ns), one.severity_text, len(one.attributes))
            for one in store.log_records()
        )
    found = clickhouse.rows(
        f"select EventName, {nanoseconds('Timestamp')} as Time, SeverityText, length(LogAttributes) as Size "
        "from otel_logs final"
    )
    kept = sorted((row["EventName"], row["Time"], row["SeverityText"], int(row["Size"])) for row in found)
    assert {name for name, *_ in stored} >= {"ml.anomaly", "ml.run.config", "ml.run.start"}
    assert kept == stored


def test_every_measurement_of_an_instrument_is_kept(clickhouse, captured):
    """System metrics and durations have their attributes, times, values, counts and buckets."""
    with open_store(captured.store, read_only=True, create=False) as store:
        measured = store.instrument_points()
    numbers = sorted(
        (one.name, str(one.time_ns), bits(float(one.value))) for one in measured if one.value is not None
    )
    histograms = sorted(
        (
            one.name,
            str(one.time_ns),
            one.histogram["count"],
            one.histogram["sum"],
            list(one.histogram["bucket_counts"]),
        )
        for one in measured
        if one.histogram is not None
    )
    found = clickhouse.rows(
        f"select Metric, {nanoseconds('Time')} as Time, hex(reinterpretAsString(Value)) as Value "
        "from instrument_points final"
    )
    assert len(numbers) > 20
    assert sorted((row["Metric"], row["Time"], padded(row["Value"])) for row in found) == numbers
    found = clickhouse.rows(
        f"select Metric, {nanoseconds('Time')} as Time, Count, Sum, BucketCounts from histogram_points final"
    )
    kept = sorted(
        (row["Metric"], row["Time"], int(row["Count"]), row["Sum"], [int(one) for one in row["BucketCounts"]])
        for row in found
    )
    assert "ml.step.duration" in {name for name, *_ in histograms}
    assert kept == histograms


def test_what_is_sent_again_is_kept_once(empty_clickhouse, captured):
    """A Collector sends again what it is not sure of: nothing is doubled, in no table and no summary."""
    engine = empty_clickhouse
    for table in KEPT:
        engine.ask(f"system stop merges {table}")  # so that both copies are really there
    engine.insert(captured.rows)
    before = {table: engine.value(f"select toUInt32(count()) from {table} final") for table in KEPT}
    series = engine.rows("select * from series order by all")
    runs = engine.rows("select * from runs order by all")

    engine.insert(captured.rows)

    assert engine.value("select toUInt32(count()) from points") == 2 * before["points"]
    assert {table: engine.value(f"select toUInt32(count()) from {table} final") for table in KEPT} == before
    assert engine.rows("select * from series order by all") == series
    assert engine.rows("select * from runs order by all") == runs


def test_points_that_differ_in_anything_are_kept_apart(empty_clickhouse):
    """Two values, two steps, two times or two ranks are two points, whatever else they share."""
    later = "2026-01-02 03:04:05.000000007"
    rank = {"service.instance.id": "p1", "ml.distributed.rank": "1"}
    empty_clickhouse.insert([point("1", 0.5), point("1", 0.25), point("2", 0.5)])
    empty_clickhouse.insert([point("1", 0.5, later), point("1", 0.5, **rank), point("1", 0.5)])

    assert empty_clickhouse.value("select toUInt32(count()) from points final") == 5


def test_a_point_without_step_or_value_is_no_trap(empty_clickhouse):
    """A foreign point without a step has step -1; a marker that nothing was recorded is no value of 0."""
    table, row = point("1", 0.5)
    bare = row | {name: [] for name in row if name.startswith("Exemplars.")}
    empty_clickhouse.insert([(table, bare), (table, row | {"Flags": 1, "Value": 0.0})])

    assert empty_clickhouse.rows("select Step, Value from points final") == [{"Step": -1, "Value": 0.5}]


def test_a_summary_passes_over_nan_and_says_so(clickhouse):
    """Least and greatest value of a series, with their steps, are those of its numbers; NaN is said."""
    [loss] = clickhouse.rows(
        "select Minimum, MinimumStep, Maximum, MaximumStep, FirstStep, LastStep, HasNaN from series "
        "where Metric = 'loss' and RunId in (select RunId from runs where Name = 'steady')"
    )
    assert loss == {
        "Minimum": 1 / 80,
        "MinimumStep": 79,
        "Maximum": 1,
        "MaximumStep": 0,
        "FirstStep": 0,
        "LastStep": 80,
        "HasNaN": 1,
    }


def test_runs_say_how_they_ended(clickhouse):
    """One row a run: state, result, reason, params, tags, times; ranks that recorded together are one run."""
    rows = {row["Name"]: row for row in clickhouse.rows("select * from runs")}

    assert set(rows) == {"steady", "broken", "together"}
    assert {name: row["State"] for name, row in rows.items()} == {
        "steady": "succeeded",
        "broken": "failed",
        "together": "succeeded",
    }
    assert (rows["broken"]["ErrorType"], rows["broken"]["Reason"]) == ("ValueError", "no such column: label")
    assert rows["steady"]["Params"]["optimizer.lr"] == "0.01"
    assert rows["steady"]["Tags"] == {"team": "vision", "baseline": ""}
    assert rows["steady"]["Experiment"] == "curves"
    assert 0.3 <= rows["steady"]["DurationS"] < 60


def test_a_run_is_known_before_it_has_ended(empty_clickhouse):
    """A run that only sent points runs; its start, a pause, its end and a new start are seen as they come."""

    def state():
        [row] = empty_clickhouse.rows("select State, EndTime from runs")
        return row["State"], row["EndTime"] is not None

    seen = []
    for row in (
        point("1", 0.5),
        run_event("ml.run.start", "2026-01-02 03:04:06"),
        run_event("ml.run.state", "2026-01-02 03:04:07", "paused"),
        ("otel_traces", run_span("2026-01-02 03:04:05.5", 3 * 10**9)),
        run_event("ml.run.start", "2026-01-02 03:05:00"),
    ):
        empty_clickhouse.insert([row])
        seen.append(state())

    assert seen == [
        ("running", False),
        ("running", False),
        ("paused", False),
        ("cancelled", True),
        ("running", False),
    ]


def run_span(start, duration_ns):
    """Return a row of `otel_traces`: the root span of a run that was cancelled."""
    return {
        "Timestamp": start,
        "TraceId": RUN,
        "SpanId": "6" * 16,
        "SpanName": "run curves",
        "ResourceAttributes": {"ml.run.id": RUN, "ml.run.name": "long"},
        "SpanAttributes": {"ml.operation.name": "run", "ml.run.result": "cancellation"},
        "Duration": duration_ns,
        "StatusCode": "Error",
    }


def test_a_trace_is_found_by_its_id(clickhouse):
    """The companion table bounds a trace in time, to the nanosecond, as Grafana's trace view asks for it."""
    [bounds] = clickhouse.rows(
        "select TraceId, min(Start) as From, max(End) as To from otel_traces_trace_id_ts "
        "where TraceId in (select RunId from runs where Name = 'steady') group by TraceId"
    )
    inside = clickhouse.value(
        f"select toUInt32(count()) from otel_traces final where TraceId = '{bounds['TraceId']}' "
        f"and Timestamp between '{bounds['From']}' and '{bounds['To']}'"
    )
    assert inside == clickhouse.value(
        f"select toUInt32(count()) from otel_traces final where TraceId = '{bounds['TraceId']}'"
    )
    assert inside == 83  # the run, 2 epochs, 80 steps


def test_the_schema_names_only_what_the_vocabulary_has():
    """Every attribute, event and metric that the SQL names is in the vocabulary."""
    text = "\n".join(path.read_text() for path in sorted(SCHEMA.glob("*.sql")))
    named = set(re.findall(r"'((?:ml|service|error)\.[a-z_.]*[a-z])\.?'", text))
    attributes = {value for name, value in vars(attr).items() if name.isupper()}
    assert {"ml.metric.value", "ml.run.id", "ml.run.tag", "service.instance.id"} <= named
    assert named - attributes - set(events.BY_NAME) - set(metrics.BY_NAME) == set()


def test_the_queries_of_the_page_are_answered(clickhouse, empty_clickhouse):
    """Each query that the page on ClickHouse shows is one that it answers, with rows."""
    page = (SCHEMA.parents[1] / "docs" / "how-to" / "send-to-clickhouse.md").read_text()
    shown = re.findall(r"```text\n((?:select|alter).*?)```", page, re.DOTALL)
    assert len(shown) == 4
    for statement in shown[:3]:
        assert clickhouse.rows(statement), statement
    empty_clickhouse.ask(shown[3])


def test_a_run_is_found_by_its_id_without_reading_the_others(empty_clickhouse):
    """Of 30,000 runs the view `runs` reads the rows of one, by the key of each table below it."""
    empty_clickhouse.ask(
        "insert into run_events (RunId, Event, Time, Name, State) "
        "select lower(hex(MD5(toString(number)))), 'end', now64(9), toString(number), 'succeeded' from numbers(30000)"
    )
    empty_clickhouse.ask(
        "insert into points (RunId, Metric, Step, Time, Value) "
        "select lower(hex(MD5(toString(number)))), 'loss', 0, now64(9), 1 from numbers(30000)"
    )
    wanted = empty_clickhouse.value("select lower(hex(MD5('17')))")
    query = f"select * from runs where RunId = '{wanted}'"

    [row] = empty_clickhouse.rows(query)
    plan = "\n".join(line["explain"] for line in empty_clickhouse.rows(f"explain indexes = 1 {query}"))

    assert (row["Name"], row["State"]) == ("17", "succeeded")
    read = [tuple(map(int, found)) for found in re.findall(r"Granules: (\d+)/(\d+)", plan)]
    assert len(read) == 3  # its points' times, its events' times, and its events
    assert all(part <= 2 < whole for part, whole in read), read
