"""Where the output of a run goes with the run, and where it does not."""

import sqlite3
import sys

import pytest
from click.testing import CliRunner

import otel_experiments as ox
from otel_experiments.cli.root import root
from otel_experiments.receiver import Receiver

TEXT = "epoch 1\nby alice in /home/alice\n"


@pytest.fixture
def recorded(store_path, capsys):
    """A store with a run that has printed."""
    settings = {"system_metrics_s": 0, "otlp": False, "capture_output": "python"}
    with ox.Recorder(store=store_path, **settings) as recorder, recorder.start_run("a"):
        print(TEXT, end="")
        print("no more", file=sys.stderr)
    return store_path


def run_command(*words):
    """Run the command line; return what it printed."""
    result = CliRunner().invoke(root, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_bundle_and_a_merged_store_have_it(recorded, tmp_path):
    """Output goes into a bundle, and from there into another store, and is there once however often it comes."""
    bundle, other = tmp_path / "a.oxb", tmp_path / "other.db"

    run_command("bundle", "--store", recorded, "--all", "-o", bundle)
    run_command("import", "--store", other, bundle)
    run_command("import", "--store", other, bundle)

    for place in (bundle, other):
        assert ox.run("a", store=place).output.stdout == TEXT
        assert len(ox.run("a", store=place).output) == 3


def test_an_export_of_otlp_has_it(recorded, tmp_path):
    """Output is in an export that is to be read back, and comes back as it was."""
    exported, other = tmp_path / "a.jsonl", tmp_path / "other.db"

    run_command("export", "otlp", "--store", recorded, "-o", exported)
    run_command("import", "--store", other, exported)

    found, before = ox.run("a", store=other).output, ox.run("a", store=recorded).output
    assert [(line.time_ns, line.stream, line.text) for line in found] == [
        (line.time_ns, line.stream, line.text) for line in before
    ]


def test_what_is_anonymous_has_none(recorded, tmp_path):
    """Output may name anybody, so it is in no anonymous bundle or export."""
    bundle, exported = tmp_path / "a.oxb", tmp_path / "a.jsonl"

    run_command("bundle", "--store", recorded, "--all", "--anonymize", "-o", bundle)
    run_command("export", "otlp", "--store", recorded, "--anonymize", "-o", exported)

    (found,) = ox.runs(store=bundle)
    assert not found.output
    assert "epoch 1" not in exported.read_text()


def test_nothing_of_it_is_sent(tmp_path, capsys):
    """Output stays in the store: no endpoint gets it while the run is recorded, or by `push`, and none of it counts as unsent."""
    here, there = tmp_path / "here.db", tmp_path / "there.db"
    with Receiver(there, grpc="127.0.0.1:0", http=None) as receiver:
        endpoint = receiver.grpc_endpoint
        with (
            ox.Recorder(
                store=here, system_metrics_s=0, otlp=endpoint, capture_output="python", exit_timeout_s=60
            ) as recorder,
            recorder.start_run("a"),
        ):
            print(TEXT, end="")
        run_command("push", "--store", here, "a", "--to", endpoint)

    assert ox.run("a", store=here).output.stdout == TEXT
    assert not ox.run("a", store=there).output
    with sqlite3.connect(here) as database:
        assert database.execute("select count(*) from unsent where count > 0").fetchall() == [(0,)]


def test_the_lines_are_in_the_documented_table(recorded):
    """The lines are in the documented table, one row for many of them."""
    with sqlite3.connect(recorded) as database:
        rows = database.execute(
            "select json_extract(body, '$') from log_records where event_name = 'ml.run.output' order by time_ns"
        ).fetchall()

    assert rows == [(TEXT.rstrip("\n"),), ("no more",)]
