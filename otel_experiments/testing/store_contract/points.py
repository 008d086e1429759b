"""Points of series, and what a store computes of them."""

from __future__ import annotations

import math
from array import array
from dataclasses import replace

import pytest

from otel_experiments.model.batch import (
    MetricDefinition,
    WriteBatch,
)
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.store import Store
from otel_experiments.testing.store_contract.given import LOSS, RUN, a_block


class PointContract:
    """Points of series, and what a store computes of them."""

    def test_points_come_back_bit_for_bit_in_recording_order(self, store: Store) -> None:
        """NaN, infinities, negative zero, repeated, backward and fractional steps survive."""
        values = array("d", [1.5, math.nan, math.inf, -math.inf, -0.0, 5e-324, 0.1])
        steps = array("d", [3.0, 3.0, 1.0, 2.5, -1.0, 2.0**53, 0.0])
        times = array("q", [7, 5, 5, 2**62, 1, 0, -3])

        store.apply(WriteBatch(points=[PointBlock(RUN, (LOSS,), steps, times, (values,))]))

        found = store.points(RUN, LOSS)
        assert array("d", found.values).tobytes() == values.tobytes()
        assert array("d", found.steps).tobytes() == steps.tobytes()
        assert list(found.times_ns) == list(times)

    @pytest.mark.parametrize("sizes", [[5000], [1] * 70, [1000, 100, 3000, 1], [4095, 1], [4096], [400] * 12])
    def test_points_of_many_batches_form_one_history(self, store: Store, sizes: list[int]) -> None:
        """However points are cut into batches, the series reads as one."""
        written: list[float] = []
        for size in sizes:
            block = a_block([float(index % 17) for index in range(size)], start=len(written))
            store.apply(WriteBatch(points=[block]))
            written.extend(block.values[0])

        found = store.points(RUN, LOSS)

        assert list(found.values) == written
        assert list(found.steps) == [float(step) for step in range(len(written))]
        assert list(found.times_ns) == [1_000 * (step + 1) for step in range(len(written))]
        assert store.series([RUN])[RUN][0].summary.count == len(written)

    def test_points_keep_the_attempt_that_recorded_them(self, store: Store) -> None:
        """It stays with each point in the order of recording, also in another store; 0 where nobody said it."""
        recorded = [(1, 3), (2, 5000), (1, 2), (0, 1), (2, 1)]
        expected: list[int] = []
        for attempt, size in recorded:
            block = a_block([float(attempt)] * size, start=len(expected))
            store.apply(WriteBatch(points=[replace(block, attempt=attempt)]))
            expected += [attempt] * size
        blocks = [replace(a_block([1.0], start=len(expected) + one), attempt=one + 1) for one in (0, 1)]
        store.apply(WriteBatch(points=blocks))
        expected += [1, 2]

        assert list(store.points(RUN, LOSS).attempts) == expected
        assert list(store.points(RUN, LOSS).steps) == [float(step) for step in range(len(expected))]
        pages = [block for page in store.whole_run(RUN) for block in page.points]
        assert [block.attempt for block in pages for _ in block.steps] == expected

    def test_a_summary_keeps_each_extreme_with_its_step(self, store: Store) -> None:
        """Minimum and maximum ignore NaN, the mean is over finite values, last is the latest by time."""
        store.apply(WriteBatch(points=[a_block([3.0, math.nan, 1.0, math.inf])]))
        store.apply(WriteBatch(points=[a_block([2.0, 1.0], start=4)]))
        store.apply(WriteBatch(metric_definitions=[MetricDefinition(RUN, "l*", "min")]))

        (series,) = store.series([RUN])[RUN]
        summary = series.summary

        assert (summary.count, summary.nan_count, summary.finite_count, summary.finite_sum) == (6, 1, 4, 7.0)
        assert (summary.first_step, summary.last, summary.last_step, summary.last_time_ns) == (
            0.0,
            1.0,
            5.0,
            6_000,
        )
        assert (summary.minimum, summary.minimum_step) == (1.0, 2.0)
        assert (summary.maximum, summary.maximum_step) == (math.inf, 3.0)
        assert (summary.best, summary.best_step, summary.mean) == (1.0, 2.0, 1.75)

    @pytest.mark.parametrize(
        "batches", [[[2.0, 5.0], [1.0, 3.0]], [[1.0, 3.0], [2.0, 5.0]], [[math.nan], [5.0, 1.0]]], ids=str
    )
    def test_an_extreme_of_any_batch_has_its_own_step(self, store: Store, batches: list[list[float]]) -> None:
        """Whether the first write or a later one holds the lowest and the highest value, their steps are theirs."""
        values = [value for batch in batches for value in batch]
        for batch in batches:
            store.apply(WriteBatch(points=[a_block(batch, start=values.index(batch[0]))]))

        summary = store.series([RUN])[RUN][0].summary

        assert (summary.minimum, summary.minimum_step) == (1.0, values.index(1.0))
        assert (summary.maximum, summary.maximum_step) == (5.0, values.index(5.0))

    def test_a_summary_of_nothing_but_nan_says_nan(self, store: Store) -> None:
        """Where no point qualifies the extremes are NaN and have no step."""
        store.apply(WriteBatch(points=[a_block([math.nan, math.nan])]))

        summary = store.series([RUN])[RUN][0].summary

        assert summary.minimum_step is None
        assert summary.maximum_step is None
        assert all(map(math.isnan, (summary.last, summary.minimum, summary.maximum, summary.mean)))
        assert summary.nan_count == 2

    def test_last_is_the_latest_point_by_time(self, store: Store) -> None:
        """A worker's older points that are drained late do not become the last value."""
        store.apply(WriteBatch(points=[PointBlock(RUN, (LOSS,), [5.0], [500], ([5.0],))]))
        store.apply(WriteBatch(points=[PointBlock(RUN, (LOSS,), [1.0, 2.0], [100, 200], ([1.0, 2.0],))]))

        summary = store.series([RUN])[RUN][0].summary

        assert (summary.last, summary.last_step, summary.last_time_ns, summary.first_step) == (
            5.0,
            5.0,
            500,
            5.0,
        )

    def test_a_direction_holds_for_series_that_come_later(self, store: Store) -> None:
        """A definition made before the first point counts, the exact name before globs, a longer glob before others."""
        store.apply(
            WriteBatch(
                metric_definitions=[
                    MetricDefinition(RUN, "val/*", "max"),
                    MetricDefinition(RUN, "val/loss", "min"),
                    MetricDefinition(RUN, "[v]al/loss", "max"),
                    MetricDefinition(RUN, "*", None),
                    MetricDefinition(RUN, "a*", "min"),
                    MetricDefinition(RUN, "*acc/top5", "max"),
                ]
            )
        )
        keys = (SeriesKey("val/loss"), SeriesKey("val/acc"), SeriesKey("loss"), SeriesKey("acc/top5"))
        store.apply(WriteBatch(points=[PointBlock(RUN, keys, [0.0], [1], ([1.0], [2.0], [3.0], [4.0]))]))

        directions = {series.key.name: series.summary.direction for series in store.series([RUN])[RUN]}

        assert directions == {"val/loss": "min", "val/acc": "max", "loss": None, "acc/top5": "max"}

    def test_a_direction_holds_that_comes_with_points_of_a_known_series(self, store: Store) -> None:
        """A metric whose direction is declared while it is logged has it from then on."""
        store.apply(WriteBatch(points=[a_block([3.0])]))
        store.apply(
            WriteBatch(
                metric_definitions=[MetricDefinition(RUN, "loss", "min")], points=[a_block([1.0], start=1)]
            )
        )

        (series,) = store.series([RUN])[RUN]
        assert (series.summary.direction, series.summary.best, series.summary.count) == ("min", 1.0, 2)

    def test_series_are_listed_by_name_and_phase(self, store: Store) -> None:
        """Series of a run come in order; a name narrows them."""
        keys = (SeriesKey("b", "val"), SeriesKey("b"), SeriesKey("a", "train"))
        store.apply(WriteBatch(points=[PointBlock(RUN, keys, [0.0], [1], ([1.0], [2.0], [3.0]))]))

        listed = [series.key for series in store.series([RUN])[RUN]]
        named = [series.key for series in store.series([RUN], name="b")[RUN]]

        assert listed == [SeriesKey("a", "train"), SeriesKey("b"), SeriesKey("b", "val")]
        assert named == [SeriesKey("b"), SeriesKey("b", "val")]

    def test_a_band_hides_no_extreme(self, store: Store) -> None:
        """Each bucket holds the least, the greatest and the last value of its stretch of steps."""
        store.apply(WriteBatch(points=[a_block([float((index * 37) % 100) for index in range(4000)])]))
        store.apply(WriteBatch(points=[a_block([500.0, -500.0], start=4000)]))

        band = store.band(RUN, LOSS, buckets=2)

        assert list(band.first_steps) == [0.0, 2001.0]
        assert list(band.last_steps) == [2000.0, 4001.0]
        assert list(band.low) == [0.0, -500.0]
        assert list(band.high) == [99.0, 500.0]
        assert list(band.counts) == [2001, 2001]
        assert list(band.last) == [float((2000 * 37) % 100), -500.0]

    def test_a_short_series_keeps_every_step_apart_in_its_band(self, store: Store) -> None:
        """Where there are no more points than buckets nothing is thinned."""
        store.apply(
            WriteBatch(
                points=[PointBlock(RUN, (LOSS,), [0.0, 100.0, 101.0], [1, 2, 3], ([1.0, math.nan, 3.0],))]
            )
        )

        band = store.band(RUN, LOSS, buckets=3)

        assert list(band.first_steps) == [0.0, 100.0, 101.0]
        assert list(band.counts) == [1, 1, 1]
        assert math.isnan(band.low[1])
        assert list(band.last)[::2] == [1.0, 3.0]

    def test_ranks_have_series_of_their_own(self, store: Store) -> None:
        """Points that two ranks record under one name and phase stay apart: histories, summaries, thinned charts."""
        zero, one = SeriesKey("loss"), SeriesKey("loss", rank=1)
        for _ in range(3):
            store.apply(WriteBatch(points=[a_block([1.0, 2.0], key=zero), a_block([30.0], key=one)]))

        listed = [
            (series.key, series.summary.count, series.summary.maximum) for series in store.series([RUN])[RUN]
        ]

        assert listed == [(zero, 6, 2.0), (one, 3, 30.0)]
        assert list(store.points(RUN, zero).values) == [1.0, 2.0] * 3
        assert list(store.points(RUN, one).values) == [30.0] * 3
        assert list(store.band(RUN, one, buckets=1).counts) == [3]
