"""Points for other programs as well: what sinks are given, and what becomes of sinks that fail."""

import json
import logging
import math
import threading

import pytest

import otel_experiments as ox
from otel_experiments.collect.gather import merge_journals

RUN, OTHER = "a" * 32, "b" * 32


class ListSink:
    """Keeps what it is given."""

    def __init__(self):
        self.points = []
        self.flushed = []

    def record(self, run_id, metric, value, *, step, time_ns, metadata):
        """Keep a point."""
        self.points.append((metric, step, value, dict(metadata)))

    def flush(self, run_id):
        """Note the end of a run."""
        self.flushed.append(run_id)

    def read(self, run_id):
        """Return nothing: nobody asks."""
        return []


@pytest.fixture(autouse=True)
def ended():
    """Let go of what a test set up."""
    yield
    ox.shutdown()


def test_a_line_has_what_the_seed_has(tmp_path):
    """One object a line, in the order of the calls; other runs are left out when one is read, and metadata is kept."""
    sink = ox.JSONLMetrics(tmp_path / "made" / "m.jsonl")
    assert sink.read(RUN) == []
    at_ns = 1_700_000_000_250_000_000
    sink.record(RUN, "loss", 2.5, step=0, time_ns=at_ns, metadata={})
    sink.record(OTHER, "loss", 9.0, step=0, time_ns=at_ns, metadata={})
    sink.record(RUN, "loss", 1.8, step=100, time_ns=at_ns, metadata={"phase": "val"})
    sink.record(RUN, "lr", 0.001, step=100.5, time_ns=at_ns, metadata={})
    sink.flush(RUN)

    lines = (tmp_path / "made" / "m.jsonl").read_text().splitlines()
    assert len(lines) == 4
    assert json.loads(lines[0]) == {
        "run_id": RUN, "metric": "loss", "value": 2.5, "step": 0, "timestamp": "2023-11-14T22:13:20.250000Z", "metadata": {},
    }  # fmt: skip
    assert [(one["metric"], one["value"], one["step"], one["metadata"]) for one in sink.read(RUN)] == [
        ("loss", 2.5, 0, {}), ("loss", 1.8, 100, {"phase": "val"}), ("lr", 0.001, 100.5, {}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")]
)
def test_a_line_is_json_whatever_the_value(tmp_path, value, text):
    """NaN and the infinities, which JSON does not have, are texts."""
    sink = ox.JSONLMetrics(tmp_path / "m.jsonl")
    sink.record(RUN, "loss", value, step=value, time_ns=0, metadata={})

    (one,) = sink.read(RUN)
    assert (one["value"], one["step"]) == (text, text)


def test_a_sink_gets_what_is_stored(tmp_path):
    """Each point of a run comes to each sink once, with its step, phase and value, and the run is flushed at the end."""
    sinks = [ListSink(), ox.JSONLMetrics(tmp_path / "m.jsonl")]
    ox.configure(store=tmp_path / "runs.db", sinks=sinks)
    with ox.start_run("first") as run:
        for step in range(50):
            run.log({"loss": 1.0 / (step + 1), "acc": float(step)}, step=step)
        run.log({"loss": math.nan}, step=50, phase="val")
    ox.shutdown()

    expected = [("loss", float(step), 1.0 / (step + 1), {}) for step in range(50)]
    assert [one for one in sinks[0].points if one[0] == "loss" and not one[3]] == expected
    assert [one[1] for one in sinks[0].points if one[3] == {"phase": "val"}] == [50.0]
    assert len(sinks[0].points) == 101
    assert sinks[0].flushed == [run.id]
    assert len(sinks[1].read(run.id)) == 101


def test_a_sink_that_raises_is_counted_and_told_once(tmp_path, caplog):
    """The store has everything, the report says how many points the sink did not take, and the log says why, once."""

    class Failing(ListSink):
        def record(self, *arguments, **named):
            raise OSError("no space")

    with caplog.at_level(logging.WARNING, logger="otel_experiments"):
        ox.configure(store=tmp_path / "runs.db", sinks=[Failing()])
        with ox.start_run("first") as run:
            for step in range(20):
                run.log({"loss": float(step)}, step=step)
        ox.shutdown()

    assert caplog.text.count("Sink Failing failed in record()") == 1
    assert len(ox.run("first", store=tmp_path / "runs.db").metrics["loss"].points()) == 20


def test_a_sink_that_hangs_holds_up_no_end(tmp_path, caplog):
    """The end of the process does not wait for it, and what it did not take is counted."""
    answers = threading.Event()

    class Hanging(ListSink):
        def record(self, *arguments, **named):
            answers.wait()

    with caplog.at_level(logging.WARNING, logger="otel_experiments"):
        ox.configure(store=tmp_path / "runs.db", sinks=[Hanging()], exit_timeout_s=0.5)
        with ox.start_run("first") as run:
            run.log({"loss": 1.0}, step=0)
        ox.shutdown()
    answers.set()

    assert "Sink Hanging did not take 1 points before the end" in caplog.text
    assert ox.run("first", store=tmp_path / "runs.db").metrics["loss"].last == 1.0


def test_what_a_reader_stored_first_comes_to_the_sink_once(tmp_path):
    """Points that another process moved into the store, out of this process's journal, are given all the same."""
    sink = ListSink()
    path = tmp_path / "runs.db"
    ox.configure(store=path, sinks=[sink], drain_s=600)
    with ox.start_run("first") as run:
        run.log({"loss": 0.0}, step=0)
        run.flush()
        for step in (1, 2, 3):
            run.log({"loss": float(step)}, step=step)
        merge_journals(path)
        for step in (4, 5):
            run.log({"loss": float(step)}, step=step)
    ox.shutdown()

    assert [step for _, step, _, _ in sink.points] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
