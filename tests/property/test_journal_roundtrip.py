"""What goes into a journal comes out of it: every kind of record, any value, written and read as in production."""

import dataclasses
import math
import struct
import tempfile
from array import array
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from otel_experiments.codec.artifact_event import artifact_event
from otel_experiments.journal import encode
from otel_experiments.journal.decode import SegmentDecoder
from otel_experiments.journal.format import HEADER_SIZE_BYTES, RecordType
from otel_experiments.journal.scan import scan
from otel_experiments.journal.writer import JournalWriter
from otel_experiments.model.artifact import AliasSet, ArtifactLogged, ArtifactUsed
from otel_experiments.model.batch import (
    MetricDefinition,
    ParamSet,
    RunStateChange,
    SummarySet,
    TagSet,
    WriteBatch,
)
from otel_experiments.model.edit import EDIT_FIELDS, RunEdit
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import SeriesKey
from otel_experiments.model.received import ReceivedRequest
from otel_experiments.model.run import Owner, Run, RunState
from otel_experiments.model.signal import NOTHING_NS, SIGNALS
from otel_experiments.model.span import Event, Link, Resource, Scope, Span, SpanKind, StatusCode
from otel_experiments.model.unsent import Unsent

TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["", "\0", "a\0b", "😀", "x" * 10_000, '"$', "$float", "\ud800", "naïve\n\x1b[31m"]),
)
FLOATS = st.one_of(
    st.floats(allow_nan=False), st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 5e-324, 0.1])
)
TIMES = st.integers(0, 2**63 - 1)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), FLOATS, TEXTS)
VALUES = st.recursive(
    st.one_of(SCALARS, st.binary(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
ATTRIBUTES = st.dictionaries(TEXTS, VALUES, max_size=4)
RUN_IDS = st.one_of(st.none(), st.text("0123456789abcdef", min_size=32, max_size=32))
TRACE_IDS = st.binary(min_size=16, max_size=16).map(bytes.hex)
SPAN_IDS = st.binary(min_size=8, max_size=8).filter(any).map(bytes.hex)
OWNERS = st.one_of(
    st.none(), st.builds(Owner, TEXTS, TEXTS, st.integers(0, 2**31), st.integers(0, 2**63 - 1))
)
RESOURCES = st.builds(Resource, ATTRIBUTES, TEXTS)
SCOPES = st.builds(Scope, TEXTS, TEXTS, TEXTS, ATTRIBUTES)
COUNTS = st.integers(0, 2**31)

RUNS = st.builds(
    Run,
    run_id=st.text("0123456789abcdef", min_size=32, max_size=32),
    experiment=TEXTS,
    name=TEXTS,
    state=st.sampled_from(RunState),
    created_ns=TIMES,
    started_ns=st.none() | TIMES,
    owner=OWNERS,
    reason=TEXTS,
    parent_run_id=RUN_IDS,
    attempt=COUNTS,
    root_span_id=st.none() | SPAN_IDS,
    resource=ATTRIBUTES,
)
STATES = st.builds(
    RunStateChange,
    run_id=TEXTS,
    state=st.sampled_from(RunState),
    time_ns=TIMES,
    reason=TEXTS,
    paused_total_ns=TIMES,
    owner=OWNERS,
)
SPANS = st.builds(
    Span,
    trace_id=TRACE_IDS,
    span_id=SPAN_IDS,
    name=TEXTS,
    start_ns=TIMES,
    end_ns=st.none() | st.integers(1, 2**63 - 1),
    parent_span_id=st.none() | SPAN_IDS,
    kind=st.sampled_from(SpanKind),
    status=st.sampled_from(StatusCode),
    status_message=TEXTS,
    attributes=ATTRIBUTES,
    events=st.lists(st.builds(Event, TEXTS, TIMES, ATTRIBUTES, COUNTS), max_size=2).map(tuple),
    links=st.lists(st.builds(Link, TRACE_IDS, SPAN_IDS, ATTRIBUTES, TEXTS, COUNTS), max_size=2).map(tuple),
    resource=RESOURCES,
    scope=SCOPES,
    trace_state=TEXTS,
    flags=st.integers(0, 2**32 - 1),
    dropped_attributes_count=COUNTS,
    run_id=RUN_IDS,
)
LOGS = st.builds(
    LogRecord,
    time_ns=TIMES,
    observed_time_ns=TIMES,
    event_name=TEXTS,
    severity_number=st.integers(0, 24),
    severity_text=TEXTS,
    body=VALUES,
    attributes=ATTRIBUTES,
    trace_id=st.none() | TRACE_IDS,
    span_id=st.none() | SPAN_IDS,
    flags=COUNTS,
    resource=RESOURCES,
    scope=SCOPES,
    run_id=RUN_IDS,
)
INSTRUMENTS = st.builds(
    InstrumentPoint,
    name=TEXTS,
    kind=st.sampled_from(["gauge", "sum", "histogram", "exponential_histogram"]),
    time_ns=TIMES,
    start_ns=TIMES,
    unit=TEXTS,
    value=st.none() | FLOATS | st.integers(-(2**63), 2**63 - 1),
    histogram=st.none() | ATTRIBUTES,
    is_monotonic=st.booleans(),
    temporality=st.integers(0, 2),
    attributes=ATTRIBUTES,
    exemplars=st.lists(ATTRIBUTES, max_size=2).map(tuple),
    resource=RESOURCES,
    scope=SCOPES,
    run_id=RUN_IDS,
)


def through_a_journal(append):
    """Return the batch and the problems of a journal that `append(writer)` has filled."""
    with tempfile.TemporaryDirectory() as folder:
        writer = JournalWriter(Path(folder))
        append(writer)
        writer.close()
        batch, problems = WriteBatch(), []
        for path in sorted(Path(folder).iterdir()):
            raw = path.read_bytes()
            found = scan(raw, HEADER_SIZE_BYTES, is_final=True)
            problems += found.damages + SegmentDecoder().feed(found.payloads, batch)
        return batch, problems


def declared(resource, scope):
    """Return the declarations that a record of resource 0 and scope 0 needs."""
    return (
        (("resource", 0), lambda: encode.encode_resource(0, resource)),
        (("scope", 0), lambda: encode.encode_scope(0, scope)),
    )


@settings(max_examples=60)
@given(st.lists(RUNS, max_size=3), st.lists(STATES, max_size=3))
def test_runs_and_their_states_come_back(runs, states):
    """A run's record and its changes of state are read as they were written."""

    def append(writer):
        for run in runs:
            writer.append(encode.encode_run(run))
        for state in states:
            writer.append(encode.encode_state(state))

    batch, problems = through_a_journal(append)

    assert problems == []
    assert repr(batch.runs) == repr(runs)
    assert repr(batch.state_changes) == repr(states)


@settings(max_examples=60)
@given(st.dictionaries(TEXTS, VALUES), st.dictionaries(TEXTS, st.none() | TEXTS), TIMES)
def test_params_tags_and_definitions_come_back(params, tags, time_ns):
    """Params and summaries of any value, tags and metric definitions are read as they were written."""
    edits = [RunEdit("r", field, "text", time_ns, "ann") for field in EDIT_FIELDS]
    whole = MetricDefinition("r", "val/*", "max", "epoch", "min,last", is_hidden=True)

    def append(writer):
        writer.append(encode.encode_params("r", params, time_ns))
        writer.append(encode.encode_tags("r", tags, time_ns))
        writer.append(encode.encode_metric_definition(whole))
        writer.append(encode.encode_summary("r", params, time_ns))
        for edit in edits:
            writer.append(encode.encode_edit(edit))
        writer.append(encode.encode_heartbeat("r", time_ns))

    batch, problems = through_a_journal(append)

    assert problems == []
    assert repr(batch.params) == repr([ParamSet("r", k, v, time_ns) for k, v in params.items()])
    assert batch.tags == [TagSet("r", k, v, time_ns) for k, v in tags.items()]
    assert batch.metric_definitions == [whole]
    assert repr(batch.summaries) == repr([SummarySet("r", k, v, time_ns) for k, v in params.items()])
    assert batch.edits == edits
    assert [(beat.run_id, beat.time_ns) for beat in batch.heartbeats] == [("r", time_ns)]


@settings(max_examples=80)
@given(SPANS)
def test_a_span_comes_back(span):
    """A span, ended or open, with events, links, resource and scope is read as it was written."""
    batch, problems = through_a_journal(
        lambda writer: writer.append(encode.encode_span(span, 0, 0), declared(span.resource, span.scope))
    )

    assert problems == []
    assert repr(batch.spans) == repr([span])


@settings(max_examples=60)
@given(LOGS, st.lists(INSTRUMENTS, min_size=1, max_size=2))
def test_log_records_and_instrument_points_come_back(record, points):
    """Events, log records and data points of instruments are read as they were written."""
    points = [dataclasses.replace(p, resource=record.resource, scope=record.scope) for p in points]
    numbers = [0] * len(points)

    def append(writer):
        declarations = declared(record.resource, record.scope)
        writer.append(encode.encode_log_record(record, 0, 0), declarations)
        writer.append(encode.encode_instrument_points(points, numbers, numbers), declarations)

    batch, problems = through_a_journal(append)

    assert problems == []
    assert repr(batch.log_records) == repr([record])
    assert repr(batch.instrument_points) == repr(points)


ARTIFACTS = st.builds(
    ArtifactLogged,
    run_id=TEXTS,
    experiment=TEXTS,
    name=TEXTS,
    digest=TEXTS,
    time_ns=TIMES,
    type=TEXTS,
    role=st.sampled_from(["artifact", "media"]),
    is_folder=st.booleans(),
    size_bytes=COUNTS,
    file_count=COUNTS,
    file_name=TEXTS,
    media_type=TEXTS,
    step=st.none() | FLOATS,
    index=COUNTS,
    caption=TEXTS,
    metadata=ATTRIBUTES,
    place=TEXTS,
    rank=st.none() | COUNTS,
    span_id=TEXTS,
    version=st.none() | COUNTS,
)
USES = st.builds(ArtifactUsed, TEXTS, TEXTS, TIMES, TEXTS, TEXTS)
ALIASES = st.builds(AliasSet, TEXTS, TEXTS, TEXTS, st.none() | TEXTS, TIMES, TEXTS)


@settings(max_examples=60)
@given(st.lists(ARTIFACTS, max_size=2), st.lists(USES, max_size=2), st.lists(ALIASES, max_size=2))
def test_artifacts_their_uses_and_aliases_come_back(logged, uses, aliases):
    """What a run logged and used, and the aliases that it set, are read as they were written."""

    def append(writer):
        for one in logged:
            writer.append(encode.encode_artifact(one))
        for one in uses:
            writer.append(encode.encode_artifact_use(one))
        for one in aliases:
            writer.append(encode.encode_artifact_alias(one))

    batch, problems = through_a_journal(append)

    assert problems == []
    assert repr(batch.artifacts) == repr(logged)
    assert (batch.artifact_uses, batch.artifact_aliases) == (uses, aliases)


@settings(max_examples=40)
@given(st.lists(ARTIFACTS, min_size=1, max_size=3), st.booleans())
def test_an_artifact_brings_its_event(logged, is_rolled):
    """The event about an artifact is read from the record of it, whole, also from the next segment of a journal."""
    resource, scope = Resource({"service.name": "train"}), Scope("scope", "1")

    def append(writer):
        for one in logged:
            writer.append(encode.encode_artifact(one, (0, 0, "ab" * 8)), declared(resource, scope))
            if is_rolled:
                writer.roll(writer.segment, 0)

    batch, problems = through_a_journal(append)

    assert problems == []
    assert repr(batch.artifacts) == repr(logged)
    assert repr(batch.log_records) == repr([artifact_event(one, resource, scope, "ab" * 8) for one in logged])


KEYSETS = st.lists(
    st.sampled_from([0, 0, 1, 7, 2**31]).flatmap(
        lambda rank: st.lists(
            st.builds(SeriesKey, TEXTS, TEXTS, st.just(rank)), min_size=1, max_size=3, unique=True
        )
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=80)
@given(KEYSETS, st.data())
def test_points_come_back_in_the_order_of_each_series(keysets, data):
    """Each series holds its points in recording order, bit by bit, also where key sets share a series."""
    rows = data.draw(
        st.lists(st.tuples(st.integers(0, len(keysets) - 1), FLOATS, TIMES, st.lists(FLOATS, max_size=3)))
    )

    expected = {}

    def append(writer):
        for number, step, time_ns, values in rows:
            keys = keysets[number]
            padded = (values + [0.5] * len(keys))[: len(keys)]
            payload = encode.points_struct(len(keys)).pack(RecordType.POINTS, number, step, time_ns, *padded)
            declare = lambda number=number, keys=keys: encode.encode_keyset(number, "r", keys)  # noqa: E731
            writer.append(payload, ((("keyset", number), declare),))
            for key, value in zip(keys, padded, strict=True):
                expected.setdefault(key, []).append(struct.pack("<dqd", step, time_ns, value))

    batch, problems = through_a_journal(append)

    found = {}
    for block in batch.points:
        for key, column in zip(block.keys, block.values, strict=True):
            for step, time_ns, value in zip(block.steps, block.times_ns, column, strict=True):
                found.setdefault(key, []).append(struct.pack("<dqd", step, time_ns, value))
    assert problems == []
    assert found == expected


def test_a_journal_grows_over_many_segments():
    """Records beyond the first segment go to further ones, each of which is readable on its own."""
    keys = (SeriesKey("loss"),)
    pack = encode.points_struct(1).pack
    declaration = (("keyset", 1), lambda: encode.encode_keyset(1, "r", keys))

    def append(writer):
        for step in range(40_000):
            writer.append(pack(RecordType.POINTS, 1, step, step, step / 2), (declaration,))
        writer.append(encode.encode_tags("r", {"big": "x" * 3_000_000}, 1))

    batch, problems = through_a_journal(append)

    assert problems == []
    steps = array("d")
    for block in batch.points:
        steps.extend(block.steps)
    assert steps == array("d", range(40_000))
    assert batch.tags == [TagSet("r", "big", "x" * 3_000_000, 1)]


@given(
    st.lists(
        st.builds(
            Unsent,
            run_id=TEXTS,
            signal=st.sampled_from(SIGNALS),
            destination=TEXTS,
            owner=st.builds(Owner, TEXTS, TEXTS, COUNTS, COUNTS),
            since_ns=st.just(NOTHING_NS),
            noted_ns=TIMES,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_what_is_sent_from_now_on_comes_back_as_it_was_written(rows):
    """The rows of a run that begins to be sent: none of its items is stored yet."""
    batch, problems = through_a_journal(lambda writer: writer.append(encode.encode_sending(rows)))

    assert (batch.unsent, problems) == (rows, [])


REQUESTS = st.builds(
    ReceivedRequest,
    signal=st.sampled_from(SIGNALS),
    encoding=st.sampled_from(["protobuf", "json"]),
    payload=st.binary(max_size=300),
    received_ns=TIMES,
    hints=st.dictionaries(TEXTS, TEXTS, max_size=3),
    refused_run_ids=st.frozensets(TEXTS, max_size=3),
)


@given(st.lists(REQUESTS, max_size=4))
def test_requests_of_other_programs_come_back(requests):
    """The body of a request is read byte for byte as it was received, with its headers, in the order of arrival."""

    def append(writer):
        for request in requests:
            writer.append_pieces(encode.request_pieces(request))

    batch, problems = through_a_journal(append)

    assert (batch.received, problems) == (requests, [])


def test_a_request_as_large_as_a_receiver_takes_comes_back():
    """One request of 64 MiB, four times the largest usual segment, is one record that is read like any other."""
    request = ReceivedRequest("traces", "protobuf", b"0123456789abcdef" * (4 << 20), 1)
    behind = ReceivedRequest("logs", "json", b"{}", 2)

    def append(writer):
        for one in (request, behind):
            assert writer.append_pieces(encode.request_pieces(one))

    batch, problems = through_a_journal(append)

    assert (batch.received == [request, behind], problems) == (True, [])
