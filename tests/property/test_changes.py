"""A run that grows, followed by readers at any moment: they get everything once."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.edit import RunPurge
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import SeriesKey
from otel_experiments.model.search import SpanQuery
from otel_experiments.store import open_store
from otel_experiments.testing.store_contract.given import LOSS, OTHER, RUN, a_block, a_run, a_span

SECOND = SeriesKey("loss", "val", 1)
KEYS = (LOSS, SECOND)
runs = st.sampled_from([RUN, RUN, OTHER])
steps = st.one_of(
    st.tuples(st.just("points"), runs, st.sampled_from(KEYS), st.sampled_from([1, 2, 40, 4100])),
    st.tuples(st.just("open"), runs, st.integers(1, 5)),
    st.tuples(st.just("end"), runs, st.integers(1, 5)),
    st.tuples(st.just("record"), runs, st.integers(0, 9)),
    st.tuples(st.just("purge other")),
    st.tuples(st.just("read"), st.sampled_from([1, 3, 50, 10_000])),
)


def write(store, action, run_id, *what):
    """Write what one step of the plan says."""
    if action == "points":
        key, count = what
        before = len(store.points(run_id, key))
        values = [float(before + n) for n in range(count)]
        store.apply(WriteBatch(points=[a_block(values, run_id=run_id, key=key, start=before)]))
    elif action == "record":
        record = LogRecord(time_ns=what[0], observed_time_ns=1, body="x", run_id=run_id)
        store.apply(WriteBatch(log_records=[record]))
    else:
        end_ns = None if action == "open" else 30
        span = a_span(f"{what[0]:016x}", trace_id=run_id, run_id=run_id, end_ns=end_ns)
        store.apply(WriteBatch(spans=[span]))


class Follower:
    """A reader that adds up what comes."""

    def __init__(self):
        self.cursor = None
        self.points = {key: [] for key in KEYS}
        self.spans = []
        self.records = []

    def read(self, store, limit):
        """Take the next page; True when there may be more."""
        found = store.changes(RUN, since=self.cursor, limit=limit)
        assert not found.is_reset
        for one in found.points:
            assert one.start == len(self.points[one.key])
            self.points[one.key].extend(one.points.values)
        self.spans.extend((span.span_id, span.end_ns) for span in found.spans)
        self.records.extend(record.time_ns for record in found.log_records)
        self.cursor = found.cursor
        return found.has_more

    def read_all(self, store):
        """Take all pages."""
        while self.read(store, 7000):
            pass


@given(plan=st.lists(steps, max_size=30), kind=st.sampled_from(["file", "memory://", "sqlite://:memory:"]))
def test_a_reader_that_follows_a_run_gets_everything_once_whenever_it_reads(plan, kind):
    """Whatever is written between its pages, however long they are, and whatever happens to other runs."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "x.db" if kind == "file" else kind
        with open_store(place) as store:
            store.apply(WriteBatch(runs=[a_run()]))
            follower, others = Follower(), 0
            for action, *what in plan:
                if action == "read":
                    follower.read(store, *what)
                elif action == "purge other":
                    others += 1
                    store.apply(WriteBatch(runs=[a_run(OTHER, created_ns=10**6 * others)]))
                    store.apply(WriteBatch(purges=[RunPurge(OTHER, 10**6 * others + 1)]))
                    store.apply(WriteBatch(runs=[a_run(OTHER, created_ns=10**6 * others + 2)]))
                else:
                    write(store, action, *what)
            follower.read_all(store)

            late = Follower()
            late.read_all(store)
            for key in KEYS:
                assert follower.points[key] == late.points[key] == list(store.points(RUN, key).values)
            ended = [span.span_id for span in store.spans(SpanQuery(run_id=RUN)) if span.end_ns is not None]
            still_open = [span.span_id for span in store.spans(SpanQuery(run_id=RUN)) if span.end_ns is None]
            for one in (follower, late):
                assert sorted(one.records) == sorted(
                    record.time_ns for record in store.log_records(run_id=RUN)
                )
                assert sorted(key for key, end_ns in one.spans if end_ns is not None) == sorted(ended)
                opened = [key for key, end_ns in one.spans if end_ns is None]
                assert len(opened) == len(set(opened))
                assert set(still_open) <= set(opened)
