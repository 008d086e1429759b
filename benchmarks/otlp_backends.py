"""How soon a large run is whole in a real backend, through a real Collector, after its process has ended.

The programs are those of `.ci/backends`; where one cannot be had its figure is left out, with the reason.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from measure import Figure, Options, folder, main

ROOT = Path(__file__).resolve().parents[1]
sys.path.extend((str(ROOT / "tests/backends"), str(ROOT / ".ci/backends")))

import made_programs  # noqa: E402 - found by the line above
from real_programs import CONFIGS, Collector, Jaeger, VictoriaMetrics  # noqa: E402

TARGET_S = 5.0
GIVEN_UP_S = 60.0

POINTS = """
import sys
import otel_experiments as ox
with ox.start_run("large", experiment="large") as run:
    print(run.id, flush=True)
    for step in range(int(sys.argv[1])):
        run.log({"loss": step / 8}, step=step)
"""
SPANS = """
import sys
import otel_experiments as ox
with ox.start_run("large", experiment="large") as run:
    print(run.id, flush=True)
    for step in run.steps(range(int(sys.argv[1])), spans=True):
        pass
"""


def figures(options: Options) -> Iterator[Figure]:
    rounds, points, spans = (1, 100_000, 6_000) if options.is_quick else (3, 1_000_000, 60_000)
    kept = {
        program.name: made_programs.find(
            program, folder=made_programs.kept_folder(), go=made_programs.go_version()
        )
        for program in made_programs.PROGRAMS
    }
    missing = {name: found.reason for name, found in kept.items() if found.file is None}
    for name, what, measured in (
        (
            "victoriametrics",
            f"{points:,} points logged at full speed",
            lambda path: _points(path, kept, points),
        ),
        ("jaeger", f"{spans:,} step spans with their roots", lambda path: _spans(path, kept, spans)),
    ):
        if name in missing or "collector" in missing:
            print(f"{name} or the Collector cannot be had here: {missing}", file=sys.stderr)
            continue
        found = []
        for _ in range(rounds):
            with folder() as path:
                found.append(measured(path))
        yield Figure(
            f"{what}: whole in the backend after the end of the process", "s",
            [waited_s for waited_s, _ in found],
            target=f"<= {TARGET_S:g} s", is_reached=max(waited_s for waited_s, _ in found) <= TARGET_S,
            note=f"{name} behind a Collector; {min(count for _, count in found):,} arrived",
        )  # fmt: skip


def _points(path: Path, kept: dict[str, Any], count: int) -> tuple[float, int]:
    server = VictoriaMetrics(kept["victoriametrics"].file, path / "backend")

    def arrived(_: str) -> int:
        return sum(len(samples) for _, samples in server.series('{__name__="ml.metric.value"}'))

    variables = lambda: {"VICTORIAMETRICS_ENDPOINT": server.otlp_endpoint}  # noqa: E731 - known once it runs
    return _whole(path, kept, server, "victoriametrics.yaml", variables, (POINTS, count), arrived, count)


def _spans(path: Path, kept: dict[str, Any], count: int) -> tuple[float, int]:
    server = Jaeger(kept["jaeger"].file, path / "backend")

    def arrived(run_id: str) -> int:
        """Count the steps in traces that have their root, the run's own first."""
        found = 0
        root, steps = _trace(server, run_id)
        if root is None:
            return 0
        found += steps
        for link in root.get("links", ()):
            chunk, steps = _trace(server, link["traceId"])
            found += steps if chunk is not None else 0
        return found

    variables = lambda: {"JAEGER_ENDPOINT": server.endpoint}  # noqa: E731 - known once it runs
    return _whole(path, kept, server, "jaeger.yaml", variables, (SPANS, count), arrived, count)


def _trace(server: Any, trace_id: str) -> tuple[dict[str, Any] | None, int]:
    """Return a trace's root and how many steps it holds."""
    spans = [
        span
        for document in server.trace(trace_id)
        for group in document["resourceSpans"]
        for part in group["scopeSpans"]
        for span in part["spans"]
    ]
    root = next((span for span in spans if not span.get("parentSpanId")), None)
    return root, sum(span["name"].startswith("step") for span in spans)


def _whole(
    path: Path,
    kept: dict[str, Any],
    server: Any,
    config: str,
    variables: Callable[[], dict[str, str]],
    script: tuple[str, int],
    arrived: Callable[[str], int],
    wanted: int,
) -> tuple[float, int]:
    """Return how long after the end of the script all of it was in the backend, and how much was."""
    server.start()
    try:
        collector = Collector(kept["collector"].file, path / "collector", [CONFIGS / config], variables())
        collector.start()
        try:
            environment = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")} | {
                "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
                "OTEL_EXPERIMENTS_STORE": str(path / "x.db"),
            }
            command = [sys.executable, "-c", script[0], str(script[1])]
            run_id = subprocess.run(
                command, env=environment, cwd=path, check=True, stdout=subprocess.PIPE, text=True
            ).stdout.strip()
            ended_s = time.monotonic()
            count = 0
            while time.monotonic() - ended_s < GIVEN_UP_S and (count := arrived(run_id)) < wanted:
                time.sleep(0.1)
            return time.monotonic() - ended_s, count
        finally:
            collector.stop()
    finally:
        server.stop()


if __name__ == "__main__":
    main(figures)
