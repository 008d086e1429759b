"""Spans of scopes are our own; nothing tells them from the SDK's but their cost."""

import logging
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags

import otel_experiments as ox
from otel_experiments.codec.from_sdk import span_from_sdk
from otel_experiments.journal.writer import SilentJournal
from otel_experiments.model.span import Span
from otel_experiments.record.base.declared import References
from otel_experiments.record.base.guard import Guard
from otel_experiments.record.spans.processors import JournalSpanProcessor
from otel_experiments.record.spans.run_span import SpanSource
from otel_experiments.testing.ids import SequentialIds

RESOURCE = Resource({"service.name": "digits"})
SCOPE = InstrumentationScope("tests", "1")
PARENT = SpanContext(7, 8, is_remote=False, trace_flags=TraceFlags(3))
LIMITS = {
    "max_span_attributes": SpanLimits.UNSET, "max_events": 3, "max_links": 2, "max_event_attributes": 2,
    "max_link_attributes": 2, "max_attributes": 4, "max_attribute_length": SpanLimits.UNSET,
    "max_span_attribute_length": SpanLimits.UNSET,
}  # fmt: skip

KEYS = st.sampled_from(["a", "b", "c", "d", "e", "", 3, "ml.span.lane"])
VALUES = st.one_of(
    st.text(max_size=12),
    st.integers(),
    st.booleans(),
    st.floats(allow_nan=False),
    st.none(),
    st.binary(max_size=3),
    st.lists(st.one_of(st.integers(), st.text(max_size=3)), max_size=3),
    st.dictionaries(st.sampled_from(["x", ""]), st.integers(), max_size=2),
    st.builds(object).map(lambda _: Oddity()),
)
ATTRIBUTES = st.dictionaries(KEYS, VALUES, max_size=6)
CONTEXTS = st.sampled_from(
    [SpanContext(1, 2, is_remote=True), trace.INVALID_SPAN_CONTEXT, SpanContext(1, 3, is_remote=False)]
)
OPERATIONS = st.one_of(
    st.tuples(st.just("set_attribute"), KEYS, VALUES),
    st.tuples(st.just("set_attributes"), ATTRIBUTES),
    st.tuples(st.just("add_event"), st.text(max_size=4), st.none() | ATTRIBUTES, st.integers(1, 9)),
    st.tuples(st.just("add_link"), CONTEXTS, st.none() | ATTRIBUTES),
    st.tuples(st.just("update_name"), st.text(max_size=4)),
    st.tuples(
        st.just("set_status"),
        st.sampled_from([*StatusCode, Status(StatusCode.ERROR, "why"), Status(StatusCode.OK)]),
    ),
    st.tuples(st.just("end"), st.integers(10, 20)),
)


class Oddity:
    """A value that is no attribute, but has a text."""

    def __str__(self):
        return "odd"


def source(limits, user=None):
    """Return where spans come from, with a journal that keeps nothing."""
    guard = Guard()
    journal = SilentJournal(Path("nowhere"))
    return SpanSource(
        resource=RESOURCE, scope=SCOPE, limits=limits, ids=SequentialIds(), user=user,
        journal=JournalSpanProcessor(journal, References(), guard, lambda *_: None),
    )  # fmt: skip


def sdk_tracer(limits):
    """Return a tracer of the SDK whose spans get the same ids."""
    provider = TracerProvider(
        sampler=ALWAYS_ON,
        resource=RESOURCE,
        id_generator=SequentialIds(),
        span_limits=limits,
        shutdown_on_exit=False,
    )
    return provider.get_tracer("tests", "1")


def both(name, attributes, *, links=(), has_parent=True, limits=None):
    """Return the same span as the SDK opens it and as we do."""
    limits = limits or SpanLimits(**LIMITS)
    context = trace.set_span_in_context(trace.NonRecordingSpan(PARENT)) if has_parent else trace.Context()
    theirs = sdk_tracer(limits).start_span(
        name, context, attributes=dict(attributes), links=[Link(*link) for link in links], start_time=5
    )
    ours = source(limits).start_span(
        name, context, dict(attributes), start_ns=5, links=[Link(*link) for link in links]
    )
    return theirs, ours


@settings(max_examples=400)
@given(
    attributes=ATTRIBUTES,
    links=st.lists(st.tuples(CONTEXTS, st.none() | ATTRIBUTES), max_size=3),
    operations=st.lists(OPERATIONS, max_size=8),
    has_parent=st.booleans(),
    length=st.sampled_from([SpanLimits.UNSET, 5]),
)
def test_the_same_calls_leave_the_same_record(attributes, links, operations, has_parent, length):
    """Whatever is set, added, renamed and ended, in whatever order: ours is recorded as the SDK's span is."""
    limits = SpanLimits(**LIMITS | {"max_attribute_length": length, "max_span_attribute_length": length})
    logging.disable(logging.CRITICAL)
    try:
        spans = both("work", attributes, links=links, has_parent=has_parent, limits=limits)
        for method, *arguments in operations:
            for span in spans:
                getattr(span, method)(*arguments)
    finally:
        logging.disable(logging.NOTSET)
    theirs, ours = spans

    assert readable(ours) == readable(theirs)
    assert list(ours.attributes.items()) == list(theirs.attributes.items())
    assert ours.is_recording() == theirs.is_recording()
    assert ours._source.journal._guard.losses.keys() <= {"span attributes", "span links", "span events"}
    if not any(isinstance(value, bytes) for value in values_of(ours)):  # which JSON cannot say
        assert ours.to_json() == theirs.to_json()


def values_of(span):
    """Return the values of all attributes of a span, of its events and of its links."""
    for item in (span, *span.events, *span.links):
        yield from item.attributes.values()


def readable(span) -> Span:
    """Return what is recorded of a span of either kind."""
    return span_from_sdk(span)


def test_an_exception_is_recorded_as_the_sdk_does():
    """Type, message and stack trace are the SDK's; its deprecated `exception.escaped` is left out."""
    theirs, ours = both("work", {}, limits=SpanLimits(**LIMITS | {"max_event_attributes": 9}))
    with pytest.raises(KeyError) as raised:
        {}["lost"]
    for span in (theirs, ours):
        span.record_exception(raised.value, {"more": 1}, 9)
    expected = dict(theirs.events[0].attributes)

    assert expected.pop("exception.escaped") == "False"
    assert dict(ours.events[0].attributes) == expected


def test_a_body_that_raises_ends_the_span_as_failed():
    """`with span:` records the exception, sets the status and ends, as the SDK's span does."""
    spans = both("work", {})
    for span in spans:
        with pytest.raises(ValueError, match="bad"), span:
            raise ValueError("bad")
    theirs, ours = spans

    assert (ours.status.status_code, ours.status.description) == (StatusCode.ERROR, "ValueError: bad")
    assert ours.status.description == theirs.status.description
    assert [event.name for event in ours.events] == ["exception"]
    assert ours.end_time is not None


def test_an_ended_span_says_that_it_takes_no_more(caplog):
    """What comes after the end is not set, and a line in the log names the span."""
    _, span = both("work", {})
    span.end(9)
    span.set_attribute("late", 1)
    span.end(12)

    assert (span.end_time, "late" in span.attributes) == (9, False)
    assert [
        ("'work' has ended" in record.message)
        for record in caplog.records
        if record.name == "otel_experiments"
    ] == [
        True,
        True,
    ]


def test_many_threads_at_one_span_lose_nothing():
    """Attributes and events that several threads add at once are all there."""
    _, span = both("work", {}, limits=SpanLimits(**LIMITS | {"max_span_attributes": 10_000}))

    def work(number):
        for at in range(500):
            span.set_attribute(f"{number}.{at}", at)
            span.set_attribute(f"{number}.{at}.list", [at])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(span.attributes) == 4 * 500 * 2


def test_two_threads_that_end_a_span_record_it_once():
    """However many end a span at the same moment, it is recorded once."""
    ended = []
    limits = SpanLimits(**LIMITS)
    made = source(limits)
    made.journal.on_ended = lambda span, *_, **__: ended.append(span)
    for _ in range(200):
        span = made.start_span("work", trace.Context(), {}, start_ns=5)
        barrier = threading.Barrier(2)

        def end(span=span, barrier=barrier):
            barrier.wait()
            span.end()

        threads = [threading.Thread(target=end) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(ended) == 200


def test_processors_and_exporters_of_the_user_take_the_spans(configure, capsys):
    """A user's processor sees a scope's span start and end; an exporter gets the SDK's own kind of span."""
    exporter = InMemorySpanExporter()
    configure(
        span_processors=[
            SimpleSpanProcessor(exporter),
            SimpleSpanProcessor(ConsoleSpanExporter(out=sys.stdout)),
        ]
    )
    with ox.start_run("r") as run, run.stage("load", rows=[1, 2]) as stage:
        stage.span.add_event("half", {"at": 1})
        assert isinstance(stage.span, ReadableSpan)
        assert trace.get_current_span() is stage.span

    load, _ = exporter.get_finished_spans()
    assert type(load) is ReadableSpan
    assert (load.name, load.attributes["rows"], load.events[0].name) == ("stage load", (1, 2), "half")
    assert '"name": "stage load"' in capsys.readouterr().out


def test_nothing_is_opened_where_recording_is_off(configure):
    """With recording switched off a scope's span takes nothing."""
    configure(enabled=False)
    with ox.start_run("r") as run, run.stage("load") as stage:
        assert not stage.span.is_recording()


def test_events_and_links_of_many_threads_are_all_there():
    """Each is kept, or counted as dropped where there are more than the limit."""
    limits = SpanLimits(**LIMITS | {"max_events": 900, "max_links": 900})
    _, span = both("work", {}, limits=limits)
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def work(number):
        for at in range(250):
            span.add_event("e")
            span.add_link(SpanContext(number + 1, at + 1, is_remote=False))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval_s)

    assert (len(span.events), span.dropped_events) == (900, 100)
    assert (len(span.links), span.dropped_links) == (900, 100)


def test_attributes_are_read_while_others_set_them():
    """Who reads attributes gets those of one moment, and may keep them."""
    _, span = both("work", {"first": 1}, limits=SpanLimits(**LIMITS | {"max_span_attributes": 10_000}))
    found = span.attributes

    for key in span.attributes:
        span.set_attribute(f"{key}.more", 1)

    assert dict(found) == {"first": 1}
    assert dict(span.attributes) == {"first": 1, "first.more": 1}


class Mute:
    """A value that says nothing about itself."""

    def __repr__(self):
        raise RuntimeError("no text")


def test_what_has_no_text_raises_nothing():
    """The SDK's span raises what the value's `__str__` raises; ours takes what the value is."""
    loop = [1]
    loop.append(loop)
    span = source(SpanLimits(**LIMITS)).start_span("work", trace.Context(), {"a": Mute(), "b": 2}, start_ns=5)
    span.set_attribute("c", Mute())
    span.set_attributes({"d": loop})
    span.add_event("event", {"mute": Mute()})

    assert (span.attributes["a"], span.attributes["b"], span.attributes["c"]) == (
        "<Mute without a text>",
        2,
        "<Mute without a text>",
    )
    assert span.attributes["d"][0] == 1
    assert dict(span.events[0].attributes) == {"mute": "<Mute without a text>"}


def test_everything_public_of_the_sdks_span_can_be_read():
    """Code written against `ReadableSpan` reads ours as well, what is deprecated included."""
    theirs, ours = both("work", {"a": 1})
    names = [name for name in dir(ReadableSpan) if not name.startswith("_")]

    with pytest.warns(DeprecationWarning, match="instrumentation_scope"):
        assert theirs.instrumentation_info.name == "tests"
    assert [name for name in names if not hasattr(ours, name)] == []
    assert (ours.instrumentation_info.name, ours.instrumentation_info.version) == ("tests", "1")
    assert repr(ours) == repr(theirs).replace("_Span", "RunSpan", 1)
