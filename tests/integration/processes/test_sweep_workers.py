"""Sweeps whose trials run in processes of their own."""

import os
import select
import signal
import subprocess
import sys
import textwrap
import time

import pytest

import otel_experiments as ox
from otel_experiments.errors import TrialError

METHODS = ["fork", "spawn"]


@pytest.fixture(autouse=True)
def recording(tmp_path):
    """Record into a store in the test's folder."""
    ox.configure(store=tmp_path / "runs.db", system_metrics_s=0.0, experiment="digits")
    yield
    ox.shutdown()


def train(run, config):
    """Log and return what is a number, in this process."""
    run.log({"loss": config["lr"]}, step=0)
    return config["lr"], os.getpid()


def fail_or_die(config):
    """Raise, raise what cannot be pickled, or end the process, as the config says."""
    if config["how"] == "raise":
        raise ValueError("too deep")
    if config["how"] == "odd":
        raise _OddError(lambda: None)
    if config["how"] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return config["how"]


class _OddError(Exception):
    """Holds what cannot be sent."""


@pytest.mark.parametrize("method", METHODS)
def test_trials_run_in_other_processes_and_are_children_of_the_sweep(method):
    """Each trial is recorded in a worker; the result is in the order of the configs."""
    result = ox.sweep(
        train, {"lr": [0.3, 0.1, 0.2, 0.4]}, workers=2, start_method=method, name="search", group="g"
    )

    assert [trial.state for trial in result] == ["succeeded"] * 4
    assert [trial.returned[0] for trial in result] == [0.3, 0.1, 0.2, 0.4]
    pids = {trial.returned[1] for trial in result}
    assert os.getpid() not in pids
    assert len(pids) <= 2
    stored = ox.run("search")
    assert {run.name for run in stored.children} == {f"search-00{number}" for number in range(4)}
    assert {(run.experiment, run.group, run.state) for run in result.runs} == {("digits", "g", "succeeded")}
    assert [run.metrics["loss"].last for run in result.runs] == [0.3, 0.1, 0.2, 0.4]
    assert result.best("loss").config == {"lr": 0.1}


@pytest.mark.parametrize("method", METHODS)
def test_a_worker_that_dies_takes_one_trial_with_it(method):
    """The sweep goes on in another process, and says how the worker ended."""
    configs = [{"how": how} for how in ("fine", "die", "raise", "odd", "good")]
    result = ox.sweep(fail_or_die, configs, workers=2, start_method=method, name="search")

    assert [str(trial.state) for trial in result] == ["succeeded", "lost", "failed", "failed", "succeeded"]
    died, raised, odd = result.failed
    assert isinstance(died.error, TrialError)
    assert "with signal 9" in str(died.error)
    assert (type(raised.error), str(raised.error)) == (ValueError, "too deep")
    assert "fail_or_die" in raised.traceback
    assert isinstance(odd.error, TrialError)
    assert "_OddError, which cannot be sent between processes" in str(odd.error)
    states = {run.name: str(run.state) for run in ox.run("search").children}
    assert states == {
        "search-000": "succeeded", "search-001": "lost", "search-002": "failed", "search-003": "failed",
        "search-004": "succeeded",
    }  # fmt: skip


class _Unreadable:
    """Can be packed, and raises where it is read again."""

    def __reduce__(self):
        return int, ("not a number",)


@pytest.mark.parametrize("method", METHODS)
def test_a_config_that_cannot_be_sent_fails_its_trial_alone(method):
    """The error says why, the run of the trial is failed, and the other trials are done."""
    configs = [{"how": "fine"}, {"how": lambda: 1}, {"how": _Unreadable()}, {"how": "good"}]
    result = ox.sweep(fail_or_die, configs, workers=2, start_method=method, name="search")

    assert [trial.returned for trial in result] == ["fine", None, None, "good"]
    assert [trial.number for trial in result.failed] == [1, 2]
    for trial, why in zip(result.failed, ("lambda", "not a number"), strict=True):
        assert isinstance(trial.error, TrialError)
        assert "its config cannot be sent to a worker process: " in str(trial.error)
        assert why in str(trial.error)
        assert ox.run(trial.run_id).state == "failed"


def test_a_worker_that_dies_is_seen_while_what_it_forked_lives(tmp_path):
    """A process left behind by a trial keeps the pipes of its worker open; the sweep does not wait for it."""
    ends_here, stays_open = os.pipe()

    def fork_and_die(config):
        if os.fork() == 0:
            os.close(stays_open)
            if not select.select([ends_here], [], [], 60)[0]:
                (tmp_path / "waited").touch()
            os._exit(0)
        if config["ends"]:
            os._exit(3)
        return config["a"]

    space = [{"a": 1, "ends": True}, {"a": 2, "ends": False}, {"a": 3, "ends": True}]
    result = ox.sweep(fork_and_die, space, workers=2, start_method="fork", name="search")
    os.close(stays_open)
    os.close(ends_here)

    assert [str(trial.state) for trial in result] == ["lost", "succeeded", "lost"]
    assert "with exit code 3" in str(result.failed[0].error)
    assert not (tmp_path / "waited").exists()


def test_the_first_exception_of_a_worker_can_end_the_sweep():
    """With raise_on_error the trial's exception is raised here, and the other workers are stopped."""
    with pytest.raises(ValueError, match="too deep"):
        ox.sweep(
            fail_or_die, [{"how": "raise"}] + [{"how": "fine"}] * 50, workers=2, start_method="fork", name="search",
            raise_on_error=True,
        )  # fmt: skip
    assert ox.run("search").state == "failed"


def test_what_cannot_be_sent_back_is_left_out_and_said(caplog):
    """A trial that returns an open file or the like is done; what it returned is not there, which is counted."""
    result = ox.sweep(
        lambda config: (lambda: config) if config["a"] else 3, {"a": [0, 1, 2]}, workers=2, start_method="fork", name="search"
    )  # fmt: skip
    assert [(str(trial.state), trial.returned) for trial in result] == [
        ("succeeded", 3), ("succeeded", None), ("succeeded", None),
    ]  # fmt: skip
    assert result[0].unsent == ""
    assert "lambda" in result[1].unsent
    assert [record.message.count("cannot be sent from its process") for record in caplog.records] == [1]
    assert [(loss.kind, loss.count) for loss in ox.run("search").losses] == [("trial result", 2)]


def test_ctrl_c_ends_workers_and_cancels_their_trials(tmp_path):
    """The sweep and the trials that are on are cancelled, no process is left, and the signal's exception is the program's."""
    script = textwrap.dedent(
        """
        import os, signal, sys, threading
        import otel_experiments as ox

        def train(config):
            os.write(1, f"on {os.getpid()}\\n".encode())
            threading.Event().wait()

        if __name__ == "__main__":
            ox.configure(store="runs.db", system_metrics_s=0.0)
            try:
                ox.sweep(train, {"a": list(range(9))}, workers=2, start_method="fork", name="search")
            except KeyboardInterrupt:
                print("interrupted", flush=True)
        """
    )
    (tmp_path / "search.py").write_text(script)
    with subprocess.Popen(
        [sys.executable, "search.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as program:
        pids = [int(program.stdout.readline().split()[1]) for _ in range(2)]
        os.killpg(program.pid, signal.SIGINT)
        rest = program.stdout.read()
    assert (program.returncode, rest.split()) == (0, ["interrupted"])
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    runs = ox.runs(store=tmp_path / "runs.db")
    assert {(run.name, str(run.state)) for run in runs} == {
        ("search", "cancelled"), ("search-000", "cancelled"), ("search-001", "cancelled"),
    }  # fmt: skip


def test_workers_that_do_not_hear_are_waited_for_together(tmp_path):
    """Ctrl-C ends a sweep as fast with many workers that ignore SIGTERM as with one."""
    script = textwrap.dedent(
        """
        import os, signal, threading
        import otel_experiments as ox

        def train(config):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            os.write(1, f"on {os.getpid()}\\n".encode())
            threading.Event().wait()

        if __name__ == "__main__":
            ox.configure(store="runs.db", system_metrics_s=0.0)
            ox.sweep(train, {"a": [1, 2]}, workers=2, start_method="fork", name="search")
        """
    )
    (tmp_path / "search.py").write_text(script)
    with subprocess.Popen(
        [sys.executable, "search.py"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as program:
        ends = [os.pidfd_open(int(program.stdout.readline().split()[1])) for _ in range(2)]
        start_s = time.monotonic()
        program.send_signal(signal.SIGINT)
        first, _, _ = select.select(ends, [], [])
        first_s = time.monotonic()
        select.select([end for end in ends if end not in first] or first, [], [])
        last_s = time.monotonic()
        program.stdout.read()
    for end in ends:
        os.close(end)

    assert last_s - first_s < (first_s - start_s) / 2


ORPHANS = """
import os, signal, sys, threading
import otel_experiments as ox

def train(run, config):
    if config["deaf"]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if config["leaves"] and os.fork() == 0:
        os.close(1)
        os.read(int(sys.argv[3]), 1)
        os._exit(0)
    run.log({"loss": 0.5}, step=0)
    os.write(1, f"on {os.getpid()}\\n".encode())
    threading.Event().wait()

if __name__ == "__main__":
    ox.configure(store="runs.db", system_metrics_s=0.0)
    space = {"a": list(range(9)), "deaf": sys.argv[2] == "deaf", "leaves": sys.argv[2] == "leaves"}
    ox.sweep(train, space, workers=2, start_method=sys.argv[1], name="search")
"""


def orphaned(folder, method, kind, manner):
    """End the process of a sweep whose two workers are in a trial; return when they have ended as well."""
    (folder / "search.py").write_text(ORPHANS)
    over, stays_open = os.pipe()
    command = [sys.executable, "search.py", method, manner, str(over)]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, pass_fds=[over]
    ) as program:
        os.close(over)
        for _ in range(2):
            assert program.stdout.readline().startswith("on ")
        program.send_signal(kind)
        program.stdout.read()  # until the last worker has closed it
    os.close(stays_open)
    assert program.returncode == -kind


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("method", [*METHODS, "forkserver"])
def test_workers_end_when_the_process_of_the_sweep_does(tmp_path, method, kind):
    """No trial goes on for nobody: its run is cancelled, with the signal that ended it, and has all its points."""
    orphaned(tmp_path, method, kind, "hears")

    runs = {run.name: run for run in ox.runs(store=tmp_path / "runs.db")}
    assert sorted(runs) == ["search", "search-000", "search-001"]
    assert runs["search"].state == ("cancelled" if kind == signal.SIGTERM else "lost")
    for name in ("search-000", "search-001"):
        assert (runs[name].state, runs[name].reason) == ("cancelled", "SIGTERM")
        assert runs[name].metrics["loss"].last == 0.5


def test_a_worker_that_does_not_hear_is_killed_when_the_process_of_the_sweep_has_gone(tmp_path):
    """A trial that ignores SIGTERM has some seconds, as one has that is stopped with its sweep; its run is lost, its points are not."""
    orphaned(tmp_path, "fork", signal.SIGKILL, "deaf")

    runs = {run.name: run for run in ox.runs(store=tmp_path / "runs.db")}
    assert {str(run.state) for run in runs.values()} == {"lost"}
    assert [runs[f"search-00{number}"].metrics["loss"].last for number in range(2)] == [0.5, 0.5]


def test_workers_end_while_what_they_forked_lives(tmp_path):
    """A process that a trial leaves behind keeps the pipes of other workers open; none of them waits for it."""
    orphaned(tmp_path, "fork", signal.SIGKILL, "leaves")

    assert sorted(str(run.state) for run in ox.runs(store=tmp_path / "runs.db")) == [
        "cancelled",
        "cancelled",
        "lost",
    ]
