"""What the command line says of metrics whose points came without steps."""

import math

from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.store import open_store


def test_a_metric_whose_steps_are_derived_says_so(terminal, jobs, tmp_path):
    """A metric that came without steps is said to have none: in its chart, below the table, in JSON."""
    terminal = type(terminal)(tmp_path / "derived.db")
    with open_store(terminal.store) as store:
        store.apply(jobs.batch)
        store.apply(
            WriteBatch(
                points=[
                    PointBlock(
                        jobs.ids["mlp-a"], (SeriesKey("depth"),), [math.nan] * 2, [1, 2], ([0.5, 0.25],)
                    )
                ]
            )
        )

    chart, table = terminal.text("metrics", "mlp-a", "depth"), terminal.text("metrics", "mlp-a")
    shown = {one["name"]: one for one in terminal.json("metrics", "mlp-a")["metrics"]}

    assert "last 0.25 @ 1" in chart
    assert "no steps came with it: they number the points by time" in " ".join(chart.split())
    assert "depth: no steps came with it: they number the points by time" in table
    assert (shown["depth"]["has_derived_steps"], shown["depth"]["max_step"]) == (True, 0)
    assert {one["has_derived_steps"] for name, one in shown.items() if name != "depth"} == {False}
    assert "no steps came" not in terminal.text("metrics", "mlp-b")


def test_a_run_without_metrics_says_which_gauges_came_without_a_step(terminal, tmp_path):
    """A run of which gauges without steps came has no metrics, and `show` and `metrics` say where the gauges are."""
    terminal = type(terminal)(tmp_path / "gauges.db")
    run_ids = {"withid": "a" * 32, "bare": "b" * 32}
    with open_store(terminal.store) as store:
        store.apply(
            WriteBatch(
                runs=[Run(run_id, "digits", name, RunState.RUNNING, 1) for name, run_id in run_ids.items()],
                instrument_points=[
                    InstrumentPoint(
                        name="queue.depth", kind="gauge", time_ns=time_ns, value=1.0, run_id=run_ids["withid"]
                    )
                    for time_ns in (1, 2)
                ],
            )
        )
    told = "1 gauge without a step (queue.depth): metrics have steps, these are in run.instrument_points"

    for command in ("metrics", "show"):
        assert told in " ".join(terminal.text(command, "withid").split())
        assert "gauge" not in terminal.text(command, "bare")
    assert "Run aaaaaaaa (withid) has no metrics." in terminal.text("metrics", "withid")
    assert terminal.json("metrics", "withid")["metrics"] == []
