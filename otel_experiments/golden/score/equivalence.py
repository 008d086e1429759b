"""The equivalence score of two traces: one comparable number, printed beside a verdict that it does not make.

`mode="spans"` scores spans by their canonical order, `mode="seed"` reproduces renacer's arithmetic over system
calls (`literal.py`). On generated pairs no threshold of the seed's score tells equal from changed in more
than two cases of three, so findings and policy decide.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, overload

from otel_experiments.errors import EmptyTraceError
from otel_experiments.golden.score.lcs import lcs_length
from otel_experiments.golden.score.literal import SystemCall, score_calls
from otel_experiments.golden.timing.stage import compute_self_times
from otel_experiments.model.span import Span
from otel_experiments.model.tree import SpanNode, build_forest
from otel_experiments.semconv import attributes

EQUIVALENT_FROM: Final = 0.85
"""The overall score from which two traces are called equivalent, as the seed has it."""


@dataclass(frozen=True, slots=True)
class EquivalenceScore:
    """How alike two traces are, in three ratios between 0 and 1.

    Attributes:
        syscall_match: the similarity of the sequences; 1 is equal.
        timing_variance: the difference of the times; 0 is equal.
        semantic_equiv: the share of what is the same in name and outcome; 1 is equal.
    """

    syscall_match: float
    timing_variance: float
    semantic_equiv: float

    @property
    def sequence_match(self) -> float:
        """`syscall_match` by the name that fits spans."""
        return self.syscall_match

    def overall(self) -> float:
        """Return the weighted score: 40 % sequence, 20 % time, 40 % outcome."""
        return 0.4 * self.syscall_match + 0.2 * (1.0 - self.timing_variance) + 0.4 * self.semantic_equiv

    def is_equivalent(self) -> bool:
        """Tell whether the overall score reaches 0.85."""
        return self.overall() >= EQUIVALENT_FROM


@overload
def compare_traces(
    baseline: Sequence[Span], candidate: Sequence[Span], *, mode: Literal["spans"] = ...
) -> EquivalenceScore: ...


@overload
def compare_traces(
    baseline: Sequence[SystemCall], candidate: Sequence[SystemCall], *, mode: Literal["seed"]
) -> EquivalenceScore: ...


def compare_traces(
    baseline: Sequence[Span] | Sequence[SystemCall],
    candidate: Sequence[Span] | Sequence[SystemCall],
    *,
    mode: Literal["spans", "seed"] = "spans",
) -> EquivalenceScore:
    """Score how alike two traces are.

    `spans`: the sequence is that of the span names in canonical order; time counts what got slower, by name
    and in self time; the outcome is the share of aligned spans of equal name, kind and status.
    `seed`: the sequence is that of all calls; time is the difference of the sums in either direction; the
    outcome compares 34 observable calls by position, name and sign of the result.

    Args:
        baseline: the accepted trace: spans, or calls in mode `seed`.
        candidate: the trace that is compared with it.
        mode: `spans` or `seed`.

    Raises:
        EmptyTraceError: both traces are empty; two traces of nothing are not evidence of equality.
        TypeError: the traces do not hold what the mode compares.
    """
    if not baseline and not candidate:
        raise EmptyTraceError(run="baseline and candidate")
    if mode == "seed":
        calls = [item for item in baseline if isinstance(item, SystemCall)]
        other_calls = [item for item in candidate if isinstance(item, SystemCall)]
        _refuse_strangers(mode, "SystemCall", len(baseline) + len(candidate) - len(calls) - len(other_calls))
        return EquivalenceScore(*score_calls(calls, other_calls))
    ours = [item for item in baseline if isinstance(item, Span)]
    theirs = [item for item in candidate if isinstance(item, Span)]
    _refuse_strangers(mode, "model.Span", len(baseline) + len(candidate) - len(ours) - len(theirs))
    ours, theirs = order_spans(ours), order_spans(theirs)
    return score_sequences(
        [span.name for span in ours],
        [span.name for span in theirs],
        aligned_equal=lcs_length([_outcome(span) for span in ours], [_outcome(span) for span in theirs]),
        timing_variance=measure_slowdown(_time_by_name(ours), _time_by_name(theirs)),
    )


def score_sequences(
    baseline: Sequence[Hashable], candidate: Sequence[Hashable], *, aligned_equal: int, timing_variance: float
) -> EquivalenceScore:
    """Score two traces that have been aligned already.

    Args:
        baseline: Canonical names of the baseline's spans, in canonical order.
        candidate: The same of the candidate.
        aligned_equal: How many pairs of the alignment have equal name, kind and status.
        timing_variance: Of `measure_slowdown`.

    Raises:
        EmptyTraceError: both sequences are empty.
        ValueError: more pairs than the shorter sequence has items.
    """
    longest, shortest = max(len(baseline), len(candidate)), min(len(baseline), len(candidate))
    if not longest:
        raise EmptyTraceError(run="baseline and candidate")
    if not 0 <= aligned_equal <= shortest:
        message = f"{aligned_equal} aligned pairs cannot come from sequences of {len(baseline)} and {len(candidate)}"
        raise ValueError(message)
    return EquivalenceScore(
        syscall_match=lcs_length(baseline, candidate) / longest,
        timing_variance=min(1.0, max(0.0, timing_variance)),
        semantic_equiv=aligned_equal / longest,
    )


def measure_slowdown(baseline_ns: Mapping[str, float], candidate_ns: Mapping[str, float]) -> float:
    """Return the time that the candidate spends more, as a share of all it would take; 0 when nothing is slower.

    Units: self time in nanoseconds by name (or path), summed over the trace. What one name gains cannot be
    paid for by another that got faster. A trace that is four times slower throughout has 0.75, as in the seed.
    """
    more = sum(max(0.0, spent - baseline_ns.get(name, 0.0)) for name, spent in candidate_ns.items())
    total = sum(baseline_ns.values()) + more
    return more / total if more > 0 else 0.0


def order_spans(spans: Sequence[Span]) -> list[Span]:
    """Return the spans in canonical order: parents first, siblings by sequence number where they have one.

    Sequence numbers count within a process, so siblings of several processes are ordered by start time, as
    are those that lack a number.
    """
    ordered: list[Span] = []
    stack = list(reversed(_order_siblings(build_forest(spans))))
    while stack:
        node = stack.pop()
        ordered.append(node.span)
        stack.extend(reversed(_order_siblings(node.children)))
    return ordered


def _order_siblings(nodes: list[SpanNode]) -> list[SpanNode]:
    if len(nodes) < 2:
        return nodes
    resource = nodes[0].span.resource
    numbered = []
    for node in nodes:
        number = node.span.attributes.get(attributes.ML_SPAN_SEQUENCE)
        same_process = node.span.resource is resource or node.span.resource == resource
        if not isinstance(number, int) or not same_process:
            return nodes  # the forest has them by start time
        numbered.append((number, node))
    return [node for _, node in sorted(numbered, key=lambda pair: pair[0])]


def _outcome(span: Span) -> tuple[str, int, int]:
    return span.name, span.kind, span.status


def _time_by_name(spans: Sequence[Span]) -> dict[str, float]:
    totals: defaultdict[str, float] = defaultdict(float)
    for span, own in zip(spans, compute_self_times(spans), strict=True):
        totals[span.name] += own.wall_ns
    return totals


def _refuse_strangers(mode: str, wanted: str, count: int) -> None:
    if count:
        message = f"mode {mode!r} compares {wanted} objects; {count} of the given items are something else"
        raise TypeError(message)
