"""Runs, series, metrics and SQL as tables of pandas, polars and Arrow: right types, every digit."""

import csv
import io
import math
import sys
from array import array

import pytest

from otel_experiments._opening import open_reader
from otel_experiments.edit.runs import RunEditor
from otel_experiments.errors import MissingPackageError, QueryError
from otel_experiments.model.batch import ParamSet, WriteBatch
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, Points, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.query import Reader, RunList
from otel_experiments.query.export.text import runs_to_csv
from otel_experiments.query.frames.columns import step_column
from otel_experiments.store import open_store

pd = pytest.importorskip("pandas", reason="pandas is not installed")
pl = pytest.importorskip("polars", reason="polars is not installed")
pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")

NOW_NS = 1_700_000_000_123_456_789
RUN_ID = "a" * 32


@pytest.fixture
def jobs_reader(jobs_path):
    """Return a reader over the six runs."""
    with open_reader(jobs_path) as opened:
        yield opened


@pytest.fixture(params=["sqlite://:memory:", "memory://"])
def store(request):
    """Return an empty store, of SQLite and of memory."""
    return open_store(request.param)


def reader_over(store, params=(), points=(), runs=1):
    """Return a reader over runs with params, a mapping for each run, and points as (name, phase, rank, steps, values)."""
    batch = WriteBatch()
    for index in range(runs):
        run_id = f"{index:x}" * 32 if runs > 1 else RUN_ID
        batch.runs.append(
            Run(run_id, "exp", f"run-{index}", RunState.SUCCEEDED, NOW_NS - index, NOW_NS, NOW_NS)
        )
        given = params[index] if index < len(params) else {}
        batch.params += [ParamSet(run_id, key, value, NOW_NS) for key, value in given.items()]
    for name, phase, rank, steps, values in points:
        times = [NOW_NS + i for i in range(len(steps))]
        batch.points.append(
            PointBlock(batch.runs[0].run_id, (SeriesKey(name, phase, rank),), steps, times, (values,))
        )
    store.apply(batch)
    return Reader(store)


def test_runs_are_a_list_and_a_table_with_the_columns_of_the_export(jobs_reader, jobs):
    """`runs.to_pandas()` has one row a run, numbers as numbers, times in UTC, and empty cells where a run lacks a column."""
    runs = jobs_reader.runs(order="name", experiment="digits")

    table = runs.to_pandas()

    assert isinstance(runs, list)
    assert list(table["run_id"]) == [run.id for run in runs]
    kinds = table.dtypes.astype(str)
    assert kinds["created"] == kinds["ended"] == "datetime64[ns, UTC]"
    assert (
        kinds["params.optim.lr"] == kinds["metrics.loss[validation].min"] == kinds["duration_s"] == "float64"
    )
    assert kinds["params.seed"] == kinds["metrics.loss.count"] == kinds["metrics.loss.last_step"] == "int64"
    assert kinds["params.flag"] == "bool"
    first = table.set_index("name").loc["mlp-a"]
    assert first["created"].value == jobs.batch.runs[0].created_ns
    assert first["params.layers"] == "[64, 32]"
    assert first["tags.team"] == "vision"
    assert table.set_index("name").loc["live-e"]["ended"] is pd.NaT
    assert list(table.columns)[:3] == ["run_id", "experiment", "name"]


def test_a_cell_that_a_run_lacks_is_missing_and_other_cells_keep_their_type(jobs_reader):
    """A run without params makes integers and booleans nullable in pandas, and null in polars and Arrow; no number changes."""
    runs = jobs_reader.runs()

    in_pandas, in_polars, in_arrow = runs.to_pandas(), runs.to_polars(), runs.to_arrow()

    assert str(in_pandas["params.seed"].dtype) == "Int64"
    assert str(in_pandas["params.flag"].dtype) == "boolean"
    assert sorted(in_pandas["params.seed"].dropna()) == [0, 1, 2, 3, 4]
    assert in_polars.schema["params.seed"] == pl.Int64
    assert in_polars["params.seed"].null_count() == 1
    assert in_polars.schema["created"] == pl.Datetime("ns", "UTC")
    assert in_arrow.schema.field("created").type == pa.timestamp("ns", tz="UTC")
    assert in_arrow["params.flag"].null_count == 1
    assert in_arrow.column_names == in_polars.columns == list(in_pandas.columns)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2**63 - 1], "int64"),
        ([1, 2**64 - 1], "uint64"),
        ([1, 2**64], "string"),
        ([-1, 2**63], "string"),
        ([1, 0.5], "double"),
        ([2**53 + 1, 0.5], "string"),
        ([True, False], "bool"),
        ([True, 1], "string"),
        (["a", 1], "string"),
        ([[1, 2], {"a": None}], "string"),
        ([math.nan, math.inf], "double"),
    ],
    ids=str,
)
def test_a_param_keeps_every_digit(store, values, kind):
    """Integers stay integers while 64 bits hold them; what no number type holds exactly is text, as JSON writes it."""
    reader = reader_over(store, [{"p": value} for value in values], runs=2)

    column = reader.runs(order="name").to_arrow()["params.p"]

    assert str(column.type) == kind
    if kind == "double":
        assert [repr(one) for one in column.to_pylist()] == [repr(float(value)) for value in values]
    elif kind != "string":
        assert column.to_pylist() == values
    else:
        assert column.to_pylist()[0] in {"1", "-1", "true", "a", "[1, 2]", "9007199254740993"}
    in_pandas = reader.runs(order="name").to_pandas()["params.p"]
    assert kind == "string" or list(map(repr, in_pandas.tolist())) == list(map(repr, column.to_pylist()))


def test_the_table_can_be_narrowed_to_some_columns_of_a_metric(jobs_reader):
    """`stats=` keeps what one wants to see of each metric, and refuses what it does not know, with the list."""
    runs = jobs_reader.runs()

    columns = [name for name in runs.to_polars(stats=("best", "last")).columns if name.startswith("metrics.")]

    assert columns == [
        "metrics.loss.last", "metrics.loss[validation].last", "metrics.val/acc.last", "metrics.val/acc.best",
    ]  # fmt: skip
    with pytest.raises(QueryError, match=r"no column 'median'.*\n.*last, last_step, min"):
        runs.to_pandas(stats=["median"])


def test_a_slice_of_runs_is_a_table_too(jobs_reader):
    """`ox.runs()[:2].to_pandas()` works; the repr is short."""
    runs = jobs_reader.runs(order="name", experiment="digits")

    assert isinstance(runs[:2], RunList)
    assert list(runs[1:3].to_pandas()["name"]) == [run.name for run in runs][1:3]
    assert repr(runs).startswith("RunList(5: live-e (")
    assert repr(runs).endswith("and 2 more)")
    assert repr(runs[:0]) == "RunList(0)"


def test_what_was_edited_of_a_run_has_columns(store):
    """The note and the marks of a run are in the table and the CSV, the marks as the time at which they were set."""
    reader = reader_over(store, runs=2)
    editor = RunEditor(store, clock=lambda: NOW_NS)
    editor.note(["0" * 32], "**best**")
    editor.mark(["0" * 32], "pinned", is_set=True)

    rows = reader.runs(order="name").to_polars().select("note", "pinned", "archived", "removed").rows()
    assert [(row[0], row[1] is not None, *row[2:]) for row in rows] == [
        ("**best**", True, None, None),
        (None, False, None, None),
    ]
    table = io.StringIO()
    runs_to_csv(reader, reader.runs(order="name"), table)
    header, first, second = csv.reader(io.StringIO(table.getvalue()))
    of_first, of_second = dict(zip(header, first, strict=True)), dict(zip(header, second, strict=True))
    assert of_first["note"] == "**best**"
    assert of_first["pinned"].startswith("2023-11-14T")
    assert [of_second[key] for key in ("note", "pinned", "archived", "removed")] == ["", "", "", ""]


def test_no_runs_are_an_empty_table(store):
    """A search without an answer is a table with the columns of a run and no rows."""
    found = reader_over(store).runs(limit=0)

    for table in (found.to_pandas(), found.to_polars(), found.to_arrow().to_pandas()):
        assert len(table) == 0
        assert list(table.columns)[:4] == ["run_id", "experiment", "name", "state"]


SERIES = ("loss", "", 0, [0.0, 1.0, 1.0, math.nan], [1.5, math.nan, -math.inf, 4.0])


def test_a_series_is_a_table_of_step_time_and_value(store):
    """Each point is a row, in the order of recording, with its nanosecond; NaN stays NaN, and in Arrow and polars no null."""
    series = reader_over(store, points=[SERIES]).run("run-0").metrics["loss"]

    in_pandas, in_polars, in_arrow = series.to_pandas(), series.to_polars(), series.to_arrow()

    assert list(in_pandas.columns) == in_polars.columns == in_arrow.column_names == ["step", "time", "value"]
    assert [one.value for one in in_pandas["time"]] == [NOW_NS + i for i in range(4)]
    assert in_arrow["time"].cast(pa.int64()).to_pylist() == [NOW_NS + i for i in range(4)]
    assert in_polars["time"].cast(pl.Int64).to_list() == [NOW_NS + i for i in range(4)]
    for values in (in_pandas["value"].tolist(), in_polars["value"].to_list(), in_arrow["value"].to_pylist()):
        assert list(map(repr, values)) == ["1.5", "nan", "-inf", "4.0"]
    assert in_polars["value"].null_count() == in_arrow["value"].null_count == 0
    assert str(in_pandas["step"].dtype) == "float64"


def test_steps_are_integers_where_all_are_whole(store):
    """The steps 0, 1, 2 show as integers, steps as 0.5 as floats."""
    points = [("whole", "", 0, [0.0, 1.0], [1.0, 2.0]), ("half", "", 0, [0.0, 0.5], [1.0, 2.0])]
    metrics = reader_over(store, points=points).run("run-0").metrics

    assert metrics["whole"].to_arrow().schema.field("step").type == pa.int64()
    assert metrics["half"].to_arrow()["step"].to_pylist() == [0.0, 0.5]


def test_changing_a_table_changes_nothing_that_was_read(store):
    """The values of a series stay when the table that pandas made of them is written into."""
    series = reader_over(store, points=[("loss", "", 0, [0.0, 1.0], [1.0, 2.0])]).run("run-0").metrics["loss"]

    table = series.to_pandas()
    table.loc[:, "value"] = 9.0

    assert list(series.values) == [1.0, 2.0]


def test_the_points_of_a_series_make_a_table_by_themselves(store):
    """`pd.DataFrame(series.points())` has the columns step, time and value."""
    points = reader_over(store, points=[SERIES]).run("run-0").metrics["loss"].points()

    table = pd.DataFrame(points)

    assert list(table.columns) == ["step", "time", "value"]
    assert table["time"].iloc[0] == pd.Timestamp(NOW_NS // 1000 * 1000, tz="UTC")
    assert list(map(repr, table["value"].tolist())) == ["1.5", "nan", "-inf", "4.0"]
    assert [point.step for point in list(points)[:2]] == [0, 1]
    assert pl.DataFrame(list(points)).columns == ["step", "time", "value"]
    assert list(Points(array("d"), array("q"), array("d"))) == []


METRICS = [
    ("loss", "", 0, [0.0, 2.0, 2.0], [1.0, 3.0, 5.0]),
    ("loss", "val", 0, [1.0], [7.0]),
    ("acc", "", 0, [2.0, 0.0], [math.nan, 0.5]),
    ("acc", "", 1, [0.0], [0.25]),
]


def test_metrics_in_long_form_leave_nothing_out(store):
    """One row a point with metric, phase and rank; `rank="all"` has every rank's."""
    metrics = reader_over(store, points=METRICS).run("run-0").metrics

    assert metrics.to_polars()["metric"].to_list() == ["acc", "acc", "loss", "loss", "loss", "loss"]
    assert metrics.to_polars(rank="all").height == 7
    table = metrics.to_pandas(glob="loss")
    assert list(table.columns) == ["metric", "phase", "rank", "step", "time", "value"]
    assert table["value"].tolist() == [1.0, 3.0, 5.0, 7.0]
    assert metrics.to_arrow()["phase"].to_pylist() == [None] * 5 + ["val"]


def test_metrics_in_wide_form_have_one_row_a_step(store):
    """The step is pandas' index; a metric without a point at a step is missing there, which in polars is not NaN."""
    metrics = reader_over(store, points=METRICS).run("run-0").metrics

    in_pandas, in_polars = metrics.to_pandas(wide=True, rank="all"), metrics.to_polars(wide=True)

    assert in_pandas.index.name == "step"
    assert in_pandas.index.tolist() == [0, 1, 2]
    assert list(in_pandas.columns) == ["acc", "acc[rank=1]", "loss", "loss[val]"]
    assert in_polars["loss"].to_list() == [1.0, None, 5.0]
    acc = in_polars["acc"].to_list()
    assert acc[:2] == [0.5, None]
    assert math.isnan(acc[2])


def test_metrics_whose_columns_would_be_one_have_a_column_each(store):
    """Metrics called as another column, as another one's phase is written, or as the way out of that, all have a column."""
    points = [
        ("step", "", 0, [7.0], [1.0]),
        ("metrics.step", "", 0, [7.0], [2.0]),
        ("a", "val", 0, [7.0], [3.0]),
        ("a[val]", "", 0, [7.0], [4.0]),
        ("metrics.a[val]", "", 0, [7.0], [5.0]),
    ]
    reader = reader_over(store, points=points)

    wide = reader.run("run-0").metrics.to_polars(wide=True)
    runs = reader.runs().to_polars(stats=["last"])

    assert sorted(wide.drop("step").row(0)) == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert wide["step"].to_list() == [7]
    assert sorted(runs.select(pl.selectors.starts_with("metrics.")).row(0)) == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert (runs["metrics.a[val].last"][0], runs["metrics.a[val][].last"][0]) == (3.0, 4.0)


@pytest.mark.parametrize(
    ("rule", "expected"), [("last", 5.0), ("first", 3.0), ("mean", 4.0), ("min", 3.0), ("max", 5.0)]
)
def test_a_step_logged_twice_has_one_value_by_a_rule(store, rule, expected):
    """A wide table has the value recorded last, or the one that `duplicates=` asks for."""
    metrics = reader_over(store, points=METRICS).run("run-0").metrics

    assert metrics.to_pandas(wide=True, duplicates=rule)["loss"][2] == expected


def test_an_unknown_rule_for_duplicates_is_refused(store):
    """The error lists the rules."""
    with pytest.raises(QueryError, match=r"'median'.*\n.*last, first, mean, min or max"):
        reader_over(store).run("run-0").metrics.to_pandas(wide=True, duplicates="median")


@pytest.mark.parametrize("rule", ["last", "first", "mean", "min", "max"])
def test_points_without_a_step_are_one_row_of_a_wide_table(store, rule):
    """They come last, and keep their value out of the rows of other steps."""
    points = [("a", "", 0, [math.nan, 3.0], [1.0, 2.0]), ("b", "", 0, [3.0], [4.0])]
    metrics = reader_over(store, points=points).run("run-0").metrics

    table = metrics.to_polars(wide=True, duplicates=rule)

    assert table.rows() == [(3, 2.0, 4.0), (None, 1.0, None)]


def test_an_answer_of_sql_is_a_table(jobs_reader):
    """Numbers stay numbers, bytes bytes, nulls nulls; a column of a name that is there already gets a number."""
    answer = jobs_reader.sql(
        "select name, created_ns, x'00ff' as raw, null as n, 1 as name from runs order by name"
    )

    assert list(answer.to_pandas().columns) == ["name", "created_ns", "raw", "n", "name_2"]
    assert answer.to_polars()["created_ns"].to_list() == [row[1] for row in answer]
    assert answer.to_arrow()["raw"][0].as_py() == b"\x00\xff"
    assert answer.to_polars()["n"].null_count() == len(answer) == 6
    assert jobs_reader.sql("select name from runs where 0").to_pandas().columns.tolist() == ["name"]


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_a_missing_library_is_named_with_its_extra(jobs_reader, monkeypatch, library):
    """The error says which package to install, of runs, series, metrics and SQL alike; the other libraries are not needed."""
    for one in {"pandas", "polars", "pyarrow"} - ({"pandas"} if library != "pandas" else set()):
        monkeypatch.setitem(sys.modules, one, None)
    monkeypatch.setitem(sys.modules, library, None)
    run = jobs_reader.run("mlp-a")
    method = "to_arrow" if library == "pyarrow" else f"to_{library}"

    for what in (jobs_reader.runs(), run.metrics, run.metrics["loss"], jobs_reader.sql("select 1")):
        with pytest.raises(MissingPackageError, match=rf"(?s)needs the package '{library}'.*\[frames\]"):
            getattr(what, method)()


@pytest.mark.parametrize(
    ("method", "unneeded"),
    [("to_pandas", ["polars"]), ("to_polars", ["pyarrow", "pandas"]), ("to_arrow", ["pandas", "polars"])],
)
def test_each_table_needs_its_own_library_only(jobs_reader, monkeypatch, method, unneeded):
    """Who has polars needs no pyarrow, and so on."""
    for library in unneeded:
        monkeypatch.setitem(sys.modules, library, None)

    assert getattr(jobs_reader.runs(), method)().shape[0] == 6


def test_spans_are_a_table_with_a_column_for_each_attribute(jobs_reader, jobs):
    """A narrowed view is a table of its spans; an open one has no end; an attribute keeps its type."""
    spans = jobs_reader.run("lost-d").spans.named("epoch")

    in_pandas, in_polars = spans.to_pandas(), spans.to_polars()

    assert in_polars["attributes.ml.epoch.index"].to_list() == [0, 1]
    assert in_polars.schema["attributes.ml.epoch.index"] == pl.Int64
    assert in_polars["end"].null_count() == in_polars["duration_s"].null_count() == 1
    assert in_pandas["duration_s"].tolist()[0] == 0.5
    assert in_polars["trace_id"].to_list() == [jobs.ids["lost-d"]] * 2
    (root,) = jobs_reader.run("sgd-c").spans.errors().to_polars().to_dicts()
    assert '"name":"exception"' in root["events"]


def test_log_records_events_and_data_points_are_tables_too(store):
    """`run.log_records`, `run.events(...)` and `run.instrument_points` are lists that can be had as a table."""
    batch = WriteBatch(runs=[Run(RUN_ID, "exp", "job", RunState.SUCCEEDED, NOW_NS)])
    batch.log_records.append(
        LogRecord(NOW_NS, NOW_NS, event_name="saved", body={"n": 1}, attributes={"k": True}, run_id=RUN_ID)
    )
    batch.log_records.append(LogRecord(NOW_NS + 1, NOW_NS, body="hello", severity_text="INFO", run_id=RUN_ID))
    batch.instrument_points.append(
        InstrumentPoint("n", "sum", NOW_NS, value=3, attributes={"rank": 1}, run_id=RUN_ID)
    )
    store.apply(batch)
    run = Reader(store).run("job")

    records = run.log_records
    assert isinstance(records, list)
    assert records.to_polars()["body"].to_list() == ['{"n": 1}', "hello"]
    assert records.to_polars()["attributes.k"].to_list() == [True, None]
    assert run.events("saved").to_pandas()["time"].iloc[0].value == NOW_NS
    points = run.instrument_points
    assert points.to_arrow().select(["name", "value", "int_value", "attributes.rank"]).to_pylist() == [
        {"name": "n", "value": 3.0, "int_value": 3, "attributes.rank": 1}
    ]
    assert (repr(records), repr(points)) == ("LogRecordList(2)", "InstrumentPointList(1)")


@pytest.mark.parametrize("has_numpy", [True, False])
@pytest.mark.parametrize(
    ("odd", "kind"),
    [(None, "int"), (0.5, "float"), (math.nan, "float"), (math.inf, "float"), (2.0**60, "float")],
)
def test_many_steps_are_found_whole_as_few_are(monkeypatch, has_numpy, odd, kind):
    """A long series has the types of a short one, with NumPy and without it."""
    steps = array("d", [*map(float, range(12_000)), *([] if odd is None else [odd])])
    if not has_numpy:
        monkeypatch.setitem(sys.modules, "numpy", None)

    column = step_column(steps)

    assert column.kind == kind
    assert list(map(repr, column.values)) == [repr(int(step) if kind == "int" else step) for step in steps]
    assert step_column(steps[-5:]).kind == kind
