"""Pairs of recorded runs: how often equal programs fail, and changed ones pass.

python benchmarks/golden/recorded_pairs.py [--pairs 5000] [--seed 1] [--jobs 2]

A second generator beside `generate.py`, by another author: programs really run (see `recorded_programs.py`), and
operators change the program, never the recorded spans. Each operator names the codes that describe it rightly.
A change that leaves the program's own expansion as it was is drawn again; the product is never asked.
"""

from __future__ import annotations

import argparse
import collections
import copy
import multiprocessing
import os
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from recorded_programs import Fork, Log, Loop, Program, Work, expand, record, set_up, walk
from rows import row

from otel_experiments.golden.baseline import make_golden
from otel_experiments.golden.comparison import compare
from otel_experiments.golden.file import read_golden, write_golden
from otel_experiments.golden.policy import Policy

POLICY = Policy("structural", timing="off")
VERBS = [
    "load",
    "read",
    "decode",
    "tokenize",
    "augment",
    "embed",
    "score",
    "rank",
    "merge",
    "save",
    "upload",
    "fit",
    "predict",
    "calibrate",
    "export",
]
NOUNS = [
    "batch",
    "shard",
    "image",
    "text",
    "graph",
    "model",
    "index",
    "table",
    "cache",
    "report",
    "folds",
    "weights",
    "labels",
    "corpus",
]
KEYS = ["size", "mode", "dataset", "layers", "dropout", "width", "optimizer", "backend", "precision", "depth"]
METRICS = ("train.loss", "val.loss", "val.accuracy", "grad_norm", "perplexity", "aux.loss", "test.accuracy")
MOST_SPANS = 150


# --- programs ------------------------------------------------------------------------------------------------------


class Author:
    """Draws programs; names are new within a program unless a name is repeated on purpose."""

    def __init__(self, draw, *, is_foreign):
        self.draw = draw
        self.is_foreign = is_foreign
        self.names = []
        self.metrics = []

    def program(self):
        params = {key: self.value() for key in self.draw.sample(KEYS, self.draw.randint(0, 3))}
        params = {key: value for key, value in params.items() if not isinstance(value, tuple)}
        while True:
            self.names = [f"{verb}.{noun}" for verb in VERBS for noun in NOUNS]
            self.metrics = list(METRICS)
            self.draw.shuffle(self.names)
            self.draw.shuffle(self.metrics)
            try:
                program = Program(params, self.body(0), self.is_foreign)
            except IndexError:
                continue  # more names than there are: far too large
            if 3 <= expand(program)[0].count("('span'") <= MOST_SPANS:
                return program

    def value(self):
        draw = self.draw
        return draw.choice(
            (
                draw.randint(1, 512),
                round(draw.uniform(0.001, 3), 4),
                draw.choice(("adam", "sgd", "cosine", "toy set", "v2", "bf16")),
                draw.random() < 0.5,
                [draw.randint(1, 9) for _ in range(3)],
                (draw.choice(("uuid", "tmp", "time", "hex", "home")), draw.choice("abc")),
            )
        )

    def body(self, depth, least=1):
        count = self.draw.randint(least, 4 if depth < 2 else 2)
        found = []
        for _ in range(count):
            one = self.statement(depth)
            if isinstance(one, Fork) and found and isinstance(found[-1], Fork):
                found.append(self.work(3))
            found.append(one)
        return found

    def statement(self, depth):
        draw = self.draw
        if depth >= 4 or draw.random() < 0.45:
            return self.work(depth)
        lot = draw.random()
        if lot < 0.30:
            return Loop(draw.choice(("epochs", "steps", "steps")), draw.randint(1, 4), self.indexed(depth))
        if lot < 0.45:
            return Loop("for", draw.randint(1, 4), self.body(depth + 1))
        if lot < 0.75:
            return self.fork(depth)
        return self.work(depth)

    def indexed(self, depth):
        body = self.body(depth + 1)
        if self.metrics and self.draw.random() < 0.6:
            body.append(Log(self.metrics.pop(), every=self.draw.choice((1, 1, 1, 2))))
        return body

    def work(self, depth):
        draw = self.draw
        how = (
            "otel" if self.is_foreign else draw.choice(("stage", "trace", "decorated", "evaluation", "otel"))
        )
        one = Work(self.names.pop(), how, kind=draw.choice((0, 0, 2, 3)) if how == "otel" else 0)
        one.attrs = {key: self.value() for key in draw.sample(KEYS, draw.choice((0, 0, 1, 2)))}
        if draw.random() < 0.2:
            one.events = [
                (f"note.{draw.choice('xyz')}", {"level": draw.randint(1, 3)})
                for _ in range(draw.randint(1, 2))
            ]
        one.links = draw.random() < 0.15
        one.retries = draw.choice((1, 2)) if draw.random() < 0.06 else 0
        one.fails = not one.retries and draw.random() < 0.06
        if depth < 4 and draw.random() < 0.5:
            one.body = self.body(depth + 1)
        return one

    def fork(self, depth):
        draw = self.draw
        how = draw.choice(("pool", "pool", "gather", "group"))
        width = draw.randint(2, 5)
        if draw.random() < 0.5:  # the same work on several items
            branch = [self.work(depth + 1)]
            if not self.is_foreign and draw.random() < 0.4:
                branch.append(self.work(4))
            branches = [copy.deepcopy(branch) for _ in range(width)]
            if draw.random() < 0.5:
                for number, own in enumerate(branches):
                    own[0].attrs["shard"] = number
        else:
            branches = [
                [self.work(depth + 1)] if self.is_foreign else self.body(depth + 1)
                for _ in range(min(width, 3))
            ]
        if self.is_foreign:
            for branch in branches:
                branch[0].retries = 0  # a second try overlaps the others by chance, and nothing tells lanes
        workers = draw.randint(2, width) if draw.random() < 0.5 else 0
        return Fork(how, branches, barrier=self.is_foreign or draw.random() < 0.5, workers=workers)


# --- changes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Operator:
    name: str
    right: frozenset
    apply: object
    needs_lanes: bool = False
    is_of_lanes: bool = False
    """It may do no more than deal the same work to other lanes of one block, which is not compared."""


OPERATORS = {}


def operator(name, *right, needs_lanes=False, is_of_lanes=False):
    def declare(function):
        OPERATORS[name] = Operator(name, frozenset(right), function, needs_lanes, is_of_lanes)
        return function

    return declare


class NoPlaceError(Exception):
    """The program has no place for this change."""


def pick(draw, program, wanted):
    places = [place for place in walk(program.body) if wanted(place[2], place)]
    if not places:
        raise NoPlaceError
    return draw.choice(places)


def a_work(draw, program, wanted=lambda _: True):
    return pick(draw, program, lambda one, _: isinstance(one, Work) and wanted(one))[2]


def fresh(draw, program, **options):
    used = {one.name for _, _, one, _ in walk(program.body) if isinstance(one, Work)}
    names = [f"{verb}.{noun}" for verb in VERBS for noun in NOUNS]
    name = draw.choice([name for name in names if name not in used])
    how = "otel" if program.is_foreign else draw.choice(("stage", "trace", "otel"))
    return Work(name, how, **options)


def is_in_branch(inside):
    """Whether a branch of a fork goes on here without a span of its own: then it is one block, wider or narrower."""
    spans = [one for one in inside if not (isinstance(one, Loop) and one.how == "for")]
    return bool(spans) and isinstance(spans[-1], Fork)


def a_list(draw, program):
    """Return a list of statements to which one may be added."""
    lists = [program.body]
    for _, _, one, _ in walk(program.body):
        if isinstance(one, (Work, Loop)):
            lists.append(one.body)
        elif isinstance(one, Fork) and not program.is_foreign:
            lists += one.branches
    return draw.choice(lists)


@operator("rename a stage", "renamed")
def rename(draw, program):
    a_work(draw, program).name = fresh(draw, program).name


@operator("drop a stage", "removed", "count")
def drop(draw, program):
    body, at, _, _ = pick(draw, program, lambda one, _: isinstance(one, Work))
    del body[at]


@operator("add a stage", "added", "count")
def add(draw, program):
    body = a_list(draw, program)
    body.insert(draw.randint(0, len(body)), fresh(draw, program))


@operator("repeat a stage", "count", "added", "retry")
def repeat(draw, program):
    body, at, one, _ = pick(draw, program, lambda one, _: isinstance(one, Work))
    body.insert(at, copy.deepcopy(one))


@operator("one more iteration", "count", "added", "missing-index", "retry")
def longer(draw, program):
    pick(draw, program, lambda one, _: isinstance(one, Loop))[2].count += 1


@operator("one iteration less", "count", "removed", "missing-index", "retry")
def shorter(draw, program):
    pick(draw, program, lambda one, _: isinstance(one, Loop) and one.count > 1)[2].count -= 1


def plain_attributes(one):
    return [key for key, value in one.attrs.items() if not isinstance(value, tuple) and key != "shard"]


def another(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return f"{value} changed"
    if isinstance(value, list):
        return [*value, 7]
    return value * 2


@operator("attribute value", "attr")
def value(draw, program):
    one = a_work(draw, program, plain_attributes)
    key = draw.choice(plain_attributes(one))
    one.attrs[key] = another(one.attrs[key])


@operator("attribute type", "attr-type")
def type_(draw, program):
    one = a_work(draw, program, plain_attributes)
    key = draw.choice(plain_attributes(one))
    old = one.attrs[key]
    one.attrs[key] = 3 if isinstance(old, str) else str(old)


@operator("attribute added", "attr-added")
def attribute_added(draw, program):
    a_work(draw, program).attrs["extra"] = draw.choice((1, "new", 0.5, True))


@operator("attribute removed", "attr-removed")
def attribute_removed(draw, program):
    one = a_work(draw, program, lambda one: one.attrs)
    del one.attrs[draw.choice(list(one.attrs))]


@operator("attribute renamed", "attr-renamed")
def attribute_renamed(draw, program):
    one = a_work(draw, program, plain_attributes)
    key = draw.choice(plain_attributes(one))
    one.attrs["renamed"] = one.attrs.pop(key)


@operator("parameter of the run", "attr", "attr-type", "attr-added")
def parameter(draw, program):
    if program.params and draw.random() < 0.7:
        key = draw.choice(list(program.params))
        program.params[key] = another(program.params[key])
    else:
        program.params["extra"] = 3


@operator("swap two stages", "reordered")
def swap(draw, program):
    def is_pair(one, place):
        body, at, _, _ = place
        return isinstance(one, Work) and at + 1 < len(body) and isinstance(body[at + 1], Work)

    body, at, _, _ = pick(draw, program, is_pair)
    body[at], body[at + 1] = body[at + 1], body[at]


@operator("serialise a parallel block", "serialised", needs_lanes=True, is_of_lanes=True)
def serialise(draw, program):
    body, at, fork, inside = pick(
        draw, program, lambda one, _: isinstance(one, Fork) and len(one.branches) > 1
    )
    if is_in_branch(inside):
        raise NoPlaceError
    body[at : at + 1] = [one for branch in fork.branches for one in branch]


@operator("parallelise a sequence", "parallelised", needs_lanes=True, is_of_lanes=True)
def parallelise(draw, program):
    def starts_some(one, place):
        body, at, _, _ = place
        around = body[max(0, at - 1) : at + 3]
        return (
            isinstance(one, Work)
            and at + 1 < len(body)
            and isinstance(body[at + 1], Work)
            and not any(isinstance(other, Fork) for other in around)
        )

    body, at, _, inside = pick(draw, program, starts_some)
    if is_in_branch(inside):
        raise NoPlaceError
    how = draw.choice(("pool", "gather", "group"))
    body[at : at + 2] = [Fork(how, [[body[at]], [body[at + 1]]], barrier=True)]


@operator("wrap", "wrapped")
def wrap(draw, program):
    body, at, one, _ = pick(draw, program, lambda one, _: isinstance(one, (Work, Fork)))
    body[at] = fresh(draw, program, body=[one])


@operator("unwrap", "unwrapped")
def unwrap(draw, program):
    def holds(one, place):
        inside = place[3]
        in_branch = program.is_foreign and inside and isinstance(inside[-1], Fork)
        return isinstance(one, Work) and not in_branch and any(isinstance(x, (Work, Fork)) for x in one.body)

    body, at, one, _ = pick(draw, program, holds)
    body[at : at + 1] = one.body


@operator("move to another parent", "moved", "count", "added", "removed", "reordered", is_of_lanes=True)
def move(draw, program):
    body, at, one, inside = pick(draw, program, lambda one, _: isinstance(one, Work))
    if program.is_foreign and inside and isinstance(inside[-1], Fork):
        raise NoPlaceError
    del body[at]
    target = a_list(draw, program)
    if target is body:
        raise NoPlaceError
    target.insert(draw.randint(0, len(target)), one)


@operator("error status", "status")
def error(draw, program):
    one = a_work(draw, program, lambda one: not one.retries)
    one.fails = not one.fails


@operator("one more retry", "retry", "count")
def retry(draw, program):
    _, _, one, inside = pick(draw, program, lambda one, _: isinstance(one, Work) and not one.fails)
    if program.is_foreign and inside and isinstance(inside[-1], Fork):
        raise NoPlaceError
    one.retries += 1


@operator("event added", "event")
def event_added(draw, program):
    a_work(draw, program).events.append(("checkpointed", {"level": 1}))


@operator("event removed", "event")
def event_removed(draw, program):
    events = a_work(draw, program, lambda one: one.events).events
    del events[draw.randrange(len(events))]


@operator("link removed", "link")
def link_removed(draw, program):
    a_work(draw, program, lambda one: one.links).links = False


@operator("link added", "link")
def link_added(draw, program):
    a_work(draw, program, lambda one: not one.links).links = True


@operator("span kind", "kind")
def kind(draw, program):
    one = a_work(draw, program, lambda one: one.how == "otel")
    one.kind = {0: 2, 2: 3, 3: 4}[one.kind]


def a_log(draw, program):
    log = pick(draw, program, lambda one, _: isinstance(one, Log))[2]
    return log, sorted(expand(program)[1].get(log.metric, ()))


@operator("metric off by 2 %", "curve-diverged")
def off(draw, program):
    log, numbers = a_log(draw, program)
    log.off_from = draw.choice(numbers)


@operator("metric is NaN", "nonfinite")
def nan(draw, program):
    log, numbers = a_log(draw, program)
    log.nan_from = draw.choice(numbers)


@operator("metric logged less often", "curve-length", "metric-removed")
def less_often(draw, program):
    a_log(draw, program)[0].every += 1


@operator("metric dropped", "metric-removed", "curve-length")
def metric_dropped(draw, program):
    body, at, _, _ = pick(draw, program, lambda one, _: isinstance(one, Log))
    del body[at]


def change(draw, program, name):
    """Return a changed copy of a program; None when it has no place for the change."""
    if OPERATORS[name].needs_lanes and program.is_foreign:
        return None
    flat = OPERATORS[name].is_of_lanes
    before = expand(program, flat=flat)
    for _ in range(8):
        changed = copy.deepcopy(program)
        try:
            OPERATORS[name].apply(draw, changed)
            after = expand(changed, flat=flat)
        except (NoPlaceError, IndexError):
            continue
        if after != before:
            return changed
    return None


# --- pairs ---------------------------------------------------------------------------------------------------------


@dataclass
class Outcome:
    """What became of one pair. `operator` is empty for an equal pair."""

    seed: int
    operator: str
    verdict: str
    codes: tuple
    is_right: bool
    is_alone: bool


def judge(seed, *, is_equal, name=None):
    """Record a pair and compare it."""
    draw = random.Random(seed)
    while True:
        author = Author(draw, is_foreign=draw.random() < 0.2)
        program = author.program()
        candidate, operator_name = program, ""
        if not is_equal:
            operator_name = name or draw.choice(list(OPERATORS))
            candidate = change(draw, program, operator_name)
            if candidate is None:
                continue
        break
    runs = draw.choice((1, 1, 1, 2, 3))
    golden = make_golden([record(program, draw.getrandbits(60)) for _ in range(runs)])
    if len(golden.variants) > 1:
        return Outcome(seed, operator_name, "unstable", (), False, False)
    if draw.random() < 0.5:
        golden = read_golden(write_golden(golden))
    comparison = compare(golden, [record(candidate, draw.getrandbits(60))], policy=POLICY)
    codes = tuple(sorted({finding.code for finding in comparison.failures}))
    right = OPERATORS[operator_name].right if operator_name else frozenset()
    return Outcome(
        seed,
        operator_name,
        comparison.verdict,
        codes,
        bool(right & set(codes)) if operator_name else not codes,
        set(codes) <= right,
    )


def judge_many(arguments):
    """Judge every `jobs`-th pair of a list of (seed, is_equal, name)."""
    set_up()
    outcomes = []
    for number, (seed, is_equal, name) in enumerate(arguments):
        if number % 200 == 199:
            set_up()  # a memory store keeps every run
        outcomes.append(judge(seed, is_equal=is_equal, name=name))
    return outcomes


def plan(pairs, seed):
    """Return equal pairs and changed ones, the operators in turn."""
    names = list(OPERATORS)
    equal = [(seed * 1_000_003 + at, True, None) for at in range(pairs)]
    return equal + [(seed * 1_000_003 + pairs + at, False, names[at % len(names)]) for at in range(pairs)]


def table(outcomes):
    """Return the table for RESULTS.md."""
    by_operator = collections.defaultdict(list)
    for outcome in outcomes:
        by_operator[outcome.operator].append(outcome)
    equal = by_operator.pop("", [])
    alarms = sum(outcome.verdict != "pass" for outcome in equal)
    lines = ["| operator | pairs | missed | right code | nothing but it |", "|---|---|---|---|---|"]
    lines += (_row(name, by_operator.get(name, [])) for name in OPERATORS)
    changed = [outcome for own in by_operator.values() for outcome in own]
    lines.append(_row("all", changed))
    return "\n".join([f"{alarms} false alarms in {len(equal)} equal pairs", "", *lines])


def _row(name, own):
    if not own:
        return f"| {name} | 0 | | | |"
    missed = sum(outcome.verdict == "pass" for outcome in own)
    right = 100 * sum(outcome.is_right for outcome in own) / len(own)
    alone = 100 * sum(outcome.is_right and outcome.is_alone for outcome in own) / len(own)
    return f"| {name} | {len(own)} | {missed} | {right:.1f} % | {alone:.1f} % |"


def wrong(outcomes):
    """Return the outcomes that need a look."""
    return [
        one for one in outcomes if one.verdict != ("fail" if one.operator else "pass") or not one.is_right
    ]


def is_good(outcomes):
    """Whether no equal pair failed, no changed one passed, and 99.5 % of the changes got their name."""
    changed = [one for one in outcomes if one.operator]
    return all(one.verdict == ("fail" if one.operator else "pass") for one in outcomes) and sum(
        one.is_right for one in changed
    ) >= 0.995 * len(changed)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    started = time.perf_counter()
    work = plan(options.pairs, options.seed)
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        parts = pool.map(judge_many, [work[at :: options.jobs] for at in range(options.jobs)])
    outcomes = [outcome for part in parts for outcome in part]
    print(table(outcomes))
    for one in wrong(outcomes)[:40]:
        print(f"seed {one.seed} {one.operator or 'equal'}: {one.verdict} {', '.join(one.codes)}")
    print(f"\n{time.perf_counter() - started:.0f} s, {options.jobs} processes, {os.cpu_count()} cores")
    equal = [one for one in outcomes if not one.operator]
    changed = [one for one in outcomes if one.operator]
    alarms, missed = (
        sum(one.verdict != verdict for one in part) for part, verdict in ((equal, "pass"), (changed, "fail"))
    )
    share = sum(one.is_right for one in changed) / len(changed)
    for what, count, part in (
        ("false alarms among equal", alarms, equal),
        ("misses among changed", missed, changed),
    ):
        row(
            2,
            f"recorded programs: {what} pairs",
            f"{count} of {len(part):,}",
            "0 of 5,000",
            is_reached=not count,
        )
    row(
        2,
        "recorded programs: the right code is named",
        f"{share:.2%}",
        ">= 99.5 %",
        is_reached=share >= 0.995,
    )


if __name__ == "__main__":
    main()
