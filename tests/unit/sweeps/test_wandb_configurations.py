"""Sweep configurations of wandb, given to `ox.sweep` as they are."""

import math

import pytest

import otel_experiments as ox
from otel_experiments.errors import ConfigurationError


@pytest.fixture(autouse=True)
def recording(tmp_path):
    """Record into a store in the test's folder."""
    ox.configure(store=tmp_path / "runs.db", on_error="raise", system_metrics_s=0.0, experiment="digits")
    yield
    ox.shutdown()


def nothing(config):
    """Take a config."""


def tried(parameters, *, method="random", **given):
    """Return the configs that a sweep with these parameters tries."""
    result = ox.sweep(nothing, {"method": method, "parameters": parameters}, name="search", **given)
    return [trial.config for trial in result]


def test_a_grid_of_wandb_is_a_grid():
    """Values are tried in their combinations, a value is the same in all, and what is nested stays so."""
    parameters = {
        "opt": {"values": ["adam", "sgd"]},
        "layers": {"value": [64, 32]},
        "loss": {"parameters": {"weight": {"values": [1, 2]}, "kind": {"value": {"name": "mse"}}}},
    }
    assert tried(parameters, method="grid") == [
        {"opt": opt, "layers": [64, 32], "loss": {"weight": weight, "kind": {"name": "mse"}}}
        for opt in ("adam", "sgd")
        for weight in (1, 2)
    ]
    assert ox.run("search").params["sweep"]["method"] == "grid"
    assert tried({"depth": {"min": 1, "max": 3}}, method="grid") == [{"depth": 1}, {"depth": 2}, {"depth": 3}]


@pytest.mark.parametrize(
    ("parameter", "kind", "low", "high"),
    [
        ({"distribution": "uniform", "min": 0, "max": 1}, float, 0, 1),
        ({"min": 0.5, "max": 1}, float, 0.5, 1),
        ({"min": 2, "max": 4}, int, 2, 4),
        ({"distribution": "int_uniform", "min": 2, "max": 4}, int, 2, 4),
        ({"distribution": "log_uniform_values", "min": 1e-5, "max": 1e-1}, float, 1e-5, 1e-1),
        ({"distribution": "log_uniform", "min": -2, "max": 0}, float, math.exp(-2), 1),
        ({"distribution": "categorical", "values": [3, 5]}, int, 3, 5),
        ({"distribution": "constant", "value": 3}, int, 3, 3),
    ],
)
def test_what_wandb_draws_is_drawn(parameter, kind, low, high):
    """Each value is of the interval and the type that wandb's word means, and the draws are not all the same."""
    drawn = [config["x"] for config in tried({"x": parameter, "y": {"min": 0.0, "max": 1.0}}, n=20)]

    assert {type(value) for value in drawn} == {kind}
    assert all(low <= value <= high for value in drawn)
    assert len(set(drawn)) > 1 or low == high


def test_logarithms_are_spread_evenly():
    """Half of what is drawn from five orders of magnitude is below the middle one."""
    parameter = {"distribution": "log_uniform_values", "min": 1e-5, "max": 1}
    drawn = [config["x"] for config in tried({"x": parameter}, n=200, seed=7)]
    assert 70 < sum(value < 10**-2.5 for value in drawn) < 130


def test_values_have_their_probabilities():
    """What is likelier is drawn more often."""
    parameter = {"values": ["often", "seldom"], "probabilities": [0.9, 0.1]}
    drawn = [config["x"] for config in tried({"x": parameter}, n=200, seed=7)]
    assert 160 < drawn.count("often") < 200
    space = ox.run("search").params["sweep"]["space"]
    assert space == {"x": "choice(['often', 'seldom'], weights=[0.9, 0.1])"}


def test_name_project_cap_and_goal_are_those_of_the_configuration(caplog):
    """They are used where nothing else is given, and the best trial is found by the metric of the configuration."""
    configuration = {
        "name": "tuning", "project": "letters", "method": "random", "run_cap": 5,
        "metric": {"name": "score", "goal": "maximize"}, "parameters": {"x": {"min": 0.0, "max": 1.0}},
    }  # fmt: skip
    result = ox.sweep(lambda config: ox.log({"score": config["x"]}), configuration)

    assert (result.name, len(result), ox.run("tuning").experiment) == ("tuning", 5, "letters")
    assert result.best().config == max((trial.config for trial in result), key=lambda config: config["x"])
    assert result.best(direction="min").config == min(
        (trial.config for trial in result), key=lambda config: config["x"]
    )
    assert caplog.records == []

    given = ox.sweep(nothing, configuration, name="other", experiment="words", n=2)
    assert (given.name, len(given), ox.run("other").experiment) == ("other", 2, "words")


@pytest.mark.parametrize("goal", [["maximize"], {}, 7, None])
def test_a_goal_that_is_none_leaves_the_metric_without_a_direction(goal):
    """A slip in the configuration does not end the sweep; the best trial is asked for with a direction."""
    configuration = {
        "method": "random",
        "run_cap": 2,
        "metric": {"name": "score", "goal": goal},
        "parameters": {"x": {"min": 0.0, "max": 1.0}},
    }
    result = ox.sweep(lambda config: ox.log({"score": config["x"]}), configuration)

    assert result.best(direction="max").config == max(
        (trial.config for trial in result), key=lambda config: config["x"]
    )


def test_what_is_not_done_of_a_configuration_is_said(caplog):
    """A search that learns is drawn at random, no trial is stopped early, and a program is not started."""
    configuration = {
        "method": "bayes", "program": "train.py", "early_terminate": {"type": "hyperband", "min_iter": 3},
        "parameters": {"x": {"min": 0.0, "max": 1.0}},
    }  # fmt: skip
    ox.sweep(nothing, configuration, n=2, name="search")

    assert [record.message for record in caplog.records] == [
        (
            "Of the configuration of sweep 'search': method 'bayes' learns from no trial here: configs are drawn at random, as "
            "'random' does; early_terminate stops no trial here: each runs to its end; program is not used"
        )
    ]


@pytest.mark.parametrize(
    "space",
    [
        {"method": ["grid", "random"], "parameters": {"x": {"value": 1}}},
        {"method": "random", "parameters": {"lr": [1, 2]}},
        {"method": "newton", "parameters": {"x": {"value": 1}}},
        {"method": "grid", "parameters": {"x": {"size": 3}}},
    ],
)
def test_a_space_with_such_names_stays_a_space(space):
    """Only wandb's form is a configuration; a config may have a method and parameters of its own."""
    assert next(set(trial.config) for trial in ox.sweep(nothing, space)) == {"method", "parameters"}


@pytest.mark.parametrize(
    ("method", "parameter", "text"),
    [
        ("random", {"distribution": "normal", "mu": 0, "sigma": 1}, "its distribution is 'normal'"),
        ("random", {"distribution": 3, "min": 0, "max": 1}, "its distribution is 3"),
        ("random", {"distribution": "uniform", "min": 0, "max": 1, "q": 0.1}, "q rounds what is drawn"),
        ("random", {"min": 0}, "its distribution is None"),
        ("random", {}, "its distribution is None"),
        ("random", {"min": "1e-5", "max": 1}, "'1e-5' is no finite number"),
        ("random", {"distribution": "log_uniform", "min": 0, "max": 1e4}, "range"),
        ("random", {"distribution": "log_uniform_values", "min": 0, "max": 1}, "0 has no logarithm"),
        ("grid", {"min": 0.0, "max": 1.0}, "a grid would have no end of its values"),
        ("grid", {"min": 0, "max": 10**9}, "a grid would have no end of its values"),
        ("random", {"values": []}, "its values are []"),
        ("random", {"values": "adam"}, "its values are 'adam'"),
        ("random", {"values": [1, 2], "probabilities": [1]}, "its probabilities are [1]"),
        ("random", {"values": [1, 2], "probabilities": [1, -1]}, "its probabilities are [1, -1]"),
        ("random", {"parameters": {"y": 3}}, "3 does not say how"),
    ],
)
def test_a_parameter_that_cannot_be_tried_is_refused(method, parameter, text):
    """The error names the parameter, what it has, and what can be tried; nothing is recorded."""
    with pytest.raises(ConfigurationError) as caught:
        tried({"x": parameter, "z": {"value": 1}}, method=method, n=3)
    said = str(caught.value)
    assert said.startswith("The parameter 'x")
    assert text in said
    assert "\n  Give it " in said
    assert ox.runs() == []
