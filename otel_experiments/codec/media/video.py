"""Moving pictures: a file, or an array, stored as an animated PNG without loss, or as GIF where Pillow is there."""

from __future__ import annotations

import io
import math
import os
from pathlib import Path
from typing import Any, ClassVar, Final

from otel_experiments.codec.media import png_write
from otel_experiments.codec.media.library import as_array, numpy
from otel_experiments.codec.media.media import SOURCE, Encoded, Media, Tell, described, media_type_of
from otel_experiments.codec.media.pixels import whole_numbers
from otel_experiments.codec.text import shown
from otel_experiments.errors import MediaRefusedError

TYPES: Final = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".webm": "video/webm",
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
    ".avi": "video/x-msvideo",
    ".ogv": "video/ogg",
    ".gif": "image/gif",
    ".apng": "image/apng",
}
_COUNTS: Final = (1, 3, 4)
_FPS: Final = 4.0
_MAX_VALUES: Final = 2**30


class Video(Media):
    """Moving pictures. `run.log({"rollout": ox.Video(frames, fps=8)})`, or the path of a file, which is stored as it is.

    An array is time x channels x height x width, or time x height x width x channels: bytes, or floats from 0 to 1. It is
    stored as an animated PNG, which browsers play; `format="gif"` takes a GIF where Pillow is installed. For MP4 write a
    file and pass its path.

    Args:
        data_or_path: pictures, or the path of a file.

    Attributes:
        data: what was given.
        fps: pictures a second, for an array.
        format: `png` or `gif`, for an array.
    """

    type: ClassVar[str] = "video"

    def __init__(
        self,
        data_or_path: Any,
        caption: str | None = None,
        fps: float | None = None,
        *,
        format: str | None = None,  # noqa: A002 - as in other trackers
        **without_effect: object,
    ) -> None:
        super().__init__(caption, without_effect)
        self.data = data_or_path
        self.fps = fps
        self.format = format

    def _described(self) -> str:
        return described(self.data)

    def encode(self, tell: Tell) -> Encoded:
        """Return the moving pictures as they are stored."""
        if isinstance(self.data, (str, os.PathLike)):
            path = Path(self.data)
            media_type, ending = media_type_of(path, TYPES, "a video")
            return Encoded(self.type, media_type, ending, path, {SOURCE: "file"}, self.caption)
        fps = _FPS if self.fps is None else self.fps
        if not isinstance(fps, (int, float)) or not math.isfinite(fps) or not 0.1 <= fps <= 1000:
            tell(f"fps={shown(fps)} is no number of pictures a second: it is kept with {_FPS:g}")
            fps = _FPS
        frames = _frames(as_array(self.data), tell)
        facts = {
            SOURCE: "array",
            "frames": len(frames),
            "width": frames[0].shape[1],
            "height": frames[0].shape[0],
            "fps": float(fps),
        }
        wanted = (self.format or "apng").lower().lstrip(".")
        if wanted == "gif" and (data := _gif(frames, fps)) is not None:
            return Encoded(self.type, "image/gif", ".gif", data, facts, self.caption)
        if wanted not in {"apng", "png"}:
            tell(
                f"format={shown(self.format)} of an array cannot be made here: it is kept as an animated PNG; "
                "write a file with a library for video, and log its path"
            )
        data = png_write.apng_bytes(frames, fps=fps)
        return Encoded(self.type, "image/apng", ".apng", data, facts, self.caption)


def _frames(array: Any, tell: Tell) -> list[Any]:
    shape = array.shape
    if array.ndim == 3:
        array = array[:, :, :, None]
    if array.ndim == 5:
        array = _side_by_side(array)
    if array.ndim == 4 and array.shape[1] in _COUNTS:
        array = array.transpose(0, 2, 3, 1)
    if array.ndim != 4 or array.shape[3] not in _COUNTS or 0 in array.shape:
        raise MediaRefusedError(
            why=f"an array of shape {tuple(shape)} is no video; pass time x channels x height x width, "
            "or time x height x width x channels"
        )
    if array.size > _MAX_VALUES:
        raise MediaRefusedError(
            why=f"a video of shape {tuple(shape)} is too large as an array; write a file and log its path"
        )
    if array.dtype.kind == "b":
        array = array.astype(numpy().uint8) * 255
    count, height, width, channels = array.shape
    flat = whole_numbers(array.reshape(count * height, width, channels), tell)  # one scale for all frames
    return list(flat.reshape(count, height, width, channels))


def _side_by_side(array: Any) -> Any:
    """Return several videos (video x time x channels x height x width) as one, next to each other."""
    videos, count, channels, height, width = array.shape
    return array.transpose(1, 2, 3, 0, 4).reshape(count, channels, height, videos * width)


def _gif(frames: list[Any], fps: float) -> bytes | None:
    try:
        from PIL import Image  # noqa: PLC0415 - asked for by format="gif"
    except ImportError:
        return None
    pictures = [Image.fromarray(frame[:, :, 0] if frame.shape[2] == 1 else frame) for frame in frames]
    written = io.BytesIO()
    delay_ms = max(20, round(1000 / fps))
    pictures[0].save(written, "GIF", save_all=True, append_images=pictures[1:], duration=delay_ms, loop=0)
    return written.getvalue()
