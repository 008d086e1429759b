"""Pictures and tables: what making them costs beside the libraries that everybody uses for it, and logging them whole.

Pictures are 224 x 224 pixels with three channels, a smooth picture with noise, as photographs are; both sides compress with
zlib's level 6. Tables are 100,000 rows x 10 columns: five of floats, three of integers, two of texts.
"""

from __future__ import annotations

import io
import os
import statistics
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from measure import Figure, Options, alternate, folder, main, peers, seconds
from PIL import Image

import otel_experiments as ox
from otel_experiments.codec.media.encode import encode_media
from otel_experiments.codec.media.png_write import LEVEL

SIZE = 224
ROWS = 100_000


def figures(options: Options) -> Iterator[Figure]:
    rounds = 5 if options.is_quick else 15
    yield from _pictures(options, rounds)
    yield from _tables(3 if options.is_quick else 7)


def picture(seed: int) -> Any:
    """Return the pixels of a picture."""
    random = np.random.default_rng(seed)
    base = np.add.outer(np.sin(np.arange(SIZE) / 40), np.cos(np.arange(SIZE) / 30))[:, :, None] * [90, 60, 30]
    return (base + 128 + random.normal(0, 4, (SIZE, SIZE, 3))).clip(0, 255).astype(np.uint8)


def _pictures(options: Options, rounds: int) -> Iterator[Figure]:
    pictures = [picture(seed) for seed in range(20)]

    def ours() -> float:
        return len(pictures) / seconds(lambda: [encode_media(ox.Image(one), print) for one in pictures])

    def pillow() -> float:
        def write() -> None:
            for one in pictures:
                Image.fromarray(one).save(io.BytesIO(), format="PNG", compress_level=LEVEL)

        return len(pictures) / seconds(write)

    made, limit = alternate(rounds, ours, pillow)
    share = statistics.median(made) / statistics.median(limit)
    yield Figure(
        "images of 224x224 made into PNG, one core", "/s", made, {"Pillow, the same level": statistics.median(limit)},
        target=">= 0.8 x Pillow", is_reached=share >= 0.8, note=f"{share:.2f} x Pillow",
    )  # fmt: skip
    with folder() as path:
        os.chdir(path)
        ox.configure(store="x.db", system_metrics_s=0.0)
        run = ox.start_run("pictures")
        logged = [
            seconds(lambda at=at: run.log({"img": ox.Image(pictures[at % 20])}, step=at)) * 1e3
            for at in range(20 * rounds)
        ]
        run.finish()
        ox.shutdown()
        os.chdir("/")
    yield Figure(
        "run.log of an image of 224x224, kept when it returns", "ms", logged,
        peers=peers(options, "image", ("wandb", "mlflow", "trackio", "aim")),
    )  # fmt: skip


def _tables(rounds: int) -> Iterator[Figure]:
    random = np.random.default_rng(1)
    cells: dict[str, Any] = {f"float{at}": random.random(ROWS) for at in range(5)}
    cells |= {f"whole{at}": random.integers(0, 1000, ROWS) for at in range(3)}
    cells |= {f"text{at}": [f"text {row % 977}" for row in range(ROWS)] for at in range(2)}
    arrow = pa.table(cells)
    polars_frame, pandas_frame = pl.DataFrame(cells), pd.DataFrame(cells)
    rows = list(zip(*arrow.to_pydict().values(), strict=True))

    def write() -> float:
        return seconds(lambda: pq.write_table(arrow, io.BytesIO()))

    works: dict[str, Callable[[], object]] = {
        "an Arrow table": lambda: arrow,
        "a polars frame": lambda: polars_frame,
        "a pandas frame": lambda: pandas_frame,
        "rows": lambda: ox.Table([*cells], rows),
    }
    for name, make in works.items():
        limits: list[Callable[[], float]] = [write]
        if name == "rows":
            limits.append(lambda: seconds(lambda: _rows_by_arrow([*cells], rows)))
        made, *found = alternate(
            rounds, lambda make=make: seconds(lambda: encode_media(make(), print)), *limits
        )
        medians = [statistics.median(one) for one in found]
        share = statistics.median(made) / medians[0]
        yield Figure(
            f"a table of 100,000 rows x 10 columns, from {name}", "s", made,
            dict(zip(("pyarrow writes its own", "pyarrow, from the rows"), medians, strict=False)),
            target="" if name == "rows" else "<= 2 x pyarrow", is_reached=None if name == "rows" else share <= 2,
            note=f"{share:.2f} x pyarrow",
        )  # fmt: skip


def _rows_by_arrow(names: list[str], rows: list[Any]) -> None:
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    pq.write_table(pa.table(columns), io.BytesIO())


if __name__ == "__main__":
    main(figures)
