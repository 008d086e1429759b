"""Threads, tasks and many processes on one store: nothing is lost, nothing gets into another's run."""

import pytest


def test_threads_without_context_record_into_the_only_active_run(script, read, points):
    """Points and spans of threads that know of no run go into the one that is active, under its root."""
    body = """
    setup()

    @ox.trace
    def piece():
        pass

    def loop(number):
        for step in range(500):
            ox.log({f"t{number}": step}, step=step)
            ox.log({"all": step})
        piece()

    with ox.start_run("threads") as run:
        threads = [threading.Thread(target=loop, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    """
    script(body).end()

    reader = read()
    run = reader.run("threads")
    found = points(reader, run)
    assert len(found.pop("all")) == 4000
    assert found == {f"t{i}": [(float(s), float(s)) for s in range(500)] for i in range(8)}
    rows = reader.sql("select name, parent_span_id, span_id from spans order by start_ns").rows
    (root,) = [span for name, _, span in rows if name.startswith("run")]
    pieces = [parent for name, parent, _ in rows if "piece" in name]
    assert pieces == [root] * 8


def test_tasks_of_two_runs_never_mix(script, read, points):
    """Two runs in one event loop, their tasks interleaved at every step, keep their points and spans apart."""
    body = """
    import asyncio
    setup()

    async def loop(number):
        for step in range(200):
            ox.log({"loss": number * 1000 + step}, step=step)
            async with ox.current_run().trace(f"step of {number}"):
                await asyncio.sleep(0)

    async def train(number):
        with ox.start_run(f"run {number}", parent=None):
            await asyncio.gather(loop(number), asyncio.create_task(loop(number)))

    async def main():
        await asyncio.gather(train(1), train(2))

    asyncio.run(main())
    """
    script(body).end()

    reader = read()
    for number in (1, 2):
        run = reader.run(f"run {number}")
        expected = [(float(s), float(number * 1000 + s)) for s in range(200)]
        assert sorted(points(reader, run)["loss"]) == sorted(expected * 2)
        rows = reader.sql(
            "select s.name, count(*) from spans s where lower(s.trace_id) = ? or hex(s.trace_id) = ? group by 1",
            [run.id, run.id.upper()],
        ).rows
        assert dict(rows) == {"run default": 1, f"step of {number}": 400}


@pytest.mark.parametrize("count", [4, 16])
def test_processes_that_start_at_once_on_a_new_store_lose_nothing(count, script, read, points, store_path):
    """Processes that make the store together, at the same moment, all record into it, each into its own run."""
    body = """
    import otel_experiments.record.run.run, otel_experiments.store
    acknowledge("ready")
    sys.stdin.readline()
    setup()
    with ox.start_run(f"job {os.getpid()}", experiment="fleet", config={"pid": os.getpid()}) as run:
        for step in range(2000):
            run.log({"loss": 1 / (step + 1), "pid": os.getpid()}, step=step)
        with run.stage("last"):
            pass
    """
    started = [script(body) for _ in range(count)]
    for one in started:
        one.line()
    assert not store_path.exists()
    for one in started:
        one.tell("go")
    errors = [one.end()[1] for one in started]

    assert errors == [""] * count
    reader = read()
    runs = reader.runs(experiment="fleet")
    assert sorted(run.name for run in runs) == sorted(f"job {one.process.pid}" for one in started)
    for run in runs:
        pid = float(run.name.split()[1])
        expected = {
            "loss": [(float(s), 1 / (s + 1)) for s in range(2000)],
            "pid": [(float(s), pid) for s in range(2000)],
        }
        assert points(reader, run) == expected
        assert run.state == "succeeded"
    rows = reader.sql("select name, count(*) from spans where end_ns is not null group by 1").rows
    assert dict(rows) == {"run fleet": count, "stage last": count}


JOBS = {
    "torchrun": lambda rank: {
        "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 4, "LOCAL_WORLD_SIZE": 4,
        "TORCHELASTIC_RUN_ID": "none", "TORCHELASTIC_RESTART_COUNT": 0,
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": 29500,
    },
    "torchrun on two machines": lambda rank: {
        "RANK": rank, "LOCAL_RANK": rank % 2, "WORLD_SIZE": 4, "LOCAL_WORLD_SIZE": 2,
        "TORCHELASTIC_RUN_ID": "job-77", "MASTER_ADDR": "10.0.0.1", "MASTER_PORT": 29500,
    },
    "SLURM, asked for": lambda rank: {
        "SLURM_PROCID": rank, "SLURM_LOCALID": rank, "SLURM_NTASKS": 4, "SLURM_JOB_ID": 4711, "SLURM_STEP_ID": 0,
        "OTEL_EXPERIMENTS_RANKS": "join",
    },
    "Open MPI, with a name for the job": lambda rank: {
        "OTEL_EXPERIMENTS_JOB_ID": "job-1",
        "OMPI_COMM_WORLD_RANK": rank, "OMPI_COMM_WORLD_LOCAL_RANK": rank, "OMPI_COMM_WORLD_SIZE": 4,
        "PMIX_NAMESPACE": "prterun-box-4711@1",
    },
}  # fmt: skip

RANK = """
setup()
with ox.start_run("job", experiment="ranks", config={"lr": 0.1}) as run:
    rank = int(os.environ.get("RANK", os.environ.get("SLURM_PROCID", os.environ.get("OMPI_COMM_WORLD_RANK"))))
    with run.stage("train"):
        for step in range(300):
            run.log({f"rank{rank}": step / 3}, step=step)
    acknowledge("trained")
    sys.stdin.readline()
with ox.start_run("second", experiment="ranks") as run:
    run.log({f"rank{rank}": 1.0})
"""


@pytest.mark.parametrize("kind", JOBS)
def test_the_ranks_of_a_job_make_one_run(kind, script, read, points, tmp_path):
    """Four processes that the launcher tells their ranks record one run: one root, a span of its own for each rank."""
    place = tmp_path / "train.py"
    started = []
    for rank in range(4):
        environ = {name: str(value) for name, value in JOBS[kind](rank).items()}
        program = f"sys.argv[0] = {str(place)!r}\n{RANK}"
        started.append(script(program, **environ))
    for one in started:
        assert one.line() == "trained"
    for one in started:
        one.tell("go on")
    for one in started:
        one.end()

    reader = read()
    run = reader.run("job")
    assert run.state == "succeeded"
    assert run.params["lr"] == 0.1
    expected = {f"rank{rank}": [(float(s), s / 3) for s in range(300)] for rank in range(4)}
    assert points(reader, run) == expected
    assert sorted(points(reader, reader.run("second"))) == [f"rank{rank}" for rank in range(4)]
    assert len(reader.runs()) == 2
    spans = {span.span_id: span for span in run.spans}
    tree = sorted(
        (span.name, spans[span.parent_span_id].name if span.parent_span_id else None)
        for span in spans.values()
    )
    assert tree == [
        ("run ranks", None),
        *((f"stage rank {rank}", "run ranks") for rank in (1, 2, 3)),
        ("stage train", "run ranks"),
        *(("stage train", f"stage rank {rank}") for rank in (1, 2, 3)),
    ]
    assert all(span.end_ns is not None for span in spans.values())


def test_the_next_job_at_the_same_address_is_another_run(script, read):
    """Two jobs, one after the other, on the same port of the same machine are two runs."""
    body = """
    import subprocess
    code = (
        "import sys, otel_experiments as ox; sys.argv[0] = 'train.py'; "
        "ox.configure(store=sys.argv[1], capture_git=False, system_metrics_s=0); ox.start_run('job').finish()"
    )
    base = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}
    ranks = [
        subprocess.Popen([sys.executable, "-c", code, sys.argv[1]], env={**os.environ, **base, "RANK": str(rank)})
        for rank in range(2)
    ]
    for rank in ranks:
        assert rank.wait() == 0
    """
    script(body).end()
    script(body).end()

    assert [(run.name, str(run.state)) for run in read().runs()] == [("job", "succeeded")] * 2


def test_a_real_torch_job_of_four_ranks_makes_one_run(script, read, points):
    """Four gloo ranks that torch starts record one run."""
    pytest.importorskip("torch", reason="torch is not installed")
    body = """
    import socket
    import torch, torch.distributed as dist, torch.multiprocessing as mp

    def train(rank, port, store):
        os.environ |= {
            "RANK": str(rank), "WORLD_SIZE": "4", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        }
        dist.init_process_group("gloo", rank=rank, world_size=4)
        ox.configure(store=store, capture_git=False, system_metrics_s=0)
        with ox.start_run("torch job") as run:
            for step in range(50):
                total = torch.tensor([float(rank)])
                dist.all_reduce(total)
                run.log({f"rank{rank}": total}, step=step)
        dist.destroy_process_group()

    if __name__ == "__main__":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        mp.spawn(train, (port, sys.argv[1]), nprocs=4)
    """
    script(body).end()

    reader = read()
    (run,) = reader.runs()
    assert points(reader, run) == {f"rank{r}": [(float(s), 6.0) for s in range(50)] for r in range(4)}


@pytest.mark.parametrize("kind", ["fork", "spawn"])
def test_workers_of_a_torch_data_loader_record_into_the_run(kind, script, read, points):
    """What a DataLoader's workers record is in the run, and no worker keeps the loader from ending."""
    pytest.importorskip("torch", reason="torch is not installed")
    body = f"""
    import torch.utils.data as data

    class Numbers(data.Dataset):
        def __len__(self):
            return 200

        def __getitem__(self, index):
            ox.log({{"seen": index}}, step=index)
            return index

    if __name__ == "__main__":
        setup()
        with ox.start_run("loader") as run:
            initializer = functools.partial(ox.worker_init, run.environment())
            loader = data.DataLoader(
                Numbers(), batch_size=10, num_workers=2, multiprocessing_context={kind!r}, worker_init_fn=initializer
            )
            for epoch in range(2):
                for batch in loader:
                    run.log({{"batch": float(batch.sum())}})
    """
    script(body).end()

    reader = read()
    (run,) = reader.runs()
    found = points(reader, run)
    assert sorted(found["seen"]) == sorted([(float(i), float(i)) for i in range(200)] * 2)
    assert len(found["batch"]) == 40
    assert reader.notes == ()
