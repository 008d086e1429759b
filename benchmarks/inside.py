"""Searching 10,000 runs by what happened inside them, beside raw sqlite3: run with no arguments, prints a table.

The raw rows are one row a span and one a log record, with the indexes that the question needs; of numbers, SQLite's own.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from otel_experiments.model.batch import ParamSet, WriteBatch
from otel_experiments.model.log import LogRecord
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.search import RunQuery, SpanQuery, TraceQuery
from otel_experiments.model.span import Resource, Scope, Span, StatusCode
from otel_experiments.query.search.parser import parse_order, parse_search
from otel_experiments.query.search.records import SPANS, TRACES
from otel_experiments.store import Store, open_store

START_NS = 1_700_000_000_000_000_000
RESOURCE, SCOPE = Resource({"service.name": "bench"}), Scope("bench", "1")
NAMES = ("epoch", "step", "evaluation", "checkpoint")
CHECKPOINTS_PER_RUN = 10
RUN_CLAUSES = (
    'spans["checkpoint"].p95 > 0.9',
    "spans.checkpoint.errors > 0 and params.p0 < 0.5",
    "spans.checkpoint.total > 4 and spans.epoch.count >= 2",
    'events["ml.anomaly"].count >= 2',
    'logs.contains("nan")',
)
SPAN_CLAUSES = (
    'name == "checkpoint" and duration > 0.9',
    "attributes.ml.step.index == 7 and duration > 0.5",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}, {arguments.runs} runs")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "inside.db"
        started = time.perf_counter()
        with open_store(path) as store:
            fill(store, arguments.runs)
        print(f"filled in {time.perf_counter() - started:.0f} s, {path.stat().st_size / 1e6:.0f} MB")
        raw = raw_rows(path, Path(folder) / "raw.db")
        with open_store(path, read_only=True) as store:
            for what, ours in questions(store):
                print(f"{what:66} {milliseconds(ours, arguments.rounds):8.1f} ms", flush=True)
        for what, statement in RAW.items():
            found = milliseconds(
                lambda statement=statement: raw.execute(statement).fetchall(), arguments.rounds
            )
            print(f"{'raw sqlite3: ' + what:66} {found:8.1f} ms", flush=True)
        raw.close()


def questions(store: Store) -> list[tuple[str, Callable[[], object]]]:
    """Return what is asked, and a call that asks it."""
    asked: list[tuple[str, Callable[[], object]]] = []
    newest = parse_order("-spans.checkpoint.p95")
    for text in RUN_CLAUSES:
        query = RunQuery(parse_search(text), newest, limit=50)
        asked.append((f"runs: {text}", lambda query=query: store.find_runs(query)))
    for text in SPAN_CLAUSES:
        spans = SpanQuery(
            where=parse_search(text, subject=SPANS), order=parse_order("-duration", subject=SPANS), limit=50
        )
        asked.append((f"spans: {text}", lambda spans=spans: store.spans(spans)))
    traces = TraceQuery(
        parse_search("errors > 0", subject=TRACES), parse_order("-duration", subject=TRACES), 50
    )
    asked.append(("traces: errors > 0", lambda: store.traces(traces)))
    return asked


def fill(store: Store, run_count: int) -> None:
    """Record runs with spans of four names, some events and some printed lines."""
    for start in range(0, run_count, 200):
        batch = WriteBatch()
        for number in range(start, min(start + 200, run_count)):
            run_id, created = f"{number * 2654435761 % 2**64 + 1:032x}", START_NS + number * 1_000_000
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
            batch.params.append(ParamSet(run_id, "p0", number % 100 / 100, created))
            for index in range(2 + CHECKPOINTS_PER_RUN):
                name = NAMES[index] if index < 2 else NAMES[3 if index % 2 else 2]
                length = (number * 31 + index * 7919) % 1000 * 1_000_000
                batch.spans.append(
                    Span(
                        run_id,
                        f"{index + 1:016x}",
                        name,
                        created + index,
                        created + index + length,
                        f"{1:016x}" if index else None,
                        status=StatusCode.ERROR if number % 50 == 0 and index == 3 else StatusCode.OK,
                        attributes={"ml.step.index": index},
                        resource=RESOURCE,
                        scope=SCOPE,
                        run_id=run_id,
                    )
                )
            for index in range(3):
                body = "loss is nan" if number % 100 == 0 and index == 1 else "all is well with this line"
                batch.log_records.append(
                    LogRecord(
                        created + index,
                        created,
                        "ml.anomaly" if index else "ml.run.start",
                        9,
                        body=body,
                        resource=RESOURCE,
                        scope=SCOPE,
                        run_id=run_id,
                    )
                )
        store.apply(batch)  # fmt: skip


RAW = {
    "runs by the longest span of a name": "select run_id, max(end_ns - start_ns) as found from spans where name = 'checkpoint' group by run_id having found > 9e8 order by found desc limit 50",
    "runs by count of an event": "select run_id, count(*) as found from logs where name = 'ml.anomaly' group by run_id having found >= 2 order by found desc limit 50",
    "runs by text of a log record": "select distinct run_id from logs where instr(body, 'nan') limit 50",
    "spans of a name by duration": "select * from spans where name = 'checkpoint' and end_ns - start_ns > 9e8 order by end_ns - start_ns desc limit 50",
    "traces by errors": "select run_id, max(end_ns) - min(start_ns) as found, sum(status = 2) as errors from spans group by run_id having errors > 0 order by found desc limit 50",
}


def raw_rows(path: Path, made: Path) -> sqlite3.Connection:
    """Return a connection to the same spans and log records in two plain tables."""
    connection = sqlite3.connect(made)
    connection.execute("attach ? as ours", (str(path),))
    connection.execute(
        "create table spans as select run_id, name, start_ns, end_ns, status, attributes from ours.spans"
    )
    connection.execute("create table logs as select run_id, event_name as name, body from ours.log_records")
    connection.execute("create index spans_by_name on spans (name, run_id, start_ns, end_ns)")
    connection.execute("create index logs_by_name on logs (name, run_id)")
    connection.commit()
    return connection


def milliseconds(call: Callable[[], object], rounds: int) -> float:
    """Return the median of some rounds, after one that warms up."""
    call()
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1e3


if __name__ == "__main__":
    main()
