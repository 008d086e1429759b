"""A golden passes each of the runs that it was made of, whatever varied between them, or is not made."""

import random
import uuid
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_experiments.errors import GoldenError
from otel_experiments.golden.baseline import make_golden
from otel_experiments.golden.canonical.trace import CapturedRun, MetricSeries
from otel_experiments.golden.comparison import compare
from otel_experiments.golden.file import read_golden, write_golden, write_stats
from otel_experiments.golden.policy import Policy
from otel_experiments.model.span import Event, Link, Span, StatusCode
from otel_experiments.semconv import attributes as attr

TRACE = "ab" * 16
WHIMS = st.fixed_dictionaries(
    {},
    optional={
        "value": st.sampled_from(["random", "few", "two"]),
        "optional": st.just(True),
        "status": st.just(True),
        "event": st.sampled_from(["count", "value", "optional"]),
        "id": st.sampled_from(["new", "shared", "sometimes shared"]),
        "index": st.sampled_from(["optional", "value"]),
        "metric": st.sampled_from(["value", "optional"]),
        "link": st.just(True),
        "type": st.just(True),
        "float": st.just(True),
        "extra": st.just(True),
    },
)
SERIES = st.sampled_from(["none", "steady", "near", "random", "optional", "length", "step_time"])
POLICIES = st.sampled_from(["structural", "strict", "statistical"])
SHAPES = st.sampled_from(["lanes", "foreign", "foreign, one after the other"])


def attributes_of(whims, rng, shared):
    """Return the attributes of a span that has some whims."""
    found = {"fixed": "same"}
    match whims.get("value"):
        case "random":
            found["value"] = rng.randrange(10**9)
        case "few":
            found["value"] = rng.choice(["a", "b", "c"])
        case "two":
            found["value"] = rng.random() < 0.5
    if "optional" in whims and rng.random() < 0.5:
        found["cached"] = rng.choice([True, False, 3])
    if "id" in whims:
        own = str(uuid.UUID(int=rng.getrandbits(128)))
        is_shared = whims["id"] == "shared" or (whims["id"] != "new" and rng.random() < 0.5)
        found["request"] = shared if is_shared else own
    if "index" in whims and (whims["index"] == "value" or rng.random() < 0.5):
        found["fold"] = rng.randrange(3)
    if "metric" in whims and (whims["metric"] == "value" or rng.random() < 0.5):
        found["loss"] = rng.random()
    if "type" in whims:
        found["typed"] = rng.choice([1, 1.0, "1"])
    if "float" in whims:
        found["rate"] = 0.1 + rng.choice([0.0, 1e-17, 1e-12])
    return found


def events_of(whims, rng):
    """Return the events of a span that has some whims."""
    match whims.get("event"):
        case "count":
            return tuple(Event("retry", 0, {}) for _ in range(rng.randrange(2)))
        case "value":
            return (Event("retry", 0, {"after": rng.randrange(10**6)}),)
        case "optional":
            return (Event("retry", 0, {"why": "busy"} if rng.random() < 0.5 else {}),)
    return ()


def run_of(shape, children, series, rng):
    """Return one run of a program whose children (name, how many, whims) do the same but for their whims."""
    spans = [
        Span(
            trace_id=TRACE,
            span_id=f"{0:016x}",
            name="run",
            start_ns=0,
            end_ns=10**7,
            attributes=lane(shape, 0),
        )
    ]
    shared = str(uuid.UUID(int=rng.getrandbits(128)))
    for kind, (count, whims) in enumerate(children):
        numbers = list(range(count))
        if shape == "foreign":
            rng.shuffle(numbers)
        for place, number in enumerate(numbers):
            at = len(spans)
            overlap = shape == "foreign"
            start = 1_000_000 * kind + (10 * place if overlap else 1_000 * place) + 1
            own = attributes_of(whims, rng, shared) | {"url": f"/{number}"} | lane(shape, at)
            links = [Link(TRACE, f"{0:016x}", {})] * rng.randrange(2) if "link" in whims else []
            status = rng.choice([StatusCode.OK, StatusCode.ERROR]) if "status" in whims else StatusCode.OK
            spans.append(
                Span(
                    trace_id=TRACE,
                    span_id=f"{at:016x}",
                    name=f"fetch {chr(97 + kind)}",
                    start_ns=start,
                    end_ns=start + (900_000 if overlap else 500),
                    parent_span_id=f"{0:016x}",
                    attributes=own,
                    events=events_of(whims, rng),
                    links=tuple(links),
                    status=status,
                )
            )
            if "extra" in whims and rng.random() < 0.3:
                inner = replace(
                    spans[-1], span_id=f"{at + 1:016x}", parent_span_id=f"{at:016x}", name="inner"
                )
                spans.append(replace(inner, attributes={**lane(shape, at + 1)}, events=(), links=()))
    rng.shuffle(spans)
    return CapturedRun(spans, metrics=list(metrics_of(series, rng)))


def lane(shape, number):
    """Return what our own recording adds to a span."""
    return {attr.ML_SPAN_LANE: "main", attr.ML_SPAN_SEQUENCE: number} if shape == "lanes" else {}


def metrics_of(series, rng):
    """Return the series of a run."""
    for number, kind in enumerate(series):
        size = rng.randrange(1, 6) if kind == "length" else 4
        values = [1.0 / (1 + at) for at in range(size)]
        if kind == "near":
            values = [value * (1 + rng.random() * 1e-3) for value in values]
        if kind in {"random", "step_time"}:
            values = [rng.random() * 10 ** rng.randrange(5) for _ in values]
        if kind == "none" or (kind == "optional" and rng.random() < 0.5):
            continue
        name = kind if kind == "step_time" else f"m{number}"
        yield MetricSeries(name, [float(at) for at in range(size)], values, rng.choice(["", ""]))


CHILDREN = st.lists(st.tuples(st.integers(1, 4), WHIMS), min_size=1, max_size=3)
THOROUGH = settings(
    max_examples=120, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


def failures(golden, run, policy):
    """Return what a run fails for."""
    return [
        (one.code, one.path, one.key, one.golden, one.candidate)
        for one in compare(golden, [run], policy=policy).failures
    ]


@THOROUGH
@given(SHAPES, POLICIES, CHILDREN, st.lists(SERIES, max_size=3), st.integers(1, 5), st.integers(0, 10**6))
def test_a_golden_passes_the_runs_it_was_made_of(shape, policy, children, series, count, seed):
    """Attributes, ids, events, metrics, status and structure vary: what is accepted passes, alone and from the file."""
    runs = [run_of(shape, children, series, random.Random(f"{seed} {at}")) for at in range(count)]
    try:
        golden = make_golden(runs)
    except GoldenError:
        return  # refused, with the reason
    golden.variants[1:] = [replace(one, reason="accepted") for one in golden.variants[1:]]
    written = read_golden(write_golden(golden), stats=write_stats(golden))

    for one in (golden, written):
        assert [failures(one, run, Policy(policy, timing="off")) for run in runs] == [[]] * count


@settings(max_examples=25)
@given(st.integers(1, 24), st.floats(1.0, 20.0), st.integers(0, 10**6))
def test_a_golden_passes_its_slow_run_too(count, factor, seed):
    """One of many runs that the machine was slow for is a run of the golden still; another one as slow fails."""
    rng = random.Random(seed)

    def timed(factor):
        spans = [Span(TRACE, f"{0:016x}", "run", 0, 2 * 10**9, attributes=lane("lanes", 0))]
        for at in range(1, 31):
            own_ns = int(1e7 * factor * (1 + rng.random() / 50))
            cpu = {attr.ML_SPAN_CPU_TIME: own_ns}
            spans.append(
                Span(
                    TRACE,
                    f"{at:016x}",
                    "step",
                    at * 10**9,
                    at * 10**9 + own_ns,
                    parent_span_id=f"{0:016x}",
                    attributes=lane("lanes", at) | cpu,
                )
            )
        return CapturedRun(spans)

    runs = [timed(1.0) for _ in range(count - 1)] + [timed(factor)]
    golden = make_golden(runs)
    written = read_golden(write_golden(golden), stats=write_stats(golden))

    for one in (golden, written):
        assert [failures(one, run, Policy()) for run in runs] == [[]] * count
    if count == 24 and factor > 2:
        assert [code for code, *_ in failures(written, timed(factor * 1.5), Policy())] == ["slower"]
