"""The life cycle of a run as one process takes part in it: as the process that started it, or as one that joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from opentelemetry.trace import Link

    from otel_experiments.model.batch import RunStateChange
    from otel_experiments.model.run import Owner
    from otel_experiments.record.run.endings import Ending


class LifeCycle(Protocol):
    """What a process does when a run starts, lives and ends. `RunLife` decides when, and keeps the state."""

    @property
    def is_owner(self) -> bool:
        """Whether this process starts and ends the run itself."""
        ...

    @property
    def new_owner(self) -> Owner | None:
        """The process that took the run over; None while it belongs to the one that started it."""
        ...

    def open_span(self, links: Sequence[Link]) -> None:
        """Open this process's span of the run."""
        ...

    def write_start(self) -> None:
        """Write down that the run has started."""
        ...

    @property
    def is_start_cut(self) -> bool:
        """Whether a start was interrupted before it was written down."""
        ...

    def write_cut_start(self) -> None:
        """Write down the start that was interrupted."""
        ...

    def after_start(self) -> None:
        """Record what follows a start."""
        ...

    def write_state(self, change: RunStateChange) -> None:
        """Write down that the run's state has changed."""
        ...

    def beat(self, now_ns: int) -> None:
        """Write down that the run is alive."""
        ...

    def take_over(self, *, is_leaving: bool) -> bool:
        """Make a run that was inherited in a fork this process's own; True where it may end the run from now on."""
        ...

    def end_span(self, ending: Ending) -> None:
        """End this process's span of the run."""
        ...

    def after_end(self) -> None:
        """Report what is known only when the run has ended."""
        ...
