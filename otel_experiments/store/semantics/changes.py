"""What has come to a run since a cursor: the same rules for every store, over the few things that only a store can answer.

A series only grows, so the count of its points says which are new. Spans and log records have numbers in the order of arrival.
Where something that was counted is gone, the run is read from its start again, and that is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from otel_experiments.errors import QueryError
from otel_experiments.model.changes import Changes, NewPoints
from otel_experiments.model.cursor import NOW
from otel_experiments.model.log import LogRecord
from otel_experiments.model.loss import Loss
from otel_experiments.model.metric import Points, SeriesKey
from otel_experiments.model.run import Run
from otel_experiments.model.span import Span
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.events import ML_TELEMETRY_LOSS
from otel_experiments.store.semantics.position import Mark, Position, digest_of, position_of


class NewSpans(NamedTuple):
    """Spans that opened or ended, how far they were read, which are open, and whether there are more."""

    spans: Sequence[Span]
    marks: dict[str, Mark]
    open_spans: Sequence[int]
    has_more: bool


class NewRecords(NamedTuple):
    """Log records that came, how far they were read, and whether there are more."""

    records: Sequence[LogRecord]
    marks: dict[str, Mark]
    has_more: bool


class ChangeSource(Protocol):
    """What a store answers; all of it as of one moment."""

    def run_with_labels(self, run_id: str) -> tuple[Run, object] | None:
        """Return the run and what changes with its labels; None when there is none."""
        ...

    def counts(self, run_id: str) -> dict[SeriesKey, int]:
        """Return how many points each series of the run has."""
        ...

    def points_between(self, run_id: str, key: SeriesKey, start: int, stop: int) -> Points:
        """Return the points of a series from number `start` to before `stop`."""
        ...

    def can_follow(self, position: Position) -> bool:
        """Tell whether the position's marks and open spans are where they were."""
        ...

    def new_spans(self, position: Position, limit: int) -> NewSpans:
        """Return at most `limit` spans that opened or ended since."""
        ...

    def new_records(self, position: Position, limit: int) -> NewRecords:
        """Return at most `limit` log records that came since."""
        ...

    def end(self, run_id: str) -> tuple[dict[str, Mark], Sequence[int]]:
        """Return the marks of now, and which spans are open."""
        ...


def changes_of(source: ChangeSource, identity: str, run_id: str, since: str | None, limit: int) -> Changes:
    """Return what came to the run since the cursor; see `ReadingStore.changes`."""
    if limit < 1:
        raise QueryError(f"A page of changes has limit {limit}.\n  It has to be 1 or more.")
    start = Position(identity, run_id)
    position = start if since is None or since == NOW else position_of(since, store=identity, run_id=run_id)
    found = source.run_with_labels(run_id)
    if found is None:
        return Changes(start.text(), None)
    run, labels = found
    digest = digest_of(run, labels)
    counts = source.counts(run_id)
    if since == NOW:
        marks, open_spans = source.end(run_id)
        cursor = Position(identity, run_id, digest, counts, marks, open_spans).text()
        return Changes(cursor, run, run.state)
    is_reset = not (
        source.can_follow(position)
        and all(counts.get(key, 0) >= count for key, count in position.counts.items())
    )
    if is_reset:
        position = start
    spans = source.new_spans(position, limit)
    records = source.new_records(position, limit - len(spans.spans))
    room = limit - len(spans.spans) - len(records.records)
    points, seen, is_cut = _new_points(source, position, counts, room)
    after = Position(identity, run_id, digest, seen, {**spans.marks, **records.marks}, spans.open_spans)
    return Changes(
        cursor=after.text(),
        run=run,
        state=run.state,
        is_run_changed=digest != position.run,
        points=points,
        spans=spans.spans,
        log_records=records.records,
        losses=losses_in(records.records),
        has_more=spans.has_more or records.has_more or is_cut,
        is_reset=is_reset,
    )


def losses_in(records: Sequence[LogRecord]) -> list[Loss]:
    """Return what log records say that a run did not keep as it was given."""
    found: list[Loss] = []
    for record in records:
        if record.event_name == ML_TELEMETRY_LOSS.name:
            of = record.attributes
            kind = of.get(attr.ML_LOSS_KIND) or of.get(attr.ML_LOSS_REASON) or ""
            count = of.get(attr.ML_LOSS_COUNT)
            found.append(
                Loss(str(kind), str(of.get(attr.ML_LOSS_NAME) or ""), count if isinstance(count, int) else 0)
            )
    return found


def _new_points(
    source: ChangeSource, position: Position, counts: dict[SeriesKey, int], room: int
) -> tuple[list[NewPoints], dict[SeriesKey, int], bool]:
    """Return the new points of each series, how many of each were seen then, and whether there are more."""
    found: list[NewPoints] = []
    seen = dict(position.counts)
    is_cut = False
    for key, count in counts.items():
        start = seen.get(key, 0)
        stop = min(count, start + room)
        is_cut = is_cut or stop < count
        if stop > start:
            found.append(NewPoints(key, start, source.points_between(position.run_id, key, start, stop)))
            room -= stop - start
            seen[key] = stop
    return found, seen, is_cut
