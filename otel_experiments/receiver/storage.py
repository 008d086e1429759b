"""The store of a receiver: its journal, which requests go to, and the thread that moves the journal into the store."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from otel_experiments.collect.drain import Drain
from otel_experiments.collect.journal_place import journal_directory
from otel_experiments.collect.journal_reports import reporter_for
from otel_experiments.collect.recorders import journal_owners
from otel_experiments.errors import ConfigurationError, StoreError
from otel_experiments.importers.otlp import unpack_for
from otel_experiments.importers.otlp.emitters import Emitters
from otel_experiments.journal.encode import request_pieces
from otel_experiments.journal.owner import current_owner
from otel_experiments.journal.segment import frame_size_bytes
from otel_experiments.journal.writer import JournalWriter
from otel_experiments.model.other_stores import keep_waiting_in
from otel_experiments.model.received import ReceivedRequest
from otel_experiments.process.file_mode import file_mode_of
from otel_experiments.receiver.backlog import Backlog
from otel_experiments.receiver.refusal import Reason, Refusal
from otel_experiments.record.base.settings import Settings
from otel_experiments.store import open_store
from otel_experiments.store.filesystem import is_network_filesystem

_BUSY_TIMEOUT_S: Final = 1.0
"""How long one transaction waits for another process; it is tried again."""
_WAKE_BYTES: Final = 1 << 20
"""After so much the drain is woken; less of it waits for the next round."""
_CATCH_UP_S: Final = 10.0
"""How long a start waits until what an earlier receiver has left is stored: series then go on in their order."""


class ReceiverStorage:
    """Journal, drain and store of one receiver.

    Attributes:
        path: the store's file; None for a store elsewhere.
        hint_names: headers of requests that say which run they belong to, in lower case.

    Raises:
        ConfigurationError: the store is in memory, or on a network filesystem.
        StoreError: the store cannot be used.
    """

    def __init__(self, settings: Settings, *, backlog_bytes: int) -> None:
        beside = _kept_beside(settings)
        file_mode = file_mode_of(settings.store_mode, beside)
        self.path = settings.store_path
        self.hint_names = Emitters.of_store(beside).header_names
        self._store = open_store(
            self.path or settings.location,
            busy_timeout_s=_BUSY_TIMEOUT_S,
            file_mode=file_mode if settings.store_mode else None,
        )
        self._directory = directory = journal_directory(beside)
        self._writer = JournalWriter(directory, durability=settings.durability, file_mode=file_mode)
        self._reporter = (
            reporter_for(
                self._store, directory, journal_id=self._writer.writer_id, interval_s=settings.drain_s
            )
            if self.path is None
            else None
        )
        self._backlog = Backlog(backlog_bytes, self._store.journal_offset)
        self._drain = Drain(
            self._reporter or self._store,
            directory,
            interval_s=settings.drain_s,
            before_round=self._before_round,
            unpack=unpack_for(beside),
        )
        self._me = current_owner()
        self._unwoken_bytes = 0
        self._lock = threading.Lock()
        self._drain.drain_now(timeout_s=_CATCH_UP_S)
        self._drain.start()

    def _before_round(self) -> None:
        self._backlog.measure()
        if self._reporter is not None:
            self._reporter.before_round()

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be stored that no more is to be taken now."""
        return self._backlog.is_full

    @property
    def damages(self) -> list[str]:
        """What could not be stored, one text each."""
        return list(self._drain.damages)

    def keep(self, request: ReceivedRequest) -> None:
        """Append the request to the journal, where it survives this process.

        Raises:
            Refusal: the disk does not take it.
        """
        pieces = request_pieces(request)
        if not self._writer.append_pieces(pieces):
            raise Refusal(
                Reason.UNAVAILABLE,
                f"The receiver cannot write to its disk now: {self._writer.why_full}. Send this request again.",
            )
        if not self._writer.keep_place():
            self._drain.note_damage(
                f"the journal in {str(self._writer.directory)!r} was deleted while this process receives; it is made "
                "again, and what waited in its earlier files is lost"
            )
        size_bytes = frame_size_bytes(sum(map(len, pieces)))
        segment = self._writer.segment
        if segment.header is not None:
            self._backlog.add(segment.header.segment_id, segment.tail, size_bytes)
        self._unwoken_bytes += size_bytes
        if self._unwoken_bytes > _WAKE_BYTES:
            self._unwoken_bytes = 0
            self._drain.wake()

    def recorded_here(self, run_ids: frozenset[str]) -> frozenset[str]:
        """Return those of the runs that processes of this machine record themselves into this store.

        An owner alone says nothing: a run that was imported has one, and records elsewhere. Who records here has a journal
        here, until all that it recorded is stored; what comes of the run after that is stored once.

        Raises:
            StoreError: the store cannot be read.
        """
        if self.path is None and not journal_owners(self._directory) - {self._me}:
            return frozenset()  # a store elsewhere, which may be away, need not be asked
        owners = {}
        for run_id in run_ids:
            run = self._store.get_run(run_id)
            if run is not None and run.owner is not None and run.owner.host == self._me.host:
                owners[run_id] = run.owner
        if not owners:
            return frozenset()
        recording = journal_owners(self._directory)
        return frozenset(run_id for run_id, owner in owners.items() if owner in recording)

    def close(self, *, timeout_s: float) -> bool:
        """Store what is journalled and let go; True when all of it was stored within `timeout_s` seconds.

        Otherwise the rest stays in the journal, and whoever opens the store next stores it. Safe to call twice.
        """
        self._writer.close()
        is_stored = self._drain.close(timeout_s=timeout_s)
        if is_stored:
            if self._reporter is not None:
                with suppress(StoreError):  # a reader of this host says it
                    self._reporter.close()
            if self._drain.has_met_own_journal:
                self._store.settle()
            self._store.close()
        return is_stored


def _kept_beside(settings: Settings) -> Path:
    """Return the path beside which the journal lies.

    Raises:
        ConfigurationError: the store is in memory, or on a network filesystem.
    """
    path, beside = settings.store_path, settings.location.beside
    if beside is None:
        raise ConfigurationError(
            f"A receiver cannot store into {settings.store!r}: nothing of it would outlive this process.\n"
            "  Name a file, or a store that others reach: otel-experiments serve --store experiments.db"
        )
    if path is None:
        keep_waiting_in(settings.location.address, settings.journal_dir)
        return settings.location.beside or beside  # where the setting says
    is_network = settings.network_filesystem
    if is_network_filesystem(path.parent) if is_network is None else is_network:
        raise ConfigurationError(
            f"A receiver cannot store into {str(path)!r}: it is on a network filesystem.\n"
            "  Name a store on a local disk, and read it through this machine."
        )
    return path
