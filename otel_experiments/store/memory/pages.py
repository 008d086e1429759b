"""Pages of what a memory store holds, to be sent later."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.signal import Signal
from otel_experiments.model.stored_page import StoredPage
from otel_experiments.store.memory.contents import Contents, History
from otel_experiments.store.semantics.pages import boundaries, slices


def stored_pages(
    contents: Contents, run_id: str, signal: Signal, since_ns: int, until_ns: int
) -> Iterator[StoredPage]:
    """Yield what is stored of one signal of a run. See `Store.stored_pages`."""
    if signal == "traces":
        yield from _span_pages(contents, run_id, since_ns, until_ns)
    elif signal == "logs":
        records = sorted(
            (
                record
                for record in contents.log_records.values()
                if record.run_id == run_id and since_ns <= record.time_ns < until_ns
            ),
            key=lambda record: record.time_ns,
        )
        for cut, until in slices([record.time_ns for record in records], until_ns):
            yield StoredPage(WriteBatch(log_records=records[cut]), until)
    else:
        yield from _metric_pages(contents, run_id, since_ns, until_ns)


def _span_pages(contents: Contents, run_id: str, since_ns: int, until_ns: int) -> Iterator[StoredPage]:
    ended = [
        (span.end_ns, span)
        for span in contents.spans.values()
        if span.run_id == run_id and span.end_ns is not None and since_ns <= span.end_ns < until_ns
    ]
    ended.sort(key=lambda item: item[0])
    roots = [item for item in ended if item[1].parent_span_id is None]
    for cut, _ in slices([end_ns for end_ns, _ in roots], until_ns):
        yield StoredPage(WriteBatch(spans=[span for _, span in roots[cut]]), since_ns)
    others = [item for item in ended if item[1].parent_span_id is not None]
    for cut, until in slices([end_ns for end_ns, _ in others], until_ns):
        yield StoredPage(WriteBatch(spans=[span for _, span in others[cut]]), until)


def _metric_pages(contents: Contents, run_id: str, since_ns: int, until_ns: int) -> Iterator[StoredPage]:
    histories = contents.histories.get(run_id, {})
    ends = boundaries(((history.times_ns[:], 1) for history in histories.values()), since_ns, until_ns)
    start_ns = since_ns
    for end_ns in ends:
        measured = [
            point
            for point in contents.instrument_points.values()
            if point.run_id == run_id and start_ns <= point.time_ns < end_ns
        ]
        blocks = [
            _block(run_id, key, history, start_ns, end_ns) for key, history in sorted(histories.items())
        ]
        batch = WriteBatch(
            points=[block for block in blocks if len(block.times_ns)],
            instrument_points=sorted(measured, key=lambda point: point.time_ns),
        )
        if batch:
            yield StoredPage(batch, end_ns)
        start_ns = end_ns


def _block(run_id: str, key: SeriesKey, history: History, start_ns: int, end_ns: int) -> PointBlock:
    wanted = [index for index, time_ns in enumerate(history.times_ns) if start_ns <= time_ns < end_ns]
    return PointBlock(
        run_id,
        (key,),
        array("d", [history.steps[index] for index in wanted]),
        array("q", [history.times_ns[index] for index in wanted]),
        (array("d", [history.values[index] for index in wanted]),),
    )
