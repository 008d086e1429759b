"""What cannot be computed of what was measured."""

from __future__ import annotations

from otel_experiments.errors.root import OtelExperimentsError


class AnalysisError(OtelExperimentsError, ValueError):
    """A number cannot be computed of what was given: a window without length, values that are not finite, one run to compare."""

    def __init__(self, *, what: str, found: str, fix: str) -> None:
        self.what, self.found, self.fix = what, found, fix
        super().__init__(f"{what}: {found}.\n  {fix}")


class PriceTableError(AnalysisError):
    """A price table cannot be read, or has a hole; `source` is the file or the model."""

    def __init__(self, *, source: str, found: str) -> None:
        self.source = source
        super().__init__(
            what=f"The price table cannot be used, for {source}",
            found=found,
            fix='Give what a million tokens cost: {"gpt-4": {"input": 30, "output": 60}}.',
        )
