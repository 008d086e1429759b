"""What `run.log({...}, step=)` costs its caller, beside one JSON line and a bare pack into a mapped file."""

from __future__ import annotations

import json
import mmap
import random
import statistics
import struct
from collections.abc import Iterator
from pathlib import Path

from measure import Figure, Options, each_call_us, folder, main, peers, percentile

import otel_experiments as ox

TARGETS = {1: 0.35, 20: 0.5}
PEERS = ("trackio", "wandb", "mlflow", "tensorboardX", "aim")


def figures(options: Options) -> Iterator[Figure]:
    rounds, calls = (3, 5_000) if options.is_quick else (9, 20_000)
    with folder() as path:
        ox.configure(store=path / "x.db")
        for count, share in TARGETS.items():
            p50s: dict[str, list[float]] = {"ours": [], "JSON line": [], "pack_into": []}
            p99s: dict[str, list[float]] = {"ours": [], "JSON line": [], "pack_into": []}
            with ox.start_run(f"{count} values") as run:
                for _ in range(rounds):
                    for name, taken in (
                        ("ours", _ours(run, count, calls)),
                        ("JSON line", _json_lines(path, count, calls)),
                        ("pack_into", _pack_into(path, count, calls)),
                    ):
                        p50s[name].append(percentile(taken, 0.5))
                        p99s[name].append(percentile(taken, 0.99))
                    run.flush()
            ours, line = statistics.median(p50s["ours"]), statistics.median(p50s["JSON line"])
            yield Figure(
                what=f"run.log of {count} value{'s' * (count > 1)}, p50",
                unit="us",
                rounds=p50s.pop("ours"),
                limits={name: statistics.median(found) for name, found in p50s.items()},
                peers=peers(options, f"p50-{count}", PEERS),
                target=f"<= {share} x JSON line",
                is_reached=ours <= share * line,
                note=f"{ours / line:.2f} x the JSON line",
            )
            p99 = p99s.pop("ours")
            yield Figure(
                what=f"run.log of {count} value{'s' * (count > 1)}, p99",
                unit="us",
                rounds=p99,
                limits={name: statistics.median(found) for name, found in p99s.items()},
                peers=peers(options, f"p99-{count}", PEERS),
                target="<= 10 us",
                is_reached=statistics.median(p99) <= 10,
            )
        ox.shutdown()


def _values(count: int) -> dict[str, float]:
    numbers = random.Random(1)
    return {f"metric_{index}": numbers.random() for index in range(count)}


def _ours(run: ox.Run, count: int, calls: int) -> list[float]:
    values, log = _values(count), run.log
    return each_call_us(lambda step: log(values, step=step), calls)


def _json_lines(path: Path, count: int, calls: int) -> list[float]:
    values, dumps = _values(count), json.dumps
    with (path / "lines.jsonl").open("w") as file:
        write, flush = file.write, file.flush

        def append(step: int) -> None:
            write(dumps({"step": step, **values}) + "\n")
            flush()

        return each_call_us(append, calls)


def _pack_into(path: Path, count: int, calls: int) -> list[float]:
    values, pack = list(_values(count).values()), struct.Struct(f"<qd{count}d")
    size = pack.size
    with (path / "mapped").open("w+b") as file:
        file.truncate(size * calls)
        with mmap.mmap(file.fileno(), 0) as mapped:
            return each_call_us(lambda step: pack.pack_into(mapped, step * size, step, 0.0, *values), calls)


if __name__ == "__main__":
    main(figures)
