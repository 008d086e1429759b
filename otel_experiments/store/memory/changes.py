"""What came to a run of a memory store since a cursor: the places in the order of arrival are the cursor's marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from otel_experiments.model.changes import Changes
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import Points, SeriesKey
from otel_experiments.model.run import Run
from otel_experiments.model.span import Span
from otel_experiments.store.memory.contents import Contents
from otel_experiments.store.memory.edits import of_run
from otel_experiments.store.semantics.changes import NewRecords, NewSpans, changes_of
from otel_experiments.store.semantics.position import Mark, Position

_SPANS: Final = "spans"
_RECORDS: Final = "log_records"
_PURGE: Final = "purge"


def changes(contents: Contents, identity: str, run_id: str, since: str | None, limit: int) -> Changes:
    """Return what came to the run since the cursor."""
    return changes_of(_Source(contents), identity, run_id, since, limit)


@dataclass(frozen=True, slots=True)
class _Source:
    """The contents, which nobody changes meanwhile."""

    contents: Contents

    def run_with_labels(self, run_id: str) -> tuple[Run, object] | None:
        contents, labels = self.contents, self.contents.labels
        stored = contents.runs.get(run_id)
        if stored is None or run_id in contents.purged:
            return None
        told = (
            labels.params_of([run_id]),
            labels.tags_of([run_id]),
            labels.summary_sets(run_id),
            of_run(contents, run_id),
        )
        return stored.run, told

    def counts(self, run_id: str) -> dict[SeriesKey, int]:
        histories = self.contents.histories.get(run_id, {})
        return {
            key: len(history.values) for key, history in sorted(histories.items(), key=lambda one: one[0])
        }

    def points_between(self, run_id: str, key: SeriesKey, start: int, stop: int) -> Points:
        history = self.contents.histories[run_id][key]
        return Points(history.steps[start:stop], history.times_ns[start:stop], history.values[start:stop])

    def can_follow(self, position: Position) -> bool:
        """Tell whether the run is the same, and the store has come as far as the position: one that was made anew may not have."""
        contents, purged = self.contents, self._purged(position.run_id)
        return not position.marks or (
            position.mark(_PURGE) == purged
            and position.mark(_SPANS).number <= len(contents.arrived_spans)
            and position.mark(_RECORDS).number <= len(contents.arrived_records)
        )

    def new_spans(self, position: Position, limit: int) -> NewSpans:
        """Return the spans that opened or ended; one that did both since comes where it ended."""
        contents, start = self.contents, position.mark(_SPANS).number
        found: list[Span] = []
        for number in range(start, len(contents.arrived_spans)):
            key, ends = contents.arrived_spans[number]
            span = None if key is None else contents.spans.get(key)
            if span is None or span.run_id != position.run_id or (span.end_ns is not None) != ends:
                continue
            if len(found) >= limit:
                return NewSpans(found, {_SPANS: Mark(number)}, (), has_more=True)
            found.append(span)
        return NewSpans(found, {_SPANS: Mark(len(contents.arrived_spans))}, (), has_more=False)

    def new_records(self, position: Position, limit: int) -> NewRecords:
        """Return the log records that came."""
        contents, start = self.contents, position.mark(_RECORDS).number
        purged = self._purged(position.run_id)
        found: list[LogRecord] = []
        for number in range(start, len(contents.arrived_records)):
            key = contents.arrived_records[number]
            record = None if key is None else contents.log_records.get(key)
            if record is None or record.run_id != position.run_id:
                continue
            if len(found) >= limit:
                return NewRecords(found, {_RECORDS: Mark(number), _PURGE: purged}, has_more=True)
            found.append(record)
        marks = {_RECORDS: Mark(len(contents.arrived_records)), _PURGE: purged}
        return NewRecords(found, marks, has_more=False)

    def end(self, run_id: str) -> tuple[dict[str, Mark], Sequence[int]]:
        contents = self.contents
        return {
            _SPANS: Mark(len(contents.arrived_spans)),
            _RECORDS: Mark(len(contents.arrived_records)),
            _PURGE: self._purged(run_id),
        }, ()

    def _purged(self, run_id: str) -> Mark:
        return Mark(self.contents.purge_counts.get(run_id, 0))
