"""Telemetry of no run: found, given to a run, and taken back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from otel_experiments.model.attachment import Attachment, Detachment, TelemetryGroup, TelemetryQuery
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.search import SpanQuery
from otel_experiments.model.span import Resource, Span
from otel_experiments.store import Store
from otel_experiments.testing.store_contract.given import LOSS, OTHER, RUN, a_block, a_run

_TRACE = "1" * 32
_WEB = Resource({"service.namespace": "shop", "service.name": "web", "host.cpus": 8})
_LOADER = Resource({"service.name": "loader"})


def _a_span(
    number: int, resource: Resource = _WEB, *, trace: str = _TRACE, run_id: str | None = None
) -> Span:
    """A span that starts at its number."""
    return Span(
        trace, f"{number:016x}", f"span {number}", number, number + 1, resource=resource, run_id=run_id
    )


def _fill(store: Store) -> None:
    """Give the store a run of one span, and telemetry of two services that belongs to none."""
    store.apply(
        WriteBatch(
            runs=[a_run()],
            spans=[
                _a_span(1, trace=RUN, run_id=RUN), _a_span(10), _a_span(20, _LOADER), _a_span(30, trace="2" * 32)
            ],
            log_records=[
                LogRecord(15, 15, body="line 15", trace_id=_TRACE, resource=_WEB),
                LogRecord(35, 35, body="line 35", resource=_LOADER),
            ],
            instrument_points=[
                InstrumentPoint("depth", "gauge", 12, value=0.5, resource=_WEB),
                InstrumentPoint("depth", "gauge", 40, value=0.5, resource=_LOADER),
            ],
        )
    )  # fmt: skip


def _attach(store: Store, run_id: str = RUN, **query: Any) -> None:
    store.apply(WriteBatch(attach=[Attachment(run_id, TelemetryQuery(**query), 99)]))


def _names(store: Store, run_id: str) -> tuple[list[str], list[object], list[int]]:
    """What a run has: names of spans, bodies of log records, times of data points."""
    return (
        [span.name for span in store.spans(SpanQuery(run_id=run_id))],
        [record.body for record in store.log_records(run_id=run_id)],
        [point.time_ns for point in store.instrument_points(run_id=run_id)],
    )


class AttachmentContract:
    """Telemetry of no run: found, given to a run, and taken back."""

    def test_telemetry_of_no_run_is_counted_by_service_and_trace(self, store: Store) -> None:
        """What belongs to no run is known by services and traces, the newest first; what belongs to one is not in it."""
        nothing = store.has_telemetry()
        store.apply(WriteBatch(spans=[_a_span(1, trace=RUN, run_id=RUN)]))
        of_runs = store.has_telemetry()
        _fill(store)

        assert (nothing, of_runs, store.has_telemetry()) == (False, False, True)
        assert store.telemetry_groups(TelemetryQuery()) == [
            TelemetryGroup("loader", None, "", 1, 1, 1, 20, 40),
            TelemetryGroup("shop/web", None, "", 2, 1, 1, 10, 30),
        ]
        by_trace = store.telemetry_groups(TelemetryQuery(), by_trace=True)
        assert [(one.trace_id, one.name, one.span_count, one.log_record_count) for one in by_trace] == [
            ("2" * 32, "span 30", 1, 0),
            (_TRACE, "span 10", 2, 1),
        ]
        assert store.telemetry_groups(TelemetryQuery(), by_trace=True, limit=1) == by_trace[:1]

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({"trace_id": _TRACE}, (["span 1", "span 10", "span 20"], ["line 15"], [])),
            ({"service": "web"}, (["span 1", "span 10", "span 30"], ["line 15"], [12])),
            ({"service": "shop/web", "since_ns": 30}, (["span 1", "span 30"], [], [])),
            ({"since_ns": 20, "until_ns": 35}, (["span 1", "span 20", "span 30"], [], [])),
            ({"resource": (("host.cpus", "8"),)}, (["span 1", "span 10", "span 30"], ["line 15"], [12])),
            ({"resource": (("host.cpus", 9),)}, (["span 1"], [], [])),
        ],
    )
    def test_what_a_query_means_becomes_the_runs(
        self, store: Store, query: dict[str, Any], expected: tuple[list[str], list[object], list[int]]
    ) -> None:
        """Telemetry is attached by trace, service, time and resource; what is meant by all conditions, and once."""
        _fill(store)

        for _ in range(2):
            _attach(store, **query)

        assert _names(store, RUN) == expected

    def test_what_has_a_run_is_never_attached_to_another(self, store: Store) -> None:
        """A run's own telemetry, and what is attached to one, stays where it is."""
        _fill(store)
        _attach(store, service="web")
        first = _names(store, RUN)

        _attach(store, OTHER)

        assert _names(store, RUN) == first
        assert _names(store, OTHER) == (["span 20"], ["line 35"], [40])

    def test_attached_telemetry_that_comes_again_is_the_same(self, store: Store) -> None:
        """A sender that repeats a request doubles nothing, and takes nothing away from the run."""
        _fill(store)
        _attach(store)
        before = _names(store, RUN)

        _fill(store)

        assert _names(store, RUN) == before
        assert not store.has_telemetry()

    def test_what_is_detached_is_as_it_was(self, store: Store) -> None:
        """Detaching gives back what was attached, all or a part, and nothing that the run brought itself."""
        _fill(store)
        before = _names(store, RUN), store.telemetry_groups(TelemetryQuery())
        _attach(store)

        store.apply(WriteBatch(detach=[Detachment(TelemetryQuery(RUN, service="web"))]))
        part = _names(store, RUN)
        store.apply(WriteBatch(detach=[Detachment(TelemetryQuery(RUN))]))

        assert part == (["span 1", "span 20"], ["line 35"], [40])
        assert (_names(store, RUN), store.telemetry_groups(TelemetryQuery())) == before

    def test_points_that_came_of_attached_telemetry_leave_with_it(self, store: Store) -> None:
        """Of a series that the run logged too, the run's own points stay, in their order."""
        _fill(store)
        made = a_block([9.0, 0.5], start=5)
        store.apply(WriteBatch(points=[a_block([0.5, 0.25])]))
        store.apply(WriteBatch(points=[made], attach=[Attachment(RUN, TelemetryQuery(), 99)]))
        with_made = list(store.points(RUN, LOSS).values)

        store.apply(WriteBatch(detach=[Detachment(TelemetryQuery(RUN), (made,))]))

        assert with_made == [0.5, 0.25, 9.0, 0.5]
        assert list(store.points(RUN, LOSS).values) == [0.5, 0.25]
        ((series,),) = store.series([RUN]).values()
        assert (series.summary.count, series.summary.last) == (2, 0.25)

    def test_points_keep_their_attempt_where_attached_ones_leave(self, store: Store) -> None:
        """What is left of a series still says which attempt recorded it."""
        _fill(store)
        blocks = [replace(a_block([float(attempt)], start=attempt), attempt=attempt) for attempt in (1, 2)]
        made = a_block([9.0], start=5)
        store.apply(WriteBatch(points=blocks))
        store.apply(WriteBatch(points=[made], attach=[Attachment(RUN, TelemetryQuery(), 99)]))

        store.apply(WriteBatch(detach=[Detachment(TelemetryQuery(RUN), (made,))]))

        points = store.points(RUN, LOSS)
        assert (list(points.values), list(points.attempts)) == ([1.0, 2.0], [1, 2])

    def test_attached_telemetry_can_be_read_again(self, store: Store) -> None:
        """Spans and data points that are attached to a run come in pages, and those of no run as well."""
        _fill(store)
        _attach(store, service="web")

        def items(query: TelemetryQuery) -> tuple[list[str], list[int]]:
            pages = list(store.telemetry_items(query))
            return (
                sorted(span.name for page in pages for span in page.spans),
                sorted(point.time_ns for page in pages for point in page.instrument_points),
            )

        assert items(TelemetryQuery(RUN)) == (["span 10", "span 30"], [12])
        assert items(TelemetryQuery()) == (["span 20"], [40])
