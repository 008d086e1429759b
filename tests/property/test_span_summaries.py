"""What a store keeps of the spans of each name is what its spans say, whatever way they came and went."""

from itertools import groupby

from hypothesis import given, settings
from hypothesis import strategies as st

from otel_experiments.model.attachment import Attachment, Detachment, TelemetryQuery
from otel_experiments.model.batch import SharedTrace, WriteBatch
from otel_experiments.model.edit import RunPurge
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.search import SpanQuery
from otel_experiments.model.span import Span, StatusCode
from otel_experiments.store import open_store
from otel_experiments.store.semantics.span_tally import summaries

RUNS = ("a" * 32, "b" * 32)
TRACES = ("1" * 32, RUNS[0])


@st.composite
def spans(draw):
    """A form of one of few spans: open or ended, of a run or of none, journalled or received."""
    start_ns = draw(st.integers(1, 5))
    duration_ns = draw(st.none() | st.integers(-2, 3) | st.sampled_from([10**6, 10**9, 2**62]))
    return Span(
        draw(st.sampled_from(TRACES)),
        f"{draw(st.integers(1, 6)):016x}",
        draw(st.sampled_from(["fit", "load"])),
        start_ns,
        None if duration_ns is None else start_ns + duration_ns,
        parent_span_id=draw(st.none() | st.just(f"{1:016x}")),
        run_id=draw(st.none() | st.sampled_from(RUNS)),
        status=draw(st.sampled_from([StatusCode.UNSET, StatusCode.ERROR])),
        is_received=draw(st.booleans()),
    )


WRITES = st.lists(spans(), max_size=8).map(
    lambda those: WriteBatch(
        spans=those,
        shared_traces=[SharedTrace(one, frozenset(s.run_id for s in those if s.trace_id == one and s.run_id)) for one in TRACES],
    )
)  # fmt: skip
EDITS = st.sampled_from(
    [
        WriteBatch(attach=[Attachment(RUNS[0], TelemetryQuery(trace_id=TRACES[0]), 7)]),
        WriteBatch(detach=[Detachment(TelemetryQuery(RUNS[0]))]),
        WriteBatch(purges=[RunPurge(RUNS[0], 50)]),
        WriteBatch(runs=[Run(RUNS[0], "e", "again", RunState.RUNNING, created_ns=60, started_ns=60)]),
    ]
)


def kept(store):
    """Return what the store keeps of its runs that have any, and what its spans say."""
    found = {run_id: {one.name: one for one in rows} for run_id, rows in store.span_summaries(RUNS).items()}
    return {run_id: rows for run_id, rows in found.items() if rows}, summaries(store.spans(SpanQuery()))


@settings(max_examples=150)
@given(st.lists(WRITES | EDITS, max_size=8))
def test_summaries_are_those_of_the_spans_that_are_stored(batches):
    """A span counts once in the run that it is in: whether it came twice, late, was given to a run, taken back or purged."""
    with open_store("sqlite://:memory:") as store:
        for batch in batches:
            store.apply(batch)

            found, expected = kept(store)
            assert found == expected


@settings(max_examples=40)
@given(st.lists(WRITES | EDITS, max_size=8))
def test_two_processes_that_write_to_one_store_count_together(tmp_path_factory, batches):
    """What each of two writers remembers of the summaries is not what the other one has made of them."""
    path = tmp_path_factory.mktemp("two") / "x.db"
    with open_store(path) as first, open_store(path) as second:
        for turn, batch in enumerate(batches):
            (first, second)[turn % 2].apply(batch)

        found, expected = kept(first)
        assert found == expected
        assert kept(second) == (found, expected)


def test_a_writer_sees_what_another_one_has_counted(tmp_path):
    """A process that counted spans of a name before counts on from what others have made of it since."""
    with open_store(tmp_path / "x.db") as first, open_store(tmp_path / "x.db") as second:
        for number, store in enumerate((first, second, first, second), start=1):
            one = Span(RUNS[0], f"{number:016x}", "fit", 5, 6, run_id=RUNS[0])
            store.apply(WriteBatch(spans=[one]))

        assert [one.count for one in first.span_summaries(RUNS)[RUNS[0]]] == [4]


def test_the_stored_sketch_is_that_of_the_durations():
    """A percentile of a thousand spans that came in many batches is that of all of them at once."""
    durations = [(n * 7919) % 1000 * 1_000_000 for n in range(1000)]
    with open_store("sqlite://:memory:") as store:
        for _, part in groupby(enumerate(durations), key=lambda item: item[0] // 90):
            store.apply(
                WriteBatch(
                    spans=[
                        Span(RUNS[0], f"{n + 1:016x}", "fit", 5, 5 + one, run_id=RUNS[0]) for n, one in part
                    ]
                )
            )
        ((summary,),) = store.span_summaries(RUNS[:1]).values()

    assert (summary.count, summary.total_ns, summary.maximum_ns) == (1000, sum(durations), max(durations))
    assert abs(summary.p95_ns / 949_050_000 - 1) < 0.01
