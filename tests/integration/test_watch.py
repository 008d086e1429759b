"""`runs --watch`: a table that is drawn again in its place."""

import os
import pty
import re
import signal
import subprocess
import sys

from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.run import Run, RunState
from otel_experiments.store import open_store

COMMAND = [sys.executable, "-c", "from otel_experiments.cli import main; main()"]


def add_run(path, name, number):
    """Store a run."""
    with open_store(path) as store:
        store.apply(
            WriteBatch(
                runs=[Run(f"{number:032x}", "live", name, RunState.SUCCEEDED, number, ended_ns=number)]
            )
        )


def environment(path):
    """Return an environment in which the command line finds the store."""
    base = {
        key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "NO_COLOR", "FORCE_"))
    }
    return {
        **base,
        "COLUMNS": "80",
        "LINES": "24",
        "TERM": "xterm-256color",
        "OTEL_EXPERIMENTS_STORE": str(path),
    }


def test_the_table_shows_runs_that_come_later(tmp_path):
    """Each page is drawn over the one before, in colour, and Ctrl-C ends it."""
    path = tmp_path / "x.db"
    add_run(path, "early-bird", 1)
    main, side = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "runs", "--watch"], env=environment(path), stdout=side, stderr=side, stdin=side
    )
    os.close(side)

    written = b""
    while b"early-bird" not in written:
        written += os.read(main, 65536)
    add_run(path, "late-riser", 2)
    while b"late-riser" not in written:
        written += os.read(main, 65536)
    process.send_signal(signal.SIGINT)
    while True:
        try:
            part = os.read(main, 65536)
        except OSError:  # the terminal is gone when the process is
            break
        if not part:
            break
    os.close(main)

    assert process.wait() == 130
    assert written.count(b"\x1b[2J") == 1
    assert b"\x1b[32m" in written
    last_page = re.split(rb"\x1b\[H", written)[-1]
    assert last_page.index(b"late-riser") < last_page.index(b"early-bird")


def test_into_a_pipe_it_is_printed_once(tmp_path):
    """That is said on stderr, and stdout has the table alone; with --json it is refused."""
    path = tmp_path / "x.db"
    add_run(path, "early-bird", 1)

    def run(*arguments):
        return subprocess.run(
            [*COMMAND, "runs", *arguments], env=environment(path), capture_output=True, text=True, check=False
        )

    watched, plain = run("--watch"), run()
    assert re.sub(r"\d+ \w+", "", watched.stdout) == re.sub(r"\d+ \w+", "", plain.stdout)
    assert watched.stderr == "--watch draws on a terminal, and this is none: printed once.\n"
    assert watched.returncode == 0
    assert run("--watch", "--json").returncode == 2
