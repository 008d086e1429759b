"""Laws that hold for every program: equal runs compare equal, changes are found, and both of two are reported."""

import importlib.util
import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_experiments.golden.baseline import make_golden
from otel_experiments.golden.canonical.canonicalize import canonicalize
from otel_experiments.golden.canonical.trace import CapturedRun
from otel_experiments.golden.canonical.values import encode_value, show_value
from otel_experiments.golden.comparison import compare
from otel_experiments.golden.file import read_golden, write_golden, write_stats
from otel_experiments.golden.file.scan import Scanner, show_index
from otel_experiments.golden.match.ledger import Ledger
from otel_experiments.golden.match.matcher import match_forms
from otel_experiments.golden.policy import Policy
from otel_experiments.semconv import attributes as attr

FOLDER = Path(__file__).parents[2] / "benchmarks" / "golden"
NO_TIME = Policy(timing="off")


def load(name):
    """Return a script of benchmarks/golden as a module."""
    if f"golden_{name}" not in sys.modules:
        spec = importlib.util.spec_from_file_location(f"golden_{name}", FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[f"golden_{name}"] = module
        spec.loader.exec_module(module)
    return sys.modules[f"golden_{name}"]


generate = load("generate")
SEEDS = st.integers(0, 10**9)
QUICK = settings(max_examples=40)


def grown(seed, *, lanes="lanes"):
    """Return a random program and a run of it."""
    rng = random.Random(seed)
    program = generate.Grower(rng).program()
    program.lanes = lanes
    return program, run_of(program, seed)


def run_of(program, seed):
    """Return a run of a program."""
    return generate.run_program(program.root, generate.conditions(program, seed, random.Random(seed)))


def findings(golden, candidate):
    """Return (code, path) of what differs in structure and spans."""
    ledger = Ledger()
    match_forms(canonicalize(golden), canonicalize(candidate), ledger)
    return sorted((one.code, one.path) for one in ledger.findings())


@QUICK
@given(SEEDS)
def test_a_run_equals_itself(seed):
    """compare(a, a) finds nothing, from runs and from the file."""
    _, run = grown(seed)
    golden = make_golden([run])

    assert compare(golden, [run]).findings == ()
    assert compare(read_golden(write_golden(golden), stats=write_stats(golden)), [run]).findings == ()


@QUICK
@given(SEEDS, SEEDS)
def test_two_runs_of_one_program_are_equal(seed, other):
    """Other ids, times, lanes, workers and export orders change nothing."""
    program, run = grown(seed)

    assert findings(run, run_of(program, other)) == []


@QUICK
@given(SEEDS)
def test_names_of_lanes_and_ids_mean_nothing(seed):
    """Lanes renamed, ids drawn anew, spans shuffled: the same form."""
    _, run = grown(seed)
    rng = random.Random(seed)
    lanes, ids = {}, {None: None}
    for span in run.spans:
        lane = span.attributes[attr.ML_SPAN_LANE]
        rank = lane.split("/")[0] + "/" if lane.startswith("rank") else ""
        is_own = lane.endswith("main") or lane == "main"
        lanes.setdefault(lane, lane if is_own else f"{rank}worker-{rng.randrange(10**6)}-{len(lanes)}")
        ids[span.span_id] = f"{rng.getrandbits(64):016x}"
    spans = [
        replace(
            span,
            trace_id="0" * 32,
            span_id=ids[span.span_id],
            parent_span_id=ids[span.parent_span_id],
            attributes={**span.attributes, attr.ML_SPAN_LANE: lanes[span.attributes[attr.ML_SPAN_LANE]]},
        )
        for span in run.spans
    ]
    rng.shuffle(spans)

    assert findings(run, CapturedRun(spans)) == []
    assert write_golden(make_golden([CapturedRun(spans)])) == write_golden(make_golden([run]))


MIRRORED = {
    "added": "removed",
    "removed": "added",
    "wrapped": "unwrapped",
    "unwrapped": "wrapped",
    "serialised": "parallelised",
    "parallelised": "serialised",
    "attr-added": "attr-removed",
    "attr-removed": "attr-added",
}


@QUICK
@given(SEEDS, st.sampled_from(["drop", "add", "wrap", "serial", "attr+", "attr", "status", "kind", "event"]))
def test_a_comparison_the_other_way_round_is_its_mirror(seed, operator):
    """What is added in one direction is removed in the other, and what changed changed back."""
    program, run = grown(seed)
    twin = generate.Program(program.root.copy(), program.lanes)
    if not generate.mutate(twin, operator, random.Random(seed)):
        return
    changed = run_of(twin, seed + 1)

    there = {code for code, _ in findings(run, changed)}
    back = {code for code, _ in findings(changed, run)}

    assert there
    assert {MIRRORED.get(code, code) for code in there} == back


@QUICK
@given(SEEDS, st.sampled_from(sorted(set(generate.EXPECTED) - {"slow", "nan", "curve"})))
def test_a_change_is_found(seed, operator):
    """Whatever an operator changes is a failure, also after a round trip through the file."""
    program, run = grown(seed)
    twin = generate.Program(program.root.copy(), program.lanes)
    if not generate.mutate(twin, operator, random.Random(seed)):
        return
    golden = read_golden(write_golden(make_golden([run])))

    comparison = compare(golden, [run_of(twin, seed + 1)], policy=NO_TIME)

    assert comparison.verdict == "fail"


@QUICK
@given(SEEDS)
def test_both_of_two_changes_are_reported(seed):
    """A new attribute on one span and a failed status on another are two findings."""
    program, run = grown(seed)
    twin = generate.Program(program.root.copy(), program.lanes)
    works = [
        work for work, _, _, parent in generate.walk([twin.root]) if parent is not None and not work.body
    ]
    plain = [work for work in works if work.status.value == 0]
    if len(plain) < 2:
        return
    plain[0].attributes["precision"] = "bf16"
    plain[-1].status = generate.StatusCode.ERROR

    codes = {code for code, _ in findings(run, run_of(twin, seed + 1))}

    assert codes == {"attr-added", "status"}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=8) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_values_read_back_as_they_were_written(value):
    """Every value of an attribute survives the file's text."""
    encoded = encode_value(value)
    scanner = Scanner(show_value(encoded))

    assert (scanner.value(), scanner.is_done) == (encoded, True)


@given(st.lists(st.none() | st.integers(-50, 50) | st.floats(-2, 2).map(lambda x: round(x, 3)), max_size=30))
def test_index_lists_read_back_as_they_were_written(values):
    """Ranges, repetitions and gaps of an index survive the file's text."""
    if not values:
        return

    read = Scanner(show_index(values)).index_list()

    assert [(type(value), value) for value in read] == [(type(value), value) for value in values]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("changed", [False, True], ids=["equal", "changed"])
def test_generated_pairs_are_judged_right(changed):
    """200 pairs of random programs: no false alarm, no miss, and nearly always the right code."""
    lines = []

    wrong, right, _ = generate.measure_pairs(200, "suite", changed=changed, say=lines.append)

    assert wrong == [], lines
    if changed:
        assert right >= 199, lines
