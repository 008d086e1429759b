"""`metrics --rank`: the series of one rank of a job, or of all."""

import pytest

from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.store import open_store


@pytest.fixture
def job(empty_terminal, jobs):
    """Return the command line over six runs, to one of which two more ranks have recorded a loss."""
    with open_store(empty_terminal.store) as store:
        store.apply(jobs.batch)
        for rank in (1, 2):
            key = SeriesKey("loss", rank=rank)
            block = PointBlock(jobs.ids["mlp-a"], (key,), [0.0, 1.0], [1, 2], ([rank + 0.0, rank + 0.5],))
            store.apply(WriteBatch(points=[block]))
    return empty_terminal


def test_the_lowest_rank_is_shown_unless_another_is_asked_for(job):
    """Without --rank the table and the chart are those of rank 0, with it those of that rank."""
    table, chart = job.text("metrics", "mlp-a"), job.text("metrics", "mlp-a", "loss", "--rank", "2")

    assert table.splitlines()[-1] == "... and 2 more ranks: otel-experiments metrics RUN --rank all"
    assert "rank" not in table.rsplit("\n", 2)[0]
    assert "... and 2 more ranks" in job.text("show", "mlp-a")
    assert chart.splitlines()[0].startswith("loss rank 2 ")
    assert job.json("metrics", "mlp-a", "loss")["rank"] == 0
    assert job.json("metrics", "mlp-a", "loss", "--rank", "1")["points"]["values"] == [1.0, 1.5]


def test_all_ranks_are_a_table(job):
    """--rank all lists the series of each rank, of one metric or of all of them."""
    of_loss = job.json("metrics", "mlp-a", "loss", "--rank", "all")["metrics"]
    everything = job.text("metrics", "mlp-a", "--rank", "all", COLUMNS="120")

    assert [(one["name"], one["rank"]) for one in of_loss] == [("loss", 0), ("loss", 1), ("loss", 2)]
    assert "loss rank 1" in everything
    assert "loss rank 2" in everything
    assert "more ranks" not in everything


def test_a_rank_that_is_none_is_refused(job):
    """A rank without the metric, and a text that is no rank, are errors that say what there is."""
    missing = job.run("metrics", "mlp-a", "loss", "--rank", "7")
    wrong = job.run("metrics", "mlp-a", "--rank", "first")

    assert (missing.exit_code, wrong.exit_code) == (4, 2)
    assert "loss of rank 7" in missing.stderr
    assert "neither the number of a rank nor 'all'" in wrong.stderr
