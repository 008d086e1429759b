"""Runs that go on: keys of the caller's own, attempts and what they recorded, rewinding, forks."""

import math

import pytest

import otel_experiments as ox
from otel_experiments.cli.terminal.origin import origin_lines
from otel_experiments.errors import (
    ConfigurationError,
    MetricNotFoundError,
    RunInUseError,
    RunNotFoundError,
    RunRemovedError,
)


def a_run(name="r", steps=range(5), scale=1.0, **given):
    """Record a run whose loss at each step is the step times the scale."""
    with ox.start_run(name, **given) as run:
        for step in steps:
            run.log({"loss": step * scale}, step=step)
    return run


def test_a_key_finds_the_run_that_was_started_with_it(recording):
    """A job that a scheduler starts again records the same run."""
    first = a_run(experiment="e", key="job-17")
    second = ox.start_run(experiment="e", key="job-17")
    second.finish()

    assert (second.id, ox.run(first.id).record.attempt) == (first.id, 2)
    assert len(ox.runs()) == 1


def test_a_later_attempt_adds_to_what_was_declared_of_a_metric(recording):
    """What attempt 1 said of the direction and the x axis holds where attempt 2 declares something else."""
    with ox.start_run("r") as run:
        run.define_metric("score", direction="max", step_metric="epoch")
        run.log({"score": 1.0, "epoch": 0})
    with ox.start_run(resume="r") as run:
        run.define_metric("score", summary="best")
        run.log({"score": 0.2})

    series = ox.run("r").metrics["score"]
    assert (series.direction, series.step_metric, ox.run("r").summary["score"]) == (
        "max",
        "epoch",
        {"best": 1.0},
    )

    with ox.start_run(resume="r") as run:
        run.define_metric("score", hidden=True, overwrite=True)
    series = ox.run("r").metrics["score"]
    assert (series.direction, series.step_metric, series.is_hidden) == (None, "", True)


def test_a_fork_reads_its_metrics_as_its_source_does(recording):
    """Its metrics have the direction that was declared there, and it may declare more, also a fork of a fork."""
    with ox.start_run("source") as run:
        run.define_metric("a*", direction="max")
        for step in range(5):
            run.log({"acc": step / 10}, step=step)
    with ox.fork("source", step=2, name="fork") as run:
        run.log({"acc": 0.1})
    with ox.fork("fork", step=1, name="second") as run:
        run.define_metric("a*", summary="best")
        run.log({"acc": 0.05}, step=2)

    assert (ox.run("fork").metrics["acc"].direction, ox.run("fork").metrics["acc"].best) == ("max", 0.2)
    assert (ox.run("second").metrics["acc"].direction, ox.run("second").summary["acc"]) == (
        "max",
        {"best": 0.1},
    )


def test_a_key_is_of_one_experiment(recording):
    """The same key in another experiment is another run; the id follows from both, on any host."""
    ids = [ox.start_run(experiment=name, key="job-17", parent=False).id for name in ("a", "b")]
    assert len(set(ids)) == 2
    assert ids[0] == __import__("hashlib").sha256(b"a\0job-17").hexdigest()[:32]


def test_words_say_whether_a_key_may_be_known(recording):
    """With `must` there has to be one, with `never` none, `allow` takes both."""
    with pytest.raises(RunNotFoundError):
        ox.start_run(key="k", resume="must")
    run = ox.start_run(key="k", resume="never")
    run.finish()
    with pytest.raises(
        ConfigurationError, match="There is a run with key='k', and resume=\"never\" wants a new one"
    ):
        ox.start_run(key="k", resume="never")
    for word in ("must", "allow", "auto", True):
        ox.start_run(key="k", resume=word).finish()

    assert ox.run(run.id).record.attempt == 5


@pytest.mark.parametrize("word", ["must", "never", "allow"])
def test_a_word_needs_a_key(recording, word):
    """Without a key, the words say nothing about which run."""
    with pytest.raises(
        ConfigurationError, match=f'resume="{word}" needs the key of the run.\n  Pass key=, or resume=ID'
    ):
        ox.start_run(resume=word)


@pytest.mark.parametrize("key", ["", " ", 3, b"k"])
def test_a_key_is_a_text(recording, key):
    """What is no text, or an empty one, names no run."""
    with pytest.raises(ConfigurationError, match="a run's key is a text that is not empty"):
        ox.start_run(key=key)


def test_a_key_that_is_being_recorded_is_not_resumed(recording):
    """A second run of the same key beside a living one is refused, and names it."""
    with ox.start_run("alive", key="k"), pytest.raises(RunInUseError, match="alive"):
        ox.start_run(key="k")


def test_auto_goes_on_with_what_did_not_end_well(recording):
    """resume=True takes the newest run of the experiment if it failed, and a new one otherwise."""
    failed = ox.start_run("bad", experiment="e")
    failed.finish("failed")
    again = ox.start_run(experiment="e", resume=True)
    again.finish()
    new = ox.start_run(experiment="e", resume="auto")
    new.finish()

    assert again.id == failed.id
    assert new.id != failed.id


def test_the_last_attempt_of_a_step_counts_and_the_earlier_stays_readable(recording):
    """A job that went back to its checkpoint leaves one curve, and what it had recorded before."""
    run = a_run(steps=range(5), scale=1.0)
    with ox.start_run(resume=run.id) as again:
        for step in range(3, 8):
            again.log({"loss": step * 10.0}, step=step)

    loss = ox.run("r").metrics["loss"]
    assert list(zip(loss.steps, loss.values, strict=True)) == [
        (0, 0), (1, 1), (2, 2), (3, 30), (4, 40), (5, 50), (6, 60), (7, 70)
    ]  # fmt: skip
    assert (loss.count, loss.min, loss.max, loss.last, loss.last_step) == (8, 0, 70, 70, 7)
    assert loss.mean == sum([0, 1, 2, 30, 40, 50, 60, 70]) / 8
    assert loss.attempts == [1, 2]
    assert list(loss.points(attempt=1).values) == [0, 1, 2, 3, 4]
    assert list(loss.points(attempt=2).values) == [30, 40, 50, 60, 70]
    assert len(loss.points(attempt="all")) == 10
    assert list(loss.points(attempt=3).values) == []
    assert sum(loss.band(buckets=100).counts) == 8


def test_points_of_one_attempt_may_repeat_a_step(recording):
    """Within an attempt nothing is dropped: steps may repeat."""
    run = a_run(steps=[0, 0, 1])
    with ox.start_run(resume=run.id) as again:
        again.log({"loss": 7.0}, step=1)
        again.log({"loss": 8.0}, step=1)

    assert list(ox.run("r").metrics["loss"].values) == [0, 0, 7, 8]


def test_a_run_of_one_attempt_is_read_as_before(recording):
    """Its series has one attempt and inherits nothing."""
    a_run()
    loss = ox.run("r").metrics["loss"]
    assert (loss.attempts, loss.inherited_until) == ([1], None)
    assert len(loss.points(attempt=1)) == len(loss.points(attempt="all")) == 5
    assert len(loss.points(attempt=2)) == 0


def test_three_attempts_are_told_apart(recording):
    """Each attempt says when it started and how it ended; the latest is the run's own state."""
    run = a_run()
    ox.start_run(resume=run.id).finish("failed", reason="no disk")
    with ox.start_run(resume=run.id):
        pass

    first, second, third = ox.run("r").attempts
    assert [one.number for one in (first, second, third)] == [1, 2, 3]
    assert (first.state, second.state, second.reason, third.state) == (
        "succeeded", "failed", "no disk", "succeeded",
    )  # fmt: skip
    assert first.started_ns < first.ended_ns <= second.started_ns < second.ended_ns <= third.started_ns
    assert third.ended_ns == ox.run("r").ended_ns


def test_rewinding_leaves_out_what_came_after_the_step(recording):
    """A run that goes on from step 2 has the curve up to 2 and the new one; the old end stays readable."""
    run = a_run(steps=range(6))
    with ox.start_run(resume=run.id, rewind_to=2) as again:
        again.log({"loss": 100.0})

    stored = ox.run("r")
    loss = stored.metrics["loss"]
    assert list(zip(loss.steps, loss.values, strict=True)) == [(0, 0), (1, 1), (2, 2), (3, 100)]
    assert (loss.max, loss.last, loss.count) == (100, 100, 4)
    assert list(loss.points(attempt=1).steps) == [0, 1, 2, 3, 4, 5]
    assert [one.rewound_to for one in stored.attempts] == [None, 2]


def test_a_rewound_run_is_rewound_again(recording):
    """Later rewinding cuts what earlier attempts have left."""
    run = a_run(steps=range(6))
    with ox.start_run(resume=run.id, rewind_to=4) as again:
        again.log({"loss": 50.0}, step=5)
    with ox.start_run(resume=run.id, rewind_to=1) as again:
        again.log({"loss": 20.0})
    with ox.start_run(resume=run.id) as again:
        again.log({"loss": 30.0})

    loss = ox.run("r").metrics["loss"]
    assert list(zip(loss.steps, loss.values, strict=True)) == [(0, 0), (1, 1), (2, 20), (3, 30)]


def test_a_metric_that_was_rewound_whole_has_no_points(recording):
    """A metric that began after the step counts nothing, and is still there."""
    with ox.start_run("r") as run:
        run.log({"loss": 1.0}, step=0)
        run.log({"late": 1.0}, step=5)
    ox.start_run(resume=run.id, rewind_to=2).finish()

    late = ox.run("r").metrics["late"]
    assert (late.count, len(late.points()), len(late.points(attempt=1))) == (0, 0, 1)
    assert late.inherited_until is None


@pytest.mark.parametrize("step", [math.nan, math.inf, "x", True, [1]])
def test_rewinding_takes_a_step(recording, step):
    """What is no finite number is refused before anything starts."""
    run = a_run()
    with pytest.raises(ConfigurationError, match="it is no step"):
        ox.start_run(resume=run.id, rewind_to=step)
    assert ox.run("r").record.attempt == 1


def test_rewinding_needs_a_run_that_goes_on(recording):
    """A new run has nothing to rewind."""
    with pytest.raises(ConfigurationError, match="needs a run that goes on"):
        ox.start_run(rewind_to=3)


def test_a_fork_has_the_curve_of_its_source_up_to_the_step(recording):
    """The fork's curve is the source's and then its own; the source stays what it was."""
    a_run("base", steps=range(6), experiment="e", group="g", config={"lr": 0.1, "seed": 3})
    with ox.fork("base", step=2, name="forked", config={"lr": 0.5}) as fork:
        fork.log({"loss": 100.0})
        fork.log({"acc": 0.5}, step=3)

    stored = ox.run("forked")
    loss = stored.metrics["loss"]
    assert list(zip(loss.steps, loss.values, strict=True)) == [(0, 0), (1, 1), (2, 2), (3, 100)]
    assert (loss.inherited_until, loss.count, loss.last, loss.min) == (2, 4, 100, 0)
    assert list(loss.points(attempt="all").values) == [100]
    assert stored.metrics["acc"].inherited_until is None
    assert (stored.experiment, stored.group, stored.params.flat) == ("e", "g", {"lr": 0.5, "seed": 3})
    assert (stored.forked_from.name, stored.fork_step) == ("base", 2)
    base = ox.run("base")
    assert (base.metrics["loss"].count, base.forked_from, base.fork_step) == (6, None, None)


def test_a_metric_that_only_the_source_logged_is_inherited(recording):
    """What the fork does not log again is there up to the step, with its direction."""
    with ox.start_run("base") as base:
        base.define_metric("acc", direction="max")
        for step in range(5):
            base.log({"acc": step / 10}, step=step)
    ox.fork(base, step=3, name="forked").finish()

    acc = ox.run("forked").metrics["acc"]
    assert (acc.count, acc.last, acc.best, acc.inherited_until, acc.attempts) == (4, 0.3, 0.3, 3, [])


def test_a_metric_that_began_after_the_fork_is_not_inherited(recording):
    """Nothing of what came after the step is the fork's."""
    with ox.start_run("base") as base:
        base.log({"loss": 1.0}, step=0)
        base.log({"late": 1.0}, step=9)
    ox.fork(base, step=3, name="forked").finish()

    assert list(ox.run("forked").metrics) == ["loss"]


def test_a_fork_of_a_fork_reaches_back_to_the_first(recording):
    """Curves are put together over any number of forks."""
    a_run("a", steps=range(4))
    with ox.fork("a", step=1, name="b") as fork:
        fork.log({"loss": 20.0}, step=2)
        fork.log({"loss": 30.0}, step=3)
    with ox.fork("b", step=2, name="c") as fork:
        fork.log({"loss": 300.0})

    loss = ox.run("c").metrics["loss"]
    assert list(zip(loss.steps, loss.values, strict=True)) == [(0, 0), (1, 1), (2, 20), (3, 300)]


def test_a_fork_without_a_step_begins_at_the_end(recording):
    """All that the source has recorded counts."""
    base = a_run("base", steps=range(3))
    with ox.fork(ox.run("base"), name="forked") as fork:
        fork.log({"loss": 9.0})

    assert list(ox.run("forked").metrics["loss"].steps) == [0, 1, 2, 3]
    assert ox.run("forked").fork_step == 2
    assert ox.run("forked").forked_from.id == base.id


def test_a_fork_that_is_resumed_keeps_its_source(recording):
    """Attempts and the fork add up: the curve is the source's, then each attempt's."""
    a_run("base", steps=range(4))
    with ox.fork("base", step=1, name="forked") as fork:
        fork.log({"loss": 20.0}, step=2)
    with ox.start_run(resume=fork.id, rewind_to=0) as again:
        again.log({"loss": 10.0})

    loss = ox.run("forked").metrics["loss"]
    assert list(zip(loss.steps, loss.values, strict=True)) == [(0, 0), (1, 10)]


def test_the_step_of_a_fork_is_written_after_the_run(recording):
    """start_run(fork_from=) takes what others write, too: RUN?step=2 and RUN?_step=2."""
    a_run("base", steps=range(4))
    for number, text in enumerate(("base?step=1", "base?_step=1")):
        ox.start_run(f"f{number}", fork_from=text).finish()
        assert ox.run(f"f{number}").metrics["loss"].count == 2


@pytest.mark.parametrize("text", ["base", "base?step=", "base?step=x", "?step=1", "base?step=nan", 5, ""])
def test_a_fork_needs_a_run_and_a_step(recording, text):
    """What names none of the two is refused, and nothing is started."""
    a_run("base")
    with pytest.raises(ConfigurationError, match="does not name a run and a step"):
        ox.start_run(fork_from=text)
    with pytest.raises(RunNotFoundError):
        ox.start_run(fork_from="nowhere?step=1")
    assert len(ox.runs()) == 1


def test_the_steps_of_a_resumed_fork_go_on_from_its_own(recording):
    """Automatic steps of a fork's second attempt follow the last one of its first."""
    a_run("base", steps=range(6))
    with ox.fork("base", step=1, name="forked") as fork:
        for value in (20.0, 30.0, 40.0):
            fork.log({"loss": value})
    with ox.start_run(resume=fork.id) as again:
        again.log({"loss": 50.0})

    assert list(ox.run("forked").metrics["loss"].steps) == [0, 1, 2, 3, 4, 5]


def epochs(name="base", steps=range(10), **given):
    """Record a run with a loss and the epoch that it is drawn over, five steps each."""
    with ox.start_run(name, **given) as run:
        run.define_metric("loss", step_metric="epoch")
        for step in steps:
            run.log({"loss": float(step), "epoch": step // 5}, step=step)
    return run


def against(run, name=None):
    """Return the points of the loss of a run over another metric."""
    points = ox.run(run).metrics["loss"].against(name)
    return list(zip(points.steps, points.values, strict=True))


def test_a_curve_over_another_metric_has_the_points_that_count(recording):
    """What was rewound is in no curve over another metric, nor in its band, and the other metric's rewound values are not."""
    base = epochs()
    with ox.start_run(resume=base.id, rewind_to=5) as again:
        again.log({"loss": 60.0, "epoch": 7}, step=6)

    assert against("base") == [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 5), (7, 60)]
    assert sum(ox.run("base").metrics["loss"].band(x="epoch").counts) == 7


def test_the_curve_of_a_fork_over_another_metric_is_that_of_its_steps(recording):
    """A fork's curve over another metric has what is inherited and what it recorded, with the axis that the source declared."""
    epochs()
    with ox.fork("base", step=2, name="own") as fork:
        fork.log({"loss": 30.0, "epoch": 4}, step=3)
    with ox.fork("base", step=2, name="inherits") as fork:
        fork.log({"other": 1.0}, step=3)

    assert against("own") == against("own", "epoch") == [(0, 0), (0, 1), (0, 2), (4, 30)]
    assert against("inherits") == [(0, 0), (0, 1), (0, 2)]
    assert ox.run("own").metrics["loss"].step_metric == "epoch"


def test_an_unknown_axis_of_a_fork_is_an_error_that_names_the_others(recording):
    """The other metrics that an error names are those of the fork."""
    epochs()
    ox.fork("base", step=2, name="forked").finish()

    with pytest.raises(MetricNotFoundError, match=r"'epochs'.*epoch"):
        against("forked", "epochs")


def media(name="r", steps=range(4)):
    """Record a run with a text at each step."""
    with ox.start_run(name) as run:
        for step in steps:
            run.log({"t": ox.Text(f"first {step}")}, step=step)
    return run


def test_media_that_were_rewound_do_not_count(recording):
    """After a rewind, what was logged later than the step is not in `run.media`; what replaced it is."""
    run = media()
    with ox.start_run(resume=run.id, rewind_to=1) as again:
        again.log({"t": ox.Text("second 2")}, step=2)

    found = ox.run("r").media["t"]
    assert [(item.step, item.read()) for item in found] == [
        (0, "first 0"), (1, "first 1"), (2, "second 2")
    ]  # fmt: skip


def test_media_of_a_step_are_those_of_the_last_attempt(recording):
    """Of a step that two attempts logged, the last attempt's media count; media without a step all do."""
    run = media()
    with ox.start_run(resume=run.id) as again:
        again.log({"t": [ox.Text("second"), ox.Text("third")]}, step=3)

    found = ox.run("r").media["t"]
    assert [item.read() for item in found.all_at(3)] == ["second", "third"]
    assert len(found) == 5


def test_media_that_were_rewound_whole_are_left_out(recording):
    """A name of which nothing counts is not listed."""
    run = media(steps=[2, 3])
    ox.start_run(resume=run.id, rewind_to=1).finish()

    assert list(ox.run("r").media) == []


def test_a_removed_run_of_a_key_is_named_by_the_key(recording):
    """The error names the key and the run's name, and says how to bring the run back or start another."""
    ox.start_run("job", key="job-17").finish()
    ox.run("job").delete()

    with pytest.raises(
        RunRemovedError, match=r"The run 'job' with key='job-17' .*\n.*restore .* another key"
    ):
        ox.start_run("job", key="job-17")


def test_a_fork_keeps_what_it_began_with_when_its_source_goes_on(recording):
    """A source that is resumed, rewound and logs other values later changes nothing in the curves of an earlier fork."""
    base = a_run("base", steps=range(6))
    with ox.fork("base", step=4, name="forked") as fork:
        fork.log({"loss": 50.0}, step=5)
    ox.fork("forked", step=5, name="of fork").finish()
    with ox.start_run(resume=base.id, rewind_to=1) as again:
        again.log({"loss": 900.0, "late": 1.0}, step=2)
        again.log({"loss": 901.0}, step=3)

    expected = [0, 1, 2, 3, 4, 50]
    assert list(ox.run("forked").metrics["loss"].values) == expected
    assert list(ox.run("of fork").metrics["loss"].values) == expected
    assert ox.run("of fork").metrics["loss"].count == 6
    assert list(ox.run("forked").metrics) == ["loss"]
    assert list(ox.run("base").metrics["loss"].values) == [0, 1, 900, 901]


def test_a_fork_of_a_later_attempt_has_that_attempt(recording):
    """A fork made after its source was rewound begins with what counted then, and only what came later is left out."""
    base = a_run("base", steps=range(4))
    with ox.start_run(resume=base.id, rewind_to=1) as again:
        again.log({"loss": 20.0}, step=2)
    ox.fork("base", step=2, name="forked").finish()
    ox.start_run(resume=base.id, rewind_to=0).finish()

    assert list(ox.run("forked").metrics["loss"].values) == [0, 1, 20]
    assert list(ox.run("base").metrics["loss"].values) == [0]


def test_a_fork_of_a_purged_run_says_that_its_beginning_is_gone(recording):
    """What is left of a purged run is no source: `forked_from` is None, and the fork has its own points."""
    a_run("base")
    with ox.fork("base", step=2, name="forked") as fork:
        fork.log({"loss": 30.0}, step=3)
    ox.run("base").delete(now=True)

    forked = ox.run("forked")
    assert (forked.forked_from, forked.fork_step) == (None, 2)
    assert list(forked.metrics["loss"].values) == [30]
    source = forked.record.resource["ml.run.fork.run.id"]
    lacks = "the curves begin after it: the points up to there are that run's"
    assert f"fork of run {source} (not in this store) at step 2; {lacks}" in list(origin_lines(forked))


def test_a_step_after_the_end_is_said(recording, caplog):
    """A fork or a rewind at a step that the run never reached keeps all points, and one line says which step was the last."""
    run = a_run("base")
    ox.fork("base", step=4, name="in it").finish()
    assert "after the last step" not in caplog.text

    ox.fork("base", step=100, name="forked").finish()
    assert (
        f"The fork at step 100 is after the last step of run {run.id[:8]} ('base'), which is 4" in caplog.text
    )
    ox.start_run(resume=run.id, rewind_to=500).finish()
    assert "rewind_to=500 is after the last step of run" in caplog.text

    assert ox.run("forked").metrics["loss"].count == 5
    assert ox.run(run.id).metrics["loss"].count == 5


def test_tags_of_a_run_that_goes_on_are_those_of_the_run(recording):
    """`run.tags` has what earlier attempts and edits set, and names that are assigned leave out the others."""
    a_run("r", tags={"team": "vision", "draft": ""})
    ox.run("r").set_tags({"paper": ""})

    with ox.start_run(resume="r", tags=["again"]) as run:
        seen = dict(run.tags)
        run.tags = ["again", "final"]

    assert seen == {"team": "vision", "draft": "", "paper": "", "again": ""}
    assert ox.run("r").tags == {"team": "vision", "again": "", "final": ""}
    assert run.tags == ox.run("r").tags


def test_a_tag_that_was_edited_stays_where_the_program_says_what_it_said_before(recording):
    """A script that is started again undoes no edit of its tags; a tag that it says otherwise than before is set."""
    given = {"status": "draft", "team": "vision", "note": "x", "stage": "one"}
    a_run("r", key="k", tags=given)
    ox.run("r").set_tags({"status": "final", "team": "nlp", "note": None})

    with ox.start_run(key="k", tags={**given, "team": "speech", "stage": "two"}) as run:
        seen = dict(run.tags)

    expected = {"status": "final", "team": "speech", "stage": "two"}
    assert (seen, ox.run("r").tags) == (expected, expected)

    with ox.start_run(key="k", tags={**given, "team": "speech"}):
        pass
    assert ox.run("r").tags == {"status": "final", "team": "speech", "stage": "one"}


def test_a_tag_that_the_program_changed_itself_is_set_again_at_its_next_start(recording):
    """What an earlier attempt set in its end is no edit: the next attempt starts with its own tags."""
    with ox.start_run("r", key="k", tags={"state": "training"}) as run:
        run.set_tag("state", "done")

    with ox.start_run("r", key="k", tags={"state": "training"}):
        assert ox.run("r").tags == {"state": "training"}


def test_a_run_is_found_by_its_key(recording):
    """The key is a field of searches and of the run, and stays whoever goes on with it; without one it is empty."""
    run = a_run("first", key="job-17")
    a_run("other")
    ox.init("e", id="mine").finish()
    with ox.start_run(resume=run.id):
        pass

    (found,) = ox.runs('key == "job-17"')
    assert (found.id, found.key, found.record.attempt) == (run.id, "job-17", 2)
    assert {one.name: one.key for one in ox.runs()} == {"first": "job-17", "other": "", "mine": "mine"}
    assert [one.name for one in ox.runs("exists(key)", order="key")] == ["first", "mine"]
    assert ox.run("mine").record.resource["ml.run.key"] == "mine"


def test_a_fork_and_a_child_have_no_key_of_the_run_they_come_from(recording):
    """A key names one run."""
    source = a_run("source", key="job-17")
    with ox.fork("source", step=2, name="fork"), ox.start_run("child", parent=source):
        pass

    assert [ox.run(name).key for name in ("fork", "child")] == ["", ""]
