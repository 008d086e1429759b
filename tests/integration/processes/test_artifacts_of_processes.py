"""Artifacts that forked, spawned, joined and dying processes keep: a name always means whole bytes."""

import hashlib
import signal
import textwrap

import pytest

from otel_experiments.model.artifact import ArtifactQuery

DATA = {f"w{number}": str(number).encode() * 100_000 for number in range(3)}
KEEP = """
def keep(number, run=None, wait=True):
    run = run or ox.current_run()
    run.log_artifact(str(number).encode() * 100_000, f"w{number}", aliases=["done"], wait=wait)
"""
WAYS = {
    "forked": """
        setup()
        with ox.start_run("r", experiment="e") as run:
            run.log_artifact(b"parent", "parent")
            for number in range(3):
                if os.fork() == 0:
                    keep(number, wait=number > 0)
                    os._exit(0)
            for _ in range(3):
                os.wait()
        """,
    "spawned": """
        def begin(environ):
            global joined
            ox.worker_init(environ)

        if __name__ == "__main__":
            setup()
            with ox.start_run("r", experiment="e") as run:
                context = multiprocessing.get_context("spawn")
                with context.Pool(2, initializer=begin, initargs=(run.environment(),)) as pool:
                    pool.map(keep, range(3), chunksize=1)
                    pool.close()
                    pool.join()
        """,
    "threads": """
        setup()
        with ox.start_run("r", experiment="e") as run:
            workers = [threading.Thread(target=keep, args=(number, run, number > 0)) for number in range(3)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        """,
}


@pytest.mark.parametrize("way", WAYS)
def test_every_worker_keeps_its_artifacts_in_the_run(script, read, way):
    """Bytes, names and aliases of all workers are the run's, and are read back whole."""
    script(KEEP + textwrap.dedent(WAYS[way])).end()
    reader = read()
    run = reader.run("r")

    found = {name: run.artifacts[name] for name in DATA}
    assert {name: one.read_bytes() for name, one in found.items()} == DATA
    assert all("done" in one.aliases for one in found.values())
    assert {one.experiment for one in found.values()} == {"e"}
    assert run.losses == []


@pytest.mark.parametrize("way", ["file", "folder"])
def test_sigkill_after_the_call_loses_nothing(script, read, tmp_path, way):
    """When `log_artifact` returns, name and bytes are safe."""
    made = script(
        f"""
        setup(drain_s=60)
        os.mkdir("data")
        for number in range(20):
            pathlib.Path("data", str(number)).write_bytes(bytes([number]) * 1000)
        with ox.start_run("r") as run:
            kept = run.log_artifact("data" if {way == "folder"} else "data/7", "kept", aliases=["best"])
            acknowledge(kept)
            time.sleep(60)
        """
    )
    digest = made.line()
    made.send(signal.SIGKILL)
    made.process.wait()

    (found,) = read().artifacts(name="kept")
    found.verify()
    assert found.digest == digest
    assert "best" in found.aliases
    if way == "file":
        assert digest == f"sha256:{hashlib.sha256(bytes([7]) * 1000).hexdigest()}"


def test_sigkill_in_the_middle_leaves_no_name_of_half_a_file(script, read, tmp_path):
    """A process that dies while it keeps something leaves a rest that is known as one, and never a name."""
    made = script(
        """
        setup(drain_s=60)
        class Slow:
            def read(self, size):
                if self.left:
                    self.left -= 1
                    return bytes(min(size, 1 << 20))
                acknowledge("half")
                time.sleep(60)

        with ox.start_run("r") as run:
            run.log_artifact(b"whole", "kept")
            slow = Slow()
            slow.left = 5
            run.log_artifact(slow, "kept")
        """
    )
    assert made.line() == "half"
    made.send(signal.SIGKILL)
    made.process.wait()

    reader = read()
    (found,) = reader.artifacts(name="kept")
    assert found.read_bytes() == b"whole"
    assert len(reader.store.artifacts(ArtifactQuery(role=None))) == 1


def test_the_end_of_the_process_waits_for_what_is_being_kept(script, read):
    """A program that ends right after `wait=False` has its artifact, if the exit budget is long enough."""
    script(
        """
        setup()
        run = ox.init("e", name="r")
        run.log_artifact(bytes(50_000_000), "zeros", wait=False)
        """
    ).end()

    (found,) = read().artifacts(name="zeros")
    assert found.size_bytes == 50_000_000
    found.verify()


def test_two_processes_that_set_one_alias_leave_one_version_with_it(script, read, store_path):
    """The later one wins; both versions are there."""
    both = [
        script(
            f"""
            setup()
            with ox.start_run("r{number}", experiment="e") as run:
                for _ in range(20):
                    run.log_artifact(b"{number}", "model", aliases=["best"])
            """
        )
        for number in range(2)
    ]
    for one in both:
        one.end()

    reader = read()
    found = reader.artifacts(experiment="e", name="model")
    assert {one.version for one in found} == {0, 1}
    assert sum("best" in one.aliases for one in found) == 1
    assert reader.artifact("model:best", experiment="e").read_bytes() in {b"0", b"1"}


def test_a_full_disk_in_the_middle_costs_that_artifact_only(script, read):
    """Training goes on, the loss is counted, and what comes after it is kept."""
    out, err = script(
        """
        import resource
        setup()
        with ox.start_run("r") as run:
            pathlib.Path("large").write_bytes(os.urandom(60_000_000))
            resource.setrlimit(resource.RLIMIT_FSIZE, (40_000_000, resource.RLIM_INFINITY))
            acknowledge(repr(run.log_artifact("large", "large")), repr(run.log_artifact("large", "large", wait=False).result()))
            run.log_artifact(b"small", "small")
            run.log({"loss": 1.0})
        """
    ).end()
    reader = read()
    run = reader.run("r")

    assert out == "'' ''\n"
    assert {(loss.kind, loss.name): loss.count for loss in run.losses} == {("artifact", "large"): 2}
    assert err.count("The artifact 'large' is not kept") == 1
    assert list(run.artifacts) == ["small"]
    assert run.metrics["loss"].count == 1


def test_ranks_keep_artifacts_in_one_run(script, read):
    """Each rank's artifacts are the run's, and say which rank they are of."""
    body = """
        sys.argv[0] = "train.py"
        setup(ranks="join")
        with ox.start_run("r", experiment="e") as run:
            rank = int(os.environ["RANK"])
            run.log_artifact(b"%d" % rank, f"part-{rank}")
        """
    job = {"WORLD_SIZE": "2", "OTEL_EXPERIMENTS_JOB_ID": "job"}
    both = [script(body, RANK=str(rank), **job) for rank in range(2)]
    for one in both:
        one.end()

    (run,) = read().runs()
    assert {name: (one.read_bytes(), one.record.rank) for name, one in run.artifacts.items()} == {
        "part-0": (b"0", 0),
        "part-1": (b"1", 1),
    }


def test_a_child_records_where_its_parent_keeps_bytes(script, read, tmp_path):
    """`run.environment()` hands on where artifacts are kept."""
    script(
        """
        import subprocess
        setup(artifacts="kept")
        child = "import otel_experiments as ox\\nwith ox.join_run() as run:\\n    run.log_artifact(b'child', 'c')"
        with ox.start_run("r", experiment="e") as run:
            os.mkdir("deep")
            subprocess.run([sys.executable, "-c", child], env={**os.environ, **run.environment()}, cwd="deep", check=True)
        """
    ).end()

    (found,) = read().artifacts(name="c")
    assert found.read_bytes() == b"child"
    assert (found.experiment, found.record.place) == ("e", str(tmp_path / "kept"))


LATE = """
def work(run):
    never = threading.Event()
    run._core.pipeline.artifacts.add("busy", lambda: never.wait() and None, lambda: None)
    run.log_artifact(b"late", "late", wait=False)
"""
ENDS = {
    "a forked child with a recorder of its own": """
        def record():
            setup()
            with ox.start_run("r") as run:
                work(run)

        child = multiprocessing.get_context("fork").Process(target=record)
        child.start()
        child.join()
        """,
    "SIGTERM": """
        setup()
        with ox.start_run("r") as run:
            work(run)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        """,
    "a child of multiprocessing": """
        def join(environ):
            work(ox.join_run(environ))

        if __name__ == "__main__":
            setup()
            with ox.start_run("r") as run:
                child = multiprocessing.get_context("spawn").Process(target=join, args=(run.environment(),))
                child.start()
                child.join()
        """,
}


@pytest.mark.parametrize("way", ENDS)
def test_what_a_process_that_has_to_end_did_not_keep_is_counted(script, read, way):
    """The signal ends the process at once, and a worker does not outlive its budget: the run knows what it lacks."""
    made = script(LATE + textwrap.dedent(ENDS[way]), OTEL_EXPERIMENTS_EXIT_TIMEOUT="0.5")
    made.end(-15 if way == "SIGTERM" else 0)

    run = read().run("r")
    assert [(loss.kind, loss.name, loss.count) for loss in run.losses] == [("artifact", "late", 1)]
    assert list(run.artifacts) == []
