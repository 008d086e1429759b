"""A text that is not UTF-8, in whatever column, costs its row and a warning that names it, and no query."""

import shutil
import sqlite3
import time
import warnings

import pytest
from click.testing import CliRunner

import otel_experiments as ox
from otel_experiments._opening import open_reader
from otel_experiments.cli.root import root
from otel_experiments.errors import IncompleteReadWarning, QueryError, RunNotFoundError, StoreDamagedError
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.edit import RunEdit, RunPurge
from otel_experiments.model.run import Owner
from otel_experiments.model.search import SpanQuery
from otel_experiments.model.signal import SIGNALS
from otel_experiments.model.unsent import Unsent
from otel_experiments.store import open_store

TABLES = (
    "artifact_aliases", "artifact_uses", "artifact_versions", "artifacts", "axes", "chunks", "edits", "experiments", "instrument_points", "log_records", "metric_definitions", "param_history", "params", "purged_runs", "resources",
    "runs", "scopes", "segments", "series", "span_events", "span_links", "span_summaries", "spans", "summaries", "tags", "unsent",
)  # fmt: skip
SEARCHES = (
    'params.opt.matches("a.*")', "params.layers.contains(1)", 'params.opt.contains("a")', 'params.opt == "adam"',
    'tags.team == "a"', 'tags.team.matches("a")', 'name.matches("g")', '"o" in name', 'experiment.matches("s")',
    'experiment == "second"', 'state == "succeeded"', "metrics.loss.min < 1", "duration > 0",
)  # fmt: skip
ORDERS = ("-params.opt", "tags.team", "name", "-metrics.loss.min", "experiment", "-created")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Return a store with rows in every table."""
    path = tmp_path_factory.mktemp("texts") / "x.db"
    ox.configure(store=path, system_metrics_s=0, capture_git=False)
    for name, experiment in (("bad", "first"), ("good", "second")):
        config = {"lr": 0.1, "opt": "adam", "layers": [1, 2]}
        with ox.start_run(name, experiment=experiment, config=config, tags={"team": "a"}) as run:
            run.define_metric("loss", direction="min", step_metric="epoch", summary="min")
            run.config.opt = "sgd"
            run.summary["best"] = "a text"
            for step in range(3):
                run.log({"loss": 1 / (step + 1)}, step=step)
            with run.stage("load") as load:
                load.span.add_event("read", {"rows": 3})
            with run.stage("fit") as fit:
                fit.span.add_link(load.span.get_span_context(), {"a": 1})
            run.emit("lib.event", {"a": 1})
            run.log_artifact(b"model", name="model", aliases=["best"])
            run.log({"note": ox.Text("a text")}, step=3)
            run.use_artifact("model:best")
            run.meter.create_counter("lib.count").add(1)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                run.log({"": 1.0})
        run_id = run.id
    ox.shutdown()
    row = Unsent(run_id, "logs", "127.0.0.1:4317", Owner("host", "boot", 1, 1), 5, 1, "it was shut down")
    with open_store(path) as store:
        store.apply(WriteBatch(unsent=[row]))
        store.apply(WriteBatch(edits=[RunEdit(run_id, "note", "why", time.time_ns(), "ada")]))
        store.apply(WriteBatch(purges=[RunPurge("c" * 32, time.time_ns())]))
    return path


def columns(path, table):
    """Return the names of the columns of a table."""
    connection = sqlite3.connect(path)
    try:
        return [row[1] for row in connection.execute(f"pragma table_info({table})")]
    finally:
        connection.close()


def spoil(recorded, path, table, column):
    """Return whether a copy of the store got texts that are not UTF-8 into the column, as far as its rules allow."""
    shutil.copy(recorded, path)
    connection = sqlite3.connect(path)
    try:
        with connection:
            statement = f"update or ignore {table} set {column} = cast(x'ff41' as text)"
            return bool(connection.execute(statement).rowcount)
    except sqlite3.IntegrityError:  # a row id is a number whatever comes
        return False
    finally:
        connection.close()


def ask_everything(path):
    """Ask every question; errors that name a row or say that a run is not there are answers too."""
    asked = []
    with open_reader(path) as reader:
        asked += [
            reader.runs,
            reader.experiments,
            reader.store.losses,
            reader.store.unsent,
            reader.store.log_records,
            reader.store.purged_runs,
            lambda: reader.runs(visibility="removed"),
        ]
        asked += [reader.store.instrument_points, lambda: list(reader.spans), lambda: reader.run("go")]
        asked += [lambda one=one: reader.runs(one) for one in SEARCHES]
        asked += [lambda one=one: reader.runs(order=one) for one in ORDERS]
        asked += [lambda name=name: reader.run(name) for name in ("good", "bad", "0")]
        asked.append(lambda: reader.store.spans(SpanQuery(name_glob="l*")))
        asked.append(lambda: reader.store.spans(SpanQuery(attributes=(("ml.stage.name", "load"),))))
        for ask in asked:
            try:
                ask()
            except (StoreDamagedError, RunNotFoundError):
                continue
        for run in reader.runs():
            list(run.spans)
            run.events("lib.event")
            [(one.name, one.aliases, one.metadata) for one in run.artifacts.all()]
            [list(series) for series in run.media.values()]
            reader.store.artifact_uses(run_ids=(run.id,))
            dict(run.params), dict(run.tags), dict(run.summary), dict(run.params.changed)
            reader.store.edits([run.id]), reader.store.run_contents([run.id])
            for series in run.metrics.all():
                series.points()
                series.band(buckets=2)
                assert series.is_hidden is False
            reader.store.losses([run.id])
            for signal in SIGNALS:
                list(reader.store.stored_pages(run.id, signal))


@pytest.mark.parametrize("table", TABLES)
def test_a_text_that_is_not_utf8_fails_no_question(recorded, tmp_path, table):
    """Whatever column holds it, lists, searches, sort keys, spans, points and events have the rest, without an error."""
    path = tmp_path / "x.db"
    spoilt = 0
    for column in columns(recorded, table):
        if not spoil(recorded, path, table, column):
            continue
        spoilt += 1
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            ask_everything(path)
        assert {one.category.__name__ for one in told} <= {"IncompleteReadWarning", "SearchWarning"}, column
    assert spoilt
    with open_store(recorded, read_only=True) as store:
        names = {name for (name,) in store.sql("select name from sqlite_master where type = 'table'")[1]}
    assert table in names
    assert {name for name in names if not name.startswith("sqlite_")} == set(TABLES)


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("runs", "run_id"), ("runs", "name"), ("runs", "parent_run_id"), ("spans", "parent_span_id"),
        ("spans", "run_id"), ("scopes", "name"), ("resources", "schema_url"), ("log_records", "trace_id"),
        ("log_records", "attributes"), ("experiments", "name"), ("tags", "key"), ("series", "phase"),
        ("params", "value_json"), ("param_history", "value_json"), ("summaries", "key"), ("metric_definitions", "summary"),
        ("instrument_points", "name"), ("chunks", "maximum"), ("axes", "steps_data"),
    ],
)  # fmt: skip
def test_the_row_is_named_so_that_it_can_be_looked_at(recorded, tmp_path, table, column):
    """A reader warns of the row, and the statement that the warning gives finds rows."""
    path = tmp_path / "x.db"
    assert spoil(recorded, path, table, column)

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        ask_everything(path)

    texts = [str(one.message) for one in told if one.category is IncompleteReadWarning]
    assert texts
    statement = texts[0].partition('sql "')[2].partition('";')[0]
    with open_store(path, read_only=True) as store:
        assert store.sql(statement)[1]


def test_sql_gives_a_text_that_is_not_utf8_as_bytes(recorded, tmp_path):
    """`ox.sql` and `otel-experiments sql` have every row; the text comes as bytes, and the next query has texts."""
    path = tmp_path / "x.db"
    shutil.copy(recorded, path)
    with sqlite3.connect(path) as connection:
        connection.execute("update runs set name = cast(x'ff41' as text) where name = 'bad'")
    connection.close()
    statement = "select name, experiment from runs order by experiment"

    assert [tuple(row) for row in ox.sql(statement, store=path)] == [(b"\xffA", "first"), ("good", "second")]
    with open_store(path, read_only=True) as store:
        assert store.sql(statement)[1][0] == (b"\xffA", "first")
        assert store.sql("select 'é', cast('é' as blob)")[1] == [("é", "é".encode())]
    for form in ([], ["--json"], ["--csv"]):
        result = CliRunner().invoke(root, ["sql", *form, statement, "--store", str(path)])
        assert result.exit_code == 0, result.output
        assert "good" in result.stdout
    with pytest.raises(QueryError, match=r"a text that is not UTF-8(.|\n)*cast\(name as blob\) regexp"):
        ox.sql("select name from runs where name regexp 'g'", store=path)
    assert ox.sql("select name from runs where cast(name as blob) regexp 'g'", store=path).rows == [("good",)]
