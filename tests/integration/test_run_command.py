"""`otel-experiments run -- COMMAND` makes a run of a program that does not know of it."""

import json
import os
import signal
import subprocess
import sys

import pytest

import otel_experiments as ox

COMMAND = [sys.executable, "-c", "from otel_experiments.cli import main; main()"]
TRAINING = """
import otel_experiments as ox
with ox.start_run("mine", config={"lr": 0.1}) as run:
    run.log({"loss": 1.0})
    print("in", run.id)
with ox.start_run("second") as run:
    run.log({"loss": 2.0})
"""


@pytest.fixture
def folder(tmp_path):
    """The folder that the program works in."""
    (tmp_path / "train.py").write_text(TRAINING)
    return tmp_path


def start(folder, *arguments, options=(), **more):
    """Start the command as a user does."""
    told = [*COMMAND, "run", "--store", str(folder / "r.db"), *options, "--", *arguments]
    return subprocess.Popen(
        told, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
    )


def finish(folder, *arguments, options=(), given=None):
    """Run the command to its end; return its exit code, what it printed, and what went to standard error."""
    process = start(folder, *arguments, options=options, stdin=subprocess.PIPE)
    out, err = process.communicate(given, timeout=120)
    return process.returncode, out, err


def only_run(folder):
    """Return the one run of the store."""
    (found,) = ox.runs(store=folder / "r.db")
    return found


def test_a_program_that_knows_nothing_becomes_a_run(folder):
    """The run has the name, tags, exit code, command and output that were the program's, those of its children included."""
    script = "import subprocess, sys; print(sys.stdin.read(), flush=True); subprocess.run(['echo', 'child']); sys.exit(3)"
    options = ("--name", "plain", "--experiment", "e", "--tag", "a=b", "--tag", "c")

    code, out, err = finish(folder, sys.executable, "-c", script, options=options, given="hello")

    run = only_run(folder)
    assert (code, out, err) == (3, "hello\nchild\n", "")
    assert (run.name, run.experiment, run.tags) == ("plain", "e", {"a": "b", "c": ""})
    assert (str(run.state), run.reason) == ("failed", "exit code 3")
    assert run.output.stdout == "hello\nchild\n"
    assert run.resource["process.command_args"] == [sys.executable, "-c", script]
    assert [span.name for span in run.spans] == ["run e"]


def test_the_first_run_of_the_program_goes_on_with_it(folder):
    """A program that records has one run, with its own name and params; its later runs are children of it."""
    code, out, _ = finish(folder, sys.executable, "train.py", options=("--name", "given"))

    first, second = ox.run("mine", store=folder / "r.db"), ox.run("second", store=folder / "r.db")
    assert code == 0
    assert len(ox.runs(store=folder / "r.db")) == 2
    assert out == f"in {first.id}\n"
    assert first.output.text == out
    assert first.params.flat == {"lr": 0.1}
    assert (str(first.state), first.record.attempt) == ("succeeded", 1)
    assert second.record.parent_run_id == first.id
    assert [span.name for span in first.spans] == ["run default"]
    assert first.started_from is None


def test_a_first_run_with_a_key_is_beside_the_run_of_the_command(folder):
    """The command's run keeps the output and its end, whichever run follows, and what is new is a child of it."""
    (folder / "train.py").write_text(TRAINING.replace('"mine", ', '"mine", key="k", '))
    code, out, _ = finish(folder, sys.executable, "train.py", options=("--name", "given"))

    runs = {run.name: run for run in ox.runs(store=folder / "r.db")}
    assert (code, sorted(runs)) == (0, ["given", "mine", "second"])
    assert runs["given"].output.text == out == f"in {runs['mine'].id}\n"
    assert [(run.state, run.record.attempt) for run in runs.values()] == [("succeeded", 1)] * 3
    assert runs["mine"].parent_id == runs["second"].parent_id == runs["given"].id


def test_a_program_with_a_store_of_its_own_has_a_run_of_its_own(folder):
    """A program that records elsewhere goes on with nothing: its run is there, and ours is here with exit code and output."""
    (folder / "train.py").write_text(TRAINING.replace("with", "ox.configure(store='own.db')\nwith", 1))

    code, out, _ = finish(folder, sys.executable, "train.py", options=("--name", "ours"))

    run = only_run(folder)
    assert code == 0
    assert (run.name, str(run.state), run.output.text) == ("ours", "succeeded", out)
    assert ox.run("mine", store=folder / "own.db").id != run.id


def test_a_program_that_dies_after_its_run_has_failed(folder):
    """The exit code says more than a run that had ended well before it."""
    (folder / "train.py").write_text(f"{TRAINING}raise SystemExit(5)\n")

    code, _, _ = finish(folder, sys.executable, "train.py")

    run = ox.run("mine", store=folder / "r.db")
    assert code == 5
    assert (str(run.state), run.reason) == ("failed", "exit code 5")


def test_an_exception_of_the_program_is_what_its_run_says(folder):
    """Where the program's own run failed with an exception, its type stays."""
    (folder / "train.py").write_text(
        TRAINING.replace('print("in", run.id)', "raise ValueError('loss is NaN')")
    )

    code, _, err = finish(folder, sys.executable, "train.py")

    run = ox.run("mine", store=folder / "r.db")
    assert code == 1
    assert (str(run.state), run.error_type, run.reason) == ("failed", "ValueError", "loss is NaN")
    assert run.output.stderr == err
    assert "ValueError: loss is NaN" in err


def test_a_program_that_is_killed_has_failed(folder):
    """A program that a signal ended, which its own run could not say, ends with 128 and the signal's number."""
    (folder / "train.py").write_text(
        TRAINING.replace('print("in", run.id)', "import os; os.kill(os.getpid(), 9)")
    )

    code, _, _ = finish(folder, sys.executable, "train.py")

    run = ox.run("mine", store=folder / "r.db")
    assert code == 137
    assert (str(run.state), run.reason) == ("failed", "ended by SIGKILL")
    assert run.metrics["loss"].last == 1.0


@pytest.mark.parametrize(("number", "to_group"), [("SIGINT", True), ("SIGTERM", True), ("SIGTERM", False)])
def test_a_signal_reaches_the_program_once(folder, number, to_group):
    """A signal to us, or to all processes of the job, comes to the program once, and the run is cancelled."""
    script = (
        "import signal, sys, time\n"
        "got = []\n"
        f"signal.signal(signal.{number}, lambda n, f: (got.append(n), print('got it', flush=True)))\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
        "print(len(got), flush=True)\n"
        f"signal.signal(signal.{number}, signal.SIG_DFL)\n"
        f"signal.raise_signal(signal.{number})\n"
    )
    process = start(folder, sys.executable, "-c", script, stdin=subprocess.PIPE, start_new_session=True)
    assert process.stdout.readline() == "ready\n"

    (os.killpg if to_group else os.kill)(process.pid, getattr(signal, number))

    assert process.stdout.readline() == "got it\n"
    out, _ = process.communicate("", timeout=120)
    run = only_run(folder)
    assert out == "1\n"
    assert process.returncode == 128 + getattr(signal, number)
    assert (str(run.state), run.reason) == ("cancelled", number)


def test_a_command_in_a_process_of_a_run_is_a_part_of_it(folder, monkeypatch):
    """Started by a program with the environment of its run, the command has a run of its own, whose parent is that one."""
    with (
        ox.Recorder(store=folder / "r.db", system_metrics_s=0) as recorder,
        recorder.start_run("outer") as outer,
    ):
        for name, value in outer.environment().items():
            monkeypatch.setenv(name, value)
        code, _, _ = finish(folder, sys.executable, "train.py")

    first, second = ox.run("mine", store=folder / "r.db"), ox.run("second", store=folder / "r.db")
    assert code == 0
    assert first.record.parent_run_id == outer.id
    assert second.record.parent_run_id == first.id
    assert str(first.state) == "succeeded"


def test_commands_inside_of_each_other_are_one_run(folder):
    """A command that runs a command as a run makes one run of both."""
    code, out, _ = finish(folder, *COMMAND, "run", "--", sys.executable, "train.py", options=("--name", "x"))

    first = ox.run("mine", store=folder / "r.db")
    assert code == 0
    assert len(ox.runs(store=folder / "r.db")) == 2
    assert first.output.text == out
    assert str(first.state) == "succeeded"


def test_a_signal_that_is_ignored_stays_so(folder):
    """Under `nohup` and the like the program ignores what it would ignore without us."""
    script = "import signal; print(signal.getsignal(signal.SIGHUP), signal.getsignal(signal.SIGPIPE))"
    told = [*COMMAND, "run", "--store", str(folder / "r.db"), "--", sys.executable, "-c", script]

    played = subprocess.run(
        ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *told],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    plain = subprocess.run(
        ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *told[-3:]], capture_output=True, text=True, check=True
    )

    assert played.stdout == plain.stdout
    assert played.stdout == f"{int(signal.SIG_IGN)} {int(signal.SIG_IGN)}\n"


def test_what_cannot_be_run_is_said_as_a_shell_says_it(folder):
    """127 where there is no such program, 126 where it cannot be run; no run is left of it."""
    missing = finish(folder, "no-such-program")
    denied = finish(folder, "./train.py")
    is_folder = finish(folder, "/tmp")

    assert missing[0] == 127
    assert missing[2] == (
        "'no-such-program' was not started: there is no such program.\n"
        "  Check its name, the PATH, and whether it may be run.\n"
    )
    assert denied[0] == 126
    assert denied[2].startswith("'./train.py' was not started: it may not be run.\n")
    assert is_folder[0] == 126
    assert not (folder / "r.db").exists()


def test_a_script_of_the_shell_is_run_as_a_shell_would(folder):
    """A script without a first line that names its interpreter runs, and a run below it goes on with ours."""
    script = folder / "train.sh"
    script.write_text(f"{sys.executable} train.py\nexit 4\n")
    script.chmod(0o755)

    code, _, _ = finish(folder, "./train.sh")

    assert code == 4
    assert str(ox.run("mine", store=folder / "r.db").state) == "failed"


def test_the_command_sees_a_terminal_where_there_is_one(folder):
    """On a terminal the program's streams are terminals, of the same size, and its lines are recorded as it wrote them."""
    pty = pytest.importorskip("pty")
    script = (
        "import os, sys; print(sys.stdout.isatty(), sys.stderr.isatty(), os.get_terminal_size(1).columns)"
    )
    ours, theirs = pty.openpty()
    __import__("fcntl").ioctl(theirs, __import__("termios").TIOCSWINSZ, b"\x18\0\x5b\0\0\0\0\0")
    told = [*COMMAND, "run", "--store", str(folder / "r.db"), "--", sys.executable, "-c", script]
    environ = os.environ | {"OTEL_EXPERIMENTS_QUIET": "true"}

    code = subprocess.run(
        told, cwd=folder, stdout=theirs, stderr=theirs, env=environ, timeout=120, check=False
    ).returncode

    assert code == 0
    assert os.read(ours, 1000) == b"True True 91\r\n"
    assert only_run(folder).output.text == "True True 91\n"
    os.close(ours)
    os.close(theirs)


def test_a_reader_that_goes_away_is_noticed_by_the_program(folder):
    """`otel-experiments run -- yes | head` ends: the program gets the broken pipe that it would get without us."""
    process = start(folder, "yes")
    assert process.stdout.readline() == "y\n"
    process.stdout.close()

    assert process.wait(timeout=120) == 128 + signal.SIGPIPE
    process.stderr.close()
    assert only_run(folder).reason == "ended by SIGPIPE"


def test_without_output_nothing_is_copied(folder):
    """With `--output off` the program has our descriptors, and the run has no output."""
    code, out, _ = finish(folder, sys.executable, "train.py", options=("--output", "off"))

    run = ox.run("mine", store=folder / "r.db")
    assert (code, out) == (0, f"in {run.id}\n")
    assert not run.output


def test_with_python_the_program_copies_its_own(folder):
    """With `--output python` a program that records has in its run what it prints itself."""
    code, out, _ = finish(folder, sys.executable, "train.py", options=("--output", "python"))

    run = ox.run("mine", store=folder / "r.db")
    assert code == 0
    assert run.output.text == out


def test_the_output_of_a_run_is_shown(folder):
    """`show RUN --output`, `--stderr`, `--tail` and `--json` print what was recorded."""
    script = "import sys; print('one'); print('two'); sys.stdout.flush(); print('bad', file=sys.stderr)"
    finish(folder, sys.executable, "-c", script, options=("--name", "plain"))

    def show(*options):
        told = [*COMMAND, "show", "--store", str(folder / "r.db"), "plain", *options]
        return subprocess.run(told, capture_output=True, text=True, check=False, timeout=120)

    assert show("--output").stdout == "one\ntwo\nbad\n"
    assert show("--stderr").stdout == "bad\n"
    assert show("--output", "--tail", "2").stdout == "two\nbad\n"
    found = json.loads(show("--output", "--json", "--tail", "1").stdout)
    assert [(line["stream"], line["text"]) for line in found["lines"]] == [("stderr", "bad")]
    assert show("--output", "--patch").returncode == 2


@pytest.mark.parametrize(
    ("variable", "value", "is_recorded"),
    [("OTEL_EXPERIMENTS_ENABLED", "false", False), ("OTEL_SDK_DISABLED", "true", True)],
)
def test_a_command_runs_where_recording_is_off(folder, monkeypatch, variable, value, is_recorded):
    """Where recording, or all telemetry, is switched off, the command runs as ever, and no output is recorded."""
    monkeypatch.setenv(variable, value)

    code, out, _ = finish(folder, sys.executable, "-c", "print('hello'); raise SystemExit(3)")

    assert (code, out) == (3, "hello\n")
    assert (folder / "r.db").exists() is is_recorded
    if is_recorded:
        run = only_run(folder)
        assert (str(run.state), str(run.output)) == ("failed", "")


@pytest.mark.parametrize("kind", ["a file that is no store", "a folder"])
def test_a_command_runs_that_cannot_be_recorded(folder, kind):
    """With a store that cannot be used the command runs, its exit code is ours, and that it is not recorded is said once."""
    store = folder / "r.db"
    _ = store.mkdir() if kind == "a folder" else store.write_text("something else")

    code, out, err = finish(folder, "sh", "-c", "cat; exit 3", given="hello")

    assert (code, out) == (3, "hello")
    assert err.count("The command is not recorded. The command runs as it would.") == 1
    assert str(store) in err


@pytest.mark.parametrize("limit", [7, 10, 15, 20])
def test_a_command_runs_where_few_descriptors_are_left(folder, limit):
    """With a low `ulimit -n` the command runs, and no traceback of ours is printed."""
    told = [*COMMAND, "run", "--store", "r.db", "--", "sh", "-c", "echo ran; exit 3"]

    played = subprocess.run(
        ["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh", *told],
        cwd=folder, check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip

    assert (played.returncode, played.stdout) == (3, "ran\n")
    assert "Traceback" not in played.stderr


def test_the_patch_is_in_the_run_beside_child_processes(folder, monkeypatch):
    """What is not committed is recorded, although the command has child processes: the program, and here one of before."""
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@x"]
    for arguments in (["init", "-q"], ["add", "train.py"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *arguments], cwd=folder, check=True)
    (folder / "train.py").write_text("lr = 0.2\n")
    monkeypatch.setenv("OTEL_EXPERIMENTS_CAPTURE_ENVIRONMENT", "true")
    told = [*COMMAND, "run", "--store", "r.db", "--", "true"]

    subprocess.run(["/bin/sh", "-c", 'true & exec "$@"', "sh", *told], cwd=folder, check=True)

    snapshot = only_run(folder).snapshot
    assert (snapshot.git.get("problem"), snapshot.git["changed_count"]) == (None, 1)
    assert "+lr = 0.2" in snapshot.patch


def test_what_is_printed_later_by_children_arrives(folder):
    """A child that prints after the command itself has ended is waited for, and its lines are in the run."""
    code, out, _ = finish(folder, "sh", "-c", "(read line; echo late) & echo early", given="")

    assert (code, sorted(out.split())) == (0, ["early", "late"])
    assert sorted(only_run(folder).output.text.split()) == ["early", "late"]


def test_children_that_outlive_the_command_can_go_on_printing(folder, monkeypatch):
    """What a child prints after the command has given up waiting arrives, and the child gets no broken pipe."""
    monkeypatch.setenv("OTEL_EXPERIMENTS_EXIT_TIMEOUT_S", "0.1")
    script = "exec 3<&0; (read line <&3; echo late) & echo early"
    process = start(folder, "sh", "-c", script, stdin=subprocess.PIPE)

    assert process.wait(timeout=120) == 0

    assert process.communicate("go on\n", timeout=120)[0] == "early\nlate\n"


def test_bytes_that_are_no_text_arrive_as_they_were_printed(folder):
    """What a program prints that is not UTF-8 arrives byte by byte, and the run has a replacement character for it."""
    told = [*COMMAND, "run", "--store", "r.db", "--", "printf", "caf\\351\\n"]

    played = subprocess.run(told, cwd=folder, capture_output=True, check=True, timeout=120)

    assert played.stdout == b"caf\xe9\n"
    assert only_run(folder).output.stdout == "caf\N{REPLACEMENT CHARACTER}\n"


def test_a_command_that_is_killed_ends_no_program(folder):
    """A program goes on when the command around it is killed, and what it prints arrives."""
    script = "print('early', flush=True); input(); print('late', flush=True); open('ended', 'w').close()"
    process = start(folder, sys.executable, "-c", script, stdin=subprocess.PIPE)
    assert process.stdout.readline() == "early\n"

    process.kill()
    process.wait(timeout=120)

    assert process.communicate("go on\n", timeout=120)[0] == "late\n"
    assert (folder / "ended").exists()


def test_a_reader_that_goes_away_is_noticed_after_the_command_was_killed(folder):
    """Once the command is gone, the end of who reads what the program prints reaches the program as it would without us."""
    script = (
        "import sys\nprint('early', flush=True)\ninput()\ntry:\n  while True: print('late', flush=True)\n"
    )
    script += "except BrokenPipeError:\n  open('noticed', 'w').close()\n  sys.stderr.close()"
    process = start(folder, sys.executable, "-c", script, stdin=subprocess.PIPE)
    assert process.stdout.readline() == "early\n"

    process.kill()
    process.wait(timeout=120)
    process.stdout.close()
    process.stdin.write("go on\n")
    process.stdin.close()
    with process.stderr:
        process.stderr.read()  # until the program has ended

    assert (folder / "noticed").exists()


def test_a_program_that_closes_its_output_goes_on(folder):
    """A program that closes both streams is waited for, and its exit code is ours."""
    code, _, _ = finish(folder, "sh", "-c", "exec 1>&- 2>&-; read line; exit 3", given="x\n")

    assert code == 3
