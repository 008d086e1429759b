"""A figure of matplotlib, stored as the PNG it draws, or of plotly, stored as the JSON that draws it."""

from __future__ import annotations

import io
import sys
from typing import Any, ClassVar, Final

from otel_experiments.codec.media.library import is_of
from otel_experiments.codec.media.media import SOURCE, Encoded, Media, Tell, described
from otel_experiments.errors import MediaRefusedError
from otel_experiments.model.run import ParamValue

PLOTLY: Final = "application/vnd.plotly.v1+json"


class Figure(Media):
    """A figure of matplotlib or plotly. `run.log({"fit": figure})` takes it as it is, too.

    Attributes:
        figure: what was given: a figure, its axes, or the module `matplotlib.pyplot` for the figure that is current there.
    """

    type: ClassVar[str] = "figure"

    def __init__(self, figure: Any, caption: str | None = None) -> None:
        super().__init__(caption, {})
        self.figure = figure

    def _described(self) -> str:
        return described(self.figure)

    def encode(self, tell: Tell) -> Encoded:  # noqa: ARG002 - a figure is kept whole or not at all
        """Return the figure as it is stored."""
        if is_plotly(self.figure):
            text = self.figure.to_json()
            return Encoded(self.type, PLOTLY, ".json", text.encode(), {SOURCE: "plotly"}, self.caption)
        return self._drawn()

    def _drawn(self) -> Encoded:
        figure = _figure_of(self.figure)
        written = io.BytesIO()
        figure.savefig(written, format="png")
        data = written.getvalue()
        width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
        facts: dict[str, ParamValue] = {SOURCE: "matplotlib", "width": width, "height": height}
        return Encoded(self.type, "image/png", ".png", data, facts, self.caption)


def is_plotly(value: object) -> bool:
    """Tell whether it is a figure of plotly."""
    return is_of(value, "plotly.basedatatypes", "BaseFigure")


def is_drawn(value: object) -> bool:
    """Tell whether matplotlib draws it: a figure, axes, or `pyplot` itself."""
    if is_of(value, "matplotlib.figure", "FigureBase") or is_of(value, "matplotlib.axes", "Axes"):
        return True
    return value is not None and value is sys.modules.get("matplotlib.pyplot")


def _figure_of(value: Any) -> Any:
    if value is sys.modules.get("matplotlib.pyplot") and value is not None:
        if not value.get_fignums():  # `gcf` would make one
            raise MediaRefusedError(
                why="pyplot has no figure now: log it before it is closed, or pass the figure itself"
            )
        return value.gcf()
    if is_of(value, "matplotlib.axes", "Axes"):
        value = value.figure
    if not callable(getattr(value, "savefig", None)):
        raise MediaRefusedError(
            why=f"a figure is one of matplotlib or plotly, not {type(value).__name__}; pass it as a picture: "
            "ox.Image(array), or keep its file with run.log_artifact"
        )
    return value
