"""What can be called on runs that a reader has found to change them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from otel_experiments.errors import RunEditError
from otel_experiments.query.edited import (
    annotate,
    annotations_of,
    check_span,
    children_of,
    editing,
    read_again,
    remove_runs,
    removed_with,
    score_of,
)

if TYPE_CHECKING:
    from otel_experiments.edit.runs import RunEditor
    from otel_experiments.model.annotation import Annotation
    from otel_experiments.model.run import Run
    from otel_experiments.model.span import Span
    from otel_experiments.query.edited import EditedRun


class RunEdits:
    """Edits of one run or of several; the views show what holds afterwards."""

    __slots__ = ()

    def _edited_runs(self) -> Sequence[EditedRun]:
        """Return the runs that are edited."""
        raise NotImplementedError

    def add_tags(self, *tags: str, **values: object) -> None:
        """Set tags: `run.add_tags("paper", team="vision")`. A tag of that name gets the new value.

        Args:
            tags: tags without a value.
            values: tags with their values.

        Raises:
            InvalidNameError: a tag has no name.
            StoreError: the store cannot be written.
        """
        self.set_tags({**dict.fromkeys(tags, ""), **values})

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set tags by name; None removes one.

        Raises:
            InvalidNameError: a tag has no name.
            StoreError: the store cannot be written.
        """
        changes = {key: None if value is None else str(value) for key, value in tags.items()}
        self._edit(lambda editor, ids: editor.tag(ids, changes))

    def remove_tags(self, *tags: str) -> None:
        """Remove tags; one that is not there is none.

        Raises:
            StoreError: the store cannot be written.
        """
        self.set_tags(dict.fromkeys(tags))

    def set_note(self, text: str | None) -> None:
        """Write the note, in Markdown; an empty text, or None, removes it.

        Raises:
            RunEditError: it is no text, or longer than 1 MiB.
            StoreError: the store cannot be written.
        """
        self._edit(lambda editor, ids: editor.note(ids, text))

    def rename(self, name: str) -> None:
        """Give the run another name; its recorder, if there is one, does not undo it.

        Raises:
            InvalidNameError: nothing can be called so.
            StoreError: the store cannot be written.
        """
        self._edit(lambda editor, ids: editor.rename(ids, name))

    def set_group(self, group: str) -> None:
        """Put the run into a group; an empty text takes it out.

        Raises:
            InvalidNameError: nothing can be called so.
            StoreError: the store cannot be written.
        """
        self._edit(lambda editor, ids: editor.group(ids, group))

    def pin(self) -> None:
        """Keep the run from every retention.

        Raises:
            StoreError: the store cannot be written.
        """
        self._edit(lambda editor, ids: editor.mark(ids, "pinned", is_set=True))

    def unpin(self) -> None:
        """Take back that the run is pinned.

        Raises:
            StoreError: the store cannot be written.
        """
        self._edit(lambda editor, ids: editor.mark(ids, "pinned", is_set=False))

    def archive(self) -> None:
        """Hide the run from lists; by its id, its name and a search for `archived` it is found.

        Raises:
            StoreError: the store cannot be written.
        """
        self._edit(lambda editor, ids: editor.mark(ids, "archived", is_set=True))

    def restore(self) -> None:
        """Take back that the run was archived or removed. Child runs that were removed together with it come back as well.

        Raises:
            StoreError: the store cannot be written.
        """
        below = [run.id for run in removed_with(self._edited_runs())]
        self._edit(lambda editor, ids: editor.restore(ids, below=below))

    def delete(self, *, children: bool | None = None, now: bool = False) -> None:
        """Hide the run from everything; `gc` purges it 30 days later, and until then `restore` brings it back.

        Args:
            children: whether its child runs are removed as well; has to be said where it has any.
            now: purge it at once, with all that hangs on it. There is no way back, and forks of it lose the beginning of
                their curves.

        Raises:
            RunEditError: a process records the run; it has child runs, and nothing is said of them.
            StoreError: the store cannot be written.
        """
        runs = self._edited_runs()
        below = children_of(runs) if runs and children is not False else []
        if below and children is None:
            raise RunEditError(
                run=runs[0].name or runs[0].id,
                action="removed",
                why=f"{len(below)} child runs would be left without it",
                fix="Say what becomes of them: children=True removes them as well, children=False keeps them.",
            )
        remove_runs([*runs, *below], now=now)

    def _edit(self, change: Callable[[RunEditor, list[str]], object]) -> None:
        runs = self._edited_runs()
        if not runs:
            return
        with editing(runs[0]._page) as editor:  # noqa: SLF001 - an edit's own
            change(editor, [run.id for run in runs])
        read_again(runs)


class OneRunEdits(RunEdits):
    """What was said of one run after it was recorded."""

    if TYPE_CHECKING:
        _page: Any  # a page of runs

        @property
        def record(self) -> Run:
            """The row as it is stored."""
            ...

    @property
    def note(self) -> str:
        """What was noted of it, in Markdown; empty where nothing was."""
        return self.record.note

    @property
    def is_pinned(self) -> bool:
        """Whether every retention keeps it."""
        return self.record.pinned_ns is not None

    @property
    def is_archived(self) -> bool:
        """Whether lists hide it."""
        return self.record.archived_ns is not None

    @property
    def is_removed(self) -> bool:
        """Whether it was removed, and may be restored."""
        return self.record.removed_ns is not None

    def annotate(
        self,
        name: str,
        score: float | None = None,
        *,
        label: str = "",
        comment: str = "",
        author: str = "",
        span: Span | None = None,
    ) -> None:
        """Judge the run, or one of its spans: `run.annotate("quality", 0.8, comment="sharp")`. It is an event of the run.

        What the same author judged of the same by this name is replaced; without score, label and comment it is taken back.

        Args:
            name: what is judged.
            score: as a number.
            label: as a word, such as `good`.
            comment: why.
            author: who judges; the user of this process without it.
            span: the span that is judged; the run without it.

        Raises:
            InvalidNameError: nothing can be called so.
            RunEditError: the score is no number, or the span is none.
            StoreError: the store cannot be written.
        """
        from otel_experiments.model.annotation import Annotation  # noqa: PLC0415 - few who read judge

        number = None if score is None else score_of(self.record, score)
        check_span(self.record, span)
        judged = Annotation(name, number, label, comment, author)
        annotate(self._page, self.record, judged, span=span)

    @property
    def annotations(self) -> list[Annotation]:
        """What was judged of the run and of its spans, by time: of each author the latest of a name."""
        return annotations_of(self._page.store, self.record)
