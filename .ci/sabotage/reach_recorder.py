"""A pytest plugin that writes down which test reaches which line of some modules, and how long each test takes.

It traces only the modules that SABOTAGE_MODULES names (paths, separated by `:`), from the moment it is imported.
SABOTAGE_SECONDS bounds the session: tests that would start later are left out. The result goes to the file
SABOTAGE_REACH as JSON.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest

MODULES = [str(Path(name).resolve()) for name in os.environ["SABOTAGE_MODULES"].split(":")]
DEADLINE = time.monotonic() + float(os.environ["SABOTAGE_SECONDS"])
seconds_by_test: dict[str, float] = {}
failed: set[str] = set()
skipped: set[str] = set()
tracer = coverage.Coverage(data_file=None, config_file=False, include=MODULES, messages=False)
tracer.set_option("run:disable_warnings", ["module-not-measured", "no-data-collected", "module-not-imported"])
tracer.start()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Put the lines that run from here to the end of the test to its account."""
    tracer.switch_context(item.nodeid)
    result = yield
    tracer.switch_context("")
    if time.monotonic() > DEADLINE:
        item.session.shouldstop = "the time for the map of tests is over"
    return result


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up the time of a test and see whether it failed."""
    seconds_by_test[report.nodeid] = seconds_by_test.get(report.nodeid, 0) + report.duration
    if report.failed:
        failed.add(report.nodeid)
    if report.skipped:
        skipped.add(report.nodeid)


def pytest_unconfigure() -> None:
    """Write the result."""
    tracer.stop()
    data = tracer.get_data()
    lines = {name: data.contexts_by_lineno(name) for name in data.measured_files()}
    for test in skipped - failed:
        del seconds_by_test[test]
    result = {
        "lines": lines,
        "seconds": seconds_by_test,
        "failed": sorted(failed),
        "is_cut": time.monotonic() > DEADLINE,
    }
    Path(os.environ["SABOTAGE_REACH"]).write_text(json.dumps(result), encoding="utf-8")
