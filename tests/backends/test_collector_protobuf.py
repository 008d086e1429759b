"""A Collector whose file exporter writes protobuf: each request behind its length, which `import` reads."""

import os
import subprocess
import sys
from pathlib import Path

from real_programs import CONFIGS, HANGS_S, Collector, until

import otel_experiments as ox
from otel_experiments.importers.otlp.files import parts_of

TRAINING = Path(__file__).resolve().parent / "trainings" / "stages.py"


def test_a_file_of_protobuf_comes_in_as_the_run(binary, start, tmp_path):
    """`format: proto` of the file exporter: the same run, with every point and every span that ended."""
    override = tmp_path / "proto.yaml"
    override.write_text("exporters:\n  file:\n    format: proto\n", encoding="utf-8")
    collector = start(
        Collector(binary("collector"), tmp_path / "collector", [CONFIGS / "file.yaml", override], {})
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")} | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        "OTEL_EXPERIMENTS_STORE": str(tmp_path / "here.db"),
        "OTEL_EXPERIMENTS_SET_GLOBAL": "true",
        "OTEL_EXPERIMENTS_EXIT_TIMEOUT": "60",
    }
    subprocess.run([sys.executable, TRAINING], cwd=tmp_path, env=environment, check=True, timeout=HANGS_S)
    (run,) = ox.runs(store=tmp_path / "here.db")
    ended = {span.span_id for span in run.spans if span.end_ns is not None}
    file = collector.folder / "telemetry.jsonl"

    def imported():
        store = tmp_path / "elsewhere.db"
        ox.import_otlp(file, store=store)
        return ox.run(run.id, store=store)

    def read():
        with file.open("rb") as stream:
            return [part.signal for part in parts_of(stream, name="x") if hasattr(part, "signal")]

    until(lambda: {"traces", "logs", "metrics"} <= set(read()), what=read)
    until(lambda: {span.span_id for span in imported().spans} >= ended, what=lambda: "spans are missing")
    until(
        lambda: imported().metrics["loss", "train"].last == run.metrics["loss", "train"].last,
        what=lambda: "points are missing",
    )
    found = imported()
    assert (found.name, str(found.state), dict(found.params)) == (run.name, "succeeded", dict(run.params))
    assert {span.span_id for span in found.spans} == ended
