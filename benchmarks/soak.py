"""Kill processes at random for minutes, then count: everything that a process was told is recorded must be there.

    python benchmarks/soak.py --minutes 10 --seed 7

Workers of several kinds (plain runs, forked children, children forked by a thread while others log, processes that join
a run, alarms that raise in the middle of a call, small limits on files and descriptors, readers that merge) log known
points and spans and write the number of the last completed step to a side file with `os.write`, after `log` has
returned. Two thirds of them send OTLP to an endpoint that is fine, throttles, is dead or never answers, by turns. A
killer sends SIGKILL (sometimes SIGTERM, sometimes SIGSTOP and SIGCONT) to a random process at random moments; some
workers are spared for half a minute, and have to get on all the time. At the end each series must hold exactly the steps
0, 1, 2, ... up to the acknowledged one, once each, with the values that belong to them (one more may be there: recorded,
and killed before it was acknowledged; and of the calls that an alarm interrupted, each may be there or not).
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

from otel_experiments._opening import open_reader

WORKER = """
import os, sys, resource, signal, threading, time
import otel_experiments as ox

store, kind, name, acks = sys.argv[1:5]


class Interrupted(TimeoutError):
    pass


def record(run, series, last=None):
    descriptor = os.open(os.path.join(acks, series), os.O_WRONLY | os.O_CREAT, 0o644)
    step = 0
    while last is None or step <= last:
        run.log({series: step / 3, series + "/nan": float("nan") if step % 7 == 0 else -step}, step=step)
        if step % 10 == 0:
            with run.trace(f"{series} {step}"):
                pass
        os.pwrite(descriptor, b"%12d" % step, 0)
        step += 1
        if step % 2000 == 0:
            run.flush(timeout_s=0.2)
    os.close(descriptor)


def record_with_alarms(run, series):
    # The handler raises once for each time that it was armed; what it interrupted is noted as doubtful.
    armed = False

    def ring(number, frame):
        nonlocal armed
        if armed:
            armed = False
            raise Interrupted("time is up")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
    descriptor = os.open(os.path.join(acks, series), os.O_WRONLY | os.O_CREAT, 0o644)
    doubtful = os.open(os.path.join(acks, series + ".doubt"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    step = 0
    while True:
        try:
            armed = True
            run.log({series: step / 3, series + "/nan": float("nan") if step % 7 == 0 else -step}, step=step)
            if step % 10 == 0:
                with run.trace(f"{series} {step}"):
                    pass
            armed = False
        except Interrupted:
            os.write(doubtful, b"%12d" % step)
        os.pwrite(descriptor, b"%12d" % step, 0)
        step += 1


def fork_from_a_thread(run, name):
    for number in range(10_000):
        child = os.fork()
        if child == 0:
            try:
                with run.stage(f"forked {name} {number}"):
                    record(run, f"{name}.fork{number}", last=200)
            finally:
                os._exit(0)
        os.waitpid(child, 0)


def main():
    if kind == "limits":
        resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))
        resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48))
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
        elif kind == "thread forks":
            threading.Thread(target=fork_from_a_thread, args=(run, name), daemon=True).start()
        elif kind == "joined":
            import subprocess
            environ = {**os.environ, **run.environment()}
            subprocess.Popen([sys.executable, __file__, store, "joiner", name, acks], env=environ)
        if kind == "alarms":
            record_with_alarms(run, name)
        record(run, name)


def join():
    ox.configure(store=store, capture_git=False, system_metrics_s=0, drain_s=0.05)
    with ox.join_run() as run:
        record(run, name + ".joined")


if __name__ == "__main__":
    join() if kind == "joiner" else main()
"""
KINDS = ("plain", "forks", "thread forks", "joined", "alarms", "limits", "reader")
SIGNALS = (signal.SIGKILL,) * 8 + (signal.SIGTERM, signal.SIGSTOP)
SPARED_S = 30.0
"""How long a spared group runs before it may be killed; it has to get on meanwhile."""
STILL_S = 15.0
"""A spared process that logs nothing for so long hangs."""


@dataclass(eq=False)
class Group:
    """A worker with the processes it made; `still` says since when each of its series did not get on."""

    name: str
    kind: str
    process: subprocess.Popen[bytes]
    spared_until: float = 0.0
    still: dict[str, tuple[str | None, float]] = field(default_factory=dict)


@dataclass
class Verdict:
    """What the soak found; it is well when `wrong` is empty.

    `unfinished` are frames that a process was killed in the middle of: nobody was told that they are recorded;
    `doubtful` are calls that an alarm interrupted.
    """

    processes: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    series: int = 0
    points: int = 0
    spans: int = 0
    unfinished: int = 0
    doubtful: int = 0
    forks: int = 0
    endpoint: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def soak(folder: Path, *, seconds: float, seed: int, at_once: int = 4) -> Verdict:
    """Start, kill and restart workers for `seconds` seconds; return what was lost or doubled."""
    draw = random.Random(seed)
    verdict = Verdict()
    store, acks, script = folder / "soak.db", folder / "acks", folder / "worker.py"
    acks.mkdir()
    script.write_text(WORKER)
    groups: list[Group] = []
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    environ["GRPC_VERBOSITY"] = "NONE"  # it tells of each fork
    chaos = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("otlp_chaos.py")), "--seed", str(seed)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    endpoint = chaos.stdout.readline().strip()
    deadline = time.monotonic() + seconds

    def start() -> None:
        kind = draw.choice(KINDS)
        name = f"{kind.replace(' ', '-')}-{verdict.processes}"
        verdict.processes += 1
        command = [sys.executable, str(script), str(store), kind, name, str(acks)]
        sends = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint} if draw.random() < 2 / 3 else {}
        spared_until = time.monotonic() + SPARED_S if draw.random() < 0.1 else 0.0
        with (folder / "stderr.txt").open("ab") as errors:
            process = subprocess.Popen(command, env=environ | sends, start_new_session=True, stderr=errors)
        groups.append(Group(name, kind, process, spared_until))

    while time.monotonic() < deadline:
        while len(groups) < at_once:
            start()
        time.sleep(draw.uniform(0.05, 0.6))
        for group in groups:
            look_for_hangs(group, acks, verdict)
        victims = [group for group in groups if group.spared_until < time.monotonic()]
        if not victims:
            continue
        victim = draw.choice(victims)
        members = members_of(victim.process.pid)
        number = draw.choice(SIGNALS)
        verdict.kills[number.name] += 1
        if number == signal.SIGSTOP:
            stop_for_a_moment(members, draw.uniform(0.1, 0.5))
            continue
        # One member, so that children outlive their parents and parents their children; at last all of them.
        hit(draw.choice(members) if members else victim.process.pid, number)
        if victim.process.poll() is not None or draw.random() < 0.5:
            end(victim.process)
            groups.remove(victim)
    for victim in groups:
        end(victim.process)
    said, _ = chaos.communicate()
    verdict.endpoint = json.loads(said.splitlines()[-1])
    check(store, acks, verdict)
    return verdict


def look_for_hangs(group: Group, acks: Path, verdict: Verdict) -> None:
    """Note a spared worker whose own series, or whose latest forked child, stands still."""
    now = time.monotonic()
    if group.spared_until < now or group.kind == "reader":
        return
    paths = [acks / group.name]
    if group.kind == "thread forks":
        paths += sorted(
            acks.glob(f"{group.name}.fork*"), key=lambda path: int(path.name.rpartition("fork")[2])
        )[-1:]
    told = [(path.name, path.read_text()) for path in paths if path.exists()]
    if group.kind == "thread forks" and told:
        told[1:] = [("forks", " ".join(map(str, told[1:])))]
    for name, text in told:
        known, since = group.still.get(name, (None, now))
        if text != known:
            group.still[name] = (text, now)
        elif now - since > STILL_S and group.process.poll() is None:
            verdict.wrong.append(f"{group.name}: {name} stood still for {STILL_S:g} s")
            group.spared_until = 0.0


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
    told = {path.name: int(path.read_text() or -1) for path in acks.iterdir() if path.suffix != ".doubt"}
    if not told:
        return
    doubts = {path.stem: set(map(int, path.read_text().split())) for path in acks.glob("*.doubt")}
    verdict.doubtful = sum(map(len, doubts.values()))
    verdict.forks = sum(".fork" in name for name in told)
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
                doubt = doubts.get(name, set())
                verdict.wrong += compare(name + suffix, last, points.steps, points.values, doubt)
            wanted = [step for step in range(0, last + 1, 10) if step not in doubts.get(name, ())]
            missing = [step for step in wanted if f"{name} {step}" not in spans]
            verdict.spans += len(wanted) - len(missing)
            if missing:
                verdict.wrong.append(f"{name}: the spans of steps {missing[:5]} are missing")


def compare(name: str, last: int, steps: object, values: object, doubt: set[int]) -> list[str]:
    """Return what is wrong with one series; steps in `doubt` may be there or not."""
    found_steps, found = list(steps), list(values)
    count = len(found_steps)
    if len(set(found_steps)) != count:
        return [f"{name}: {count} points at {len(set(found_steps))} steps"]
    missing = set(range(last + 1)) - set(found_steps) - doubt
    if missing:
        return [f"{name}: {len(missing)} of {last + 1} acknowledged steps are missing, first {min(missing)}"]
    more = [step for step in found_steps if step > last]
    if more not in ([], [last + 1]):
        return [f"{name}: holds steps {more[:3]}, but step {last} was acknowledged"]
    if found_steps != sorted(found_steps):
        return [f"{name}: its steps are out of order"]
    if name.endswith("/nan"):
        expected = [math.nan if step % 7 == 0 else float(-step) for step in map(int, found_steps)]
        right = list(map(repr, found)) == list(map(repr, expected))
    else:
        right = found == [step / 3 for step in found_steps]
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
                "calls_interrupted": verdict.doubtful,
                "children_forked_by_threads": verdict.forks,
                "otlp_endpoint": verdict.endpoint,
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
