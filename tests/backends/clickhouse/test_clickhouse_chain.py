"""Trainings into ClickHouse's engine through the real Collector, with its real exporter."""

import json
import signal
from collections import Counter

from real_programs import until

import otel_experiments as ox
from otel_experiments.model.search import RunQuery, SpanQuery
from otel_experiments.store import open_store

TABLES = ("points", "instrument_points", "histogram_points", "otel_traces", "otel_logs")
LANDING = ("otel_traces", "otel_logs", "otel_metrics_gauge", "otel_metrics_sum", "otel_metrics_histogram")


def counts(engine):
    """Return how many rows each table keeps."""
    return {table: engine.value(f"select toUInt32(count()) from {table} final") for table in TABLES}


def stored_counts(path):
    """Return how many rows each table must keep for what the store has."""
    with open_store(path, read_only=True, create=False) as store:
        runs = [run.run_id for run in store.find_runs(RunQuery())]
        measured = Counter(one.histogram is None for one in store.instrument_points())
        return {
            "points": sum(
                len(store.points(run_id, one.key).values)
                for run_id, found in store.series(runs).items()
                for one in found
            ),
            "instrument_points": measured[True],
            "histogram_points": measured[False],
            "otel_traces": len(store.spans(SpanQuery())),
            "otel_logs": len(store.log_records()),
        }


def settings(engine):
    """Return the variables with which the Collector writes to the engine."""
    # Its door takes no compressed blocks: a real server does.
    return {
        "CLICKHOUSE_ENDPOINT": engine.endpoint,
        "CLICKHOUSE_COMPRESS": "none",
        "CLICKHOUSE_FLUSH": "200ms",
    }


def doubled(engine, expected):
    """Return for traces, logs and metrics whether more rows are there than are kept."""
    groups = (["otel_traces"], ["otel_logs"], ["points", "instrument_points", "histogram_points"])
    there = [[engine.value(f"select toUInt32(count()) from {table}") for table in group] for group in groups]
    return [
        sum(found) > sum(expected[table] for table in group)
        for found, group in zip(there, groups, strict=True)
    ]


def test_trainings_arrive_whole(empty_clickhouse, make_collector, train_all, came_back):
    """Every span, log record, point and measurement of three runs is in ClickHouse, once."""
    engine = empty_clickhouse
    collector = make_collector("clickhouse.yaml", **settings(engine))

    store = train_all(collector.endpoint)
    expected = stored_counts(store)
    until(lambda: counts(engine) == expected, what=lambda: f"{counts(engine)} are {expected}")

    came_back("ClickHouse", spans=expected["otel_traces"], points=expected["points"])
    assert expected["points"] == 178
    assert engine.value("select toUInt32(count()) from runs") == 3
    assert "ml.anomaly" in {row["EventName"] for row in engine.rows("select EventName from otel_logs final")}


def test_a_killed_run_is_read_back_whole(empty_clickhouse, make_collector, start_training, came_back):
    """SIGKILL in the middle of a stage, then `push`: every point and ended span is there once, the run without an end."""
    engine = empty_clickhouse
    collector = make_collector("clickhouse.yaml", **settings(engine))

    store = start_training(collector.endpoint, "killed", ends_with=-signal.SIGKILL)
    run = ox.run("killed", store=store)
    report = ox.push(unsent=True, to=collector.endpoint, store=store)
    ended = {span.span_id: span.duration_ns for span in run.spans if span.end_ns is not None}
    curve = run.metrics["loss"].points()
    until(lambda: engine.value("select toUInt32(count()) from points final") == 50, what="50 points")
    until(
        lambda: engine.value("select toUInt32(count()) from otel_traces final") == len(ended),
        what="every span",
    )

    assert (report.is_complete, len(ended), str(run.state)) == (True, 51, "lost")
    rows = engine.rows("select SpanId, TraceId, toInt64(Duration) as Took from otel_traces final")
    assert {row["SpanId"]: int(row["Took"]) for row in rows} == ended
    assert {row["TraceId"] for row in rows} == {run.id}
    points = engine.rows(
        "select Step, Value, toUnixTimestamp64Nano(Time) as Ns from points final order by Step"
    )
    assert [(one["Step"], one["Value"], int(one["Ns"])) for one in points] == list(
        zip(curve.steps, curve.values, curve.times_ns, strict=True)
    )
    [row] = engine.rows("select RunId, Name, State, EndTime, toUnixTimestamp64Nano(LastTime) as Ns from runs")
    assert (row["RunId"], row["Name"], row["State"], row["EndTime"]) == (run.id, "killed", "running", None)
    assert int(row["Ns"]) == max(curve.times_ns)
    came_back("ClickHouse", spans=len(ended), points=50)


def test_inserts_that_failed_after_they_were_stored_double_nothing(
    empty_clickhouse, make_collector, train_all
):
    """An insert whose answer was an error is sent again, stored or not; each row is kept once."""
    engine = empty_clickhouse
    for table in TABLES:
        engine.ask(f"system stop merges {table}")  # so that what came twice is really there twice
    for table in LANDING:
        quote = "`" if table == "otel_logs" else '"'  # as the exporter writes each statement
        engine.refuse(f"INSERT INTO {quote}default{quote}.{quote}{table}{quote}", 1, "after")
    collector = make_collector("clickhouse.yaml", **settings(engine))

    store = train_all(collector.endpoint)
    expected = stored_counts(store)
    until(lambda: doubled(engine, expected) == [True] * 3, what="what was refused is sent again")
    until(lambda: counts(engine) == expected, what=lambda: f"{counts(engine)} are {expected}")


def test_a_clickhouse_that_was_away_gets_everything(
    start_clickhouse, empty_clickhouse, make_collector, train_all, tmp_path
):
    """What is sent while ClickHouse is stopped waits in the Collector's queue, and arrives once it is back."""
    collector = make_collector("clickhouse.yaml", **settings(empty_clickhouse))
    empty_clickhouse.close()

    store = train_all(collector.endpoint)
    engine = start_clickhouse(tmp_path / "engine", port=empty_clickhouse.port)
    expected = stored_counts(store)
    until(lambda: counts(engine) == expected, what=lambda: f"{counts(engine)} are {expected}")


def test_the_exporter_writes_the_rows_that_other_tests_insert(
    captured, send, empty_clickhouse, make_collector
):
    """Tests without a Collector insert rows of our making: value for value, they are those of the real exporter."""
    engine = empty_clickhouse
    for database in ("real", "made"):
        engine.keep_landing_rows(database)
    engine.insert(captured.rows, "made")
    collector = make_collector("clickhouse.yaml", **settings(engine), CLICKHOUSE_DATABASE="real")

    send(collector.endpoint)

    for table in LANDING:
        wanted = engine.value(f"select toUInt32(count()) from made.{table}")
        until(
            lambda: engine.value(f"select toUInt32(count()) from real.{table}") >= wanted,  # noqa: B023 - called here
            what=f"{wanted} rows in {table}",
        )
        real, made = (rows_of(engine, f"{database}.{table}") for database in ("real", "made"))
        assert real == made, table


def rows_of(engine, table):
    """Return a table's rows as texts in an order of their own; a map has no order, and a float all its bits."""
    statement = f"select * from {table} settings output_format_json_quote_denormals = 1"
    answer = engine.ask(statement, default_format="JSONEachRow")
    return sorted(json.dumps(json.loads(line), sort_keys=True) for line in answer.splitlines())
