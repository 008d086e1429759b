"""What the program set, how often params changed, and curves over another metric, as commands print them."""

import pytest

import otel_experiments as ox


@pytest.fixture
def recorded(store_path, empty_terminal):
    """A terminal over one run with epochs, a summary and a param that changes."""
    ox.configure(store=store_path, quiet=True, system_metrics_s=0)
    with ox.start_run("r", config={"lr": 0.1, "opt": "sgd", "depth": 2}) as run:
        run.define_metric("val/*", step_metric="epoch", summary="min")
        run.define_metric("debug/*", hidden=True)
        for epoch in range(4):
            run.log({"epoch": 10 * epoch, "debug/norm": 1.0})
            run.log({"val/loss": 4.0 - epoch, "loss": 1.0})
        run.config.update({"lr": 0.01, "opt": "adam"})
        run.config.lr = 0.001
        run.summary.update({"best": 0.93, "note": "converged"})
    ox.shutdown()
    empty_terminal.store = store_path
    return empty_terminal


def test_show_has_the_summary_and_says_how_often_params_changed(recorded):
    """Below the config a line, above the metrics what the program set; JSON has both."""
    lines = recorded.text("show", "r").splitlines()
    assert "lr changed 2 times; opt changed once" in lines
    assert "best  0.93" in lines
    assert "note  converged" in lines

    page = recorded.json("show", "r")
    assert page["params_changed"] == {"lr": 2, "opt": 1}
    assert page["summary"]["best"] == 0.93
    assert page["summary"]["val/loss"] == {"min": 1.0}
    assert page["summary"]["loss"] == 1.0


def test_a_chart_stands_over_the_declared_axis(recorded):
    """`--x` names another one; `step` means the steps."""
    assert ", over epoch" in recorded.text("metrics", "r", "val/loss")
    assert ", over epoch" in recorded.text("metrics", "r", "loss", "--x", "epoch")
    assert ", over" not in recorded.text("metrics", "r", "val/loss", "--x", "step")
    assert ", over" not in recorded.text("metrics", "r", "loss")

    found = recorded.json("metrics", "r", "val/loss")
    assert (found["x"], found["points"]["steps"]) == ("epoch", [0, 10, 20, 30])
    assert recorded.json("metrics", "r", "loss")["x"] == "step"
    band = recorded.run("metrics", "r", "loss", "--x", "epoch", "--buckets", "2", "--json")
    assert '"last_steps":[10,30]' in band.stdout.replace(" ", "")


def test_an_axis_that_there_is_not_is_named(recorded):
    """The error names the metrics that there are."""
    result = recorded.run("metrics", "r", "loss", "--x", "epocs")
    assert result.exit_code == 4
    assert "epocs" in result.stderr
    assert "epoch" in result.stderr


def test_hidden_metrics_are_left_out_of_the_table_of_all(recorded):
    """A line says how many there are and how to see them; a glob has them."""
    result = recorded.run("metrics", "r")
    assert "debug/norm" not in result.stdout
    assert result.stderr.startswith("1 hidden: otel-experiments metrics ")
    assert "debug/norm" in recorded.text("metrics", "r", "*")
    assert "debug/norm" in {one["name"] for one in recorded.json("metrics", "r")["metrics"]}
