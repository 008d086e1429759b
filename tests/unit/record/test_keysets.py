"""The steps that metrics get by themselves, below `run.log`."""

import sys
import threading

import pytest

from otel_experiments.record.metrics.keysets import Keysets


@pytest.fixture
def switching():
    """Have the interpreter change threads as often as it can."""
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before_s)


def _take_step(keysets, names):
    """Take the next step of the first name, as `run.log` does."""
    keyset = keysets.get(names, None)
    if not keyset.is_shared:
        step = keyset.highest + 1.0
        keyset.highest = step
        return step
    steps = {key.name: keysets.take_step(key) for key in keyset.keys}
    return steps[names[0]]


def test_no_step_is_given_twice_while_sets_of_names_are_forgotten(switching, monkeypatch):
    """Threads that hold a set of names while it is forgotten go on where the metric is."""
    monkeypatch.setattr("otel_experiments.record.metrics.keysets._MAX_KEYSETS", 4)
    for _ in range(60):
        keysets, steps = Keysets("0" * 32, {}, rank=0), []

        def work(number, keysets=keysets, steps=steps):
            for i in range(300):
                steps.append(_take_step(keysets, ("m", f"n{number}-{i % 20}")))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(steps) == [float(i) for i in range(1200)]


def test_a_set_of_names_in_use_while_it_is_forgotten_shares_its_steps(monkeypatch):
    """A caller with a forgotten set and one with its successor never get the same step."""
    monkeypatch.setattr("otel_experiments.record.metrics.keysets._MAX_KEYSETS", 1)
    keysets = Keysets("0" * 32, {}, rank=0)
    forgotten = keysets.get(("m",), None)
    forgotten.highest = 5.0
    keysets.get(("other",), None)

    assert _take_step(keysets, ("m",)) == 6.0
    assert forgotten.is_shared
    assert keysets.take_step(forgotten.keys[0]) == 7.0
    assert _take_step(keysets, ("m",)) == 8.0
