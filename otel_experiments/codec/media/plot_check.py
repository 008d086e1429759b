"""What a stored plot has to hold so that it can be drawn. Its bytes come from a store, which may be anybody's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeGuard

_CURVES: Final = ("roc_curve", "pr_curve")


def check_plot(kind: object, data: Mapping[str, Any]) -> None:
    """Let the numbers of a plot pass that are those of its kind; a kind that is not known holds what it likes.

    Raises:
        ValueError: a part is missing, or is of another kind or length.
    """
    if not isinstance(kind, str):
        raise ValueError(f"the kind of a plot is a text, not {type(kind).__name__}")  # noqa: TRY004 - the content is wrong
    if kind == "confusion_matrix":
        _check_matrix(data)
    elif kind in _CURVES:
        curves = data.get("curves")
        if not isinstance(curves, list) or not all(map(_is_curve, curves)):
            raise ValueError("each of its curves needs a name, an area, and as many numbers x as y")


def _check_matrix(data: Mapping[str, Any]) -> None:
    classes, counts = data.get("classes"), data.get("counts")
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise ValueError("its classes are no list of texts")
    if not isinstance(counts, list) or len(counts) != len(classes):
        raise ValueError(f"its counts are not {len(classes)} rows, one a class")
    if not all(_is_numbers(row) and len(row) == len(classes) for row in counts):
        raise ValueError(f"a row of its counts has not {len(classes)} numbers, one a class")


def _is_curve(curve: object) -> bool:
    if not isinstance(curve, dict) or not isinstance(curve.get("name"), str):
        return False
    x, y = curve.get("x"), curve.get("y")
    return _is_number(curve.get("area")) and _is_numbers(x) and _is_numbers(y) and len(x) == len(y)


def _is_numbers(values: object) -> TypeGuard[list[float]]:
    return isinstance(values, list) and all(map(_is_number, values))


def _is_number(value: object) -> bool:
    """Tell whether it is a number that a float can hold."""
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            float(value)
        except OverflowError:
            return False
        return True
    return isinstance(value, float)
