"""Points and spans from the call into the store: rate, CPU and bytes, beside rows in raw sqlite3."""

from __future__ import annotations

import json
import math
import random
import sqlite3
import statistics
import struct
import time
from array import array
from collections.abc import Iterator
from pathlib import Path

from measure import Figure, Options, child, folder, main, peers

import otel_experiments as ox

PEERS = ("trackio", "wandb", "mlflow", "tensorboardX")


def figures(options: Options) -> Iterator[Figure]:
    rounds, points = (3, 200_000) if options.is_quick else (5, 1_000_000)
    for keys in (1, 20):
        ours = [_log(points, keys) for _ in range(rounds)]
        raw = [_raw_rows(points, keys) for _ in range(rounds)]
        rate = [points / found.wall_s for found in ours]
        call = "a value a call" if keys == 1 else f"{keys} values a call"
        yield Figure(
            f"points into the store, {call}, journal and drain included", "1/s", rate,
            limits={"raw sqlite3 rows": points / statistics.median(r.wall_s for r in raw)},
            target=">= 500,000/s", is_reached=statistics.median(rate) >= 500_000,
            note=f"{statistics.median(f.call_s / f.wall_s for f in ours):.0%} of the time until the last call returned",
        )  # fmt: skip
        cpu = [found.cpu_s / points * 1e6 for found in ours]
        yield Figure(
            f"a point durable in the store, CPU of all processes, {call}", "us", cpu,
            limits={"raw sqlite3 rows": statistics.median(r.cpu_s for r in raw) / points * 1e6},
            peers=peers(options, f"cpu-{keys}", PEERS),
            target="<= 3 us", is_reached=statistics.median(cpu) <= 3,
        )  # fmt: skip
    yield from _bytes(points)
    yield from _spans(rounds, 5_000 if options.is_quick else 30_000)
    yield from _span_summaries(rounds, 5_000 if options.is_quick else 30_000)


class _Taken:
    def __init__(self, wall_s: float, cpu_s: float, call_s: float, size: int) -> None:
        self.wall_s, self.cpu_s, self.call_s, self.size = wall_s, cpu_s, call_s, size


def _walk(count: int, *, is_single: bool = False) -> array:
    noise, value, column = random.Random(3), 2.0, array("d")
    for step in range(count):
        value = math.exp(-3 * step / count) + 0.02 * noise.gauss(0, 1)
        column.append(struct.unpack("f", struct.pack("f", value))[0] if is_single else value)
    return column


def _log(points: int, keys: int, column: array | None = None) -> _Taken:
    """Log so many points and wait until they are in the store; everything but making the values counts."""
    names = [f"metric_{index}" for index in range(keys)]
    column = _walk(points // keys) if column is None else column
    with folder() as path:
        ox.configure(store=path / "x.db", exit_timeout_s=600, system_metrics_s=0)
        run = ox.start_run("points")
        cpu_s, start_s = time.process_time(), time.perf_counter()
        for step, value in enumerate(column):
            run.log(dict.fromkeys(names, value), step=step)
        called_s = time.perf_counter()
        assert run.flush(timeout_s=600).is_stored
        ended_s, cpu_s = time.perf_counter(), time.process_time() - cpu_s
        run.finish()
        ox.shutdown()
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        stored = sqlite3.connect(path / "x.db")
        (count,) = stored.execute("select sum(count) from series").fetchone()
        stored.close()
        assert count == len(column) * keys, (count, len(column) * keys)
    return _Taken(ended_s - start_s, cpu_s, called_s - start_s, size)


def _raw_rows(points: int, keys: int) -> _Taken:
    """Insert the same points as rows into sqlite3, in transactions of 4,096 calls."""
    column = _walk(points // keys)
    with folder() as path:
        connection = _raw(path / "raw.db")
        cpu_s, start_s = time.process_time(), time.perf_counter()
        for start in range(0, len(column), 4_096):
            now_ns = time.time_ns()
            part = enumerate(column[start : start + 4_096], start)
            with connection:
                connection.executemany(
                    "insert into points values (?, ?, ?, ?)",
                    [(key, step, now_ns, value) for step, value in part for key in range(keys)],
                )
        ended_s, cpu_s = time.perf_counter(), time.process_time() - cpu_s
        connection.close()
        return _Taken(ended_s - start_s, cpu_s, ended_s - start_s, (path / "raw.db").stat().st_size)


def _bytes(points: int) -> Iterator[Figure]:
    with folder() as path:
        ox.configure(store=path / "x.db", system_metrics_s=0)
        ox.start_run("empty").finish()
        ox.shutdown()
        empty = (path / "x.db").stat().st_size
    raw = _raw_rows(points, 1).size / points
    for what, is_single in (("float32 losses", True), ("full doubles", False)):
        size = (_log(points, 1, _walk(points, is_single=is_single)).size - empty) / points
        yield Figure(
            f"bytes a point, sealed, {what}", "B", [size], limits={"raw sqlite3 rows": raw},
            target="<= 10 B", is_reached=size <= 10,
        )  # fmt: skip


@ox.trace
def _work() -> None:
    return None


def _spans(rounds: int, count: int) -> Iterator[Figure]:
    whole, drained, raws = [], [], []
    for _ in range(rounds):
        with folder() as path:
            ox.configure(store=path / "x.db", exit_timeout_s=600, system_metrics_s=0)
            run = ox.start_run("spans")
            with run:
                start_s = time.perf_counter()
                for _ in range(count):
                    _work()
                assert run.flush(timeout_s=600).is_stored
                whole.append(count / (time.perf_counter() - start_s))
            ox.shutdown()
            child(_LEAVE_SPANS, str(count), cwd=path)
            drained.append(float(child(_MOVE_SPANS, cwd=path)))
            raws.append(count / _raw_spans(path, count))
    limits = {"raw sqlite3 rows": statistics.median(raws)}
    yield Figure(
        "spans into the store, from the journal on", "1/s", drained, limits=limits,
        target=">= 30,000/s", is_reached=statistics.median(drained) >= 30_000,
    )  # fmt: skip
    yield Figure(
        "spans into the store, from the decorator on, one after the other", "1/s", whole, limits=limits
    )


def _span_summaries(rounds: int, count: int) -> Iterator[Figure]:
    """Yield what part of the way of spans from the journal into the store goes into counting them by run and name."""
    for names in (1, 8):
        shares, each_us = [], []
        for _ in range(rounds):
            with folder() as path:
                child(_LEAVE_SPANS, str(count), str(names), cwd=path)
                share, us = json.loads(child(_SHARE_OF_SUMMARIES, cwd=path))
                shares.append(share * 100)
                each_us.append(us)
        yield Figure(
            f"summaries of spans of {names} name{'s' * (names > 1)}, CPU of the drain", "%", shares,
            target="<= 5 %", is_reached=statistics.median(shares) <= 5,
            note=f"{statistics.median(each_us):.2f} us a span, in batches of some 700 spans",
        )  # fmt: skip


# A process that ends at once leaves its spans in the journal; the next one to open the store moves them.
_LEAVE_SPANS = """
import os, sys
import otel_experiments as ox
ox.configure(store="y.db", drain_s=1e6, system_metrics_s=0)
traced = [ox.trace(name=f"work {one}")(lambda: None) for one in range(int((sys.argv[2:] or "1")[0]))]
ox.start_run("s").__enter__()
for number in range(int(sys.argv[1])):
    traced[number % len(traced)]()
os._exit(0)
"""
_SHARE_OF_SUMMARIES = """
import json, time
from pathlib import Path
from otel_experiments.collect import merge
from otel_experiments.collect.gather import merge_journals
from otel_experiments.store import open_store
from otel_experiments.store.sqlite.span_summaries import SpanCounter
merge.BATCH_BYTES = 160 << 10
spent_s = 0.0
def timed(method):
    def call(*given, **named):
        global spent_s
        start_s = time.process_time()
        try:
            return method(*given, **named)
        finally:
            spent_s += time.process_time() - start_s
    return call
for name in ("start", "count", "finish"):
    setattr(SpanCounter, name, timed(getattr(SpanCounter, name)))
start_s = time.process_time()
merge_journals(Path("y.db"))
whole_s = time.process_time() - start_s
with open_store("y.db") as store:
    count = store.sql("select count(*) from spans")[1][0][0]
print(json.dumps([spent_s / whole_s, spent_s / count * 1e6]))
"""
_MOVE_SPANS = """
import time
from pathlib import Path
from otel_experiments.collect.gather import merge_journals
from otel_experiments.store import open_store
def count():
    with open_store("y.db") as store:
        return store.sql("select count(*) from spans")[1][0][0]
before = count()
start_s = time.perf_counter()
merge_journals(Path("y.db"))
print((count() - before) / (time.perf_counter() - start_s))
"""


def _raw_spans(path: Path, count: int) -> float:
    connection = _raw(path / "raw.db")
    attributes = {"lane": "main", "sequence": 1, "cpu": 1000, "name": "_work"}
    start_s = time.perf_counter()
    for start in range(0, count, 512):
        with connection:
            connection.executemany(
                "insert into spans values (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        f"{start:032x}",
                        f"{start + index:016x}",
                        None,
                        "_work",
                        index,
                        index,
                        json.dumps(attributes),
                    )
                    for index in range(min(512, count - start))
                ],
            )
    taken = time.perf_counter() - start_s
    connection.close()
    return taken


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


if __name__ == "__main__":
    main(figures)
