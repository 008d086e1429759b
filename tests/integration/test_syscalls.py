"""`otel-experiments trace --syscalls` with the real strace on real programs."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from otel_experiments._opening import open_reader
from otel_experiments.capture.syscalls import read_system_calls
from otel_experiments.golden.score.equivalence import compare_traces
from otel_experiments.semconv import attributes as attr

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")

PROGRAM = """
import os, sys, threading
import otel_experiments as ox

heavy = int(sys.argv[1])

def load(run):
    with run.stage("load"):
        os.write(sink, b"z" * 7)

with ox.start_run("io") as run:
    sink = os.open(os.devnull, os.O_WRONLY)
    worker = threading.Thread(target=load, args=(run,))
    worker.start()
    worker.join()
    for step in run.steps(5, spans=True):
        for _ in range(1000 if step == heavy else 10):
            os.write(sink, b"x" * 100)
sys.exit(3)
"""


LONG = """
import os, time
from pathlib import Path
import otel_experiments as ox

with ox.start_run("long") as run, run.stage("load"):
    with open(os.devnull, "w") as sink:
        sink.write("x" * 100)
    Path("pid").write_text(str(os.getpid()))
    time.sleep(60)
"""


def take_sigterm_as_usual():
    """Undo what a shell or supervisor above the tests may have set: an ignored or blocked SIGTERM is inherited."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def start(tmp_path, *arguments, path=None):
    """Start the command line's `trace` in a process of its own."""
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "long.py").write_text(LONG)
    env = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    env["OTEL_EXPERIMENTS_SYSTEM_METRICS"] = "0"
    if path is not None:
        env["PATH"] = path
    script = "from otel_experiments.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", script, "trace", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, cwd=tmp_path,
        preexec_fn=take_sigterm_as_usual,  # noqa: PLW1509 - it takes no lock
    )  # fmt: skip


def end_with_what_it_traces(process, written):
    """Kill a command line that did not end, and the program whose pid it wrote, which holds its pipes open."""
    process.kill()
    with contextlib.suppress(OSError, ValueError):
        os.kill(int(written.read_text()), signal.SIGKILL)
    process.communicate()


def trace(tmp_path, *arguments, path=None):
    """Run the command line's `trace` to its end."""
    process = start(tmp_path, *arguments, path=path)
    out, err = process.communicate(timeout=100)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def written_by_step(store):
    """Return bytes written below each span: {'step 3': 10000}."""
    with open_reader(store) as reader:
        (run,) = reader.runs()
        spans = {span.span_id: span for span in run.spans}
        found = {}
        for span in run.spans.named("syscall write"):
            above = spans[span.parent_span_id]
            index = above.attributes.get(attr.ML_STEP_INDEX)
            found[above.name if index is None else f"step {index}"] = span.attributes[attr.ML_SYSCALL_BYTES]
        return found


@needs_strace
def test_which_step_started_to_write_a_hundred_times_more(tmp_path):
    """The calls of each step, and of a stage in another thread, are stored under it; the heavy step is told."""
    answer = trace(
        tmp_path, "--syscalls", "--store", "experiments.db", "--", sys.executable, "program.py", "3"
    )

    assert answer.returncode == 3, answer.stderr
    assert written_by_step(tmp_path / "experiments.db") == {
        "step 0": 1000, "step 1": 1000, "step 2": 1000, "step 3": 100_000, "step 4": 1000, "stage load": 7,
    }  # fmt: skip
    first = answer.stdout.split("most bytes\n")[1].splitlines()[0].split()
    assert (first[0], first[2], first[3], first[-1]) == ("100000", "1000x", "write", "default/step=3")


@needs_strace
def test_sigterm_ends_the_traced_command_and_its_calls_are_kept(tmp_path):
    """What a CI system or `timeout` ends leaves no training alone: the run is cancelled, its calls are stored."""
    process = start(tmp_path, "--syscalls", "--store", "experiments.db", "--", sys.executable, "long.py")
    written, end = tmp_path / "pid", time.monotonic() + 60
    try:
        while not (written.exists() and written.read_text()):
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    finally:  # what a failure leaves running would be an error of the tests that follow
        if process.returncode is None:
            end_with_what_it_traces(process, written)

    assert (process.returncode, "Traceback" in err) == (143, False), err
    assert not Path(f"/proc/{written.read_text()}").exists()
    with open_reader(tmp_path / "experiments.db") as reader:
        (run,) = reader.runs()
        assert run.state == "cancelled"
        assert run.spans.named("syscall write")


SLOW_STRACE = """#!/bin/sh
echo $$ > started
read line < go
exec {strace} "$@"
"""


@needs_strace
def test_sigterm_before_the_command_runs_ends_it_as_soon_as_it_does(tmp_path):
    """A SIGTERM while strace still starts is the command's all the same: it is not left to run to its end."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "strace").write_text(SLOW_STRACE.format(strace=shutil.which("strace")))
    (tools / "strace").chmod(0o755)
    os.mkfifo(tmp_path / "started")
    os.mkfifo(tmp_path / "go")
    process = start(
        tmp_path, "--syscalls", "--keep", "calls", "--", "sleep", "30", path=f"{tools}:{os.environ['PATH']}"
    )
    try:
        tracer = int((tmp_path / "started").read_text())
        process.send_signal(signal.SIGTERM)
        while f"{1 << (signal.SIGTERM - 1):016x}" in Path(f"/proc/{process.pid}/status").read_text():
            assert process.poll() is None  # pending until Python has taken it
        (tmp_path / "go").write_text("now\n")
        _, err = process.communicate(timeout=20)
    finally:
        if process.returncode is None:
            process.kill()
            process.communicate()

    assert (process.returncode, "Traceback" in err) == (143, False), err
    assert not Path(f"/proc/{tracer}").exists()
    calls = (tmp_path / "calls").read_text()
    assert "execve" in calls
    assert "+++ killed by SIGTERM +++" in calls


@needs_strace
def test_the_seeds_score_has_real_calls(tmp_path):
    """Two recordings of the same program match better than one of a program that writes elsewhere more."""
    for name, heavy in (("a", "3"), ("b", "3"), ("c", "-1")):
        trace(tmp_path, "--syscalls", "--keep", f"{name}.strace", "--", sys.executable, "program.py", heavy)
    calls = {name: read_system_calls(tmp_path / f"{name}.strace") for name in "abc"}

    same = compare_traces(calls["a"], calls["b"], mode="seed")
    other = compare_traces(calls["a"], calls["c"], mode="seed")

    assert len(calls["a"]) > 500
    assert same.syscall_match - other.syscall_match > 0.08


def test_a_missing_strace_is_said_with_the_command_that_installs_it(tmp_path):
    """Without strace nothing runs: the exit code is 7 and the text says how to get it."""
    answer = trace(tmp_path, "--syscalls", "--", sys.executable, "program.py", "3", path=str(tmp_path))

    assert (answer.returncode, answer.stdout) == (7, "")
    assert "sudo apt-get install strace" in answer.stderr
    assert not (tmp_path / "experiments.db").exists()


@needs_strace
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--", "no-such-program"], "could not be started: there is no such program"),
        (["--keep", "nowhere/calls", "--", "true"], "'nowhere/calls' cannot be written"),
        (["--against", "program.py", "--", "true"], "'program.py' holds no system calls"),
        (["--keep", "a", "--against", "a", "--", "true"], "--keep would write over 'a'"),
    ],
)
def test_what_cannot_be_traced_or_scored_is_told_before_the_command_runs(tmp_path, arguments, told):
    """A wrong program, place or file of calls is named, and no score of nothing is printed."""
    (tmp_path / "a").write_text("")

    answer = trace(tmp_path, "--syscalls", *arguments)

    assert answer.returncode not in {0, 3}
    assert told in answer.stderr
    assert "Traceback" not in answer.stderr
    assert "syscall match" not in answer.stdout
