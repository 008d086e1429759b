"""The equivalence score: vectors of the seed, a naive literal port as oracle, and the score of spans."""

import random

import pytest

from otel_experiments.errors import EmptyTraceError
from otel_experiments.golden.score.equivalence import (
    EquivalenceScore,
    compare_traces,
    measure_slowdown,
    order_spans,
    score_sequences,
)
from otel_experiments.golden.score.literal import (
    OBSERVABLE,
    VALIDATED,
    SystemCall,
    clamp_tolerance,
    score_calls,
    validate_semantics,
)
from otel_experiments.model.span import Resource, Span, SpanKind, StatusCode
from otel_experiments.semconv import attributes


def calls(text, *, result=0, duration_ns=1000):
    """Calls from their names."""
    return [SystemCall(name, result, duration_ns) for name in text.split()]


def make_span(number, name, *, parent=0, start=None, length=10, sequence=True, **fields):
    """A span; `parent` 0 is the root, None none."""
    attrs = {attributes.ML_SPAN_SEQUENCE: number} if sequence else {}
    start = number * 10 if start is None else start
    return Span(
        "t",
        f"{number:016x}",
        name,
        start,
        start + length,
        parent_span_id=None if parent is None else f"{parent:016x}",
        attributes=attrs,
        **fields,
    )


def make_trace(names, **fields):
    """A root and its children in sequence."""
    root = make_span(0, "run", parent=None, length=10 * len(names) + 10)
    return [root, *(make_span(at, name, **fields) for at, name in enumerate(names, start=1))]


# --- the number itself -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "overall", "equivalent"),
    [
        pytest.param((1.0, 0.0, 1.0), 1.0, True, id="R01"),
        pytest.param((0.9, 0.1, 0.95), 0.92, True, id="R02"),
        pytest.param((0.95, 0.05, 0.98), 0.962, True, id="R03a"),
        pytest.param((0.5, 0.8, 0.4), 0.40, False, id="R03b"),
        pytest.param((0.3, 0.8, 0.3), 0.28, False, id="R03c"),
    ],
)
def test_overall_of_the_seed_vectors(parts, overall, equivalent):
    """The weights are 40, 20 and 40 %, time inverted, and 0.85 is equivalent."""
    score = EquivalenceScore(*parts)

    assert score.overall() == pytest.approx(overall, abs=1e-12)
    assert score.is_equivalent() is equivalent
    assert score.sequence_match == score.syscall_match


# --- mode="seed" -------------------------------------------------------------------------------------------------


def test_two_empty_traces_are_refused_in_both_modes():
    """R04, as recommended: no spans are no evidence; the literal arithmetic stays available."""
    for mode in ("spans", "seed"):
        with pytest.raises(EmptyTraceError):
            compare_traces([], [], mode=mode)
    assert score_calls([], []) == (1.0, 0.0, 1.0)


def test_one_empty_trace_matches_nothing():
    """A trace and nothing have no sequence, no outcome and all the time in common."""
    one = calls("read write")

    assert compare_traces(one, [], mode="seed") == EquivalenceScore(0.0, 1.0, 0.0)
    assert compare_traces([], one, mode="seed") == EquivalenceScore(0.0, 1.0, 0.0)


def test_another_call_matches_only_in_time():
    """R05: read against write of equal duration scores 0, 0, 0 and 0.2 in all."""
    score = compare_traces(calls("read", result=100), calls("write", result=100), mode="seed")

    assert score == EquivalenceScore(0.0, 0.0, 0.0)
    assert score.overall() == pytest.approx(0.2, abs=1e-15)


def test_signs_of_results_count():
    """R12: 100 and 0 differ for the score, and are equal for the validator."""
    ours, theirs = calls("read", result=100), calls("read", result=0)

    assert compare_traces(ours, theirs, mode="seed").semantic_equiv == 0.0
    assert compare_traces(ours, calls("read", result=7), mode="seed").semantic_equiv == 1.0
    assert validate_semantics(ours, theirs).passes


def test_four_times_slower_passes_by_one_rounding():
    """The seed's best-known blind spot: 4x slower scores 0.8500000000000001, anything above fails."""
    ours = calls("read write close", duration_ns=1000)

    slow = compare_traces(ours, calls("read write close", duration_ns=4000), mode="seed")
    slower = compare_traces(ours, calls("read write close", duration_ns=4001), mode="seed")
    assert slow.overall() == 0.8500000000000001
    assert slow.is_equivalent()
    assert not slower.is_equivalent()


def test_faster_counts_like_slower():
    """The seed's time term is symmetric."""
    ours, theirs = calls("read", duration_ns=100), calls("read", duration_ns=400)

    assert compare_traces(ours, theirs, mode="seed").timing_variance == 0.75
    assert compare_traces(theirs, ours, mode="seed").timing_variance == 0.75


def test_a_call_in_front_fails_a_loop():
    """One call without duration in front of a loop of 160 scores 0.598: comparison is by position."""
    loop = calls("openat read write close " * 40)
    score = compare_traces(loop, [SystemCall("ioctl"), *loop], mode="seed")

    assert score.syscall_match == 160 / 161
    assert score.semantic_equiv == 0.0
    assert score.overall() == pytest.approx(0.598, abs=5e-4)
    assert not score.is_equivalent()


def test_losing_the_last_part_passes():
    """Losing the last 15 % of the calls scores 0.85 and a hair's breadth decides."""
    loop = calls("read " * 100)

    assert compare_traces(loop, loop[:85], mode="seed").overall() == pytest.approx(0.85, abs=1e-12)


def test_calls_that_are_not_observable_count_in_the_sequence_only():
    """Differences in mmap, brk and futex change the sequence and not the outcome (R23)."""
    ours, theirs = calls("mmap read brk"), calls("futex read")
    score = compare_traces(ours, theirs, mode="seed")

    assert (score.syscall_match, score.semantic_equiv) == (1 / 3, 1.0)
    assert validate_semantics(ours, theirs).passes


def test_the_two_lists_of_observable_calls():
    """The score knows 34 names, the validator 49, and neither knows the modern ones."""
    assert (len(OBSERVABLE), len(VALIDATED)) == (34, 49)
    assert {"fcntl", "ioctl", "link", "symlink"} == OBSERVABLE - VALIDATED
    assert not {"newfstatat", "pread64", "statx", "accept4"} & (OBSERVABLE | VALIDATED)


LITERAL_NAMES = """read write open openat close stat fstat lstat socket connect accept sendto recvfrom send recv
    sendmsg recvmsg pipe pipe2 dup dup2 dup3 fcntl ioctl mkdir rmdir unlink rename link symlink chmod chown truncate
    ftruncate"""
LITERAL_NAMES = set(LITERAL_NAMES.split())


def literal_score(ours, theirs):
    """The seed's arithmetic, written naively from its description: quadratic table, sums, positions."""
    if not ours and not theirs:
        match = 1.0
    elif not ours or not theirs:
        match = 0.0
    else:
        table = [[0] * (len(theirs) + 1) for _ in range(len(ours) + 1)]
        for row, one in enumerate(ours, 1):
            for column, other in enumerate(theirs, 1):
                table[row][column] = (
                    table[row - 1][column - 1] + 1
                    if one.name == other.name
                    else max(table[row - 1][column], table[row][column - 1])
                )
        match = table[-1][-1] / max(len(ours), len(theirs))
    first, second = sum(call.duration_ns for call in ours), sum(call.duration_ns for call in theirs)
    variance = abs(first - second) / max(first, second) if max(first, second) else 0.0
    seen = [(call.name, (call.result > 0) - (call.result < 0)) for call in ours if call.name in LITERAL_NAMES]
    seen_too = [
        (call.name, (call.result > 0) - (call.result < 0)) for call in theirs if call.name in LITERAL_NAMES
    ]
    if not seen and not seen_too:
        outcome = 1.0
    elif not seen or not seen_too:
        outcome = 0.0
    else:
        same = 0
        for at in range(min(len(seen), len(seen_too))):
            if seen[at] == seen_too[at]:
                same += 1
        outcome = same / max(len(seen), len(seen_too))
    return match, variance, outcome, 0.4 * match + 0.2 * (1.0 - variance) + 0.4 * outcome


def test_a_thousand_random_pairs_equal_a_literal_port():
    """Row 11 of the targets: equal to 1e-12 on 1,000 random pairs, half of them one mutated from the other."""
    draw = random.Random(20)
    names = [*sorted(OBSERVABLE)[:8], "mmap", "futex", "brk"]

    def one_call():
        return SystemCall(
            draw.choice(names), draw.choice([-1, 0, 3, 100]), draw.choice([0, 17, 10**6, 3 * 10**12])
        )

    for number in range(1000):
        ours = [one_call() for _ in range(draw.randrange(30))]
        if number % 2:
            theirs = [one_call() for _ in range(draw.randrange(30))]
        else:
            theirs = [one_call() if draw.random() < 0.1 else call for call in ours if draw.random() > 0.1]
        if not ours and not theirs:
            continue
        score = compare_traces(ours, theirs, mode="seed")
        found = (score.syscall_match, score.timing_variance, score.semantic_equiv, score.overall())
        assert found == pytest.approx(literal_score(ours, theirs), abs=1e-12)


# --- the validator -----------------------------------------------------------------------------------------------


def test_tolerance_is_clamped():
    """R16: 1.5 becomes 1.0, -0.5 becomes 0.0."""
    assert (clamp_tolerance(1.5), clamp_tolerance(-0.5), clamp_tolerance(0.05)) == (1.0, 0.0, 0.05)


def test_other_descriptors_pass():
    """R17: open, read, close with descriptor 4 for 3 pass, three matched."""
    ours = [SystemCall("open", 3), SystemCall("read", 100), SystemCall("close", 0)]
    theirs = [SystemCall("open", 4), SystemCall("read", 100), SystemCall("close", 0)]

    verdict = validate_semantics(ours, theirs)
    assert (verdict.passes, verdict.matched, verdict.confidence) == (True, 3, 1.0)


def test_the_first_divergence_is_shown():
    """R18: open, read against open, write fails at index 1 and shows both calls."""
    verdict = validate_semantics(calls("open read", result=5), calls("open write", result=7))

    assert (verdict.passes, verdict.divergence_index) == (False, 1)
    assert (verdict.baseline, verdict.candidate) == ("read -> 5", "write -> 7")


@pytest.mark.parametrize(
    ("ours", "theirs", "tolerance", "passes"),
    [
        pytest.param("open write close", "open close write", 0.05, False, id="R19"),
        pytest.param("write write write", "write", 0.05, False, id="R20"),
        pytest.param("read " * 20, "read " * 21, 0.05, True, id="R21a"),
        pytest.param("read " * 10, "read " * 20, 0.05, False, id="R21b"),
        pytest.param("read " * 10, "read " * 8 + "write write", 0.05, False, id="R22a"),
        pytest.param("read " * 10, "read " * 8 + "write write", 0.25, True, id="R22b"),
        pytest.param("", "", 0.05, True, id="nothing observable"),
    ],
)
def test_validator_vectors(ours, theirs, tolerance, passes):
    """The seed's vectors of the validator."""
    assert validate_semantics(calls(ours), calls(theirs), tolerance=tolerance).passes is passes


def test_a_length_that_differs_too_much_diverges_at_the_end():
    """The index of a length failure is the end of the shorter list, where one side has nothing."""
    verdict = validate_semantics(calls("read " * 10), calls("read " * 20))

    assert (verdict.divergence_index, verdict.baseline, verdict.candidate) == (10, None, "read -> 0")


def test_success_and_failure_differ():
    """R24: a read that returned 5 and one that failed are not equal."""
    assert not validate_semantics(calls("read", result=5), calls("read", result=-1)).passes


# --- mode="spans" ------------------------------------------------------------------------------------------------

STEP = ["batch.get", "forward", "backward", "optimizer"]


def test_a_trace_is_equal_to_itself():
    """The same spans score 1, 0, 1, whatever the order they come in and whatever their ids."""
    trace = make_trace(STEP * 5)
    shuffled = list(trace)
    random.Random(1).shuffle(shuffled)

    assert compare_traces(trace, shuffled) == EquivalenceScore(1.0, 0.0, 1.0)


def test_a_span_in_front_costs_one_span():
    """Aligned, one span more in front of a loop of 160 costs 1 of 162 and not the whole outcome."""
    ours, theirs = make_trace(STEP * 40), make_trace(["warm.up", *STEP * 40])
    score = compare_traces(ours, theirs)

    assert score.syscall_match == score.semantic_equiv == 161 / 162
    assert score.is_equivalent()


def test_faster_is_no_variance_and_slower_is():
    """Time counts in one direction: half the time is 0, four times is 0.75 as in the seed, clipped below 1."""
    ours = [make_span(1, "forward", parent=None, length=1000)]
    fast = [make_span(1, "forward", parent=None, length=500)]
    slow = [make_span(1, "forward", parent=None, length=4000)]

    assert compare_traces(ours, fast).timing_variance == 0.0
    assert compare_traces(ours, slow).timing_variance == 0.75
    assert compare_traces(ours, [make_span(1, "forward", parent=None, length=10**12)]).timing_variance < 1.0


def test_time_gained_elsewhere_does_not_pay_for_a_slow_stage():
    """A stage that doubled is seen though another got faster by as much, where the sums say nothing."""
    assert measure_slowdown({"a": 100.0, "b": 100.0}, {"a": 200.0, "b": 0.0}) == pytest.approx(100 / 300)
    assert measure_slowdown({"a": 100.0}, {"a": 100.0, "new": 25.0}) == pytest.approx(0.2)
    assert measure_slowdown({}, {"a": 10.0}) == 1.0
    assert measure_slowdown({}, {}) == 0.0
    assert measure_slowdown({"a": 0.0}, {"a": 0.0}) == 0.0


def test_self_time_counts_a_slow_child_once():
    """A child that takes longer inside a parent that waits for it is counted for itself, not for both."""

    def trace(length):
        return [
            make_span(0, "run", parent=None, length=length + 20),
            make_span(1, "backward", start=10, length=length),
        ]

    assert compare_traces(trace(100), trace(300)).timing_variance == pytest.approx(200 / 320)


@pytest.mark.parametrize(
    "change", [{"status": StatusCode.ERROR}, {"kind": SpanKind.CLIENT}], ids=["status", "kind"]
)
def test_status_and_kind_are_outcomes(change):
    """A span with another status or kind keeps its place in the sequence and loses its outcome."""
    ours = make_trace(STEP)
    theirs = [*ours[:3], make_span(3, "backward", **change), ours[4]]
    score = compare_traces(ours, theirs)

    assert (score.syscall_match, score.semantic_equiv) == (1.0, 4 / 5)


def test_one_side_without_spans_scores_nothing():
    """A trace against an empty one never is equivalent."""
    score = compare_traces(make_trace(STEP), [])

    assert (score.syscall_match, score.semantic_equiv) == (0.0, 0.0)
    assert not score.is_equivalent()
    assert not compare_traces([], make_trace(STEP)).is_equivalent()


def test_siblings_are_ordered_by_sequence_number():
    """Sequence numbers decide the order of siblings, not starts that a clock set back."""
    root = make_span(0, "run", parent=None)
    spans = [
        root,
        make_span(2, "second", start=5),
        make_span(1, "first", start=50),
        make_span(3, "third", start=7),
    ]

    assert [span.name for span in order_spans(spans)] == ["run", "first", "second", "third"]


def test_siblings_without_number_or_of_two_processes_are_ordered_by_start():
    """Foreign spans, and numbers of two processes (which both count from 0), leave the order to the starts."""
    root = make_span(0, "run", parent=None)
    foreign = [root, make_span(2, "b", start=50, sequence=False), make_span(9, "a", start=5)]
    other = Resource({"service.instance.id": "2"})
    ranks = [root, make_span(2, "a", start=5), make_span(1, "b", start=50, resource=other)]

    assert [span.name for span in order_spans(foreign)] == ["run", "a", "b"]
    assert [span.name for span in order_spans(ranks)] == ["run", "a", "b"]


def test_children_follow_their_parent():
    """The order is that of the tree, depth first, deep trees included."""
    chain = [make_span(0, "n0", parent=None)]
    chain += [make_span(at, f"n{at}", parent=at - 1) for at in range(1, 3000)]

    assert [span.name for span in order_spans(list(reversed(chain)))] == [f"n{at}" for at in range(3000)]


def test_modes_refuse_what_they_do_not_compare():
    """System calls in mode spans, spans in mode seed, and an unaligned count are refused with what was found."""
    with pytest.raises(TypeError, match=r"'spans' compares model\.Span objects; 1 of the given"):
        compare_traces(calls("read"), [])
    with pytest.raises(TypeError, match="'seed' compares SystemCall objects; 5 of the given"):
        compare_traces(make_trace(STEP), calls("read"), mode="seed")
    with pytest.raises(ValueError, match="3 aligned pairs cannot come from"):
        score_sequences(["a", "b"], ["a", "b", "c"], aligned_equal=3, timing_variance=0.0)
    with pytest.raises(EmptyTraceError):
        score_sequences([], [], aligned_equal=0, timing_variance=0.0)


def test_an_alignment_of_ones_own_is_taken():
    """A caller that has aligned already gives its pairs; variance is clipped to 0 to 1."""
    assert score_sequences(
        ["a", "b", "c"], ["a", "c"], aligned_equal=1, timing_variance=1.7
    ) == EquivalenceScore(2 / 3, 1.0, 1 / 3)
