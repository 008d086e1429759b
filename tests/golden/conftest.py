"""The training scripts as they are run and compared: in this process, from a file, with the product's own parts.

Their threads read what `np.load` would not: that parses a header by way of `ast`, and CPython 3.11.7 raises
SystemError ("AST constructor recursion depth mismatch") once in some thousand such reads in several threads.
"""

import runpy
import sys
import time
import warnings
from bisect import bisect
from dataclasses import replace
from pathlib import Path

import pytest

from otel_experiments.capture import record_here
from otel_experiments.goldens.check import check
from otel_experiments.goldens.options import CheckOptions
from otel_experiments.goldens.reports import render
from otel_experiments.semconv import attributes as attr

HERE = Path(__file__).parent
CALL_NS = 5_000


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

    def record_work(self, script):
        """Return what a script records, with the work done in place of each time: the same on any machine, at any load.

        The work is what the main thread calls: each call is 5 us of wall and of CPU time. Spans of other threads
        keep their place and lose their CPU time. What other programs use of the machine is left out.
        """
        calls = []

        def count(_frame, event, _called):
            if event in {"call", "c_call"}:
                calls.append(time.time_ns())

        with record_here() as capture:
            sys.setprofile(count)
            try:
                self.run(script)
            finally:
                sys.setprofile(None)
        return replace(
            capture.captured, spans=[timed_by_work(span, sorted(calls)) for span in capture.captured.spans]
        )

    def compare_work(self, golden, *scripts, runs=5):
        """Return for each script the comparison of its times with those of this one, and the report.

        The golden is made here and now. A run does the same work each time, so one stands for all.
        """
        self.record(self.script)  # what is imported on first use is no work of a stage
        check(golden, [self.record_work(self.script)] * runs, CheckOptions(parts=frozenset({"new"})))
        return [
            self.compare([self.record_work(script)] * runs, golden=golden, timing="fail")
            for script in scripts
        ]


def timed_by_work(span, calls):
    """Return a span whose times are the calls made until then."""
    start_ns, end_ns = (bisect(calls, at_ns) * CALL_NS for at_ns in (span.start_ns, span.end_ns))
    attributes = dict(span.attributes)
    attributes.pop(attr.ML_RUN_HOST_LOAD_CPU_UTILIZATION, None)
    if attributes.pop(attr.ML_SPAN_CPU_TIME, None) is not None and attributes[attr.ML_SPAN_LANE] == "main":
        attributes[attr.ML_SPAN_CPU_TIME] = end_ns - start_ns
    return replace(span, start_ns=calls[0] + start_ns, end_ns=calls[0] + end_ns, attributes=attributes)


@pytest.fixture
def training(tmp_path):
    """Return the function that gives a training script by its name."""
    return lambda name: Training(name, tmp_path)
