"""`summary.best > 0.9`: what programs set in the summaries of their runs is searched, sorted and shown as params are."""

import contextlib

import pytest

import otel_experiments as ox


@pytest.fixture
def recorded(store_path):
    """Three runs, of which two have a summary."""
    ox.configure(store=store_path, quiet=True, system_metrics_s=0)
    for name, values in (
        ("good", {"best": 0.9, "note": "a"}),
        ("bad", {"best": 0.1, "deep": {"x": True}}),
        ("none", {}),
    ):
        with ox.start_run(name) as run:
            run.summary.update(values)
    ox.shutdown()
    return store_path


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("summary.best > 0.5", {"good"}),
        ("summary.best <= 0.9", {"good", "bad"}),
        ('summary["note"] == "a"', {"good"}),
        ('summary.note.contains("a")', {"good"}),
        ("summary.deep.x == True", {"bad"}),
        ("exists(summary.best)", {"good", "bad"}),
        ('not ("best" in summary)', {"none"}),
        ("params.best > 0.5", set()),
    ],
)
def test_runs_are_found_by_their_summary(recorded, search, found):
    """Each operator that a param takes; a param of the name is something else."""
    with pytest.warns(ox.errors.SearchWarning) if not found else contextlib.nullcontext():
        runs = ox.runs(search, store=recorded)
    assert {run.name for run in runs} == found


def test_runs_are_sorted_by_their_summary(recorded):
    """Runs without it come last, and the value is a column."""
    runs = ox.runs(order="-summary.best", store=recorded)
    assert [run.name for run in runs] == ["good", "bad", "none"]


def test_a_misspelt_key_is_told(recorded):
    """The warning names what is near."""
    with pytest.warns(ox.errors.SearchWarning, match=r"summary\.bets.*\n.*summary\.best"):
        assert list(ox.runs("summary.bets > 0", store=recorded)) == []
