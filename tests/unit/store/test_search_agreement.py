"""The SQL that a search compiles to means what the plain Python evaluation of the same search means."""

from __future__ import annotations

import math
import string
from dataclasses import replace
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from otel_experiments.model.artifact import AliasSet, ArtifactLogged
from otel_experiments.model.batch import (
    MetricDefinition,
    ParamSet,
    RunStateChange,
    SummarySet,
    TagSet,
    WriteBatch,
)
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.search import (
    And,
    Arithmetic,
    ArtifactField,
    ArtifactPart,
    Calculated,
    Comparison,
    DirtyField,
    EventCountField,
    Exists,
    Expression,
    FactField,
    FactName,
    IsNan,
    LogTextField,
    MetricField,
    Not,
    Or,
    Order,
    PackageField,
    ParamField,
    RunField,
    RunQuery,
    SearchField,
    SpanStatField,
    SummaryField,
    TagField,
)
from otel_experiments.model.span import Span, StatusCode
from otel_experiments.semconv.attributes import ML_ENVIRONMENT_RUN_ID, PROCESS_COMMAND_ARGS
from otel_experiments.semconv.events import ML_RUN_ENVIRONMENT, ML_RUN_START
from otel_experiments.store import Store, open_store
from otel_experiments.store.semantics.run_facts import FACT_ATTRIBUTES

RUN_IDS = [digit * 32 for digit in "0123456789ab"]
RUN_FIELDS = [
    "run_id", "name", "experiment", "state", "group", "condition", "hypothesis", "reason", "error_type",
    "parent_run_id", "created", "started", "ended", "duration", "attempt", "artifacts",
]  # fmt: skip
STATS = [
    "last", "min", "max", "mean", "best", "count", "nan_count", "first_step", "last_step", "min_step", "max_step",
    "best_step",
]  # fmt: skip
SPAN_STATS = ["count", "errors", "total", "mean", "min", "max", "p50", "p95", "p99"]
SPECIAL_NUMBERS = [0, 1, -1, 2**53 + 1, 2**63, -(2**70), 0.5, 1.0, -0.0, 1e-9, math.inf, -math.inf, math.nan]

numbers = st.sampled_from(SPECIAL_NUMBERS) | st.integers(-3, 3) | st.floats(-3, 3, width=16)
texts = st.sampled_from(
    ["", "a", "b", "ab", "A", "1", "lost", "running", "ä", "\U0001f9ea", "a\0b", "3.9.1", "3.11", "latest"]
)
scalars = st.one_of(numbers, texts, st.booleans(), st.none())
values = scalars | st.lists(scalars, max_size=2)
resources = st.dictionaries(
    st.sampled_from([*FACT_ATTRIBUTES.values(), "service.name"]), texts | st.integers(0, 1), max_size=3
) | st.builds(lambda arguments: {PROCESS_COMMAND_ARGS: arguments}, st.lists(texts, max_size=3))
keys = st.sampled_from(["p", "q.r", "missing"])
names = st.sampled_from(["loss", "val/acc", "missing"])
phases = st.sampled_from([None, "", "train", "val"])

fields: st.SearchStrategy[SearchField] = st.one_of(
    st.builds(RunField, st.sampled_from(RUN_FIELDS)),
    st.builds(ParamField, keys),
    st.builds(SummaryField, st.sampled_from(["p.r", "q.r.r", "missing"])),
    st.builds(TagField, keys),
    st.builds(FactField, st.sampled_from(get_args(FactName))),
    st.just(DirtyField()),
    st.builds(PackageField, st.sampled_from(["torch", "My_Pkg", "absent"])),
    st.builds(ArtifactField, names, st.sampled_from(get_args(ArtifactPart))),
    st.builds(MetricField, names, st.sampled_from(STATS), phases),
    st.builds(SpanStatField, names, st.sampled_from(SPAN_STATS)),
    st.builds(EventCountField, names),
    st.just(LogTextField()),
)
comparisons = st.one_of(
    st.builds(
        Comparison,
        fields,
        st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "contains", "startswith", "endswith"]),
        scalars,
    ),
    st.builds(
        Comparison,
        fields,
        st.sampled_from(["in", "not in", "==", "!="]),
        st.lists(scalars, max_size=3).map(tuple),
    ),
    st.builds(Comparison, fields, st.just("matches"), st.sampled_from(["", "^a", "[ab]$", "."])),
)
operands = st.recursive(
    fields | numbers.filter(lambda number: not math.isnan(number)),
    lambda inner: st.builds(Arithmetic, st.sampled_from(["+", "-", "*", "/"]), inner, inner),
    max_leaves=4,
)
calculated = st.builds(Calculated, operands, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), operands)
leaves = comparisons | calculated | st.builds(IsNan, fields) | st.builds(Exists, fields)
expressions: st.SearchStrategy[Expression] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.lists(inner, max_size=3).map(lambda operands: And(tuple(operands))),
        st.lists(inner, max_size=3).map(lambda operands: Or(tuple(operands))),
    ),
    max_leaves=6,
)
orders = st.lists(st.builds(Order, fields, st.booleans()), max_size=2).map(tuple)


@st.composite
def batches(draw: st.DrawFn) -> WriteBatch:
    """Some runs with fields, params, tags and metrics of all kinds, some of them placeholders."""
    batch = WriteBatch()
    run_ids = st.sampled_from(RUN_IDS)
    times = st.none() | st.integers(0, 3).map(lambda seconds: seconds * 10**9)
    for run_id in draw(st.lists(run_ids, unique=True, max_size=6)):
        batch.runs.append(
            Run(
                run_id=run_id,
                experiment=draw(texts),
                name=draw(texts),
                state=draw(st.sampled_from([state for state in RunState if state is not RunState.LOST])),
                created_ns=draw(st.integers(0, 3)) * 10**9,
                started_ns=draw(times),
                ended_ns=draw(times),
                paused_ns=draw(times),
                paused_total_ns=draw(st.integers(0, 10)),
                heartbeat_ns=draw(times),
                group=draw(texts),
                condition=draw(texts),
                parent_run_id=draw(st.none() | run_ids),
                attempt=draw(st.integers(1, 3)),
                resource=draw(resources),
            )
        )
    for run_id in draw(st.lists(run_ids, max_size=2)):
        batch.state_changes.append(RunStateChange(run_id, RunState.FAILED, 10**10, draw(texts), draw(texts)))
    for run_id, key, value in draw(st.lists(st.tuples(run_ids, keys, values), max_size=12)):
        batch.params.append(ParamSet(run_id, key, value, 1))
        batch.summaries.append(SummarySet(run_id, f"{key}.r", value, 1))
    for run_id, key, value in draw(st.lists(st.tuples(run_ids, keys, texts | st.none()), max_size=6)):
        batch.tags.append(TagSet(run_id, key, value, 1))
    for run_id, name, digit, role in draw(
        st.lists(
            st.tuples(run_ids, names, st.sampled_from("01"), st.sampled_from(["artifact", "media"])),
            max_size=4,
        )
    ):
        batch.artifacts.append(
            ArtifactLogged(run_id, "e", name, f"sha256:{digit * 64}", 1, role=role, size_bytes=int(digit))
        )
    for name, alias, digit in draw(
        st.lists(st.tuples(names, texts, st.sampled_from([None, "0", "1"])), max_size=4)
    ):
        digest = None if digit is None else f"sha256:{digit * 64}"
        batch.artifact_aliases.append(AliasSet("e", name, alias, digest, 1))
    for run_id, name, phase, rank, column in draw(
        st.lists(
            st.tuples(
                run_ids,
                names,
                phases.map(lambda phase: phase or ""),
                st.sampled_from([0, 0, 1, 2, 10]),
                st.lists(
                    st.sampled_from([0.0, 0.5, 1.0, 3.0, math.inf, -math.inf, math.nan]),
                    min_size=1,
                    max_size=3,
                ),
            ),
            max_size=10,
        )
    ):
        steps = [float(step) for step in range(len(column))]
        block = PointBlock(run_id, (SeriesKey(name, phase, rank),), steps, range(len(column)), (column,))
        batch.points.append(block)
    for number, (run_id, name, duration_ns, status) in enumerate(
        draw(
            st.lists(
                st.tuples(
                    st.none() | run_ids,
                    names,
                    st.none() | st.sampled_from([-1, 0, 5 * 10**8, 10**9, 3 * 10**9]),
                    st.sampled_from(StatusCode),
                ),
                max_size=6,
            )
        )
    ):
        end_ns = None if duration_ns is None else 7 + duration_ns
        batch.spans.append(
            Span("f" * 32, f"{number + 1:016x}", name, 7, end_ns, run_id=run_id, status=status)
        )
    for number, (run_id, name, body) in enumerate(
        draw(st.lists(st.tuples(st.none() | run_ids, names | st.just(""), values), max_size=6))
    ):
        batch.log_records.append(LogRecord(number, number, name, body=body, run_id=run_id))
    for number, (run_id, versions, dirty, source) in enumerate(
        draw(
            st.lists(
                st.tuples(
                    st.none() | run_ids,
                    st.dictionaries(
                        st.sampled_from(["torch", "my-pkg"]), st.sampled_from(["2.9", "2.10", "2.10rc1"])
                    ),
                    st.none() | st.booleans(),
                    st.none() | run_ids,
                ),
                max_size=5,
            )
        )
    ):
        lines = "\n".join(f"{name}=={version}" for name, version in versions.items())
        body = {"packages": lines, "git": {} if dirty is None else {"is_dirty": dirty}}
        time_ns = 100 + 20 * 10**9 * number
        batch.log_records.append(
            LogRecord(time_ns, time_ns, ML_RUN_ENVIRONMENT.name, body=body, run_id=run_id)
        )
        if source is not None:
            at_ns = time_ns + 10**9
            shares = {ML_ENVIRONMENT_RUN_ID: source}
            sharing = draw(run_ids)
            batch.log_records.append(
                LogRecord(at_ns, at_ns, ML_RUN_START.name, attributes=shares, run_id=sharing)
            )
    for run_id, direction in draw(st.lists(st.tuples(run_ids, st.sampled_from(["min", "max"])), max_size=4)):
        batch.metric_definitions.append(MetricDefinition(run_id, "loss", direction))
    return batch


def opened(batch: WriteBatch) -> tuple[Store, Store]:
    """The same data in SQL and in plain Python."""
    stores = open_store("sqlite://:memory:"), open_store("memory://")
    for store in stores:
        store.apply(batch)
    return stores


@settings(max_examples=200)
@given(
    batch=batches(),
    queries=st.lists(st.builds(RunQuery, st.none() | expressions, orders, st.none() | st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=8),
    live=st.none() | st.frozensets(st.sampled_from(RUN_IDS), max_size=5),
)  # fmt: skip
def test_sql_and_python_agree_on_any_search(batch, queries, live):
    """Whatever is searched, sorted and cut, both stores give the same runs in the same order."""
    sqlite, memory = opened(batch)
    with sqlite, memory:
        for query in queries:
            expected = memory.find_runs(query, live_run_ids=live)

            assert sqlite.find_runs(query, live_run_ids=live) == expected
            assert sqlite.count_runs(query, live_run_ids=live) == memory.count_runs(query, live_run_ids=live)


@settings(max_examples=200)
@given(
    batch=batches(),
    order=orders,
    limit=st.integers(1, 3),
    live=st.none() | st.frozensets(st.sampled_from(RUN_IDS)),
)
def test_pages_are_together_the_whole(batch, order, limit, live):
    """Page after page gives each run once, in the order of the whole list, and both stores end each page alike."""
    sqlite, memory = opened(batch)
    with sqlite, memory:
        whole = memory.find_runs(RunQuery(order=order), live_run_ids=live)
        turned: list[Run] = []
        query: RunQuery | None = RunQuery(order=order, limit=limit)
        while query is not None:
            page, other = (store.find_runs(query, live_run_ids=live) for store in (sqlite, memory))
            assert page == other
            assert page.end == other.end
            turned += page
            query = None if page.end is None else replace(query, after=page.end)

        assert turned == whole


@settings(max_examples=50)
@given(batch=batches())
def test_both_stores_keep_the_same(batch):
    """Runs, experiments, params, tags and summaries are the same however they are kept."""
    sqlite, memory = opened(batch)
    with sqlite, memory:
        assert sqlite.experiments() == memory.experiments()
        assert repr(sqlite.params(RUN_IDS)) == repr(memory.params(RUN_IDS))
        assert sqlite.tags(RUN_IDS) == memory.tags(RUN_IDS)
        assert repr(sqlite.series(RUN_IDS)) == repr(memory.series(RUN_IDS))
        for run_id in RUN_IDS:
            assert sqlite.get_run(run_id) == memory.get_run(run_id)
        for prefix in ("", "0", *string.ascii_lowercase[:3]):
            assert sqlite.resolve_run_ids(prefix) == memory.resolve_run_ids(prefix)


@settings(max_examples=60)
@given(first=batches(), second=batches())
def test_what_arrives_twice_is_kept_once(first, second):
    """Whatever a batch says of runs, params and tags, applying it again changes nothing."""
    for location in ("sqlite://:memory:", "memory://"):
        with open_store(location) as store:
            store.apply(first)
            store.apply(second)
            once = repr(
                (store.find_runs(RunQuery()), store.params(RUN_IDS), store.tags(RUN_IDS), store.experiments())
            )

            store.apply(replace(second, points=[]))

            again = (
                store.find_runs(RunQuery()),
                store.params(RUN_IDS),
                store.tags(RUN_IDS),
                store.experiments(),
            )
            assert repr(again) == once


points = st.lists(
    st.tuples(
        st.sampled_from([0.0, 1.0, 2.0, 0.5, -7.0, 1e300, -1e308, 1e308, math.inf, math.nan]) | st.floats(),
        st.sampled_from([0.0, math.nan, math.inf, -math.inf, 1.0]) | st.floats(),
    ),
    max_size=40,
)


@settings(max_examples=120)
@given(batches_of_points=st.lists(points, max_size=4), is_sorted=st.booleans(), buckets=st.integers(1, 20))
def test_both_stores_thin_a_series_alike(batches_of_points, is_sorted, buckets):
    """A band is the same whether it is made of chunks or of all points."""
    key = SeriesKey("loss")
    blocks = []
    for number, rows in enumerate(batches_of_points):
        ordered = sorted(rows, key=lambda row: (math.isnan(row[0]), row[0])) if is_sorted else rows
        steps, column = [row[0] for row in ordered], [row[1] for row in ordered]
        blocks.append(PointBlock("a" * 32, (key,), steps, [number] * len(rows), (column,)))
    sqlite, memory = open_store(":memory:"), open_store("memory://")
    with sqlite, memory:
        for block in blocks:
            sqlite.apply(WriteBatch(points=[block]))
            memory.apply(WriteBatch(points=[block]))

        found, expected = (store.band("a" * 32, key, buckets=buckets) for store in (sqlite, memory))

        for column in ("first_steps", "last_steps", "low", "high", "last", "counts"):
            # A column of SQLite does not keep the sign of zero; adding zero takes it from both.
            both = [[number + 0.0 for number in getattr(band, column)] for band in (found, expected)]
            assert repr(both[0]) == repr(both[1])
        placed = sum(math.isfinite(step) for block in blocks for step in block.steps)
        assert sum(expected.counts) == placed
