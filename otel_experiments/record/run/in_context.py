"""Where a run is the current one: inside its `with` block, or in the caller's context until it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import context as context_api

from otel_experiments.record.base.current import detach, ended_inside

if TYPE_CHECKING:
    from otel_experiments.record.run.core import RunCore


class InContext:
    """Makes a run current, and undoes it.

    Attributes:
        is_in_block: whether the run's `with` block is on.
    """

    def __init__(self, core: RunCore) -> None:
        self._core = core
        self._token: object | None = None
        self.is_in_block = False

    @property
    def is_attached(self) -> bool:
        """Whether a context may name the run."""
        return self._token is not None

    def enter(self) -> None:
        """Make the run current for its `with` block."""
        here = context_api.get_current()
        if self._token is not None and here is self._core.context:
            self.is_in_block = True
            return
        try:
            self._token = context_api.attach(self._core.context)
        except BaseException:  # a signal handler's: `with` calls no `__exit__` then
            self._token = None
            if context_api.get_current() is not here:
                context_api.attach(here)
            raise
        self.is_in_block = True

    def leave_block(self) -> None:
        """Make current again what was current before the block. Where it was interrupted, call it again."""
        self.is_in_block = False
        ended_inside.discard(self._core.id)
        if self._token is not None and not self._core.is_inherited:
            detach(self._token)
        self._token = None

    def leave(self) -> None:
        """Undo what `RunLife.stay` did where the caller's context is still the one that it made."""
        token, self._token = self._token, None
        ended_inside.discard(self._core.id)
        if token is not None and context_api.get_current() is self._core.context:
            detach(token)
