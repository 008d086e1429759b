"""What code, packages and machine were is recorded with each run, behind the training, and read back."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

import otel_experiments as ox
from otel_experiments.cli.root import root
from otel_experiments.record.snapshot import writer
from otel_experiments.store import open_store

COMMAND = [sys.executable, "-c", "from otel_experiments.cli import main; main()"]
SCRIPT = """
import otel_experiments as ox
with ox.start_run("from script") as run:
    run.log({"loss": 0.5})
"""


@pytest.fixture
def checkout(tmp_path):
    """A checkout with a script that records a run, changed after its commit."""

    def git(*arguments):
        command = ["git", "-c", "user.name=n", "-c", "user.email=e@x", *arguments]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q")
    (tmp_path / "train.py").write_text(SCRIPT)
    git("add", ".")
    git("commit", "-qm", "first")
    (tmp_path / "train.py").write_text(
        f"{SCRIPT}# token = 'ghp_abcdefghijklmnopqrstuvwxyz0123456789'\nseed = 7\n"
    )
    return tmp_path


@pytest.fixture
def recorder(store_path):
    """Records with the environment."""
    with ox.Recorder(
        store=store_path, system_metrics_s=0, otlp=False, capture_environment=True, exit_timeout_s=120
    ) as found:
        yield found


def train(folder, **environ):
    """Run the script as a user does."""
    environment = {**os.environ, "OTEL_EXPERIMENTS_CAPTURE_ENVIRONMENT": "true", **environ}
    environment["OTEL_EXPERIMENTS_EXIT_TIMEOUT"] = "120"  # so that a busy machine has it all, too
    subprocess.run([sys.executable, "train.py"], cwd=folder, check=True, env=environment)
    return ox.run("from script", store=folder / "experiments.db")


def test_a_short_script_has_all_of_it(checkout):
    """The process waits for what is not gathered yet, so that the shortest run says what it was run from."""
    found = train(checkout, CUDA_VISIBLE_DEVICES="1", SLURM_JOB_ID="4711").snapshot

    assert found.is_dirty is True
    assert "+seed = 7" in found.patch
    assert found.packages["pytest"] == pytest.__version__
    assert "otel-experiments" in found.editable
    assert Path(found.script["path"]).name == "train.py"
    assert (
        found.script["hash"] == f"sha256:{hashlib.sha256((checkout / 'train.py').read_bytes()).hexdigest()}"
    )
    assert "untracked" not in found.git
    assert found.machine["cpu_count"] == os.cpu_count()
    assert found.variables["CUDA_VISIBLE_DEVICES"] == "1"
    assert found.job == {"slurm": {"job_id": "4711"}}


def test_no_secret_of_the_code_is_in_the_patch(checkout):
    """A token in a changed line is replaced, as everywhere."""
    patch = train(checkout).snapshot.patch

    assert "+# token = " in patch
    assert "ghp_" not in patch


def test_the_commands_print_it_for_a_person_and_for_programs(checkout):
    """`show` says what there is; `--packages` and `--patch` print what pip and git take; `--json` has everything."""
    train(checkout)

    def show(*options):
        found = CliRunner().invoke(root, ["show", "from script", *options])
        assert found.exit_code == 0, found.output
        return found.output

    page = show()
    assert "changes    1 changed file (show --patch)" in page
    assert "(show --packages)" in page
    assert f"pytest=={pytest.__version__}" in show("--packages").splitlines()
    assert show("--patch").startswith("diff --git a/train.py b/train.py\n")
    assert "+seed = 7" in json.loads(show("--json"))["snapshot"]["git"]["patch"]


def test_a_terminal_gets_no_control_characters_of_a_patch(checkout):
    """A pipe gets the patch as it is."""
    (checkout / "train.py").write_text(f"{SCRIPT}x = '\x1b[2J'\n")
    train(checkout)

    done = subprocess.run(
        [*COMMAND, "show", "from script", "--patch"], cwd=checkout, capture_output=True, check=True
    )

    assert b"\x1b[2J" in done.stdout


def test_what_is_not_recorded_is_said(recorder, store_path):
    """Without a patch, `--patch` exits as for anything that is not found; both flags at once are refused."""
    recorder.start_run("baseline").finish()
    recorder.shutdown()

    nothing = CliRunner().invoke(root, ["show", "baseline", "--patch", "--store", str(store_path)])
    both = CliRunner().invoke(root, ["show", "baseline", "--patch", "--packages", "--store", str(store_path)])

    assert nothing.exit_code == 4
    assert nothing.output.startswith(
        "No uncommitted change is recorded of this run"
    )  # and why, where there is a reason
    assert both.exit_code == 2


def test_runs_that_start_together_share_what_was_gathered(recorder, store_path, monkeypatch):
    """A sweep of small runs gathers once; each run has the whole, and can leave the store alone."""
    gathered = []
    read = writer.installed_packages
    monkeypatch.setattr(writer, "installed_packages", lambda: gathered.append(1) or read())
    for _ in range(5):
        recorder.start_run("one").finish()
    recorder.shutdown()

    snapshots = [run.snapshot.parts for run in ox.runs(store=store_path)]
    assert len(snapshots) == 5
    assert all(one == snapshots[0] != {} for one in snapshots)
    assert gathered == [1]


def test_a_run_that_leaves_its_store_alone_takes_along_what_it_shares(recorder, store_path, tmp_path):
    """The later run of two, in a bundle or an export of its own, says as before what it was run from."""
    first = recorder.start_run("first")
    first.finish()
    second = recorder.start_run("second")
    second.finish()
    recorder.shutdown()
    wanted = ox.run("second", store=store_path).snapshot.parts
    ox.bundle(second.id, tmp_path / "one.oxb", store=store_path)
    ox.export_otlp(tmp_path / "one.jsonl", second.id, store=store_path)
    for _ in range(2):
        ox.import_otlp(tmp_path / "one.jsonl", store=tmp_path / "other.db")
    ox.bundle([first.id, second.id], tmp_path / "both.oxb", store=store_path)

    for place in ("one.oxb", "other.db", "both.oxb"):
        found = ox.run("second", store=tmp_path / place)
        assert (found.snapshot.parts, found.snapshot.missing_run_id) == (wanted, ""), place
    events = [
        len(ox.run("second", store=tmp_path / one).events("ml.run.environment"))
        for one in ("other.db", "both.oxb")
    ]
    assert events == [1, 0]
    assert wanted["packages"]


def test_a_run_without_the_one_that_has_its_snapshot_says_so(recorder, store_path, tmp_path):
    """Where what two runs shared has not arrived, the page of the later one names the other."""
    first = recorder.start_run("first")
    first.finish()
    second = recorder.start_run("second")
    second.finish()
    recorder.shutdown()
    with open_store(store_path) as source, open_store(tmp_path / "other.db") as target:
        for page in source.whole_run(second.id):
            target.apply(page)

    found = ox.run("second", store=tmp_path / "other.db").snapshot
    assert (found.parts, found.missing_run_id) == ({}, first.id)
    page = CliRunner().invoke(root, ["show", "second", "--store", str(tmp_path / "other.db")]).output
    assert f"as of run {first.id[:8]}, which is not in this store" in page


def test_a_later_run_of_a_notebook_is_gathered_anew(recorder, store_path, monkeypatch):
    """Files and packages change between the runs of a process that lives for days."""
    monkeypatch.setattr(writer, "FRESH_S", 0.0)
    recorder.start_run("one").finish()
    _wait_for_thread()
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    recorder.start_run("two").finish()
    recorder.shutdown()

    assert "OMP_NUM_THREADS" not in ox.run("one", store=store_path).snapshot.variables
    assert ox.run("two", store=store_path).snapshot.variables["OMP_NUM_THREADS"] == "3"


def test_a_part_that_fails_costs_no_other_and_no_run(recorder, store_path, monkeypatch):
    """A machine of an unknown kind: the run is recorded, with what could be had."""

    def fail():
        raise RuntimeError("no such machine")

    monkeypatch.setattr(writer, "machine_facts", fail)
    with recorder.start_run("baseline") as run:
        pass
    recorder.shutdown()

    found = ox.run(run.id, store=store_path)
    assert (found.state, found.lost_count) == (ox.RunState.SUCCEEDED, 0)
    assert found.snapshot.packages
    assert found.snapshot.machine == {}


def test_without_a_thread_the_run_goes_on(recorder, store_path, monkeypatch):
    """Where the system allows no more threads there is no snapshot, and nothing else is missing."""
    start = threading.Thread.start

    def refuse(self):
        if self.name == "otel-experiments-snapshot":
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    recorder.start_run("one").finish()
    recorder.start_run("two").finish()
    recorder.shutdown()

    for name in ("one", "two"):
        found = ox.run(name, store=store_path)
        assert (found.state, found.lost_count, found.snapshot.missing_run_id) == (
            ox.RunState.SUCCEEDED,
            0,
            "",
        )


def test_switched_off_nothing_is_gathered(store_path):
    """The setting turns it off, git alone by `capture_git`."""
    with ox.Recorder(store=store_path, system_metrics_s=0, capture_environment=False) as recorder:
        recorder.start_run("off").finish()
    with ox.Recorder(
        store=store_path, system_metrics_s=0, capture_environment=True, capture_git=False
    ) as recorder:
        recorder.start_run("no git").finish()

    assert not ox.run("off", store=store_path).snapshot
    assert ox.run("no git", store=store_path).snapshot.git == {}
    assert ox.run("no git", store=store_path).snapshot.packages


def test_a_forked_child_goes_on_without_the_thread_of_its_parent(recorder, store_path):
    """A child that starts a run of its own while its parent gathers gathers itself."""
    recorder.start_run("parent").finish()
    child = os.fork()
    if child == 0:
        try:
            recorder.start_run("child").finish()
            recorder.shutdown()
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    recorder.shutdown()

    assert ox.run("parent", store=store_path).snapshot
    assert ox.run("child", store=store_path).state is ox.RunState.SUCCEEDED


def _wait_for_thread():
    for thread in threading.enumerate():
        if thread.name == "otel-experiments-snapshot":
            thread.join()
