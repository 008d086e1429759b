"""Integers that neither OTLP nor a column of a store has room for, measured by instruments of the user's."""

import math

import pytest

import otel_experiments as ox
from otel_experiments._configure import active_store


@pytest.mark.parametrize(
    ("amount", "times", "kept"),
    [
        pytest.param(2**63 - 1, 1, 2**63 - 1, id="the largest"),
        pytest.param(2**63, 1, float(2**63), id="one more"),
        pytest.param(2**70, 1, float(2**70), id="far more"),
        pytest.param(10**308, 2, math.inf, id="a sum that no float holds"),
    ],
)
def test_an_integer_beyond_64_bits_is_kept_as_a_float(recording, amount, times, kept):
    """The measurement is there as the nearest float, and so are those of the other instruments."""
    with ox.start_run("r") as run:
        instruments = [
            run.meter.create_counter("tokens").add,
            run.meter.create_histogram("sizes").record,
            lambda amount: balance.add(-amount),
        ]
        balance = run.meter.create_up_down_counter("balance")
        for measure in instruments * times:
            measure(amount)
        run.meter.create_counter("steps").add(1)
    report = recording.flush(timeout_s=30.0)

    assert (report.is_stored, report.lost) == (True, {})
    points = {point.name: point for point in active_store().instrument_points()}
    found = [points["tokens"].value, points["balance"].value, points["sizes"].histogram["sum"]]
    assert found == [kept, -kept, float(kept)]  # a sum is a float, as in OTLP
    assert points["steps"].value == 1
