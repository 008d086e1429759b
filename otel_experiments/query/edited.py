"""Changing the runs that a reader has found: all of it goes through `edit`, and is read back.

A run that is recorded can be edited like any other; the recorder undoes nothing of it. Only taking it away is refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final, Protocol

from otel_experiments.codec.text import shown
from otel_experiments.errors import RunEditError
from otel_experiments.query.liveness import Liveness

if TYPE_CHECKING:
    from otel_experiments.edit.runs import RunEditor
    from otel_experiments.model.annotation import Annotation
    from otel_experiments.model.edit import RunContents
    from otel_experiments.model.run import Run, RunState
    from otel_experiments.model.search import Expression, Visibility
    from otel_experiments.model.span import Span
    from otel_experiments.store import Store

_PART: Final = 500
"""Runs that are read again together."""
_COPY: Final = ":memory:"
"""Where a reader has a store that it could not read as it lies."""


class OpenForEdits(Protocol):
    """Lends the store open for writing."""

    def __call__(self, *, collects: bool = False) -> AbstractContextManager[Store]:
        """Return the store, `collects`: with what processes have recorded up to now."""
        ...


class EditedPage(Protocol):
    """Where runs were read from, as far as an edit of them needs it."""

    @property
    def store(self) -> Store:
        """The store that is read."""
        ...

    @property
    def open_for_edits(self) -> OpenForEdits:
        """What lends the store for writing."""
        ...

    def of(self, run_ids: Sequence[str]) -> Any:  # a page of the same kind
        """Return a page of other runs."""
        ...


class EditedRun(Protocol):
    """A run that a reader has found, as far as an edit of it needs it."""

    @property
    def id(self) -> str:
        """The run id."""
        ...

    @property
    def short_id(self) -> str:
        """The first digits of the id."""
        ...

    @property
    def name(self) -> str:
        """The name."""
        ...

    @property
    def state(self) -> RunState:
        """The state as it is now."""
        ...

    @property
    def record(self) -> Run:
        """The row as it is stored."""
        ...

    @property
    def _page(self) -> EditedPage:
        """Where it was read from."""
        ...

    def _beside(self, records: Sequence[Run]) -> Sequence[EditedRun]:
        """Return other runs of the same reader."""
        ...

    def _take_page(self, page: Any) -> None:  # of the kind that `source` is
        """Show the run as another page has it."""
        ...


def lender_of(store: Store) -> OpenForEdits:
    """Return what lends a store that is open for writing already, and that nothing is recorded beside."""

    def lend(*, collects: bool = False) -> AbstractContextManager[Store]:
        del collects
        return nullcontext(store)

    return lend


@contextmanager
def editing(source: EditedPage, author: str | None = None, *, collects: bool = False) -> Iterator[RunEditor]:
    """Lend what changes the runs of a store; `collects`: of all that processes have recorded up to now.

    Raises:
        StoreError: the store cannot be written.
    """
    from otel_experiments.edit.runs import RunEditor  # noqa: PLC0415 - few who read change anything

    with source.open_for_edits(collects=collects) as store:
        is_copy = source.store.location == _COPY and store is not source.store
        yield RunEditor(store, shown=source.store if is_copy else None, author=author)


def remove_runs(runs: Sequence[EditedRun], *, now: bool) -> None:
    """Hide runs, or purge them `now`. What counts is whether a process records one of them at that moment.

    Raises:
        RunEditError: a process records one of them.
        StoreError: the store cannot be written.
    """
    check_not_recorded(runs)
    if not runs:
        return
    ids = [run.id for run in runs]
    with editing(runs[0]._page, collects=True) as editor:  # noqa: SLF001 - an edit's own
        for record in editor.live_records(ids):
            if is_recorded(record):
                raise _recorded(record)
        if not now:
            editor.mark(ids, "removed", is_set=True)
        elif kept := editor.purge(ids, unless=is_recorded):
            raise _recorded(editor.records(sorted(kept))[0])
    if not now:
        read_again(runs)


def purge_runs(
    runs: Sequence[EditedRun],
    *,
    unless: Callable[[Run], bool],
    on_progress: Callable[[int], object] = lambda _: None,
) -> set[str]:
    """Purge runs; return those that stay: a process records them by now, or `unless` says yes of what they are by now.

    `on_progress` is called with how many are purged or stay.

    Raises:
        StoreError: the store cannot be written.
    """
    if not runs:
        return set()
    with editing(runs[0]._page, collects=True) as editor:  # noqa: SLF001 - an edit's own
        return editor.purge(
            [run.id for run in runs],
            unless=lambda run: is_recorded(run) or unless(run),
            on_progress=on_progress,
        )


def children_of(runs: Sequence[EditedRun], *, visibility: Visibility = "kept") -> list[EditedRun]:
    """Return the runs below others, however deep, that are not among them."""
    from otel_experiments.model.search import Comparison, Exists, RunField, RunQuery  # noqa: PLC0415 - few who read ask

    known, found, above = {run.id for run in runs}, list[EditedRun](), [run.id for run in runs]
    while above:
        wanted = set(above)
        if len(above) > _PART:  # no index leads from parents to children
            where: Expression = Exists(RunField("parent_run_id"))
        else:
            where = Comparison(RunField("parent_run_id"), "in", tuple(above))
        stored = runs[0]._page.store.find_runs(RunQuery(where, visibility=visibility))  # noqa: SLF001 - an edit's own
        records = [one for one in stored if one.parent_run_id in wanted and one.run_id not in known]
        found += runs[0]._beside(records)  # noqa: SLF001 - an edit's own
        known.update(one.run_id for one in records)
        above = [one.run_id for one in records]
    return found


def removed_with(runs: Sequence[EditedRun]) -> list[EditedRun]:
    """Return the runs below others, however deep, that were removed together with one of these."""
    times = {run.record.removed_ns for run in runs} - {None}
    if not times:
        return []
    return [run for run in children_of(runs, visibility="present") if run.record.removed_ns in times]


def forks_of(runs: Sequence[EditedRun]) -> list[EditedRun]:
    """Return the runs that are forks of others and are not among them: their curves begin in those."""
    from otel_experiments.model.past import past_of  # noqa: PLC0415 - few who read ask
    from otel_experiments.model.search import RunQuery  # noqa: PLC0415 - as above

    if not runs:
        return []
    ids = {run.id for run in runs}
    stored = runs[0]._page.store.find_runs(RunQuery(visibility="present"))  # noqa: SLF001 - an edit's own
    forks = [(one, past_of(one).fork) for one in stored if one.run_id not in ids]
    found = [one for one, fork in forks if fork is not None and fork.run_id in ids]
    return list(runs[0]._beside(found))  # noqa: SLF001 - an edit's own


def users_of(runs: Sequence[EditedRun]) -> list[EditedRun]:
    """Return the runs that use artifacts which others logged and are not among them."""
    from otel_experiments.model.artifact import ArtifactQuery  # noqa: PLC0415 - few who read ask
    from otel_experiments.model.search import Comparison, RunField, RunQuery  # noqa: PLC0415 - as above

    if not runs:
        return []
    ids, store = {run.id for run in runs}, runs[0]._page.store  # noqa: SLF001 - an edit's own
    logged = store.artifacts(ArtifactQuery(run_ids=tuple(ids)))
    uses = store.artifact_uses(digests=sorted({one.logged.digest for one in logged}))
    users = tuple(sorted({use.run_id for use in uses} - ids))
    found = store.find_runs(RunQuery(Comparison(RunField("run_id"), "in", users), visibility="present"))
    return list(runs[0]._beside(found)) if users else []  # noqa: SLF001 - an edit's own


def check_not_recorded(runs: Sequence[EditedRun]) -> None:
    """Let runs pass of which none is recorded now.

    Raises:
        RunEditError: a process records one of them.
    """
    for run in runs:
        if run.record.state.is_live and run.state.is_live:
            raise _recorded(run.record, run.state)


def is_recorded(run: Run) -> bool:
    """Tell whether a process records a run now, as its row says."""
    return _state_now(run).is_live


def _state_now(run: Run) -> RunState:
    return Liveness(time.time_ns()).state(run)


def _recorded(run: Run, state: RunState | None = None) -> RunEditError:
    return RunEditError(
        run=run.name or run.run_id,
        action="removed",
        why=f"it is {state or _state_now(run)}, {_recorder(run)}",
        fix="Wait for its end, or end that process first. To hide it until then: otel-experiments archive "
        f"{run.run_id[:8]}",
    )


def _recorder(run: Run) -> str:
    if run.owner is None:
        return "and another program sends it"
    return f"and process {run.owner.pid} on {run.owner.host} records it"


def read_again(runs: Sequence[EditedRun]) -> None:
    """Let views show what the store has now."""
    for start in range(0, len(runs), _PART):
        part = runs[start : start + _PART]
        page = part[0]._page.of([run.id for run in part])  # noqa: SLF001 - an edit's own
        for run in part:
            run._take_page(page)  # noqa: SLF001 - an edit's own


def annotations_of(store: Store, run: Run) -> list[Annotation]:
    """Return what was judged of a run and of its spans, by time."""
    from otel_experiments.model.annotation import latest_annotations  # noqa: PLC0415 - few runs have any
    from otel_experiments.semconv.events import GEN_AI_EVALUATION_RESULT  # noqa: PLC0415 - as above

    records = store.log_records(run_id=run.run_id, event_name=GEN_AI_EVALUATION_RESULT.name)
    return latest_annotations(records, root_span_id=run.root_span_id)


def score_of(run: Run, score: object) -> float:
    """Return the score of a judgement as a number.

    Raises:
        RunEditError: it is none.
    """
    try:
        return float(score)  # type: ignore[arg-type] # whatever was passed
    except (TypeError, ValueError, OverflowError):
        raise RunEditError(
            run=run.name or run.run_id,
            action="annotated",
            why=f"score={shown(score)} is no number",
            fix="Pass a number as the score, and a word as label=.",
        ) from None


def check_span(run: Run, span: object) -> None:
    """Let pass what can be judged: a span that was read, or None for the run.

    Raises:
        RunEditError: it is something else.
    """
    from otel_experiments.model.span import Span  # noqa: PLC0415 - few who read judge

    if span is not None and not isinstance(span, Span):
        raise RunEditError(
            run=run.name or run.run_id,
            action="annotated",
            why=f"span={shown(span)} is of type {type(span).__name__}, not a span",
            fix="Pass a span that was read: span, *_ = ox.run(NAME).spans.",
        )


def annotate(
    source: EditedPage,
    run: Run,
    annotation: Annotation,
    *,
    span: Span | None = None,
) -> None:
    """Keep a judgement of a run, or of a span of it.

    Raises:
        InvalidNameError: it has no name.
        StoreError: the store cannot be written.
    """
    with editing(source, annotation.author or None) as editor:
        from dataclasses import replace  # noqa: PLC0415 - few who read change anything

        whole = replace(annotation, author=editor.author, span_id="" if span is None else span.span_id)
        editor.annotate(run, whole, trace_id="" if span is None else span.trace_id)


def contents_of(runs: Sequence[EditedRun]) -> RunContents:
    """Return how much hangs on runs together."""
    from otel_experiments.model.edit import RunContents  # noqa: PLC0415 - few who read ask

    return runs[0]._page.store.run_contents([run.id for run in runs]) if runs else RunContents()  # noqa: SLF001 - an edit's own
