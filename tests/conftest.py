"""What every test gets: a machine without OpenTelemetry settings or CI, its own folder, no thread left behind."""

import os
import signal
import threading
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from opentelemetry import context

from otel_experiments.errors import StoreError
from otel_experiments.goldens.options import CI_VARIABLES
from otel_experiments.store import open_store
from otel_experiments.testing.live_check import LiveCheck

TESTS = Path(__file__).parent
MADE_UP = tuple(
    TESTS / folder
    for folder in (
        "unit/store",
        "unit/collect",
        "unit/query",
        "unit/cli",
        "unit/codec",
        "unit/golden",
        "unit/testing",
        "property",
    )
)
"""Tests whose stores hold telemetry that was made up rather than recorded."""

# No property is a matter of time: a machine that others use is slow, and the code that it runs is not wrong.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what it runs in the background so, and every process of a test would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
LARGEST_CHECKED_BYTES = 8 << 20


@pytest.fixture(autouse=True)
def isolated_process(tmp_path, monkeypatch):
    """Run each test as on a user's machine, in its own folder, and see that it leaves no thread running and no run current.

    Without OTEL_* variables, and without those by which continuous integration is known: what a test shows must
    not depend on where it runs, and a test of either sets its own.

    A daemon thread may outlive a test (a pool of a library that keeps warm); another one would keep a user's
    process from ending.
    """
    for name in os.environ:
        if name.startswith(("OTEL_", "GITHUB_", "TRACEPARENT", "TRACESTATE")) or name in CI_VARIABLES:
            monkeypatch.delenv(name)
    # A run's environment is gathered on a thread; its own tests turn it on, others would list one event more.
    monkeypatch.setenv("OTEL_EXPERIMENTS_CAPTURE_ENVIRONMENT", "false")
    # As is output: what a test prints is pytest's.
    monkeypatch.setenv("OTEL_EXPERIMENTS_CAPTURE_OUTPUT", "off")
    monkeypatch.chdir(tmp_path)
    before = set(threading.enumerate())
    token = context.attach(context.Context())

    yield

    current = dict(context.get_current())
    context.detach(token)
    assert current == {}, "the test left a span or a run current, in which the next test would record"
    left = [thread for thread in threading.enumerate() if not thread.daemon and thread not in before]
    assert left == [], "the test left threads that keep the process from ending"


@pytest.fixture(autouse=True)
def live_vocabulary(request, isolated_process, tmp_path):
    """Hold whatever a test has recorded into a store against the vocabulary, when the test is over."""
    yield

    if any(request.path.is_relative_to(folder) for folder in MADE_UP):
        return
    live_check = LiveCheck()
    for path in tmp_path.rglob("*.db"):
        if path.stat().st_size > LARGEST_CHECKED_BYTES:
            continue
        try:
            with open_store(path, read_only=True, create=False) as store:
                live_check.check_store(store)
        except StoreError:
            continue
    assert [str(advice) for advice in live_check.violations] == []


@pytest.fixture
def store_path(tmp_path):
    """Return a path at which there is no store yet."""
    return tmp_path / "experiments.db"


def pytest_terminal_summary(terminalreporter):
    """Print which real programs the tests used, what came back from each, and which cannot be had here."""
    properties = [
        value
        for report in terminalreporter.stats.get("", ())
        if getattr(report, "when", None) == "teardown"
        for value in report.user_properties
    ]
    versions = dict(value for name, value in properties if name == "backend_version")
    missing = dict(value for name, value in properties if name == "backend_missing")
    skipped = Counter(value[0] for name, value in properties if name == "backend_missing")
    if not versions and not missing:
        return
    terminalreporter.section("real programs")
    for name, version in sorted(versions.items()):
        counts = [value for key, value in properties if key == "backend_counts" and value[0] == name]
        spans, points = sum(count[1] for count in counts), sum(count[2] for count in counts)
        back = f": {spans:,} spans and {points:,} points came back, all that were sent" if counts else ""
        terminalreporter.line(f"{name} {version}{back}")
    for name, reason in sorted(missing.items()):
        terminalreporter.line(f"{name} is missing, {skipped[name]} tests are skipped: {reason}")
