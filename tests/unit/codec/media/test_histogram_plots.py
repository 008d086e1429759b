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


def test_plot_comes_back_as_it_was() -> None:
    """What is stored of a plot is its numbers."""
    plot = confusion_matrix([0, 1], [1, 1])
    again = plot_of(stored(plot))
    assert (again.kind, again.data) == ("confusion_matrix", plot.data)
    assert json.loads(stored(plot))["kind"] == "confusion_matrix"


@pytest.mark.parametrize(
    ("plot", "reason"),
    [
        (roc_curve([0, 0], [0.1, 0.2]), "all examples are of one class"),
        (pr_curve([0, 0], [0.1, 0.2]), "no example is positive"),
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
