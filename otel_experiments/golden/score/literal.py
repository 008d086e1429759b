"""The score and the validator of renacer, literally: over flat lists of system calls, by position, by sign.

Kept so that numbers of the older tool can be compared with. It overlooks much on purpose of the original:
trees, attributes, status and metrics; a stage four times slower passes, a call inserted in front fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from otel_experiments.golden.score.lcs import lcs_length

_SCORED: Final = """
    read write open openat close stat fstat lstat socket connect accept sendto recvfrom send recv sendmsg recvmsg
    pipe pipe2 dup dup2 dup3 fcntl ioctl mkdir rmdir unlink rename link symlink chmod chown truncate ftruncate
"""
_VALIDATED_TOO: Final = """
    lseek pread pwrite readv writev fsync fdatasync bind listen shutdown fork vfork clone exec execve wait
    waitpid exit kill
"""

OBSERVABLE: Final = frozenset(_SCORED.split())
"""The 34 names whose calls the score compares by position."""

VALIDATED: Final = OBSERVABLE - {"fcntl", "ioctl", "link", "symlink"} | frozenset(_VALIDATED_TOO.split())
"""The 49 names whose calls the validator compares."""


@dataclass(frozen=True, slots=True)
class SystemCall:
    """One system call.

    Attributes:
        name: its name.
        result: what it returned.
        duration_ns: how long it took.
    """

    name: str
    result: int = 0
    duration_ns: int = 0


class _Call(Protocol):
    """What is read of a call."""

    @property
    def name(self) -> str: ...

    @property
    def result(self) -> int: ...

    @property
    def duration_ns(self) -> int: ...


def score_calls(baseline: Sequence[_Call], candidate: Sequence[_Call]) -> tuple[float, float, float]:
    """Return (syscall_match, timing_variance, semantic_equiv) with the arithmetic of renacer.

    Two empty lists give (1.0, 0.0, 1.0) here as they do there; `score.compare_traces` refuses them.

    Source: paiml/renacer 8374ce6, src/experiment_span.rs, compare_traces.
    """
    return (
        _sequence_match([call.name for call in baseline], [call.name for call in candidate]),
        _time_variance(
            sum(call.duration_ns for call in baseline), sum(call.duration_ns for call in candidate)
        ),
        _observable_match(baseline, candidate),
    )


def _sequence_match(baseline: Sequence[str], candidate: Sequence[str]) -> float:
    if not baseline and not candidate:
        return 1.0
    if not baseline or not candidate:
        return 0.0
    return float(lcs_length(baseline, candidate)) / float(max(len(baseline), len(candidate)))


def _time_variance(baseline_ns: int, candidate_ns: int) -> float:
    """Return the difference of the two sums over the larger one; faster counts like slower."""
    largest = max(baseline_ns, candidate_ns)
    if not largest:
        return 0.0
    # Each is rounded to a double before the division, as the original does; int / int would round once.
    return abs(float(baseline_ns) - float(candidate_ns)) / float(largest)


def _observable_match(baseline: Sequence[_Call], candidate: Sequence[_Call]) -> float:
    ours = [call for call in baseline if call.name in OBSERVABLE]
    theirs = [call for call in candidate if call.name in OBSERVABLE]
    if not ours and not theirs:
        return 1.0
    if not ours or not theirs:
        return 0.0
    equal = sum(
        1
        for one, other in zip(ours, theirs, strict=False)
        if one.name == other.name and _sign(one.result) == _sign(other.result)
    )
    return float(equal) / float(max(len(ours), len(theirs)))


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)


@dataclass(frozen=True, slots=True)
class SemanticVerdict:
    """What the validator says: `matched` of the compared calls agree, `confidence` is their share.

    On failure `divergence_index` is the first place that differs, counted in compared calls, and `baseline`
    and `candidate` show what stands there (`read -> 5`); None past the end of a list.
    """

    passes: bool
    matched: int
    confidence: float
    divergence_index: int | None = None
    baseline: str | None = None
    candidate: str | None = None


def validate_semantics(
    baseline: Sequence[_Call], candidate: Sequence[_Call], *, tolerance: float = 0.05
) -> SemanticVerdict:
    """Compare the calls that are visible from outside, by name and by success, within a tolerance.

    `tolerance` is the share of calls that may differ and by which the lengths may; it is clamped to 0 to 1.

    Source: paiml/renacer 8374ce6, src/semantic_equivalence.rs, SemanticValidator.
    """
    tolerance = clamp_tolerance(tolerance)
    ours = [call for call in baseline if call.name in VALIDATED]
    theirs = [call for call in candidate if call.name in VALIDATED]
    longest, shortest = max(len(ours), len(theirs)), min(len(ours), len(theirs))
    equal = [_same_outcome(one, other) for one, other in zip(ours, theirs, strict=False)]
    matched = sum(equal)
    if longest and 1.0 - (longest - shortest) / longest < 1.0 - tolerance:
        return SemanticVerdict(
            False,
            matched,
            matched / longest,
            shortest,
            _show(ours, shortest),
            _show(theirs, shortest),
        )
    rate = matched / shortest if shortest else 1.0
    if rate >= 1.0 - tolerance:
        return SemanticVerdict(True, matched, rate)
    at = equal.index(False)
    return SemanticVerdict(False, matched, rate, at, _show(ours, at), _show(theirs, at))


def clamp_tolerance(tolerance: float) -> float:
    """Return the tolerance as a share between 0 and 1."""
    return min(1.0, max(0.0, tolerance))


def _same_outcome(one: _Call, other: _Call) -> bool:
    """Tell whether two calls are the same call with the same success; descriptors and sizes do not count."""
    return one.name == other.name and (one.result >= 0) == (other.result >= 0)


def _show(calls: Sequence[_Call], at: int) -> str | None:
    return f"{calls[at].name} -> {calls[at].result}" if at < len(calls) else None
