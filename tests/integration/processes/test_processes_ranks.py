"""Independent work stays apart, ranks of one job meet in one run, and what they were told differently is not lost."""

import json
import os
import shutil
import subprocess
import sys
import textwrap

import pytest

SRUN = {"SLURM_NTASKS": "4", "SLURM_JOB_ID": "4711", "SLURM_STEP_ID": "0"}

TRIAL = """
setup()
number = int(os.environ["SLURM_PROCID"])
sys.argv[0] = "trial.py"
with ox.start_run("trial", experiment="sweep", config={"lr": float(number)}, tags={"number": number}) as run:
    with run.stage("train"):
        for step in range(40):
            run.log({"loss": number + step / 100}, step=step)
"""


def test_independent_tasks_of_one_srun_are_runs_of_their_own(script, read):
    """`srun -n 4 python trial.py`: four runs, each with its config, tags, points and spans, none of a rank."""
    started = [script(TRIAL, **SRUN, SLURM_PROCID=str(task), SLURM_LOCALID=str(task)) for task in range(4)]
    for one in started:
        one.end()

    runs = sorted(read().runs(), key=lambda run: run.params["lr"])
    assert [run.params.flat for run in runs] == [{"lr": float(task)} for task in range(4)]
    assert [run.tags for run in runs] == [{"number": str(task)} for task in range(4)]
    for task, run in enumerate(runs):
        assert (run.name, str(run.state)) == ("trial", "succeeded")
        assert run.metrics["loss"].ranks == [0]
        assert list(run.metrics["loss"].values) == [task + step / 100 for step in range(40)]
        assert sorted(span.name for span in run.spans) == ["run sweep", "stage train"]
        assert {span.attributes["ml.span.lane"] for span in run.spans} == {"main"}
        assert [key for key in run.resource if key.startswith("ml.distributed.")] == []


RANK = """
setup(ranks="join")
rank = int(os.environ["SLURM_PROCID"])
sys.argv[0] = "train.py"
config = {"api_key": "sk-" + "q7Rk2Zp9" * 5 + str(rank), "lr": 0.1, "device": f"cuda:{rank}", "nested": {"seed": rank // 2}} | ({"only": rank} if rank > 1 else {})
tags = {"node": f"n{rank // 2}", "team": "vision"}
facts = {"seed": 10 + rank, "group": "sweep", "condition": "control" if rank else None}
with ox.start_run("job", experiment="ranks", config=config, tags=tags, **facts) as run:
    run.count(samples=1 + rank)
    for step in range(100):
        run.log({"loss": rank + step / 1000}, step=step)
        if rank > 1:
            run.log({"bubble": float(rank)}, step=step)
    run.log_params({"late": rank})
    run.set_tag("late", rank)
    acknowledge("trained")
    sys.stdin.readline()
"""


@pytest.fixture
def job(script):
    """Return the log of rank 0 of four ranks of one srun, that were told to join and told different things."""
    started = [script(RANK, **SRUN, SLURM_PROCID=str(rank), SLURM_LOCALID=str(rank)) for rank in range(4)]
    for one in started:
        assert one.line() == "trained"
    for one in reversed(started):  # rank 0 last, when it can know what the others were told
        one.tell("go on")
        _, log = one.end()
    return log


def test_series_of_ranks_are_told_apart(job, read):
    """One metric of four ranks is four series: rank 0's is shown, the others are asked for."""
    run = read().run("job")

    loss = run.metrics["loss"]
    assert (loss.rank, loss.ranks, loss.count) == (0, [0, 1, 2, 3], 100)
    assert loss.max == 0.099
    for rank in range(4):
        assert list(loss.points(rank=rank).values) == [rank + step / 1000 for step in range(100)]
        assert list(loss.points(rank=rank).steps) == list(range(100))
    assert len(loss.points(rank="all")) == 400
    assert (run.metrics["bubble"].rank, run.metrics["bubble"].ranks) == (2, [2, 3])
    assert run.resource["ml.distributed.rank"] == 0


def test_instruments_of_ranks_are_told_apart_by_their_resource(job, read):
    """Counters and system metrics are each process's own: its resource has the rank, no data point has."""
    reader = read()
    points = reader.store.instrument_points(run_id=reader.run("job").id, name="ml.training.samples")

    counted = {point.resource.attributes["ml.distributed.rank"]: point.value for point in points}
    assert counted == {rank: 1 + rank for rank in range(4)}
    assert all("ml.distributed.rank" not in point.attributes for point in points)


def test_what_ranks_were_told_differently_is_kept_and_said(job, read):
    """The run has rank 0's config and tags; the log of rank 0 names what differs, a reader shows every value."""
    run = read().run("job")

    assert run.params.flat == {
        "api_key": "<redacted>", "lr": 0.1, "device": "cuda:0", "nested.seed": 0, "only": 2, "late": 0,
    }  # fmt: skip
    assert run.tags == {"node": "n0", "team": "vision", "late": "0"}
    assert {(one.kind, one.key): dict(one.others) for one in run.rank_differences} == {
        ("param", "device"): {1: "cuda:1", 2: "cuda:2", 3: "cuda:3"},
        ("param", "late"): {1: 1, 2: 2, 3: 3},
        ("param", "nested.seed"): {2: 1, 3: 1},
        ("param", "only"): {3: 3},
        ("tag", "late"): {1: "1", 2: "2", 3: "3"},
        ("tag", "node"): {2: "n1", 3: "n1"},
        ("fact", "seed"): {1: 11, 2: 12, 3: 13},
        ("fact", "condition"): {1: "control", 2: "control", 3: "control"},
    }
    assert job.count("were given different values") == 1
    assert "q7Rk2Zp9" not in job
    for named in ("device = 'cuda:0', but", "nested.seed = 0, but 1 on 2 ranks (2, 3)", "tag node = 'n0'"):
        assert named in job
    assert "lr" not in job.partition("were given different values")[2].partition(";")[0]


def test_show_names_what_ranks_were_told_differently(job, store_path):
    """`show` has a section of its own for it, and `--json` a key."""
    command = [sys.executable, "-c", "from otel_experiments.cli import main; main()", "show", "job"]
    command += ["--store", str(store_path)]
    environ = {**os.environ, "COLUMNS": "120"}
    shown = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    found = json.loads(
        subprocess.run([*command, "--json"], env=environ, capture_output=True, timeout=60, check=True).stdout
    )

    assert "ranks were started with different values" in shown
    assert "device = 'cuda:0', but 'cuda:1' on rank 1" in shown
    assert found["rank_differences"][0] == {
        "kind": "param", "key": "device", "value": "cuda:0",
        "others": {"1": "cuda:1", "2": "cuda:2", "3": "cuda:3"},
    }  # fmt: skip


WORKERS = """
rank = int(os.environ["RANK"])

def work(number):
    for step in range(20):
        ox.log({"loss": rank + number / 10}, step=step)
    ox.log_params({"by_worker": rank})
    with ox.current_run().stage(f"piece of {rank}"):
        pass

if __name__ == "__main__":
    setup()
    with ox.start_run("fleet") as run:
        context = multiprocessing.get_context(sys.argv[2])
        environ = run.environment()
        args = (environ,) if sys.argv[2] == "spawn" else ({},)
        with context.Pool(1, initializer=begin, initargs=args) as pool:
            pool.map(work, range(3))
            pool.close()
            pool.join()
        run.log({"loss": rank + 0.5})
"""
BEGIN = """
def begin(environ):
    if environ:
        ox.worker_init(environ)
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_what_workers_of_a_rank_record_is_that_ranks(script, read, method):
    """Forked and spawned workers write into the series, lanes and params of the rank that started them."""
    text = f"import sys\nsys.argv[2:] = [{method!r}]\nsys.argv[0] = 'train.py'\n{BEGIN}{WORKERS}"
    started = [
        script(text, RANK=str(rank), WORLD_SIZE="2", OTEL_EXPERIMENTS_JOB_ID="job") for rank in range(2)
    ]
    for one in started:
        one.end()

    run = read().run("fleet")
    loss = run.metrics["loss"]
    assert loss.ranks == [0, 1]
    for rank in range(2):
        found = sorted(set(loss.points(rank=rank).values))
        assert (len(loss.points(rank=rank)), found) == (61, [rank + n for n in (0.0, 0.1, 0.2, 0.5)])
    assert run.params["by_worker"] == 0
    assert {
        span.attributes["ml.span.lane"].rsplit("child-")[0] for span in run.spans if "piece" in span.name
    } == {"rank0/", "rank1/"}


GROUP = """
import torch, torch.distributed as dist
sys.argv[0] = "train.py"
rank = int(os.environ["SLURM_PROCID"])
setup()
dist.init_process_group("gloo", init_method="file://" + sys.argv[1] + ".group", rank=rank, world_size=2)
with ox.start_run("grouped") as run:
    total = torch.tensor([1.0])
    dist.all_reduce(total)
    run.log({"total": total, "rank": rank})
dist.destroy_process_group()
"""


def test_tasks_of_srun_with_a_process_group_of_torch_are_ranks(script, read):
    """`srun` and torch.distributed with an initialised gloo group: one run, with nothing asked for."""
    pytest.importorskip("torch", reason="torch is not installed")
    environ = {**SRUN, "SLURM_NTASKS": "2"}
    started = [script(GROUP, **environ, SLURM_PROCID=str(rank), SLURM_LOCALID=str(rank)) for rank in range(2)]
    for one in started:
        one.end()

    (run,) = read().runs()
    assert run.metrics["rank"].ranks == [0, 1]
    assert [list(run.metrics["rank"].points(rank=rank).values) for rank in range(2)] == [[0.0], [1.0]]
    assert list(run.metrics["total"].values) == [2.0]


LATE = """
import torch.distributed as dist
sys.argv[0] = "train.py"
rank = int(os.environ["SLURM_PROCID"])
setup()
with ox.start_run("early") as run:
    dist.init_process_group("gloo", init_method="file://" + sys.argv[1] + ".group", rank=rank, world_size=2)
    deadline = time.monotonic() + 60
    while rank and ranks._is_watching and time.monotonic() < deadline:
        time.sleep(0.02)
dist.destroy_process_group()
"""


def test_a_process_group_that_comes_after_the_run_is_said_by_the_ranks_above_0(script, read):
    """The runs stay apart, and the log of rank 1 says why and what to do; rank 0 may well be the only one to record."""
    pytest.importorskip("torch", reason="torch is not installed")
    environ = {**SRUN, "SLURM_NTASKS": "2"}
    text = f"from otel_experiments.record.base import ranks\n{LATE}"
    started = [script(text, **environ, SLURM_PROCID=str(rank)) for rank in range(2)]
    logs = [one.end()[1] for one in started]

    assert len(read().runs()) == 2
    assert logs[0] == ""
    assert logs[1].count("rank 1 of a process group of 2 that came after the run had started") == 1


def test_a_run_that_only_another_rank_starts_has_a_name(script, read):
    """Rank 3 alone starts a run: it is found by its name, with its points and its config."""
    environ = {"RANK": "3", "WORLD_SIZE": "4", "OTEL_EXPERIMENTS_JOB_ID": "job"}
    script(
        "setup()\nwith ox.start_run('debug', config={'lr': 1}) as run: run.log({'a': 1.0})", **environ
    ).end()

    run = read().run("debug")
    assert (run.experiment, run.params.flat, str(run.state)) == ("default", {"lr": 1}, "pending")
    assert run.metrics["a"].ranks == [3]


def run_launcher(command, tmp_path):
    """Run a launcher with the program that it starts, in a clean environment; return the finished process."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "SLURM_"))}
    return subprocess.run(
        command, env=clean, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False
    )


TORCHRUN = """
import os, sys
import otel_experiments as ox
ox.configure(store=sys.argv[1], capture_git=False, system_metrics_s=0, drain_s=0.05)
rank, restart = int(os.environ["RANK"]), int(os.environ["TORCHELASTIC_RESTART_COUNT"])
with ox.start_run("torchrun", config={"restart": restart}) as run:
    run.log({"loss": float(rank)})
    if restart == 0 and len(sys.argv) > 2:
        raise SystemExit("a node went away")
"""


@pytest.mark.parametrize("restarts", [0, 1])
def test_the_ranks_of_torchrun_make_one_run_for_each_restart(tmp_path, store_path, read, restarts):
    """Real torchrun: two ranks, one run; after an elastic restart the next attempt is a run of its own."""
    pytest.importorskip("torch", reason="torch is not installed")
    program = tmp_path / "train.py"
    program.write_text(TORCHRUN)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0"]
    launcher += ["--max-restarts", str(restarts), "--monitor-interval", "0.1"]
    done = run_launcher([*launcher, str(program), str(store_path), *["fail"] * restarts], tmp_path)
    assert done.returncode == 0, done.stderr

    runs = read().runs(order="created")
    assert [run.params["restart"] for run in runs] == list(range(restarts + 1))
    assert str(runs[-1].state) == "succeeded"
    assert runs[-1].metrics["loss"].ranks == [0, 1]
    assert list(runs[-1].metrics["loss"].points(rank="all").values) in [[0.0, 1.0], [1.0, 0.0]]


MPI = """
import sys
{imports}
import otel_experiments as ox
ox.configure(store=sys.argv[1], capture_git=False, system_metrics_s=0, drain_s=0.05)
with ox.start_run("mpi") as run:
    run.log({{"loss": 1.0}})
"""


@pytest.mark.parametrize(("imports", "runs", "ranks"), [("from mpi4py import MPI", 1, [0, 1]), ("", 2, [0])])
def test_what_mpiexec_starts_are_ranks_where_mpi_is_used(tmp_path, store_path, read, imports, runs, ranks):
    """Real mpiexec: two processes that initialise MPI are one run, two that never touch it are two."""
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    launcher = shutil.which("mpiexec", path=os.path.dirname(sys.executable))  # noqa: PTH120 - not resolved
    if launcher is None:
        pytest.skip("there is no mpiexec beside this Python")
    program = tmp_path / "train.py"
    program.write_text(MPI.format(imports=imports))
    done = run_launcher([launcher, "-n", "2", sys.executable, str(program), str(store_path)], tmp_path)
    assert done.returncode == 0, done.stderr

    found = read().runs()
    assert len(found) == runs
    assert {str(run.state) for run in found} == {"succeeded"}
    assert found[0].metrics["loss"].ranks == ranks


def test_a_program_that_a_rank_starts_has_that_ranks_lanes(script, read):
    """A process that joins by the environment alone is of the rank that started it, and no other's lane is its own."""
    body = """
    import subprocess

    CODE = '''
    import otel_experiments as ox
    with ox.start_run("a name of its own") as run, run.trace("piece"):
        pass
    '''

    sys.argv[0] = "train.py"
    setup()
    with ox.start_run("fleet") as run:
        env = {**os.environ, **run.environment(), "OTEL_EXPERIMENTS_SYSTEM_METRICS": "0"}
        subprocess.run([sys.executable, "-c", textwrap.dedent(CODE)], env=env, check=True)
    """
    started = [
        script(
            f"import textwrap\n{textwrap.dedent(body)}",
            RANK=str(rank), WORLD_SIZE="2", OTEL_EXPERIMENTS_JOB_ID="job",
        )
        for rank in range(2)
    ]  # fmt: skip
    for one in started:
        one.end()

    lanes = sorted(
        span.attributes["ml.span.lane"] for span in read().run("fleet").spans if "piece" in span.name
    )
    assert [lane.partition("/")[0] for lane in lanes] == ["rank0", "rank1"]
