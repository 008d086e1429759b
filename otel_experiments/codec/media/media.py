"""What all media share: what they become, how they say what is wrong with them, and a base for the classes that users have.

Making one does no work and never fails: what it was given is looked at when it is logged, where a value that cannot be kept
is counted and told. The classes take the arguments of other trackers' classes; those that change nothing here are told then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final

from otel_experiments._short_repr import short
from otel_experiments.codec.media.library import is_array
from otel_experiments.codec.text import text_of
from otel_experiments.errors import MediaRefusedError
from otel_experiments.model.run import ParamValue

Tell = Callable[[str], None]
"""Takes what of a value could not be kept as it was: a sentence without the name under which it was logged."""

SOURCE: Final = "source"
"""The key of the metadata that says what a value was: `numpy`, `pandas`. It decides what reading gives back."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A value as it is stored: bytes, or the path of a file that holds them, and what they are."""

    type: str
    media_type: str
    ending: str
    data: bytes | Path
    metadata: Mapping[str, ParamValue] = field(default_factory=dict)
    caption: str = ""


class Media:
    """A value that is shown rather than counted. Logged by `run.log({"name": value}, step=)`.

    Attributes:
        caption: a text that is shown with it.
        type: what it is, such as `image`.
        ignored: the names of arguments of other trackers that were given and are not kept.
    """

    type: ClassVar[str] = ""

    def __init__(self, caption: object, without_effect: Mapping[str, object]) -> None:
        self.caption = "" if caption is None else text_of(caption)
        self.ignored = tuple(name for name, value in without_effect.items() if value is not None)

    def encode(self, tell: Tell) -> Encoded:
        """Return the value as it is stored.

        Args:
            tell: is called with a sentence for what of it could not be kept.

        Raises:
            MediaRefusedError: it cannot be kept.
        """
        raise NotImplementedError

    def __repr__(self) -> str:
        caption = f"caption={short(self.caption)}" if self.caption else ""
        return f"{type(self).__name__}({', '.join(part for part in (self._described(), caption) if part)})"

    def _described(self) -> str:
        """Return what it holds, for its repr: without looking into it."""
        return ""


def described(value: object) -> str:
    """Return what a value is in a few words: type and shape of an array, how many items a list has, a text or path itself."""
    if value is None:
        return ""
    if is_array(value):
        shape = " x ".join(map(str, getattr(value, "shape", ()))) or "one value"
        return f"{text_of(getattr(value, 'dtype', 'array')).removeprefix('torch.')} {shape}"
    if isinstance(value, (list, tuple)):
        return f"{len(value)} items"
    return short(value) if isinstance(value, (str, Path)) else f"<{type(value).__name__}>"


def media_type_of(path: Path, types: Mapping[str, str], kind: str) -> tuple[str, str]:
    """Return the media type and the ending of a file by its name.

    Raises:
        MediaRefusedError: the ending is none of these.
    """
    ending = path.suffix.lower()
    if ending not in types:
        known = ", ".join(sorted(types))
        raise MediaRefusedError(
            why=f"The file {path.name!r} does not end as {kind} does ({known}); keep other files with run.log_artifact"
        )
    return types[ending], ending
