"""Bundles as files: made whole or not at all, only read, and refused where they are not what they say."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest

import otel_experiments as ox
from otel_experiments._bundle import check_bundle_file
from otel_experiments.codec.values import dump_value
from otel_experiments.errors import (
    BundleReadOnlyError,
    ConfigurationError,
    NewerBundleError,
    NewerSchemaError,
    NotAStoreError,
    RunNotFoundError,
    StoreDamagedError,
    StorePathError,
)
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.bundle import BundleManifest
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.semconv import SCHEMA_URL
from otel_experiments.store import open_store
from otel_experiments.store.sqlite.bundle_format import TABLES, rows_digest, seal_manifest
from otel_experiments.store.sqlite.bundle_header import BUNDLE_APPLICATION_ID
from otel_experiments.store.sqlite.bundle_write import writing_bundle

DATA = Path(__file__).parents[2] / "data"
RUN = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def store(tmp_path):
    """Return the path of a store with three runs, of which the last one is running."""
    path = tmp_path / "runs.db"
    with open_store(path) as opened:
        for number, state in enumerate((RunState.SUCCEEDED, RunState.FAILED, RunState.RUNNING)):
            run_id = f"{number:x}" + RUN[1:]
            run = Run(run_id, "digits", f"run-{number}", state, created_ns=10**18 + number, started_ns=10**18)
            points = PointBlock(
                run_id, (SeriesKey("loss"),), [0.0, 1.0], [10**18, 10**18 + 1], ([0.5, float("nan")],)
            )
            opened.apply(WriteBatch(runs=[run], points=[points]))
    return path


@pytest.fixture
def made(store, tmp_path):
    """Return the path of a bundle of all three runs."""
    return ox.bundle(None, tmp_path / "runs.oxb", store=store).path


def changed(path, statement):
    """Change a bundle, as only somebody else's program does."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma writable_schema = on")
        connection.execute(statement)
        connection.commit()
    return path


def test_a_bundle_is_one_file_that_reads_as_its_store(store, made):
    """A bundle has no file beside it, and its runs, points and search are those of the store."""
    with ox.open(made) as bundle, ox.open(store) as original:
        assert [run.id for run in bundle.runs()] == [run.id for run in original.runs()]
        assert (
            bundle.sql("select name, last from series").rows
            == original.sql("select name, last from series").rows
        )
        assert [run.name for run in bundle.runs("state == 'failed'")] == ["run-1"]
    assert [path.name for path in made.parent.glob("*.oxb*")] == ["runs.oxb"]


def test_the_manifest_says_what_is_in_it(made):
    """A bundle says of which release and vocabulary it is, how many runs it has and which were still going on."""
    manifest, damages = check_bundle_file(made)

    assert damages == []
    assert (manifest.format_version, manifest.run_count, manifest.schema_url) == (1, 3, SCHEMA_URL)
    assert manifest.product_version == ox.__version__
    assert manifest.live_run_ids == ("2" + RUN[1:],)


def test_the_same_runs_have_the_same_digest(store, tmp_path):
    """Two bundles of the same runs have the same digest of rows, whenever they are made; other runs have another."""
    digests = [
        ox.bundle(runs, tmp_path / "x.oxb", store=store).rows_digest
        for runs in (["run-0"], ["run-0"], ["run-1"])
    ]

    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        ({"runs": "run-0"}, ["run-0"]),
        ({"runs": ["run-1", "run-0", "run-1"]}, ["run-0", "run-1"]),
        ({"runs": None, "where": "state == 'failed'"}, ["run-1"]),
        ({"runs": ["run-0"], "where": "state == 'failed'"}, ["run-0", "run-1"]),
        ({"runs": None, "experiment": "digits"}, ["run-0", "run-1", "run-2"]),
    ],
)
def test_runs_are_chosen_by_name_search_and_experiment(store, tmp_path, chosen, names):
    """A bundle has the runs that were asked for, each once."""
    runs = chosen.pop("runs")

    ox.bundle(runs, tmp_path / "x.oxb", store=store, **chosen)

    with ox.open(tmp_path / "x.oxb") as bundle:
        assert sorted(run.name for run in bundle.runs()) == names


def test_runs_that_were_read_can_be_given(store, tmp_path):
    """What `ox.runs` returns can be handed on as it is."""
    ox.bundle(ox.runs("state == 'failed'", store=store), tmp_path / "x.oxb", store=store)

    assert [run.name for run in ox.open(tmp_path / "x.oxb").runs()] == ["run-1"]


def test_an_empty_store_makes_no_bundle(tmp_path):
    """Where there is no run at all, the error names the store and says how to get one, and no file is made."""
    open_store(tmp_path / "empty.db").close()

    with pytest.raises(RunNotFoundError, match=r"No run in store .* \(it is empty\)") as told:
        ox.bundle(None, tmp_path / "x.oxb", store=tmp_path / "empty.db")

    assert "Record a run first" in str(told.value)
    assert not (tmp_path / "x.oxb").exists()


def test_no_run_makes_no_bundle(store, tmp_path):
    """A choice that no run answers to is an error, and no file is made."""
    with pytest.raises(RunNotFoundError, match="No run \"state == 'paused'\" in store"):
        ox.bundle(None, tmp_path / "x.oxb", where="state == 'paused'", store=store)

    assert not (tmp_path / "x.oxb").exists()


@pytest.mark.parametrize("name", ["runs.db", "runs", "runs.zip"])
def test_another_ending_is_refused(store, tmp_path, name):
    """A bundle's name ends in .oxb; another ending is refused before the store itself could be replaced."""
    before = store.read_bytes()

    with pytest.raises(ConfigurationError, match=r"Let it end in \.oxb"):
        ox.bundle(None, tmp_path / name, store=store)

    assert store.read_bytes() == before


def test_what_fails_half_way_leaves_what_was_there(made):
    """Where a bundle cannot be finished, the one that was there stays, and no part is left beside it."""
    before = made.read_bytes()

    def write():
        with writing_bundle(made) as writer:
            writer.apply(WriteBatch(runs=[Run(RUN, "digits", "late", RunState.SUCCEEDED, created_ns=1)]))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()

    assert made.read_bytes() == before
    assert [path.name for path in made.parent.iterdir() if "oxb" in path.name] == ["runs.oxb"]


def test_a_full_disk_makes_no_bundle(store, tmp_path):
    """Where there is no room for a bundle, the error says so, and no part of it is left."""
    program = (
        "import resource, sys, otel_experiments as ox\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "try: ox.bundle(None, 'x.oxb', store=sys.argv[1])\n"
        "except ox.errors.StoreFullError as error: print(error)"
    )
    command = [sys.executable, "-c", program, str(store)]

    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)

    assert answer.stdout.startswith("Store 'x.oxb'"), answer.stderr
    assert not [path.name for path in tmp_path.iterdir() if "oxb" in path.name]


def test_bundling_changes_nothing_in_the_store(store, tmp_path):
    """Runs that are archived stay in the store as they are, with their states; a bundle is a copy of them."""
    with ox.open(store) as reader:
        before = [(run.id, run.record.state, run.metrics["loss"].last) for run in reader.runs()]
        rows = reader.sql("select * from runs order by run_id").rows

    ox.bundle(None, tmp_path / "x.oxb", experiment="digits", store=store)

    with ox.open(store) as reader:
        after = [(run.id, run.record.state, run.metrics["loss"].last) for run in reader.runs()]
        assert repr(after) == repr(before)
        assert reader.sql("select * from runs order by run_id").rows == rows


@pytest.mark.parametrize("name", ["runs.oxb", "renamed.db"])
def test_a_bundle_is_not_recorded_into(made, name):
    """Recording into a bundle is refused before training starts, under whatever name it is there, and changes nothing."""
    path = made.rename(made.with_name(name))
    before = path.read_bytes()

    with pytest.raises(BundleReadOnlyError, match="only read"), ox.Recorder(store=path) as recorder:
        recorder.start_run("late")

    assert path.read_bytes() == before


def test_a_bundle_is_not_made_by_recording(tmp_path):
    """A store that is to be recorded into cannot have the ending of a bundle."""
    with (
        pytest.raises(StorePathError, match=r"\.oxb is the ending of a bundle"),
        ox.Recorder(store=tmp_path / "new.oxb"),
    ):
        pass

    assert not (tmp_path / "new.oxb").exists()


def test_a_folder_that_may_not_be_written_is_enough(made, tmp_path):
    """A bundle in a folder that nobody may write opens, for two readers at once, and nothing is put beside it."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    made.rename(folder / "runs.oxb")
    (folder / "runs.oxb").chmod(0o444)
    folder.chmod(0o555)
    program = "import sys, otel_experiments as ox; print(len(ox.open(sys.argv[1]).runs()))"
    command = [sys.executable, "-c", program, str(folder / "runs.oxb")]
    try:
        with ox.open(folder / "runs.oxb") as reader:
            other = subprocess.run(command, capture_output=True, text=True, check=True)
            assert (len(reader.runs()), other.stdout) == (3, "3\n")
        assert [path.name for path in folder.iterdir()] == ["runs.oxb"]
    finally:
        folder.chmod(0o755)


def test_a_network_filesystem_makes_no_difference(made):
    """A bundle on a network filesystem is read as it is: nobody records into it, so that there are no journals."""
    with ox._opening.open_reader(made, is_network=True) as reader:
        assert len(reader.runs()) == 3


@pytest.mark.parametrize("kept", [0, 1, 99, 100, 5_000, -4_096, -1])
def test_a_bundle_that_is_cut_is_said_to_be(made, kept):
    """A bundle whose end is missing, wherever it was cut, is refused when it is opened."""
    whole = made.read_bytes()
    made.write_bytes(whole[:kept])

    with pytest.raises(StoreDamagedError, match="it is cut") as told:
        ox.open(made)

    assert "Get the bundle again" in str(told.value)


def test_what_is_no_bundle_is_said_to_be_none(tmp_path):
    """A file of another kind under a bundle's name is refused and left as it is."""
    path = tmp_path / "runs.oxb"
    path.write_bytes(b"PK\x03\x04" + b"x" * 500)

    with pytest.raises(NotAStoreError, match="not a SQLite database"):
        ox.open(path)


@pytest.mark.parametrize("name", ["pipe.oxb", "x" * 300 + ".oxb", "a\0b.oxb", "folder.oxb"])
def test_what_cannot_be_a_file_is_refused(tmp_path, name):
    """A pipe, a directory, and a name that no file can have are refused at once."""
    if name.startswith("pipe"):
        os.mkfifo(tmp_path / name)
    if name.startswith("folder"):
        (tmp_path / name).mkdir()

    with pytest.raises(StorePathError):
        ox.open(tmp_path / name)


def test_a_newer_format_asks_for_an_upgrade(made):
    """A bundle of a later format, and one of a later schema, are refused with what to do."""
    changed(made, "update bundle_manifest set value = '2' where key = 'format_version'")
    with pytest.raises(NewerBundleError, match="format version 2"):
        ox.open(made)

    changed(made, "pragma user_version = 99")
    with pytest.raises(NewerSchemaError, match="schema version 99"):
        ox.open(made)


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("drop table bundle_manifest", "it has no manifest"),
        ("delete from bundle_manifest", "it has no manifest"),
        ("update bundle_manifest set value = 'x' where key = 'format_version'", "it has no manifest"),
        ("create trigger t after insert on runs begin delete from runs; end", "the trigger 't'"),
        ("create view v as select 1", "the view 'v'"),
        ("alter table params add column more", "its table 'params'"),
        ("drop table span_links", "its table 'span_links'"),
        ("create table more (x)", "its table 'more'"),
        ("pragma user_version = 0", "its table 'artifact_aliases'"),
        ("pragma user_version = 4", "its table 'artifact_aliases'"),
    ],
)
def test_other_tables_than_those_of_a_bundle_are_refused(made, statement, found):
    """A bundle that somebody gave other tables, views or triggers is refused before any of its rows is read."""
    with pytest.raises(StoreDamagedError, match=found):
        ox.open(changed(made, statement))


@pytest.mark.parametrize("value", ["'none'", "x''"])
def test_rows_that_were_changed_are_found(made, tmp_path, value):
    """A row that is not as it was made, in value or type, shows in a check, and such a bundle is not imported."""
    changed(made, f"update runs set description = {value} where name = 'run-1'")

    assert check_bundle_file(made)[1] == ["its rows are not those that it was made with"]
    with pytest.raises(StoreDamagedError, match="its rows are not those"):
        ox.import_store(made, store=tmp_path / "other.db")


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("update bundle_manifest set value = '7' where key = 'run_count'", "what it says of itself"),
        ("update bundle_manifest set key = 'x' where key = 'manifest_digest'", "what it says of itself"),
        ("drop index runs_by_experiment", "what it says of itself"),
    ],
)
def test_what_a_bundle_says_of_itself_is_checked(made, tmp_path, statement, found):
    """A manifest, or an index, that is not as it was made shows in a check, and such a bundle is not imported."""
    changed(made, statement)

    assert check_bundle_file(made)[1] == [f"{found} is not what it was made with"]
    with pytest.raises(StoreDamagedError, match=found):
        ox.import_store(made, store=tmp_path / "other.db")


def test_a_page_that_is_damaged_is_an_error_of_ours(made):
    """Bytes that were lost in the middle of a bundle are said to be a damage, with where to get it again."""
    whole = bytearray(made.read_bytes())
    whole[4096:-4096] = b"\xff" * (len(whole) - 8192)
    made.write_bytes(whole)

    with pytest.raises(StoreDamagedError, match="Get the bundle again"):
        ox.open(made).runs()


def test_a_store_is_no_bundle_to_check(store):
    """Checking a store says that it is one, and how a bundle is made of it."""
    with pytest.raises(ConfigurationError, match="otel-experiments bundle --all"):
        check_bundle_file(store)


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5, 6])
def test_a_bundle_of_an_older_release_is_read(tmp_path, monkeypatch, version):
    """A bundle with an older schema is read as it would be by now, in a temporary file that goes with the reader."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    path, store = tmp_path / "old.oxb", tmp_path / "old.db"
    for copy in (path, store):
        shutil.copy(DATA / f"store_v{version}.db", copy)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma journal_mode = delete")
        for statement in TABLES:
            connection.execute(statement)
        manifest = BundleManifest(1, "0.0", SCHEMA_URL, 5, 1, rows_digest=rows_digest(connection))
        rows = [(key, dump_value(value)) for key, value in asdict(manifest).items() if key != "left_out"]
        connection.executemany("insert into bundle_manifest values (?, ?)", rows)
        seal_manifest(connection)
        connection.execute(f"pragma application_id = {BUNDLE_APPLICATION_ID}")
        connection.commit()
    before = path.read_bytes()

    with ox.open(path) as bundle, ox.open(store) as original:
        assert [run.id for run in bundle.runs()] == [run.id for run in original.runs()] != []
        assert len(list((tmp_path / "temporary").glob("*/*.db"))) == 1
    assert list((tmp_path / "temporary").iterdir()) == []
    report = ox.import_store(path, store=tmp_path / "new.db")

    assert len(report.new_run_ids) > 0
    assert path.read_bytes() == before


def test_a_run_id_that_is_none_is_found_and_not_imported(store, tmp_path):
    """A forged bundle, its digest made anew: the check names the rows, and an import takes the runs beside it."""
    with open_store(store) as opened:
        run = Run("../escaped/", "digits", "evil", RunState.SUCCEEDED, created_ns=1, started_ns=1)
        points = PointBlock(run.run_id, (SeriesKey("loss"),), [0.0], [1], ([0.5],))
        opened.apply(WriteBatch(runs=[run], points=[points]))
    made = ox.bundle(None, tmp_path / "forged.oxb", store=store).path

    said = check_bundle_file(made)[1]
    report = ox.import_store(made, store=tmp_path / "other.db")

    assert "the run id '../escaped/' of 1 row in 'runs' is not 32 hexadecimal digits" in said
    assert "the run id '../escaped/' of 1 row in 'series' is not 32 hexadecimal digits" in said
    assert report.problems == [
        "The run 'evil' was left out: its id is '../escaped/', and an id is 32 hexadecimal digits"
    ]
    assert not report.is_complete
    assert sorted(run.name for run in ox.runs(store=tmp_path / "other.db")) == ["run-0", "run-1", "run-2"]
    assert ox.import_store(store, store=tmp_path / "third.db").problems == report.problems
