"""Curves as SVG: areas, lines that break where a value is not finite, a sign for each such value, marks, legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from otel_experiments.figures.escape import clip, escape_markup
from otel_experiments.figures.quantity import number
from otel_experiments.figures.scale import Scale, scale_of
from otel_experiments.figures.spec import Area, Axis, Curves, Line, Mark
from otel_experiments.figures.svg.frame import (
    Entry,
    Frame,
    Size,
    axes,
    document,
    fit,
    heading,
    legend,
    legend_rows,
    notes,
    text,
)
from otel_experiments.figures.svg.style import PALETTE, color_of
from otel_experiments.figures.thin import thin

_POINTS: Final = 20_000
"""Of all lines together: more make the file large, and cannot be told apart."""
_MAX_SIGNS: Final = 50
"""Of values that are not finite, for one colour."""
_MARK_COLORS: Final = {"event": "soft", "change": "bad", "checkpoint": "good", "anomaly": "warn"}


def paint_curves(spec: Curves, size: Size) -> str:
    """Return the SVG; without a finite value the frame says so."""
    entries = _entries(spec)
    rows = legend_rows(entries, size.width - 24) if len(entries) > 1 and size.has_legend else []
    scales = scales_of(spec)
    told = [*spec.notes, *hidden_notes(spec, scales)]
    if scales is None:
        body = [
            *heading(size, spec.title),
            text(size.width / 2, size.height / 2, "no finite value", anchor="middle"),
        ]
        body += notes(told, 10, size.height - 8 - 16 * (len(told) - 1), size.width - 20)
        return document(size, spec.title, describe(spec, None), body)
    x, y = scales
    y_axis = _logarithmic(spec.y, y)
    frame = fit(size, x, y, x_axis=spec.x, y_axis=y_axis, title=spec.title, below=len(rows) + len(told))
    at_most = max(60, min(int(2 * (frame.right - frame.left)), _POINTS // max(1, len(spec.lines))))
    parts = [*heading(size, spec.title), *axes(frame, x_axis=spec.x, y_axis=y_axis)]
    parts += (part for area in spec.areas for part in _area(area, frame, at_most))
    parts += (part for mark in spec.marks for part in _mark(mark, frame))
    parts += (
        part for line in spec.lines for part in _line(line, frame, at_most, is_crowd=len(spec.lines) > 20)
    )
    parts += _signs(spec.lines, frame)
    below = size.height - 8 - 16 * (len(rows) + len(told) - 1)
    parts += legend(rows, 12, below)
    parts += notes(told, 12, below + 16 * len(rows), size.width - 24)
    return document(size, spec.title, describe(spec, scales), parts)


def scales_of(spec: Curves) -> tuple[Scale, Scale] | None:
    """Return the scales of both axes; None where nothing has a place."""
    values = (value for line in spec.lines for value in line.y)
    bounds = (value for area in spec.areas for column in (area.low, area.high) for value in column)
    y = scale_of([*values, *bounds], spec.y, room=0.04)
    places = [value for line in spec.lines for value in line.x] + [
        value for area in spec.areas for value in area.x
    ]
    x = scale_of(places, spec.x)
    return None if x is None or y is None else (x, y)


def hidden_notes(spec: Curves, scales: tuple[Scale, Scale] | None) -> list[str]:
    """Return what of the columns has no place in the figure."""
    if scales is None or scales[1].kind != "log":
        return []
    hidden = sum(math.isfinite(value) and value <= 0 for line in spec.lines for value in line.y)
    if not hidden:
        return []
    return [
        f"{hidden} {'value is' if hidden == 1 else 'values are'} not positive and not on the logarithmic axis"
    ]


def describe(spec: Curves, scales: tuple[Scale, Scale] | None) -> str:
    """Return the figure in words: how many lines over what range, and where each of the first begins and ends."""
    if scales is None:
        return "No finite value."
    x, y = scales
    what = {"step": "steps", "relative": "seconds", "wall": "time", "value": "values"}[spec.x.kind]
    count = "1 line" if len(spec.lines) == 1 else f"{len(spec.lines)} lines"
    texts = [f"{count} over {what} {number(x.low)} to {number(x.high)}, {y.kind} axis."]
    for line in spec.lines[:5]:
        finite = [value for value in line.y if math.isfinite(value)]
        lost = len(line.y) - len(finite)
        if not finite:
            texts.append(f"{line.label}: no finite value.")
            continue
        texts.append(
            f"{line.label}: {len(line.y)} points, from {number(finite[0])} to {number(finite[-1])}, "
            f"lowest {number(min(finite))}, highest {number(max(finite))}"
            f"{f', {lost} not finite' if lost else ''}."
        )
    return " ".join(texts)


def _logarithmic(axis: Axis, scale: Scale) -> Axis:
    if scale.kind == "linear":
        return axis
    name = {"log": "log scale", "symlog": "symmetric log scale"}[scale.kind]
    return replace(axis, label=f"{axis.label}, {name}" if axis.label else name)


def _entries(spec: Curves) -> list[Entry]:
    """Return one entry for each label and colour; lines of one label, such as five goldens, are one entry."""
    found: dict[tuple[str, int], Entry] = {}
    for line in spec.lines:
        found.setdefault((line.label, line.color), Entry(line.label, line.color, _is_dashed(line)))
    return list(found.values())


def _is_dashed(line: Line) -> bool:
    return line.is_dashed or line.color // len(PALETTE) % 2 == 1


def _area(area: Area, frame: Frame, at_most: int) -> list[str]:
    points: list[tuple[float, float, float]] = []
    parts: list[str] = []
    kept = sorted({*thin(area.low, at_most=at_most), *thin(area.high, at_most=at_most)})
    for at in [*kept, None]:
        if at is not None:
            x, low, high = area.x[at], area.low[at], area.high[at]
            if frame.x.fits(x) and frame.y.fits(high) and (frame.y.fits(low) or frame.y.kind == "log"):
                low = low if frame.y.fits(low) else frame.y.low
                points.append((frame.x_of(x), frame.y_of(low), frame.y_of(high)))
                continue
        if len(points) > 1:
            ring = [f"{x:.1f},{high:.1f}" for x, _, high in points]
            ring += [f"{x:.1f},{low:.1f}" for x, low, _ in reversed(points)]
            name = color_of(area.color)
            edge = f" oxp-s-{name}" if area.style == "wide" else ""
            parts.append(f'<polygon class="oxp-area oxp-f-{name}{edge}" points="{" ".join(ring)}"/>')
        elif points and points[0][1] != points[0][2]:
            x, low, high = points[0]
            parts.append(
                f'<line class="oxp-s-{color_of(area.color)}" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
            )
        points = []
    return parts


def _line(line: Line, frame: Frame, at_most: int, *, is_crowd: bool) -> list[str]:
    classes = f"oxp-s-{color_of(line.color)}"
    if line.style != "normal" or is_crowd:
        classes += " oxp-thin" if line.style != "wide" else " oxp-wide"
    if _is_dashed(line):
        classes += " oxp-dashed"
    parts: list[str] = []
    stretch: list[tuple[float, float]] = []
    for at in [*thin(line.y, at_most=at_most), None]:
        if at is not None and frame.x.fits(line.x[at]) and frame.y.fits(line.y[at]):
            stretch.append((frame.x_of(line.x[at]), frame.y_of(line.y[at])))
            continue
        if len(stretch) == 1:
            x, y = stretch[0]
            parts.append(f'<circle class="oxp-f-{color_of(line.color)}" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>')
        elif stretch:
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in stretch)
            parts.append(f'<polyline class="{classes}" points="{points}"/>')
        stretch = []
    if not parts:
        return []
    return [f"<g><title>{escape_markup(clip(line.label, 200))}</title>", *parts, "</g>"]


def _mark(mark: Mark, frame: Frame) -> list[str]:
    if not (frame.x.fits(mark.x) and frame.x.low <= mark.x <= frame.x.high):
        return []
    x = f"{frame.x_of(mark.x):.1f}"
    told = escape_markup(clip(mark.label, 200))
    where = f'x1="{x}" x2="{x}" y1="{frame.top:.1f}" y2="{frame.bottom:.1f}"'
    return [f'<line class="oxp-mark oxp-s-{_MARK_COLORS[mark.kind]}" {where}><title>{told}</title></line>']


def _signs(lines: Sequence[Line], frame: Frame) -> list[str]:
    """Return a sign for each value that is not finite: a cross for NaN, a triangle up or down for an infinity."""
    lost: dict[int, dict[float, tuple[str, float]]] = {}
    for line in lines:
        for x, value in zip(line.x, line.y, strict=True):
            if not math.isfinite(value) and frame.x.fits(x):
                lost.setdefault(line.color, {}).setdefault(x, (line.label, value))
    parts: list[str] = []
    for level, found in enumerate(lost.values()):
        every = max(1, math.ceil(len(found) / _MAX_SIGNS))
        for x, (label, value) in sorted(found.items())[::every]:
            told = escape_markup(f"{clip(label, 100)}: {number(value)} at {number(x)}")
            path = _sign(frame.x_of(x), value, frame, min(level, 3) * 9)
            parts.append(f'<path class="oxp-lost oxp-s-bad" d="{path}"><title>{told}</title></path>')
    return parts


def _sign(x: float, value: float, frame: Frame, shift: float) -> str:
    if math.isnan(value):
        return f"M{x - 3:.1f} {frame.bottom - 9 - shift:.1f}l6 6m0 -6l-6 6"
    if value > 0:
        return f"M{x - 3.5:.1f} {frame.top + 8 + shift:.1f}l3.5 -6l3.5 6z"
    return f"M{x - 3.5:.1f} {frame.bottom - 8 - shift:.1f}l3.5 6l3.5 -6z"
