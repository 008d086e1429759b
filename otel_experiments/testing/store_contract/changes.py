"""What came to a run since a cursor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from otel_experiments.errors import CursorError
from otel_experiments.model.batch import RunStateChange, TagSet, WriteBatch
from otel_experiments.model.changes import Changes
from otel_experiments.model.edit import RunPurge
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import SeriesKey
from otel_experiments.model.run import RunState
from otel_experiments.model.span import AttributeValue
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.events import ML_TELEMETRY_LOSS
from otel_experiments.store import Store
from otel_experiments.testing.store_contract.given import LOSS, OTHER, RUN, a_block, a_run, a_span

SECOND = SeriesKey("loss", "val", 2)


def a_record(text: str, run_id: str = RUN) -> LogRecord:
    """A log record that says this."""
    return LogRecord(time_ns=5, observed_time_ns=5, body=text, run_id=run_id)


def pages(store: Store, since: str | None = None, limit: int = 1000) -> Iterator[Changes]:
    """Yield the changes since a cursor, page by page."""
    has_more = True
    while has_more:
        found = store.changes(RUN, since=since, limit=limit)
        since, has_more = found.cursor, found.has_more
        yield found


class ChangesContract:
    """What came to a run since a cursor."""

    def test_changes_without_a_cursor_are_everything_that_is_stored(self, store: Store) -> None:
        """Row, points, spans and log records of the run come, and nothing of another."""
        store.apply(
            WriteBatch(
                runs=[a_run(), a_run(OTHER)],
                points=[a_block([1.0, 2.0]), a_block([9.0], run_id=OTHER)],
                spans=[a_span(), a_span("9" * 16, run_id=OTHER)],
                log_records=[a_record("mine"), a_record("theirs", OTHER)],
            )
        )

        found = store.changes(RUN)

        assert found.run == store.get_run(RUN)
        assert found.state is RunState.RUNNING
        assert [(one.key, one.start, list(one.points.values)) for one in found.points] == [
            (LOSS, 0, [1.0, 2.0])
        ]
        assert [span.span_id for span in found.spans] == ["1" * 16]
        assert [record.body for record in found.log_records] == ["mine"]
        assert (found.is_run_changed, found.has_more, found.is_reset) == (True, False, False)

    def test_changes_since_a_cursor_are_what_came_after_it(self, store: Store) -> None:
        """Each item comes once, and where nothing came there is nothing."""
        store.apply(WriteBatch(runs=[a_run()], points=[a_block([1.0, 2.0])], log_records=[a_record("one")]))
        first = store.changes(RUN)
        assert not store.changes(RUN, since=first.cursor)

        store.apply(WriteBatch(points=[a_block([3.0], start=2), a_block([7.0], key=SECOND)]))
        store.apply(WriteBatch(log_records=[a_record("one"), a_record("two")]))
        second = store.changes(RUN, since=first.cursor)

        assert [
            (one.key, one.start, list(one.points.steps), list(one.points.values)) for one in second.points
        ] == [
            (LOSS, 2, [2.0], [3.0]),
            (SECOND, 0, [0.0], [7.0]),
        ]
        assert [record.body for record in second.log_records] == ["two"]
        assert not second.is_run_changed
        assert not store.changes(RUN, since=second.cursor)

    def test_now_is_a_cursor_after_everything_that_is_stored(self, store: Store) -> None:
        """Who begins with `now` gets nothing of what was there, and a span that was open when it ends."""
        store.apply(
            WriteBatch(
                runs=[a_run()],
                points=[a_block([1.0])],
                spans=[a_span(end_ns=None)],
                log_records=[a_record("old")],
            )
        )
        start = store.changes(RUN, since="now")
        assert not start

        store.apply(
            WriteBatch(points=[a_block([2.0], start=1)], spans=[a_span()], log_records=[a_record("new")])
        )
        found = store.changes(RUN, since=start.cursor)

        assert [list(one.points.values) for one in found.points] == [[2.0]]
        assert [span.end_ns for span in found.spans] == [30]
        assert [record.body for record in found.log_records] == ["new"]

    def test_a_span_comes_when_it_opens_and_when_it_ends(self, store: Store) -> None:
        """Each form comes once; a span that did both since the cursor comes once, ended."""
        store.apply(WriteBatch(runs=[a_run()], spans=[a_span(end_ns=None)]))
        opened = store.changes(RUN)
        store.apply(WriteBatch(spans=[a_span(), a_span("4" * 16, end_ns=None)]))
        store.apply(WriteBatch(spans=[a_span("4" * 16), a_span(end_ns=None)]))
        ended = store.changes(RUN, since=opened.cursor)
        store.apply(WriteBatch(spans=[a_span()]))

        assert [span.end_ns for span in opened.spans] == [None]
        assert sorted((span.span_id, span.end_ns) for span in ended.spans) == [("1" * 16, 30), ("4" * 16, 30)]
        assert not store.changes(RUN, since=ended.cursor)

    def test_what_is_said_of_a_run_changes_it(self, store: Store) -> None:
        """A state and a tag do; a sign of life does not."""
        store.apply(WriteBatch(runs=[a_run()]))
        cursor = store.changes(RUN).cursor

        store.apply(WriteBatch(tags=[TagSet(RUN, "team", "vision", 10)]))
        tagged = store.changes(RUN, since=cursor)
        store.apply(WriteBatch(state_changes=[RunStateChange(RUN, RunState.SUCCEEDED, 9_000)]))
        ended = store.changes(RUN, since=tagged.cursor)

        assert tagged.is_run_changed
        assert ended.is_run_changed
        assert ended.state is RunState.SUCCEEDED
        assert not store.changes(RUN, since=ended.cursor)

    def test_losses_are_said(self, store: Store) -> None:
        """An event that says what was not kept is a loss, too."""
        of: dict[str, AttributeValue] = {
            attr.ML_LOSS_KIND: "metric value",
            attr.ML_LOSS_NAME: "note",
            attr.ML_LOSS_COUNT: 3,
        }
        record = replace(a_record(""), event_name=ML_TELEMETRY_LOSS.name, attributes=of)
        store.apply(WriteBatch(runs=[a_run()], log_records=[record]))

        assert list(store.changes(RUN).losses) == store.losses()[RUN]

    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
    def test_pages_of_any_size_have_everything_once(self, store: Store, limit: int) -> None:
        """No page is longer than asked for, none is empty before the last, and together they are the whole."""
        store.apply(WriteBatch(runs=[a_run()], spans=[a_span(f"{n:016x}", end_ns=None) for n in range(1, 5)]))
        for n in range(1, 8):
            store.apply(
                WriteBatch(
                    points=[a_block([float(n)] * n, start=n), a_block([1.0], key=SECOND)],
                    spans=[a_span(f"{n:016x}")],
                    log_records=[a_record(f"{n}"), a_record(f"{n}", OTHER)],
                )
            )

        found = list(pages(store, limit=limit))

        sizes = [
            len(page.spans) + len(page.log_records) + sum(len(one.points) for one in page.points)
            for page in found
        ]
        assert max(sizes) <= limit
        assert all(sizes[:-1])
        values = [
            value for page in found for one in page.points if one.key == LOSS for value in one.points.values
        ]
        assert values == list(store.points(RUN, LOSS).values)
        assert sorted(span.span_id for page in found for span in page.spans) == [
            f"{n:016x}" for n in range(1, 8)
        ]
        assert [record.body for page in found for record in page.log_records] == list("1234567")

    def test_points_after_a_long_history_come_alone(self, store: Store) -> None:
        """However the store keeps them together, those before the cursor do not come again."""
        store.apply(WriteBatch(runs=[a_run()], points=[a_block([0.5] * 5000)]))
        cursor = store.changes(RUN, since="now").cursor

        for size in (1, 40, 4000, 9000, 2):
            before = len(store.points(RUN, LOSS).values)
            store.apply(WriteBatch(points=[a_block([float(size)] * size, start=before)]))
            (page,) = pages(store, cursor, limit=100_000)
            cursor = page.cursor
            (points,) = page.points
            assert points.start == before
            assert list(points.points.values) == [float(size)] * size
            assert list(points.points.steps) == [float(before + n) for n in range(size)]

    def test_a_purged_run_is_said_to_be_gone_and_begins_anew_when_it_is_back(self, store: Store) -> None:
        """After a purge there is no run; one that is made again under the id comes from its start."""
        store.apply(WriteBatch(runs=[a_run()], points=[a_block([1.0, 2.0])], log_records=[a_record("one")]))
        cursor = store.changes(RUN).cursor
        store.apply(WriteBatch(purges=[RunPurge(RUN, 5_000)]))
        gone = store.changes(RUN, since=cursor)
        assert gone
        assert gone.run is None

        store.apply(
            WriteBatch(
                runs=[a_run(created_ns=9_000)],
                points=[a_block([5.0, 6.0, 7.0])],
                log_records=[a_record("two")],
            )
        )
        back = store.changes(RUN, since=cursor)

        assert back.is_reset
        assert [list(one.points.values) for one in back.points] == [[5.0, 6.0, 7.0]]
        assert [record.body for record in back.log_records] == ["two"]

    def test_the_purge_of_another_run_costs_no_change(self, store: Store) -> None:
        """What was seen does not come again, and what comes is not missed, though numbers may be given anew."""
        store.apply(WriteBatch(runs=[a_run()], spans=[a_span()], log_records=[a_record("mine")]))
        cursor = store.changes(RUN).cursor
        store.apply(
            WriteBatch(
                runs=[a_run(OTHER)],
                spans=[a_span("9" * 16, trace_id=OTHER, run_id=OTHER)],
                log_records=[a_record("theirs", OTHER)],
            )
        )
        between = store.changes(RUN, since=cursor)
        store.apply(WriteBatch(purges=[RunPurge(OTHER, 5_000)]))
        store.apply(WriteBatch(spans=[a_span("5" * 16)], log_records=[a_record("later")]))

        for since in (cursor, between.cursor):
            found = store.changes(RUN, since=since)
            assert [span.span_id for span in found.spans] == ["5" * 16]
            assert [record.body for record in found.log_records] == ["later"]
            assert not found.is_reset

    def test_what_is_no_cursor_of_the_run_is_refused(self, store: Store) -> None:
        """Garbage, a cut cursor and one of another run are said."""
        store.apply(WriteBatch(runs=[a_run(), a_run(OTHER)]))
        cursor = store.changes(RUN).cursor

        for wrong in ("", "x", "ü", cursor[:-3], f"{cursor}AAAA", "eJw" * 20):
            with pytest.raises(CursorError, match="it is no cursor"):
                store.changes(RUN, since=wrong)
        with pytest.raises(CursorError, match="it is of run"):
            store.changes(OTHER, since=cursor)

    def test_a_run_that_is_not_there_has_no_row(self, store: Store) -> None:
        """Nothing else is said of it."""
        assert store.changes(OTHER).run is None
