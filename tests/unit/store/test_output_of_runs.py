"""Every store keeps the beginning and the end of what a run printed, and numbers say how much lies between."""

import pytest

from otel_experiments.journal.format import RecordType
from otel_experiments.journal.output import MOST_LINES, OutputDecoder, encode_output
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.log import LogRecord
from otel_experiments.model.span import Resource, Scope
from otel_experiments.query.output_view import OutputView, text_of
from otel_experiments.semconv.events import ML_RUN_OUTPUT
from otel_experiments.store.semantics.output import FIRST_BYTES, LAST_BYTES, ROW_BYTES, SLACK_BYTES, surplus

RUN, OTHER = "1" * 32, "2" * 32
LINE = "x" * 99


def output(run_id, number, *, stream="stdout"):
    """An event of a thousand lines, the `number`-th of its run."""
    return LogRecord(
        time_ns=number * 1_000_000,
        observed_time_ns=number * 1_000_000,
        event_name=ML_RUN_OUTPUT.name,
        body="\n".join([LINE] * 1000),
        attributes={"log.iostream": stream, "ml.output.line.first": number * 1000 + 1, "process.pid": 7},
        run_id=run_id,
    )


def test_the_beginning_and_the_end_are_kept(store):
    """Of 20 MB that a run printed, the first megabyte and the last four are there, and readers count the rest."""
    for number in range(200):
        store.apply(WriteBatch(log_records=[output(RUN, number)]))

    records = store.log_records(run_id=RUN)
    found = OutputView(records)

    size = sum(len(record.body) + ROW_BYTES for record in records)
    assert FIRST_BYTES + LAST_BYTES - 300_000 < size <= FIRST_BYTES + LAST_BYTES + SLACK_BYTES + 200_000
    assert records[0].time_ns == 0
    assert records[-1].time_ns == 199 * 1_000_000
    assert found.left_out_count == 200_000 - len(found)
    assert sum(line.left_out_count > 0 for line in found) == 1


def test_little_output_is_kept_whole_beside_much_of_another_run(store):
    """Another run, and other log records of the same run, lose nothing."""
    other = LogRecord(time_ns=5, observed_time_ns=5, body="logged", run_id=RUN)
    store.apply(WriteBatch(log_records=[output(OTHER, 0), other]))
    for number in range(100):
        store.apply(WriteBatch(log_records=[output(RUN, number)]))

    assert len(store.log_records(run_id=OTHER)) == 1
    assert [record.body for record in store.log_records(run_id=RUN) if not record.event_name] == ["logged"]


@pytest.mark.parametrize("count", [0, 1, 50])
def test_what_fits_has_no_surplus(count):
    """Nothing is removed of output that is not too much."""
    assert surplus([(number, FIRST_BYTES // 50) for number in range(count)]) == []


def test_the_surplus_is_the_middle():
    """What is removed lies between the first and the last that fit."""
    sizes = [(number, FIRST_BYTES // 2) for number in range(20)]

    assert surplus(sizes) == list(range(2, 12))


def frames(*texts, stream=1, first=1, pid=7):
    """Frames as a process writes them, one microsecond after the other."""
    for number, text in enumerate(texts):
        yield encode_output(stream, 0, 0, pid, first, 1_000_000 + number * 1000, text.encode())
        first += text.count("\n") + 1


def decoded(*payloads):
    """The events of the frames, by the first number of their lines."""
    decoder = OutputDecoder()
    for payload in payloads:
        assert payload[0] == RecordType.OUTPUT
        decoder.add(payload, {0: Resource({"ml.run.id": RUN})}, {0: Scope("s")})
    found = decoder.take()
    assert decoder.take() == []
    return sorted(found, key=lambda record: record.attributes["ml.output.line.first"])


def test_frames_become_one_event():
    """Lines that follow each other are one event, with the time of each."""
    (event,) = decoded(*frames("one", "two\nthree"))

    assert event.body == "one\ntwo\nthree"
    assert event.run_id == RUN
    assert event.attributes["ml.output.line.offsets"] == [0, 1, 1]
    assert [line.time_ns for line in OutputView([event])] == [1_000_000, 1_001_000, 1_001_000]


def test_a_gap_in_the_numbers_begins_another_event():
    """Lines that are missing between two frames are missing between two events."""
    found = decoded(*frames("one"), *frames("four", first=4))

    assert [event.body for event in found] == ["one", "four"]
    assert str(OutputView(found)) == "one\n... 2 lines are left out ...\nfour\n"


def test_an_event_is_bounded():
    """More lines than an event takes are several events, and no line is lost."""
    found = decoded(*frames(*map(str, range(2 * MOST_LINES + 1))))

    assert [len(event.body.split("\n")) for event in found] == [MOST_LINES, MOST_LINES, 1]
    assert len(OutputView(found)) == 2 * MOST_LINES + 1
    assert OutputView(found).left_out_count == 0


def test_streams_and_processes_are_events_of_their_own():
    """Both streams, and several processes, come together in the order of time when they are read."""
    found = decoded(*frames("a", "c"), *frames("b", stream=2), *frames("d", pid=8))

    assert len(found) == 3
    assert sorted(str(OutputView(found)).split()) == ["a", "b", "c", "d"]
    assert OutputView(found).stderr == "b\n"


def test_ranks_are_told_apart():
    """A text of several ranks says before each line which one printed it."""
    ranks = [
        LogRecord(
            time_ns=number, observed_time_ns=number, event_name=ML_RUN_OUTPUT.name, body=f"by {number}",
            resource=Resource({"ml.distributed.rank": number}), run_id=RUN,
        )
        for number in (0, 1)
    ]  # fmt: skip

    assert text_of(OutputView(ranks).lines(), says_rank=True) == "[rank 0] by 0\n[rank 1] by 1\n"


def test_a_damaged_frame_is_refused():
    """A frame of a stream that there is not, or of no declared resource, is an error that the reader of journals counts."""
    decoder = OutputDecoder()
    with pytest.raises(ValueError, match="cannot be"):
        decoder.add(next(frames("a", stream=9)), {0: Resource()}, {0: Scope("s")})
    with pytest.raises(KeyError):
        decoder.add(next(frames("a")), {}, {})
    assert decoder.take() == []


def test_output_without_times_or_numbers_is_read(store):
    """What another program sends under the same name is read as far as it goes."""
    strange = LogRecord(
        time_ns=5, observed_time_ns=5, event_name=ML_RUN_OUTPUT.name, body="a\nb", run_id=RUN,
        attributes={"ml.output.line.offsets": ["x"], "ml.output.line.first": "one"},
    )  # fmt: skip
    no_text = LogRecord(time_ns=6, observed_time_ns=6, event_name=ML_RUN_OUTPUT.name, body=3, run_id=RUN)
    store.apply(WriteBatch(log_records=[strange, no_text]))

    assert str(OutputView(store.log_records(run_id=RUN))) == "a\nb\n"
