"""What happened inside runs is searched in the language in which runs are: spans, events, log text, traces."""

import pytest

import otel_experiments as ox
from otel_experiments.errors import SearchSyntaxError, SearchWarning
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.edit import SET, RunEdit
from otel_experiments.model.log import LogRecord
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.search import SpanStatField
from otel_experiments.model.span import Span, StatusCode
from otel_experiments.query.search.parser import parse_field, parse_order, parse_search
from otel_experiments.query.search.records import LOG_RECORDS, SPANS, TRACES
from otel_experiments.query.search.text import format_field, format_search
from otel_experiments.store import open_store

A, B = "a" * 32, "b" * 32
SECOND = 1_000_000_000


def a_span(run_id, number, name, duration_s, *, status=StatusCode.UNSET, **attributes):
    """A span of a run's trace that starts at its number, in seconds."""
    start_ns = number * SECOND
    end_ns = None if duration_s is None else start_ns + int(duration_s * SECOND)
    parent = None if number == 1 else f"{1:016x}"
    return Span(
        run_id, f"{number:016x}", name, start_ns, end_ns,
        parent_span_id=parent, run_id=run_id, status=status, attributes=attributes,
    )  # fmt: skip


@pytest.fixture
def path(tmp_path):
    """A store with a run of slow checkpoints, one of which failed, and a run of fast ones."""
    where = tmp_path / "inside.db"
    with open_store(where) as store:
        store.apply(
            WriteBatch(
                runs=[
                    Run(run_id, "digits", name, RunState.SUCCEEDED, created_ns=n, started_ns=n, ended_ns=9 * SECOND)
                    for n, (run_id, name) in enumerate([(A, "slow"), (B, "fast")], start=1)
                ],
                spans=[
                    a_span(A, 1, "run digits", 9),
                    a_span(A, 2, "checkpoint", 3, size=10),
                    a_span(A, 3, "checkpoint", 2.5, status=StatusCode.ERROR, size=20),
                    a_span(A, 4, "checkpoint", None),
                    a_span(B, 1, "run digits", 2),
                    a_span(B, 5, "checkpoint", 0.5),
                    a_span(B, 6, "request", 1, **{"http.status_code": 500, "http.route": "/a"}),
                ],
                log_records=[
                    LogRecord(1, 1, "ml.anomaly", 13, body="loss is nan", run_id=A, attributes={"step": 3}),
                    LogRecord(2, 2, "ml.anomaly", 13, body="loss is nan again", run_id=A),
                    LogRecord(3, 3, "", 9, body='a "quoted" line\nand näxt', run_id=B),
                    LogRecord(4, 4, "lib.event", 9, body={"nan": 1}, run_id=B),
                ],
            )
        )  # fmt: skip
    return where


def names(path, where, **options):
    """The names of the runs that are found."""
    return [run.name for run in ox.runs(where, store=path, **options)]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ('spans["checkpoint"].p95 > 2', ["slow"]),
        ("spans.checkpoint.p95 <= 2", ["fast"]),
        ("spans.checkpoint.errors > 0", ["slow"]),
        ("spans.checkpoint.count == 2", ["slow"]),
        ("spans.checkpoint.total > 5 and spans.checkpoint.max == 3", ["slow"]),
        ("spans.checkpoint.mean < 1", ["fast"]),
        ('"request" in spans', ["fast"]),
        ('not exists(spans["request"])', ["slow"]),
        ("spans.checkpoint.max / spans.checkpoint.min > 1.1", ["slow"]),
        ('spans["run digits"].total > duration - 1', ["slow"]),
        ('events["ml.anomaly"].count >= 2', ["slow"]),
        ('"lib.event" in events', ["fast"]),
        ('logs.contains("nan")', ["slow"]),
        ('"nan" in logs', ["slow"]),
        ("""logs.contains('"quoted" line')""", ["fast"]),
        ('logs.matches("n.xt$")', ["fast"]),
        ('not logs.contains("nan")', ["fast"]),
        ('logs.startswith("loss")', ["slow"]),
    ],
)
def test_runs_are_found_by_what_happened_inside(path, where, found):
    """Numbers of spans, counts of events and the text of log records are fields of a run."""
    assert names(path, where) == found


def test_runs_are_sorted_by_what_happened_inside(path):
    """A number of spans is a sort key like any other, and shown with the run."""
    assert names(path, None, order="-spans.checkpoint.p50") == ["slow", "fast"]
    assert names(path, None, order='events["lib.event"]') == ["fast", "slow"]
    (run,) = ox.runs("spans.checkpoint.errors > 0", store=path)
    assert run.value(parse_field("spans.checkpoint.errors")) == 1
    assert run.value(SpanStatField("nothing")) is None
    assert run.value(parse_field('events["ml.anomaly"].count')) == 2
    assert run.value(parse_field("logs")) is None


@pytest.mark.parametrize(
    ("where", "column", "said"),
    [
        ("spans.checkpoint.p96 > 1", 0, "Did you mean p99"),
        ("spans > 1", 0, "spans needs a name"),
        ('spans["a", "b"].count > 1', 0, "Only metrics have a phase"),
        ('spans[""].count > 1', 0, "not empty"),
        ("spans.checkpoint.count > 'x'", 25, "is a number"),
        ("events > 1", 0, "events needs a name"),
        ("logs > 3", 7, "is text"),
        ("span.fit.count > 1", 0, "Here it is called spans"),
        ("output.contains('x')", 0, "Here it is called logs"),
    ],
)
def test_what_is_wrong_about_spans_is_said_at_its_place(where, column, said):
    """An expression that means nothing is refused with the nearest right spelling."""
    with pytest.raises(SearchSyntaxError) as raised:
        parse_search(where)

    assert said in str(raised.value)
    assert raised.value.column == column


def test_a_name_of_spans_that_no_run_has_is_said_with_the_nearest_one(path):
    """A search that finds nothing since a name is misspelt says so."""
    with pytest.warns(SearchWarning, match=r"Did you mean spans\.checkpoint\.p95"):
        assert names(path, "spans.chekpoint.p95 > 1") == []


@pytest.mark.parametrize(
    "where",
    ['spans["a b"].p99 > 1.5', 'events["x"].count == 1', 'logs.contains("a")', 'exists(spans["a"].count)'],
)
def test_a_search_inside_runs_is_the_same_after_it_was_text(where):
    """What is printed of an expression is read as the same one."""
    assert parse_search(format_search(parse_search(where))) == parse_search(where)


@pytest.mark.parametrize("text", ["attributes['http.status_code']", "duration", "name"])
def test_a_field_of_a_span_is_the_same_after_it_was_text(text):
    """Fields of spans are printed as they are read."""
    field = parse_field(text, subject=SPANS)
    assert parse_field(format_field(field), subject=SPANS) == field


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ('name == "checkpoint" and duration > 2', [2, 3]),
        ('attributes["http.status_code"] >= 400 and duration > 0.5', [6]),
        ("attributes.http.status_code >= 400", [6]),
        ('status == "error"', [3]),
        ("not exists(duration)", [4]),
        ("exists(attributes.size)", [2, 3]),
        ("attributes.size / 10 == duration - 0.5", [3]),
        ('"http.route" in attributes', [6]),
        ('attributes["http.route"].startswith("/")', [6]),
        ('run == "b" and name != "request"', []),
        (f'run_id == "{B}" and name.matches("^check")', [5]),
        ("duration - 1 > 7", [1]),
        ('started >= "1970-01-01T00:00:05+00:00" and not exists(attributes.missing)', [5, 6]),
    ],
)
def test_spans_are_found_by_what_they_say(path, where, found):
    """The language of runs finds spans by their own fields and attributes, across runs."""
    assert [int(span.span_id, 16) for span in ox.spans(where, store=path)] == found


def test_spans_are_narrowed_and_ordered(path):
    """A search goes together with the other ways to narrow, and with an order and a limit."""
    spans = ox.run("slow", store=path).spans.named("checkpoint").where("duration > 1").where("duration < 2.9")
    assert [int(span.span_id, 16) for span in spans] == [3]
    slowest = ox.spans("duration > 0", order="-duration, name", store=path).first(3)
    assert [int(span.span_id, 16) for span in slowest] == [1, 2, 3]
    by_size = ox.spans("exists(attributes.size)", order="-attributes.size", store=path)
    assert [int(span.span_id, 16) for span in by_size] == [3, 2]


@pytest.mark.parametrize(
    ("where", "subject", "said"),
    [
        ("duration_s > 1", SPANS, "Here it is called duration"),
        ("step > 1", SPANS, 'Write attributes["step"]'),
        ('status == "failed"', SPANS, "There are: unset, ok, error"),
        ('kind == "sever"', SPANS, "Did you mean 'server'"),
        ("metrics.loss > 1", SPANS, "There is no field 'metrics'"),
        ("attributes > 1", SPANS, "attributes needs a name"),
        ("body.contains('x')", LOG_RECORDS, "Here it is called text"),
        ("severty > 3", LOG_RECORDS, "Did you mean severity"),
        ("span_count > 3", TRACES, "Here it is called spans"),
        ("state == 'failed'", TRACES, "There is no field 'state'"),
    ],
)
def test_what_is_no_field_is_refused_with_what_there_is(where, subject, said):
    """An expression over the wrong thing says what is called how here."""
    with pytest.raises(SearchSyntaxError) as raised:
        parse_search(where, subject=subject)
    assert said in str(raised.value)
    with pytest.raises(SearchSyntaxError):
        parse_order("nothing", subject=subject)


def test_log_records_and_events_are_found_by_what_they_say(path):
    """The list of a run's log records, and that of its events of a name, is narrowed by the same language."""
    run = ox.run("slow", store=path)
    assert [
        one.time_ns for one in run.log_records.where('text.contains("again") or attributes.step == 3')
    ] == [1, 2]
    assert [one.time_ns for one in run.events("ml.anomaly").where("severity >= 13 and not exists(attributes.step)")] == [2]  # fmt: skip
    other = ox.run("fast", store=path)
    assert [one.event_name for one in other.log_records.where("not exists(text)")] == ["lib.event"]
    with pytest.raises(SearchSyntaxError):
        run.log_records.where("duration > 1")


def test_spans_are_summarized_by_name(path):
    """Count, errors and times of the spans of each name, of a run and of any narrower choice."""
    spans = ox.run("slow", store=path).spans
    assert [(one.name, one.count, one.error_count) for one in spans.summaries()] == [
        ("checkpoint", 2, 1),
        ("run digits", 1, 0),
    ]
    assert [(one.name, one.total_ns) for one in spans.errors().summaries()] == [("checkpoint", 2_500_000_000)]
    assert [one.count for one in ox.spans(store=path).named("checkpoint").summaries()] == [3]


def test_traces_are_listed_with_what_their_spans_come_to(path):
    """Each trace has root, run, start, duration, spans and errors; the one that began last is first."""
    found = ox.traces(store=path)
    assert [(one.run_id, one.name, one.duration_s, one.span_count, one.error_count) for one in found] == [
        (A, "run digits", 9.0, 4, 1),
        (B, "run digits", 6.0, 3, 0),
    ]
    assert [one.run_id for one in ox.traces("errors > 0", store=path)] == [A]
    assert [
        one.run_id for one in ox.traces('name.startswith("run")', order="duration", limit=1, store=path)
    ] == [B]
    with open_store(path) as store:
        store.apply(WriteBatch(spans=[Span("c" * 32, "1" * 16, "elsewhere", 99 * SECOND)]))
    (first, *_) = ox.traces(store=path)
    assert (first.name, first.run_id, first.duration_s, first.span_count) == ("elsewhere", None, None, 1)


def test_what_a_removed_run_did_is_in_no_list(path):
    """Spans and traces of a run that was removed are not found."""
    with open_store(path) as store:
        store.apply(WriteBatch(edits=[RunEdit(A, "removed", SET, 50)]))

    assert {span.run_id for span in ox.spans(store=path)} == {B}
    assert [trace.run_id for trace in ox.traces(store=path)] == [B]
    assert ox.traces(f'run_id == "{A}"', store=path) == []
