"""Which processes record one run together: launchers, process groups and what the user asks for."""

import itertools
import os
import subprocess
import sys

import pytest

import otel_experiments as ox
from otel_experiments.errors import ConfigurationError
from otel_experiments.record.base import ranks

TORCHRUN = {
    "RANK": "2", "LOCAL_RANK": "2", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "4", "MASTER_ADDR": "box",
    "MASTER_PORT": "29500", "TORCHELASTIC_RUN_ID": "none", "TORCHELASTIC_RESTART_COUNT": "0",
}  # fmt: skip
SRUN = {
    "SLURM_PROCID": "2", "SLURM_LOCALID": "2", "SLURM_NTASKS": "4", "SLURM_JOB_ID": "4711", "SLURM_STEP_ID": "0",
}  # fmt: skip
MPIRUN = {
    "OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_LOCAL_RANK": "2", "OMPI_COMM_WORLD_SIZE": "4",
    "PMIX_NAMESPACE": "prterun-box-4711@1",
}  # fmt: skip
MPIEXEC = {"PMI_RANK": "2", "PMI_SIZE": "4", "MPI_LOCALRANKID": "2", "MPI_LOCALNRANKS": "4"}
PYTORCH_JOB = {"RANK": "2", "WORLD_SIZE": "4", "MASTER_ADDR": "train-master-0", "MASTER_PORT": "23456"}
RANK_ALONE = {"RANK": "2"}
RANK_BY_ACCIDENT = {"RANK": "2", "WORLD_SIZE": "4"}
INDEXED_JOB = {"JOB_COMPLETION_INDEX": "2", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}
GIVEN = {"OTEL_EXPERIMENTS_JOB_ID": "job-1"}

# (what the environment says, whether ranks are joined: by themselves, when asked for)
LAUNCHED = {
    "torchrun": (TORCHRUN, True, True),
    "torchrun with an id": ({**TORCHRUN, "TORCHELASTIC_RUN_ID": "j"}, True, True),
    "torchrun, elastic restart": ({**TORCHRUN, "TORCHELASTIC_RESTART_COUNT": "2"}, True, True),
    "torchrun inside of srun": ({**SRUN, **TORCHRUN}, True, True),
    "torchrun of one process inside of srun": ({**SRUN, **TORCHRUN, "RANK": "0", "WORLD_SIZE": "1"}, False, True),
    "PyTorchJob of Kubernetes": (PYTORCH_JOB, True, True),
    "indexed job of Kubernetes": (INDEXED_JOB, False, False),
    "srun": (SRUN, False, True),
    "srun with a name for the job": ({**SRUN, **GIVEN}, True, True),
    "a batch script outside of srun": ({**SRUN, "SLURM_STEP_ID": ""}, False, False),
    "mpirun of Open MPI": (MPIRUN, False, True),
    "mpiexec of MPICH": (MPIEXEC, False, True),
    "mpiexec of MPICH on several machines": ({**MPIEXEC, "MPI_LOCALNRANKS": "2"}, False, False),
    "RANK alone": (RANK_ALONE, False, False),
    "RANK and WORLD_SIZE by accident": (RANK_BY_ACCIDENT, False, False),
    "RANK and WORLD_SIZE with a name for the job": ({**RANK_BY_ACCIDENT, **GIVEN}, True, True),
    "RANK that is no number": ({**TORCHRUN, "RANK": "first"}, False, False),
    "RANK beyond the world": ({**TORCHRUN, "RANK": "4"}, False, False),
    "a world of one": ({**TORCHRUN, "RANK": "0", "WORLD_SIZE": "1"}, False, False),
    "a name for the job and no number": (GIVEN, False, False),
    "nothing": ({}, False, False),
}  # fmt: skip


@pytest.fixture(autouse=True)
def first_runs():
    """Count runs from the first one, and leave the count as it was."""
    before = ranks._started.copy()
    ranks._started.clear()
    ranks._told_already.clear()
    yield
    ranks._started.clear()
    ranks._started.update(before)


@pytest.mark.parametrize("mode", ["auto", "join", "separate"])
@pytest.mark.parametrize("launched", LAUNCHED)
def test_ranks_record_one_run_where_they_are_one_job_or_it_is_asked_for(launched, mode):
    """A launcher of torch, or a name that the user gives to the job, makes ranks; other numbers only when asked."""
    environ, by_itself, when_asked = LAUNCHED[launched]

    found = ranks.find_rank(environ, "e", "n", mode)

    assert (found is not None) == {"auto": by_itself, "join": when_asked, "separate": False}[mode]
    if found is not None:
        assert (found.number, found.place.world_size) == (2, 4)


def all_ranks(environ, count=4):
    """Return the ids that each of `count` ranks derives from the same environment."""
    rank_variables = {"RANK", "LOCAL_RANK", "SLURM_PROCID", "SLURM_LOCALID", "PMI_RANK", "MPI_LOCALRANKID"}
    rank_variables |= {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK"}
    found = []
    for rank in range(count):
        ranks._started.clear()
        told = {name: str(rank) if name in rank_variables else value for name, value in environ.items()}
        place = ranks.find_rank(told, "e", "n", "join")
        assert place.number == rank
        found.append((place.run_id, place.root_span_id))
    return found


@pytest.mark.parametrize("launched", [name for name, (_, _, asked) in LAUNCHED.items() if asked])
def test_all_ranks_of_a_job_derive_the_same_run(launched):
    """Whatever the launcher, ranks 0 to 3 agree without talking to each other."""
    environ, _, _ = LAUNCHED[launched]
    if "of one process" in launched:
        environ = SRUN

    assert len(set(all_ranks(environ))) == 1


DIFFERENT_JOBS = {
    "another step": (SRUN, {"SLURM_STEP_ID": "1"}),
    "another job": (SRUN, {"SLURM_JOB_ID": "4712"}),
    "an array task that was queued again": (SRUN, {"SLURM_RESTART_COUNT": "1"}),
    "another --rdzv-id": ({**TORCHRUN, "TORCHELASTIC_RUN_ID": "a"}, {"TORCHELASTIC_RUN_ID": "b"}),
    "an elastic restart": (TORCHRUN, {"TORCHELASTIC_RESTART_COUNT": "1"}),
    "another machine": (TORCHRUN | {"LOCAL_WORLD_SIZE": "2"}, {"MASTER_ADDR": "other"}),
    "another port": (TORCHRUN, {"MASTER_PORT": "29501"}),
    "torchruns side by side in one srun": ({**SRUN, **TORCHRUN}, {"MASTER_PORT": "29501"}),
    "one torchrun after the other in one allocation": (
        {**SRUN, **TORCHRUN, "LOCAL_WORLD_SIZE": "2"}, {"SLURM_STEP_ID": "1"},
    ),
    "another mpirun": (MPIRUN, {"PMIX_NAMESPACE": "prterun-box-4712@1"}),
    "another mpirun in one step of srun": ({**SRUN, **MPIRUN}, {"PMIX_NAMESPACE": "prterun-box-4712@1"}),
    "another name for the job": ({**SRUN, **GIVEN}, {"OTEL_EXPERIMENTS_JOB_ID": "job-2"}),
}  # fmt: skip


@pytest.mark.parametrize("kind", DIFFERENT_JOBS)
def test_different_jobs_never_derive_the_same_run(kind):
    """What tells two jobs apart in time or space makes two runs."""
    environ, change = DIFFERENT_JOBS[kind]

    assert all_ranks(environ)[0] != all_ranks({**environ, **change})[0]


def test_ranks_agree_on_every_run_that_they_start():
    """Same experiment, name and turn: same run; anything else: another run."""

    def ids(rank):
        ranks._started.clear()
        environ = {**TORCHRUN, "RANK": str(rank)}
        found = [ranks.find_rank(environ, *names) for names in [("e", "n"), ("e", "n"), ("f", None)]]
        return [place.run_id for place in found]

    assert ids(0) == ids(1)
    assert len(set(ids(0))) == 3


def test_what_separates_is_not_counted():
    """A run that a rank starts for itself shifts none of those that it starts with the others."""
    alone = ranks.find_rank(TORCHRUN, "e", "n", "separate")
    after = ranks.find_rank(TORCHRUN, "e", "n")
    ranks._started.clear()

    assert alone is None
    assert after == ranks.find_rank(TORCHRUN, "e", "n")


def test_a_job_without_a_name_is_told_how_to_give_it_one(caplog):
    """Ranks that cannot agree record runs of their own, and the log names the variable that helps."""
    for _ in range(2):
        assert ranks.find_rank(RANK_BY_ACCIDENT, "e", "n", "join") is None
    assert caplog.text.count("rank 2 of 4") == 1
    assert "Set OTEL_EXPERIMENTS_JOB_ID" in caplog.text


WRAPPED = """
import json, os, sys
sys.argv[0] = "train.py"
from otel_experiments.record.base import ranks
print(json.dumps(ranks.find_rank(os.environ, "e", "n").run_id))
"""


def test_a_script_between_launcher_and_program_changes_nothing(tmp_path):
    """Ranks started through a shell of their own, which stays, have one launcher all the same."""
    found = []
    for rank, is_wrapped in itertools.product(range(2), [False, True]):
        command = [sys.executable, "-c", WRAPPED]
        if is_wrapped:
            command = ["sh", "-c", '"$@"; exit $?', "sh", *command]
        environ = {**os.environ, **TORCHRUN, "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
        environ["LOCAL_WORLD_SIZE"] = "2"
        found.append(subprocess.check_output(command, env=environ, cwd=tmp_path, timeout=60))

    assert len(set(found)) == 1


def test_a_mode_that_is_none_is_refused(configure, monkeypatch):
    """As an argument of a run, as a setting and as a variable; the error lists the modes."""
    configure()
    with pytest.raises(
        ConfigurationError, match="ranks='all' cannot be used: it is none of auto, join, separate"
    ):
        ox.start_run("r", ranks="all")
    with pytest.raises(ConfigurationError, match="ranks='all' cannot be used"):
        configure(ranks="all")
    monkeypatch.setenv("OTEL_EXPERIMENTS_RANKS", "all")
    with pytest.raises(ConfigurationError, match="OTEL_EXPERIMENTS_RANKS='all' cannot be used"):
        configure()


@pytest.mark.parametrize("how", ["argument", "setting", "variable", "init"])
def test_separate_is_asked_for_in_every_place(configure, monkeypatch, read, how):
    """The argument of a run, the setting and the variable keep a rank's run its own, with nothing of ranks in it."""
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    if how == "variable":
        monkeypatch.setenv("OTEL_EXPERIMENTS_RANKS", "separate")
    configure(**({"ranks": "separate"} if how == "setting" else {}))
    if how == "init":
        run = ox.init("trials", name="trial", ranks="separate")
    else:
        run = ox.start_run("trial", **({"ranks": "separate"} if how == "argument" else {}))
    run.log({"loss": 1.0})
    run.finish()

    stored = read("trial")
    assert (stored.id, str(stored.state)) == (run.id, "succeeded")
    assert stored.metrics["loss"].ranks == [0]
    assert [key for key in stored.resource if key.startswith("ml.distributed.")] == []
    assert {span.attributes["ml.span.lane"] for span in stored.spans} == {"main"}
