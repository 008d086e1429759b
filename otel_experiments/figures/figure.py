"""A figure to look at, save or hand to another painter: what `series.plot()` and its like return."""

from __future__ import annotations

import os
from pathlib import Path

from otel_experiments.errors import FigureError
from otel_experiments.figures.escape import clip
from otel_experiments.figures.panel import panel
from otel_experiments.figures.spec import Bars, Curves, Spec
from otel_experiments.figures.spec_json import from_json, to_json
from otel_experiments.figures.svg.frame import Size
from otel_experiments.figures.svg.paint import paint
from otel_experiments.figures.text.paint import paint_text


class Figure:
    """A chart of stored numbers. A notebook shows it; `save` writes it as SVG or JSON.

    Attributes:
        spec: What is drawn, as values.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    @classmethod
    def from_json(cls, text: str | bytes) -> Figure:
        """Return the figure that `to_json` described.

        Args:
            text: what `to_json` returned.

        Raises:
            FigureError: the text is no figure, or of a later version.
        """
        return cls(from_json(text))

    def to_json(self) -> str:
        """Return what is drawn as JSON, for painters in other languages."""
        return to_json(self.spec)

    def svg(self, *, width: int = 640, height: int = 300) -> str:
        """Return the figure as a file of SVG: light or dark as the reader's system is, no script, nothing fetched.

        Args:
            width: its width in pixels.
            height: its height in pixels.
        """
        return paint(self.spec, Size(max(160, width), max(100, height)))

    def text(self, *, width: int = 80, height: int = 14, is_unicode: bool = True) -> str:
        """Return the figure in characters, for a terminal of so many columns.

        Args:
            width: how many columns wide.
            height: how many lines high.
            is_unicode: whether it may hold more than ASCII.
        """
        return "\n".join(paint_text(self.spec, width=width, height=height, is_unicode=is_unicode))

    def save(self, path: str | os.PathLike[str], *, width: int = 640, height: int = 300) -> Path:
        """Write the figure to a file whose ending says how: `.svg`, `.json` or `.txt`; return its path.

        Args:
            path: the file; its ending says in which form.
            width: how wide it is, in pixels; a text is always 80 columns wide.
            height: how high it is, in pixels.

        Raises:
            FigureError: the ending is another one.
        """
        target = Path(path)
        match target.suffix.lower():
            case ".svg":
                content = self.svg(width=width, height=height)
            case ".json":
                content = self.to_json() + "\n"
            case ".txt":
                content = self.text() + "\n"
            case other:
                raise FigureError(
                    action="saved",
                    found=f"the path {target.name!r} has the ending {other!r}",
                    fix="Give a path that ends in .svg, .json or .txt.",
                )
        target.write_text(content, encoding="utf-8")
        return target

    def _repr_html_(self) -> str:
        return panel(paint(self.spec, Size(has_style=False)))

    def __repr__(self) -> str:
        spec = self.spec
        what = ""
        if isinstance(spec, Curves):
            what = f", {len(spec.lines)} {'line' if len(spec.lines) == 1 else 'lines'}"
        elif isinstance(spec, Bars):
            what = f", {len(spec.labels)} bars"
        return f"Figure({type(spec).__name__.lower()} {clip(spec.title, 60)!r}{what})"
