"""What destinations have not taken, and the pages in which it is read to be sent later: the same in every store."""

from __future__ import annotations

import shutil
from array import array
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.model.batch import JournalAdvance, WriteBatch
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Owner
from otel_experiments.model.search import RunQuery
from otel_experiments.model.signal import NOTHING_NS, SIGNALS
from otel_experiments.model.span import Event, Resource, Span
from otel_experiments.model.unsent import Unsent
from otel_experiments.store import open_store
from otel_experiments.store.semantics import pages as page_sizes

RUN = "a" * 32
DATA = Path(__file__).parents[2] / "data"
OURS = Resource({"ml.run.id": RUN})
OWNER = Owner("host", "boot", 17, 99)


def a_row(**changes: object) -> Unsent:
    """The row of a process that has sent everything so far."""
    return replace(Unsent(RUN, "traces", "127.0.0.1:4317", OWNER, NOTHING_NS, noted_ns=5), **changes)


def a_span(
    number: int, end_ns: int | None, *, parent: str | None = "b" * 16, resource: Resource = OURS
) -> Span:
    """A span of the run."""
    return Span(RUN, f"{number:016x}", "s", 0, end_ns, parent_span_id=parent, resource=resource, run_id=RUN)


def from_journal(**items: object) -> WriteBatch:
    """A batch as a drain makes it, of a segment of its own."""
    from_journal.count += 1
    return WriteBatch(**items, journal=[JournalAdvance(f"segment-{from_journal.count}", 0, 10)])


from_journal.count = 0


def test_a_row_is_written_anew_and_removed(store):
    """One process has one row a run, signal and destination; other processes have rows of their own."""
    other = a_row(owner=replace(OWNER, pid=18), is_push=True, reason="it was shut down")
    store.apply(WriteBatch(unsent=[a_row(), other]))
    store.apply(WriteBatch(unsent=[a_row(since_ns=7, count=3)]))

    assert sorted(store.unsent(), key=lambda row: row.owner.pid) == [a_row(since_ns=7, count=3), other]
    assert store.unsent(["c" * 32]) == []
    store.apply(WriteBatch(sent=[a_row()]))
    assert store.unsent([RUN]) == [other]


def test_what_is_stored_from_a_journal_counts_as_not_sent_at_once(store):
    """A process that is killed right after its drain, or before it, leaves a row that has all of it."""
    rows = [a_row(signal=signal) for signal in SIGNALS]
    store.apply(WriteBatch(unsent=rows))
    store.apply(
        from_journal(
            spans=[a_span(1, 40), a_span(2, 30), a_span(3, None), a_span(4, 10, resource=Resource())],
            log_records=[LogRecord(20, 20, "e", resource=OURS, run_id=RUN)],
            points=[PointBlock(RUN, (SeriesKey("a"), SeriesKey("b")), [0.0, 1.0], [60, 50], ([1.0, 2.0],) * 2)],
            instrument_points=[InstrumentPoint("i", "gauge", 70, resource=OURS, run_id=RUN)],
        )
    )  # fmt: skip

    found = {row.signal: (row.since_ns, row.count) for row in store.unsent()}
    assert found == {"traces": (30, 2), "logs": (20, 1), "metrics": (50, 5)}


def test_what_comes_later_never_moves_a_row_forward(store):
    """The earliest item that was not taken stays the earliest, whatever arrives, in whatever order."""
    store.apply(WriteBatch(unsent=[a_row(since_ns=35, count=1)]))
    store.apply(from_journal(spans=[a_span(1, 90)]))
    assert (store.unsent()[0].since_ns, store.unsent()[0].count) == (35, 2)
    store.apply(from_journal(spans=[a_span(2, -5)]))
    assert (store.unsent()[0].since_ns, store.unsent()[0].count) == (-5, 3)


@pytest.mark.parametrize(
    ("row", "batch"),
    [
        (a_row(is_push=True), from_journal(spans=[a_span(1, 40)])),
        (a_row(), WriteBatch(spans=[a_span(1, 40)])),
        (a_row(run_id="c" * 32), from_journal(spans=[a_span(1, 40)])),
        (a_row(signal="logs"), from_journal(spans=[a_span(1, 40)])),
    ],
    ids=["a push", "not from a journal", "another run", "another signal"],
)
def test_a_row_stays_as_it_is_for_what_is_not_of_its_own(store, row, batch):
    """A push is as far as it says; what exporters and imports store is not a run's to send."""
    store.apply(WriteBatch(unsent=[row]))
    store.apply(batch)

    assert store.unsent([row.run_id]) == [row]


def spans_of(pages):
    """The numbers of the spans of pages."""
    return [int(span.span_id, 16) for page in pages for span in page.batch.spans]


def test_ended_spans_come_by_their_end_but_roots_first(store, monkeypatch):
    """Whatever is sent of a trace, it has its root; open spans do not leave."""
    monkeypatch.setattr(page_sizes, "PAGE_ITEMS", 2)
    spans = [a_span(1, 50, parent=None), a_span(2, 40), a_span(3, 20), a_span(4, 30), a_span(5, None)]
    store.apply(WriteBatch(spans=spans))

    pages = list(store.stored_pages(RUN, "traces"))

    assert spans_of(pages) == [1, 3, 4, 2]
    assert spans_of(store.stored_pages(RUN, "traces", since_ns=30, until_ns=50)) == [4, 2]
    assert spans_of(store.stored_pages("c" * 32, "traces")) == []


def test_a_page_says_until_when_nothing_is_left_out(store):
    """Whoever stops after a page and goes on from the time it names misses nothing."""
    count = page_sizes.PAGE_ITEMS + 1
    store.apply(WriteBatch(log_records=[LogRecord(n, n, f"e{n}", run_id=RUN) for n in range(count)]))

    first, second = store.stored_pages(RUN, "logs", until_ns=count)

    assert [record.time_ns for record in first.batch.log_records] == list(range(count - 1))
    assert first.until_ns == count - 1
    assert [record.time_ns for record in second.batch.log_records] == [count - 1]
    assert second.until_ns == count


def test_points_come_whole_in_windows_of_time(store):
    """Each point of a long run is in one page, with its series in one piece, whatever times the clock showed."""
    count = page_sizes.PAGE_POINTS
    times = list(range(count))
    times[10], times[20] = -(10**9), 4_294_967_296 * 10**9  # 1938 and 2106
    steps = [float(step) for step in range(count)]
    key, other = SeriesKey("loss"), SeriesKey("acc", "val", 3)
    store.apply(WriteBatch(points=[PointBlock(RUN, (key, other), steps, times, (steps, steps[::-1]))]))
    store.apply(
        WriteBatch(instrument_points=[InstrumentPoint("i", "gauge", n, run_id=RUN) for n in range(0, count, 100)])
    )  # fmt: skip

    pages = list(store.stored_pages(RUN, "metrics"))

    assert len(pages) > 1
    found: dict[SeriesKey, list[tuple[int, float, float]]] = {key: [], other: []}
    bound = -(2**63)
    for page in pages:
        assert all(len(block.keys) == 1 for block in page.batch.points)
        assert len({block.keys for block in page.batch.points}) == len(page.batch.points)
        for block in page.batch.points:
            assert min(block.times_ns) >= bound
            assert page.until_ns > max(block.times_ns)
            found[block.keys[0]].extend(zip(block.times_ns, block.steps, block.values[0], strict=True))
        assert page.until_ns >= bound
        bound = page.until_ns
    assert [len(points) for points in found.values()] == [count, count]
    assert sorted(found[key]) == sorted(zip(times, steps, steps, strict=True))
    assert sorted(found[other]) == sorted(zip(times, steps, steps[::-1], strict=True))
    measured = [point.time_ns for page in pages for point in page.batch.instrument_points]
    assert measured == list(range(0, count, 100))


@given(
    times=st.lists(st.integers(-50, 50), min_size=1, max_size=60),
    cut=st.integers(-50, 50),
    columns=st.integers(1, 3),
)
def test_what_is_read_from_a_time_on_is_what_is_not_read_before_it(times, cut, columns):
    """Two readings, one until a time and one from it on, give every point once."""
    keys = tuple(SeriesKey(f"m{number}") for number in range(columns))
    steps = [float(step) for step in range(len(times))]
    block = PointBlock(RUN, keys, array("d", steps), array("q", times), (array("d", steps),) * columns)
    for location in ("memory://", "sqlite://:memory:"):
        with open_store(location) as store:
            store.apply(WriteBatch(points=[block]))
            parts = [
                [
                    (time_ns, step, found.keys[0].name)
                    for page in pages
                    for found in page.batch.points
                    for time_ns, step in zip(found.times_ns, found.steps, strict=True)
                ]
                for pages in (
                    store.stored_pages(RUN, "metrics", until_ns=cut),
                    store.stored_pages(RUN, "metrics", since_ns=cut),
                )
            ]
        assert all(time_ns < cut for time_ns, _, _ in parts[0])
        assert all(time_ns >= cut for time_ns, _, _ in parts[1])
        expected = [
            (time_ns, step, key.name) for time_ns, step in zip(times, steps, strict=True) for key in keys
        ]
        assert sorted(parts[0] + parts[1]) == sorted(expected)


@pytest.mark.parametrize("version", [1, 2])
def test_a_store_of_an_older_release_is_read_in_pages(tmp_path, version):
    """What was recorded before can be sent as well; nothing of it counts as kept back."""
    path = shutil.copy(DATA / f"store_v{version}.db", tmp_path / "experiments.db")
    with open_store(path) as store:
        (run, *_) = store.find_runs(RunQuery())
        found = {signal: list(store.stored_pages(run.run_id, signal)) for signal in SIGNALS}

        assert store.unsent() == []
        assert found["traces"]
        assert found["metrics"]


LARGE = {"text": "x" * 1_000_000}


@pytest.mark.parametrize(
    ("signal", "batch"),
    [
        (
            "traces",
            WriteBatch(
                spans=[replace(a_span(n, 40 + n, parent=None), attributes=LARGE) for n in range(1, 13)]
            ),
        ),
        (
            "traces",
            WriteBatch(
                spans=[replace(a_span(n, 40 + n), events=(Event("e", n, LARGE),)) for n in range(1, 13)]
            ),
        ),
        (
            "logs",
            WriteBatch(log_records=[LogRecord(n, n, body=LARGE["text"], run_id=RUN) for n in range(12)]),
        ),
        ("logs", WriteBatch(log_records=[LogRecord(n, n, attributes=LARGE, run_id=RUN) for n in range(12)])),
        (
            "metrics",
            WriteBatch(
                instrument_points=[
                    InstrumentPoint("i", "gauge", n, attributes=LARGE, run_id=RUN) for n in range(12)
                ]
            ),
        ),
    ],
    ids=[
        "root spans",
        "events of spans",
        "bodies",
        "attributes of log records",
        "data points of instruments",
    ],
)
def test_a_page_of_large_items_has_few_of_them(tmp_path, signal, batch):
    """Twelve items of a megabyte each are not read at once: a push of them takes little memory, and is whole."""
    with open_store(tmp_path / "experiments.db") as store:
        store.apply(batch)
        pages = list(store.stored_pages(RUN, signal))

    found = [[*page.batch.spans, *page.batch.log_records, *page.batch.instrument_points] for page in pages]
    most = page_sizes.PAGE_BYTES // 1_000_000
    assert [len(items) for items in found] == [most] * (12 // most)
    given = [*batch.spans, *batch.log_records, *batch.instrument_points]
    assert [item.attributes for items in found for item in items] == [item.attributes for item in given]
    times = [span.end_ns for span in batch.spans] or [item.time_ns for item in given]
    if signal == "logs" or (
        batch.spans and batch.spans[0].parent_span_id
    ):  # others name the time once all before it is there
        assert [page.until_ns for page in pages[:-1]] == [times[most], times[2 * most]]
