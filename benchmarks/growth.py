"""What grows as the work grows: metrics a call, points in a run, runs in a store, threads. Draws plots/*.svg."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator

from measure import HERE, Figure, Options, child, each_call_us, folder, main, percentile
from plot import draw

import otel_experiments as ox

POINTS = """
import re, sys, time
import otel_experiments as ox
count = int(sys.argv[1])
ox.configure(store="x.db", exit_timeout_s=3600, system_metrics_s=0)
run = ox.start_run("points")
cpu_s, start_s = time.process_time(), time.perf_counter()
for step in range(count):
    run.log({"loss": step * 1e-6}, step=step)
called_s = time.perf_counter() - start_s
assert run.flush(timeout_s=3600).is_stored
taken_s, cpu_s = time.perf_counter() - start_s, time.process_time() - cpu_s
run.finish()
rss = int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024
print(taken_s, called_s, cpu_s, rss)
"""


def figures(options: Options) -> Iterator[Figure]:
    yield from _metrics(options)
    yield from _points(options)
    yield from _runs(options)
    yield from _threads(options)


def _metrics(options: Options) -> Iterator[Figure]:
    calls = 500 if options.is_quick else 2_000
    counts = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
    p50s, p99s = [], []
    with folder() as path:
        ox.configure(store=path / "x.db", system_metrics_s=0)
        with ox.start_run("metrics") as run:
            for count in counts:
                values = {f"metric_{index}": 0.1 * index for index in range(count)}
                run.log(values, step=0)
                run.flush(timeout_s=60)
                taken = each_call_us(lambda step, values=values: run.log(values, step=step), calls)
                p50s.append(percentile(taken, 0.5))
                p99s.append(percentile(taken, 0.99))
        ox.shutdown()
    draw(HERE / "plots" / "metrics.svg", "run.log by metrics a call", "metrics a call", "us a call",
         {"p50": list(zip(counts, p50s, strict=True)), "p99": list(zip(counts, p99s, strict=True))})  # fmt: skip
    for count, p50 in zip(counts, p50s, strict=True):
        if count in {1, 10, 100, 1_000}:
            yield Figure(
                f"run.log of {count:,} metrics, p50", "us", [p50], note=f"{p50 / count * 1e3:.0f} ns a value"
            )


def _points(options: Options) -> Iterator[Figure]:
    counts = (1_000, 10_000, 100_000, 1_000_000) + (() if options.is_quick else (10_000_000,))
    rates, memory = [], []
    for count in counts:
        with folder() as path:
            taken_s, called_s, cpu_s, rss = map(float, child(POINTS, str(count), cwd=path).split())
            left = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        rates.append((count, count / taken_s))
        memory.append((count, rss / 1e6))
        yield Figure(
            f"{count:,} points into one run, one a call: largest resident memory", "MB", [rss / 1e6],
            note=f"{count / taken_s:,.0f} points/s, {cpu_s / count * 1e6:.1f} us CPU a point, "
            f"{called_s / taken_s:.0%} of the time in the calls, {left / count:.1f} B a point on disk",
        )  # fmt: skip
    draw(HERE / "plots" / "points.svg", "points into one run", "points", "points/s", {"stored": rates})
    draw(HERE / "plots" / "memory.svg", "largest resident memory", "points", "MB", {"process": memory})


def _runs(options: Options) -> Iterator[Figure]:
    counts = (1, 10, 100, 1_000) + (() if options.is_quick else (10_000,))
    made, found = [], []
    with folder() as path:
        ox.configure(store=path / "x.db", exit_timeout_s=600, system_metrics_s=0)
        before = 0
        for count in counts:
            start_s = time.perf_counter()
            for number in range(before, count):
                with ox.start_run(f"run-{number}", config={"lr": number / 1000}) as run:
                    for step in range(10):
                        run.log({"loss": 1.0 / (step + 1)}, step=step)
            made.append((count, (time.perf_counter() - start_s) / (count - before) * 1e3))
            before = count
            times = []
            for _ in range(7):
                start_s = time.perf_counter()
                list(ox.runs("params.lr < 0.05", limit=50))
                times.append((time.perf_counter() - start_s) * 1e3)
            found.append((count, statistics.median(times)))
        ox.shutdown()
    draw(HERE / "plots" / "runs.svg", "a run by runs in the store", "runs in the store", "ms",
         {"make a run": made, "find 50 by a param": found})  # fmt: skip
    for (count, ms), (_, find_ms) in zip(made, found, strict=True):
        yield Figure(
            f"one more run in a store of {count:,}",
            "ms",
            [ms],
            note=f"50 found by a param in {find_ms:.1f} ms",
        )


def _threads(options: Options) -> Iterator[Figure]:
    calls = 20_000 if options.is_quick else 100_000
    counts = (1, 2, 4, 8, 16, 32, 64)
    costs = []
    for count in counts:
        with folder() as path:
            ox.configure(store=path / "x.db", exit_timeout_s=600, system_metrics_s=0)
            run = ox.start_run("threads")
            each = calls // count

            def work(number: int, run: ox.Run = run, each: int = each) -> None:
                name = f"loss_{number}"
                for step in range(each):
                    run.log({name: 0.1}, step=step)

            threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
            start_s = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            costs.append((count, (time.perf_counter() - start_s) / (each * count) * 1e6))
            run.finish()
            (stored,) = ox.sql("select sum(count) from series").rows[0]
            assert stored == each * count, (stored, each * count)
            ox.shutdown()
    draw(
        HERE / "plots" / "threads.svg",
        "run.log by threads",
        "threads",
        "us a call, all threads together",
        {"wall": costs},
    )
    for count, cost in costs:
        if count in {1, 4, 16, 64}:
            yield Figure(
                f"a call of run.log, {count} thread{'s' * (count > 1)} at once",
                "us",
                [cost],
                note="no point lost",
            )


if __name__ == "__main__":
    main(figures)
