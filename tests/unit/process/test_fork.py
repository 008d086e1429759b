"""What is called when the process forks."""

import gc
import os
import subprocess
import sys

import pytest

from otel_experiments.process.fork import ResetInChild

ORDER = """
import os
from otel_experiments.process.fork import ResetInChild, at_fork
told = []
class Thing:
    def __init__(self, name): self.name = name
    def reset(self):
        told.append(self.name)
        if self.name == "bad": raise ValueError("of a thing")
def fail(): raise ValueError("of a function")
at_fork(before=lambda: told.append("before 1"), after_in_child=lambda: told.append("first"))
at_fork(before=lambda: told.append("before 2"), after_in_parent=lambda: told.append("parent"), after_in_child=fail)
things = ResetInChild(Thing.reset)
a, bad, gone, b = map(Thing, ["a", "bad", "gone", "b"])
for thing in (a, bad, gone, b): things.add(thing)
del gone, thing
at_fork(after_in_child=lambda: told.append("last"))
read, write = os.pipe()
if os.fork() == 0:
    os.write(write, ",".join(told).encode())
    os._exit(0)
os.wait()
print(os.read(read, 1000).decode())
print(",".join(told))
"""

WITHOUT_FORKS = """
import os
import concurrent.futures.thread, logging, random
import opentelemetry.sdk._logs, opentelemetry.sdk.metrics, opentelemetry.sdk.trace
del os.register_at_fork
import otel_experiments as ox
from otel_experiments.exporters.spans import StoreSpanExporter
ox.configure(store="experiments.db", system_metrics_s=0.0, capture_git=False)
with ox.start_run("r") as run, run.stage("load"):
    run.log({"loss": 1.0})
print(run.state, run.flush().is_stored)
"""


class Thing:
    """Something that would be reset."""

    def reset(self):
        """Do nothing."""


def run(script, tmp_path):
    """Run a script in a process of its own; return its standard output and error."""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=True
    )
    return done.stdout, done.stderr


def test_an_instance_is_forgotten_when_nothing_else_refers_to_it():
    """What asks to be reset in children is not kept alive by that."""
    things = ResetInChild(Thing.reset)
    kept = Thing()
    things.add(kept)
    things.add(Thing())
    gc.collect()

    assert len(things) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
def test_everything_is_called_in_order_though_one_of_them_raises(tmp_path):
    """A failure in one call leaves no other lock of the child unrenewed, and the last one is shown."""
    printed, stderr = run(ORDER, tmp_path)

    assert printed.splitlines() == [
        "before 2,before 1,first,a,bad,b,last",
        "before 2,before 1,parent",
    ]
    assert "ValueError: of a thing" in stderr


def test_recording_works_where_the_interpreter_cannot_fork(tmp_path):
    """A platform without `os.register_at_fork` records as every other does."""
    printed, _ = run(WITHOUT_FORKS, tmp_path)

    assert printed.split() == ["succeeded", "True"]


IMPORTS_FIRST = """
import os, sys
from otel_experiments.process.fork import at_fork, need_in_children
at_fork(before=lambda: print("takes a lock", flush=True))
need_in_children("needed")
pid = os.fork()
if pid == 0:
    os._exit(0)
os.waitpid(pid, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
def test_what_children_need_is_imported_before_any_lock_is_taken(tmp_path):
    """An import may wait for a thread, which may wait for a lock that is held during a fork."""
    (tmp_path / "needed.py").write_text('print("imports", flush=True)')

    printed, _ = run(IMPORTS_FIRST, tmp_path)

    assert printed.splitlines() == ["imports", "takes a lock"]


BESIDE_LOGGING = """
import os, sys, threading
from otel_experiments.process.fork import at_fork

def log():
    import logging
    logging.getLogger("another")

def another_thread_logs():
    thread = threading.Thread(target=log, daemon=True)
    thread.start()
    thread.join(timeout=20)
    print("waits" if thread.is_alive() else "goes on", flush=True)

at_fork(before=another_thread_logs)
pid = os.fork()
if pid == 0:
    os._exit(0)
os.waitpid(pid, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
def test_what_is_done_before_a_fork_holds_up_no_thread_that_logs(tmp_path):
    """The lock of `logging` is free: another thread's import may want it, and a fork may wait for that import."""
    printed, _ = run(BESIDE_LOGGING, tmp_path)

    assert printed == "goes on\n"
