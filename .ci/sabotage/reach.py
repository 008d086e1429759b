"""Which tests reach a line: from one run of the tests near the changed modules, in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from trial import Copy

RECORDER = "reach_recorder"


class ReachError(Exception):
    """The run of the tests came to no result."""


@dataclass(slots=True)
class Reach:
    """The tests by line, and what each of them costs."""

    tests_by_line: dict[tuple[PurePosixPath, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    tests_by_module: dict[PurePosixPath, set[str]] = field(default_factory=lambda: defaultdict(set))
    at_import: set[tuple[PurePosixPath, int]] = field(default_factory=set)
    seconds: dict[str, float] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    is_cut: bool = False
    """Whether the time was over before all tests had run: a survivor may be caught by one that did not."""

    def tests_of(self, path: PurePosixPath, line: int) -> set[str]:
        """Return the tests that pass and reach a line; for one that runs at import, all that reach its module."""
        found = self.tests_by_line.get((path, line), set())
        if not found and (path, line) in self.at_import:
            found = self.tests_by_module.get(path, set())
        return {test for test in found - self.failed if test in self.seconds}

    def elsewhere(self, path: PurePosixPath) -> set[str]:
        """Return the passing tests that reach no line of a module in their own process; perhaps in a child's."""
        return set(self.seconds) - self.tests_by_module.get(path, set()) - self.failed

    def add(self, copy: Copy, result: dict[str, dict[str, dict[str, list[str]]]]) -> None:
        """Add what one process has written."""
        for name, lines in result["lines"].items():
            path = PurePosixPath(Path(name).relative_to(copy.folder))
            for number, tests in lines.items():
                place = (path, int(number))
                known = {test for test in tests if test}
                self.tests_by_line[place] |= known
                self.tests_by_module[path] |= known
                if not known:
                    self.at_import.add(place)


def measure_reach(
    copies: list[Copy], modules: list[PurePosixPath], tests: list[PurePosixPath], *, limit_s: float
) -> Reach:
    """Run test files, the nearest first, at most so long, and return what they reach.

    Raises:
        ReachError: pytest did not get as far as running a test.
    """
    reach = Reach()
    running = []
    end = time.monotonic() + limit_s
    for number, copy in enumerate(copies):
        share = [str(test) for test in tests[number :: len(copies)]]
        if not share:
            continue
        result, log = copy.folder.parent / f"reach-{number}.json", copy.folder.parent / f"reach-{number}.txt"
        environment = copy.environment | {
            "SABOTAGE_MODULES": ":".join(str(copy.folder / module) for module in modules),
            "SABOTAGE_SECONDS": str(limit_s),
            "SABOTAGE_REACH": str(result),
            "COVERAGE_CORE": "ctrace",  # the monitoring of Python 3.12 and later cannot tell tests apart
        }
        command = [sys.executable, "-m", "pytest", "-q", "-p", RECORDER, *copy.pytest_options, *share]
        with log.open("w") as output:
            process = subprocess.Popen(
                command, cwd=copy.folder, env=environment, stdout=output, stderr=output
            )
        running.append((copy, process, result, log))
    for copy, process, result, log in running:
        try:
            # One test may run on after the end; it has its own limit, which pytest-timeout holds.
            process.wait(max(end - time.monotonic(), 0) + 130)
        except subprocess.TimeoutExpired:
            process.kill()
        if not result.exists():
            raise ReachError(log.read_text(encoding="utf-8")[-3000:])
        written = json.loads(result.read_text(encoding="utf-8"))
        reach.add(copy, written)
        reach.seconds |= written["seconds"]
        reach.failed |= set(written["failed"])
        reach.is_cut |= written["is_cut"]
    if not reach.seconds and running:
        raise ReachError(running[0][3].read_text(encoding="utf-8")[-3000:])
    return reach
