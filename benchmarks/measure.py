"""What all benchmarks share: a figure with its limit and target, rounds that alternate, and how both are shown.

A script defines `figures(options) -> Iterator[Figure]` and calls `main(figures)`; alone it prints a table, for
`run.py` JSON.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

HERE = Path(__file__).parent


@dataclass
class Figure:
    """One row of the results.

    `rounds` are all measurements, of which the median counts; `limits` and `peers` are measured in the same run,
    by name and in the same unit. `target` is a text, `is_reached` what the script made of it (None: no target).
    """

    what: str
    unit: str
    rounds: list[float]
    limits: dict[str, float] = field(default_factory=dict)
    peers: dict[str, float] = field(default_factory=dict)
    target: str = ""
    is_reached: bool | None = None
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)


@dataclass
class Options:
    is_quick: bool
    peers: str | None


def main(figures: Callable[[Options], Iterator[Figure]]) -> None:
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, fewer rounds")
    parser.add_argument("--peers", help="a Python with the peers installed")
    parser.add_argument("--json", action="store_true", help="print JSON lines, for run.py")
    given = parser.parse_args()
    for figure in figures(Options(given.quick, given.peers or os.environ.get("BENCHMARK_PEERS"))):
        if given.json:
            print(json.dumps(asdict(figure)), flush=True)
        else:
            print(line(figure), flush=True)


def line(figure: Figure) -> str:
    mark = {True: "reached", False: "NOT REACHED", None: ""}[figure.is_reached]
    others = ", ".join(f"{name} {number(value)}" for name, value in (figure.limits | figure.peers).items())
    spread = f"({number(min(figure.rounds))}-{number(max(figure.rounds))})"
    return f"{figure.what:58} {number(figure.median):>9} {figure.unit:8} {spread:18} {others}  {figure.target} {mark}"


def number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def alternate(rounds: int, *works: Callable[[], float]) -> list[list[float]]:
    """Return the results of each work, round by round in turn, so that all meet the same moments of the machine."""
    results: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, found in zip(works, results, strict=True):
            gc.collect()
            found.append(work())
    return results


def each_call_us(call: Callable[[int], object], count: int) -> list[float]:
    """Return the microseconds that each of `count` calls took, sorted."""
    clock, taken = time.perf_counter_ns, []
    for index in range(count):
        start = clock()
        call(index)
        taken.append(clock() - start)
    return sorted(ns / 1e3 for ns in taken)


def percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="otel-experiments-bench-", ignore_cleanup_errors=True) as path:
        yield Path(path)


def child(
    code: str,
    *arguments: str,
    python: str = sys.executable,
    cwd: Path | None = None,
    environment: dict[str, str] | None = None,
) -> str:
    """Run code in a fresh process and return what it prints."""
    done = subprocess.run(
        [python, "-c", code, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=plain_environment() | (environment or {}),
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:])
    return done.stdout


def plain_environment() -> dict[str, str]:
    """Return the environment of a user, whose Python keeps what it has compiled."""
    return {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("OTEL_", "WANDB_", "MLFLOW_")) and key != "PYTHONDONTWRITEBYTECODE"
    }


def peer(options: Options, name: str, what: str) -> float | None:
    """Return one number of a peer, measured by peers.py in its own environment; None when it cannot be had."""
    if options.peers is None:
        return None
    with folder() as path:
        done = subprocess.run(
            [options.peers, str(HERE / "peers.py"), name, what],
            capture_output=True, text=True, cwd=path, env=plain_environment(), timeout=600, check=False,
        )  # fmt: skip
        for word in reversed(done.stdout.splitlines()):
            if word.startswith("RESULT "):
                return float(word.removeprefix("RESULT "))
        print(f"{name} {what}: {done.stderr.strip()[-300:]}", file=sys.stderr)
        return None


def peers(options: Options, what: str, names: tuple[str, ...]) -> dict[str, float]:
    found = {name: peer(options, name, what) for name in names}
    return {name: value for name, value in found.items() if value is not None}
