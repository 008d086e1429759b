"""How much of the machine others used while a run was recorded: by readings made up here, and by real processes."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

import otel_experiments as ox
from otel_experiments.record.system import host_load
from otel_experiments.record.system.cgroup import read_limits
from otel_experiments.record.system.host_load import HostLoadClock, Sample, Usage

CPUS = os.cpu_count() or 1
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
SHARE = "ml.run.host_load.cpu.utilization"
MAIN = {"1": Usage(began=5, own=30, waited=0)}


def share(*readings):
    """Return the share between two readings, each (ticks of all processors, busy ones, use by process)."""
    samples = iter([Sample(0.0, 0.0, *reading) for reading in readings])
    return HostLoadClock(lambda: next(samples)).read()


def test_what_the_run_did_not_use_others_did():
    """Of 100 ticks 60 were busy, 18 by the run; 2 may have fallen to either."""
    assert share((0, 0, MAIN), (100, 60, {"1": Usage(5, 48, 0)})) == 0.4


def test_a_run_alone_has_no_company_because_of_where_ticks_fell():
    """One or two ticks more than the run used are nobody's; a third one is."""
    used = {"1": Usage(5, 40, 0)}

    assert [share((0, 0, MAIN), (100, busy, used)) for busy in (10, 11, 12, 13)] == [0, 0, 0, 0.01]


def test_a_share_lies_between_nothing_and_all():
    """Whatever the kernel's counts say, which are not read at one instant."""
    assert share((0, 0, MAIN), (100, 10, {"1": Usage(5, 90, 0)})) == 0
    assert share((0, 0, MAIN), (100, 130, MAIN)) == 1


def test_a_moment_tells_nothing():
    """Below what ticks of 10 ms can tell there is no share; from there on there is one."""
    least = round(host_load.MIN_WHOLE_S * os.sysconf("SC_CLK_TCK"))

    assert share((0, 0, MAIN), (least - 1, 0, MAIN)) is None
    assert share((0, 0, MAIN), (least, 0, MAIN)) == 0


def test_a_platform_that_does_not_tell_gives_no_share():
    """Without a reading at the start or at the end there is none."""
    sample = Sample(0.0, 0.0, 100, 100, MAIN)
    for readings in ([None, sample], [sample, None]):
        assert HostLoadClock(iter(readings).__next__).read() is None


def test_a_pool_counts_with_what_it_does_in_the_run():
    """Workers that were idle before the run belong to it with their work; those that worked before, without it."""
    idle, worked = {"2": Usage(6, 0, 0)}, {"2": Usage(6, 500, 0)}

    assert share((0, 0, MAIN | idle), (100, 52, MAIN | {"2": Usage(6, 50, 0)})) == 0
    assert share((0, 0, MAIN | worked), (100, 52, MAIN | worked)) == 0.5


def test_a_child_that_ended_in_the_run_is_no_neighbour():
    """What it used moves to the parent that waits for it."""
    child = {"2": Usage(6, 10, 0)}

    assert share((0, 0, MAIN | child), (100, 52, {"1": Usage(5, 30, 60)})) == 0


def test_a_child_that_nobody_waited_for_hides_no_work_of_the_others():
    """Its use is gone from the sum, and what the living ones used still counts as the run's."""
    child = {"2": Usage(6, 1000, 0)}

    assert share((0, 0, MAIN | child), (100, 62, {"1": Usage(5, 50, 0)})) == 0.4


def test_a_process_with_the_id_of_one_that_is_gone_began_from_nothing():
    """The kernel uses ids again; the time at which a process began tells."""
    assert share((0, 0, MAIN | {"2": Usage(6, 80, 0)}), (100, 62, MAIN | {"2": Usage(90, 60, 0)})) == 0


def test_a_forked_child_makes_a_reading_of_its_own():
    """What the parent had used at its last reading is not the child's."""
    clock = HostLoadClock()
    assert host_load._latest is not None
    child = os.fork()
    if child == 0:
        os._exit(0 if host_load._latest is None and clock is not None else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


BURN = """
import os, sys, time
def work():
    while True:
        until = time.process_time() + 0.05
        while time.process_time() < until: sum(range(10_000))
        yield
for _ in work():
    os.write(int(sys.argv[1]), b".")
"""
BURNT_S = 0.05
of_a_whole_machine = pytest.mark.skipif(
    (read_limits().cpu_count or CPUS) < CPUS or len(os.sched_getaffinity(0)) < CPUS or os.getpid() == 1,
    reason="may not use all of the machine's processors; or as its first process has all others as children",
)


class Burners:
    """Processes that use CPU time and write a byte for each bit of it."""

    def __init__(self, pids, reader):
        self.pids = pids
        self._reader = reader
        self._processes = [psutil.Process(pid) for pid in pids]

    def used_s(self):
        """Return what they have used, by psutil."""
        return sum(sum(one.cpu_times()[:2]) for one in self._processes)

    def work(self, seconds):
        """Return once they have used so much more together."""
        until = self.used_s() + seconds
        while self.used_s() < until:
            os.read(self._reader, 1)


@contextlib.contextmanager
def burning(*, as_children, count=CPUS):
    """Let processes burn all processors: children of this one, or of nobody here."""
    reader, writer = os.pipe()
    burn = [sys.executable, "-c", BURN, str(writer)]
    if as_children:
        made = [subprocess.Popen(burn, pass_fds=[writer]) for _ in range(count)]
        found = [one.pid for one in made]
    else:
        command = ["sh", "-c", '"$0" "$@" >&2 & echo $!', *burn]
        made = []
        found = [int(subprocess.check_output(command, pass_fds=[writer])) for _ in range(count)]
    try:
        burners = Burners(found, reader)
        burners.work(BURNT_S * count)
        yield burners
    finally:
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        for one in made:
            one.wait()
        os.close(reader)
        os.close(writer)


class Company:
    """What others used by the clock, and what `used_s` says, of the processors since it was made."""

    def __init__(self, used_s):
        self._used_s = used_s
        self._clock, self._began_s, self._before_s = HostLoadClock(), time.monotonic(), used_s()

    def read(self):
        """Return both shares; of all that there is, the two cannot be more, whoever else burns processors."""
        share_of_others, elapsed_s = self._clock.read(), time.monotonic() - self._began_s
        return share_of_others, (self._used_s() - self._before_s) / (CPUS * elapsed_s)


@of_a_whole_machine
def test_other_programs_are_neighbours():
    """Programs that burn processors while this one waits used at least what they say themselves."""
    with burning(as_children=False) as others:
        company = Company(others.used_s)
        others.work(0.5 * CPUS)
        found, used = company.read()

    assert found > used - 0.1
    assert used > 0


@of_a_whole_machine
def test_own_children_are_no_neighbours():
    """Workers of the run, whether they began before it or in it, are the run itself; others here may use the rest."""
    clock, began_s = HostLoadClock(), time.monotonic()
    with burning(as_children=True, count=4 * CPUS) as workers:
        company = Company(workers.used_s)
        workers.work(0.5 * CPUS)
        (found, own), later = company.read(), clock.read()
        own_later = workers.used_s()

    assert found + own < 1.1
    assert later + own_later / (CPUS * (time.monotonic() - began_s)) < 1.1


@of_a_whole_machine
def test_own_work_is_no_neighbour():
    """What this process computes itself is not counted as others', however many those are."""
    with burning(as_children=False):
        company, used_s = Company(time.process_time), time.process_time()
        while time.process_time() - used_s < 0.5:
            sum(range(10_000))
        found, own = company.read()

    assert found + own < 1.1


RANK = """
import os, psutil, time
from otel_experiments.record.system.host_load import HostLoadClock
if os.environ["RANK"] != "0":
    while True: sum(range(10_000))
others = [one for one in psutil.Process(os.getppid()).children() if one.pid != os.getpid()]
used = lambda: sum(sum(one.cpu_times()[:2]) for one in others)
while used() < 0.2: pass
clock, began_s, began = HostLoadClock(), used(), time.monotonic()
while used() < began_s + 0.5: pass
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


@of_a_whole_machine
def test_other_ranks_of_the_job_are_no_neighbours():
    """Ranks that torchrun started beside this one are the same run, though they are no children of it."""
    said = subprocess.check_output([sys.executable, "-c", LAUNCHER, RANK, str(1 + 4 * CPUS)])
    found, own = map(float, said.split())

    assert found + own < 1.1


@of_a_whole_machine
def test_a_run_says_what_others_used(recording, read):
    """The root span has the share once the run has ended."""
    with burning(as_children=False) as others, ox.start_run("crowded"):
        company = Company(others.used_s)
        others.work(0.5 * CPUS)
        _, used = company.read()

    (crowded,) = read("crowded").spans
    assert used - 0.1 < crowded.attributes[SHARE] <= 1


def test_many_small_runs_share_a_reading(recording):
    """A thousand runs read the machine's times a hundred times a second at most."""
    seen = set()
    began = time.monotonic()
    for _ in range(300):
        with ox.start_run("small"):
            seen.add(host_load._latest.taken_s)
    elapsed_s = time.monotonic() - began

    assert len(seen) <= elapsed_s / 0.01 + 2
