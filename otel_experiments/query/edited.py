"""Changing the runs that a reader has found: all of it goes through `edit`, and is read back.

A run that is recorded can be edited like any other; the recorder undoes nothing of it. Only taking it away is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from otel_experiments.errors import RunEditError

if TYPE_CHECKING:
    from otel_experiments.edit.runs import RunEditor
    from otel_experiments.model.annotation import Annotation
    from otel_experiments.model.edit import RunContents
    from otel_experiments.model.run import Run, RunState
    from otel_experiments.model.search import Expression
    from otel_experiments.model.span import Span
    from otel_experiments.store import Store

_PART: Final = 500
"""Runs that are read again together."""
_COPY: Final = ":memory:"
"""Where a reader has a store that it could not read as it lies."""
OpenForEdits = Callable[[], AbstractContextManager["Store"]]
"""Lends the store open for writing."""


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


@contextmanager
def editing(source: EditedPage, author: str | None = None) -> Iterator[RunEditor]:
    """Lend what changes the runs of a store.

    Raises:
        StoreError: the store cannot be written.
    """
    from otel_experiments.edit.runs import RunEditor  # noqa: PLC0415 - few who read change anything

    with source.open_for_edits() as store:
        is_copy = source.store.location == _COPY and store is not source.store
        yield RunEditor(store, shown=source.store if is_copy else None, author=author)


def remove_runs(
    runs: Sequence[EditedRun], *, now: bool, on_progress: Callable[[int], object] = lambda _: None
) -> None:
    """Hide runs, or purge them `now`. `on_progress` is called with how many are purged.

    Raises:
        RunEditError: a process records one of them.
        StoreError: the store cannot be written.
    """
    check_not_recorded(runs)
    if not runs:
        return
    ids = [run.id for run in runs]
    with editing(runs[0]._page) as editor:  # noqa: SLF001 - an edit's own
        if now:
            editor.purge(ids, on_progress=on_progress)
            return
        editor.mark(ids, "removed", is_set=True)
    read_again(runs)


def children_of(runs: Sequence[EditedRun]) -> list[EditedRun]:
    """Return the runs below others, however deep, that are not among them."""
    from otel_experiments.model.search import Comparison, Exists, RunField, RunQuery  # noqa: PLC0415 - few who read ask

    known, found, above = {run.id for run in runs}, list[EditedRun](), [run.id for run in runs]
    while above:
        wanted = set(above)
        if len(above) > _PART:  # no index leads from parents to children
            where: Expression = Exists(RunField("parent_run_id"))
        else:
            where = Comparison(RunField("parent_run_id"), "in", tuple(above))
        stored = runs[0]._page.store.find_runs(RunQuery(where))  # noqa: SLF001 - an edit's own
        records = [one for one in stored if one.parent_run_id in wanted and one.run_id not in known]
        found += runs[0]._beside(records)  # noqa: SLF001 - an edit's own
        known.update(one.run_id for one in records)
        above = [one.run_id for one in records]
    return found


def check_not_recorded(runs: Sequence[EditedRun]) -> None:
    """Let runs pass of which none is recorded now.

    Raises:
        RunEditError: a process records one of them.
    """
    for run in runs:
        if run.state.is_live:
            raise RunEditError(
                run=run.name or run.id,
                action="removed",
                why=f"it is {run.state}, {_recorder(run.record)}",
                fix="Wait for its end, or end that process first. To hide it until then: otel-experiments archive "
                f"{run.short_id}",
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
