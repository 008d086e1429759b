"""What `import otel_experiments as ox` offers for recording; loaded on first use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, Never

from otel_experiments import _configure
from otel_experiments._configure import configure, experiment, join_run, shutdown, start_run, worker_init
from otel_experiments._recorder import Recorder, parts_of
from otel_experiments._related import LAST_STEP
from otel_experiments.errors import ConfigurationError, InvalidNameError
from otel_experiments.record.base import other_trackers as other
from otel_experiments.record.base.current import active_runs
from otel_experiments.record.base.names import clean_name
from otel_experiments.record.base.ranks import RanksMode
from otel_experiments.record.base.settings import Settings, StepAxis
from otel_experiments.record.pipeline.pipeline import Pipeline
from otel_experiments.record.run.calls_elsewhere import CallsElsewhere
from otel_experiments.record.run.current import current_run, find_run
from otel_experiments.record.run.decorators import make_run_decorator, stage, step, trace
from otel_experiments.record.run.fluent import Fluent
from otel_experiments.record.run.run import Run, make_current
from otel_experiments.record.run.spec import RunSpec, given_facts

if TYPE_CHECKING:
    from otel_experiments.query import RunView

__all__ = [
    "Recorder", "Run", "active_run", "config", "configure", "current_run", "define_metric", "end_run", "experiment", "finish", "fork",
    "init", "join_run", "log", "log_artifact", "log_artifacts", "log_dict", "log_figure", "log_image",
    "log_metric", "log_metrics", "log_param", "log_params", "log_table", "log_text", "run_decorator",
    "set_experiment", "set_tag", "set_tags", "shutdown", "span", "stage", "start_run", "step", "summary",
    "trace", "worker_init",
]  # fmt: skip

_switched_off: tuple[Pipeline, Settings] | None = None
"""The pipeline that records nothing because `init(mode="disabled")` said so, and the settings before."""
_fluent = Fluent(lambda: _configure.pipeline().settings.enabled)
log = _fluent.log
log_artifact = _fluent.log_artifact
log_params = _fluent.log_params
set_tag = _fluent.set_tag
set_tags = _fluent.set_tags
finish = _fluent.finish
_elsewhere = CallsElsewhere(_fluent)
config = _elsewhere.config
summary = _elsewhere.summary
define_metric = _elsewhere.define_metric
log_metric = _elsewhere.log_metric
log_metrics = _elsewhere.log_metrics
log_param = _elsewhere.log_param
log_artifacts = _elsewhere.log_artifacts
log_text = _elsewhere.log_text
log_dict = _elsewhere.log_dict
log_image = _elsewhere.log_image
log_figure = _elsewhere.log_figure
log_table = _elsewhere.log_table
end_run = _elsewhere.end_run
active_run = _elsewhere.active_run
span = _fluent.span
run_decorator = make_run_decorator(start_run)


def run_for_attribute(name: str) -> object:
    """Return what has an attribute of the current run, as `ox.run.NAME` uses it.

    Where recording is switched off and no run was started it is what the module has of that name, which records nothing.

    Raises:
        AttributeError: runs have no such attribute.
        NoActiveRunError: there is no current run.
    """
    found = _fluent.found()
    if found is None and not hasattr(Run, name) and name not in Run.__annotations__:
        raise AttributeError(other.no_attribute(name), name=name)
    parts = _fluent.run_for(f"ox.run.{name}") if found is None else found
    return _NoRun() if parts is None else parts.core.face


class _NoRun:
    """Stands for the current run where recording is switched off: what it is given is forgotten."""

    def __getattr__(self, name: str) -> Any:
        return globals().get(name)


def init(  # noqa: PLR0913 - the shape people know
    project: str | None = None,
    *,
    name: str | None = None,
    config: object = None,
    tags: Mapping[str, object] | Iterable[str] | None = None,
    group: str | None = None,
    notes: str | None = None,
    experiment: str | None = None,
    id: str | None = None,  # noqa: A002 - as in other trackers, and so are those below
    resume: str | bool | None = None,
    mode: str | None = None,
    job_type: str | None = None,
    resume_from: str | None = None,
    fork_from: str | None = None,
    reinit: bool | str | None = None,
    config_include_keys: Iterable[str] | None = None,
    config_exclude_keys: Iterable[str] | None = None,
    entity: str | None = None,
    dir: object = None,  # noqa: A002 - as above
    save_code: bool | None = None,
    settings: object = None,
    allow_val_change: bool | None = None,  # noqa: ARG001 - a value may always change
    seed: int | None = None,
    ranks: RanksMode | None = None,
    step_axis: StepAxis | None = None,
    **unknown: Never,
) -> Run:
    """Start a run and make it current until `finish()` or the end of the process.

    `project` is the experiment (as in other trackers); a run that `init` started before is finished first: as
    failed, where an exception that nobody caught was the last that came of it (a notebook's cell that is run again). Arguments
    that are not named here are those of `start_run`, or are there for calls written for other trackers: what does
    nothing is said once.

    With `id`, a run has another id than one made up, and one that is stored under it goes on as its next attempt.
    `resume` is the id of a run to go on with, as in `start_run`; or, with `id`, `"allow"`, `"must"` or `"never"` go on with
    it; or, without `id`, `True` or `"auto"` go on with the newest run of the experiment, if it did not end well.
    `resume_from="RUN?_step=200"` goes on with that run after the step: what it has recorded later is read as an earlier attempt.
    `fork_from="RUN?_step=200"` starts a run with that run's params, and its curves up to the step. RUN is an `id`, or as for `ox.run`.
    `notes` is the run's note; a run that goes on keeps the note that it has. `mode="disabled"` records nothing. `job_type` is recorded as a tag. `reinit="create_new"` leaves the run that `init`
    started before as it is, `False` or `"return_previous"` returns it. `config_include_keys` and `config_exclude_keys` say
    which keys of a config that is a mapping are wanted.

    Raises:
        ConfigurationError: a name, id or config that cannot be used, or a run that must not be there and is.
        StoreError: the store can never take the run.
        RunNotFoundError: there is no run to resume, and there has to be one.
    """
    previous = find_run()
    if previous is not None and (reinit is False or reinit == "return_previous"):
        return previous
    if reinit != "create_new":
        _fluent.finish_unfinished()
    _take_mode(mode)
    other.tell_without_effect(
        "init", {"entity": entity, "dir": dir, "save_code": save_code, "settings": settings}
    )
    other.tell_misspelt("init", unknown, ("project", *(init.__kwdefaults__ or ())))
    given = RunSpec(
        name=name,
        experiment=experiment or project,
        config=other.config_of(config, config_include_keys, config_exclude_keys),
        tags=other.tags_of(tags, job_type),
        facts=given_facts(group=group),
        note=notes,
        seed=seed,
        step_axis=step_axis,
    )
    parts = parts_of(_configure.recorder())
    rank = parts.rank_of(given, ranks)
    rewind_to: str | None = None
    if resume_from is not None and fork_from is not None:
        raise ConfigurationError(
            "init() was given resume_from= and fork_from=, and a run cannot be both.\n  Pass one of them."
        )
    relations = parts.relations(rank)
    try:
        if resume_from is not None:
            resume, rewind_to = relations.resumed_from(resume_from, given, resume, id)
            id = None  # noqa: A001 - as above
        before, given, run_id = relations.relate(
            given, parent=None, resume=resume, key=id, rewind_to=rewind_to, fork_from=fork_from, what="id"
        )
        if name is None and before is None:
            given = replace(given, name=id)
        relations.claims.give_back_others(run_id if before is None else before.record.run_id)
        return make_current(parts.begin_run(before, given, rank=rank, run_id=run_id))
    except BaseException:
        relations.claims.give_back_unstarted()
        raise


class Experiment(NamedTuple):
    """An experiment as MLflow has it: here its id is its name."""

    name: str
    experiment_id: str


def set_experiment(
    experiment_name: str | None = None, experiment_id: str | None = None, **unknown: Never
) -> Experiment:
    """Have the runs to come that name no experiment be of this one; `configure(experiment=...)` sets up everything anew.

    Raises:
        ConfigurationError: no name is given, or one that cannot be used.
    """
    other.tell_without_effect("set_experiment", unknown)
    given = experiment_id if experiment_name is None else experiment_name
    try:
        name = clean_name(given, "experiment name")
    except InvalidNameError as error:
        raise ConfigurationError(str(error)) from None
    _configure.set_experiment(name)
    return Experiment(name, name)


def _switch_recording(*, is_on: bool) -> bool:
    """Switch recording off for the runs to come, or on again; False where runs of this process are recorded now."""
    global _switched_off  # noqa: PLW0603 - belongs to the process, as the pipeline does
    now = _configure.known_pipeline()
    if now is None and is_on:
        return True
    settings = Settings.resolve() if now is None else now.settings
    if now is not None and _switched_off is not None and _switched_off[0] is now:
        settings = _switched_off[1]
    elif is_on:
        return True
    if any(run.pipeline is now for run in active_runs.values()):
        return False
    made = _configure.rebuild(replace(settings, enabled=is_on and settings.enabled))
    _switched_off = None if is_on else (made, settings)
    return True


def _take_mode(mode: str | None) -> None:
    if not _switch_recording(is_on=mode != "disabled"):
        other.tell_without_effect("init", {"mode": mode}, "another run of this process is being recorded")
    elif mode == "offline" and _configure.pipeline().otlp is not None:
        why = "what is recorded goes to OTLP too; OTEL_EXPERIMENTS_OTLP=false keeps it here"
        other.tell_without_effect("init", {"mode": mode}, why)
    elif mode not in {None, "disabled", "offline", "online"}:
        other.tell_without_effect("init", {"mode": mode})


def fork(
    run: Run | RunView | str,
    step: float | None = None,
    *,
    name: str | None = None,
    config: object = None,
    **options: Any,  # those of `start_run`
) -> Run:
    """Start a run that goes on from another one: its curves are that run's up to the step, and then its own.

    Params, experiment, group and condition are those of the other run where nothing else is given. Nothing is copied: its
    points are read where they are.

    Args:
        run: the run to go on from, or its id or name.
        step: the last step of it that counts; by default the last one that it recorded.
        name: as in `start_run`.
        config: params that are other than those of the other run.
        **options: what else `start_run` takes.

    Raises:
        ConfigurationError: an argument that cannot be used.
        RunNotFoundError: there is no such run.
        AmbiguousRunError: several ids begin so.
    """
    wanted = run if isinstance(run, str) else run.id
    at = f"{wanted}?step={LAST_STEP if step is None else step}"
    return start_run(name, config=config, fork_from=at, **options)
