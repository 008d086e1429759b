"""What every test gets: no OpenTelemetry settings of the machine, a folder of its own, and no thread left behind."""

import os
import threading

import pytest


@pytest.fixture(autouse=True)
def isolated_process(tmp_path, monkeypatch):
    """Run each test without OTEL_* variables, in its own folder, and see that it leaves no thread running.

    A daemon thread may outlive a test (a pool of a library that keeps warm); another one would keep a user's
    process from ending.
    """
    for name in os.environ:
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    before = set(threading.enumerate())

    yield

    left = [thread for thread in threading.enumerate() if not thread.daemon and thread not in before]
    assert left == [], "the test left threads that keep the process from ending"


@pytest.fixture
def store_path(tmp_path):
    """Return a path at which there is no store yet."""
    return tmp_path / "experiments.db"
