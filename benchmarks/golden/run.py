"""Runs every benchmark of golden traces and writes RESULTS.md beside this file: `python benchmarks/golden/run.py`.

Each script runs in a process of its own and prints rows of the table of targets and a text, which are kept by script
in results.json: `--only` measures some anew. Targets that are promises rather than figures are tests, which run as well.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

from rows import PREFIX

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MEASURED = HERE / "results.json"
PARTS = {
    "pairs": ("Generated spans", ["generate.py", "--pairs", "5000"], ["--pairs", "200"]),
    "recorded": (
        "Recorded programs",
        ["recorded_pairs.py", "--pairs", "5000", "--jobs", "2"],
        ["--pairs", "100"],
    ),
    "peers": ("Peers on the same pairs", ["peers.py", "--pairs", "1000"], ["--pairs", "100"]),
    "large": ("Large traces", ["bench_large.py"], ["--spans", "100000"]),
    "otlp": ("A file of OTLP/JSON", ["bench_otlp_file.py"], ["--spans", "100000"]),
    "overhead": ("What it costs who does not look", ["bench_overhead.py"], ["--rounds", "5"]),
    "timing": ("Times, simulated", ["bench_timing.py", "simulate", "--trials", "500"], ["--trials", "50"]),
    "calm": ("Times of real programs, nothing changed", ["bench_timing.py", "calm"], ["--runs", "10"]),
    "noise": (
        "Times of real programs beside busy neighbours",
        ["bench_timing.py", "noise"],
        ["--runs", "10"],
    ),
    "bursts": (
        "Times of real programs beside neighbours that come and go",
        ["bench_timing.py", "bursts"],
        ["--runs", "5"],
    ),
    "curves": ("Loss curves of a NumPy network", ["bench_curves.py"], ["--seeds", "50", "--trials", "50"]),
    "score": ("The score", ["bench_score.py"], ["--repeat", "1"]),
}
"""By name: heading, command, and what `--quick` adds to it."""

TESTS = (
    (1, "acceptance cases", "all right, one line each", ["tests/unit/golden/test_acceptance_cases.py"]),
    (1, "ten bugs in real scripts, the first ten lines name each", "all", ["tests/golden"]),
    (9, "CI never writes; what is missing, empty or unused fails; xdist", "all hold", ["tests/plugin"]),
    (10, "one model, six forms of report", "all hold", ["tests/unit/golden/test_report_formats.py", "tests/unit/golden/test_report_html.py"]),
    (11, 'vectors of the seed, 1,000 random pairs against a literal port, mode="seed"', "equal to 1e-12", ["tests/property/test_score_laws.py", "tests/unit/golden/test_score.py"]),
    (12, "golden/ imports the standard library and the model alone", "holds", ["tests/contract/test_arrows.py"]),
)  # fmt: skip


def main() -> None:
    """Measure what is asked for and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes")
    parser.add_argument("--only", default=",".join([*PARTS, "tests"]), help="comma-separated names of parts")
    given = parser.parse_args()
    measured = json.loads(MEASURED.read_text()) if MEASURED.exists() else {}
    for name in given.only.split(","):
        print(f"== {name}", flush=True)
        started, load = time.perf_counter(), os.getloadavg()[0]
        rows, text = _run_tests() if name == "tests" else _run_script(name, is_quick=given.quick)
        seconds = time.perf_counter() - started
        measured[name] = {"rows": rows, "text": text, "load": load, "s": seconds, "is_quick": given.quick}
        MEASURED.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
        (HERE / "RESULTS.md").write_text(_page(measured), encoding="utf-8")


def _run_script(name: str, *, is_quick: bool) -> tuple[list[list[object]], str]:
    _, command, quick = PARTS[name]
    command = [sys.executable, str(HERE / command[0]), *command[1:], *(quick if is_quick else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout, flush=True)
    if done.returncode:
        sys.exit(f"{name} failed; what was measured before is kept.\n{done.stderr[-2000:]}")
    lines = done.stdout.splitlines()
    rows = [json.loads(line.removeprefix(PREFIX)) for line in lines if line.startswith(PREFIX)]
    return rows, "\n".join(line for line in lines if not line.startswith(PREFIX)).strip()


def _run_tests() -> tuple[list[list[object]], str]:
    rows: list[list[object]] = []
    for number, what, target, paths in TESTS:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
        counts = re.findall(r"\d+ (?:passed|failed|skipped|error)\w*", done.stdout.splitlines()[-1])
        rows.append([number, what, ", ".join(counts), target, done.returncode == 0])
        print(rows[-1], flush=True)
    return rows, "\n".join(
        f"- {what}: {', '.join(f'`{path}`' for path in paths)}" for _, what, _, paths in TESTS
    )


def _page(measured: dict[str, dict[str, object]]) -> str:
    parts = [name for name in [*PARTS, "tests"] if name in measured]
    rows = sorted((row for name in parts for row in measured[name]["rows"]), key=lambda row: row[0])
    reached = sum(row[4] for row in rows)
    quick = [name for name in parts if measured[name]["is_quick"]]
    loads = ", ".join(f"{name} {measured[name]['load']:.1f}" for name in parts)
    page = [
        "# Results of golden traces\n",
        "Written by `python benchmarks/golden/run.py`. The numbers on the left are those of the targets that golden",
        "traces were designed for; what each script measures is said at its beginning.\n",
        f"**{reached} of {len(rows)} reached.**\n",
        f"- machine: {_cpu()}, {os.cpu_count()} CPUs, {platform.system()} {platform.release()}",
        f"- Python {platform.python_version()}, otel-experiments {metadata.version('otel-experiments')}",
        f"- load of the machine before each part: {loads}",
        *([f"- smaller sizes (`--quick`): {', '.join(quick)}"] if quick else []),
        "\n| | what | measured | target | |",
        "|---|---|---|---|---|",
        *(
            f"| {number} | {what} | {found} | {target} | {'reached' if is_reached else '**not reached**'} |"
            for number, what, found, target, is_reached in rows
        ),
    ]
    for name in parts:
        heading = "Tests" if name == "tests" else PARTS[name][0]
        page += [f"\n## {heading}\n", str(measured[name]["text"])]
    return "\n".join(page) + "\n"


def _cpu() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        platform.machine(),
    )


if __name__ == "__main__":
    main()
