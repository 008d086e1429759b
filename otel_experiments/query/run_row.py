"""What a run's row says of it, as it is stored: nothing more is read, and nothing is computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from otel_experiments.semconv import attributes

if TYPE_CHECKING:
    from otel_experiments.model.run import Run

_ENVIRONMENT = (
    attributes.SERVICE_NAME,
    attributes.VCS_REPOSITORY_URL_FULL,
    attributes.VCS_REF_HEAD_NAME,
    attributes.VCS_REF_HEAD_REVISION,
    attributes.PROCESS_RUNTIME_NAME,
    attributes.PROCESS_RUNTIME_VERSION,
    attributes.PROCESS_COMMAND,
    attributes.PROCESS_COMMAND_ARGS,
    attributes.PROCESS_WORKING_DIRECTORY,
    attributes.PROCESS_PID,
    attributes.HOST_NAME,
    attributes.HOST_ARCH,
    attributes.OS_TYPE,
    attributes.OS_DESCRIPTION,
)
"""What of the resource tells where a run ran, in the order in which a person reads it."""


class RunRow:
    """Who a run is, when it was made and ended, and who made it."""

    if TYPE_CHECKING:

        @property
        def _run(self) -> Run:
            """The row as it is stored."""
            ...

    @property
    def id(self) -> str:
        """The run id, which is the trace id of its root trace: 32 hex digits."""
        return self._run.run_id

    @property
    def short_id(self) -> str:
        """The first 8 digits of the id."""
        return self._run.run_id[:8]

    @property
    def name(self) -> str:
        """The run's name."""
        return self._run.name

    @property
    def experiment(self) -> str:
        """The name of the experiment."""
        return self._run.experiment

    @property
    def reason(self) -> str:
        """Why it has this state: an exception's message, a signal's name; empty when there is nothing to say."""
        return self._run.reason

    @property
    def error_type(self) -> str:
        """The type of the exception that ended the run; empty when none did."""
        return self._run.error_type

    @property
    def created_ns(self) -> int:
        """When the run was made, in nanoseconds since the Unix epoch."""
        return self._run.created_ns

    @property
    def started_ns(self) -> int | None:
        """When it started to work; None before."""
        return self._run.started_ns

    @property
    def ended_ns(self) -> int | None:
        """When it ended; None before."""
        return self._run.ended_ns

    @property
    def resource(self) -> Mapping[str, object]:
        """Who made the telemetry, as OpenTelemetry's resource attributes."""
        return self._run.resource

    @property
    def environment(self) -> dict[str, object]:
        """Where it ran: what the resource tells of git, Python, the command, the host."""
        return {key: self._run.resource[key] for key in _ENVIRONMENT if key in self._run.resource}
