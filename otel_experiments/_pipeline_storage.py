"""Between a pipeline, which knows no store, and the store that its journal is drained into."""

from __future__ import annotations

import logging
import math
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from otel_experiments.collect.drain import Drain
from otel_experiments.collect.journal_place import journal_directory
from otel_experiments.collect.journal_reports import JournalReporter
from otel_experiments.errors import ArtifactNotFoundError, StoreError
from otel_experiments.model.artifact import ArtifactQuery
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.metric import SeriesKey
from otel_experiments.model.other_stores import keep_waiting_in
from otel_experiments.model.signal import Signal
from otel_experiments.model.store_location import DEFAULT_STORE
from otel_experiments.model.stored_page import StoredPage
from otel_experiments.model.unsent import Unsent
from otel_experiments.process.file_mode import file_mode_of
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.notice import tell
from otel_experiments.process.signals_wait import SignalsWait
from otel_experiments.record.base.current import active_runs
from otel_experiments.record.base.guard import logger
from otel_experiments.semconv.events import ML_EXPERIMENT_DEFINITION
from otel_experiments.store import Store, open_store
from otel_experiments.store.filesystem import is_network_filesystem
from otel_experiments.store.other import in_time

if TYPE_CHECKING:
    from otel_experiments.model.log import LogRecord
    from otel_experiments.model.metric import Series
    from otel_experiments.model.rank_config import RankConfig
    from otel_experiments.query import Reader
    from otel_experiments.query.artifact_view import ArtifactView
    from otel_experiments.record.base.settings import Settings
    from otel_experiments.record.metrics.sinks import SinkFeeds
    from otel_experiments.record.otlp.export import OtlpExport
    from otel_experiments.record.pipeline.pipeline import Pipeline


_BUSY_TIMEOUT_S: Final = 1.0
"""How long one transaction of the drain waits for another process; it tries again, and nobody waits for it."""

_MOST_OWN_DEFINITIONS: Final = 1_000
"""So many definitions of experiments of this process are known before they are stored."""


@dataclass(frozen=True, slots=True)
class StorePlace:
    """What a recorder keeps runs in.

    Attributes:
        store: the store; None where none is kept, or its journals are its truth.
        journals: the folder of the journals.
        temporary: the same folder, where nobody keeps it.
        keeps_segments: whether journals stay when they are stored.
    """

    store: Store | None
    journals: Path
    temporary: Path | None = None
    keeps_segments: bool = False


def open_place(settings: Settings) -> StorePlace:
    """Return the store of these settings, open, and where its journals are.

    Raises:
        StoreError: the store cannot be used.
    """
    path, location = settings.store_path, settings.location
    keep_waiting_in(location.address, settings.journal_dir)
    is_shared_disk = path is not None and _is_network(settings, path)
    is_stored = settings.enabled and settings.is_stored and not is_shared_disk
    store = _open(settings, path) if is_stored else None
    beside = location.beside
    if beside is not None or not settings.enabled:
        journals = journal_directory(beside or Path(DEFAULT_STORE))
        return StorePlace(store, journals, keeps_segments=is_shared_disk)
    temporary = Path(tempfile.mkdtemp(prefix="otel-experiments-"))
    return StorePlace(store, temporary, temporary)


def _open(settings: Settings, path: Path | None) -> Store:
    return open_store(
        path or settings.location,
        busy_timeout_s=_BUSY_TIMEOUT_S,
        file_mode=file_mode_of(settings.store_mode, path) if settings.store_mode else None,
    )


def _make_reporter(place: StorePlace, pipeline: Pipeline, settings: Settings) -> JournalReporter | None:
    """Return what says in a store elsewhere what this process holds for it; None where readers look into the journals."""
    if place.store is None or settings.location.kind != "other":
        return None
    return JournalReporter(
        place.store,
        place.journals,
        journal_id=pipeline.journal.writer_id,
        interval_s=settings.drain_s,
        is_recording=lambda: any(run.pipeline is pipeline for run in list(active_runs.values())),
    )


def _is_network(settings: Settings, path: Path) -> bool:
    if settings.network_filesystem is not None:
        return settings.network_filesystem
    is_network = is_network_filesystem(path.parent)
    if is_network:
        text = "%s is on a network filesystem: runs stay in their journals, readers gather them."
        tell(logger, text, path, level=logging.INFO)
    return is_network


class Wiring:
    """What a drain calls of the pipeline, which is made after it; nothing before they are connected."""

    def __init__(self) -> None:
        self._pipeline: Pipeline | None = None
        self._sinks: SinkFeeds | None = None
        self._store: Store | None = None
        self._reporter: JournalReporter | None = None

    def connect(self, pipeline: Pipeline, sinks: SinkFeeds, place: StorePlace, settings: Settings) -> None:
        """Let `pipeline` hear of the drain from now on, `sinks` of what goes into the store, and other hosts of what waits."""
        self._pipeline, self._sinks, self._store = pipeline, sinks, place.store
        self._reporter = _make_reporter(place, pipeline, settings)

    def before_round(self) -> None:
        """Let the pipeline do what is to be done before a round."""
        if self._pipeline is not None:
            self._pipeline.before_drain()
            self._with_otlp(lambda otlp: otlp.note_progress())
        if self._reporter is not None:
            self._reporter.before_round()

    def after_last_round(self) -> None:
        """Say where others can read it that all of this process is stored; where that fails, a reader of this host says it."""
        if self._reporter is not None:
            with suppress(StoreError):
                self._reporter.close()

    def store(self, store: Store, batch: WriteBatch) -> None:
        """Store a batch, with a report of what waits where others are to read it."""
        if self._reporter is not None:
            self._reporter.apply(batch)
        else:
            store.apply(batch)

    def before_stored(self, batch: WriteBatch) -> None:
        """Add to a batch what sending wants to be stored with it."""
        self._with_otlp(lambda otlp: otlp.open_rows(batch))

    def after_stored(self, batch: WriteBatch) -> None:
        """Show the pipeline what was stored."""
        if self._pipeline is not None:
            self._pipeline.after_stored(batch)
        if self._sinks is not None and batch.points:
            self._sinks.feed(batch.points)

    def taken_over(self, batch: WriteBatch) -> None:
        """Let what another process has stored, at least in part, be sent from the store, and given to sinks."""
        if self._sinks is not None and self._store is not None:
            self._sinks.feed_stored(batch.points, self._store.points)
        self._with_otlp(lambda otlp: otlp.note_taken_over(batch))

    def _with_otlp(self, act: Callable[[OtlpExport], None]) -> None:
        pipeline = self._pipeline
        if pipeline is not None and pipeline.otlp is not None:
            with pipeline.guard:
                act(pipeline.otlp)


class RecordedStore:
    """A store as the sink of a drain whose pipeline adds to each batch."""

    def __init__(self, store: Store, wiring: Wiring) -> None:
        self._store = store
        self._wiring = wiring

    def apply(self, batch: WriteBatch) -> None:
        """Store the batch with what the pipeline adds."""
        self._wiring.before_stored(batch)
        self._wiring.store(self._store, batch)

    def journal_offset(self, segment_id: str) -> int:
        """Return how many bytes of the segment are in the store."""
        return self._store.journal_offset(segment_id)


class StoreOfSending:
    """What sending over OTLP needs of the store: its `SendingStore`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def note(self, rows: Sequence[Unsent], sent: Sequence[Unsent]) -> None:
        """Write how far sending is."""
        self._store.apply(WriteBatch(unsent=list(rows), sent=list(sent)))

    def pages(self, run_id: str, signal: Signal, since_ns: int, until_ns: int) -> Iterator[StoredPage]:
        """Yield what is stored of one signal of a run."""
        return self._store.stored_pages(run_id, signal, since_ns=since_ns, until_ns=until_ns)


class Discard:
    """The sink of a journal that nobody keeps: OTLP has been given what it holds."""

    def __init__(self) -> None:
        self._offsets: dict[str, int] = {}

    def apply(self, batch: WriteBatch) -> None:
        """Note how far the journal was read."""
        self._offsets.update((advance.segment_id, advance.end_offset) for advance in batch.journal)

    def journal_offset(self, segment_id: str) -> int:
        """Return how far a segment was read, in bytes."""
        return self._offsets.get(segment_id, 0)


class StoredPipeline:
    """The pipeline's view of store and drain: its `Storage`.

    `temporary` is the folder of a journal that nobody keeps; it goes when the pipeline closes. `reader` gives one over what
    is recorded so far, None where no store is kept. `after_last_round` is called when all is stored, and nothing more comes.
    """

    def __init__(
        self,
        drain: Drain,
        store: Store | None,
        temporary: Path | None,
        reader: Callable[[], Reader | None],
        after_last_round: Callable[[], None],
    ) -> None:
        self._reader = reader
        self._after_last_round = after_last_round
        self._drain = drain
        self._store = store
        self._temporary = temporary
        self._is_drained = False
        self._pid = os.getpid()
        self._stored_definitions: list[LogRecord] = []
        self._own_definitions: deque[LogRecord] = deque(maxlen=_MOST_OWN_DEFINITIONS)
        self.wake = drain.wake

    def drain_now(self, *, timeout_s: float) -> bool:
        """Store what is recorded so far; True when all of it was stored in time."""
        return self._drain.drain_now(timeout_s=timeout_s)

    def close(self, *, timeout_s: float) -> bool:
        """Store what is left and stop the drain; True when all of it was stored in time."""
        self._is_drained = self._drain.close(timeout_s=timeout_s)
        if self._is_drained:
            self._after_last_round()
        return self._is_drained

    def release(self) -> None:
        """Let go of the store, which sending needs to the last; a drain that still waits for it dies with the process."""
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
        elif self._store is not None and self._is_drained:
            if self._drain.has_met_own_journal:
                self._store.settle()
            self._store.close()

    def highest_steps(self, run_id: str, *, until: float = math.inf) -> dict[SeriesKey, float]:
        """Return the highest step of each series, and of media, up to `until`, of those of a run that count.

        Whatever rank wrote it goes on with it.
        """
        from otel_experiments.query import Reader  # noqa: PLC0415 - only where a run goes on

        if self._store is None or self._store.get_run(run_id) is None:
            return {}
        reader = Reader(self._store)
        found: dict[SeriesKey, float] = {}

        def note(name: str, phase: str, step: float) -> None:
            key = SeriesKey(name, phase)
            found[key] = max(step, found.get(key, -math.inf))

        for view in reader.run(run_id).metrics.all(rank="all"):
            steps = view.points().steps
            known = steps if until == math.inf else [step for step in steps if step <= until]
            if known:
                note(view.name, view.phase, max(known))
        for stored in self._store.artifacts(ArtifactQuery(role="media", run_ids=(run_id,))):
            media = stored.logged
            if media.step is None or media.step <= until:
                note(media.name, media.phase, -1.0 if media.step is None else media.step)
        return found

    def series_of(self, run_id: str) -> list[Series]:
        """Return the series that the store holds of a run, with their summaries."""
        return [] if self._store is None else in_time(self._store).series([run_id])[run_id]

    def lost_count_of(self, run_id: str) -> int:
        """Return how many items the store says were not recorded as they were given."""
        losses = {} if self._store is None else in_time(self._store).losses([run_id])
        return sum(loss.count for loss in losses.get(run_id, ()))

    def told_by_ranks(self, run_id: str) -> list[RankConfig]:
        """Return what the store holds of what ranks other than 0 were told about a run."""
        with SignalsWait("otel_experiments.query.rank_configs"):
            from otel_experiments.query.rank_configs import told_by_ranks  # noqa: PLC0415 - only in distributed jobs

        return [] if self._store is None else told_by_ranks(in_time(self._store), run_id)

    def describe_run(self, run_id: str) -> tuple[dict[str, Any], list[dict[str, str]]]:
        """Return what is recorded of a run so far, as JSON can hold it, and the artifacts that it used."""
        with SignalsWait("otel_experiments.query.plain"):
            from otel_experiments.query.plain import plain_run  # noqa: PLC0415 - only where a model is linked

        reader = self._reader()
        if reader is None:
            return {}, []
        used = reader.store.artifact_uses(run_ids=[run_id])
        return dict(plain_run(reader.run(run_id))), [
            {"experiment": one.experiment, "name": one.name, "digest": one.digest} for one in used
        ]

    def summary_of(self, run_id: str) -> dict[str, Any]:
        """Return the summary of a run, what is recorded so far included."""
        reader = self._reader()
        is_stored = reader is not None and reader.store.get_run(run_id) is not None
        return dict(reader.run(run_id).summary) if reader is not None and is_stored else {}

    def find_artifact(self, ref: str, experiment: str) -> ArtifactView:
        """Return the artifact that a text refers to; a name without an experiment is one of `experiment`.

        Raises:
            ArtifactNotFoundError: there is none.
        """
        reader = self._reader()
        if reader is None:
            raise ArtifactNotFoundError(wanted=ref, store="none", found="no store is kept")
        return reader.artifact(ref, experiment=experiment)

    def experiment_definitions(self) -> list[LogRecord]:
        """Return the events that define experiments: those that are stored, and those of this process.

        One that is stored meanwhile is there twice, which changes nothing. A forked child, which has no connection to the store, knows what its parent knew.
        """
        if self._store is not None and self._pid == os.getpid():
            try:
                self._stored_definitions = in_time(self._store).log_records(
                    event_name=ML_EXPERIMENT_DEFINITION.name
                )
            except StoreError as error:
                if is_interruption(error):
                    raise
                what = "What is defined of experiments cannot be read: %s; a run that starts has what was known before."
                tell(logger, what, error)
        return [*self._stored_definitions, *self._own_definitions]

    def know_definition(self, record: LogRecord) -> None:
        """Know an event of this process that defines an experiment, before it is stored."""
        self._own_definitions.append(record)

    @property
    def last_error(self) -> Exception | None:
        """What keeps the journal from being stored; None when nothing does."""
        return self._drain.last_error
