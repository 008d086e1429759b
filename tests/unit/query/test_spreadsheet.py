"""What a spreadsheet would run as a formula."""

import csv
import io

import pytest

import otel_experiments as ox
from otel_experiments._opening import open_reader
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.query.export.spreadsheet import defused
from otel_experiments.query.export.text import points_to_csv, runs_to_csv
from otel_experiments.store import open_store

FORMULAS = [
    "=1+1",
    '=HYPERLINK("http://x")',
    "+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\uff1d1+1",
    "--lr",
    "-",
    "+",
    "-1_000",
    "-1\n",
    "-0x10",
]
HARMLESS = [
    "",
    "text",
    "a=b",
    "1+1",
    " =1",
    "-1",
    "+1.5",
    "-1e-3",
    "-inf",
    "-nan",
    "'=1",
    -1,
    -0.5,
    None,
    True,
    "2026-11-30",
]


@pytest.mark.parametrize("cell", FORMULAS)
def test_a_text_that_begins_like_a_formula_gets_an_apostrophe(cell):
    """All that spreadsheets take for a beginning, what a number is made of included."""
    assert defused([cell]) == [f"'{cell}"]


@pytest.mark.parametrize("cell", HARMLESS)
def test_numbers_and_texts_stay_as_they_are(cell):
    """Negative numbers are numbers, and a formula is one only at the beginning."""
    assert defused([cell]) == [cell]


def test_an_export_is_exact_unless_it_is_to_be_safe(store_path):
    """By default what is read back is what was recorded; with the option no cell begins like a formula."""
    ox.configure(store=store_path, system_metrics_s=0.0)
    with ox.start_run("=1+1", config={"x": "@SUM(A1)", "low": -3, "text": "-4"}, tags={"t": "+cmd"}) as run:
        run.log({"=loss": -0.5}, phase="-p")
    ox.shutdown()
    with open_reader(store_path) as reader:
        for is_safe in (False, True):
            runs, points = io.StringIO(), io.StringIO()
            runs_to_csv(reader, reader.runs(), runs, spreadsheet_safe=is_safe)
            points_to_csv(reader, reader.runs(), points, spreadsheet_safe=is_safe)
            (row,) = csv.DictReader(io.StringIO(runs.getvalue(), newline=""))
            (point,) = csv.DictReader(io.StringIO(points.getvalue(), newline=""))
            mark = "'" if is_safe else ""
            found = [row["name"], row["params.x"], row["tags.t"], point["metric"], point["phase"]]
            assert found == [f"{mark}{text}" for text in ("=1+1", "@SUM(A1)", "+cmd", "=loss", "-p")]
            assert (row["params.low"], row["params.text"], point["value"]) == ("-3", "-4", "-0.5")


def test_the_id_of_a_run_from_elsewhere_is_no_formula_either(store_path):
    """Rows of points begin with the id, which a store from elsewhere may have made a formula."""
    with open_store(store_path) as store:
        run = Run("=1+1", "exp", "a", RunState.SUCCEEDED, 1, 1, 2)
        store.apply(
            WriteBatch(runs=[run], points=[PointBlock("=1+1", (SeriesKey("loss"),), [0.0], [1], ([0.5],))])
        )
    with open_reader(store_path) as reader:
        points = io.StringIO()
        points_to_csv(reader, reader.runs(), points, spreadsheet_safe=True)

    (point,) = csv.DictReader(io.StringIO(points.getvalue(), newline=""))
    assert point["run_id"] == "'=1+1"
