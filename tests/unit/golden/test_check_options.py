"""What a check of goldens may write, and from how many runs on it judges their times."""

import pytest

from otel_experiments.golden.baseline import make_golden
from otel_experiments.goldens.options import CheckOptions
from otel_experiments.goldens.paths import accept, pending_path, reject, stats_path

PARTS = frozenset({"structure"})


@pytest.mark.parametrize(
    ("options", "may_write"),
    [
        (CheckOptions(), True),
        (CheckOptions(is_ci=True), False),
        (CheckOptions(is_ci=True, parts=PARTS), False),
        (CheckOptions(is_ci=True, is_forced=True), False),
        (CheckOptions(is_ci=True, is_forced=True, parts=PARTS), True),
    ],
    ids=["at a desk", "in CI", "an update in CI", "forced without an update", "a forced update"],
)
def test_in_ci_only_a_forced_update_writes(options, may_write):
    """Force alone makes no file in CI, not even a pending one: there is nothing that it could force."""
    assert options.may_write is may_write


@pytest.mark.parametrize(("runs", "expected"), [(1, "advisory"), (2, "fail"), (3, "fail")])
def test_times_fail_from_the_least_number_of_timed_runs_on(programs, runs, expected):
    """A golden with exactly so many timed runs as are asked for fails for them; one with fewer warns."""
    timed = [
        programs.run_program(programs.training(), programs.Conditions(seed=seed)) for seed in range(runs)
    ]
    golden = make_golden(timed)

    assert len(golden.timing) == runs
    assert CheckOptions(least_timed_runs=2).policy_for(golden).timing == expected
    assert CheckOptions(least_timed_runs=2, timing="off").policy_for(golden).timing == "off"


@pytest.fixture
def pending(tmp_path):
    """Return a golden that waits beside an accepted one, both with times."""
    golden = tmp_path / "train.otg"
    for path, text in ((golden, "old"), (stats_path(golden), "old times")):
        path.write_text(text)
        pending_path(path).write_text(text.replace("old", "new"))
    return pending_path(golden)


def contents(folder):
    """Return the texts of a folder's files by name."""
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_pending_golden_is_accepted_with_its_times(pending, tmp_path):
    """Both take the places of the old ones, and nothing waits any more."""
    golden = accept(pending)

    assert contents(tmp_path) == {golden.name: "new", stats_path(golden).name: "new times"}


def test_a_pending_golden_is_rejected_with_its_times(pending, tmp_path):
    """Both are gone, and the accepted ones are as they were."""
    reject(pending)

    assert contents(tmp_path) == {"train.otg": "old", stats_path(tmp_path / "train.otg").name: "old times"}
