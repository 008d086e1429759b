"""Points that came without a step, as some telemetry of other programs: they are numbered by time, and that is said."""

import math

import pytest

from otel_experiments.model.batch import MetricDefinition, WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.query import Reader
from otel_experiments.store import open_store

RUN = "a" * 32
NAN = math.nan


@pytest.fixture(params=["sqlite://:memory:", "memory://"])
def run_of(request):
    """Return a function that makes a run with one series of these steps, times and values, and reads it."""
    stores = []

    def make(steps, times_ns, values):
        store = open_store(request.param)
        stores.append(store)
        store.apply(
            WriteBatch(
                runs=[Run(RUN, "digits", "brave-otter", RunState.SUCCEEDED, 1, 1, 9)],
                metric_definitions=[MetricDefinition(RUN, "loss", "min")],
                points=[PointBlock(RUN, (SeriesKey("loss"),), steps, times_ns, (values,))],
            )
        )
        return Reader(store).run(RUN)

    yield make
    for store in stores:
        store.close()


def test_points_without_steps_are_numbered_by_time(run_of):
    """A gauge that came without steps has 0, 1, 2 for them in the order of its times, whatever came first."""
    series = run_of([NAN] * 4, [30, 10, 20, 40], [3.0, 1.0, 0.5, 0.5]).metrics["loss"]

    assert series.has_derived_steps
    assert list(series.steps) == [2.0, 0.0, 1.0, 3.0]
    assert list(series.times_ns) == [30, 10, 20, 40]
    assert (series.first_step, series.last_step, series.last) == (2, 3, 0.5)
    assert (series.min_step, series.max_step, series.best_step) == (1, 2, 1)
    assert list(series.numpy().steps) == [2.0, 0.0, 1.0, 3.0]


def test_points_of_one_time_keep_their_order(run_of):
    """Of points with the same time, the one that was recorded first has the lower number."""
    assert list(run_of([NAN] * 3, [5, 5, 1], [1.0, 2.0, 3.0]).metrics["loss"].steps) == [1.0, 2.0, 0.0]


def test_a_chart_of_points_without_steps_has_all_of_them(run_of):
    """The thinned series of a gauge without steps keeps its extremes and counts each point."""
    series = run_of([NAN] * 6, [1, 2, 3, 4, 5, 6], [1.0, 9.0, 2.0, 3.0, NAN, 4.0]).metrics["loss"]

    band = series.band(buckets=2)

    assert (list(band.first_steps), list(band.last_steps)) == ([0.0, 3.0], [2.0, 5.0])
    assert (list(band.low), list(band.high)) == ([1.0, 3.0], [9.0, 4.0])
    assert list(band.counts) == [3, 3]


@pytest.mark.parametrize("steps", [[0.0, NAN, NAN], [NAN, NAN, 0.0], [NAN, 0.0, NAN]])
def test_a_series_that_has_a_step_is_left_as_it_is(run_of, steps):
    """Where at least one point came with a step nothing is made up for the others."""
    series = run_of(steps, [1, 2, 3], [1.0, 2.0, 3.0]).metrics["loss"]

    assert not series.has_derived_steps
    assert str(list(series.steps)) == str(steps)


def test_only_values_that_are_numbers_have_extremes(run_of):
    """A gauge without steps whose values are all NaN has no least and no greatest value to give a step for."""
    series = run_of([NAN, NAN], [1, 2], [NAN, NAN]).metrics["loss"]

    assert (series.min_step, series.max_step, series.last_step) == (None, None, 1)
