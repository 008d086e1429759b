"""What edits make of a stored run, and what of a batch is stored where runs were purged. Shared by all stores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, Final

from otel_experiments.codec.text import clean_text
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.edit import MARKS, SET, EditField, RunEdit, RunPurge
from otel_experiments.model.run import EDITED_FIELDS, Run
from otel_experiments.model.search import Visibility

_OF_RUNS: Final = tuple(
    one.name
    for one in fields(WriteBatch)
    if one.name
    not in {
        "shared_traces", "journal", "journal_reports", "received", "detach", "artifact_aliases", "purges", "revivals",
    }
)  # fmt: skip
"""The fields of a batch whose items are each of one run, or of none."""
UNEDITED: Final[Mapping[str, Any]] = {
    one.name: one.default for one in fields(Run) if one.name in EDITED_FIELDS
}
"""What a run has in the fields that edits alone fill, until they do."""


def edit_order(edit: RunEdit) -> tuple[int, str, str]:
    """Return by which of two edits of a field the later one is known; of two at the same time the same one always wins."""
    return edit.time_ns, edit.value or "", edit.author


def plain_edit(edit: RunEdit) -> RunEdit:
    """Return an edit as a file would give it back."""
    value = None if edit.value is None else clean_text(edit.value)
    if edit.field in MARKS and value is not None:
        value = SET
    author = clean_text(edit.author)
    is_plain = value == edit.value and author == edit.author
    return edit if is_plain else replace(edit, value=value, author=author)


def edited(run: Run, edits: Mapping[EditField, RunEdit]) -> Run:
    """Return a run as it is with all edits of it; what its record says of the fields that edits fill does not count."""
    values: dict[str, Any] = dict(UNEDITED)
    for field, edit in edits.items():
        if field in MARKS:
            values[f"{field}_ns"] = None if edit.value is None else edit.time_ns
        elif edit.value is not None:
            values[field] = edit.value
    return replace(run, **values)


def is_visible(  # noqa: PLR0911 - one return each
    run: Run, visibility: Visibility, *, is_purged: bool
) -> bool:
    """Tell whether a run is seen. What is left of a purged one is seen where everything is, and nowhere else."""
    match visibility:
        case "listed":
            return run.removed_ns is None and run.archived_ns is None
        case "kept":
            return run.removed_ns is None
        case "archived":
            return run.removed_ns is None and run.archived_ns is not None
        case "removed":
            return run.removed_ns is not None and not is_purged
        case "hidden":
            return not is_purged and not (run.removed_ns is None and run.archived_ns is None)
        case "present":
            return not is_purged
        case "all":
            return True


def without_wanted(purges: Iterable[RunPurge], run_of: Callable[[str], Run | None]) -> list[RunPurge]:
    """Return the purges without those of runs that are to stay as they are now."""
    return [
        one
        for one in purges
        if one.unless is None or (run := run_of(one.run_id)) is None or not one.unless(run)
    ]


def returning(batch: WriteBatch, purged_ns: Callable[[str], int | None]) -> set[str]:
    """Return the purged runs that a batch makes anew: it says so, or has a record of a run that was made later."""
    found = set(batch.revivals)
    for run in batch.runs:
        time_ns = purged_ns(run.run_id)
        if time_ns is not None and run.created_ns > time_ns:
            found.add(run.run_id)
    return found


def without_purged(batch: WriteBatch, is_purged: Callable[[str], bool]) -> WriteBatch:
    """Return the batch without what it says of purged runs: itself where it says nothing of any."""
    if not any(is_purged(run_id) for run_id in _run_ids(batch)):
        return batch
    kept = {
        name: [
            item
            for item in getattr(batch, name)
            if (run_id := _run_of(item)) is None or not is_purged(run_id)
        ]
        for name in _OF_RUNS
    }
    return replace(batch, **kept)


def _run_ids(batch: WriteBatch) -> Iterable[str]:
    found = {_run_of(item) for name in _OF_RUNS for item in getattr(batch, name)}
    return {run_id for run_id in found if run_id is not None}


def _run_of(item: Any) -> str | None:  # any of the items of a batch
    found: str | None = item.run.run_id if hasattr(item, "run") else item.run_id
    return found
