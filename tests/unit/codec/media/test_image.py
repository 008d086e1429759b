"""Pictures: arrays, images of Pillow, files, and what is no picture."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import PIL.Image
import pytest

from otel_experiments.codec.media.encode import encode_media
from otel_experiments.codec.media.image import Image
from otel_experiments.codec.media.media import Encoded
from otel_experiments.codec.media.png_read import read_png
from otel_experiments.codec.media.png_write import apng_bytes
from otel_experiments.errors import MediaRefusedError

RANDOM = np.random.default_rng(7)


def kept(value: object) -> tuple[Encoded, list[str]]:
    """Return what a value is stored as, and what was said of it."""
    told: list[str] = []
    encoded = encode_media(value, told.append)
    assert encoded is not None
    return encoded, told


def drawn(value: object) -> Any:
    """Return the pixels that another reader of PNG sees."""
    data = kept(value)[0].data
    assert isinstance(data, bytes)
    return np.asarray(PIL.Image.open(io.BytesIO(data)))


@pytest.mark.parametrize(
    "array",
    [
        RANDOM.integers(0, 256, (5, 7), dtype=np.uint8),
        RANDOM.integers(0, 256, (1, 1), dtype=np.uint8),
        RANDOM.integers(0, 256, (33, 17, 2), dtype=np.uint8),
        RANDOM.integers(0, 256, (33, 17, 3), dtype=np.uint8),
        RANDOM.integers(0, 256, (33, 17, 4), dtype=np.uint8),
        RANDOM.integers(0, 2**16, (9, 4), dtype=np.uint16),
        RANDOM.random((9, 13)) > 0.5,
        np.add.outer(np.arange(120, dtype=np.uint8), np.arange(99, dtype=np.uint8)),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_array_comes_back_pixel_by_pixel(array: Any) -> None:
    """Every pixel of an array is in the picture, as any program reads it."""
    assert (drawn(Image(array)) == array).all()


def test_floats_are_read_from_0_to_1() -> None:
    """Floats from 0 to 1 are black to white."""
    assert drawn(Image(np.array([[0.0, 0.5, 1.0]]))).tolist() == [[0, 128, 255]]


def test_floats_up_to_255_are_read_as_bytes() -> None:
    """Floats that go up to 255 are a picture that was converted, not white."""
    assert drawn(Image(np.array([[0.0, 100.0, 255.0]]))).tolist() == [[0, 100, 255]]


@pytest.mark.parametrize(
    ("array", "pixels", "said"),
    [
        (np.array([[np.nan, np.inf, 1.0]]), [[0, 0, 255]], "2 of its 3 values are NaN or infinite"),
        (np.array([[-0.5, 0.5, 1.5]]), [[0, 128, 255]], "its floats go from -0.5 to 1.5"),
        (np.array([[-1, 3, 256]]), [[0, 3, 255]], "its integers go from -1 to 256"),
    ],
)
def test_values_that_are_no_pixels_are_said(array: Any, pixels: list[list[int]], said: str) -> None:
    """NaN pixels and values out of range are cut off, and what was done is said."""
    assert drawn(Image(array)).tolist() == pixels
    (told,) = kept(Image(array))[1]
    assert told.startswith(said)


@pytest.mark.parametrize("shape", [(3, 8, 9), (1, 8, 9), (8, 9, 3), (8, 9)])
def test_channels_are_found_by_the_shape(shape: tuple[int, ...]) -> None:
    """Channels may come first or last: a shape that allows one reading only is read so."""
    encoded, _ = kept(Image(np.zeros(shape)))
    assert (encoded.metadata["height"], encoded.metadata["width"]) == (8, 9)


def test_tensor_has_its_channels_first_where_both_are_possible() -> None:
    """A tensor of 3 x 8 x 3 is 3 channels of 8 x 3, an array 3 x 8 with 3 channels; an argument says otherwise."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    facts = [
        kept(image)[0].metadata
        for image in (
            Image(torch.zeros(3, 8, 3)),
            Image(np.zeros((3, 8, 3))),
            Image(torch.zeros(3, 8, 3), channels="last"),
            Image(np.zeros((3, 8, 3)), channels="first"),
        )
    ]
    assert [(fact["height"], fact["width"]) for fact in facts] == [(8, 3), (3, 8), (3, 8), (8, 3)]


def test_tensor_that_needs_gradients_is_a_picture() -> None:
    """A tensor of any type that is part of a graph is taken as it is, and the graph is left alone."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    tensor = torch.ones(2, 2, dtype=torch.bfloat16, requires_grad=True)
    assert drawn(Image(tensor)).tolist() == [[255, 255], [255, 255]]
    assert tensor.requires_grad


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "F", "I;16"])
def test_image_of_pillow_is_kept_in_each_mode(mode: str) -> None:
    """An image of Pillow is kept whatever its mode; what PNG does not know becomes colours."""
    image = PIL.Image.new(mode, (5, 3))
    encoded, told = kept(image)
    assert isinstance(encoded.data, bytes)
    assert PIL.Image.open(io.BytesIO(encoded.data)).size == (5, 3)
    assert told == []


@pytest.mark.parametrize("mode", ["F", "I", "I;16", "I;16B"])
def test_image_of_pillow_with_numbers_is_kept_as_the_array_is(mode: str) -> None:
    """Floats and integers above 255 are not cut off: 16 bits are kept, floats go from 0 to 1."""
    numbers = np.array(
        [[0, 300, 65535]], {"F": np.float32, "I": np.int32, "I;16": np.uint16, "I;16B": ">u2"}[mode]
    )
    if mode == "F":
        numbers = numbers / np.float32(65535)
    image = PIL.Image.frombytes(mode, (3, 1), numbers.tobytes())
    encoded, told = kept(image)
    assert told == []
    assert encoded.metadata["source"] == "pillow"
    assert np.asarray(drawn(image)).tolist() == np.asarray(drawn(Image(np.asarray(image)))).tolist()
    assert np.asarray(drawn(image)).tolist() == ([[0, 1, 255]] if mode == "F" else [[0, 300, 65535]])


def test_numbers_of_an_image_of_pillow_that_are_no_pixels_are_said() -> None:
    """Integers above 65535 and floats above 1 are cut off, and that is told; another mode than asked for, too."""
    image = PIL.Image.fromarray(np.array([[0, 1000, 70000]], np.int32))
    assert kept(image)[1] == kept(Image(np.array([[0, 1000, 70000]])))[1] != []
    assert "its floats go from -1 to 1" in kept(PIL.Image.fromarray(np.array([[-1, 1]], np.float32)))[1][0]
    assert "mode='RGB'" in kept(Image(PIL.Image.new("F", (2, 2)), mode="RGB"))[1][0]


def test_an_image_of_pillow_keeps_what_is_transparent() -> None:
    """A palette with an alpha channel is stored with it."""
    image = PIL.Image.new("RGBA", (2, 1), (10, 20, 30, 0)).convert("PA")
    assert drawn(image)[0, 0].tolist()[3] == 0
    assert kept(image)[0].metadata["mode"] == "RGBA"


def test_file_is_kept_as_it_is() -> None:
    """The path of a picture is not opened: the file is what is kept."""
    encoded, _ = kept(Image("sample.JPG", caption="cat"))
    assert (str(encoded.data), encoded.media_type, encoded.caption) == ("sample.JPG", "image/jpeg", "cat")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (np.zeros((5, 6, 7)), r"an array of shape \(5, 6, 7\) is no picture"),
        (np.zeros((0, 5)), r"an array of shape \(0, 5\) is no picture"),
        (np.zeros(5), r"an array of shape \(5,\) is no picture"),
        (np.array([["a"]]), "holds no numbers"),
        (PIL.Image.new("L", (0, 3)), "0 x 3 pixels is empty"),
        (object(), "not object"),
        ("notes.docx", "does not end as a picture does"),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, str) else type(value).__name__,
)
def test_what_is_no_picture_is_refused_with_a_reason(value: object, reason: str) -> None:
    """A value that is no picture says what was found and what a picture is."""
    with pytest.raises(MediaRefusedError, match=reason):
        kept(Image(value))


def test_arguments_of_other_trackers_are_said_to_change_nothing() -> None:
    """Masks and boxes, which other trackers draw, are not kept; that is said."""
    assert kept(Image(np.zeros((2, 2)), masks={"m": {}}, boxes=None))[1] == [
        "masks= changed nothing: what they say is not kept"
    ]


def test_value_that_raises_is_refused_with_its_error() -> None:
    """A picture whose class raises is refused with what it raised."""

    class Broken(PIL.Image.Image):
        @property
        def size(self) -> tuple[int, int]:
            raise OSError("gone")

    with pytest.raises(MediaRefusedError, match="it raised OSError: gone"):
        kept(Broken())


@pytest.mark.parametrize("shape", [(5, 2, 3, 1), (5, 1, 2, 3), (5, 2, 3, 3), (5, 3, 2, 3)])
def test_a_batch_is_one_picture_of_all(shape: tuple[int, ...]) -> None:
    """Several pictures in one array are shown row by row; where none is left it is black."""
    batch = np.ones(shape, np.uint8) * np.arange(1, 6, dtype=np.uint8)[:, None, None, None]
    pixels = drawn(Image(batch, channels="first" if shape[1] in {1, 3} else "last"))
    assert pixels.shape[:2] == (4, 9)
    corners = pixels[::2, ::3] if pixels.ndim == 2 else pixels[::2, ::3, 0]
    assert corners.tolist() == [[1, 2, 3], [4, 5, 0]]


def test_animation_plays_every_frame_in_order() -> None:
    """All frames of an animated PNG are what they were, one after the other."""
    frames = [RANDOM.integers(0, 256, (6, 5, 3), dtype=np.uint8) for _ in range(4)]
    picture = PIL.Image.open(io.BytesIO(apng_bytes(frames, fps=5)))
    for number, frame in enumerate(frames):
        picture.seek(number)
        assert (np.asarray(picture.convert("RGB")) == frame).all()
    assert picture.info["duration"] == 200


def test_a_picture_that_is_large_and_empty_is_refused_before_it_fills_the_memory() -> None:
    """A file of 200 kB cannot become gigabytes of pixels, one bit of which each was in the file."""
    side = 40_000

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I4s", len(body), name) + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    lines = chunk(b"IDAT", zlib.compress(bytes(side // 8 + 1) * 100))
    with pytest.raises(ValueError, match="too large for its bytes"):
        read_png(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + lines)
