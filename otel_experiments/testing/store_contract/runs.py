"""What a store says of runs: their states, attempts, ranks and experiments, params and tags."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest

from otel_experiments.model.batch import (
    Heartbeat,
    MetricDefinition,
    ParamSet,
    RunStateChange,
    TagSet,
    WriteBatch,
)
from otel_experiments.model.metric import SeriesKey
from otel_experiments.model.run import Experiment, Owner, ParamValue, Run, RunState
from otel_experiments.model.search import (
    Comparison,
    Exists,
    RunField,
    RunQuery,
)
from otel_experiments.store import Store
from otel_experiments.testing.store_contract.given import OTHER, RUN, a_block, a_run, a_span, stored


class RunContract:
    """What a store says of runs: their states, attempts, ranks and experiments, params and tags."""

    def test_a_run_comes_back_as_it_was_written(self, store: Store) -> None:
        """Every field of a run survives."""
        run = a_run(parent_run_id=OTHER, attempt=3, reason="because", error_type="ValueError")

        store.apply(WriteBatch(runs=[run]))

        assert store.get_run(RUN) == run
        assert store.experiments() == [Experiment("digits", 1_000, 1)]

    def test_a_paused_run_comes_back_as_it_was_written(self, store: Store) -> None:
        """The bookkeeping of pauses survives."""
        run = a_run(
            state=RunState.PAUSED, paused_ns=5_000, paused_total_ns=70, paused_count=2, paused_dropped_count=9
        )

        store.apply(WriteBatch(runs=[run]))

        assert store.get_run(RUN) == run

    def test_state_changes_lead_a_run_through_its_life(self, store: Store) -> None:
        """Each change of state moves the run's state and times."""
        store.apply(
            WriteBatch(runs=[a_run(state=RunState.PENDING, started_ns=None, heartbeat_ns=None, owner=None)])
        )
        owner = Owner("host-2", "boot-2", 1, 2)

        store.apply(WriteBatch(state_changes=[RunStateChange(RUN, RunState.RUNNING, 5_000, owner=owner)]))
        running = stored(store)
        store.apply(WriteBatch(state_changes=[RunStateChange(RUN, RunState.PAUSED, 6_000)]))
        paused = stored(store)
        store.apply(
            WriteBatch(
                state_changes=[
                    RunStateChange(RUN, RunState.FAILED, 9_000, "diverged", "ValueError", 100, 1, 7, 2),
                ]
            )
        )
        failed = stored(store)

        assert (running.state, running.started_ns, running.owner) == (RunState.RUNNING, 5_000, owner)
        assert (paused.state, paused.paused_ns, paused.owner) == (RunState.PAUSED, 6_000, owner)
        assert failed == a_run(
            state=RunState.FAILED, started_ns=5_000, ended_ns=9_000, heartbeat_ns=None, owner=owner,
            reason="diverged", error_type="ValueError", paused_total_ns=100, paused_count=1,
            paused_dropped_count=7, attempt=2,
        )  # fmt: skip

    def test_an_older_state_change_is_ignored(self, store: Store) -> None:
        """News that arrive late do not undo newer news."""
        store.apply(
            WriteBatch(runs=[a_run()], state_changes=[RunStateChange(RUN, RunState.SUCCEEDED, 9_000)])
        )

        store.apply(WriteBatch(state_changes=[RunStateChange(RUN, RunState.PAUSED, 8_000)]))
        store.apply(WriteBatch(runs=[a_run()]))

        assert store.get_run(RUN) == a_run(state=RunState.SUCCEEDED, ended_ns=9_000)

    def test_a_run_resumes(self, store: Store) -> None:
        """A run that ended may run again; its former end and reason are gone."""
        store.apply(
            WriteBatch(runs=[a_run()], state_changes=[RunStateChange(RUN, RunState.FAILED, 9_000, "x", "E")])
        )

        store.apply(WriteBatch(state_changes=[RunStateChange(RUN, RunState.RUNNING, 10_000, attempt=2)]))

        assert store.get_run(RUN) == a_run(attempt=2)

    def test_heartbeats_only_move_forward(self, store: Store) -> None:
        """The latest sign of life is kept."""
        store.apply(WriteBatch(runs=[a_run()], heartbeats=[Heartbeat(RUN, 8_000), Heartbeat(RUN, 7_000)]))

        store.apply(WriteBatch(heartbeats=[Heartbeat(RUN, 5_000)]))

        assert stored(store).heartbeat_ns == 8_000

    def test_rows_may_arrive_before_their_run(self, store: Store) -> None:
        """Points, params, spans and changes of an unknown run wait for its record and join it."""
        store.apply(WriteBatch(points=[a_block([1.0])]))
        store.apply(WriteBatch(params=[ParamSet(RUN, "lr", 0.1, 1)], tags=[TagSet(RUN, "team", "vision", 1)]))
        store.apply(WriteBatch(spans=[a_span()], metric_definitions=[MetricDefinition(RUN, "loss", "min")]))
        store.apply(WriteBatch(state_changes=[RunStateChange(RUN, RunState.SUCCEEDED, 9_000)]))
        before = stored(store)

        store.apply(WriteBatch(runs=[a_run()]))

        assert (before.name, before.experiment, before.state) == ("", "", RunState.SUCCEEDED)
        assert store.get_run(RUN) == replace(a_run(), state=RunState.SUCCEEDED, ended_ns=9_000)
        assert store.params([RUN]) == {RUN: {"lr": 0.1}}
        assert store.tags([RUN]) == {RUN: {"team": "vision"}}
        assert store.series([RUN])[RUN][0].summary.direction == "min"
        assert store.experiments() == [Experiment("digits", 1_000, 1)]

    @pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=str)
    def test_what_a_rank_knows_of_a_run_stands_until_rank_0_says_more(
        self, store: Store, order: tuple[int, ...]
    ) -> None:
        """In whatever order they arrive: a run is what rank 0 said, though a rank said something later in time."""
        parts = [
            WriteBatch(runs=[Run(RUN, "digits", "guess", RunState.PENDING, 99_000, attempt=0)]),
            WriteBatch(runs=[a_run()]),
            WriteBatch(state_changes=[RunStateChange(RUN, RunState.SUCCEEDED, 9_000)]),
            WriteBatch(points=[a_block([1.0], key=SeriesKey("loss", rank=1))]),
        ]
        for part in order:
            store.apply(parts[part])

        assert store.get_run(RUN) == replace(a_run(), state=RunState.SUCCEEDED, ended_ns=9_000)
        assert store.experiments() == [Experiment("digits", 1_000, 1)]

    def test_a_run_that_only_a_rank_knows_has_a_name(self, store: Store) -> None:
        """A rank that starts a run without rank 0 leaves no nameless row; nobody has said that it runs."""
        store.apply(WriteBatch(runs=[Run(RUN, "digits", "debug", RunState.PENDING, 99_000, attempt=0)]))

        (run,) = store.find_runs(RunQuery(where=Comparison(RunField("name"), "==", "debug")))
        assert (run.experiment, run.state, run.attempt) == ("digits", RunState.PENDING, 0)

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["points first", "points last"])
    def test_what_a_rank_knows_is_no_attempt(self, store: Store, order: tuple[int, ...]) -> None:
        """Whether its points or its row arrive first, the run that only a rank knows has not been tried by rank 0 yet."""
        parts = [
            WriteBatch(points=[a_block([1.0], key=SeriesKey("loss", rank=1))]),
            WriteBatch(runs=[Run(RUN, "digits", "debug", RunState.PENDING, 99_000, attempt=0)]),
        ]
        for part in order:
            store.apply(parts[part])

        assert stored(store).attempt == 0

    def test_a_later_attempt_counts_whatever_its_clock_says(self, store: Store) -> None:
        """A run that is resumed after the clock was set back is of its newest attempt, in row and change of state."""
        store.apply(
            WriteBatch(runs=[a_run()], state_changes=[RunStateChange(RUN, RunState.FAILED, 9_000, "x", "E")])
        )

        store.apply(WriteBatch(runs=[a_run(attempt=2, started_ns=1_500, heartbeat_ns=None)]))
        resumed = stored(store)
        store.apply(WriteBatch(state_changes=[RunStateChange(RUN, RunState.SUCCEEDED, 1_600, attempt=3)]))
        ended = stored(store)

        assert (resumed.state, resumed.attempt) == (RunState.RUNNING, 2)
        assert (ended.state, ended.attempt) == (RunState.SUCCEEDED, 3)

    def test_a_placeholder_belongs_to_no_experiment(self, store: Store) -> None:
        """A run known only by its points invents no experiment."""
        store.apply(WriteBatch(points=[a_block([1.0])]))

        assert store.experiments() == []
        assert store.count_runs(RunQuery()) == 1
        assert store.count_runs(RunQuery(where=Exists(RunField("experiment")))) == 0

    @pytest.mark.parametrize(
        "value",
        [
            "text", "", "Grüße 漢字 \U0001f9ea", "nul\0inside", "lone \udc80 surrogate", True, False, None, 0, -7, 2**63 - 1, -(2**63), 2**200,
            0.1, -0.0, 1e308, 5e-324, math.inf, -math.inf, math.nan, [], [1, 2.5, "x", None, True, [1, [2]]],
            [{"nested": math.nan}], [math.inf, -math.inf], {"$float": "nan"}, [{"$$x": 1}],
        ],
        ids=lambda value: repr(value)[:24].encode("ascii", "replace").decode(),
    )  # fmt: skip
    def test_params_keep_value_and_type(self, store: Store, value: ParamValue) -> None:
        """A param comes back exactly, type included."""
        store.apply(WriteBatch(params=[ParamSet(RUN, "p", value, 1)]))

        found = store.params([RUN])[RUN]["p"]

        assert repr(found) == repr(value) if not isinstance(value, int) else found == value
        assert type(found) is type(value)

    def test_the_latest_param_wins_whatever_the_order(self, store: Store) -> None:
        """An older value that arrives late changes nothing."""
        store.apply(WriteBatch(params=[ParamSet(RUN, "lr", 0.2, 20), ParamSet(RUN, "lr", 0.1, 10)]))
        store.apply(WriteBatch(params=[ParamSet(RUN, "lr", 0.05, 5)]))

        assert store.params([RUN, OTHER]) == {RUN: {"lr": 0.2}, OTHER: {}}

    def test_a_removed_tag_stays_removed(self, store: Store) -> None:
        """None removes a tag, and an older value that arrives late does not bring it back."""
        store.apply(WriteBatch(tags=[TagSet(RUN, "team", "vision", 10), TagSet(RUN, "kept", "yes", 10)]))
        store.apply(WriteBatch(tags=[TagSet(RUN, "team", None, 20)]))
        store.apply(WriteBatch(tags=[TagSet(RUN, "team", "speech", 15)]))

        assert store.tags([RUN]) == {RUN: {"kept": "yes"}}

    def test_runs_are_resolved_by_prefix_or_name_newest_first(self, store: Store) -> None:
        """Some digits of the id or the whole name find runs."""
        runs = [
            a_run("ab" + "0" * 30, created_ns=1),
            a_run("ab" + "1" * 30, created_ns=2),
            a_run("cd" + "0" * 30, name="ab"),
        ]
        store.apply(WriteBatch(runs=runs))

        assert store.resolve_run_ids("ab") == [runs[2].run_id, runs[1].run_id, runs[0].run_id]
        assert store.resolve_run_ids("AB0") == [runs[0].run_id]
        assert store.resolve_run_ids("brave-otter", limit=1) == [runs[1].run_id]
        assert store.resolve_run_ids("brave") == []
