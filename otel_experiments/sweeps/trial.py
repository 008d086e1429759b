"""One trial of a sweep: a child run around one call of the function."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from otel_experiments import _configure
from otel_experiments.codec.text import text_of
from otel_experiments.model.run import RunState
from otel_experiments.process.interruption import came_from_outside, is_interruption
from otel_experiments.record.run.spec import ParentRun, RunSpec

if TYPE_CHECKING:
    from otel_experiments.record.run.run import Run
    from otel_experiments.sweeps.plan import Config

_RUN_WORDS = frozenset({"run"})
_CONFIG_WORDS = frozenset({"config", "cfg", "params"})


@dataclass(frozen=True, slots=True)
class Task:
    """What all trials of a sweep share; it goes to worker processes."""

    fn: Callable[..., Any]  # the user's function
    parent: ParentRun
    name: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a trial came out: its run, state, what the function returned or raised, and the text of where it raised.

    `unsent` is why what it returned could not be sent to the process of the sweep.
    """

    number: int
    run_id: str
    name: str
    state: RunState
    returned: Any = None  # the user's
    error: BaseException | None = None
    trace: str = ""
    unsent: str = ""


def trial_name(sweep: str, number: int) -> str:
    """Return the name of a trial's run."""
    return f"{sweep}-{number:03}"


def run_trial(task: Task, number: int, config: Config) -> Outcome:
    """Call the function with one config, in a run of its own; an exception that it raises fails the run and is returned.

    `sys.exit` in the function ends its trial, as it would end a script of its own. What stops the program passes: Ctrl-C,
    exceptions of signal handlers, and a `sys.exit` after a SIGTERM, which has cancelled the run.
    """
    name = trial_name(task.name, number)
    run = _configure.begin_run(None, RunSpec(name=name, parent=task.parent, config=config))
    returned: Any = None
    error: BaseException | None = None
    try:
        with run:
            returned = _call(task.fn, run, config)
    except Exception as raised:  # whatever the user's function raises fails its trial alone
        if is_interruption(raised):
            raise
        error = raised
    except SystemExit as left:
        if came_from_outside(left) or run.state is RunState.CANCELLED:
            raise
        error = left if run.state is RunState.FAILED else None
    trace = "" if error is None else "".join(traceback.format_exception(error))
    return Outcome(number, run.id, run.name, run.state, returned, error, trace)


def takes(fn: Callable[..., Any]) -> tuple[str, ...]:  # the user's function
    """Return what the function takes: `config`, `run`, or both in its order."""
    try:
        parameters = list(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError) as error:
        if is_interruption(error):
            raise
        return ("config",)  # written in C
    positional = [one for one in parameters if one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD}]
    needed = [one.name for one in positional if one.default is one.empty]
    if len(needed) > 1:
        is_config_first = needed[0] in _CONFIG_WORDS or needed[1] in _RUN_WORDS
        return ("config", "run") if is_config_first else ("run", "config")
    names = needed or [one.name for one in positional]
    if names and names[0] in _RUN_WORDS:
        return ("run",)
    has_room = names or any(one.kind is one.VAR_POSITIONAL for one in parameters)
    return ("config",) if has_room else ()


def _call(fn: Callable[..., Any], run: Run, config: Config) -> Any:  # whatever the function returns
    given = {"run": run, "config": config}
    return fn(*(given[word] for word in takes(fn)))


def describe(error: BaseException | None) -> str:
    """Return type and text of an exception; empty for none."""
    if error is None:
        return ""
    text = text_of(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
