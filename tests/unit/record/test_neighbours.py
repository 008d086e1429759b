"""How much of the machine others used while a run was recorded, with real processes that burn it."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

import otel_experiments as ox
from otel_experiments.record.cgroup import read_limits
from otel_experiments.record.neighbours import NeighbourClock

CPUS = os.cpu_count() or 1
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
    pytest.mark.skipif(
        (read_limits().cpu_count or CPUS) < CPUS or len(os.sched_getaffinity(0)) < CPUS,
        reason="may not use all of the machine's processors",
    ),
]

BURN = "import time\nend = time.monotonic() + 60\nwhile time.monotonic() < end: sum(range(10_000))"
SHARE = "ml.run.neighbour.cpu.utilization"


@contextlib.contextmanager
def burning(*, as_children, count=CPUS):
    """Let processes burn all processors: children of this one, or of nobody here."""
    if as_children:
        made = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(count)]
        found = [one.pid for one in made]
    else:
        command = ["sh", "-c", '"$0" -c "$1" >&2 & echo $!', sys.executable, BURN]
        made, found = [], [int(subprocess.check_output(command)) for _ in range(count)]
    try:
        time.sleep(0.3)  # until they run
        yield
    finally:
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        for one in made:
            one.wait()


def share_of(seconds):
    """Return the share that a clock reads after so long."""
    clock = NeighbourClock()
    time.sleep(seconds)
    return clock.read()


def test_other_programs_are_neighbours():
    """Programs that burn every processor while this one sleeps used nearly all of them."""
    with burning(as_children=False):
        assert share_of(0.6) > 0.7


def test_own_children_are_no_neighbours():
    """Workers of the run, whether they began before it or in it, are the run itself; others here may use the rest."""
    with burning(as_children=True, count=4 * CPUS):
        assert share_of(0.6) < 0.5
    clock = NeighbourClock()
    with burning(as_children=True, count=4 * CPUS):
        time.sleep(0.6)
        assert clock.read() < 0.5


def test_own_work_is_no_neighbour():
    """What this process computes itself is not counted as others', however many those are."""
    with burning(as_children=False):
        clock, began, used = NeighbourClock(), time.monotonic(), time.process_time()
        while time.process_time() - used < 0.5:
            sum(range(10_000))
        share, whole_s = clock.read(), CPUS * (time.monotonic() - began)

    assert 0.1 < share < 1 - 0.4 / whole_s


def test_a_moment_tells_nothing():
    """Less than the kernel's ticks can tell is None, not 0."""
    assert share_of(0.0) is None


def test_a_run_says_what_others_used(recording, read):
    """The root span has the share once the run has ended; a run of a moment has none."""
    with burning(as_children=False), ox.start_run("crowded"):
        time.sleep(0.5)
    with ox.start_run("short"):
        pass

    (crowded,), (short,) = read("crowded").spans, read("short").spans
    assert 0.5 < crowded.attributes[SHARE] <= 1
    assert SHARE not in short.attributes


def test_many_small_runs_share_a_reading(recording):
    """A thousand runs read the machine's times a hundred times a second at most."""
    from otel_experiments.record import neighbours

    seen = set()
    began = time.monotonic()
    for _ in range(300):
        with ox.start_run("small"):
            seen.add(neighbours._latest.taken_s)
    elapsed_s = time.monotonic() - began

    assert len(seen) <= elapsed_s / 0.01 + 2
