"""What marks telemetry as exported counts in files that are imported: no sender can write into a run of others with it."""

import io
import json

import pytest

import otel_experiments as ox
from otel_experiments.importers.otlp import unpack
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.received import ReceivedRequest
from otel_experiments.store import open_store

RUN = "ab" * 16
NOW_NS = 1_796_000_000_000_000_000
HIJACKED = {"runs": [{"experiment": "hijacked", "name": "evil", "state": "failed", "created_ns": NOW_NS}]}


def text(key, value):
    """An attribute."""
    return {"key": key, "value": {"stringValue": value}}


def marked(group, parts, items, mark=RUN):
    """A request whose resource says that an export has it under a run."""
    attributes = [text("ml.export.run_id", mark), text("service.name", "other")]
    held = {"resource": {"attributes": attributes}, f"scope{group}": [{parts: items}]}
    return {f"resource{group}": [held]}


def a_record(mark=RUN, body=None, event="ml.run.record"):
    """A request with one log record."""
    one = {"timeUnixNano": str(NOW_NS), "eventName": event, "body": body or {"stringValue": "text"}}
    return marked("Logs", "logRecords", [one], mark)


def a_point():
    """A request with one point of a series."""
    exemplar = {
        "timeUnixNano": str(NOW_NS),
        "asDouble": 9.0,
        "filteredAttributes": [{"key": "ml.metric.step", "value": {"doubleValue": 100}}],
    }
    point = {
        "timeUnixNano": str(NOW_NS),
        "asDouble": 9.0,
        "attributes": [text("ml.metric.name", "loss")],
        "exemplars": [exemplar],
    }
    return marked("Metrics", "metrics", [{"name": "ml.metric.value", "gauge": {"dataPoints": [point]}}])


def a_span():
    """A request with one span."""
    span = {"traceId": "c" * 32, "spanId": "d" * 16, "name": "s", "startTimeUnixNano": "1"}
    return marked("Spans", "spans", [span])


def received(signal, document):
    """What a store gets of a request that came over the network, and what is reported about it."""
    batch = WriteBatch(received=[ReceivedRequest(signal, "json", json.dumps(document).encode(), NOW_NS)])
    problems = unpack(batch)
    return batch, problems


@pytest.mark.parametrize(
    ("signal", "document"),
    [
        ("logs", a_record(body={"stringValue": json.dumps(HIJACKED)})),
        ("logs", a_record(event="")),
        ("traces", a_span()),
        ("metrics", a_point()),
    ],
    ids=["record", "log", "span", "point"],
)
def test_a_mark_from_the_network_is_a_plain_attribute(signal, document):
    """A sender that names a run of others with the mark writes nothing into it; what it sent is kept as it came."""
    batch, problems = received(signal, document)

    assert problems == []
    (item,) = batch.spans + batch.log_records + batch.instrument_points
    assert (item.run_id, item.resource.attributes["ml.export.run_id"]) == (None, RUN)
    rest = (batch.runs, batch.state_changes, batch.points, batch.heartbeats, batch.sightings)
    assert rest == ([], [], [], [], [])


def imported(store_path, document):
    """What a store has of a file: the runs, and the log records."""
    report = ox.import_otlp(io.BytesIO(json.dumps(document).encode()), store=store_path)
    with open_store(store_path, read_only=True) as store:
        return report, store.log_records()


@pytest.mark.parametrize("mark", ["\x1b]0;pwned\x07", "../../etc", "AB" * 16, "ab", "ab" * 16 + "\n"])
def test_a_mark_that_is_no_run_id_is_a_plain_attribute_in_a_file(store_path, mark):
    """Run ids are 32 hexadecimal digits, whatever a file says."""
    report, records = imported(store_path, a_record(mark, {"stringValue": json.dumps(HIJACKED)}))

    assert report.run_ids == set()
    assert [(one.run_id, one.resource.attributes["ml.export.run_id"]) for one in records] == [(None, mark)]


def test_an_export_has_no_mark_of_a_sender(store_path, tmp_path):
    """What a sender said with a mark comes into no other store by an export."""
    document = a_record(event="")
    resource = document["resourceLogs"][0]["resource"]["attributes"]
    resource += [
        text("ml.run.id", "cd" * 16),
        {"key": "ml.export.given_time", "value": {"intValue": "5"}},
    ]
    batch, _ = received("logs", document)
    with open_store(store_path) as store:
        store.apply(batch)

    ox.export_otlp(tmp_path / "x.json", store=store_path)
    ox.import_otlp(tmp_path / "x.json", store=tmp_path / "b.db")

    with open_store(tmp_path / "b.db", read_only=True) as store:
        (record,) = store.log_records()
    assert (record.run_id, record.given_ns) == ("cd" * 16, None)


@pytest.mark.parametrize(
    "body",
    [{"intValue": "5"}, {"stringValue": "no JSON"}, {"stringValue": '{"runs": 5}'}, {}],
    ids=["number", "text", "shape", "none"],
)
def test_a_run_record_that_cannot_be_read_costs_itself_only(store_path, body):
    """The other items of the request are stored, the record is kept as a log record, and that one is reported."""
    document = a_record(body=body)
    document["resourceLogs"] += a_record(event="", body={"stringValue": "precious"})["resourceLogs"]

    report, records = imported(store_path, document)

    assert [one.run_id for one in records] == [RUN, RUN]
    assert [one.body for one in records if not one.event_name] == ["precious"]
    assert report.unreadable_count == 1
    assert "the log record 'ml.run.record': TelemetryDecodeError: a body that" in report.problems[0]
    assert [one.event_name for one in records if one.event_name] == ["ml.run.record"]
