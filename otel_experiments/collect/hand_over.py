"""What is stored is handed on, to OTLP, also when something such as Ctrl-C comes between the two."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from otel_experiments.model.batch import JournalAdvance, WriteBatch
from otel_experiments.process.interruption import is_interruption


class HandOver:
    """Keeps the batch that is being stored until it was handed on."""

    def __init__(
        self,
        on_batch: Callable[[WriteBatch], object] | None,
        stored_offset: Callable[[str], int],
        on_taken_over: Callable[[WriteBatch], object] | None = None,
    ) -> None:
        self._on_batch = on_batch
        self._on_taken_over = on_taken_over
        self._stored_offset = stored_offset
        self._pending: tuple[WriteBatch, Sequence[JournalAdvance]] | None = None

    def expect(self, batch: WriteBatch, advances: Sequence[JournalAdvance]) -> None:
        """Remember a batch before its transaction."""
        self._pending = batch, advances

    def forget(self) -> None:
        """Forget the batch: it was not stored."""
        self._pending = None

    def give_up(self) -> None:
        """Forget the batch: another process has stored the beginning of it, or all, and said nothing to anybody here."""
        pending, self._pending = self._pending, None
        if pending is not None and self._on_taken_over is not None:
            self._on_taken_over(pending[0])

    def hand_on(self) -> None:
        """Hand on the batch, which is stored."""
        try:
            if self._pending is not None and self._on_batch is not None:
                self._on_batch(self._pending[0])
        except Exception as error:
            if not is_interruption(error):
                self._pending = None  # it would raise again, and keep what comes after it out of the store
            raise
        self._pending = None

    def hand_on_late(self) -> None:
        """Hand on the batch whose transaction was done when something, such as Ctrl-C, kept it from being handed on.

        What was interrupted while it was handed on is handed on again: twice is better than not at all.
        """
        if self._pending is None:
            return
        if any(self._stored_offset(a.segment_id) < a.end_offset for a in self._pending[1]):
            self._pending = None  # it was not stored; the journal has it
        self.hand_on()
