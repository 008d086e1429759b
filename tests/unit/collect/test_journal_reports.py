"""What recording processes say of their journals in a store that several hosts write, and what readers make of it."""

import time
from contextlib import suppress

import pytest

from otel_experiments.collect.journal_reports import JournalReporter, held_elsewhere, settle_reports
from otel_experiments.collect.merge import BATCH_BYTES
from otel_experiments.errors import StoreLockedError
from otel_experiments.journal.encode import encode_tags
from otel_experiments.journal.owner import current_owner
from otel_experiments.journal.writer import JournalWriter
from otel_experiments.model.batch import JournalAdvance, WriteBatch
from otel_experiments.model.journal_report import JournalReport
from otel_experiments.model.run import Owner
from otel_experiments.store.memory.store import MemoryStore

SECOND = 10**9
FOREIGN = Owner("gpu-7", "another-boot:1", 4242, 7)


@pytest.fixture
def store():
    """A store in memory, which keeps reports as one of many hosts does."""
    with MemoryStore() as made:
        yield made


def said(store, directory, **changes):
    """Put a report into the store; return what a reader says."""
    now_ns = time.time_ns()
    facts = {"time_ns": now_ns, "next_ns": now_ns + 60 * SECOND, "owner": FOREIGN, **changes}
    store.apply(WriteBatch(journal_reports=[JournalReport("one", directory="/there", **facts)]))
    return held_elsewhere(store, directory, shown="box://runs", begin="What is read from ")


def test_a_host_that_is_heard_of_in_time_holds_nothing(store, tmp_path):
    """A process that lives elsewhere brings its records by itself."""
    assert said(store, tmp_path) == []


def test_a_host_that_is_not_heard_of_in_time_is_named(store, tmp_path):
    """The text has host, process, folder, time and what to do."""
    (text,) = said(store, tmp_path, time_ns=1_700_000_000 * SECOND, next_ns=1_700_000_060 * SECOND)

    assert text == (
        "What is read from 'box://runs' may not be whole: process 4242 on host gpu-7 last reached the store at 2023-11-14 "
        "22:13:20 UTC, and did not say that it has stored everything. What it recorded after that is in '/there' there.\n"
        "  Nothing is lost: read the store once on that host: otel-experiments runs --store box://runs"
    )


def test_a_host_that_says_how_much_waits_is_believed(store, tmp_path):
    """What a process has journalled and not stored is told with its number, also while it lives."""
    (text,) = said(store, tmp_path, waiting_records=1_200, waiting_bytes=3_400_000)

    assert "is not whole: process 4242 on host gpu-7 held about 1,200 records (3,400,000 bytes) more" in text


def test_a_host_that_has_stored_all_is_not_named(store, tmp_path):
    """A report without a next one is the last."""
    assert said(store, tmp_path, next_ns=0) == []


def test_a_process_of_this_machine_that_is_gone_is_named_at_once(store, tmp_path):
    """Its journals lie in another folder than this reader's, and nobody waits for its next report."""
    me = current_owner()
    (text,) = said(store, tmp_path, owner=Owner(me.host, me.boot_id, 2**22 + 1, 1))

    assert f"process {2**22 + 1} on host {me.host}" in text


def test_a_process_of_this_machine_that_is_overdue_is_named_unless_its_journals_are_merged(store, tmp_path):
    """One whose journals lie in this reader's folder holds nothing that the reader does not have."""
    overdue = {"owner": current_owner(), "time_ns": 1, "next_ns": 2}
    elsewhere = said(store, tmp_path, **overdue)
    store.apply(WriteBatch(journal_reports=[JournalReport("one", current_owner(), str(tmp_path), 3, 4)]))

    assert len(elsewhere) == 1
    assert held_elsewhere(store, tmp_path, shown="box://runs", begin="") == []


def test_many_silent_processes_are_told_in_four_texts(store, tmp_path):
    """Three are named, and the others are counted with their hosts."""
    reports = [
        JournalReport(str(index), Owner(f"gpu-{index}", "another-boot:1", index + 2, 7), "/there", index + 1, index + 2)
        for index in range(6)
    ]  # fmt: skip
    store.apply(WriteBatch(journal_reports=reports))

    texts = held_elsewhere(store, tmp_path, shown="box://runs", begin="What is read from ")

    assert [f"gpu-{index}" in text for index, text in zip((5, 4, 3), texts, strict=False)] == [True] * 3
    assert "3 more processes hold what they recorded, on gpu-0, gpu-1, gpu-2" in texts[3]


def test_a_process_of_this_host_that_is_gone_is_settled_once_its_journals_are(store, tmp_path):
    """As long as its journal is there nothing is settled; then its report is the last one."""
    me = current_owner()
    gone = Owner(me.host, me.boot_id, 2**22 + 1, 1)
    writer = JournalWriter(tmp_path, drainer=gone)
    writer.append(encode_tags("a" * 32, {"t": "v"}, 1))
    report = JournalReport("one", gone, str(tmp_path), 1, 2)
    store.apply(WriteBatch(journal_reports=[report]))

    settle_reports(store, tmp_path)
    assert store.journal_reports() == [report]
    writer.close()
    for path in tmp_path.iterdir():
        path.unlink()
    settle_reports(store, tmp_path)

    assert [one.is_open for one in store.journal_reports()] == [False]


def test_reports_of_living_processes_and_other_folders_are_not_settled(store, tmp_path):
    """That a folder has no journal says nothing of a process that may write one, nor of another folder."""
    me = current_owner()
    gone = Owner(me.host, me.boot_id, 2**22 + 1, 1)
    reports = [
        JournalReport("living", me, str(tmp_path), 1, 2),
        JournalReport("elsewhere", gone, "/there", 1, 2),
        JournalReport("foreign", FOREIGN, str(tmp_path), 1, 2),
    ]
    store.apply(WriteBatch(journal_reports=reports))

    settle_reports(store, tmp_path)

    assert [one.is_open for one in store.journal_reports()] == [True] * 3


class Recording:
    """A process with a journal, whose drain a test plays."""

    def __init__(self, store, directory, *, interval_s=0.05):
        self.store = store
        self.is_recording = True
        self.writer = JournalWriter(directory)
        self.reporter = JournalReporter(
            store,
            directory,
            journal_id=self.writer.writer_id,
            interval_s=interval_s,
            is_recording=lambda: self.is_recording,
        )

    def drain(self, start, end):
        """Store a part of the journal."""
        batch = WriteBatch(journal=[JournalAdvance(f"{self.writer.writer_id}.000000", start, end)])
        self.reporter.apply(batch)

    @property
    def last(self):
        """What other hosts read."""
        (report,) = self.store.journal_reports()
        return report


@pytest.fixture
def recording(store, tmp_path):
    """A process that records."""
    made = Recording(store, tmp_path)
    yield made
    made.writer.close()


def test_a_small_batch_says_that_the_process_lives(recording, tmp_path):
    """Nothing is known to wait behind it, and more is to come."""
    recording.drain(0, 1000)

    assert recording.last.is_open
    assert (recording.last.waiting_records, recording.last.directory) == (0, str(tmp_path))
    assert recording.last.owner == current_owner()


def test_a_large_batch_says_how_much_waits_behind_it(recording):
    """After the store was away, other hosts read how many records are still to come, and that it gets less."""
    frame = encode_tags("a" * 32, {"t": "v" * 10_000}, 1)
    for _ in range(3_000):
        recording.writer.append(frame)

    recording.drain(0, BATCH_BYTES)
    first = recording.last
    recording.drain(BATCH_BYTES, 2 * BATCH_BYTES)
    second = recording.last
    recording.drain(2 * BATCH_BYTES, 2 * BATCH_BYTES + 100)

    assert 2_000 < first.waiting_records < 3_000
    assert first.waiting_bytes - second.waiting_bytes == BATCH_BYTES
    assert 0 < second.waiting_records < first.waiting_records
    assert recording.last.waiting_bytes == 0


def test_a_quiet_round_without_a_run_says_that_nothing_waits(recording):
    """A round that stored something, or came while a run was recorded, proves nothing; the one after it does."""
    recording.drain(0, 1000)
    recording.reporter.before_round()
    recording.is_recording = False
    recording.reporter.before_round()
    still = recording.last.is_open
    recording.reporter.before_round()

    assert still
    assert not recording.last.is_open
    recording.drain(1000, 2000)
    assert recording.last.is_open


def test_a_round_that_stored_something_says_nothing_of_the_next(recording):
    """Also where nothing is recorded any more: what comes of a child may come again."""
    recording.is_recording = False
    recording.reporter.before_round()
    recording.drain(0, 1000)
    recording.reporter.before_round()
    still = recording.last.is_open
    recording.reporter.before_round()

    assert (still, recording.last.is_open) == (True, False)


def test_a_process_that_stores_seldom_is_expected_seldom(store, tmp_path):
    """Three rounds of the drain may pass before it counts as silent, and a minute at least."""
    seldom = Recording(store, tmp_path, interval_s=100.0)
    seldom.drain(0, 1000)
    seldom.writer.close()

    assert seldom.last.next_ns - seldom.last.time_ns == 300 * SECOND


def test_a_store_that_refuses_is_told_nothing_else(recording, monkeypatch):
    """As long as a batch is not in the store, nobody says that nothing waits."""
    recording.drain(0, 1000)
    monkeypatch.setattr(recording.store, "apply", _refuse)
    with suppress(StoreLockedError):
        recording.drain(1000, 2000)
    monkeypatch.undo()
    recording.is_recording = False
    for _ in range(4):
        recording.reporter.before_round()

    assert recording.last.is_open


def test_a_process_that_has_nothing_to_store_says_that_it_lives(recording, monkeypatch):
    """A rank that logs nothing for an hour is no host that is gone: it renews its report, seldom."""
    recording.drain(0, 1000)
    first = recording.last
    recording.reporter.before_round()
    recording.reporter.before_round()
    assert recording.last == first

    later_ns = first.time_ns + 30 * SECOND
    monkeypatch.setattr(time, "time_ns", lambda: later_ns)
    recording.reporter.before_round()
    recording.reporter.before_round()

    assert (recording.last.time_ns, recording.last.next_ns) == (later_ns, later_ns + 60 * SECOND)


def test_a_clock_that_is_set_back_hides_no_report(recording, monkeypatch):
    """The latest report counts also where the clock says that it is the earlier one."""
    recording.drain(0, 1000)
    monkeypatch.setattr(time, "time_ns", lambda: 1)
    recording.is_recording = False
    recording.reporter.before_round()
    recording.reporter.before_round()
    recording.reporter.before_round()

    assert not recording.last.is_open


def test_a_process_whose_child_records_on_does_not_say_that_all_is_stored(recording, tmp_path):
    """At its end, journals that are its to store keep its report open; a reader of the host settles it."""
    recording.drain(0, 1000)
    child = JournalWriter(tmp_path, drainer=current_owner())
    child.append(encode_tags("a" * 32, {"t": "v"}, 1))

    recording.reporter.close()
    still = recording.last.is_open
    child.close()
    for path in tmp_path.iterdir():
        path.unlink()
    recording.reporter.close()

    assert still
    assert not recording.last.is_open


def _refuse(batch):
    raise StoreLockedError(path="box", waited_s=1.0)
