"""Which of what several attempts of a run recorded counts."""

from __future__ import annotations

from collections.abc import Sequence

from otel_experiments.model.past import Past


def counting(steps: Sequence[float], times_ns: Sequence[int], past: Past) -> list[bool]:
    """Return which of the points of a series count: the last attempt's of each step, and nothing that was rewound.

    Shape: `steps` [n], `times_ns` [n], the result [n].
    """
    if len(past.starts_ns) == 0:
        return [True] * len(steps)
    attempts = [past.attempt_at(ns) for ns in times_ns]
    latest: dict[float, int] = {}
    for step, attempt in zip(steps, attempts, strict=True):
        if latest.get(step, 0) < attempt:
            latest[step] = attempt
    until = {attempt: past.rewound_after(attempt) for attempt in set(attempts)}
    return [
        latest.get(step, attempt) == attempt and not step > until[attempt]
        for step, attempt in zip(steps, attempts, strict=True)
    ]
