"""`ox.sweep`: a function called with many configs, each call a run, all of them children of the sweep's own run."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from otel_experiments import _configure
from otel_experiments.codec.text import shown, text_of
from otel_experiments.errors import ConfigurationError, QueryError
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.notice import tell
from otel_experiments.query import Reader
from otel_experiments.record.base.guard import logger
from otel_experiments.record.base.propagation import environment_of
from otel_experiments.record.run.spec import ParentRun, RunSpec, given_facts
from otel_experiments.sweeps.plan import copied, make_plan
from otel_experiments.sweeps.result import SweepResult, Trial
from otel_experiments.sweeps.trial import Outcome, Task, run_trial, takes
from otel_experiments.sweeps.wandb_config import Asked, read_asked
from otel_experiments.sweeps.workers import QUIET_VARIABLE, run_in_workers

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

    from otel_experiments.query import RunView
    from otel_experiments.record.run.run import Run
    from otel_experiments.sweeps.plan import Config, Plan

_START_METHODS: Final = ("fork", "forkserver", "spawn")


def sweep(  # noqa: PLR0913 - each argument is one fact about the sweep
    fn: Callable[..., Any],  # the user's, of a config, of a run, or of both
    space: Mapping[str, Any] | Iterable[Mapping[str, Any]],  # what a config may hold
    *,
    n: int | None = None,
    seed: int | None = None,
    workers: int = 1,
    name: str | None = None,
    experiment: str | None = None,
    group: str | None = None,
    tags: Mapping[str, object] | Iterable[str] | None = None,
    raise_on_error: bool = False,
    start_method: str | None = None,
) -> SweepResult:
    """Call a function with many configs, each call a run of its own, and return how they came out.

    The runs of the trials are children of one run, the sweep's, and their params are the configs. A trial that raises is
    failed, and the sweep goes on; `sys.exit` ends its trial alone, with 0 or nothing as a success. Ctrl-C cancels the trials
    that are on and those that were to come. Workers end with this process, also where it is killed.

    Args:
        fn: is called as `fn(config)`, or as `fn(run, config)` where it takes two arguments; `fn(run)` where its one argument
            is called so. Each call has a copy of its config, so that no trial changes another's. What it returns is kept
            with the trial.
        space: a mapping whose values are lists is a grid: each combination is tried. Where one is drawn (`ox.uniform`,
            `ox.loguniform`, `ox.randint`, `ox.choice`), `n` configs are drawn; a list is one to choose from then.
            Mappings may be nested; a value that is no list is the same in all. A list of configs is tried as it is. A sweep
            configuration of wandb is taken as the space that it means.
        n: how many trials: needed where values are drawn; of a grid so many different ones, of a list the first. Where there are
            fewer, each is tried once, and the log says so.
        seed: for what is drawn; recorded, and drawn itself where it is not given. The program's `random` is not touched.
        workers: so many trials at a time, each in a process; with 1 they are in this one.
        name: what the sweep's run is called; those of the trials are called so with a number.
        experiment: of all of them; by default that of the current run, or the setting.
        group: of all of them.
        tags: of the sweep's run.
        raise_on_error: whether the first exception of a trial ends the sweep and is raised.
        start_method: how the processes are started: `fork`, `spawn` or `forkserver`; by default as Python does. With the
            last two the function has to be one that can be imported.

    Raises:
        ConfigurationError: there is nothing to try, or an argument cannot be used; nothing has run then.
    """
    asked = read_asked(space, n, name, experiment)
    plan = make_plan(asked.space, asked.n, seed)
    _check_function(fn)
    context = _checked_workers(fn, workers, start_method)
    sweep_run = _begin(asked, plan, fn, group=group, tags=tags)
    _tell_differences(sweep_run, plan, asked)
    with sweep_run:
        trials = _trials(sweep_run, fn, plan, workers, context, raise_on_error=raise_on_error)
        failed = sum(one.is_failed for one in trials)
        if failed == len(trials):
            sweep_run.finish("failed", reason=f"all {failed} trials failed")
    return SweepResult(sweep_run.id, sweep_run.name, plan.seed, trials, _runs_of, goal=asked.goal)


def _begin(
    asked: Asked,
    plan: Plan,
    fn: Callable[..., Any],
    *,
    group: str | None,
    tags: Mapping[str, object] | Iterable[str] | None,
) -> Run:
    spec = RunSpec(
        name=asked.name,
        experiment=asked.experiment,
        tags=tags,
        facts=given_facts(group=group),
        seed=plan.seed,
        config=_config(plan, fn),
    )
    return _configure.begin_run(None, spec)


def _tell_differences(sweep_run: Run, plan: Plan, asked: Asked) -> None:
    """Say where the sweep does something else than it was asked for."""
    count = len(plan.configs)
    if asked.n is not None and count < asked.n:
        tell(
            logger,
            "Sweep %r tries fewer configs than n=%d: the %s has %d config%s, and each is tried once. "
            "For more, add values, or draw them: ox.uniform, ox.loguniform, ox.randint",
            sweep_run.name,
            asked.n,
            plan.method,
            count,
            "" if count == 1 else "s",
        )
    if asked.left_out:
        tell(logger, "Of the configuration of sweep %r: %s", sweep_run.name, "; ".join(asked.left_out))


def _config(plan: Plan, fn: Callable[..., Any]) -> dict[str, object]:
    function = f"{getattr(fn, '__module__', '')}.{getattr(fn, '__qualname__', type(fn).__qualname__)}"
    return {
        "sweep": {
            "method": plan.method,
            "trials": len(plan.configs),
            "seed": plan.seed,
            "function": function,
            "space": plan.described,
        }
    }


def _trials(
    sweep_run: Run,
    fn: Callable[..., Any],
    plan: Plan,
    workers: int,
    context: BaseContext | None,
    *,
    raise_on_error: bool,
) -> list[Trial]:
    parent = ParentRun(sweep_run.id, sweep_run.experiment, sweep_run._core.identity.facts.group)  # noqa: SLF001 - of this package
    task = Task(fn, parent, sweep_run.name)
    trials: dict[int, Trial] = {}
    for outcome in _outcomes(sweep_run, task, plan.configs, workers, context):
        if raise_on_error and outcome.error is not None:
            raise outcome.error
        if outcome.unsent:
            _tell_unsent(sweep_run, outcome)
        trials[outcome.number] = _trial(outcome, plan.configs[outcome.number])
    return [trials[number] for number in sorted(trials)]


def _tell_unsent(sweep_run: Run, outcome: Outcome) -> None:
    """Count that what a trial returned stayed in its process."""
    sweep_run._core.guard.lost(  # noqa: SLF001 - of this package
        "trial result",
        f"What trial {outcome.name!r} returned cannot be sent from its process: {outcome.unsent}; its `returned` is None. "
        "Return numbers, texts or mappings of those, log the rest as artifacts, or pass workers=1",
        name=sweep_run.name,
    )


def _outcomes(
    sweep_run: Run, task: Task, configs: Sequence[Config], workers: int, context: BaseContext | None
) -> Iterator[Outcome]:
    if context is None:
        yield from (run_trial(task, number, copied(config)) for number, config in enumerate(configs))
        return
    environment = {**environment_of(sweep_run._core, joins=False), QUIET_VARIABLE: "1"}  # noqa: SLF001 - as above
    count = min(workers, len(configs))
    yield from run_in_workers(task, enumerate(configs), environment, count=count, context=context)


def _trial(outcome: Outcome, config: Config) -> Trial:
    return Trial(
        number=outcome.number,
        config=config,
        run_id=outcome.run_id,
        name=outcome.name,
        state=outcome.state,
        returned=outcome.returned,
        unsent=outcome.unsent,
        error=outcome.error,
        traceback=outcome.trace,
    )


def _runs_of(run_id: str) -> list[RunView]:
    """Return the stored runs that are children of a run."""
    store = _configure.active_store()
    found = None if store is None else store.get_run(run_id)
    if store is None or found is None:
        raise QueryError(
            f"Nothing is stored of run {run_id} here: this process keeps no store, or keeps another one by now.\n"
            "  Read it where it is: ox.runs('parent == ...', store=PATH)."
        )
    return Reader(store).run(run_id).children


def _check_function(fn: object) -> None:
    if not callable(fn):
        raise ConfigurationError(
            f"A sweep calls a function, and {shown(fn)} is none: it is of type {type(fn).__name__}.\n"
            "  Pass a function of a config: ox.sweep(train, space)."
        )
    if not takes(fn):
        raise ConfigurationError(
            f"A sweep calls a function with a config, and {text_of(getattr(fn, '__name__', fn))} takes no argument.\n"
            "  Give it one: def train(config): ..."
        )


def _checked_workers(fn: Callable[..., Any], workers: object, method: object) -> BaseContext | None:
    """Return how processes are started; None where no other process is wanted."""
    if not isinstance(workers, int) or isinstance(workers, bool) or workers < 1:
        raise ConfigurationError(
            f"workers={shown(workers)} is no number of processes.\n  Pass an integer above 0."
        )
    known = [one for one in _START_METHODS if one in multiprocessing.get_all_start_methods()]
    if method is not None and method not in known:
        raise ConfigurationError(
            f"start_method={shown(method)} is no way to start a process here.\n  Pass one of {', '.join(known)}."
        )
    if workers == 1:
        return None
    context = multiprocessing.get_context(str(method) if method is not None else None)
    if context.get_start_method() != "fork":
        _check_importable(fn)
    return context


def _check_importable(fn: Callable[..., Any]) -> None:
    try:
        pickle.dumps(fn)
    except Exception as error:  # whatever the class of a callable does
        if is_interruption(error):
            raise
        raise ConfigurationError(
            f"{text_of(getattr(fn, '__qualname__', fn))} cannot be sent to another process: {text_of(error)}\n"
            "  Define it at the top of a module, or pass workers=1 or start_method='fork'."
        ) from error
