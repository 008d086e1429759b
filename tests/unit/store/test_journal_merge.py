"""Moving journals into a store: once, in order, whoever else does it, whatever one record holds."""

import dataclasses
import threading

import pytest

from otel_experiments.collect.drain import Drain
from otel_experiments.collect.gather import merge_journals
from otel_experiments.collect.journal_place import damaged_journals, journal_directory
from otel_experiments.collect.merge import JournalMerger
from otel_experiments.errors import StoreFullError, StoreLockedError
from otel_experiments.journal import encode
from otel_experiments.journal.format import RecordType, SegmentHeader
from otel_experiments.journal.names import DAMAGED_SUFFIX, SEGMENT_SUFFIX
from otel_experiments.journal.owner import current_owner
from otel_experiments.journal.segment import Segment
from otel_experiments.journal.writer import JournalWriter
from otel_experiments.model.metric import SeriesKey
from otel_experiments.model.run import Owner, Run, RunState
from otel_experiments.model.span import Resource, Scope, Span
from otel_experiments.store import open_store

RUN_ID = "cd" * 16
LOSS = SeriesKey("loss")


def fill(writer, count, first=0):
    """Append a run and `count` points of it."""
    pack = encode.points_struct(1).pack
    declaration = ((("keyset", 1), lambda: encode.encode_keyset(1, RUN_ID, (LOSS,))),)
    writer.append(encode.encode_run(Run(RUN_ID, "e", "n", RunState.RUNNING, 1, 1)))
    for step in range(first, first + count):
        writer.append(pack(RecordType.POINTS, 1, step, step, step / 3), declaration)


def steps(store):
    """Return the steps that the store holds."""
    return list(store.points(RUN_ID, LOSS).steps)


@pytest.fixture
def store(store_path):
    """Return an open store in a file."""
    with open_store(store_path) as opened:
        yield opened


@pytest.fixture
def directory(store_path):
    """Return the directory of the store's journals."""
    return journal_directory(store_path)


def test_a_live_journal_is_stored_as_it_grows(store, directory):
    """Each merge stores what came since the last one, and the segment in use stays."""
    writer = JournalWriter(directory)
    merger = JournalMerger(store, directory)

    for part in range(4):
        fill(writer, 100, first=part * 100)
        assert merger.merge().is_complete
        assert steps(store) == [float(s) for s in range((part + 1) * 100)]

    assert len(list(directory.iterdir())) == 1


def test_full_segments_are_deleted_as_soon_as_they_are_stored(store, directory):
    """A segment that its writer has left is deleted once it is stored, while the writer lives."""
    writer = JournalWriter(directory)
    fill(writer, 60_000)
    before = len(list(directory.iterdir()))

    JournalMerger(store, directory).merge()

    assert before == 3
    assert len(list(directory.iterdir())) == 1
    assert steps(store) == [float(s) for s in range(60_000)]


def test_a_series_over_several_segments_keeps_its_order(store, directory):
    """A backlog larger than a batch is stored in the order in which it was written."""
    writer = JournalWriter(directory)
    fill(writer, 250_000)

    JournalMerger(store, directory).merge()

    assert steps(store) == [float(s) for s in range(250_000)]


@pytest.mark.parametrize("width", [1, 2, 7, 40])
def test_points_that_are_all_zero_are_stored_like_others(store, directory, width):
    """Frames full of zeros are not taken for the blank end of a journal, wherever a look at it ends."""
    keys = tuple(SeriesKey(f"m{number}") for number in range(width))
    pack = encode.points_struct(width).pack
    declaration = ((("keyset", 1), lambda: encode.encode_keyset(1, RUN_ID, keys)),)
    writer = JournalWriter(directory)
    for _ in range(20_000):
        writer.append(pack(RecordType.POINTS, 1, 0, 0, *[0.0] * width), declaration)

    assert JournalMerger(store, directory).merge().is_complete

    assert len(store.points(RUN_ID, keys[0])) == 20_000


def test_a_closed_journal_leaves_no_file(store, directory):
    """When the writer is closed and all is stored, the directory is empty."""
    writer = JournalWriter(directory)
    fill(writer, 10)
    writer.close()
    merger = JournalMerger(store, directory)
    merger.is_own_journal_closed = True

    merger.merge()

    assert list(directory.iterdir()) == []


def test_a_merger_that_starts_over_stores_nothing_twice(store, directory):
    """A new merger, and one that lost its memory of an offset, go on where the store stands."""
    writer = JournalWriter(directory)
    fill(writer, 50)
    first = JournalMerger(store, directory)
    first.merge()
    fill(writer, 50, first=50)
    JournalMerger(store, directory).merge()
    fill(writer, 50, first=100)

    first.merge()

    assert steps(store) == [float(s) for s in range(150)]


@pytest.mark.parametrize("moment", ["before", "in between", "after a refusal"])
def test_what_another_process_stored_is_handed_on_once(store, directory, moment):
    """A batch that was not stored here is not handed on here: whoever stored it has handed it on."""
    writer = JournalWriter(directory)
    handed = []

    def hand_on(batch):
        handed.extend(step for block in batch.points for step in block.steps)

    def store_elsewhere():
        JournalMerger(store, directory, on_batch=hand_on).merge()

    sink = Refusing(store, 0, StoreLockedError(path="x", waited_s=1.0))
    first = JournalMerger(sink, directory, on_batch=hand_on)
    fill(writer, 50)
    first.merge()
    fill(writer, 50, first=50)
    if moment == "before":
        store_elsewhere()
    elif moment == "in between":
        sink.before_next = store_elsewhere
        first.merge()
    else:
        sink.refuse(1)
        with pytest.raises(StoreLockedError):
            first.merge()
        store_elsewhere()
    fill(writer, 50, first=100)

    first.merge()
    first.merge()

    assert sorted(handed) == steps(store) == [float(s) for s in range(150)]


def test_mergers_at_the_same_time_store_everything_once(store, store_path, directory):
    """Six mergers with connections of their own, in six threads, while the writer writes: each point once."""
    writer = JournalWriter(directory)
    done = threading.Event()

    def merge():
        with open_store(store_path, busy_timeout_s=20.0) as own:
            merger = JournalMerger(own, directory)
            while not done.is_set():
                merger.merge(scope="all")
            merger.close()

    threads = [threading.Thread(target=merge) for _ in range(6)]
    for thread in threads:
        thread.start()
    for part in range(30):
        fill(writer, 1000, first=part * 1000)
    done.set()
    for thread in threads:
        thread.join()
    JournalMerger(store, directory).merge()

    assert steps(store) == [float(s) for s in range(30_000)]


class Picky:
    """A sink that chokes on one span, as a store does on a value that its columns cannot hold."""

    def __init__(self, store):
        self._store = store
        self.journal_offset = store.journal_offset

    def apply(self, batch):
        """Write, or choke."""
        if any(span.name == "impossible" for span in batch.spans):
            raise OverflowError("Python int too large to convert to SQLite INTEGER")
        self._store.apply(batch)


def test_a_record_that_the_store_cannot_take_is_stepped_over_and_named(store, directory):
    """One impossible record among thousands is named and kept in a file aside; everything else is stored."""
    writer = JournalWriter(directory)
    fill(writer, 20_000)
    declarations = (
        (("resource", 0), lambda: encode.encode_resource(0, Resource())),
        (("scope", 0), lambda: encode.encode_scope(0, Scope())),
    )
    impossible = Span(RUN_ID, "12" * 8, "impossible", 1, 2, run_id=RUN_ID)
    writer.append(encode.encode_span(impossible, 0, 0), declarations)
    writer.append(encode.encode_span(dataclasses.replace(impossible, name="fine"), 0, 0), declarations)
    fill(writer, 20_000, first=20_000)
    writer.close()
    merger = JournalMerger(Picky(store), directory)
    merger.is_own_journal_closed = True

    report = merger.merge()

    assert report.is_complete
    (damage,) = report.damages
    assert "a record that the store cannot take" in damage
    assert steps(store) == [float(s) for s in range(40_000)]
    assert store.sql("select name from spans")[1] == [("fine",)]
    assert {path.suffix for path in directory.iterdir()} == {DAMAGED_SUFFIX}


@pytest.mark.parametrize("finds_more", [True, False])
def test_whoever_finishes_a_damaged_journal_keeps_it(store, directory, finds_more):
    """A process that reads the rest of a journal knows that another could not read all before, and so does the doctor."""
    writer = JournalWriter(directory)
    fill(writer, 10)
    writer.append(bytes([200]) + b"of a release to come")
    first = JournalMerger(store, directory).merge(scope="all")
    (live,) = directory.iterdir()
    known = damaged_journals(directory)
    if finds_more:
        fill(writer, 10, first=10)
    writer.close()
    finisher = JournalMerger(store, directory)
    finisher.is_own_journal_closed = True

    second = finisher.merge()

    assert [text.partition(": ")[0] for text in first.damages] == [live.name] == known
    assert second.damages == []
    assert {path.suffix for path in directory.iterdir()} == {DAMAGED_SUFFIX}
    assert damaged_journals(directory) == [live.with_suffix(DAMAGED_SUFFIX).name]


def test_leftover_journals_are_stored_in_the_order_in_which_they_were_begun(store, directory):
    """Points of two processes that are gone follow each other as the processes did, whatever their files are called."""
    directory.mkdir()
    gone = dataclasses.replace(current_owner(), pid=2**22 + 1, start_ticks=1)
    pack = encode.points_struct(1).pack
    for created_ns, name, numbers in ((30, "11" * 16, (0,)), (10, "ff" * 16, (0, 1)), (20, "00" * 16, (7,))):
        for number in numbers:
            header = SegmentHeader(name, number, created_ns - number, gone, gone.pid, 1, 1 << 18)
            segment = Segment.create(directory, header)
            segment.append(encode.encode_keyset(1, RUN_ID, (LOSS,)))
            segment.append(pack(RecordType.POINTS, 1, created_ns + number, 1, 0.5))
            segment.seal()

    JournalMerger(store, directory).merge()

    assert steps(store) == [10.0, 11.0, 27.0, 30.0]


class Refusing:
    """A sink that refuses for a while, as a locked store does."""

    def __init__(self, store, times, error):
        self._store = store
        self._times = times
        self._error = error
        self.before_next = None

    def refuse(self, times):
        """Refuse so many times from now on."""
        self._times = times

    def apply(self, batch):
        """Refuse, or write; before that, once, do what was given."""
        do, self.before_next = self.before_next, None
        if do is not None:
            do()
        if self._times:
            self._times -= 1
            raise self._error
        self._store.apply(batch)

    def journal_offset(self, segment_id):
        """Return what the store says."""
        return self._store.journal_offset(segment_id)


def test_a_store_that_refuses_loses_nothing(store, directory, caplog):
    """The drain tries again until the store takes it, says once that it waits, and says when it goes on."""
    writer = JournalWriter(directory)
    fill(writer, 100)
    drain = Drain(Refusing(store, 3, StoreFullError(path="x", why="no room")), directory, interval_s=60.0)
    drain_locked = Drain(
        Refusing(store, 3, StoreLockedError(path="x", waited_s=1.0)), directory, interval_s=60.0
    )

    assert drain_locked.drain_now(timeout_s=10.0)
    assert caplog.messages == [], "a store that is locked for a moment is no news"
    fill(writer, 100, first=100)
    assert drain.drain_now(timeout_s=10.0)

    assert steps(store) == [float(s) for s in range(200)]
    assert drain.last_error is None
    waits, goes_on = caplog.messages
    assert waits.startswith(
        "The store does not take what is recorded now (Store 'x' takes nothing now: no room."
    )
    assert goes_on == "The store takes what is recorded again."


def test_waiting_for_a_store_that_never_answers_ends_in_time(store, directory):
    """`drain_now` and `close` keep to their time and say that not everything is stored."""
    writer = JournalWriter(directory)
    fill(writer, 10)
    drain = Drain(
        Refusing(store, 10**9, StoreLockedError(path="x", waited_s=0.0)), directory, interval_s=60.0
    )

    assert not drain.drain_now(timeout_s=0.2)
    writer.close()
    assert not drain.close(timeout_s=0.2)
    drain.close(timeout_s=0.2)

    assert steps(store) == []
    assert JournalMerger(store, directory).merge(scope="all")
    assert steps(store) == [float(s) for s in range(10)]


def test_what_another_living_process_is_to_drain_is_left_to_it(store, directory):
    """A drain leaves the journals of other living processes alone; a reader takes what they hold so far."""
    parent = Owner(current_owner().host, current_owner().boot_id, 1, 0)
    writer = JournalWriter(directory, drainer=parent)
    fill(writer, 10)

    JournalMerger(store, directory).merge(scope="own")
    left_alone = steps(store)
    JournalMerger(store, directory).merge(scope="all")

    assert left_alone == []
    assert steps(store) == [float(s) for s in range(10)]


def test_foreign_files_are_left_alone(store, directory):
    """What does not belong to the journals is neither read nor deleted."""
    writer = JournalWriter(directory)
    fill(writer, 5)
    (directory / "notes.txt").write_text("mine")
    (directory / f"garbage{SEGMENT_SUFFIX}").write_bytes(b"not ours" * 100)
    (directory / f"empty{SEGMENT_SUFFIX}").write_bytes(b"")

    report = JournalMerger(store, directory).merge(scope="all")

    assert steps(store) == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert len(report.damages) == 2
    assert {"notes.txt", f"garbage{SEGMENT_SUFFIX}", f"empty{SEGMENT_SUFFIX}"} <= {
        path.name for path in directory.iterdir()
    }


def test_a_store_reached_by_a_link_has_the_same_journals(store_path, directory, tmp_path):
    """Whoever opens the store through a symbolic link finds the journals beside the file itself."""
    open_store(store_path).close()
    fill(JournalWriter(directory), 5)
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.db"
    link.symlink_to(store_path)

    assert merge_journals(link) == []

    with open_store(store_path, read_only=True, create=False) as store:
        assert steps(store) == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_a_long_merge_is_told_and_goes_on_to_its_end(store_path, directory, monkeypatch, caplog):
    """Whatever is in the journals is there after one merge, however long it takes; a long one is said meanwhile."""
    monkeypatch.setattr("otel_experiments.collect.gather._QUIET_S", 0.0)
    writer = JournalWriter(directory)
    fill(writer, 300_000)
    writer.close()

    assert merge_journals(store_path) == []

    with open_store(store_path, read_only=True) as store:
        assert steps(store) == [float(s) for s in range(300_000)]
    assert "it is stored before anything is read" in caplog.text


def test_a_merge_ends_though_somebody_writes_on(store, directory):
    """A merge stores all that was written before it, and does not run after who writes faster than it stores."""
    writer = JournalWriter(directory)
    fill(writer, 200_000)
    is_over = threading.Event()

    def write_on():
        first = 200_000
        while not is_over.is_set():
            fill(writer, 1000, first=first)
            first += 1000

    thread = threading.Thread(target=write_on)
    thread.start()
    try:
        JournalMerger(store, directory).merge(scope="all")
    finally:
        is_over.set()
        thread.join(timeout=60)

    assert steps(store)[:200_000] == [float(s) for s in range(200_000)]
