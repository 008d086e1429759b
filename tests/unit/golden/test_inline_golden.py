"""Goldens that stand in a test: what they say must hold, what they leave out is not compared."""

import pytest

import otel_experiments as ox
from otel_experiments._opening import open_reader
from otel_experiments.errors import EmptyTraceError, GoldenInvalidError
from otel_experiments.testing.golden import assert_trace, record_here

GOLDEN = """
    "run default"
      epoch x2 {ml.epoch.count=2}
        "stage fit"
"""


def record(*, epochs=2, is_failing=False):
    """Return a capture of a run with one stage an epoch."""
    with record_here() as capture, ox.start_run("tiny") as run:
        for epoch in run.epochs(epochs):
            with run.stage("fit") as stage:
                if is_failing:
                    stage.span.set_status(ox_error())
                run.log({"loss": 1.0}, step=epoch)
    return capture


def ox_error():
    """Return the status of a failed span."""
    from opentelemetry.trace import Status, StatusCode

    return Status(StatusCode.ERROR)


def test_a_run_that_does_what_is_said_passes():
    """Names, counts and named attributes hold; other attributes, scopes and metrics are not looked at."""
    assert_trace(record(), GOLDEN)


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("epoch x2", "epoch x3", "count"),
        ('"stage fit"', '"stage train"', "removed"),
        ("ml.epoch.count=2", "ml.epoch.count=7", "attr"),
        ('        "stage fit"\n', "", "added"),
    ],
)
def test_what_does_not_hold_is_named(before, after, code):
    """A wrong count, name or value fails with its code."""
    with pytest.raises(AssertionError, match=rf"FAIL +{code} "):
        assert_trace(record(), GOLDEN.replace(before, after))


def test_a_failed_span_is_never_left_out():
    """A status that is not said may be unset or OK, and not an error."""
    with pytest.raises(AssertionError, match="status"):
        assert_trace(record(is_failing=True), GOLDEN)


def test_wildcards_stand_for_what_may_vary():
    """Names, counts and whole stretches of spans may be left open."""
    assert_trace(record(epochs=4), '"run *"\n  epoch x2..5\n    **\n')


def test_a_stored_run_is_compared_as_it_is(tmp_path):
    """What has a trace will do: here a run out of a store."""
    with ox.configure(store=tmp_path / "a.db") and ox.start_run("tiny") as run:
        for _ in run.epochs(2):
            with run.stage("fit"):
                pass
    ox.shutdown()

    with open_reader(tmp_path / "a.db") as reader:
        assert_trace(reader.run("tiny"), GOLDEN)


def test_nothing_is_no_trace_and_nonsense_no_golden():
    """An empty capture and an unreadable text raise what they are, not a difference."""
    with pytest.raises(GoldenInvalidError):
        assert_trace(record(), "epoch x {")
    with pytest.raises(EmptyTraceError):
        assert_trace(record_here(), GOLDEN)
