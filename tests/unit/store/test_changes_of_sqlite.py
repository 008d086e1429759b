"""What a look for changes costs a SQLite store, and which cursors it takes."""

import shutil
import sqlite3
from contextlib import closing

import pytest

from otel_experiments.errors import CursorError, IncompleteReadWarning, StorePathError
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.log import LogRecord
from otel_experiments.store import open_store
from otel_experiments.store.sqlite import read_changes
from otel_experiments.testing.store_contract.given import LOSS, OTHER, RUN, a_block, a_run, a_span


def a_record(number, run_id=RUN):
    """A log record like no other."""
    return LogRecord(time_ns=number, observed_time_ns=number, body=f"line {number}", run_id=run_id)


def values_that_come(store, limit):
    """Return the values of all points of the run, page by page."""
    found, cursor, has_more = [], None, True
    while has_more:
        changes = store.changes(RUN, since=cursor, limit=limit)
        cursor, has_more = changes.cursor, changes.has_more
        found += [value for new in changes.points for value in new.points.values]
    return found


def steps_of_one_look(path, size):
    """Return how many steps of SQLite's machine a look takes for one new item of each kind, after `size` of each."""
    with open_store(path) as store:
        values = [float(n) for n in range(size)]
        store.apply(
            WriteBatch(
                runs=[a_run()],
                points=[a_block(values[at : at + 5000], start=at) for at in range(0, size, 5000)],
                spans=[a_span(f"{n + 10:016x}") for n in range(size)],
                log_records=[a_record(n) for n in range(size)],
            )
        )
        for at in range(0, size, 5000):
            store.apply(WriteBatch(points=[a_block(values[at : at + 5000], run_id=OTHER, start=at)]))
        store.apply(WriteBatch(log_records=[a_record(size + n, OTHER) for n in range(size)]))
        cursor = store.changes(RUN, since="now").cursor
        store.apply(WriteBatch(points=[a_block([1.0], start=size)], log_records=[a_record(-1)]))
        store.apply(WriteBatch(spans=[a_span("5" * 16)]))
    identity = "{}:{}".format(*(path.stat().st_dev, path.stat().st_ino))
    connection = sqlite3.connect(path)
    count = 0

    def step():
        nonlocal count
        count += 1

    connection.set_progress_handler(step, 1)
    try:
        found = read_changes.changes(connection, identity, RUN, cursor, 1000)
    finally:
        connection.close()
    assert (len(found.spans), len(found.log_records), len(found.points)) == (1, 1, 1)
    assert found.points[0].start == size
    return count


def test_a_look_costs_what_is_new_and_not_what_is_stored(tmp_path):
    """With twenty times as much in the store it takes as many steps of SQLite's machine, but for a few."""
    small = steps_of_one_look(tmp_path / "small.db", 1_000)
    large = steps_of_one_look(tmp_path / "large.db", 20_000)

    assert large < small * 1.2


def test_many_rows_of_other_runs_are_not_looked_through(tmp_path, monkeypatch):
    """Where much came from others, the run's own rows are found by its index, and the same comes."""
    monkeypatch.setattr(read_changes, "NEAR_ROWS", 10)
    with open_store(tmp_path / "x.db") as store:
        store.apply(WriteBatch(runs=[a_run(), a_run(OTHER)], log_records=[a_record(1)]))
        cursor = store.changes(RUN).cursor
        store.apply(
            WriteBatch(log_records=[*(a_record(n, OTHER) for n in range(9, 50)), a_record(2), a_record(3)])
        )

        first = store.changes(RUN, since=cursor, limit=1)
        second = store.changes(RUN, since=first.cursor)

    assert [record.body for page in (first, second) for record in page.log_records] == ["line 2", "line 3"]
    assert first.has_more
    assert not second.has_more


def test_a_cursor_is_of_one_file(tmp_path):
    """A copy is another store; the same file opened again takes the cursor."""
    with open_store(tmp_path / "x.db") as store:
        store.apply(WriteBatch(runs=[a_run()], points=[a_block([1.0])]))
        cursor = store.changes(RUN).cursor
    shutil.copy(tmp_path / "x.db", tmp_path / "copy.db")

    with open_store(tmp_path / "x.db", read_only=True) as again:
        assert not again.changes(RUN, since=cursor)
    with open_store(tmp_path / "copy.db") as copy, pytest.raises(CursorError, match="it is of another store"):
        copy.changes(RUN, since=cursor)


def test_a_file_that_was_replaced_is_said(tmp_path):
    """A reader does not go on with a file that is not there any more."""
    with open_store(tmp_path / "x.db") as store:
        store.apply(WriteBatch(runs=[a_run()]))
        cursor = store.changes(RUN).cursor
        shutil.copy(tmp_path / "x.db", tmp_path / "other.db")
        (tmp_path / "other.db").replace(tmp_path / "x.db")

        with pytest.raises(StorePathError, match="deleted or replaced"):
            store.changes(RUN, since=cursor)


@pytest.mark.parametrize("limit", [700, 7])
def test_a_chunk_that_cannot_be_read_hides_no_other_points(tmp_path, limit):
    """What came after it comes, however the pages are cut, and what is damaged is told."""
    path = tmp_path / "x.db"
    with open_store(path) as store:
        store.apply(WriteBatch(runs=[a_run()], points=[a_block([0.0] * 3000)]))
        store.apply(WriteBatch(points=[a_block([1.0, 2.0, 3.0, 4.0], start=3000)]))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("select count(*) from chunks").fetchone() == (2,)
        connection.execute("update chunks set values_data = x'00' where seq = 0")
        connection.commit()

    with open_store(path) as store, pytest.warns(IncompleteReadWarning, match="seq = 0"):
        found = values_that_come(store, limit)

    assert found == [1.0, 2.0, 3.0, 4.0]


def test_an_attempt_that_is_no_number_of_one_hides_nothing(tmp_path):
    """A row that somebody else wrote is read as far as it goes: its points belong to the attempt of their time."""
    path = tmp_path / "x.db"
    with open_store(path) as store:
        store.apply(WriteBatch(runs=[a_run()], points=[a_block([1.0, 2.0])]))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("update chunks set attempt = -1")
        connection.commit()

    with open_store(path) as store:
        assert list(store.points(RUN, LOSS).values) == [1.0, 2.0]
