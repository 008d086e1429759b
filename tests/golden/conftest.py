"""The training scripts as they are run and compared: in this process, from a file, with the product's own parts.

Their threads read what `np.load` would not: that parses a header by way of `ast`, and CPython 3.11.7 raises
SystemError ("AST constructor recursion depth mismatch") once in some thousand such reads in several threads.
"""

import runpy
import warnings
from pathlib import Path

import pytest

from otel_experiments.capture import record_here
from otel_experiments.goldens.check import check
from otel_experiments.goldens.options import CheckOptions
from otel_experiments.goldens.reports import render

HERE = Path(__file__).parent


class Training:
    """A training script with its golden, and copies of it into which bugs are built."""

    def __init__(self, name, folder):
        self.script = HERE / f"{name}.py"
        self.golden = HERE / f"{name}.otg"
        self._folder = folder

    def with_changes(self, *changes):
        """Return a copy of the script in which each (before, after) is replaced; each `before` stands there once."""
        text = self.script.read_text(encoding="utf-8")
        for before, after in changes:
            assert text.count(before) == 1, before
            text = text.replace(before, after)
        copy = self._folder / self.script.name
        copy.write_text(text, encoding="utf-8")
        return copy

    def run(self, script=None):
        """Run a script as `python script` would, in the present folder."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a bug divides by zero, and numpy says so
            runpy.run_path(str(script or self.script), run_name="__main__")

    def record(self, script):
        """Return what a script records: a list of one run."""
        with record_here() as capture:
            self.run(script)
        return [capture.captured]

    def compare(self, runs, *, golden=None, timing="off"):
        """Return the comparison of recorded runs, in CI, and its report as a terminal shows it."""
        comparison = check(golden or self.golden, runs, CheckOptions(timing=timing, is_ci=True)).comparison
        return comparison, render(comparison, "text", path=self.golden.name)

    def compare_times(self, script, golden, *, runs=5, attempts=4):
        """Return the comparison of a script's times with those of this one, and the report.

        The golden is made here and now, for times of another machine fail nothing. The two take turns, so that
        whatever else the machine does falls on both; where it falls on this side of one pair all the same, it
        is done again, as the report asks for.
        """
        self.record(self.script)  # the first run of a process is slower
        for _ in range(attempts):
            ours, theirs = [], []
            for _ in range(runs):
                ours += self.record(self.script)
                theirs += self.record(script)
            golden.unlink(missing_ok=True)
            check(golden, ours, CheckOptions(parts=frozenset({"new"})))
            comparison, report = self.compare(theirs, golden=golden, timing="fail")
            if not comparison.timing.machine.is_crowded:
                break
        return comparison, report


@pytest.fixture
def training(tmp_path):
    """Return the function that gives a training script by its name."""
    return lambda name: Training(name, tmp_path)
