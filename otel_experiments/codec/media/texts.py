"""Texts and pages of HTML."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

from otel_experiments._short_repr import short
from otel_experiments.codec.media.media import SOURCE, Encoded, Media, Tell, described, media_type_of
from otel_experiments.codec.text import text_of
from otel_experiments.errors import MediaRefusedError


class Text(Media):
    """A text: a sample that a model wrote, say. `run.log({"sample": ox.Text(text)}, step=3)`.

    Attributes:
        text: what was given, as a text.
    """

    type: ClassVar[str] = "text"

    def __init__(self, text: object, caption: str | None = None) -> None:
        super().__init__(caption, {})
        self.text = text_of(text)

    def _described(self) -> str:
        return short(self.text)

    def encode(self, tell: Tell) -> Encoded:  # noqa: ARG002 - a text is kept as it is
        """Return the text as it is stored."""
        data = self.text.encode("utf-8", "surrogatepass")
        return Encoded(self.type, "text/plain; charset=utf-8", ".txt", data, {SOURCE: "text"}, self.caption)


class Html(Media):
    """A page of HTML, or a part of one: a text, an open file, or the path of a file.

    Attributes:
        data: what was given.
    """

    type: ClassVar[str] = "html"

    def __init__(
        self,
        data: Any,  # a text, a path, or whatever has `read`
        inject: bool | None = None,  # noqa: FBT001 - as in other trackers
        data_is_not_path: bool = False,  # noqa: FBT001, FBT002 - as above
        *,
        caption: str | None = None,
    ) -> None:
        """Take a page. A text that ends in `.html` is a path, but with `data_is_not_path`; `inject` changes nothing."""
        super().__init__(caption, {"inject": inject})
        self.data = data
        self._is_text = data_is_not_path

    def _described(self) -> str:
        return described(self.data)

    def encode(self, tell: Tell) -> Encoded:  # noqa: ARG002 - as above
        """Return the page as it is stored."""
        data = self.data
        is_path = isinstance(data, os.PathLike) or (
            isinstance(data, str)
            and not self._is_text
            and data.endswith((".html", ".htm"))
            and "<" not in data
        )
        if is_path:
            path = Path(data)
            media_type_of(path, {".html": "", ".htm": ""}, "a page")
            return self._encoded(path, "file")
        if not isinstance(data, (str, bytes)) and callable(getattr(data, "read", None)):
            data = data.read()
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogatepass")
        if not isinstance(data, bytes):
            raise MediaRefusedError(
                why=f"a page is a text, an open file or a path, not {type(data).__name__}"
            )
        return self._encoded(data, "text")

    def _encoded(self, data: bytes | Path, source: str) -> Encoded:
        return Encoded(self.type, "text/html; charset=utf-8", ".html", data, {SOURCE: source}, self.caption)
