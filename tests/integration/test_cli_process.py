"""The command line as a process: pipes, terminals, start-up, and the demo from end to end."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from otel_experiments.model.batch import MetricDefinition, WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.store import open_store
from otel_experiments.testing.live_check import LiveCheck

SECOND = 10**9
COMMAND = [sys.executable, "-c", "from otel_experiments.cli import main; main()"]


@pytest.fixture(scope="module")
def store_path(tmp_path_factory):
    """Return a store with 300 ended runs of one metric each."""
    path = tmp_path_factory.mktemp("many") / "experiments.db"
    batch = WriteBatch()
    for i in range(300):
        run_id = f"{i:032x}"
        batch.runs.append(
            Run(run_id, "many", f"run-{i:03d}", RunState.SUCCEEDED, i * SECOND, ended_ns=i * SECOND)
        )
        batch.metric_definitions.append(MetricDefinition(run_id, "loss", "min"))
        batch.points.append(PointBlock(run_id, (SeriesKey("loss"),), [0.0], [i * SECOND], ([float(i)],)))
    with open_store(path) as store:
        store.apply(batch)
    return path


def environment(store, **changes):
    """Return an environment in which the command line finds the store."""
    base = {
        key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "NO_COLOR", "FORCE_"))
    }
    return {**base, "COLUMNS": "80", "OTEL_EXPERIMENTS_STORE": str(store), **changes}


def run_command(store, *arguments, **changes):
    """Return the completed process of one command."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(store, **changes),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_a_reader_that_goes_away_is_no_error(store_path):
    """`... | head -n 1` ends quietly: exit code 0, nothing on stderr."""
    for arguments in (
        ["runs", "--all"],
        ["export", "runs"],
        ["export", "points", "--format", "jsonl"],
        ["runs", "--all", "--json"],
    ):
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            env=environment(store_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        process.stdout.read(10)
        process.stdout.close()
        errors = process.stderr.read()
        process.stderr.close()

        assert (process.wait(60), errors) == (0, b"")


def test_output_into_a_pipe_has_no_colour(store_path):
    """Without a terminal there is no escape sequence in the output."""
    assert "\x1b" not in run_command(store_path, "runs").stdout


def in_a_terminal(store, *arguments, **changes):
    """Return what a command writes to a terminal."""
    main, side = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment(store, TERM="xterm-256color", **changes),
        stdout=side,
        stderr=side,
        stdin=side,
    )
    os.close(side)
    written = b""
    while True:
        try:
            part = os.read(main, 65536)
        except OSError:
            break  # the terminal is gone when the process is
        if not part:
            break
        written += part
    os.close(main)
    assert process.wait(60) == 0
    return written.decode()


def test_a_terminal_gets_colour_unless_it_is_declined(store_path):
    """On a terminal states are coloured; NO_COLOR is honoured."""
    coloured = in_a_terminal(store_path, "runs", "-n", "3")
    plain = in_a_terminal(store_path, "runs", "-n", "3", NO_COLOR="1")

    assert "\x1b[32m" in coloured
    assert "\x1b[" not in plain
    assert "run-299" in plain


def test_output_without_unicode_is_ascii(store_path):
    """Where the output cannot carry more than ASCII, signs and lines are ASCII."""
    done = run_command(store_path, "metrics", "run-007", PYTHONIOENCODING="ascii", PYTHONUTF8="0")

    assert done.returncode == 0
    assert done.stdout.isascii()
    assert "loss" in done.stdout


def test_help_imports_neither_rich_nor_the_store(store_path):
    """`--help` answers without importing what only commands need."""
    script = (
        "import sys\nfrom otel_experiments.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted(name for name in ('rich', 'sqlite3', 'opentelemetry', 'grpc', 'numpy') if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "--help"],
        env=environment(store_path),
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines()[-1] == "[]"
    assert "Exit codes: 0 done" in done.stdout


def test_the_installed_command_knows_its_version_and_its_commands(store_path):
    """The console script exists, and lists the commands in the documented order."""
    version = run_command(store_path, "--version").stdout
    listed = run_command(store_path, "--help").stdout

    assert version.startswith("otel-experiments, version ")
    names = [
        line.split()[0]
        for line in listed.split("Commands:\n")[1].split("\n\n")[0].splitlines()
        if line.startswith("  ")
    ]
    assert names[:32] == [
        "demo", "run", "runs", "show", "tail", "metrics", "diff", "compare", "ab", "spans", "traces", "artifacts", "export", "bundle",
        "import", "push",
        "tag", "note", "annotate", "rename", "group", "pin", "archive", "rm", "restore",
        "attach", "serve", "mcp", "skill", "sql", "gc", "doctor",
    ]  # fmt: skip
    assert names[-1] == "semconv"


@pytest.mark.parametrize(
    "command",
    [
        "demo",
        "runs",
        "show",
        "metrics",
        "spans",
        "export",
        "import",
        "attach",
        "serve",
        "mcp",
        "skill",
        "sql",
        "doctor",
        "semconv",
        "run",
        "tag",
        "rm",
        "gc",
    ],
)
def test_every_command_has_help(store_path, command):
    """`COMMAND --help` explains the command."""
    done = run_command(store_path, command, "--help")

    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: otel-experiments {command}")


def test_demo_trains_records_and_says_what_to_type_next(tmp_path):
    """The demo records five real runs, one of which fails on purpose; the commands it shows work."""
    pytest.importorskip("sklearn")
    store = tmp_path / "demo.db"

    done = run_command(store, "demo", "--epochs", "8")
    runs = json.loads(run_command(store, "runs", "--json").stdout)["runs"]

    assert (done.returncode, done.stderr) == (0, "")
    assert {run["name"]: run["state"] for run in runs} == {
        "sgd-careful": "succeeded", "sgd-brisk": "succeeded", "mlp-small": "succeeded", "mlp-wide": "succeeded",
        "sgd-runaway": "failed",
    }  # fmt: skip
    failed = next(run for run in runs if run["state"] == "failed")
    assert "TrainingDivergedError" in failed["error_type"]
    accuracy = {run["name"]: next(one["last"] for one in run["metrics"] if one["name"] == "test/acc") for run in runs if run is not failed}  # fmt: skip
    assert min(accuracy.values()) > 0.8
    hints = [line.strip() for line in done.stdout.splitlines() if line.startswith("  otel-experiments ")]
    assert len(hints) == 5
    for hint in hints:
        typed = hint.replace(
            "otel-experiments", f"{sys.executable} -c 'from otel_experiments.cli import main; main()'", 1
        )
        shown = subprocess.run(
            ["sh", "-c", typed],
            env=environment(store),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (shown.returncode, bool(shown.stdout) or "Wrote" in shown.stderr) == (0, True), (
            hint,
            shown.stderr,
        )
    tree = [line for line in run_command(store, "show", "mlp-wide").stdout.splitlines() if "epoch" in line]
    assert any("x8" in line for line in tree)


def test_demo_without_scikit_learn_exits_with_6(tmp_path):
    """A missing optional package is named together with the command that installs it."""
    script = "import sys\nsys.modules['sklearn'] = None\nfrom otel_experiments.cli import main\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", script, "demo"],
        env=environment(tmp_path / "x.db"),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 6
    assert "pip install 'otel-experiments[demo]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_ends_the_demo_with_a_line_and_keeps_what_was_recorded(tmp_path):
    """An interrupted command exits with 130, as shells expect; the run it was in reads as cancelled."""
    pytest.importorskip("sklearn")
    store = tmp_path / "demo.db"
    process = subprocess.Popen(
        [*COMMAND, "demo", "--epochs", "1000"],
        env=environment(store),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline_s = time.monotonic() + 60
    while "sgd-careful" not in run_command(store, "runs", "--where", 'metrics["val/acc"].count > 2').stdout:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline_s, "the demo recorded nothing"

    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)

    assert (process.returncode, errors.strip().splitlines()) == (
        130,
        ["Interrupted. What was recorded so far is kept."],
    )
    (run,) = json.loads(run_command(store, "runs", "--json").stdout)["runs"]
    assert (run["state"], run["reason"]) == ("cancelled", "KeyboardInterrupt")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_output_onto_a_full_disk_is_told_in_a_line(store_path):
    """`otel-experiments runs > FILE` on a full disk ends with one line on stderr and exit code 1."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "runs"], env=environment(store_path), stdout=full, stderr=subprocess.PIPE, check=False
        )

    assert (done.returncode, done.stderr.decode()) == (
        1,
        "Cannot write the output: No space left on device.\n",
    )


@pytest.mark.parametrize(
    "command",
    [
        ["runs"], ["runs", "--watch"], ["tail"], ["tail", "--json"], ["show", "latest"],
        ["sql", "--csv", "select 1"], ["export", "runs"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_output_to_nowhere_is_no_error(store_path, command):
    """A daemon without stdout may call the command line: `otel-experiments runs >&-`."""
    done = subprocess.run(
        ["sh", "-c", '"$0" "$@" >&-', *COMMAND, *command],
        env=environment(store_path),
        stderr=subprocess.PIPE,
        check=False,
    )

    said = b"--watch draws on a terminal, and this is none: printed once.\n"
    assert (done.returncode, done.stderr) == (0, said if "--watch" in command else b"")


def test_the_demo_keeps_to_the_vocabulary(tmp_path):
    """The live check finds nothing to object to in what the demo records."""
    pytest.importorskip("sklearn")
    path = tmp_path / "demo.db"
    done = run_command(path, "demo", "--epochs", "2")
    assert (done.returncode, done.stderr) == (0, "")

    live_check = LiveCheck()
    with open_store(path, read_only=True) as store:
        live_check.check_store(store)
        spans = store.sql("select count(*) from spans")[1][0][0]

    assert [str(advice) for advice in live_check.violations] == []
    assert spans > 5 * 5
