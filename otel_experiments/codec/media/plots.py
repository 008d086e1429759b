"""Curves and tables that judge a classifier: ROC, precision and recall, the confusion matrix. Computed here, in plain Python.

Formulas: Fawcett, An introduction to ROC analysis (2006); average precision is the sum of precision times the step of recall.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

from otel_experiments.codec.media.library import as_array, is_array
from otel_experiments.codec.media.media import SOURCE, Encoded, Media, Tell
from otel_experiments.codec.text import shown, text_of
from otel_experiments.errors import MediaRefusedError
from otel_experiments.process.interruption import is_interruption

_MAX_CLASSES: Final = 1000
Curve = tuple[list[float], list[float], list[float], float]


class Plot(Media):
    """What `confusion_matrix`, `pr_curve` and `roc_curve` return: numbers that are drawn as a plot.

    Attributes:
        kind: which of them.
        data: the numbers: lists and texts in a mapping. Computed when it is asked for or logged.
    """

    type: ClassVar[str] = "plot"

    def __init__(
        self, kind: str, data: Mapping[str, Any] | Callable[[], Mapping[str, Any]], caption: str | None = None
    ) -> None:
        super().__init__(caption, {})
        self.kind = kind
        self._data = data

    @property
    def data(self) -> Mapping[str, Any]:
        """The numbers.

        Raises:
            ValueError: what was given cannot be made into this plot.
        """
        if callable(self._data):
            self._data = self._data()
        return self._data

    def encode(self, tell: Tell) -> Encoded:  # noqa: ARG002 - kept whole or not at all
        """Return the plot as it is stored."""
        body = json.dumps({"kind": self.kind, **self.data}).encode()
        return Encoded(
            self.type, "application/json", ".json", body, {SOURCE: "plot", "kind": self.kind}, self.caption
        )


def plot_of(data: bytes, caption: str = "") -> Plot:
    """Return the plot that these bytes are."""
    body = json.loads(data)
    return Plot(body.pop("kind"), body, caption)


def confusion_matrix(
    y_true: Any,  # labels: a list, or an array of any library
    y_pred: Any = None,
    *,
    probs: Any = None,
    class_names: Sequence[object] | None = None,
    caption: str | None = None,
) -> Plot:
    """Return how often each class was taken for each: `data["counts"][true][predicted]`, and `data["classes"]`.

    Args:
        y_true: the class of each example: its index in `class_names`, or its name.
        y_pred: the class that the model said, in the same way.
        probs: examples x classes instead: the class with the highest number is the one that was said.
        class_names: names, in the order of the indices; without them the classes are those that occur, sorted.
        caption: a text that is shown with it.
    """
    return Plot("confusion_matrix", lambda: _confusion(y_true, y_pred, probs, class_names), caption)


def roc_curve(
    y_true: Any,
    y_score: Any,
    *,
    class_names: Sequence[object] | None = None,
    caption: str | None = None,
) -> Plot:
    """Return the rate of true positives over that of false ones, for each threshold, and the area below.

    `data["curves"]` has for each class `name`, `x` (false positives), `y` (true positives), `thresholds` (the first is None:
    nothing is positive), `area`. With one score an example there is one curve, of the class 1.

    Args:
        y_true: 0 or 1 for each example; with scores of several classes, the index of the class.
        y_score: one score an example, or examples x classes.
        class_names: names, in the order of the indices.
        caption: a text that is shown with it.
    """
    return Plot("roc_curve", lambda: _curves(y_true, y_score, class_names, _roc), caption)


def pr_curve(
    y_true: Any,
    y_score: Any,
    *,
    class_names: Sequence[object] | None = None,
    caption: str | None = None,
) -> Plot:
    """Return precision over recall for each threshold, and the average precision.

    `data["curves"]` has for each class `name`, `x` (recall), `y` (precision), `thresholds` (the first is None), `area` (the
    average precision). The arguments are those of `roc_curve`.
    """
    return Plot("pr_curve", lambda: _curves(y_true, y_score, class_names, _precision_recall), caption)


def _listed(values: Any, what: str) -> list[Any]:
    try:
        return list(as_array(values).tolist() if is_array(values) else values)
    except MediaRefusedError:
        if callable(getattr(values, "tolist", None)):
            return list(values.tolist())  # an array of texts
        raise
    except Exception as error:
        if is_interruption(error):
            raise
        raise MediaRefusedError(why=f"{what} is a list or an array, not {shown(values)}") from error


def _confusion(
    y_true: Any, y_pred: Any, probs: Any, class_names: Sequence[object] | None
) -> Mapping[str, Any]:
    true = _listed(y_true, "y_true")
    if y_pred is None and probs is None:
        raise MediaRefusedError(why="a confusion matrix needs y_pred, or probs")
    predicted = (
        _listed(y_pred, "y_pred")
        if y_pred is not None
        else [max(range(len(row)), key=row.__getitem__) for row in _listed(probs, "probs")]
    )
    _check_lengths(true, predicted, "y_pred")
    classes: list[Any]
    if class_names is None:
        found = {*true, *predicted}
        try:
            classes = sorted(found)
        except TypeError:
            classes = sorted(found, key=text_of)
        places = {value: index for index, value in enumerate(classes)}
    else:
        classes = list(class_names)
        places = {index: index for index in range(len(classes))} | {
            name: at for at, name in enumerate(classes)
        }
    if len(classes) > _MAX_CLASSES:
        raise MediaRefusedError(why=f"{len(classes)} classes are more than {_MAX_CLASSES}")
    counts = [[0] * len(classes) for _ in classes]
    for one, other in zip(true, predicted, strict=True):
        try:
            counts[places[one]][places[other]] += 1
        except (KeyError, TypeError) as error:
            raise MediaRefusedError(why=f"the class {shown(error.args[0])} is none of class_names") from error
    return {"classes": [text_of(name) for name in classes], "counts": counts}


def _curves(
    y_true: Any,
    y_score: Any,
    class_names: Sequence[object] | None,
    curve_of: Callable[[list[bool], list[float]], Curve],
) -> Mapping[str, Any]:
    true, scores = _listed(y_true, "y_true"), _listed(y_score, "y_score")
    _check_lengths(true, scores, "y_score")
    is_many = hasattr(scores[0], "__len__")
    count = len(scores[0]) if is_many else 1
    if count > _MAX_CLASSES or (is_many and any(len(row) != count for row in scores)):
        raise MediaRefusedError(
            why=f"y_score is one score an example, or examples x classes (up to {_MAX_CLASSES})"
        )
    names = list(class_names) if class_names is not None else list(range(count)) if is_many else [1]
    if class_names is not None and len(names) != (count if is_many else 2):
        raise MediaRefusedError(
            why=f"class_names has {len(names)} names, and the scores are of {count if is_many else 2} classes"
        )
    drawn = [(index, names[index]) for index in range(count)] if is_many else [(1, names[-1])]
    curves = []
    for index, name in drawn:
        labels = [value == index or (class_names is not None and value == name) for value in true]
        column = [float(row[index]) if is_many else float(row) for row in scores]
        if not all(map(math.isfinite, column)):
            raise MediaRefusedError(why="y_score holds NaN or infinities")
        x, y, thresholds, area = curve_of(labels, column)
        curves.append(
            {"name": text_of(name), "x": x, "y": y, "thresholds": [None, *thresholds], "area": area}
        )
    return {"curves": curves}


def _check_lengths(true: Sequence[Any], other: Sequence[Any], name: str) -> None:
    if not true or len(true) != len(other):
        raise MediaRefusedError(
            why=f"y_true has {len(true)} examples and {name} {len(other)}; pass as many of both, and one at least"
        )


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


def _roc(labels: list[bool], scores: list[float]) -> Curve:
    hits, misses, thresholds = _steps(labels, scores)
    positives, negatives = hits[-1], misses[-1]
    if not positives or not negatives:
        raise MediaRefusedError(why="all examples are of one class: a ROC curve needs both")
    x = [0.0, *(miss / negatives for miss in misses)]
    y = [0.0, *(hit / positives for hit in hits)]
    area = sum((x[at] - x[at - 1]) * (y[at] + y[at - 1]) / 2 for at in range(1, len(x)))
    return x, y, thresholds, area


def _precision_recall(labels: list[bool], scores: list[float]) -> Curve:
    hits, misses, thresholds = _steps(labels, scores)
    positives = hits[-1]
    if not positives:
        raise MediaRefusedError(why="no example is positive: a curve of precision and recall needs one")
    x = [0.0, *(hit / positives for hit in hits)]
    y = [1.0, *(hit / (hit + miss) for hit, miss in zip(hits, misses, strict=True))]
    area = sum((x[at] - x[at - 1]) * y[at] for at in range(1, len(x)))
    return x, y, thresholds, area
