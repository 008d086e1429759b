"""What a reader answers: runs by search, order, id, prefix and name; metrics, spans, read-only SQL."""

import math

import pytest

from otel_experiments._opening import open_reader
from otel_experiments.errors import (
    AmbiguousRunError,
    ExperimentNotFoundError,
    MetricNotFoundError,
    QueryError,
    RunNotFoundError,
    SearchSyntaxError,
    StoreNotFoundError,
)
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.search import MetricField, ParamField, RunField, TagField
from otel_experiments.query import Reader
from otel_experiments.semconv import attributes
from otel_experiments.store import open_store


@pytest.fixture(params=["sqlite", "memory"])
def reader(request, jobs, jobs_path):
    """Return a reader over the same runs, in SQLite and in plain memory."""
    if request.param == "sqlite":
        with open_reader(jobs_path) as opened:
            yield opened
        return
    store = open_store("memory://")
    store.apply(jobs.batch)
    with Reader(store) as opened:
        yield opened


def names(runs):
    """Return the names of runs, in order."""
    return [run.name for run in runs]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (None, ["mlp-a", "mlp-b", "sgd-c", "lost-d", "live-e", "weird"]),
        ('metrics["val/acc"].max > 0.8 and params.optim.lr < 0.05', ["mlp-b"]),
        ('state == "lost"', ["lost-d"]),
        ('state == "running"', ["live-e"]),
        ('state in ("failed", "lost")', ["sgd-c", "lost-d"]),
        ('state != "succeeded" and experiment == "digits"', ["sgd-c", "lost-d", "live-e"]),
        ("params.optim.lr >= 0.5", ["sgd-c", "lost-d"]),
        ("0.01 < params.optim.lr <= 0.1", ["mlp-a", "live-e"]),
        ("not exists(params.optim.lr)", ["weird"]),
        ("64 in params.layers and params.flag == True and params.seed == 0", ["mlp-a"]),
        ('metrics["loss", "validation"].min < 0.25', ["mlp-a", "mlp-b"]),
        ("metrics.loss.nan_count > 0", ["mlp-b"]),
        ('tags.team == "vision" and name.matches("^(mlp|sgd)")', ["mlp-a", "mlp-b", "sgd-c"]),
        ('"baseline" in tags and "c" in name', ["sgd-c"]),
        ('reason.contains("nan") or error_type == "KeyError"', ["sgd-c"]),
        ("duration == 30 and attempt == 1", ["mlp-a", "mlp-b", "sgd-c", "weird"]),
        ('created < "2020-01-01"', []),
        ('name.contains("😀")', ["weird"]),
    ],
)
def test_a_search_finds_the_runs_it_describes(reader, jobs, where, expected):
    """Expressions over params, metrics, tags and the run itself select the same runs in every store."""
    weird = list(jobs.ids)[-1]

    found = reader.runs(where)

    assert names(found) == [weird if name == "weird" else name for name in expected]
    assert reader.count_runs(where) == len(expected)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("params.optim.lr", ["mlp-b", "live-e", "mlp-a", "lost-d", "sgd-c"]),
        ("-params.optim.lr", ["sgd-c", "lost-d", "mlp-a", "live-e", "mlp-b"]),
        ("-metrics.val/acc", None),
        ('-metrics["val/acc"].max, -params.seed', ["mlp-b", "mlp-a", "sgd-c", "lost-d", "live-e"]),
        (["state", "-name"], ["sgd-c", "lost-d", "live-e", "mlp-b", "mlp-a"]),
        ("created", ["live-e", "lost-d", "sgd-c", "mlp-b", "mlp-a"]),
    ],
)
def test_runs_come_in_the_order_asked_for(reader, order, expected):
    """Sort keys apply one after the other; a minus turns one round; the computed state sorts too."""
    if expected is None:
        with pytest.raises(SearchSyntaxError):
            reader.runs(order=order)
        return

    assert names(reader.runs(experiment="digits", order=order)) == expected


def test_pages_of_runs_fit_together(reader):
    """Limit and offset cut pages that together are the whole list."""
    whole = names(reader.runs(order="name"))
    pages = [names(reader.runs(order="name", limit=2, offset=offset)) for offset in (0, 2, 4, 6)]

    assert [name for page in pages for name in page] == whole
    assert names(reader.runs(limit=0)) == []
    with pytest.raises(QueryError, match="below zero"):
        reader.runs(limit=-1)


def test_a_run_is_found_by_id_prefix_and_name(reader, jobs):
    """The whole id, the beginning of it and the name all lead to the run."""
    run_id = jobs.ids["mlp-a"]

    assert {reader.run(wanted).id for wanted in (run_id, run_id[:2], run_id[:13], "mlp-a")} == {run_id}


@pytest.mark.parametrize(
    "wanted", ["mlp-aa", "", "%", "_", "0g", "zz" * 5000, "a\0b", "' or 1=1 --", "../x", "😀", "\udcff"]
)
def test_a_run_that_is_not_there_is_an_error_that_lists_what_is(reader, wanted):
    """Whatever is asked for, an unknown run is our own error, and a wildcard is just a character."""
    with pytest.raises(RunNotFoundError) as caught:
        reader.run(wanted)

    assert "6 runs" in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_bundle_where_a_run_is_wanted_is_answered_with_how_it_is_read(reader):
    """Whoever types the name of the file that was sent sees which command reads it."""
    with pytest.raises(
        RunNotFoundError, match=r"A bundle is read as a store: otel-experiments runs --store x\.oxb"
    ):
        reader.run("x.oxb")


def test_the_beginning_of_a_name_is_the_newest_run_that_is_called_so(reader):
    """To who reads; who changes a run has to say which."""
    begun = [run for run in reader.runs() if run.name.startswith("mlp")]
    assert len(begun) > 1
    assert reader.run("mlp").id == begun[0].id
    with pytest.raises(RunNotFoundError, match="Did you mean 'mlp-"):
        reader.only_run("mlp")


def test_a_misspelt_run_is_met_with_a_suggestion(reader):
    """The nearest name is offered."""
    with pytest.raises(RunNotFoundError, match="Did you mean 'sgd-c'"):
        reader.run("sdg-c")


@pytest.mark.parametrize(
    ("wanted", "meant"), [("MLP", ["mlp-a", "mlp-b"]), ("MLP-A", ["mlp-a"]), ("Lost", ["lost-d"])]
)
def test_the_beginning_of_a_name_in_another_case_is_met_with_the_names_that_begin_so(reader, wanted, meant):
    """`show MLP` says which names begin with mlp."""
    with pytest.raises(RunNotFoundError) as caught:
        reader.run(wanted)

    assert caught.value.suggestions == tuple(meant)
    assert f"Did you mean {' or '.join(map(repr, meant))}?" in str(caught.value)


def store_of(*runs):
    """Return a reader over runs given as (id, name), oldest first."""
    store = open_store("memory://")
    records = [Run(run_id, "e", name, RunState.SUCCEEDED, at) for at, (run_id, name) in enumerate(runs)]
    store.apply(WriteBatch(runs=records))
    return Reader(store)


@pytest.mark.parametrize(
    ("wanted", "run_id"),
    [
        ("twin", "c" * 32),
        ("twin~0", "c" * 32),
        ("twin~1", "b" * 32),
        ("twin~2", "a" * 32),
        ("latest", "d" * 32),
        ("latest~1", "c" * 32),
        ("latest~3", "a" * 32),
        ("a", "a" * 32),
        ("twin~3", None),
        ("latest~4", None),
        ("latest~", None),
        ("twin~-1", None),
        ("twin~" + "9" * 18, None),
        ("~1", None),
    ],
)
def test_a_name_means_its_newest_run(wanted, run_id):
    """The newest run of the name, `name~1` the one before, `latest` the newest of all; nothing beyond what there is."""
    with store_of(("a" * 32, "twin"), ("b" * 32, "twin"), ("c" * 32, "twin"), ("d" * 32, "other")) as reader:
        if run_id is None:
            with pytest.raises(RunNotFoundError):
                reader.run(wanted)
        else:
            assert reader.run(wanted).id == run_id


def test_a_run_that_is_called_so_comes_before_what_the_word_means():
    """Runs named "latest", "x~1", or like the beginning of an id are found by their names."""
    with store_of(("a" * 32, "latest"), ("b" * 32, "x~1"), ("c" * 32, "x"), ("d" * 32, "aa")) as reader:
        assert reader.run("latest").id == "a" * 32
        assert reader.run("x~1").id == "b" * 32
        assert reader.run("aa").id == "d" * 32


def test_only_the_beginning_of_ids_is_ambiguous():
    """Ids that begin alike are listed; a name that several runs have is refused only by who changes a run."""
    with store_of(("ab" * 16, "twin"), ("cd" * 16, "twin"), ("ab" + "00" * 15, "other")) as reader:
        with pytest.raises(AmbiguousRunError, match="names 2 runs"):
            reader.run("ab")
        with pytest.raises(AmbiguousRunError, match="names 2 runs") as caught:
            reader.only_run("twin")
        assert set(caught.value.matches) == {"abababababab (twin)", "cdcdcdcdcdcd (twin)"}
        assert reader.only_run("cdcd").id == "cd" * 16
        assert reader.only_run("cd" * 16).name == "twin"
        assert reader.only_run("other").id == "ab" + "00" * 15


def test_an_exact_name_is_found_behind_any_number_of_ids_that_begin_like_it():
    """A run called "a" is found even when hundreds of newer runs have ids that begin with an a."""
    store = open_store("memory://")
    runs = [Run(f"a{i:031x}", "e", f"run-{i}", RunState.PENDING, i + 10) for i in range(300)]
    store.apply(WriteBatch(runs=[Run("b" * 32, "e", "a", RunState.PENDING, 1), *runs]))

    with Reader(store) as reader:
        assert reader.run("a").id == "b" * 32


def test_states_are_computed_when_they_are_read(reader):
    """A run whose process is gone is lost, a living one runs, ended ones stay as they ended."""
    assert [str(run.state) for run in reader.runs()] == [
        "succeeded", "succeeded", "failed", "lost", "running", "cancelled",
    ]  # fmt: skip


def test_a_run_tells_its_params_tags_and_environment(reader, jobs):
    """Params come back typed and nested, tags as they were set, the environment from the resource."""
    run = reader.run("mlp-a")

    assert dict(run.params) == {
        "flag": True, "layers": [64, 32], "optim": {"lr": 0.1, "name": "sgd"}, "seed": 0,
    }  # fmt: skip
    assert run.params["optim.lr"] == 0.1
    assert run.tags == {"team": "vision", "baseline": ""}
    assert run.environment["host.name"] == "box"
    assert run.duration_s == 30.0
    assert run.created_ns == jobs.batch.runs[0].created_ns


def test_a_series_has_its_summary_and_its_points(reader):
    """Last, extremes with their steps, mean and best are there without reading a point; points on request."""
    series = reader.run("mlp-a").metrics["val/acc"]

    assert (series.count, series.last, series.last_step) == (10, pytest.approx(0.86), 9)
    assert (series.min, series.min_step, series.max, series.max_step) == (0.5, 0, pytest.approx(0.86), 9)
    assert (series.direction, series.best, series.best_step) == ("max", series.max, 9)
    assert series.mean == pytest.approx(0.68)
    assert list(series.steps) == list(range(10))
    assert list(series.values) == pytest.approx([0.5 + 0.04 * i for i in range(10)])
    assert len(series.points()) == len(series) == 10


def test_nan_stays_where_it_was(reader):
    """A NaN is a point like any other, and the summary says how many there are."""
    series = reader.run("mlp-b").metrics["loss"]

    assert math.isnan(series.values[4])
    assert (series.nan_count, series.count, series.last) == (1, 10, 0.1)


def test_series_of_a_phase_are_told_apart(reader):
    """The same metric in two phases is two series; without a phase the one that has none is meant."""
    metrics = reader.run("mlp-a").metrics

    assert metrics["loss"].phase == ""
    assert metrics["loss", "validation"].min == pytest.approx(0.2)
    assert list(metrics) == ["loss", "val/acc"]
    assert [(one.name, one.phase) for one in metrics.all()] == [
        ("loss", ""),
        ("loss", "validation"),
        ("val/acc", ""),
    ]
    assert [one.name for one in metrics.matching("val/*")] == ["val/acc"]
    assert ("loss", "test") not in metrics
    assert metrics.get("nothing") is None


def test_an_unknown_metric_is_a_key_error_with_a_readable_text(reader):
    """The error lists the metrics there are and the nearest one, and can be caught as KeyError."""
    metrics = reader.run("mlp-a").metrics

    with pytest.raises(KeyError) as caught:
        metrics["los"]
    assert isinstance(caught.value, MetricNotFoundError)
    assert "Did you mean 'loss'?" in str(caught.value)
    with pytest.raises(
        MetricNotFoundError, match=r"no metric 'loss \[test\]' \(it has 2: loss, loss \[validation\]\)"
    ):
        metrics["loss", "test"]


def test_series_as_numpy_arrays(reader):
    """A series is three arrays of one length and the right types."""
    np = pytest.importorskip("numpy")

    steps, times_ns, values = reader.run("mlp-a").metrics["loss"].numpy()

    assert (steps.dtype, times_ns.dtype, values.dtype) == (np.float64, np.int64, np.float64)
    assert steps.shape == times_ns.shape == values.shape == (10,)


def test_a_thinned_series_keeps_its_extremes(reader):
    """A band of three buckets still holds the smallest and the largest value."""
    series = reader.run("mlp-a").metrics["loss"]

    band = series.band(buckets=3)

    assert len(band.low) <= 3
    assert (min(band.low), max(band.high), sum(band.counts)) == (series.min, series.max, 10)


def test_spans_are_narrowed_step_by_step(reader, jobs):
    """By name, glob, attribute, duration and status, alone and together."""
    spans = reader.run("mlp-a").spans

    assert len(spans) == 1 + 10 + 50
    assert len(spans.named("epoch")) == len(spans.named("e*")) == 10
    assert len(spans.with_attribute("ml.epoch.index", 3)) == 1
    assert len(spans.with_attribute(**{"ml.phase": "train"}).named("epoch")) == 10
    assert len(spans.named("step").slower_than(0.004)) == 20
    assert len(spans.named("step").slower_than(0.002).faster_than(0.003)) == 20
    assert len(spans.errors()) == 0
    assert [span.name for span in spans.first(2, offset=1)] == ["epoch", "step"]
    assert [span.run_id for span in reader.spans.errors()] == [jobs.ids["sgd-c"]]


def test_spans_form_the_tree_they_were_made_in(reader):
    """The run's spans are one tree: run over epochs over steps."""
    (root,) = reader.run("mlp-a").spans.tree()

    assert root.span.name == "run"
    assert [child.span.name for child in root.children] == ["epoch"] * 10
    assert {len(child.children) for child in root.children} == {5}


def test_any_field_of_a_search_can_be_looked_up_on_a_run(reader, jobs):
    """The value that a search compares is the value that a column shows."""
    run = reader.run("mlp-a")
    fields = [
        RunField("name"), RunField("state"), RunField("duration"), RunField("created"), RunField("ended"),
        ParamField("optim.lr"), TagField("team"), MetricField("val/acc", "max_step"),
        MetricField("loss", "min", "validation"), MetricField("nothing"), ParamField("nothing"), RunField("attempt"),
    ]  # fmt: skip
    created_s = jobs.batch.runs[0].created_ns / 1e9

    assert [run.value(field) for field in fields] == [
        "mlp-a", "succeeded", 30.0, created_s, created_s + 30, 0.1, "vision", 9.0,
        pytest.approx(0.2), None, None, 1,
    ]  # fmt: skip


def test_experiments_are_listed_and_unknown_ones_refused(reader):
    """Experiments come with their number of runs; an unknown one is an error with a suggestion."""
    assert [(one.name, one.run_count) for one in reader.experiments()] == [("digits", 5), ("mnist", 1)]
    assert names(reader.runs('state == "pending"', experiment="digits")) == []
    with pytest.raises(ExperimentNotFoundError, match="Did you mean 'digits'"):
        reader.runs(experiment="digit")


def test_listing_many_runs_takes_three_queries_a_page(jobs):
    """Params, tags and series of all runs are read together, not run by run."""
    store = open_store("memory://")
    store.apply(jobs.batch)
    asked = []
    for name in ("params", "tags", "series"):
        original = getattr(store, name)
        setattr(
            store, name, lambda *args, _name=name, _original=original: asked.append(_name) or _original(*args)
        )

    with Reader(store) as reader:
        for run in reader.runs():
            assert run.params is not None
            assert run.tags is not None
            assert run.metrics is not None

    assert sorted(asked) == ["params", "series", "tags"]


def test_sql_reads_and_refuses_to_write(jobs_path):
    """A select answers with columns and rows; anything that would change the store is refused."""
    with open_reader(jobs_path) as reader:
        table = reader.sql("select name, state from runs where experiment = ? order by name", ["mnist"])
        with pytest.raises(QueryError):
            reader.sql("delete from runs")

        assert table.columns == ("name", "state")
        assert [row[1] for row in table] == ["cancelled"]
        assert len(reader.runs()) == 6


def test_reading_where_there_is_no_store_makes_none(tmp_path):
    """A reader of a missing store says so and leaves no file behind."""
    with pytest.raises(StoreNotFoundError):
        open_reader(tmp_path / "none.db")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, {"epoch", "step", "run"}),
        ({"key": attributes.ML_EPOCH_INDEX}, {"epoch"}),
        ({"key": "no.such.key"}, set()),
        ({"key": attributes.ML_STEP_INDEX, "value": 0}, {"step"}),
        ({"key": '$odd"key'}, set()),
    ],
)
def test_an_attribute_without_a_value_asks_for_spans_that_have_it(reader, asked, expected):
    """`with_attribute(key)` is every span with the key, and none when no span has it."""
    run = reader.run("mlp-a")
    wanted = [asked[part] for part in ("key", "value") if part in asked]

    found = run.spans.with_attribute(*wanted)

    assert {span.name for span in found} == expected
    if len(wanted) == 1:
        assert all(wanted[0] in span.attributes for span in found)
        assert len(found) == sum(wanted[0] in span.attributes for span in run.spans)
