"""Curves that judge scores: rates at each threshold, and which examples are positive, as scikit-learn has both.

Formulas: Fawcett, An introduction to ROC analysis (2006); average precision is the sum of precision times the step of recall.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from otel_experiments.codec.text import shown, text_of
from otel_experiments.errors import MediaRefusedError

MAX_CLASSES: Final = 1000
_SHOWN: Final = 5
Curve = tuple[list[float], list[float], list[float], float]
Judged = tuple[object, object, list[bool]]
"""A class as it is in the labels, its name, and for each example whether it is of it."""


def curves_of(
    true: Sequence[Any],
    scores: Sequence[Any],
    class_names: Sequence[Any] | None,
    positive: object,
    drawn: Sequence[object] | None,
    curve_of: Callable[[list[bool], list[float]], Curve],
) -> Mapping[str, Any]:
    """Return a curve for each class, or for the positive one of two.

    Args:
        true: the class of each example, or a row of 0 and 1 for each.
        scores: a number for each example, or a row of as many as there are classes.
        class_names: names, in the order of the columns of the scores.
        positive: the label that is positive, where there is one score an example; None for the larger one.
        drawn: the classes that are wanted, by name or label; None for all.
        curve_of: `roc` or `precision_recall`.

    Raises:
        MediaRefusedError: the labels are not of the classes that the scores are of.
    """
    width = _width(scores, "y_score is one score an example, or examples x classes")
    rows = [row if hasattr(row, "__len__") else (row,) for row in scores]
    judged = (
        [_one_of_two(_flat(true), class_names, positive)]
        if width == 1
        else _one_of_many(true, class_names, width)
    )
    curves = []
    for place, (label, name, labels) in enumerate(judged):
        if drawn is not None and label not in drawn and name not in drawn:
            continue
        column = [float(row[place]) for row in rows]
        if not all(map(math.isfinite, column)):
            raise MediaRefusedError(why="y_score holds NaN or infinities")
        if not any(labels):
            raise MediaRefusedError(why=f"no example is of the class {shown(name)}: its curve needs one")
        x, y, thresholds, area = curve_of(labels, column)
        curves.append(
            {"name": text_of(name), "x": x, "y": y, "thresholds": [None, *thresholds], "area": area}
        )
    if not curves:
        raise MediaRefusedError(why=f"none of the classes is in classes_to_plot={shown(drawn)}")
    return {"curves": curves}


def _width(rows: Sequence[Any], wanted: str) -> int:
    """Return how many columns there are: 1 for numbers that are in no row."""
    widths = {len(row) if hasattr(row, "__len__") and not isinstance(row, str) else 1 for row in rows}
    if len(widths) != 1 or not 0 < max(widths) <= MAX_CLASSES:
        raise MediaRefusedError(why=f"{wanted} (up to {MAX_CLASSES})")
    return max(widths)


def _flat(true: Sequence[Any]) -> list[Any]:
    """Return labels; rows of one label, or of 0 and 1 for two classes, become labels."""
    if not is_rows(true):
        return list(true)
    width = _width(true, "y_true is one label an example, or examples x classes")
    if width == 1:
        return [row[0] for row in true]
    if width == 2 and is_one_hot(true):
        return [int(row[1]) for row in true]
    raise MediaRefusedError(
        why=f"y_true is of {width} classes, and one score an example judges two; pass scores of examples x classes"
    )


def is_rows(values: Sequence[Any]) -> bool:
    """Tell whether each value is a row of values."""
    return all(hasattr(row, "__len__") and not isinstance(row, (str, bytes)) for row in values)


def is_one_hot(rows: Sequence[Any]) -> bool:
    """Tell whether each row is a 1 among zeros."""
    return all(set(row) <= {0, 1} and sum(row) == 1 for row in rows)


def _one_of_two(true: list[Any], class_names: Sequence[Any] | None, positive: object) -> Judged:
    if class_names is not None and len(class_names) != 2:
        raise MediaRefusedError(
            why=f"class_names has {len(class_names)} names, and the scores are of 2 classes"
        )
    found = _classes(true)
    if positive is None:
        positive = _positive(found, class_names)
    elif positive not in found:
        raise MediaRefusedError(why=f"pos_label={shown(positive)} is none of the labels {_few(found)}")
    name = class_names[1] if class_names is not None and positive not in class_names else positive
    return positive, name, [label == positive for label in true]


def _positive(found: list[Any], class_names: Sequence[Any] | None) -> object:
    if class_names is not None and set(found) <= set(class_names):
        return class_names[1]
    if set(found) <= {0, 1} or set(found) <= {-1, 1}:
        return 1
    if len(found) > 2:
        raise MediaRefusedError(
            why=f"y_true has the {len(found)} classes {_few(found)}, and one score an example judges two; pass scores of "
            "examples x classes, or pos_label="
        )
    if len(found) < 2:
        raise MediaRefusedError(why=f"all examples are of one class, {shown(found[0])}; a curve needs two")
    return found[1]


def _one_of_many(true: Sequence[Any], class_names: Sequence[Any] | None, width: int) -> list[Judged]:
    if class_names is not None and len(class_names) != width:
        raise MediaRefusedError(
            why=f"class_names has {len(class_names)} names, and the scores are of {width} classes"
        )
    names: Sequence[Any] = class_names if class_names is not None else range(width)
    if is_rows(true):
        if _width(true, "y_true is one label an example, or examples x classes") == width and all(
            set(row) <= {0, 1} for row in true
        ):
            return [(place, name, [row[place] == 1 for row in true]) for place, name in enumerate(names)]
        true = _flat(true)
    found = _classes(true)
    order: Sequence[Any]
    if class_names is not None and set(found) <= set(class_names):
        order = class_names
    elif set(found) <= set(range(width)):
        order = range(width)
    elif len(found) == width:
        order = found  # as the columns of predict_proba are
        names = found if class_names is None else names
    else:
        raise MediaRefusedError(
            why=f"y_true has the classes {_few(found)}, and the scores are of {width}; pass class_names= with these, in the "
            "order of the columns of the scores"
        )
    return [(label, name, [one == label for one in true]) for label, name in zip(order, names, strict=True)]


def _classes(true: Sequence[Any]) -> list[Any]:
    """Return the labels that occur, sorted."""
    try:
        found = sorted(set(true))
    except TypeError as error:
        raise MediaRefusedError(
            why="y_true holds labels of several kinds, or None; pass whole numbers or texts"
        ) from error
    for label in found:
        if isinstance(label, float) and not label.is_integer():
            raise MediaRefusedError(
                why=f"y_true holds {label}, which is no class; pass whole numbers or texts"
            )
    return found


def _few(found: Sequence[object]) -> str:
    return ", ".join(map(shown, found[:_SHOWN])) + (", ..." if len(found) > _SHOWN else "")


def _steps(labels: list[bool], scores: list[float]) -> tuple[list[int], list[int], list[float]]:
    """Return how many true and false positives there are at each threshold, from the highest score down."""
    order = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
    hits, misses, thresholds = [], [], []
    hit = miss = 0
    for place, index in enumerate(order):
        if labels[index]:
            hit += 1
        else:
            miss += 1
        if place + 1 == len(order) or scores[order[place + 1]] != scores[index]:
            hits.append(hit)
            misses.append(miss)
            thresholds.append(scores[index])
    return hits, misses, thresholds


def roc(labels: list[bool], scores: list[float]) -> Curve:
    """Return false positives, true positives, thresholds and the area below."""
    hits, misses, thresholds = _steps(labels, scores)
    positives, negatives = hits[-1], misses[-1]
    if not positives or not negatives:
        raise MediaRefusedError(why="all examples are of one class: a ROC curve needs both")
    x = [0.0, *(miss / negatives for miss in misses)]
    y = [0.0, *(hit / positives for hit in hits)]
    area = sum((x[at] - x[at - 1]) * (y[at] + y[at - 1]) / 2 for at in range(1, len(x)))
    return x, y, thresholds, area


def precision_recall(labels: list[bool], scores: list[float]) -> Curve:
    """Return recall, precision, thresholds and the average precision."""
    hits, misses, thresholds = _steps(labels, scores)
    positives = hits[-1]
    if not positives:
        raise MediaRefusedError(why="no example is positive: a curve of precision and recall needs one")
    x = [0.0, *(hit / positives for hit in hits)]
    y = [1.0, *(hit / (hit + miss) for hit, miss in zip(hits, misses, strict=True))]
    area = sum((x[at] - x[at - 1]) * y[at] for at in range(1, len(x)))
    return x, y, thresholds, area
