"""The way from the journal into the store, cut off at every step: each point arrives once."""

import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time

import pytest
from click.testing import CliRunner

from otel_experiments._opening import open_reader
from otel_experiments.cli.root import root
from otel_experiments.store import open_store

RUN_ID = "ef" * 16

LEAVE_A_BACKLOG = """
from otel_experiments.journal.writer import JournalWriter
from otel_experiments.journal import encode
from otel_experiments.model.run import Run, RunState
from otel_experiments.record.base.guard import Guard
from otel_experiments.record.metrics.points import PointRecorder
from otel_experiments.store import open_store
from otel_experiments.collect.journal_place import journal_directory
from otel_experiments.collect.merge import JournalMerger

store_path = pathlib.Path(sys.argv[1])


def leave_a_backlog(count):
    open_store(store_path).close()
    if os.fork() == 0:
        journal = JournalWriter(journal_directory(store_path))
        journal.append(encode.encode_run(Run("ef" * 16, "e", "backlog", RunState.RUNNING, 1, 1)))
        recorder = PointRecorder("ef" * 16, journal, Guard(), {})
        for step in range(count):
            recorder.log({"loss": step / 3}, step, None)
        os._exit(0)
    os.wait()
"""

MERGE_AND_DIE = """
class Fatal:
    def __init__(self, store):
        self._store = store
        self._calls = 0
        self.journal_offset = store.journal_offset

    def apply(self, batch):
        self._calls += 1
        if self._calls == BATCH and MOMENT == "before the transaction":
            os.kill(os.getpid(), signal.SIGKILL)
        self._store.apply(batch)
        if self._calls == BATCH and MOMENT == "after the transaction":
            os.kill(os.getpid(), signal.SIGKILL)


def told(batch):
    if MOMENT == "before the files are deleted" and merger._sink._calls == BATCH:
        os.kill(os.getpid(), signal.SIGKILL)


leave_a_backlog(400_000)
merger = JournalMerger(Fatal(open_store(store_path)), journal_directory(store_path), on_batch=told)
merger.merge(scope="all")
if MOMENT == "after the files are deleted":
    os.kill(os.getpid(), signal.SIGKILL)
"""


def check(reader, count):
    """Check that the run holds `count` points, each once, and that the journals are gone."""
    run = reader.run(RUN_ID)
    series = reader.store.series([run.id])[run.id][0]
    points = reader.store.points(run.id, series.key)
    assert list(points.steps) == [float(step) for step in range(count)]
    assert list(points.values) == [step / 3 for step in range(count)]
    assert series.summary.count == count
    assert reader.notes == ()


@pytest.mark.parametrize("batch", [1, 2, 4])
@pytest.mark.parametrize(
    "moment",
    [
        "before the transaction",
        "after the transaction",
        "before the files are deleted",
        "after the files are deleted",
    ],
)
def test_a_drain_that_is_killed_at_a_step_stores_each_point_once(moment, batch, script, read):
    """Killed before or after a transaction or a deletion, in the first batch or a later one: nothing twice, nothing lost."""
    body = f"MOMENT, BATCH = {moment!r}, {batch}\n" + LEAVE_A_BACKLOG + MERGE_AND_DIE
    script(body).end(-signal.SIGKILL)

    check(read(), 400_000)


def test_who_opens_the_store_after_such_a_kill_leaves_one_whole_file(script, store_path):
    """The next process finds all stored, writes nothing, and leaves a file that is not taken for a copy."""
    body = 'MOMENT, BATCH = "after the files are deleted", 1\n' + LEAVE_A_BACKLOG + MERGE_AND_DIE
    script(body.replace("400_000", "100")).end(-signal.SIGKILL)
    open_store(store_path).close()

    with open_reader(store_path) as reader:
        check(reader, 100)


def test_drains_that_are_killed_at_random_store_each_point_once(script, read, store_path):
    """Twelve processes that merge the same backlog are killed one after the other at any moment, mid-transaction too."""
    script(LEAVE_A_BACKLOG + "leave_a_backlog(400_000)\n").end()
    body = LEAVE_A_BACKLOG + (
        "acknowledge('ready')\n"
        "with open_store(store_path) as store:\n"
        "    JournalMerger(store, journal_directory(store_path)).merge(scope='all')\n"
    )
    draw = random.Random(7)
    survivors = 0
    for _ in range(12):
        started = script(body)
        started.line()
        time.sleep(draw.uniform(0.0, 0.4))
        started.send(signal.SIGKILL)
        started.process.wait(20)
        survivors += started.process.returncode == 0

    assert survivors < 12
    check(read(), 400_000)


def test_a_large_backlog_is_merged_in_bounded_memory(script, read):
    """Three million points of a dead process, 120 MB of journal, are merged within 100 MB of memory."""
    body = (
        LEAVE_A_BACKLOG
        + """
import resource
leave_a_backlog(3_000_000)
size = sum(path.stat().st_size for path in journal_directory(store_path).iterdir())
store = open_store(store_path)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
JournalMerger(store, journal_directory(store_path)).merge(scope="all")
acknowledge(size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    )
    out, _ = script(body).end()

    size_bytes, grown_kb = map(int, out.split())
    reader = read()
    assert reader.run(RUN_ID).metrics["loss"].count == 3_000_000
    assert size_bytes > 120_000_000
    assert grown_kb < 100_000


def test_a_locked_store_loses_nothing_and_holds_nobody_up(script, read, store_path):
    """While another process holds the store, a million points are logged and kept; finish and exit keep to their time."""
    body = """
    setup(exit_timeout_s=1.0)
    run = ox.start_run("patient")
    run.flush()
    acknowledge("ready")
    sys.stdin.readline()
    begin = time.monotonic()
    for step in range(1_000_000):
        run.log({"loss": step}, step=step)
    logged = time.monotonic()
    report = run.finish()
    acknowledge(logged - begin, time.monotonic() - logged, int(report.is_stored), sum(report.lost.values()))
    """
    started = script(body)
    started.line()
    lock = sqlite3.connect(store_path, isolation_level=None, timeout=10)
    lock.execute("begin immediate")
    started.tell("go")
    logged_s, finish_s, is_stored, lost = map(float, started.line().split())
    told = time.monotonic()
    _, err = started.end()
    exit_s = time.monotonic() - told
    waiting = sum(path.stat().st_size for path in store_path.with_name("experiments.db.journals").iterdir())
    lock.execute("rollback")
    lock.close()

    assert (is_stored, lost) == (0.0, 0.0)
    assert logged_s < 30
    assert finish_s < 3
    assert exit_s < 5
    assert "Not everything is in the store yet" in err
    assert waiting > 30_000_000
    run = read().run("patient")
    assert run.metrics["loss"].count == 1_000_000
    assert run.metrics["loss"].last == 999_999.0
    assert run.state == "succeeded"


def test_a_store_that_is_locked_for_a_while_gets_everything_later(script, read, store_path):
    """Once the other process lets go, the drain of the living run goes on by itself."""
    body = """
    setup()
    with ox.start_run("patient") as run:
        run.flush()
        acknowledge("ready")
        sys.stdin.readline()
        for step in range(50_000):
            run.log({"loss": step}, step=step)
        acknowledge(int(run.flush(timeout_s=0.5).is_stored))
        sys.stdin.readline()
        acknowledge(int(run.flush(timeout_s=20.0).is_stored))
    """
    started = script(body)
    started.line()
    lock = sqlite3.connect(store_path, isolation_level=None, timeout=10)
    lock.execute("begin immediate")
    started.tell("go")
    assert started.line() == "0"
    lock.execute("rollback")
    lock.close()
    started.tell("go on")
    assert started.line() == "1"
    started.end()

    assert read().run("patient").metrics["loss"].count == 50_000


@pytest.fixture
def small_disk(store_path):
    """Put the journals of the store on a disk of three megabytes."""
    directory = store_path.with_name(store_path.name + ".journals")
    directory.mkdir()
    if os.name != "posix" or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a small disk can be mounted only by root")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", directory],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"mounting is not permitted here: {done.stderr.strip()}")
    yield directory
    subprocess.run(["umount", "-l", directory], check=True)


def test_a_full_disk_loses_only_what_it_cannot_hold_and_says_so(small_disk, script, read, store_path):
    """With no room for the journal, points are counted as lost and told once; with room again, recording goes on."""
    body = """
    setup(capture_output="off", capture_environment=False)  # whose records would be lost, too
    with ox.start_run("full") as run:
        run.flush()
        acknowledge("ready")
        sys.stdin.readline()
        for step in range(200_000):
            run.log({"during": step}, step=step)
        with run.stage("during"):
            pass
        lost = run.flush(timeout_s=0.1).lost
        acknowledge(json.dumps(lost))
        sys.stdin.readline()
        assert run.flush(timeout_s=30.0).is_stored
        time.sleep(0.2)
        for step in range(1000):
            run.log({"after": step}, step=step)
        with run.stage("after"):
            pass
        acknowledge(json.dumps(run.flush(timeout_s=30.0).lost))
    """
    started = script(body)
    started.line()
    lock = sqlite3.connect(store_path, isolation_level=None, timeout=10)
    lock.execute("begin immediate")
    started.tell("go")
    during = json_of(started.line())
    lock.execute("rollback")
    lock.close()
    started.tell("there is room again")
    after = json_of(started.line())
    _, err = started.end()

    reader = read()
    run = reader.run("full")
    kept = run.metrics["during"].count
    assert 50_000 < kept < 100_000
    assert kept + during["journal full"] - spans_among(during) in {200_000, 200_001}
    assert after == during, "nothing is lost once there is room"
    assert run.metrics["after"].count == 1000
    assert err.count("cannot grow: the disk is full") == 1
    assert err.count("Metric points are not recorded") == 1
    assert run.state == "succeeded"


def test_a_run_that_ends_on_a_full_disk_is_known_to_have_ended(small_disk, script, read, store_path):
    """With no room for anything the end of a run still has its place: state, reason and the run's span are there."""
    body = """
    setup()
    try:
        with ox.start_run("full") as run:
            run.flush()
            acknowledge("ready")
            sys.stdin.readline()
            for step in range(200_000):
                run.log({"during": step}, step=step)
            raise ValueError("diverged")
    except ValueError:
        acknowledge("ended")
    os._exit(0)
    """
    started = script(body)
    started.line()
    lock = sqlite3.connect(store_path, isolation_level=None, timeout=10)
    lock.execute("begin immediate")
    started.tell("go")
    assert started.line() == "ended"
    started.end()
    lock.execute("rollback")
    lock.close()

    run = read().run("full")
    assert (run.state, run.reason) == ("failed", "diverged")
    assert [span.end_ns is not None for span in run.spans.named("run *")] == [True]


def json_of(text):
    """Return what the line of JSON says."""
    import json

    return json.loads(text)


def spans_among(lost):
    """Return how many of the lost items are spans: the one that ended while the disk was full, at most."""
    return min(1, lost.get("journal full", 0))


def test_fsync_waits_for_the_disk_at_every_record(script, read, tmp_path):
    """With durability="fsync" every call of `log` is on the disk when it returns, and the store before a journal goes."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    body = """
    if sys.argv[1] != "traced":
        import subprocess
        command = ["strace", "-f", "-e", "trace=msync,fsync,fdatasync,unlink", "-o", sys.argv[1] + ".trace"]
        done = subprocess.run([*command, sys.executable, __file__, "traced", sys.argv[1]], check=False)
        sys.exit(done.returncode)
    ox.configure(store=sys.argv[2], durability="fsync", capture_git=False, system_metrics_s=0)
    with ox.start_run("synced") as run:
        for step in range(50):
            run.log({"loss": step}, step=step)
        os.fsync(1) if False else None
    """
    script(body.replace("        os.fsync(1) if False else None\n", "")).end()

    calls = (tmp_path / "experiments.db.trace").read_text().splitlines()
    if any("ptrace" in call.lower() for call in calls):
        pytest.skip("strace may not trace here")
    assert sum("msync(" in call for call in calls) > 50
    assert all(
        "= 0" in call
        for call in calls
        if "msync(" in call and "resumed" not in call and "unfinished" not in call
    )
    deleted = next(i for i, call in enumerate(calls) if "unlink(" in call and ".oxj" in call)
    assert any("fsync(" in call for call in calls[:deleted])
    assert read().run("synced").metrics["loss"].count == 50


def test_a_missing_journal_directory_is_no_fault(store_path, script, read):
    """A store without journals opens as it is."""
    script("setup()\nox.start_run('alone').finish()\n").end()
    shutil.rmtree(store_path.with_name(store_path.name + ".journals"))

    with open_reader(store_path) as reader:
        assert reader.run("alone").state == "succeeded"
        assert reader.notes == ()


def test_the_end_of_a_process_waits_once_for_all_its_runs(script, read, store_path):
    """With the store held by another process, a program with five open runs ends within five seconds."""
    body = """
    setup()
    runs = [ox.start_run(f"open {number}") for number in range(5)]
    runs[0].flush()
    acknowledge("ready")
    sys.stdin.readline()
    for run in runs:
        run.log({"loss": 1.0})
    """
    started = script(body)
    started.line()
    lock = sqlite3.connect(store_path, isolation_level=None, timeout=10)
    lock.execute("begin immediate")
    begin = time.monotonic()
    started.tell("go")
    started.end()
    took_s = time.monotonic() - begin
    lock.execute("rollback")
    lock.close()

    assert took_s < 6
    assert [(str(run.state), run.metrics["loss"].count) for run in read().runs()] == [("succeeded", 1)] * 5


def test_a_backlog_is_told_by_runs_and_doctor(script, store_path):
    """Who looks while the store is locked sees all of it; the doctor says how much waits, and that nothing is lost."""
    body = """
    setup(exit_timeout_s=0.2)
    run = ox.start_run("patient")
    run.flush()
    acknowledge("ready")
    sys.stdin.readline()
    for step in range(100_000):
        run.log({"loss": step}, step=step)
    run.finish()
    """
    started = script(body)
    started.line()
    lock = sqlite3.connect(store_path, isolation_level=None, timeout=10)
    lock.execute("begin immediate")
    started.tell("go")
    started.end()
    told = {
        command: CliRunner().invoke(root, ["--store", str(store_path), command], env={"COLUMNS": "200"})
        for command in ("runs", "doctor")
    }
    lock.execute("rollback")
    lock.close()

    assert (told["runs"].exit_code, told["runs"].stderr) == (0, "")
    assert re.search(r"succeeded +patient .* 99999$", told["runs"].stdout, re.MULTILINE), told["runs"].stdout
    assert re.search(r"\d(\.\d+)? MB not stored yet", told["doctor"].stdout), told["doctor"].stdout
    assert "Nothing is lost" in told["doctor"].stdout
    after = CliRunner().invoke(root, ["--store", str(store_path), "runs"])
    assert (after.exit_code, after.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_common_path_makes_no_system_call(tmp_path, store_path):
    """Ten thousand calls of `log` ask the kernel for a few things (a new segment, memory), not for one each."""
    program = """
    import os, sys
    import otel_experiments as ox
    ox.configure(store=sys.argv[1], system_metrics_s=0, heartbeat_s=3600, drain_s=3600, capture_git=False)
    with ox.start_run("quiet") as run:
        for step in range(10):
            run.log({"loss": 1.0, "acc": 0.5}, step=step)
        os.getppid()
        for step in range(10_000):
            run.log({"loss": 1.0, "acc": 0.5}, step=step)
        os.getppid()
    """
    (tmp_path / "program.py").write_text(textwrap.dedent(program))
    trace = tmp_path / "trace"
    subprocess.run(
        ["strace", "-o", str(trace), sys.executable, str(tmp_path / "program.py"), str(store_path)],
        check=True, timeout=60, capture_output=True,
    )  # fmt: skip
    lines = trace.read_text().splitlines()
    first, last = (at for at, line in enumerate(lines) if line.startswith("getppid("))

    assert last - first < 200, lines[first : first + 50]
