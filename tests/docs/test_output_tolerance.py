"""How far real output may differ from what a page shows."""

import pytest


@pytest.mark.parametrize(
    ("documented", "actual"),
    [
        pytest.param("took 1.72 s", "took 43 ms", id="a duration"),
        pytest.param("made 2026-01-02 10:31:55 (2s ago)", "made 2027-11-21 09:00:01 (now)", id="a time"),
        pytest.param("run 3f2a9c01", "run 0011aabb", id="an id"),
        pytest.param("store '/home/me/runs.db'", "store '/tmp/x/runs.db'", id="a path"),
        pytest.param("5 runs, 520 kB", "5 runs, 1.2 MB", id="a size"),
        pytest.param("name   time\n────────\na      1 s", "name time\n───\na 12.5 ms", id="padding"),
        pytest.param("a\n...\nz", "a\nb\nc\nz", id="lines left out"),
        pytest.param("a\n...\nz", "a\nz", id="no line left out"),
        pytest.param("seed 7, host ...", "seed 7, host box-1 amd64", id="the rest of a line"),
    ],
)
def test_what_changes_with_every_run_is_tolerated(output_difference, documented, actual):
    """Times, ids, paths, sizes and padding may differ, and what the page leaves out."""
    assert output_difference(documented, actual) == ""


@pytest.mark.parametrize(
    ("documented", "actual"),
    [
        pytest.param("accuracy 0.9611", "accuracy 0.9612", id="a number"),
        pytest.param("x15", "x14", id="a count"),
        pytest.param("4 of 12 runs", "5 of 12 runs", id="a number in prose"),
        pytest.param("state failed", "state lost", id="a word"),
        pytest.param("a\nb", "b\na", id="the order of lines"),
        pytest.param("a", "a\nb", id="a line too many"),
        pytest.param("a\nb", "a", id="a line too few"),
        pytest.param("", "a", id="output where none is shown"),
        pytest.param("a\n...\nz", "a\nb", id="the end after lines left out"),
        pytest.param("took 1.72 s", "took long", id="a word for a duration"),
    ],
)
def test_what_a_page_claims_is_compared(output_difference, documented, actual):
    """Everything else has to be as the page shows it."""
    assert output_difference(documented, actual) != ""
