"""Points that are gone after a process died: SIGKILL, os._exit, a forked child. Must be none, ever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from measure import Figure, Options, folder, main, peers, plain_environment

from otel_experiments._opening import open_reader

KILLED = """
import sys, otel_experiments as ox
ox.configure(store="x.db")
run = ox.start_run("killed")
step = 0
while True:
    run.log({"loss": 1.0 / (step + 1), "step": float(step)}, step=step)
    step += 1
    if step % 50 == 0:
        sys.stdout.write(f"{step}\\n"); sys.stdout.flush()
"""
EXITED = """
import os, otel_experiments as ox
ox.configure(store="x.db")
run = ox.start_run("exited")
for step in range(5000):
    run.log({"loss": 1.0 / (step + 1)}, step=step)
os._exit(0)
"""
FORKED = """
import os, otel_experiments as ox
ox.configure(store="x.db")
run = ox.start_run("forked")
children = []
for child in range(4):
    pid = os.fork()
    if pid == 0:
        for step in range(1000):
            run.log({f"loss_{child}": 1.0 / (step + 1)}, step=step)
        os._exit(0)
    children.append(pid)
for pid in children:
    os.waitpid(pid, 0)
run.finish(); ox.shutdown()
"""


def figures(options: Options) -> Iterator[Figure]:
    rounds = 3 if options.is_quick else 20
    for what, count in (
        ("SIGKILL in the middle of the loop", _killed),
        ("os._exit right after the last call", lambda: _left(EXITED, 5000)),
        ("4 forked children that os._exit", lambda: _left(FORKED, 4000)),
    ):
        lost = [float(count()) for _ in range(rounds)]
        # The peers' own programs are asked for the second case only, where nothing is left to chance.
        found = peers(options, "lost", ("trackio", "mlflow", "tensorboardX")) if "_exit right" in what else {}
        yield Figure(
            f"points lost: {what}", "points", lost, peers=found, target="0", is_reached=not any(lost),
            note="peers: of 5,000 points" if found else "",
        )  # fmt: skip


def _stored(path: Path) -> int:
    with open_reader(path / "x.db") as reader:
        (run,) = reader.runs()
        return sum(len(series) for series in run.metrics.all() if series.name.startswith("loss"))


def _killed() -> int:
    """Kill a process that tells how far it is; what it told before must be there."""
    with folder() as path:
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED],
            stdout=subprocess.PIPE,
            text=True,
            cwd=path,
            env=plain_environment(),
        )
        assert process.stdout is not None
        told = 0
        while told < 20_000:
            told = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        rest = process.stdout.read().split()
        process.wait()
        return max(0, int(rest[-1] if rest else told) - _stored(path))


def _left(code: str, count: int) -> int:
    with folder() as path:
        subprocess.run([sys.executable, "-c", code], check=True, cwd=path, env=plain_environment())
        return count - _stored(path)


if __name__ == "__main__":
    main(figures)
