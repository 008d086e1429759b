"""PostgreSQL: points into the store beside psycopg's own COPY of the same points as rows, and what a reader pays.

It starts a server of its own on a Unix socket, as the tests do, and stops it. Without PostgreSQL there are no figures.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from array import array
from collections.abc import Iterator

import psycopg
from measure import HERE, Figure, Options, alternate, main, seconds

from otel_experiments.model.batch import ParamSet, WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.store import open_store

sys.path.append(str(HERE.parent / "tests" / "integration"))

import postgres_server

RUN = "a" * 32
KEYS = tuple(SeriesKey(f"m{number}") for number in range(10))
BATCH_STEPS = 5_000
TABLE = "create table points (run_id text, name text, step float8, time_ns bigint, value float8)"


def blocks_of(count: int) -> list[PointBlock]:
    """Return points of ten series, as the drain of a run hands them over."""
    blocks = []
    for start in range(0, count // len(KEYS), BATCH_STEPS):
        steps = array("d", range(start, start + BATCH_STEPS))
        times = array(
            "q", (1_700_000_000_000_000_000 + step * 1_000_000 for step in range(start, start + BATCH_STEPS))
        )
        values = tuple(
            array("d", (1.0 / (1.0 + step + number) for step in steps)) for number in range(len(KEYS))
        )
        blocks.append(PointBlock(RUN, KEYS, steps, times, values))
    return blocks


def figures(options: Options) -> Iterator[Figure]:
    """Yield the figures of a server that is started here."""
    programs = postgres_server.find_programs()
    if programs is None:
        print("PostgreSQL is not installed: no figures", file=sys.stderr)
        return
    server = postgres_server.Server(programs)
    try:
        server.start()
        yield from _measured(
            server.address, 200_000 if options.is_quick else 1_000_000, 3 if options.is_quick else 5
        )
        yield from _of_many_runs(server.address, 1_000 if options.is_quick else 10_000)
        server.stop()
    finally:
        server.remove()


READER = """
import json, sys, time
import otel_experiments as ox
def resident_bytes():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
before_bytes = resident_bytes()
start = time.process_time()
with ox.open_reader(sys.argv[1]) as reader:
    opened_s = time.process_time() - start
    page_s = []
    for _ in range(5):
        start = time.process_time()
        list(reader.runs("params.p3 > 50 and metrics.m7.last < 20", limit=20))
        page_s.append(time.process_time() - start)
    held_bytes = resident_bytes() - before_bytes
print(json.dumps({"opened_s": opened_s, "page_s": page_s, "mb": held_bytes / 1e6}))
"""


def _of_many_runs(address: str, count: int) -> Iterator[Figure]:
    """Yield what a process pays that reads a store of many runs of 150 params and 100 metrics."""
    keys = tuple(SeriesKey(f"m{number}") for number in range(100))
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("drop schema if exists otel_experiments cascade")
    with open_store(address) as store:
        for number in range(count):
            run_id, now_ns = f"{number:032x}", 1_700_000_000_000_000_000 + number * 1_000_000_000
            run = Run(run_id, "e", f"run-{number}", RunState.SUCCEEDED, now_ns, now_ns, now_ns + 1)
            params = [
                ParamSet(run_id, f"p{one}", (number * 7 + one) % 1000 / 10, now_ns) for one in range(150)
            ]
            values = tuple(array("d", [float((number + one) % 97)]) for one in range(100))
            block = PointBlock(run_id, keys, array("d", [0.0]), array("q", [now_ns]), values)
            store.apply(WriteBatch(runs=[run], params=params, points=[block]))
    done = subprocess.run([sys.executable, "-c", READER, address], check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    what = f"PostgreSQL: {count:,} runs of 150 params and 100 metrics: "
    yield Figure(f"{what}a reader opens it, CPU", "s", [found["opened_s"]])
    yield Figure(f"{what}a filtered page, CPU", "s", found["page_s"])
    yield Figure(f"{what}memory of the reader", "MB", [found["mb"]])


def _measured(address: str, count: int, rounds: int) -> Iterator[Figure]:
    blocks = blocks_of(count)
    rows = [
        (RUN, key.name, step, time_ns, value)
        for block in blocks
        for key, column in zip(block.keys, block.values, strict=True)
        for step, time_ns, value in zip(block.steps, block.times_ns, column, strict=True)
    ]
    sizes: list[int] = []

    def ours() -> float:
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("drop schema if exists otel_experiments cascade")
        with open_store(address) as store:
            return count / seconds(lambda: [store.apply(WriteBatch(points=[block])) for block in blocks])

    def copy() -> float:
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("drop table if exists points")
            connection.execute(TABLE)

            def write() -> None:
                with connection.cursor() as cursor, cursor.copy("copy points from stdin") as sink:
                    for row in rows:
                        sink.write_row(row)

            return count / seconds(write)

    written, limit = alternate(rounds, ours, copy)
    share = statistics.median(written) / statistics.median(limit)
    yield Figure(
        "PostgreSQL: points into the store", "/s", written, {"psycopg's COPY of the rows": statistics.median(limit)},
        target=">= 0.5 x COPY", is_reached=share >= 0.5, note=f"{share:.2f} x COPY",
    )  # fmt: skip

    def read() -> float:
        with open_store(address) as store:
            return seconds(lambda: store.points(RUN, KEYS[0]))

    yield Figure(
        f"PostgreSQL: the first question to a store of {count:,} points", "s", [read() for _ in range(rounds)]
    )
    with psycopg.connect(address) as connection:
        for table in ("otel_experiments.entries", "points"):
            row = connection.execute("select pg_total_relation_size(%s)", (table,)).fetchone()
            sizes.append(0 if row is None else row[0])
    yield Figure("PostgreSQL: bytes a point", "B", [sizes[0] / count], {"rows": sizes[1] / count})


if __name__ == "__main__":
    main(figures)
