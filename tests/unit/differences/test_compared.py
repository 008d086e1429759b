"""Several runs side by side, and their curves in one figure."""

import csv
import io
import math

import otel_experiments as ox
from otel_experiments.differences.compared import compare_runs
from otel_experiments.differences.many_curves import figure_of_groups, group_curves
from otel_experiments.model.run import RunState
from otel_experiments.model.search import ParamField

from .conftest import Made


def rows(table, kind):
    """Return the rows of a kind, by key."""
    return {row.key: row for row in table.rows if row.kind == kind}


def test_only_what_differs_is_in_the_table(pair):
    """Params that all runs share are left out, and runs that are the same have no row."""
    a, b = pair(Made(), Made(params={"lr": 0.2, "model.depth": 3, "seed": 1}))

    assert list(rows(compare_runs([a, b]), "param")) == ["lr"]
    assert compare_runs([a, a]).rows == ()
    assert "without a difference" in compare_runs([a, a]).text()


def test_a_metric_is_measured_by_the_baseline(pair):
    """Each value says how far it is from the first run's, and whether that is better."""
    way = {"loss": "min"}
    a, b = pair(Made(loss=[2.0] * 9, directions=way), Made(loss=[1.0] * 9, directions=way))

    assert rows(compare_runs([a, b]), "metric")["loss"].change(1) == "-50 %, better"
    assert rows(compare_runs([b, a]), "metric")["loss"].change(1) == "+100 %, worse"
    assert rows(compare_runs([b, a]), "metric")["loss"].change(0) == ""


def test_a_run_without_the_metric_has_no_value(pair):
    """What a run lacks is empty, and measures nothing."""
    table = compare_runs(pair(Made(), Made(loss=[])))

    assert rows(table, "metric")["loss"].values[1] is None
    assert rows(table, "metric")["loss"].change(1) == ""


def test_rows_begin_with_the_most_telling(pair):
    """Params come first, a learning rate before a seed; then metrics, then facts such as the state."""
    other = Made(params={"lr": 0.2, "model.depth": 3, "seed": 2}, loss=[3.0] * 9, state=RunState.FAILED)
    table = compare_runs(pair(Made(), other))

    assert [row.key for row in table.rows] == ["lr", "seed", "loss", "state"]


def test_csv_is_safe_in_a_spreadsheet(pair):
    """A param that begins like a formula is text, and each run but the baseline has its changes beside it."""
    a, b = pair(Made(params={"x": "=cmd()"}), Made(params={"x": "y"}, loss=[1.0, 3.0]))
    found = list(csv.reader(io.StringIO(compare_runs([a, b]).csv())))

    assert found[0][:3] == ["kind", "key", "statistic"]
    assert found[1][3] == "'=cmd()"
    assert len({len(row) for row in found}) == 1


def test_the_text_fits_and_counts_the_runs_that_do_not(pair):
    """With many runs the columns that fit are shown, and the others counted."""
    a, b = pair(Made(name="a" * 30), Made(name="b" * 30, params={}))
    text = compare_runs([a, *[b] * 9]).text(width=80)

    assert max(map(len, text.splitlines())) <= 80
    assert "more: a wider terminal" in text


def test_every_form_escapes_names(pair):
    """Markup and control characters in names and values break no form of the table."""
    hostile = "<b>|`\x1b[31m"
    table = compare_runs(
        pair(Made(name=hostile, params={hostile: 1}), Made(name=hostile, params={hostile: hostile}))
    )

    assert all("\x1b" not in form for form in (table.text(), table.markdown(), table._repr_html_()))
    assert "<b>" not in table._repr_html_()


def test_ox_compare_takes_a_search_and_a_baseline(tmp_path):
    """`ox.compare(where=...)` finds the runs, and `baseline=` puts one first."""
    with ox.Recorder(store=tmp_path / "runs.db", quiet=True) as recorder:
        for lr in (0.1, 0.2, 0.3):
            with recorder.start_run(f"lr-{lr}", config={"lr": lr}) as run:
                run.log({"loss": lr}, step=0)
    table = ox.compare(where="params.lr < 0.25", baseline="lr-0.2", store=tmp_path / "runs.db")

    assert [one.name for one in table.runs] == ["lr-0.2", "lr-0.1"]
    assert rows(table, "param")["lr"].values == (0.2, 0.1)


def test_runs_of_one_value_are_one_curve_with_a_range(pair):
    """Two runs of one learning rate are a mean with a range; a NaN is left out of it."""
    a, b = pair(Made(loss=[1.0, 2.0, 3.0]), Made(loss=[3.0, 2.0, math.nan]))
    (group,) = group_curves([a, b], "loss", by=ParamField("lr"))

    assert (group.label, len(group.runs)) == ("0.1", 2)
    assert group.merged.mean == [2.0, 2.0, 3.0]
    assert (group.merged.low, group.merged.high) == ([1.0, 2.0, 3.0], [3.0, 2.0, 3.0])
    assert len(figure_of_groups([group], "loss").areas) == 1


def test_each_run_is_a_curve_without_a_group(pair):
    """Runs of one name are told apart by their id, and a run without the metric is left out."""
    a, b = pair(Made(name="x"), Made(name="x"))

    assert [one.label for one in group_curves([a, b], "loss")] == [f"x {a.short_id}", f"x {b.short_id}"]
    assert group_curves([a, b], "nothing") == []
