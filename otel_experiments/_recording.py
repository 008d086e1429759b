"""What `import otel_experiments as ox` offers for recording; loaded on first use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from otel_experiments import _configure
from otel_experiments._configure import configure, join_run, shutdown, start_run, worker_init
from otel_experiments.record.current import current_run
from otel_experiments.record.decorators import make_run_decorator, stage, step, trace
from otel_experiments.record.fluent import Fluent
from otel_experiments.record.ranks import RanksMode
from otel_experiments.record.run import Run

__all__ = [
    "Run", "configure", "current_run", "finish", "init", "join_run", "log", "log_params", "run_decorator", "set_tag",
    "set_tags", "shutdown", "span", "stage", "start_run", "step", "trace", "worker_init",
]  # fmt: skip

_fluent = Fluent(lambda: _configure.pipeline().settings.enabled)
log = _fluent.log
log_params = _fluent.log_params
set_tag = _fluent.set_tag
set_tags = _fluent.set_tags
finish = _fluent.finish
span = _fluent.span
run_decorator = make_run_decorator(start_run)


def init(  # noqa: PLR0913 - the shape people know
    project: str | None = None,
    *,
    name: str | None = None,
    config: object = None,
    tags: Mapping[str, object] | Iterable[str] | None = None,
    group: str | None = None,
    notes: str | None = None,
    experiment: str | None = None,
    resume: str | None = None,
    seed: int | None = None,
    ranks: RanksMode | None = None,
) -> Run:
    """Start a run and make it current until `finish()` or the end of the process.

    `project` is the experiment (as in other trackers); a run that `init` started before is finished first.
    The other arguments are those of `start_run`.

    Raises:
        ConfigurationError: a name or config that cannot be used.
        StoreError: the store can never take the run.
    """
    _fluent.finish()
    started = start_run(
        name,
        experiment=experiment or project,
        config=config,
        tags=tags,
        group=group,
        description=notes,
        resume=resume,
        seed=seed,
        ranks=ranks,
    )
    return started.stay()
