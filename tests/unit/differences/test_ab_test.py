"""Whether groups of runs differ by more than chance."""

import json

import pytest

import otel_experiments as ox
from otel_experiments._opening import open_reader
from otel_experiments.errors import AnalysisError, SearchSyntaxError
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.run import Run, RunState
from otel_experiments.store import open_store

from .conftest import START, Made, batch_of

CONTROL = [2.0, 2.2, 1.9, 2.1, 2.0]
BETTER = [1.0, 1.2, 0.9, 1.1, 1.0]
SAME = [2.1, 2.0, 2.2, 1.9, 2.0]


@pytest.fixture
def store(tmp_path):
    """Return a function that stores runs by group, and returns the address of the store."""

    def make(groups, *, key="condition", way=None):
        path = tmp_path / "ab.db"
        number = 10
        with open_store(path) as opened:
            for name, values in groups.items():
                for seed, value in enumerate(values):
                    made = Made(
                        name=f"{name}-{seed}",
                        params={key: name, "seed": seed},
                        loss=[] if value is None else [value],
                    )
                    made.directions = {} if way is None else {"loss": way}
                    opened.apply(batch_of(number, made))
                    number += 1
        return path

    return make


def verdicts(result):
    """Return the verdict of each group, by its value."""
    return {group.value: "" if group.test is None else group.test.verdict for group in result.groups}


def test_groups_are_held_against_the_control(store):
    """The group that is called control is the baseline, whatever the order, and the metric's direction decides."""
    path = store({"a": BETTER, "control": CONTROL, "z": SAME}, way="min")
    result = ox.ab_test("metrics.loss.best", by="params.condition", store=path)

    assert result.groups[0].value == "control"
    assert verdicts(result) == {"control": "", "a": "better", "z": "not shown"}
    assert result.goal == "minimize"
    assert result.groups[1].values in {tuple(BETTER), tuple(reversed(BETTER))}


def test_without_a_control_the_oldest_group_is_the_baseline(store):
    """Runs that were there first are what later ones are held against, unless a baseline is named."""
    path = store({"old": CONTROL, "new": BETTER})

    assert verdicts(ox.ab_test("metrics.loss", by="params.condition", store=path)) == {
        "old": "",
        "new": "different",
    }
    named = ox.ab_test("metrics.loss", by="params.condition", baseline="new", goal="minimize", store=path)
    assert verdicts(named) == {"new": "", "old": "worse"}


def test_runs_without_the_number_are_counted(store):
    """A run without the metric, or with NaN, is left out of the test and told."""
    path = store({"control": [*CONTROL, None, float("nan")], "a": BETTER})
    result = ox.ab_test("metrics.loss", by="params.condition", store=path)

    assert (len(result.groups[0].values), result.groups[0].left_out) == (5, 2)
    assert "2 left out" in result.text()


def test_partners_are_found_by_what_they_share(store):
    """Runs of one seed are partners; those without one are left out of both the test and the values."""
    spread = [1.0, 5.0, 9.0, 2.0, 7.0]
    path = store(
        {"control": [*spread, 4.0], "a": [value - 0.1 - 0.01 * at for at, value in enumerate(spread)]}
    )
    plain = ox.ab_test("metrics.loss", by="params.condition", goal="minimize", store=path)
    paired = ox.ab_test(
        "metrics.loss",
        by="params.condition",
        goal="minimize",
        method="paired-t",
        pair_by="params.seed",
        store=path,
    )

    assert verdicts(plain)["a"] == "not shown"
    assert verdicts(paired)["a"] == "better"
    assert paired.groups[1].test.count == 5


def test_runs_that_share_a_partner_are_one_value(store):
    """Two runs of one seed in one group are one value of a paired test: their mean."""
    path = store({"control": CONTROL, "a": BETTER})
    with open_store(path) as opened:
        opened.apply(batch_of(99, Made(name="again", params={"condition": "a", "seed": 0}, loss=[3.0])))
    paired = ox.ab_test(
        "metrics.loss", by="params.condition", method="paired-t", pair_by="params.seed", store=path
    )

    assert sorted(paired.groups[1].values) == [0.9, 1.0, 1.1, 1.2, 2.0]
    assert paired.groups[1].left_out == 1


def test_every_form_has_every_group(store):
    """Text, Markdown, HTML and JSON say the same."""
    result = ox.ab_test(
        "metrics.loss", by="params.condition", store=store({"control": CONTROL, "<b>": BETTER, "*z*": SAME})
    )

    for form in (result.text(), str(result), result.markdown()):
        assert all(word in form for word in ("control", "<b>", "*z*", "different", "not shown"))
    assert "&lt;b&gt;" in result._repr_html_()
    assert "<b>" not in result._repr_html_()
    assert "`*z*`" in result.markdown()
    held = json.loads(json.dumps(result.json()))
    assert [group["value"] for group in held["groups"]] == ["control", "<b>", "*z*"]
    assert held["groups"][0]["test"] is None
    assert held["groups"][1]["test"]["verdict"] == "different"
    assert repr(result) == "ABTest('metrics.loss' by 'params.condition', 3 groups)"


def test_groups_of_one_run_show_nothing_and_say_so(store):
    """With one value in a group there is nothing to test, and the text names the groups."""
    result = ox.ab_test("metrics.loss", by="params.condition", store=store({"control": CONTROL, "a": [1.0]}))

    assert verdicts(result)["a"] == "not shown"
    assert "fewer than 2 values: a." in result.text()


@pytest.mark.filterwarnings("ignore::otel_experiments.errors.SearchWarning")
@pytest.mark.parametrize(
    ("groups", "found"), [({}, "no run was found"), ({"a": CONTROL}, "have 1 value of 'params.condition'")]
)
def test_there_are_two_groups_or_more(store, groups, found):
    """No run, or one group, is nothing to compare, and the text says which of them it is."""
    with pytest.raises(AnalysisError, match=f"There are two groups or more.*{found}"):
        ox.ab_test("metrics.loss", by="params.condition", store=store(groups))


def test_what_tells_every_run_apart_makes_no_groups(tmp_path):
    """A hundred groups of one run are refused before a hundred tests are made."""
    with open_store(tmp_path / "x.db") as opened:
        opened.apply(
            WriteBatch(
                runs=[
                    Run(f"{at:032x}", "e", f"run {at}", RunState.SUCCEEDED, START + at)
                    for at in range(1, 103)
                ]
            )
        )
    with pytest.raises(AnalysisError, match=r"found \(102\) have 102 values of 'name'"):
        ox.ab_test("duration", by="name", store=tmp_path / "x.db")


def test_a_baseline_that_there_is_not_names_those_there_are(store):
    """A misspelt group is told with the groups."""
    with pytest.raises(AnalysisError, match=r"there are .*'control'"):
        ox.ab_test(
            "metrics.loss",
            by="params.condition",
            baseline="controll",
            store=store({"control": CONTROL, "a": BETTER}),
        )


@pytest.mark.parametrize(
    ("method", "pair_by"), [("paired-t", None), ("wilcoxon", None), ("welch", "params.seed")]
)
def test_pairs_need_what_makes_them_and_a_test_of_pairs(store, method, pair_by):
    """A paired test without partners, and partners without a paired test, are refused."""
    with pytest.raises(AnalysisError, match=r"pair_by='params.seed'"):
        ox.ab_test(
            "metrics.loss",
            by="params.condition",
            method=method,
            pair_by=pair_by,
            store=store({"control": CONTROL, "a": BETTER}),
        )


def test_one_field_is_named_at_a_time(store):
    """Two fields, and what is no field, are refused where they stand."""
    path = store({"control": CONTROL, "a": BETTER})
    with pytest.raises(AnalysisError, match="One field"):
        ox.ab_test("metrics.loss, duration", by="params.condition", store=path)
    with pytest.raises(SearchSyntaxError):
        ox.ab_test("metrics.", by="params.condition", store=path)


def test_a_metric_whose_runs_declare_two_directions_has_none(store):
    """Where runs disagree on what is better, a difference is only a difference."""
    path = store({"control": CONTROL, "a": BETTER}, way="min")
    with open_store(path) as opened:
        opened.apply(
            batch_of(
                99, Made(name="again", params={"condition": "a"}, loss=[1.0], directions={"loss": "max"})
            )
        )

    assert ox.ab_test("metrics.loss", by="params.condition", store=path).goal is None
    with open_reader(path) as reader:
        assert reader.count_runs() == 11
