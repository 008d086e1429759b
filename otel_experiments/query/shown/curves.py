"""Series as figures: of a short one every point, of a long one the extremes of each part, so that no spike is hidden."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal, Protocol

from otel_experiments.figures.figure import Figure
from otel_experiments.figures.spec import Area, Axis, Curves, Line
from otel_experiments.model.metric import Band, Points

XAxis = Literal["step", "relative", "wall"]
"""Steps, seconds since the first point of each series, or the time of day in UTC."""
_SHORT: Final = 1_000
"""Series of so many points are drawn whole."""
_LABELS: Final = {"step": "", "relative": "time since the first point", "wall": ""}


class Drawn(Protocol):
    """What is needed of a series to draw it: `SeriesView` has it, and imports this module."""

    @property
    def name(self) -> str:
        """The metric's name."""
        ...

    @property
    def phase(self) -> str:
        """The phase; empty for none."""
        ...

    @property
    def rank(self) -> int:
        """Whose series it is."""
        ...

    @property
    def ranks(self) -> list[int]:
        """The ranks that have the metric, the lowest first."""
        ...

    @property
    def count(self) -> int:
        """How many points there are."""
        ...

    @property
    def nan_count(self) -> int:
        """How many of them are NaN."""
        ...

    @property
    def min(self) -> float:
        """The smallest value."""
        ...

    @property
    def max(self) -> float:
        """The largest value."""
        ...

    def points(self) -> Points:
        """Return the whole history."""
        ...

    def band(self, *, buckets: int = 500) -> Band:
        """Return the series thinned."""
        ...


def figure_of(
    series: Sequence[Drawn],
    *,
    labels: Sequence[str] | None = None,
    title: str | None = None,
    x: XAxis = "step",
    log: bool = False,
    buckets: int = 500,
    notes: Sequence[str] = (),
) -> Figure:
    """Return the figure of one or more series.

    Args:
        series: What to draw, in the order of the legend.
        labels: A name for each; by default its metric, phase and rank.
        title: Above the figure; by default the label of the only series.
        x: What the horizontal axis is.
        log: Whether the values are on a logarithmic axis.
        notes: Short texts under the figure.
        buckets: A long series is drawn as so many parts, each with its lowest, highest and last value.
    """
    names = [label_of(one) for one in series] if labels is None else list(labels)
    lines: list[Line] = []
    areas: list[Area] = []
    for color, (one, name) in enumerate(zip(series, names, strict=True)):
        line, area = _columns(one, name, color, x, buckets)
        lines.append(line)
        areas += [] if area is None else [area]
    shown = names[0] if title is None and len(names) == 1 else title or ""
    axes = Axis(x, label=_LABELS[x]), Axis(scale="log" if log else "linear")
    return Figure(Curves(shown, tuple(lines), areas=tuple(areas), notes=tuple(notes), x=axes[0], y=axes[1]))


def label_of(series: Drawn) -> str:
    """Return the metric's name, with its phase in brackets, and its rank where it is not the one shown by default."""
    label = f"{series.name} [{series.phase}]" if series.phase else series.name
    return label if series.rank == series.ranks[0] else f"{label} rank {series.rank}"


def curves_of_band(band: Band, label: str, *, color: int = 0) -> tuple[Line, Area | None]:
    """Return the last value of each bucket as a line, and the extremes as an area where buckets hold several points."""
    middle = [first / 2 + last / 2 for first, last in zip(band.first_steps, band.last_steps, strict=True)]
    if len(middle) > 1:  # the axis begins and ends where the series does
        middle[0], middle[-1] = band.first_steps[0], band.last_steps[-1]
    line = Line(label, middle, list(band.last), color=color)
    if all(count == 1 for count in band.counts):
        return line, None
    return line, Area(label, middle, low=list(band.low), high=list(band.high), color=color)


def _columns(series: Drawn, label: str, color: int, x: XAxis, buckets: int) -> tuple[Line, Area | None]:
    is_finite = math.isfinite(series.min) and math.isfinite(series.max) and not series.nan_count
    if x == "step" and series.count > _SHORT and is_finite:
        return curves_of_band(series.band(buckets=buckets), label, color=color)
    points = series.points()
    places: Sequence[float] = points.steps
    if x != "step":
        start_ns = 0 if x == "wall" else min(points.times_ns, default=0)
        places = [(one - start_ns) / 1e9 for one in points.times_ns]
    return Line(label, list(places), list(points.values), color=color), None
