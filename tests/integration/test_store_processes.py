"""The SQLite store among processes: made at once, read while written, locked, forked, filled."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from otel_experiments.errors import (
    NewerSchemaError,
    NotAStoreError,
    QueryError,
    StoreDamagedError,
    StoreFullError,
    StoreLockedError,
    StoreNotFoundError,
    StorePathError,
    StoreReadOnlyError,
)
from otel_experiments.model.batch import JournalAdvance, ParamSet, WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.search import RunQuery
from otel_experiments.store import open_store

RUN = "a" * 32
LOSS = SeriesKey("loss")
DATA = Path(__file__).parent.parent / "data"


def a_run(run_id: str = RUN) -> Run:
    """A run that says nothing special."""
    return Run(run_id, "digits", "brave-otter", RunState.RUNNING, 1, 2)


def some_points(count: int, *, start: int = 0) -> WriteBatch:
    """Points at consecutive steps."""
    steps = [float(step) for step in range(start, start + count)]
    return WriteBatch(points=[PointBlock(RUN, (LOSS,), steps, range(start, start + count), (steps,))])


def child(code: str, *arguments: str) -> subprocess.Popen[str]:
    """A real second process."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_sixteen_processes_make_one_store_at_once(tmp_path):
    """Whoever comes first makes the schema, all others use it."""
    path = tmp_path / "new" / "experiments.db"
    code = """
import sys
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.run import Run, RunState
from otel_experiments.store import open_store
sys.stdin.read(1)
with open_store(sys.argv[1], busy_timeout_s=60) as store:
    store.apply(WriteBatch(runs=[Run(sys.argv[2], "digits", "", RunState.RUNNING, 1)]))
"""
    run_ids = [f"{number:032x}" for number in range(16)]
    children = [child(code, str(path), run_id) for run_id in run_ids]

    ends = [process.communicate("g", timeout=100) for process in children]

    assert [stderr for _, stderr in ends] == [""] * 16
    with open_store(path, read_only=True) as store:
        assert [run.run_id for run in store.find_runs(RunQuery())] == run_ids


def test_a_reader_sees_what_another_process_wrote_while_it_still_writes(tmp_path):
    """A read-only store follows a writer in another process, with its transaction open and unseen."""
    path = tmp_path / "experiments.db"
    code = """
import sys
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.store import open_store
store = open_store(sys.argv[1])
store.apply(WriteBatch(points=[PointBlock("a" * 32, (SeriesKey("loss"),), [0.0], [0], ([0.5],))]))
with store._database.writing() as connection:
    connection.execute("delete from series")
    print("ready", flush=True)
    sys.stdin.readline()
    raise SystemExit
"""
    writer = child(code, str(path))
    assert writer.stdout.readline() == "ready\n"

    with open_store(path, read_only=True) as store:
        assert list(store.points(RUN, LOSS).values) == [0.5]

    writer.communicate("\n", timeout=30)


def test_a_lock_of_another_process_is_reported_with_what_was_waited(tmp_path):
    """A write that waited for its whole timeout raises, and succeeds when the lock is gone."""
    path = tmp_path / "experiments.db"
    open_store(path).close()
    code = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("begin exclusive")
print("locked", flush=True)
sys.stdin.readline()
"""
    holder = child(code, str(path))
    assert holder.stdout.readline() == "locked\n"

    with open_store(path, busy_timeout_s=0.2) as store:
        with pytest.raises(StoreLockedError, match=r"locked by another process for 0\.2 s"):
            store.apply(WriteBatch(runs=[a_run()]))
        assert store.find_runs(RunQuery()) == []
        holder.communicate("\n", timeout=30)
        store.apply(WriteBatch(runs=[a_run()]))

        assert store.count_runs(RunQuery()) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_uses_connections_of_its_own(tmp_path):
    """Parent and child both go on with the same store object, and the child's end harms nothing."""
    path = tmp_path / "experiments.db"
    code = """
import os, sys, threading
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.search import RunQuery
from otel_experiments.store import open_store
store = open_store(sys.argv[1])
def put(first, count):
    for step in range(first, first + count):
        block = PointBlock("a" * 32, (SeriesKey("loss"),), [float(step)], [step], ([float(step)],))
        store.apply(WriteBatch(points=[block]))
put(0, 10)
store.find_runs(RunQuery())
inherited = store._database._writer
writer = threading.Thread(target=put, args=(10, 200))
writer.start()
children = []
for number in range(4):
    pid = os.fork()
    if pid == 0:
        assert store._database._writer is None
        assert len(store.points("a" * 32, SeriesKey("loss"))) >= 10
        put(1000 * (number + 1), 20)
        assert store._database._writer is not inherited
        del store
        sys.exit(0)
    children.append(pid)
writer.join()
assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0, 0]
store.close()
"""
    done = child(code, str(path)).communicate(timeout=100)

    assert done == ("", "")
    with open_store(path) as store:
        assert sorted(store.points(RUN, LOSS).values) == [
            *map(float, range(210)),
            *(float(1000 * number + step) for number in range(1, 5) for step in range(20)),
        ]
    connection = sqlite3.connect(path)
    assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_threads_share_one_store(tmp_path):
    """Writers and readers in several threads get in nobody's way."""
    errors: list[BaseException] = []
    with open_store(tmp_path / "experiments.db") as store:

        def work(number: int) -> None:
            try:
                for step in range(20):
                    store.apply(WriteBatch(params=[ParamSet(f"{number:032x}", f"p{step}", step, 1)]))
                    store.find_runs(RunQuery())
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert errors == []
        assert {len(found) for found in store.params([f"{number:032x}" for number in range(8)]).values()} == {
            20
        }


def test_a_full_disk_refuses_the_batch_and_harms_nothing(tmp_path):
    """When there is no room the batch is refused whole, and goes through once there is."""
    with open_store(tmp_path / "experiments.db") as store:
        store.apply(WriteBatch(runs=[a_run()], journal=[JournalAdvance("segment", 0, 10)]))
        with store._database.writing() as connection:
            (pages,) = connection.execute("pragma page_count").fetchone()
        store._database._writer.execute(f"pragma max_page_count = {pages}")
        batch = some_points(200_000)
        batch.journal.append(JournalAdvance("segment", 10, 20))

        with pytest.raises(StoreFullError, match="takes nothing now"):
            store.apply(batch)

        assert len(store.points(RUN, LOSS)) == 0
        assert store.journal_offset("segment") == 10
        store._database._writer.execute("pragma max_page_count = 1000000")
        store.apply(batch)
        assert len(store.points(RUN, LOSS)) == 200_000


def test_a_file_that_is_no_store_is_left_as_it_is(tmp_path):
    """A text file and another program's database are refused untouched."""
    text = tmp_path / "notes.txt"
    text.write_text("my precious notes")
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("create table cooking (recipe text)")
    connection.commit()
    connection.close()
    before = other.read_bytes()

    for path in (text, other):
        for read_only in (False, True):
            with pytest.raises(NotAStoreError):
                open_store(path, read_only=read_only)

    assert text.read_text() == "my precious notes"
    assert other.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "other.db"]


def test_a_newer_store_is_left_as_it_is(tmp_path):
    """A schema from the future is refused with both versions named."""
    path = tmp_path / "experiments.db"
    open_store(path).close()
    connection = sqlite3.connect(path)
    connection.execute("pragma user_version = 99")
    connection.close()

    for read_only in (False, True):
        with pytest.raises(NewerSchemaError, match="schema version 99"):
            open_store(path, read_only=read_only)


def test_a_damaged_store_says_so(tmp_path):
    """A file whose pages are garbage raises an error that names the file."""
    path = tmp_path / "experiments.db"
    with open_store(path) as store:
        store.apply(some_points(10_000))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))

    with pytest.raises(StoreDamagedError, match=r"experiments\.db"), open_store(path) as store:
        store.points(RUN, LOSS)


def test_a_missing_store_is_not_made_by_readers(tmp_path):
    """Reading where nothing is raises and leaves the folder as it was."""
    path = tmp_path / "sub" / "experiments.db"

    for options in ({"read_only": True}, {"create": False}):
        with pytest.raises(StoreNotFoundError, match="No store at"):
            open_store(path, **options)

    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_becomes_a_store_only_for_a_writer(tmp_path):
    """An empty file (as mktemp makes it) is no store yet."""
    path = tmp_path / "experiments.db"
    path.touch()

    with pytest.raises(StoreNotFoundError):
        open_store(path, read_only=True)
    with open_store(path) as store:
        assert store.find_runs(RunQuery()) == []


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("clickhouse://host/db", "this release has no ClickHouse store"),
        ("", "it is empty"),
        ("{folder}", "it is a directory"),
        ("{folder}/file/under", "its folder cannot be made"),
    ],
)
def test_a_place_that_cannot_hold_a_store_is_refused(tmp_path, location, why):
    """The error says what is wrong with the place."""
    (tmp_path / "file").write_text("x")

    with pytest.raises(StorePathError, match=why):
        open_store(location.format(folder=tmp_path))


def test_a_store_opens_by_every_spelling_of_its_place(tmp_path):
    """A path, a Path and sqlite://PATH name the same store; folders are made."""
    path = tmp_path / "deep" / "er" / "ex peri?ments#%.db"
    with open_store(path) as store:
        store.apply(WriteBatch(runs=[a_run()]))
        assert store.location == str(path)

    for location in (str(path), f"sqlite://{path}"):
        with open_store(location, read_only=True) as store:
            assert store.get_run(RUN) == a_run()


def test_a_read_only_store_refuses_to_write(tmp_path):
    """The error tells how to open it for writing."""
    path = tmp_path / "experiments.db"
    open_store(path).close()

    with (
        open_store(path, read_only=True) as store,
        pytest.raises(StoreReadOnlyError, match="open for reading only"),
    ):
        store.apply(WriteBatch(runs=[a_run()]))


@pytest.mark.skipif(os.name != "posix" or shutil.which("setpriv") is None, reason="needs setpriv")
def test_a_store_in_a_folder_that_may_not_be_written_can_be_read(tmp_path):
    """A store on a read-only medium is read without making files beside it; writing it is refused."""
    for folder in tmp_path.parents:
        if folder == Path(tempfile.gettempdir()):
            break
        folder.chmod(0o755)
    path = tmp_path / "experiments.db"
    with open_store(path) as store:
        store.apply(WriteBatch(runs=[a_run()]))
    path.chmod(0o444)
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR | stat.S_IROTH | stat.S_IXOTH)
    code = """
import sys
from otel_experiments.errors import StorePathError
from otel_experiments.model.search import RunQuery
from otel_experiments.store import open_store
with open_store(sys.argv[1], read_only=True) as store:
    print(store.find_runs(RunQuery())[0].name)
try:
    open_store(sys.argv[1])
except StorePathError as error:
    print("refused")
"""
    command = [sys.executable, "-c", code, str(path)]
    if os.geteuid() == 0:
        # Root without capabilities: a plain owner, who can still reach a checkout that only root may read.
        command = ["setpriv", "--inh-caps=-all", "--bounding-set=-all", *command]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    tmp_path.chmod(0o755)

    assert (done.stdout, done.stderr) == ("brave-otter\nrefused\n", "")


@pytest.mark.parametrize("version", [1])
def test_a_store_of_each_older_schema_opens_with_its_data(tmp_path, version):
    """A file that an earlier release wrote opens, for reading and for writing, and loses nothing."""
    path = tmp_path / "old.db"
    shutil.copy(DATA / f"store_v{version}.db", path)

    with open_store(path) as store:
        (run,) = store.find_runs(RunQuery())
        assert (run.name, run.experiment) == ("brave-otter", "digits")
        assert store.params([run.run_id]) == {run.run_id: {"lr": 0.1, "layers": [64, 32]}}
        assert list(store.points(run.run_id, LOSS).values) == [1.0 / step for step in range(1, 2501)]
        store.apply(some_points(10))
    with open_store(path, read_only=True) as store:
        assert store.count_runs(RunQuery()) == 1


@pytest.mark.parametrize("version", [1])
def test_a_reader_brings_an_older_store_up_to_date(tmp_path, version):
    """Whoever only looks at runs of an earlier release sees them too, and what refers to them is all there."""
    path = tmp_path / "old.db"
    shutil.copy(DATA / f"store_v{version}.db", path)

    with open_store(path, read_only=True, create=False) as store:
        (run,) = store.find_runs(RunQuery())
        assert len(store.points(run.run_id, LOSS)) == 2500
        (chunks, series), *_ = store.sql("select count(*), count(distinct series_id) from chunks")[1]
        assert store.sql("select count(*) from chunks join series using (series_id)")[1] == [(chunks,)]
        assert store.sql("select count(*) from series")[1] == [(series,)]


@pytest.mark.parametrize("version", [1])
def test_an_older_store_that_may_not_be_written_is_refused_with_advice(tmp_path, version):
    """On a read-only copy of an earlier release's store, a reader says what to do, and changes nothing."""
    path = tmp_path / "old.db"
    shutil.copy(DATA / f"store_v{version}.db", path)
    path.chmod(0o444)
    code = """
import sys
from otel_experiments.errors import StoreReadOnlyError
from otel_experiments.store import open_store
try:
    open_store(sys.argv[1], read_only=True, create=False)
except StoreReadOnlyError as error:
    print("be upgraded" in str(error))
"""
    command = [sys.executable, "-c", code, str(path)]
    if os.geteuid() == 0:
        command = ["setpriv", "--inh-caps=-all", "--bounding-set=-all", *command]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (done.stdout, done.stderr) == ("True\n", "")


def test_statements_that_would_write_are_refused_by_name(tmp_path):
    """SQL from users reads; whatever else it would do is named in the refusal."""
    with open_store(tmp_path / "experiments.db") as store:
        store.apply(WriteBatch(runs=[a_run()]))
        for statement, named in {
            "insert into tags values ('a', 'b', 'c', 1)": "insert into tags",
            "update runs set name = 'x'": "update runs",
            "delete from runs": "delete from runs",
            "drop table runs": "change the schema",
            "create table x (y)": "change the schema",
            "create temp table x (y)": "change the schema",
            "attach 'x.db' as other": "attach",
            "pragma journal_mode = delete": "pragma journal_mode",
            "pragma user_version = 7": "pragma user_version",
            "vacuum into 'copy.db'": "cannot VACUUM",
            "begin": "transaction",
            "commit": "transaction",
            "reindex": "reindex",
            "alter table runs add x": "alter table runs",
            "with x as (select 1) delete from runs where run_id in x": "delete from runs",
        }.items():
            with pytest.raises(QueryError, match=named):
                store.sql(statement)

        assert store.sql("select name from runs") == (["name"], [("brave-otter",)])
        assert store.sql("pragma table_info(segments)")[1][0][1] == "segment_id"
        assert store.sql("select value from json_each('[1, 2]')")[1] == [(1,), (2,)]
        assert store.sql("select name from pragma_table_info('segments')")[1] == [
            ("segment_id",),
            ("stored_bytes",),
        ]
        assert not (tmp_path / "copy.db").exists()


@pytest.mark.parametrize(
    ("statement", "function"),
    [("select load_extension('x')", "load_extension"), ("select FTS3_Tokenizer('simple')", "fts3_tokenizer")],
)
def test_functions_that_reach_beyond_the_store_are_refused(tmp_path, statement, function):
    """What would load code into the process is refused before SQLite looks at it, and named."""
    with open_store(tmp_path / "experiments.db") as store, pytest.raises(QueryError) as caught:
        store.sql(statement)

    assert f"The statement was refused: it would call {function}" in str(caught.value)


@pytest.mark.parametrize(
    "statement",
    ["select 1; select 2", "selec 1", "select * from nowhere", "select ?", "select load_extension('x')", ""],
)
def test_statements_that_make_no_sense_are_refused(tmp_path, statement):
    """A wrong statement is the asker's error, not the store's."""
    with open_store(tmp_path / "experiments.db") as store:
        if not statement:
            assert store.sql(statement) == ([], [])
            return
        with pytest.raises(QueryError):
            store.sql(statement)
