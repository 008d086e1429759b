"""Edits and purges of runs in a memory store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.edit import RunContents, RunEdit, RunPurge
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.events import ML_RUN_ENVIRONMENT, ML_RUN_START
from otel_experiments.store.memory.contents import Contents
from otel_experiments.store.semantics.edits import (
    edit_order,
    edited,
    plain_edit,
    returning,
    without_purged,
    without_wanted,
)
from otel_experiments.store.semantics.late import late_items

_Key = TypeVar("_Key")


def let_in(contents: Contents, batch: WriteBatch) -> WriteBatch:
    """Purge what a batch purges, and return what is to be stored of the rest."""
    _purge(contents, batch.purges)
    for run_id in returning(batch, contents.purged.get) & contents.purged.keys():
        del contents.purged[run_id]
        if run_id in contents.runs:
            stored = contents.runs[run_id]
            contents.runs[run_id] = replace(stored, run=replace(stored.run, removed_ns=None))
    kept = without_purged(batch, contents.purged.__contains__) if contents.purged else batch
    contents.late = Counter() if kept is batch else late_items(batch, contents.purged.__contains__)
    return kept


def take(contents: Contents, edits: Iterable[RunEdit]) -> None:
    """Take in edits, of which the latest of a field counts, and show the runs as they are with them."""
    for edit in map(plain_edit, edits):
        held = contents.edits.setdefault(edit.run_id, {})
        held[edit.field] = max(held.get(edit.field, edit), edit, key=edit_order)
    for run_id, held in contents.edits.items():
        stored = contents.runs[run_id]
        contents.runs[run_id] = replace(stored, run=edited(stored.run, held))


def of_run(contents: Contents, run_id: str) -> list[RunEdit]:
    """Return the latest edit of each field, by field."""
    return sorted(contents.edits.get(run_id, {}).values(), key=lambda edit: edit.field)


def removed_ids(contents: Contents) -> set[str]:
    """Return the runs that are hidden from everything."""
    return {run_id for run_id, stored in contents.runs.items() if stored.run.removed_ns is not None}


def count(contents: Contents, run_ids: frozenset[str]) -> RunContents:
    """Return how much hangs on these runs together."""

    def of_runs(items: Iterable[Any]) -> int:
        return sum(item.run_id in run_ids for item in items)

    histories = [one for run_id in run_ids for one in contents.histories.get(run_id, {}).values()]
    return RunContents(
        run_count=len(run_ids & contents.runs.keys()),
        point_count=sum(len(history.values) for history in histories),
        span_count=of_runs(contents.spans.values()),
        log_record_count=of_runs(contents.log_records.values()),
        data_point_count=of_runs(contents.instrument_points.values()),
        artifact_count=of_runs(contents.artifacts.logged.values()),
    )


def _purge(contents: Contents, purges: Sequence[RunPurge]) -> None:
    runs = contents.runs
    purges = without_wanted(purges, lambda run_id: runs[run_id].run if run_id in runs else None)
    ids = {one.run_id for one in purges}
    if not ids:
        return
    touched = {stored.run.experiment for run_id, stored in contents.runs.items() if run_id in ids}
    for one in purges:
        contents.purged[one.run_id] = max(one.time_ns, contents.purged.get(one.run_id, one.time_ns))
        contents.purge_counts[one.run_id] = contents.purge_counts.get(one.run_id, 0) + 1
        _give_back(contents, one.run_id)
        _empty(contents, one.run_id)
    rests = contents.purged.keys() & contents.runs.keys()
    needed = _shared(contents, rests)
    for run_id in rests:
        if run_id in needed:
            stored = contents.runs[run_id]
            removed_ns = stored.run.removed_ns or stored.run.created_ns
            contents.runs[run_id] = replace(stored, run=replace(stored.run, removed_ns=removed_ns))
            continue
        del contents.runs[run_id]
        contents.log_records = {
            key: record for key, record in contents.log_records.items() if record.run_id != run_id
        }
    used = {stored.run.experiment for stored in contents.runs.values()}
    for name in touched - used:
        contents.experiments.pop(name, None)
    contents.forget_purged()


def _give_back(contents: Contents, run_id: str) -> None:
    """Let what was attached to a run belong to none."""
    every: tuple[dict[Any, Any], ...] = (contents.spans, contents.log_records, contents.instrument_points)
    for items in every:
        for key, item in list(items.items()):
            if item.run_id == run_id and key in contents.attached:
                items[key] = replace(item, run_id=None)
                contents.attached.discard(key)


def _empty(contents: Contents, run_id: str) -> None:
    """Take away all that hangs on a run but what others may share."""
    contents.labels.forget(run_id)
    contents.histories.pop(run_id, None)
    contents.edits.pop(run_id, None)
    contents.spans = _of_others(contents.spans, run_id)
    contents.instrument_points = _of_others(contents.instrument_points, run_id)
    contents.unsent = _of_others(contents.unsent, run_id)
    contents.log_records = {
        key: record
        for key, record in contents.log_records.items()
        if record.run_id != run_id or record.event_name == ML_RUN_ENVIRONMENT.name
    }
    held = contents.artifacts
    held.logged, held.uses = _of_others(held.logged, run_id), _of_others(held.uses, run_id)
    logged = {(one.experiment, one.name, one.digest) for one in held.logged.values()}
    held.aliases = {
        name: {
            alias: one for alias, one in rows.items() if one.digest is None or (*name, one.digest) in logged
        }
        for name, rows in held.aliases.items()
    }


def _of_others(items: Mapping[_Key, Any], run_id: str) -> dict[_Key, Any]:
    return {key: item for key, item in items.items() if item.run_id != run_id}


def _shared(contents: Contents, rests: Iterable[str]) -> set[object]:
    """Return whose environment the runs share that are no rests of purged ones."""
    left = frozenset(rests)
    return {
        record.attributes.get(attr.ML_ENVIRONMENT_RUN_ID)
        for record in contents.log_records.values()
        if record.event_name == ML_RUN_START.name and record.run_id not in left
    }
