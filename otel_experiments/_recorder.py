"""The composition root: settings become a pipeline, a store and a drain; the only place where they meet."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Never, Self, Unpack

from otel_experiments._pipeline_storage import (
    Discard,
    RecordedStore,
    StoredPipeline,
    StoreOfSending,
    Wiring,
    open_place,
)
from otel_experiments._related import Relations, membership_here
from otel_experiments.collect.drain import Drain
from otel_experiments.collect.gather import gather_journals
from otel_experiments.collect.journal_place import journal_directory
from otel_experiments.importers.otlp import unpack_for
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.process.file_mode import file_mode_of
from otel_experiments.process.fork import need_in_children
from otel_experiments.process.paths import is_folder, is_there
from otel_experiments.process.signals_wait import SignalsWait
from otel_experiments.record.base.claims import Claims
from otel_experiments.record.base.current import active_runs, silent_runs
from otel_experiments.record.base.offered_run import take_offered
from otel_experiments.record.base.other_trackers import start_words
from otel_experiments.record.base.propagation import Membership
from otel_experiments.record.base.ranks import Rank, RanksMode, checked_mode, find_rank
from otel_experiments.record.base.settings import GivenSettings, Settings, StepAxis, takes_settings
from otel_experiments.record.metrics.sinks import SinkFeeds
from otel_experiments.record.otlp.start import resolve_settings, start_otlp
from otel_experiments.record.pipeline.flush_report import FlushReport
from otel_experiments.record.pipeline.pipeline import Pipeline
from otel_experiments.record.run import exits
from otel_experiments.record.run.children import CHILDREN_NEED
from otel_experiments.record.run.current import face_of
from otel_experiments.record.run.experiment import define_experiment
from otel_experiments.record.run.run import Run, make_current
from otel_experiments.record.run.spec import RunSpec, given_facts
from otel_experiments.record.run.start import Before, base_resource, create_run, system_clock, unknown_run
from otel_experiments.record.spans.threads import thread_id_processors
from otel_experiments.store import Store

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.id_generator import IdGenerator

    from otel_experiments.artifacts.protocol import BlobStore
    from otel_experiments.query import Reader, RunView
    from otel_experiments.record.metrics.sinks import MetricsSink


class Recorder:
    """Records runs into one store: the settings, the pipeline and the store of what `configure` sets up, as an object.

    A process may have several at once, each with a store of its own; `start_run` and its like use the one that
    `configure` made. Use it with `with`, or call `shutdown`.

    Args:
        id_generator: makes the ids of runs and spans; by default they are drawn without the global `random`.
        clock: nanoseconds since the Unix epoch; by default the system's.
        span_processors: get the spans of all runs as well.
        sinks: get each point as well, once it is stored.
        **settings: as `configure` takes them; the environment and the defaults say what is not given.

    Raises:
        ConfigurationError: a setting that cannot be used.
        StoreError: the store cannot be used: a directory, not writable, not a store, of a newer release.
    """

    @takes_settings
    def __init__(
        self,
        *,
        id_generator: IdGenerator | None = None,
        clock: Callable[[], int] | None = None,
        span_processors: Sequence[SpanProcessor] = (),
        sinks: Sequence[MetricsSink] = (),
        **settings: Unpack[GivenSettings],
    ) -> None:
        self._parts = RecorderParts(
            resolve_settings(**settings),
            id_generator=id_generator,
            clock=clock,
            span_processors=span_processors,
            sinks=sinks,
        )

    @property
    def settings(self) -> Settings:
        """What the arguments, the environment and the defaults gave."""
        return self._parts.settings

    @property
    def store(self) -> Store | None:
        """The store that is recorded into; None where there is none, or its journals are its truth."""
        return self._parts.store

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()

    def shutdown(self) -> FlushReport | None:
        """Finish the open runs, store and export everything, and let go; None in a forked child. Safe to call twice."""
        self._parts.finish_runs()
        export = self._parts.close_storage()
        return None if export is None else export()

    def start_run(  # noqa: PLR0913 - each argument is one fact about the run
        self,
        /,
        name: str | None = None,
        *,
        experiment: str | None = None,
        config: object = None,
        tags: Mapping[str, object] | Iterable[str] | None = None,
        group: str | None = None,
        hypothesis: str | None = None,
        condition: str | None = None,
        description: str | None = None,
        seed: int | None = None,
        parent: Run | RunView | str | Literal[False] | None = None,
        resume: str | bool | None = None,
        key: str | None = None,
        rewind_to: float | None = None,
        fork_from: str | None = None,
        pending: bool = False,
        ranks: RanksMode | None = None,
        step_axis: StepAxis | None = None,
        **elsewhere: Never,
    ) -> Run:
        """Start a run; use it with `with`, or call its `finish()`.

        Args:
            name: what people call the run; made up (`keen-heron-417`) when not given. Need not be unique.
            experiment: what is studied; runs of one experiment are compared.
            config: params: a mapping (nested as you like), Namespace, dataclass or pydantic model.
            tags: a mapping, or names whose value is empty.
            group: runs that belong together.
            hypothesis: what the experiment is to show.
            condition: which arm of a comparison this run is, such as `control`.
            description: more about it, as a text.
            seed: the random seed, recorded, not set.
            parent: the run that this one is part of, also by id or name; it gives experiment and group where none are
                given. By default that of a resumed run, else the current run; False for none.
            resume: the id or name of a stored run to go on with, as its next attempt; what is not given here stays as it
                was. Or, with `key`, `"allow"`, `"must"` or `"never"`; without, True: the newest run, if it did not end well.
            key: an id of your own, unique in the experiment: the run that was started with it goes on, on any machine.
            rewind_to: the last step that counts of what the resumed run has recorded.
            fork_from: `"RUN?step=200"`: a new run with that run's params, and its curves up to the step.
            pending: only write the run down, as pending; `with run:` or `run.start()` starts it.
            ranks: whether the processes of a job record this run together: `auto` (the ranks of torchrun or of a
                process group that exists do), `join` (all that a launcher numbers), `separate`; by default the setting.
            step_axis: a point's step where none is given: `name`, each metric counts its points; `call`, the run counts the
                calls of `log`, so that curves of one call line up; by default the setting.
            **elsewhere: MLflow's `run_name`, `run_id`, `experiment_id` (a name), `parent_run_id`, and `nested`: where it is
                True, the run is current until it ends, also without `with`.

        Raises:
            ConfigurationError: a name or config that cannot be used.
            StoreError: the store can never take the run; where it is only locked or full, the journal waits.
            RunNotFoundError: there is no run to resume, to fork or to be part of.
            AmbiguousRunError: several runs have the name, or ids that begin so.
        """
        is_nested = False
        if elsewhere:
            name, experiment, parent, resume, is_nested = start_words(
                elsewhere, name, experiment, parent, resume
            )
        facts = given_facts(group=group, condition=condition, hypothesis=hypothesis, description=description)
        given = RunSpec(name=name, experiment=experiment, config=config, tags=tags, facts=facts, seed=seed, pending=pending, step_axis=step_axis)  # fmt: skip
        rank = self._parts.rank_of(given, ranks)
        relations = self._parts.relations(rank)
        try:
            before, given, run_id = relations.relate(given, parent=parent, resume=resume, key=key, rewind_to=rewind_to, fork_from=fork_from)  # fmt: skip
            relations.claims.give_back_others(run_id if before is None else before.record.run_id)
            made = self._parts.begin_run(before, given, rank=rank, run_id=run_id)
            return make_current(made) if is_nested and not pending else made
        except BaseException:
            relations.claims.give_back_unstarted()
            raise

    def experiment(
        self,
        name: str,
        *,
        config: object = None,
        tags: Mapping[str, object] | Iterable[str] | None = None,
        description: str | None = None,
    ) -> None:
        """Define what all runs of an experiment share: each run that starts later has the config and the tags.

        What a run is given itself wins. Called again it adds and changes; a run keeps what it started with.
        `experiments()[name]` reads it.

        Args:
            name: the name of the experiment.
            config: params: a mapping (nested as you like), Namespace, dataclass or pydantic model.
            tags: a mapping, or names whose value is empty; None as a value removes the tag.
            description: what the experiment is about, as a text.

        Raises:
            ConfigurationError: a name or config that cannot be used.
            StoreError: the store can never take it; where it is only locked or full, the journal waits.
        """
        define_experiment(self._parts.pipeline, name, config=config, tags=tags, description=description)


def recorder_of(settings: Settings) -> Recorder:
    """Return a recorder with settings that are resolved."""
    made = Recorder.__new__(Recorder)
    made._parts = RecorderParts(settings)  # noqa: SLF001 - what `__init__` does
    return made


def parts_of(recorder: Recorder) -> RecorderParts:
    """Return what a recorder is made of."""
    return recorder._parts  # noqa: SLF001 - the one door


class RecorderParts:
    """What a recorder is made of, for the rest of this package; users have `Recorder`.

    Attributes:
        settings: what the arguments, the environment and the defaults gave.
        store: the store that is recorded into; None where there is none, or its journals are its truth.
        pipeline: what all runs of the recorder feed.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        id_generator: IdGenerator | None = None,
        clock: Callable[[], int] | None = None,
        span_processors: Sequence[SpanProcessor] = (),
        sinks: Sequence[MetricsSink] = (),
    ) -> None:
        self.settings = settings
        self._store_path = settings.store_path
        self._made_blobs: BlobStore | None = None
        self._look_at_place()
        place = open_place(settings)
        self.store, directory, temporary = place.store, place.journals, place.temporary
        wiring = Wiring()
        drain = Drain(
            Discard() if self.store is None else RecordedStore(self.store, wiring),
            directory,
            interval_s=settings.drain_s,
            on_batch=wiring.after_stored,
            on_taken_over=wiring.taken_over,
            before_round=wiring.before_round,
            keeps_segments=place.keeps_segments,
            unpack=unpack_for(settings.location.beside),
        )
        self.pipeline = Pipeline(
            settings,
            directory,
            base_resource=base_resource(settings),
            storage=StoredPipeline(drain, self.store, temporary, self._reader, wiring.after_last_round),
            id_generator=id_generator,
            clock=clock or system_clock,
            span_processors=[*thread_id_processors(os.environ), *span_processors],
        )
        if settings.enabled:
            self.pipeline.otlp = start_otlp(
                settings,
                self.pipeline.guard,
                self.pipeline.known_runs,
                is_stored=place.store is not None,
                store=None if self.store is None else StoreOfSending(self.store),
                clock=self.pipeline.clock,
            )
        self.pipeline.blobs = self._blobs
        self._sinks = SinkFeeds(sinks, self.pipeline.guard)
        wiring.connect(self.pipeline, self._sinks, place, settings)
        need_in_children(*CHILDREN_NEED)
        if settings.enabled:
            drain.start()
        if settings.set_global:
            from otel_experiments.record.spans.routing import install_global_provider  # noqa: PLC0415 - rarely wanted

            install_global_provider()
        exits.watch(self.pipeline)

    def set_experiment(self, name: str) -> None:
        """Have the runs to come that name no experiment be of this one."""
        self.settings = self.pipeline.settings = replace(self.settings, experiment=name)

    def current_store(self) -> Store | None:
        """Return the store that is recorded into, up to date; None when there is none."""
        path = self.settings.store_path
        is_child = self.pipeline.is_inherited
        if is_child or not self.settings.enabled:  # what its parent records, or what has been recorded before
            from otel_experiments._opening import open_reader  # noqa: PLC0415 - only where others record

            return None if path is None or not (is_child or is_there(path)) else open_reader(path).store
        self.pipeline.store_now(timeout_s=self.settings.exit_timeout_s)
        if self.store is None and path is not None and is_folder(journal_directory(path)):
            return gather_journals(path, unpack=unpack_for(path))[0]
        return self.store

    def _reader(self) -> Reader | None:
        with SignalsWait("otel_experiments.query"):
            from otel_experiments.query import Reader  # noqa: PLC0415 - only where something is read
        store = self.current_store()
        return None if store is None else Reader(store)

    def _look_at_place(self) -> None:
        """Refuse a place for artifacts before anything is opened; children have the temporary one of a store in memory."""
        settings = self.settings
        if settings.enabled and (settings.artifacts or (settings.is_stored and self._store_path is None)):
            self._blobs()

    def _blobs(self) -> BlobStore | None:
        """Return what keeps the bytes of artifacts, made when it is first wanted; None where nothing does."""
        settings, path = self.settings, self._store_path
        if self._made_blobs is None and (settings.is_stored or settings.artifacts):
            with SignalsWait():
                from otel_experiments.artifacts.place import blobs_for  # noqa: PLC0415 - only where bytes are kept

                self._made_blobs = blobs_for(
                    settings.location if path is None else StoreLocation("file", path),
                    settings.artifacts,
                    file_mode=file_mode_of(settings.store_mode, path),
                    sync=settings.durability == "fsync",
                )
        return self._made_blobs

    def rank_of(self, spec: RunSpec, ranks: RanksMode | None = None) -> Rank | None:
        """Return the place of this process among the ranks that record the run; None where it records alone."""
        mode = self.settings.ranks if ranks is None else checked_mode(ranks)
        if membership_here() is not None:
            return None
        return find_rank(os.environ, spec.experiment or self.settings.experiment, spec.name, mode)

    def begin_run(
        self, before: Before | None, spec: RunSpec, /, *, rank: Rank | None, run_id: str = ""
    ) -> Run:
        """Start a run, or go on with `before`, as this rank of a job; `run_id` is the id of a new one."""
        membership = membership_here()
        if membership is not None and (before is None or before.record.run_id == membership.run_id):
            return self.join_as_worker(membership, spec.config, spec.tags)
        run_id = run_id if before is None else before.record.run_id
        if rank is not None:
            rank = replace(rank, run_id=run_id or rank.run_id)
            return create_run(self.pipeline, spec, before=before, rank=rank)
        offered = take_offered(os.environ, store=self.pipeline.store_path, leaves=bool(run_id))
        known = before or (unknown_run(run_id) if run_id else offered)
        return create_run(self.pipeline, spec, before=known)

    def join_as_worker(
        self,
        membership: Membership,
        config: object = None,
        tags: Mapping[str, object] | Iterable[str] | None = None,
    ) -> Run:
        """Join the run that another process started."""
        from otel_experiments.record.run.worker import join_as_worker  # noqa: PLC0415 - only in processes that join

        run = join_as_worker(self.pipeline, membership)
        if config is not None:
            run.log_params(config)
        if tags is not None:
            run.set_tags(tags)
        return run

    def relations(self, rank: Rank | None) -> Relations:
        """Return what finds the stored runs that a new one of this rank has to do with."""
        claims = Claims(self.pipeline.journal.directory, self.settings)
        is_on = self.settings.enabled
        return Relations(self.current_store, self.settings.experiment, claims, rank, is_on=is_on)

    def finish_runs(self) -> None:
        """Finish the open runs, unless they are those of the parent of this process."""
        for run in [*active_runs.values(), *silent_runs.values()]:
            if run.pipeline is self.pipeline and not run.pipeline.is_inherited:
                face_of(run).finish()

    def close_storage(self) -> Callable[[], FlushReport] | None:
        """Store what is left and let go; return what exports the rest, or None in a forked child."""
        if self.pipeline.is_inherited:
            return None
        self.finish_runs()  # another thread may have started one meanwhile
        exits.forget(self.pipeline)
        export = self.pipeline.close_storage()
        self._sinks.close(timeout_s=self.settings.exit_timeout_s / 4)
        if self._made_blobs is not None:
            self._made_blobs.close()
        return export
