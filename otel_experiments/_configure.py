"""The recorder that a process has by default, and the functions of the public face that use it."""

from __future__ import annotations

import functools
import inspect
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar, Unpack

from otel_experiments import _active
from otel_experiments._recorder import Recorder, RecorderParts, parts_of, recorder_of
from otel_experiments.errors import ConfigurationError
from otel_experiments.process.fork import at_fork
from otel_experiments.record.base.current import active_runs
from otel_experiments.record.base.propagation import RUN_ID_VARIABLE, read_membership
from otel_experiments.record.base.settings import GivenSettings, Settings, takes_settings
from otel_experiments.record.otlp.start import resolve_settings
from otel_experiments.record.pipeline.flush_report import FlushReport
from otel_experiments.record.pipeline.pipeline import Pipeline
from otel_experiments.record.run.run import Run, make_current
from otel_experiments.store import Store

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.id_generator import IdGenerator

    from otel_experiments.record.metrics.sinks import MetricsSink
    from otel_experiments.record.run.spec import RunSpec
    from otel_experiments.record.run.start import Before

P = ParamSpec("P")
R = TypeVar("R")

_changes = threading.RLock()
"""Held by what sets up or lets go, also while an endpoint that takes nothing is waited for; taken before `_lock`."""
_lock = threading.RLock()
"""Held to record and to read, and never while an endpoint is waited for."""
_recorder: Recorder | None = None


@takes_settings
def configure(
    *,
    id_generator: IdGenerator | None = None,
    clock: Callable[[], int] | None = None,
    span_processors: Sequence[SpanProcessor] = (),
    sinks: Sequence[MetricsSink] = (),
    **settings: Unpack[GivenSettings],
) -> Pipeline:
    """Set up recording for this process; without it the first run does, from environment and defaults.

    Calling it again closes what was set up before (open runs are finished first). Every argument wins over its
    environment variable; `otel_experiments.record.base.settings.SETTINGS` is the table. To record into several stores
    at once, make a `Recorder` for each.

    Args:
        id_generator: makes the ids of runs and spans; by default they are drawn without the global `random`.
        clock: nanoseconds since the Unix epoch; by default the system's.
        span_processors: get the spans of all runs as well.
        sinks: get each point as well, once it is stored.
        **settings: `store`, `experiment`, `otlp` and all others of the table.

    Raises:
        ConfigurationError: a setting that there is not, or that cannot be used.
        StoreError: the store cannot be used: a directory, not writable, not a store, of a newer release.
    """
    resolve_settings(**settings)  # what cannot be used leaves what was set up before
    return _replaced_by(
        lambda: Recorder(
            id_generator=id_generator, clock=clock, span_processors=span_processors, sinks=sinks, **settings
        )
    )


def shutdown() -> FlushReport | None:
    """Finish the open runs, store and export everything, and let go; None when nothing was set up."""
    with _changes:
        _finish_runs()
        with _lock:
            export = _let_go()
        return None if export is None else export()


def _replaced_by(make: Callable[[], Recorder]) -> Pipeline:
    """Let go of what is set up, and use what `make` makes; only what is left to export is waited for without the lock."""
    with _changes:
        _finish_runs()
        export: Callable[[], FlushReport] | None = None
        try:
            with _lock:
                export = _let_go()
                return parts_of(_use(make())).pipeline
        finally:
            if export is not None:
                export()


def _finish_runs() -> None:
    recorder = _recorder
    if recorder is not None:
        parts_of(recorder).finish_runs()


def _let_go() -> Callable[[], FlushReport] | None:
    global _recorder
    recorder, _recorder = _recorder, None
    return None if recorder is None else parts_of(recorder).close_storage()


def recorder() -> Recorder:
    """Return the process's recorder, set up from environment and defaults when nobody has done it."""
    with _lock:
        return _recorder or _use(Recorder())


def pipeline() -> Pipeline:
    """Return the pipeline of the process's recorder, which is set up as `recorder` does."""
    return _parts().pipeline


def _parts() -> RecorderParts:
    return parts_of(recorder())


def active_store() -> Store | None:
    """Return the store that this process records into, up to date; None when it records into none."""
    with _lock:
        recording = _recorder
    return (
        None if recording is None else parts_of(recording).current_store()
    )  # nobody waits for the lock meanwhile


def active_settings() -> Settings | None:
    """Return the settings that this process records with; None when recording is not set up."""
    recording = _recorder
    return None if recording is None else parts_of(recording).settings


def _on_default(method: Callable[Concatenate[Recorder, P], R]) -> Callable[P, R]:
    """Make a function of the module of a method of `Recorder`: it is called on the process's recorder."""

    @functools.wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return method(recorder(), *args, **kwargs)

    signature = inspect.signature(method)
    call.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])  # type: ignore[attr-defined]
    call.__module__, call.__qualname__ = __name__, method.__name__
    del call.__wrapped__  # its signature has a `self`
    return call


start_run = _on_default(Recorder.start_run)
experiment = _on_default(Recorder.experiment)


def begin_run(before: Before | None, spec: RunSpec) -> Run:
    """Start a run of the process's recorder, or go on with `before`."""
    parts = _parts()
    return parts.begin_run(before, spec, rank=parts.rank_of(spec))


def set_experiment(name: str) -> None:
    """Have the runs to come that name no experiment be of this one."""
    _parts().set_experiment(name)


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
        recorder = _recorder or _use(recorder_of(Settings.resolve({**os.environ, **told})))
    return parts_of(recorder).join_as_worker(membership)


def worker_init(environ: Mapping[str, str], worker: object = None) -> None:  # noqa: ARG001 - a DataLoader passes its number
    """Join a run for the life of a worker process: the initializer of a pool, or of a DataLoader's workers.

    `Pool(4, initializer=worker_init, initargs=(run.environment(),))`, or for a DataLoader
    `worker_init_fn=functools.partial(worker_init, run.environment())`.

    Args:
        environ: what `run.environment()` returned.
        worker: ignored: a DataLoader passes its number.

    Raises:
        ConfigurationError: `environ` names no run.
        StoreError: the store can never take the run.
    """
    membership = read_membership(environ)
    if membership is None or membership.run_id not in active_runs:
        make_current(join_run(environ))


def known_pipeline() -> Pipeline | None:
    """Return the pipeline of the process's recorder, None where nobody has set one up."""
    return None if _recorder is None else parts_of(_recorder).pipeline


def rebuild(settings: Settings) -> Pipeline:
    """Shut down what is set up, and set up recording anew."""
    return _replaced_by(lambda: recorder_of(settings))


def _use(made: Recorder) -> Recorder:
    global _recorder  # noqa: PLW0603 - the process's set-up
    _recorder = made
    _active.set_finders(active_store, active_settings)
    return made


def _reset_in_child() -> None:
    global _changes, _lock  # another thread may have held them at the fork
    _changes, _lock = threading.RLock(), threading.RLock()


at_fork(after_in_child=_reset_in_child)
