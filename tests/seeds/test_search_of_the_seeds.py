"""What the trackers that came before answered to searches, as tests of what does it here.

The ids are those of their vectors: E of entrenar, L of LUML. Where the value differs on purpose, the docstring says why.
"""

import contextlib

import pytest

import otel_experiments as ox
from otel_experiments.errors import SearchSyntaxError


@pytest.fixture(autouse=True)
def recording(tmp_path, monkeypatch):
    """Record into a store in the test's folder."""
    monkeypatch.chdir(tmp_path)
    ox.configure(store="experiments.db", system_metrics_s=0.0)
    yield
    ox.shutdown()


def recorded(name, **params):
    """Record a run with these params."""
    with ox.start_run(name, config=params) as run:
        return run.id


def found(where, **options):
    """Return the names of the runs that a search finds, sorted."""
    return sorted(run.name for run in ox.runs(where, **options))


@pytest.mark.parametrize(
    "where",
    [
        pytest.param('params.model.contains("llama")', id="E19 contains"),
        pytest.param('params.model.startswith("llama")', id="E19 starts with"),
        pytest.param('params.model.contains("")', id="E19 an empty text"),
    ],
)
def test_a_text_is_found_by_its_parts(where):
    """A part, the beginning and the empty text fit, and a run without the param does not."""
    recorded("a", model="llama-7b")
    recorded("b", other=1)
    assert found(where) == ["a"]


def test_numbers_compare_whatever_their_type():
    """E20: 42.0 equals 42. The seed holds them apart, so that a search for `lr == 1` missed runs that logged 1.0."""
    recorded("a", n=42)
    assert (found("params.n == 42.0"), found("params.n >= 41.5")) == (["a"], ["a"])
    with pytest.warns(UserWarning, match="No run has params.m"):
        assert found("params.m != 42.0") == []


def test_lists_compare_as_a_whole_and_by_their_elements():
    """E21: a list equals the same list, and contains its elements. The seed compares none."""
    recorded("a", layers=[64, 32])
    assert found("params.layers == [64, 32]") == found("params.layers.contains(32)") == ["a"]
    assert found("params.layers == [32, 64]") == []


def test_types_without_an_order_match_no_comparison_of_order():
    """E22: true has no order and a number no parts; a text is ordered by its characters, where the seed has no order."""
    recorded("a", text="adam", flag=True, number=1)
    assert found('params.text > "abc"') == ["a"]
    with pytest.raises(SearchSyntaxError, match="has no order"):
        ox.runs("params.flag > True")
    assert found('params.number.contains("1")') == []


def test_floats_are_equal_where_their_bits_are():
    """E23: 1.0 is not 1.1, nor the float next to it; the seed takes floats within an epsilon for equal."""
    recorded("a", x=1.0)
    assert found("params.x == 1.0") == ["a"]
    assert found("params.x == 1.1") == found(f"params.x == {1.0 + 2**-52!r}") == []
    assert found("params.x > 1 - 1e-9 and params.x < 1 + 1e-9") == ["a"]


def test_no_search_is_every_run_and_a_missing_param_fits_nothing():
    """E24: all runs without a search; a run without the param is left out."""
    recorded("a", lr=1)
    recorded("b")
    assert (found(None), found("params.lr > 0")) == (["a", "b"], ["a"])


def trace(name, *, error=False, code=None):
    """Record a run of one span that may have failed."""
    with ox.start_run(name) as run:
        attributes = {} if code is None else {"http.status_code": code}
        with contextlib.suppress(ValueError), run.span("request", **attributes):
            int("no number" if error else "1")
        return run.id


def test_a_trace_is_known_by_its_errors():
    """L15: exactly the trace in which a span failed has errors, and exactly the other one has none."""
    fine, failed = trace("fine"), trace("failed", error=True)
    assert [one.run_id for one in ox.traces("errors > 0")] == [failed]
    assert [one.run_id for one in ox.traces("errors == 0")] == [fine]


def test_25_traces_are_three_pages_of_ten():
    """L16: three pages, no trace twice, and no cursor after the last one."""
    made = [trace(f"t{number}") for number in range(25)]
    pages, cursor = [], None
    while not pages or cursor is not None:
        pages.append(ox.traces(limit=10, after=cursor))
        cursor = pages[-1].cursor
    assert [len(page) for page in pages] == [10, 10, 5]
    assert sorted(one.run_id for page in pages for one in page) == sorted(made)


def test_the_spans_of_a_trace_are_counted():
    """L17: a trace with five spans and its root has six; no other trace is mixed in."""
    with ox.start_run("five") as run:
        for _ in range(5):
            with run.span("s"):
                pass
    trace("other")
    assert [(one.run_id, one.span_count) for one in ox.traces("spans > 2")] == [(run.id, 6)]
    assert len(ox.traces()) == 2


def test_an_attribute_selects_the_failing_trace():
    """L18, L19: `>= 400` on a number finds only the failing request; without `attributes` it is an error that says so."""
    trace("fine", code=200)
    failing = trace("failing", code=500)
    assert [span.run_id for span in ox.spans('attributes["http.status_code"] >= 400')] == [failing]
    assert [span.run_id for span in ox.spans("attributes.http.status_code >= 400")] == [failing]
    with pytest.raises(SearchSyntaxError, match="There is no field 'http'"):
        ox.spans("http.status_code >= 400")


def test_texts_tags_and_metrics_are_joined_by_and_and_or():
    """L26: like, contains, without case, metrics, and parentheses."""
    for name, tag, accuracy in [("bert-a", "prod", 0.95), ("BERT-b", "dev", 0.5), ("gpt", "prod", 0.99)]:
        with ox.start_run(name, tags=[tag]) as run:
            run.log({"accuracy": accuracy})
    assert found('name.contains("bert")') == ["bert-a"]
    assert found('name.matches("(?i)bert")') == ["BERT-b", "bert-a"]
    assert found('"prod" in tags') == ["bert-a", "gpt"]
    assert found("metrics.accuracy > 0.9") == ["bert-a", "gpt"]
    assert found('(name.contains("bert") or name.contains("BERT")) and metrics.accuracy > 0.9') == ["bert-a"]


@pytest.mark.parametrize(
    "where",
    ['nonexistent == "x"', 'dataset.name == "x"', "name LIKE %bert%", 'metrics.x == "str"', "run_id > 3"],
)
def test_what_means_nothing_is_refused(where):
    """L28: an unknown field, a pattern without quotes, and a text for a number are errors at their place."""
    with pytest.raises(SearchSyntaxError):
        ox.runs(where)


def test_pages_of_one_run_are_sorted():
    """L29: a filter, a limit of one and a sort by name give two pages with different names."""
    for name in ("b", "a"):
        recorded(name, lr=1)
    first = ox.runs("params.lr == 1", order="name", limit=1)
    second = ox.runs("params.lr == 1", order="name", limit=1, after=first.cursor)
    assert [run.name for run in (*first, *second)] == ["a", "b"]
    assert second.cursor is None


def test_a_running_run_is_found_by_its_metric():
    """L35: a search sees what a run has logged so far; in the seed only what was written at its end."""
    with ox.start_run("live") as run:
        run.log({"loss": 0.5})
        run.flush()
        assert found("metrics.loss < 1 and state == 'running'") == ["live"]
