"""What `run.log` takes, keeps and refuses."""

import decimal
import fractions
import math
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import otel_experiments as ox


def history(stored, name, phase=""):
    """Return [(step, value)] of a series."""
    points = next(s for s in stored.metrics.all() if (s.name, s.phase) == (name, phase)).points()
    return list(zip(points.steps, points.values, strict=True))


def test_steps_may_repeat_go_back_and_be_floats(recording, read):
    """Every point is kept, in the order in which it was recorded."""
    with ox.start_run("r") as run:
        for step in (3, 3, 1, 2.5, -1):
            run.log({"loss": step * 10}, step=step)

    assert history(read("r"), "loss") == [(3, 30), (3, 30), (1, 10), (2.5, 25), (-1, -10)]


def test_the_automatic_step_is_the_highest_so_far_plus_one_for_each_metric(recording, read):
    """Explicit and automatic steps share the counter, whatever other metrics the calls hold."""
    with ox.start_run("r") as run:
        run.log({"a": 0.0, "b": 0.0})
        run.log({"a": 1.0}, step=10)
        run.log({"a": 2.0, "b": 2.0})
        run.log_metric("b", 3.0)
        run.log_metric_at("a", 5, 4.0)
        assert (run.next_step("a"), run.next_step("b"), run.next_step("new")) == (12.0, 3.0, 0.0)

    assert history(read("r"), "a") == [(0, 0), (10, 1), (11, 2), (5, 4)]
    assert history(read("r"), "b") == [(0, 0), (1, 2), (2, 3)]


def test_nan_and_infinities_are_kept_exactly(recording, read):
    """A diverged loss is the datum that matters most."""
    values = [1.0, math.nan, math.inf, -math.inf, -0.0, 5e-324]
    with ox.start_run("r") as run:
        for value in values:
            run.log({"loss": value})

    stored = [value for _, value in history(read("r"), "loss")]
    assert [math.copysign(1, v) for v in stored] == [math.copysign(1, v) for v in values]
    assert str(stored) == str(values)


def test_scalars_of_numpy_are_numbers(recording, read):
    """Anything with a float value counts, without `.item()`."""
    scalars = [
        np.float32(0.5),
        np.float64(0.25),
        np.int64(3),
        np.bool_(True),
        np.array(2.0),
        decimal.Decimal("1.5"),
        True,
    ]
    with ox.start_run("r") as run:
        for scalar in scalars:
            run.log({"m": scalar}, step=np.int64(1))

    assert [value for _, value in history(read("r"), "m")] == [0.5, 0.25, 3.0, 1.0, 2.0, 1.5, 1.0]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (None, "leave the metric out"),
        ("0.5", "for texts there are run.set_tag"),
        ([1.0], "such as its mean"),
        (1j, "log one number of it"),
        (10**400, "larger than any float"),
        (np.array([1.0, 2.0]), "such as its mean"),
    ],
    ids=["None", "text", "list", "complex", "huge", "array"],
)
def test_what_is_no_number_is_counted_once_logged_and_takes_nothing_with_it(forgiving, caplog, bad, why):
    """The other values of the call are kept; the loss is counted each time and told once, with what can be done."""
    from otel_experiments._opening import open_reader

    with ox.start_run("r") as run:
        for _ in range(3):
            run.log({"good": 1.0, "bad": bad})
    ox.shutdown()

    stored = open_reader("experiments.db").run("r")
    assert list(stored.metrics) == ["good"]
    assert len(stored.metrics["good"].points()) == 3
    assert run.flush().lost["metric value"] == 3
    (told,) = [text for r in caplog.records if "'bad' is not a " in (text := r.getMessage())]
    assert why in told


@pytest.mark.parametrize(
    "bad", ["x", math.nan, math.inf, -math.inf, [1]], ids=["text", "nan", "inf", "-inf", "list"]
)
def test_a_step_that_is_none_keeps_the_value_at_the_next_step(forgiving, caplog, bad):
    """No point is lost for its step."""
    from otel_experiments._opening import open_reader

    with ox.start_run("r") as run:
        run.log({"loss": 1.0}, step=4)
        run.log({"loss": 2.0}, step=bad)
    ox.shutdown()

    assert history(open_reader("experiments.db").run("r"), "loss") == [(4, 1), (5, 2)]
    assert "is not a finite number" in caplog.text


def test_an_empty_metric_name_costs_only_itself(forgiving, caplog):
    """The nameless value is lost and told, its neighbour is kept."""
    from otel_experiments._opening import open_reader

    with ox.start_run("r") as run:
        run.log({"": 1.0, "kept": 2.0}, step=3)
    ox.shutdown()

    assert history(open_reader("experiments.db").run("r"), "kept") == [(3, 2)]
    assert "empty" in caplog.text


def test_log_takes_only_a_mapping(forgiving, caplog):
    """A list is counted and told, not raised."""
    with ox.start_run() as run:
        run.log([("loss", 1.0)])

    assert run.flush().lost["metric values"] == 1
    assert "not list" in caplog.text


def test_epoch_and_phase_make_series_of_their_own(recording, read):
    """`epoch=` is a metric that can be an axis; a phase separates train from validation."""
    with ox.start_run("r") as run:
        run.log({"loss": 1.0}, step=0, epoch=2, phase="train")
        run.log({"loss": 2.0}, step=0, phase="validation")

    stored = read("r")
    assert {(s.name, s.phase) for s in stored.metrics.all()} == {
        ("loss", "train"),
        ("epoch", "train"),
        ("loss", "validation"),
    }


def test_summaries_know_best_and_its_step(recording, read):
    """last, min, max, mean and best carry their steps; NaN hides nothing."""
    with ox.start_run("r") as run:
        run.define_metric("val/*", direction="max")
        for step, value in enumerate([0.1, 0.9, math.nan, 0.4]):
            run.log({"val/acc": value}, step=step)

    series = read("r").metrics["val/acc"]
    assert (series.best, series.best_step, series.last, series.max_step) == (0.9, 1.0, 0.4, 1.0)
    assert series.mean == pytest.approx((0.1 + 0.9 + 0.4) / 3)


def test_nothing_is_recorded_after_the_end(forgiving):
    """A finished run takes no points, and says how many it was given."""
    with ox.start_run("r") as run:
        run.log({"loss": 1.0})
    run.log({"loss": 2.0})

    assert history(ox.run("r"), "loss") == [(0, 1)]
    assert run.refused_count == 1


@pytest.fixture
def switching():
    """Have the interpreter change threads as often as it can."""
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before_s)


@pytest.mark.parametrize(
    "calls",
    [
        pytest.param([{"m"}, {"m"}], id="one set of names"),
        pytest.param([{"m"}, {"m"}, {"m", "n"}, {"m", "n"}], id="two that share a name"),
        pytest.param([{"m", f"own{i}"} for i in range(8)], id="each its own"),
        pytest.param([{"m"}, {"m", "a"}, {"m", "a", "b"}, {"b", "m"}], id="overlapping"),
    ],
)
def test_automatic_steps_are_unique_under_threads(recording, read, switching, calls):
    """Whoever logs a metric from several threads finds each of its points at a step of its own."""
    each = 8000 // len(calls)
    with ox.start_run("r") as run:

        def work(names):
            values = dict.fromkeys(sorted(names), 1.0)
            for _ in range(each):
                run.log(values)

        threads = [threading.Thread(target=work, args=(names,)) for names in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    for name in set().union(*calls):
        steps = [step for step, _ in history(read("r"), name)]
        assert sorted(steps) == [float(i) for i in range(each * sum(name in names for names in calls))]


def test_automatic_steps_are_unique_when_sets_of_names_are_forgotten(recording, read, switching, monkeypatch):
    """Names that change all the time, in several threads, repeat no step of the metric that stays."""
    monkeypatch.setattr("otel_experiments.record.metrics.keysets._MAX_KEYSETS", 16)
    with ox.start_run("r") as run:

        def work(number):
            for i in range(300):
                run.log({"m": 1.0, f"n{number}-{i % 20}": 1.0})

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert sorted(step for step, _ in history(read("r"), "m")) == [float(i) for i in range(1200)]


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from("abcd"), st.floats(width=64), min_size=1),
            st.none() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False),
            st.sampled_from([None, "train", "val"]),
        ),
        max_size=40,
    )
)
def test_any_sequence_of_calls_comes_back_point_for_point(recording, read, calls):
    """For every series the stored history is the recorded one, bit for bit, steps by the documented rule."""
    expected = {}
    with ox.start_run() as run:
        for values, step, phase in calls:
            run.log(values, step=step, phase=phase)
            for name, value in values.items():
                known = expected.setdefault((name, phase or ""), [])
                highest = max([-1.0, *(s for s, _ in known)])
                known.append((float(highest + 1 if step is None else step), value))

    stored = read(run.id)
    found = {(s.name, s.phase): history(stored, s.name, s.phase) for s in stored.metrics.all()}
    assert {k: str(v) for k, v in found.items()} == {k: str(v) for k, v in expected.items()}


def test_a_step_beyond_all_floats_does_not_spoil_the_steps_after_it(forgiving):
    """The point keeps its value and gets the next step; so do those after it."""
    with ox.start_run("r") as run:
        run.log({"loss": 0.0}, step=4)
        run.log({"loss": 1.0}, step=10**400)
        run.log({"loss": 2.0})

    assert history(ox.run("r"), "loss") == [(4, 0), (5, 1), (6, 2)]


def test_nested_metrics_get_dotted_names(forgiving):
    """As params do, and as other trackers do; what is no number is lost alone."""
    loop = {"loss": 2.0}
    loop["loop"] = loop
    with ox.start_run("r") as run:
        run.log({"train": {"loss": 1.0, "top": {5: np.float32(0.5)}}, "lr": 0.1}, step=3)
        run.log({"train": {"loss": 0.5, "note": "text"}}, step=4)
        run.log(loop)

    stored = ox.run("r")
    assert history(stored, "train.loss") == [(3, 1), (4, 0.5)]
    assert history(stored, "train.top.5") == [(3, 0.5)]
    assert history(stored, "lr") == [(3, 0.1)]
    assert history(stored, "loss") == [(0, 2)]
    assert forgiving.guard.losses == {"metric value": 2}


@pytest.mark.filterwarnings("error")
def test_an_array_of_one_element_is_its_element(recording, read):
    """Numpy deprecates float() of it; that is nothing to lose a value for, nor to warn the user of."""
    with ox.start_run("r") as run:
        run.log({"loss": np.array([0.5])})

    assert history(read("r"), "loss") == [(0, 0.5)]


def test_five_thousand_metrics_in_one_call_cost_what_five_thousand_names_cost(recording, read):
    """The first call with new names is linear in their number: 2.5 s it was when it was not."""
    names = [f"layer{i}/norm" for i in range(5000)]
    with ox.start_run("r") as run:
        start_s = time.thread_time()
        run.log(dict.fromkeys(names, 1.0))
        run.log_metric(names[0], 2.0)
        run.log(dict.fromkeys(names, 3.0))
        spent_s = time.thread_time() - start_s

    stored = read("r")
    assert spent_s < 0.8
    assert history(stored, names[0]) == [(0, 1), (1, 2), (2, 3)]
    assert history(stored, names[-1]) == [(0, 1), (1, 3)]


def test_names_that_change_with_every_call_keep_their_steps(recording, read, monkeypatch):
    """What is remembered of sets of names is bounded; the steps that their metrics have reached are kept."""
    monkeypatch.setattr("otel_experiments.record.metrics.keysets._MAX_KEYSETS", 8)
    with ox.start_run("r") as run:
        for i in range(100):
            run.log({"loss": float(i), f"image{i}": 1.0})

    assert history(read("r"), "loss") == [(i, i) for i in range(100)]


ODD_NAMES = ["img-\udce9", "img-\udce8", "img-?", "img-??", "a\0b", "a\ufffdb", "x" * 999 + "\udce9", "x" * 999 + "\udce8",
             "x" * 1000 + "y", "x" * 1000 + "z", "\ud83d\ude00", "\U0001f600"]  # fmt: skip


def test_names_that_differ_stay_different_whatever_is_in_them(recording, read):
    """File names that are no UTF-8, NUL, the character that replaces it, long ones: each has its own history."""
    with ox.start_run("r") as run:
        for step in range(3):
            run.log({name: step * 100.0 + i for i, name in enumerate(ODD_NAMES)} | {"loss": 3.0}, step=step)
        for i, name in enumerate(ODD_NAMES):
            run.log_metric(name, 300.0 + i, step=3)

    found = {name: [value for _, value in history(read("r"), name)] for name in read("r").metrics}
    assert found.pop("loss") == [3.0] * 3
    assert sorted(found.values()) == [
        [float(step * 100 + i) for step in range(4)] for i in range(len(ODD_NAMES))
    ]
    assert found["img-?"] == [2.0, 102.0, 202.0, 302.0]  # a name that needs no change has none
    assert recording.guard.losses == {}


def test_two_values_of_one_name_in_a_call_are_told_by_name(forgiving, caplog):
    """A dotted name and a nested one may mean the same metric: one value is kept, the other counted."""
    with ox.start_run("r") as run:
        for step in range(2):
            run.log({"train.loss": 1.0, "train": {"loss": 2.0}, "lr": 0.1}, step=step)
        run.log({"epoch": 7, "loss": 1.0}, epoch=4)
        run.log({"epoch": 5, "loss": 1.0}, epoch=5)

    stored = ox.run("r")
    assert history(stored, "train.loss") == [(0, 2), (1, 2)]
    assert history(stored, "lr") == [(0, 0.1), (1, 0.1)]
    assert [value for _, value in history(stored, "epoch")] == [4, 5]
    assert forgiving.guard.losses == {"metric value": 3}
    assert [r.getMessage().split(" came")[0] for r in caplog.records] == [
        "Metric 'train.loss'",
        "Metric 'epoch'",
    ]


def test_the_metric_logged_last_goes_on_where_it_was_when_names_are_forgotten(recording, read, monkeypatch):
    """Where every call has other names, what is kept of the last call is forgotten with them: no step comes twice."""
    monkeypatch.setattr("otel_experiments.record.metrics.keysets._MAX_KEYSETS", 1)
    with ox.start_run("r") as run:
        run.log({"loss": 1.0}, step=0)
        run.log({"loss": 1.0}, step=1)
        run.log({"other": 1.0}, step=0)
        run.log({"loss": 1.0}, step=9)
        run.log({"loss": 1.0})

    assert [step for step, _ in history(read("r"), "loss")] == [0, 1, 9, 10]


def test_a_pause_refuses_the_names_logged_last(recording):
    """Points with the names of the calls before come in vain while the run is paused, and are kept after it."""
    with ox.start_run("r") as run:
        run.log({"a": 1.0, "b": 2.0}, step=0)
        run.log({"a": 1.0, "b": 2.0}, step=1)
        run.pause()
        run.log({"a": 1.0, "b": 2.0}, step=2)
        run.resume()
        run.log({"a": 1.0, "b": 2.0}, step=3)

    assert run.refused == {"point": 2}


@pytest.mark.parametrize(
    "value",
    [
        True,
        3,
        10**20,
        np.float32(0.5),
        np.int64(3),
        np.bool_(True),
        fractions.Fraction(1, 4),
        decimal.Decimal("0.25"),
    ],
)
def test_a_number_of_any_kind_among_floats_is_kept(recording, read, value):
    """One value of another type among floats, in the first call or a later one, is the number that it is."""
    with ox.start_run("r") as run:
        run.log({"a": value, "b": 2.0}, step=0)
        run.log({"a": 0.5, "b": 2.0}, step=1)
        run.log({"a": value, "b": 2.0}, step=2)
        run.log({"a": 0.5, "b": value}, step=3)

    stored = read("r")
    assert [found for _, found in history(stored, "a")] == [float(value), 0.5, float(value), 0.5]
    assert history(stored, "b")[-1] == (3, float(value))
    assert run.flush().lost == {}
