"""What has come to a run since a reader looked at it last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_experiments.model.log import LogRecord
    from otel_experiments.model.loss import Loss
    from otel_experiments.model.metric import Points, SeriesKey
    from otel_experiments.model.run import Run, RunState
    from otel_experiments.model.span import Span


@dataclass(frozen=True, slots=True)
class NewPoints:
    """Points that came to one series.

    Attributes:
        key: the series.
        start: how many points the series had before these.
        points: the points, in the order of recording.
    """

    key: SeriesKey
    start: int
    points: Points


@dataclass(frozen=True, slots=True)
class Changes:
    """What came to a run since a cursor, or a page of it.

    Each point, each log record, and each span when it opens and when it ends, comes once: pages that are asked for one after
    the other, each with the cursor of the one before, add up to what is stored. A span that opened and ended since is there
    once, ended. What is attached to the run later, or joins it by its trace after it was stored, does not come: it is no
    news of the run.

    Attributes:
        cursor: what to ask with next. It is a text without meaning to anybody else, for this run in this store.
        run: the run's row as it is now; None when it was purged.
        state: its state; a reader says `lost` where its process is gone.
        is_run_changed: whether the row, params, tags, summary or edits differ from what they were at the cursor.
        points: the new points of each series that has some.
        spans: those that opened or ended.
        log_records: log records and events, in the order of arrival.
        losses: what was not recorded as it was given; a part of what `log_records` say.
        has_more: whether the limit cut it: ask again at once.
        is_reset: whether the cursor could not be followed, because something that it counted was taken out of the store.
            What comes begins with the first point again; forget what you have.
    """

    cursor: str
    run: Run | None
    state: RunState | None = None
    is_run_changed: bool = False
    points: Sequence[NewPoints] = ()
    spans: Sequence[Span] = ()
    log_records: Sequence[LogRecord] = ()
    losses: Sequence[Loss] = ()
    has_more: bool = False
    is_reset: bool = False

    def __bool__(self) -> bool:
        """Whether there is anything new."""
        return bool(
            self.is_run_changed
            or self.points
            or self.spans
            or self.log_records
            or self.is_reset
            or self.run is None
        )
