"""The hot queries are served by the indexes that were made for them, whatever SQLite's planner thinks of."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_experiments.model.artifact import ArtifactQuery
from otel_experiments.model.attachment import TelemetryQuery
from otel_experiments.model.batch import ParamSet, TagSet, WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.search import (
    Comparison,
    Exists,
    MetricField,
    Not,
    Order,
    ParamField,
    RunField,
    RunQuery,
    SpanQuery,
    SummaryField,
    TagField,
)
from otel_experiments.store.sqlite import attached as _attached
from otel_experiments.store.sqlite import pages as _pages
from otel_experiments.store.sqlite import read_artifacts as _read_artifacts
from otel_experiments.store.sqlite import read_loss as _read_loss
from otel_experiments.store.sqlite import read_point as _read_point
from otel_experiments.store.sqlite import read_run as _read_run
from otel_experiments.store.sqlite import read_telemetry as _read_telemetry
from otel_experiments.store.sqlite import read_values as _read_values
from otel_experiments.store.sqlite import unsent as _unsent
from otel_experiments.store.sqlite import write_artifacts as _write_artifacts
from otel_experiments.store.sqlite import write_axis as _write_axis
from otel_experiments.store.sqlite import write_point as _write_point
from otel_experiments.store.sqlite.store import SqliteStore

RUN = "a" * 32


@pytest.fixture
def store() -> Iterator[SqliteStore]:
    """A store with a little of everything, so that plans are made for tables that hold rows."""
    with SqliteStore(None) as opened:
        batch = WriteBatch()
        for number in range(20):
            run_id = f"{number:032x}"
            batch.runs.append(Run(run_id, "e", "n", RunState.RUNNING, number))
            batch.params.append(ParamSet(run_id, "lr", 0.1 * number, 1))
            batch.tags.append(TagSet(run_id, "team", "x", 1))
            batch.points.append(PointBlock(run_id, (SeriesKey("loss"),), [0.0], [1], ([float(number)],)))
        opened.apply(batch)
        yield opened


def plan(store: SqliteStore, statement: str, parameters: object = ()) -> str:
    """SQLite's own account of how it would run the statement, in one line."""
    with store._database.reading() as connection:
        rows = connection.execute(f"explain query plan {statement}", parameters).fetchall()
    return " | ".join(row[3] for row in rows)


def find_plan(store: SqliteStore, query: RunQuery) -> str:
    """The plan of a query over runs."""
    found = _read_run.find_statement(query, None)
    return plan(store, found.sql, found.parameters)


@pytest.mark.parametrize(
    ("where", "index"),
    [
        (Comparison(ParamField("lr"), "<", 0.5), "COVERING INDEX params_by_number (key=? AND value_number<?)"),
        (Comparison(ParamField("lr"), "==", "x"), "COVERING INDEX params_by_text (key=? AND value_text=?)"),
        (Comparison(ParamField("lr"), "==", True), "INDEX params_by_other (key=? AND type=? AND value_bool=?)"),
        (Exists(ParamField("lr")), "COVERING INDEX params_by_number (key=? AND value_number>?)"),
        (Exists(SummaryField("lr")), "COVERING INDEX summaries_by_number (key=? AND value_number>?)"),
        (Not(Exists(ParamField("lr"))), "INDEX params_by_other (key=?)"),
        (Comparison(TagField("team"), "==", "x"), "COVERING INDEX tags_by_value (key=? AND value=?)"),
        (Comparison(MetricField("loss"), "<", 0.5), "COVERING INDEX series_by_name (name=?)"),
        (Comparison(MetricField("loss", "max", "val"), "<", 0.5), "COVERING INDEX series_by_name (name=?)"),
        (Comparison(MetricField("loss", "best"), "<", 0.5), "COVERING INDEX series_by_name (name=?)"),
        (Comparison(RunField("name"), "==", "x"), "runs_by_name (name=?)"),
        (Comparison(RunField("experiment"), "==", "e"), "COVERING INDEX runs_by_experiment (experiment=?)"),
    ],
)  # fmt: skip
def test_a_filter_reads_one_stretch_of_its_index(store, where, index):
    """A filter never reads the params, tags or metrics of other keys."""
    found = find_plan(store, RunQuery(where=where))

    assert index in found
    assert "SCAN series" not in found
    assert "SCAN params" not in found
    assert "SCAN summaries" not in found


def test_the_newest_runs_are_read_without_sorting(store):
    """The first page of all runs reads as many rows as it shows."""
    assert find_plan(store, RunQuery(limit=50)) == "SCAN runs USING COVERING INDEX runs_by_created"


def test_sorting_by_a_metric_reads_its_index_in_one_sweep(store):
    """The sort key comes from the covering index, not from a look-up for each run."""
    found = find_plan(store, RunQuery(order=(Order(MetricField("loss")),), limit=50))

    assert "SEARCH series USING COVERING INDEX series_by_name (name=?)" in found


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (SpanQuery(run_id=RUN), "spans_by_run (run_id=?)"),
        (SpanQuery(trace_id=RUN), "(trace_id=?)"),
        (SpanQuery(name="x"), "spans_by_name (name=?)"),
        (SpanQuery(name_glob="tr*"), "spans_by_name (name>? AND name<?)"),
    ],
)
def test_spans_are_found_by_index(store, query, index):
    """Spans of a run, a trace or a name are found without reading all spans."""
    made = _read_telemetry.span_statement(query)
    found = plan(store, made.sql, made.parameters)

    assert index in found
    assert "SCAN spans" not in found


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (ArtifactQuery(run_ids=(RUN,)), "artifacts_by_run (run_id=? AND role=?)"),
        (
            ArtifactQuery(role="media", run_ids=(RUN,), name="x"),
            "artifacts_by_run (run_id=? AND role=? AND name=?)",
        ),
        (ArtifactQuery(name="x"), "artifacts_by_name (name=?)"),
        (
            ArtifactQuery(experiment="e", name="x", alias="best"),
            "artifacts_by_name (name=? AND experiment=?)",
        ),
        (ArtifactQuery(role=None, digest="sha256:1"), "artifacts_by_digest (digest=?)"),
        (ArtifactQuery(digest="sha256:1", is_prefix=True), "artifacts_by_digest (digest>? AND digest<?)"),
    ],
)
def test_artifacts_are_found_by_index(store, query, index):
    """Artifacts of a run, a name or a digest are found without reading all of them."""
    found = plan(store, *_read_artifacts.artifacts_statement(query))

    assert index in found
    assert "SCAN a" not in found


@pytest.mark.parametrize(
    ("statement", "parameters", "expected"),
    [
        (_read_artifacts._USES.format(_read_artifacts._BY_RUN), {"run_ids": "[]"}, ["artifact_uses USING PRIMARY KEY (run_id=?)"]),
        (_read_artifacts._USES.format(_read_artifacts._BY_DIGEST), {"digests": "[]"}, ["artifact_uses_by_digest (digest=?)"]),
        (_read_artifacts._KEYS, (RUN,), ["artifacts_by_run (run_id=?)"]),
        (_read_artifacts._ALIASES, (RUN,), ["artifact_aliases_by_run (run_id=?)", "artifacts_by_run (run_id=? AND role=?)", "set_here USING PRIMARY KEY (experiment=? AND name=?)"]),
        (_write_artifacts._KNOWN, ("x",), ["(hash=?)"]),
        (_write_artifacts._LARGEST, ("e", "n"), ["artifact_versions USING PRIMARY KEY (experiment=? AND name=?)"]),
        (_read_values._PARAMS, ("[]",), ["SEARCH params USING PRIMARY KEY (run_id=?)"]),
        (_read_values._TAGS, ("[]",), ["SEARCH tags USING PRIMARY KEY (run_id=?)"]),
        (_read_run._RESOLVE, ("a", "b", "c", 1), ["(run_id>? AND run_id<?)", "runs_by_name (name=?)"]),
        (_read_run._EXPERIMENTS, (), ["COVERING INDEX runs_by_experiment (experiment=?)"]),
        (_read_point._SERIES, ("[]", None), ["SEARCH series USING INDEX sqlite_autoindex_series_1 (run_id=?"]),
        (_read_point._POINTS, (RUN, "n", "", 0), ["(run_id=? AND name=? AND phase=? AND rank=?)", "(series_id=?)", "axes USING INTEGER PRIMARY KEY"]),
        (_read_point._STRETCHES, (RUN, "n", "", 0), ["(run_id=? AND name=? AND phase=? AND rank=?)", "(series_id=?)"]),
        (_read_point._STRETCH_DATA, (1, 1), ["(series_id=? AND seq=?)"]),
        (_read_telemetry._EVENTS, ("[]",), ["SEARCH span_events USING PRIMARY KEY (trace_id=? AND span_id=?)"]),
        (_read_telemetry._LINKS, ("[]",), ["SEARCH span_links USING PRIMARY KEY (trace_id=? AND span_id=?)"]),
        (*_read_telemetry.log_statement(RUN, None), ["log_records_by_run (run_id=?)"]),
        (*_read_telemetry.log_statement(None, "e"), ["log_records_by_event (event_name=?)"]),
        (_pages._ROOT_KEYS, (RUN, 1, 2), ["spans_by_run (run_id=?)"]),
        (_pages._SPAN_KEYS, (RUN, 1, 2), ["spans_by_run (run_id=?)"]),
        (_pages._LOG_KEYS, (RUN, 1, 2), ["log_records_by_run (run_id=? AND time_ns>? AND time_ns<?)"]),
        (_pages._INSTRUMENT_KEYS, (RUN, 1, 2), ["instrument_points_by_run (run_id=?)"]),
        (_pages._AXES, (RUN,), ["axes_by_run (run_id=?)", "chunks_by_axis (axis_id=?)"]),
        (_pages._CHUNKS, (RUN,), ["(run_id=?)", "(series_id=?)", "axes USING INTEGER PRIMARY KEY"]),
        (_pages._CHUNK, (1, 1), ["(series_id=? AND seq=?)"]),
        (_unsent._JOIN, (1, 1, RUN, "logs"), ["SEARCH unsent USING PRIMARY KEY (run_id=? AND signal=?)"]),
        (_read_loss.LOSSES, ("$", "$", "$", "$", "e", "[]"), ["log_records_by_event (event_name=?)"]),
        (*_read_telemetry.instrument_statement(RUN, "n"), ["instrument_points_by_run (run_id=? AND name=?)"]),
        (*_read_telemetry.instrument_statement(None, "n"), ["instrument_points_by_name (name=?)"]),
        (_write_point._SELECT_SERIES, (RUN, "n", "", 0), ["(run_id=? AND name=? AND phase=? AND rank=?)"]),
        (_write_point._SELECT_OPEN, (1, 1), ["(series_id=? AND seq>?)"]),
        (_write_axis._DELETE_UNUSED, (1,), ["chunks_by_axis (axis_id=?)"]),
    ],
)  # fmt: skip
def test_reading_and_writing_one_thing_never_scans_a_table(store, statement, parameters, expected):
    """Each hot statement is a search in an index."""
    found = plan(store, statement, parameters)

    for part in expected:
        assert part in found
    assert "SCAN series" not in found
    assert "SCAN chunks" not in found
    assert "SCAN params" not in found


def test_what_is_attached_to_a_run_is_found_without_reading_the_rest_of_it(store):
    """A run of a million spans with nothing attached to it costs no look at its spans; telemetry of no run is found by index."""
    for table in _attached._TABLES:
        where, parameters = _attached._where(table, TelemetryQuery(RUN), {})
        assert f"USING INDEX {table.name}_attached (run_id=?)" in plan(
            store, f"select count(*) from {table.name} where {where}", parameters
        )
        assert f"USING COVERING INDEX {table.name}_" in plan(
            store, f"select 1 from {table.name} where run_id is null limit 1"
        )
