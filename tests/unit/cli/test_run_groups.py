"""`runs --group-by`: one row a group, with how many runs there are, how they ended, and how a metric came out."""

import json

import pytest
from click.testing import CliRunner

import otel_experiments as ox
from otel_experiments.cli.root import root


@pytest.fixture
def shell(tmp_path):
    """Return the command line over six runs: two groups, three learning rates, one failed, one without accuracy."""
    store = tmp_path / "groups.db"
    ox.configure(store=store, on_error="log")
    for number, (group, lr, acc) in enumerate(
        [
            ("small", 0.1, 0.5),
            ("small", 0.1, 0.7),
            ("small", 0.01, float("nan")),
            ("large", 0.1, 0.9),
            ("large", 0.3, 0.8),
            (None, 0.3, None),
        ]
    ):
        tags = {"team": "vision"} if number % 2 else None
        with ox.start_run(f"run {number}", experiment="e", group=group, config={"lr": lr}, tags=tags) as run:
            if acc is not None:
                run.log({"acc": acc}, step=0)
            if number == 1:
                run.fail("no memory")
    ox.shutdown()

    def call(*words, code=0):
        words = [*words, "--store", str(store)]
        result = CliRunner().invoke(root, words, prog_name="otel-experiments", env={"COLUMNS": "160"})
        assert result.exit_code == code, result.output
        return result.output

    return call


def groups(shell, *words):
    """Return what --json says of each group."""
    return json.loads(shell("runs", *words, "--json"))["groups"]


def test_a_group_is_a_row_with_states_and_the_sort_metric(shell):
    """The group of the best run is first; NaN and runs without the metric are in no number but in the count."""
    lines = shell("runs", "--group-by", "group", "--order", "-metrics.acc.max").splitlines()

    assert lines[0].split() == [
        "group",
        "runs",
        "states",
        "newest",
        "best",
        "mean",
        "min",
        "max",
        "best",
        "run",
    ]
    rows = {line.split()[0]: line.split() for line in lines[2:5]}
    assert list(rows) == ["large", "small", "-"]
    assert rows["large"][1:4] == ["2", "2", "succeeded"]
    assert rows["large"][-6:] == ["0.9", "0.85", "0.8", "0.9", "run", "3"]
    assert rows["small"][1:6] == ["3", "2", "succeeded,", "1", "failed"]
    assert rows["small"][-6:] == ["0.7", "0.6", "0.5", "0.7", "run", "1"]
    assert rows["-"][-5:] == ["-"] * 5
    assert lines[-1] == "3 groups of 6 runs, by metrics.acc.max"


def test_the_best_is_that_of_the_order_that_was_asked_for(shell):
    """Sorted the other way round the least is the best."""
    first = groups(shell, "--group-by", "group", "--sort", "metrics.acc.max")[0]

    assert (first["value"], first["runs"], first["states"]) == ("small", 3, {"succeeded": 2, "failed": 1})
    assert {key: first["metric"][key] for key in ("name", "runs", "best", "mean", "min", "max")} == {
        "name": "metrics.acc.max", "runs": 2, "best": 0.5, "mean": 0.6, "min": 0.5, "max": 0.7,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("field", "counts"),
    [
        ("experiment", {"e": 6}),
        ("params.lr", {0.3: 2, 0.1: 3, 0.01: 1}),
        ("tags.team", {"vision": 3, None: 3}),
        ("state", {"succeeded": 5, "failed": 1}),
    ],
)
def test_runs_are_grouped_by_any_field(shell, field, counts):
    """Params keep their type; runs without the field are a group of their own; without a metric none is summed up."""
    found = groups(shell, "--group-by", field)

    assert {one["value"]: one["runs"] for one in found} == counts
    assert {one["metric"] for one in found} == {None}


def test_a_page_is_one_of_groups_and_the_search_counts(shell):
    """--limit and --offset take groups, --where leaves runs out before they are grouped."""
    assert "1 of 3 groups of 6 runs" in shell("runs", "--group-by", "group", "-n", "1", "--offset", "1")
    found = json.loads(shell("runs", "--group-by", "group", "--where", "params.lr == 0.3", "--json"))
    assert (found["total"], found["total_runs"]) == (2, 2)
    assert "No run matches" in shell("runs", "--group-by", "group", "--where", "params.lr == 7")


def test_options_that_mean_nothing_for_groups_are_refused(shell):
    """A tree and columns are of runs, and one field makes the groups."""
    assert "leave --columns, --tree and --cursor out" in shell(
        "runs", "--group-by", "group", "--tree", code=2
    )
    assert "takes one field, not 2" in shell("runs", "--group-by", "group, experiment", code=2)
