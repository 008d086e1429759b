"""Laws that hold for the score of any two traces, and for the longest common subsequence."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_experiments.golden.score import lcs
from otel_experiments.golden.score.equivalence import compare_traces, measure_slowdown
from otel_experiments.golden.score.lcs import lcs_length
from otel_experiments.golden.score.literal import SystemCall
from otel_experiments.model.span import Span, SpanKind, StatusCode

NAMES = st.sampled_from(["read", "write", "close", "mmap", "forward", "backward"])
CALLS = st.lists(
    st.builds(SystemCall, NAMES, st.integers(-5, 5), st.integers(0, 2**62)), min_size=1, max_size=25
)
TEXTS = st.lists(st.integers(0, 4), max_size=60)


@st.composite
def traces(draw):
    """Spans of a random tree: each span's parent is an earlier span, or it is a root."""
    count = draw(st.integers(1, 20))
    spans = []
    for number in range(count):
        start = draw(st.integers(0, 10_000))
        parent = draw(st.one_of(st.none(), st.integers(0, number - 1))) if number else None
        spans.append(
            Span(
                "t",
                str(number),
                draw(NAMES),
                start,
                start + draw(st.integers(0, 10_000)),
                parent_span_id=None if parent is None else str(parent),
                kind=draw(st.sampled_from(SpanKind)),
                status=draw(st.sampled_from(StatusCode)),
            )
        )
    return spans


def naive_lcs(a, b):
    """The textbook table."""
    row = [0] * (len(b) + 1)
    for one in a:
        before, row = row, [0]
        for at, other in enumerate(b):
            row.append(before[at] + 1 if one == other else max(before[at + 1], row[-1]))
    return row[-1]


@pytest.mark.parametrize("band", [1, 3, 256])
@settings(max_examples=300)
@given(a=TEXTS, b=TEXTS)
def test_subsequence_is_that_of_the_table(band, a, b):
    """The bit-parallel length is the table's, from the narrowest first band to none."""
    usual = lcs._FIRST_BAND
    lcs._FIRST_BAND = band
    try:
        assert lcs_length(a, b) == naive_lcs(a, b)
    finally:
        lcs._FIRST_BAND = usual


@settings(max_examples=200)
@given(a=TEXTS, b=TEXTS, extra=st.integers(0, 4))
def test_subsequence_laws(a, b, extra):
    """It is symmetric, at most the shorter length, all of an equal list, and grows by one with a common end."""
    length = lcs_length(a, b)

    assert length == lcs_length(b, a) == lcs_length(a[::-1], b[::-1])
    assert length <= min(len(a), len(b))
    assert lcs_length(a, a) == len(a)
    assert lcs_length([*a, extra], [*b, extra]) == length + 1


def test_subsequence_of_long_lists_with_rare_items():
    """Lists long enough for several blocks, of items frequent and rare, agree with the table."""
    draw = random.Random(7)
    a = [draw.choice([0, 1, 2, draw.randrange(2000)]) for _ in range(1500)]
    b = [item for item in a if draw.random() > 0.3]
    b[200:200] = [draw.randrange(2000) for _ in range(500)]

    assert lcs_length(a, b) == naive_lcs(a, b)


@settings(max_examples=200)
@given(ours=CALLS, theirs=CALLS)
def test_seed_score_is_symmetric_and_bounded(ours, theirs):
    """In mode seed all three parts lie in 0 to 1 and do not depend on which trace is the baseline."""
    score = compare_traces(ours, theirs, mode="seed")

    assert score == compare_traces(theirs, ours, mode="seed")
    assert min(score.syscall_match, score.timing_variance, score.semantic_equiv) >= 0
    assert max(score.syscall_match, score.timing_variance, score.semantic_equiv) <= 1
    assert 0 <= score.overall() <= 1


@settings(max_examples=200)
@given(ours=traces(), theirs=traces())
def test_span_score_is_bounded_and_symmetric_but_for_time(ours, theirs):
    """In mode spans sequence and outcome are symmetric, outcome never beats sequence, all lie in 0 to 1."""
    score, reverse = compare_traces(ours, theirs), compare_traces(theirs, ours)

    assert (score.syscall_match, score.semantic_equiv) == (reverse.syscall_match, reverse.semantic_equiv)
    assert 0 <= score.semantic_equiv <= score.syscall_match <= 1
    assert 0 <= score.timing_variance <= 1
    assert 0 <= score.overall() <= 1


@settings(max_examples=200)
@given(trace=traces(), seed=st.randoms(use_true_random=False))
def test_a_trace_scores_one_against_itself(trace, seed):
    """score(a, a) is 1, 0, 1 to the last bit, also when the spans with distinct starts come shuffled."""
    distinct = len({span.start_ns for span in trace}) == len(trace)
    other = seed.sample(trace, len(trace)) if distinct else trace
    score = compare_traces(trace, other)

    assert (score.syscall_match, score.timing_variance, score.semantic_equiv) == (1.0, 0.0, 1.0)
    assert score.overall() == 1.0


TIMES = st.dictionaries(NAMES, st.integers(0, 10**15), max_size=5)


@given(ours=TIMES, theirs=TIMES)
def test_slowdown_is_zero_exactly_when_nothing_is_slower(ours, theirs):
    """Slowdown lies in 0 to 1, and is 0 if and only if no name spends more than before."""
    slowdown = measure_slowdown(ours, theirs)

    assert 0 <= slowdown <= 1
    assert (slowdown == 0) == all(spent <= ours.get(name, 0.0) for name, spent in theirs.items())
