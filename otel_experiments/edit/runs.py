"""Edits of stored runs: tags, names, groups, notes, marks, judgements, and taking runs out of the store.

A recorder may write into the store meanwhile. Each edit is one short transaction; purging many runs is several, so that
none of them holds up a training. Of two edits of a field the later counts, so one that is made after what it changes
was read gets a later time, whatever the clocks say.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from otel_experiments.codec.text import clean_text
from otel_experiments.errors import InvalidNameError, RunEditError
from otel_experiments.model.annotation import Annotation, attributes_of
from otel_experiments.model.batch import TagSet, WriteBatch
from otel_experiments.model.edit import MARKS, MOST_NOTE_BYTES, SET, EditField, RunEdit, RunPurge
from otel_experiments.model.log import LogRecord
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.search import (
    And,
    Comparison,
    Exists,
    Expression,
    Not,
    Or,
    RunField,
    RunQuery,
    TagField,
)
from otel_experiments.model.span import Resource, Scope
from otel_experiments.process.user import user_name
from otel_experiments.semconv.events import GEN_AI_EVALUATION_RESULT
from otel_experiments.store import Store

MOST_NAME_BYTES: Final = 1000
"""As long as a name may be that is given when a run starts."""
REMOVED_DAYS: Final = 30
"""So long a removed run can be restored, if nobody says otherwise."""
_INFO: Final = 9
_LIVE: Final = Comparison(RunField("state"), "in", tuple(str(state) for state in RunState if state.is_live))
_FIRST_PURGE: Final = 64
_LARGEST_PURGE: Final = 4096
_LONG_S: Final = 0.5
"""A purge whose transaction takes longer has fewer runs the next time: a recorder waits for it."""


class RunEditor:
    """Changes runs of one store.

    Args:
        store: where the runs are, open for writing.
        shown: what readers have of the store where that is a copy of it, which is changed alike.
        author: who changes them; the user of this process without it.
        clock: nanoseconds since the Unix epoch.
    """

    def __init__(
        self,
        store: Store,
        *,
        shown: Store | None = None,
        author: str | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._stores = [store] if shown is None or shown is store else [store, shown]
        self._author = user_name() if author is None else author
        self._clock = clock

    def tag(self, run_ids: Iterable[str], tags: Mapping[str, str | None]) -> None:
        """Set tags of runs; None removes one.

        Raises:
            InvalidNameError: a tag has no name.
            StoreError: the store cannot be written.
        """
        changes = {_named(key, "tag"): None if value is None else str(value) for key, value in tags.items()}
        ids, now_ns = list(run_ids), self._clock()
        given = [TagSet(run_id, key, value, now_ns) for run_id in ids for key, value in changes.items()]
        self._apply(WriteBatch(tags=given))
        if late := set(self._without(ids, changes)):  # a clock that is ahead has set them
            self._apply(WriteBatch(tags=list(self._later([one for one in given if one.run_id in late]))))

    def _without(self, run_ids: Sequence[str], tags: Mapping[str, str | None]) -> list[str]:
        """Return which of these runs do not have one of the tags as it is wanted."""
        wrong: list[Expression] = [
            Exists(TagField(clean_text(key)))
            if value is None
            else Not(Comparison(TagField(clean_text(key)), "==", clean_text(value)))
            for key, value in tags.items()
        ]
        where = And((Comparison(RunField("run_id"), "in", tuple(run_ids)), Or(tuple(wrong))))
        return self._stores[0].find_run_ids(RunQuery(where, visibility="all"))

    def _later(self, tags: Sequence[TagSet]) -> Iterable[TagSet]:
        """Return tags with times after those of what they replace."""
        known: dict[tuple[str, str], int] = {}
        for run_id in {one.run_id for one in tags}:
            for page in self._stores[0].whole_run(run_id):
                known.update({(one.run_id, one.key): one.time_ns for one in page.tags})
        for one in tags:
            yield replace(one, time_ns=max(one.time_ns, known.get((one.run_id, clean_text(one.key)), 0) + 1))

    def rename(self, run_ids: Sequence[str], name: str) -> None:
        """Give runs a name.

        Raises:
            InvalidNameError: nothing can be called so.
            StoreError: the store cannot be written.
        """
        self._edit(run_ids, "name", _named(name, "run name"))

    def group(self, run_ids: Sequence[str], group: str) -> None:
        """Put runs into a group; the empty one is none.

        Raises:
            InvalidNameError: nothing can be called so.
            StoreError: the store cannot be written.
        """
        self._edit(run_ids, "group", _named(group, "group") if group else "")

    def note(self, run_ids: Sequence[str], text: str | None) -> None:
        """Write the note of runs, in Markdown; an empty one, or None, removes it.

        Raises:
            RunEditError: it is no text, or too long.
            StoreError: the store cannot be written.
        """
        text = "" if text is None else text
        if not isinstance(text, str):
            raise RunEditError(
                run=next(iter(run_ids), ""),
                action="given this note",
                why=f"it is of type {type(text).__name__}, not a text",
                fix="Pass a str; an empty one removes the note.",
            )
        size_bytes = len(text.encode("utf-8", "surrogatepass"))
        if size_bytes > MOST_NOTE_BYTES:
            raise RunEditError(
                run=next(iter(run_ids), ""),
                action="given this note",
                why=f"it has {size_bytes:,} bytes, and a note may have {MOST_NOTE_BYTES:,}",
                fix="Keep the text as an artifact while the run is recorded, and name it in the note.",
            )
        self._edit(run_ids, "note", text)

    def mark(self, run_ids: Sequence[str], field: EditField, *, is_set: bool) -> None:
        """Pin, archive or remove runs, or take that back.

        Raises:
            StoreError: the store cannot be written.
        """
        assert field in MARKS, field
        self._edit(run_ids, field, SET if is_set else None)

    def restore(self, run_ids: Sequence[str], *, below: Sequence[str] = ()) -> None:
        """Take back that runs were archived or removed, and of those `below` them that they were removed.

        Raises:
            StoreError: the store cannot be written.
        """
        archived = self._edits(run_ids, "archived", None)
        self._apply(WriteBatch(edits=[*archived, *self._edits([*run_ids, *below], "removed", None)]))

    def annotate(self, run: Run, annotation: Annotation, *, trace_id: str = "") -> None:
        """Keep a judgement of a run, or of one of its spans, as an event of the run.

        `trace_id` is that of the span.

        Raises:
            InvalidNameError: it has no name.
            StoreError: the store cannot be written.
        """
        now_ns = self._clock()
        _named(annotation.name, "annotation")
        record = LogRecord(
            time_ns=now_ns,
            observed_time_ns=now_ns,
            event_name=GEN_AI_EVALUATION_RESULT.name,
            severity_number=_INFO,
            severity_text="INFO",
            attributes=attributes_of(annotation),
            trace_id=trace_id or run.run_id,
            span_id=annotation.span_id or run.root_span_id,
            resource=Resource(run.resource),  # type: ignore[arg-type] # attributes, as they were stored
            scope=Scope("otel_experiments"),
            run_id=run.run_id,
        )
        self._apply(WriteBatch(log_records=[record]))

    def purge(
        self,
        run_ids: Sequence[str],
        *,
        unless: Callable[[Run], bool] | None = None,
        on_progress: Callable[[int], object] = lambda _: None,
    ) -> set[str]:
        """Take runs out of the store for good, with all that hangs on them. Whatever ends it, a run is there whole or gone.

        Args:
            run_ids: the runs.
            unless: asked of each run in the transaction that takes it out; a run of which it says yes stays.
            on_progress: called with how many were taken out or stay.

        Returns:
            The runs that stay.

        Raises:
            StoreError: the store cannot be written.
        """
        kept = set[str]()

        def is_kept(run: Run) -> bool:
            if unless is None or not unless(run):
                return False
            kept.add(run.run_id)
            return True

        done, size = 0, _FIRST_PURGE
        while done < len(run_ids):
            part = run_ids[done : done + size]
            began_s = time.monotonic()
            now_ns = self._clock()
            self._stores[0].apply(WriteBatch(purges=[RunPurge(run_id, now_ns, is_kept) for run_id in part]))
            gone = [RunPurge(run_id, now_ns) for run_id in part if run_id not in kept]
            for shown in self._stores[1:]:
                shown.apply(WriteBatch(purges=gone))
            done += len(part)
            on_progress(done)
            is_long = time.monotonic() - began_s > _LONG_S
            size = max(1, size // 2) if is_long else min(_LARGEST_PURGE, size * 2)
        return kept

    def live_records(self, run_ids: Iterable[str]) -> list[Run]:
        """Return the rows of those runs that have not ended, as the store says now, hidden ones too.

        Raises:
            StoreError: the store cannot be read.
        """
        wanted = set(run_ids)
        found = self._stores[0].find_runs(RunQuery(_LIVE, visibility="present"))
        return [run for run in found if run.run_id in wanted]

    def records(self, run_ids: Sequence[str]) -> list[Run]:
        """Return the rows of runs as they are stored now, hidden ones too.

        Raises:
            StoreError: the store cannot be read.
        """
        found = map(self._stores[0].get_run, run_ids)
        return [run for run in found if run is not None]

    @property
    def author(self) -> str:
        """Who changes the runs."""
        return self._author

    def _edit(self, run_ids: Sequence[str], field: EditField, value: str | None) -> None:
        self._apply(WriteBatch(edits=list(self._edits(run_ids, field, value))))

    def _edits(self, run_ids: Sequence[str], field: EditField, value: str | None) -> Iterable[RunEdit]:
        now_ns = self._clock()
        for run_id, known in self._stores[-1].edits(run_ids).items():
            time_ns = now_ns
            for one in known:
                if one.field == field and one.time_ns >= time_ns:
                    time_ns = one.time_ns + 1
            yield RunEdit(run_id, field, value, time_ns, self._author)

    def _apply(self, batch: WriteBatch) -> None:
        for store in self._stores:
            store.apply(batch)


def _named(name: str, kind: str) -> str:
    """Return a name as it is kept.

    Raises:
        InvalidNameError: it is no name.
    """
    if not isinstance(name, str):
        raise InvalidNameError(
            kind=kind,
            name=repr(name),
            why=f"it is of type {type(name).__name__}, not a text",
            fix="Pass a str.",
        )
    if not name.strip():
        raise InvalidNameError(
            kind=kind, name=name, why="it is empty", fix="Give it at least one visible character."
        )
    size_bytes = len(name.encode("utf-8", "surrogatepass"))
    if size_bytes > MOST_NAME_BYTES:
        raise InvalidNameError(
            kind=kind,
            name=f"{name[:40]}...",
            why=f"it has {size_bytes:,} bytes, and may have {MOST_NAME_BYTES:,}",
            fix="Give it a shorter one.",
        )
    if any(ord(one) < 32 or ord(one) == 127 for one in name):
        raise InvalidNameError(
            kind=kind,
            name=name,
            why="it holds a control character",
            fix="Write it in one line, without tabs.",
        )
    return clean_text(name)
