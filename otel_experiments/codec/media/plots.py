"""Curves and tables that judge a classifier: ROC, precision and recall, the confusion matrix. Computed here, in plain Python."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

from otel_experiments._short_repr import short
from otel_experiments.codec.media.curves import (
    MAX_CLASSES,
    Curve,
    curves_of,
    is_one_hot,
    is_rows,
    precision_recall,
    roc,
)
from otel_experiments.codec.media.library import as_array, is_array
from otel_experiments.codec.media.media import SOURCE, Encoded, Media, Tell
from otel_experiments.codec.media.plot_check import check_plot
from otel_experiments.codec.text import shown, text_of
from otel_experiments.errors import MediaRefusedError
from otel_experiments.process.interruption import is_interruption

_NOTHING: Final[Mapping[str, object]] = {}


class Plot(Media):
    """What `confusion_matrix`, `pr_curve` and `roc_curve` return: numbers that are drawn as a plot.

    Attributes:
        kind: which of them.
        data: the numbers: lists and texts in a mapping. Computed when it is asked for or logged.
    """

    type: ClassVar[str] = "plot"

    def __init__(
        self,
        kind: str,
        data: Mapping[str, Any] | Callable[[], Mapping[str, Any]],
        caption: str | None = None,
        *,
        without_effect: Mapping[str, object] = _NOTHING,
    ) -> None:
        super().__init__(caption, without_effect)
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

    def _described(self) -> str:
        return short(self.kind)

    def encode(self, tell: Tell) -> Encoded:  # noqa: ARG002 - kept whole or not at all
        """Return the plot as it is stored."""
        body = json.dumps({"kind": self.kind, **self.data}).encode()
        return Encoded(
            self.type, "application/json", ".json", body, {SOURCE: "plot", "kind": self.kind}, self.caption
        )


def plot_of(data: bytes, caption: str = "") -> Plot:
    """Return the plot that these bytes are.

    Raises:
        ValueError: they are none that can be drawn.
    """
    body = json.loads(data)
    kind = body.pop("kind")
    check_plot(kind, body)
    return Plot(kind, body, caption)


def confusion_matrix(
    y_true: Any = None,  # labels: a list, or an array of any library
    y_pred: Any = None,
    *,
    preds: Any = None,
    probs: Any = None,
    class_names: Sequence[object] | None = None,
    labels: Sequence[object] | None = None,
    caption: str | None = None,
    title: str | None = None,
    **without_effect: object,
) -> Plot:
    """Return how often each class was taken for each: `data["counts"][true][predicted]`, and `data["classes"]`.

    Args:
        y_true: the class of each example: its index in `class_names`, or its name.
        y_pred: the class that the model said, in the same way.
        preds: the same, as other trackers call it.
        probs: examples x classes instead: the class with the highest number is the one that was said.
        class_names: names, in the order of the indices; without them the classes are those that occur, sorted.
        labels: the same, as scikit-learn calls it.
        caption: a text that is shown with it.
        title: the same, as other trackers call it.
        without_effect: arguments of other trackers (split_table, normalize, ...): told, and not kept.
    """
    names = class_names if class_names is not None else labels
    predicted = y_pred if y_pred is not None else preds
    return Plot(
        "confusion_matrix",
        lambda: _confusion(y_true, predicted, probs, names),
        caption if caption is not None else title,
        without_effect=without_effect,
    )


def roc_curve(  # noqa: PLR0913 - the words of other trackers are among them
    y_true: Any = None,
    y_score: Any = None,
    class_names: Sequence[object] | None = None,
    *,
    classes_to_plot: Sequence[object] | None = None,
    pos_label: object = None,
    caption: str | None = None,
    y_probas: Any = None,
    labels: Sequence[object] | None = None,
    title: str | None = None,
    **without_effect: object,
) -> Plot:
    """Return the rate of true positives over that of false ones, for each threshold, and the area below.

    `data["curves"]` has for each class `name`, `x` (false positives), `y` (true positives), `thresholds` (the first is None:
    nothing is positive), `area`. With one score an example there is one curve, of the class that is positive: 1, or the larger
    one of two labels, as scikit-learn has it.

    Args:
        y_true: the label of each example; with scores of several classes its index, its name, or a row of 0 and 1.
        y_score: one score an example, or examples x classes.
        class_names: names, in the order of the columns of the scores; without them those that occur, sorted.
        classes_to_plot: the classes that are wanted, by name or label; all without it.
        pos_label: the label that is positive, where there is one score an example.
        caption: a text that is shown with it.
        y_probas: the scores, as other trackers call them.
        labels: the names, as other trackers call them.
        title: the caption, as other trackers call it.
        without_effect: arguments of other trackers (split_table, sample_weight, ...): told, and not kept.
    """
    scores = y_score if y_score is not None else y_probas
    names = class_names if class_names is not None else labels
    return Plot(
        "roc_curve",
        lambda: _judge(roc, y_true, scores, names, classes_to_plot, pos_label),
        caption if caption is not None else title,
        without_effect=without_effect,
    )


def pr_curve(  # noqa: PLR0913 - as above
    y_true: Any = None,
    y_score: Any = None,
    class_names: Sequence[object] | None = None,
    *,
    classes_to_plot: Sequence[object] | None = None,
    pos_label: object = None,
    caption: str | None = None,
    y_probas: Any = None,
    labels: Sequence[object] | None = None,
    title: str | None = None,
    **without_effect: object,
) -> Plot:
    """Return precision over recall for each threshold, and the average precision.

    `data["curves"]` has for each class `name`, `x` (recall), `y` (precision), `thresholds` (the first is None), `area` (the
    average precision). The arguments are those of `roc_curve`.
    """
    scores = y_score if y_score is not None else y_probas
    names = class_names if class_names is not None else labels
    return Plot(
        "pr_curve",
        lambda: _judge(precision_recall, y_true, scores, names, classes_to_plot, pos_label),
        caption if caption is not None else title,
        without_effect=without_effect,
    )


def _judge(
    curve_of: Callable[[list[bool], list[float]], Curve],
    y_true: Any,
    y_score: Any,
    class_names: Any,
    drawn: Any,
    pos_label: object,
) -> Mapping[str, Any]:
    true, scores = _listed(y_true, "y_true"), _listed(y_score, "y_score")
    _check_lengths(true, scores, "y_score")
    names = None if class_names is None else _listed(class_names, "class_names")
    wanted = None if drawn is None else _listed(drawn, "classes_to_plot")
    return curves_of(true, scores, names, pos_label, wanted, curve_of)


def _listed(values: Any, what: str) -> list[Any]:
    if values is None or isinstance(values, (str, bytes)):
        raise MediaRefusedError(why=f"{what} is a list or an array, not {shown(values)}")
    try:
        listed = as_array(values).tolist() if is_array(values) else [_plain(value) for value in values]
        return list(listed)
    except MediaRefusedError:
        if callable(getattr(values, "tolist", None)):
            return list(values.tolist())  # an array of texts
        raise
    except Exception as error:
        if is_interruption(error):
            raise
        raise MediaRefusedError(why=f"{what} is a list or an array, not {shown(values)}") from error


def _plain(value: Any) -> Any:
    """Return an array as a list, and its scalars as Python's: two tensors of one number are not one label."""
    return value.tolist() if is_array(value) and callable(getattr(value, "tolist", None)) else value


def _confusion(
    y_true: Any, y_pred: Any, probs: Any, class_names: Sequence[object] | None
) -> Mapping[str, Any]:
    true = _labels(_listed(y_true, "y_true"), "y_true")
    if y_pred is None and probs is None:
        raise MediaRefusedError(why="a confusion matrix needs y_pred, or probs")
    predicted = (
        _labels(_listed(y_pred, "y_pred"), "y_pred")
        if y_pred is not None
        else _highest(_listed(probs, "probs"))
    )
    _check_lengths(true, predicted, "y_pred")
    classes: list[Any]
    if class_names is None:
        found = {*true, *predicted}
        try:
            classes = sorted(found)
        except TypeError:
            classes = sorted(found, key=text_of)
    else:
        classes = _listed(class_names, "class_names")
    if len(classes) > MAX_CLASSES:
        raise MediaRefusedError(why=f"{len(classes)} classes are more than {MAX_CLASSES}")
    counts = [[0] * len(classes) for _ in classes]
    names = {name: place for place, name in enumerate(classes)}
    indices = {} if class_names is None else {place: place for place in range(len(classes))}
    truths, saids = ((names if set(one) <= names.keys() else indices | names) for one in (true, predicted))
    for one, other in zip(true, predicted, strict=True):
        try:
            counts[truths[one]][saids[other]] += 1
        except (KeyError, TypeError) as error:
            raise MediaRefusedError(why=f"the class {shown(error.args[0])} is none of class_names") from error
    return {"classes": [text_of(name) for name in classes], "counts": counts}


def _labels(values: list[Any], what: str) -> list[Any]:
    """Return labels; rows of 0 and 1 become the places of the ones."""
    if not values or not is_rows(values):
        return values
    if all(len(row) == 1 for row in values):
        return [row[0] for row in values]
    if is_one_hot(values):
        return _highest(values)
    raise MediaRefusedError(
        why=f"{what} is one label an example; what is examples x classes is probs= (pass y_true= and probs= by name)"
    )


def _highest(rows: list[Any]) -> list[int]:
    if not is_rows(rows) or not all(rows):
        raise MediaRefusedError(why="probs is examples x classes: a row of numbers for each example")
    return [max(range(len(row)), key=row.__getitem__) for row in rows]


def _check_lengths(true: Sequence[Any], other: Sequence[Any], name: str) -> None:
    if not true or len(true) != len(other):
        raise MediaRefusedError(
            why=f"y_true has {len(true)} examples and {name} {len(other)}; pass as many of both, and one at least"
        )
