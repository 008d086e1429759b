"""What readers say of records that wait on other hosts, for stores that several hosts write.

A second host is a process whose journals lie in another folder for state.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner

import otel_experiments as ox
from otel_experiments.cli.root import root
from otel_experiments.errors import IncompleteReadWarning
from otel_experiments.store import open_store

sys.path.append(str(Path(__file__).parent))

import postgres_server

EXAMPLE = Path(__file__).parents[2] / "examples" / "folder_store"


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL server, where there is one; else None."""
    programs = postgres_server.find_programs()
    if programs is None:
        yield None
        return
    made = postgres_server.Server(programs)
    made.start()
    yield made
    with contextlib.suppress(AssertionError):
        made.stop()
    made.remove()


@pytest.fixture(params=["folder", "postgresql"])
def address(request, server, tmp_path, monkeypatch):
    """An empty store that several hosts reach: the example's, and PostgreSQL."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "here"))
    if request.param == "postgresql":
        psycopg = pytest.importorskip("psycopg")
        if server is None:
            pytest.skip("PostgreSQL is not installed: no initdb in PATH or /usr/lib/postgresql")
        with psycopg.connect(server.address, autocommit=True) as connection:
            connection.execute("drop schema if exists otel_experiments cascade")
        yield server.address
    else:
        packages = tmp_path / "packages"
        packages.mkdir()
        shutil.copy(EXAMPLE / "folder_store.py", packages)
        about = packages / "folder_store-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: folder-store\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(
            "[otel_experiments.store]\nfolder = folder_store:open_store\n"
        )
        monkeypatch.syspath_prepend(packages)
        monkeypatch.setenv("PYTHONPATH", str(packages))
        yield f"folder://{tmp_path}/runs"
    ox.shutdown()


@pytest.fixture
def other_host(tmp_path):
    """Run a program on another host, which answers each line that it is sent when it has done what it says."""
    started = []

    def start(address, code):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code)],
            env={
                **os.environ,
                "XDG_STATE_HOME": str(tmp_path / "there"),
                "OTEL_EXPERIMENTS_STORE": address,
            },
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=60)


def losses_of(address):
    """The points of the run's loss."""
    return list(ox.run("there", store=address).metrics["loss"].points().values)


RECORDS = """
    import sys
    import otel_experiments as ox
    ox.configure(drain_s=60, capture_output="off", exit_timeout_s=0.3)
    run = ox.start_run("there")
    run.log({"loss": 0.0}, step=0)
    run.flush()
    print("stored", flush=True)
    sys.stdin.readline()
    for step in range(1, 50):
        run.log({"loss": float(step)}, step=step)
    print("recorded", flush=True)
    sys.stdin.readline()
"""


def test_a_reader_says_what_a_killed_process_of_another_host_holds(
    address, other_host, tmp_path, monkeypatch
):
    """It names the process, its host and the folder, in Python, `runs`, `show` and `doctor`, until that host has stored it."""
    process = other_host(address, RECORDS)
    assert process.stdout.readline() == "stored\n"
    print("go on", file=process.stdin, flush=True)
    assert process.stdout.readline() == "recorded\n"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert losses_of(address) == [0.0]  # it lives, and says more by itself
    process.kill()
    process.wait()

    there = tmp_path / "there" / "otel-experiments"
    with pytest.warns(IncompleteReadWarning, match=f"process {process.pid} on host") as told:
        assert losses_of(address) == [0.0]
    text = str(told[0].message)
    assert os.uname().nodename in text
    assert f"is in '{there}" in text
    for command in (["runs"], ["show", "there"], ["doctor"]):
        answer = CliRunner().invoke(root, [*command, "--store", address])
        assert f"process {process.pid} on host" in " ".join(answer.output.split()), answer.output

    with monkeypatch.context() as there_now:
        there_now.setenv("XDG_STATE_HOME", str(tmp_path / "there"))
        assert len(losses_of(address)) == 50
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(losses_of(address)) == 50


def test_a_process_that_ends_well_leaves_nothing_to_be_said(address, other_host):
    """What has ended, and what waits for its next run, holds nothing that a reader would have to name."""
    process = other_host(address, RECORDS)
    assert process.stdout.readline() == "stored\n"
    print("go on", file=process.stdin, flush=True)
    process.communicate(timeout=60)
    assert process.returncode == 0

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(losses_of(address)) == 50
    with open_store(address) as store:
        assert [report.is_open for report in store.journal_reports()] == [False]


def test_a_process_that_goes_on_without_a_run_says_that_nothing_waits(address):
    """A notebook whose run has ended may be left open for days: that is no warning on other hosts."""
    ox.configure(store=address, drain_s=60, capture_output="off")
    with ox.start_run("first") as run:
        run.log({"loss": 0.5}, step=0)
        run.flush()
        with open_store(address) as store:
            assert [report.is_open for report in store.journal_reports()] == [True]
    for _ in range(4):  # a round of the drain each
        ox.runs()

    with open_store(address) as store:
        assert [report.is_open for report in store.journal_reports()] == [False]
    with ox.start_run("second") as run:
        run.flush()
        with open_store(address) as store:
            assert [report.is_open for report in store.journal_reports()] == [True]


def test_a_server_that_went_away_first_is_told_by_other_hosts_later(address, other_host, server):
    """A process that was killed while the store was away had said where its journal is."""
    if not address.startswith("postgresql"):
        pytest.skip("a folder does not go away")
    process = other_host(address, RECORDS)
    assert process.stdout.readline() == "stored\n"
    server.stop()
    print("go on", file=process.stdin, flush=True)
    assert process.stdout.readline() == "recorded\n"
    process.communicate(timeout=60)  # it ends by itself, and its journal waits
    server.start()

    with pytest.warns(IncompleteReadWarning, match=f"process {process.pid} on host"):
        assert losses_of(address) == [0.0]
