"""Runs every benchmark and writes RESULTS.md beside this file: `python benchmarks/run.py [--peers PYTHON]`.

Each script runs in a process of its own. The peers (trackio, wandb, mlflow, tensorboardX, aim) are measured where
`--peers` (or the environment variable BENCHMARK_PEERS) names a Python that has them; they belong into an environment
of their own, outside of the one that is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import subprocess
import sys
import time
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from measure import HERE, Figure, line, number, plain_environment

SCRIPTS = (
    "log_call",
    "span_call",
    "ingest",
    "loss",
    "read",
    "search",
    "share",
    "small_runs",
    "edit",
    "diff",
    "start_and_end",
    "growth",
    "frames",
    "otlp_out",
    "otlp_in",
    "otlp_receive",
    "otlp_backends",
    "media",
    "artifacts",
    "output",
    "postgres",
    "tail",
)
PACKAGES = ("otel-experiments", "opentelemetry-sdk", "protobuf", "grpcio", "psutil")
PEER_PACKAGES = ("trackio", "wandb", "mlflow", "tensorboardX", "aim")
MEASURED = HERE / "results.json"
"""What was measured last, by script: `--only` measures some anew and keeps the others."""
PLOTS = {
    "metrics": "The cost of a call grows with its values, not with what was logged before.",
    "points": "One run, one value a call, from the first call until all is in the store.",
    "memory": "The journal is drained as it is written: memory does not grow with the points.",
    "runs": "Making a run and finding runs in a growing store.",
    "threads": "Threads take turns (the interpreter's lock); there is no lock of ours to wait for.",
}
BOUNDS = {
    "a span opened and closed": "The SDK cleans attributes one by one and we set six (lane, sequence number, CPU time, where the "
    "function is); the journal record is the other half of what we add.",
    "points into the store, a value a call": "One interpreter lock: the call (about 1.2 us) and the drain (1.1 us a record) take "
    "turns. A record of 20 values costs both little more than one of one value.",
    "a point durable in the store, CPU of all processes, a value a call": "The call and the drain, as above.",
    "spans into the store": "SQLite's insert with its three indexes is half of the 29 us of CPU a span, decoding its record a third.",
    "1,000 small runs": "Starting a run is a trace, a resource and four records; nothing waits for the store (decision 0007).",
    "... filtered": "Python itself, and importing what reads: its dataclasses are made at import. The query takes 7 ms.",
    "read a series": "Decompressing 25 chunks and joining them, 4 ms of CPU: on a busy machine a multiple of it passes.",
    "chart of": "50,000 buckets, 2 us each in Python.",
    "10,000 runs x": "SQLite's look at both filters and the sort key for 10,000 runs; 75 ms on a quiet machine.",
    "10,000 small artifacts": "As many system calls as plain Python, but a lock, a partial file and its rename among them; 40 us of "
    "Python, two fifths of them for the record; and the drain, 50 us a record, half of them under the interpreter's lock.",
    "start of a run": "Making the tables of a new store.",
}
"""What bounds a figure, by the beginning of its name; shown where its target is missed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, fewer rounds")
    parser.add_argument("--peers", help="a Python with the peers installed")
    parser.add_argument("--only", default=",".join(SCRIPTS), help="comma-separated names of scripts")
    parser.add_argument("--output", type=Path, default=HERE / "RESULTS.md")
    given = parser.parse_args()
    peers = given.peers or os.environ.get("BENCHMARK_PEERS")
    measured = json.loads(MEASURED.read_text()) if MEASURED.exists() else {}
    failed = []
    for script in given.only.split(","):
        load, start_s, figures = os.getloadavg()[0], time.perf_counter(), []
        command = [
            sys.executable,
            str(HERE / f"{script}.py"),
            "--json",
            *(["--quick"] if given.quick else []),
        ]
        environment = plain_environment() | ({"BENCHMARK_PEERS": peers} if peers else {})
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            for text in process.stdout:
                if text.startswith("{"):
                    figures.append(Figure(**json.loads(text)))
                    print(line(figures[-1]), flush=True)
        if process.returncode:
            failed.append(script)
            continue
        known = {figure["what"]: figure["peers"] for figure in measured.get(script, {}).get("figures", [])}
        for figure in figures:
            figure.peers = figure.peers or known.get(figure.what, {})
        measured[script] = {
            "load": load,
            "seconds": time.perf_counter() - start_s,
            "is_quick": given.quick,
            "figures": [asdict(figure) for figure in figures],
        }
        MEASURED.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    given.output.write_text(_report(measured, peers), encoding="utf-8")
    if failed:
        sys.exit(f"Failed, and left as they were measured before: {', '.join(failed)}.")


def _report(measured: dict[str, dict[str, object]], peers: str | None) -> str:
    parts_of = [measured[script] for script in SCRIPTS if script in measured]
    figures = [Figure(**figure) for part in parts_of for figure in part["figures"]]
    quick = [script for script in SCRIPTS if script in measured and measured[script]["is_quick"]]
    aimed = [figure for figure in figures if figure.is_reached is not None]
    reached = sum(figure.is_reached is True for figure in aimed)
    parts = [
        "# Results\n",
        "Written by `python benchmarks/run.py`. Every figure is the median of several rounds, with the smallest and",
        "the largest in brackets, next to its limit measured in the same run.\n",
        f"**{reached} of {len(aimed)} targets reached.**\n",
        *_machine(peers),
        "- load of the machine before each script: "
        + ", ".join(f"{script} {measured[script]['load']:.1f}" for script in SCRIPTS if script in measured),
        *([f"- smaller sizes and fewer rounds (`--quick`): {', '.join(quick)}"] if quick else []),
        "\n## Targets\n",
        "| what | ours | limit, same run | target | |",
        "|---|---|---|---|---|",
        *(_row(figure) for figure in aimed),
        "\n## What bounds the figures that miss their target\n",
        *(
            [f"- **{f.what}** ({_shown(f)}): {_bound(f)}" for f in aimed if not f.is_reached]
            or ["All are reached."]
        ),
        "\n## Peers\n",
    ]
    compared = [figure for figure in figures if figure.peers]
    if compared:
        names = [name for name in PEER_PACKAGES if any(name in figure.peers for figure in compared)]
        parts += [
            "Each writes locally and offline, with its defaults.\n",
            "| what | unit | ours | " + " | ".join(names) + " |",
            "|---|---|---|" + "---|" * len(names),
            *(
                f"| {f.what} | {f.unit} | {number(f.median)} | "
                + " | ".join(number(f.peers[name]) if name in f.peers else "" for name in names)
                + " |"
                for f in compared
            ),
        ]
    else:
        parts.append("Not measured: no `--peers` was given.")
    parts += [
        "\n## Growth, and other figures\n",
        "| what | ours | limit, same run | |",
        "|---|---|---|---|",
        *(f"| {f.what} | {_shown(f)} | {_limits(f)} | {f.note} |" for f in figures if f.is_reached is None),
    ]
    for name, text in PLOTS.items():
        if (HERE / "plots" / f"{name}.svg").exists():
            parts.append(f"\n{text}\n\n![{name}](plots/{name}.svg)")
    return "\n".join(parts) + "\n"


def _machine(peers: str | None) -> list[str]:
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        models = [
            row for row in Path("/proc/cpuinfo").read_text().splitlines() if row.startswith("model name")
        ]
        cpu = models[0].partition(":")[2].strip() if models else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{os.cpu_count()} CPUs, {memory:.0f} GiB, {platform.system()} {platform.release()}"
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    lines = [
        f"- machine: {cpu}, {system}",
        f"- Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {versions}",
    ]
    if peers:
        code = f"from importlib.metadata import version as v; print(', '.join(f'{{n}} {{v(n)}}' for n in {PEER_PACKAGES!r}))"
        lines.append("- peers: " + subprocess.check_output([peers, "-c", code], text=True).strip())
    return lines


def _row(figure: Figure) -> str:
    mark = "reached" if figure.is_reached else "**not reached**"
    note = f"; {figure.note}" if figure.note else ""
    return f"| {figure.what} | {_shown(figure)} | {_limits(figure)} | {figure.target} | {mark}{note} |"


def _shown(figure: Figure) -> str:
    spread = f" ({number(min(figure.rounds))}-{number(max(figure.rounds))})" if len(figure.rounds) > 1 else ""
    return f"{number(figure.median)} {figure.unit}{spread}".replace(" 1/s", "/s")


def _limits(figure: Figure) -> str:
    return "; ".join(f"{name} {number(value)}" for name, value in figure.limits.items())


def _bound(figure: Figure) -> str:
    return next(
        (text for start, text in BOUNDS.items() if figure.what.startswith(start)), "not looked into yet."
    )


if __name__ == "__main__":
    main()
