"""A reader is whole or says what it lacks, whatever stands between it and the store."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import warnings
from contextlib import suppress
from pathlib import Path

import pytest

from otel_experiments._opening import open_reader
from otel_experiments.errors import IncompleteReadWarning

OLD = Path(__file__).parents[2] / "data" / "store_v1.db"
COUNT = 4_000  # fits into one segment of a journal

KILLED = f"""
import os, signal, sys
import otel_experiments as ox

ox.configure(store=sys.argv[1], system_metrics_s=0, capture_git=False, drain_s=3600, heartbeat_s=3600)
run = ox.start_run("killed", config={{"lr": 0.1}})
with run.stage("load"):
    pass
run.log({{"loss": 0.0}}, step=0)
run.flush()
for step in range(1, {COUNT}):
    run.log({{"loss": float(step)}}, step=step)
os.kill(os.getpid(), signal.SIGKILL)
"""

LOOK = """
import json, os, sys, warnings
sys.path.insert(0, os.getcwd())
import otel_experiments as ox
from otel_experiments._opening import open_reader
store = sys.argv[1]
READERS = {
    "ox.run": lambda: ox.run("killed", store=store).metrics["loss"].count,
    "ox.runs": lambda: ox.runs(store=store)[0].metrics["loss"].count,
    "ox.sql": lambda: ox.sql("select count from series where name = 'loss'", store=store).rows[0][0],
    "ox.experiments": lambda: 4000 * ox.experiments(store=store)[0].run_count,
    "open_reader": lambda: open_reader(store).run("killed").metrics["loss"].count,
}
found = {}
for name, read in READERS.items():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        count = read()
    found[name] = [count, [[str(one.message), one.category.__name__, one.filename] for one in told]]
print(json.dumps(found))
"""

COMMANDS = [
    ["runs", "--json"],
    ["show", "killed", "--json"],
    ["metrics", "killed", "loss", "--json"],
    ["sql", "select count from series where name = 'loss'", "--csv"],
    ["export", "points", "killed"],
]


WITHOUT_RIGHTS = ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all")
"""Takes from root what lets it write a file whose mode forbids it."""


def python(code, *arguments, check=True, wrapper=()):
    """Run a program in a process of its own."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_")}
    done = subprocess.run(
        [*wrapper, sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environ,
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done


def command(store, *arguments, wrapper=()):
    """Run the command line in a process of its own."""
    code = "import sys; from otel_experiments.cli import main; sys.argv[0] = 'otel-experiments'; main()"
    return python(code, "--store", store, *arguments, check=False, wrapper=wrapper)


def change_modes(folder, *, file_mode, folder_mode):
    """Give every file and folder below (and the folder itself) these modes."""
    for one in (folder, *folder.rglob("*")):
        one.chmod(folder_mode if one.is_dir() else file_mode)


@pytest.fixture
def killed(tmp_path):
    """Return the store of a run that was killed with one point stored and 3,999 in its journal."""
    path = tmp_path / "store" / "experiments.db"
    assert python(KILLED, path, check=False).returncode == -9
    yield path
    change_modes(path.parent, file_mode=0o600, folder_mode=0o700)


def without_rights():
    """Return what to put before a command so that modes of files bind it, root or not."""
    if os.geteuid() != 0:
        return ()
    if shutil.which(WITHOUT_RIGHTS[0]) is None:
        pytest.skip("root cannot be held by modes of files without setpriv")
    return WITHOUT_RIGHTS


def a_lock(path, request):
    """Hold the write lock."""
    lock = sqlite3.connect(path, isolation_level=None, timeout=10)
    lock.execute("begin immediate")
    request.addfinalizer(lock.close)
    return ()


def a_reading_user(path, request):
    """Be a user who may read everything and write nothing."""
    change_modes(path.parent, file_mode=0o444, folder_mode=0o555)
    return without_rights()


def a_read_only_disk(path, request):
    """Have everything on a medium that may only be read."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    for options in (("--bind",), ("-o", "remount,ro,bind")):
        place = (path.parent, path.parent) if options == ("--bind",) else (path.parent,)
        done = subprocess.run(["mount", *options, *place], capture_output=True, check=False)
        if done.returncode:
            pytest.skip("mounting is not permitted here")
        if options == ("--bind",):
            request.addfinalizer(lambda: subprocess.run(["umount", "-l", path.parent], check=True))
    return ()


def a_full_disk(path, request):
    """Move everything to a disk without room."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    aside = path.parent.with_name(f"{path.parent.name}-aside")
    shutil.copytree(path.parent, aside)
    request.addfinalizer(lambda: shutil.rmtree(aside))
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", path.parent], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("mounting is not permitted here")
    request.addfinalizer(lambda: subprocess.run(["umount", "-l", path.parent], check=True))
    shutil.copytree(aside, path.parent, dirs_exist_ok=True)
    with path.with_name("ballast").open("wb", buffering=0) as ballast, suppress(OSError):
        while ballast.write(bytes(4096)):
            pass
    return ()


def nothing(path, request):
    """Let the store be as it is."""
    return ()


OBSTACLES = [nothing, a_lock, a_reading_user, a_read_only_disk, a_full_disk]


@pytest.mark.parametrize("obstacle", OBSTACLES, ids=lambda one: one.__name__)
def test_every_reader_has_all_points_of_a_killed_run(killed, obstacle, request):
    """Locked, readable only, or on a full disk: each Python reader and each command has what the journals hold."""
    wrapper = obstacle(killed, request)

    found = json.loads(python(LOOK, killed, wrapper=wrapper).stdout)
    said = {" ".join(one): command(killed, *one, wrapper=wrapper) for one in COMMANDS}

    assert found == {name: [COUNT, []] for name in found}
    assert {line: (one.returncode, one.stderr) for line, one in said.items()} == dict.fromkeys(said, (0, ""))
    runs, show, metrics, sql, points = (one.stdout for one in said.values())
    assert json.loads(runs)["runs"][0]["metrics"][0]["count"] == COUNT
    assert json.loads(show)["metrics"][0]["count"] == COUNT
    assert json.loads(metrics)["points"]["values"] == [float(step) for step in range(COUNT)]
    assert sql.split() == ["count", str(COUNT)]
    assert len(points.splitlines()) == COUNT + 1


def test_a_reader_that_can_have_the_journals_in_no_way_says_how_much_it_lacks(killed, request, monkeypatch):
    """Locked and too large to be copied: the warning has journals, bytes, records and the reason, at the own line."""
    monkeypatch.setattr("otel_experiments.collect.gather.MOST_COPIED_BYTES", 1000)
    a_lock(killed, request)

    with pytest.warns(IncompleteReadWarning) as told, open_reader(killed) as reader:
        count = reader.run("killed").metrics["loss"].count

    (one,) = told
    assert count == 1
    assert f"{COUNT - 1} records" in str(one.message)
    assert "in 1 journal were not merged" in str(one.message)
    assert "was locked by another process" in str(one.message)
    assert one.filename == __file__


@pytest.mark.parametrize("what", ["journal", "folder"])
def test_journals_that_may_not_be_read_are_told(killed, what):
    """A user who may read the store and not its journals hears that something may be missing."""
    wrapper = without_rights()
    folder = killed.with_name("experiments.db.journals")
    (folder if what == "folder" else next(folder.iterdir())).chmod(0)

    found = json.loads(python(LOOK, killed, wrapper=wrapper).stdout)
    said = command(killed, "runs", wrapper=wrapper)

    for count, told in found.values():
        assert (count in {1, COUNT}, [category for _, category, _ in told]) == (
            True,
            ["IncompleteReadWarning"],
        )
        assert "Permission denied" in told[0][0]
    assert said.returncode == 0
    assert said.stderr.startswith("warning: What is read from"), said.stderr
    assert "Permission denied" in said.stderr


def test_after_a_reader_closes_the_one_file_holds_a_killed_run(killed, tmp_path):
    """What a reader merged is in the file itself: a copy of it alone has every point, and nothing is said."""
    with open_reader(killed) as reader:
        assert reader.run("killed").metrics["loss"].count == COUNT

    shutil.copy(killed, tmp_path / "copy.db")

    with warnings.catch_warnings(), open_reader(tmp_path / "copy.db") as reader:
        warnings.simplefilter("error")
        assert reader.run("killed").metrics["loss"].count == COUNT
    assert not killed.with_name("experiments.db-wal").exists() or (
        killed.with_name("experiments.db-wal").stat().st_size == 0
    )


def test_after_a_command_the_one_file_holds_a_killed_run(killed, tmp_path):
    """`otel-experiments runs` is enough to make the one file whole."""
    assert command(killed, "runs").returncode == 0

    shutil.copy(killed, tmp_path / "copy.db")

    assert '"count":4000' in command(tmp_path / "copy.db", "runs", "--json").stdout


def test_a_process_that_reads_itself_leaves_one_whole_file(tmp_path):
    """Readers that the recording process opened and never closed do not keep the file from being whole."""
    code = """
import sys
import otel_experiments as ox
from otel_experiments._opening import open_reader

ox.configure(store=sys.argv[1], system_metrics_s=0, capture_git=False)
kept = []
with ox.start_run("self") as run:
    for step in range(1000):
        run.log({"loss": float(step)}, step=step)
    run.flush()
    kept += [open_reader(sys.argv[1]), ox.runs(store=sys.argv[1]), ox.runs(), ox.run("self")]
    kept[1][0].metrics["loss"].points()
ox.shutdown()
import os
os._exit(0)
"""
    python(code, tmp_path / "x.db")

    shutil.copy(tmp_path / "x.db", tmp_path / "copy.db")

    assert ' "count":1000'.strip() in command(tmp_path / "copy.db", "runs", "--json").stdout


@pytest.mark.parametrize("has_earlier_runs", [False, True], ids=["first run", "later run"])
def test_a_copy_without_its_rest_says_so(killed, tmp_path, has_earlier_runs):
    """The file of a killed run, copied alone, is never taken for a store with fewer points; the doctor sees it too."""
    if has_earlier_runs:
        assert command(killed, "runs").returncode == 0
        assert python(KILLED, killed, check=False).returncode == -9
    shutil.copy(killed, tmp_path / "copy.db")

    said = command(tmp_path / "copy.db", "runs")
    looked = command(tmp_path / "copy.db", "doctor")

    assert "copied while a process recorded" in said.stderr, said
    assert "copy.db-wal" in said.stderr
    assert "copied while a process recorded" in " ".join(looked.stdout.split()), looked.stdout
    with (
        pytest.warns(IncompleteReadWarning, match="without .*-wal"),
        open_reader(tmp_path / "copy.db") as reader,
    ):
        assert reader.runs(limit=1)[0].name == "killed"


def test_the_very_beginning_of_a_store_says_what_it_lacks(tmp_path):
    """A file that has its header and no table yet is called incomplete, not missing."""
    connection = sqlite3.connect(tmp_path / "start.db")
    connection.execute("pragma journal_mode = wal")
    connection.close()

    said = command(tmp_path / "start.db", "runs")
    looked = command(tmp_path / "start.db", "doctor")

    assert said.returncode == 3
    assert "holds no runs by itself" in said.stderr
    assert looked.returncode == 3
    assert "holds no runs by itself" in " ".join(looked.stdout.split())


ITSELF = """
import json, sqlite3, subprocess, sys, warnings
import otel_experiments as ox

warnings.simplefilter("error", ox.errors.IncompleteReadWarning)
ox.configure(store=sys.argv[1], system_metrics_s=0, capture_git=False, exit_timeout_s=0.2)
run = ox.start_run("itself")
run.log({"loss": 0.0}, step=0)
run.flush()
if sys.argv[2] == "another was killed":
    assert subprocess.run([sys.executable, "-c", sys.argv[3], sys.argv[1]]).returncode == -9
else:
    lock = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
    lock.execute("begin immediate")
for step in range(1, 4000):
    run.log({"loss": float(step)}, step=step)
print(json.dumps({one.name: one.metrics["loss"].count for one in ox.runs()}))
import os
os._exit(0)
"""


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        ("another was killed", {"itself": COUNT, "killed": COUNT}),
        ("another holds the lock", {"itself": COUNT}),
    ],
)
def test_the_recording_process_reads_all_of_its_store(tmp_path, beside, expected):
    """`ox.runs()` in a process that records has what it just recorded and what others left, locked or not."""
    answer = python(ITSELF, tmp_path / "x.db", beside, KILLED)

    assert json.loads(answer.stdout) == expected


def test_a_user_who_may_only_read_reads_a_store_of_an_older_release(tmp_path):
    """A store that has to be brought up to the newest schema is brought up in memory, and stays as it is on the disk."""
    store = tmp_path / "store" / "old.db"
    store.parent.mkdir()
    shutil.copy(OLD, store)
    before = store.read_bytes()
    change_modes(store.parent, file_mode=0o444, folder_mode=0o555)

    said = command(store, "runs", "--json", wrapper=without_rights())
    change_modes(store.parent, file_mode=0o600, folder_mode=0o700)

    assert (said.returncode, said.stderr) == (0, "")
    assert json.loads(said.stdout)["total"] > 0
    assert store.read_bytes() == before


@pytest.fixture
def damaged(killed):
    """Return the store of a killed run, whose journal lost some bytes to a disk."""
    (segment,) = killed.with_name("experiments.db.journals").iterdir()
    spoilt = bytearray(segment.read_bytes())
    spoilt[60_000:60_004] = b"\xff\xff\xff\xff"
    segment.write_bytes(spoilt)
    return killed


def test_a_damaged_journal_is_reported_by_readers_and_by_the_doctor(damaged):
    """Bytes that a disk has changed cost what they held: Python and the command line say so, the doctor later too."""
    with (
        pytest.warns(IncompleteReadWarning, match="may not be whole") as told,
        open_reader(damaged) as reader,
    ):
        count = reader.run("killed").metrics["loss"].count
    (kept,) = damaged.with_name("experiments.db.journals").iterdir()
    looked = command(damaged, "doctor", "--json")

    assert COUNT - 100 < count < COUNT
    assert {one.filename for one in told} == {__file__}
    assert len(told) == 1
    assert kept.stem in str(told[0].message)
    assert "not all could be read and stored" in looked.stdout


RECORDING = """
import sys, warnings
import otel_experiments as ox

ox.configure(store=sys.argv[1], system_metrics_s=0, capture_git=False)
with ox.start_run("next"):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert len(ox.runs()) == 2
print([str(one.message) for one in told])
"""


def test_readers_after_the_merge_of_a_damaged_journal_warn_too(damaged):
    """Each later reader warns once, in Python and in each command, until the file with the damaged journal is gone."""
    assert command(damaged, "runs").returncode == 0
    (kept,) = damaged.with_name("experiments.db.journals").iterdir()
    assert kept.suffix == ".damaged"

    found = json.loads(python(LOOK, damaged).stdout)
    printed = {line[0]: command(damaged, *line).stderr for line in COMMANDS}
    recording = python(RECORDING, damaged).stdout

    for name, (count, told) in found.items():
        assert count > COUNT - 100 or name == "ox.experiments"
        assert [one[1:] for one in told] == [["IncompleteReadWarning", "<string>"]], name
        assert f"could not read all of the journal {kept.name}" in told[0][0]
    assert {name: text.count(kept.name) for name, text in printed.items()} == dict.fromkeys(printed, 1)
    assert recording.count(kept.name) == 1
    kept.unlink()
    assert command(damaged, "runs").stderr == ""


def test_a_frame_that_a_kill_cut_short_is_no_loss(killed):
    """What a process reserved and was killed before it wrote was promised to nobody: readers are silent about it."""
    (segment,) = killed.with_name("experiments.db.journals").iterdir()
    cut = bytearray(segment.read_bytes())
    end = len(bytes(cut).rstrip(b"\0"))
    cut[end - 8 : end] = bytes(8)
    segment.write_bytes(cut)

    with warnings.catch_warnings(), open_reader(killed) as reader:
        warnings.simplefilter("error")
        assert reader.run("killed").metrics["loss"].count == COUNT - 1


def test_reading_beside_a_locked_store_leaves_the_one_that_is_recorded_into(script, store_path, read):
    """A process that reads what it records, while another has the store locked, records and reads on after it."""
    body = """
    import warnings

    warnings.simplefilter("error")
    setup(exit_timeout_s=0.2, drain_s=0.01)
    with ox.start_run("r") as run:
        run.log({"loss": 1.0})
        run.flush()
        acknowledge("ready")
        sys.stdin.readline()
        run.log({"loss": 0.5})
        acknowledge(ox.runs()[0].metrics["loss"].count)
        sys.stdin.readline()
        run.log({"loss": 0.25})
        acknowledge(run.flush(timeout_s=30.0).is_stored, ox.runs()[0].metrics["loss"].count)
    """
    started = script(body)
    assert started.line() == "ready"
    lock = sqlite3.connect(store_path, isolation_level=None, timeout=10)
    lock.execute("begin immediate")
    started.tell("locked")
    during = started.line()
    lock.close()
    started.tell("free")

    assert (during, started.line()) == ("2", "True 3")
    _, err = started.end()
    assert "is closed" not in err
    assert read().run("r").metrics["loss"].count == 3
