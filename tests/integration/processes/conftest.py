"""Scripts that run in processes of their own, as a user's would."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest

from otel_experiments._opening import open_reader

PREAMBLE = """
import functools, json, multiprocessing, os, pathlib, signal, sys, threading, time
import otel_experiments as ox

COUNT = 300


def setup(**options):
    ox.configure(store=sys.argv[1], **{"capture_git": False, "system_metrics_s": 0, "drain_s": 0.05} | options)


def work(number, run=None):
    run = run or ox.current_run()
    for step in range(COUNT):
        run.log({f"w{number}": step / 7}, step=step)
    with run.trace(f"piece {number}"):
        pass


def acknowledge(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())
"""


class Script:
    """A script in a file, started with the store's path as its first argument."""

    def __init__(self, path, store, body, environ):
        self.path = path
        path.write_text(PREAMBLE + textwrap.dedent(body))
        clean = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_")}
        self.process = subprocess.Popen(
            [sys.executable, str(path), str(store)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**clean, **environ},
            cwd=path.parent,
        )

    def line(self):
        """Return the next line of its output."""
        text = self.process.stdout.readline().strip()
        if not text:
            pytest.fail(f"the script said nothing: {self.process.communicate(timeout=20)[1]}")
        return text

    def tell(self, text):
        """Write a line to its standard input."""
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()

    def send(self, number):
        """Send a signal."""
        os.kill(self.process.pid, number)

    def end(self, expected=0):
        """Wait for the end, check the exit status, and return what it wrote."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        # Not communicate(): it reads past what readline() has already taken into its buffer.
        with self.process.stdout, self.process.stderr:
            out, err = self.process.stdout.read(), self.process.stderr.read()
        assert self.process.wait(timeout=90) == expected, err
        return out, err


@pytest.fixture
def script(tmp_path, store_path):
    """Return a function that starts a script; what still runs at the end of the test is killed."""
    started = []

    def start(body, store=store_path, **environ):
        made = Script(tmp_path / f"script_{len(started)}.py", store, body, environ)
        started.append(made)
        return made

    yield start

    for made in started:
        if made.process.poll() is None:
            made.send(signal.SIGKILL)
        if not made.process.stdout.closed:
            made.process.communicate()


@pytest.fixture
def read(store_path):
    """Return a function that opens the store as another process would, merging what lies in the journals."""
    opened = []

    def look():
        reader = open_reader(store_path)
        opened.append(reader)
        return reader

    yield look

    for reader in opened:
        reader.close()


@pytest.fixture
def public_folder():
    """Return a folder that any user can reach: pytest's own are its user's alone."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def points():
    """Return a function that gives (step, value) of each point of each series of a run, by name."""

    def look(reader, run):
        found = {}
        for series in reader.store.series([run.id])[run.id]:
            columns = reader.store.points(run.id, series.key)
            found[series.key.name] = list(zip(columns.steps, columns.values, strict=True))
        return found

    return look


@pytest.fixture
def until():
    """Return a function that waits for something to become true, at most 20 seconds."""

    def wait(condition):
        deadline = time.monotonic() + 20
        while not (found := condition()):
            assert time.monotonic() < deadline, "it never came true"
            time.sleep(0.02)
        return found

    return wait
