"""Kill processes at random for minutes, then count: everything that a process was told is recorded must be there.

    python benchmarks/soak.py --minutes 10 --seed 7

Workers of several kinds (plain runs, forked children, pools, processes that join a run, readers that merge) log
known points and spans and write the number of the last completed step to a side file with `os.write`, after `log`
has returned. A killer sends SIGKILL (sometimes SIGTERM, sometimes SIGSTOP and SIGCONT) to a random process at
random moments. At the end each series must hold exactly the steps 0, 1, 2, ... up to the acknowledged one, once
each, with the values that belong to them (one more may be there: recorded, and killed before it was acknowledged).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from otel_experiments.query import open_reader

WORKER = """
import os, sys, signal
import otel_experiments as ox

store, kind, name, acks = sys.argv[1:5]


def record(run, series):
    descriptor = os.open(os.path.join(acks, series), os.O_WRONLY | os.O_CREAT, 0o644)
    step = 0
    while True:
        run.log({series: step / 3, series + "/nan": float("nan") if step % 7 == 0 else -step}, step=step)
        if step % 10 == 0:
            with run.trace(f"{series} {step}"):
                pass
        os.pwrite(descriptor, b"%12d" % step, 0)
        step += 1
        if step % 2000 == 0:
            run.flush(timeout_s=0.2)


def main():
    ox.configure(store=store, capture_git=False, system_metrics_s=0, drain_s=0.05)
    if kind == "reader":
        while True:
            ox.runs(store=store)
    with ox.start_run(name, experiment="soak") as run, run.stage("outer"):
        if kind == "forks":
            for number in range(2):
                if os.fork() == 0:
                    try:
                        record(run, f"{name}.child{number}")
                    finally:
                        os._exit(1)
        elif kind == "joined":
            import subprocess
            environ = {**os.environ, **run.environment()}
            subprocess.Popen([sys.executable, __file__, store, "joiner", name, acks], env=environ)
        record(run, name)


def join():
    ox.configure(store=store, capture_git=False, system_metrics_s=0, drain_s=0.05)
    with ox.join_run() as run:
        record(run, name + ".joined")


if __name__ == "__main__":
    join() if kind == "joiner" else main()
"""
KINDS = ("plain", "plain", "forks", "joined", "reader")
SIGNALS = (signal.SIGKILL,) * 8 + (signal.SIGTERM, signal.SIGSTOP)


@dataclass
class Verdict:
    """What the soak found; it is well when `wrong` is empty.

    `unfinished` are frames that a process was killed in the middle of: nobody was told that they are recorded.
    """

    processes: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    series: int = 0
    points: int = 0
    spans: int = 0
    unfinished: int = 0
    wrong: list[str] = field(default_factory=list)


def soak(folder: Path, *, seconds: float, seed: int, at_once: int = 4) -> Verdict:
    """Start, kill and restart workers for `seconds` seconds; return what was lost or doubled."""
    draw = random.Random(seed)
    verdict = Verdict()
    store, acks, script = folder / "soak.db", folder / "acks", folder / "worker.py"
    acks.mkdir()
    script.write_text(WORKER)
    groups: list[subprocess.Popen[bytes]] = []
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    deadline = time.monotonic() + seconds

    def start() -> None:
        kind = draw.choice(KINDS)
        name = f"{kind}-{verdict.processes}"
        verdict.processes += 1
        command = [sys.executable, str(script), str(store), kind, name, str(acks)]
        with (folder / "stderr.txt").open("ab") as errors:
            groups.append(subprocess.Popen(command, env=environ, start_new_session=True, stderr=errors))

    while time.monotonic() < deadline:
        while len(groups) < at_once:
            start()
        time.sleep(draw.uniform(0.05, 0.6))
        victim = draw.choice(groups)
        members = members_of(victim.pid)
        number = draw.choice(SIGNALS)
        verdict.kills[number.name] += 1
        if number == signal.SIGSTOP:
            stop_for_a_moment(members, draw.uniform(0.1, 0.5))
            continue
        # One member, so that children outlive their parents and parents their children; at last all of them.
        hit(draw.choice(members) if members else victim.pid, number)
        if victim.poll() is not None or draw.random() < 0.5:
            end(victim)
            groups.remove(victim)
    for victim in groups:
        end(victim)
    check(store, acks, verdict)
    return verdict


def members_of(group: int) -> list[int]:
    """Return the processes of a group that this program made."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.getpgid(int(entry.name)) == group:
                    found.append(int(entry.name))
            except ProcessLookupError:
                continue
    return found


def hit(pid: int, number: int) -> None:
    """Send a signal to a process that may be gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def stop_for_a_moment(members: list[int], seconds: float) -> None:
    """Suspend processes and let them go on."""
    for pid in members:
        hit(pid, signal.SIGSTOP)
    time.sleep(seconds)
    for pid in members:
        hit(pid, signal.SIGCONT)


def end(victim: subprocess.Popen[bytes]) -> None:
    """Kill the whole group that the process leads."""
    with suppress(ProcessLookupError):
        os.killpg(victim.pid, signal.SIGKILL)
    victim.wait()


def check(store: Path, acks: Path, verdict: Verdict) -> None:
    """Compare what the store holds with what was acknowledged."""
    told = {path.name: int(path.read_text() or -1) for path in acks.iterdir()}
    if not told:
        return
    with open_reader(store) as reader:
        unfinished = [note for note in reader.notes if "a frame that was never finished" in note]
        verdict.unfinished += len(unfinished)
        verdict.wrong += [note for note in reader.notes if note not in unfinished]
        held: dict[str, tuple[str, object]] = {}
        for run in reader.runs():
            if run.state not in {"lost", "cancelled"}:
                verdict.wrong.append(f"run {run.name} is {run.state}, though its process is gone")
            for series in reader.store.series([run.id])[run.id]:
                if series.key.name in held:
                    verdict.wrong.append(f"{series.key.name} is in two runs")
                held[series.key.name] = (run.id, series.key)
        spans = Counter(name for (name,) in reader.sql("select name from spans where end_ns is not null"))
        verdict.wrong += [f"span {name} is there {count} times" for name, count in spans.items() if count > 1]
        for name, last in told.items():
            verdict.series += 1
            for suffix in ("", "/nan"):
                if name + suffix not in held:
                    if last >= 0:
                        verdict.wrong.append(f"{name}{suffix} is missing; {last} was acknowledged")
                    continue
                points = reader.store.points(*held[name + suffix])
                verdict.points += len(points)
                verdict.wrong += compare(name + suffix, last, points.steps, points.values)
            missing = [s for s in range(0, last + 1, 10) if f"{name} {s}" not in spans]
            verdict.spans += len(range(0, last + 1, 10)) - len(missing)
            if missing:
                verdict.wrong.append(f"{name}: the spans of steps {missing[:5]} are missing")


def compare(name: str, last: int, steps: object, values: object) -> list[str]:
    """Return what is wrong with one series."""
    found_steps, found = list(steps), list(values)
    count = len(found_steps)
    if found_steps != [float(step) for step in range(count)]:
        return [f"{name}: its {count} steps are not 0, 1, 2, ..."]
    if count not in {last + 1, last + 2}:
        return [f"{name}: {count} points, but step {last} was acknowledged"]
    if name.endswith("/nan"):
        expected = [math.nan if step % 7 == 0 else float(-step) for step in range(count)]
        right = list(map(repr, found)) == list(map(repr, expected))
    else:
        right = found == [step / 3 for step in range(count)]
    return [] if right else [f"{name}: a value is wrong"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--at-once", type=int, default=4)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ox-soak-") as folder:
        verdict = soak(
            Path(folder), seconds=arguments.minutes * 60, seed=arguments.seed, at_once=arguments.at_once
        )
        said = Path(folder, "stderr.txt").read_text()
    print(
        json.dumps(
            {
                "minutes": arguments.minutes,
                "seed": arguments.seed,
                "processes": verdict.processes,
                "signals": dict(verdict.kills),
                "series": verdict.series,
                "points_verified": verdict.points,
                "spans_verified": verdict.spans,
                "unfinished_frames": verdict.unfinished,
                "wrong": verdict.wrong[:20],
            },
            indent=2,
        )
    )
    if said.strip():
        print(f"The workers wrote to stderr:\n{said[-2000:]}", file=sys.stderr)
    return 1 if verdict.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
