"""Which runs a search finds, and in which order."""

from __future__ import annotations

import math
from typing import Literal

import pytest

from otel_experiments.errors import QueryError
from otel_experiments.model.batch import (
    MetricDefinition,
    ParamSet,
    WriteBatch,
)
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import ParamValue, RunState
from otel_experiments.model.search import (
    Arithmetic,
    Calculated,
    Comparison,
    ComparisonOperator,
    Exists,
    Expression,
    IsNan,
    MetricField,
    MetricStat,
    Not,
    Order,
    ParamField,
    RunField,
    RunQuery,
    SearchField,
    SearchValue,
    TagField,
)
from otel_experiments.store import Store
from otel_experiments.testing.store_contract.given import OTHER, RUN, a_block, a_run, ids


class FindingContract:
    """Which runs a search finds, and in which order."""

    def test_a_live_state_without_its_process_counts_as_lost(self, store: Store) -> None:
        """A query sees lost runs, the run itself keeps what was written."""
        store.apply(
            WriteBatch(
                runs=[
                    a_run(),
                    a_run(OTHER, created_ns=2_000),
                    a_run("c" * 32, state=RunState.SUCCEEDED, ended_ns=9),
                ]
            )
        )
        lost = RunQuery(where=Comparison(RunField("state"), "==", "lost"))

        assert store.find_runs(lost) == []
        assert ids(store.find_runs(lost, live_run_ids=frozenset({OTHER}))) == [RUN]
        assert store.count_runs(lost, live_run_ids=frozenset()) == 2
        assert store.find_runs(lost, live_run_ids=frozenset())[0].state is RunState.RUNNING
        by_state = RunQuery(order=(Order(RunField("state"), is_descending=True),))
        assert ids(store.find_runs(by_state, live_run_ids=frozenset({OTHER}))) == ["c" * 32, OTHER, RUN]

    def test_runs_are_ordered_with_the_missing_last_in_both_directions(self, store: Store) -> None:
        """NaN and missing values come last; ties are broken by creation, newest first."""
        values = {"1": 0.5, "2": math.nan, "3": 0.1, "5": 0.1}
        for digit in "12345":
            run_id = digit * 32
            points = [a_block([values[digit]], run_id=run_id)] if digit in values else []
            store.apply(WriteBatch(runs=[a_run(run_id, created_ns=int(digit))], points=points))
        loss = MetricField("loss")

        ascending = ids(store.find_runs(RunQuery(order=(Order(loss),))))
        descending = ids(
            store.find_runs(RunQuery(order=(Order(loss, is_descending=True),), limit=3, offset=1))
        )

        assert [run_id[0] for run_id in ascending] == ["5", "3", "1", "4", "2"]
        assert [run_id[0] for run_id in descending] == ["5", "3", "4"]

    def test_ids_are_found_without_the_runs(self, store: Store) -> None:
        """Ids come as the runs would: the same ones, in the same order, so many of them, lost ones by who is alive."""
        for digit in "1234":
            store.apply(WriteBatch(runs=[a_run(digit * 32, created_ns=int(digit))]))
        lost = Comparison(RunField("state"), "==", "lost")
        wanted = [
            RunQuery(),
            RunQuery(order=(Order(RunField("created")),), limit=2, offset=1),
            RunQuery(lost),
        ]

        found = [store.find_run_ids(one, live_run_ids=frozenset({"1" * 32})) for one in wanted]

        assert found == [ids(store.find_runs(one, live_run_ids=frozenset({"1" * 32}))) for one in wanted]
        assert [run_id[0] for run_id in found[1]] == ["2", "3"]
        assert [run_id[0] for run_id in found[2]] == ["4", "3", "2"]

    def test_a_list_of_values_is_as_long_as_it_has_to_be(self, store: Store) -> None:
        """Runs are found by tens of thousands of ids, names or params, whatever the texts hold."""
        odd = 'a"b\\c\N{SNOWMAN}'
        store.apply(
            WriteBatch(
                runs=[a_run(name=odd), a_run(OTHER, name="b", created_ns=2_000)],
                params=[
                    ParamSet(RUN, "p", odd, 1),
                    ParamSet(OTHER, "p", "a\0b", 1),
                    ParamSet(RUN, "q", 0.1, 1),
                    ParamSet(OTHER, "q", 2**53 + 1, 1),
                ],
            )
        )
        others = tuple(one for number in range(20_000) for one in (f"{number:032x}", -number))

        def found(
            field: SearchField, *values: str | float, operator: Literal["in", "not in"] = "in"
        ) -> list[str]:
            where = Comparison(field, operator, (*others, *values))
            return sorted(store.find_run_ids(RunQuery(where)))

        assert found(RunField("run_id"), RUN) == [RUN]
        assert found(RunField("name"), odd) == [RUN]
        assert found(RunField("name"), odd, operator="not in") == [OTHER]
        assert found(ParamField("p"), odd) == [RUN]
        assert found(ParamField("p"), odd, operator="not in") == [OTHER]
        assert found(ParamField("p"), "a\0b") == [OTHER]
        assert found(ParamField("q"), 0.1, 2**53 + 1) == [RUN, OTHER]
        assert found(ParamField("q"), 0.1, operator="not in") == [OTHER]

    def test_a_metric_without_a_phase_asked_takes_the_series_without_one_first(self, store: Store) -> None:
        """No phase asks for the plain series, else for one that has a phase."""
        plain, val = SeriesKey("loss"), SeriesKey("loss", "val")
        store.apply(WriteBatch(points=[PointBlock(RUN, (val, plain), [0.0], [1], ([1.0], [2.0]))]))
        store.apply(WriteBatch(points=[PointBlock(OTHER, (val,), [0.0], [1], ([1.0],))]))

        def matching(phase: str | None, value: float) -> list[str]:
            where = Comparison(MetricField("loss", "last", phase), "==", value)
            return sorted(ids(store.find_runs(RunQuery(where=where))))

        assert matching(None, 2) == [RUN]
        assert matching(None, 1.0) == [OTHER]
        assert matching("val", 1.0) == [RUN, OTHER]
        assert matching("", 1.0) == []

    @pytest.mark.parametrize("stat", ["last", "best", "max_step"])
    def test_a_run_has_a_metric_in_the_phases_in_which_it_was_logged(
        self, store: Store, stat: MetricStat
    ) -> None:
        """`exists` with a phase asks for that phase; without one any will do."""
        val = SeriesKey("loss", "val")
        definition = MetricDefinition(RUN, "loss", "min")
        store.apply(
            WriteBatch(
                metric_definitions=[definition], points=[PointBlock(RUN, (val,), [0.0], [1], ([1.0],))]
            )
        )

        phases = [None, "val", "", "train"]
        wanted = [RunQuery(where=Exists(MetricField("loss", stat, phase))) for phase in phases]
        assert list(map(store.count_runs, wanted)) == [1, 1, 0, 0]

    def test_a_search_for_a_metric_looks_at_its_lowest_rank(self, store: Store) -> None:
        """Rank 0 answers where it has the metric, else the lowest rank that has it, in a phase and without one."""
        batch = WriteBatch()
        for run_id, phase, ranks in [(RUN, "", (2, 0, 10)), (OTHER, "val", (10, 2))]:
            for rank in ranks:
                batch.points.append(a_block([float(rank)], run_id=run_id, key=SeriesKey("loss", phase, rank)))
        store.apply(batch)

        def matching(phase: str | None, value: float) -> list[str]:
            where = Comparison(MetricField("loss", "last", phase), "==", value)
            return sorted(ids(store.find_runs(RunQuery(where=where))))

        assert [matching(None, float(rank)) for rank in (0, 2, 10)] == [[RUN], [OTHER], []]
        assert [matching("val", float(rank)) for rank in (0, 2, 10)] == [[], [OTHER], []]
        order = Order(MetricField("loss", "last"), is_descending=True)
        assert ids(store.find_runs(RunQuery(order=(order,))))[:2] == [OTHER, RUN]

    def test_values_of_different_types_never_match(self, store: Store) -> None:
        """1, "1" and true are three things, and != between them is no match either."""
        values: dict[str, ParamValue] = {"1": 1, "2": "1", "3": True, "4": 2.0}
        told = [ParamSet(digit * 32, "p", value, 1) for digit, value in values.items()]
        store.apply(WriteBatch(params=told))

        def matching(operator: ComparisonOperator, value: SearchValue) -> list[str]:
            found = store.find_runs(RunQuery(where=Comparison(ParamField("p"), operator, value)))
            return sorted(run.run_id[0] for run in found)

        assert matching("==", 1.0) == ["1"]
        assert matching("!=", 1) == ["4"]
        assert matching("==", "1") == ["2"]
        assert matching("!=", "2") == ["2"]
        assert matching("==", True) == ["3"]
        assert matching("!=", False) == ["3"]
        assert matching("in", (True, 2, "1")) == ["2", "3", "4"]
        assert matching("not in", (2, "x")) == ["1", "2"]
        assert matching("<", True) == []

    def test_lists_compare_as_a_whole_and_texts_by_their_ends(self, store: Store) -> None:
        """A list equals one of the same elements in the same order; texts are found by how they begin and end."""
        values: dict[str, ParamValue] = {"1": [64, 64], "2": [64], "3": "adamw", "4": []}
        store.apply(
            WriteBatch(params=[ParamSet(digit * 32, "p", value, 1) for digit, value in values.items()])
        )

        def matching(operator: ComparisonOperator, value: SearchValue) -> list[str]:
            found = store.find_runs(RunQuery(where=Comparison(ParamField("p"), operator, value)))
            return sorted(run.run_id[0] for run in found)

        assert matching("==", (64.0, 64)) == ["1"]
        assert matching("==", ()) == ["4"]
        assert matching("!=", (64,)) == ["1", "4"]
        assert matching("startswith", "ad") == matching("endswith", "mw") == matching("endswith", "") == ["3"]
        assert matching("startswith", "AD") == []

    def test_fields_are_calculated_with(self, store: Store) -> None:
        """A calculation is made of floats; without one of its numbers, and by zero, it matches nothing."""
        params: dict[str, tuple[ParamValue, ParamValue]] = {
            "1": (7, 2),
            "2": (1, 0),
            "3": (1, "2"),
            "4": (1, None),
        }
        store.apply(
            WriteBatch(
                params=[
                    ParamSet(digit * 32, key, value, 1)
                    for digit, both in params.items()
                    for key, value in zip("ab", both, strict=True)
                ]
            )
        )

        def matching(where: Expression) -> list[str]:
            return sorted(run.run_id[0] for run in store.find_runs(RunQuery(where=where)))

        quotient = Arithmetic("/", ParamField("a"), ParamField("b"))
        assert matching(Calculated(quotient, "==", 3.5)) == ["1"]
        assert matching(Calculated(quotient, "!=", 0)) == ["1"]
        assert matching(Not(Calculated(quotient, "!=", 0))) == ["2", "3", "4"]
        assert matching(Calculated(ParamField("a"), ">", ParamField("b"))) == ["1", "2"]

    def test_a_missing_field_matches_nothing_but_a_negation(self, store: Store) -> None:
        """A run without the field matches neither == nor !=, but not (...)."""
        store.apply(WriteBatch(runs=[a_run()]))
        equal = Comparison(TagField("team"), "==", "x")
        unequal = Comparison(TagField("team"), "!=", "x")

        assert store.count_runs(RunQuery(where=equal)) == 0
        assert store.count_runs(RunQuery(where=unequal)) == 0
        assert store.count_runs(RunQuery(where=Not(unequal))) == 1

    def test_nan_is_found_by_asking_for_it(self, store: Store) -> None:
        """NaN compares false; IsNan finds it in params and metrics."""
        store.apply(WriteBatch(params=[ParamSet(RUN, "p", math.nan, 1)], points=[a_block([math.nan])]))

        for wanted in (ParamField("p"), MetricField("loss"), MetricField("loss", "min")):
            assert store.count_runs(RunQuery(where=IsNan(wanted))) == 1
            assert store.count_runs(RunQuery(where=Comparison(wanted, "!=", 1.0))) == 0
            assert store.count_runs(RunQuery(where=Comparison(wanted, "==", math.nan))) == 0
            assert store.count_runs(RunQuery(where=Exists(wanted))) == 1

    @pytest.mark.parametrize(
        "where",
        [
            Comparison(RunField("name"), "matches", "(unclosed"),
            Comparison(RunField("name"), "matches", 3),
            Comparison(RunField("name"), "<", ("a", "b")),
            Comparison(RunField("name"), "contains", ("a", "b")),
            Comparison(RunField("name"), "in", "a"),
        ],
    )
    def test_a_comparison_that_makes_no_sense_is_refused(self, store: Store, where: Expression) -> None:
        """A broken pattern or a list in the wrong place raises, even where no run exists."""
        with pytest.raises(QueryError):
            store.find_runs(RunQuery(where=Not(where)))
