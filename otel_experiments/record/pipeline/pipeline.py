"""The one pipeline of a process, which all its runs share: journal, processors, exporters, heartbeat.

A run has providers of its own (they carry its resource); what they feed is here. The pipeline knows no store:
whoever drains the journal is handed in as `Storage`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, SynchronousMultiSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator

from otel_experiments.journal.encode import encode_sending
from otel_experiments.journal.writer import JournalWriter, SilentJournal
from otel_experiments.model.batch import WriteBatch
from otel_experiments.process.file_mode import file_mode_of
from otel_experiments.process.fork import ResetInChild
from otel_experiments.process.thread_signals import blocking_only, leave_signals_to_the_program
from otel_experiments.record.base.current import active_runs
from otel_experiments.record.base.declared import References
from otel_experiments.record.base.guard import Guard
from otel_experiments.record.base.ids import PrivateIdGenerator
from otel_experiments.record.base.known_runs import KnownRun, KnownRuns
from otel_experiments.record.base.provider_watch import look_again, watch_providers
from otel_experiments.record.base.ranks import look_for_late_group
from otel_experiments.record.base.redactor import Redactor
from otel_experiments.record.base.sdk_locks import renew_lock
from otel_experiments.record.base.settings import Settings
from otel_experiments.record.base.span_limits import span_limits
from otel_experiments.record.events.adoption import PROVIDERS as LOGGER_PROVIDERS
from otel_experiments.record.events.logging_handler import leave_logging, take_logging
from otel_experiments.record.events.losses import RunLosses
from otel_experiments.record.events.own_event import OwnEvents
from otel_experiments.record.events.run_events import RunEvents
from otel_experiments.record.metrics.adoption import PROVIDERS as METER_PROVIDERS
from otel_experiments.record.metrics.adoption import collect_adopted
from otel_experiments.record.metrics.anomalies import AnomalyEvents
from otel_experiments.record.otlp.environment import is_sdk_disabled
from otel_experiments.record.output.taking import leave_output, look_after_output, take_output
from otel_experiments.record.pipeline import journal_words
from otel_experiments.record.pipeline.artifact_queue import ARTIFACTS_SHARE, ArtifactQueue
from otel_experiments.record.pipeline.flush_report import FlushReport
from otel_experiments.record.pipeline.storage import Storage
from otel_experiments.record.pipeline.waited import WaitedInVain
from otel_experiments.record.snapshot.writer import SnapshotWriter
from otel_experiments.record.spans.adoption import PROVIDERS as TRACER_PROVIDERS
from otel_experiments.record.spans.processors import (
    JournalLogProcessor,
    JournalSpanProcessor,
)
from otel_experiments.record.spans.user_processors import UserProcessors
from otel_experiments.record.system.system_metrics import SystemMetrics

if TYPE_CHECKING:
    from otel_experiments.artifacts.protocol import BlobStore
    from otel_experiments.record.base.ports import RunPort
    from otel_experiments.record.otlp.export import OtlpExport

_LOOK_S: Final = 0.5
"""How often the ticker looks for what has become of the process: its global provider, its process group."""
_FINISH_SHARE: Final = 0.4
_CLOSE_SHARE: Final = 0.4
"""How much of the exit budget OTLP gets when a run ends, and when the process does."""
_LAST_WORDS_SHARE: Final = 0.2
"""How much of it is left, however much an endpoint takes, to stop and to write down what was not sent."""


class Pipeline:
    """Everything that the runs of one process share.

    Attributes:
        settings: what `configure` resolved.
        has_telemetry: whether there are spans, events and instruments: `OTEL_SDK_DISABLED` turns them off, and
            leaves points, params, tags and states.
        otlp: what sends by OTLP as well; None where it is off.
        blobs: gives what keeps the bytes of artifacts; None where nothing does.
        artifacts, waited: what is kept while training goes on, and how long ends have waited in vain.
        journal: where the runs write.
        guard: what recording lost.
        redactor: takes secrets out of what is recorded.
        snapshots: writes what machine, code and packages are when a run starts.
        is_exiting: the process is about to end, and waits for everything together.
        span_processor: what the runs' tracers feed: `user_processors`, if there are any, and `journal_processor`.
    """

    def __init__(
        self,
        settings: Settings,
        journal_directory: Path,
        *,
        base_resource: Resource,
        storage: Storage | None = None,
        id_generator: IdGenerator | None = None,
        clock: Callable[[], int] = time.time_ns,
        span_processors: Sequence[SpanProcessor] = (),
    ) -> None:
        self.settings = settings
        self.has_telemetry = settings.enabled and not is_sdk_disabled(os.environ)
        self.guard = Guard(raises=settings.on_error == "raise")
        self.storage = storage
        self.otlp: OtlpExport | None = None
        self.blobs: Callable[[], BlobStore | None] = lambda: None
        self.artifacts = ArtifactQueue()
        self.waited = WaitedInVain()
        self.redactor = Redactor(is_on=settings.redact_secrets)
        self.base_resource = self.redactor.resource(base_resource)
        self.id_generator = id_generator or PrivateIdGenerator()
        self.clock = clock
        self.pid = os.getpid()
        self.references = References()
        self.known_runs = KnownRuns()
        make_journal = JournalWriter if settings.enabled else SilentJournal
        self.journal = make_journal(
            journal_directory,
            durability=settings.durability,
            file_mode=file_mode_of(settings.store_mode, settings.store_path),
            on_roll=storage.wake if storage is not None else None,
            on_loss=partial(journal_words.tell_full_disk, self.guard, journal_directory),
        )
        self.journal_processor = JournalSpanProcessor(
            self.journal, self.references, self.guard, self._count_span, self.redactor.span
        )
        self.own_events = OwnEvents(self.journal, self.references)
        self.run_events = RunEvents(self.own_events, self.known_runs, is_on=self.has_telemetry)
        self.anomalies = AnomalyEvents(self.own_events, self.known_runs)
        self.losses = RunLosses(self.own_events, self.known_runs, clock)
        if settings.enabled:
            self.guard.ledger = self.losses
        self.log_processor = JournalLogProcessor(self.journal, self.references, self.guard)
        self.span_processor = SynchronousMultiSpanProcessor()  # type: ignore[no-untyped-call] # the SDK's
        self._user_processors = UserProcessors(span_processors, self.guard)
        self.user_processors = self._user_processors if span_processors else None
        if self.user_processors is not None:
            self.span_processor.add_span_processor(self.user_processors)
        self.span_processor.add_span_processor(self.journal_processor)
        self.span_limits = span_limits(os.environ)
        is_sampling = self.has_telemetry and settings.system_metrics_s > 0
        self._system = SystemMetrics(self, interval_s=settings.system_metrics_s) if is_sampling else None
        self.snapshots = SnapshotWriter(self)
        self._ticker: threading.Thread | None = None
        self._stop = threading.Event()
        self._is_closed = False
        self.is_exiting = False
        _pipelines.add(self)

    @cached_property  # asked for by each run, and asks for the working directory
    def store_path(self) -> Path | None:
        """The store's file, however the working directory has changed since; None for stores without one."""
        if self.settings.store_path is None or not self.settings.enabled:
            return self.settings.store_path
        return self.journal.directory.with_name(self.journal.directory.name.removesuffix(".journals"))

    @property
    def is_inherited(self) -> bool:
        """Whether this process is a forked child that got the pipeline from its parent."""
        return os.getpid() != self.pid

    def after_stored(self, batch: WriteBatch) -> None:
        """Tell of anomalies in what was just stored, and send it; called by the drain. Never raises."""
        with self.guard:
            if batch.points and self.has_telemetry:
                self.anomalies.look(batch.points, self.clock())
        with self.guard:
            if self.otlp is not None:
                self.otlp.hold(batch)

    def keep_journal(self) -> None:
        """See that nobody has deleted the journal. Never raises."""
        with self.guard:
            if not self.journal.keep_place():
                journal_words.tell_deleted(self.guard, self.journal.directory)

    def before_drain(self) -> None:
        """Do what is to be done now and then, where nobody waits for it; called by the drain. Never raises."""
        self.keep_journal()
        for run in self._active_runs():
            with self.guard:
                run.hand_over_measurements()

    def admit(self, run: RunPort) -> None:
        """Know a run that has started, and see that the thread runs which gives signs of life and collects metrics."""
        look_again()
        collect_adopted(without=run)
        take_logging(self)
        take_output(run)
        context = run.otel_span.get_span_context()
        self.known_runs.add(run.id, KnownRun(run.providers.resource, int(run.id, 16), context.span_id))
        self.losses.write_all(run.id)
        if self.otlp is not None and not self.is_inherited and (rows := self.otlp.begin(run.id)):
            self.journal.append(encode_sending(rows))
        if self._ticker is None and not self.is_inherited:
            self._ticker = threading.Thread(target=self._tick, name="otel-experiments-ticker", daemon=True)
            self._ticker.start()

    def wake(self) -> None:
        """Ask for the journal to be stored soon."""
        if self.storage is not None and not self.is_inherited:
            self.storage.wake()

    def store_now(self, *, timeout_s: float) -> bool:
        """Store what is recorded so far, for whoever reads in this process; no endpoint is waited for."""
        self.write_losses()
        return self.storage is None or self.is_inherited or self._drain(timeout_s)

    def flush(self, *, timeout_s: float, is_patient: bool = True, run_id: str | None = None) -> FlushReport:
        """Store and export what is recorded so far, as far as `timeout_s` seconds allow.

        Without `is_patient` an OTLP endpoint gets only a part of the time, and none when it did not answer last:
        what the end of a run waits for. The report has the losses of the process, or those of a run.
        """
        deadline_s = time.monotonic() + timeout_s
        is_exported, is_stored = True, True
        are_kept = self.artifacts.wait(timeout_s=timeout_s if is_patient else 0.0)
        self.write_losses()
        self.guard.raise_later()
        if self.is_inherited:
            return FlushReport(is_stored=False, is_exported=False, lost=self.guard.losses_of(run_id))
        if self.otlp is not None:
            self._collect_metrics()
        if self.storage is not None:
            is_stored = self._drain(max(0.0, deadline_s - time.monotonic())) and are_kept
        if self.otlp is not None:
            left_s = max(0.0, deadline_s - time.monotonic())
            if is_patient:
                is_exported = self.otlp.flush(timeout_s=left_s)
            else:
                share_s = self.settings.exit_timeout_s * _FINISH_SHARE
                is_exported = self.otlp.settle(timeout_s=min(left_s, share_s))
            is_exported = is_exported and is_stored  # what waits in the journal is with no endpoint
        if is_patient:
            self._user_processors.flush_within(deadline_s - time.monotonic())
        error = self.storage.last_error if self.storage is not None else None
        return FlushReport(
            is_stored=is_stored,
            is_exported=is_exported,
            lost=self.guard.losses_of(run_id),
            store_error=str(error) if error else "",
        )

    def flush_ended_run(self, run_id: str, *, is_awaited: bool = True) -> FlushReport:
        """Store and export what is recorded so far, or leave it to the drain, whose next round is near.

        When the process ends, `close` does it once for all runs. The end of a `with` block waits only for OTLP: every
        reader merges the journals (decision 0007).
        """
        if self.is_exiting or not (is_awaited or self.otlp is not None):
            return FlushReport(is_stored=False, is_exported=False, lost=self.guard.losses_of(run_id))
        left_s = self.waited.left_s(self.settings.exit_timeout_s)
        return self.flush(timeout_s=left_s, is_patient=False, run_id=run_id)

    def close(self, *, timeout_s: float | None = None) -> FlushReport:
        """Store and export what is left within the exit budget and stop all threads; safe to call twice."""
        return self.close_storage(timeout_s=timeout_s)()

    def close_storage(self, *, timeout_s: float | None = None) -> Callable[[], FlushReport]:
        """Store what is left and stop recording; return what exports the rest, which an endpoint may hold up."""
        budget_s = self.settings.exit_timeout_s if timeout_s is None else timeout_s
        deadline_s = time.monotonic() + self.waited.left_s(budget_s)
        if not self._is_closed:
            self.artifacts.close(timeout_s=self.waited.left_s(budget_s * ARTIFACTS_SHARE))
            self.write_losses()
        if self._is_closed or self.is_inherited:
            return lambda: FlushReport(is_stored=True, is_exported=True, lost=dict(self.guard.losses))
        self._is_closed = True
        leave_logging(self)
        self._stop.set()
        self._collect_metrics()
        self.snapshots.wait(timeout_s=min(budget_s / 4, max(0.0, deadline_s - time.monotonic())))
        if self.storage is not None:
            self._drain(min(budget_s / 4, max(0.1, deadline_s - time.monotonic())))
        self.journal.close()
        is_stored = self.storage is None
        if self.storage is not None:
            is_stored = self.storage.close(timeout_s=max(0.1, (deadline_s - time.monotonic()) * 0.6))
            if not is_stored:
                journal_words.tell_waiting(self.storage.last_error, self.journal.directory)
            if self.otlp is None:
                self.storage.release()
        return lambda: self._close_exports(budget_s, deadline_s, is_stored=is_stored)

    def _close_exports(self, budget_s: float, deadline_s: float, *, is_stored: bool) -> FlushReport:
        self._user_processors.shut_down_within((deadline_s - time.monotonic()) / 2)
        is_exported = True
        if self.otlp is not None:
            left_s = max(0.1, deadline_s - time.monotonic())
            share_s, longest_s = budget_s * _CLOSE_SHARE, left_s - budget_s * _LAST_WORDS_SHARE
            is_exported = self.otlp.shutdown(
                timeout_s=min(left_s, share_s), longest_s=longest_s, is_whole=is_stored
            )
            if self.storage is not None:
                self.storage.release()
        self.guard.tell_all()
        self.guard.raise_later()
        is_exported = is_exported and (is_stored or self.otlp is None)
        return FlushReport(is_stored=is_stored, is_exported=is_exported, lost=dict(self.guard.losses))

    def write_losses(self) -> None:
        """Write down what the runs lost and what is only counted yet; the end of a run has room kept for it."""
        with self.guard, self.journal.last_words():
            self.losses.write_all()

    def before_last_collection(self, run: RunPort) -> None:
        """Take a run's last lines, its last sample of system metrics, and what the application's instruments measured in it."""
        leave_output(run)
        collect_adopted()
        if self._system is not None:
            self._system.sample_last(run)

    def _drain(self, timeout_s: float) -> bool:
        assert self.storage is not None
        before = self.anomalies.count
        is_stored = self.storage.drain_now(timeout_s=timeout_s)
        if self.anomalies.count > before:  # what was stored made events, which are to be stored as well
            is_stored = self.storage.drain_now(timeout_s=timeout_s) and is_stored
        return is_stored

    def _tick(self) -> None:
        inherited = leave_signals_to_the_program()
        settings = self.settings
        collection_s = self.otlp.metric_interval_s if self.otlp is not None else 60.0
        look_s = self._system.look_s if self._system is not None else _LOOK_S
        start_s = time.monotonic()
        next_heartbeat_s, next_collection_s = start_s + settings.heartbeat_s, start_s + collection_s
        next_look_s = start_s + look_s
        while not self._stop.wait(
            max(0.05, min(next_heartbeat_s, next_collection_s, next_look_s) - time.monotonic())
        ):
            now_s = time.monotonic()
            if now_s >= next_heartbeat_s:
                next_heartbeat_s = now_s + settings.heartbeat_s
                for run in self._active_runs():
                    run.beat()
                with self.guard:
                    self.losses.write_all()
            if now_s >= next_look_s:
                next_look_s = now_s + look_s
                for look in (look_again, look_after_output, look_for_late_group):
                    look()
                if self._system is not None:
                    with self.guard:
                        self._system.tick(self._active_runs())
            if now_s >= next_collection_s:
                next_collection_s = now_s + collection_s
                with blocking_only(inherited):
                    self._collect_metrics()

    def _active_runs(self) -> list[RunPort]:
        return [run for run in list(active_runs.values()) if run.pipeline is self]

    def _collect_metrics(self) -> None:
        collect_adopted()
        for run in self._active_runs():
            run.collect_metrics()

    def _count_span(self, run_id: str | None, size_bytes: int) -> None:
        run = active_runs.get(run_id) if run_id is not None else None
        if run is not None:
            run.count_ended_span(size_bytes)

    def _reset_in_child(self) -> None:
        self.guard.reset_in_child()
        self.losses.reset_in_child()
        self.references.reset_in_child()
        self.anomalies.reset_in_child()
        renew_lock(self.base_resource)
        self._ticker = None
        self._stop = threading.Event()


watch_providers(TRACER_PROVIDERS, LOGGER_PROVIDERS, METER_PROVIDERS)
_pipelines: Final = ResetInChild(Pipeline._reset_in_child)  # noqa: SLF001 - the module's own class
