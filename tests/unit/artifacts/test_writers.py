"""Writers that die, meet or find no room: there is never a blob with other bytes than its name says."""

import hashlib
import os
import signal
import subprocess
import sys
import threading

import pytest

from otel_experiments.artifacts import lock
from otel_experiments.artifacts.hashing import PIECE_BYTES
from otel_experiments.artifacts.local_store import LocalBlobStore
from otel_experiments.errors import ArtifactPlaceError, ArtifactsLockedError

LARGE = 5 * PIECE_BYTES
WATCHDOG_S = 60

WRITES_A_STREAM = """
import sys
from pathlib import Path
from otel_experiments.artifacts.local_store import LocalBlobStore

class Endless:
    count = 0
    def read(self, size):
        self.count += 1
        if self.count == 20:
            print("writing", flush=True)
        if self.count >= 20:
            sys.stdin.read()
        return b"x" * size

blobs = LocalBlobStore(Path(sys.argv[1]))
blobs.prepare_stream(Endless())
"""

FORKS = """
            import os
            ready, made = os.pipe()
            child = os.fork()
            if not child:
                os.write(made, b"1")
                sys.stdin.read()
            os.read(ready, 1)
            print(child, flush=True)
"""

WRITES_ALL = """
import sys
from pathlib import Path
from otel_experiments.artifacts.local_store import LocalBlobStore

blobs = LocalBlobStore(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    with blobs.adding() as adding:
        adding.put_bytes(b"%d" % number * 1000)
        adding.put_file(sys.argv[2])
print("done", flush=True)
"""


@pytest.fixture
def start():
    """Return the function that starts a program with a pipe to it; all are ended after the test."""
    started = []

    def run(program, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate(timeout=WATCHDOG_S)


def assert_all_blobs_are_whole(blobs):
    """Read every blob."""
    for blob in blobs.digests():
        blobs.verify(blob.digest)


def test_a_killed_writer_leaves_a_counted_rest_and_no_blob(blobs, start):
    """While a process writes, its partial file is known as such; when it was killed, a sweep removes it."""
    writer = start(WRITES_A_STREAM, blobs.place)
    assert writer.stdout.readline() == "writing\n"

    (partial,) = blobs.partials()
    assert partial.is_being_written
    assert partial.size_bytes > 0
    assert blobs.sweep(set).partial_count == 0

    writer.send_signal(signal.SIGKILL)
    writer.wait(WATCHDOG_S)
    (rest,) = blobs.partials()
    assert not rest.is_being_written
    assert list(blobs.digests()) == []
    assert blobs.sweep(set, dry_run=True).partial_bytes == rest.size_bytes
    assert blobs.partials() == [rest]
    assert blobs.sweep(set).partial_count == 1
    assert list((blobs.place / "partial").iterdir()) == []


def test_writers_of_the_same_bytes_meet(blobs, start, tmp_path):
    """Processes and threads that put the same bytes at once leave each blob once, whole."""
    large = tmp_path / "large"
    large.write_bytes(os.urandom(LARGE))
    writers = [start(WRITES_ALL, blobs.place, large) for _ in range(3)]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        print("go", file=writer.stdin, flush=True)
    for _ in range(10):
        with blobs.adding() as adding:
            adding.put_file(large)
    for writer in writers:
        assert writer.stdout.readline() == "done\n"

    wanted = {b"%d" % number * 1000 for number in range(20)} | {large.read_bytes()}
    assert {blob.digest for blob in blobs.digests()} == {
        f"sha256:{hashlib.sha256(data).hexdigest()}" for data in wanted
    }
    assert_all_blobs_are_whole(blobs)
    assert blobs.partials() == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_is_a_writer_of_its_own(blobs, put):
    """A child puts bytes as its parent does, and neither takes the other's partial files for a dead one's."""
    put(blobs, b"parent")
    mine = blobs.prepare_file(large_file(blobs.place.parent))
    child = os.fork()
    if not child:
        try:
            put(blobs, b"child")
            theirs = blobs.prepare_file(large_file(blobs.place.parent, "other"))
            os._exit(0 if len(blobs.partials()) == 2 and theirs else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert sorted(one.is_being_written for one in blobs.partials()) == [False, True]
    with blobs.adding() as adding:
        kept = adding.place(mine)
    assert blobs.sweep(lambda: {kept.digest}).partial_count == 1
    blobs.verify(kept.digest)


def test_a_child_that_outlives_its_parent_holds_no_lock_of_it(blobs, start):
    """What a killed process wrote counts as a rest, even where a child that it forked lives on."""
    writer = start(WRITES_A_STREAM.replace('print("writing", flush=True)', FORKS), blobs.place)
    child = int(writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    writer.wait(WATCHDOG_S)
    try:
        assert [one.is_being_written for one in blobs.partials()] == [False]
    finally:
        os.kill(child, signal.SIGKILL)


def large_file(folder, name="large"):
    """Make a file that is not held in memory."""
    path = folder / name
    path.write_bytes(os.urandom(LARGE))
    return path


FULL = """
import resource, sys
from pathlib import Path
from otel_experiments.artifacts.local_store import LocalBlobStore
from otel_experiments.errors import ArtifactPlaceError

blobs = LocalBlobStore(Path(sys.argv[1]))
with blobs.adding() as adding:
    adding.put_bytes(b"before")
prepare = {"file": blobs.prepare_file, "stream": lambda path: blobs.prepare_stream(open(path, "rb"))}
if sys.argv[4] == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, 3 << 20))
try:
    prepare[sys.argv[3]](sys.argv[2])
except ArtifactPlaceError as error:
    print(error.why)
print(len(blobs.partials()), len(list(blobs.digests())))
with blobs.adding() as adding:
    print(adding.put_bytes(b"after").was_there)
"""


@pytest.mark.parametrize("how", ["file", "stream"])
def test_a_limit_in_mid_write_leaves_nothing(blobs, start, tmp_path, how):
    """Where a file may not grow any more, the error says so, the partial file goes, and smaller ones are kept."""
    process = start(FULL, blobs.place, large_file(tmp_path), how, "limit")
    out, _ = process.communicate(timeout=WATCHDOG_S)

    assert out.splitlines() == ["the file is larger than is allowed here", "0 1", "False"]
    assert_all_blobs_are_whole(blobs)


@pytest.fixture
def small_disk(tmp_path):
    """A filesystem of 6 MB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"this user cannot mount a small disk: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("how", ["file", "stream"])
def test_a_full_disk_in_mid_write_leaves_nothing(small_disk, start, tmp_path, how):
    """Where the disk is full, the error says so, the partial file goes, and what fits is kept again."""
    process = start(FULL, small_disk / "blobs", large_file(tmp_path), how, "disk")
    out, _ = process.communicate(timeout=WATCHDOG_S)

    assert out.splitlines() == ["the disk is full", "0 1", "False"]
    blobs = LocalBlobStore(small_disk / "blobs")
    assert_all_blobs_are_whole(blobs)


def test_a_place_that_is_a_file_takes_none(tmp_path, put):
    """The error names the place and what is there instead."""
    (tmp_path / "blobs").write_bytes(b"1")

    with pytest.raises(ArtifactPlaceError, match="a part of its path is a file"):
        put(LocalBlobStore(tmp_path / "blobs"), b"1")


def test_a_sweep_waits_for_who_names_bytes(blobs):
    """Between bytes and the record of their name nothing is swept; who waits too long says for whom."""
    with blobs.adding() as adding:
        digest = adding.put_bytes(b"about to be named").digest
        with (
            pytest.raises(ArtifactsLockedError, match="by a process that logs one"),
            lock.exclusive(blobs.place, 0o600, patience_s=0),
        ):
            pass

    assert blobs.has(digest)


def test_who_puts_bytes_waits_for_a_sweep(blobs, put):
    """While unused bytes are removed nothing is put; who waits too long says for whom."""
    put(blobs, b"1")
    with (
        lock.exclusive(blobs.place, 0o600),
        pytest.raises(ArtifactsLockedError, match="by a process that removes unused ones"),
    ):
        lock.Shared(blobs.place, 0o600).take([], patience_s=0)


def test_writers_without_end_do_not_keep_a_sweep_out(blobs, put):
    """Threads that hold the shared lock in turns, never all at rest, let a sweep through all the same."""
    put(blobs, b"1")
    stop = threading.Event()
    holds = threading.Semaphore(0), threading.Semaphore(0)

    def write(mine, others):
        while not stop.is_set():
            with blobs.adding():
                mine.release()
                others.acquire(timeout=0.5)  # the other one holds it as well before this one lets go

    threads = [threading.Thread(target=write, args=pair) for pair in (holds, holds[::-1])]
    threads[0].start()
    assert holds[0].acquire(timeout=WATCHDOG_S)
    threads[1].start()
    try:
        assert blobs.sweep(set).blob_count == 1
    finally:
        stop.set()
        for thread in threads:
            thread.join(WATCHDOG_S)


def test_a_sweep_removes_what_is_not_named_and_nothing_else(blobs, put):
    """Kept are exactly the digests that are named; counts and bytes are those of what was removed."""
    kept = put(blobs, b"kept").digest
    gone = put(blobs, b"gone!").digest

    would = blobs.sweep(lambda: {kept}, dry_run=True)
    assert blobs.has(gone)
    did = blobs.sweep(lambda: {kept})

    assert (did.blob_count, did.blob_bytes, did.kept_count, did.kept_bytes) == (1, 5, 1, 4)
    assert (would.blob_count, would.blob_bytes, would.is_dry_run) == (1, 5, True)
    assert [blob.digest for blob in blobs.digests()] == [kept]


def test_a_sweep_that_cannot_know_removes_nothing(blobs, put):
    """What the question for the names raises passes, and every blob stays."""
    digest = put(blobs, b"1").digest

    def broken():
        raise LookupError("the store cannot be read")

    with pytest.raises(LookupError, match="cannot be read"):
        blobs.sweep(broken)
    assert blobs.has(digest)


def test_a_large_file_takes_little_memory(tmp_path):
    """A file of 256 MB is kept in a process whose memory grows by less than 40 MB."""
    source = tmp_path / "sparse"
    with source.open("wb") as file:
        file.truncate(1 << 28)
    program = """
import resource, sys
from pathlib import Path
from otel_experiments.artifacts.local_store import LocalBlobStore
blobs = LocalBlobStore(Path(sys.argv[1]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
blobs.prepare_file(sys.argv[2], link="copy").discard()
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    ran = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "blobs", source],
        capture_output=True,
        text=True,
        check=True,
        timeout=WATCHDOG_S,
    )
    assert int(ran.stdout) < 40


WRITES_INTO_A_SLOW_PIPE = """
import os, signal, sys, threading
from otel_experiments.artifacts import hashing

class Stop(Exception):
    pass

def stop(*_):
    raise Stop

signal.signal(signal.SIGUSR1, stop)
out, into = os.pipe()
given, total = 0, hashing.PIECE_BYTES * 6
taken, seen = 0, threading.Event()

def read(buffer):
    global given
    count = min(len(buffer), total - given)
    given += count
    if not count:  # all is handed to the thread, which waits for the pipe; the wait for the thread is interrupted
        threading.Timer(0.05, lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)).start()
    return count

def drain(until):
    global taken
    while taken < until and (got := len(os.read(out, min(1 << 16, until - taken)))):
        taken += got

first = threading.Thread(target=drain, args=(hashing.PIECE_BYTES * 4 + (1 << 16) + 1,))
first.start()
try:
    hashing.copy_to(read, into)
except Stop:
    os.close(into)
    first.join()
    emergency = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
    assert emergency == into
    os.write(emergency, b"mine")
    drain(1 << 40)  # what the thread still writes, up to the close of its descriptor
    for thread in threading.enumerate():
        if thread.name == "otel-experiments-artifact":
            thread.join()
    print(os.path.getsize(sys.argv[1]), taken < total, flush=True)
"""


def test_a_handler_that_raises_leaves_the_files_of_the_program_alone(start, tmp_path):
    """The program handles a signal while a large file is copied, and writes files of its own: they hold its bytes only."""
    program = start(WRITES_INTO_A_SLOW_PIPE, tmp_path / "emergency.ckpt")

    out, _ = program.communicate(timeout=WATCHDOG_S)

    assert out.split() == ["4", "True"]
