"""Signals wait while something is imported, and never longer."""

import signal
import subprocess
import sys
import threading

import pytest

from otel_experiments.process.signals_wait import SignalsWait


class RungError(Exception):
    """What the handler raises."""


@pytest.fixture
def ring():
    """Return a function that sends this thread a signal whose handler raises."""

    def handler(number, frame):
        raise RungError

    before = signal.signal(signal.SIGUSR1, handler)
    yield lambda: signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)


def blocked():
    """Return the signals that this thread blocks."""
    return signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_handler_runs_after_the_block(ring):
    """What it raises comes out of the end of the block, where no import can swallow it, and signals are let in again."""
    done, before = [], blocked()

    with pytest.raises(RungError):  # noqa: PT012, SIM117 - the end of the inner block is what raises
        with SignalsWait():
            ring()
            done.append("imported")

    assert done == ["imported"]
    assert blocked() == before


def test_a_block_for_a_module_that_is_loaded_does_nothing(ring):
    """Only the first use of a module makes signals wait; one that is not there yet does."""
    with SignalsWait("signal"), pytest.raises(RungError):
        ring()
    with SignalsWait("signal", "otel_experiments.no_such_module"):
        assert signal.SIGUSR1 in blocked()


MASK = """
import signal
from otel_experiments.process.signals_wait import SignalsWait

class Rung(Exception): pass

rung = 0
def handler(number, frame):
    global rung
    rung += 1
    raise Rung

signal.signal(signal.SIGALRM, handler)
for number in range(400):
    seen = rung
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.000002 + number % 50 * 0.000004)
        while rung == seen:
            with SignalsWait():
                "imported"
    except Rung:
        pass
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()), number
"""


def test_signals_are_let_in_again_wherever_a_handler_raises():
    """Also where a signal comes just as they are being blocked: nothing leaves them blocked for ever."""
    answer = subprocess.run(
        [sys.executable, "-c", MASK], capture_output=True, text=True, timeout=120, check=False
    )

    assert answer.returncode == 0, answer.stderr
