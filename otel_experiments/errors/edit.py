"""What does not hold about an edit of a stored run."""

from __future__ import annotations

from otel_experiments.errors.root import OtelExperimentsError


class RunEditError(OtelExperimentsError, ValueError):
    """A stored run cannot be edited as it was asked for; nothing was changed."""

    def __init__(self, *, run: str, action: str, why: str, fix: str) -> None:
        self.run, self.action, self.why = run, action, why
        super().__init__(f"The run {run!r} cannot be {action}: {why}.\n  {fix}")
