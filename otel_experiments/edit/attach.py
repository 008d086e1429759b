"""Giving telemetry of no run to a run, and taking it back. No attribute is changed, so nothing is lost either way.

What a mapping makes of the telemetry, the points of its gauges and span events, comes from the caller: this layer knows
no OTLP.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from otel_experiments.model.attachment import Attachment, Detachment, TelemetryGroup, TelemetryQuery
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.metric import PointBlock
from otel_experiments.store import Store
from otel_experiments.store.semantics.attached import common, counts_by_series, without

PointsOf = Callable[[str, Iterable[WriteBatch]], list[PointBlock]]
"""Makes points for a run of its attached spans and data points."""


@dataclass(frozen=True, slots=True)
class AttachReport:
    """What was attached to a run or taken back, by service, the newest first.

    Attributes:
        run_id: the run.
        groups: how much of each service.
        series_count: how many series of the run have points that came of it.
        is_found: whether there is any of what was meant, attached now or before; False may be a misspelt name.
    """

    run_id: str
    groups: tuple[TelemetryGroup, ...] = ()
    series_count: int = 0
    is_found: bool = True

    @property
    def span_count(self) -> int:
        """How many spans there were."""
        return sum(group.span_count for group in self.groups)

    @property
    def log_record_count(self) -> int:
        """How many log records there were."""
        return sum(group.log_record_count for group in self.groups)

    @property
    def data_point_count(self) -> int:
        """How many data points of instruments there were."""
        return sum(group.data_point_count for group in self.groups)

    @property
    def services(self) -> tuple[str, ...]:
        """The names of the services, with their namespaces."""
        return tuple(group.service for group in self.groups)


def attach(
    store: Store, run_id: str, query: TelemetryQuery, *, time_ns: int, points_of: PointsOf
) -> AttachReport:
    """Give what `query` means of the telemetry without a run to a run.

    Doing it again gives the run what has arrived meanwhile, and makes points that an interrupted call did not make. A
    point that the run has already is there twice from then on, so that taking back leaves the run its point.

    Raises:
        StoreError: the store cannot be written.
    """
    wanted = replace(query, run_id=None)
    groups = store.telemetry_groups(wanted)
    if groups:
        given = points_of(run_id, store.telemetry_items(wanted))
        doubled = list(_held_by(store, run_id, given, _points(store, TelemetryQuery(run_id), points_of)))
        store.apply(WriteBatch(attach=[Attachment(run_id, wanted, time_ns)], points=doubled))
    blocks = _points(store, TelemetryQuery(run_id), points_of)
    if blocks:
        store.apply(WriteBatch(points=blocks))
    is_found = bool(groups or store.telemetry_groups(replace(query, run_id=run_id)))
    return AttachReport(run_id, tuple(groups), len(_keys(blocks)), is_found)


def detach(store: Store, run_id: str, query: TelemetryQuery, *, points_of: PointsOf) -> AttachReport:
    """Take back what `query` means of what was attached to a run.

    Raises:
        StoreError: the store cannot be written.
    """
    wanted = replace(query, run_id=run_id)
    groups = store.telemetry_groups(wanted)
    blocks = _points(store, wanted, points_of)
    store.apply(WriteBatch(detach=[Detachment(wanted, tuple(blocks))]))
    rest = _points(store, TelemetryQuery(run_id), points_of)  # a point may have come of two items
    if rest:
        store.apply(WriteBatch(points=rest))
    return AttachReport(run_id, tuple(groups), len(_keys(blocks)))


def _points(store: Store, query: TelemetryQuery, points_of: PointsOf) -> list[PointBlock]:
    assert query.run_id is not None, "points are a run's"
    found = points_of(query.run_id, store.telemetry_items(query))
    return [replace(block, is_received=True) for block in found]


def _held_by(
    store: Store, run_id: str, given: list[PointBlock], attached: list[PointBlock]
) -> Iterator[PointBlock]:
    """Yield those of the points given that a run has, without what came of telemetry that is attached to it already."""
    counts_given, counts_attached = counts_by_series(run_id, given), counts_by_series(run_id, attached)
    for key, counts in counts_given.items():
        held = without(store.points(run_id, key), counts_attached.get(key, Counter()))
        found = common(held, counts)
        if len(found):
            yield PointBlock(run_id, (key,), found.steps, found.times_ns, (found.values,))


def _keys(blocks: Iterable[PointBlock]) -> set[object]:
    return {key for block in blocks for key in block.keys}
