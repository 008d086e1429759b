"""Runs, points and spans as CSV and JSON Lines: nothing is dropped, everything reads back."""

import csv
import io
import json
import math

import pytest

from otel_experiments._opening import open_reader
from otel_experiments.query.export.text import (
    points_to_csv,
    points_to_jsonl,
    runs_to_csv,
    runs_to_jsonl,
    spans_to_jsonl,
)


@pytest.fixture
def reader(jobs_path):
    """Return a reader over the six runs."""
    with open_reader(jobs_path) as opened:
        yield opened


def rows_of(text):
    """Return the header and the rows of a CSV text."""
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    return header, [dict(zip(header, row, strict=True)) for row in rows]


def test_csv_has_the_columns_of_all_runs_not_only_of_the_first(reader, jobs):
    """A column that only a later run has is in the header, and empty where a run lacks it."""
    sink = io.StringIO()

    count = runs_to_csv(reader, reader.runs(order="-name"), sink)
    header, rows = rows_of(sink.getvalue())

    assert count == len(rows) == 6
    assert header[:4] == ["run_id", "experiment", "name", "state"]
    assert {"params.optim.lr", "tags.team", "metrics.loss[validation].min", "metrics.val/acc.best"} <= set(
        header
    )
    by_name = {row["name"]: row for row in rows}
    assert by_name["mlp-a"]["params.optim.lr"] == "0.1"
    assert by_name["mlp-a"]["params.layers"] == "[64, 32]"
    assert by_name["mlp-a"]["params.flag"] == "true"
    assert by_name["mlp-a"]["metrics.loss.min_step"] == "9"
    assert by_name["mlp-b"]["metrics.loss.nan_count"] == "1"
    weird = list(jobs.ids)[-1]
    assert by_name[weird]["params.optim.lr"] == ""
    assert by_name[weird]["state"] == "cancelled"


def test_csv_follows_rfc_4180(reader):
    """Lines end in CRLF, and a name with quotes and a line break is quoted, not broken."""
    sink = io.StringIO(newline="")

    runs_to_csv(reader, reader.runs(experiment="mnist"), sink)

    header, row = sink.getvalue().split("\r\n", 1)
    assert header.startswith("run_id,experiment,name")
    assert '"naïve \'q\' ""d"" <b>\n' in row
    assert row.endswith("\r\n")


def test_times_in_csv_are_exact_to_the_microsecond(reader, jobs):
    """Creation times are ISO 8601 in UTC."""
    sink = io.StringIO()

    runs_to_csv(reader, [reader.run("mlp-a")], sink)

    (row,) = rows_of(sink.getvalue())[1]
    assert row["created"].endswith("Z")
    assert int(row["created"][-7:-1]) == jobs.batch.runs[0].created_ns % 10**9 // 1000


def test_runs_as_json_lines_are_one_object_each(reader):
    """Each line is strict JSON with nested params and the summaries of all series."""
    sink = io.StringIO()

    runs_to_jsonl(reader, reader.runs(experiment="digits"), sink)
    objects = [json.loads(line) for line in sink.getvalue().splitlines()]

    assert [one["name"] for one in objects] == ["mlp-a", "mlp-b", "sgd-c", "lost-d", "live-e"]
    assert objects[0]["params"] == {
        "flag": True,
        "layers": [64, 32],
        "optim": {"lr": 0.1, "name": "sgd"},
        "seed": 0,
    }
    assert [(one["name"], one["phase"]) for one in objects[0]["metrics"]] == [
        ("loss", None), ("loss", "validation"), ("val/acc", None),
    ]  # fmt: skip
    assert objects[3]["state"] == "lost"


@pytest.mark.parametrize("write", [points_to_csv, points_to_jsonl])
def test_every_point_is_written_with_its_step_time_and_value(reader, jobs, write):
    """Points come in long form, one a row, NaN by its name; the values read back exactly."""
    sink = io.StringIO()

    count = write(reader, [reader.run("mlp-b")], sink, metric="loss")
    if write is points_to_csv:
        rows = rows_of(sink.getvalue())[1]
    else:
        rows = [json.loads(line) for line in sink.getvalue().splitlines()]

    assert count == len(rows) == 20
    plain = [row for row in rows if not row["phase"]]
    assert [int(row["step"]) for row in plain] == list(range(10))
    assert plain[4]["value"] == "NaN"
    assert [float(row["value"]) for row in plain if row["value"] != "NaN"] == [
        1 / (i + 1) for i in range(10) if i != 4
    ]
    assert math.isclose(int(plain[1]["time_unix_nano"]) - int(plain[0]["time_unix_nano"]), 10**9)
    assert {row["run_id"] for row in rows} == {jobs.ids["mlp-b"]}


def test_spans_are_written_for_chosen_runs_or_for_all(reader, jobs, monkeypatch):
    """Spans come as JSON Lines, page by page, open ones with a null end; None means every span there is."""
    monkeypatch.setattr("otel_experiments.query.export.records.SPAN_PAGE", 7)
    one, everything = io.StringIO(), io.StringIO()

    count = spans_to_jsonl(reader, [reader.run("lost-d")], one)
    spans = [json.loads(line) for line in one.getvalue().splitlines()]

    assert count == len(spans) == 1 + 2 + 10
    assert sum(span["end_unix_nano"] is None for span in spans) == 2
    assert {span["run_id"] for span in spans} == {jobs.ids["lost-d"]}
    assert spans_to_jsonl(reader, None, everything) == len(jobs.batch.spans)
    assert len(set(everything.getvalue().splitlines())) == len(jobs.batch.spans)


def test_exports_of_nothing_have_a_header_and_no_rows(reader):
    """With no run to write, a CSV still says what its columns are."""
    runs, points, lines = io.StringIO(), io.StringIO(), io.StringIO()

    assert (
        runs_to_csv(reader, [], runs),
        points_to_csv(reader, [], points),
        runs_to_jsonl(reader, [], lines),
    ) == (0, 0, 0)
    assert runs.getvalue().startswith("run_id,experiment,name,state")
    assert points.getvalue() == "run_id,metric,phase,step,time_unix_nano,value,rank\r\n"
    assert lines.getvalue() == ""
