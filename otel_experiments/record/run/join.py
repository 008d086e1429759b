"""A run as a process sees it that joined it: it records into the run and never starts or ends it.

Spans go under the span that the joining process was told of, points into the run itself. What the ranks of a
distributed job do beyond that is in `rank_run`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext

from otel_experiments.process import lanes
from otel_experiments.record.base.provider_watch import adopt_global_providers
from otel_experiments.record.pipeline.pipeline import Pipeline
from otel_experiments.record.pipeline.providers import RunProviders
from otel_experiments.record.run import exits
from otel_experiments.record.run.core import RunCore
from otel_experiments.record.run.endings import Ending
from otel_experiments.record.run.given_values import GivenValues
from otel_experiments.record.run.identity import RunIdentity, run_attributes
from otel_experiments.record.run.parts import RunParts
from otel_experiments.record.run.run import Run
from otel_experiments.record.spans.scopes import mark_failed, run_context
from otel_experiments.semconv import SCHEMA_URL, values
from otel_experiments.semconv import attributes as attr

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

    from otel_experiments.model.batch import RunStateChange


class JoinedLife:
    """The life cycle of a run that another process owns: leaving it ends this process's part, never the run.

    `parent` is the span under which the spans of this process go. `part` names a span of this process's own; without
    one the run's span here is the parent, which only points to the owner's.
    """

    is_owner = False
    new_owner = None
    is_start_cut = False

    def __init__(self, core: RunCore, *, parent: SpanContext | None, part: str | None) -> None:
        self._core = core
        self._parent = parent
        self._part = part

    def open_span(self, links: Sequence[trace.Link]) -> None:
        """Open this process's own span, where it is to have one."""
        core, context = self._core, context_api.Context()
        if self._parent is not None:
            core.otel_span = NonRecordingSpan(self._parent)
            context = trace.set_span_in_context(core.otel_span, context)
        if self._part is not None:
            attributes: dict[str, AttributeValue] = {
                attr.ML_OPERATION_NAME: values.MlOperationName.STAGE,
                attr.ML_STAGE_NAME: self._part,
                attr.ML_SPAN_LANE: lanes.current_lane(),
                attr.ML_SPAN_SEQUENCE: lanes.next_sequence(),
            }
            core.otel_span = core.tracer.start_span(
                f"stage {self._part}", context, attributes=attributes, links=links
            )
        core.context = trace.set_span_in_context(core.otel_span, run_context(core, context))

    def write_start(self) -> None:
        """Write nothing: the owner has started the run."""

    def write_cut_start(self) -> None:
        """Write nothing, as above."""

    def after_start(self) -> None:
        """Record nothing, as above."""

    def write_state(self, change: RunStateChange) -> None:
        """Write nothing: the owner says what becomes of the run."""

    def beat(self, now_ns: int) -> None:
        """Write nothing: the owner gives the signs of life."""

    def take_over(self, *, is_leaving: bool) -> bool:  # noqa: ARG002 - the protocol's
        """Take nothing over: in a forked child the run is the parent's part still."""
        return False

    def end_span(self, ending: Ending) -> None:
        """End this process's own span."""
        if self._part is not None:
            if ending.error is not None:
                mark_failed(self._core.otel_span, ending.error)
            self._core.otel_span.end(self._core.pipeline.clock())

    def after_end(self) -> None:
        """Report nothing: the run goes on."""


def joined_core(
    pipeline: Pipeline,
    identity: RunIdentity,
    first_trace: str,
    attributes: Mapping[str, int] | None = None,
) -> RunCore:
    """Return the core of a run of another process; `attributes` go on the resource beside the run's identity."""
    known = RunIdentity(
        identity.run_id,
        identity.name,
        identity.experiment,
        attempt=identity.attempt,
        step_axis=identity.step_axis,
    )
    found = {key: value for key, value in run_attributes(known).items() if value != ""}
    resource = pipeline.base_resource.merge(Resource({**found, **(attributes or {})}, SCHEMA_URL))
    return RunCore(pipeline, identity, RunProviders(pipeline, resource, first_trace))


def start_joined(core: RunCore, cycle: JoinedLife, given: GivenValues) -> Run:
    """Return a run of another process that has started to record here."""
    if core.pipeline.has_telemetry:
        adopt_global_providers()
    exits.watch_process()
    return Run(RunParts(core, cycle, given)).start()
