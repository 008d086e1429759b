"""Sharing runs: a bundle made, opened and taken into a store, beside the same runs as OTLP and beside a copy of the file."""

from __future__ import annotations

import os
import shutil
import statistics
from collections.abc import Iterator
from pathlib import Path

from bench_store import _axis, _keys, _walks
from measure import Figure, Options, alternate, folder, main, seconds

import otel_experiments as ox
from otel_experiments.artifacts.place import blobs_for
from otel_experiments.model.artifact import ArtifactLogged
from otel_experiments.model.batch import ParamSet, WriteBatch
from otel_experiments.model.metric import PointBlock
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.span import Span
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.store import open_store

START_NS = 1_700_000_000_000_000_000
RUNS, POINTS, SERIES, SPANS, PARAMS = 100, 1_000, 5, 50, 20


def figures(options: Options) -> Iterator[Figure]:
    rounds = 3 if options.is_quick else 7
    with folder() as path:
        _fill(path / "runs.db")
        yield from _runs(path, rounds)
    with folder() as path:
        yield _artifact(path, rounds, 64 << 20 if options.is_quick else 1 << 30)


def _fill(path: Path) -> None:
    steps, times = _axis(POINTS, 0)
    walks = _walks(SERIES, POINTS, 0)
    with open_store(path) as store:
        for number in range(RUNS):
            run_id = f"{number + 1:032x}"
            store.apply(
                WriteBatch(
                    runs=[Run(run_id, "digits", f"run-{number}", RunState.SUCCEEDED, START_NS + number, START_NS, times[-1])],
                    params=[ParamSet(run_id, f"p{index}", index * 0.5, START_NS) for index in range(PARAMS)],
                    points=[PointBlock(run_id, _keys(SERIES), steps, times, tuple(walks))],
                    spans=[
                        Span(run_id, f"{index + 1:016x}", "ml.epoch", START_NS + index, START_NS + index + 5, run_id=run_id)
                        for index in range(SPANS)
                    ],
                )
            )  # fmt: skip


def _runs(path: Path, rounds: int) -> Iterator[Figure]:
    store, bundle, otlp = path / "runs.db", path / "x.oxb", path / "x.proto"
    made, exported, copied = alternate(
        rounds,
        lambda: seconds(lambda: ox.bundle(None, bundle, store=store)),
        lambda: seconds(lambda: ox.export_otlp(otlp, store=store, form="proto")),
        lambda: seconds(lambda: shutil.copy(store, path / "copy.db")),
    )
    what = f"{RUNS} runs, {RUNS * SERIES * POINTS:,} points"
    ratio = statistics.median(made) / statistics.median(exported)
    yield Figure(
        f"{what}: bundled", "s", made,
        limits={"export otlp as protobuf": statistics.median(exported), "cp of the store": statistics.median(copied)},
        target="<= 1.2 x the export", is_reached=ratio <= 1.2, note=f"{bundle.stat().st_size / store.stat().st_size:.2f} x the size of the store",
    )  # fmt: skip

    def read(source: Path) -> None:
        with ox.open(source) as reader:
            assert len(reader.runs(limit=50)[0].metrics) == SERIES

    def load() -> None:
        _gone(path / "loaded.db")
        ox.import_otlp(otlp, store=path / "loaded.db")
        read(path / "loaded.db")

    opened, store_opened, loaded = alternate(
        rounds,
        lambda: seconds(lambda: read(bundle)),
        lambda: seconds(lambda: read(store)),
        lambda: seconds(load),
    )
    yield Figure(
        f"{what}: bundle opened, newest 50 runs", "s", opened,
        limits={"the store": statistics.median(store_opened), "OTLP imported, then that": statistics.median(loaded)},
        target="<= 1.2 x the store", is_reached=statistics.median(opened) <= 1.2 * statistics.median(store_opened),
    )  # fmt: skip

    def take(source: Path) -> None:
        _gone(path / "taken.db")
        ox.import_store(source, store=path / "taken.db")

    taken, again, loaded = alternate(
        rounds,
        lambda: seconds(lambda: take(bundle)),
        lambda: seconds(lambda: ox.import_store(bundle, store=path / "taken.db")),
        lambda: seconds(load),
    )
    yield Figure(
        f"{what}: taken into a store", "s", taken,
        limits={"import of OTLP": statistics.median(loaded), "again, nothing new": statistics.median(again)},
        target="<= 1 x import of OTLP", is_reached=statistics.median(taken) <= statistics.median(loaded),
    )  # fmt: skip


def _artifact(path: Path, rounds: int, size_bytes: int) -> Figure:
    """Measure a bundle of one large artifact: it is read, hashed and written once."""
    source = path / "model.bin"
    with source.open("wb") as file:
        for _ in range(size_bytes >> 20):
            file.write(os.urandom(1 << 20))
    store = path / "runs.db"
    with blobs_for(StoreLocation.parse(store)).adding() as adding, open_store(store) as opened:
        put = adding.put_file(source)
        run = Run("a" * 32, "digits", "large", RunState.SUCCEEDED, START_NS)
        logged = ArtifactLogged("a" * 32, "digits", "model", put.digest, START_NS, size_bytes=size_bytes)
        opened.apply(WriteBatch(runs=[run], artifacts=[logged]))
    made, copied = alternate(
        max(3, rounds // 2),
        lambda: seconds(lambda: ox.bundle(None, path / "x.oxb", store=store)),
        lambda: seconds(lambda: _hash_and_copy(source, path / "copy.bin")),
    )
    gigabytes = size_bytes / 1e9
    return Figure(
        f"a bundle of {size_bytes >> 20:,} MiB of artifacts", "GB/s", [gigabytes / taken for taken in made],
        limits={"sha256sum and cp": gigabytes / statistics.median(copied)},
        target=">= 0.5 x sha256sum and cp", is_reached=statistics.median(copied) / statistics.median(made) >= 0.5,
    )  # fmt: skip


def _hash_and_copy(source: Path, target: Path) -> None:
    os.system(f"sha256sum {source} > /dev/null && cp --reflink=never {source} {target} && sync {target}")


def _gone(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


if __name__ == "__main__":
    main(figures)
