"""Artifacts that wait to be kept: how many bytes they may hold, and how long ends wait for them."""

import itertools
import threading

import pytest

import otel_experiments as ox
from otel_experiments.record.pipeline import artifact_queue
from otel_experiments.record.pipeline.artifact_queue import ArtifactQueue
from otel_experiments.record.pipeline.waited import WaitedInVain


@pytest.fixture
def busy():
    """Return a function that occupies the thread of a run's artifacts until the event that it gives is set."""
    gates = []

    def occupy(run):
        gate = threading.Event()
        gates.append(gate)
        run._core.pipeline.artifacts.add("busy", lambda: gate.wait() and None, lambda: None)
        return gate

    yield occupy
    for gate in gates:
        gate.set()


def test_bytes_that_wait_take_no_more_memory_than_the_limit(recording, tmp_path, monkeypatch, busy):
    """A loop that gives bytes faster than they are kept keeps them itself; a file waits where it is."""
    monkeypatch.setattr(artifact_queue, "MOST_WAITING_BYTES", 1000)
    (tmp_path / "file").write_bytes(bytes(5000))
    with ox.start_run("r") as run:
        gate = busy(run)
        first = run.log_artifact(b"1" * 600, "first", wait=False)
        file = run.log_artifact(tmp_path / "file", wait=False)
        second = run.log_artifact(b"2" * 600, "second", wait=False)
        third = run.log_artifact(b"3" * 300, "third", wait=False)

        assert [one.done for one in (first, file, second, third)] == [False, False, True, False]
        gate.set()
        assert all(one.result() for one in (first, file, second, third))
        run.flush()
        gate = busy(run)
        fourth = run.log_artifact(b"4" * 600, "fourth", wait=False)
        assert not fourth.done
        gate.set()

    assert {one.name for one in ox.run(run.id).artifacts.all()} == {
        "first",
        "file",
        "second",
        "third",
        "fourth",
    }


def test_one_object_may_be_larger_than_the_limit():
    """Where nothing waits its bytes are held anyway, by the program."""
    queue, gate = ArtifactQueue(), threading.Event()

    assert queue.has_room(2 * artifact_queue.MOST_WAITING_BYTES)
    queue.add("busy", lambda: gate.wait() and None, lambda: None)
    assert not queue.has_room(2 * artifact_queue.MOST_WAITING_BYTES)
    gate.set()


def test_the_end_of_the_process_does_not_wait_again_for_what_the_end_of_the_run_waited_for(configure, busy):
    """A `with` block at the end of a program and the end of its process are held up for one exit budget together."""
    recording = configure(on_error="log", exit_timeout_s=100_000)
    now_s = [0.0]
    waited = WaitedInVain(clock_s=lambda: now_s[0])
    with ox.start_run("r") as run:
        run._core.pipeline.waited = waited
        busy(run)
        late = run.log_artifact(b"late", "late", wait=False)
        begun_s = waited.begin()
        now_s[0] = 100_000.0
        waited.end(begun_s, is_done=False)
    ending = threading.Thread(target=ox.shutdown, daemon=True)
    ending.start()
    ending.join(timeout=60)

    assert not ending.is_alive()
    assert late.result() == ""
    assert recording.guard.losses == {"artifact": 1}


def test_the_end_of_a_run_that_waited_in_vain_has_used_up_a_part_of_the_budget(configure, busy):
    """What the end of a run waited for without success is missing at the end of the process."""
    configure(on_error="log", exit_timeout_s=0.01)
    waited = WaitedInVain(clock_s=itertools.count(0.0, 0.001).__next__)
    with ox.start_run("waits for nothing") as run:
        run._core.pipeline.waited = waited
    assert waited.left_s(1.0) == 1.0
    with ox.start_run("waits in vain") as run:
        busy(run)

    assert waited.left_s(1.0) < 1.0


def test_time_that_was_waited_comes_back_while_the_program_goes_on():
    """A wait of an hour ago holds up no end of today, and several waits in a row add up."""
    now_s = [0.0]
    waited = WaitedInVain(clock_s=lambda: now_s[0])

    for is_done in (False, True, False):
        begun_s = waited.begin()
        now_s[0] += 2.0
        waited.end(begun_s, is_done=is_done)
    assert waited.left_s(5.0) == 3.0
    begun_s = waited.begin()
    now_s[0] += 2.0
    waited.end(begun_s, is_done=False)
    assert waited.left_s(5.0) == 1.0
    now_s[0] += 1.5
    assert waited.left_s(5.0) == 2.5
    now_s[0] += 3600.0
    assert waited.left_s(5.0) == 5.0


@pytest.mark.parametrize(
    "given",
    [
        "deep/f",
        "./deep/f",
        "deep/./f",
        "deep//f",
        "deep/../deep/f",
        "{here}/deep/f",
        "{here}//deep/f",
        "link/f",
    ],
)
def test_a_file_that_waits_is_found_after_the_working_directory_has_changed(
    recording, tmp_path, monkeypatch, busy, given
):
    """However its path is written, it is the file that it was when it was given."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "f").write_bytes(b"hello")
    (tmp_path / "link").symlink_to("deep")
    (tmp_path / "elsewhere").mkdir()
    with ox.start_run("r") as run:
        gate = busy(run)
        handle = run.log_artifact(given.format(here=tmp_path), wait=False)
        monkeypatch.chdir(tmp_path / "elsewhere")
        gate.set()
        assert handle.result()

    assert ox.run(run.id).artifacts["f"].read_bytes() == b"hello"
