"""Params keep what they were, a summary what the program set, metrics how they are to be read; the same in every store."""

import itertools
import math
import shutil
from pathlib import Path

import pytest

from otel_experiments.codec.anonymize import Anonymizer
from otel_experiments.codec.run_record import dump_run_record, load_run_record
from otel_experiments.model.batch import MetricDefinition, ParamSet, SummarySet, WriteBatch
from otel_experiments.model.run import Run, RunState
from otel_experiments.store import open_store

RUN, OTHER = "a" * 32, "b" * 32
FORMER = Path(__file__).parents[2] / "data" / "store_v5.db"
LR = [ParamSet(RUN, "lr", value, time_ns) for time_ns, value in ((10, 0.1), (20, 0.01), (30, 0.1))]


def a_run(run_id=RUN):
    """A run with what a record of it has to have."""
    return Run(run_id, "digits", "brave-otter", RunState.RUNNING, created_ns=1)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
@pytest.mark.parametrize("size", [1, 3], ids=["one by one", "at once"])
def test_a_param_keeps_its_values_in_whatever_order_they_arrive(store, order, size):
    """The latest counts, all are there by time; applying them again changes nothing."""
    told = [LR[place] for place in order]
    for _ in range(2):
        for start in range(0, 3, size):
            store.apply(WriteBatch(runs=[a_run()], params=told[start : start + size]))

        assert store.params([RUN]) == {RUN: {"lr": 0.1}}
        assert store.param_sets(RUN) == LR


def test_values_of_one_time_are_one_value(store):
    """What is told again replaces itself, and leaves no history."""
    store.apply(WriteBatch(params=[ParamSet(RUN, "lr", 0.1, 10), ParamSet(RUN, "lr", 0.2, 10)]))

    assert store.param_sets(RUN) == [ParamSet(RUN, "lr", 0.2, 10)]


def test_what_only_a_rank_was_told_is_no_history(store):
    """A rank's value has no time; where the run has one of its own, it was never the run's."""
    ranks = ParamSet(RUN, "lr", 0.5, -1)
    store.apply(WriteBatch(params=[ranks]))
    assert store.param_sets(RUN) == [ranks]

    store.apply(WriteBatch(params=[LR[0]]))
    store.apply(WriteBatch(params=[ranks]))

    assert store.param_sets(RUN) == [LR[0]]


def test_a_summary_has_the_latest_value_of_each_key(store):
    """Any type of value is kept exactly."""
    values = {
        "best": 0.9,
        "note": "converged",
        "epochs": 3,
        "odd": math.inf,
        "ok": True,
        "none": None,
        "list": [1, "a"],
    }
    store.apply(
        WriteBatch(runs=[a_run()], summaries=[SummarySet(RUN, key, one, 10) for key, one in values.items()])
    )
    store.apply(WriteBatch(summaries=[SummarySet(RUN, "best", 0.95, 20), SummarySet(RUN, "best", 0.1, 15)]))

    expected = {**values, "best": 0.95}
    assert {one.key: one.value for one in store.summary_sets(RUN)} == expected
    assert [one.key for one in store.summary_sets(RUN)] == sorted(expected)
    assert store.summary_sets(OTHER) == []


def test_a_definition_is_replaced_whole(store):
    """The recording process says all that it knows of a pattern each time."""
    first = MetricDefinition(RUN, "val/*", "min", "epoch", "min,last", is_hidden=True)
    store.apply(WriteBatch(metric_definitions=[first, MetricDefinition(RUN, "acc", "max")]))
    assert store.metric_definitions(RUN) == [MetricDefinition(RUN, "acc", "max"), first]

    store.apply(WriteBatch(metric_definitions=[MetricDefinition(RUN, "val/*", "max")]))

    assert store.metric_definitions(RUN)[1] == MetricDefinition(RUN, "val/*", "max")


def test_another_store_gets_all_of_it(store):
    """History, summary and definitions leave with the run, as pages and as the text of a run."""
    batch = WriteBatch(
        runs=[a_run()],
        params=LR,
        summaries=[SummarySet(RUN, "best", 0.9, 10)],
        metric_definitions=[
            MetricDefinition(RUN, "val/*", "min", "epoch", "min", is_hidden=True),
            MetricDefinition(RUN, "val/acc", is_hidden=False),
            MetricDefinition(RUN, "val/loss", "min"),
        ],
    )
    store.apply(batch)
    (page,) = store.whole_run(RUN)
    replayed = load_run_record(RUN, dump_run_record(page))

    for pages in ([page], [replayed]):
        with open_store("memory://") as other:
            for one in pages:
                other.apply(one)
            assert other.param_sets(RUN) == LR
            assert other.summary_sets(RUN) == batch.summaries
            assert other.metric_definitions(RUN) == batch.metric_definitions


def test_an_anonymous_summary_says_nothing_of_who(store):
    """What patterns find is taken out of its texts, and the run has another id."""
    store.apply(
        WriteBatch(runs=[a_run()], summaries=[SummarySet(RUN, "from", "mail to ann@example.com", 10)])
    )
    (page,) = store.whole_run(RUN)

    (made,) = Anonymizer("salt").batch(page).summaries

    assert made.run_id != RUN
    assert "example.com" not in str(made.value)


def test_a_store_of_the_former_schema_keeps_what_changes_from_now_on(tmp_path):
    """What a release without histories stored opens, and the next value of a param leaves the former one."""
    path = shutil.copy(FORMER, tmp_path / "old.db")
    with open_store(path) as store:
        (run_id,) = store.resolve_run_ids("second")
        assert store.metric_definitions(run_id) == [MetricDefinition(run_id, "loss", "min")]
        assert store.summary_sets(run_id) == []
        (before,) = [one.time_ns for one in store.param_sets(run_id) if one.key == "lr"]
        store.apply(WriteBatch(params=[ParamSet(run_id, "lr", 0.001, before + 1)]))

        assert [(one.value, one.time_ns) for one in store.param_sets(run_id) if one.key == "lr"] == [
            (0.1, before),
            (0.001, before + 1),
        ]
        assert store.params([run_id])[run_id]["layers"] == [1, 2]
