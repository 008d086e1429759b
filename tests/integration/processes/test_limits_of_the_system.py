"""Processes at the limits that the system sets them: what can be kept is kept, and the reason is named."""

import json

import pytest

LIMITED = """
import errno, resource, mmap

POINTS = 200_000


def no_address_space():
    # Two small files' worth of room are left, far less than one large file needs.
    def used():
        return int(open("/proc/self/statm").read().split()[0]) * mmap.PAGESIZE
    resource.setrlimit(resource.RLIMIT_AS, (used() + LEFT_BYTES, resource.RLIM_INFINITY))


def no_large_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (LEFT_BYTES, resource.RLIM_INFINITY))


def no_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    global taken
    taken = []
    while True:
        try:
            taken.append(os.open("/dev/null", os.O_RDONLY))
        except OSError as error:
            assert error.errno == errno.EMFILE
            return


def record():
    with ox.start_run("limited") as run:
        run.log({"loss": -1.0}, step=-1)
        run.flush()
        limit()
        for step in range(POINTS):
            run.log({"loss": step / 7}, step=step)
        with run.stage("after"):
            pass
    lost = ox.shutdown().lost
    os.write(1, (json.dumps(lost) + "\\n").encode())
    os._exit(0)
"""


@pytest.mark.parametrize(
    ("limit", "left_bytes"),
    [
        ("no_address_space", 24 << 20),
        ("no_address_space", 12 << 20),
        ("no_large_files", 8 << 20),
        ("no_large_files", 1 << 20),
        ("no_large_files", 200 << 10),
        ("no_large_files", 64 << 10),
        ("no_descriptors", 0),
    ],
)
def test_a_limit_costs_no_point_while_anything_smaller_fits(limit, left_bytes, script, read):
    """With little address space, small files only, or every descriptor in use, all points and spans are kept."""
    body = f"LEFT_BYTES = {left_bytes}\n{LIMITED}\nlimit = {limit}\nsetup()\nrecord()\n"

    out, err = script(body).end()

    assert json.loads(out) == {}, err
    reader = read()
    run = reader.run("limited")
    points = reader.store.points(run.id, reader.store.series([run.id])[run.id][0].key)
    assert list(points.steps) == [float(step) for step in range(-1, 200_000)]
    assert list(points.values[1:]) == [step / 7 for step in range(200_000)]
    assert {span.name for span in run.spans if span.end_ns} == {"run default", "stage after"}
    assert (run.state, reader.notes) == ("succeeded", ())


REASONS = {
    "no_large_files": (4096, "ulimit -f"),
    "no_address_space": (0, "ulimit -v"),
}


@pytest.mark.parametrize("limit", REASONS)
def test_the_limit_that_keeps_the_journal_from_growing_is_named(limit, script, read):
    """Where the journal cannot grow, one line says which limit it is, and each point is stored or counted."""
    left_bytes, said = REASONS[limit]
    body = f"LEFT_BYTES = {left_bytes}\n{LIMITED}\nlimit = {limit}\nsetup()\nrecord()\n"

    out, err = script(body).end()

    assert err.count("cannot grow") == 1
    assert said in next(line for line in err.splitlines() if "cannot grow" in line)
    lost = sum(json.loads(out).values())
    reader = read()
    (series,) = reader.store.series([reader.run("limited").id])[reader.run("limited").id]
    assert lost > 0
    assert series.summary.count + lost >= 200_001  # the span of the stage may be among what was lost


def test_a_drain_without_descriptors_says_so_and_tells_of_no_damage(script):
    """Journals that cannot be opened now are not damaged; the reason is named, and they are stored later."""
    body = f"""
LEFT_BYTES = 0
{LIMITED}
from otel_experiments._configure import active_store
from otel_experiments.journal.writer import JournalWriter
from otel_experiments.collect.drain import Drain

setup(drain_s=60.0)
directory = pathlib.Path("elsewhere")
JournalWriter(directory).append(b"\\5" + bytes(20))
drain = Drain(active_store(), directory, interval_s=60.0)
no_descriptors()
assert not drain.drain_now(timeout_s=0.1)
said = str(drain.last_error)
for descriptor in taken:
    os.close(descriptor)
drain.drain_now(timeout_s=5.0)
os.write(1, (json.dumps([said, str(drain.last_error)]) + "\\n").encode())
os._exit(0)
"""
    out, _ = script(body).end()

    before, after = json.loads(out)
    assert "no descriptors are left (ulimit -n: the limit is 64)" in before
    assert after == "None"


def test_the_limit_that_keeps_the_store_from_being_written_is_named(script, read):
    """A flush, one line in the log and the last word at the end say which limit it is, and nothing is lost by it."""
    said = "files may not be larger (ulimit -f"
    body = f"""
LEFT_BYTES = {64 << 10}
{LIMITED}
setup()
with ox.start_run("limited") as run:
    run.log({{"loss": -1.0}})
    assert run.flush(timeout_s=30.0).is_stored
    no_large_files()
    for step in range(20_000):
        run.log({{"loss": step / 7}})
    report = run.flush(timeout_s=2.0)
    os.write(1, (json.dumps([report.is_stored, report.store_error, report.lost]) + "\\n").encode())
"""
    out, err = script(body).end()

    is_stored, store_error, lost = json.loads(out)
    assert (is_stored, lost) == (False, {})
    assert said in store_error
    assert "damaged" not in err
    assert err.count("The store does not take what is recorded now") == 1
    reader = read()
    assert reader.run("limited").metrics["loss"].count == 20_001
    assert (reader.run("limited").state, reader.notes) == ("succeeded", ())


def test_what_a_process_leaves_in_use_does_not_stop_its_forked_workers(script, read):
    """A worker that is forked while every descriptor is in use records too."""
    body = f"""
LEFT_BYTES = 0
{LIMITED}
setup()
with ox.start_run("limited") as run:
    run.log({{"loss": 0.0}})
    no_descriptors()
    child = os.fork()
    if child == 0:
        work(1, run)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
ox.shutdown()
os._exit(0)
"""
    script(body).end()

    run = read().run("limited")
    assert run.metrics["w1"].count == 300
