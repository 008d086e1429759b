"""Tables and files: many runs, a long series, Parquet and CSV of a million points; beside the libraries alone."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from bench_store import _axis, _keys, _walks
from measure import Figure, Options, alternate, child, folder, main, seconds

from otel_experiments._opening import open_reader
from otel_experiments.model.batch import ParamSet, WriteBatch
from otel_experiments.model.metric import PointBlock
from otel_experiments.model.run import Run, RunState
from otel_experiments.query.export.rows import RowExport
from otel_experiments.store import open_store

RUN_ID = "a" * 32
START_NS = 1_700_000_000_000_000_000

MEMORY = """
import sys
from pathlib import Path
from otel_experiments._opening import open_reader
from otel_experiments.query.export.rows import RowExport
import pyarrow.parquet
# Not getrusage: its largest size is that of the parent, where that was larger.
largest = lambda: int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
before = largest()
with open_reader(sys.argv[1]) as reader, open(sys.argv[2], "wb") as sink:
    RowExport(reader, None, "points").write_parquet(sink)
print(largest() - before)
"""


def figures(options: Options) -> Iterator[Figure]:
    rounds = 3 if options.is_quick else 7
    with folder() as path:
        yield from _runs(path, rounds, 1_000 if options.is_quick else 10_000)
        yield from _series(path, rounds, 100_000 if options.is_quick else 1_000_000)


def _runs(path: Path, rounds: int, count: int) -> Iterator[Figure]:
    _fill(path / "runs.db", count)
    with open_reader(path / "runs.db") as reader:
        columns = {name: one.to_pylist() for name, one in _columns_of(reader.runs().to_arrow()).items()}
        for stats, what in (
            (None, "all 110 columns of 10 metrics"),
            (("last",), "the last value of 10 metrics"),
        ):
            wanted = {
                name: values
                for name, values in columns.items()
                if stats is None or not name.startswith("metrics.") or name.endswith(".last")
            }
            # The limit makes the same table of what is in memory already.
            ours, read, limit = alternate(
                rounds,
                lambda stats=stats: seconds(lambda: reader.runs().to_pandas(stats=stats)) * 1e3,
                lambda: seconds(lambda: _read(reader)) * 1e3,
                lambda wanted=wanted: seconds(lambda: pd.DataFrame(wanted)) * 1e3,
            )
            yield Figure(
                f"{count:,} runs x 10 params as a table of pandas, {what}", "ms", ours,
                limits={"reading them": statistics.median(read), "pandas alone": statistics.median(limit)},
            )  # fmt: skip


def _read(reader: object) -> None:
    for page in reader.pages(reader.runs()):
        for run in page:
            run.params, run.metrics, run.tags  # noqa: B018 - read by being looked at


def _series(path: Path, rounds: int, count: int) -> Iterator[Figure]:
    steps, times = _axis(count, 0)
    (values,) = _walks(1, count, 0)
    with open_store(path / "points.db") as store:
        store.apply(WriteBatch(runs=[Run(RUN_ID, "exp", "run", RunState.SUCCEEDED, START_NS)]))
        for start in range(0, count, 4_096):
            part = slice(start, start + 4_096)
            block = PointBlock(RUN_ID, _keys(1), steps[part], times[part], (values[part],))
            store.apply(WriteBatch(points=[block]))
    columns = {
        "step": np.array(steps).astype("int64"),
        "time": pd.DatetimeIndex(np.array(times), tz="UTC"),
        "value": np.array(values),
    }
    with open_reader(path / "points.db") as reader:
        read = lambda: reader.store.points(RUN_ID, _keys(1)[0])  # noqa: E731 - a name for it
        ways: list[tuple[str, Callable[[], object], Callable[[], object]]] = [
            ("pandas", lambda: _metrics(reader).to_pandas(), lambda: pd.DataFrame(columns)),
            ("polars", lambda: _metrics(reader).to_polars(), lambda: pl.DataFrame({"step": columns["step"], "value": columns["value"]})),
            ("Arrow", lambda: _metrics(reader).to_arrow(), lambda: pa.table(columns)),
        ]  # fmt: skip
        for library, ours, alone in ways:
            found, plain, limit = alternate(
                rounds,
                lambda ours=ours: seconds(ours) * 1e3,
                lambda: seconds(read) * 1e3,
                lambda alone=alone: seconds(alone) * 1e3,
            )
            yield Figure(
                f"a series of {count:,} points as a table of {library}", "ms", found,
                limits={"reading it": statistics.median(plain), f"{library} alone": statistics.median(limit)},
            )  # fmt: skip
        yield from _files(reader, path, rounds, count, columns)


def _metrics(reader: object) -> object:
    return reader.run("run").metrics["m0"]


def _files(
    reader: object, path: Path, rounds: int, count: int, columns: dict[str, object]
) -> Iterator[Figure]:
    table = pa.table({
        "run_id": pa.repeat(RUN_ID, count), "metric": pa.repeat("m0", count), "phase": pa.nulls(count, pa.string()),
        "rank": pa.repeat(0, count), **columns,
    })  # fmt: skip

    def ours() -> None:
        with (path / "ours.parquet").open("wb") as sink:
            RowExport(reader, None, "points").write_parquet(sink)

    found, limit = alternate(
        rounds,
        lambda: seconds(ours) * 1e3,
        lambda: seconds(lambda: pq.write_table(table, path / "alone.parquet")) * 1e3,
    )
    size = (path / "ours.parquet").stat().st_size / count
    memory = float(child(MEMORY, str(path / "points.db"), str(path / "memory.parquet")))
    ratio = statistics.median(found) / statistics.median(limit)
    yield Figure(
        f"{count:,} points into Parquet", "ms", found, limits={"pyarrow alone": statistics.median(limit)},
        target="<= 2 x pyarrow alone", is_reached=ratio <= 2,
        note=f"{ratio:.2f} x pyarrow's, reading included; {size:.1f} B a point; {memory:.0f} MB more memory",
    )  # fmt: skip
    rows = [(RUN_ID, "m0", "", int(step), time_ns, value, 0) for step, time_ns, value in zip(columns["step"].tolist(), np.asarray(columns["time"].asi8).tolist(), columns["value"].tolist(), strict=True)]  # fmt: skip
    found, limit = alternate(
        max(2, rounds // 2),
        lambda: (
            seconds(lambda: RowExport(reader, None, "points").write_text("csv", io.StringIO(newline="")))
            * 1e3
        ),
        lambda: seconds(lambda: csv.writer(io.StringIO(newline="")).writerows(rows)) * 1e3,
    )
    yield Figure(
        f"{count:,} points into CSV", "ms", found, limits={"csv alone": statistics.median(limit)},
    )  # fmt: skip


def _columns_of(table: pa.Table) -> dict[str, object]:
    return dict(zip(table.column_names, table.columns, strict=True))


def _fill(path: Path, count: int) -> None:
    keys = _keys(10)
    with open_store(path) as store:
        for start in range(0, count, 500):
            batch = WriteBatch()
            for number in range(start, min(start + 500, count)):
                run_id, now_ns = f"{number:032x}", START_NS + number
                batch.runs.append(
                    Run(
                        run_id,
                        f"exp-{number % 5}",
                        f"run-{number}",
                        RunState.SUCCEEDED,
                        now_ns,
                        now_ns,
                        now_ns + 10**9,
                    )
                )
                batch.params += [ParamSet(run_id, f"p{one}", number / (one + 1), now_ns) for one in range(8)]
                batch.params += [
                    ParamSet(run_id, "seed", number, now_ns),
                    ParamSet(run_id, "optim.name", "adam", now_ns),
                ]
                values = tuple([number * 0.5 + one] for one in range(10))
                batch.points.append(PointBlock(run_id, keys, [1.0], [now_ns], values))
            store.apply(batch)


if __name__ == "__main__":
    main(figures)
