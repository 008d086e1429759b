"""What a figure shows, as values: columns, axes and labels, and nothing of how they are painted.

One spec is made in Python; painters turn it into SVG, into text, or in a browser into a canvas, from the JSON of
`spec_json`. Columns are plain numbers. A value that is not finite stays in its column: painters break the line there and
mark it, so that no NaN is smoothed away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Final, Literal, TypeAlias

from otel_experiments._short_repr import fields_repr

VERSION: Final = 1
"""Of the spec's JSON. Fields are only added; a painter ignores those that it does not know."""

AxisKind = Literal["value", "step", "relative", "wall"]
"""`relative` is in seconds, `wall` in seconds since the Unix epoch."""
ScaleKind = Literal["auto", "linear", "log", "symlog"]
"""`auto` is logarithmic where all values are positive and span more than a factor of 1,000, else linear."""
LineStyle = Literal["normal", "thin", "wide"]
MarkKind = Literal["event", "change", "checkpoint", "anomaly"]


@dataclass(frozen=True, slots=True)
class Axis:
    """What one direction of a figure means.

    Attributes:
        kind: what its numbers are: values (`value`), steps (`step`), seconds since the start (`relative`) or points in time (`wall`).
        scale: `linear`, `log`, `symlog`, or `auto`.
        label: the text beside it.
        low, high: its range; by default that of the finite values.
    """

    kind: AxisKind = "value"
    _: KW_ONLY
    scale: ScaleKind = "linear"
    label: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One curve.

    Shape: `x` and `y` have the same length.

    Attributes:
        label: its name in the legend.
        x: where its points are; values may repeat and go back.
        y: their values.
        color: its place in the painter's palette, from 0 on.
        style: `normal`, `thin` or `wide`.
        is_dashed: whether it is dashed.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    _: KW_ONLY
    color: int = 0
    style: LineStyle = "normal"
    is_dashed: bool = False

    def __repr__(self) -> str:
        return fields_repr(self)


@dataclass(frozen=True, slots=True)
class Area:
    """The space between two curves: the extremes of what was thinned, or the range of several runs.

    Shape: `x`, `low` and `high` have the same length.

    Attributes:
        label: its name in the legend.
        x: where its points are.
        low, high: the lower and the upper curve.
        color: its place in the painter's palette, from 0 on.
        style: `wide` has a broad edge, so that the area is seen where it is narrow.
    """

    label: str
    x: Sequence[float]
    _: KW_ONLY
    low: Sequence[float]
    high: Sequence[float]
    color: int = 0
    style: LineStyle = "normal"

    def __repr__(self) -> str:
        return fields_repr(self)


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on the horizontal axis at which something happened.

    Attributes:
        x: where it is.
        label: what happened.
        kind: `event`, `change`, `checkpoint` or `anomaly`, which chooses its sign.
    """

    x: float
    label: str
    kind: MarkKind = "event"


@dataclass(frozen=True, slots=True)
class Curves:
    """Lines and areas over one horizontal axis.

    Attributes:
        title: the text above the figure.
        lines: the curves.
        areas: what is filled behind them.
        marks: events on the horizontal axis.
        x, y: what the axes mean.
        notes: short texts under the figure.
    """

    title: str
    lines: tuple[Line, ...] = ()
    _: KW_ONLY
    areas: tuple[Area, ...] = ()
    marks: tuple[Mark, ...] = ()
    x: Axis = field(default_factory=lambda: Axis("step"))
    y: Axis = field(default_factory=Axis)
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return fields_repr(self)


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts between edges.

    Shape: one edge more than counts, the edges ascending.

    Attributes:
        title: the text above the figure.
        edges: where one count ends and the next begins.
        counts: how many values lie between two edges.
        color: its place in the painter's palette, from 0 on.
        x, y: what the axes mean.
        notes: short texts under the figure.
    """

    title: str
    edges: Sequence[float]
    counts: Sequence[float]
    _: KW_ONLY
    color: int = 0
    x: Axis = field(default_factory=Axis)
    y: Axis = field(default_factory=lambda: Axis(label="count"))
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return fields_repr(self)


@dataclass(frozen=True, slots=True)
class Bars:
    """One value for each label.

    Shape: as many labels as values.

    Attributes:
        title: the text above the figure.
        labels: what each bar stands for.
        values: how long each bar is.
        color: its place in the painter's palette, from 0 on.
        y: what the axis of the values means.
        notes: short texts under the figure.
    """

    title: str
    labels: tuple[str, ...]
    values: Sequence[float]
    _: KW_ONLY
    color: int = 0
    y: Axis = field(default_factory=Axis)
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return fields_repr(self)


@dataclass(frozen=True, slots=True)
class Heat:
    """A value for each cell of a grid: histograms by step, a confusion matrix.

    Attributes:
        title: the text above the figure.
        cells: the values, `cells[row][column]`; the first row is the lowest where `rows` are edges, the uppermost where they are
            labels.
        columns, rows: labels, one a cell, or ascending edges, one more than cells.
        scale: whether colours follow the values or their logarithms.
        has_values: whether each cell shows its value as a number.
        x, y: what the axes mean.
        notes: short texts under the figure.
    """

    title: str
    cells: Sequence[Sequence[float]]
    _: KW_ONLY
    columns: tuple[str, ...] | tuple[float, ...]
    rows: tuple[str, ...] | tuple[float, ...]
    scale: ScaleKind = "linear"
    has_values: bool = False
    x: Axis = field(default_factory=Axis)
    y: Axis = field(default_factory=Axis)
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return fields_repr(self)


Spec: TypeAlias = Curves | Histogram | Bars | Heat
"""What painters take."""
