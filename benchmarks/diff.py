"""Why two runs of 100,000 spans each differ, beside reading their spans, in CPU seconds of this process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from measure import Figure, Options, folder, main

from otel_experiments._opening import open_reader
from otel_experiments.differences.run_diff import diff_runs
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.span import AttributeValue, Span
from otel_experiments.semconv import attributes as attr
from otel_experiments.store import open_store

SPANS = 100_000
STEPS = 100
"""Of an epoch; a step has one span below it."""
LIMIT = 2.0
START_NS = 1_700_000_000 * 10**9


def spans_of(number: int, count: int) -> list[Span]:
    """Return a root, epochs, steps and a load below each step; every fiftieth load of run 11 has another name."""
    run_id, made = f"{number:02x}" * 16, 0

    def span(name: str, above: str | None, start_ns: int, took_ns: int, **index: int) -> Span:
        nonlocal made
        made += 1
        held: dict[str, AttributeValue] = {
            attr.ML_SPAN_LANE: "main",
            attr.ML_SPAN_CPU_TIME: took_ns * 9 // 10,
            **index,
        }
        span_id = f"{number:04x}{made:012x}"
        return Span(
            run_id, span_id, name, start_ns, start_ns + took_ns, above, attributes=held, run_id=run_id
        )

    root = span("run", None, START_NS, count * 2_000_000)
    found, now = [root], START_NS
    for epoch in range(count // (2 * STEPS)):
        of_epoch = span("epoch", root.span_id, now, STEPS * 1_100_000, **{attr.ML_EPOCH_INDEX: epoch})
        found.append(of_epoch)
        for at in range(STEPS):
            index = {attr.ML_STEP_INDEX: epoch * STEPS + at}
            step = span("step", of_epoch.span_id, now, 1_000_000 + at % 7 * 1_000, **index)
            name = "reload" if number == 11 and at % 50 == 0 else "load"
            found += [step, span(name, step.span_id, now + 10, 500_000)]
            now += 1_100_000
    return found


def fill(path: Path, count: int) -> None:
    """Write both runs."""
    with open_store(path) as store:
        for number in (10, 11):
            run = Run(
                f"{number:02x}" * 16, "bench", "run", RunState.SUCCEEDED, START_NS, started_ns=START_NS, ended_ns=START_NS + 10**9,
                root_span_id=f"{number:04x}{1:012x}",
            )  # fmt: skip
            store.apply(WriteBatch(runs=[run]))
            spans = spans_of(number, count)
            for at in range(0, len(spans), 20_000):
                store.apply(WriteBatch(spans=spans[at : at + 20_000]))


def measure(path: Path) -> tuple[float, float]:
    """Return the CPU seconds of reading the spans of both runs, and of their diff with its reading."""
    ids = ["0a" * 16, "0b" * 16]
    with open_reader(path) as reader:
        start_s = time.process_time()
        for run_id in ids:
            list(reader.run(run_id).spans)
        read_s = time.process_time() - start_s
        start_s = time.process_time()
        diff_runs(*map(reader.run, ids))
        return read_s, time.process_time() - start_s


def figures(options: Options) -> Iterator[Figure]:
    count, rounds = (10_000, 2) if options.is_quick else (SPANS, 3)
    with folder() as path:
        fill(path / "runs.db", count)
        reads, diffs = zip(*(measure(path / "runs.db") for _ in range(rounds)), strict=True)
    limit = statistics.median(reads)
    yield Figure(
        f"diff of two runs of {count:,} spans, with reading them",
        "s",
        list(diffs),
        limits={"reading both": limit},
        target="<= 2x reading both",
        is_reached=statistics.median(diffs) <= LIMIT * limit,
    )


if __name__ == "__main__":
    main(figures)
