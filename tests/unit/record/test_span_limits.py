"""Spans with more than they may hold: the newest is refused and counted, what says what the span is stays."""

import numpy as np
import pytest

import otel_experiments as ox
from otel_experiments.record.base.span_limits import MAX_ATTRIBUTES
from otel_experiments.semconv import attributes as attr

MANY = MAX_ATTRIBUTES + 976


def spans(name):
    """Return the spans of the stored run `r` by name."""
    return next(span for span in ox.run("r").spans if span.name == name)


def fill(span):
    """Set more attributes than fit, one by one."""
    for i in range(MANY):
        span.set_attribute(f"k{i}", i)


def open_full(run):
    """Open a stage with more attributes than fit."""
    with run.stage("work", **{f"k{i}": i for i in range(MANY)}):
        pass


def fill_scope(run):
    """Fill an open stage."""
    with run.stage("work") as stage:
        fill(stage)


def fill_at_once(run):
    """Fill an open stage by one call."""
    with run.stage("work") as stage:
        stage.span.set_attributes({f"k{i}": i for i in range(MANY)})


def fill_sdk(run):
    """Fill a span that the user has opened by the run's tracer."""
    with run.tracer.start_as_current_span("stage work") as span:
        fill(span)


@pytest.mark.parametrize("work", [open_full, fill_scope, fill_at_once, fill_sdk])
def test_the_newest_attributes_are_refused_and_counted(forgiving, caplog, work):
    """A span keeps its first 1,024 attributes and what says what it is; the rest is told once for the span's name."""
    with ox.start_run("r") as run:
        work(run)
        work(run)

    span = spans("stage work")
    kept = [key for key in span.attributes if key.startswith("k")]
    assert kept == [f"k{i}" for i in range(len(kept))]
    assert MAX_ATTRIBUTES - 4 <= len(kept) <= MAX_ATTRIBUTES
    assert {attr.ML_SPAN_LANE, attr.ML_SPAN_SEQUENCE} <= span.attributes.keys()
    if work is not fill_sdk:
        assert (span.attributes[attr.ML_OPERATION_NAME], span.attributes[attr.ML_STAGE_NAME]) == (
            "stage",
            "work",
        )
        assert attr.ML_SPAN_CPU_TIME in span.attributes
    assert span.dropped_attributes_count == MANY - len(kept)
    (loss,) = ox.run("r").losses
    assert (loss.kind, loss.name, loss.count) == ("span attributes", "stage work", 2 * (MANY - len(kept)))
    assert len(caplog.records) == 1


def test_the_run_itself_keeps_its_identity(forgiving):
    """Thousands of attributes on the run's own span leave how it ended where it was."""
    with ox.start_run("r", config={f"p{i}": i for i in range(200)}) as run:
        fill(run.otel_span)

    root = next(span for span in ox.run("r").spans if span.parent_span_id is None)
    assert root.attributes[attr.ML_OPERATION_NAME] == "run"
    assert root.attributes[attr.ML_RUN_RESULT] == "success"
    assert ox.run("r").losses[0].kind == "span attributes"


def test_a_failed_stage_that_is_full_says_why(forgiving):
    """The type of the exception is never what is dropped."""

    def work():
        with ox.start_run("r") as run, run.stage("work") as stage:
            fill(stage)
            raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        work()

    assert spans("stage work").attributes[attr.ERROR_TYPE] == "ValueError"


def test_events_of_a_span_beyond_the_limit_are_counted(forgiving, caplog):
    """The log says once that a span had too many."""
    with ox.start_run("r") as run, run.stage("work") as stage:
        for i in range(1030):
            stage.span.add_event(f"e{i}")

    assert [(one.kind, one.name, one.count) for one in ox.run("r").losses] == [
        ("span events", "stage work", 6)
    ]
    assert len(caplog.records) == 1


@pytest.mark.parametrize("place", ["stage", "set_attribute"])
def test_values_of_attributes_are_numbers_lists_and_texts(forgiving, place):
    """Numpy's scalars are numbers, objects texts; a large array is a text, which is told once."""
    given = {"n": np.float32(0.5), "small": np.array([1, 2]), "z": 1j, "none": None, "big": np.zeros(5000)}
    with ox.start_run("r") as run:
        for _ in range(2):
            with run.stage("work", **(given if place == "stage" else {})) as stage:
                for key, value in given.items() if place == "set_attribute" else ():
                    stage.set_attribute(key, value)

    found = spans("stage work").attributes
    assert (found["n"], found["small"], found["z"], found["none"]) == (0.5, [1, 2], "1j", None)
    assert found["big"] == "<numpy.ndarray of shape (5000,), float64>"
    assert [(one.kind, one.name, one.count) for one in ox.run("r").losses] == [("kept as text", "big", 2)]
