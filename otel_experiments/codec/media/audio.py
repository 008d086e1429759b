"""Sound: an array, stored as WAV, or a file."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any, ClassVar, Final

from otel_experiments._short_repr import short
from otel_experiments.codec.media.library import as_array, numpy
from otel_experiments.codec.media.media import SOURCE, Encoded, Media, Tell, described, media_type_of
from otel_experiments.codec.text import shown
from otel_experiments.errors import MediaRefusedError

WAV: Final = "audio/wav"
TYPES: Final = {
    ".wav": WAV,
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".aac": "audio/aac",
}
_FULL: Final = 32767
_MOST_CHANNELS: Final = 64
_MAX_BYTES: Final = 2**32 - 100
_PCM, _HEAD_BYTES = 1, 36


class Audio(Media):
    """Sound. `run.log({"spoken": ox.Audio(samples, sample_rate=16_000)})`.

    An array is samples, or samples x channels: floats from -1 to 1, or 16-bit integers. It is stored as WAV of 16 bits. A
    file is stored as it is.

    Args:
        data_or_path: samples, or the path of a file.
        sample_rate: samples a second; a file has its own.

    Attributes:
        data: what was given.
        sample_rate: samples a second.
    """

    type: ClassVar[str] = "audio"

    def __init__(
        self, data_or_path: Any, sample_rate: float | None = None, caption: str | None = None
    ) -> None:
        super().__init__(caption, {})
        self.data = data_or_path
        self.sample_rate = sample_rate

    def _described(self) -> str:
        rate = "" if self.sample_rate is None else f"sample_rate={short(self.sample_rate)}"
        return ", ".join(part for part in (described(self.data), rate) if part)

    def encode(self, tell: Tell) -> Encoded:
        """Return the sound as it is stored."""
        if isinstance(self.data, (str, os.PathLike)):
            path = Path(self.data)
            media_type, ending = media_type_of(path, TYPES, "a sound")
            return Encoded(self.type, media_type, ending, path, {SOURCE: "file"}, self.caption)
        rate = self.sample_rate
        if not isinstance(rate, (int, float)) or not 1 <= rate < 2**31:
            raise MediaRefusedError(
                why=f"sample_rate={shown(rate)} is no number of samples a second; pass ox.Audio(samples, sample_rate=16_000)"
            )
        samples = _samples(as_array(self.data), tell)
        count, channels = samples.shape
        facts = {
            SOURCE: "array",
            "sample_rate": round(rate),
            "channels": channels,
            "duration_s": count / rate,
        }
        return Encoded(self.type, WAV, ".wav", _wav(samples, round(rate)), facts, self.caption)


def _samples(array: Any, tell: Tell) -> Any:
    """Return samples x channels as 16-bit integers."""
    np = numpy()
    shape = array.shape
    if array.ndim == 1:
        array = array[:, None]
    elif array.ndim == 2 and shape[0] < shape[1] and shape[0] <= 2:
        array = array.T  # channels first, as torchaudio has them
    if array.ndim != 2 or not 1 <= array.shape[1] <= _MOST_CHANNELS or array.shape[0] == 0:
        raise MediaRefusedError(
            why=f"an array of shape {tuple(shape)} is no sound; pass samples, or samples x channels"
        )
    if array.size * 2 > _MAX_BYTES:
        raise MediaRefusedError(
            why=f"a sound of {array.shape[0]} samples is too long for WAV; write a file and log its path"
        )
    if array.dtype.kind == "f":
        bad = int(array.size - np.isfinite(array).sum())
        if bad:
            tell(f"{bad} of its {array.size} samples are NaN or infinite: they are silence")
            array = np.where(np.isfinite(array), array, 0)
        low, high = float(array.min()), float(array.max())
        if low < -1 or high > 1:
            tell(
                f"its samples go from {low:g} to {high:g}, and sound from -1 to 1: what is louder is cut off"
            )
        return np.rint(array.clip(-1, 1) * _FULL).astype("<i2")
    if array.dtype.kind in "iu" and (array.min() < -_FULL - 1 or array.max() > _FULL):
        tell(
            f"its samples go from {array.min()} to {array.max()}, and those of 16 bits to 32767: the rest is cut off"
        )
        array = array.clip(-_FULL - 1, _FULL)
    return array.astype("<i2")


def _wav(samples: Any, rate: int) -> bytes:
    """Return a WAV file: a header of 44 bytes, and the samples."""
    data = samples.tobytes()
    channels = samples.shape[1]
    return b"".join(
        (
            struct.pack("<4sI4s", b"RIFF", _HEAD_BYTES + len(data), b"WAVE"),
            struct.pack(
                "<4sIHHIIHH", b"fmt ", 16, _PCM, channels, rate, rate * channels * 2, channels * 2, 16
            ),
            struct.pack("<4sI", b"data", len(data)),
            data,
        )
    )
