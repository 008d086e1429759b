"""Where a run is the current one: inside its `with` block, or in the caller's context until it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import context as context_api

from otel_experiments.record.base.current import RUN_KEY, detach, ended_inside

if TYPE_CHECKING:
    from otel_experiments.record.run.core import RunCore


class InContext:
    """Makes a run current, and undoes it.

    A run that ends while another one is current cannot be taken out of the contexts below. It stays in them until what is
    above has left, and then it leaves, too.

    Attributes:
        is_in_block: whether the run's `with` block is on.
    """

    def __init__(self, core: RunCore) -> None:
        self._core = core
        self._tokens: list[object] = []  # one for each time that the run was made current, the newest last
        self.is_in_block = False

    @property
    def is_attached(self) -> bool:
        """Whether a context may name the run."""
        return bool(self._tokens)

    def enter(self) -> None:
        """Make the run current for its `with` block. Where `stay` has just done it, the block ends that, too."""
        here = context_api.get_current()
        if not (self._tokens and here is self._core.context):
            self._attach(here)
        self.is_in_block = True

    def leave_block(self) -> None:
        """Make current again what was current before the block. Where it was interrupted, call it again."""
        ended_inside.discard(self._core.id)
        if self.is_in_block and self._tokens:
            if not self._core.is_inherited:
                detach(self._tokens[-1])
            self._tokens.pop()
        self.is_in_block = False
        _leave_ended()

    def stay(self) -> None:
        """Make the run current in the caller's context until it ends, without `with`: what `init` does."""
        self._attach(context_api.get_current())

    def leave(self) -> None:
        """Undo `stay` where the caller's context is still the one that it made; a block does it by itself."""
        if not self.is_in_block:
            ended_inside.discard(self._core.id)
            self._undo()
            _leave_ended()

    def leave_late(self) -> bool:
        """Undo what the run's end could not, since another run was current; False where the caller has not left that yet."""
        return self._core.state.is_terminal and not self.is_in_block and self._undo()

    def _attach(self, here: context_api.Context) -> None:
        try:
            self._tokens.append(context_api.attach(self._core.context))
        except BaseException:  # a signal handler's: `with` calls no `__exit__` then
            if context_api.get_current() is not here:
                context_api.attach(here)
            raise

    def _undo(self) -> bool:
        core = self._core
        if not self._tokens or context_api.get_current() is not core.context:
            return False
        token = self._tokens.pop()
        detach(token)
        is_undone = context_api.get_current() is not core.context
        if not is_undone:  # a copy of the context, in another thread or task: it is undone where it was made
            self._tokens.append(token)
        return is_undone


def _leave_ended() -> None:
    """Make current again what was current before the runs that ended below the one that was left."""
    while True:
        run: Any = context_api.get_value(RUN_KEY)
        if run is None or not run.parts.life.here.leave_late():
            return
