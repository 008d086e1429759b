"""A renamed span whose attributes changed too is a rename with a change, and what was replaced is no rename."""

import pytest

from otel_experiments.golden.baseline import make_golden
from otel_experiments.golden.comparison import compare
from otel_experiments.golden.policy import Policy


def step(programs, name, **attributes):
    """Return a program of three steps, each with a forward pass, a span of this name, and a checkpoint."""
    run = programs.Work("run", {}, [])
    for at in range(3):
        parts = [programs.Work("forward"), programs.Work(name, attributes), programs.Work("save")]
        run.body.append(programs.Work("train.step", {"step": at}, parts))
    return run


def changes(programs, golden, candidate):
    """Return code, last part of the path, key and values of what differs."""
    ours, theirs = (programs.run_program(one, programs.Conditions(seed=1)) for one in (golden, candidate))
    found = compare(make_golden([ours], name="toy"), [theirs], policy=Policy(timing="off")).failures
    return {(one.code, one.path.rpartition("/")[2], one.key, one.golden, one.candidate) for one in found}


@pytest.mark.parametrize(
    ("before", "after", "attributes"),
    [
        ("optimizer", "opt_step", {}),
        ("optimizer", "update", {}),
        ("stage optimizer", "stage update", {"ml.operation.name": "stage"}),
        ("evaluate", "eval", {}),
    ],
    ids=["one word begins the other", "the same key", "stages", "shortened"],
)
def test_a_renamed_span_with_a_changed_attribute_says_both(programs, before, after, attributes):
    """`optimizer` that is called otherwise now, with another lr, is `renamed` and `attr`; the new lr is told."""
    golden = step(programs, before, lr=0.001, **attributes)
    candidate = step(programs, after, lr=0.01, **attributes)

    assert changes(programs, golden, candidate) == {
        ("renamed", before, "", before, after),
        ("attr", before, "lr", "0.001", "0.01"),
    }


def test_other_work_in_the_same_place_is_no_rename(programs):
    """A span that went, and one of another name that says other things in its place, are two changes."""
    golden, candidate = step(programs, "check", rows=5), step(programs, "upload", url="x")

    assert {code for code, *_ in changes(programs, golden, candidate)} == {"removed", "added"}
