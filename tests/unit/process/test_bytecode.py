"""Functions at whose first instruction no signal is handled."""

import signal

from otel_experiments.process.bytecode import begins_uninterrupted
from otel_experiments.record.run.run import Run
from otel_experiments.record.spans.scopes import Scope


class Block:
    """A context manager written in Python."""

    def __init__(self):
        self.is_open = False

    def __enter__(self):
        self.is_open = True
        return self

    @begins_uninterrupted
    def __exit__(self, *_):
        self.is_open = False
        try:
            len([1, 2])
        finally:
            pass


def _raise_timeout(number, frame):
    raise TimeoutError


def test_an_exit_runs_whenever_a_signal_comes():
    """A `with` block that an alarm ends is left by its `__exit__`, even where the alarm rings as that begins."""
    before = signal.signal(signal.SIGALRM, _raise_timeout)
    block = Block()
    left_open = 0
    try:
        for attempt in range(2000):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.00002 + (attempt % 50) * 0.000001)
                while True:
                    block = Block()
                    with block:
                        pass
            except TimeoutError:
                left_open += block.is_open
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert left_open == 0


def test_a_function_stays_what_it_was():
    """Arguments, defaults, closures, names and exceptions of a function are its own."""
    inside = 3

    def plain(first, /, second=2, *more, named=inside, **rest):
        """Say what came in."""
        return first, second, more, named, rest, inside

    made = begins_uninterrupted(plain)
    assert made is plain
    assert made(1, 5, 6, named=7, other=8) == (1, 5, (6,), 7, {"other": 8}, 3)
    assert (made.__name__, made.__doc__) == ("plain", "Say what came in.")


def test_our_own_exits_begin_uninterrupted():
    """Scopes and runs are left by such functions, so that none stays open."""
    for owner in (Scope, Run):
        code = owner.__exit__.__code__.co_code
        again = begins_uninterrupted(owner.__exit__).__code__.co_code
        assert code == again
