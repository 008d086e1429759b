"""NaN and infinities in metrics become events in the store."""

import math

import pytest

import otel_experiments as ox
from otel_experiments.semconv.events import ML_ANOMALY


@pytest.fixture
def anomalies(recording, read):
    """Return a function that gives (kind, metric, phase, step) of each anomaly of a run, in order."""
    from otel_experiments._configure import active_store

    def found(name):
        records = active_store().log_records(run_id=read(name).id, event_name=ML_ANOMALY.name)
        return [
            (
                record.attributes["ml.anomaly.kind"],
                record.attributes["ml.metric.name"],
                record.attributes.get("ml.phase"),
                record.attributes["ml.metric.step"],
            )
            for record in records
        ]

    return found


def test_each_series_that_turns_wrong_is_told(anomalies):
    """The first bad value of each series, with its kind, phase and step; finite series are not mentioned."""
    with ox.start_run("r") as run:
        for i in range(10):
            run.log({"loss": math.nan if i >= 3 else 1.0, "acc": 0.5}, step=i)
            run.log({"loss": math.inf if i == 5 else 1.0}, step=i, phase="validation")
            run.log({"gain": -math.inf if i == 7 else 1.0}, step=i)

    assert sorted(anomalies("r"), key=lambda found: found[3]) == [
        ("nan", "loss", None, 3.0),
        ("positive_infinity", "loss", "validation", 5.0),
        ("negative_infinity", "gain", None, 7.0),
    ]


def test_a_series_that_stays_wrong_is_told_once(anomalies):
    """A diverged run that trains on makes one event; after the series was right in between, another."""
    with ox.start_run("r") as run:
        for i in range(5):
            run.log({"loss": math.nan}, step=i)
            run.flush()
        run.log({"loss": 1.0}, step=5)
        run.flush()
        run.log({"loss": math.nan}, step=6)

    assert [step for *_, step in anomalies("r")] == [0.0, 6.0]


def test_a_series_that_was_right_in_one_of_two_writes_is_told_again(anomalies):
    """However values fall into what is stored together: right again at its end, or wrong again inside it."""
    with ox.start_run("r") as run:
        for step, value in enumerate([math.nan, 1.0]):
            run.log({"loss": value, "gain": math.nan}, step=step)
        run.flush()
        for step, value in enumerate([math.nan, math.nan], start=2):
            run.log({"loss": value, "gain": 1.0 if step == 2 else value}, step=step)
        run.flush()

    assert [found[1:] for found in anomalies("r")] == [
        ("loss", None, 0.0), ("gain", None, 0.0), ("loss", None, 2.0), ("gain", None, 3.0),
    ]  # fmt: skip


def test_values_whose_sum_overflows_are_no_anomaly(anomalies):
    """Large finite numbers are finite, whatever their sum is."""
    with ox.start_run("r") as run:
        for i in range(4):
            run.log({"loss": 1.5e308}, step=i)

    assert anomalies("r") == []


def test_the_event_has_the_time_of_the_point_and_the_span_of_the_run(recording, read):
    """It happened when the point was recorded, in the run's root span."""
    from otel_experiments._configure import active_store

    with ox.start_run("r") as run:
        run.log({"loss": math.nan})
    (record,) = active_store().log_records(event_name=ML_ANOMALY.name)
    (time_ns,) = read("r").metrics["loss"].points().times_ns

    assert (record.time_ns, record.severity_text) == (time_ns, "WARN")
    assert (record.trace_id, record.span_id) == (run.id, read("r").record.root_span_id)
    assert record.resource.attributes["ml.run.name"] == "r"


def test_what_flush_reports_as_stored_includes_the_events(recording):
    """The events that storing made are stored before flush returns."""
    from otel_experiments._configure import active_store

    with ox.start_run() as run:
        for i in range(20):
            run.log({f"loss{i}": math.nan})
            assert run.flush().is_stored
            assert len(active_store().log_records(event_name=ML_ANOMALY.name)) == i + 1
