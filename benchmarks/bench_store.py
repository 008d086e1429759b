"""Measure the store beside raw sqlite3 in the same process: run with no arguments, prints a table.

Medians of several rounds. Every row names the work, what we need for it, what the bare limit is, and the
ratio. The limits do the least that keeps the same data: one row a point or a span, one transaction.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sqlite3
import statistics
import struct
import sys
import tempfile
import time
from array import array
from collections.abc import Callable
from pathlib import Path

from otel_experiments.model.batch import ParamSet, WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.search import And, Comparison, MetricField, Order, ParamField, RunQuery
from otel_experiments.model.span import Resource, Scope, Span, SpanKind
from otel_experiments.store import Store, open_store

START_NS = 1_700_000_000_000_000_000
RESOURCE = Resource({"service.name": "bench", "host.name": "here", "process.pid": 1})
SCOPE = Scope("bench", "1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=10_000, help="runs in the table of runs")
    parser.add_argument("--only", default="", help="comma-separated names of benches")
    arguments = parser.parse_args()
    benches = {
        "points": bench_points,
        "spans": bench_spans,
        "read": bench_read,
        "chart": bench_chart,
        "page": lambda folder, rounds: bench_page(folder, rounds, arguments.runs),
    }
    print(f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}, {arguments.rounds} rounds")
    print(f"{'what':44} {'ours':>14} {'raw sqlite3':>14} {'ratio':>7}")
    for name, bench in benches.items():
        if arguments.only and name not in arguments.only.split(","):
            continue
        with tempfile.TemporaryDirectory() as folder:
            for what, ours, raw in bench(Path(folder), arguments.rounds):
                ratio = f"{_number(ours) / _number(raw):7.2f}" if raw else ""
                print(f"{what:44} {ours:>14} {raw:>14} {ratio:>7}", flush=True)


def bench_points(folder: Path, rounds: int) -> list[tuple[str, str, str]]:
    table = []
    for key_count in (1, 5, 20):
        rows = 4_096
        blocks = [
            PointBlock(
                "a" * 32, _keys(key_count), *_axis(rows, rows * number), _walks(key_count, rows, number)
            )
            for number in range(24)
        ]
        points = rows * key_count * len(blocks)

        def ours(path: Path, blocks: list[PointBlock] = blocks) -> None:
            with open_store(path) as store:
                for block in blocks:
                    store.apply(WriteBatch(points=[block]))

        def raw(path: Path, blocks: list[PointBlock] = blocks) -> None:
            connection = _raw(path)
            for block in blocks:
                with connection:
                    for number, column in enumerate(block.values):
                        connection.executemany(
                            "insert into points values (?, ?, ?, ?)",
                            zip([number] * len(column), block.steps, block.times_ns, column, strict=True),
                        )
            connection.close()

        ours_s, size = _timed(ours, folder, rounds)
        raw_s, raw_size = _timed(raw, folder, rounds)
        table.append(
            (f"points/s, {key_count} keys, float64 walk", f"{points / ours_s:,.0f}", f"{points / raw_s:,.0f}")
        )
        table.append(
            (
                f"bytes/point, {key_count} keys, float64 walk",
                f"{size / points:.2f}",
                f"{raw_size / points:.2f}",
            )
        )
    rows = 4_096
    blocks = [
        PointBlock("a" * 32, _keys(5), *_axis(rows, rows * number), _walks(5, rows, number, is_single=True))
        for number in range(24)
    ]
    _, size = _timed(lambda path: ours(path, blocks), folder, 1)
    table.append(("bytes/point, 5 keys, float32 losses", f"{size / (rows * 5 * 24):.2f}", ""))
    return table


def bench_spans(folder: Path, rounds: int) -> list[tuple[str, str, str]]:
    batches = [[_span(number * 512 + index) for index in range(512)] for number in range(40)]
    count = 512 * len(batches)

    def ours(path: Path) -> None:
        with open_store(path) as store:
            for batch in batches:
                store.apply(WriteBatch(spans=batch))

    def raw(path: Path) -> None:
        connection = _raw(path)
        for batch in batches:
            with connection:
                connection.executemany(
                    "insert into spans values (?, ?, ?, ?, ?, ?, ?)",
                    [
                        (span.trace_id, span.span_id, span.parent_span_id, span.name, span.start_ns, span.end_ns,
                         json.dumps(span.attributes))
                        for span in batch
                    ],
                )  # fmt: skip
        connection.close()

    ours_s, size = _timed(ours, folder, rounds)
    raw_s, raw_size = _timed(raw, folder, rounds)
    return [
        ("spans/s, batches of 512", f"{count / ours_s:,.0f}", f"{count / raw_s:,.0f}"),
        ("bytes/span", f"{size / count:.0f}", f"{raw_size / count:.0f}"),
    ]


def bench_read(folder: Path, rounds: int) -> list[tuple[str, str, str]]:
    steps, times = _axis(100_000, 0)
    (values,) = _walks(1, 100_000, 0)
    with open_store(folder / "read.db") as store:
        for start in range(0, 100_000, 4_096):
            stop = start + 4_096
            block = PointBlock(
                "a" * 32, _keys(1), steps[start:stop], times[start:stop], (values[start:stop],)
            )
            store.apply(WriteBatch(points=[block]))
        found = _median(lambda: store.points("a" * 32, _keys(1)[0]), rounds * 5)
        assert store.points("a" * 32, _keys(1)[0]).values == values
    connection = _raw(folder / "raw.db")
    with connection:
        connection.executemany(
            "insert into points values (0, ?, ?, ?)", zip(steps, times, values, strict=True)
        )
    raw = _median(
        lambda: connection.execute("select step, time_ns, value from points where series = 0").fetchall(),
        rounds * 5,
    )
    connection.close()
    return [("ms, read a series of 100k points", f"{found * 1e3:.2f}", f"{raw * 1e3:.2f}")]


def bench_chart(folder: Path, rounds: int) -> list[tuple[str, str, str]]:
    run_ids = [f"{number:032x}" for number in range(100)]
    connection = _raw(folder / "raw.db")
    with open_store(folder / "chart.db") as store:
        for number, run_id in enumerate(run_ids):
            steps, times = _axis(10_000, 0)
            columns = _walks(1, 10_000, number)
            for start in range(0, 10_000, 1_000):
                part = slice(start, start + 1_000)
                block = PointBlock(run_id, _keys(1), steps[part], times[part], (columns[0][part],))
                store.apply(WriteBatch(points=[block]))
            with connection:
                rows = zip([number] * 10_000, steps, times, columns[0], strict=True)
                connection.executemany("insert into points values (?, ?, ?, ?)", rows)
        table = []
        for buckets in (100, 500):
            ours = _median(
                lambda buckets=buckets: [
                    store.band(run_id, _keys(1)[0], buckets=buckets) for run_id in run_ids
                ],
                rounds,
            )
            raw = _median(
                lambda buckets=buckets: [
                    connection.execute(
                        "select cast(step / ? as integer) bucket, min(value), max(value) from points "
                        "where series = ? group by bucket",
                        (10_000 / buckets, number),
                    ).fetchall()
                    for number in range(100)
                ],
                rounds,
            )
            table.append(
                (f"ms, chart of 100 x 10k points, {buckets} buckets", f"{ours * 1e3:.1f}", f"{raw * 1e3:.1f}")
            )
    connection.close()
    return table


def bench_page(folder: Path, rounds: int, run_count: int) -> list[tuple[str, str, str]]:
    path = folder / "page.db"
    started = time.perf_counter()
    with open_store(path) as store:
        fill_runs(store, run_count)
    filled = time.perf_counter() - started
    where = And((Comparison(ParamField("p0"), "<", 0.5), Comparison(MetricField("m1"), "<", 0.5)))
    query = RunQuery(where=where, order=(Order(MetricField("m0"), is_descending=True),), limit=50)
    with open_store(path, read_only=True) as store:

        def page() -> None:
            run_ids = [run.run_id for run in store.find_runs(query)]
            store.params(run_ids)
            store.tags(run_ids)
            store.series(run_ids)

        whole = _median(page, rounds * 3)
        found = _median(lambda: store.find_runs(query), rounds * 3)
        counted = _median(lambda: store.count_runs(query), rounds * 3)
        newest = _median(lambda: store.find_runs(RunQuery(limit=50)), rounds * 3)
    return [
        (f"s, fill {run_count} runs x 150 params x 100 metrics", f"{filled:.1f}", ""),
        ("MB of that store", f"{path.stat().st_size / 1e6:.0f}", ""),
        ("ms, first page with all params and metrics", f"{whole * 1e3:.1f}", ""),
        ("ms, of these: filter by 2, sort by 1, 50 runs", f"{found * 1e3:.1f}", ""),
        ("ms, count of the same", f"{counted * 1e3:.1f}", ""),
        ("ms, newest 50 runs", f"{newest * 1e3:.2f}", ""),
    ]


def fill_runs(store: Store, run_count: int) -> None:
    random_numbers = random.Random(7)
    keys = _keys(100)
    for start in range(0, run_count, 200):
        batch = WriteBatch()
        for number in range(start, min(start + 200, run_count)):
            run_id = f"{random_numbers.getrandbits(128):032x}"
            created = START_NS + number
            batch.runs.append(
                Run(
                    run_id,
                    f"exp-{number % 5}",
                    f"run-{number}",
                    RunState.SUCCEEDED,
                    created,
                    created,
                    created + 10**9,
                )
            )
            for param in range(150):
                value = random_numbers.random() if param % 2 == 0 else f"value-{random_numbers.randrange(20)}"
                batch.params.append(ParamSet(run_id, f"p{param}", value, created))
            columns = tuple([random_numbers.random() for _ in range(10)] for _ in keys)
            batch.points.append(
                PointBlock(run_id, keys, range(10), [created + step for step in range(10)], columns)
            )
        store.apply(batch)


def _keys(count: int) -> tuple[SeriesKey, ...]:
    return tuple(SeriesKey(f"m{number}") for number in range(count))


def _axis(count: int, start: int) -> tuple[array, array]:
    jitter = random.Random(start)
    times, now = array("q"), START_NS + start * 1_000_000
    for _ in range(count):
        now += int(1_000_000 + jitter.gauss(0, 50_000))
        times.append(now)
    return array("d", range(start, start + count)), times


def _walks(keys: int, count: int, seed: int, *, is_single: bool = False) -> tuple[array, ...]:
    columns = []
    for key in range(keys):
        noise = random.Random(seed * 1_000 + key)
        value, column = 2.0, array("d")
        for step in range(count):
            value += noise.gauss(0, 0.01)
            point = math.exp(-step / count) + 0.05 * noise.gauss(0, 1) if is_single else value
            column.append(struct.unpack("f", struct.pack("f", point))[0] if is_single else point)
        columns.append(column)
    return tuple(columns)


def _span(number: int) -> Span:
    return Span(
        trace_id=f"{number // 1000 + 1:032x}", span_id=f"{number * 2654435761 % 2**64 + 1:016x}", name="train.step",
        start_ns=START_NS + number, end_ns=START_NS + number + 5_000, parent_span_id="0123456789abcdef",
        kind=SpanKind.INTERNAL, resource=RESOURCE, scope=SCOPE, run_id="a" * 32,
        attributes={"step": number, "lane": "main", "cpu": 0.25, "seq": number, "device": "cuda:0", "batch": 32},
    )  # fmt: skip


def _raw(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = normal")
    connection.executescript(
        """
        create table points (series integer, step real, time_ns integer, value real);
        create index points_by_series on points (series);
        create table spans (trace_id text, span_id text, parent_span_id text, name text, start_ns integer,
          end_ns integer, attributes text, primary key (trace_id, span_id));
        """
    )
    return connection


def _timed(work: Callable[[Path], None], folder: Path, rounds: int) -> tuple[float, int]:
    """Return (median seconds, bytes beyond those of an empty store) of writing a new file."""
    open_store(folder / "empty.db").close()
    empty = (folder / "empty.db").stat().st_size
    taken, size = [], 0
    for number in range(rounds):
        path = folder / f"{time.perf_counter_ns()}-{number}.db"
        started = time.perf_counter()
        work(path)
        taken.append(time.perf_counter() - started)
        size = path.stat().st_size - empty
        path.unlink()
    return statistics.median(taken), size


def _median(work: Callable[[], object], rounds: int) -> float:
    work()
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def _number(text: str) -> float:
    return float(text.replace(",", ""))


if __name__ == "__main__":
    main()
