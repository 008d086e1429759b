"""A picture: an array, an image of Pillow, a figure, or a file."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, ClassVar, Final

from otel_experiments.codec.media import figure, png_write
from otel_experiments.codec.media.library import is_array, is_of
from otel_experiments.codec.media.media import SOURCE, Encoded, Media, Tell, described, media_type_of
from otel_experiments.codec.media.pixels import Channels, mode_of, pixels_of
from otel_experiments.codec.text import shown
from otel_experiments.errors import MediaRefusedError

PNG: Final = "image/png"
TYPES: Final = {
    ".png": PNG,
    ".apng": "image/apng",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".bmp": "image/bmp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".avif": "image/avif",
    ".svg": "image/svg+xml",
}
_NUMBERS_OF_MODES: Final = {"1": 1, "L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
_KEPT_MODES: Final = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
_WITH_ALPHA: Final = {"PA": "RGBA", "La": "LA", "RGBa": "RGBA"}
_NUMBERS: Final = ("F", "I")
"""Modes of Pillow whose pixels are no bytes: floats, integers of 16 or 32 bits. Its own conversion cuts them off at 255."""


class Image(Media):
    """A picture. `run.log({"sample": ox.Image(array, caption="a 7")}, step=3)`.

    Arrays are height x width, or height x width x 1 to 4 channels (channels may come first, as PyTorch has them): booleans,
    bytes, 16-bit integers, or floats from 0 to 1. They are stored as PNG, a
    batch of them (an axis more in front) as one picture of all. A file is stored as it is.

    Attributes:
        data: what was given.
        mode: how many channels it has, as Pillow says it.
        channels: which axis of the array has the channels: `first`, `last`, or None where the shape says it.
    """

    type: ClassVar[str] = "image"

    def __init__(
        self,
        data_or_path: Any,  # an array of any library, an image of Pillow, a figure, a path
        mode: str | None = None,
        caption: str | None = None,
        *,
        channels: Channels | None = None,
        **without_effect: object,
    ) -> None:
        """Take a picture.

        Args:
            data_or_path: an array, an image of Pillow, a figure of matplotlib, or the path of a file.
            mode: how many channels the picture has, as Pillow says it: "L", "RGB", "RGBA"; seen from the array.
            caption: a text that is shown with it.
            channels: "first" or "last", for an array in whose shape both are possible.
            without_effect: arguments of other trackers (boxes, masks, classes, file_type, ...): told, and not kept.
        """
        super().__init__(caption, without_effect)
        self.data = data_or_path
        self.mode = mode
        self.channels = channels

    def _described(self) -> str:
        return described(self.data)

    def encode(self, tell: Tell) -> Encoded:
        """Return the picture as it is stored."""
        data = self.data
        if isinstance(data, Image):
            data = data.data
        if isinstance(data, (str, os.PathLike)):
            path = Path(data)
            media_type, ending = media_type_of(path, TYPES, "a picture")
            return Encoded(self.type, media_type, ending, path, {SOURCE: "file"}, self.caption)
        if is_pillow(data):
            return self._of_pillow(data, tell)
        if figure.is_drawn(data):
            drawn = figure.Figure(data, self.caption).encode(tell)
            return Encoded(
                self.type, drawn.media_type, drawn.ending, drawn.data, drawn.metadata, self.caption
            )
        if not is_array(data) and not isinstance(data, (list, tuple)):
            raise MediaRefusedError(
                why=f"a picture is an array, an image of Pillow, a figure or the path of a file, not {type(data).__name__}"
            )
        return self._of_array(data, tell)

    def _of_array(self, data: Any, tell: Tell, source: str = "array") -> Encoded:
        pixels = pixels_of(data, tell, channels=self.channels)
        height, width, count = pixels.shape
        if self.mode is not None and _NUMBERS_OF_MODES.get(self.mode) != count:
            tell(
                f"mode={shown(self.mode)} is not that of its {count} channels: it is kept as {mode_of(pixels)}"
            )
        facts = {SOURCE: source, "width": width, "height": height, "mode": mode_of(pixels)}
        return Encoded(self.type, PNG, ".png", png_write.png_bytes(pixels), facts, self.caption)

    def _of_pillow(self, image: Any, tell: Tell) -> Encoded:
        if 0 in image.size:
            raise MediaRefusedError(why=f"a picture of {image.size[0]} x {image.size[1]} pixels is empty")
        if image.mode.startswith(_NUMBERS) and image.mode != "I;16":
            return self._of_array(image, tell, "pillow")
        mode = self.mode or (image.mode if image.mode in _KEPT_MODES else _WITH_ALPHA.get(image.mode, "RGB"))
        if mode != image.mode:
            image = image.convert(mode)
        written = io.BytesIO()
        image.save(written, format="PNG", compress_level=png_write.LEVEL)
        facts = {SOURCE: "pillow", "width": image.size[0], "height": image.size[1], "mode": mode}
        return Encoded(self.type, PNG, ".png", written.getvalue(), facts, self.caption)


def is_pillow(value: object) -> bool:
    """Tell whether it is an image of Pillow."""
    return is_of(value, "PIL.Image", "Image")
