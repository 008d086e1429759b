"""Forked and spawned workers of every kind: all points and spans are there, once, under the right parent."""

import textwrap

import pytest

COUNT = 300
WORKERS = 3

FORKED = {
    "Process": """
        def main(run):
            context = multiprocessing.get_context("fork")
            workers = [context.Process(target=work, args=(i,)) for i in range(3)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        """,
    "Pool ended by terminate": """
        def main(run):
            with multiprocessing.get_context("fork").Pool(2) as pool:
                pool.map(work, range(3), chunksize=1)
                pool.terminate()
        """,
    "ProcessPoolExecutor": """
        from concurrent.futures import ProcessPoolExecutor

        def main(run):
            with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
                list(pool.map(work, range(3)))
        """,
    "os.fork and os._exit": """
        def main(run):
            for i in range(3):
                if os.fork() == 0:
                    work(i)
                    os._exit(0)
            for _ in range(3):
                os.wait()
        """,
    "os.fork and sys.exit": """
        def main(run):
            for i in range(3):
                if os.fork() == 0:
                    work(i)
                    sys.exit(0)
            for _ in range(3):
                os.wait()
        """,
    "a child of a child": """
        def main(run):
            if os.fork() == 0:
                work(0)
                if os.fork() == 0:
                    work(1)
                    os._exit(0)
                os.wait()
                work(2)
                os._exit(0)
            os.wait()
        """,
}

JOINED = {
    "spawned Process": """
        def joined(env, i):
            with ox.join_run(env) as run:
                work(i, run)

        def main(run):
            context = multiprocessing.get_context("spawn")
            workers = [context.Process(target=joined, args=(run.environment(), i)) for i in range(3)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
                assert worker.exitcode == 0
        """,
    "spawned Pool ended by terminate": """
        def main(run):
            context = multiprocessing.get_context("spawn")
            with context.Pool(2, initializer=ox.worker_init, initargs=(run.environment(),)) as pool:
                pool.map(work, range(3), chunksize=1)
        """,
    "spawned ProcessPoolExecutor": """
        from concurrent.futures import ProcessPoolExecutor

        def main(run):
            context = multiprocessing.get_context("spawn")
            env = run.environment()
            with ProcessPoolExecutor(2, context, ox.worker_init, (env,)) as pool:
                list(pool.map(work, range(3)))
        """,
    "forkserver Process": """
        def joined(env, i):
            with ox.join_run(env) as run:
                work(i, run)

        def main(run):
            context = multiprocessing.get_context("forkserver")
            workers = [context.Process(target=joined, args=(run.environment(), i)) for i in range(3)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
                assert worker.exitcode == 0
        """,
    "forked Pool with the initializer of a spawned one": """
        def main(run):
            context = multiprocessing.get_context("fork")
            with context.Pool(2, initializer=ox.worker_init, initargs=(run.environment(),)) as pool:
                pool.map(work, range(3), chunksize=1)
        """,
    "joining inside the process that owns the run": """
        def main(run):
            env = run.environment()
            for i in range(3):
                with ox.join_run(env) as joined:
                    work(i, joined)
        """,
    "subprocess that starts a run": """
        import subprocess, textwrap

        CODE = textwrap.dedent('''
        import sys
        import otel_experiments as ox
        i = sys.argv[1]
        with ox.start_run("a name of its own") as run:
            for step in range(300):
                run.log({f"w{i}": step / 7}, step=step)
            with run.trace(f"piece {i}"):
                pass
        ''')

        def main(run):
            for i in range(3):
                env = {**os.environ, **run.environment(), "OTEL_EXPERIMENTS_SYSTEM_METRICS": "0"}
                subprocess.run([sys.executable, "-c", CODE, str(i)], env=env, check=True)
        """,
}

MAIN = """

if __name__ == "__main__":
    setup()
    before = dict(os.environ)
    with ox.start_run("parent", experiment="workers") as run:
        with run.stage("outer"):
            main(run)
            run.log({"parent": 1.0}, step=0)
    assert dict(os.environ) == before
"""


def check(reader):
    """Check that the one run holds what parent and workers recorded, once, under the right parent."""
    (run,) = reader.runs()
    assert (run.state, run.name, run.reason) == ("succeeded", "parent", "")
    expected = {f"w{i}": [(float(s), s / 7) for s in range(COUNT)] for i in range(WORKERS)}
    expected["parent"] = [(0.0, 1.0)]
    found = {}
    for series in reader.store.series([run.id])[run.id]:
        points = reader.store.points(run.id, series.key)
        found[series.key.name] = list(zip(points.steps, points.values, strict=True))
    assert found == expected

    rows = reader.sql(
        "select name, hex(span_id), hex(parent_span_id), end_ns is not null from spans order by name"
    ).rows
    names = [name for name, *_ in rows]
    (stage,) = [span for name, span, *_ in rows if name == "stage outer"]
    assert names == ["piece 0", "piece 1", "piece 2", "run workers", "stage outer"]
    assert {parent for name, _, parent, _ in rows if name.startswith("piece")} == {stage}
    assert all(is_ended for *_, is_ended in rows)
    assert reader.notes == ()


@pytest.mark.parametrize("kind", FORKED)
def test_forked_workers_record_into_the_run_of_their_parent(kind, script, read):
    """What a forked worker records is in its parent's run, once, whichever way the worker ends."""
    started = script(textwrap.dedent(FORKED[kind]) + MAIN)
    started.end()

    check(read())


@pytest.mark.parametrize("kind", JOINED)
def test_workers_that_join_by_environment_record_into_the_run(kind, script, read):
    """What a process records that joined is in the run, once, under the span that was current when it was told."""
    started = script(textwrap.dedent(JOINED[kind]) + MAIN)
    started.end()

    check(read())


def test_joblib_workers_record_into_the_run(script, read):
    """Workers of joblib's loky, which are processes of their own, join by the environment that they are given."""
    pytest.importorskip("joblib")
    body = """
import joblib

def joined(env, i):
    import otel_experiments as ox
    with ox.join_run(env) as run:
        for step in range(300):
            run.log({f"w{i}": step / 7}, step=step)
        with run.trace(f"piece {i}"):
            pass

def main(run):
    joblib.Parallel(n_jobs=2, backend="loky")(joblib.delayed(joined)(run.environment(), i) for i in range(3))
"""
    script(body + MAIN).end()

    check(read())


def test_a_run_that_a_forked_child_starts_is_its_own(script, read):
    """A run started in a forked child ends there, in the state that its body gives it."""
    body = """
    setup()
    with ox.start_run("parent") as parent:
        for name, code in (("fine", 0), ("broken", 1)):
            if os.fork() == 0:
                try:
                    with ox.start_run(name) as run:
                        run.log({"loss": 1.0})
                        if code:
                            raise ValueError("no luck")
                except ValueError:
                    pass
                os._exit(0)
            os.wait()
    """
    script(body).end()

    runs = {run.name: run for run in read().runs()}
    assert {name: (str(run.state), run.reason) for name, run in runs.items()} == {
        "parent": ("succeeded", ""),
        "fine": ("succeeded", ""),
        "broken": ("failed", "no luck"),
    }
    assert runs["fine"].metrics["loss"].count == 1
    assert runs["fine"].record.parent_run_id == runs["parent"].id


def test_a_fork_in_the_middle_of_other_threads_never_blocks_the_child(script, read):
    """A child forked while threads of the parent declare metrics and start runs can do so itself."""
    body = """
    setup()
    stop = threading.Event()

    def busy(number):
        step = 0
        while not stop.is_set():
            step += 1
            run.log({f"t{number}/{step % 500}": 1.0, "x": step}, step=step)
            if step % 50 == 0:
                ox.start_run(f"side {number} {step}", parent=run).finish()

    with ox.start_run("parent") as run:
        threads = [threading.Thread(target=busy, args=(i,)) for i in range(3)]
        for thread in threads:
            thread.start()
        for number in range(40):
            pid = os.fork()
            if pid == 0:
                signal.alarm(20)
                run.log({f"child{number}": 1.0}, step=0)
                with run.stage("in child"):
                    pass
                with ox.start_run(f"of child {number}") as own:
                    own.log({"own": 1.0}, step=0)
                os._exit(0)
            _, status = os.waitpid(pid, 0)
            assert status == 0, f"child {number} ended with {status}"
        stop.set()
        for thread in threads:
            thread.join()
    """
    script(body).end()

    reader = read()
    run = reader.run("parent")
    children = sorted(name for name in run.metrics if name.startswith("child"))
    assert children == sorted(f"child{i}" for i in range(40))
    own = [r for r in reader.runs() if r.name.startswith("of child")]
    assert [r.metrics["own"].count for r in own] == [1] * 40
    assert {str(r.state) for r in own} == {"succeeded"}


def test_a_forked_child_reads_the_store_that_its_parent_records_into(script):
    """`ox.runs()` in a forked child shows the runs of the configured store, and no other store's."""
    body = """
setup()
with ox.start_run("of the parent") as run:
    run.log({"loss": 1.0})
    run.flush()
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if [one.name for one in ox.runs()] == ["of the parent"] else 3)
        finally:
            os._exit(4)
    acknowledge(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert script(body).line() == "0"


def test_a_worker_writes_down_what_it_lost_when_it_ends(script, read):
    """A child of multiprocessing leaves without the usual exit: what it counted last is in the run all the same."""
    body = """
    import logging

    logging.disable()
    setup()

    def lose():
        for number in range(100):
            run.log({"loss": 1.0, "note": object()})

    with ox.start_run("losing") as run:
        worker = multiprocessing.get_context("fork").Process(target=lose)
        worker.start()
        worker.join()
        acknowledge(worker.exitcode)
    """
    out, _ = script(body).end()

    assert out == "0\n"
    assert read().run("losing").lost_count == 100
