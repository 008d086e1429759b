"""Which of what several attempts of a run recorded counts."""

from __future__ import annotations

from collections.abc import Sequence

from otel_experiments.model.metric import Points
from otel_experiments.model.past import Past


def attempts_of_points(points: Points, past: Past) -> list[int]:
    """Return the attempt of each point: that of the process that recorded it, where that is known, else that of its time.

    A rank that did not find what rank 0 has begun may have counted one too many.
    """
    if not points.attempts:
        return [past.attempt_at(ns) for ns in points.times_ns]
    return [
        known if 0 < known <= past.attempt else past.attempt_at(ns)
        for known, ns in zip(points.attempts, points.times_ns, strict=True)
    ]


def counting(steps: Sequence[float], attempts: Sequence[int], past: Past) -> list[bool]:
    """Return which of the points of a series count: the last attempt's of each step, and nothing that was rewound.

    Shape: `steps` [n], `attempts` [n], the result [n].
    """
    if len(past.starts_ns) == 0:
        return [True] * len(steps)
    latest: dict[float, int] = {}
    for step, attempt in zip(steps, attempts, strict=True):
        if latest.get(step, 0) < attempt:
            latest[step] = attempt
    until = {attempt: past.rewound_after(attempt) for attempt in set(attempts)}
    return [
        latest.get(step, attempt) == attempt and not step > until[attempt]
        for step, attempt in zip(steps, attempts, strict=True)
    ]
