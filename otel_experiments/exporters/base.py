"""What the exporters of all signals do alike: the way into a store, what is answered, and the end."""

from __future__ import annotations

import os
from abc import abstractmethod
from typing import Generic, TypeVar

from otel_experiments.exporters.journaled import JournaledStore, shared_store
from otel_experiments.model.other_stores import StoreObject
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.notice import tell
from otel_experiments.record.base.guard import logger

Batch = TypeVar("Batch")


class StoreExporter(Generic[Batch]):
    """The part of an exporter that does not depend on its signal.

    Args:
        path: the store's file, or a store elsewhere: its address, or one that is open; by default
            `OTEL_EXPERIMENTS_STORE`, else `experiments.db`.

    Raises:
        StoreError: the store cannot be used.
    """

    def __init__(self, path: str | os.PathLike[str] | StoreObject | None = None) -> None:
        super().__init__()
        self._target = shared_store(path)
        self._is_shut_down = False

    @abstractmethod
    def _write(self, target: JournaledStore, batch: Batch) -> bool:
        """Convert a batch and append it to the journal; False when something of it was lost."""

    @abstractmethod
    def _shown(self, batch: Batch) -> str:
        """Return what a batch is called in a warning that says that it was not stored."""

    def _keep(self, batch: Batch) -> bool:
        """Keep a batch; False when it was not kept whole, or after the end. Never raises."""
        if self._is_shut_down:
            return False
        try:
            return self._write(self._target, batch)
        except Exception as error:  # an exporter answers with a result
            if is_interruption(error):
                raise
            tell(logger, "%s not stored: %r", self._shown(batch), error)
            return False

    def _flush(self, timeout_millis: float) -> bool:
        return self._target.flush(timeout_s=timeout_millis / 1000)

    def _shut_down(self) -> None:
        if not self._is_shut_down:
            self._is_shut_down = True
            self._target.release()
