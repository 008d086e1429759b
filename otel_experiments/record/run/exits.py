"""How a process ends: its still open runs get the right state, within the exit budget.

Only a SIGTERM that nobody handles is handled here, and only by noting it: the signal then does what it always
did. Neither `sys.excepthook` nor any handler of the user is replaced. Whoever installs a handler over this one may
call it: the signal is theirs then, it is noted, and what becomes of the process is their decision.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from types import FrameType
from typing import Final

from otel_experiments.record.output.streams import renew_streams
from otel_experiments.record.pipeline.pipeline import Pipeline
from otel_experiments.record.run.last_exception import find_notebook
from otel_experiments.record.run.parts import RunParts, active_parts

_pipelines: list[Pipeline] = []
_is_registered = False
_watched_pid = 0
_LAST: Final = -100
"""The priority of an exit function that comes after those of queues and pools."""


def watch(pipeline: Pipeline) -> None:
    """Close the pipeline when the process ends."""
    global _is_registered  # noqa: PLW0603 - atexit and signals belong to the process
    _pipelines.append(pipeline)
    if not _is_registered:
        _is_registered = True
        atexit.register(_close_all)
    _watch_sigterm()


def forget(pipeline: Pipeline) -> None:
    """The pipeline was closed by hand."""
    if pipeline in _pipelines:
        _pipelines.remove(pipeline)
    if not _pipelines:
        _unwatch_sigterm()


def watch_process() -> None:
    """See that this process's runs end with it, where it is one that leaves without the interpreter's exit.

    The children of `multiprocessing` do: what was registered with `atexit` never runs in them, so their own exit
    functions are used. Notebooks do not end for days: there each cell's exception is looked at.
    """
    global _watched_pid  # noqa: PLW0603 - as above
    if _watched_pid == os.getpid():
        return
    _watched_pid = os.getpid()
    # Another thread may be importing it just now.
    find_parent = getattr(sys.modules.get("multiprocessing.process"), "parent_process", None)
    if find_parent is not None and find_parent() is not None:
        from multiprocessing.util import Finalize  # noqa: PLC0415 - loaded already in such a process

        Finalize(None, _end_runs_of_child, exitpriority=_LAST)
    events = getattr(find_notebook(), "events", None)
    if events is not None:
        events.register("post_run_cell", _look_at_cell)
        events.register("pre_run_cell", renew_streams)


def _look_at_cell(_: object = None) -> None:
    for run in active_parts():
        run.life.last_exception.note()


def _end_runs_of_child() -> None:
    """End the runs of a child of `multiprocessing`, which is about to leave; its exception is still under way."""
    error = sys.exc_info()[1]
    for run in active_parts():
        if not run.core.is_inherited:
            _end(run, error)
    for pipeline in _pipelines:
        if not pipeline.is_inherited:
            pipeline.artifacts.close(timeout_s=0.0)  # the end has waited for them


def _close_all() -> None:
    for pipeline in _pipelines:
        pipeline.is_exiting = True
    try:
        _end_all([run for run in active_parts() if run.life.take_over()])
    finally:
        for pipeline in _pipelines:
            pipeline.close()


def _end_all(runs: list[RunParts]) -> None:
    """End the runs; Ctrl-C goes on when every one has its end."""
    while runs:
        run = runs.pop()
        try:
            _end(run, None)
        except BaseException as error:
            _end(run, error)
            _end_all(runs)
            raise


def _end(run: RunParts, error: BaseException | None) -> None:
    run.life.end_unfinished("the process ended", error=error, is_cut=True)


def _watch_sigterm() -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_sigterm)


def _unwatch_sigterm() -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is _on_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _on_sigterm(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
    is_chained = signal.getsignal(signal.SIGTERM) is not _on_sigterm
    for run in active_parts():
        if run.core.is_inherited:
            continue
        if is_chained:
            run.life.note_signal("SIGTERM")
        else:
            run.core.pipeline.artifacts.close(timeout_s=0.0)
            run.life.end_by_signal("SIGTERM")
    if is_chained:
        return
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)
