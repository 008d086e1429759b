"""Why two runs differ: what is found, in which order, and what is no difference."""

import math

import pytest

import otel_experiments as ox
from otel_experiments.differences.run_diff import diff_runs
from otel_experiments.model.run import RunState
from otel_experiments.semconv import attributes

from .conftest import PATCH, Made


def found(diff, section):
    """Return the differences of a section, by key."""
    return {one.key: one for one in diff.differences if one.section == section}


def test_two_runs_of_the_same_program_are_the_same(pair):
    """Ids, process ids and names are no difference."""
    diff = diff_runs(*pair(Made(name="one"), Made(name="two")))

    assert [one.section for one in diff.differences] == ["labels"]
    assert diff.is_same
    assert "differ in nothing but what they are called" in diff.text()


@pytest.mark.parametrize(
    ("change", "section", "key", "values"),
    [
        ({"params": {"lr": 0.2, "model.depth": 3, "seed": 1}}, "params", "lr", (0.1, 0.2)),
        ({"params": {"model.depth": 3, "seed": 1}}, "params", "lr", (0.1, None)),
        ({"params": {"lr": 0.1, "model.depth": 3, "seed": 1, "new": None}}, "params", "new", (None, "null")),
        ({"commit": "b" * 40}, "code", "git commit", ("a" * 12, "b" * 12)),
        ({"patch": PATCH}, "code", "train.py", (None, "+1 -0")),
        ({"arguments": ("train.py", "--fast")}, "code", "command", ("train.py", "train.py --fast")),
        ({"packages": {"numpy": "2.1.0", "rich": "13.0"}}, "packages", "numpy", ("2.0.1", "2.1.0")),
        ({"variables": {"OMP_NUM_THREADS": "1"}}, "environment", "OMP_NUM_THREADS", (None, "1")),
        ({"resource": {attributes.PROCESS_RUNTIME_VERSION: "3.12.0"}}, "environment", "python", ("3.11.7", "3.12.0")),
        ({"machine": {"cpu": "slow", "cpu_count": 8, "memory_bytes": 8 * 10**9}}, "hardware", "cpu", ("fast", "slow")),
        ({"made": {"model": "c"}}, "artifacts", "model", (None, "v0 cccccccc")),
        ({"state": RunState.FAILED, "reason": "boom", "error_type": "ValueError"}, "state", "state", ("succeeded", "failed")),
        ({"tags": {"team": "vision"}}, "labels", "tag team", (None, "vision")),
    ],
)  # fmt: skip
def test_one_change_is_the_only_difference(pair, change, section, key, values):
    """What is changed is found, with both values, and nothing else is."""
    diff = diff_runs(*pair(Made(), Made(**change)))

    assert [(one.section, one.key, (one.a, one.b)) for one in diff.differences] == [(section, key, values)]


def test_other_bytes_of_a_data_set_are_a_cause(pair):
    """A data set of one name and other bytes is found before any symptom."""
    diff = diff_runs(*pair(Made(used={"train": "a"}), Made(used={"train": "b"}, loss=[5.0] * 40)))

    assert diff.differences[0].section == "data"
    assert diff.differences[0].detail == "other bytes under one name"


@pytest.mark.parametrize(("a", "b"), [(1, 1.0), (1, "1"), (True, "true")])
def test_another_type_alone_is_said(pair, a, b):
    """A param that is the same but for its type is a small difference that is named."""
    (one,) = diff_runs(*pair(Made(params={"x": a}), Made(params={"x": b}))).differences

    assert one.detail == f"another type: {type(a).__name__} and {type(b).__name__}"
    assert one.weight < 0.5


def test_nan_is_the_same_as_nan(pair):
    """A param, or the end of a curve, that is NaN in both runs is no difference."""
    made = {"params": {"x": math.nan, "y": [math.nan, 1]}, "loss": [1.0, math.nan]}

    assert diff_runs(*pair(Made(**made), Made(**made))).differences == ()


def test_causes_come_before_symptoms_and_the_likeliest_first(pair):
    """Code, params, packages and machine come in this order, then what came of them."""
    other = Made(
        name="two",
        patch=PATCH,
        params={"lr": 0.5, "model.depth": 3, "seed": 2},
        packages={"numpy": "2.0.1", "rich": "14.0"},
        machine={"cpu": "slow", "cpu_count": 8, "memory_bytes": 8 * 10**9},
        loss=[5.0] * 40,
    )
    diff = diff_runs(*pair(Made(), other))

    keys = [one.key for one in diff.differences]
    assert keys == ["train.py", "lr", "seed", "rich", "cpu", "loss", "name"]
    weights = [one.weight for one in diff.causes]
    assert weights == sorted(weights, reverse=True)


def test_a_uncommitted_change_is_shown_line_by_line(pair):
    """Both runs had changes to a file, and the report shows how these differ."""
    (one,) = diff_runs(*pair(Made(patch=PATCH), Made(patch=PATCH.replace("+two", "+three")))).differences

    assert "-+two" in one.lines
    assert "++three" in one.lines
    assert "++three" in diff_runs(*pair(Made(patch=PATCH), Made(patch=PATCH.replace("+two", "+three")))).text(
        is_all=True
    )


def test_what_only_one_run_has_on_record_is_a_note(pair):
    """A run without a snapshot lacks no package: it is not known which it had."""
    diff = diff_runs(
        *pair(Made(), Made(has_snapshot=False, resource={attributes.VCS_REF_HEAD_REVISION: None}))
    )

    assert diff.is_same
    assert any(note.startswith("packages: recorded of A and not of B") for note in diff.notes)
    assert any(note.startswith("git commit: recorded of A") for note in diff.notes)


def noisy(level):
    """Return a curve that swings about a level by 0.1."""
    return [level + 0.1 * (-1) ** i for i in range(60)]


def test_a_metric_within_its_noise_says_so_and_weighs_little(pair):
    """Two noisy curves that end a bit apart are listed as within noise, far below a real change."""
    small = found(diff_runs(*pair(Made(loss=noisy(1.0)), Made(loss=noisy(1.1)))), "metrics")["loss"]
    large = found(diff_runs(*pair(Made(loss=noisy(1.0)), Made(loss=noisy(3.0)))), "metrics")["loss"]

    assert "within noise" in small.detail
    assert "beyond noise" in large.detail
    assert small.weight < large.weight


@pytest.mark.parametrize(("way", "word"), [("min", "better"), ("max", "worse")])
def test_a_metric_with_a_direction_says_whether_it_is_better(pair, way, word):
    """The best values are compared, and the report says which way they moved."""
    sides = Made(loss=[1.0] * 20, directions={"loss": way}), Made(loss=[0.5] * 20, directions={"loss": way})
    one = found(diff_runs(*pair(*sides)), "metrics")["loss"]

    assert (one.a, one.b) == (1.0, 0.5)
    assert one.detail == f"best -50 %, {word}"


def test_a_loss_that_became_nan_is_the_first_symptom(pair):
    """NaN where there was a number comes before other metrics and times."""
    diff = diff_runs(*pair(Made(), Made(loss=[1.0] * 39 + [math.nan])))

    assert diff.symptoms[0].key == "loss"
    assert "0 and 1 NaN" in diff.symptoms[0].detail


def test_a_metric_of_one_run_only_is_found(pair):
    """A metric that one of the runs lacks is added or removed."""
    assert found(diff_runs(*pair(Made(), Made(loss=[]))), "metrics")["loss"].change == "removed"


def test_a_stage_that_comes_three_times_is_found(pair):
    """Three checkpoints an epoch in place of one are named with their count."""
    one = Made(stages={"fit": (1, 500, 490), "checkpoint": (1, 50, 5)})
    two = Made(stages={"fit": (1, 500, 490), "checkpoint": (3, 50, 5)})
    by_key = found(diff_runs(*pair(one, two)), "spans")

    (key,) = by_key
    assert key == "run/epoch/checkpoint"
    assert (by_key[key].a, by_key[key].b) == ("10", "30")
    assert by_key[key].detail.startswith("x3")


def test_a_path_of_one_run_only_is_found(pair):
    """A stage that only the second run has is added."""
    more = Made(stages={"load": (1, 100, 1), "fit": (1, 500, 490), "augment": (1, 20, 19)})
    by_key = found(diff_runs(*pair(Made(), more)), "spans")

    assert by_key["run/epoch/augment"].b == "10"
    assert by_key["run/epoch/augment"].change == "added"


def test_a_renamed_stage_says_both_names_once(pair):
    """A stage that has another name is one difference with both names, which its detail does not repeat."""
    a = Made(stages={"load": (1, 100, 1), "fit": (1, 500, 490)})
    b = Made(stages={"fetch": (1, 100, 1), "fit": (1, 500, 490)})
    (one,) = found(diff_runs(*pair(a, b)), "spans").values()

    assert (one.a, one.b) == ("load", "fetch")
    assert one.detail == "renamed"


@pytest.mark.parametrize(
    ("wall", "cpu", "words"),
    [(140, 1.4, "CPU time the same: it waits longer"), (140, 41, "it computes more")],
)
def test_a_slower_stage_says_whether_it_waits(pair, wall, cpu, words):
    """Loading that takes 40 % longer is found, with the distinction of waiting and computing."""
    slow = Made(stages={"load": (1, wall, cpu), "fit": (1, 500, 490)})
    diff = diff_runs(*pair(Made(), slow))
    one = found(diff, "times")["run/epoch/load"]

    assert one.detail.startswith("+40 %, +402 ms in 10 spans")
    assert words in one.detail
    assert diff.is_same, "times alone do not make two runs different"


def test_times_that_vary_by_themselves_are_not_named(pair):
    """A stage that takes 1 % longer is not among the differences, and stands in the table of paths."""
    diff = diff_runs(*pair(Made(), Made(stages={"load": (1, 101, 1), "fit": (1, 500, 490)})))

    assert found(diff, "times") == {}
    assert diff.paths_b["run/epoch/load"].p50_s > diff.paths_a["run/epoch/load"].p50_s


def test_a_slow_machine_is_a_note(pair):
    """Where everything takes twice as long no path is to blame, and the report says so."""
    stages = {"a": (1, 100, 90), "b": (1, 200, 190), "c": (1, 300, 290), "d": (1, 400, 390)}
    twice = {name: (1, wall * 2, cpu * 2) for name, (_, wall, cpu) in stages.items()}
    diff = diff_runs(*pair(Made(stages=stages), Made(stages=twice)))

    assert any("times as long in B" in note for note in diff.notes)


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({"open_stages": 1}, "spans: 2 have not ended in B"),
        ({"orphans": 2}, "spans: 2 have no parent in B"),
        ({"has_spans": False}, "spans: B has none"),
    ],
)
def test_an_incomplete_trace_is_compared_as_far_as_it_goes(pair, change, note):
    """Open spans, spans without a parent and a run without spans are said, and raise nothing."""
    diff = diff_runs(*pair(Made(), Made(**change)))

    assert any(one.startswith(note) for one in diff.notes), diff.notes


def test_a_run_that_still_runs_is_said(pair):
    """The report of a running run says that more may come."""
    diff = diff_runs(*pair(Made(), Made(state=RunState.PENDING)))

    assert any(note.startswith("B is pending") for note in diff.notes)


def test_ten_differences_are_shown_and_the_others_counted(pair):
    """Of thirty differences ten are shown, causes and symptoms, and the text says how many more there are."""
    params = {f"p{i}": i for i in range(30)}
    other = Made(
        params={key: value + 1 for key, value in params.items()}, loss=[9.0] * 40, made={"model": "a"}
    )
    diff = diff_runs(*pair(Made(params=params), other))

    assert len(diff.shown()) == 10
    assert {"params", "metrics", "artifacts"} == {one.section for one in diff.shown()}
    assert f"and {len(diff.differences) - 10} more" in diff.text()
    assert len(diff.text(is_all=True).splitlines()) > 30


HOSTILE = "<script>|`\x1b[31m\u202e\n'\""


@pytest.mark.parametrize("form", ["text", "markdown", "html", "json", "_repr_html_"])
def test_no_name_breaks_a_report(pair, form):
    """Names, values and notes with markup, control characters and line breaks are escaped in every form."""
    a = Made(name=HOSTILE, params={HOSTILE: HOSTILE}, stages={HOSTILE: (1, 5, 5)})
    b = Made(name=HOSTILE, params={HOSTILE: "x"}, stages={HOSTILE: (2, 5, 5)})
    shown = getattr(diff_runs(*pair(a, b)), form)()

    if form != "json":
        assert "\x1b" not in shown
        assert "\u202e" not in shown
    if "html" in form:
        assert "<script>" not in shown


def test_the_page_fetches_nothing_and_draws_both_curves(pair):
    """The page has a policy that forbids loading, and a figure with both runs."""
    page = diff_runs(*pair(Made(name="one"), Made(name="two", loss=[3.0] * 40))).html()

    assert "default-src 'none'" in page
    assert "A one" in page
    assert "B two" in page
    assert "src=" not in page


def test_lines_fit_the_width(pair):
    """No line of the short report is wider than asked for."""
    a = Made(params={"x" * 200: "y" * 500})
    b = Made(params={"x" * 200: "z" * 500}, stages={"s" * 300: (1, 5, 5)})

    assert max(map(len, diff_runs(*pair(a, b)).text(width=80).splitlines())) <= 80


def test_ox_diff_takes_runs_and_stays_a_function(pair):
    """`ox.diff` compares runs that were read, the second time as the first: no package of ours hides it."""
    a, b = pair(Made(), Made(params={}))

    assert [ox.diff(a, b).is_same, ox.diff(a, a).is_same] == [False, True]
