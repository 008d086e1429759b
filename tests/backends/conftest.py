"""Fixtures that start the real programs of `.ci/backends`, or skip with the reason why one cannot be had."""

import functools
import sys
from pathlib import Path

import pytest

from otel_experiments import __version__

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
for folder in (str(HERE), str(ROOT / ".ci/backends")):
    if folder not in sys.path:
        sys.path.append(
            folder
        )  # modules beside this one, and the one that says where built programs are kept

import made_programs  # noqa: E402 - found by the lines above
from real_programs import (  # noqa: E402
    CONFIGS,
    Collector,
    Jaeger,
    Prometheus,
    Prometheus2,
    Serve,
    VictoriaMetrics,
)


@functools.cache
def find(name):
    """Return where a program is kept, or why it is not."""
    program = next(program for program in made_programs.PROGRAMS if program.name == name)
    return made_programs.find(program, folder=FOLDER, go=made_programs.go_version())


FOLDER = made_programs.kept_folder()  # before a test has another home


@pytest.fixture(scope="session")
def kept():
    """Return a function that gives where a program is kept (`file`), or why it is not (`reason`)."""
    return find


@pytest.fixture
def binary(record_property):
    """Return a function that returns the file of a program; where it cannot be had the test is skipped."""

    def file_of(name):
        found = find(name)
        if found.file is None:
            record_property("backend_missing", (name, found.reason))
            pytest.skip(f"{name} cannot be had here: {found.reason}")
        record_property("backend_version", (name, found.program.version))
        return found.file

    return file_of


@pytest.fixture
def note_serve(record_property):
    """Note for the summary that `otel-experiments serve` of this checkout is used."""
    record_property("backend_version", ("serve", __version__))


@pytest.fixture
def came_back(record_property):
    """Return a function that notes for the summary how many spans or points a backend gave back."""

    def note(backend, *, spans=0, points=0):
        record_property("backend_counts", (backend, spans, points))

    return note


@pytest.fixture
def start(binary, tmp_path):
    """Return a function that starts a program in a folder of its own; all are stopped after the test."""
    started = []

    def run(server):
        started.append(server)
        return server.start()

    yield run
    for server in reversed(started):
        server.stop()


@pytest.fixture
def make_collector(binary, start, tmp_path):
    """Return a function that starts the Collector with files of `collector-config/` and variables."""
    made = []

    def make(*configs, **environment):
        made.append(configs)
        folder = tmp_path / f"collector{len(made)}"
        return start(
            Collector(binary("collector"), folder, [CONFIGS / name for name in configs], environment)
        )

    return make


@pytest.fixture
def jaeger(binary, start, tmp_path):
    """Return a running Jaeger."""
    return start(Jaeger(binary("jaeger"), tmp_path / "jaeger"))


@pytest.fixture
def serve(note_serve, start, tmp_path):
    """Return a running `otel-experiments serve`."""
    return start(Serve(tmp_path / "serve"))


@pytest.fixture
def victoriametrics(binary, start, tmp_path):
    """Return a running VictoriaMetrics."""
    return start(VictoriaMetrics(binary("victoriametrics"), tmp_path / "victoriametrics"))


@pytest.fixture
def prometheus(binary, start, tmp_path):
    """Return a running Prometheus 3."""
    return start(Prometheus(binary("prometheus"), tmp_path / "prometheus"))


@pytest.fixture
def prometheus_2(binary, start, tmp_path):
    """Return a running Prometheus 2, which takes remote write only."""
    return start(Prometheus2(binary("prometheus-2"), tmp_path / "prometheus-2"))
