"""Values that do anything when they are looked at: what they cannot say is lost and counted, never more."""

import sys

import pytest

import otel_experiments as ox
from otel_experiments.semconv import attributes as attr


class Mute:
    """A value that says nothing about itself."""

    def __repr__(self):
        raise RuntimeError("no text")


class MuteError(Exception):
    """An exception of the user's whose text cannot be had."""

    def __str__(self):
        raise RuntimeError("no text")


def test_an_exception_without_a_text_fails_the_run_and_its_spans(recording, read):
    """The user's exception passes, and the run is failed: never running, lost or succeeded."""
    with pytest.raises(MuteError), ox.start_run("mute") as run, run.stage("work"):
        raise MuteError

    stored = read("mute")
    root, stage = stored.spans
    assert (stored.state, stored.reason) == ("failed", "<MuteError without a text>")
    assert root.end_ns is not None
    assert stage.end_ns is not None
    assert stage.attributes[attr.ERROR_TYPE].endswith("MuteError")


@pytest.mark.parametrize(
    ("end", "state", "reason"),
    [
        (lambda run: run.fail(MuteError()), "failed", "<MuteError without a text>"),
        (lambda run: run.fail(None), "failed", ""),
        (lambda run: run.finish(reason=5), "succeeded", "5"),
        (lambda run: run.cancel(Mute()), "cancelled", "<Mute without a text>"),
    ],
    ids=["fail", "fail with none", "finish", "cancel"],
)
def test_a_reason_of_any_kind_ends_the_run(recording, read, end, state, reason):
    """A run whose reason cannot be read has ended all the same."""
    run = ox.start_run("ended")
    end(run)

    assert (read("ended").state, read("ended").reason) == (state, reason)


def test_sys_exit_with_a_mute_code_fails_the_run(recording, read):
    """The exit code is shown where it can be."""
    with pytest.raises(SystemExit), ox.start_run("exit"):
        sys.exit(Mute())

    assert (read("exit").state, read("exit").reason) == ("failed", "sys.exit(which cannot be shown)")
