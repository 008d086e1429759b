"""Protocols: what a scope needs of its run, which is a class of a layer above."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from otel_experiments.record.base.ports import ProvidersPort

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

    from otel_experiments.record.base.gate import Gate
    from otel_experiments.record.base.guard import RunGuard
    from otel_experiments.record.base.ports import PipelinePort
    from otel_experiments.record.base.written import Written
    from otel_experiments.record.spans.run_span import SpanSource
    from otel_experiments.semconv.definitions import MetricDef


class ScopeProviders(ProvidersPort, Protocol):
    """What a scope needs of its run's providers."""

    @property
    def spans(self) -> SpanSource:
        """What makes the spans of scopes."""
        ...


class ScopedRun(Protocol):
    """What a scope needs of its run."""

    @property
    def id(self) -> str:
        """The run's id."""
        ...

    @property
    def experiment(self) -> str:
        """The name of the run's experiment."""
        ...

    @property
    def face(self) -> Any:  # a `Run`, a class that is above this module
        """The run as users have it."""
        ...

    @property
    def pipeline(self) -> PipelinePort:
        """The pipeline that the run feeds."""
        ...

    @property
    def tracer(self) -> Tracer:
        """What makes spans with the SDK."""
        ...

    @property
    def providers(self) -> ScopeProviders:
        """The run's providers."""
        ...

    @property
    def guard(self) -> RunGuard:
        """What the run lost."""
        ...

    @property
    def gate(self) -> Gate:
        """Whether the run takes anything now."""
        ...

    @property
    def otel_span(self) -> Span:
        """The run's root span."""
        ...

    def count_started_span(self) -> None:
        """Count a span of the run."""
        ...

    def log(
        self,
        values: Mapping[str, Any] | None = None,
        step: float | None = None,
        commit: bool | None = None,  # noqa: FBT001 - as in other trackers
        sync: bool | None = None,  # noqa: FBT001 - as above
        *,
        epoch: float | None = None,
        phase: str | None = None,
        **more: Any,
    ) -> None:
        """Record metric points."""
        ...

    def context_here(self) -> Context:
        """Return the caller's context when it is inside this run, else the run's own."""
        ...

    def record_duration(self, definition: MetricDef, span: Span) -> None:
        """Record how long a scope took."""
        ...

    def note_checkpoint(self, attributes: Mapping[str, Any], written: Written, size: int | None) -> str:
        """Record the event of a saved checkpoint; return the digest of its bytes, empty where it is not known yet."""
        ...
