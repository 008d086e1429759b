"""Curves of a comparison as inline SVG: the goldens' range and lines, the candidate above them, NaN marked.

Colours are classes of the page, so that they follow its light or dark style.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from otel_experiments.golden.checks.curves import CurveView
from otel_experiments.golden.curves.compare import Curve
from otel_experiments.golden.report.escape import escape_markup

WIDTH: Final = 460
HEIGHT: Final = 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 10, 10, 24
MAX_POINTS: Final = 300
"""Of one line: more cannot be told apart at this width; extremes are kept."""
_MAX_LINES: Final = 20
_MAX_MARKS: Final = 50
_LOG_RATIO: Final = 1_000.0
"""Positive curves that span more than this are drawn over a logarithmic axis."""


@dataclass(frozen=True, slots=True)
class _Scale:
    """From values to positions; `is_log` is about the vertical axis."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float
    is_log: bool

    def x(self, index: float) -> float:
        return _LEFT + _share(index, self.x_low, self.x_high) * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        low, high = self.y_low, self.y_high
        if self.is_log:
            value, low, high = math.log10(value), math.log10(low), math.log10(high)
        return HEIGHT - _BOTTOM - _share(value, low, high) * (HEIGHT - _TOP - _BOTTOM)


def _share(value: float, low: float, high: float) -> float:
    """Return where a value is between two others, 0 to 1; in halves, for the difference may overflow."""
    width = high / 2 - low / 2
    return 0.5 if width <= 0 else (value / 2 - low / 2) / width


def draw_curve(view: CurveView, *, first_changed: float | None = None) -> str:
    """Return the SVG of one metric; `first_changed` is the index at which a finding begins.

    Empty where no run has a finite value.
    """
    golden = [_finite(curve) for curve in view.golden[:_MAX_LINES]]
    candidate = [_finite(curve) for curve in view.candidate[:_MAX_LINES]]
    scale = _scale([*golden, *candidate], view)
    if scale is None:
        return ""
    title = escape_markup(f"{view.metric} at {view.path}")
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}" xmlns="http://www.w3.org/2000/svg">',
        *_axes(scale),
    ]
    if first_changed is not None and scale.x_low <= first_changed <= scale.x_high:
        at = f"{scale.x(first_changed):.1f}"
        parts.append(f'<line class="since" x1="{at}" x2="{at}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>')
    if len(golden) > 1:
        parts += _band(golden, scale)
    kind = "golden thin" if len(golden) > 1 else "golden"
    parts += (line for curve in golden for line in _line(curve, scale, kind))
    parts += (line for curve in candidate for line in _line(curve, scale, "candidate"))
    parts += _marks(view.candidate, scale, "candidate")
    parts += _marks(view.golden, scale, "golden")
    return "".join([*parts, "</svg>"])


_Points = list[tuple[float, float]]
"""Index and value, by ascending index; the value of a point that is not finite is NaN and breaks the line."""


def _finite(curve: Curve) -> _Points:
    points = [
        (float(index), float(value) if math.isfinite(value) else math.nan)
        for index, value in zip(curve.indexes, curve.values, strict=True)
        if math.isfinite(index)
    ]
    return _thin(sorted(points, key=lambda point: point[0]))


def _thin(points: _Points) -> _Points:
    """Return at most about `MAX_POINTS` points: of each stretch the lowest, the highest, and where it breaks."""
    if len(points) <= MAX_POINTS:
        return points
    size = math.ceil(2 * len(points) / MAX_POINTS)
    kept: list[int] = []
    for start in range(0, len(points), size):
        stretch = range(start, min(start + size, len(points)))
        whole = [at for at in stretch if not math.isnan(points[at][1])]
        chosen = (
            {min(whole, key=lambda at: points[at][1]), max(whole, key=lambda at: points[at][1])}
            if whole
            else set()
        )
        broken = next((at for at in stretch if math.isnan(points[at][1])), None)
        if broken is not None:
            chosen.add(broken)
        kept += sorted(chosen)
    return [points[at] for at in sorted({0, *kept, len(points) - 1})]


def _scale(lines: Sequence[_Points], view: CurveView) -> _Scale | None:
    values = [value for line in lines for _, value in line if not math.isnan(value)]
    if not values:
        return None
    indexes = [
        index for curve in (*view.golden, *view.candidate) for index in curve.indexes if math.isfinite(index)
    ]
    low, high = min(values), max(values)
    is_log = low > 0 and high / low > _LOG_RATIO
    return _Scale(min(indexes), max(indexes), low, high, is_log)


def _axes(scale: _Scale) -> list[str]:
    bottom = HEIGHT - _BOTTOM
    right = WIDTH - _RIGHT
    middle = (
        math.sqrt(scale.y_low) * math.sqrt(scale.y_high)
        if scale.is_log
        else scale.y_low / 2 + scale.y_high / 2
    )
    heights = dict.fromkeys((scale.y_high, middle, scale.y_low))
    parts = []
    for value in heights:
        at = scale.y(value)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{value:.4g}</text>')
    parts.append(f'<text x="{_LEFT}" y="{bottom + 16}">{scale.x_low:g}</text>')
    if scale.x_high > scale.x_low:
        parts.append(f'<text x="{right}" y="{bottom + 16}" text-anchor="end">{scale.x_high:g}</text>')
    if scale.is_log:
        parts.append(
            f'<text x="{(_LEFT + right) // 2}" y="{bottom + 16}" text-anchor="middle">log scale</text>'
        )
    return parts


def _band(golden: Sequence[_Points], scale: _Scale) -> list[str]:
    """Return the area between the lowest and the highest golden, where two or more have a value."""
    low: dict[float, float] = {}
    high: dict[float, float] = {}
    seen: dict[float, int] = {}
    for line in golden:
        for index, value in line:
            if not math.isnan(value):
                low[index] = min(value, low.get(index, value))
                high[index] = max(value, high.get(index, value))
                seen[index] = seen.get(index, 0) + 1
    indexes = sorted(index for index, count in seen.items() if count > 1)
    if len(indexes) < 2:
        return []
    above = [f"{scale.x(index):.1f},{scale.y(high[index]):.1f}" for index in indexes]
    below = [f"{scale.x(index):.1f},{scale.y(low[index]):.1f}" for index in reversed(indexes)]
    return [f'<polygon class="band" points="{" ".join(above + below)}"/>']


def _line(points: _Points, scale: _Scale, kind: str) -> list[str]:
    parts: list[str] = []
    stretch: list[str] = []
    for index, value in [*points, (0.0, math.nan)]:
        if not math.isnan(value):
            stretch.append(f"{scale.x(index):.1f},{scale.y(value):.1f}")
            continue
        if len(stretch) == 1:
            x, y = stretch[0].split(",")
            parts.append(f'<circle class="dot {kind}" cx="{x}" cy="{y}" r="2.5"/>')
        elif stretch:
            parts.append(f'<polyline class="{kind}" points="{" ".join(stretch)}"/>')
        stretch = []
    return parts


def _marks(curves: Sequence[Curve], scale: _Scale, kind: str) -> list[str]:
    """Return a cross for each index without a finite value, the candidate's at the bottom, the golden's on top."""
    lost = {
        float(index): value
        for curve in reversed(curves)
        for index, value in zip(curve.indexes, curve.values, strict=True)
        if not math.isfinite(value) and math.isfinite(index)
    }
    step = math.ceil(len(lost) / _MAX_MARKS)
    y = HEIGHT - _BOTTOM - 6 if kind == "candidate" else _TOP + 6
    return [
        f'<path class="nan {kind}" d="M{x - 3:.1f} {y - 3}l6 6m0 -6l-6 6"><title>{value} at {index:g}</title></path>'
        for index, value in sorted(lost.items())[:: max(1, step)]
        for x in [scale.x(index)]
    ]
