"""Protocols: what the rooms below `pipeline` and `run` need of a run and of the pipeline, without importing either.

What is read is a property here, so that a class may have it narrower.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanLimits, SpanProcessor
    from opentelemetry.trace import Span, Tracer

    from otel_experiments.journal.writer import JournalWriter
    from otel_experiments.record.base.declared import References
    from otel_experiments.record.base.gate import Gate
    from otel_experiments.record.base.guard import Guard, RunGuard
    from otel_experiments.record.base.redactor import Redactor
    from otel_experiments.record.base.settings import Settings


class PipelinePort(Protocol):
    """What is needed of the process's pipeline; see `Pipeline` for the meaning of each."""

    @property
    def settings(self) -> Settings:
        """What `configure` resolved."""
        ...

    @property
    def has_telemetry(self) -> bool:
        """Whether there are spans, events and instruments."""
        ...

    @property
    def journal(self) -> JournalWriter:
        """Where the runs write."""
        ...

    @property
    def references(self) -> References:
        """The resources and scopes declared in the journal."""
        ...

    @property
    def guard(self) -> Guard:
        """What recording lost."""
        ...

    @property
    def redactor(self) -> Redactor:
        """What takes secrets out of what is recorded."""
        ...

    @property
    def span_limits(self) -> SpanLimits:
        """How large spans and events may be."""
        ...

    @property
    def journal_processor(self) -> SpanProcessor:
        """What takes ended spans."""
        ...

    @property
    def is_inherited(self) -> bool:
        """Whether this process is a forked child that got the pipeline from its parent."""
        ...

    @property
    def store_path(self) -> Path | None:
        """The store's file; None for stores without one."""
        ...

    def clock(self) -> int:
        """Return the time in nanoseconds since 1970."""
        ...


class ProvidersPort(Protocol):
    """What is needed of a run's providers."""

    @property
    def resource(self) -> Resource:
        """The identity of project, experiment, run, process and host."""
        ...

    @property
    def meter_provider(self) -> MeterProvider:
        """The run's meter provider, made when it is asked for."""
        ...

    def get_tracer(self, *library: Any) -> Tracer:
        """Return a tracer of the run for a library."""
        ...


class ParamSink(Protocol):
    """What takes params."""

    def log_params(self, params: object) -> None:
        """Record params."""
        ...


class RunPort(Protocol):
    """What is needed of a run that is active in this process; see `RunCore` for the meaning of each."""

    @property
    def id(self) -> str:
        """The run's id."""
        ...

    @property
    def name(self) -> str:
        """The run's name."""
        ...

    @property
    def experiment(self) -> str:
        """The name of the run's experiment."""
        ...

    @property
    def parts(self) -> Any:  # a `RunParts`, a class that is above this module
        """The run's parts, for `run` and what is above it."""
        ...

    @property
    def pipeline(self) -> PipelinePort:
        """The pipeline that the run feeds."""
        ...

    @property
    def providers(self) -> ProvidersPort:
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

    def context_here(self) -> Context:
        """Return the caller's context when it is inside this run, else the run's own."""
        ...

    def beat(self) -> None:
        """Give a sign of life."""
        ...

    def collect_metrics(self) -> None:
        """Collect the run's instruments."""
        ...

    def hand_over_measurements(self) -> None:
        """Give the SDK's instruments what was measured."""
        ...

    def count_ended_span(self, size_bytes: int) -> None:
        """Count an ended span of the run and its size."""
        ...
