"""What two fingerprints of a host and its libraries disagree about, and what that means for time and for bits.

Pure comparison of recorded mappings: nothing is read from the machine this runs on. A difference makes timing
advisory and turns the curve mode `exact` into `tolerance`, because neither speed nor the last bit carries over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FingerprintDifference:
    """One key that two fingerprints disagree about; None stands for a key that one of them lacks."""

    key: str
    golden: str | None
    candidate: str | None

    def __str__(self) -> str:
        return f"{self.key}: {self.golden or 'unknown'} -> {self.candidate or 'unknown'}"


def compare_fingerprints(
    golden: Mapping[str, object], candidate: Mapping[str, object]
) -> tuple[FingerprintDifference, ...]:
    """Return what differs between two fingerprints, by key; values are compared as text, as a file holds them.

    A key that only one side has counts as a difference when the other side has a fingerprint at all: a golden
    that names its CPU and a candidate that does not are not known to be the same machine. When one side has
    recorded nothing, nothing is known and the result is empty.
    """
    if not golden or not candidate:
        return ()
    differences = []
    for key in sorted({*golden, *candidate}):
        ours = str(golden[key]) if key in golden else None
        theirs = str(candidate[key]) if key in candidate else None
        if ours != theirs:
            differences.append(FingerprintDifference(key, ours, theirs))
    return tuple(differences)


def advisory_reasons(differences: Sequence[FingerprintDifference]) -> tuple[str, ...]:
    """Return one sentence for each difference, for the report's note on why time is advisory."""
    return tuple(f"the host differs ({difference})" for difference in differences)
