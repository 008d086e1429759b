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


class Watch:
    """`runs --watch` on a terminal."""

    def __init__(self, path):
        self._main, side = pty.openpty()
        self.process = subprocess.Popen(
            [*COMMAND, "runs", "--watch"], env=environment(path), stdout=side, stderr=side, stdin=side
        )
        os.close(side)
        self.written = b""

    def until(self, text):
        """Wait until it has written a text."""
        while text not in self.written:
            self.written += os.read(self._main, 65536)

    def rest(self):
        """Read until it has ended; return its exit code."""
        while True:
            try:
                part = os.read(self._main, 65536)
            except OSError:  # the terminal is gone when the process is
                break
            if not part:
                break
            self.written += part
        os.close(self._main)
        return self.process.wait()

    @property
    def last_page(self):
        """What is on the terminal now."""
        return re.split(rb"\x1b\[H", self.written)[-1]


def test_the_table_shows_runs_that_come_later(tmp_path):
    """Each page is drawn over the one before, in colour, and Ctrl-C ends it."""
    path = tmp_path / "x.db"
    add_run(path, "early-bird", 1)
    watch = Watch(path)

    watch.until(b"early-bird")
    add_run(path, "late-riser", 2)
    watch.until(b"late-riser")
    watch.process.send_signal(signal.SIGINT)

    assert watch.rest() == 130
    assert watch.written.count(b"\x1b[2J") == 1
    assert b"\x1b[32m" in watch.written
    assert watch.last_page.index(b"late-riser") < watch.last_page.index(b"early-bird")


def test_the_table_is_of_the_store_that_is_there_now(tmp_path):
    """One that takes the place of the first is read, and where none is left, that is said."""
    path, other = tmp_path / "x.db", tmp_path / "other.db"
    add_run(path, "early-bird", 1)
    watch = Watch(path)

    watch.until(b"early-bird")
    add_run(other, "cuckoo", 2)
    other.replace(path)
    watch.until(b"cuckoo")
    assert b"early-bird" not in watch.last_page
    path.unlink()

    assert watch.rest() == 3
    assert b"first run" in watch.written


def test_the_table_has_what_a_process_recorded_that_was_killed(tmp_path):
    """Nobody else stores what waits in its journal."""
    path = tmp_path / "x.db"
    add_run(path, "early-bird", 1)
    watch = Watch(path)
    watch.until(b"early-bird")

    killed = (
        "import os, otel_experiments as ox\n"
        "run = ox.configure(drain_s=60); ox.start_run('shooting-star')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", killed], env=environment(path), check=False)
    watch.until(b"shooting-star")

    watch.process.send_signal(signal.SIGINT)
    assert watch.rest() == 130
    assert b"lost" in watch.last_page


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
