"""Programs that really run: random trees of work, executed through the public recording API.

Written without knowledge of `programs.py` and `generate.py`, as a second opinion. Nothing here makes a span by
hand: threads are threads, tasks are tasks, what fails raises. `Execution` runs a program, `expand` says what it
should look like by reasoning over the tree alone, so that two programs can be told apart without the product.

What a run may do differently each time: ids, times, folders, who is first, and the last digits of floats.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
import random
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

import otel_experiments as ox
from otel_experiments.capture import capture_exported, capture_run
from otel_experiments.exporters.golden import GoldenSpanExporter

RADIX = 16
"""Iterations are numbered with this radix, so that a longer inner loop does not renumber an outer one."""


class ToolError(RuntimeError):
    """What the work of a program raises; `context` is its span."""

    def __init__(self, context, text):
        super().__init__(text)
        self.context = context


@dataclass
class Work:
    """A span. `how` is the API that opens it; it fails `retries` times first, and for good when `fails`."""

    name: str
    how: str = "stage"
    kind: int = 0
    attrs: dict = field(default_factory=dict)
    events: list = field(default_factory=list)
    body: list = field(default_factory=list)
    retries: int = 0
    fails: bool = False
    links: bool = False


@dataclass
class Loop:
    """`epochs` and `steps` have a span an iteration, `for` has none."""

    how: str
    count: int
    body: list


@dataclass
class Fork:
    """Branches that run at the same time: in a pool of threads, `asyncio.gather`, or a `TaskGroup`.

    With `barrier` all are under way before one goes on. `workers` is the size of a pool.
    """

    how: str
    branches: list
    barrier: bool = False
    workers: int = 0


@dataclass
class Log:
    """`run.log` of one value; `every` says how often, `off_from` and `nan_from` from which number on it is wrong."""

    metric: str
    every: int = 1
    off_from: float = math.inf
    nan_from: float = math.inf

    def value(self, number):
        if number >= self.nan_from:
            return math.nan
        scale = 1.02 if number >= self.off_from else 1.0
        return scale * (0.3 + 2.0 / (1 + 0.2 * number) + (sum(map(ord, self.metric)) % 7) / 10)


@dataclass
class Program:
    """A whole run."""

    params: dict
    body: list
    is_foreign: bool = False


def walk(body, inside=()):
    """Yield (list, position, statement, ancestors) of every statement; the owner of a list is its last ancestor."""
    for at, one in enumerate(body):
        yield body, at, one, inside
        if isinstance(one, (Work, Loop)):
            yield from walk(one.body, (*inside, one))
        elif isinstance(one, Fork):
            for branch in one.branches:
                yield from walk(branch, (*inside, one))


# --- what a program looks like, by reasoning alone -----------------------------------------------------------------


def expand(program, *, flat=False):
    """Return (tree, metrics): everything that a comparison must see of a program, and nothing that it must not.

    With `flat`, parallel work under one span is told apart by what it does and not by the lane in which it does
    it: a pool hands tasks to any of its workers, and a fork in a branch has no span of its own.
    """
    metrics = {}
    tree = _expand_body(program.body, 0, flat, metrics)
    return repr((sorted(program.params.items()), tree)), metrics


def _expand_body(body, number, flat, metrics):
    found = []
    previous = ""
    for one in body:
        if isinstance(one, Log):
            if number % RADIX % one.every == 0:
                metrics.setdefault(one.metric, {})[number] = repr(one.value(number))
        elif isinstance(one, Work):
            for attempt in range(one.retries + 1):
                bad = one.fails or attempt < one.retries
                inner = _expand_body(one.body, number, flat, metrics)
                attrs = tuple(sorted((key, repr(value)) for key, value in one.attrs.items()))
                link = previous if one.links else ""
                found.append(("span", one.name, one.how, one.kind, bad, attrs, repr(one.events), link, inner))
                previous = one.name
        elif isinstance(one, Loop):
            for at in range(one.count):
                inner = _expand_body(one.body, number * RADIX + at, flat, metrics)
                if one.how == "for":
                    found.extend(inner)
                else:
                    found.append(("span", one.how, at, one.count if one.how == "epochs" else 0, inner))
                    previous = one.how
        else:
            branches = [
                _expand_body(branch, number * RADIX + at, flat, metrics)
                for at, branch in enumerate(one.branches)
            ]
            if flat:
                branches = [[span] for branch in branches for span in _spans_of(branch)]
            branches = sorted((tuple(branch) for branch in branches if branch), key=repr)
            if found and found[-1][0] == "par":
                branches = sorted((*found.pop()[1], *branches), key=repr)
            if branches:
                found.append(("par", tuple(branches)))
            previous = ""
    return tuple(found)


def _spans_of(body):
    for one in body:
        if one[0] == "par":
            for branch in one[1]:
                yield from _spans_of(branch)
        else:
            yield one


# --- running it ----------------------------------------------------------------------------------------------------


class Execution:
    """One run of a program; `shake` decides how much the scheduler is disturbed."""

    def __init__(self, program, run, tracer, seed, shake):
        self.program = program
        self.run = run
        self.tracer = tracer
        self.draw = random.Random(seed)
        self.shake = shake
        self.labels = {}
        self.lock = threading.Lock()

    def attribute(self, value):
        if not isinstance(value, tuple):
            if isinstance(value, float):
                return value * (1 + self.draw.uniform(-1e-12, 1e-12))
            return value
        kind, label = value
        with self.lock:
            known = self.labels.get(value)
            if known is None:
                made = uuid.UUID(int=self.draw.getrandbits(128), version=4)
                known = self.labels[value] = {
                    "uuid": f"{label} {made}",
                    "tmp": f"/tmp/tmp{made.hex[:8]}/{label}.pt",
                    "time": f"2026-0{made.int % 9 + 1}-1{made.int % 7}T0{made.int % 8}:11:12.{made.int % 10**6:06d}Z",
                    "hex": f"<{label} object at 0x{made.hex[:12]}>",
                    "home": f"/home/u{made.hex[:4]}/{label}",
                }[kind]
        return known

    def attributes(self, attrs):
        return {key: self.attribute(value) for key, value in attrs.items()}

    def pause(self):
        if self.draw.random() < self.shake:
            time.sleep(self.draw.choice((0, 0, 0.00005, 0.0003)))

    # A body is written once, as a coroutine. Outside of an event loop it never waits, so one `send` runs it.

    def body_here(self, body, number, gate=None):
        _finish(self.body(body, number, None if gate is None else _Gate(gate)))

    async def body(self, body, number, gate=None, *, is_async=False):
        previous = None
        if gate is not None and not self.program.is_foreign:
            await gate.wait()
        for one in body:
            if is_async and self.draw.random() < self.shake:
                await asyncio.sleep(self.draw.choice((0, 0, 0.0002)))
            if isinstance(one, Log):
                self.log(one, number)
            elif isinstance(one, Work):
                for attempt in range(one.retries + 1):
                    bad = one.fails or attempt < one.retries
                    try:
                        previous = await self.work(one, number, previous, bad, gate, is_async)
                    except ToolError as error:
                        previous = error.context
                    gate = None
            elif isinstance(one, Loop):
                previous = await self.loop(one, number, previous, is_async)
            else:
                await self.fork(one, number, is_async)
                previous = None

    async def loop(self, one, number, previous, is_async):
        if one.how == "for":
            for at in range(one.count):
                await self.body(one.body, number * RADIX + at, is_async=is_async)
            return previous
        if self.run is None:
            items = self.foreign_loop(one)
        elif one.how == "epochs":
            items = self.run.epochs(one.count)
        else:
            items = self.run.steps(one.count, spans=True)
        for at in items:
            await self.body(one.body, number * RADIX + at, is_async=is_async)
            previous = trace.get_current_span().get_span_context()
        return previous

    def foreign_loop(self, one):
        for at in range(one.count):
            with self.tracer.start_as_current_span(one.how, attributes={f"{one.how}.index": at}):
                yield at

    async def work(self, one, number, previous, bad, gate, is_async):
        attrs = self.attributes(one.attrs)
        links = [trace.Link(previous)] if one.links and previous is not None else []
        inside = _Inside(self, one, number, bad, gate, links)
        if one.how == "otel" or self.run is None:
            kind = trace.SpanKind(one.kind)
            with self.tracer.start_as_current_span(
                one.name, kind=kind, attributes=attrs, links=links
            ) as span:
                return await inside.run(span, is_async)
        if one.how == "decorated" and is_async:

            @ox.stage(name=one.name, **attrs)
            async def function():
                return await inside.run(trace.get_current_span(), is_async)

            return await function()
        if one.how == "decorated":

            @ox.stage(name=one.name, **attrs)
            def function():
                return _finish(inside.run(trace.get_current_span(), is_async))

            return function()
        opening = {"stage": self.run.stage, "evaluation": self.run.evaluation}.get(one.how, self.run.trace)
        with opening(one.name, **attrs) as scope:
            return await inside.run(scope.span, is_async)

    def log(self, one, number):
        if number % RADIX % one.every:
            return
        value = one.value(number) * (1 + self.draw.uniform(-1e-6, 1e-6))
        if self.run is None:
            trace.get_current_span().set_attribute(one.metric, value)
        else:
            self.run.log({one.metric: value}, step=number)

    async def fork(self, one, number, is_async):
        numbered = [(branch, number * RADIX + at) for at, branch in enumerate(one.branches)]
        if one.how in {"gather", "group"}:
            if is_async:
                await self.tasks(one, numbered)
            else:
                asyncio.run(self.tasks(one, numbered))
            return
        workers = len(numbered) if one.barrier or not one.workers else one.workers
        gate = threading.Barrier(self.waiting(one)) if one.barrier else None
        with ThreadPoolExecutor(workers) as pool:
            futures = []
            for branch, own in numbered:
                context = contextvars.copy_context()
                if is_async:
                    work = asyncio.get_running_loop().run_in_executor
                    futures.append(work(pool, context.run, self.body_here, branch, own, gate))
                else:
                    futures.append(pool.submit(context.run, self.body_here, branch, own, gate))
                self.pause()
            for future in futures:
                if is_async:
                    await future
                else:
                    future.result()

    def waiting(self, one):
        """Return how many branches come to the barrier: without lanes they wait inside of their first span."""
        if not self.program.is_foreign:
            return len(one.branches)
        return max(1, sum(any(isinstance(x, Work) for x in branch) for branch in one.branches))

    async def tasks(self, one, numbered):
        gate = asyncio.Barrier(self.waiting(one)) if one.barrier else None
        if one.how == "gather":
            await asyncio.gather(*(self.body(branch, own, gate, is_async=True) for branch, own in numbered))
            return
        async with asyncio.TaskGroup() as group:
            for branch, own in numbered:
                group.create_task(self.body(branch, own, gate, is_async=True))


def _finish(coroutine):
    """Run a coroutine that never waits, and return its result."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    msg = "a synchronous body waited"
    raise AssertionError(msg)


class _Inside:
    """What happens inside of a span, whatever opened it."""

    def __init__(self, execution, one, number, bad, gate, links):
        self.execution, self.one, self.number, self.bad = execution, one, number, bad
        self.gate, self.links = gate, links

    async def run(self, span, is_async):
        execution, one = self.execution, self.one
        if one.how != "otel" and execution.run is not None:
            for link in self.links:
                span.add_link(link.context)
        if self.gate is not None and execution.program.is_foreign:
            await self.gate.wait()
        for name, attrs in one.events:
            span.add_event(name, execution.attributes(attrs))
        await execution.body(one.body, self.number, is_async=is_async)
        if not is_async:
            execution.pause()
        context = span.get_span_context()
        if self.bad:
            raise ToolError(context, f"{one.name} failed in request {execution.attribute(('uuid', 'id'))}")
        return context


class _Gate:
    """A barrier of threads with the face of one of tasks."""

    def __init__(self, barrier):
        self._barrier = barrier

    async def wait(self):
        self._barrier.wait(timeout=20)


def set_up():
    """Record into memory from now on, with an application's provider beside ours."""
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))
    ox.configure(
        store="memory://",
        otlp=False,
        set_global=False,
        capture_git=False,
        system_metrics_s=0.0,
        on_error="raise",
    )


def record(program, seed, *, shake=0.2):
    """Run a program and return what was captured of it."""
    if program.is_foreign:
        exporter = GoldenSpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        tracer = provider.get_tracer("foreign")
        execution = Execution(program, None, tracer, seed, shake)
        with tracer.start_as_current_span("main", attributes=execution.attributes(program.params)):
            execution.body_here(program.body, 0)
        return capture_exported(exporter, environment={})
    with ox.start_run(f"run-{seed}", experiment="fuzz", config=program.params) as run:
        Execution(program, run, trace.get_tracer("library"), seed, shake).body_here(program.body, 0)
    return capture_run(ox.run(run.id), environment={})
