"""Trials in processes of their own, so many at a time: each worker is given one trial, and the next when it has answered.

There is no queue that could grow, and nothing is shared but a pipe to each worker. A worker that dies takes its one trial
with it; another worker goes on with the next.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any, Final

from otel_experiments import _configure
from otel_experiments.codec.text import text_of
from otel_experiments.errors import TrialError
from otel_experiments.model.run import RunState
from otel_experiments.process.interruption import is_interruption
from otel_experiments.sweeps.parent import END_S, Parent
from otel_experiments.sweeps.trial import Outcome, Task, run_trial, trial_name

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import BaseContext
    from multiprocessing.process import BaseProcess

    from otel_experiments.sweeps.plan import Config

_ASK_S: Final = 0.5
"""How often busy workers are asked whether they have ended without a word."""
_LOOK_S: Final = 0.05
QUIET_VARIABLE: Final = "OTEL_EXPERIMENTS_QUIET"


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    connection: Connection[Any, Any]
    number: int


def run_in_workers(
    task: Task,
    configs: Iterable[tuple[int, Config]],
    environment: Mapping[str, str],
    *,
    count: int,
    context: BaseContext,
) -> Iterator[Outcome]:
    """Yield how each trial came out, as they end; whatever ends the iteration early stops the workers."""
    waiting = iter(configs)
    idle: list[_Worker] = []
    busy: list[_Worker] = []
    try:
        while True:
            while len(busy) < count and (trial := next(waiting, None)) is not None:
                packed = _packed_config(task, *trial)
                if isinstance(packed, Outcome):
                    yield packed
                    continue
                worker = idle.pop() if idle else _start(task, environment, context)
                busy.append(worker)
                _give(worker, trial[0], packed)
            if not busy:
                return
            for worker in _ready(busy):
                busy.remove(worker)
                outcome, is_alive = _answer(worker, task)
                if is_alive:
                    idle.append(worker)
                yield outcome
    finally:
        _stop(idle, busy)


def _start(task: Task, environment: Mapping[str, str], context: BaseContext) -> _Worker:
    here, there = context.Pipe()
    is_direct = context.get_start_method() != "forkserver"
    process = context.Process(target=_work, args=(there, task, dict(environment), is_direct))  # type: ignore[attr-defined] # each context has it
    process.start()
    there.close()
    return _Worker(process, here, -1)


def _packed_config(task: Task, number: int, config: Config) -> bytes | Outcome:
    """Return a config as bytes; where it cannot be sent, the outcome of its trial, which is recorded here."""
    try:
        return bytes(ForkingPickler.dumps(config))
    except Exception as error:  # whatever a user's class does
        if is_interruption(error):
            raise
        return _refused(task, number, config, error)


def _refused(task: Task, number: int, config: Config, error: Exception) -> Outcome:
    """Record a trial that failed since its config cannot be sent from one process to another."""

    def refuse(config: Config) -> None:  # noqa: ARG001 - called as the user's function is
        raise TrialError(
            trial=number,
            found=f"its config cannot be sent to a worker process: {text_of(error) or type(error).__name__}",
            fix="Put into configs what can be imported or pickled, such as names of functions, or pass workers=1.",
        ) from error

    return run_trial(replace(task, fn=refuse), number, config)


def _give(worker: _Worker, number: int, packed: bytes) -> None:
    worker.number = number
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it is dead, which its answer says
        worker.connection.send((number, packed))


def _ready(busy: list[_Worker]) -> list[_Worker]:
    """Wait for workers that have answered, or ended: a process that one has forked may keep its pipe open for longer."""
    while True:
        answered = wait([one.connection for one in busy], _ASK_S)
        ready = [one for one in busy if one.connection in answered or one.process.exitcode is not None]
        if ready:
            return ready


def _answer(worker: _Worker, task: Task) -> tuple[Outcome, bool]:
    """Return how a worker's trial came out, and whether it can take another."""
    try:
        if worker.connection.poll():
            payload: bytes = worker.connection.recv_bytes()
            outcome: Outcome = pickle.loads(payload)  # noqa: S301 - of a process that we started
            is_alive = worker.process.exitcode is None
            if not is_alive:
                worker.connection.close()
            return outcome, is_alive
    except (EOFError, ConnectionResetError) as lost:
        if is_interruption(lost):
            raise
    worker.process.join()
    worker.connection.close()
    code = worker.process.exitcode
    ended = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
    error = TrialError(
        trial=worker.number,
        found=f"its worker process ended before it did, with {ended}",
        fix="Run that config alone to see why; the system's log tells of processes that needed too much memory.",
    )
    name = trial_name(task.name, worker.number)
    return Outcome(worker.number, "", name, RunState.LOST, error=error, trace=str(error)), False


def _stop(idle: list[_Worker], busy: list[_Worker]) -> None:
    """Let idle workers end, and end those that are busy: what stops the sweep stops its trials."""
    for worker in busy:
        worker.process.terminate()
    for worker in idle:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            worker.connection.send(None)
    deadline_s = time.monotonic() + END_S  # of all: each has been told
    for worker in (*idle, *busy):
        _wait_for(worker.process, deadline_s)
        if worker.process.exitcode is None:
            worker.process.kill()
            worker.process.join()
        worker.connection.close()


def _wait_for(process: BaseProcess, deadline_s: float) -> None:
    """Wait for a process to end; `join` alone would wait for those that it has forked as well."""
    while process.exitcode is None and time.monotonic() < deadline_s:
        process.join(_LOOK_S)


def _work(
    connection: Connection[Any, Any],
    task: Task,
    environment: Mapping[str, str],
    is_direct: bool,  # noqa: FBT001 - as `Process` hands it on
) -> None:
    """Do one trial after another, until the parent says that there is none, or is gone."""
    if not _is_forked():
        os.environ.update(environment)
    parent = Parent(is_direct=is_direct)
    try:
        while parent.has_given(connection):
            trial = connection.recv()
            if trial is None:
                return
            number, packed = trial
            with parent.watched():
                outcome = _done(task, number, packed)
            connection.send_bytes(_packed(outcome))
    except (EOFError, BrokenPipeError, ConnectionResetError) as error:
        if is_interruption(error):
            raise
    finally:
        if not _is_forked():
            _configure.shutdown()


def _done(task: Task, number: int, packed: bytes) -> Outcome:
    try:
        try:
            config: Config = pickle.loads(packed)  # noqa: S301 - of the process that started this one
        except Exception as error:  # whatever a user's class does, or one that cannot be imported here
            if is_interruption(error):
                raise
            return _refused(task, number, {}, error)
        return run_trial(task, number, config)
    except KeyboardInterrupt as error:  # Ctrl-C comes to the parent as well, which decides
        return Outcome(
            number, "", trial_name(task.name, number), RunState.CANCELLED, error=error, trace=text_of(error)
        )


def _packed(outcome: Outcome) -> bytes:
    """Return the outcome as bytes; what cannot be sent to another process is left out, and said."""
    packed = _sendable(outcome)
    if isinstance(packed, bytes):
        return packed
    if outcome.error is not None:
        outcome = replace(outcome, returned=None, error=_told(outcome))
    else:
        outcome = replace(outcome, returned=None, unsent=packed)
    return pickle.dumps(outcome)  # holds texts alone


def _sendable(outcome: Outcome) -> bytes | str:
    """Return the outcome as bytes that can be read again; else why not."""
    try:
        packed = pickle.dumps(outcome)
        pickle.loads(packed)  # noqa: S301 - what was packed above; some exceptions cannot be read again
    except Exception as error:  # whatever a user's class does
        if is_interruption(error):
            raise
        return text_of(error) or type(error).__name__
    return packed


def _told(outcome: Outcome) -> BaseException | None:
    error = outcome.error
    if error is None:
        return None
    return TrialError(
        trial=outcome.number,
        found=f"it raised {type(error).__name__}, which cannot be sent between processes: {text_of(error)}",
        fix="Its `traceback` says where.",
    )


def _is_forked() -> bool:
    """Whether this process was forked from one that records, and so has its recorder."""
    pipeline = _configure.known_pipeline()
    return pipeline is not None and pipeline.is_inherited
