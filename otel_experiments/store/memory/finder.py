"""Searching the runs of a memory store."""

from __future__ import annotations

from collections import Counter
from functools import cached_property, cmp_to_key

from otel_experiments.codec.values import dump_value
from otel_experiments.model.artifact import ArtifactQuery
from otel_experiments.model.log import LogRecord
from otel_experiments.model.page import Page
from otel_experiments.model.position import Position
from otel_experiments.model.run import Run
from otel_experiments.model.search import (
    ArtifactField,
    AttributeField,
    DirtyField,
    EventCountField,
    FactField,
    LogTextField,
    MetricField,
    Order,
    PackageField,
    ParamField,
    RecordField,
    RunField,
    RunQuery,
    SearchField,
    SpanStatField,
    SummaryField,
    TagField,
)
from otel_experiments.model.span_summary import SpanSummary
from otel_experiments.semconv.attributes import ML_ENVIRONMENT_RUN_ID
from otel_experiments.semconv.events import ML_RUN_ENVIRONMENT, ML_RUN_START
from otel_experiments.store.memory.artifacts import artifact_count, find
from otel_experiments.store.memory.contents import Contents
from otel_experiments.store.semantics.artifacts import artifact_value, last_logged
from otel_experiments.store.semantics.edits import is_visible
from otel_experiments.store.semantics.paging import page_of
from otel_experiments.store.semantics.run import StoredRun
from otel_experiments.store.semantics.run_facts import fact_of, is_version, version_key
from otel_experiments.store.semantics.search import (
    MISSING,
    FoundValue,
    Missing,
    Several,
    check,
    matches,
    no_field,
    run_value,
    sort_key,
    summary_value,
    text_value,
)
from otel_experiments.store.semantics.snapshots import TAKING_NS, is_dirty, package_key, package_version
from otel_experiments.store.semantics.span_tally import span_stat, summaries


class Finder:
    """Answers one query over runs."""

    def __init__(self, contents: Contents, live_run_ids: frozenset[str] | None) -> None:
        self._contents = contents
        self._live_run_ids = live_run_ids

    def find(self, query: RunQuery) -> list[StoredRun]:
        """Return the runs that the query asks for, in its order; limit and offset are those of `page`.

        Raises:
            QueryError: the expression compares what cannot be compared.
        """
        where = query.where
        if where is not None:
            check(where)
        found = [
            stored
            for stored in self._contents.runs.values()
            if is_visible(stored.run, query.visibility, is_purged=stored.run.run_id in self._contents.purged)
            if where is None or matches(where, lambda wanted, stored=stored: self._value(stored, wanted))  # type: ignore[misc]
        ]
        found.sort(key=lambda stored: newest_first(stored.run))
        for order in reversed(query.order):
            found.sort(key=cmp_to_key(lambda left, right, order=order: self._compare(left, right, order)))  # type: ignore[misc]
        return found

    def page(self, query: RunQuery) -> Page[Run]:
        """Return the part of the runs that the query wants.

        Raises:
            QueryError: the expression compares what cannot be compared.
        """

        def position(stored: StoredRun) -> Position:
            keys = tuple(self._sort_key(stored, order.field) for order in query.order)
            return Position(keys, (stored.run.created_ns, stored.run.run_id))

        found = page_of(self.find(query), query, position, tie=lambda ties: (-ties[0], ties[1]))
        return Page((stored.run for stored in found), found.end)

    def _compare(self, left: StoredRun, right: StoredRun, order: Order) -> int:
        first, second = (self._sort_key(stored, order.field) for stored in (left, right))
        if first is None or second is None:
            return (first is None) - (second is None)
        sign = -1 if order.is_descending else 1
        return sign * ((first > second) - (first < second))

    def _sort_key(self, stored: StoredRun, field: SearchField) -> tuple[int, float | str] | None:
        found = self._value(stored, field)
        if is_version(field) and isinstance(found, str) and found:
            return sort_key(version_key(found) or "")
        return sort_key(found)

    def _artifact(self, run_id: str, wanted: ArtifactField) -> FoundValue | Missing:
        query = ArtifactQuery(run_ids=(run_id,), name=wanted.name)
        removed = {one for one, stored in self._contents.runs.items() if stored.run.removed_ns is not None}
        newest = max(find(self._contents.artifacts, query, removed), key=last_logged, default=None)
        return MISSING if newest is None else artifact_value(newest, wanted.part)

    def _value(self, stored: StoredRun, wanted: SearchField) -> FoundValue | Missing:  # noqa: PLR0911 - one return a kind of field
        run_id = stored.run.run_id
        match wanted:
            case RunField(name):
                state = self._state(stored.run)
                count = artifact_count(self._contents.artifacts, run_id) if name == "artifacts" else 0
                return run_value(
                    stored.run, name, state=state, is_placeholder=stored.is_placeholder, artifact_count=count
                )
            case FactField(name):
                return fact_of(stored.run.resource, name)
            case ArtifactField():
                return self._artifact(run_id, wanted)
            case SummaryField(key):
                one = self._contents.labels.summaries.get((run_id, key))
                return MISSING if one is None else one.value
            case ParamField(key):
                param = self._contents.labels.params.get((run_id, key))
                return MISSING if param is None else param.value
            case TagField(key):
                tag = self._contents.labels.tags.get((run_id, key))
                return MISSING if tag is None or tag.value is None else tag.value
            case SpanStatField() | EventCountField() | LogTextField() | DirtyField() | PackageField():
                return self._inside(run_id, wanted)
            case RecordField() | AttributeField():
                raise no_field(wanted, "run")
            case MetricField(name, stat, phase):
                histories = self._contents.histories.get(run_id, {})
                keys = [key for key in histories if key.name == name and phase in {None, key.phase}]
                return summary_value(histories[min(keys)].summary, stat) if keys else MISSING

    def _inside(
        self,
        run_id: str,
        wanted: SpanStatField | EventCountField | LogTextField | DirtyField | PackageField,
    ) -> FoundValue | Missing:
        match wanted:
            case DirtyField() | PackageField():
                return self._surroundings(run_id, wanted)
            case SpanStatField(name, stat):
                spans = self._spans.get(run_id, {}).get(name)
                return MISSING if spans is None else span_stat(spans, stat)
            case EventCountField(name):
                return self._events.get((run_id, name), MISSING)
            case LogTextField():
                return Several(self._texts[run_id]) if run_id in self._texts else MISSING

    def _surroundings(self, run_id: str, wanted: DirtyField | PackageField) -> FoundValue | Missing:
        taken = self._records_of.get((run_id, ML_RUN_ENVIRONMENT.name), [])
        starts = self._records_of.get((run_id, ML_RUN_START.name), [])
        sharing = [one for one in starts if ML_ENVIRONMENT_RUN_ID in one.attributes]
        if sharing and (not taken or taken[-1].time_ns < sharing[-1].time_ns):
            source = str(sharing[-1].attributes[ML_ENVIRONMENT_RUN_ID])
            of_source = self._records_of.get((source, ML_RUN_ENVIRONMENT.name), [])
            taken = [one for one in of_source if one.time_ns < sharing[-1].time_ns + TAKING_NS] or taken
        if not taken:
            return MISSING
        snapshot = dump_value(taken[-1].body).encode()
        if isinstance(wanted, PackageField):
            version = package_version(snapshot, package_key(wanted.name))
            return MISSING if version is None else version
        dirty = is_dirty(snapshot)
        return MISSING if dirty is None else bool(dirty)

    @cached_property
    def _records_of(self) -> dict[tuple[str | None, str], list[LogRecord]]:
        """The snapshots of each run, and its starts, by time."""
        found: dict[tuple[str | None, str], list[LogRecord]] = {}
        for record in sorted(self._contents.log_records.values(), key=lambda one: one.time_ns):
            if record.event_name in {ML_RUN_ENVIRONMENT.name, ML_RUN_START.name}:
                found.setdefault((record.run_id, record.event_name), []).append(record)
        return found

    @cached_property
    def _spans(self) -> dict[str, dict[str, SpanSummary]]:
        return summaries(self._contents.spans.values())

    @cached_property
    def _events(self) -> dict[tuple[str | None, str], int]:
        return Counter((record.run_id, record.event_name) for record in self._contents.log_records.values())

    @cached_property
    def _texts(self) -> dict[str | None, list[str]]:
        found: dict[str | None, list[str]] = {}
        for record in self._contents.log_records.values():
            text = text_value(record.body)
            if text is not None:
                found.setdefault(record.run_id, []).append(text)
        return found

    def _state(self, run: Run) -> str:
        is_gone = self._live_run_ids is not None and run.run_id not in self._live_run_ids
        return "lost" if is_gone and run.state.is_live else str(run.state)


def newest_first(run: Run) -> tuple[int, str]:
    """Return what sorts runs as every list does."""
    return (-run.created_ns, run.run_id)
