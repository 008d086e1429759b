"""A golden is made from a store that was read whole, or not at all."""

import os
import shutil
import sqlite3
import warnings

import pytest
from click.testing import CliRunner

import otel_experiments as ox
from otel_experiments._opening import open_reader
from otel_experiments.capture import capture_run, capture_store
from otel_experiments.cli.root import root
from otel_experiments.errors import IncompleteReadWarning, IncompleteTraceError, SearchWarning
from otel_experiments.store.reader_warning import collect_incomplete, warn_reader

DAMAGES = {
    "run of a child": "update runs set state = 'COMPLETED' where name = 'trial'",
    "span kind": "update spans set kind = 77 where name = 'stage fit' and run_id = (select run_id from runs where name = 'sweep')",
    "span of a child": "update spans set kind = 77 where name = 'stage fit'",
    "span event": "update span_events set attributes = '7'",
    "series": "update series set count = 'many' where name = 'best'",
    "series of a child": "update series set name = x'ff' where name = 'loss'",
    "chunk": "update chunks set values_data = x'0102'",
}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Return a store with a run, a child of it, and another run beside them."""
    path = tmp_path_factory.mktemp("whole") / "x.db"
    ox.configure(store=path, system_metrics_s=0, capture_git=False)
    with ox.start_run("sweep") as run:
        with run.stage("fit") as stage:
            stage.span.add_event("read", {"rows": 3})
            run.log({"best": 0.5}, step=1)
        with ox.start_run("trial") as trial, trial.stage("fit"):
            trial.log({"loss": 0.5}, step=1)
    with ox.start_run("other") as other:
        other.log({"acc": 0.5}, step=1)
    ox.shutdown()
    return path


@pytest.fixture
def spoil(recorded, tmp_path):
    """Return a function that spoils a copy of the store with SQL, and returns its path."""

    def spoil(statement):
        path = tmp_path / "x.db"
        shutil.copy(recorded, path)
        with sqlite3.connect(path) as connection:
            assert connection.execute(statement).rowcount
        connection.close()
        return path

    return spoil


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_store_that_is_read_in_part_gives_no_golden(spoil, damage):
    """A row that cannot be read refuses the capture with the row, although its warnings are ignored."""
    path = spoil(DAMAGES[damage])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IncompleteReadWarning)
        with pytest.raises(IncompleteTraceError, match=r"cannot be read.*\n.*doctor --deep"):
            capture_store(path, select="sweep")


def test_golden_capture_of_a_damaged_store_ends_with_4_and_writes_nothing(spoil, tmp_path, monkeypatch):
    """The command names what could not be read, and leaves no golden."""
    path = spoil(DAMAGES["series"])
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(
        root,
        ["golden", "capture", "here", "--from", "sweep", "--store", str(path)],
        prog_name="otel-experiments",
    )

    assert result.exit_code == 4, result.output
    assert "of the table series cannot be read" in result.stderr
    assert [one.name for one in tmp_path.rglob("*.otg")] == []


def test_damage_of_another_run_refuses_nothing(spoil):
    """A run that can be read is captured, though series and spans beside it cannot."""
    path = spoil("update series set count = 'many' where name = 'acc'")

    with open_reader(path) as reader:
        by_listing = next(run for run in reader.runs() if run.name == "sweep")
        with pytest.warns(IncompleteReadWarning):
            assert by_listing.metrics.all()
        assert [one.name for one in capture_run(by_listing).metrics] == ["best"]


def test_what_was_read_before_refuses_all_the_same(spoil):
    """A view whose series were read, and left out with a warning, is no whole run later either."""
    path = spoil(DAMAGES["series"])

    with open_reader(path) as reader:
        run = reader.run("sweep")
        with pytest.warns(IncompleteReadWarning):
            assert run.metrics.all() == []
        with (
            pytest.warns(IncompleteReadWarning),
            pytest.raises(IncompleteTraceError, match="table series cannot be read"),
        ):
            capture_run(run)


def test_a_damaged_journal_refuses_now_and_later(recorded, tmp_path):
    """A store beside which a journal could not be read is refused until the damaged file is gone."""
    path = tmp_path / "x.db"
    shutil.copy(recorded, path)
    folder = tmp_path / "x.db.journals"
    folder.mkdir()
    (folder / "0001.oxj").write_bytes(os.urandom(64))

    with (
        pytest.warns(IncompleteReadWarning),
        pytest.raises(IncompleteTraceError, match=r"incomplete: .*0001"),
    ):
        capture_store(path, select="other")
    (folder / "0001.oxj").rename(folder / "0001.damaged")
    (folder / "notes.txt").touch()
    with (
        pytest.warns(IncompleteReadWarning, match=r"0001\.damaged"),
        pytest.raises(IncompleteTraceError, match=r"0001\.damaged"),
    ):
        capture_store(path, select="other")
    with pytest.warns(IncompleteReadWarning, match=r"the journal 0001\.damaged"):
        reader = open_reader(path)
    with reader:
        other = reader.run("other")
        assert len(other.read_anew().read_problems()) == 1
        with pytest.raises(IncompleteTraceError, match=r"0001\.damaged"):
            capture_run(other)
    (folder / "0001.damaged").unlink()
    assert capture_store(path, select="other").name == "other"


def test_what_was_read_before_of_a_child_refuses_all_the_same(spoil):
    """A child run whose series were read, and left out with a warning, is no whole run later either."""
    path = spoil("update series set count = 'many' where name = 'loss'")

    with open_reader(path) as reader:
        runs = {run.name: run for run in reader.runs()}
        with pytest.warns(IncompleteReadWarning):
            assert runs["trial"].metrics.all() == []
        with (
            pytest.warns(IncompleteReadWarning),
            pytest.raises(IncompleteTraceError, match="table series cannot be read"),
        ):
            capture_run(runs["sweep"], children=[runs["trial"]])


WITHOUT_RUNS = "update spans set run_id = null; delete from runs"


def test_spans_without_a_run_that_were_read_in_part_are_refused(recorded, tmp_path):
    """A store of spans alone, one of which or one of whose journals cannot be read, gives no golden."""
    path = tmp_path / "x.db"
    shutil.copy(recorded, path)
    connection = sqlite3.connect(path)
    connection.executescript(f"pragma foreign_keys = off; {WITHOUT_RUNS}")
    connection.execute(
        "delete from spans where trace_id <> (select trace_id from spans where name = 'stage fit')"
    )
    connection.commit()
    assert capture_store(path).spans
    folder = tmp_path / "x.db.journals"
    folder.mkdir()
    (folder / "0001.damaged").touch()

    with pytest.warns(IncompleteReadWarning), pytest.raises(IncompleteTraceError, match=r"0001\.damaged"):
        capture_store(path)
    (folder / "0001.damaged").unlink()
    connection.execute("update spans set kind = 77 where name = 'stage fit'")
    connection.commit()
    connection.close()
    with (
        pytest.warns(IncompleteReadWarning),
        pytest.raises(IncompleteTraceError, match="table spans cannot be read"),
    ):
        capture_store(path)


def test_the_refusal_names_three_rows_and_counts_the_others(spoil):
    """An error about many rows stays short, and names no row twice."""
    path = spoil("update spans set kind = 77")

    with (
        pytest.warns(IncompleteReadWarning),
        pytest.raises(IncompleteTraceError, match=r"cannot be read.*; 1 more\.\n") as raised,
    ):
        capture_store(path, select="sweep")

    assert len(raised.value.problems) == 4
    assert len(set(raised.value.problems)) == 4


def test_what_lacks_is_collected_by_every_block_around_it():
    """A block collects what is read in it, blocks in it included, and neither other warnings nor later ones."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with collect_incomplete() as outer:
            with collect_incomplete() as inner:
                warn_reader("a row", IncompleteReadWarning)
                warn_reader("a hint", SearchWarning)
            warn_reader("another row", IncompleteReadWarning)
        warn_reader("a third row", IncompleteReadWarning)

    assert inner == ["a row"]
    assert outer == ["a row", "another row"]
