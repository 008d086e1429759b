"""Long spans are in the store while they are open, so that a running or killed job shows what it is at."""

import pytest

import otel_experiments as ox


@pytest.mark.parametrize(
    ("open_scope", "name"),
    [
        (lambda run: run.stage("load"), "stage load"),
        (lambda run: run.evaluation("held-out"), "evaluate held-out"),
        (lambda run: run.checkpoint("best"), "save_checkpoint"),
    ],
    ids=["stage", "evaluation", "checkpoint"],
)
def test_a_long_scope_is_readable_while_it_is_open(recording, read, open_scope, name):
    """Inside the scope its span is stored without an end, below the open span of the run."""
    with ox.start_run("r", experiment="e") as run, open_scope(run):
        inside = {span.name: span.end_ns for span in read("r").spans}
    after = {span.name: span.end_ns for span in read("r").spans}

    assert inside == {"run e": None, name: None}
    assert set(after) == set(inside)
    assert None not in after.values()


def test_an_epoch_is_readable_while_it_is_open(recording, read):
    """The epoch at work is stored without an end, the one before with its own."""
    with ox.start_run("r") as run:
        for epoch in run.epochs(2):
            ends = [span.end_ns is None for span in read("r").spans.named("epoch*")]
            assert ends == [False] * epoch + [True]


def test_short_scopes_are_stored_when_they_end(recording, read):
    """Steps are many: they cost one record, not two."""
    with ox.start_run("r") as run, run.step(0):
        assert [span.name for span in read("r").spans.named("step*")] == []

    assert len(read("r").spans.named("step*")) == 1
