"""On a network filesystem the journals stay the truth: nobody writes SQLite there, readers gather."""

import subprocess
import sys

import pytest

import otel_experiments as ox
from otel_experiments._opening import open_reader
from otel_experiments.errors import ConfigurationError, StoreNotFoundError
from otel_experiments.store.filesystem import filesystem_of, is_network_filesystem

TRAIN = """
import sys
import otel_experiments as ox

ox.configure(store="shared.db", network_filesystem=True, system_metrics_s=0)
with ox.start_run(sys.argv[1], config={"lr": 0.1}) as run:
    for step in range(100):
        run.log({"loss": 1 / (step + 1)}, step=step)
"""


def test_runs_of_several_processes_stay_in_journals_and_are_gathered(tmp_path):
    """No SQLite file is made; each reader sees every point once, however often it reads."""
    for name in ("one", "two"):
        subprocess.run([sys.executable, "-c", TRAIN, name], cwd=tmp_path, check=True, timeout=60)

    assert not (tmp_path / "shared.db").exists()
    for _ in range(2):
        with open_reader(tmp_path / "shared.db", is_network=True) as reader:
            found = {run.name: (str(run.state), len(run.metrics["loss"].points())) for run in reader.runs()}
        assert found == {"one": ("succeeded", 100), "two": ("succeeded", 100)}


def test_a_process_reads_what_it_records_there(tmp_path):
    """`ox.run` in the recording process gathers as well."""
    ox.configure(store=tmp_path / "shared.db", network_filesystem=True, system_metrics_s=0)
    try:
        with ox.start_run("here") as run:
            run.log({"loss": 1.0})
            assert ox.run("here").state == "running"
        assert ox.run("here").metrics["loss"].last == 1.0
    finally:
        ox.shutdown()


KEEP = """
import sys
import otel_experiments as ox

ox.configure(store="shared.db", network_filesystem=True, system_metrics_s=0)
with ox.start_run(sys.argv[1], experiment="digits") as run:
    for line in sys.stdin:
        run.log_artifact(line.strip().encode(), name="model")
        print("kept", flush=True)
"""


def test_versions_there_keep_their_numbers_when_others_are_logged(tmp_path):
    """Two hosts that log in turn, the first again after the second: each digest is the version that it was at first."""
    hosts = [
        subprocess.Popen(
            [sys.executable, "-c", KEEP, name],
            cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for name in ("one", "two")
    ]  # fmt: skip

    def keep(host: int, text: str) -> None:
        hosts[host].stdin.write(f"{text}\n")
        hosts[host].stdin.flush()
        assert hosts[host].stdout.readline() == "kept\n"

    def versions() -> list[tuple[int, bytes]]:
        with open_reader(tmp_path / "shared.db", is_network=True) as reader:
            return [(one.version, one.read_bytes()) for one in reader.artifacts(name="model")]

    told = []
    try:
        for host, text in enumerate(["a", "b", "c", "d"]):
            keep(host % 2, text)
            told.append(versions())
        keep(0, "a")
        assert [one.version for one in _latest(tmp_path)] == [0]
    finally:
        for host in hosts:
            host.communicate(timeout=60)

    whole = [(0, b"a"), (1, b"b"), (2, b"c"), (3, b"d")]
    assert told == [whole[: count + 1] for count in range(4)]


def _latest(folder):
    with open_reader(folder / "shared.db", is_network=True) as reader:
        return [reader.artifact("digits/model:latest")]


def test_the_command_line_gathers_where_the_setting_says_so(tmp_path):
    """The setting that made the journals reads them."""
    subprocess.run([sys.executable, "-c", TRAIN, "one"], cwd=tmp_path, check=True, timeout=60)
    program = "import sys; from otel_experiments.cli import main; sys.argv[0] = 'otel-experiments'; main()"

    done = subprocess.run(
        [sys.executable, "-c", program, "--store", "shared.db", "runs"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={
            "OTEL_EXPERIMENTS_NETWORK_FILESYSTEM": "1",
            "COLUMNS": "80",
            "PATH": "/usr/bin",
            "LC_ALL": "C.UTF-8",
        },
    )

    assert (done.returncode, "1 of 1 run" in done.stdout) == (0, True), done.stderr


def test_reading_judges_the_settings_that_it_uses(tmp_path, monkeypatch):
    """A wrong value of a variable that only recording uses keeps nobody from reading; one that readers use is told."""
    with ox.Recorder(store=tmp_path / "x.db") as recorder, recorder.start_run("first"):
        pass

    monkeypatch.setenv("OTEL_EXPERIMENTS_DRAIN", "often")
    found = ox.runs(store=tmp_path / "x.db")
    monkeypatch.setenv("OTEL_EXPERIMENTS_NETWORK_FILESYSTEM", "perhaps")
    with pytest.raises(
        ConfigurationError, match="OTEL_EXPERIMENTS_NETWORK_FILESYSTEM='perhaps' cannot be used"
    ):
        ox.runs(store=tmp_path / "x.db")

    assert [run.name for run in found] == ["first"]


def test_without_journals_there_is_no_store(tmp_path):
    """Nothing recorded reads as no store, and nothing is made."""
    with pytest.raises(StoreNotFoundError):
        open_reader(tmp_path / "none.db", is_network=True)

    assert list(tmp_path.iterdir()) == []


def test_a_network_filesystem_is_told_by_the_mounts(tmp_path):
    """The longest mount point that holds the folder decides; a folder that is not there yet counts as well."""
    mounts = tmp_path / "mounts"
    mounts.write_text(
        f"disk / ext4 rw 0 0\nserver:/x {tmp_path}/nfs\\040share nfs4 rw 0 0\nd {tmp_path}/nfs\\040share/in ext4 rw 0 0\n"
    )

    assert filesystem_of(tmp_path / "nfs share" / "runs", mounts=mounts) == "nfs4"
    assert is_network_filesystem(tmp_path / "nfs share" / "runs", mounts=mounts)
    assert not is_network_filesystem(tmp_path / "nfs share" / "in" / "runs", mounts=mounts)
    assert not is_network_filesystem(tmp_path, mounts=tmp_path / "missing")
