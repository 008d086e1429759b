"""Programs that can be run into traces: what the fuzzer changes and what the acceptance cases are built of.

A program is a tree of `Work`; `run_program` plays it on a simulated clock and returns spans with ids, lanes,
sequence numbers and CPU times, as a real process would. Two runs of one program differ in everything that may
differ: ids, times, lane names, which worker took which task, export order.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from otel_experiments.golden.canonical.trace import CapturedRun, MetricSeries
from otel_experiments.model.span import Event, Link, Resource, Scope, Span, SpanKind, StatusCode
from otel_experiments.semconv import attributes as attr

LaneMode = Literal["lanes", "threads", "none"]


@dataclass(eq=False)
class Work:
    """A span to be; `body` holds what runs inside it, in order: works, `Par` and `Ranks`."""

    name: str
    attributes: dict = field(default_factory=dict)
    body: list = field(default_factory=list)
    own_ms: float = 1.0
    cpu_share: float = 1.0
    kind: SpanKind = SpanKind.INTERNAL
    status: StatusCode = StatusCode.UNSET
    events: list = field(default_factory=list)
    """Names, or (name, attributes)."""
    links: list = field(default_factory=list)
    """Works that this one links to."""

    def copy(self, memo=None):
        is_root = memo is None
        memo = {} if memo is None else memo
        twin = Work(
            self.name,
            dict(self.attributes),
            [one.copy(memo) for one in self.body],
            self.own_ms,
            self.cpu_share,
            self.kind,
            self.status,
            list(self.events),
            [],
        )
        memo[id(self)] = twin
        twin.links = list(self.links)
        if is_root:
            for copied in memo.values():
                copied.links = [memo.get(id(one), one) for one in copied.links]
        return twin


@dataclass(eq=False)
class Par:
    """Strands (lists of works) that run beside each other, in threads, in asyncio tasks, or in a pool."""

    strands: list
    mode: Literal["threads", "tasks", "pool"] = "threads"
    workers: int = 0

    def copy(self, memo=None):
        return Par([[one.copy(memo) for one in strand] for strand in self.strands], self.mode, self.workers)


@dataclass(eq=False)
class Ranks:
    """What each rank of a distributed job does, a list of works a rank."""

    ranks: list

    def copy(self, memo=None):
        return Ranks([[one.copy(memo) for one in rank] for rank in self.ranks])


@dataclass
class Conditions:
    """What may differ between two runs of one program without meaning anything."""

    seed: int = 0
    noise: float = 0.0
    """Standard deviation of log time from run to run, per name."""
    jitter: float = 0.0
    """The same from span to span."""
    speed: float = 1.0
    """All times are multiplied by this."""
    lanes: LaneMode = "lanes"
    shuffle: bool = False
    overlap: bool = True
    """Whether parallel strands happen to overlap."""
    wall_only: float = 1.0
    """Wall times are multiplied by this, CPU times are not."""
    resource: dict = field(default_factory=dict)
    scope: str = "train"
    schema_url: str = ""


class _Player:
    def __init__(self, conditions):
        self.c = conditions
        self.rng = random.Random(conditions.seed)
        self.spans = []
        self.factors = {}
        self.numbers = {}
        self.lane_number = self.rng.randrange(1, 50)
        self.task_number = self.rng.randrange(1, 50)
        self.trace_id = f"{self.rng.getrandbits(128):032x}"
        self.resource = Resource(dict(conditions.resource), conditions.schema_url)
        self.scope = Scope(conditions.scope)
        self.ids = {}
        self.pending_links = []

    def factor(self, name):
        if name not in self.factors:
            self.factors[name] = random.Random(f"{self.c.seed}{name}").lognormvariate(0.0, self.c.noise)
        return self.factors[name] * (self.rng.lognormvariate(0.0, self.c.jitter) if self.c.jitter else 1.0)

    def new_lane(self, lane, mode):
        if mode == "tasks":
            self.task_number += 1
            return f"{lane.split('/task-')[0]}/task-{self.task_number}"
        self.lane_number += 1
        rank = lane.split("/")[0] + "/" if lane.startswith("rank") else ""
        return f"{rank}thread-{self.lane_number}"

    def work(self, work, parent, lane, start):
        """Play one work; return (end, CPU nanoseconds of its own lane)."""
        span_id = f"{self.rng.getrandbits(64):016x}"
        self.ids[id(work)] = span_id
        at = start
        own_wall = work.own_ms * 1e6 * self.factor(work.name) * self.c.speed
        cpu = own_wall * work.cpu_share
        own_wall *= self.c.wall_only
        at += int(own_wall * 0.5)
        at, cpu_below = self.body(work.body, span_id, lane, at)
        at += int(own_wall * 0.5) + 1_000
        attributes = dict(work.attributes)
        if self.c.lanes == "lanes":
            attributes[attr.ML_SPAN_LANE] = lane
            attributes[attr.ML_SPAN_CPU_TIME] = int(cpu + cpu_below)
        elif self.c.lanes == "threads":
            attributes[attr.THREAD_ID] = 140_000_000 + hash_lane(lane.split("/task-")[0], self.c.seed)
            attributes[attr.THREAD_NAME] = lane.split("/task-")[0]
        keys = list(attributes)
        self.rng.shuffle(keys)
        events = tuple(
            Event(*((one, start + 10) if isinstance(one, str) else (one[0], start + 10, one[1])))
            for one in work.events
        )
        place = len(self.spans)
        self.spans.append(
            Span(
                trace_id=self.trace_id,
                span_id=span_id,
                name=work.name,
                start_ns=start,
                end_ns=at,
                parent_span_id=parent,
                kind=work.kind,
                status=work.status,
                attributes={key: attributes[key] for key in keys},
                events=events,
                resource=self.resource,
                scope=self.scope,
            )
        )
        if work.links:
            self.pending_links.append((place, list(work.links)))
        return at, cpu + cpu_below

    def body(self, body, parent, lane, at):
        cpu = 0.0
        for one in body:
            at += self.rng.randrange(500, 3_000)
            if isinstance(one, Work):
                at, more = self.work(one, parent, lane, at)
                cpu += more
            elif isinstance(one, Par):
                at = self.par(one, parent, lane, at)
            else:
                at = self.ranks(one, parent, at)
        return at, cpu

    def par(self, par, parent, lane, at):
        order = list(range(len(par.strands)))
        ends = [at]
        if par.mode == "pool":
            workers = [
                (at + self.rng.randrange(1_000, 20_000), self.new_lane(lane, "threads"))
                for _ in range(par.workers)
            ]
            for number in order:
                workers.sort()
                free, own = workers.pop(0)
                end, _ = self.body(par.strands[number], parent, own, free)
                workers.append((end, own))
                ends.append(end)
            return max(ends)
        self.rng.shuffle(order)
        begin = at
        for number in order:
            own = self.new_lane(lane, par.mode)
            begin = begin + self.rng.randrange(1_000, 30_000) if self.c.overlap else max(ends) + 1_000
            end, _ = self.body(par.strands[number], parent, own, begin)
            ends.append(end)
        return max(ends)

    def ranks(self, ranks, parent, at):
        ends = [at]
        for number, body in enumerate(ranks.ranks):
            end, _ = self.body(body, parent, f"rank{number}/main", at + self.rng.randrange(1_000, 50_000))
            ends.append(end)
        return max(ends)


def hash_lane(lane, seed):
    return random.Random(f"{lane}{seed}").randrange(10**6)


def run_program(program, conditions=None, *, metrics=(), name="candidate", environment=None):
    """Return the captured run of a program (a work, or a list of roots) under some conditions."""
    c = conditions or Conditions()
    player = _Player(c)
    roots = [program] if isinstance(program, Work) else program
    player.body(roots, None, "main", 1_700_000_000_000_000_000 + player.rng.randrange(10**15))
    spans = player.spans
    for place, targets in player.pending_links:
        links = [Link(player.trace_id, player.ids[id(one)]) for one in targets]
        player.rng.shuffle(links)
        spans[place] = _replace(spans[place], links=tuple(links))
    if c.lanes == "lanes":
        by_process = {}
        for span in sorted(spans, key=lambda span: span.start_ns):
            lane = span.attributes[attr.ML_SPAN_LANE]
            process = lane.split("/")[0] if lane.startswith("rank") else ""
            span.attributes[attr.ML_SPAN_SEQUENCE] = by_process.setdefault(process, 0)
            by_process[process] += 1
    if c.shuffle:
        player.rng.shuffle(spans)
    else:
        spans.sort(key=lambda span: span.end_ns)
    return CapturedRun(spans, metrics=tuple(metrics), name=name, environment=environment or {})


def _replace(span, **changes):
    from dataclasses import replace

    return replace(span, **changes)


def walk(works: Iterable):
    """Yield (work, the list that holds it, its place there, its parent) for all works, parents first."""
    stack = [(works, None)]
    while stack:
        body, parent = stack.pop()
        for place, one in enumerate(body):
            if isinstance(one, Work):
                yield one, body, place, parent
                stack.append((one.body, one))
            elif isinstance(one, Par):
                stack += [(strand, parent) for strand in one.strands]
            else:
                stack += [(rank, parent) for rank in one.ranks]


def training(
    *, epochs=3, steps=10, shards=4, lr=0.001, serial=False, has_eval=True, loss=None, root_attributes=None
):
    """Return the base program of the acceptance cases: 165 spans with the default sizes."""
    loads = [Work("load.shard", {"shard": at}, own_ms=50.0) for at in range(shards)]
    load = Work(
        "data.load",
        {"dataset": "toy", "n": 1000},
        loads if serial else [Par([[one] for one in loads])],
        own_ms=2.0,
    )
    run = Work("run", {"model": "mlp", **(root_attributes or {})}, [load], own_ms=5.0)
    for epoch in range(epochs):
        body = []
        for at in range(steps):
            step = epoch * steps + at
            value = 2.1 * 0.97**step if loss is None else loss(step)
            body.append(
                Work(
                    "train.step",
                    {"step": step, "loss": value},
                    [
                        Work("batch.get", {}, own_ms=2.0),
                        Work("forward", {}, own_ms=8.0),
                        Work("backward", {}, own_ms=20.0),
                        Work("optimizer", {"lr": lr, "optimizer": "adam"}, own_ms=3.0),
                    ],
                    own_ms=1.0,
                )
            )
        if has_eval:
            body.append(Work("eval", {"acc": 0.5 + 0.1 * epoch}, own_ms=60.0))
        body.append(Work("checkpoint.save", {"path": f"/tmp/run-1/ck{epoch}.pt"}, own_ms=15.0))
        run.body.append(Work("epoch", {"epoch": epoch}, body, own_ms=1.0))
    return run


def series(name, values, phase=""):
    """Return a metric series over steps from 0."""
    return MetricSeries(name, list(map(float, range(len(values)))), list(values), phase)
