"""`otel-experiments compare` and `metrics RUN... --name`: forms, groups, errors."""

import csv
import io

import pytest


def test_the_table_shows_what_differs(terminal):
    """The baseline is the first column, and what all runs share is left out."""
    text = terminal.text("compare", "mlp-a", "mlp-b", "sgd-c")

    assert text.splitlines()[0].split() == ["mlp-a", "mlp-b", "sgd-c"]
    assert "optim.lr" in text
    assert "optim.name" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_baseline_is_chosen(terminal):
    """--baseline puts a run first, whether it is among the others or not."""
    found = terminal.json("compare", "--where", 'experiment == "digits"', "--baseline", "sgd-c")

    assert found["runs"][0]["name"] == "sgd-c"
    assert [one["name"] for one in found["runs"]].count("sgd-c") == 1


@pytest.mark.parametrize("form", ["json", "markdown", "csv"])
def test_every_form_is_printed(terminal, form):
    """JSON, Markdown and CSV go to standard output."""
    text = terminal.text("compare", "mlp-a", "mlp-b", "--format", form)

    assert "optim.lr" in text
    assert form != "csv" or len({len(row) for row in csv.reader(io.StringIO(text))}) == 1


@pytest.mark.parametrize(
    "arguments", [[], ["mlp-a"], ["mlp-a", "mlp-a"], ["--where", "params.optim.lr > 99"]]
)
def test_fewer_than_two_runs_are_refused(terminal, arguments):
    """There is nothing to compare in one run, and a search may find none."""
    result = terminal.run("compare", *arguments)

    assert result.exit_code == 2


def test_an_unknown_run_or_a_wrong_search_is_an_error(terminal):
    """A name that no run has exits with 4, an expression that cannot be understood with 5."""
    assert terminal.run("compare", "mlp-a", "nothing").exit_code == 4
    assert terminal.run("compare", "--where", "params.lr >").exit_code == 5


def test_curves_of_several_runs_are_one_chart(terminal):
    """Each run has a letter, and a line with its last value."""
    text = terminal.text("metrics", "mlp-a", "mlp-b", "--name", "val/acc")

    assert text.startswith("val/acc\n")
    assert "a mlp-a   b mlp-b" in text
    assert "last mean" in text


def test_curves_are_grouped_by_a_param(terminal):
    """Runs of one value are one curve, with how many they are."""
    found = terminal.json(
        "metrics", "mlp-a", "mlp-b", "sgd-c", "--name", "loss", "--group-by", "params.optim.name"
    )

    assert [(one["label"], len(one["run_ids"])) for one in found["curves"]] == [("sgd", 3)]


def test_runs_without_the_metric_are_counted(terminal):
    """A metric that no run has is said, and so are runs that lack it."""
    assert "None of 2 runs has the metric nothing" in terminal.text(
        "metrics", "mlp-a", "mlp-b", "--name", "nothing"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["mlp-a", "loss", "acc"], ["--name", "loss"], ["mlp-a", "--group-by", "params.lr"],
        ["mlp-a", "--name", "loss", "--rank", "1"],
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_a_usage_error(terminal, arguments):
    """Without --name there is one run, and options of one chart are not taken for several runs."""
    assert terminal.run("metrics", *arguments).exit_code == 2
