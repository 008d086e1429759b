"""Which step and which time a point gets: those of the call, of the metric, of the run; a time that the program knows."""

import math
import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest

import otel_experiments as ox
from otel_experiments.errors import ConfigurationError


def steps(name, metric):
    """The steps of a metric of a run, in the order of recording."""
    return list(ox.run(name).metrics[metric].steps)


def test_calls_are_counted_where_it_is_asked_for(forgiving):
    """With `step_axis="call"` what is logged together stands at one step, whatever else a metric was logged with."""
    with ox.start_run("r", step_axis="call") as run:
        run.log({"train/loss": 3.0})
        run.log({"train/loss": 2.0})
        run.log({"train/loss": 1.0, "val/loss": 2.5})
        run.log_metric("train/loss", 0.5)
        assert run.next_step("val/loss") == 4

    assert steps("r", "train/loss") == [0, 1, 2, 3]
    assert steps("r", "val/loss") == [2]


def test_a_call_without_commit_stays_at_its_step(forgiving):
    """One row comes from several calls, as in wandb; each of them is recorded at once."""
    with ox.start_run("r", step_axis="call") as run:
        run.log({"a": 1.0}, commit=False)
        assert ox.run("r").metrics["a"].count == 1
        run.log({"b": 1.0}, commit=False)
        run.log({"c": 1.0})
        run.log({"a": 2.0}, commit=True)

    assert (steps("r", "a"), steps("r", "b"), steps("r", "c")) == ([0, 1], [0], [0])


def test_a_given_step_moves_the_counter_and_stays(forgiving):
    """As in wandb, calls with a step are one row until another comes; one that went back moves nothing."""
    with ox.start_run("r", step_axis="call") as run:
        run.log({"a": 1.0}, step=10)
        run.log({"b": 1.0}, step=10)
        run.log({"a": 2.0})
        run.log({"a": 3.0})
        run.log({"old": 1.0}, step=2)
        assert run.next_step("any") == 12
        run.log({"a": 4.0}, step=20, commit=True)
        run.log({"a": 5.0})
        run.log({"a": 6.0}, step="x")

    assert steps("r", "a") == [10, 10, 11, 20, 21, 22]
    assert (steps("r", "b"), steps("r", "old")) == ([10], [2])
    assert [(one.kind, one.count) for one in ox.run("r").losses] == [("metric step", 1)]


def test_a_resumed_run_goes_on_counting(forgiving):
    """The next attempt's first call is a step above the highest of any metric."""
    with ox.start_run("r", step_axis="call") as run:
        run.log({"a": 1.0}, step=41)
        run.log({"nan": math.nan}, step=7)
    with ox.start_run(resume=run.id, step_axis="call") as run:
        run.log({"a": 2.0})

    assert steps("r", "a") == [41, 42]


def test_threads_share_the_counter(forgiving):
    """No two calls of a run get the same step."""
    with ox.start_run("r", step_axis="call") as run:
        workers = [
            threading.Thread(target=lambda name=name: [run.log({name: 1.0}) for _ in range(200)])
            for name in "abcd"
        ]
        for one in workers:
            one.start()
        for one in workers:
            one.join()

    found = [step for name in "abcd" for step in steps("r", name)]
    assert sorted(found) == list(range(800))


def test_a_paused_run_counts_no_calls(forgiving):
    """What a pause refuses takes no step."""
    with ox.start_run("r", step_axis="call") as run:
        run.log({"a": 1.0})
        run.pause()
        run.log({"a": 2.0})
        run.resume()
        run.log({"a": 3.0})

    assert steps("r", "a") == [0, 1]
    assert run.refused == {"point": 1}


def test_the_setting_says_it_for_all_runs(configure):
    """`configure(step_axis="call")` and the variable are for every run, an argument for one."""
    configure(step_axis="call", on_error="log")
    for name, axis in (("of the setting", None), ("of its own", "name")):
        with ox.start_run(name, step_axis=axis) as run:
            run.log({"a": 1.0})
            run.log({"b": 1.0})
    assert steps("of the setting", "b") == [1]
    assert steps("of its own", "b") == [0]


def test_an_axis_that_there_is_not_is_refused(forgiving):
    """A misspelt axis would be found out only when the curves are looked at."""
    with pytest.raises(ConfigurationError) as caught:
        ox.start_run("r", step_axis="calls")
    assert str(caught.value) == (
        "step_axis='calls' cannot be used: it is neither 'name' nor 'call'.\n"
        "  Pass 'call' to count the calls of log, or 'name' to count each metric's points."
    )


def test_without_commit_the_next_call_goes_on_at_the_step_on_the_axis_of_names_too(forgiving):
    """Metrics that stood at different steps meet at the highest; later each counts on from there."""
    with ox.start_run("r") as run:
        run.log({"loss": 1.0})
        run.log({"loss": 2.0})
        run.log({"loss": 3.0}, commit=False)
        run.log({"acc": 0.5})
        run.log({"acc": 0.6})
        run.log({"loss": 4.0}, step=9, commit=False)
        run.log({"acc": 0.7})
        run.log({"loss": 5.0})

    assert steps("r", "loss") == [0, 1, 2, 9, 10]
    assert steps("r", "acc") == [2, 3, 9]


TIMES = {
    "aware": (datetime(2020, 1, 1, tzinfo=UTC), 1577836800_000000000),
    "of a zone": (datetime(2020, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), 1577836800_000000000),
    "microseconds": (datetime(2020, 1, 1, 0, 0, 0, 123457, tzinfo=UTC), 1577836800_123457000),
    "seconds": (1577836800, 1577836800_000000000),
    "fractions": (1577836800.25, 1577836800_250000000),
    "local": (datetime(2020, 1, 1), round(datetime(2020, 1, 1).timestamp()) * 10**9),
    "the epoch": (0, 0),
}


@pytest.mark.parametrize("form", TIMES)
def test_a_point_has_the_time_that_it_is_given(forgiving, form):
    """A datetime, or seconds since 1970; values of one call have one time."""
    given, time_ns = TIMES[form]
    with ox.start_run("r") as run:
        run.log({"a": 1.0, "b": 2.0}, time=given)
        run.log({"a": 2.0}, step=5, time=given, phase="val")

    found = ox.run("r").metrics
    assert [list(one.times_ns) for one in (found["a"], found["b"], found["a", "val"])] == [[time_ns]] * 3
    assert ox.run("r").losses == []


def test_numpy_and_pandas_times_are_times(forgiving):
    """What a data frame has in its column of times can be given as it is."""
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    with ox.start_run("r") as run:
        run.log({"a": 1.0}, time=np.datetime64("2020-01-01T00:00:00.000000001"))
        run.log({"a": 1.0}, time=pd.Timestamp("2020-01-01", tz="UTC"))
        run.log({"a": 1.0}, time=np.float64(1577836800.5))

    assert [time_ns - 1577836800 * 10**9 for time_ns in ox.run("r").metrics["a"].times_ns] == [
        1,
        0,
        500_000_000,
    ]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (1577836800_000, "divide milliseconds by 1000"),
        (-1.0, "before 1970"),
        (9.3e9, "after 2262"),
        (math.nan, "not finite"),
        ("2020-01-01", "no time"),
        (True, "no time"),
        ([1.0], "no time"),
    ],
    ids=str,
)
def test_a_time_that_cannot_be_used_is_told_and_the_point_kept(forgiving, caplog, given, why):
    """Milliseconds given for seconds are the usual mistake; the value is not lost over it."""
    with ox.start_run("r") as run:
        run.log({"a": 1.0}, time=given)
        run.log({"a": 2.0}, time=given)

    assert list(ox.run("r").metrics["a"].values) == [1, 2]
    assert [(one.kind, one.count) for one in ox.run("r").losses] == [("metric time", 2)]
    (record,) = caplog.records
    assert why in record.getMessage()


def test_the_value_of_the_latest_time_is_the_last(forgiving):
    """Points that are logged afterwards with their own, earlier times change no `last`."""
    with ox.start_run("r") as run:
        run.log({"a": 2.0}, time=2000)
        run.log({"a": 1.0}, time=1000)

    assert ox.run("r").metrics["a"].last == 2.0
