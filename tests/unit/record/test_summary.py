"""What a run comes to: values that the program sets, and of each metric what its definition says."""

import math

import pytest

import otel_experiments as ox
from otel_experiments.errors import MetricNotFoundError


def test_a_summary_has_last_values_and_what_is_set(forgiving):
    """As in wandb: the last value under the metric's name, and a value that is set wins over it, whenever it is set."""
    with ox.start_run("r") as run:
        run.summary["acc"] = 0.99
        run.log({"acc": 0.5, "loss": 2.0})
        run.log({"acc": 0.7, "loss": 1.0})
        run.summary["deep"] = {"one": 1, "two": {"three": [1, 2]}}
        run.summary["deep"] = {"one": 11}
        assert run.summary["loss"] == 1.0
        assert dict(run.summary) == dict(ox.run("r").summary)

    assert dict(ox.run("r").summary) == {
        "acc": 0.99,
        "loss": 1.0,
        "deep": {"one": 11, "two": {"three": [1, 2]}},
    }
    assert ox.run("r").summary.given == {"acc": 0.99, "deep.one": 11, "deep.two.three": [1, 2]}


def test_a_definition_says_which_statistics_a_summary_has(forgiving):
    """The name counts before globs, a longer glob before a shorter; what one does not say the next does."""
    with ox.start_run("r") as run:
        run.define_metric("*", summary="last,first")
        run.define_metric("val/*", summary="min", goal="minimize")
        run.define_metric("val/acc", summary="best,mean", goal="maximize")
        run.define_metric("secret", summary="none")
        run.define_metric("plain", summary="copy")
        run.define_metric("l*", summary="max")
        run.define_metric("[a-k]r", summary="mean")
        run.define_metric("[a-z]r", summary="min")
        run.log({"lr": 0.5})
        for value in (2.0, 1.0, 3.0):
            run.log({"loss": value, "val/loss": value, "val/acc": value, "secret": value, "plain": value})

    assert dict(ox.run("r").summary) == {
        "loss": {"max": 3.0},
        "val/loss": {"min": 1.0},
        "val/acc": {"best": 3.0, "mean": 2.0},
        "plain": 3.0,
        "lr": {"min": 0.5},
    }


def test_later_definitions_add_to_earlier_ones(forgiving):
    """Only `overwrite=True` forgets what was said of the pattern."""
    with ox.start_run("r") as run:
        run.define_metric("acc", step_metric="epoch", direction="max")
        run.define_metric("acc", summary="max")
        run.log({"acc": 0.5})
        first = ox.run("r").metrics["acc"]
        assert (first.step_metric, first.direction, first.is_hidden) == ("epoch", "max", False)
        run.define_metric("acc", hidden=True, overwrite=True)

    second = ox.run("r").metrics["acc"]
    assert (second.step_metric, second.direction, second.is_hidden) == ("", None, True)
    assert ox.run("r").summary["acc"] == 0.5


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda run: run.define_metric("a", summary="median"), "metric summary"),
        (lambda run: run.define_metric("a", step_metric=3), "metric axis"),
        (lambda run: run.define_metric("a", step_metric=""), "metric axis"),
        (lambda run: run.define_metric("a", direction="up"), "metric direction"),
        (lambda run: run.summary.update([("a", 1)]), "summary value"),
        (lambda run: run.summary.update({"": 1}), "name"),
    ],
)
def test_what_cannot_be_used_is_told_and_the_rest_is_kept(forgiving, caplog, call, kind):
    """A word that there is not ends no training."""
    with ox.start_run("r") as run:
        call(run)
        call(run)
        run.log({"a": 1.0})

    assert [(one.kind, one.count) for one in ox.run("r").losses] == [(kind, 2)]
    assert len(caplog.records) == 1
    assert ox.run("r").summary["a"] == 1.0


def test_secrets_are_left_out_of_a_summary(forgiving):
    """As of params and tags."""
    with ox.start_run("r") as run:
        run.summary["api_key"] = "sk-1234567890abcdef1234567890abcdef"

    assert ox.run("r").summary["api_key"] == "<redacted>"


def test_a_paused_and_an_ended_run_take_no_summary(forgiving):
    """What came is counted; the program reads what it set."""
    with ox.start_run("r") as run:
        run.pause()
        run.summary["a"] = 1
        assert run.summary["a"] == 1
        run.resume()
    run.summary["b"] = 2

    assert dict(ox.run("r").summary) == {}
    assert run.refused == {"summary value": 2}


def test_a_resumed_run_keeps_its_summary(forgiving):
    """The next attempt's values win over those of the one before; the others stay."""
    with ox.start_run("r") as run:
        run.summary.update(a=1, b=1)
    with ox.start_run(resume=run.id) as run:
        run.summary["b"] = 2
        assert dict(run.summary) == {"a": 1, "b": 2}

    assert dict(ox.run(run.id).summary) == {"a": 1, "b": 2}


def test_a_summary_that_is_not_stored_is_read_all_the_same(configure):
    """With recording switched off a program that reads its summary goes on."""
    configure(enabled=False, on_error="log")
    with ox.start_run("r") as run:
        run.summary["a"] = 1
        run.log({"loss": 1.0})
        assert dict(run.summary) == {"a": 1}
        with pytest.raises(KeyError):
            _ = run.summary["loss"]
        with pytest.raises(AttributeError, match=r"^The run's summary has no 'loss'\.\n  It has: a\.$"):
            _ = run.summary.loss


def test_a_series_is_read_over_another_metric(forgiving):
    """Each point stands at the latest value that the axis had at its time, logged with it or before."""
    with ox.start_run("r") as run:
        run.define_metric("*", step_metric="epoch")
        run.log({"loss": 9.0})  # before the first epoch
        for epoch in range(3):
            run.log({"epoch": epoch})
            run.log({"loss": 3.0 - epoch})
            run.log({"loss": 2.5 - epoch, "epoch": epoch + 0.5})
        run.log({"acc": 0.5}, phase="val")

    metrics = ox.run("r").metrics
    found = metrics["loss"].against()
    assert list(found.steps) == [0, 0.5, 1, 1.5, 2, 2.5]
    assert list(found.values) == [3, 2.5, 2, 1.5, 1, 0.5]
    assert list(metrics["acc", "val"].against("epoch").steps) == [2.5]
    assert (metrics["loss"].step_metric, metrics["epoch"].step_metric) == ("epoch", "")
    band = metrics["loss"].band(buckets=2, x="epoch")
    assert (band.first_steps[0], band.last_steps[-1], min(band.low)) == (0, 2.5, 0.5)


def test_points_of_another_time_find_their_place(forgiving):
    """It is the time of the measurement that counts, not the order of the calls."""
    with ox.start_run("r") as run:
        run.log({"epoch": 2}, time=2000)
        run.log({"epoch": 1}, time=1000)
        run.log({"loss": 1.0}, time=1500)

    assert list(ox.run("r").metrics["loss"].against("epoch").steps) == [1]


def test_an_axis_that_there_is_not_is_named(forgiving):
    """The error says which metrics there are."""
    with ox.start_run("r") as run:
        run.log({"loss": 1.0, "epoch": 1})

    with pytest.raises(MetricNotFoundError) as caught:
        ox.run("r").metrics["loss"].against("epochs")
    assert "'epochs'" in str(caught.value)
    assert "epoch" in str(caught.value)
    with pytest.raises(MetricNotFoundError):
        ox.run("r").metrics["loss"].against()


def test_a_param_that_changes_keeps_what_it_was(forgiving):
    """Each value with the time from which the run had it; the same value again is no change."""
    with ox.start_run("r", config={"lr": 0.1, "opt": {"name": "sgd"}, "flag": 1}) as run:
        run.config.lr = 0.01
        run.config.lr = 0.01
        run.log_params({"lr": 0.1, "opt": {"name": "adam"}})
        run.config.flag = True

    params = ox.run("r").params
    assert [one.value for one in params.history("lr")] == [0.1, 0.01, 0.1]
    assert [one.time for one in params.history("lr")] == sorted(one.time for one in params.history("lr"))
    assert [one.value for one in params.history("opt.name")] == ["sgd", "adam"]
    assert [one.value for one in params.history("flag")] == [1, True]
    assert params.changed == {"lr": 2, "opt.name": 1, "flag": 1}
    with pytest.raises(KeyError, match=r"has no param 'opt' \(it has 3: flag, lr, opt.name\)"):
        params.history("opt")


def test_a_param_that_never_changed_has_one_value(forgiving):
    """Also where the run was resumed with the same config."""
    with ox.start_run("r", config={"lr": 0.1}) as run:
        pass
    with ox.start_run(resume=run.id, config={"lr": 0.1}):
        pass

    assert [one.value for one in ox.run("r").params.history("lr")] == [0.1]
    assert ox.run("r").params.changed == {}


def test_summaries_and_histories_of_no_number(forgiving):
    """NaN is a value like others."""
    with ox.start_run("r") as run:
        run.config.lr = math.nan
        run.summary["best"] = math.inf

    assert math.isnan(ox.run("r").params.history("lr")[0].value)
    assert ox.run("r").summary["best"] == math.inf
