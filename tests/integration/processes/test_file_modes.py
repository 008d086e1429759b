"""Who may read and write what recording makes: its owner, a group that shares a store, whoever the umask lets."""

import os
import stat
import subprocess
import sys

import pytest

import otel_experiments as ox
from otel_experiments.errors import ConfigurationError
from otel_experiments.store import open_store

BECOME = """
import ctypes, os, sys, tempfile
import otel_experiments as ox


def become(user, group):
    # The interpreter may lie where only root reads: everything is imported before.
    with tempfile.TemporaryDirectory() as folder:
        ox.configure(store=f"{folder}/x.db", system_metrics_s=0.0)
        with ox.start_run("warm") as run:
            run.log({"loss": 1.0})
        ox.shutdown()
        [run.metrics["loss"].count for run in ox.runs(store=f"{folder}/x.db")]
    os.setgroups([group])
    os.setgid(group)
    os.setuid(user)
"""

RECORD = (
    BECOME
    + """
umask, store, mode, user = int(sys.argv[1], 8), sys.argv[2], sys.argv[3], int(sys.argv[5])
if user:
    become(user, 60000)
os.umask(umask)
ox.configure(store=store, store_mode=mode or None, system_metrics_s=0.0, drain_s=60.0)
with ox.start_run(sys.argv[4]) as run:
    run.log({"loss": 1.0})
    run.flush()
    run.log({"loss": 2.0})
    if child := os.fork():
        os.waitpid(child, 0)
    else:
        run.log({"child": 3.0})
        os._exit(0)
    print(*(f"{path}:{os.stat(path).st_mode & 0o7777:o}" for path in sorted(
        [f"{store}{suffix}" for suffix in ("", "-wal", "-shm", ".journals")]
        + [f"{store}.journals/{name}" for name in os.listdir(f"{store}.journals")]
    )), sep="\\n")
    if len(sys.argv) > 6:
        os._exit(0)
"""
)


LOOK = (
    BECOME
    + """
become(int(sys.argv[2]), 60000)
for run in ox.runs(store=sys.argv[1]):
    print(f"{run.name}:{run.metrics['loss'].count}")
"""
)


def record(folder, *, umask="022", mode="", name="r", user=0, dies=False):
    """Record in a process of its own; return the modes of what is there while it does, by kind."""
    command = [sys.executable, "-c", RECORD, umask, folder / "experiments.db", mode, name, str(user)]
    done = subprocess.run(
        command + ["dies"] * dies, capture_output=True, text=True, check=False, timeout=120, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    modes = {}
    for line in done.stdout.split():
        path, _, found = line.rpartition(":")
        kind = "segment" if path.endswith(".oxj") else path.partition("experiments.db")[2] or "store"
        modes.setdefault(kind, set()).add(found)
    return {kind: "/".join(sorted(found)) for kind, found in modes.items()}


def all_of(file, directory):
    """Return what `record` returns where all files have one mode."""
    return {"store": file, "-wal": file, "-shm": file, "segment": file, ".journals": directory}


@pytest.mark.parametrize(
    ("umask", "mode", "expected"),
    [
        ("022", "", all_of("600", "700")),
        ("000", "", all_of("600", "700")),
        ("077", "0660", all_of("660", "770")),
        ("022", "0664", all_of("664", "775")),
        ("022", "640", all_of("640", "750")),
        ("022", "umask", all_of("644", "755")),
        ("002", "umask", all_of("664", "775")),
        ("077", "umask", all_of("600", "700")),
    ],
)
def test_a_new_store_is_for_whom_its_mode_says(umask, mode, expected, tmp_path):
    """Store, write-ahead log, index, journals and those of a forked child: the owner's alone unless a mode is given."""
    assert record(tmp_path, umask=umask, mode=mode) == expected


def test_a_store_that_is_there_keeps_its_mode_and_gives_it_to_what_is_beside_it(tmp_path):
    """A store made for a group stays the group's for all who record into it without a word; a private one private."""
    record(tmp_path, mode="0660")
    assert record(tmp_path, umask="077", name="again") == all_of("660", "770")

    (tmp_path / "experiments.db").chmod(0o644)
    found = record(tmp_path, name="third")
    assert (found["store"], found["-wal"], found["segment"]) == ("644", "644", "644")


@pytest.mark.parametrize("mode", ["0066", "777", "rw", "8", "06600", "-1", "0o1777", 0o7600, 0o44])
def test_a_mode_that_cannot_be_used_is_refused(mode, tmp_path):
    """Nobody may run a store, and its owner may read and write it."""
    with pytest.raises(ConfigurationError, match="cannot be used"):
        ox.configure(store=tmp_path / "x.db", store_mode=mode)
    assert not (tmp_path / "x.db").exists()


def test_a_store_that_is_opened_directly_is_private_too(tmp_path):
    """`open_store` makes a file for its owner, or of the mode that is asked for."""
    open_store(tmp_path / "a.db").close()
    open_store(tmp_path / "b.db", file_mode=0o640).close()

    assert stat.S_IMODE((tmp_path / "a.db").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "b.db").stat().st_mode) == 0o640


needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can record as two other users"
)


@pytest.fixture
def shared(public_folder):
    """Return a folder that two users of one group may write."""
    (folder := public_folder / "shared").mkdir()
    os.chown(folder, 54321, 60000)
    folder.chmod(0o2770)
    return folder


@needs_root
def test_two_users_of_a_group_share_a_store(shared):
    """The second user records into it, and merges what a dead process of the first has left."""
    record(shared, mode="0660", dies=True, name="of the first", user=54321)
    record(shared, umask="022", dies=True, name="of the second", user=54322)

    for user in (54321, 54322):
        command = [
            sys.executable,
            "-W",
            "error::UserWarning",
            "-c",
            LOOK,
            shared / "experiments.db",
            str(user),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=shared)
        assert done.stdout.split("\n")[:-1] == ["of the second:2", "of the first:2"], done.stderr


@needs_root
def test_what_root_records_in_the_folder_of_a_user_belongs_to_that_user(shared):
    """As a container does in a folder of the host: the user reads it afterwards, nobody else does."""
    record(shared, dies=True)

    owners = {(path.stat().st_uid, path.stat().st_gid) for path in shared.rglob("*")}
    assert owners == {(54321, 60000)}


def test_a_journal_that_is_written_again_is_private(configure_and_delete, tmp_path):
    """A segment that somebody deleted comes back with its mode."""
    modes = {stat.S_IMODE(path.stat().st_mode) for path in configure_and_delete.glob("*.oxj")}

    assert modes == {0o600}


@pytest.fixture
def configure_and_delete(tmp_path):
    """Record while the journal is deleted; return its folder."""
    pipeline = ox.configure(store=tmp_path / "x.db", drain_s=60.0, system_metrics_s=0.0)
    run = ox.start_run("r")
    run.log({"loss": 1.0})
    directory = tmp_path / "x.db.journals"
    for path in directory.iterdir():
        path.unlink()
    pipeline.keep_journal()
    yield directory
    run.finish()
    ox.shutdown()
