"""Figures as JSON, for painters in other languages, and as files."""

import contextlib
import json
import math
from array import array
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.errors import FigureError
from otel_experiments.figures import Area, Axis, Bars, Curves, Figure, Heat, Histogram, Line, Mark

SPECS = [
    Curves(
        "loss",
        (Line("a", [0, 1.5], [math.nan, -math.inf], color=3, style="thin", is_dashed=True),),
        areas=(Area("r", [0, 1], low=[0, math.inf], high=[1, 2]),),
        marks=(Mark(1, "epoch 1"), Mark(2.5, "NaN", "anomaly")),
        x=Axis("wall", label="t"),
        y=Axis(scale="log", low=0.1),
        notes=("a note",),
    ),
    Histogram("w", [0, 1, 2], [3, 4], x=Axis(scale="log")),
    Bars("b", ("x", "y"), [1, math.inf]),
    Heat("m", [[1, math.nan]], columns=("a", "b"), rows=(0.0, 0.5), has_values=True),
]


def exact(spec):
    """Return all of a spec in a form in which NaN is equal to NaN."""
    return type(spec).__name__, repr(asdict(spec))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: type(spec).__name__)
def test_json_holds_the_whole_figure(spec):
    """What is read back is what was written, NaN and infinities included, and JSON alone is needed to read it."""
    text = Figure(spec).to_json()

    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert exact(Figure.from_json(text).spec) == exact(spec)


def test_columns_may_be_any_sequence_of_numbers():
    """Arrays of the standard library and of NumPy are columns, too."""
    np = pytest.importorskip("numpy")
    line = Line("a", array("d", [0.0, 1.0]), np.array([1.0, np.nan]))

    shape = json.loads(Figure(Curves("t", (line,))).to_json())

    assert shape["lines"][0]["x"] == [0.0, 1.0]
    assert shape["lines"][0]["y"] == [1.0, "NaN"]
    assert Figure(Curves("t", (line,))).svg()


def test_fields_of_a_later_program_are_ignored():
    """A figure with a field that is not known here is read; one of a later version is not."""
    shape = json.loads(Figure(SPECS[0]).to_json())

    assert exact(Figure.from_json(json.dumps({**shape, "zoom": 2})).spec) == exact(SPECS[0])
    with pytest.raises(FigureError, match="version 2, and this program reads version 1"):
        Figure.from_json(json.dumps({**shape, "version": 2}))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{", "text that is no JSON"), ("[]", "JSON of a list"), ('{"version":1,"kind":"pie"}', "the kind 'pie'"),
        ('{"version":1,"kind":"bars","title":"t","labels":["a"],"values":[true]}', "True is no number"),
        ('{"version":1,"kind":"bars","title":"t"}', "a field of the wrong type in 'bars'"),
        ('{"version":1,"kind":"curves","title":"t","lines":[{"label":"a","x":["abc"],"y":[1]}]}', "'abc'"),
        ('{"version":1,"kind":"bars","title":"t","labels":["a"],"values":[1' + "0" * 400 + "]}", "int too large"),
        ("[" * 100_000, "no JSON"),
    ],
)  # fmt: skip
def test_text_that_is_no_figure_is_named(text, found):
    """The error says what was found instead, and where figures come from."""
    with pytest.raises(FigureError) as error:
        Figure.from_json(text)

    assert found in str(error.value)
    assert "Figure.to_json()" in str(error.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["version", "kind", "title", "lines", "x", "y", "label", "edges", "cells"]),
                inner,
            )
        ),
    )
)
def test_any_json_is_a_figure_or_an_error_of_ours(shape):
    """Nothing but a `FigureError` leaves the reader."""
    with contextlib.suppress(FigureError):
        Figure.from_json(json.dumps(shape))


def test_a_figure_is_saved_by_its_ending(tmp_path):
    """`.svg`, `.json` and `.txt` are written; another ending is refused, and nothing is written."""
    figure = Figure(SPECS[1])

    assert figure.save(tmp_path / "w.svg").read_text(encoding="utf-8").startswith("<svg")
    assert Figure.from_json(figure.save(tmp_path / "w.json").read_text(encoding="utf-8")).spec == SPECS[1]
    assert figure.save(tmp_path / "W.TXT").read_text(encoding="utf-8").startswith("0 .. 1 ")
    with pytest.raises(FigureError, match=r"ends in \.svg, \.json or \.txt"):
        figure.save(tmp_path / "w.png")
    assert not (tmp_path / "w.png").exists()


def test_the_repr_of_a_figure_is_short():
    """It says the kind, the title and how much there is."""
    assert repr(Figure(SPECS[0])) == "Figure(curves 'loss', 1 line)"
    assert len(repr(Figure(Bars("t" * 10_000, ("a",), [1])))) < 120
