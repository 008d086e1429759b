"""The composition root: settings become a pipeline, a store and a drain; the only place where they meet."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from otel_experiments import _active
from otel_experiments._storage import Discard, StoredPipeline
from otel_experiments.collect.drain import Drain
from otel_experiments.collect.gather import gather_journals
from otel_experiments.collect.journal_place import journal_directory
from otel_experiments.errors import ConfigurationError
from otel_experiments.journal.file_mode import file_mode_of
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.store_location import DEFAULT_STORE
from otel_experiments.process.fork import at_fork, need_in_children
from otel_experiments.process.notice import tell
from otel_experiments.process.paths import is_folder
from otel_experiments.record.base.guard import logger
from otel_experiments.record.base.propagation import RUN_ID_VARIABLE, Membership, read_membership
from otel_experiments.record.base.ranks import RanksMode, checked_mode, find_rank
from otel_experiments.record.base.settings import Settings
from otel_experiments.record.otlp.start import start_otlp
from otel_experiments.record.pipeline.pipeline import FlushReport, Pipeline
from otel_experiments.record.run import exits
from otel_experiments.record.run.children import CHILDREN_NEED
from otel_experiments.record.run.current import active_runs
from otel_experiments.record.run.run import Run
from otel_experiments.record.run.spec import RunSpec, given_facts
from otel_experiments.record.run.start import (
    Before,
    base_resource,
    create_run,
    system_clock,
    unknown_run,
)
from otel_experiments.record.spans.threads import thread_id_processors
from otel_experiments.store import Store, open_store
from otel_experiments.store.filesystem import is_network_filesystem

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.id_generator import IdGenerator

_BUSY_TIMEOUT_S: Final = 1.0
"""How long one transaction of the drain waits for another process; it tries again, and nobody waits for it."""

_lock = threading.RLock()
_pipeline: Pipeline | None = None
_store: Store | None = None


def configure(  # noqa: PLR0913 - one argument a setting, as documented in SETTINGS
    *,
    store: str | os.PathLike[str] | None = None,
    store_mode: str | int | None = None,
    project: str | None = None,
    experiment: str | None = None,
    enabled: bool | None = None,
    durability: str | None = None,
    otlp: bool | None = None,
    set_global: bool | None = None,
    exit_timeout_s: float | None = None,
    heartbeat_s: float | None = None,
    network_filesystem: bool | None = None,
    drain_s: float | None = None,
    capture_git: bool | None = None,
    redact_secrets: bool | None = None,
    system_metrics_s: float | None = None,
    ranks: str | None = None,
    on_error: str | None = None,
    id_generator: IdGenerator | None = None,
    clock: Callable[[], int] | None = None,
    span_processors: Sequence[SpanProcessor] = (),
) -> Pipeline:
    """Set up recording for this process; without it the first run does, from environment and defaults.

    Calling it again closes what was set up before (open runs are finished first). Every argument wins over its
    environment variable; `otel_experiments.record.base.settings.SETTINGS` is the table.

    Raises:
        ConfigurationError: a setting that cannot be used.
        StoreError: the store cannot be used: a directory, not writable, not a store, of a newer release.
    """
    settings = Settings.resolve(
        store=store,
        store_mode=f"{store_mode:04o}" if isinstance(store_mode, int) else store_mode,
        project=project,
        experiment=experiment,
        enabled=enabled,
        durability=durability,
        otlp=otlp,
        set_global=set_global,
        exit_timeout_s=exit_timeout_s,
        heartbeat_s=heartbeat_s,
        network_filesystem=network_filesystem,
        drain_s=drain_s,
        capture_git=capture_git,
        redact_secrets=redact_secrets,
        system_metrics_s=system_metrics_s,
        ranks=ranks,
        on_error=on_error,
    )
    with _lock:
        shutdown()
        return _build(settings, id_generator=id_generator, clock=clock, span_processors=span_processors)


def shutdown() -> FlushReport | None:
    """Finish the open runs, store and export everything, and let go; None when nothing was set up."""
    global _pipeline, _store
    with _lock:
        pipeline, _pipeline, _store = _pipeline, None, None
        if pipeline is None or pipeline.is_inherited:
            return None
        for run in list(active_runs.values()):
            if run.pipeline is pipeline:
                run.finish()
        exits.forget(pipeline)
        return pipeline.close()


def pipeline() -> Pipeline:
    """Return the process's pipeline, set up from environment and defaults when nobody has done it."""
    with _lock:
        if _pipeline is None:
            return _build(Settings.resolve())
        return _pipeline


def active_store() -> Store | None:
    """Return the store that this process records into, up to date; None when it records into none."""
    with _lock:
        recording, store = _pipeline, _store
    if recording is None:
        return None
    path = recording.settings.store_path
    if recording.is_inherited:  # a forked child reads what its parent records
        from otel_experiments._opening import open_reader  # noqa: PLC0415 - only in children that read

        return None if path is None else open_reader(path).store
    recording.store_now(
        timeout_s=recording.settings.exit_timeout_s
    )  # and nobody waits for this lock meanwhile
    if store is None and path is not None and is_folder(journal_directory(path)):
        return gather_journals(path)[0]
    return store


def _build(
    settings: Settings,
    *,
    id_generator: IdGenerator | None = None,
    clock: Callable[[], int] | None = None,
    span_processors: Sequence[SpanProcessor] = (),
) -> Pipeline:
    global _pipeline, _store
    store: Store | None = None
    temporary: Path | None = None
    path = settings.store_path
    is_shared_disk = path is not None and _is_network(settings, path)
    if settings.enabled and settings.is_stored and not is_shared_disk:
        store = open_store(
            path or settings.location,
            busy_timeout_s=_BUSY_TIMEOUT_S,
            file_mode=file_mode_of(settings.store_mode, path) if settings.store_mode else None,
        )
    if path is not None or not settings.enabled:
        directory = journal_directory(path or Path(DEFAULT_STORE))
    else:
        temporary = Path(tempfile.mkdtemp(prefix="otel-experiments-"))
        directory = temporary
    made_of: list[Pipeline] = []

    def hand_on(batch: WriteBatch) -> None:
        for pipeline in made_of:
            pipeline.after_stored(batch)

    drain = Drain(
        store or Discard(),
        directory,
        interval_s=settings.drain_s,
        on_batch=hand_on,
        keeps_segments=is_shared_disk,
    )
    made = Pipeline(
        settings,
        directory,
        base_resource=base_resource(settings),
        storage=StoredPipeline(drain, store, temporary),
        id_generator=id_generator,
        clock=clock or system_clock,
        span_processors=[*thread_id_processors(os.environ), *span_processors],
    )
    if settings.enabled:
        made.otlp = start_otlp(settings, made.guard, made.known_runs, is_stored=store is not None)
    made_of.append(made)
    drain.before_round = made.before_drain
    need_in_children(*CHILDREN_NEED)
    if settings.enabled:
        drain.start()
    _pipeline, _store = made, store
    _active.set_finder(active_store)
    if settings.set_global:
        from otel_experiments.record.spans.routing import install_global_provider  # noqa: PLC0415 - rarely wanted

        install_global_provider()
    exits.watch(made)
    return made


def _is_network(settings: Settings, path: Path) -> bool:
    if settings.network_filesystem is not None:
        return settings.network_filesystem
    is_network = is_network_filesystem(path.parent)
    if is_network:
        text = "%s is on a network filesystem: runs stay in their journals, readers gather them."
        tell(logger, text, path, level=logging.INFO)
    return is_network


def start_run(  # noqa: PLR0913 - each argument is one fact about the run
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
    parent: Run | None = None,
    resume: str | None = None,
    pending: bool = False,
    ranks: RanksMode | None = None,
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
        parent: the run that this one is part of; by default the current run.
        resume: the id of a stored run (or a unique prefix of it) to go on with, as its next attempt; what is
            not given here stays as it was.
        pending: only write the run down, as pending; `with run:` or `run.start()` starts it.
        ranks: whether the processes of a job record this run together: `auto` (the ranks of torchrun or of a
            process group that exists do), `join` (all that a launcher numbers), `separate`; by default the setting.

    Raises:
        ConfigurationError: a name or config that cannot be used.
        StoreError: the store can never take the run; raised here, before training starts. A store that is
            only locked, or a disk that is only full, raises nothing: the journal waits.
        RunNotFoundError: there is no run to resume.
        AmbiguousRunError: several runs have the name, or ids that begin so.
    """
    if resume is not None and not isinstance(resume, str):
        raise ConfigurationError(
            f"resume={resume!r} cannot be used: it is of type {type(resume).__name__}.\n  Pass the id of a stored run."
        )
    facts = given_facts(group=group, condition=condition, hypothesis=hypothesis, description=description)
    given = RunSpec(
        name=name, experiment=experiment, config=config, tags=tags, facts=facts, seed=seed, parent=parent, pending=pending
    )  # fmt: skip
    return begin_run(None if resume is None else resumed_run(resume), given, ranks=ranks)


def begin_run(
    before: Before | None, spec: RunSpec, *, ranks: RanksMode | None = None, run_id: str = ""
) -> Run:
    """Start a run, or go on with `before`; `run_id` is the id of a new one."""
    process = pipeline()
    experiment, place = spec.experiment or process.settings.experiment, None
    if before is None:
        membership = read_membership(os.environ)
        if membership is not None and membership.run_id not in active_runs:
            return _join_as_worker(process, membership, spec.config, spec.tags)
        mode = process.settings.ranks if ranks is None else checked_mode(ranks)
        place = find_rank(os.environ, experiment, spec.name, mode)
        if run_id and place is None:
            before = unknown_run(run_id)
    return create_run(process, spec, before=before, rank=place)


def join_run(environ: Mapping[str, str] | None = None) -> Run:
    """Join the run that another process started, told by `run.environment()` there; use it with `with`.

    What is recorded goes into that run, spans under the span that was current there. Leaving it ends this
    process's part, never the run. A process that is set up already keeps its store.

    Args:
        environ: what `run.environment()` returned; by default the environment of this process.

    Raises:
        ConfigurationError: `environ` names no run.
        StoreError: the store can never take the run.
    """
    told = os.environ if environ is None else environ
    membership = read_membership(told)
    if membership is None:
        raise ConfigurationError(
            f"There is no run to join: {RUN_ID_VARIABLE} is not set.\n"
            "  Hand on what run.environment() returns in the process that started the run."
        )
    with _lock:
        process = _pipeline or _build(Settings.resolve({**os.environ, **told}))
    return _join_as_worker(process, membership, None, None)


def worker_init(environ: Mapping[str, str], worker: object = None) -> None:  # noqa: ARG001 - a DataLoader passes its number
    """Join a run for the life of a worker process: the initializer of a pool, or of a DataLoader's workers.

    `Pool(4, initializer=worker_init, initargs=(run.environment(),))`, or for a DataLoader
    `worker_init_fn=functools.partial(worker_init, run.environment())`.

    Raises:
        ConfigurationError: `environ` names no run.
        StoreError: the store can never take the run.
    """
    membership = read_membership(environ)
    if membership is None or membership.run_id not in active_runs:
        join_run(environ).stay()


def _join_as_worker(
    process: Pipeline,
    membership: Membership,
    config: object,
    tags: Mapping[str, object] | Iterable[str] | None,
) -> Run:
    from otel_experiments.record.run.worker import join_as_worker  # noqa: PLC0415 - only in processes that join

    run = join_as_worker(process, membership)
    if config is not None:
        run.log_params(config)
    if tags is not None:
        run.set_tags(tags)
    return run


def _reset_in_child() -> None:
    global _lock  # noqa: PLW0603 - another thread may have held it at the fork
    _lock = threading.RLock()


at_fork(after_in_child=_reset_in_child)


def known_pipeline() -> Pipeline | None:
    """Return the process's pipeline, None where nobody has set one up."""
    return _pipeline


def rebuild(settings: Settings) -> Pipeline:
    """Shut down what is set up, and set up recording anew."""
    with _lock:
        shutdown()
        return _build(settings)


def resumed_run(wanted: str) -> Before:
    """Return the run that is to go on: by id, by the beginning of one, or by a name that only one run has.

    Raises:
        ConfigurationError: this process keeps no store.
        RunNotFoundError: there is none.
        AmbiguousRunError: there are several.
    """
    from otel_experiments.query import Reader  # noqa: PLC0415 - only when resuming

    store = active_store()
    if store is None:
        raise ConfigurationError(
            f"Run {wanted!r} cannot be resumed: this process keeps no store.\n  Configure one: configure(store=PATH)."
        )
    found = Reader(store).only_run(wanted)
    return Before(found.record, dict(found.params.flat), found.duration_s or 0.0)
