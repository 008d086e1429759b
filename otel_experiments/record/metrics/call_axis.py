"""A step axis that counts calls: one counter for the run, so that metrics logged together stand at the same step.

By default each metric counts its own points. With `step_axis="call"` a call without a step is at the run's step, and the next
one a step on; `commit=False` stays at the step. A call with a step moves the counter there, and stays, as such calls do in
other trackers: those that follow with the same step are the same row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from otel_experiments.process.interruption import is_interruption
from otel_experiments.record.metrics.given_points import checked_step, is_true

if TYPE_CHECKING:
    from otel_experiments.record.base.guard import RunGuard
    from otel_experiments.record.metrics.points import PointRecorder


class CallAxis:
    """Gives the calls of one run their steps, and hands them on.

    Attributes:
        step: the step of the next call that has none.
    """

    def __init__(self, points: PointRecorder, guard: RunGuard, highest_step: float) -> None:
        self._points = points
        self._guard = guard
        self.step = highest_step + 1.0

    def log(
        self,
        values: Mapping[str, Any] | None = None,
        step: float | None = None,
        commit: bool | None = None,  # noqa: FBT001 - as in other trackers
        sync: bool | None = None,  # noqa: FBT001 - as above
        **more: Any,
    ) -> None:
        """Record one value for each metric at the step of the call; see `Run.log`."""
        points = self._points
        if not points.is_gated:
            try:
                step = self._take(step, commit)
            except Exception as error:  # any object may be passed, and any may raise
                if is_interruption(error):
                    raise
        points.log(values, step, None, sync, **more)

    def _take(self, step: Any, commit: object) -> float:
        """Return the step of a call, and let the counter stand where the next call begins."""
        given = checked_step(step, self._guard)
        is_last = (given is None) if commit is None else is_true(commit)
        # No call from here to the store: no other thread comes in between.
        found = self.step if given is None else given
        if found >= self.step:
            self.step = found + 1.0 if is_last else found
        return found
