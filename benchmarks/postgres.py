"""PostgreSQL: points into the store beside psycopg's own COPY of the same points as rows, and reading them whole.

It starts a server of its own on a Unix socket, as the tests do, and stops it. Without PostgreSQL there are no figures.
"""

from __future__ import annotations

import statistics
import sys
from array import array
from collections.abc import Iterator

import psycopg
from measure import HERE, Figure, Options, alternate, main, seconds

from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey
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
        server.stop()
    finally:
        server.remove()


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
