"""What a store keeps of the ended spans of each name in a run."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from otel_experiments.errors import IncompleteReadWarning
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.search import RunQuery, SpanQuery
from otel_experiments.model.span import Span, StatusCode
from otel_experiments.model.span_summary import SpanSummary
from otel_experiments.store import open_store
from otel_experiments.store.semantics.span_tally import summaries

RUN, OTHER = "a" * 32, "b" * 32
FORMER = Path(__file__).parents[2] / "data" / "store_v6.db"


def a_span(number, duration_ns=1_000, *, name="fit", run_id=RUN, status=StatusCode.UNSET):
    """A span that starts at its number; open where it has no duration."""
    end_ns = None if duration_ns is None else number + duration_ns
    return Span(RUN, f"{number:016x}", name, number, end_ns, run_id=run_id, status=status)


def test_ended_spans_are_counted_by_run_and_name(store):
    """Count, errors, total, shortest and longest are exact; open spans and those of no run are not in them."""
    store.apply(
        WriteBatch(
            spans=[
                a_span(1, 3_000),
                a_span(2, 1_000, status=StatusCode.ERROR),
                a_span(3, None),
                a_span(4, 5_000, name="load"),
                a_span(5, 7_000, run_id=OTHER),
                a_span(6, 9_000, run_id=None),
            ]
        )
    )

    found = store.span_summaries([RUN, OTHER, "c" * 32])

    assert found == {
        RUN: [
            SpanSummary("fit", 2, 1, 4_000, 1_000, 3_000, *(found[RUN][0].p50_ns, found[RUN][0].p95_ns, found[RUN][0].p99_ns)),
            SpanSummary("load", 1, 0, 5_000, 5_000, 5_000, 5_000, 5_000, 5_000),
        ],
        OTHER: [SpanSummary("fit", 1, 0, 7_000, 7_000, 7_000, 7_000, 7_000, 7_000)],
        "c" * 32: [],
    }  # fmt: skip
    assert found[RUN][0].p50_ns == pytest.approx(2_000, rel=0.01)
    assert found[RUN][0].p95_ns == pytest.approx(2_900, rel=0.01)


def test_a_span_counts_when_it_ends_and_only_once(store):
    """A span whose start was stored before counts with its end; the same span again changes nothing."""
    store.apply(WriteBatch(spans=[a_span(1, None)]))
    assert store.span_summaries([RUN])[RUN] == []
    for _ in range(3):
        store.apply(WriteBatch(spans=[a_span(1, 2_000)]))

    assert [(one.count, one.total_ns) for one in store.span_summaries([RUN])[RUN]] == [(1, 2_000)]


def test_a_span_that_comes_with_another_end_counts_as_it_is_stored(store):
    """The later form of a span takes the place of the former one, also where that was the longest of all."""
    store.apply(WriteBatch(spans=[a_span(1, 2_000), a_span(2, 9_000, status=StatusCode.ERROR)]))
    store.apply(WriteBatch(spans=[a_span(2, 4_000, name="load")]))

    assert [(one.name, one.count, one.error_count, one.total_ns, one.maximum_ns) for one in store.span_summaries([RUN])[RUN]] == [
        ("fit", 1, 0, 2_000, 2_000), ("load", 1, 0, 4_000, 4_000),
    ]  # fmt: skip


def test_a_batch_that_is_refused_leaves_no_count(store):
    """Spans of a batch that was rolled back are not counted, and those of the next one are."""
    with pytest.raises(TypeError):
        store.apply(WriteBatch(spans=[a_span(1), Span(RUN, "2" * 16, "fit", 1, 2, attributes={"a": object()}, run_id=RUN)]))  # fmt: skip
    store.apply(WriteBatch(spans=[a_span(3)]))

    assert [one.count for one in store.span_summaries([RUN])[RUN]] == [1]


def test_a_store_of_the_former_schema_has_the_summaries_of_its_spans(tmp_path):
    """A store that an earlier release wrote is searched by its spans as one of this release is, and counts on."""
    path = shutil.copy(FORMER, tmp_path / "old.db")
    with open_store(path) as store:
        run_ids = [run.run_id for run in store.find_runs(RunQuery())]
        found = {run_id: {one.name: one for one in rows} for run_id, rows in store.span_summaries(run_ids).items()}  # fmt: skip
        assert found == summaries(store.spans(SpanQuery()))
        assert (found[RUN]["checkpoint"].count, found[RUN]["checkpoint"].error_count) == (40, 4)
        assert found[RUN]["epoch"].count == 3
        store.apply(WriteBatch(spans=[a_span(77, name="checkpoint")]))
        assert store.span_summaries([RUN])[RUN][0].count == 41


@pytest.mark.parametrize(
    ("column", "value"),
    [("sketch", b"nothing"), ("sketch", "text"), ("count", "many"), ("total_ns", -1), ("maximum_ns", None)],
)
def test_a_summary_that_somebody_changed_is_made_anew_from_the_spans(tmp_path, column, value):
    """A row of the documented schema that holds something else stops no recording: it is counted again."""
    path = tmp_path / "x.db"
    with open_store(path) as store:
        store.apply(WriteBatch(spans=[a_span(1)]))
    with sqlite3.connect(path) as connection:
        connection.execute("update or ignore span_summaries set sketch = x''")
        connection.execute("pragma ignore_check_constraints = on")
        try:
            connection.execute(f"update span_summaries set {column} = ?", (value,))
        except sqlite3.IntegrityError:
            connection.execute(f"update span_summaries set {column} = 'x'")
    connection.close()
    with open_store(path) as store:
        store.apply(WriteBatch(spans=[a_span(2, 3_000)]))

        ((summary,),) = store.span_summaries([RUN]).values()
        assert (summary.count, summary.total_ns, summary.maximum_ns) == (2, 4_000, 3_000)


def test_a_summary_that_cannot_be_read_is_named_and_left_out(tmp_path):
    """One damaged row costs itself and a warning that names it."""
    path = tmp_path / "x.db"
    with open_store(path) as store:
        store.apply(WriteBatch(spans=[a_span(1), a_span(2, name="load")]))
    with sqlite3.connect(path) as connection:
        connection.execute("update span_summaries set count = 'many' where name = 'fit'")
    connection.close()

    with (
        open_store(path, read_only=True) as store,
        pytest.warns(IncompleteReadWarning, match="span_summaries"),
    ):
        found = store.span_summaries([RUN])[RUN]

    assert [one.name for one in found] == ["load"]
