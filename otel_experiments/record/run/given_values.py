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
    """The params and tags of the run itself. `gathered` is a mapping that gets the tags, too."""

    def __init__(self, core: RunCore, gathered: dict[str, str | None] | None = None) -> None:
        self._core = core
        self._gathered = gathered

    def write_params(self, params: Mapping[str, ParamValue]) -> None:
        """Write params of the run down."""
        core = self._core
        core.keep(encode.encode_params(core.id, params, core.stamp_ns()), "Params", len(params))

    def write_tags(self, tags: Mapping[str, str | None]) -> None:
        """Write tags of the run down."""
        core = self._core
        if self._gathered is not None:
            self._gathered.update(tags)
        core.keep(encode.encode_tags(core.id, tags, core.stamp_ns()), "Tags", len(tags))
