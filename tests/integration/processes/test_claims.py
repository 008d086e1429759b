"""One run is started or gone on with by one process at a time, also where several ask at the same moment."""

import signal

import pytest

import otel_experiments as ox
from otel_experiments.collect.journal_place import journal_directory

STARTS = """
setup({settings})
acknowledge("ready")
sys.stdin.readline()
try:
    run = ox.start_run({given})
except ox.errors.RunInUseError as error:
    acknowledge("in use by", error.pid)
else:
    acknowledge("started")
    run.log({{"loss": os.getpid()}})
    sys.stdin.readline()
    run.finish()
"""


def start_together(script, given, count, settings=""):
    """Start processes that ask for one run at the same moment; return those that got it, and what the others were told."""
    started = [script(STARTS.format(given=given, settings=settings)) for _ in range(count)]
    for one in started:
        assert one.line() == "ready"
    for one in started:
        one.tell("go")
    said = [(one, one.line()) for one in started]
    first = [one for one, word in said if word == "started"]
    return first, [word for _, word in said if word != "started"]


@pytest.mark.parametrize("settings", ["", "drain_s=600"])
def test_one_of_several_processes_starts_the_run_of_a_key(script, read, settings, store_path):
    """The others are told who has it, also while nothing of it is in the store yet; afterwards nothing is left behind."""
    first, others = start_together(script, "'job', key='k'", 3, settings)

    assert len(first) == 1
    assert others == [f"in use by {first[0].process.pid}"] * 2
    first[0].tell("end")
    first[0].end()
    (run,) = read().runs()
    assert (run.record.attempt, run.metrics["loss"].count) == (1, 1)
    assert not list(journal_directory(store_path).glob("*.claim"))


def test_one_of_several_processes_goes_on_with_a_run(script, read, store_path):
    """Two that resume a run by its name do not both record its second attempt."""
    ox.configure(store=store_path)
    with ox.start_run("job"):
        pass
    ox.shutdown()

    first, others = start_together(script, "resume='job'", 3)

    assert (len(first), len(others)) == (1, 2)
    first[0].tell("end")
    first[0].end()
    (run,) = read().runs()
    assert (run.record.attempt, run.metrics["loss"].count) == (2, 1)


def test_the_run_of_a_process_that_was_killed_goes_on(script, read):
    """No claim outlives its process, nor is it kept by a child that does."""
    body = """
    setup()
    run = ox.start_run("job", key="k")
    child = os.fork()
    if not child:
        sys.stdin.readline()
        os._exit(0)
    acknowledge("started")
    os.waitpid(child, 0)
    """
    killed = script(body)
    assert killed.line() == "started"
    killed.send(signal.SIGKILL)
    killed.process.wait()
    again = script("setup()\nox.start_run(key='k').finish()\n")
    again.end()
    killed.end(-signal.SIGKILL)

    (run,) = read().runs()
    assert [str(one.state) for one in run.attempts] == ["lost", "succeeded"]


def test_a_run_that_waits_may_be_started_by_another_process(script, read, store_path):
    """A pending run is nobody's until it starts, and a start that failed keeps nothing."""
    ox.configure(store=store_path)
    waiting = ox.start_run("job", key="k", pending=True)
    with pytest.raises(ox.errors.ConfigurationError):
        ox.start_run(key="other", config=7)

    script("setup()\nox.start_run(key='k').finish()\nox.start_run(key='other').finish()\n").end()

    assert {run.id for run in read().runs()} >= {waiting.id}
    assert len(read().runs()) == 2
