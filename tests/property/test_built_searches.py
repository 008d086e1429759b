"""Searches made of objects are the searches that their text is read as."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

import otel_experiments as ox
from otel_experiments.errors import SearchSyntaxError
from otel_experiments.model.batch import ParamSet, WriteBatch
from otel_experiments.model.run import Run as Run_
from otel_experiments.model.run import RunState
from otel_experiments.query.search.parser import parse_search
from otel_experiments.search import Artifact, Condition, Field, Metric, Param, Run, Span, Summary, Tag
from otel_experiments.store import open_store

NAN = float("nan")

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
numbers = st.integers(-(10**20), 10**20) | st.floats(allow_nan=False)
metrics = st.builds(Metric, texts, st.none() | texts)
of_numbers = (
    metrics
    | metrics.map(lambda metric: metric.min)
    | st.builds(Span, texts).map(lambda span: span.p95)
    | st.sampled_from(["duration", "attempt", "created"]).map(Run)
    | st.builds(Artifact, texts).map(lambda artifact: artifact.size)
)
of_texts = st.builds(Tag, texts) | st.sampled_from(["name", "git.commit", "environment.python"]).map(Run)
of_anything = st.builds(Param, texts) | st.builds(Summary, texts)
calculations = st.recursive(
    of_numbers | of_anything,
    lambda inner: st.one_of(
        st.tuples(inner, inner | numbers).map(lambda both: both[0] + both[1]),
        st.tuples(inner, inner | numbers).map(lambda both: both[0] / both[1]),
        st.tuples(numbers, inner).map(lambda both: both[0] - both[1]),
        st.tuples(numbers, inner).map(lambda both: both[0] * both[1]),
        inner.map(lambda one: -one),
    ),
    max_leaves=4,
)
conditions = st.one_of(
    st.tuples(calculations, numbers | of_numbers).map(lambda both: both[0] < both[1]),
    st.tuples(numbers, calculations).map(lambda both: both[0] <= both[1]),
    st.tuples(of_numbers, numbers).map(lambda both: both[0] == both[1]),
    st.tuples(of_texts | of_anything, texts).map(lambda both: both[0] != both[1]),
    st.tuples(of_anything, st.lists(numbers | texts, max_size=3)).map(lambda both: both[0] == both[1]),
    st.tuples(of_anything | of_numbers, st.lists(numbers, max_size=3)).map(
        lambda both: both[0].one_of(both[1])
    ),
    st.tuples(of_texts, st.lists(texts, max_size=3)).map(lambda both: both[0].none_of(both[1])),
    st.tuples(of_texts | of_anything, texts).map(lambda both: both[0].startswith(both[1])),
    st.tuples(of_texts | of_anything, texts).map(lambda both: both[0].endswith(both[1])),
    st.tuples(of_anything, texts | numbers).map(lambda both: both[0].contains(both[1])),
    of_texts.map(lambda field: field.matches("^a.*")),
    of_numbers.map(Field.isnan),
    (of_numbers | of_texts | of_anything).map(Field.exists),
)
searches = st.recursive(
    conditions,
    lambda inner: st.one_of(
        inner.map(lambda one: ~one),
        st.tuples(inner, inner).map(lambda both: both[0] & both[1]),
        st.tuples(inner, inner).map(lambda both: both[0] | both[1]),
    ),
    max_leaves=6,
)


@given(searches)
def test_what_is_built_is_what_its_text_is_read_as(search):
    """A search of objects, printed as text and read again, is the same search."""
    assert parse_search(str(search)) == search.expression


def test_a_built_search_finds_runs(tmp_path):
    """`ox.runs` takes conditions as it takes text."""
    store = str(tmp_path / "runs.db")
    with open_store(store) as opened:
        for digit, name, lr in (("1", "small", 1e-4), ("2", "large", 0.1)):
            run = Run_(digit * 32, "e", name, RunState.SUCCEEDED, 1)
            opened.apply(WriteBatch(runs=[run], params=[ParamSet(digit * 32, "lr", lr, 1)]))
    found = ox.runs((Param("lr") < 1e-3) & ~Tag("old").exists() & (Run("state") == "succeeded"), store=store)
    assert [run.name for run in found] == ["small"]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Run("stat"), "Did you mean state?"),
        (lambda: Run("state") == "faild", "Did you mean 'failed'?"),
        (lambda: Metric("loss") < "x", "is a number"),
        (lambda: Metric("loss") == NAN, "isnan"),
        (lambda: Metric("loss") + "x", "no number"),
        (lambda: Run("name") + 1, "no number"),
        (lambda: Metric("loss").contains("x"), "no .contains"),
        (lambda: Run("name").isnan(), "never is nan"),
        (lambda: Run("name").matches("("), "does not compile"),
    ],
)
def test_what_can_never_hold_is_refused_where_it_is_built(build, message):
    """A mistake raises in the line that makes it, with the text of the parser."""
    with pytest.raises(SearchSyntaxError) as caught:
        build()

    assert message in str(caught.value)


def test_a_condition_is_neither_true_nor_false():
    """`and`, `not` and chained comparisons raise instead of dropping half of the search."""
    with pytest.raises(TypeError, match=r"& and \|"):
        bool(Param("lr") < 1)


def test_dates_are_compared_as_the_parser_reads_them():
    """A date stands for the moment that its text means."""
    assert (Run("created") > datetime(2026, 1, 1, tzinfo=UTC)).expression == parse_search(
        'created > "2026-01-01T00:00:00+00:00"'
    )


def test_other_values_are_refused():
    """What no field can hold is a TypeError."""
    with pytest.raises(TypeError, match="cannot compare"):
        Param("x") == object()  # noqa: B015 - it raises
    with pytest.raises(TypeError):
        (Param("x") == 1) & True
    assert isinstance(Param("x") == [1, 2], Condition)
