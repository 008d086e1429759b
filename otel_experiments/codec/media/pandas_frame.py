"""Frames of pandas as columns of cells."""

from __future__ import annotations

from typing import Any

from otel_experiments.codec.media.library import is_of
from otel_experiments.codec.text import clean_text, shown, text_of
from otel_experiments.errors import MediaRefusedError


def columns_of_frame(frame: Any) -> dict[str, Any]:  # a DataFrame
    """Return the columns of a frame by name: arrays, or lists of cells; an index that says something comes first."""
    columns: dict[str, Any] = {}
    index = frame.index
    if not is_of(index, "pandas", "RangeIndex"):
        frame = frame.reset_index()
    for place, name in enumerate(frame.columns):
        series = frame.iloc[:, place]
        text = clean_text(text_of(name))
        if text in columns:
            raise MediaRefusedError(why=f"two columns have one name: {shown(text)}")
        columns[text] = _of_series(series)
    return columns


def _of_series(series: Any) -> Any:
    dtype = series.dtype
    kind = getattr(dtype, "kind", "O")
    if kind in "biufM" and type(dtype).__module__.partition(".")[0] == "numpy":
        return series.to_numpy()
    missing = series.isna().tolist()
    cells = series.tolist()
    return (
        [None if gone else cell for cell, gone in zip(cells, missing, strict=True)]
        if True in missing
        else cells
    )
