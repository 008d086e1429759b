"""Parquet: the types are right, nothing changes its value, and other programs read it."""

import io
import json
import math
import sys

import pytest

from otel_experiments._opening import open_reader
from otel_experiments.errors import MissingPackageError
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.span import Span
from otel_experiments.query import Reader
from otel_experiments.query.export import parquet as module
from otel_experiments.query.export.rows import RowExport
from otel_experiments.query.frames import point_columns
from otel_experiments.store import open_store

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")

NOW_NS = 1_700_000_000_123_456_789
RUN_ID = "a" * 32
VALUES = [1.5, math.nan, math.inf, -math.inf, -0.0]


@pytest.fixture
def jobs_reader(jobs_path):
    """Return a reader over six runs."""
    with open_reader(jobs_path) as opened:
        yield opened


@pytest.fixture(params=["sqlite://:memory:", "memory://"])
def reader(request):
    """Return a reader over one run with points, a span, an event, a log record and data points, and telemetry of no run."""
    batch = WriteBatch(runs=[Run(RUN_ID, "exp", "job", RunState.SUCCEEDED, NOW_NS, NOW_NS, NOW_NS + 5)])
    times = [NOW_NS + i for i in range(len(VALUES))]
    steps = [0.0, 1.0, 1.5, math.nan, 2.0]
    batch.points.append(PointBlock(RUN_ID, (SeriesKey("loss", "val", 1),), steps, times, (VALUES,)))
    batch.spans.append(
        Span(RUN_ID, "b" * 16, "fit", NOW_NS, NOW_NS + 7, attributes={"n": 2**62, "x": "y"}, run_id=RUN_ID)
    )
    batch.spans.append(Span("c" * 32, "d" * 16, "alone", NOW_NS))
    for run_id in (RUN_ID, None):
        batch.log_records.append(LogRecord(NOW_NS, NOW_NS, body={"a": [1, None]}, run_id=run_id))
        batch.log_records.append(
            LogRecord(NOW_NS, 0, event_name="saved", body="text", run_id=run_id, severity_number=9)
        )
        batch.instrument_points.append(
            InstrumentPoint(
                "n", "sum", NOW_NS, value=2**62 + 1, is_monotonic=True, temporality=2, run_id=run_id
            )
        )
    batch.instrument_points.append(
        InstrumentPoint("h", "histogram", NOW_NS + 1, histogram={"count": 3}, run_id=RUN_ID)
    )
    store = open_store(request.param)
    store.apply(batch)
    with Reader(store) as opened:
        yield opened


def table_of(reader, what, runs=None):
    """Return what is exported as Parquet, read by pyarrow."""
    sink = io.BytesIO()
    count = RowExport(reader, runs, what).write_parquet(sink)
    table = pq.read_table(io.BytesIO(sink.getvalue()))
    assert count == table.num_rows
    return table


def test_points_keep_their_nanoseconds_and_every_float(reader):
    """NaN and infinities are values, and no null; the step is a float in every file."""
    table = table_of(reader, "points")

    assert table.schema.field("time").type == pa.timestamp("ns", tz="UTC")
    assert {name: str(table.schema.field(name).type) for name in ("run_id", "rank", "step", "value")} == {
        "run_id": "string", "rank": "int64", "step": "double", "value": "double",
    }  # fmt: skip
    assert table["time"].cast(pa.int64()).to_pylist() == [NOW_NS + i for i in range(5)]
    assert list(map(repr, table["value"].to_pylist())) == list(map(repr, VALUES))
    assert table["value"].null_count == table["step"].null_count == 0
    assert table.slice(0, 1).to_pylist()[0] | {"time": None} == {
        "run_id": RUN_ID, "metric": "loss", "phase": "val", "rank": 1, "step": 0.0, "time": None, "value": 1.5,
    }  # fmt: skip


def test_runs_have_the_columns_of_the_csv_with_their_types(jobs_reader, monkeypatch):
    """A column that only some runs have is null elsewhere; pages and row groups do not show."""
    monkeypatch.setattr("otel_experiments.query.reader.PAGE_SIZE", 2)
    monkeypatch.setattr(module, "ROW_GROUP", 4)

    table = table_of(jobs_reader, "runs")

    frame = jobs_reader.runs().to_arrow()
    assert table.column_names == frame.column_names
    for name in table.column_names:
        if name == "duration_s":  # of a live run
            continue
        wanted = frame[name].cast(pa.float64()) if name.endswith("_step") else frame[name]
        assert str(table[name].type) == str(wanted.type), name
        assert list(map(repr, table[name].to_pylist())) == list(map(repr, wanted.to_pylist())), name


def test_spans_and_records_have_nested_values_as_json(reader):
    """Attributes are one column, so that files of different runs go together; integers keep every digit."""
    (span,) = [row for row in table_of(reader, "spans").to_pylist() if row["name"] == "fit"]
    assert json.loads(span["attributes"]) == {"n": 2**62, "x": "y"}
    assert (span["duration_s"], span["events"], span["parent_span_id"]) == (7e-9, None, None)

    logs, events = table_of(reader, "logs").to_pylist(), table_of(reader, "events").to_pylist()
    assert [json.loads(row["body"]) for row in logs] == [{"a": [1, None]}] * 2
    assert [(row["event_name"], row["body"], row["observed_time"]) for row in events] == [
        ("saved", "text", None)
    ] * 2

    instruments = table_of(reader, "instruments")
    assert instruments["int_value"].to_pylist() == [2**62 + 1, None, 2**62 + 1]
    assert instruments["histogram"].to_pylist() == [None, '{"count":3}', None]
    assert instruments["temporality"].to_pylist() == ["cumulative", None, "cumulative"]


@pytest.mark.parametrize(("what", "count"), [("spans", 2), ("events", 2), ("logs", 2), ("instruments", 3)])
def test_what_belongs_to_no_run_is_part_of_an_export_of_everything(reader, what, count):
    """With chosen runs it is left out."""
    assert table_of(reader, what).num_rows == count
    assert set(table_of(reader, what, reader.runs())["run_id"].to_pylist()) == {RUN_ID}


def test_a_large_series_is_cut_into_row_groups(reader, monkeypatch):
    """A reader of the file needs one row group in memory; so did the writer."""
    monkeypatch.setattr(module, "ROW_GROUP", 2)
    monkeypatch.setattr(point_columns, "_PART", 3)
    sink = io.BytesIO()

    RowExport(reader, None, "points").write_parquet(sink)

    metadata = pq.ParquetFile(io.BytesIO(sink.getvalue())).metadata
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [2, 1, 2]
    assert list(map(repr, pq.read_table(io.BytesIO(sink.getvalue()))["value"].to_pylist())) == list(
        map(repr, VALUES)
    )


def test_pandas_polars_and_duckdb_read_the_file(reader, tmp_path):
    """The same values and types, with NaN apart from null where the library can say so."""
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    pl = pytest.importorskip("polars", reason="polars is not installed")
    path = tmp_path / "points.parquet"
    with path.open("wb") as sink:
        RowExport(reader, None, "points").write_parquet(sink)

    in_pandas, in_polars = pd.read_parquet(path), pl.read_parquet(path)

    assert str(in_pandas["time"].dtype) == "datetime64[ns, UTC]"
    assert in_pandas["time"].iloc[0].value == NOW_NS
    assert list(map(repr, in_pandas["value"].tolist())) == list(map(repr, VALUES))
    assert in_polars.schema["time"] == pl.Datetime("ns", "UTC")
    assert in_polars["value"].null_count() == 0
    assert list(map(repr, in_polars["value"].to_list())) == list(map(repr, VALUES))
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    answer = duckdb.sql(
        f"select epoch_ns(time), value, isnan(value) from '{path}' where phase = 'val'"
    ).fetchall()
    assert [row[0] for row in answer] == [NOW_NS + i for i in range(5)]
    assert [row[2] for row in answer] == [False, True, False, False, False]


def test_parquet_without_pyarrow_names_the_extra(reader, monkeypatch):
    """The error says what to install, and nothing is written."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    sink = io.BytesIO()

    with pytest.raises(MissingPackageError, match=r"Parquet needs the package 'pyarrow'.*\n.*\[frames\]"):
        RowExport(reader, None, "points").write_parquet(sink)
    assert sink.getvalue() == b""


def test_an_export_says_how_far_it_is(jobs_reader):
    """After each run it tells the rows so far, for a progress bar."""
    for what, last in [("runs", 6), ("points", 78), ("spans", 162)]:
        for form in ("csv", "jsonl", "parquet"):
            seen = []
            export = RowExport(jobs_reader, jobs_reader.runs(), what, on_run=seen.append)
            rows = (
                export.write_parquet(io.BytesIO())
                if form == "parquet"
                else export.write_text(form, io.StringIO())
            )
            assert seen[-1] == rows == last
            assert seen == sorted(seen)


def test_records_as_json_lines_keep_their_form(reader):
    """Each line is an object with nested attributes, times as integers of nanoseconds, and null where there is nothing."""
    sink = io.StringIO()
    RowExport(reader, reader.runs(), "events").write_text("jsonl", sink)
    RowExport(reader, reader.runs(), "instruments").write_text("jsonl", sink)

    event, count, histogram = map(json.loads, sink.getvalue().splitlines())

    assert (event["event_name"], event["time_unix_nano"], event["observed_time_unix_nano"]) == (
        "saved",
        NOW_NS,
        None,
    )
    assert event["attributes"] == {}
    assert (count["value"], count["temporality"], count["histogram"]) == (2**62 + 1, "cumulative", None)
    assert histogram["histogram"] == {"count": 3}


def test_records_as_csv_have_one_row_each(reader):
    """The header names nanoseconds as such; `--spreadsheet-safe` holds here, too."""
    sink = io.StringIO(newline="")

    RowExport(reader, reader.runs(), "logs").write_text("csv", sink)

    header, row, _ = sink.getvalue().split("\r\n")
    assert header.startswith("run_id,time_unix_nano,observed_time_unix_nano,event_name")
    assert row.startswith(f"{RUN_ID},{NOW_NS},{NOW_NS},,")
    assert '"{""a"": [1, null]}"' in row
