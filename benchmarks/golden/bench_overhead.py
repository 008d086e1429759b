"""What golden traces cost whoever does not look: lane, order and CPU time of a span, and the plugin in a pytest start.

python benchmarks/golden/bench_overhead.py [--rounds 15]
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
import timeit
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parent))

from rows import row

from otel_experiments.process.lanes import current_lane, next_sequence


def span_ns(rounds):
    """Return what lane, sequence number and CPU time cost a span, in nanoseconds, a round each."""

    def each():
        current_lane()
        next_sequence()
        return time.thread_time_ns() - time.thread_time_ns()

    count = 100_000
    return [timeit.timeit(each, number=count) / count * 1e9 for _ in range(rounds)]


def pytest_ms(rounds):
    """Return how much longer a session of one empty test takes with the plugin, in ms of CPU, a round each."""
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "PYTHONDONT"))
    }
    with TemporaryDirectory() as folder:
        Path(folder, "test_nothing.py").write_text("def test_nothing(): pass\n")

        def session(*arguments):
            started = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
                cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            ended = resource.getrusage(resource.RUSAGE_CHILDREN)
            return 1000 * (ended.ru_utime + ended.ru_stime - started.ru_utime - started.ru_stime)

        session()
        return [session() - session("-p", "no:otel_experiments") for _ in range(rounds)]


def main():
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    spans, starts = span_ns(given.rounds), pytest_ms(given.rounds)
    cost_us, start_ms = statistics.median(spans) / 1000, statistics.median(starts)
    row(3, "lane, order and CPU time of a span", f"{cost_us:.2f} us", "< 3 us", is_reached=cost_us < 3)
    row(
        9,
        "a pytest start that uses no golden",
        f"{start_ms:+.1f} ms of CPU",
        "<= 10 ms",
        is_reached=start_ms <= 10,
    )
    print(
        f"{given.rounds} rounds: span {min(spans):.0f} to {max(spans):.0f} ns, pytest {min(starts):.1f} to {max(starts):.1f} ms"
    )


if __name__ == "__main__":
    main()
