"""Sounds, moving pictures, texts, pages and figures."""

import io
import wave
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import PIL.Image
import plotly.graph_objects
import pytest
from matplotlib.figure import Figure as DrawnFigure

from otel_experiments.codec.media.audio import Audio
from otel_experiments.codec.media.encode import encode_media, listed_media
from otel_experiments.codec.media.figure import Figure
from otel_experiments.codec.media.histogram import Histogram, histogram_of
from otel_experiments.codec.media.image import Image
from otel_experiments.codec.media.media import Encoded, Media
from otel_experiments.codec.media.plots import roc_curve
from otel_experiments.codec.media.texts import Html, Text
from otel_experiments.codec.media.video import Video
from otel_experiments.errors import MediaRefusedError


def kept(value: object) -> tuple[Encoded, list[str]]:
    """Return what a value is stored as, and what was said of it."""
    told: list[str] = []
    encoded = encode_media(value, told.append)
    assert encoded is not None
    return encoded, told


def data_of(value: object) -> bytes:
    """Return the bytes that a value is stored as."""
    data = kept(value)[0].data
    assert isinstance(data, bytes)
    return data


@pytest.mark.parametrize("shape", [(400,), (400, 2), (2, 400), (400, 1)])
def test_sound_is_a_file_that_players_read(shape: tuple[int, ...]) -> None:
    """Samples, with channels before or after them, become a WAV file of as many samples and channels."""
    with wave.open(io.BytesIO(data_of(Audio(np.zeros(shape), sample_rate=8000)))) as sound:
        assert (sound.getnframes(), sound.getframerate(), sound.getsampwidth()) == (400, 8000, 2)
        assert sound.getnchannels() == (2 if 2 in shape else 1)


def test_samples_keep_their_loudness() -> None:
    """Floats from -1 to 1 fill the 16 bits of a sample, and integers of 16 bits are kept."""
    floats = data_of(Audio(np.array([-1.0, 0.0, 0.5, 1.0]), 8000))[44:]
    whole = data_of(Audio(np.array([-32768, 0, 32767], dtype=np.int16), 8000))[44:]
    assert np.frombuffer(floats, "<i2").tolist() == [-32767, 0, 16384, 32767]
    assert np.frombuffer(whole, "<i2").tolist() == [-32768, 0, 32767]


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (np.array([0.0, np.nan]), "1 of its 2 samples are NaN or infinite: they are silence"),
        (np.array([0.0, 3.0]), "its samples go from 0 to 3"),
        (np.array([0, 40000]), "its samples go from 0 to 40000"),
        (np.array([0, 40000], dtype=np.uint16), "its samples go from 0 to 40000"),
    ],
)
def test_samples_that_cannot_be_heard_are_said(samples: Any, said: str) -> None:
    """NaN and samples that are too loud are changed, and that is said."""
    (told,) = kept(Audio(samples, 8000))[1]
    assert told.startswith(said)


@pytest.mark.parametrize(
    ("sound", "reason"),
    [
        (Audio(np.zeros(0), 8000), r"shape \(0,\) is no sound"),
        (Audio(np.zeros((3, 4, 5)), 8000), r"shape \(3, 4, 5\) is no sound"),
        (Audio(np.zeros(5)), "sample_rate=None"),
        (Audio(np.zeros(5), float("nan")), "sample_rate=nan"),
        (Audio("talk.txt"), "does not end as a sound does"),
    ],
)
def test_what_is_no_sound_is_refused_with_a_reason(sound: Audio, reason: str) -> None:
    """No samples, a wrong shape and a missing rate are refused with what was found."""
    with pytest.raises(MediaRefusedError, match=reason):
        kept(sound)


@pytest.mark.parametrize("shape", [(4, 3, 6, 8), (4, 6, 8, 3), (4, 6, 8), (1, 4, 3, 6, 8)])
def test_video_of_an_array_plays_with_its_speed(shape: tuple[int, ...]) -> None:
    """Frames, with channels before or after the pixels, become an animation of as many frames."""
    encoded, told = kept(Video(np.zeros(shape, np.uint8), fps=8))
    picture = PIL.Image.open(io.BytesIO(data_of(Video(np.zeros(shape, np.uint8), fps=8))))
    assert (encoded.metadata["frames"], picture.size, told) == (4, (8, 6), [])
    assert picture.info["duration"] == 125


def test_several_videos_are_shown_side_by_side() -> None:
    """An array of several videos is one picture wide for each of them."""
    encoded, _ = kept(Video(np.zeros((3, 4, 1, 6, 8))))
    assert (encoded.metadata["width"], encoded.metadata["height"], encoded.metadata["frames"]) == (24, 6, 4)


def test_video_of_another_format_is_kept_as_animation_and_said() -> None:
    """An array cannot become MP4 here: nothing is lost, and what to do is said."""
    encoded, (told,) = kept(Video(np.zeros((2, 4, 4)), format="mp4"))
    assert encoded.media_type == "image/apng"
    assert told.startswith("format='mp4' of an array cannot be made here")


def test_gif_is_made_where_pillow_is() -> None:
    """format="gif" makes a GIF."""
    encoded, told = kept(Video(np.zeros((2, 4, 4)), format="gif"))
    assert (encoded.media_type, told) == ("image/gif", [])


def test_video_file_is_kept_as_it_is() -> None:
    """The path of a video is not opened: the file is what is kept."""
    encoded, _ = kept(Video("rollout.mp4"))
    assert (encoded.data, encoded.media_type) == (Path("rollout.mp4"), "video/mp4")


def test_text_is_kept_to_the_letter() -> None:
    """A text comes back as it was, with letters of every script."""
    assert data_of(Text("Grüße, 世界\n")).decode() == "Grüße, 世界\n"


def test_page_is_a_text_a_file_or_a_path() -> None:
    """A page of HTML may be a text, an open file or a path."""
    assert data_of(Html("<b>x</b>")) == data_of(Html(io.StringIO("<b>x</b>"))) == b"<b>x</b>"
    assert kept(Html("report.html"))[0].data == Path("report.html")
    assert data_of(Html("report.html", data_is_not_path=True)) == b"report.html"
    with pytest.raises(MediaRefusedError, match="not int"):
        kept(Html(3))


def test_figure_of_matplotlib_is_its_picture() -> None:
    """A figure, its axes and pyplot are kept as the picture that the figure draws; none is opened or closed."""
    figure, axes = plt.subplots(figsize=(2, 1))
    axes.plot([1, 3])
    before = plt.get_fignums()
    pictures = {data_of(value) for value in (figure, axes, plt, Figure(figure))}
    assert plt.get_fignums() == before
    plt.close("all")
    assert len(pictures) == 1
    assert PIL.Image.open(io.BytesIO(pictures.pop())).size == (200, 100)


def test_closed_figure_is_kept_and_closed_pyplot_refused() -> None:
    """A figure that pyplot has closed can still be drawn; pyplot without a figure says what to do, and makes none."""
    figure = plt.figure()
    plt.close("all")
    assert kept(figure)[0].media_type == "image/png"
    with pytest.raises(MediaRefusedError, match="pyplot has no figure now"):
        kept(plt)
    assert plt.get_fignums() == []


def test_figure_of_plotly_is_kept_as_its_json() -> None:
    """A figure of plotly is kept as the JSON from which plotly draws it again."""
    figure = plotly.graph_objects.Figure(plotly.graph_objects.Scatter(y=[1, 3]))
    again = plotly.graph_objects.Figure(plotly.io.from_json(data_of(figure).decode()))
    assert again == figure


def test_what_is_no_figure_is_refused_with_a_reason() -> None:
    """A value of another kind says what a figure is."""
    with pytest.raises(MediaRefusedError, match="not list"):
        kept(Figure([1]))


def test_a_list_is_media_only_where_each_item_is() -> None:
    """A list of figures and pictures is logged as such, a list with a number in it is not."""
    assert len(listed_media([DrawnFigure(), PIL.Image.new("L", (1, 1))]) or ()) == 2
    mixed = listed_media([DrawnFigure(), 3])
    assert mixed is not None
    assert mixed[1] == 3
    assert listed_media([3, "a"]) is None
    assert listed_media([]) is None
    assert listed_media(np.zeros((2, 2))) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Image(np.zeros((2, 3), np.uint8)), "Image(uint8 2 x 3)"),
        (Image("a.png", caption="a 7"), "Image('a.png', caption='a 7')"),
        (Image(PIL.Image.new("L", (1, 1))), "Image(<Image>)"),
        (Audio(np.zeros(9, np.float32), 16_000), "Audio(float32 9, sample_rate=16000)"),
        (Video([[[0]]]), "Video(1 items)"),
        (Histogram([1.0, 2.0]), "Histogram(2 items)"),
        (Histogram(), "Histogram()"),
        (histogram_of(b'{"counts": [3, 997], "edges": [0, 1, 2]}'), "Histogram(2 bins, 1,000 values)"),
        (roc_curve([0, 1], [0, 1]), "Plot('roc_curve')"),
        (Text("hello"), "Text('hello')"),
        (Html("<b>"), "Html('<b>')"),
        (Figure(DrawnFigure()), "Figure(<Figure>)"),
    ],
)
def test_the_repr_of_media_says_what_they_hold(value: Media, text: str) -> None:
    """Printed, a value that was made says what it was given, and does no work for it."""
    assert repr(value) == text
