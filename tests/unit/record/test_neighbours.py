"""How much of the machine others used while a run was recorded, with real processes that burn it."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import psutil
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
    pytest.mark.skipif(os.getpid() == 1, reason="as a container's first process, all here are its children"),
]

BURN = "import time\nend = time.monotonic() + 60\nwhile time.monotonic() < end: sum(range(10_000))"
ENOUGH = 0.15
"""So much of the processors has a child to use, or two shares that count it twice would not show: above 1.1."""
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
        yield found
    finally:
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        for one in made:
            one.wait()


class Company:
    """What others used by the clock, and what `pids` used by psutil, of the processors since it was made."""

    def __init__(self, pids):
        self._processes = [psutil.Process(pid) for pid in pids]
        self._clock, self._began_s, self._used_s = NeighbourClock(), time.monotonic(), self._read_s()

    def _read_s(self):
        return sum(sum(one.cpu_times()[:2]) for one in self._processes)

    def read(self):
        """Return both shares; of all that there is, the two cannot be more, whoever else burns processors."""
        share, elapsed_s = self._clock.read(), time.monotonic() - self._began_s
        return share, (self._read_s() - self._used_s) / (CPUS * elapsed_s)


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
    clock, began = NeighbourClock(), time.monotonic()
    with burning(as_children=True, count=4 * CPUS) as workers:
        company = Company(workers)
        time.sleep(0.6)
        (share, own), later = company.read(), clock.read()
        own_later = sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in workers)

    assert own > ENOUGH
    assert share + own < 1.1
    assert later + own_later / (CPUS * (time.monotonic() - began)) < 1.1


def test_a_pool_that_was_idle_before_the_run_is_no_neighbour():
    """Workers that lived long without work, and work in the run, are the run itself with all that they do in it."""
    with burning(as_children=True, count=4 * CPUS) as workers:
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(3)
        company = Company(workers)
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        time.sleep(0.6)
        share, own = company.read()

    assert own > ENOUGH
    assert share + own < 1.1


def test_what_a_pool_did_before_the_run_hides_nobody():
    """Workers that worked before the run, and wait in it, are not taken for those who use the machine now."""
    with burning(as_children=True, count=CPUS) as workers:
        time.sleep(2)
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        with burning(as_children=False):
            assert share_of(0.6) > 0.7


def test_a_child_that_ended_in_the_run_is_no_neighbour():
    """A command that the run waited for, and one that it did not wait for yet, both belong to the run."""
    clock, began, used = NeighbourClock(), time.monotonic(), os.times()
    made = [subprocess.Popen([sys.executable, "-c", BURN.replace("60", "0.8")]) for _ in range(4 * CPUS)]
    for one in made[::2]:
        one.wait()
    for one in made[1::2]:
        os.waitid(os.P_PID, one.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays to be waited for
    time.sleep(0.05)  # longer than a reading is used again
    share, elapsed_s = clock.read(), time.monotonic() - began
    for one in made:
        one.wait()
    now = os.times()
    own_s = sum(now[:4]) - sum(used[:4])

    assert own_s > ENOUGH * CPUS * elapsed_s
    assert share + own_s / (CPUS * elapsed_s) < 1.1


def test_a_forked_child_counts_from_its_own_beginning():
    """A child that starts a run right after its parent did sees the neighbours that its parent sees."""
    while time.process_time() < 2:
        sum(range(10_000))
    clock = NeighbourClock()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, str(share_of(0.5)).encode())
        os._exit(0)
    os.waitpid(child, 0)

    assert float(os.read(reader, 100)) == pytest.approx(clock.read(), abs=0.25)
    os.close(reader)
    os.close(writer)


RANK = """
import os, psutil, time
from otel_experiments.record.neighbours import NeighbourClock
if os.environ["RANK"] != "0":
    end = time.monotonic() + 60
    while time.monotonic() < end: sum(range(10_000))
time.sleep(0.5)
others = [one for one in psutil.Process(os.getppid()).children() if one.pid != os.getpid()]
used = lambda: sum(sum(one.cpu_times()[:2]) for one in others)
clock, began_s, began = NeighbourClock(), used(), time.monotonic()
time.sleep(0.6)
print(clock.read(), (used() - began_s) / (os.cpu_count() * (time.monotonic() - began)))
"""
LAUNCHER = """
import os, subprocess, sys
def start(rank):
    env = os.environ | {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": sys.argv[2]}
    env |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500", "TORCHELASTIC_RUN_ID": "none"}
    return subprocess.Popen([sys.executable, "-c", sys.argv[1]], env=env, start_new_session=True)
ranks = [start(rank) for rank in range(int(sys.argv[2]))]
ranks[0].wait()
for one in ranks:
    one.kill()
    one.wait()
"""


def test_other_ranks_of_the_job_are_no_neighbours():
    """Ranks that torchrun started beside this one are the same run, though they are no children of it."""
    said = subprocess.check_output([sys.executable, "-c", LAUNCHER, RANK, str(1 + 4 * CPUS)])
    share, own = map(float, said.split())

    assert own > ENOUGH
    assert share + own < 1.1


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
