"""What `import otel_experiments as ox` offers for reading; loaded on first use, without anything of recording."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from otel_experiments._chosen_store import open_chosen
from otel_experiments._face import StandIn
from otel_experiments.errors import ModelRunNotFoundError, StoreNotFoundError
from otel_experiments.query import RunView

if TYPE_CHECKING:
    from otel_experiments.model.experiment import ExperimentList
    from otel_experiments.model.other_stores import StoreObject
    from otel_experiments.model.search import Expression
    from otel_experiments.query import Reader, RunList, Table
    from otel_experiments.query.artifact_view import ArtifactView
    from otel_experiments.query.lineage import Lineage
    from otel_experiments.query.paged_list import TraceList
    from otel_experiments.query.search.build import Condition
    from otel_experiments.query.spans_view import SpansView

P = ParamSpec("P")
R = TypeVar("R")

__all__ = [
    "artifact", "experiments", "find_artifacts", "lineage", "open", "open_reader", "run", "run_of", "runs", "spans", "sql", "traces",
]  # fmt: skip


def open_reader(store: str | os.PathLike[str] | StoreObject | None = None) -> Reader:
    """Return a reader over a store, for several questions about one state of it; use it with `with`.

    Without `store` it is the store that this process records into, else the one of the environment. What processes
    have recorded and not stored is merged first; an `IncompleteReadWarning` says what could not be had.

    Raises:
        StoreError: the store cannot be read.
    """
    return open_chosen(store)


def open(store: str | os.PathLike[str]) -> Reader:  # noqa: A001 - read as ox.open
    """Return a reader over a bundle (`ox.open("runs.oxb")`) or any other store; use it with `with`.

    A bundle is only read, wherever it lies. Opening one looks at its header, its length and its tables; the bytes of an artifact
    are compared with their digest when they are read, and all rows by `otel-experiments bundle --check` and by an import.
    `open_reader()` without a store is that over the one of the settings.

    Args:
        store: the address of the store or the path of the bundle.

    Raises:
        StoreError: it is no store or bundle, is damaged or cut, or of a newer release.
    """
    return open_reader(store)


def runs(
    where: str | Expression | Condition | None = None,
    *,
    order: str | Sequence[str] | None = None,
    limit: int | None = None,
    offset: int = 0,
    after: str | None = None,
    experiment: str | None = None,
    store: str | os.PathLike[str] | StoreObject | None = None,
) -> RunList:
    """Return stored runs, newest first: `ox.runs('metrics["val/acc"].max > 0.9 and params.lr < 1e-3')`.

    Without `store` it is the store that this process records into, else the one of the environment.

    Args:
        where: a search expression such as `metrics.loss.min < 0.1 and state != "failed"`.
        order: sort keys such as `-metrics.loss.min, name`; a minus turns the order round.
        limit: at most so many.
        offset: leave out so many at the start.
        after: the `cursor` of the page before, of the same search: `ox.runs(where, limit=50, after=page.cursor)`.
        experiment: only runs of this experiment.
        store: the address of a store; by default the one that this process records into, else the one of the
            environment.

    Raises:
        SearchSyntaxError: `where` or `order` cannot be understood.
        PageCursorError: `after` is of another search.
        StoreError: the store cannot be read.
    """
    return open_reader(store).runs(
        where, order=order, limit=limit, offset=offset, after=after, experiment=experiment
    )


def spans(
    where: str | Expression | None = None,
    *,
    order: str | Sequence[str] | None = None,
    store: str | os.PathLike[str] | StoreObject | None = None,
) -> SpansView:
    """Return the spans of all runs: `ox.spans('name == "checkpoint" and duration > 2', order="-duration").first(10)`.

    They are read when they are looked at. Those of one run are `ox.run("brave-otter").spans`.

    Args:
        where: a search expression over spans, such as `attributes["http.status_code"] >= 400 and duration > 0.5`.
        order: sort keys such as `-duration, name`; by default the start.
        store: the address of a store; by default the one that this process records into, else the one of the
            environment.

    Raises:
        SearchSyntaxError: `where` or `order` cannot be understood.
        StoreError: the store cannot be read.
    """
    found = open_reader(store).spans
    found = found if where is None else found.where(where)
    return found if order is None else found.ordered(order)


def traces(
    where: str | Expression | None = None,
    *,
    order: str | Sequence[str] | None = None,
    limit: int | None = None,
    offset: int = 0,
    after: str | None = None,
    store: str | os.PathLike[str] | StoreObject | None = None,
) -> TraceList:
    """Return the traces that are stored, of runs and of none, the one that began last first: `ox.traces("errors > 0", limit=20)`.

    Args:
        where: a search expression over `name` (of the root), `duration` (in seconds), `spans`, `errors`, `started`, `run_id` and
            `trace_id`.
        order: sort keys such as `-duration`; a minus turns the order round.
        limit: at most so many.
        offset: leave out so many at the start.
        after: the `cursor` of the page before, of the same search.
        store: the address of a store; by default the one that this process records into, else the one of the
            environment.

    Raises:
        SearchSyntaxError: `where` or `order` cannot be understood.
        PageCursorError: `after` is of another search.
        StoreError: the store cannot be read.
    """
    return open_reader(store).traces(where, order=order, limit=limit, offset=offset, after=after)


def artifact(
    wanted: str, *, experiment: str | None = None, store: str | os.PathLike[str] | StoreObject | None = None
) -> ArtifactView:
    """Return what a run kept: `ox.artifact("model:best").read_bytes()`.

    `name` is its latest version, `name:best` an alias, `name:v3` a version, `experiment/name:best` one of another
    experiment; a digest is taken as well, and 8 digits or more of one. Without `store` it is the store that this
    process records into, else the one of the environment.

    Args:
        wanted: what is meant.
        experiment: where a name is looked for that names no experiment; without it in all.
        store: the address of a store; by default the one that this process records into, else the one of the
            environment.

    Raises:
        ArtifactNotFoundError: there is none; the error says what there is.
        AmbiguousArtifactError: several are meant.
        StoreError: the store cannot be read.
    """
    return open_reader(store).artifact(wanted, experiment=experiment)


def find_artifacts(
    *,
    experiment: str | None = None,
    name: str | None = None,
    type: str | None = None,  # noqa: A002 - the user's word
    where: str | Expression | None = None,
    store: str | os.PathLike[str] | StoreObject | None = None,
) -> list[ArtifactView]:
    """Return each version of each artifact, by experiment, name and version.

    Args:
        experiment: only those of this experiment.
        name: only those of this name.
        type: only those of this type, such as `model`.
        where: only those of which a search expression over artifacts is true: `size > 1e6 and metadata["f1"] > 0.9`.
        store: the address of a store; by default the one that this process records into, else the one of the
            environment.

    Raises:
        SearchSyntaxError: `where` cannot be understood; the error points at the place.
        StoreError: the store cannot be read.
    """
    return open_reader(store).artifacts(experiment=experiment, name=name, type=type, where=where)


def lineage(
    of: str | RunView | ArtifactView,
    *,
    most: int = 1000,
    store: str | os.PathLike[str] | StoreObject | None = None,
) -> Lineage:
    """Return what a run or an artifact came from and what came of it; `print(ox.lineage("model:best"))` draws it.

    Args:
        of: a run, an artifact, or a text that means one: an artifact if there is one, else a run.
        most: so many runs and artifacts at most are visited in each direction.
        store: where they are; by default as for `artifact`.

    Raises:
        ArtifactNotFoundError: the text means neither an artifact nor a run.
        AmbiguousArtifactError: several artifacts are meant.
        AmbiguousRunError: several runs are meant.
        StoreError: the store cannot be read.
    """
    return open_reader(store).lineage(of, most=most)


def run_of(
    model: str | os.PathLike[str], *, store: str | os.PathLike[str] | StoreObject | None = None
) -> RunView:
    """Return the run that made a saved model: `ox.run_of("model.pt").params["lr"]`.

    It is found by the file that `run.link_model(path)` wrote beside the model, else by the digest of the model's bytes.
    Without `store` it is looked for in the store that this process records into, or that of the environment, and then in the
    one that the file names, where that is on this machine.

    Args:
        model: the path of the saved model.
        store: the address of a store; by default the one that this process records into, else the one of the
            environment.

    Raises:
        ModelRunNotFoundError: no store has that run.
        StoreError: the store cannot be read.
    """
    from otel_experiments.query.model_run import read_link, run_of_model  # noqa: PLC0415 - few readers need it

    try:
        return run_of_model(open_reader(store), model)
    except (ModelRunNotFoundError, StoreNotFoundError):
        elsewhere = read_link(model)[0] if store is None else None
        if elsewhere is None or not Path(elsewhere.store).is_file():
            raise
        return run_of_model(open_reader(elsewhere.store), model)


def experiments(*, store: str | os.PathLike[str] | StoreObject | None = None) -> ExperimentList:
    """Return all experiments with their number of runs, and what `experiment` defined of them: `ox.experiments()["digits"].config`.

    Raises:
        StoreError: the store cannot be read.
    """
    return open_reader(store).experiments()


def sql(
    statement: str,
    parameters: Sequence[object] | Mapping[str, object] = (),
    *,
    store: str | os.PathLike[str] | StoreObject | None = None,
) -> Table:
    """Return the answer to a read-only SQL statement over the documented schema.

    Args:
        statement: one statement that reads.
        parameters: values for its `?`, or by name for its `:name`.
        store: the address of a store; by default the one that this process records into, else the one of the
            environment.

    Raises:
        QueryError: the statement is wrong, or writes.
        StoreError: the store cannot be read.
    """
    return open_reader(store).sql(statement, parameters)


@overload
def run(target: str, /, *, store: str | os.PathLike[str] | StoreObject | None = None) -> RunView: ...
@overload
def run(target: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def run(
    *,
    name: str | None = None,
    experiment: str | None = None,
    tags: Mapping[str, object] | Iterable[str] | None = None,
    log_arguments: bool = True,
    **options: Any,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def run(target: Any = None, /, *, store: Any = None, **options: Any) -> Any:  # the overloads carry the types
    """Read a stored run, or make each call of a function a run.

    `ox.run("3f2a")` returns the stored run with that id, unique prefix of an id, or name. A name means its newest
    run, `name~1` the one before, and `latest` the newest run of all. `@ox.run` and
    `@ox.run(experiment="mnist")` decorate: every call of the function is a run whose params are its arguments.
    Its attributes are those of the current run, as `wandb.run` has them: `ox.run.name = "best"`, `ox.run.summary["best"] = 1`.

    Args:
        target: what names a run; or the function that is decorated.
        store: the address of a store; by default the one that this process records into, else the one of the
            environment.
        **options: what else `start_run` takes.
        log_arguments: whether the arguments of the call become params.

    Raises:
        RunNotFoundError: no run answers to the text.
        AmbiguousRunError: several have an id that begins so.
        StoreError: the store cannot be read.
    """
    if isinstance(target, str):
        return open_reader(store).run(target)
    from otel_experiments._recording import run_decorator  # noqa: PLC0415 - reading needs nothing of recording

    return run_decorator(target, **options)


def _current_run(name: str) -> object:
    from otel_experiments._recording import run_for_attribute  # noqa: PLC0415 - as above

    return run_for_attribute(name)


def _is_run_current() -> bool:
    from otel_experiments.record.run.current import find_run  # noqa: PLC0415 - as above

    return find_run() is not None


if (
    not TYPE_CHECKING
):  # a type checker is to have the function: `current_run()` is what it knows the attributes of
    run = StandIn(run, _current_run, _is_run_current)
