"""What a report says first, and whether its totals are those of the runs."""

import random

import pytest

from otel_experiments.golden.baseline import make_golden
from otel_experiments.golden.canonical.trace import CapturedRun, MetricSeries
from otel_experiments.golden.comparison import compare
from otel_experiments.golden.report.html import render_html
from otel_experiments.golden.report.text import render_text


def captured(programs, program):
    """Return a run of a program."""
    return programs.run_program(program, programs.Conditions(seed=3))


def failures_of(programs, golden, candidate):
    """Return what fails when one program is compared with another."""
    return compare(
        make_golden([captured(programs, golden)], name="train"), [captured(programs, candidate)]
    ).failures


def total(program, name, programs):
    """Return how many spans of a name a program has."""
    return sum(work.name == name for work, *_ in programs.walk([program]))


@pytest.mark.parametrize("seed", range(12))
def test_counts_are_those_of_the_whole_runs(programs, seed):
    """Spans that went or came with their parents are in the totals: `24 -> 18` where 12 went with steps and 6 are new."""
    draw = random.Random(seed)
    golden = programs.training(epochs=4, steps=6)
    candidate = programs.training(epochs=4, steps=6)
    for epoch in candidate.body[1:]:
        steps = [one for one in epoch.body if one.name == "train.step"]
        kept = steps[: draw.choice((2, 3, 4))]
        epoch.body = [one for one in epoch.body if one.name != "train.step" or one in kept]
        for step in kept[: draw.choice((1, 2))]:
            step.body.append(programs.Work("optimizer", {"lr": 0.001, "optimizer": "adam"}, own_ms=3.0))

    found = {
        one.path.rpartition("/")[2]: one
        for one in failures_of(programs, golden, candidate)
        if one.code == "count"
    }

    for name in ("train.step", "optimizer"):
        before, after = total(golden, name, programs), total(candidate, name, programs)
        assert (found[name].golden, found[name].candidate) == (str(before), str(after))
    assert "missing" in found["optimizer"].detail
    assert "more" in found["optimizer"].detail


def test_a_parent_that_went_stands_before_its_consequences(programs):
    """The loop that lost steps is named first, then what is below it, and earlier stages before later ones."""
    golden, candidate = programs.training(epochs=2, steps=4), programs.training(epochs=2, steps=4)
    for epoch in candidate.body[1:]:
        epoch.body = epoch.body[1:-1]  # a step less, no checkpoint
        epoch.body[0].body.append(programs.Work("optimizer", {"lr": 0.001, "optimizer": "adam"}))

    order = [(one.code, one.path.rpartition("/")[2]) for one in failures_of(programs, golden, candidate)]

    structure = [one for one in order if one[0] in {"count", "removed", "added"}]
    assert structure == [("count", "train.step"), ("count", "optimizer"), ("removed", "checkpoint.save")]


def test_curves_stand_in_the_order_in_which_they_part(programs):
    """Of curves that differ the one that differs first is named first, in text and page, whatever their names."""

    def run_with(changed_from):
        one = captured(programs, programs.training(epochs=1, steps=2))
        series = [
            MetricSeries(
                name,
                list(range(40)),
                [1.0 + at + (5.0 if at >= changed_from.get(name, 99) else 0.0) for at in range(40)],
            )
            for name in ("alpha", "beta", "gamma")
        ]
        return CapturedRun(name=one.name, spans=one.spans, metrics=series)

    comparison = compare(
        make_golden([run_with({})], name="train"), [run_with({"alpha": 30, "gamma": 3, "beta": 12})]
    )

    diverged = [one.key for one in comparison.failures if one.code == "curve-diverged"]
    page = render_html(comparison)
    captions = sorted(
        ("alpha", "beta", "gamma"), key=lambda name: page.index(f"{name}</", page.index("-curves"))
    )
    assert diverged == ["gamma", "beta", "alpha"]
    assert captions == ["gamma", "beta", "alpha"]


def test_the_tree_shows_the_template_in_which_the_change_is(programs):
    """Of epochs that differ in what they hold the one that changed is shown; what went has a minus, what is new a plus."""

    def program(first, second):
        run = programs.Work("run", {}, [])
        for at, names in enumerate((first, second)):
            run.body.append(programs.Work("epoch", {"epoch": at}, [programs.Work(name) for name in names]))
        return run

    golden = program(["warm", "fit"], ["fit", "eval", "save"])
    candidate = program(["warm", "fit"], ["fit", "save", "upload"])

    text = render_text(
        compare(make_golden([captured(programs, golden)], name="train"), [captured(programs, candidate)])
    ).splitlines()

    tree = text[text.index("  run > epoch") :][:5]
    assert tree == [
        "  run > epoch",
        "      fit",
        "    - eval   removed x1",
        "      save",
        "    + upload   added x1",
    ]
