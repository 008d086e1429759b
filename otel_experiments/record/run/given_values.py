"""Where the params and tags that a process sets go: to the run, or to what one of its ranks was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from otel_experiments.journal import encode

if TYPE_CHECKING:
    from otel_experiments.model.run import ParamValue
    from otel_experiments.record.run.core import RunCore


class GivenValues(Protocol):
    """What takes params and tags that hold no secrets."""

    def write_params(self, params: Mapping[str, ParamValue]) -> None:
        """Write params down."""
        ...

    def write_tags(self, tags: Mapping[str, str | None]) -> None:
        """Write tags down."""
        ...


class RunValues:
    """The params and tags of the run itself. The tags join those of the run's identity."""

    def __init__(self, core: RunCore) -> None:
        self._core = core

    def write_params(self, params: Mapping[str, ParamValue]) -> None:
        """Write params of the run down, and as an event where the run has started."""
        core, now_ns = self._core, self._core.stamp_ns()
        core.keep(encode.encode_params(core.id, params, now_ns), "Params", len(params))
        core.pipeline.run_events.write_params(core.id, params, now_ns)

    def write_tags(self, tags: Mapping[str, str | None]) -> None:
        """Write tags of the run down, and as an event where the run has started."""
        core, now_ns = self._core, self._core.stamp_ns()
        core.identity.tags.update(tags)
        core.keep(encode.encode_tags(core.id, tags, now_ns), "Tags", len(tags))
        core.pipeline.run_events.write_tags(core.id, tags, now_ns)
