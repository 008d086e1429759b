"""A SIGTERM is handled for a while, where the program does not handle it itself."""

import os
import signal
import threading

import pytest

from otel_experiments.process.sigterm import handle_sigterm


@pytest.fixture
def restored():
    """Put the handler of the test session back."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_a_sigterm_inside_the_block_goes_to_the_handler(restored):
    """The signal is handled inside the block, and ends the process as before behind it."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    seen = []

    with handle_sigterm(lambda number, _frame: seen.append(number)):
        os.kill(os.getpid(), signal.SIGTERM)

    assert seen == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_handler_of_the_program_stays(restored):
    """A program that handles SIGTERM has every SIGTERM."""
    ours, theirs = [], []
    signal.signal(signal.SIGTERM, lambda number, _frame: theirs.append(number))

    with handle_sigterm(lambda number, _frame: ours.append(number)):
        os.kill(os.getpid(), signal.SIGTERM)

    assert (ours, theirs) == ([], [signal.SIGTERM])


def test_another_thread_changes_nothing(restored):
    """Outside of the main thread no handler can be set; the block runs all the same."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    found = []

    def work():
        with handle_sigterm(lambda _number, _frame: None):
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert found == [signal.SIG_DFL]
