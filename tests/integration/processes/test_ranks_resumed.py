"""The ranks of a job that is started again go on with one run, each with its series."""

import pytest

GOES_ON = """
setup(ranks="join")
rank, job = int(os.environ["SLURM_PROCID"]), int(os.environ["SLURM_JOB_ID"])
sys.argv[0] = "train.py"
with ox.start_run("job", experiment="ranks", **{given}) as run:
    for step in range(3 * job, 3 * job + 5):
        run.log({{"loss": 1000 * rank + 100 * job + step}}, step=step)
    acknowledge(run.id)
    if sys.stdin.readline() == "fail\\n":
        run.finish("failed")
"""

WITH_SPANS = """
import subprocess
setup(ranks="join")
rank, job = int(os.environ["SLURM_PROCID"]), int(os.environ["SLURM_JOB_ID"])
sys.argv[0] = "train.py"
with ox.start_run("job", experiment="ranks", key="k") as run:
    with run.stage(f"part of {rank}"):
        pass
    if rank == 0:
        code = "import otel_experiments as ox\\nwith ox.start_run() as run, run.stage('worker'): pass"
        subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | run.environment())
    acknowledge(run.id)
    if sys.stdin.readline() == "fail\\n":
        run.finish("failed")
"""

OUTLIVES = """
setup(ranks="join")
sys.argv[0] = "train.py"
with ox.start_run("job", experiment="ranks", key="k") as run:
    run.log({"loss": 7.0}, step=0) if os.environ["SLURM_PROCID"] == "0" else None
    acknowledge("started")
    while sys.stdin.readline() == "log\\n":
        run.log({"loss": float(os.environ["SLURM_JOB_ID"])}, step=5)
        acknowledge("logged")
    run.finish("failed" if os.environ["SLURM_JOB_ID"] == "0" else "succeeded")
"""


@pytest.mark.parametrize(
    ("given", "first"),
    [('dict(key="k")', 0), ('dict(resume="job") if job else {}', 1), ("dict(resume=True)", 0)],
    ids=["a key", "a name", "what did not end well"],
)
def test_ranks_of_a_job_that_is_started_again_go_on_with_their_own_curves(script, read, given, first):
    """Whichever rank comes first, all ranks record the run's next attempt, and each goes on with its series."""
    for job, word in enumerate(["fail", "end"]):
        started, ids = {}, set()
        for rank in (first, 1 - first):
            environ = {"SLURM_STEP_ID": "0"} | {
                "SLURM_NTASKS": "2",
                "SLURM_JOB_ID": str(job),
                "SLURM_PROCID": str(rank),
            }
            started[rank] = script(GOES_ON.format(given=given), **environ)
            ids.add(started[rank].line())
        assert len(ids) == 1
        for rank in (1, 0):
            started[rank].tell(word)
            started[rank].end()

    (run,) = read().runs()
    assert [str(attempt.state) for attempt in run.attempts] == ["failed", "succeeded"]
    assert run.metrics["loss"].ranks == [0, 1]
    for rank in (0, 1):
        points = run.metrics["loss"].points(rank=rank, attempt="all")
        recorded = [1000 * rank + 100 * job + step for job in (0, 1) for step in range(3 * job, 3 * job + 5)]
        assert list(points.values) == recorded


def test_resources_of_ranks_and_workers_name_no_other_attempt_than_theirs(script, read):
    """Spans of any rank say which attempt they are of; a worker that was not told says nothing."""
    for job, word in enumerate(["fail", "end"]):
        started = []
        for rank in (0, 1):
            environ = {
                "SLURM_NTASKS": "2",
                "SLURM_JOB_ID": str(job),
                "SLURM_PROCID": str(rank),
                "SLURM_STEP_ID": "0",
            }
            started.append(script(WITH_SPANS, **environ))
            started[-1].line()
        for one in reversed(started):
            one.tell(word)
            one.end()

    said = {}
    names = ("stage part of 0", "stage part of 1", "stage worker")
    for span in read().run("job").spans:
        if span.name in names:
            said.setdefault(span.name, []).append(span.resource.attributes.get("ml.run.attempt"))
    assert [said[name] for name in names] == [[1, 2], [1, 2], [None, None]]


def test_a_rank_that_outlives_its_attempt_records_into_that_attempt(script, read):
    """What a rank of the job before still logs does not count where the new one has logged the step, and stays readable."""
    started = {}
    for job in (0, 1):
        for rank in (0, 1):
            environ = {
                "SLURM_NTASKS": "2",
                "SLURM_JOB_ID": str(job),
                "SLURM_PROCID": str(rank),
                "SLURM_STEP_ID": "0",
            }
            started[job, rank] = script(OUTLIVES, **environ)
            assert started[job, rank].line() == "started"
        if job == 0:
            started[0, 0].tell("end")
            started[0, 0].end()
    started[1, 1].tell("log")
    assert started[1, 1].line() == "logged"
    started[0, 1].tell("log")
    assert started[0, 1].line() == "logged"
    for place in ((0, 1), (1, 1), (1, 0)):
        started[place].tell("end")
        started[place].end()

    loss = read().run("job").metrics["loss"]
    assert list(loss.points(rank=1).values) == [1.0]
    assert [list(loss.points(rank=1, attempt=attempt).values) for attempt in (1, 2)] == [[0.0], [1.0]]


def test_ranks_that_are_told_apart_do_not_record_one_run(script, read):
    """With ranks="separate" a second rank that wants the run of a key is told that the first one records it."""
    body = """
    setup(ranks="separate")
    try:
        run = ox.start_run("job", experiment="ranks", key="k")
    except ox.errors.RunInUseError:
        acknowledge("in use")
        raise SystemExit
    acknowledge("started")
    sys.stdin.readline()
    run.finish()
    """
    environ = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
    one = script(body, **environ, RANK="0")
    assert one.line() == "started"
    other = script(body, **environ, RANK="1")
    assert other.line() == "in use"
    other.end()
    one.tell("end")
    one.end()

    assert len(read().run("job").attempts) == 1
