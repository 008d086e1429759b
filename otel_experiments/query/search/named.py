"""The fields of runs, each kind by its name, for searches that are made of objects."""

from __future__ import annotations

from otel_experiments.model.search import (
    ArtifactField,
    ArtifactPart,
    MetricField,
    MetricStat,
    ParamField,
    SpanStat,
    SpanStatField,
    SummaryField,
    TagField,
)
from otel_experiments.query.search.build import Field


class Param(Field):
    """A param by its dotted name: `Param("optim.lr") < 1e-3`."""

    __slots__ = ()

    def __init__(self, key: str) -> None:
        super().__init__(ParamField(key))


class Tag(Field):
    """A tag: `Tag("team") == "vision"`, `Tag("baseline").exists()`."""

    __slots__ = ()

    def __init__(self, key: str) -> None:
        super().__init__(TagField(key))


class Summary(Field):
    """What the program set in the summary of its run."""

    __slots__ = ()

    def __init__(self, key: str) -> None:
        super().__init__(SummaryField(key))


class Run(Field):
    """A field of the run itself: `Run("state") == "failed"`, `Run("git.commit")`, `Run("duration") / 60 < 5`."""

    __slots__ = ()

    def __init__(self, field: str) -> None:
        super().__init__(field)


class Metric(Field):
    """The last value of a metric, or by its properties another number of its summary: `Metric("loss").min < 0.1`.

    Args:
        name: the metric.
        phase: the series of this phase; without it any one.
    """

    __slots__ = ()

    def __init__(self, name: str, phase: str | None = None) -> None:
        super().__init__(MetricField(name, phase=phase))

    def stat(self, stat: MetricStat) -> Field:
        """Return a number of the summary.

        Args:
            stat: which one, such as `"best_step"`.
        """
        assert isinstance(self.field, MetricField)
        return Field(MetricField(self.field.name, stat, self.field.phase))

    @property
    def last(self) -> Field:
        """The last value."""
        return self.stat("last")

    @property
    def min(self) -> Field:
        """The least value."""
        return self.stat("min")

    @property
    def max(self) -> Field:
        """The greatest value."""
        return self.stat("max")

    @property
    def mean(self) -> Field:
        """The mean."""
        return self.stat("mean")

    @property
    def best(self) -> Field:
        """The extreme in the direction that was declared."""
        return self.stat("best")

    @property
    def count(self) -> Field:
        """How many points there are."""
        return self.stat("count")


class Span(Field):
    """How many spans of a name a run has, or another number of them: `Span("checkpoint").stat("p95") > 2`.

    Args:
        name: what the spans are called.
    """

    __slots__ = ()

    def __init__(self, name: str) -> None:
        super().__init__(SpanStatField(name))

    def stat(self, stat: SpanStat) -> Field:
        """Return a number of the spans.

        Args:
            stat: which one, such as `"p95"`.
        """
        assert isinstance(self.field, SpanStatField)
        return Field(SpanStatField(self.field.name, stat))

    @property
    def errors(self) -> Field:
        """How many of them failed."""
        return self.stat("errors")

    @property
    def total(self) -> Field:
        """The seconds of all of them together."""
        return self.stat("total")

    @property
    def p95(self) -> Field:
        """The seconds that 95 of 100 did not exceed."""
        return self.stat("p95")


class Artifact(Field):
    """What the run logged last under a name: `Artifact("model").exists()`, `Artifact("model").size > 1e6`."""

    __slots__ = ()

    def __init__(self, name: str) -> None:
        super().__init__(ArtifactField(name))

    @property
    def size(self) -> Field:
        """Its bytes."""
        return self._part("size")

    @property
    def digest(self) -> Field:
        """The digest of its bytes."""
        return self._part("digest")

    @property
    def type(self) -> Field:
        """Its type."""
        return self._part("type")

    @property
    def aliases(self) -> Field:
        """Its aliases, of which `.contains` asks for one."""
        return self._part("aliases")

    def _part(self, part: ArtifactPart) -> Field:
        assert isinstance(self.field, ArtifactField)
        return Field(ArtifactField(self.field.name, part))
