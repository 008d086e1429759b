"""Import, the first point in a new store, exit with a dead collector, installed size."""

from __future__ import annotations

import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from measure import HERE, Figure, Options, child, folder, main, peers, plain_environment

CPU = "import resource as r; u = r.getrusage(r.RUSAGE_SELF); print((u.ru_utime + u.ru_stime) * 1e3)"
FIRST_POINT = """
import time
import otel_experiments as ox
def first_point(name):
    start_s = time.perf_counter()
    ox.configure(store=name)
    run = ox.start_run("a")
    run.log({"loss": 1.0}, step=0)
    taken_s = time.perf_counter() - start_s
    run.finish()
    ox.shutdown()
    return taken_s * 1e3
cold = first_point("x.db")
print(cold, first_point("y.db"))
"""
ENVIRONMENT = """
import sys, time
import otel_experiments as ox
def start(name, takes_environment):
    ox.configure(store=name, capture_environment=takes_environment)
    start_s = time.perf_counter()
    run = ox.start_run("a")
    run.log({"loss": 1.0}, step=0)
    taken_s = time.perf_counter() - start_s
    run.finish()
    ox.shutdown()
    return taken_s * 1e3
start("cold.db", True)
for count in range(int(sys.argv[1])):
    bare_ms = start(f"bare-{count}.db", False)
    print(start(f"whole-{count}.db", True) - bare_ms)
"""
DEAD_COLLECTOR = """
import otel_experiments as ox, time
ox.configure(store="x.db")
run = ox.start_run("a")
for step in range(1000):
    run.log({"loss": 1.0}, step=step)
print(time.time(), flush=True)
"""


def figures(options: Options) -> Iterator[Figure]:
    rounds = 5 if options.is_quick else 15
    yield _import(options, rounds)
    both = [[float(word) for word in child(FIRST_POINT, cwd=path).split()] for path in _folders(rounds)]
    first = [warm for _, warm in both]
    yield Figure(
        "start of a run in a new store to its first point", "ms", first,
        peers=peers(options, "first-point", ("trackio", "wandb", "mlflow", "tensorboardX", "aim")),
        target="<= 30 ms", is_reached=statistics.median(first) <= 30,
        note="a new store in a process that has recorded before; peers: their first run of the process",
    )  # fmt: skip
    yield Figure(
        "... the first run of a process, with what is imported only then", "ms", [cold for cold, _ in both]
    )
    yield _environment(rounds)
    silent = socket.create_server(("127.0.0.1", 0))  # takes connections and never says a word
    hanging = f"127.0.0.1:{silent.getsockname()[1]}"
    for what, endpoint in (("refusing", "127.0.0.1:9"), ("hanging", hanging)):
        taken = [_exit(path, f"http://{endpoint}") for path in _folders(2 if options.is_quick else 3)]
        yield Figure(
            f"exit with a {what} collector, the run left open", "s", taken,
            target="<= 5 s", is_reached=max(taken) <= 5, note="from the script's last line to the end of the process",
        )  # fmt: skip
    if not options.is_quick:
        yield from _installed()


def _folders(count: int) -> Iterator[Path]:
    for _ in range(count):
        with folder() as path:
            yield path


def _environment(rounds: int) -> Figure:
    """Return what gathering the environment adds to a start: with it and without it in turn, in one process."""
    with folder() as path:
        added = [float(line) for line in child(ENVIRONMENT, str(3 * rounds), cwd=path).splitlines()]
    return Figure(
        "what the environment takes on the training's path", "ms", added,
        target="<= 5 ms", is_reached=statistics.median(added) <= 5,
        note="start_run and the first point, with the environment less without it",
    )  # fmt: skip


def _import(options: Options, rounds: int) -> Figure:
    found, sdk, bare = [], [], []
    for _ in range(rounds):
        bare.append(float(child(CPU)))
        sdk.append(float(child("import opentelemetry.sdk.trace, opentelemetry.sdk.metrics;" + CPU)))
        found.append(float(child("import otel_experiments;" + CPU)))
    limit, python = statistics.median(sdk), statistics.median(bare)
    beyond = [whole - python for whole in found]
    median = statistics.median(beyond)
    started = _started(rounds) - python
    return Figure(
        "import otel_experiments, CPU over bare Python", "ms", beyond,
        limits={"import opentelemetry.sdk.trace, .metrics": limit - python},
        peers=peers(options, "import", ("trackio", "wandb", "mlflow", "tensorboardX", "aim")),
        target="<= 150 ms, <= 1.3 x SDK", is_reached=median <= min(150, 1.3 * (limit - python)),
        note=f"a process that starts and ends a run: {started:.0f} ms over bare Python",
    )  # fmt: skip


def _started(rounds: int) -> float:
    code = "import otel_experiments as ox; ox.configure(store='x.db')\nwith ox.start_run(): pass\n" + CPU
    return statistics.median(float(child(code, cwd=path)) for path in _folders(rounds))


def _exit(path: Path, endpoint: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", DEAD_COLLECTOR], cwd=path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**plain_environment(), "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}, check=True,
    )  # fmt: skip
    return time.time() - float(done.stdout)


def _installed() -> Iterator[Figure]:
    """Install the package into an empty environment and weigh what came, without pip itself."""
    with folder() as path:
        environment = path / "env"
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        python = environment / "bin" / "python"
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "-q"]
        packages = Path(
            subprocess.check_output(
                [python, "-c", "import site; print(site.getsitepackages()[0])"], text=True
            ).strip()
        )
        before = {file.name for file in packages.iterdir()}
        done = subprocess.run(
            [*pip, "install", "--no-compile", str(HERE.parent)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            print(done.stderr[-500:], file=sys.stderr)
            return
        names = [file for file in packages.iterdir() if file.name not in before]
        size = sum(_bytes(file) for file in names) / 1e6
        count = sum(1 for file in names if re.search(r"\.dist-info$", file.name))
    yield Figure("installed size with dependencies", "MB", [size], target="<= 60 MB", is_reached=size <= 60)
    yield Figure(
        "installed packages, our own included", "", [float(count)], target="<= 25", is_reached=count <= 25,
    )  # fmt: skip


def _bytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


if __name__ == "__main__":
    main(figures)
