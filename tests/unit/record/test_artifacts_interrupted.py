"""A signal handler of the program may raise at any line while an artifact is kept: nothing of that stays behind."""

import linecache
import os
import sys

import pytest

import otel_experiments as ox
from otel_experiments.artifacts import lock
from otel_experiments.artifacts.place import artifacts_directory

WATCHED = ("/artifacts/", "/run/keeping.py", "/artifact_queue.py", "/run/artifacts.py")


class StopError(Exception):
    """What the program's handler raises."""


class Raising:
    """Raise at one of the lines that keep an artifact, as a signal handler would."""

    def __init__(self, at_line):
        self.at_line, self.lines, self.has_raised = at_line, 0, False

    def __call__(self, frame, event, argument):
        """Watch the lines of the code that keeps artifacts."""
        if not any(part in frame.f_code.co_filename for part in WATCHED):
            return None
        return self.line(frame, "line", argument)

    def line(self, frame, event, argument):
        """Count a line.

        The interpreter runs no handler between a block of `with` and the lock that it gives back, and prints what a
        handler raises in `__del__`.
        """
        text = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
        if event == "line" and not text.startswith("with ") and not is_within_del(frame):
            self.lines += 1
            if self.lines == self.at_line:
                self.has_raised = True
                raise StopError
        return self.line


def is_within_del(frame):
    """Tell whether the frame is that of `__del__`, or is called by it."""
    while frame is not None and frame.f_code.co_name != "__del__":
        frame = frame.f_back
    return frame is not None


def lines_of(log):
    """Call `log` again and again, each time with an exception one line later, until none is left."""
    at_line, has_raised = 0, True
    while has_raised:
        at_line += 1
        raising, before = Raising(at_line), sys.gettrace()
        sys.settrace(raising)
        try:
            log()
        except StopError:
            pass
        finally:
            sys.settrace(before)
        has_raised = raising.has_raised
        yield at_line


def test_no_lock_stays_behind(recording, tmp_path):
    """Wherever the handler raises, a sweep can have the lock afterwards."""
    place = artifacts_directory(tmp_path / "experiments.db")
    with ox.start_run("r") as run:
        run.log_artifact(b"first", "m")
        for _ in lines_of(lambda: run.log_artifact(os.urandom(16), "m")):
            with lock.exclusive(place, 0o600, patience_s=0):
                pass
        assert run.log_artifact(b"last", "m")


def test_what_is_given_later_is_still_kept(recording):
    """Wherever the handler raises in a call that does not wait, the next one of its kind is done."""
    with ox.start_run("r") as run:
        for at_line in lines_of(lambda: run.log_artifact(os.urandom(16), "m", wait=False)):
            handle = run.log_artifact(b"%d" % at_line, "m", wait=False)
            assert handle.result(timeout_s=10), at_line


@pytest.mark.usefixtures("recording")
def test_the_end_waits_for_what_had_no_thread_yet():
    """What was to be kept when the handler raised is kept when the run ends."""
    with ox.start_run("r") as run:
        for _ in lines_of(lambda: run.log_artifact(b"only", "m", wait=False)):
            assert run._core.pipeline.artifacts.wait(timeout_s=10)
    assert [one.name for one in ox.find_artifacts()] == ["m"]
