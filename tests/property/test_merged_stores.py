"""Two stores that know of the same run, merged: the same whichever takes the other, and nothing twice."""

import math
import struct
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.importers.stores.merge import pages_of_run
from otel_experiments.model.artifact import AliasSet, ArtifactLogged, ArtifactQuery, ArtifactUsed
from otel_experiments.model.batch import Heartbeat, ParamSet, RunStateChange, TagSet, WriteBatch
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.search import SpanQuery
from otel_experiments.model.span import Span
from otel_experiments.store import open_store

RUN = "0af7651916cd43dd8448eb211c80319c"
KEYS = [SeriesKey("loss"), SeriesKey("loss", "val"), SeriesKey("loss", "", 1)]
STATES = [RunState.PAUSED, RunState.RUNNING, RunState.FAILED, RunState.CANCELLED]
NAMES = st.sampled_from(["lr", "best", "a.b"])
DIGESTS = st.sampled_from([f"sha256:{digit * 64}" for digit in "abc"])
POINTS = st.tuples(
    st.sampled_from(KEYS),
    st.sampled_from([0.0, 1.0, -0.0, 2.5]),
    st.integers(10**18, 10**18 + 2),
    st.sampled_from([0.5, math.nan, -0.0, math.inf]),
)


@st.composite
def news(draw):
    """Draw a batch about the run, each of whose labels has a time of its own."""
    time_ns = draw(st.integers(10**9, 10**12))
    made = WriteBatch()
    match draw(st.integers(0, 7)):
        case 0:
            made.params.append(ParamSet(RUN, draw(NAMES), draw(st.integers(0, 3)), time_ns))
        case 1:
            made.tags.append(TagSet(RUN, draw(NAMES), draw(st.sampled_from([None, "x", "y"])), time_ns))
        case 2:
            made.state_changes.append(RunStateChange(RUN, draw(st.sampled_from(STATES)), time_ns))
        case 3:
            span_id = draw(st.sampled_from(["a" * 16, "b" * 16]))
            made.spans.append(Span(RUN, span_id, "epoch", 5, draw(st.sampled_from([None, 9])), run_id=RUN))
        case 4:
            made.log_records.append(LogRecord(7, 7, body=draw(st.sampled_from(["one", "two"])), run_id=RUN))
        case 5:
            made.heartbeats.append(Heartbeat(RUN, time_ns))
        case 6:
            name, digest = draw(NAMES), draw(DIGESTS)
            made.artifacts.append(ArtifactLogged(RUN, "digits", name, digest, time_ns))
            made.artifact_aliases.append(AliasSet("digits", name, "best", digest, time_ns, RUN))
            made.artifact_uses.append(ArtifactUsed(RUN, draw(DIGESTS), time_ns, "digits", name))
        case _:
            key, step, when, value = draw(POINTS)
            made.points.append(PointBlock(RUN, (key,), [step], [when], ([value],)))
    return made


def merge(source, target):
    """Bring what one store has of the run into the other."""
    for page in pages_of_run(source, target, RUN):
        target.apply(page)


def points_of(store):
    """Return how often each point is there, told apart by its bits."""
    return Counter(
        (key, struct.pack("<d", step), time_ns, struct.pack("<d", value))
        for key in KEYS
        for step, time_ns, value in zip(*_columns(store.points(RUN, key)), strict=True)
    )


def _columns(points):
    return points.steps, points.times_ns, points.values


def facts_of(store):
    """Return what a store says of the run, points left out."""
    run = store.get_run(RUN)
    return {
        "state": (run.state, run.ended_ns),
        "heartbeat": run.heartbeat_ns,
        "params": store.params([RUN]),
        "tags": store.tags([RUN]),
        "spans": {(span.span_id, span.end_ns) for span in store.spans(SpanQuery(run_id=RUN))},
        "logs": {record.body for record in store.log_records(run_id=RUN)},
        "uses": {(used.digest, used.time_ns) for used in store.artifact_uses(run_ids=[RUN])},
        "artifacts": Counter(
            (one.logged.name, one.logged.digest, one.logged.time_ns, one.aliases)
            for one in store.artifacts(ArtifactQuery())
        ),
    }


@given(
    common=st.lists(news(), max_size=6), here=st.lists(news(), max_size=6), there=st.lists(news(), max_size=6)
)
def test_merging_is_the_same_both_ways_and_adds_nothing_twice(common, here, there):
    """What two stores have of a run after each took the other is the same, with each point as often as in the fuller one."""
    first = WriteBatch(runs=[Run(RUN, "digits", "one", RunState.RUNNING, created_ns=1, started_ns=1)])
    with open_store(":memory:") as one, open_store("memory://") as two:
        for store, batches in ((one, [first, *common, *here]), (two, [first, *common, *there])):
            for batch in batches:
                store.apply(batch)
        expected = points_of(one) | points_of(two)

        merge(one, two)
        merge(two, one)

        assert points_of(one) == points_of(two) == expected
        assert facts_of(one) == facts_of(two)
        before = facts_of(one)
        merge(two, one)
        merge(one, two)
        assert points_of(one) == points_of(two) == expected
        assert facts_of(one) == facts_of(two) == before
