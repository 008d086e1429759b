"""Sweeps in this process: which configs are tried, what becomes of trials, and which was best."""

import os
import random
import signal
import sys
import threading

import pytest

import otel_experiments as ox
from otel_experiments.errors import ConfigurationError, MetricNotFoundError, QueryError


@pytest.fixture(autouse=True)
def recording(tmp_path):
    """Record into a store in the test's folder."""
    ox.configure(store=tmp_path / "runs.db", on_error="raise", system_metrics_s=0.0, experiment="digits")
    yield
    ox.shutdown()


def nothing(config):
    """Take a config."""


def tried(space, **given):
    """Return the configs that a sweep tries."""
    return [trial.config for trial in ox.sweep(nothing, space, **given)]


def test_a_grid_tries_each_combination():
    """The last value changes first, and what is no list is the same in all."""
    assert tried({"lr": [0.1, 0.2], "depth": (1, 2), "name": "net"}) == [
        {"lr": 0.1, "depth": 1, "name": "net"},
        {"lr": 0.1, "depth": 2, "name": "net"},
        {"lr": 0.2, "depth": 1, "name": "net"},
        {"lr": 0.2, "depth": 2, "name": "net"},
    ]


def test_a_space_may_be_nested():
    """The config has the shape of the space."""
    assert tried({"optim": {"lr": [1, 2], "name": "sgd"}, "seed": range(1)}) == [
        {"optim": {"lr": 1, "name": "sgd"}, "seed": 0},
        {"optim": {"lr": 2, "name": "sgd"}, "seed": 0},
    ]


def test_a_part_of_a_space_may_have_no_values():
    """It is in each config, and none is another's."""
    assert tried({"lr": [1, 2], "optim": {"extra": {}}}) == [
        {"lr": 1, "optim": {"extra": {}}},
        {"lr": 2, "optim": {"extra": {}}},
    ]
    assert tried({"lr": ox.uniform(0, 1), "optim": {}}, n=1)[0]["optim"] == {}


def test_an_array_of_no_dimension_is_one_value():
    """It is the same in each config, as a number is; an array with a dimension is a list."""
    np = pytest.importorskip("numpy")
    assert tried({"lr": np.array(0.5), "depth": np.array([1, 2])}) == [
        {"lr": 0.5, "depth": 1},
        {"lr": 0.5, "depth": 2},
    ]


def test_a_trial_never_changes_the_config_of_another():
    """A function may add to a list of its config: the next trial has what the space says, and so has the result."""

    def grow(config):
        config["layers"].append(10)
        config["optim"]["betas"][0][0] += 1
        return config["layers"], config["optim"]["betas"]

    options, shared = {"layers": [[64]], "optim": {"betas": [[[1]]]}, "lr": [0.1, 0.2]}, {"betas": [[1]]}
    for space in (options, [{"layers": [64], "optim": shared}, {"layers": [64], "optim": shared}]):
        result = ox.sweep(grow, space)
        assert [trial.returned for trial in result] == [([64, 10], [[2]])] * 2
        assert [trial.config["layers"] for trial in result] == [[64], [64]]
    assert options == {"layers": [[64]], "optim": {"betas": [[[1]]]}, "lr": [0.1, 0.2]}
    assert shared == {"betas": [[1]]}


def test_what_cannot_be_copied_is_shared_and_the_rest_is_not():
    """A lock in a config is the same one in each trial; the list beside it is each trial's."""
    lock = threading.Lock()
    config = {"parts": ({"lock": lock, "layers": [64]}, [lock, [64]]), "layers": [64]}

    def grow(config):
        first, second = config["parts"]
        for layers in (first["layers"], second[1], config["layers"]):
            layers.append(10)
        return (first["lock"], second[0], first["layers"], second[1], config["layers"])

    result = ox.sweep(grow, [config, config])
    assert [trial.returned for trial in result] == [(lock, lock, [64, 10], [64, 10], [64, 10])] * 2


def test_so_many_of_a_grid_are_different():
    """With n a part of the grid is tried, no config twice, and the same for the same seed."""
    space = {"a": range(10), "b": range(10)}
    for n in (7, 80):
        first = tried(space, n=n, seed=3)
        assert len({tuple(config.values()) for config in first}) == n
        assert first == tried(space, n=n, seed=3) != tried(space, n=n, seed=4)
    assert len(tried(space, n=1000)) == 100


@pytest.mark.parametrize(
    ("space", "found"),
    [
        ({"a": [1, 2], "b": (1, 2)}, "the grid has 4 configs"),
        ([{"a": 1}], "the list has 1 config"),
    ],
)
def test_more_trials_than_there_are_configs_are_said(space, found, caplog):
    """Each config is tried once, and the log says that there are no more."""
    assert len(tried(space, n=9, name="search")) == len(tried(space))
    assert [record.message for record in caplog.records] == [
        (
            f"Sweep 'search' tries fewer configs than n=9: {found}, and each is tried once. "
            "For more, add values, or draw them: ox.uniform, ox.loguniform, ox.randint"
        )
    ]
    caplog.clear()
    tried({"a": ox.uniform(0, 1)}, n=9)
    tried({"a": [1, 2]}, n=2)
    assert caplog.records == []


def test_values_are_drawn_from_what_is_given():
    """Each kind of distribution keeps to its interval, a list is one to choose from, and a seed repeats all."""
    space = {
        "u": ox.uniform(-1, 1), "l": ox.loguniform(1e-4, 1e-1), "i": ox.randint(1, 3), "c": ox.choice(["a", "b"]),
        "o": [1, 2], "k": 5,
    }  # fmt: skip
    found = tried(space, n=60, seed=1)
    assert all(-1 <= config["u"] <= 1 and 1e-4 <= config["l"] <= 1e-1 for config in found)
    assert {config["i"] for config in found} == {1, 2, 3}
    assert ({config["c"] for config in found}, {config["o"] for config in found}) == ({"a", "b"}, {1, 2})
    assert sum(config["l"] < 1e-2 for config in found) > 20  # two of three orders of magnitude
    assert found == tried(space, n=60, seed=1)
    assert tried({"u": ox.uniform(0, 1)}, n=1, seed=0) == [{"u": 0.8444218515250481}]


def test_the_random_numbers_of_the_program_are_not_touched():
    """A sweep neither seeds nor moves `random`, and its own draws do not depend on it."""
    random.seed(7)
    before = random.getstate()
    ox.sweep(nothing, {"lr": ox.uniform(0, 1)}, n=3, seed=1)
    assert random.getstate() == before


def test_a_list_of_configs_is_tried_as_it_is():
    """Configs of a list, or of a generator, need not have the same names."""
    assert tried([{"lr": 1}, {"depth": 2}]) == [{"lr": 1}, {"depth": 2}]
    assert tried(({"lr": number} for number in range(100)), n=2) == [{"lr": 0}, {"lr": 1}]


def test_trials_are_runs_that_are_children_of_the_sweep():
    """Each trial is a run of the sweep's experiment with its config as params."""
    result = ox.sweep(nothing, {"lr": [0.1, 0.2]}, name="search", group="g", tags=["night"], seed=5)

    stored = ox.run("search")
    assert [(run.name, run.experiment, run.group, run.params.flat) for run in stored.children] == [
        ("search-000", "digits", "g", {"lr": 0.1}), ("search-001", "digits", "g", {"lr": 0.2}),
    ]  # fmt: skip
    assert (stored.id, stored.state, list(stored.tags)) == (result.id, "succeeded", ["night"])
    about = stored.params["sweep"]
    assert (about["method"], about["trials"], about["seed"], about["space"]["lr"]) == (
        "grid",
        2,
        5,
        [0.1, 0.2],
    )
    assert about["function"].endswith("test_sweep.nothing")
    assert [run.id for run in result.runs] == [trial.run_id for trial in result]


def test_a_function_takes_a_config_a_run_or_both():
    """What it takes is seen from its arguments."""
    seen = []
    for fn in (
        lambda config: seen.append((config["a"], None)),
        lambda run: seen.append((run.config.a, run)),
        lambda run, config: seen.append((config["a"], run)),
        lambda config, run: seen.append((config["a"], run)),
        lambda config, depth=3: seen.append((config["a"], None)),
        lambda *args: seen.append((args[0]["a"], None)),
    ):
        assert ox.sweep(fn, {"a": [1]})[0].state == "succeeded"
    assert [value for value, _ in seen] == [1] * 6
    assert [run is not None for _, run in seen] == [False, True, True, True, False, False]


def test_what_is_logged_in_a_trial_is_its_runs():
    """ox.log and spans inside of the function go to the trial, not to the sweep."""

    def train(config):
        ox.log({"loss": config["lr"]})
        with ox.span("load"):
            pass
        return config["lr"] * 2

    result = ox.sweep(train, {"lr": [0.3, 0.1, 0.2]}, name="search")
    assert [run.metrics["loss"].last for run in result.runs] == [0.3, 0.1, 0.2]
    assert [trial.returned for trial in result] == [0.6, 0.2, 0.4]
    assert not ox.run("search").metrics


def test_a_trial_that_raises_is_failed_and_the_sweep_goes_on():
    """The result has the exception itself; the others are done."""
    raised = ValueError("too deep")

    def train(config):
        if config["depth"] == 1:
            raise raised

    result = ox.sweep(train, {"depth": [0, 1, 2]}, name="search")
    assert [trial.state for trial in result] == ["succeeded", "failed", "succeeded"]
    assert result.failed[0].error is raised
    assert "raise raised" in result.failed[0].traceback
    assert ox.run("search-001").reason == "too deep"
    assert ox.run("search").state == "succeeded"
    assert "1 failed" in repr(result)
    assert "ValueError: too deep" in str(result)


def test_a_sweep_all_of_whose_trials_failed_is_failed():
    """Its run says so."""

    def train(config):
        raise RuntimeError

    assert len(ox.sweep(train, {"a": [1, 2]}, name="search").failed) == 2
    assert (ox.run("search").state, ox.run("search").reason) == ("failed", "all 2 trials failed")


def test_the_first_exception_can_end_the_sweep():
    """With raise_on_error the caller gets it, the same object, and the rest is not tried."""
    raised, seen = ValueError("no"), []

    def train(config):
        seen.append(config["a"])
        if config["a"] == 2:
            raise raised

    with pytest.raises(ValueError, match="no") as caught:
        ox.sweep(train, {"a": [1, 2, 3]}, name="search", raise_on_error=True)
    assert (caught.value, seen) == (raised, [1, 2])
    assert ox.run("search").state == "failed"


def test_ctrl_c_cancels_the_rest():
    """What stops the program leaves the sweep as the same object; trial and sweep are cancelled."""
    raised, seen = KeyboardInterrupt(), []

    def train(config):
        seen.append(config["a"])
        raise raised

    with pytest.raises(KeyboardInterrupt) as caught:
        ox.sweep(train, {"a": [1, 2, 3]}, name="search")
    assert (caught.value, seen) == (raised, [1])
    assert (ox.run("search").state, ox.run("search-000").state) == ("cancelled", "cancelled")
    assert len(ox.runs()) == 2


def exit_with(config):
    """Exit as the config says."""
    if config["code"] == "bare":
        sys.exit()
    sys.exit(config["code"])


@pytest.mark.parametrize("given", [{}, {"workers": 2, "start_method": "fork"}])
def test_a_trial_that_exits_ends_itself_alone(given):
    """As with a script of its own, 0 and nothing are a success, and anything else fails the trial."""
    result = ox.sweep(exit_with, {"code": [0, "bare", None, 3, "no data"]}, name="search", **given)

    assert [str(trial.state) for trial in result] == ["succeeded"] * 3 + ["failed"] * 2
    assert [type(trial.error) for trial in result] == [type(None)] * 3 + [SystemExit] * 2
    assert [trial.error.code for trial in result.failed] == [3, "no data"]
    assert [str(run.state) for run in result.runs] == [str(trial.state) for trial in result]
    assert ox.run("search").state == "succeeded"


def test_the_exit_of_a_trial_can_end_the_sweep():
    """With raise_on_error a failed exit is raised, as any exception is."""
    with pytest.raises(SystemExit) as caught:
        ox.sweep(exit_with, {"code": [0, 3, 0]}, name="search", raise_on_error=True)
    assert caught.value.code == 3
    assert (ox.run("search").state, len(ox.run("search").children)) == ("failed", 2)


@pytest.mark.parametrize("is_raised_at_once", [True, False])
def test_an_exit_that_sigterm_asks_for_ends_the_sweep(is_raised_at_once):
    """A handler of SIGTERM that exits, or has the function exit, means the program and not one trial."""
    asked, seen = [], []

    def stop(number, frame):
        asked.append(number)
        before(number, frame)
        if is_raised_at_once:
            sys.exit(0)

    def train(config):
        seen.append(config["a"])
        os.kill(os.getpid(), signal.SIGTERM)
        if asked:
            sys.exit(0)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        with pytest.raises(SystemExit):
            ox.sweep(train, {"a": [1, 2, 3]}, name="search")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [1]
    assert (ox.run("search").state, ox.run("search-000").state) == ("cancelled", "cancelled")


def test_the_best_trial_is_found_by_a_metric():
    """The best point of each run counts; the direction is the declared one, else what the name says, else given."""

    def train(run, config):
        run.define_metric("score", direction="max")
        for step in range(3):
            run.log({"val/loss": config["lr"] + step, "score": config["lr"], "thing": config["lr"]})

    result = ox.sweep(train, {"lr": [0.2, 0.1, 0.3]})
    assert result.best("val/loss").config == {"lr": 0.1}
    assert result.best("val/loss", direction="max").config == {"lr": 0.3}
    assert result.best("score").config == {"lr": 0.3}
    with pytest.raises(QueryError, match="Nothing says which way metric 'thing' is better"):
        result.best("thing")
    with pytest.raises(MetricNotFoundError, match="val/los"):
        result.best("val/los")
    with pytest.raises(QueryError, match="There is no direction 'up'"):
        result.best("thing", direction="up")


def test_failed_trials_and_nan_are_never_best():
    """Only trials that succeeded count, and only numbers."""

    def train(run, config):
        run.log({"loss": config["loss"]})
        if config["fails"]:
            raise ValueError

    configs = [
        {"loss": float("nan"), "fails": False},
        {"loss": 0.1, "fails": True},
        {"loss": 0.5, "fails": False},
    ]
    assert ox.sweep(train, configs).best("loss").number == 2
    with pytest.raises(QueryError, match=r"No trial of sweep 'none' that succeeded has a value of 'loss'"):
        ox.sweep(train, configs[:1], name="none").best("loss")


def test_the_best_trial_is_found_by_what_the_function_returned():
    """Without a metric the numbers that came back are compared, the smallest first."""
    result = ox.sweep(lambda config: config["a"] ** 2, {"a": [-3, 1, 2]})
    assert result.best().config == {"a": 1}
    assert result.best(direction="max").config == {"a": -3}
    with pytest.raises(QueryError, match="has a number: 1 of 1 succeeded"):
        ox.sweep(nothing, {"a": [1]}, name="s").best()


def test_numbers_of_array_libraries_are_compared():
    """A loss is often a scalar of NumPy; texts and lists are none."""
    np = pytest.importorskip("numpy")
    returned = [np.float32(0.5), np.array(0.25), "0.1", [0.1], None, np.int64(1)]
    result = ox.sweep(lambda config: returned[config["i"]], {"i": range(6)})
    assert (result.best().number, result.best(direction="max").number) == (1, 5)


def test_a_sweep_is_a_table():
    """A row a trial, with params and metrics, in the order of the trials."""
    pytest.importorskip("pandas")

    def train(run, config):
        run.log({"loss": config["lr"]})

    table = ox.sweep(train, {"lr": [0.2, 0.1]}).to_pandas()
    assert list(table["params.lr"]) == list(table["metrics.loss.last"]) == [0.2, 0.1]


NO_SPACE = "The space of the sweep is empty.\n  Name one value"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"space": {}}, NO_SPACE),
        ({"space": {"optim": {}}}, NO_SPACE),
        ({"space": []}, "The list of configs of the sweep is empty"),
        ({"space": {"lr": []}}, "no value for 'lr': the list is empty"),
        ({"space": {"a": {"lr": iter(())}}}, "no value for 'a.lr': the list is empty"),
        ({"space": 3}, "The space of a sweep cannot be 3: it is of type int"),
        ({"space": "lr"}, "The space of a sweep cannot be 'lr': it is of type str"),
        ({"space": None}, "it is of type NoneType"),
        ({"space": [1, 2]}, "Config 0 of the sweep cannot be 1: it is of type int"),
        ({"space": {3: [1]}}, "A name in the space of the sweep cannot be 3"),
        ({"space": {"a": [1]}, "n": 0}, "n=0 is no number of trials"),
        ({"space": {"a": [1]}, "n": True}, "n=True is no number of trials"),
        ({"space": {"a": [1]}, "n": 2.5}, "n=2.5 is no number of trials"),
        ({"space": {"a": ox.uniform(0, 1)}}, "needs to know how often: the space has no end"),
        ({"space": {"a": range(2000), "b": range(2000)}}, "has 4,000,000 configs, more than 1,000,000"),
        ({"space": {"a": [1]}, "seed": "x"}, "seed='x' cannot be used: it is no integer"),
        ({"space": {"a": [1]}, "workers": 0}, "workers=0 is no number of processes"),
        ({"space": {"a": [1]}, "workers": 2, "start_method": "thread"}, "start_method='thread' is no way to start"),
        ({"space": {"a": [1]}, "fn": 3}, "A sweep calls a function, and 3 is none"),
        ({"space": {"a": [1]}, "fn": lambda: None}, "takes no argument"),
        ({"space": {"a": [1]}, "workers": 2, "start_method": "spawn", "fn": lambda config: None}, "cannot be sent to another process"),
    ],
)  # fmt: skip
def test_what_cannot_be_tried_is_refused_before_anything_runs(given, text):
    """The error says what was given, and nothing is started or stored."""
    given = {"fn": nothing, **given}
    with pytest.raises(ConfigurationError) as caught:
        ox.sweep(given.pop("fn"), given.pop("space"), **given)
    assert text in str(caught.value)
    assert "\n  " in str(caught.value)
    assert ox.runs() == []


def test_a_space_that_is_nested_without_end_is_refused():
    """Some configs hold themselves."""
    space = {"a": [1]}
    space["self"] = space
    with pytest.raises(ConfigurationError, match="nested deeper than 20 levels"):
        ox.sweep(nothing, space)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: ox.uniform(1, 0), r"uniform\(1, 0\) cannot be drawn from: it ends before it begins"),
        (lambda: ox.uniform("a", 1), "'a' is no finite number"),
        (lambda: ox.uniform(0, float("inf")), "inf is no finite number"),
        (lambda: ox.uniform(0, 10**400), "is no finite number: it is larger than any float"),
        (lambda: ox.randint(-(10**400), 0), "is no finite number: it is larger than any float"),
        (lambda: ox.uniform(-1.7e308, 1.7e308), "no float is as large as the interval is wide"),
        (lambda: ox.loguniform(0, 1), "0 has no logarithm"),
        (
            lambda: ox.loguniform(1, 0),
            r"loguniform\(1, 0\) cannot be drawn from: 0 has no logarithm.\n  Begin above 0",
        ),
        (lambda: ox.loguniform(1, -2), "-2 has no logarithm"),
        (lambda: ox.loguniform(1, 0.1), r"Turn it round: loguniform\(0.1, 1\)"),
        (lambda: ox.randint(0, 1.5), "1.5 is no integer"),
        (lambda: ox.randint(3, 1), r"Turn it round: randint\(1, 3\)"),
        (lambda: ox.choice([]), "it is empty"),
        (lambda: ox.choice("abc"), "'abc'\\) cannot be drawn from: it is no list"),
        (lambda: ox.choice(3), "it is no list"),
    ],
)
def test_a_distribution_that_cannot_be_drawn_from_is_refused(make, text):
    """The error names what is wrong with it."""
    with pytest.raises(ConfigurationError, match=text):
        make()
