"""The tracer, meter and logger provider of one run, over the pipeline that all runs share.

Making the tracer provider takes some 20 microseconds and no thread; meter and logger provider are made when
first asked for.
"""

from __future__ import annotations

import threading
import warnings
from typing import TYPE_CHECKING, Any, cast

from opentelemetry.metrics import Meter, MeterProvider, NoOpMeter, NoOpMeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import INVALID_SPAN, NoOpTracer, Span, Tracer

from otel_experiments.model.span import SCOPE_NAME
from otel_experiments.process.signals_wait import SignalsWait
from otel_experiments.record.base.gate import Gate
from otel_experiments.record.base.scope import sdk_scope, version
from otel_experiments.record.base.sdk_locks import fork_safe, renew_lock, renew_locks
from otel_experiments.record.base.sound_environment import sound_environment
from otel_experiments.record.events.writer import EventWriter
from otel_experiments.record.metrics.meter import ForkSafeMeter
from otel_experiments.record.spans.processors import GatedLogProcessor
from otel_experiments.record.spans.run_span import SpanSource
from otel_experiments.semconv import SCHEMA_URL

if TYPE_CHECKING:
    from opentelemetry._logs import Logger, LoggerProvider

    from otel_experiments.record.metrics.metric_reader import RunMetricReader
    from otel_experiments.record.pipeline.pipeline import Pipeline


class _FirstTraceId(IdGenerator):
    """Gives the run's id to the first trace, and whatever the pipeline's generator draws to all others.

    `first_span` is the id of the first span, where it was agreed upon beforehand.
    """

    def __init__(self, first: int, inner: IdGenerator, first_span: int | None = None) -> None:
        self._first: int | None = first
        self._first_span = first_span
        self._inner = inner
        if first_span is None:
            self.generate_span_id = inner.generate_span_id  # type: ignore[method-assign] # one call less a span

    def generate_span_id(self) -> int:
        self.generate_span_id = self._inner.generate_span_id  # type: ignore[method-assign] # as above
        return self._first_span or self._inner.generate_span_id()

    def generate_trace_id(self) -> int:
        first, self._first = self._first, None
        return self._inner.generate_trace_id() if first is None else first

    def is_trace_id_random(self) -> bool:
        return True


_ATTRIBUTES = 4
"""The position of `attributes` among the arguments of `Sampler.should_sample`."""


class _EverySpan(Sampler):
    """Records every span while the run takes any, in a fifth of the time of the SDK's own sampler."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def should_sample(self, *arguments: Any, **named: Any) -> SamplingResult:  # the SDK's interface
        if self._gate.is_closed:
            self._gate.refuse("span")
            return SamplingResult(Decision.DROP)
        attributes = named.get("attributes") or (arguments[4] if len(arguments) > _ATTRIBUTES else None)
        return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes)

    def get_description(self) -> str:
        return "EverySpan"


class SilentSpanSource(SpanSource):
    """Where recording is switched off: nothing is opened."""

    def start_span(self, *_: object, **__: object) -> Span:
        """Return the span that takes nothing."""
        return INVALID_SPAN


class RunProviders:
    """The providers of one run.

    Attributes:
        resource: the identity of project, experiment, run, process and host.
        tracer_provider: an ordinary SDK provider that samples everything.
        tracer: makes spans with the SDK, for the run's root and for users.
        spans: makes the spans of scopes.
        events: writes the run's own events.
        is_in_child: whether this process is a forked child, where nobody collects what instruments measure.
        gate: whether the run takes anything now.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        resource: Resource,
        run_id: str,
        *,
        root_span_id: int | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._lock = threading.RLock()
        self.is_in_child = pipeline.is_inherited
        self.resource = resource
        self.gate = Gate(run_id, pipeline.guard.of_run(run_id))
        # get_tracer puts a filter of its own in front of the user's
        with sound_environment(), warnings.catch_warnings():
            self.tracer_provider = fork_safe(TracerProvider)(
                sampler=_EverySpan(self.gate),
                resource=resource,
                shutdown_on_exit=False,
                active_span_processor=pipeline.span_processor,
                id_generator=_FirstTraceId(int(run_id, 16), pipeline.id_generator, root_span_id),
                span_limits=pipeline.span_limits,
            )
            self.tracer: Tracer = self.tracer_provider.get_tracer(SCOPE_NAME, version(), SCHEMA_URL)
        make_source = SpanSource
        if not pipeline.has_telemetry:
            self.tracer, make_source = NoOpTracer(), SilentSpanSource
        self.spans = make_source(
            resource=resource,
            scope=sdk_scope(),
            limits=pipeline.span_limits,
            ids=pipeline.id_generator,
            journal=pipeline.journal_processor,
            user=pipeline.user_processors,
        )
        self.events = EventWriter(pipeline, resource, sdk_scope())
        self._meter_provider: MeterProvider | None = None
        self._meter: Meter | None = None
        self._logger_provider: LoggerProvider | None = None
        self.reader: RunMetricReader | None = None

    def reset_in_child(self) -> None:
        """Replace locks after a fork, and what has some of its own."""
        self._lock = threading.RLock()
        self.is_in_child = True
        self._meter_provider = self._meter = self._logger_provider = self.reader = None
        renew_lock(self.resource)

    def get_tracer(self, *library: Any) -> Tracer:
        """Return a tracer of the run for a library: name, version, schema URL, attributes."""
        with sound_environment(), warnings.catch_warnings():
            return self.tracer_provider.get_tracer(*library)

    @property
    def meter_provider(self) -> MeterProvider:
        """The run's meter provider; its exemplar filter is off, because reservoirs draw from `random`."""
        with self._lock:
            if self._meter_provider is None and not self._pipeline.has_telemetry:
                self._meter_provider = NoOpMeterProvider()
            if self._meter_provider is None:
                with SignalsWait():
                    from opentelemetry.sdk import metrics as sdk  # noqa: PLC0415

                    from otel_experiments.record.metrics.metric_reader import RunMetricReader  # noqa: PLC0415

                    self.reader = RunMetricReader(self._pipeline, self.resource)
                    self._meter_provider = fork_safe(sdk.MeterProvider)(
                        metric_readers=[self.reader],
                        resource=self.resource,
                        exemplar_filter=sdk.AlwaysOffExemplarFilter(),
                        shutdown_on_exit=False,
                    )
            return self._meter_provider

    @property
    def meter(self) -> Meter:
        """The meter of this package's own instruments; of no use in a forked child, where nobody collects."""
        if self.is_in_child:
            return NoOpMeter(SCOPE_NAME, version(), SCHEMA_URL)
        with self._lock:
            if self._meter is None:
                made = self.meter_provider.get_meter(SCOPE_NAME, version(), SCHEMA_URL)
                self._meter = renew_locks(made)
            return self._meter

    @property
    def user_meter(self) -> Meter:
        """A meter for the instruments of user code, which may be used in a forked child and measure nothing there."""
        idle = NoOpMeter(SCOPE_NAME, version(), SCHEMA_URL)
        return ForkSafeMeter(self.meter, idle, self._is_refused)

    def _is_refused(self, name: str) -> bool:
        if self.is_in_child:
            self._pipeline.guard.lost(
                "instrument",
                f"Instrument {name!r} measures nothing in a forked process, where no metric is collected; count in the "
                "process that started the run, or log the value as a metric",
                name=name,
            )
        return self.is_in_child

    @property
    def logger_provider(self) -> LoggerProvider:
        """The run's logger provider."""
        with self._lock:
            if self._logger_provider is None and not self._pipeline.has_telemetry:
                with SignalsWait("opentelemetry._logs"):
                    from opentelemetry._logs import NoOpLoggerProvider  # noqa: PLC0415 - as below

                self._logger_provider = NoOpLoggerProvider()
            if self._logger_provider is None:
                with (
                    SignalsWait(),
                    sound_environment(),
                    warnings.catch_warnings(),
                ):  # importing the SDK's logs adds a filter
                    from opentelemetry.sdk import _logs as sdk  # noqa: PLC0415

                    provider = fork_safe(sdk.LoggerProvider)(resource=self.resource, shutdown_on_exit=False)
                gated = GatedLogProcessor(self.gate, self._pipeline.log_processor)
                provider.add_log_record_processor(cast("sdk.LogRecordProcessor", gated))
                self._logger_provider = provider
            return self._logger_provider

    @property
    def logger(self) -> Logger:
        """A logger for log records of user code, into the run."""
        if self.is_in_child:
            with SignalsWait("otel_experiments.record.events.child_logger"):
                from otel_experiments.record.events.child_logger import ChildLogger  # noqa: PLC0415 - imported before a fork

            return ChildLogger(SCOPE_NAME, version(), SCHEMA_URL, self.events, self._pipeline.guard)
        return self.logger_provider.get_logger(SCOPE_NAME, version(), SCHEMA_URL)
