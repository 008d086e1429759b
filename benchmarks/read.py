"""Reading: a long series, the first page of many runs, a chart of many runs; beside raw sqlite3."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from bench_store import _axis, _keys, _raw, _walks, fill_runs
from measure import Figure, Options, alternate, folder, main, seconds

from otel_experiments._opening import open_reader
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.metric import PointBlock
from otel_experiments.store import open_store


def figures(options: Options) -> Iterator[Figure]:
    rounds = 5 if options.is_quick else 15
    yield _series(rounds)
    yield _chart(rounds)
    yield from _page(rounds, 1_000 if options.is_quick else 10_000)


def _series(rounds: int) -> Figure:
    steps, times = _axis(100_000, 0)
    (values,) = _walks(1, 100_000, 0)
    with folder() as path:
        with open_store(path / "x.db") as store:
            for start in range(0, 100_000, 4_096):
                part = slice(start, start + 4_096)
                store.apply(
                    WriteBatch(
                        points=[PointBlock("a" * 32, _keys(1), steps[part], times[part], (values[part],))]
                    )
                )
        raw = _raw(path / "raw.db")
        with raw:
            raw.executemany("insert into points values (0, ?, ?, ?)", zip(steps, times, values, strict=True))
        select = "select step, time_ns, value from points where series = 0"
        with open_reader(path / "x.db") as reader:
            series = reader.store
            found, limit = alternate(
                rounds,
                lambda: seconds(lambda: series.points("a" * 32, _keys(1)[0])) * 1e3,
                lambda: seconds(lambda: raw.execute(select).fetchall()) * 1e3,
            )
        raw.close()
    return Figure(
        "read a series of 100k points", "ms", found, limits={"raw sqlite3 rows": statistics.median(limit)},
        target="<= 5 ms", is_reached=statistics.median(found) <= 5,
    )  # fmt: skip


def _chart(rounds: int) -> Figure:
    run_ids = [f"{number:032x}" for number in range(100)]
    with folder() as path:
        raw = _raw(path / "raw.db")
        with open_store(path / "x.db") as store:
            for number, run_id in enumerate(run_ids):
                steps, times = _axis(10_000, 0)
                columns = _walks(1, 10_000, number)
                for start in range(0, 10_000, 1_000):
                    part = slice(start, start + 1_000)
                    block = PointBlock(run_id, _keys(1), steps[part], times[part], (columns[0][part],))
                    store.apply(WriteBatch(points=[block]))
                with raw:
                    rows = zip([number] * 10_000, steps, times, columns[0], strict=True)
                    raw.executemany("insert into points values (?, ?, ?, ?)", rows)

        def bands() -> None:
            for run_id in run_ids:
                store.band(run_id, _keys(1)[0], buckets=500)

        def rows() -> None:
            for number in range(100):
                raw.execute(
                    "select cast(step / 20 as integer) bucket, min(value), max(value) from points "
                    "where series = ? group by bucket", (number,),
                ).fetchall()  # fmt: skip

        with open_store(path / "x.db", read_only=True) as store:
            found, limit = alternate(rounds, lambda: seconds(bands) * 1e3, lambda: seconds(rows) * 1e3)
        raw.close()
    return Figure(
        "chart of 100 runs x 10k points, 500 buckets with min-max band", "ms", found,
        limits={"raw sqlite3, group by": statistics.median(limit)},
        target="<= 100 ms", is_reached=statistics.median(found) <= 100,
    )  # fmt: skip


def _page(rounds: int, count: int) -> Iterator[Figure]:
    with folder() as path:
        with open_store(path / "x.db") as store:
            filled_s = seconds(lambda: fill_runs(store, count))
        with open_reader(path / "x.db") as reader:

            def page() -> None:
                runs = reader.runs(
                    'params["p0"] < 0.5 and metrics["m1"] < 0.5', order=['-metrics["m0"]'], limit=50
                )
                for run in runs:
                    _ = run.params, run.tags, run.metrics.all()

            found = [seconds(page) * 1e3 for _ in range(rounds)]
            newest = [seconds(lambda: list(reader.runs(limit=50))) * 1e3 for _ in range(rounds)]
    what = f"{count:,} runs x 150 params x 100 metrics"
    yield Figure(
        f"{what}: filtered, sorted first page", "ms", found,
        target="<= 100 ms", is_reached=statistics.median(found) <= 100,
        note=f"50 runs with all params and summaries; filling the store took {filled_s:.0f} s",
    )  # fmt: skip
    yield Figure(f"{what}: newest 50 runs", "ms", newest)


if __name__ == "__main__":
    main(figures)
