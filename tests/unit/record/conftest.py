"""Recording into a store of the test's own, where an error of recording is an error of the test."""

import pytest

import otel_experiments as ox
from otel_experiments.query import Reader


@pytest.fixture
def configure(tmp_path, monkeypatch):
    """Return `configure` with a store in the test's folder; everything is shut down afterwards."""
    monkeypatch.chdir(tmp_path)
    settings = {"store": tmp_path / "experiments.db", "on_error": "raise", "system_metrics_s": 0.0}
    yield lambda **changes: ox.configure(**(settings | changes))
    ox.shutdown()


@pytest.fixture
def recording(configure):
    """Record into a store in the test's folder."""
    return configure()


@pytest.fixture
def forgiving(configure):
    """Record as users do: what goes wrong is counted and logged."""
    return configure(on_error="log")


@pytest.fixture
def read(recording):
    """Return a function that reads a run of the store, everything recorded so far included."""
    from otel_experiments._configure import active_store

    return lambda wanted: Reader(active_store()).run(wanted)
