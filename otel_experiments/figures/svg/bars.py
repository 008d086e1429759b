"""Histograms, with bars as wide as their edges say, and bars by label, which lie so that labels can be read."""

from __future__ import annotations

import math
from typing import Final

from otel_experiments.figures.escape import clip, escape_markup
from otel_experiments.figures.quantity import number
from otel_experiments.figures.scale import scale_of
from otel_experiments.figures.spec import Axis, Bars, Histogram
from otel_experiments.figures.svg.frame import Size, axes, document, fit, heading, notes, text, width_px
from otel_experiments.figures.svg.style import color_of

_MAX_BARS: Final = 60
"""By label; what else there is, is counted."""
_BAR_PX: Final = 20


def paint_histogram(spec: Histogram, size: Size) -> str:
    """Return the SVG of counts between edges."""
    x = scale_of(spec.edges, spec.x)
    y = scale_of([0.0, *spec.counts], spec.y)
    if x is None or y is None or len(spec.edges) < 2:
        told = text(size.width / 2, size.height / 2, "no finite value", anchor="middle")
        return document(size, spec.title, "No finite value.", [*heading(size, spec.title), told])
    frame = fit(size, x, y, x_axis=spec.x, y_axis=spec.y, title=spec.title, below=len(spec.notes))
    parts = [*heading(size, spec.title), *axes(frame, x_axis=spec.x, y_axis=spec.y)]
    for low, high, count in zip(spec.edges, spec.edges[1:], spec.counts, strict=False):
        if not (x.fits(low) and x.fits(high) and y.fits(count)) or count == 0:
            continue
        left, right, top = frame.x_of(low), frame.x_of(high), frame.y_of(count)
        told = escape_markup(f"{number(low)} to {number(high)}: {number(count)}")
        parts.append(
            f'<rect class="oxp-f-{color_of(spec.color)}" x="{left:.1f}" y="{top:.1f}" '
            f'width="{max(0.5, right - left - 0.5):.1f}" height="{max(0.5, frame.bottom - top):.1f}"><title>{told}</title></rect>'
        )
    parts += notes(spec.notes, 12, size.height - 8 - 16 * (len(spec.notes) - 1), size.width - 24)
    finite = [one for one in spec.counts if math.isfinite(one)]
    said = f"{len(spec.counts)} bins from {number(spec.edges[0])} to {number(spec.edges[-1])}, {number(sum(finite))} in all."
    return document(size, spec.title, said, parts)


def paint_bars(spec: Bars, size: Size) -> str:
    """Return the SVG of one value a label, the bars lying, so tall as they need."""
    shown = list(zip(spec.labels, spec.values, strict=True))[:_MAX_BARS]
    left_out = len(spec.labels) - len(shown)
    scale = scale_of(
        [0.0, *(value for _, value in shown)], Axis(scale=spec.y.scale, low=spec.y.low, high=spec.y.high)
    )
    widest = min(size.width * 0.4, max((width_px(clip(label, 40)) for label, _ in shown), default=0.0))
    left, room = widest + 16, size.width - widest - 16 - 70
    top = 26 if size.has_title and spec.title else 8
    parts = heading(size, spec.title)
    zero = 0.0 if scale is None or not scale.fits(0.0) else scale.share(0.0)
    for at, (label, value) in enumerate(shown):
        y = top + at * _BAR_PX
        parts.append(text(left - 6, y + 14, clip(label, 40), anchor="end"))
        share = zero if scale is None or not scale.fits(value) else scale.share(value)
        start, end = sorted((left + zero * room, left + share * room))
        if end > start:
            parts.append(
                f'<rect class="oxp-f-{color_of(spec.color)}" x="{start:.1f}" y="{y + 3:.1f}" width="{end - start:.1f}" height="14"/>'
            )
        parts.append(text(end + 6, y + 14, number(value), color="ink"))
    told = [*spec.notes, *([f"and {left_out} more"] if left_out else [])]
    below = top + len(shown) * _BAR_PX
    parts += notes(told, 12, below + 14, size.width - 24)
    said = " ".join(f"{label}: {number(value)}." for label, value in shown[:10])
    return document(size, spec.title, said, parts, height=below + 16 * len(told) + 8)
