"""`tail`: a run followed from a terminal while other processes record it, end it, or are killed."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-u", "-c", "from otel_experiments.cli import main; main()"]
# Does what each line on stdin says, and says when it is done.
WORKER = """
import os, sys
import otel_experiments as ox
run = ox.start_run(sys.argv[1], experiment="live") if sys.argv[2:] != ["join"] else None
if run is None:
    joined = ox.join_run()
    run = joined.__enter__()
print("ready", flush=True)
stages = []
for line in sys.stdin:
    word, _, rest = line.strip().partition(" ")
    if word == "log":
        name, step, value = rest.split()
        run.log({name: float(value)}, step=int(step))
    elif word == "many":
        for step in range(int(rest)):
            run.log({"many": float(step)}, step=step)
    elif word == "stage":
        stages.append(run.stage(rest)); stages[-1].__enter__()
    elif word == "leave":
        stages.pop().__exit__(None, None, None)
    elif word == "fork":
        if not os.fork():
            run.log({"child": 1.0}, step=0)
            os._exit(0)
        os.wait()
    elif word == "end":
        run.finish()
    elif word == "fail":
        run.fail("it broke")
    print("done", flush=True)
"""


@pytest.fixture
def environment(tmp_path):
    """Return an environment whose store is in the test's folder."""
    base = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    return {
        **base,
        "COLUMNS": "80",
        "OTEL_EXPERIMENTS_STORE": str(tmp_path / "x.db"),
        "OTEL_EXPERIMENTS_SYSTEM_METRICS": "0",
    }


class Worker:
    """A process that records what it is told."""

    def __init__(self, environment, name, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, name, *arguments],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout.readline() == "ready\n"

    def do(self, *lines):
        """Have it do something, and wait until it has."""
        for line in lines:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            assert self.process.stdout.readline() == "done\n"

    def leave(self):
        """Let it end."""
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def kill(self):
        """Kill it."""
        self.process.kill()
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Tail:
    """A `tail` whose lines are read as they come."""

    def __init__(self, environment, *arguments):
        self.process = subprocess.Popen(
            [*COMMAND, "tail", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until(self, *wanted):
        """Return the lines up to the first that has all these texts; those of a tail that ends are said."""
        lines = []
        for line in self.process.stdout:
            lines.append(line.rstrip("\n"))
            if all(one in line for one in wanted):
                return lines
        raise AssertionError((wanted, lines, self.process.stderr.read()))

    def rest(self):
        """Return what comes until it ends, what it complains about, and its exit code."""
        out, err = self.process.communicate()
        return out.splitlines(), err, self.process.returncode


def test_what_is_recorded_is_shown_while_it_is_recorded(environment):
    """A point, a span when it opens and when it ends, and the end of the run, which ends the tail."""
    worker = Worker(environment, "brave-otter")
    tail = Tail(environment, "--exit-code")
    assert "brave-otter" in tail.until("state", "running")[-1]

    worker.do("log loss 1 0.5")
    assert "step 1  loss 0.5" in tail.until("points")[-1]
    worker.do("stage warm-up")
    assert "warm-up" in tail.until("opened", "warm-up")[-1]
    worker.do("leave")
    tail.until("ended", "warm-up")
    worker.do("fork", "end")
    lines, err, code = tail.rest()
    worker.leave()

    assert any("child 1" in line for line in lines)
    assert lines[-1].endswith("succeeded")
    assert (err, code) == ("", 0)


def test_a_killed_run_is_said_to_be_lost_after_all_that_it_recorded(environment):
    """What waits in the journal of a killed process is shown, too, and `--exit-code` says that it did not succeed."""
    worker = Worker(environment, "brave-otter")
    tail = Tail(environment, "--exit-code", "--json")
    tail.until('"running"')

    worker.do(*(f"log loss {step} {step}" for step in range(20)))
    worker.kill()
    lines, err, code = tail.rest()

    found = [json.loads(line) for line in lines]
    assert [one["step"] for one in found if one.get("name") == "loss"] == list(range(20))
    assert (found[-1]["change"], found[-1]["state"]) == ("state", "lost")
    assert (err, code) == ("", 1)


def test_several_runs_are_followed_and_those_that_begin_later(environment):
    """`--where` shows each with its name, and ends when all have ended."""
    first = Worker(environment, "first")
    tail = Tail(environment, "--where", "experiment == 'live'", "--only", "state", "--only", "points")
    tail.until("first", "running")
    second = Worker(environment, "second")
    second.do("log loss 3 7")
    tail.until("second", "loss 7")
    first.do("log loss 4 8")
    tail.until("first", "loss 8")
    first.do("fail")
    tail.until("first", "failed", "it broke")
    second.do("end")
    lines, err, code = tail.rest()
    first.leave()
    second.leave()

    assert lines[-1].endswith("succeeded")
    assert (err, code) == ("", 0)


def test_a_run_that_is_not_there_yet_is_waited_for(environment):
    """Neither store nor run are there when `tail --wait` begins."""
    tail = Tail(environment, "later", "--wait")
    earlier = Worker(environment, "earlier")
    earlier.do("end")
    earlier.leave()
    worker = Worker(environment, "later")
    worker.do("log loss 1 2", "end")
    tail.until("loss 2")
    worker.leave()

    assert tail.rest()[1:] == ("", 0)


def test_a_closed_pipe_ends_it_though_nothing_comes(environment):
    """`tail | head -n 1` ends while the run is silent."""
    worker = Worker(environment, "silent")
    tail = Tail(environment)
    tail.until("running")
    tail.process.stdout.close()

    assert tail.process.wait() == 0
    assert tail.process.stderr.read() == ""
    tail.process.stderr.close()
    worker.do("end")
    worker.leave()


def test_ctrl_c_ends_it(environment):
    """The exit code says that it was interrupted."""
    worker = Worker(environment, "silent")
    tail = Tail(environment)
    tail.until("running")
    tail.process.send_signal(signal.SIGINT)

    _, err, code = tail.rest()
    worker.do("end")
    worker.leave()
    assert code == 130
    assert "Interrupted" in err


def test_ten_thousands_of_points_at_once_come_once(environment):
    """More than a page of them, in their order."""
    worker = Worker(environment, "busy")
    tail = Tail(environment, "--json", "--only", "points")
    worker.do("many 25000", "end")
    lines, err, code = tail.rest()
    worker.leave()

    assert [json.loads(line)["step"] for line in lines] == list(range(25_000))
    assert (err, code) == ("", 0)


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_the_end_of_a_run_is_said_after_all_that_it_recorded(environment, form):
    """Who stops reading at the end of the run misses no point, however many pages of them there are."""
    worker = Worker(environment, "busy")
    worker.do("many 25000", "end")
    worker.leave()

    lines, err, code = Tail(environment, "--exit-code", "--only", "points", "--only", "state", *form).rest()

    assert len(lines) == 25_001
    assert "succeeded" in lines[-1]
    assert (err, code) == ("", 0)


def test_a_store_that_is_replaced_is_said(environment, tmp_path):
    """It does not go on with a file that is not there any more."""
    worker = Worker(environment, "silent")
    tail = Tail(environment)
    tail.until("running")
    shutil.copy(tmp_path / "x.db", tmp_path / "other.db")
    (tmp_path / "other.db").replace(tmp_path / "x.db")

    _, err, code = tail.rest()
    worker.kill()
    assert "deleted or replaced" in err
    assert code == 3


def test_what_is_recorded_under_odd_names_is_one_line(environment):
    """Names with line breaks and control characters steer no terminal."""
    code = (
        "import otel_experiments as ox\n"
        "with ox.start_run('otter \\U0001f9a6', experiment='live') as run:\n"
        "    run.log({'lo\\U0001f9a6ss': float('nan')}, step=1)\n"
        "    with run.stage('a\\x1b[31m\\nb'): pass\n"
    )
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)

    lines, err, code = Tail(environment).rest()

    assert (err, code) == ("", 0)
    assert any("lo\U0001f9a6ss nan" in line.lower() for line in lines)
    assert any("ended   stage a\\x1b[31m\\nb" in line for line in lines)
    assert "\x1b" not in "".join(lines)


def test_what_is_said_wrongly_is_a_usage_error(environment):
    """One run and a search exclude each other; a store that is not there is said."""
    assert Tail(environment, "a", "--where", "state == 'running'").rest()[2] == 2
    assert Tail(environment).rest()[2] == 3
