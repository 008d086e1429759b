"""Store -> OTLP -> store is the identity: what is exported and read back is what a reader saw before."""

import io
import math
import struct
from array import array
from collections import Counter
from dataclasses import fields, replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from otel_experiments._replay import _Import
from otel_experiments.model.artifact import AliasSet, ArtifactLogged, ArtifactQuery, ArtifactUsed
from otel_experiments.model.attachment import Attachment, TelemetryQuery
from otel_experiments.model.batch import (
    Heartbeat,
    MetricDefinition,
    ParamSet,
    RunStateChange,
    SummarySet,
    TagSet,
    WriteBatch,
)
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Owner, Run, RunState
from otel_experiments.model.search import RunQuery, SpanQuery
from otel_experiments.model.span import Event, Link, Resource, Scope, Span, SpanKind, StatusCode
from otel_experiments.query.export.otlp import export_otlp
from otel_experiments.store import open_store

INT64 = st.integers(-(2**63), 2**63 - 1)
TIMES = st.integers(1, 2**63 - 1)
COUNTS = st.integers(0, 2**31)
FLAGS = st.integers(0, 2**32 - 1)
TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["", "😀 run", "val/acc", "a.b", "$float", "naïve\n", '"$', "x" * 300]),
)
FLOATS = st.one_of(
    st.floats(allow_nan=False), st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 5e-324, 0.1, 1.0])
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), INT64, FLOATS, TEXTS, st.binary(max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=2)),
    max_leaves=5,
)
PARAMS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**90), 2**90), FLOATS, TEXTS),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
ATTRIBUTES = st.dictionaries(TEXTS, VALUES, max_size=3)
RUN_IDS = st.binary(min_size=16, max_size=16).filter(any).map(bytes.hex)
SPAN_IDS = st.binary(min_size=8, max_size=8).filter(any).map(bytes.hex)
OWNERS = st.none() | st.builds(Owner, TEXTS, TEXTS, st.integers(0, 2**31), st.integers(0, 2**62))
STATES = st.sampled_from([state for state in RunState if state is not RunState.LOST])
RESOURCES = st.builds(Resource, ATTRIBUTES, TEXTS)
SCOPES = st.builds(Scope, TEXTS, TEXTS, TEXTS, ATTRIBUTES)
NANS = (
    st.integers(1, 2**51 - 1)
    .flatmap(
        lambda payload: st.sampled_from(
            [0x7FF8 << 48 | payload, 0xFFF8 << 48 | payload, 0xFFF8 << 48, 0x7FF8 << 48]
        )
    )
    .map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0])
)
POINT_VALUES = st.one_of(
    st.floats(-1e300, 1e300), NANS, st.sampled_from([math.inf, -math.inf, -0.0, 0.0, 1e-320])
)
STEPS = st.one_of(
    st.integers(-3, 20).map(float),
    st.floats(allow_nan=False),
    st.sampled_from([-0.0, 0.5, math.nan, math.inf]),
)


RUN_ID = "0af7651916cd43dd8448eb211c80319c"
OWN = st.just(RUN_ID)
LABEL_TIMES = st.integers(-3, 2**63 - 1)
RUNS = st.builds(
    Run,
    run_id=OWN,
    experiment=TEXTS,
    name=TEXTS,
    state=STATES,
    created_ns=TIMES,
    started_ns=st.none() | TIMES,
    ended_ns=st.none() | TIMES,
    paused_ns=st.none() | TIMES,
    paused_total_ns=COUNTS,
    paused_count=COUNTS,
    heartbeat_ns=st.none() | TIMES,
    reason=TEXTS,
    error_type=TEXTS,
    owner=OWNERS,
    parent_run_id=st.none() | RUN_IDS,
    group=TEXTS,
    condition=TEXTS,
    description=TEXTS,
    attempt=st.integers(1, 5),
    root_span_id=st.none() | SPAN_IDS,
    resource=ATTRIBUTES,
)
CHANGES = st.builds(
    RunStateChange, OWN, STATES, TIMES, TEXTS, TEXTS, COUNTS, COUNTS, COUNTS, st.integers(1, 6), OWNERS
)
DIGESTS = st.sampled_from([f"sha256:{digit * 64}" for digit in "01f"])
NAMES = st.one_of(st.sampled_from(["model", "a/b"]), TEXTS)
EXPERIMENTS = st.sampled_from(["digits", ""])
ARTIFACTS = st.builds(
    ArtifactLogged,
    run_id=OWN,
    experiment=EXPERIMENTS,
    name=NAMES,
    digest=DIGESTS,
    time_ns=TIMES,
    type=TEXTS,
    role=st.sampled_from(["artifact", "media"]),
    is_folder=st.booleans(),
    size_bytes=COUNTS,
    file_count=COUNTS,
    file_name=TEXTS,
    media_type=TEXTS,
    step=st.none() | STEPS,
    index=COUNTS,
    caption=TEXTS,
    metadata=st.dictionaries(TEXTS, PARAMS, max_size=3),
    place=TEXTS,
    rank=st.none() | st.integers(0, 3),
    span_id=st.just("") | SPAN_IDS,
    version=st.none() | st.integers(0, 4),
)
OF_A_RUN = st.builds(
    WriteBatch,
    runs=st.lists(RUNS, min_size=1, max_size=1),
    state_changes=st.lists(CHANGES, max_size=2),
    heartbeats=st.lists(st.builds(Heartbeat, OWN, TIMES), max_size=1),
    params=st.lists(st.builds(ParamSet, OWN, TEXTS, PARAMS, LABEL_TIMES), max_size=4),
    summaries=st.lists(st.builds(SummarySet, OWN, TEXTS, PARAMS, TIMES), max_size=3),
    tags=st.lists(st.builds(TagSet, OWN, TEXTS, st.none() | TEXTS, LABEL_TIMES), max_size=4),
    metric_definitions=st.lists(
        st.builds(
            MetricDefinition, OWN, TEXTS, st.sampled_from(["min", "max", None]), TEXTS, TEXTS, st.booleans()
        ),
        max_size=2,
    ),
    artifacts=st.lists(ARTIFACTS, max_size=4),
    artifact_uses=st.lists(st.builds(ArtifactUsed, OWN, DIGESTS, TIMES, EXPERIMENTS, NAMES), max_size=3),
    artifact_aliases=st.lists(
        st.builds(AliasSet, EXPERIMENTS, NAMES, TEXTS.filter(bool), st.none() | DIGESTS, TIMES, OWN),
        max_size=3,
    ),
)


def telemetry(run_ids):
    """Batches of spans, log records and data points of a run, or of none, with resources that do not say which."""
    exemplars = st.tuples(
        TIMES, st.one_of(INT64, FLOATS), st.just("") | RUN_IDS, st.just("") | SPAN_IDS, ATTRIBUTES
    ).map(
        lambda values: dict(
            zip(("time_ns", "value", "trace_id", "span_id", "attributes"), values, strict=True)
        )
    )
    common = {
        "attributes": ATTRIBUTES,
        "resource": RESOURCES,
        "scope": SCOPES,
        "run_id": run_ids,
    }
    spans = st.builds(
        Span,
        trace_id=RUN_IDS | OWN,
        span_id=SPAN_IDS,
        name=TEXTS,
        start_ns=TIMES,
        end_ns=st.none() | TIMES,
        parent_span_id=st.none() | SPAN_IDS,
        kind=st.sampled_from(SpanKind),
        status=st.sampled_from(StatusCode),
        status_message=TEXTS,
        events=st.lists(st.builds(Event, TEXTS, TIMES, ATTRIBUTES, COUNTS), max_size=2).map(tuple),
        links=st.lists(st.builds(Link, RUN_IDS, SPAN_IDS, ATTRIBUTES, TEXTS, COUNTS), max_size=2).map(tuple),
        trace_state=TEXTS,
        flags=FLAGS,
        dropped_attributes_count=COUNTS,
        dropped_events_count=COUNTS,
        dropped_links_count=COUNTS,
        **common,
    )
    records = st.builds(
        LogRecord,
        time_ns=TIMES,
        observed_time_ns=TIMES,
        event_name=TEXTS,
        severity_number=st.integers(0, 24),
        severity_text=TEXTS,
        body=VALUES,
        trace_id=st.none() | RUN_IDS | OWN,
        span_id=st.none() | SPAN_IDS,
        flags=FLAGS,
        dropped_attributes_count=COUNTS,
        **common,
    )
    numbers = st.builds(
        InstrumentPoint,
        name=TEXTS.filter(bool),  # what has no name is refused when it is received
        kind=st.sampled_from(["gauge", "sum"]),
        time_ns=TIMES,
        start_ns=st.just(0) | TIMES,
        unit=TEXTS,
        description=TEXTS,
        value=st.one_of(st.none(), INT64, FLOATS),
        temporality=st.just(0),
        flags=FLAGS,
        exemplars=st.lists(exemplars, max_size=1).map(tuple),
        **common,
    )
    sums = numbers.flatmap(lambda point: st.builds(_as_sum, st.just(point), st.integers(0, 2), st.booleans()))
    return st.builds(
        WriteBatch,
        spans=st.lists(spans, max_size=2),
        log_records=st.lists(records, max_size=2),
        instrument_points=st.lists(sums, max_size=2),
    )


def _as_sum(point, temporality, is_monotonic):
    if point.kind == "gauge":
        return point
    return replace(point, temporality=temporality, is_monotonic=is_monotonic)


KEYS = st.lists(
    st.builds(SeriesKey, TEXTS.filter(bool), st.sampled_from(["", "train", "val"]), st.integers(0, 2)),
    min_size=1,
    max_size=3,
    unique=True,
)


@st.composite
def blocks(draw):
    """Points of metrics that were logged together, by ranks, with steps and times that go back."""
    times_ns = draw(st.lists(TIMES, min_size=1, max_size=5, unique=True))
    columns, keys = st.lists(POINT_VALUES, min_size=len(times_ns), max_size=len(times_ns)), draw(KEYS)
    steps = draw(st.lists(STEPS, min_size=len(times_ns), max_size=len(times_ns)))
    values = tuple(array("d", draw(columns)) for _ in keys)
    return PointBlock(RUN_ID, tuple(keys), array("d", steps), array("q", times_ns), values)


RECORDED = st.tuples(
    OF_A_RUN, telemetry(OWN), telemetry(OWN), st.builds(WriteBatch, points=st.lists(blocks(), max_size=3))
)
"""What processes wrote of a run, batch by batch."""


def seen(store):
    """Return all that a reader sees of a store, such that it can be compared."""
    found = {}
    run_ids = sorted(run.run_id for run in store.find_runs(RunQuery()))
    found["runs"] = [repr(store.get_run(run_id)) for run_id in run_ids]
    found["experiments"] = store.experiments()
    found["params"] = repr(store.params(run_ids))
    found["tags"] = store.tags(run_ids)
    found["spans"] = {(span.trace_id, span.span_id): repr(span) for span in store.spans(SpanQuery())}
    found["logs"] = Counter(map(repr, store.log_records()))
    found["instruments"] = Counter(map(repr, store.instrument_points()))
    found["artifacts"] = list(map(repr, store.artifacts(ArtifactQuery(role=None))))
    found["uses"] = store.artifact_uses()
    found["aliases"] = [
        alias for run_id in run_ids for page in store.whole_run(run_id) for alias in page.artifact_aliases
    ]
    for run_id, series in store.series(run_ids).items():
        for one in series:
            place = (run_id, one.key)
            history = store.points(run_id, one.key)
            columns = (history.steps, history.times_ns, history.values)
            found["points", *place] = [
                array(code, column).tobytes() for code, column in zip("dqd", columns, strict=True)
            ]
            found["summary", *place] = _summary(one.summary, history.values)
        found["attached", run_id] = store.telemetry_groups(TelemetryQuery(run_id=run_id))
    found["unattached"] = store.telemetry_groups(TelemetryQuery())
    for run_id in run_ids:
        *_, last = store.whole_run(run_id)
        found["times", run_id] = repr((last.params, last.summaries, last.tags, last.metric_definitions))
    return found


def _summary(summary, values):
    """The summary: its sum to the digits that the order of adding leaves certain, zeros without the sign that columns drop."""
    scale = math.fsum(abs(value) for value in values if math.isfinite(value)) or 1.0
    kept = {
        field.name: value + 0.0
        for field in fields(summary)
        if isinstance(value := getattr(summary, field.name), float)
    }
    return repr(replace(summary, **kept | {"finite_sum": round(summary.finite_sum / scale, 9) + 0.0}))


def assert_same(copy, source):
    """Compare what there is to see of two stores, and show no more than the first difference."""
    found, expected = seen(copy), seen(source)
    different = [key for key in {**expected, **found} if found.get(key) != expected.get(key)]
    assert not different, (different[0], found.get(different[0]), expected.get(different[0]))


def made_of(batches):
    """A store in which the batches were recorded."""
    store = open_store("sqlite://:memory:")
    for batch in batches:
        store.apply(batch)
    return store


@pytest.mark.parametrize("location", ["sqlite://:memory:", "memory://"])
@settings(max_examples=25, phases=[Phase.explicit, Phase.generate])
@given(batches=RECORDED, attached=telemetry(st.none()))
def test_the_pages_of_a_run_make_another_store_hold_it(location, batches, attached):
    """What a store gives of a run, page by page, is all that there is to see of it, in every kind of store."""
    attach = WriteBatch(attach=[Attachment(RUN_ID, TelemetryQuery(), 77)])
    with made_of([*batches, attached, attach]) as source, open_store(location) as copy:
        for page in source.whole_run(RUN_ID):
            copy.apply(page)

        assert_same(copy, source)


def exported(store, run_ids, form, *, unattached=False):
    """The runs as a file."""
    sink = io.BytesIO()
    report = export_otlp(
        store, [store.get_run(one) for one in run_ids], sink, form=form, unattached=unattached
    )
    assert not report.refused, report
    sink.seek(0)
    return sink


def read_back(sink, store):
    """Store what an export holds, as `import_otlp` does."""
    reader = _Import(store, None)
    reader.read(sink, "export", lambda: None)
    assert reader.report.is_complete, reader.report.problems
    return reader.report


@pytest.mark.parametrize("form", ["json", "proto"])
@settings(max_examples=25, phases=[Phase.explicit, Phase.generate])
@given(batches=RECORDED, attached=telemetry(st.none()), orphans=telemetry(st.none()))
def test_what_is_exported_and_imported_is_what_was_stored(form, batches, attached, orphans):
    """NaN bits, zeros with a sign, steps that repeat and go back, ranks, params of any type, states, foreign telemetry: all."""
    attach = WriteBatch(attach=[Attachment(RUN_ID, TelemetryQuery(), 77)])
    with made_of([*batches, attached, attach, orphans]) as source, open_store("sqlite://:memory:") as copy:
        sink = exported(source, [RUN_ID], form, unattached=True)
        read_back(sink, copy)

        assert_same(copy, source)

        sink.seek(0)
        read_back(sink, copy)
        assert_same(copy, source)  # twice is once

        sink.seek(0)
        read_back(sink, source)
        assert_same(source, copy)  # and what a store has exported adds nothing to it
