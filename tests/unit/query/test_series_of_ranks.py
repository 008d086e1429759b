"""Metrics that several ranks recorded into one run: whose series is shown, and how to ask for the others."""

import math

import pytest

from otel_experiments.errors import MetricNotFoundError
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.query import Reader
from otel_experiments.query.export.text import points_to_csv
from otel_experiments.store import open_store

RUN_ID = "a" * 32


@pytest.fixture(params=["sqlite://:memory:", "memory://"])
def reader(request):
    """Return a reader over one run: ranks 0 to 2 have a loss, ranks 2 and 3 a bubble, rank 0 alone a gap."""
    batch = WriteBatch(runs=[Run(RUN_ID, "ranks", "job", RunState.SUCCEEDED, 1, 2, 3)])
    for name, rank in [("loss", 2), ("loss", 0), ("loss", 1), ("bubble", 3), ("bubble", 2), ("gap", 0)]:
        times = [10 * step + rank for step in range(3)]
        values = [rank + step / 10 for step in range(3)]
        batch.points.append(
            PointBlock(RUN_ID, (SeriesKey(name, rank=rank),), [0.0, 1.0, 2.0], times, (values,))
        )
    store = open_store(request.param)
    store.apply(batch)
    with Reader(store) as opened:
        yield opened


def test_the_series_of_the_lowest_rank_is_shown(reader):
    """Rank 0's, where it recorded the metric, else the lowest rank's that did: curve, summary, listing."""
    metrics = reader.run("job").metrics

    assert {name: metrics[name].rank for name in metrics} == {"bubble": 2, "gap": 0, "loss": 0}
    assert list(metrics["loss"].values) == [0.0, 0.1, 0.2]
    assert (metrics["loss"].max, metrics["bubble"].min) == (0.2, 2.0)
    assert [(one.name, one.rank) for one in metrics.all()] == [("bubble", 2), ("gap", 0), ("loss", 0)]


def test_the_series_of_another_rank_is_asked_for_by_its_number(reader):
    """`points(rank=1)`, `of_rank(1)` and `all(rank=1)` look at rank 1."""
    metrics = reader.run("job").metrics
    loss = metrics["loss"]

    assert (loss.ranks, metrics["bubble"].ranks, metrics.ranks) == ([0, 1, 2], [2, 3], [0, 1, 2, 3])
    assert list(loss.points(rank=1).values) == [1.0, 1.1, 1.2]
    assert loss.of_rank(2).last == pytest.approx(2.2)
    assert loss.of_rank(2).of_rank(0).values == loss.values
    assert [(one.name, one.rank) for one in metrics.all(rank=2)] == [("bubble", 2), ("loss", 2)]
    assert [(one.name, one.rank) for one in metrics.matching("b*", rank="all")] == [
        ("bubble", 2),
        ("bubble", 3),
    ]


def test_the_points_of_all_ranks_come_by_time(reader):
    """`points(rank="all")` is one history, in the order in which the ranks recorded."""
    points = reader.run("job").metrics["loss"].points(rank="all")

    assert list(points.times_ns) == [0, 1, 2, 10, 11, 12, 20, 21, 22]
    assert list(points.steps) == [0.0] * 3 + [1.0] * 3 + [2.0] * 3
    assert [math.floor(value) for value in points.values] == [0, 1, 2] * 3


def test_a_rank_without_the_metric_is_an_error_that_lists_those_with_it(reader):
    """Asking for a rank that recorded nothing says which did."""
    with pytest.raises(MetricNotFoundError) as caught:
        reader.run("job").metrics["bubble"].points(rank=0)

    assert "bubble of rank 0" in str(caught.value)
    assert "bubble of rank 2" in str(caught.value)


def test_an_export_of_points_holds_those_of_every_rank(reader, tmp_path):
    """No rank's points are left out, and a column tells them apart."""
    with (tmp_path / "points.csv").open("w+", newline="") as file:
        count = points_to_csv(reader, reader.runs(), file)
        file.seek(0)
        rows = [line.rstrip("\r\n").split(",") for line in file]

    assert count == 18
    assert rows[0][-1] == "rank"
    assert sorted({(row[1], row[-1]) for row in rows[1:]}) == [
        ("bubble", "2"), ("bubble", "3"), ("gap", "0"), ("loss", "0"), ("loss", "1"), ("loss", "2"),
    ]  # fmt: skip
