"""Edits of 10,000 runs at once: tagged, removed and purged, beside the same statements by raw sqlite3."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Iterator
from pathlib import Path

from measure import Figure, Options, child, folder, main

COUNT = 10_000
MAKE = """
import sys
from array import array
from otel_experiments.model.batch import ParamSet, WriteBatch
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.span import Span
from otel_experiments.store import open_store
count = int(sys.argv[1])
with open_store("made.db") as store:
    for start in range(1, count + 1, 500):
        batch = WriteBatch()
        for number in range(start, min(start + 500, count + 1)):
            run_id = f"{number:032x}"
            batch.runs.append(Run(run_id, "sweep", f"run-{number}", RunState.SUCCEEDED, number, number, number + 5))
            batch.params += [ParamSet(run_id, f"p{index}", number * index, 1) for index in range(9)]
            batch.params.append(ParamSet(run_id, "lr", number / count, 1))
            steps, times = array("d", range(10)), array("q", range(number, number + 10))
            batch.points.append(PointBlock(run_id, (SeriesKey("loss"),), steps, times, (steps,)))
            batch.spans += [Span(run_id, f"{index:016x}", "step", 1, 2, run_id=run_id) for index in (1, 2, 3)]
            batch.log_records.append(LogRecord(number, number, body=run_id, run_id=run_id))
        store.apply(batch)
"""
OURS = {
    "tag": """
import time, otel_experiments as ox
with ox.open("x.db") as reader:
    start_s = time.perf_counter()
    reader.runs("params.lr > 0").add_tags("seen")
    print(time.perf_counter() - start_s)
""",
    "rm": """
import time, otel_experiments as ox
with ox.open("x.db") as reader:
    start_s = time.perf_counter()
    reader.runs("params.lr > 0").delete()
    print(time.perf_counter() - start_s)
""",
    "gc": """
import time
from otel_experiments._retention import Retention, apply_retention
from otel_experiments.model.store_location import StoreLocation
where = StoreLocation.parse("x.db")
start_s = time.perf_counter()
plan = apply_retention(where, Retention(keep_last=0))
print(time.perf_counter() - start_s)
""",
}
RAW_START = """
import sqlite3, time
connection = sqlite3.connect("x.db", isolation_level=None)
connection.executescript("pragma foreign_keys = on; pragma synchronous = normal")
start_s = time.perf_counter()
connection.execute("begin immediate")
found = [row[0] for row in connection.execute(
    "select runs.*, attributes from runs left join resources using (resource_id)"
    " where run_id in (select run_id from params where key = 'lr' and value_number > 0)"
    " and removed_ns is null and archived_ns is null order by created_ns desc").fetchall()]
now_ns = time.time_ns()
"""
RAW_END = """
connection.commit()
print(time.perf_counter() - start_s)
"""
RAW = {
    "tag": """
connection.executemany("insert into tags values (?, 'seen', '', ?) on conflict (run_id, key) do update set"
    " value = excluded.value, time_ns = excluded.time_ns", [(one, now_ns) for one in found])
""",
    "rm": """
connection.executemany("insert into edits values (?, 'removed', 'yes', ?, 'ada') on conflict (run_id, field) do update set"
    " value = excluded.value, time_ns = excluded.time_ns", [(one, now_ns) for one in found])
connection.executemany("update runs set removed_ns = ? where run_id = ?", [(now_ns, one) for one in found])
""",
    "gc": """
connection.executemany("delete from runs where run_id = ?", [(one,) for one in found])
""",
}
WHAT = {
    "tag": "a tag set by a search",
    "rm": "removed by a search",
    "gc": "purged by gc, with all that hangs on them",
}


def figures(options: Options) -> Iterator[Figure]:
    count, rounds = (1_000, 3) if options.is_quick else (COUNT, 5)
    with folder() as path:
        child(MAKE, str(count), cwd=path)
        for name, what in WHAT.items():
            ours, raw = [], []
            for _ in range(rounds):
                ours.append(_seconds(path, OURS[name]) * 1e3)
                raw.append(_seconds(path, RAW_START + RAW[name] + RAW_END) * 1e3)
            yield Figure(
                f"{count:,} runs: {what}",
                "ms",
                ours,
                limits={"the same by raw sqlite3": statistics.median(raw)},
                target="<= 2x the same by raw sqlite3",
                is_reached=statistics.median(ours) <= 2 * statistics.median(raw),
            )


def _seconds(path: Path, code: str) -> float:
    for beside in ("x.db", "x.db-wal", "x.db-shm"):
        (path / beside).unlink(missing_ok=True)
    shutil.copy(path / "made.db", path / "x.db")
    return float(child(code, cwd=path))


if __name__ == "__main__":
    main(figures)
