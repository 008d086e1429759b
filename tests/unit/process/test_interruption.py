"""What is the program's own, and what is an error of ours or of a value that we were given."""

import asyncio
import ctypes
import functools
import signal
import sys
import threading

import pytest

from otel_experiments.process.interruption import Swallowing, came_from_outside, is_interruption


def _raise_timeout(number, frame):
    raise TimeoutError("too slow")


def _raise_without_arguments(*_):
    raise OSError


def _raise_after_tidying(number, frame):
    del number, frame
    raise ValueError("tidy")


def _raise_deep_inside(number, frame):
    {}[number]


class Handler:
    """A callable object, and its bound method."""

    def __call__(self, number, frame):  # noqa: D102 - as the class says
        raise KeyError("called")

    def _method(self, number, frame):
        raise RuntimeError("method")


def _raise_with_more(more, number, frame):
    raise LookupError(more)


HANDLERS = [
    _raise_timeout,
    _raise_without_arguments,
    _raise_after_tidying,
    _raise_deep_inside,
    Handler(),
    Handler()._method,
    functools.partial(_raise_with_more, "more"),
    lambda number, frame: 1 / 0,
]


class Foreign:
    """A value whose methods run for a while, as those of user code do."""

    def __float__(self):
        return float(sum(range(20)))


def _busy():
    while True:
        float(Foreign())
        sorted(str(number) for number in range(5))


def _busy_until(alarm_s):
    signal.setitimer(signal.ITIMER_REAL, alarm_s)
    _busy()


@pytest.mark.parametrize(
    "handler", HANDLERS, ids=lambda handler: getattr(handler, "__name__", repr(type(handler)))
)
def test_what_a_signal_handler_raises_is_the_programs_own(handler):
    """Whatever kind of callable the handler is, and wherever it interrupts, its exception is told from ours."""
    before = signal.signal(signal.SIGALRM, handler)
    try:
        for attempt in range(100):
            with pytest.raises(Exception) as caught:  # noqa: PT011 - any kind
                _busy_until(0.0001 + attempt * 0.000003)
            assert is_interruption(caught.value), caught.traceback
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Bad:
    def __float__(self):
        raise ValueError

    def __str__(self):
        raise KeyError("str")

    def __len__(self):
        return 2**70


def _recurse():
    _recurse()


OWN = {
    "a bare raise in a value": lambda: float(Bad()),
    "a text that is no number": lambda: float("x"),
    "no such key": lambda: {}["key"],
    "nothing more to come": lambda: next(iter([])),
    "a method of a value": lambda: str(Bad()),
    "a length too large": lambda: len(Bad()),
    "no such file": lambda: open("/no/such/file"),  # noqa: SIM115, PTH123
    "too deep": _recurse,
}


@pytest.mark.parametrize("name", OWN)
def test_what_code_and_values_raise_is_no_interruption(name):
    """Errors of our code and of the values that it is given stay what recording swallows."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any kind
        OWN[name]()
    assert not is_interruption(caught.value)


def test_what_another_thread_throws_is_the_programs_own():
    """A library that stops a thread by throwing an exception into it stops it in the middle of a call, too."""

    class StopError(Exception):
        pass

    caught = []
    started = threading.Event()

    def work():
        try:
            started.set()
            _busy()
        except Exception as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    started.wait()
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(StopError))
    thread.join(timeout=60)
    assert [type(error) for error in caught] == [StopError]
    assert is_interruption(caught[0])


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit(), asyncio.CancelledError()]
)
def test_what_is_no_exception_of_an_error_is_never_swallowed(error):
    """Ctrl-C, sys.exit and cancellation pass."""
    assert is_interruption(error)


@pytest.mark.parametrize("code", [(), (0,), ("no data",)])
def test_an_exit_comes_from_the_code_that_calls_it_or_from_a_handler(code):
    """A function that exits is told apart from a signal's handler that does, with and without a code."""
    with pytest.raises(SystemExit) as called:
        sys.exit(*code)
    assert not came_from_outside(called.value)

    before = signal.signal(signal.SIGALRM, lambda number, frame: sys.exit(*code))
    try:
        with pytest.raises(SystemExit) as handled:
            _busy_until(0.001)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert came_from_outside(handled.value)


def test_errors_of_the_kinds_are_swallowed_and_interruptions_are_not():
    """A block that may fail to read a file lets a timeout by alarm through, which is an OSError as well."""
    with Swallowing(OSError):
        raise FileNotFoundError("no such file")
    with pytest.raises(ValueError, match="another"), Swallowing(OSError):
        raise ValueError("another")

    before = signal.signal(signal.SIGALRM, _raise_timeout)
    try:
        with pytest.raises(TimeoutError, match="too slow"), Swallowing(OSError):
            _busy_until(0.001)
    finally:
        signal.signal(signal.SIGALRM, before)
