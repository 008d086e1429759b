"""Several curves merged to their mean and range."""

import math

from otel_experiments.analysis.groups import merge_curves


def test_places_that_few_curves_have_are_left_out():
    """Where one of three curves goes on alone, the mean ends."""
    merged = merge_curves(
        [([0, 1, 2], [1.0, 1.0, 9.0]), ([0, 1], [3.0, 3.0]), ([0, 1], [2.0, 2.0])], buckets=10
    )

    assert (merged.x, merged.mean, merged.low, merged.high) == ([0, 1], [2.0, 2.0], [1.0, 1.0], [3.0, 3.0])


def test_long_curves_are_thinned_and_keep_their_extremes():
    """Of a thousand places ten are left, and a single spike is in the range."""
    values = [0.0] * 1000
    values[555] = 7.0
    merged = merge_curves([(list(range(1000)), values)], buckets=10)

    assert len(merged.x) == 10
    assert max(merged.high) == 7.0


def test_nothing_finite_is_an_empty_curve():
    """Curves of NaN alone, and no curve at all, give nothing to draw."""
    assert merge_curves([([0], [math.nan])], buckets=5).x == []
    assert merge_curves([], buckets=5).x == []


def test_of_a_repeated_place_the_last_value_counts():
    """A step that was logged twice counts once."""
    assert merge_curves([([0, 0], [1.0, 5.0])], buckets=5).mean == [5.0]
