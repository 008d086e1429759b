"""What calibrating proposes: tried until equal runs pass, and nothing milder would do."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_experiments.golden.baseline import make_golden
from otel_experiments.golden.canonical.roles import DEFAULT_RULES
from otel_experiments.golden.canonical.trace import CapturedRun, MetricSeries
from otel_experiments.golden.comparison import compare
from otel_experiments.golden.policy import Policy
from otel_experiments.goldens.calibrate import calibrate
from otel_experiments.goldens.remedy import Accepted
from otel_experiments.model.span import Event, Span, StatusCode
from otel_experiments.semconv import attributes as attr

NO_TIME = Policy(timing="off")


def span(number, name, parent=None, attributes=None, **fields):
    """Return a span of the main lane; its number is its time."""
    return Span(
        trace_id="ab" * 16,
        span_id=f"{number:016x}",
        name=name,
        start_ns=number * 100,
        end_ns=number * 100 + 50,
        parent_span_id=None if parent is None else f"{parent:016x}",
        attributes={attr.ML_SPAN_LANE: "main", attr.ML_SPAN_SEQUENCE: number, **(attributes or {})},
        **fields,
    )


def jitter(rng, run):
    """Give a metric values that differ by a per mille."""
    values = [1.0 + rng.random() / 1000 for _ in range(5)]
    return replace(run, metrics=[*run.metrics, MetricSeries("near", range(5), values)])


def noise(rng, run):
    """Give a metric values that have nothing in common."""
    values = [rng.random() * 10 ** rng.randrange(6) for _ in range(5)]
    return replace(run, metrics=[*run.metrics, MetricSeries("far [x]", range(5), values, "val")])


def length(rng, run):
    """Log a metric for another number of steps."""
    size = rng.randrange(2, 9)
    return replace(run, metrics=[*run.metrics, MetricSeries("sized", range(size), [1.0] * size)])


def change_span(run, at, **fields):
    """Return the run with one span changed."""
    spans = list(run.spans)
    spans[at] = replace(spans[at], **fields)
    return replace(run, spans=spans)


def attribute(rng, run):
    """Give a span an attribute of another value, or none."""
    own = dict(run.spans[1].attributes)
    if rng.random() < 0.8:
        own["nonce"] = rng.choice(["a", "b", "c", "d", "e", "f", "g"])
    return change_span(run, 1, attributes=own)


def status(rng, run):
    """Fail now and then."""
    return change_span(run, 2, status=rng.choice([StatusCode.OK, StatusCode.ERROR]))


def event(rng, run):
    """Emit an event now and then, of another value."""
    events = [Event("retry", 0, {"code": rng.randrange(10**6)}) for _ in range(rng.randrange(2))]
    return change_span(run, 2, events=tuple(events))


def order(rng, run):
    """Do two things in any order."""
    names = ["first", "second"]
    rng.shuffle(names)
    return change_span(change_span(run, 3, name=names[0]), 4, name=names[1])


def extra(rng, run):
    """Do something now and then."""
    more = [span(9, "now and then", 0)] if rng.random() < 0.5 else []
    return replace(run, spans=[*run.spans, *more])


WHIMS = [jitter, noise, length, attribute, status, event, order, extra]


def runs_of(whims, seed, count=5):
    """Return runs of a program with some whims."""
    found = []
    for at in range(count):
        rng = random.Random(f"{seed} {at}")
        run = CapturedRun(
            [span(0, "run digits"), *(span(n, f"stage {n}", 0) for n in range(1, 5))],
            metrics=[MetricSeries("loss", range(3), [3.0, 2.0, 1.0])],
        )
        for whim in whims:
            run = whim(rng, run)
        found.append(run)
    return found


def applied(proposals):
    """Return what is declared when all proposals are."""
    accepted = Accepted(DEFAULT_RULES, NO_TIME)
    for proposal in proposals:
        accepted = proposal.apply(accepted)
    return accepted


@settings(max_examples=40)
@given(st.lists(st.sampled_from(WHIMS), max_size=4, unique=True), st.integers(0, 10**6))
def test_what_is_proposed_makes_equal_runs_pass(whims, seed):
    """Whatever varies, the runs pass each other's golden once all proposals are applied, and a steady program needs none."""
    runs = runs_of(whims, seed)

    result = calibrate(runs, policy=NO_TIME)
    accepted = applied(result.proposals)
    again = calibrate(runs, policy=accepted.policy, rules=accepted.rules, ignore=accepted.ignore)

    assert (result.remaining, again.false_alarms) == (0, 0), [str(one) for one in result.proposals]
    assert bool(result.proposals) == bool(result.false_alarms)
    assert whims or not result.proposals


@pytest.mark.parametrize(
    ("whim", "proposal"),
    [
        (jitter, "--rtol near=0.002"),
        (noise, "--volatile 'far [x]@val'"),
        (attribute, "--volatile nonce"),
        (order, "--unordered 'run digits'"),
    ],
)
def test_the_mildest_declaration_is_proposed(whim, proposal):
    """A tolerance where values are near each other, else the name that varies; never more than that."""
    result = calibrate(runs_of([whim], 1, 3), policy=NO_TIME)

    assert [str(one).split("   ")[0] for one in result.proposals] == [proposal]


def test_other_changes_are_found_under_the_proposals():
    """What is proposed for one metric leaves the others compared."""
    runs = runs_of([noise, attribute], 3)
    accepted = applied(calibrate(runs, policy=NO_TIME).proposals)
    changed = replace(runs[0], metrics=[MetricSeries("loss", range(3), [3.0, 2.0, 1.5]), runs[0].metrics[1]])
    golden = make_golden(runs[1:], rules=accepted.rules, ignore=accepted.ignore)

    comparison = compare(golden, [changed], policy=accepted.policy)

    assert [(one.code, one.key) for one in comparison.failures] == [("curve-diverged", "loss")]
