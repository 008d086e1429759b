"""One number of one peer, for scripts here; runs in the peers' own environment and prints it last.

`python peers.py NAME WHAT`: p50-N and p99-N (us a call with N values), cpu-N (us of CPU a point until the tool has
finished, all processes), image (ms a call with a picture of 224 x 224), artifact (ms a call with a file of
2,000 bytes; not for aim and trackio, which keep no files locally), import (ms of CPU over bare Python), first-point (ms), lost (of 5,000 points logged one
by one before os._exit; not for wandb, whose files only its own program reads), small-runs (s for 1,000, from 200) and find (ms, cold process,
200 runs). All tools write locally, offline.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

os.environ |= {
    "WANDB_MODE": "offline",
    "WANDB_SILENT": "true",
    "TRACKIO_DIR": str(Path.cwd() / "trackio"),
    "HF_HUB_OFFLINE": "1",
}
IMPORTS = {
    "trackio": "trackio",
    "wandb": "wandb",
    "mlflow": "mlflow",
    "tensorboardX": "tensorboardX",
    "aim": "aim",
}
_RUNS = 200
CALLS = {"trackio": 5_000, "wandb": 3_000, "mlflow": 200, "tensorboardX": 3_000, "aim": 1_000}


class Tool:
    """start, log, finish of one tool."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.module = __import__(IMPORTS[name])

    def start(self) -> None:
        if self.name == "trackio":
            self.module.init(project="bench", embed=False)
        elif self.name == "wandb":
            self.run = self.module.init(project="bench", mode="offline")
        elif self.name == "mlflow":
            self.module.set_tracking_uri(f"sqlite:///{Path.cwd()}/mlflow.db")
            self.module.start_run()
        elif self.name == "aim":
            self.run = self.module.Run(repo=".", experiment="bench")
        else:
            self.writer = self.module.SummaryWriter("runs", flush_secs=10)

    def log(self, values: dict[str, float], step: int) -> None:
        if self.name == "trackio":
            self.module.log(values, step=step)
        elif self.name == "wandb":
            self.run.log(values, step=step)
        elif self.name == "mlflow":
            self.module.log_metrics(values, step=step)
        elif self.name == "aim":
            self.run.track(values, step=step)
        else:
            for name, value in values.items():
                self.writer.add_scalar(name, value, step)

    def finish(self) -> None:
        if self.name == "trackio":
            self.module.finish()
        elif self.name == "wandb":
            self.run.finish()
        elif self.name == "mlflow":
            self.module.end_run()
        elif self.name == "aim":
            self.run.close()
        else:
            self.writer.close()


def _cpu_s() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def _calls_us(tool: Tool, count: int, calls: int) -> list[float]:
    values = {f"metric_{index}": 0.1 * index for index in range(count)}
    taken = []
    for step in range(calls):
        start = time.perf_counter_ns()
        tool.log(values, step)
        taken.append((time.perf_counter_ns() - start) / 1e3)
    return sorted(taken)


def _lost(name: str) -> int:
    """Return how many of 5,000 points are not in the tool's files after os._exit right after the last call."""
    calls = 5_000 if name != "mlflow" else 500
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import os, peers\n"
        f"tool = peers.Tool({name!r}); tool.start()\n"
        f"for step in range({calls}): tool.log({{'loss': 1.0}}, step)\n"
        "os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    if name == "trackio":
        import sqlite3

        paths = list(Path("trackio").rglob("*.db"))  # none while nothing was written
        kept = sum(
            sqlite3.connect(path).execute("select count(*) from metrics").fetchone()[0] for path in paths
        )
    elif name == "mlflow":
        import sqlite3

        (kept,) = sqlite3.connect("mlflow.db").execute("select count(*) from metrics").fetchone()
        kept *= 10
    else:
        kept = -1  # the file's own version record
        for file in Path("runs").rglob("events*"):
            raw, position = file.read_bytes(), 0
            while position + 12 <= len(raw):  # length, crc of it, data, crc of it
                position += 16 + int.from_bytes(raw[position : position + 8], "little")
                kept += position <= len(raw)
    return 5_000 - kept


def _small_runs(trackio) -> float:
    start_s = time.perf_counter()
    for number in range(_RUNS):
        config = {f"p{index}": number * index for index in range(9)} | {"lr": number / 1000}
        trackio.init(project="sweep", name=f"run-{number}", config=config, embed=False)
        for step in range(10):
            trackio.log({"loss": 1.0 / (step + 1)}, step=step)
        trackio.finish()
    return (time.perf_counter() - start_s) * 1_000 / _RUNS


def _find() -> float:
    code = (
        "import trackio; runs = trackio.Api().runs('sweep')\n"
        "found = [run for run in runs if run.config['lr'] < 0.01]; assert len(found) == 10, len(found)"
    )
    start_s = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return (time.perf_counter() - start_s) * 1e3


def _image_ms(tool: Tool) -> float:
    """Return the milliseconds that logging one picture takes; aim and wandb may write it later."""
    import numpy as np

    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    tool.start()
    taken = []
    for step in range(30):
        start_s = time.perf_counter()
        if tool.name == "wandb":
            tool.run.log({"img": tool.module.Image(pixels)}, step=step)
        elif tool.name == "trackio":
            tool.module.log({"img": tool.module.Image(pixels)}, step=step)
        elif tool.name == "mlflow":
            tool.module.log_image(pixels, key="img", step=step)
        else:
            from PIL import Image

            tool.run.track(tool.module.Image(Image.fromarray(pixels)), name="img", step=step)
        taken.append((time.perf_counter() - start_s) * 1e3)
    tool.finish()
    return sorted(taken)[len(taken) // 2]


def _artifact_ms(tool: Tool) -> float:
    """Return the milliseconds that keeping a small file takes, all of it written."""
    count = 50
    for number in range(count):
        Path(f"file-{number}").write_bytes(os.urandom(2000))
    tool.start()
    start_s = time.perf_counter()
    for number in range(count):
        if tool.name == "wandb":
            artifact = tool.module.Artifact(f"file-{number}", type="file")
            artifact.add_file(f"file-{number}")
            tool.run.log_artifact(artifact)
        else:
            tool.module.log_artifact(f"file-{number}")
    tool.finish()
    return (time.perf_counter() - start_s) * 1e3 / count


def measure(name: str, what: str) -> float:
    kind, _, count = what.partition("-")
    if kind == "import":
        cpu = "import resource as r; u = r.getrusage(r.RUSAGE_SELF); print((u.ru_utime + u.ru_stime) * 1e3)"

        def run(code: str) -> float:
            return float(subprocess.check_output([sys.executable, "-c", code], text=True).split()[-1])

        return sorted(run(f"import {IMPORTS[name]};{cpu}") - run(cpu) for _ in range(3))[1]
    if kind == "lost":
        return _lost(name)
    tool = Tool(name)
    if what == "small-runs":
        return _small_runs(tool.module)
    if what == "find":
        _small_runs(tool.module)
        return _find()
    if what == "first-point":
        start_s = time.perf_counter()
        tool.start()
        tool.log({"loss": 1.0}, 0)
        return (time.perf_counter() - start_s) * 1e3
    if what == "image":
        return _image_ms(tool)
    if what == "artifact":
        return _artifact_ms(tool)
    calls = CALLS[name]
    if kind == "cpu":
        # Three times as many calls against once: what starting and stopping cost falls out.
        once, thrice = (_child_cpu_s(name, int(count), n) for n in (calls, 3 * calls))
        return max(0.0, thrice - once) / (2 * calls * int(count)) * 1e6
    tool.start()
    taken = _calls_us(tool, int(count), calls)
    tool.finish()
    return taken[int(len(taken) * {"p50": 0.5, "p99": 0.99}[kind])]


def _child_cpu_s(name: str, count: int, calls: int) -> float:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import peers\n"
        f"tool = peers.Tool({name!r}); tool.start(); peers._calls_us(tool, {count}, {calls}); tool.finish()"
    )
    before_s = _cpu_s()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return _cpu_s() - before_s


if __name__ == "__main__":
    found = json.dumps(measure(*sys.argv[1:3]))
    sys.stderr.flush()
    sys.stdout.flush()
    os.write(1, f"\nRESULT {found}\n".encode())
