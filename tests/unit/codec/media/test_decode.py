"""Media come back as what they were, or as the next best where a library is not installed."""

import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import PIL.Image
import plotly.graph_objects
import polars as pl
import pyarrow as pa
import pytest
from matplotlib.figure import Figure

from otel_experiments.codec.media.audio import Audio
from otel_experiments.codec.media.decode import UnreadableMediaError, decode_media
from otel_experiments.codec.media.encode import encode_media
from otel_experiments.codec.media.histogram import Histogram
from otel_experiments.codec.media.image import Image
from otel_experiments.codec.media.plots import confusion_matrix
from otel_experiments.codec.media.table import Table
from otel_experiments.codec.media.texts import Html, Text

RANDOM = np.random.default_rng(5)


def again(value: object) -> Any:
    """Return what a value is after it was stored and read."""
    encoded = encode_media(value, pytest.fail)
    assert encoded is not None
    assert isinstance(encoded.data, bytes)
    source = str(encoded.metadata["source"])
    return decode_media(
        encoded.data, encoded.type, encoded.media_type, source=source, caption=encoded.caption
    )


@pytest.mark.parametrize(
    "array",
    [
        RANDOM.random((6, 9)) > 0.5,
        *(
            RANDOM.integers(0, 2**16, (6, 9, *channels), dtype=np.uint16)
            for channels in ((), (2,), (3,), (4,))
        ),
        *(RANDOM.integers(0, 256, (6, 9, *channels), dtype=np.uint8) for channels in ((), (2,), (3,), (4,))),
        np.add.outer(np.arange(50, dtype=np.uint8), np.arange(60, dtype=np.uint8)),
        np.tile(np.arange(90, dtype=np.uint16)[:, None, None] * 700, (1, 4, 3)),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_arrays_come_back_exactly(array: Any) -> None:
    """A picture that was an array of whole numbers is that array again."""
    found = again(Image(array))
    assert found.dtype == array.dtype
    assert found.tolist() == array.tolist()


def test_images_of_pillow_come_back_as_such() -> None:
    """A picture that was an image of Pillow is one again; a figure of matplotlib is the picture it drew."""
    image = PIL.Image.fromarray(RANDOM.integers(0, 256, (6, 9, 3), dtype=np.uint8))
    assert again(image).tobytes() == image.tobytes()
    assert again(Figure(figsize=(2, 1))).size == (200, 100)


def test_figures_of_plotly_come_back_as_such() -> None:
    """A figure of plotly is one again."""
    figure = plotly.graph_objects.Figure(plotly.graph_objects.Bar(x=["a"], y=[3]))
    assert again(figure) == figure


def test_frames_come_back_as_frames_of_their_library() -> None:
    """A frame is one of the same library again, rows are a table."""
    cells = {"a": [1, 2], "b": ["x", "y"]}
    assert again(pd.DataFrame(cells)).equals(pd.DataFrame(cells))
    assert again(pl.DataFrame(cells)).equals(pl.DataFrame(cells))
    assert again(pa.table(cells)).equals(pa.table(cells))
    assert again(Table(data=cells)).data == [[1, "x"], [2, "y"]]


def test_texts_sounds_and_distributions_come_back() -> None:
    """A text is a text, samples are samples with their rate, counts and edges are a distribution."""
    assert again(Text("Grüße")) == "Grüße"
    assert again(Html("<b>x</b>")) == "<b>x</b>"
    sound = again(Audio(np.array([[0, 1], [2, 3]], dtype=np.int16), 8000, "hello"))
    assert (sound.data.tolist(), sound.sample_rate, sound.caption) == ([[0, 1], [2, 3]], 8000, "hello")
    assert again(Histogram([1.0, 2.0, 4.0], num_bins=2)).counts == [2, 1]
    assert again(confusion_matrix(["cat"], ["dog"])).data["classes"] == ["cat", "dog"]


@pytest.mark.parametrize(
    ("kind", "media_type", "source"),
    [
        ("image", "image/png", "array"),
        ("image", "image/png", "pillow"),
        ("figure", "application/vnd.plotly.v1+json", "plotly"),
        ("histogram", "application/json", "values"),
        ("plot", "application/json", "plot"),
        ("table", "text/csv", "rows"),
    ],
)
def test_bytes_of_another_kind_are_refused(kind: str, media_type: str, source: str) -> None:
    """Bytes that are not what was said are refused, whatever library says so."""
    with pytest.raises(UnreadableMediaError, match=r"\w"):
        decode_media(b"neither", kind, media_type, source=source)


def test_what_it_was_is_not_needed_to_read_it() -> None:
    """Without the libraries that made them, tables and figures are read all the same."""
    table, figure = (
        encode_media(pd.DataFrame({"a": [1]}), pytest.fail),
        encode_media(plotly.graph_objects.Figure(), pytest.fail),
    )
    assert table is not None
    assert figure is not None
    program = f"""
import sys
for name in ("pandas", "pyarrow", "polars", "plotly", "plotly.io", "numpy", "PIL", "PIL.Image"):
    sys.modules[name] = None
from otel_experiments.codec.media.decode import decode_media
print(decode_media({table.data!r}, "table", {table.media_type!r}, source="pandas").data)
print(sorted(decode_media({figure.data!r}, "figure", {figure.media_type!r}, source="plotly")))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[[1]]", "['data', 'layout']"]


@pytest.mark.parametrize(
    "body",
    [
        '{"kind": 1}',
        '{"kind": "roc_curve"}',
        '{"kind": "roc_curve", "curves": "x"}',
        '{"kind": "pr_curve", "curves": [{"name": "a", "x": [0, 1], "y": [0], "area": 1}]}',
        '{"kind": "pr_curve", "curves": [{"name": "a", "x": ["q"], "y": [0], "area": 1}]}',
        '{"kind": "roc_curve", "curves": [{"name": "a", "x": [0], "y": [0], "area": "z"}]}',
        '{"kind": "roc_curve", "curves": [{"name": 3, "x": [0], "y": [0], "area": 1}]}',
        '{"kind": "roc_curve", "curves": [{"name": "a", "x": [1' + "0" * 400 + '], "y": [0], "area": 1}]}',
        '{"kind": "confusion_matrix", "classes": null, "counts": null}',
        '{"kind": "confusion_matrix", "classes": ["a", 2], "counts": [[1, 2], [3, 4]]}',
        '{"kind": "confusion_matrix", "classes": ["a", "b"], "counts": [[1, 2], [3]]}',
        '{"kind": "confusion_matrix", "classes": ["a", "b"], "counts": [[1, 2]]}',
        '{"kind": "confusion_matrix", "classes": ["a", "b"], "counts": [["x", 2], [3, true]]}',
    ],
)
def test_a_plot_that_cannot_be_drawn_cannot_be_read(body: str) -> None:
    """Bytes that are no plot of their kind are refused where they are read, so that nothing fails while it is drawn."""
    with pytest.raises(UnreadableMediaError, match=r"\w"):
        decode_media(body.encode(), "plot", "application/json", source="plot")
