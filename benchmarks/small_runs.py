"""A thousand small runs: made in one process, found by a param from a cold one; beside raw sqlite3."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator

from measure import Figure, Options, child, folder, main, peers, seconds

MAKE = """
import sys, time, otel_experiments as ox
ox.configure(store="x.db", exit_timeout_s=60)
start_s = time.perf_counter()
for number in range(int(sys.argv[1])):
    config = {f"p{index}": number * index for index in range(9)} | {"lr": number / 1000}
    with ox.start_run(f"run-{number}", experiment="sweep", config=config) as run:
        for step in range(10):
            run.log({"loss": 1.0 / (step + 1)}, step=step)
ox.shutdown()
print(time.perf_counter() - start_s)
"""
SWEEP = """
import sys, time, otel_experiments as ox
ox.configure(store="sweep.db", exit_timeout_s=60)
def trial(run, config):
    for step in range(10):
        run.log({"loss": 1.0 / (step + 1)}, step=step)
configs = [{f"p{index}": number * index for index in range(9)} | {"lr": number / 1000} for number in range(int(sys.argv[1]))]
start_s = time.perf_counter()
ox.sweep(trial, configs, name="search", experiment="sweep")
ox.shutdown()
print(time.perf_counter() - start_s)
"""
MAKE_RAW = """
import sqlite3, sys, time
connection = sqlite3.connect("raw.db")
connection.executescript("pragma journal_mode = wal; pragma synchronous = normal;"
    "create table runs (id integer primary key, name text); create table params (run, key, value);"
    "create index by_value on params (key, value); create table points (run, key, step, time_ns, value)")
start_s = time.perf_counter()
for number in range(int(sys.argv[1])):
    with connection:
        connection.execute("insert into runs values (?, ?)", (number, f"run-{number}"))
        connection.executemany("insert into params values (?, ?, ?)",
            [(number, f"p{index}", number * index) for index in range(9)] + [(number, "lr", number / 1000)])
    for step in range(10):
        with connection:
            connection.execute("insert into points values (?, 'loss', ?, ?, ?)",
                (number, step, time.time_ns(), 1.0 / (step + 1)))
connection.close()
print(time.perf_counter() - start_s)
"""
FIND = """
import otel_experiments as ox
found = ox.runs("params.lr < 0.01", store="x.db")
assert len(found) == 10, len(found)
"""
FIND_READER = """
from otel_experiments._opening import open_reader
with open_reader("x.db") as reader:
    assert len(reader.runs("params.lr < 0.01")) == 10
"""
FIND_RAW = """
import sqlite3
rows = sqlite3.connect("raw.db").execute(
    "select run, name from params join runs on id = run where key = 'lr' and value < 0.01").fetchall()
assert len(rows) == 10
"""


def figures(options: Options) -> Iterator[Figure]:
    rounds, count = (3, 1_000) if options.is_quick else (7, 1_000)
    swept: list[float] = []
    made, raw_made, found, read, raw_found, bare = [], [], [], [], [], []
    for _ in range(rounds):
        with folder() as path:
            made.append(float(child(MAKE, str(count), cwd=path)))
            swept.append(float(child(SWEEP, str(count), cwd=path)))
            raw_made.append(float(child(MAKE_RAW, str(count), cwd=path)))
            for code, taken in ((FIND, found), (FIND_READER, read), (FIND_RAW, raw_found), ("", bare)):
                taken.append(seconds(lambda code=code: child(code, cwd=path)) * 1e3)
    yield Figure(
        "1,000 small runs (10 params, 10 points), made", "s", made,
        limits={"raw sqlite3, a transaction a call": statistics.median(raw_made)},
        peers=peers(options, "small-runs", ("trackio",)),
        target="<= 1 s", is_reached=statistics.median(made) <= 1,
    )  # fmt: skip
    yield Figure(
        "... made by a sweep", "s", swept,
        limits={"the same without a sweep": statistics.median(made)},
        target="<= 1 s", is_reached=statistics.median(swept) <= 1,
    )  # fmt: skip
    bare_ms = statistics.median(bare)
    yield Figure(
        "... filtered by a param from a cold process", "ms", found,
        limits={"raw sqlite3": statistics.median(raw_found), "bare Python": bare_ms},
        peers=peers(options, "find", ("trackio",)),
        target="<= 60 ms", is_reached=statistics.median(found) <= 60,
        note=f"the process's whole life, on Python {sys.version.split()[0]}",
    )  # fmt: skip
    yield Figure("... the same with open_reader", "ms", read)


if __name__ == "__main__":
    main(figures)
