"""A run as a process sees it that joined it: it records into the run and never starts or ends it.

Spans go under the span that the joining process was told of, points into the run itself. What the ranks of a
distributed job do beyond that is in `rank_run`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext

from otel_experiments.model.run import RunState
from otel_experiments.process import lanes
from otel_experiments.record.base.current import active_runs
from otel_experiments.record.pipeline.pipeline import Pipeline
from otel_experiments.record.pipeline.providers import RunProviders
from otel_experiments.record.run import exits
from otel_experiments.record.run.endings import Ending
from otel_experiments.record.run.identity import RunIdentity, run_attributes
from otel_experiments.record.run.run import Run
from otel_experiments.record.run.states import UnwrittenStates
from otel_experiments.record.spans.adoption import adopt_global_provider
from otel_experiments.record.spans.scopes import mark_failed, run_context
from otel_experiments.semconv import SCHEMA_URL, values
from otel_experiments.semconv import attributes as attr

if TYPE_CHECKING:
    from typing import Self

    from opentelemetry.util.types import AttributeValue


Joined = TypeVar("Joined", bound="JoinedRun")


class JoinedRun(Run):
    """A run that another process owns. Leaving it ends this process's part, never the run.

    `span` is this process's own span where it has one (a rank), else the owner's span, which only points there.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        identity: RunIdentity,
        providers: RunProviders,
        *,
        parent: SpanContext | None,
        part: str | None,
    ) -> None:
        super().__init__(pipeline, identity, providers)
        self._states = UnwrittenStates()
        self._remote = parent
        self._part = part

    def start(self, *, links: Sequence[trace.Link] = ()) -> Self:
        """Make the run active in this process; open the process's own span where it is to have one."""
        with self.guard:
            context = context_api.Context()
            if self._remote is not None:
                self.otel_span = NonRecordingSpan(self._remote)
                context = trace.set_span_in_context(self.otel_span, context)
            if self._part is not None:
                attributes: dict[str, AttributeValue] = {
                    attr.ML_OPERATION_NAME: values.MlOperationName.STAGE,
                    attr.ML_STAGE_NAME: self._part,
                    attr.ML_SPAN_LANE: lanes.current_lane(),
                    attr.ML_SPAN_SEQUENCE: lanes.next_sequence(),
                }
                self.otel_span = self.tracer.start_span(
                    f"stage {self._part}", context, attributes=attributes, links=links
                )
            self._context = trace.set_span_in_context(self.otel_span, run_context(self, context))
            self._set_state(RunState.RUNNING, is_announced=False)
        if not self.pipeline.settings.enabled:
            self._take_nothing()
            return self
        active_runs.setdefault(self.id, self)
        self.pipeline.admit(self)
        return self

    def _end_span(self, ending: Ending) -> None:
        if self._part is not None:
            if ending.error is not None:
                mark_failed(self.otel_span, ending.error)
            self.otel_span.end(self.pipeline.clock())


def joined(
    pipeline: Pipeline,
    identity: RunIdentity,
    first_trace: str,
    parent: SpanContext | None,
    part: str | None,
    *,
    attributes: Mapping[str, int] | None = None,
    make: Callable[..., Joined],
) -> Joined:
    """Return a run of another process, made by `make`, that has started to record here.

    `attributes` go on the resource beside the run's identity.
    """
    known = RunIdentity(identity.run_id, identity.name, identity.experiment)
    found = {key: value for key, value in run_attributes(known).items() if value != ""}
    resource = pipeline.base_resource.merge(Resource({**found, **(attributes or {})}, SCHEMA_URL))
    providers = RunProviders(pipeline, resource, first_trace)
    if pipeline.has_telemetry:
        adopt_global_provider()
    exits.watch_process()
    return make(pipeline, identity, providers, parent=parent, part=part).start()
