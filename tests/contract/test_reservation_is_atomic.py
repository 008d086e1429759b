"""What makes the journal's hot path safe without a lock, checked on the interpreter that runs the tests."""

import dis
import os
import shutil
import subprocess
import sys
import textwrap
import threading

import pytest

from otel_experiments.journal.format import SegmentHeader
from otel_experiments.journal.owner import current_owner
from otel_experiments.journal.segment import Segment, frame_size_bytes
from otel_experiments.journal.writer import JournalWriter
from otel_experiments.record.base.guard import Guard
from otel_experiments.record.metrics.keysets import Keysets
from otel_experiments.record.metrics.points import PointRecorder

# Where CPython looks for signals and for other threads that want to run.
# Source: cpython, Python/ceval.c and bytecodes.c, CHECK_EVAL_BREAKER.
CALLS = ("CALL", "PRECALL", "YIELD", "SEND", "RESUME", "IMPORT", "WITH", "JUMP_BACKWARD", "RAISE")


def is_breaker(instruction):
    """Tell whether the interpreter may switch threads or run a signal handler at the instruction."""
    name = instruction.opname
    return any(part in name for part in CALLS) or "BACKWARD" in name or name.startswith("FOR_ITER")


@pytest.mark.parametrize("method", ["reserve", "append_packed"])
def test_no_thread_comes_between_reading_and_storing_the_tail(method):
    """Between the load of `tail` and its store there is no instruction at which CPython lets others run."""
    instructions = list(dis.get_instructions(getattr(Segment, method)))
    tails = [
        (index, instruction)
        for index, instruction in enumerate(instructions)
        if instruction.argval == "tail" and "ATTR" in instruction.opname
    ]
    (loaded, load), (stored, store) = tails

    between = instructions[loaded + 1 : stored]

    assert load.opname.startswith("LOAD_ATTR")
    assert store.opname.startswith("STORE_ATTR")
    assert not [instruction.opname for instruction in between if is_breaker(instruction)]
    # Attributes are slots and numbers are ints: neither load, addition nor comparison runs Python code.
    assert {"tail", "limit"} <= set(Segment.__slots__)


@pytest.mark.parametrize("method", ["append", "append_packed"])
def test_what_is_reserved_is_written_before_anything_else_happens(method):
    """Between the reservation and the write there is no instruction at which CPython lets others run."""
    instructions = list(dis.get_instructions(getattr(Segment, method)))
    if method == "append":
        reserve = next(i for i, found in enumerate(instructions) if found.argval == "reserve")
        reserved = next(
            i for i in range(reserve, len(instructions)) if instructions[i].opname.startswith("CALL")
        )
        written = next(i for i, found in enumerate(instructions) if found.opname.startswith("STORE_S"))
    else:
        reserved = next(
            i for i, one in enumerate(instructions) if one.argval == "tail" and one.opname == "STORE_ATTR"
        )
        named = next(i for i, found in enumerate(instructions) if found.argval == "pack_into")
        written = next(i for i in range(named, len(instructions)) if "CALL" in instructions[i].opname)

    between = instructions[reserved + 1 : written]

    assert between
    assert not [instruction.opname for instruction in between if is_breaker(instruction)]


def test_the_check_sees_what_it_is_to_forbid():
    """A reservation with a call in between would be found."""

    def unsafe(self, size):
        offset = self.tail
        self.tail = max(offset, offset + size)
        return offset

    assert [i.opname for i in dis.get_instructions(unsafe) if is_breaker(i) and "RESUME" not in i.opname]


def test_threads_never_get_the_same_room(tmp_path):
    """Eight threads that reserve as fast as they can get ranges that neither overlap nor leave gaps."""
    count, threads, size = 20_000, 8, frame_size_bytes(40)
    header = SegmentHeader("ab" * 16, 0, 1, current_owner(), 1, 1, 1 << 23)
    segment = Segment.create(tmp_path, header)
    first = segment.tail
    taken = [[] for _ in range(threads)]
    barrier = threading.Barrier(threads)

    def reserve(offsets):
        barrier.wait()
        for _ in range(count):
            offsets.append(segment.reserve(size))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        workers = [threading.Thread(target=reserve, args=(offsets,)) for offsets in taken]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        sys.setswitchinterval(interval)

    got = sorted(offset for offsets in taken for offset in offsets if offset >= 0)
    assert got == list(range(first, first + size * len(got), size))


@pytest.mark.parametrize(
    "function",
    [PointRecorder.log, PointRecorder._placed, Keysets.take_step],
    ids=lambda one: one.__name__,
)
def test_no_thread_comes_between_reading_the_highest_step_and_storing_the_next(function):
    """An automatic step is taken as room in the journal is: no call lies between the look and the store."""
    instructions = list(dis.get_instructions(function))
    stores = [
        index
        for index, instruction in enumerate(instructions)
        if (instruction.opname.startswith("STORE_ATTR") and instruction.argval == "highest")
        or instruction.opname.startswith("STORE_SUBSCR")
    ]

    assert stores
    for stored in stores[:1] if function is not PointRecorder.log else stores:
        looked = max(
            index
            for index, instruction in enumerate(instructions[:stored])
            if (instruction.opname.startswith("LOAD_ATTR") and instruction.argval in {"highest", "is_shared"})
            or instruction.opname.startswith("BINARY_SUBSCR")
            or instruction.argrepr == "[]"
        )
        between = instructions[looked + 1 : stored]
        assert not [instruction.opname for instruction in between if is_breaker(instruction)]


def test_a_warm_log_calls_nothing_but_clock_packing_and_checksum(tmp_path):
    """Once a key set is known, recording a point calls a fixed handful of C functions and no others.

    `sum` is the look at the values' types: what is no plain number takes the careful path.
    """
    journal = JournalWriter(tmp_path)
    recorder = PointRecorder("ab" * 16, journal, Guard(), {})
    for step in range(3):
        recorder.log({"loss": 0.5, "acc": 0.25}, step, None)
    called = set()

    def note(frame, event, argument):
        if event == "c_call":
            called.add(argument.__name__)
        elif event == "call":
            called.add(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        recorder.log({"loss": 0.5, "acc": 0.25}, 3, None)
        recorder.log({"loss": 0.5, "acc": 0.25}, None, None)
    finally:
        sys.setprofile(None)
    journal.close()

    assert called == {
        "log", "append_packed", "time_ns", "pack", "pack_into", "crc32", "len", "values", "sum", "setprofile",
    }  # fmt: skip


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_warm_log_makes_no_system_call(tmp_path):
    """As the kernel sees it: a thousand points between two marks cost no system call at all."""
    script = textwrap.dedent(
        """
        import os, pathlib, sys
        from otel_experiments.journal.writer import JournalWriter
        from otel_experiments.record.base.guard import Guard
        from otel_experiments.record.metrics.points import PointRecorder
        recorder = PointRecorder("ab" * 16, JournalWriter(pathlib.Path(sys.argv[1])), Guard(), {})
        for step in range(100):
            recorder.log({"loss": 0.5}, step, None)
        os.path.exists("/mark-one")
        for step in range(1000):
            recorder.log({"loss": 0.5}, step, None)
        os.path.exists("/mark-two")
        """
    )
    trace = tmp_path / "trace.txt"

    done = subprocess.run(
        ["strace", "-f", "-o", trace, sys.executable, "-c", script, tmp_path / "journals"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    if "ptrace" in done.stderr.lower() or "not permitted" in done.stderr.lower():
        pytest.skip(f"strace may not trace here: {done.stderr.strip()[:200]}")

    assert done.returncode == 0, done.stderr
    lines = trace.read_text().splitlines()
    first = next(i for i, line in enumerate(lines) if "/mark-one" in line)
    last = next(i for i, line in enumerate(lines) if "/mark-two" in line)
    assert lines[first + 1 : last] == []
