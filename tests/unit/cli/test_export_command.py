"""`export`: forms, files, and what is left behind when it fails."""

import csv
import io
import json
import os

import pytest

import otel_experiments as ox


def test_runs_go_to_stdout_as_csv_by_default(terminal):
    """One header and one row a run."""
    rows = list(csv.DictReader(io.StringIO(terminal.run("export", "runs").stdout_bytes.decode(), newline="")))

    assert len(rows) == 6
    assert rows[0]["name"] == "mlp-a"
    assert rows[0]["params.optim.lr"] == "0.1"


@pytest.mark.parametrize(
    ("name", "is_jsonl"),
    [("out.csv", False), ("out.jsonl", True), ("OUT.NDJSON", True), ("out", False)],
)
def test_the_name_of_the_file_tells_the_form(terminal, tmp_path, name, is_jsonl):
    """A file that ends in .jsonl is JSON Lines, one in .csv or without an ending CSV; stderr says what was written."""
    path = tmp_path / name

    result = terminal.run("export", "points", "-o", str(path), "--experiment", "digits", "--metric", "val/*")

    assert result.exit_code == 0
    assert result.stderr == f"Wrote 26 points to {path}.\n"
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("{") is is_jsonl
    assert [one.name for one in tmp_path.iterdir()] == [name]  # no temporary file is left


KINDS = ["runs", "points", "spans", "events", "logs", "instruments", "artifacts", "media"]


@pytest.mark.parametrize("what", KINDS)
def test_a_file_that_ends_in_json_is_one_document(terminal, tmp_path, what):
    """A .json file is an array of the objects that .jsonl has one a line, for each kind, in the library as in the command."""
    document, lines, ours = (tmp_path / name for name in ("out.json", "out.jsonl", "ours.JSON"))

    assert terminal.run("export", what, "mlp-a", "-o", str(document)).exit_code == 0
    assert terminal.run("export", what, "mlp-a", "-o", str(lines)).exit_code == 0
    ox.export(what, ours, "mlp-a", store=terminal.store)

    rows = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    assert json.loads(document.read_text(encoding="utf-8")) == rows
    assert ours.read_bytes() == document.read_bytes()
    assert rows or what in {"events", "logs", "instruments", "artifacts", "media"}
    assert json.loads(terminal.text("export", what, "mlp-a", "--format", "json")) == rows


def test_a_json_document_without_rows_is_an_empty_array(terminal, tmp_path):
    """An export of no rows is a document, too, which other programs read."""
    path = tmp_path / "out.json"
    terminal.run("export", "points", "--metric", "there is none", "-o", str(path))
    assert path.read_text(encoding="utf-8") == "[]\n"


def test_a_spreadsheet_gets_no_formulas_where_that_is_asked_for(terminal):
    """`--spreadsheet-safe` goes with CSV alone."""
    assert terminal.run("export", "runs", "--spreadsheet-safe").exit_code == 0
    refused = terminal.run("export", "runs", "--format", "jsonl", "--spreadsheet-safe")
    assert refused.exit_code == 2
    assert "leave out --spreadsheet-safe" in refused.stderr


def test_spans_of_one_run_or_of_all(terminal, jobs):
    """With a run only its spans, without one every span of the store."""
    one = terminal.text("export", "spans", "mlp-a").splitlines()
    everything = terminal.text("export", "spans").splitlines()

    assert len(one) == 61
    assert len(everything) == len(jobs.batch.spans)
    assert {json.loads(line)["run_id"] for line in one} == {jobs.ids["mlp-a"]}


def test_an_exported_file_is_readable_like_any_other(terminal, tmp_path):
    """The file has the rights that the umask gives, not those of a private temporary file."""
    path = tmp_path / "runs.csv"
    old = os.umask(0o022)
    try:
        terminal.run("export", "runs", "-o", str(path))
    finally:
        os.umask(old)

    assert path.stat().st_mode & 0o777 == 0o644


def test_a_failing_export_leaves_the_old_file_alone(terminal, tmp_path):
    """An export that cannot be made changes nothing and leaves nothing."""
    path = tmp_path / "runs.csv"
    path.write_text("old")

    result = terminal.run("export", "runs", "--where", "bogus == 1", "-o", str(path))

    assert result.exit_code == 5
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["runs.csv"]


def test_a_file_that_cannot_be_written_is_a_usage_error(terminal, tmp_path):
    """A folder that does not exist is named."""
    result = terminal.run("export", "runs", "-o", str(tmp_path / "none" / "runs.csv"))

    assert result.exit_code == 2
    assert "Cannot write to" in result.stderr


@pytest.mark.parametrize("ending", [".arrow", ".xlsx", ".tsv", ".txt", ".csv.gz", ".db", ".JSONLINES"])
@pytest.mark.parametrize("what", ["runs", "points", "spans"])
def test_an_ending_of_another_format_is_refused(terminal, tmp_path, what, ending):
    """Nothing is written under a name that promises another format; the endings that work are named."""
    result = terminal.run("export", what, "-o", str(tmp_path / f"x{ending}"))

    assert result.exit_code == 2
    assert (
        f"nothing is written in the format {ending.rpartition('.')[1]}{ending.rpartition('.')[2]}"
        in result.stderr
    )
    assert ".jsonl" in result.stderr
    assert ".csv," in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_spans_are_rows_of_csv_where_that_is_asked_for(terminal, tmp_path):
    """Attributes, events and links are JSON in their cells; times are integers of nanoseconds."""
    path = tmp_path / "x.csv"

    result = terminal.run("export", "spans", "sgd-c", "-o", str(path))

    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
    assert result.stderr == f"Wrote 19 spans to {path}.\n"
    (failed,) = [row for row in rows if row["status"] == "error"]
    assert json.loads(failed["events"])[0]["name"] == "exception"
    (epoch,) = [row for row in rows if row["name"] == "epoch" and '":2' in row["attributes"]]
    assert json.loads(epoch["attributes"]) == {"ml.epoch.index": 2, "ml.phase": "train"}
    assert int(epoch["end_unix_nano"]) - int(epoch["start_unix_nano"]) == 500_000_000


def test_a_dash_is_stdout(terminal, tmp_path):
    """`-o -` writes into the pipe, and no file."""
    result = terminal.run("export", "runs", "-o", "-")

    assert result.stdout_bytes.startswith(b"run_id,")
    assert result.stderr == ""


def test_quiet_says_nothing(terminal, tmp_path):
    """`--quiet` writes the file and no line on stderr."""
    result = terminal.run("export", "points", "--quiet", "-o", str(tmp_path / "x.csv"))

    assert (result.exit_code, result.stderr, result.stdout) == (0, "", "")


@pytest.mark.parametrize("what", ["runs", "points", "spans", "events", "logs", "instruments"])
@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_everything_is_written_in_every_format_of_rows(terminal, tmp_path, what, form):
    """Also where there is nothing of it: the file is one of that format."""
    path = tmp_path / f"x.{form}"
    if form == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")

    result = terminal.run("export", what, "-o", str(path))

    assert (result.exit_code, result.stderr[:6]) == (0, "Wrote ")
    start = path.read_bytes()[:4]
    assert (
        start[:1] in {b"{", b""} if form == "jsonl" else start == (b"PAR1" if form == "parquet" else b"run_")
    )


def test_a_format_that_is_named_goes_into_any_file(terminal, tmp_path):
    """With --format the name of the file promises nothing; one run is counted as one run."""
    result = terminal.run("export", "runs", "mlp-a", "--format", "csv", "-o", str(tmp_path / "x.txt"))

    assert (result.exit_code, result.stderr) == (0, f"Wrote 1 run to {tmp_path / 'x.txt'}.\n")


def test_an_anonymous_export_has_other_ids_and_no_machine(terminal, tmp_path, jobs):
    """`--anonymize` with the same `--salt` gives files that go together; without it each has ids of its own."""
    for what in ("runs", "points"):
        result = terminal.run(
            "export", what, "mlp-a", "--anonymize", "--salt", "s", "-o", str(tmp_path / f"{what}.csv")
        )
        assert result.exit_code == 0
    runs, points = ((tmp_path / f"{what}.csv").read_text(encoding="utf-8") for what in ("runs", "points"))
    other = terminal.text("export", "otlp", "mlp-a", "--anonymize")

    run_id = runs.splitlines()[1].split(",")[0]
    assert run_id != jobs.ids["mlp-a"]
    assert {line.split(",")[0] for line in points.splitlines()[1:]} == {run_id}
    assert "host.name" not in other
    assert jobs.ids["mlp-a"] not in other
    assert run_id not in other
    assert terminal.run("export", "runs", "--salt", "s").exit_code == 2
