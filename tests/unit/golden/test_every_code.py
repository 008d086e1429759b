"""Every stable code of a finding comes out of a real comparison, or out of the tool that is named for it."""

import dataclasses
import math

import pytest

from otel_experiments.golden.baseline import make_golden
from otel_experiments.golden.canonical.trace import CapturedRun, MetricSeries, SpanCounts
from otel_experiments.golden.comparison import compare
from otel_experiments.golden.curves.compare import CurveSettings
from otel_experiments.golden.file import read_golden, write_golden
from otel_experiments.golden.file.write import text_digest
from otel_experiments.golden.findings import CODES
from otel_experiments.golden.policy import IgnoreRule, Policy
from otel_experiments.model.span import Event, Link, Scope, Span, SpanKind, StatusCode

MS = 1_000_000
OTHERWISE = {
    "golden-unused": "tests/plugin/test_golden_plugin.py: only a session of tests knows who asked for what",
}


class Trace:
    """Writes down spans as a recorder would, one after the other; `span` returns the id for children and links."""

    def __init__(self):
        self.spans = []
        self.now = 10**15

    def span(self, name, parent=None, *, ms=1, lane="main", at=None, attrs=None, cpu=None, **rest):
        """Add a span in program order; its own id is its number."""
        span_id = f"{len(self.spans) + 1:016x}"
        start = self.now if at is None else at
        end = start + int(ms * MS)
        self.now = max(self.now, end) if at is None else self.now
        lanes = {"ml.span.lane": lane, "ml.span.sequence": len(self.spans)}
        if cpu is not None:
            lanes["ml.span.cpu_time"] = int(cpu * MS)
        self.spans.append(
            Span(
                trace_id="1" * 32,
                span_id=span_id,
                name=name,
                start_ns=start,
                end_ns=end,
                parent_span_id=parent,
                attributes={**lanes, **(attrs or {})},
                **rest,
            )
        )
        return span_id

    def run(self, **rest):
        """Return the captured run, its root as long as all of it."""
        first = self.spans[0]
        last = max(span.end_ns for span in self.spans)
        self.spans[0] = dataclasses.replace(first, end_ns=max(first.end_ns, last))
        return CapturedRun(self.spans, **rest)


def steps(count=3, *, body=("load", "fit"), ms=2.0, first=0, attrs=None, **metrics):
    """Return a run of a root and some numbered steps with a body."""
    trace = Trace()
    root = trace.span("run")
    for step in range(first, first + count):
        inside = trace.span("step", root, attrs={"step": step})
        for name in body:
            trace.span(name, inside, ms=ms, attrs=attrs, cpu=ms)
    series = [MetricSeries(name, list(range(len(values))), list(values)) for name, values in metrics.items()]
    return trace.run(metrics=series)


def one(name="fit", **options):
    """Return a run of a root with `load`, one span that differs, and `save`."""
    trace = Trace()
    root = trace.span("run")
    trace.span("load", root)
    trace.span(name, root, **options)
    trace.span("save", root)
    return trace.run()


def parallel(lanes):
    """Return a run of four tasks in these lanes."""
    trace = Trace()
    root = trace.span("run")
    start = trace.now
    for number, lane in enumerate(lanes):
        at = start if lane != "main" else None
        trace.span("task", root, ms=20, lane=lane, at=at, attrs={"shard": number})
    return trace.run()


def ranks(*counts):
    """Return a run in which rank n reduces so many times."""
    trace = Trace()
    root = trace.span("run", lane="rank0/main")
    for rank, count in enumerate(counts):
        for _ in range(count):
            trace.span("all_reduce", root, lane=f"rank{rank}/main")
    return trace.run()


def tree(*, moved=False, cover="", bare=False):
    """Return a run of two groups; a subtree in one or the other, under a cover, or without its group."""
    trace = Trace()
    root = trace.span("run")
    first, second = trace.span("first", root), trace.span("second", root)
    trace.span("keep", first)
    trace.span("keep too", second)
    home = second if moved else first
    if cover:
        home = trace.span(cover, home)
    if bare:
        home = root
    inner = trace.span("pack", home)
    for name in ("a", "b", "c"):
        trace.span(name, inner)
    return trace.run()


def group(*, is_wrapped):
    """Return a run of three spans, in a span of their own or not."""
    trace = Trace()
    root = trace.span("run")
    home = trace.span("group", root) if is_wrapped else root
    for name in ("a", "b", "c"):
        trace.span(name, home)
    return trace.run()


def retried(*, times):
    """Return a run whose upload fails some times first."""
    trace = Trace()
    root = trace.span("run")
    trace.span("load", root)
    for _ in range(times):
        trace.span("upload", root, status=StatusCode.ERROR)
    trace.span("upload", root)
    return trace.run()


def linked(*, is_linked):
    """Return a run with a link, or without it."""
    trace = Trace()
    root = trace.span("run")
    load = trace.span("load", root)
    trace.span("fit", root, links=(Link("1" * 32, load),) if is_linked else ())
    return trace.run()


def timed(*, seed=0, **ms):
    """Return a run of stages with these lengths, wall or (wall, cpu), give or take half a percent."""
    trace = Trace()
    root = trace.span("run")
    for number, (name, length) in enumerate(sorted(ms.items())):
        wall, cpu = length if isinstance(length, tuple) else (length, length)
        noise = 1 + 0.005 * math.sin(7 * seed + number)
        trace.span(name, root, ms=wall * noise, cpu=cpu * noise)
    return trace.run()


def without(run, name):
    """Return a run that lost its spans of a name."""
    return dataclasses.replace(run, spans=[span for span in run.spans if span.name != name])


def early(ms):
    """Return a run whose worker's clock is behind."""
    trace = Trace()
    root = trace.span("run")
    trace.span("work", root, lane="rank1/main", at=trace.now - ms * MS)
    return trace.run()


STAGES = {"decode": 40, "fit": 100, "score": 60, "tune": 80}
LOSS = [1.0, 0.8, 0.6, 0.5, 0.4, 0.35]
PACE = Policy(curves={"loss": CurveSettings(mode="convergence", target=0.5)})
SEEDS = [[value * (1 + 0.01 * math.sin(seed + at)) for at, value in enumerate(LOSS)] for seed in range(6)]


def stale(run):
    """Return a golden of a run as a release with older rules would have written it."""
    lines = write_golden(make_golden([run])).replace("defaults@1", "defaults@0").splitlines(keepends=True)
    text = "".join(lines[:-1])
    end = lines[-1].rpartition("full=")[0]
    return read_golden(f"{text}{end}full={text_digest(text)}\n")


CASES = {
    "added": (steps(), steps(body=("load", "fit", "log"))),
    "removed": (steps(), steps(body=("load",))),
    "moved": (tree(), tree(moved=True)),
    "wrapped": (group(is_wrapped=False), group(is_wrapped=True)),
    "unwrapped": (group(is_wrapped=True), group(is_wrapped=False)),
    "renamed": (one("fit"), one("train")),
    "count": (steps(3), steps(4)),
    "reordered": (steps(), steps(body=("fit", "load"))),
    "serialised": (parallel(("t1", "t2", "t3", "t4")), parallel(("main",) * 4)),
    "parallelised": (parallel(("main",) * 4), parallel(("t1", "t2", "t3", "t4"))),
    "retry": (retried(times=0), retried(times=1)),
    "duplicate-index": (
        CapturedRun(steps(2).spans),
        CapturedRun(
            [
                dataclasses.replace(span, attributes={**span.attributes, "step": 0})
                if span.name == "step"
                else span
                for span in steps(2).spans
            ]
        ),
    ),
    "missing-index": (steps(3), steps(3, first=7)),
    "orphan": (steps(), without(steps(), "step")),
    "root-missing": (steps(), without(steps(), "run")),
    "rank-differs": (ranks(4, 4, 4, 4), ranks(4, 4, 4, 2)),
    "status": (one(), one(status=StatusCode.ERROR)),
    "kind": (one(), one(kind=SpanKind.CLIENT)),
    "event": (one(), one(events=(Event("saved", 10**15),))),
    "link": (linked(is_linked=True), linked(is_linked=False)),
    "attr": (one(attrs={"lr": 0.1}), one(attrs={"lr": 0.2})),
    "attr-added": (one(), one(attrs={"lr": 0.1})),
    "attr-removed": (one(attrs={"lr": 0.1}), one()),
    "attr-type": (one(attrs={"n": 1}), one(attrs={"n": "1"})),
    "attr-renamed": (one(attrs={"rate": 0.1}), one(attrs={"speed": 0.1})),
    "scope": (one(scope=Scope("a")), one(scope=Scope("b"))),
    "nonfinite": (steps(loss=LOSS), steps(loss=[*LOSS[:-1], math.nan])),
    "curve-diverged": (steps(loss=LOSS), steps(loss=[*LOSS[:-1], 0.9])),
    "curve-band": ([steps(loss=values) for values in SEEDS], steps(loss=[value * 2 for value in LOSS])),
    "curve-length": (steps(loss=LOSS), steps(loss=LOSS[:3])),
    "metric-added": (steps(loss=LOSS), steps(loss=LOSS, acc=LOSS)),
    "metric-removed": (steps(loss=LOSS, acc=LOSS), steps(loss=LOSS)),
    "converged-later": (steps(loss=[0.4] * 54), steps(loss=[1.0] * 40 + [0.4] * 14), PACE),
    "converged-earlier": (steps(loss=[1.0] * 40 + [0.4] * 14), steps(loss=[0.4] * 54), PACE),
    "slower": ([timed(seed=at, **STAGES) for at in range(5)], timed(seed=9, **{**STAGES, "fit": 200})),
    "faster": ([timed(seed=at, **STAGES) for at in range(5)], timed(seed=9, **{**STAGES, "fit": 50})),
    "waiting": (
        [timed(seed=at, **STAGES) for at in range(5)],
        timed(seed=9, **{**STAGES, "fit": (300, 100)}),
    ),
    "uniform-slowdown": (
        [timed(seed=at, **STAGES) for at in range(5)],
        timed(seed=9, **{name: ms * 1.8 for name, ms in STAGES.items()}),
    ),
    "critical-path": (
        [timed(seed=at, **STAGES) for at in range(5)],
        timed(seed=9, **{**STAGES, "decode": 400}),
    ),
    "inconclusive": (
        [timed(seed=0, **STAGES), timed(seed=1, **{name: ms * 1.5 for name, ms in STAGES.items()})],
        timed(seed=9, **{**STAGES, "fit": 170}),
    ),
    "incomplete-trace": (steps(), dataclasses.replace(steps(), counts=SpanCounts(dropped=3))),
    "clock-skew": (early(0), early(50)),
    "golden-stale": (stale(one()), one()),
    "rule-unused": (make_golden([one()], ignore=[IgnoreRule("nowhere", reason="it is gone")]), one()),
}


@pytest.mark.parametrize(("ms", "expected"), [(10, set()), (20, {"serialised"})])
def test_short_tasks_may_all_land_on_one_worker(ms, expected):
    """A pool of four gives its tasks to one worker when the caller is held up; long ones it would have dealt out."""

    def pool(*lanes):
        trace = Trace()
        root = trace.span("run")
        for number, lane in enumerate(lanes):
            trace.span("task", root, ms=ms, lane=lane, attrs={"shard": number})
        return trace.run()

    comparison = compare(make_golden([pool("t1", "t2", "t3", "t4")]), [pool("t5", "t5", "t5", "t5")])

    assert {finding.code for finding in comparison.failures} == expected


def test_every_code_has_a_case():
    """A code that nothing can produce is a promise to those who write ignore rules for it."""
    assert {*CASES, *OTHERWISE} == set(CODES)


@pytest.mark.parametrize("code", CASES)
def test_a_comparison_finds(code):
    """Each code is found for the change that it is named after."""
    golden, candidate, *policy = CASES[code]
    if isinstance(golden, CapturedRun):
        golden = make_golden([golden])
    elif isinstance(golden, list):
        golden = make_golden(golden)

    comparison = compare(golden, [candidate], policy=policy[0] if policy else None)

    assert code in {finding.code for finding in comparison.findings}
