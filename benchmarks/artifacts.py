"""Files that are kept: how fast beside what the system's own tools take for the same bytes, and in how much memory.

A file of 1 GB of random bytes is hashed and copied in one pass by `run.log_artifact`; `sha256sum` and `cp` do it in two. Small
files have 2,000 bytes; plain Python reads, hashes and writes each of the same files under its digest.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from measure import Figure, Options, alternate, folder, main, peers, seconds

import otel_experiments as ox
from otel_experiments.artifacts.hashing import share_blocks

MEGABYTE = 1_000_000
SMALL = 10_000


def figures(options: Options) -> Iterator[Figure]:
    with folder() as path:
        os.chdir(path)
        ox.configure(store="x.db", system_metrics_s=0.0, capture_git=False)
        with ox.start_run("files") as run:
            yield _large(run, 200 if options.is_quick else 1000, 3 if options.is_quick else 5)
            yield _small(options, run, 1000 if options.is_quick else SMALL, 3)
            yield _stored(run, 1000 if options.is_quick else SMALL)
        ox.shutdown()
        yield _memory(1 if options.is_quick else 10)
        yield _waiting(100 if options.is_quick else 400)
        os.chdir("/")


def _large(run: ox.Run, megabytes: int, rounds: int) -> Figure:
    source = Path("large.bin")
    with source.open("wb") as file:
        for _ in range(megabytes):
            file.write(os.urandom(MEGABYTE))
    can_share = _can_share(source)

    def ours() -> float:
        _clean()
        return megabytes / seconds(lambda: run.log_artifact(source, name="large"))

    def system() -> float:
        _clean()
        copy = ["cp", "--reflink=never", source, "copy.bin"]
        commands = [["sha256sum", source]] + ([] if can_share else [copy])
        return megabytes / seconds(
            lambda: [subprocess.run(one, stdout=subprocess.DEVNULL, check=True) for one in commands]
        )

    made, limit = alternate(rounds, ours, system)
    _clean()
    source.unlink()
    share = statistics.median(made) / statistics.median(limit)
    name = "sha256sum" if can_share else "sha256sum, then cp"
    return Figure(
        f"run.log_artifact of a file of {megabytes:,} MB", "MB/s", made, {name: statistics.median(limit)},
        target=f">= 0.8 x {name}", is_reached=share >= 0.8, note=f"{share:.2f} x {name}",
    )  # fmt: skip


def _clean() -> None:
    """Remove what was kept, so that each round writes it, and have the disk at rest."""
    shutil.rmtree("x.db.artifacts/sha256", ignore_errors=True)
    Path("copy.bin").unlink(missing_ok=True)
    os.sync()


def _can_share(source: Path) -> bool:
    with source.open("rb") as one, Path("clone").open("wb") as other:
        shared = share_blocks(one.fileno(), other.fileno())
    Path("clone").unlink()
    return shared


def _small(options: Options, run: ox.Run, count: int, rounds: int) -> Figure:
    # Nothing is deleted meanwhile, and each side has new bytes: ext4 passes over inodes that were freed just now, one by one,
    # which made the later rounds ten times slower.
    sources = [f"small/{which}/{number}" for which in range(2 * rounds) for number in range(count)]
    for source in sources:
        Path(source).parent.mkdir(parents=True, exist_ok=True)
        Path(source).write_bytes(os.urandom(2000))
    parts = iter([sources[start : start + count] for start in range(0, len(sources), count)])

    def ours() -> float:
        part = next(parts)
        os.sync()
        return count / seconds(lambda: [run.log_artifact(source) for source in part])

    def plain() -> float:
        part = next(parts)
        folder = Path(f"plain-{part[0].replace('/', '-')}")
        folder.mkdir()
        os.sync()

        def write() -> None:
            for source in part:
                with open(source, "rb") as file:  # noqa: PTH123 - the fast way
                    data = file.read()
                with open(f"{folder}/{hashlib.sha256(data).hexdigest()}", "wb") as file:  # noqa: PTH123 - as above
                    file.write(data)

        return count / seconds(write)

    made, limit = alternate(rounds, ours, plain)
    share = statistics.median(made) / statistics.median(limit)
    others = peers(options, "artifact", ("wandb", "mlflow"))
    return Figure(
        f"{count:,} small artifacts, one call each", "/s", made, {"plain Python: read, hash, write": statistics.median(limit)},
        peers={name: 1e3 / taken_ms for name, taken_ms in others.items()},
        target=">= 0.5 x plain Python", is_reached=share >= 0.5, note=f"{share:.2f} x plain Python",
    )  # fmt: skip


def _stored(run: ox.Run, count: int) -> Figure:
    sources = [f"stored/{number}" for number in range(count)]
    Path("stored").mkdir()
    for source in sources:
        Path(source).write_bytes(os.urandom(2000))
    os.sync()

    def all_stored() -> None:
        for source in sources:
            run.log_artifact(source)
        if not run.flush(timeout_s=60.0).is_stored:
            raise RuntimeError("The store did not take the artifacts within 60 s.")

    return Figure("... and all of them in the store", "/s", [count / seconds(all_stored)])


MEMORY = """
import resource, sys
from pathlib import Path
from otel_experiments.artifacts.local_store import LocalBlobStore
blobs = LocalBlobStore(Path("kept"))
blobs.prepare_file(sys.argv[1], link="copy").discard()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)
"""


def _memory(gigabytes: int) -> Figure:
    source = Path("sparse.bin")
    with source.open("wb") as file:
        file.truncate(gigabytes * 1000 * MEGABYTE)
    ran = subprocess.run(
        [sys.executable, "-c", MEMORY, source], capture_output=True, text=True, check=True
    ).stdout
    most = float(ran)
    source.unlink()
    return Figure(
        f"memory of a process that keeps a file of {gigabytes} GB, at its peak", "MB", [most],
        target="<= 100 MB", is_reached=most <= 100,
    )  # fmt: skip


WAITING = """
import os, resource, sys
import otel_experiments as ox
ox.configure(store="waiting.db", system_metrics_s=0.0, capture_git=False)
with ox.start_run("waiting") as run:
    for number in range(int(sys.argv[1]) // 4):
        run.log_artifact(os.urandom(4_000_000), f"part-{number}", wait=False)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(most / 1000)
"""


def _waiting(megabytes: int) -> Figure:
    ran = subprocess.run(
        [sys.executable, "-c", WAITING, str(megabytes)], capture_output=True, text=True, check=True
    ).stdout
    most = float(ran)
    return Figure(
        f"memory of a process that gives {megabytes} MB as bytes with wait=False, at its peak", "MB", [most],
        target="<= 200 MB", is_reached=most <= 200,
    )  # fmt: skip


if __name__ == "__main__":
    main(figures)
