"""Distributions, and the curves that judge a classifier."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from otel_experiments.codec.media.encode import encode_media
from otel_experiments.codec.media.histogram import Histogram, histogram_of
from otel_experiments.codec.media.plots import confusion_matrix, plot_of, pr_curve, roc_curve
from otel_experiments.errors import MediaRefusedError

RANDOM = np.random.default_rng(3)


def stored(value: object) -> bytes:
    """Return the bytes that a value is stored as."""
    encoded = encode_media(value, pytest.fail)
    assert encoded is not None
    assert isinstance(encoded.data, bytes)
    return encoded.data


def test_values_are_counted_as_numpy_counts_them() -> None:
    """Counts and edges of an array are those of numpy."""
    values = RANDOM.normal(size=1000)
    counts, edges = np.histogram(values, bins=64)
    histogram = Histogram(values)
    assert histogram.counts == counts.tolist()
    assert np.allclose(histogram.edges, edges)


def test_numbers_are_counted_without_numpy_in_the_same_way() -> None:
    """A list of numbers gives the counts of the array of them."""
    values = RANDOM.normal(size=500)
    assert Histogram(values.tolist(), num_bins=7).counts == Histogram(values, num_bins=7).counts


def test_tensors_of_every_type_are_counted() -> None:
    """A tensor that needs gradients, of half precision, has a distribution."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    assert sum(Histogram(torch.randn(3, 4, requires_grad=True, dtype=torch.bfloat16)).counts) == 12


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1), st.integers(1, 20))
def test_every_number_is_in_one_bin(values: list[float], bins: int) -> None:
    """Whatever the numbers, each is counted once, and the edges rise."""
    histogram = Histogram(values, num_bins=bins)
    assert sum(histogram.counts) == len(values)
    assert all(low < high for low, high in zip(histogram.edges, histogram.edges[1:], strict=False))


def test_values_that_are_not_finite_are_counted_apart_and_said() -> None:
    """NaN and infinities are in no bin; how many there were is kept and said."""
    told: list[str] = []
    encode_media(Histogram([1.0, math.nan, math.inf]), told.append)
    assert Histogram([1.0, math.nan, math.inf]).not_finite == 2
    assert told == ["2 of its values are NaN or infinite: they are in no bin"]


def test_counts_and_edges_come_back_exactly() -> None:
    """A distribution given as counts and edges is stored as they are."""
    again = histogram_of(stored(Histogram(np_histogram=(np.array([3, 4]), [0.1, 0.2, 0.3]))))
    assert (again.counts, again.edges, again.not_finite) == ([3, 4], [0.1, 0.2, 0.3], 0)


@pytest.mark.parametrize(
    ("histogram", "reason"),
    [
        (Histogram([]), "none of its 0 values"),
        (Histogram(np.array([np.nan])), "none of its 1 values"),
        (Histogram("text"), "numbers or an array, not 'text'"),
        (Histogram([1.0], num_bins=0), "num_bins=0 is not from 1 to 4096"),
        (Histogram(np_histogram=([1], [0])), "1 counts need 2 edges; 1 were given"),
        (Histogram(np_histogram=([1], [1, 0])), "the edges do not rise"),
        (Histogram(np_histogram=([-1], [0, 1])), "a count is negative"),
        (Histogram(np_histogram=([1],)), "a pair of counts and edges"),  # type: ignore[arg-type] # on purpose
    ],
)
def test_what_is_no_distribution_is_refused_with_a_reason(histogram: Histogram, reason: str) -> None:
    """No values, and edges that do not fit their counts, are refused with what was found."""
    with pytest.raises(MediaRefusedError, match=reason):
        encode_media(histogram, pytest.fail)


def examples() -> tuple[Any, Any]:
    """Return labels and scores; many scores are the same."""
    labels = RANDOM.integers(0, 2, 300)
    return labels, np.round(labels * 0.3 + RANDOM.random(300), 2)


def test_roc_curve_is_that_of_scikit_learn() -> None:
    """Rates, thresholds and area are those that scikit-learn computes."""
    labels, scores = examples()
    (curve,) = roc_curve(labels, scores).data["curves"]
    x, y, thresholds = metrics.roc_curve(labels, scores, drop_intermediate=False)
    assert np.allclose(curve["x"], x)
    assert np.allclose(curve["y"], y)
    assert np.allclose(curve["thresholds"][1:], thresholds[1:])
    assert curve["area"] == pytest.approx(metrics.roc_auc_score(labels, scores))


def test_curve_of_precision_and_recall_is_that_of_scikit_learn() -> None:
    """Precision, recall and their average are those that scikit-learn computes."""
    labels, scores = examples()
    (curve,) = pr_curve(labels.tolist(), scores.tolist()).data["curves"]
    precision, recall, _ = metrics.precision_recall_curve(labels, scores)
    assert np.allclose(curve["y"], precision[::-1])
    assert np.allclose(curve["x"], recall[::-1])
    assert curve["area"] == pytest.approx(metrics.average_precision_score(labels, scores))


def test_each_class_has_a_curve_against_the_rest() -> None:
    """With scores of several classes there is a curve for each, named after it."""
    labels = RANDOM.integers(0, 3, 200)
    scores = RANDOM.random((200, 3))
    curves = roc_curve(labels, scores, class_names=["a", "b", "c"]).data["curves"]
    assert [curve["name"] for curve in curves] == ["a", "b", "c"]
    for index, curve in enumerate(curves):
        assert curve["area"] == pytest.approx(metrics.roc_auc_score(labels == index, scores[:, index]))


def test_confusion_matrix_is_that_of_scikit_learn() -> None:
    """Counts are those that scikit-learn computes, by index, by name and from probabilities."""
    true, said = RANDOM.integers(0, 4, 200), RANDOM.integers(0, 4, 200)
    wanted = metrics.confusion_matrix(true, said).tolist()
    names = np.array(["a", "b", "c", "d"])
    assert confusion_matrix(true, said).data["counts"] == wanted
    assert confusion_matrix(names[true], names[said]).data == {
        "classes": ["a", "b", "c", "d"],
        "counts": wanted,
    }
    assert confusion_matrix(true, names[said], class_names=names.tolist()).data["counts"] == wanted
    assert confusion_matrix(true, probs=np.eye(4)[said]).data["counts"] == wanted


BINARY = {
    "0 and 1": [0, 1],
    "1 and 2": [1, 2],
    "0 and 2": [0, 2],
    "-1 and 1": [-1, 1],
    "booleans": [False, True],
    "floats": [0.0, 1.0],
    "texts": ["neg", "pos"],
}


@pytest.mark.parametrize("kind", BINARY)
def test_labels_of_two_classes_of_any_kind_are_judged_as_scikit_learn_judges_them(kind: str) -> None:
    """Whatever two labels there are, the larger one is positive, and the curve has its name."""
    places, scores = examples()
    two = BINARY[kind]
    labels = np.array(two)[places]
    (curve,) = roc_curve(labels, scores).data["curves"]
    (precision,) = pr_curve(labels.tolist(), scores).data["curves"]
    assert curve["area"] == pytest.approx(metrics.roc_auc_score(labels, scores))
    assert precision["area"] == pytest.approx(
        metrics.average_precision_score(labels, scores, pos_label=two[1])
    )
    assert curve["name"] == str(1 if kind in {"booleans", "floats"} else two[1])
    named = roc_curve(labels, scores, class_names=["no", "yes"]).data["curves"][0]
    assert (named["name"], named["area"]) == ("yes", curve["area"])


def test_the_positive_label_can_be_chosen() -> None:
    """With pos_label= the curve is of that label, among two labels or more, as scikit-learn has it."""
    places, scores = examples()
    names = np.array(["cat", "dog"])[places]
    (curve,) = roc_curve(names, 1 - scores, pos_label="cat").data["curves"]
    assert (curve["name"], curve["area"]) == ("cat", pytest.approx(metrics.roc_auc_score(places, scores)))
    three = RANDOM.integers(0, 3, 300)
    x, y, _ = metrics.roc_curve(three, scores, pos_label=2)
    assert roc_curve(three, scores, pos_label=2).data["curves"][0]["area"] == pytest.approx(metrics.auc(x, y))


@pytest.mark.parametrize(
    ("classes", "names"),
    [
        ([0, 1, 2], None),
        ([1, 2, 3], None),
        (["a", "b", "c"], None),
        ([3, 1, 2], [3, 1, 2]),
        (["c", "a", "b"], ["c", "a", "b"]),
    ],
)
def test_labels_of_several_classes_meet_their_columns(classes: list[Any], names: list[Any] | None) -> None:
    """Labels are indices of the columns, the names given, or the sorted classes, as the columns of predict_proba are."""
    places = RANDOM.integers(0, 3, 200)
    scores = RANDOM.random((200, 3))
    curves = roc_curve(np.array(classes)[places], scores, class_names=names).data["curves"]
    assert [curve["name"] for curve in curves] == [str(label) for label in classes]
    for place, curve in enumerate(curves):
        assert curve["area"] == pytest.approx(metrics.roc_auc_score(places == place, scores[:, place]))


def test_rows_of_zeros_and_ones_are_labels() -> None:
    """One-hot labels, several at a time too, are judged column by column; so are scores of two columns and of one."""
    places, scores = RANDOM.integers(0, 3, 200), RANDOM.random((200, 3))
    plain = roc_curve(places, scores).data
    assert roc_curve(np.eye(3)[places], scores).data == plain
    several = RANDOM.integers(0, 2, (200, 3))
    assert [curve["area"] for curve in roc_curve(several, scores).data["curves"]] == pytest.approx(
        metrics.roc_auc_score(several, scores, average=None)
    )
    two, one = examples()
    wanted = roc_curve(two, one).data
    assert roc_curve(two[:, None], one[:, None]).data == roc_curve(np.eye(2)[two], one).data == wanted
    assert roc_curve(np.eye(2)[two], np.stack([1 - one, one], 1)).data["curves"][1] == wanted["curves"][0]
    said = RANDOM.integers(0, 3, 200)
    assert confusion_matrix(np.eye(3)[places], np.eye(3)[said]).data == confusion_matrix(places, said).data


def test_labels_that_are_tensors_are_their_numbers() -> None:
    """Scalars of an array library in a list are labels as their numbers are."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    labels, scores = [0, 1, 1, 0], [0.1, 0.9, 0.4, 0.5]
    tensors = [torch.tensor(label) for label in labels]
    assert (
        roc_curve(tensors, torch.tensor(scores, dtype=torch.float64)).data == roc_curve(labels, scores).data
    )
    assert confusion_matrix(tensors, tensors).data == confusion_matrix(labels, labels).data


def test_words_of_other_trackers_are_taken() -> None:
    """What other trackers call the arguments works; what has no effect is told, and nothing raises."""
    true, scores, names = [0, 1, 2, 1], np.eye(3)[[0, 1, 2, 0]] + 0.1, ["a", "b", "c"]
    wanted = roc_curve(true, scores, class_names=names).data
    assert roc_curve(true, scores, names).data == wanted
    assert roc_curve(y_true=true, y_probas=scores, labels=names).data == wanted
    assert roc_curve(true, scores, names, classes_to_plot=["b", 2]).data["curves"] == wanted["curves"][1:]
    assert pr_curve(y_true=true, y_probas=scores, labels=names).data == pr_curve(true, scores, names).data
    counts = confusion_matrix(true, [0, 1, 2, 0], class_names=names).data
    assert confusion_matrix(y_true=true, preds=[0, 1, 2, 0], class_names=names).data == counts
    assert confusion_matrix(true, [0, 1, 2, 0], labels=names).data == counts
    told: list[str] = []
    for plot in (
        confusion_matrix(true, true, title="c", split_table=True),
        roc_curve(true, scores, title="r", sample_wait=[1]),
        pr_curve(true, scores, title="p", interp_size=21),
    ):
        assert encode_media(plot, told.append)
        assert plot.caption in {"c", "r", "p"}
    assert [text.partition(" ")[0] for text in told] == ["split_table=", "sample_wait=", "interp_size="]


def test_plot_comes_back_as_it_was() -> None:
    """What is stored of a plot is its numbers."""
    plot = confusion_matrix([0, 1], [1, 1])
    again = plot_of(stored(plot))
    assert (again.kind, again.data) == ("confusion_matrix", plot.data)
    assert json.loads(stored(plot))["kind"] == "confusion_matrix"


@pytest.mark.parametrize(
    ("plot", "reason"),
    [
        (roc_curve([0, 0], [0.1, 0.2]), "no example is of the class 1"),
        (roc_curve([1, 1], [0.1, 0.2]), "all examples are of one class"),
        (pr_curve([0, 0], [0.1, 0.2]), "no example is of the class 1"),
        (roc_curve([0, 1, 2], [0.1, 0.2, 0.3]), "the 3 classes 0, 1, 2, and one score an example judges two"),
        (roc_curve(["a", "a"], [0.1, 0.2]), "all examples are of one class, 'a'"),
        (roc_curve([0, 0.5], [0.1, 0.2]), "0.5, which is no class"),
        (roc_curve([0, math.nan], [0.1, 0.2]), "nan, which is no class"),
        (roc_curve([0, "a"], [0.1, 0.2]), "labels of several kinds"),
        (roc_curve([0, 1], [0.1, 0.2], pos_label=2), "pos_label=2 is none of the labels 0, 1"),
        (roc_curve([0, 7, 1], np.eye(3), classes_to_plot=[5]), "none of the classes"),
        (roc_curve([0, 7, 0], np.eye(3)), "y_true has the classes 0, 7, and the scores are of 3"),
        (roc_curve([0, 1, 0], np.eye(3)), "no example is of the class 2"),
        (roc_curve(np.eye(3), [0.1, 0.2, 0.3]), "y_true is of 3 classes"),
        (roc_curve([0, 1], [0.1, 0.2], class_names=["a"]), "class_names has 1 names"),
        (roc_curve(), "y_true is a list or an array, not None"),
        (confusion_matrix(), "y_true is a list or an array, not None"),
        (confusion_matrix(np.eye(2) * 0.5, [0, 1]), "pass y_true= and probs= by name"),
        (roc_curve([0], [0.1, 0.2]), "y_true has 1 examples and y_score 2"),
        (roc_curve([0, 1], [0.1, math.nan]), "NaN or infinities"),
        (roc_curve([0, 1], [[0.1, 0.9], [0.2]]), "examples x classes"),
        (confusion_matrix([0, 1]), "needs y_pred, or probs"),
        (confusion_matrix([0, 5], [0, 1], class_names=["a", "b"]), "the class 5 is none of class_names"),
        (confusion_matrix(3, [1]), "y_true is a list or an array, not 3"),
    ],
)
def test_what_cannot_be_judged_is_refused_with_a_reason(plot: Any, reason: str) -> None:
    """Examples of one class, and lengths that differ, are refused with what was found."""
    with pytest.raises(MediaRefusedError, match=reason):
        encode_media(plot, pytest.fail)
