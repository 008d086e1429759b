"""What following a run costs: the CPU of `tail` beside the training that it follows, and a look at a long run."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from measure import Figure, Options, folder, main

import otel_experiments as ox

_COMMAND = [sys.executable, "-c", "from otel_experiments.cli import main; main()"]
_TRAINING = """
import sys, time
import otel_experiments as ox
steps, wait_s = int(sys.argv[1]), 0.01
with ox.start_run("followed", experiment="bench") as run:
    print("ready", flush=True)
    sys.stdin.readline()
    for step in range(steps):
        run.log({"loss": 1 / (1 + step), "acc": 0.9, "lr": 0.1, "norm": 2.0, "time": 0.01}, step=step)
        time.sleep(wait_s)
    before = time.process_time()
    print(before, flush=True)
    sys.stdin.readline()
"""


def figures(options: Options) -> Iterator[Figure]:
    rounds, steps = (3, 400) if options.is_quick else (5, 1_500)
    tail, beside, alone = [], [], []
    for _ in range(rounds):
        alone.append(_train(steps, follows=False)[0])
        with_tail, share = _train(steps, follows=True)
        beside.append(with_tail)
        tail.append(share)
    machine = [share / (os.cpu_count() or 1) for share in tail]
    yield Figure(
        "CPU of tail beside a training of 100 steps/s, 5 metrics", "%", machine,
        limits={"of one core": statistics.median(tail)},
        target="<= 1 % of the machine", is_reached=statistics.median(machine) <= 1,
        note="from the first line that it shows to the last; every step is a line",
    )  # fmt: skip
    yield Figure(
        "CPU seconds of that training while it is followed", "s", beside,
        limits={"not followed": statistics.median(alone)},
    )  # fmt: skip
    yield from _looks(options)


def _train(steps: int, *, follows: bool) -> tuple[float, float]:
    """Return the CPU seconds of a training, and the CPU of its follower in percent of one core."""
    with folder() as path:
        environment = {
            **os.environ, "OTEL_EXPERIMENTS_STORE": str(path / "x.db"), "OTEL_EXPERIMENTS_SYSTEM_METRICS": "0",
        }  # fmt: skip
        pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen(
            [sys.executable, "-c", _TRAINING, str(steps)], env=environment, **pipe
        ) as training:  # type: ignore[call-overload] # one set of flags for both streams
            training.stdout.readline()
            tail = None
            if follows:
                tail = subprocess.Popen(
                    [*_COMMAND, "tail"], env=environment, stdout=subprocess.PIPE, text=True
                )
                assert tail.stdout is not None
                tail.stdout.readline()
                process = psutil.Process(tail.pid)
                before, start_s = process.cpu_times(), time.perf_counter()
                drop = subprocess.Popen(["cat"], stdin=tail.stdout, stdout=subprocess.DEVNULL)
            training.stdin.write("go\n")
            training.stdin.flush()
            cpu_s = float(training.stdout.readline())
            share = 0.0
            if tail is not None:
                after, wall_s = process.cpu_times(), time.perf_counter() - start_s
                share = 100 * (after.user + after.system - before.user - before.system) / wall_s
            training.stdin.write("end\n")
            training.stdin.flush()
            training.stdin.close()
            training.stdin = None
            training.wait()
            if tail is not None:
                tail.wait()
                drop.wait()
        return cpu_s, share


def _looks(options: Options) -> Iterator[Figure]:
    """Measure a look that finds one new point of a long run, beside one of a short run."""
    rounds, long = (5, 100_000) if options.is_quick else (25, 1_000_000)
    with folder() as path:
        short_us, long_us = (_look_us(path / f"{points}.db", points, rounds) for points in (1_000, long))
    yield Figure(
        f"changes(): one new point after {long:,}", "us", long_us,
        limits={"after 1,000": statistics.median(short_us)},
        target="<= 1.5x", is_reached=statistics.median(long_us) <= 1.5 * statistics.median(short_us),
        note="CPU time of the reader",
    )  # fmt: skip


def _look_us(path: Path, points: int, rounds: int) -> list[float]:
    found = []
    ox.configure(store=path, capture_environment=False, system_metrics_s=0)
    with ox.start_run("long", experiment="bench") as run:
        for step in range(points):
            run.log({"loss": 0.5}, step=step)
        run.flush()
        with ox.open_reader(path) as reader:
            cursor = reader.changes(run.id, since="now").cursor
            for number in range(rounds):
                run.log({"loss": 0.25}, step=points + number)
                run.flush()
                start = time.thread_time_ns()
                changes = reader.changes(run.id, since=cursor)
                found.append((time.thread_time_ns() - start) / 1000)
                assert sum(len(one.points) for one in changes.points) == 1
                cursor = changes.cursor
    ox.shutdown()
    return found


if __name__ == "__main__":
    main(figures)
