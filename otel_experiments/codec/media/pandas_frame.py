"""Frames of pandas as columns of cells, and back: with their index, their labels, and the digits of their integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from otel_experiments.codec.media.library import is_of
from otel_experiments.codec.media.media import Tell
from otel_experiments.codec.text import clean_text, shown, text_of
from otel_experiments.errors import MediaRefusedError

Form = Mapping[str, Any]
"""What of a frame is in none of its cells, in terms of JSON: `index`, pairs of a column and the name of the level that it is;
`labels`, of the columns whose label is no text; `label_names`, of the levels of the labels."""

_EXACT_IN_FLOATS: Final = 2**53
_INT64: Final = 2**63
_PLAIN: Final = (str, int, float, type(None))


def columns_of_frame(frame: Any, tell: Tell) -> tuple[dict[str, Any], Form]:  # a DataFrame
    """Return the columns of a frame by name, arrays or lists of cells, and its form; an index that says something comes first.

    Raises:
        MediaRefusedError: two columns have one name.
    """
    labels = frame.columns.tolist()
    texts = [clean_text(text_of(label)) for label in labels]
    columns: dict[str, Any] = {}
    index = []
    for text, name, level in _levels(frame.index, texts):
        columns[text] = _of_series(level)
        index.append([text, _kept(name)[0]])
    odd: dict[str, Any] = {}
    lost = []
    for place, (text, label) in enumerate(zip(texts, labels, strict=True)):
        if text in columns:
            raise MediaRefusedError(why=f"two columns have one name: {shown(text)}")
        columns[text] = _of_series(frame.iloc[:, place])
        if type(label) is not str:
            odd[text], is_kept = _kept(label)
            lost += [] if is_kept else [label]
    if lost:
        kind = type(lost[0]).__name__
        tell(f"the labels of {len(lost)} columns are kept as texts: a table cannot hold {kind} as a label")
    form: dict[str, Any] = {}
    if index:
        form["index"] = index
    if odd:
        form["labels"] = odd
    names = [_kept(name)[0] for name in frame.columns.names]
    if any(name is not None for name in names):
        form["label_names"] = names
    return columns, form


def frame_of(pandas: Any, columns: Mapping[str, Sequence[Any]], form: Form) -> Any:  # a DataFrame
    """Return columns as a frame of this form; columns that were added since are columns with their name."""
    frame = pandas.DataFrame({name: _series(pandas, cells) for name, cells in columns.items()})
    index = form.get("index", [])
    if index and all(text in columns for text, _ in index):
        frame = frame.set_index([text for text, _ in index])
        frame.index.names = [_label(name) for _, name in index]
    odd = form.get("labels", {})
    labels = [_label(odd[text]) if text in odd else text for text in frame.columns]
    names = [_label(name) for name in form.get("label_names", ())]
    widths = {len(label) if isinstance(label, tuple) else 0 for label in labels}
    if len(widths) == 1 and 0 not in widths:
        frame.columns = pandas.MultiIndex.from_tuples(labels)
    elif odd:
        frame.columns = pandas.Index(labels, tupleize_cols=False)
    if len(names) == frame.columns.nlevels:
        frame.columns.names = names
    return frame


def _levels(index: Any, taken: Sequence[str]) -> list[tuple[str, Any, Any]]:
    """Return the columns that an index becomes: the text, its name, its values. One that only counts becomes none."""
    is_count = is_of(index, "pandas", "RangeIndex") and (index.start, index.step) == (0, 1)
    if is_count and index.name is None:
        return []
    levels: list[tuple[str, Any, Any]] = []
    for place, name in enumerate(index.names):
        without = "index" if index.nlevels == 1 else f"level_{place}"
        text = clean_text(text_of(name)) if name is not None else without
        while text in taken or text in {one for one, *_ in levels}:
            text += "_index"
        levels.append((text, name, index.get_level_values(place)))
    return levels


def _kept(label: Any) -> tuple[Any, bool]:
    """Return a label in terms of JSON, and whether it is the same when it comes back."""
    if isinstance(label, tuple):
        parts = [_kept(part) for part in label]
        return [part for part, _ in parts], all(is_kept for _, is_kept in parts)
    if isinstance(label, str):
        return clean_text(label), True
    if type(label) in {int, float, bool, type(None)}:
        return label, True
    item = getattr(label, "item", None)
    if callable(item) and type(label).__module__ == "numpy" and isinstance(found := item(), _PLAIN):
        return found, True
    return clean_text(text_of(label)), False


def _label(kept: Any) -> Any:
    return tuple(map(_label, kept)) if isinstance(kept, list) else kept


def _of_series(series: Any) -> Any:  # or a level of an index
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


def _series(pandas: Any, cells: Sequence[Any]) -> Any:
    """Return cells as pandas takes them without making floats of integers and objects of booleans."""
    types = set(map(type, cells))
    there = types - {type(None)}
    if there == {int, float}:
        whole = [cell for cell in cells if type(cell) is int]
        is_exact = all(abs(cell) <= _EXACT_IN_FLOATS for cell in whole)
        return cells if is_exact else pandas.Series(cells, dtype=object)
    if there == types:
        return cells
    if there == {bool}:
        return pandas.array(cells, dtype="boolean")
    if there == {int}:
        whole = [cell for cell in cells if cell is not None]
        if min(whole) >= -_INT64 and max(whole) < _INT64:
            return pandas.array(cells, dtype="Int64")
        is_unsigned = min(whole) >= 0 and max(whole) < 2 * _INT64
        return pandas.array(cells, dtype="UInt64") if is_unsigned else pandas.Series(cells, dtype=object)
    return cells
