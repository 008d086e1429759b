"""A row that cannot be read hides itself and nothing else, and is told, in Python, in every command and by the doctor."""

from __future__ import annotations

import json
import shutil
import sqlite3
import warnings

import pytest
from click.testing import CliRunner

import otel_experiments as ox
from otel_experiments._opening import open_reader
from otel_experiments.cli.root import root
from otel_experiments.errors import IncompleteReadWarning, StoreDamagedError
from otel_experiments.model.batch import RunStateChange, WriteBatch
from otel_experiments.model.run import RunState
from otel_experiments.store import open_store

OF_RUNS = {
    "unknown state": "update runs set state = 'COMPLETED' where name = 'bad'",
    "empty state": "update runs set state = '' where name = 'bad'",
    "state of another case": "update runs set state = 'Failed' where name = 'bad'",
    "time as text": "update runs set created_ns = 'yesterday' where name = 'bad'",
    "end as text": "update runs set ended_ns = 'soon' where name = 'bad'",
    "name as bytes": "update runs set name = x'ff00' where name = 'bad'",
    "name is not UTF-8": "update runs set name = cast(x'ff41' as text) where name = 'bad'",
    "state is not UTF-8": "update runs set state = cast(x'ff41' as text) where name = 'bad'",
    "reason as bytes": "update runs set reason = x'ff' where name = 'bad'",
    "attempt as text": "update runs set attempt = 'second' where name = 'bad'",
    "resource is no JSON": (
        "insert into resources values (99, 'h', '', '{torn'); update runs set resource_id = 99 where name = 'bad'"
    ),
    "resource is a list": (
        "insert into resources values (99, 'h', '', '[1]'); update runs set resource_id = 99 where name = 'bad'"
    ),
}
BAD = "(select run_id from runs where name = 'bad')"
OF_OTHERS = {
    "param is no JSON": f"update params set value_json = '{{torn' where run_id = {BAD}",
    "param is bytes": f"update params set value_json = x'00ff' where run_id = {BAD}",
    "tag is bytes": f"update tags set value = x'00ff' where run_id = {BAD}",
    "param is not UTF-8": f"update params set value_json = cast(x'22ff22' as text) where run_id = {BAD}",
    "tag is not UTF-8": f"update tags set value = cast(x'ff41' as text) where run_id = {BAD}",
    "span name is not UTF-8": f"update spans set name = cast(x'ff41' as text) where run_id = {BAD}",
    "span attributes are not UTF-8": f"update spans set attributes = cast(x'ff41' as text) where run_id = {BAD}",
    "series as text": f"update series set minimum = 'low' where run_id = {BAD}",
    "count as text": f"update series set count = 'many' where run_id = {BAD}",
    "chunk cut": "update chunks set values_data = x'0102' where series_id in "
    f"(select series_id from series where run_id = {BAD})",
    "chunk of zeros": "update chunks set encoding = 1, values_data = zeroblob(9) where series_id in "
    f"(select series_id from series where run_id = {BAD})",
    "axis cut": f"update axes set times_data = x'01' where run_id = {BAD}",
    "chunk maximum as text": "update chunks set maximum = 'high' where series_id in "
    f"(select series_id from series where run_id = {BAD})",
    "span kind": f"update spans set kind = 77 where run_id = {BAD}",
    "span status": f"update spans set status = 'FINE' where run_id = {BAD}",
    "span attributes": f"update spans set attributes = 'none' where run_id = {BAD}",
    "span start": f"update spans set start_ns = 'early' where run_id = {BAD}",
    "span resource": f"update spans set resource_id = 12345 where run_id = {BAD}",
    "span event": "update span_events set attributes = '7'",
    "log body": f"update log_records set body = '{{torn' where run_id = {BAD}",
    "log time": f"update log_records set time_ns = 'noon' where run_id = {BAD}",
    "experiment": "update experiments set created_ns = 'long ago' where name = 'second'",
}
SEEN_BY_PYTHON_ALONE = {"log body", "log time", "experiment"}
"""Rows that no command shows."""
COMMANDS = [
    ["runs"], ["runs", "--json"], ["runs", "--order", "-metrics.loss.min"], ["show", "good"], ["show", "good", "--json"],
    ["metrics", "good"], ["metrics", "good", "loss"], ["spans"], ["spans", "--tree"], ["spans", "--json"],
    ["spans", "--attribute", "ml.stage.name=load"], ["export", "runs"], ["export", "runs", "--format", "jsonl"],
    ["export", "points"], ["export", "spans"],
]  # fmt: skip
OF_THE_BAD_ONE = [
    ["show", "bad"], ["show", "bad", "--json"], ["metrics", "bad"], ["metrics", "bad", "loss"], ["spans", "bad"],
    ["export", "points", "bad"],
]  # fmt: skip


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Return a store with two runs, as they were recorded."""
    path = tmp_path_factory.mktemp("rows") / "x.db"
    ox.configure(store=path, system_metrics_s=0, capture_git=False)
    for name, experiment in (("bad", "first"), ("good", "second")):
        with ox.start_run(name, experiment=experiment, config={"lr": 0.1}, tags={"team": "a"}) as run:
            for step in range(20):
                run.log({"loss": 1 / (step + 1)}, step=step)
            with run.stage("load") as stage:
                stage.span.add_event("read", {"rows": 3})
            run.emit("lib.event", {"a": 1})
    ox.shutdown()
    return path


@pytest.fixture
def spoilt(recorded, tmp_path):
    """Return a function that spoils a copy of the store with SQL, and returns its path."""

    def spoil(statements):
        path = tmp_path / "x.db"
        shutil.copy(recorded, path)
        connection = sqlite3.connect(path)
        connection.executescript(statements)
        assert connection.total_changes
        connection.close()
        return path

    return spoil


def run(path, *arguments):
    """Return the result of a command."""
    env = {"COLUMNS": "100", "OTEL_EXPERIMENTS_STORE": str(path)}
    return CliRunner().invoke(root, list(arguments), env=env, prog_name="otel-experiments")


@pytest.mark.parametrize("damage", [*OF_RUNS, *OF_OTHERS])
def test_a_damaged_row_hides_itself_alone(spoilt, damage):
    """Whatever is wrong with a row, every command shows the rest, without a traceback, and doctor --deep names it."""
    path = spoilt((OF_RUNS | OF_OTHERS)[damage])

    answers = {" ".join(line): run(path, *line) for line in [*COMMANDS, *OF_THE_BAD_ONE]}
    deep = run(path, "doctor", "--deep", "--json")

    raised = {
        line: one.exception for line, one in answers.items() if not isinstance(one.exception, SystemExit)
    }
    assert {line: error for line, error in raised.items() if error is not None} == {}
    ends = {line: one.exit_code for line, one in answers.items()}
    of_the_run = {3, 4} if damage in OF_RUNS else {0, 4} if "series" in (OF_RUNS | OF_OTHERS)[damage] else {0}
    assert {ends[" ".join(line)] for line in COMMANDS} == {0}, ends
    assert {ends[" ".join(line)] for line in OF_THE_BAD_ONE} <= of_the_run, answers["show bad"].output
    assert "good" in answers["runs"].stdout
    assert json.loads(answers["show good --json"].stdout)["metrics"][0]["count"] == 20
    assert any("cannot be read" in one.stderr for one in answers.values()) or damage in SEEN_BY_PYTHON_ALONE
    problems = [one for one in json.loads(deep.stdout)["findings"] if one["level"] == "problem"]
    assert deep.exit_code == 3
    assert {one["subject"] for one in problems} == {"rows"}
    assert "cannot be read" in problems[0]["text"]
    assert "select * from" in problems[0]["fix"]


@pytest.mark.parametrize("damage", OF_RUNS)
def test_python_shows_the_other_runs_and_says_which_row_it_could_not_read(spoilt, damage):
    """`ox.runs` has the rest and warns; asking for the run itself raises and names row and reason."""
    path = spoilt(OF_RUNS[damage])
    with open_store(path, read_only=True) as store:
        (run_id,) = next(iter(store.sql("select run_id from runs where experiment = 'first'")[1]))

    with pytest.warns(IncompleteReadWarning, match=f"row run_id = '{run_id}' of the table runs") as told:
        found = ox.runs(store=path)

    assert [one.name for one in found] == ["good"]
    assert {one.filename for one in told} == {__file__}
    with pytest.raises(StoreDamagedError, match=run_id):
        ox.run(run_id, store=path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ox.run("good", store=path).metrics["loss"].count == 20


@pytest.mark.parametrize("damage", ["log body", "log time"])
def test_a_damaged_log_record_is_left_out_and_told(spoilt, damage):
    """The events of the other run are there, and whoever asks for the damaged ones is warned."""
    with open_reader(spoilt(OF_OTHERS[damage])) as reader:
        assert len(reader.run("good").events("lib.event")) == 1
        with pytest.warns(IncompleteReadWarning, match="log_records"):
            assert reader.run("bad").events("lib.event") == []


def test_news_of_a_run_mend_its_row(spoilt):
    """A live run whose row somebody spoilt still takes its end, and is readable then."""
    path = spoilt(OF_RUNS["unknown state"])
    with open_store(path) as store:
        (run_id,) = next(iter(store.sql("select run_id from runs where name = 'bad'")[1]))
        store.apply(WriteBatch(state_changes=[RunStateChange(str(run_id), RunState.FAILED, 2**62)]))

    with open_reader(path) as reader:
        assert reader.run("bad").state == "failed"
        assert reader.run("bad").experiment == "first"


def test_the_doctor_sees_the_rows_of_runs_without_being_asked_to_look_deep(spoilt):
    """An unknown state is a problem for `doctor` alone, too."""
    result = run(spoilt(OF_RUNS["unknown state"]), "doctor")

    assert result.exit_code == 3
    assert "COMPLETED" in result.stdout
