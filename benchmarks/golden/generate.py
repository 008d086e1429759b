# ruff: noqa: ARG001, ARG002, ARG005 - operators and growers share one signature
"""Pairs of runs of equal and of changed programs, and what golden comparison makes of them.

    python benchmarks/golden/generate.py --pairs 500 --seed 0          false alarms, misses, right codes

Programs are random trees of sequences, loops (with and without an index), threads, asyncio tasks, pools, retries
and ranks; some are recorded without lanes, as a foreign tracer would. A changed program differs from its golden by
one operator; an equal one only in what may differ between two runs.
"""

from __future__ import annotations

import argparse
import collections
import math
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from programs import Conditions, Par, Ranks, Work, run_program, walk
from rows import row

from otel_experiments.golden.baseline import make_golden
from otel_experiments.golden.comparison import compare
from otel_experiments.golden.file import read_golden, write_golden, write_stats
from otel_experiments.model.span import SpanKind, StatusCode

NAMES = [
    "load", "decode", "augment", "forward", "backward", "optimizer.step", "eval", "checkpoint", "log", "sync",
    "tokenize", "embed", "attend", "project", "sample", "score", "retrieve", "rank", "clean", "split", "fit",
    "predict", "merge", "upload", "warmup", "schedule",
]  # fmt: skip
KEYS = ["lr", "size", "mode", "name", "dropout", "layers", "fused", "path"]
METRICS = ["loss", "val_acc", "grad_norm"]


@dataclass
class Program:
    """A program with what its traces are recorded like."""

    root: Work
    lanes: str
    is_distributed: bool = False


class Grower:
    """Grows random programs."""

    def __init__(self, rng):
        self.rng = rng

    def program(self):
        rng = self.rng
        lanes = rng.choices(["lanes", "threads", "none"], [8, 1, 1])[0]
        root = Work(
            "run " + rng.choice(["train", "tune", "bench"]), {"model": rng.choice(["mlp", "cnn"])}, own_ms=2.0
        )
        is_distributed = lanes == "lanes" and rng.random() < 0.1
        if is_distributed:
            body = self.body(2, 4)
            root.body = [Ranks([[one.copy() for one in body] for _ in range(rng.choice([2, 4]))])]
        else:
            root.body = self.body(0, rng.randrange(2, 6))
        return Program(root, lanes, is_distributed)

    def body(self, depth, size):
        rng = self.rng
        items = []
        for _ in range(size):
            kinds = ["leaf", "inner", "loop", "threads", "tasks", "pool", "retry"]
            weights = [6, 3, 3, 1, 1, 1, 0.4] if depth < 3 else [1, 0, 0, 0, 0, 0, 0]
            kind = rng.choices(kinds, weights)[0]
            items += getattr(self, kind)(depth)
        return items

    def attributes(self):
        rng = self.rng
        found = {}
        for key in rng.sample(KEYS, rng.choice([0, 0, 1, 2, 3])):
            found[key] = {
                "lr": lambda: rng.choice([0.1, 0.01, 3e-4]),
                "size": lambda: rng.randrange(1, 512),
                "mode": lambda: rng.choice(["train", "eval"]),
                "name": lambda: rng.choice(["a", "b", "c"]),
                "dropout": lambda: round(rng.random(), 2),
                "layers": lambda: (64, 32),
                "fused": lambda: rng.random() < 0.5,
                "path": lambda: f"/tmp/x{rng.randrange(10**6)}/out.bin",
            }[key]()
        return found

    def leaf(self, _depth=0):
        rng = self.rng
        work = Work(rng.choice(NAMES), self.attributes(), own_ms=rng.choice([0.2, 1.0, 5.0, 20.0, 60.0]))
        if rng.random() < 0.1:
            work.events = [rng.choice(["begin", "cache.miss", "saved"])]
        return [work]

    def inner(self, depth):
        work = self.leaf()[0]
        work.body = self.body(depth + 1, self.rng.randrange(1, 4))
        return [work]

    def loop(self, depth):
        rng = self.rng
        name = rng.choice(["epoch", "step", "trial", "fold"])
        index = rng.choice([name if name != "trial" else "index", None])
        count = rng.choice([2, 3, 5, 10, 20]) if depth else rng.choice([2, 3, 5])
        body = self.body(depth + 1, rng.randrange(1, 4))
        metric = rng.choice([None, None, *METRICS])
        every = rng.choice([0, 0, 2, 5])
        extra = self.leaf()[0]
        works = []
        for at in range(count):
            work = Work(name, {} if index is None else {index: at}, [one.copy() for one in body], own_ms=1.0)
            if metric:
                work.attributes[metric] = 2.0 * 0.95**at
            if every and at % every == 0:
                work.body.append(extra.copy())
            works.append(work)
        return works

    def threads(self, depth, mode="threads"):
        rng = self.rng
        count = rng.choice([2, 3, 4])
        unit = [self.leaf()[0] for _ in range(rng.choice([1, 1, 2, 3]))]
        indexed = rng.random() < 0.5
        strands = []
        for at in range(count):
            strand = [one.copy() for one in unit]
            if indexed:
                strand[0].attributes["shard"] = at
            elif rng.random() < 0.3:
                strand[0].attributes["part"] = f"p{at}"
            strands.append(strand)
        return [Par(strands, mode)]

    def tasks(self, depth):
        return self.threads(depth, "tasks")

    def pool(self, _depth):
        rng = self.rng
        unit = [self.leaf()[0] for _ in range(rng.choice([1, 2]))]
        for one in unit:
            one.own_ms = max(one.own_ms, 5.0)
        strands = [[one.copy() for one in unit] for _ in range(rng.choice([4, 6, 9]))]
        return [Par(strands, "pool", workers=rng.choice([2, 3]))]

    def retry(self, _depth):
        work = self.leaf()[0]
        failed = work.copy()
        failed.status = StatusCode.ERROR
        failed.events = [("exception", {"exception.type": "TimeoutError", "exception.message": "after 30 s"})]
        return [failed, work]


# --- operators ---------------------------------------------------------------------------------------------------

DEBUG = False
EXPECTED = {
    "rename": {"renamed"},
    "drop": {"removed", "count", "missing-index", "retry"},
    "add": {"added"},
    "dup": {"count", "duplicate-index", "retry"},
    "loop": {"count", "removed"},
    "attr": {"attr"},
    "type": {"attr-type"},
    "attr+": {"attr-added"},
    "status": {"status"},
    "slow": {"slower"},
    "swap": {"reordered"},
    "serial": {"serialised"},
    "wrap": {"wrapped"},
    "move": {"moved"},
    "event": {"event"},
    "kind": {"kind"},
    "nan": {"nonfinite"},
    "curve": {"curve-diverged"},
}


def mutate(program, operator, rng):
    """Change the program in place by one operator; return whether there was a place for it."""
    sites = [site for site in walk([program.root]) if site[3] is not None]
    rng.shuffle(sites)
    return globals()["_" + operator.replace("+", "_plus")](program, sites, rng)


def _alike(program, work, parent):
    """Return the works of the same name at the same path (by names), or only this one."""
    path = _paths(program)
    return [one for one in path if path[one] == path[work]]


def _paths(program):
    found = {}
    for work, _, _, parent in walk([program.root]):
        found[work] = (*found[parent], work.name) if parent is not None else (work.name,)
    return found


def _chosen(program, sites, rng):
    work, _, _, parent = sites[0]
    return _alike(program, work, parent) if rng.random() < 0.5 else [work]


def _rename(program, sites, rng):
    if not sites:
        return False
    for work in _chosen(program, sites, rng):
        work.name = "quantise"
    return True


def _drop(program, sites, rng):
    for work, body, _, _ in sites:
        if len(body) > 1:
            body.remove(work)
            return True
    return False


def _add(program, sites, rng):
    if not sites:
        return False
    _, body, place, _ = sites[0]
    body.insert(place, Work("quantise", {}, own_ms=0.5))
    return True


def _dup(program, sites, rng):
    if not sites:
        return False
    work, body, place, _ = sites[0]
    body.insert(place, work.copy())
    return True


def _loop(program, sites, rng):
    for work, body, _, _ in sites:
        if work.name in {"epoch", "step", "trial", "fold"}:
            same = [one for one in body if isinstance(one, Work) and one.name == work.name]
            if len(same) < 2:
                continue
            if rng.random() < 0.5:
                body.remove(same[-1])
            else:
                more = same[-1].copy()
                for key in ("epoch", "step", "index", "fold"):
                    if key in more.attributes:
                        more.attributes[key] += 1
                body.insert(body.index(same[-1]) + 1, more)
            return True
    return False


def _with_attribute(sites, accept):
    for work, _, _, parent in sites:
        for key, value in work.attributes.items():
            if key in KEYS and key != "path" and accept(value):
                return work, key, parent
    return None


def _attr(program, sites, rng):
    found = _with_attribute(sites, lambda value: True)
    if found is None:
        return False
    work, key, parent = found
    value = work.attributes[key]
    changed = {
        bool: lambda: not value,
        int: lambda: value + 1,
        float: lambda: value * 2 + 0.1,
        str: lambda: value + "x",
        tuple: lambda: (*value, 16),
    }[type(value)]()
    for one in _alike(program, work, parent) if rng.random() < 0.5 else [work]:
        if one.attributes.get(key) == value:
            one.attributes[key] = changed
    return True


def _type(program, sites, rng):
    found = _with_attribute(sites, lambda value: type(value) in {int, float, bool})
    if found is None:
        return False
    work, key, parent = found
    value = work.attributes[key]
    changed = float(value) if type(value) is int else str(value)
    for one in _alike(program, work, parent) if rng.random() < 0.5 else [work]:
        if one.attributes.get(key) == value:
            one.attributes[key] = changed
    return True


def _attr_plus(program, sites, rng):
    if not sites:
        return False
    for work in _chosen(program, sites, rng):
        work.attributes["precision"] = "bf16"
    return True


def _status(program, sites, rng):
    for work, _, _, _ in sites:
        if work.status is StatusCode.UNSET:
            work.status = StatusCode.ERROR
            return True
    return False


def _slow(program, sites, rng):
    total = sum(work.own_ms for work, *_ in walk([program.root]))
    for work, _, _, parent in sites:
        alike = _alike(program, work, parent)
        if (
            work.own_ms >= 5.0
            and work.own_ms * len(alike) > 0.03 * total
            and len(set(_paths(program).values())) > 3
        ):
            for one in alike:
                one.own_ms *= 3
            return True
    return False


def _swap(program, sites, rng):
    # What overlaps has no order that a trace without lanes (of tasks: with threads only) could show.
    hidden = {"none": {"threads", "tasks", "pool"}, "threads": {"tasks"}}.get(program.lanes, set())
    strands = {id(strand) for par in _pars(program.root) if par.mode in hidden for strand in par.strands}
    for work, body, place, _ in sites:
        if id(body) in strands:
            continue
        if place + 1 < len(body) and isinstance(body[place + 1], Work) and body[place + 1].name != work.name:
            body[place], body[place + 1] = body[place + 1], body[place]
            return True
    return False


def _pars(work):
    for one in [work, *(one for one, *_ in walk([work]))]:
        for part in one.body:
            if isinstance(part, Par):
                yield part
            elif isinstance(part, Ranks):
                yield from (inner for rank in part.ranks for inner in rank if isinstance(inner, Par))


def _bodies(sites):
    return list({id(body): body for _, body, _, _ in sites}.values())


def _serial(program, sites, rng):
    if program.lanes != "lanes":
        return False
    for body in _bodies(sites):
        for place, one in enumerate(body):
            if isinstance(one, Par) and len(one.strands) > 1:
                body[place : place + 1] = [work for strand in one.strands for work in strand]
                return True
    return False


def _wrap(program, sites, rng):
    if not sites:
        return False
    work, body, place, _ = sites[0]
    body[place] = Work("guarded", {}, [work], own_ms=0.2)
    return True


def _move(program, sites, rng):
    paths = _paths(program)
    for work, body, _, parent in sites:
        if len(body) < 2:
            continue
        inside = {id(one) for one, *_ in walk([work])}
        targets = [
            other
            for other, *_ in sites
            if id(other) not in inside
            and other is not parent
            and other.body
            and paths[other] != paths[parent]
        ]
        if targets:
            body.remove(work)
            rng.choice(targets).body.append(work)
            return True
    return False


def _event(program, sites, rng):
    if not sites:
        return False
    work = sites[0][0]
    work.events = [*work.events, "quantised"]
    return True


def _kind(program, sites, rng):
    if not sites:
        return False
    for work in _chosen(program, sites, rng):
        work.kind = SpanKind.CLIENT
    return True


def _metric_sites(sites):
    return [(work, key) for work, *_ in sites for key in METRICS if key in work.attributes]


def _nan(program, sites, rng):
    for work, key in _metric_sites(sites)[:1]:
        work.attributes[key] = math.nan
        return True
    return False


def _curve(program, sites, rng):
    for work, key in _metric_sites(sites)[:1]:
        work.attributes[key] *= 1.05
        return True
    return False


# --- measuring ---------------------------------------------------------------------------------------------------


def conditions(program, seed, rng):
    """Return conditions that no comparison may care about."""
    return Conditions(
        seed=seed,
        noise=rng.choice([0.005, 0.01, 0.02]),
        jitter=rng.choice([0.0, 0.01, 0.02]),
        speed=rng.uniform(0.95, 1.05),
        lanes=program.lanes,
        shuffle=rng.random() < 0.5,
        overlap=rng.random() < 0.8 or program.lanes != "lanes",
        resource={"host.name": f"box-{rng.randrange(100)}", "process.pid": rng.randrange(10**5)},
    )


def make_runs(seed, *, changed):
    """Return (golden runs, candidate run, operator) of one pair; operator is None for an equal one."""
    rng = random.Random(f"{seed}-{changed}")
    while True:
        program = Grower(rng).program()
        runs = rng.choice([1, 1, 3, 5]) if program.lanes == "lanes" else rng.choice([3, 5])
        goldens = [
            run_program(program.root, conditions(program, rng.randrange(10**9), rng)) for _ in range(runs)
        ]
        operator = None
        twin = Program(program.root.copy(), program.lanes, program.is_distributed)
        if changed:
            operators = list(EXPECTED)
            rng.shuffle(operators)
            operator = next((one for one in operators if mutate(twin, one, rng)), None)
            if operator is None:
                continue
        return goldens, run_program(twin.root, conditions(twin, rng.randrange(10**9), rng)), operator


def make_pair(seed, *, changed, through_file=True):
    """Return (golden, candidate run, operator) of one pair; operator is None for an equal one."""
    runs, candidate, operator = make_runs(seed, changed=changed)
    golden = make_golden(runs)
    if len(golden.variants) > 1 and not DEBUG:
        raise AssertionError(f"pair {seed}: runs of one program made {len(golden.variants)} variants")
    if through_file:
        golden = read_golden(write_golden(golden), stats=write_stats(golden))
    return golden, candidate, operator


def measure_pairs(count, seed, *, changed, say=print, through_file=True):
    """Compare pairs; return (wrong verdicts, right codes, totals by operator)."""
    wrong, right = [], 0
    by_operator = collections.Counter()
    for number in range(count):
        pair = f"{seed}/{number}"
        golden, candidate, operator = make_pair(pair, changed=changed, through_file=through_file)
        comparison = compare(golden, [candidate])
        by_operator[operator] += 1
        codes = {one.code for one in comparison.failures}
        if (comparison.verdict == "fail") is not changed:
            wrong.append((pair, operator))
            say(f"  {'missed' if changed else 'false alarm'} {pair} {operator} {sorted(codes)}")
        elif changed:
            expected = EXPECTED[operator]
            named = {
                one.detail.split(": ")[1].split(",")[0]
                for one in comparison.failures
                if one.code == "rank-differs"
            }
            if codes & expected or named & expected:
                right += 1
            else:
                say(f"  other code {pair} {operator}: {sorted(codes)}")
    return wrong, right, by_operator


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--seed", default="0")
    options = parser.parse_args()
    count, started = options.pairs, time.process_time()
    alarms, _, _ = measure_pairs(count, options.seed, changed=False)
    missed, right, by_operator = measure_pairs(count, options.seed, changed=True)
    found = f"{len(alarms)} of {count:,}"
    row(2, "generated spans: false alarms among equal pairs", found, "0 of 5,000", is_reached=not alarms)
    found = f"{len(missed)} of {count:,}"
    row(2, "generated spans: misses among changed pairs", found, "0 of 5,000", is_reached=not missed)
    share = right / count
    row(2, "generated spans: the right code is named", f"{share:.2%}", ">= 99.5 %", is_reached=share >= 0.995)
    print(", ".join(f"{operator} {times}" for operator, times in sorted(by_operator.items())))
    print(f"{time.process_time() - started:.0f} s of CPU for {2 * count:,} pairs, making them included")


if __name__ == "__main__":
    main()
