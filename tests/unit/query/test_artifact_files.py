"""Artifacts and media out of the store: as rows, and as files of a folder with an index."""

import csv
import io
import json
import shutil
import sqlite3
from contextlib import closing

import pytest

import otel_experiments as ox
from otel_experiments._opening import open_reader
from otel_experiments.cli.root import root
from otel_experiments.query.export.artifact_files import path_of, write_files
from otel_experiments.query.export.rows import RowExport

PICTURE = [[0, 255], [255, 0]]


@pytest.fixture
def store(tmp_path):
    """Return the path of a store whose one run kept two pictures, a file and a folder."""
    path = tmp_path / "runs.db"
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "x.csv").write_text("1,2")
    recorder = ox.Recorder(store=path)
    with recorder.start_run("job", experiment="exp") as run:
        for step in (0, 1):
            run.log({"val/../im:g": ox.Image(PICTURE, caption="c")}, step=step)
        run.log_artifact(b"weights", name="model", type="model", aliases=["best"])
        run.log_artifact(folder, name="data", type="dataset")
    recorder.shutdown()
    return path


def index_of(folder):
    """Return what the index says."""
    return [json.loads(line) for line in (folder / "index.jsonl").read_text(encoding="utf-8").splitlines()]


def test_media_become_files_of_a_folder_with_an_index(store, tmp_path):
    """Each picture is a file below its run and name; a name with `../` leads nowhere else."""
    with open_reader(store) as reader:
        report = write_files(reader, reader.runs(), "media", tmp_path / "out")
        (series,) = reader.run("job").media.values()
        expected = [item.read_bytes() for item in series]

    rows = index_of(tmp_path / "out")
    assert (report.count, report.missing_count) == (2, 0)
    assert [(row["step"], row["caption"], row["index"]) for row in rows] == [(0, "c", 0), (1, "c", 0)]
    assert [(tmp_path / "out" / row["path"]).read_bytes() for row in rows] == expected
    run, name, file = rows[1]["path"].split("/")
    assert rows[1]["run_id"].startswith(run)
    assert (name, file[:4], file[-4:]) == ("val_.._im_g", "1-0-", ".png")
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(
        {"out", "data"} | {one.name for one in store.parent.glob("runs.db*")}
    )


def test_artifacts_become_files_and_folders(store, tmp_path):
    """A folder is written with all its files; versions are part of the path."""
    with open_reader(store) as reader:
        assert write_files(reader, reader.runs(), "artifacts", tmp_path / "out").count == 2

    by_name = {row["name"]: row for row in index_of(tmp_path / "out")}
    assert (tmp_path / "out" / by_name["model"]["path"]).read_bytes() == b"weights"
    assert (tmp_path / "out" / by_name["data"]["path"] / "sub" / "x.csv").read_text() == "1,2"
    assert "/v0-" in by_name["model"]["path"]
    assert by_name["model"]["aliases"] == ["latest", "best"]


def test_bytes_that_are_not_there_are_counted_and_said(store, tmp_path):
    """The index names what could not be had, and the rest is written."""
    with open_reader(store) as reader:
        model = reader.run("job").artifacts["model"].path()
        model.chmod(0o644)
        model.unlink()
        report = write_files(reader, reader.runs(), "artifacts", tmp_path / "out")

    assert (report.count, report.missing_count, len(report.problems)) == (1, 1, 1)
    assert "missing" in report.problems[0]
    assert {row["name"]: row["path"] is None for row in index_of(tmp_path / "out")} == {
        "model": True,
        "data": False,
    }


def test_artifacts_and_media_are_rows_of_a_table(store):
    """CSV, JSON Lines and Parquet have the same artifacts, with digest, version and aliases."""
    pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    with open_reader(store) as reader:
        text, lines, binary = io.StringIO(newline=""), io.StringIO(), io.BytesIO()
        for what, count in (("artifacts", 2), ("media", 2)):
            assert RowExport(reader, None, what).write_text("csv", text) == count
            assert RowExport(reader, None, what).write_text("jsonl", lines) == count
        RowExport(reader, None, "media").write_parquet(binary)
        digests = [one.digest for one in reader.run("job").artifacts.all()]

    rows = list(csv.DictReader(io.StringIO(text.getvalue(), newline="")))
    assert [row["digest"] for row in rows[:2]] == digests
    assert rows[0]["aliases"] == "latest, best"
    assert [json.loads(line)["name"] for line in lines.getvalue().splitlines()] == [
        "model",
        "data",
        "val/../im:g",
        "val/../im:g",
    ]
    table = pq.read_table(io.BytesIO(binary.getvalue())).to_pylist()
    assert [(row["step"], row["caption"], row["version"]) for row in table] == [
        (0.0, "c", None),
        (1.0, "c", None),
    ]


def test_the_command_writes_a_folder(store, tmp_path, cli):
    """`export media --files` says how many, and exits with 9 when some were missing."""
    done = cli("export", "media", "--store", str(store), "--files", str(tmp_path / "out"))
    assert (done.exit_code, done.stderr) == (0, f"Wrote 2 media to {tmp_path / 'out'}.\n")

    shutil.rmtree(f"{store}.artifacts")
    done = cli("export", "media", "--store", str(store), "--files", str(tmp_path / "out"))
    assert done.exit_code == 9
    assert "The bytes of 2 could not be had; the index says which.\n" in done.stderr
    assert "\\n" not in done.stderr
    for wrong in (["runs"], ["media", "--format", "csv"], ["media", "--anonymize"], ["media", "-o", "x.csv"]):
        done = cli("export", *wrong, "--store", str(store), "--files", str(tmp_path / "no"))
        assert done.exit_code == 2
    assert not (tmp_path / "no").exists()


@pytest.fixture
def cli():
    """Return a function that runs a command as a terminal does."""
    from click.testing import CliRunner

    return lambda *arguments: CliRunner().invoke(root, arguments)


def test_the_path_of_a_file_is_one_that_every_system_takes(store):
    """Characters that some filesystem refuses become `_`; the digest keeps apart what is alike otherwise."""
    with open_reader(store) as reader:
        paths = [path_of(one) for series in reader.run("job").media.values() for one in series]

    assert len(set(paths)) == 2
    assert all(set(path) <= set("abcdefghijklmnopqrstuvwxyz0123456789/._-") for path in paths)


@pytest.mark.parametrize("run_id", ["../escaped/", "/tmp/escape/", "..", "a\\b", "=1+1"])
def test_a_run_id_of_a_strange_store_leads_nowhere_else(store, tmp_path, run_id):
    """A store from elsewhere may call its runs anything: their files stay in the folder that was named."""
    _call_runs(store, run_id)

    with open_reader(store) as reader:
        report = write_files(reader, reader.runs(), "artifacts", tmp_path / "deep" / "out")

    out = tmp_path / "deep" / "out"
    assert report.count == 2
    assert [one.name for one in out.parent.iterdir()] == ["out"]
    assert all((out / row["path"]).resolve().is_relative_to(out) for row in index_of(out))


def _call_runs(path, run_id):
    with closing(sqlite3.connect(path)) as connection:
        tables = [
            name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")
        ]
        for name in tables:
            if "run_id" in [column[1] for column in connection.execute(f'pragma table_info("{name}")')]:
                connection.execute(f'update "{name}" set run_id = ? where run_id <> ?', (run_id, ""))
        connection.commit()
