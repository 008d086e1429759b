"""Pages of runs, spans and traces by cursor, and what is no cursor of the search."""

import base64
import contextlib
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import otel_experiments as ox
from otel_experiments.errors import PageCursorError, QueryError
from otel_experiments.model.position import Position
from otel_experiments.query.cursor import cursor_of, position_of

FORMAT = ("runs", "order")
TIES = (int, str)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
numbers = st.floats(allow_nan=False) | st.integers(-(2**63), 2**63 - 1)
keys = st.none() | st.tuples(st.just(1), numbers) | st.tuples(st.just(2), texts | st.binary(max_size=5))
positions = st.builds(
    Position, st.lists(keys, max_size=3).map(tuple), st.tuples(st.integers(0, 2**63 - 1), texts)
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A store of five runs with a stage each; three have a param, and two of these the same."""
    path = tmp_path_factory.mktemp("paged") / "paged.db"
    ox.configure(store=path, system_metrics_s=0.0)
    for number in range(5):
        config = {"lr": [0.1, 0.1, 0.2][number]} if number < 3 else {}
        with ox.start_run(f"run-{number}", experiment="paged", config=config) as run, run.stage("fit"):
            pass
    ox.shutdown()
    return path


@settings(max_examples=300)
@given(position=positions)
def test_a_cursor_keeps_a_position_exactly(position):
    """Numbers, infinities, texts of any characters, and texts that are not UTF-8 come back as they were."""
    text = cursor_of(FORMAT, position)
    assert text.isascii()
    assert position_of(text, FORMAT, keys=len(position.keys), ties=TIES) == position


@settings(max_examples=300)
@given(
    text=st.text(max_size=40) | st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
)
def test_any_text_is_a_cursor_or_refused(text):
    """Whatever is given, only our own error comes."""
    with pytest.raises(PageCursorError):
        position_of(text, FORMAT, keys=1, ties=TIES)


@settings(max_examples=300)
@given(position=positions, data=st.data())
def test_only_our_own_error_escapes_from_a_changed_cursor(position, data):
    """A cursor with another character in it is refused, or stands for some position."""
    text = cursor_of(FORMAT, position)
    place = data.draw(st.integers(0, len(text) - 1))
    changed = text[:place] + data.draw(st.characters(codec="ascii")) + text[place + 1 :]
    with contextlib.suppress(PageCursorError):
        position_of(changed, FORMAT, keys=len(position.keys), ties=TIES)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ([2], "another release"),
        ([1, "0"], "another search"),
        ([1, None, [None, None]], "was changed"),
        ([1, None, [[7, 1]]], "was changed"),
        ([1, None, [[1, 2**64]]], "was changed"),
        ([1, None, [[2, {"hex": "zz"}]]], "was changed"),
        ([1, None, [[2, "\ud800"]]], "was changed"),
        ([1, None, [None], ["1", "x"]], "was changed"),
        ([1, None, [None], [1, "\ud800"]], "was changed"),
        ([1, None, [None], [2**70, "x"]], "was changed"),
        ([1, None, None], "was changed"),
    ],
)
def test_a_cursor_that_was_made_by_hand_is_refused(changed, why):
    """A position that no store would give does not reach one."""
    known = cursor_of(FORMAT, Position((None,), (1, "x")))
    told = json.loads(base64.urlsafe_b64decode(known + "=="))
    made = [
        *(told[i] if one is None and i == 1 else one for i, one in enumerate(changed)),
        *told[len(changed) :],
    ]
    with pytest.raises(PageCursorError, match=why):
        position_of(base64.urlsafe_b64encode(json.dumps(made).encode()).decode(), FORMAT, keys=1, ties=TIES)


@pytest.mark.parametrize("order", [None, "-params.lr", "params.lr, -name", "state, name"])
def test_pages_of_runs_are_together_the_list(path, order):
    """`after=page.cursor` goes on behind the page, whatever sorts, and the last page has no cursor."""
    found, cursor, count = [], None, 0
    while count == 0 or cursor is not None:
        page = ox.runs("duration >= 0", order=order, limit=2, after=cursor, store=path)
        found += page
        cursor, count = page.cursor, count + 1
    assert [run.id for run in found] == [run.id for run in ox.runs(order=order, store=path)]
    assert count == 3


def test_a_cursor_is_of_its_search_alone(path):
    """Another expression, order, experiment or kind refuses it; another size of the page does not."""
    cursor = ox.runs("duration >= 0", limit=2, store=path).cursor
    assert len(ox.runs("duration >= 0", limit=9, after=cursor, store=path)) == 3
    for where, order, experiment in [
        ("duration >= 1", None, None),
        ("duration >= 0", "name", None),
        ("duration >= 0", None, "paged"),
    ]:
        with pytest.raises(PageCursorError, match="another search"):
            ox.runs(where, order=order, experiment=experiment, after=cursor, store=path)
    with pytest.raises(PageCursorError, match="another search"):
        ox.traces(after=cursor, store=path)
    with pytest.raises(PageCursorError, match="another search"):
        ox.spans(store=path).first(2, after=cursor)


def test_a_cursor_goes_on_though_a_parent_is_named(path):
    """A search by the name of a parent is the same search when another run is called so."""
    wanted = 'parent != "run-0" or duration >= 0'
    page = ox.runs(wanted, limit=4, store=path)
    assert [run.name for run in ox.runs(wanted, limit=4, after=page.cursor, store=path)] == ["run-0"]


def test_spans_and_traces_are_turned_page_by_page(path):
    """Spans by `first(count, after=)`, traces by `after=`."""
    view = ox.spans('name == "stage fit"', order="-name", store=path)
    page = view.first(3)
    assert len(page) == 3
    rest = view.first(3, after=page.cursor)
    assert [span.span_id for span in (*page, *rest)] == [span.span_id for span in view]
    assert (rest.cursor, view.cursor) == (None, None)
    with pytest.raises(QueryError, match="narrowed no more"):
        rest.named("x")

    traces = ox.traces(limit=4, store=path)
    assert [*traces, *ox.traces(limit=4, after=traces.cursor, store=path)] == ox.traces(store=path)
    assert repr(traces) == "TraceList(4)"


def test_infinite_values_sort_a_page(tmp_path):
    """A cursor keeps an infinity."""
    ox.configure(store=tmp_path / "inf.db", system_metrics_s=0.0)
    for value in (1.0, math.inf, -math.inf):
        with ox.start_run(str(value)) as run:
            run.log({"loss": value})
    ox.shutdown()
    page = ox.runs(order="-metrics.loss", limit=1, store=tmp_path / "inf.db")
    rest = ox.runs(order="-metrics.loss", limit=5, after=page.cursor, store=tmp_path / "inf.db")
    assert [run.name for run in (*page, *rest)] == ["inf", "1.0", "-inf"]
