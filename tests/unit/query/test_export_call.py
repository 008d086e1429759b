"""`ox.export(...)` as a user calls it."""

import csv
import json

import pytest

import otel_experiments as ox
from otel_experiments.errors import ConfigurationError, RunNotFoundError


def test_points_go_into_the_file_that_the_ending_names(jobs_path, tmp_path, jobs):
    """`ox.export("points", "x.csv", ...)` writes the rows of chosen runs and says how many, and how far it is."""
    seen = []
    path = tmp_path / "x.csv"

    report = ox.export(
        "points",
        path,
        ["mlp-a", "sgd-c"],
        metric="val/*",
        store=jobs_path,
        on_progress=lambda *at: seen.append(at),
    )

    rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    assert (report.run_count, dict(report.written)) == (2, {"points": 13})
    assert len(rows) == 14
    assert {row[0] for row in rows[1:]} == {jobs.ids["mlp-a"], jobs.ids["sgd-c"]}
    assert seen == [(1, 10), (2, 13)]


def test_runs_that_were_read_can_be_given(jobs_path, tmp_path):
    """What `ox.runs` returned says which runs; each is written once."""
    runs = ox.runs("params.optim.lr < 0.2", store=jobs_path)

    ox.export("runs", tmp_path / "x.jsonl", [*runs, runs[0]], store=jobs_path)

    lines = (tmp_path / "x.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["run_id"] for line in lines] == [run.id for run in runs]


def test_otlp_and_parquet_are_formats_of_the_same_call(jobs_path, tmp_path):
    """OTLP comes back by import; Parquet is a table."""
    pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")

    report = ox.export("otlp", tmp_path / "x.jsonl", "mlp-b", store=jobs_path)
    ox.export("spans", tmp_path / "x.parquet", where='state == "failed"', store=jobs_path)

    ox.import_otlp(tmp_path / "x.jsonl", store=tmp_path / "other.db")
    assert report.written["metric points"] == 30
    assert ox.run("mlp-b", store=tmp_path / "other.db").metrics["loss"].count == 10
    assert pq.read_table(tmp_path / "x.parquet").num_rows == 19


def test_an_anonymous_export_is_one_word(jobs_path, tmp_path, jobs):
    """`anonymize=True` leaves no id and no machine in the file; `salt=` makes the ids those of another file."""
    for name in ("a", "b"):
        ox.export("runs", tmp_path / name, form="jsonl", anonymize=True, salt="s", store=jobs_path)

    texts = [(tmp_path / name).read_text(encoding="utf-8") for name in ("a", "b")]
    first, second = ([json.loads(line)["run_id"] for line in text.splitlines()] for text in texts)
    assert first == second
    assert not any(run_id in text for run_id in jobs.ids.values() for text in texts)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("runs", "x.xlsx"), r"nothing is written in the format \.xlsx.*\n.*\.csv, \.jsonl"),
        (("runs", "x.csv.gz"), r"format \.gz"),
        (("points", "x.proto"), r"format \.proto"),
        (("run", "x.csv"), r"exported as 'run'.*\n.*runs, points, spans"),
    ],
)
def test_what_is_not_written_is_refused_with_what_is(jobs_path, tmp_path, arguments, text):
    """The error names the endings or the kinds that work, and no file is made."""
    what, name = arguments
    with pytest.raises(ConfigurationError, match=text):
        ox.export(what, tmp_path / name, store=jobs_path)
    with pytest.raises(ConfigurationError, match=r"Of otlp.*'csv'.*\n.*jsonl, proto"):
        ox.export("otlp", tmp_path / "x", form="csv", store=jobs_path)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_not_there_leaves_the_old_file_alone(jobs_path, tmp_path):
    """An export that cannot be made changes nothing."""
    path = tmp_path / "x.csv"
    path.write_text("old")

    with pytest.raises(RunNotFoundError):
        ox.export("runs", path, "nobody", store=jobs_path)

    assert path.read_text() == "old"
