"""What importing the package does: next to nothing."""

import json
import os
import subprocess
import sys

import pytest

from otel_experiments import Recorder

HEAVY = {"sqlite3", "grpc", "sklearn", "numpy", "click", "rich", "pandas", "torch"}

REPORT = """
import json, logging, os, random, sys, threading
before = (os.environ.copy(), random.getstate(), sys.excepthook, list(sys.meta_path))
{statement}
import logging, threading
print(json.dumps({{
    "modules": sorted({{name.partition(".")[0] for name in sys.modules}}),
    "threads": [thread.name for thread in threading.enumerate()],
    "handlers": [str(handler) for handler in logging.getLogger().handlers],
    "levels": [name for name, logger in logging.Logger.manager.loggerDict.items()
               if name.startswith(("otel_experiments", "opentelemetry"))
               and isinstance(logger, logging.Logger) and (logger.level or logger.handlers)],
    "is_unchanged": before == (os.environ.copy(), random.getstate(), sys.excepthook, list(sys.meta_path)),
}}))
"""

FIND = """
import json, sys, otel_experiments as ox
assert len(ox.runs("params.lr < 0.01", store="x.db")) == 1
print(json.dumps(sorted(name.removeprefix("otel_experiments.") for name in sys.modules if name.startswith("otel_experiments."))))
"""
MODEL_OF_A_LIST = {"cursor", "other_stores", "page", "run", "search", "setting", "signal", "store_location"}
"""What of the model a process needs that lists runs: each dataclass more is 0.4 ms, at every start."""
NOT_FOR_A_LIST = {
    "journal.format",
    "query.metrics_view",
    "query.params_view",
    "query.run_search",
    "query.series_view",
    "query.table",
    "store.protocol",
    "store.semantics.record_values",
    "store.semantics.run",
    "store.sqlite.bundle_format",
    "store.sqlite.guarded_sql",
    "store.sqlite.read_point",
    "store.sqlite.read_values",
    "store.sqlite.write_batch",
}
"""What is left for when something of a run is looked at."""


def run_fresh(code, folder, cwd=None):
    """Run code in a fresh interpreter, with bytecode kept in `folder`; return what it printed."""
    environment = os.environ | {"PYTHONPYCACHEPREFIX": str(folder)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, cwd=cwd
    )
    return answer.stdout


@pytest.fixture(scope="module")
def bytecode(tmp_path_factory):
    """Return a folder for compiled modules, so that no start but the first compiles anything."""
    return tmp_path_factory.mktemp("bytecode")


@pytest.fixture
def imported(bytecode):
    """Return a function that tells the state of a fresh interpreter after a statement."""
    return lambda statement: json.loads(run_fresh(REPORT.format(statement=statement), bytecode))


@pytest.mark.parametrize(
    "statement",
    [
        "import otel_experiments",
        "import otel_experiments as ox; ox.start_run",
        "import otel_experiments.testing",
    ],
)
def test_importing_changes_nothing_in_the_process(imported, statement):
    """An import starts no thread, configures no logging, and leaves environment, random and hooks alone."""
    state = imported(statement)

    assert state["threads"] == ["MainThread"]
    assert state["handlers"] == []
    assert state["levels"] == []
    assert state["is_unchanged"]


def test_importing_the_package_loads_nothing_heavy(imported):
    """`import otel_experiments` alone loads neither OpenTelemetry nor a database, a server or a terminal."""
    state = imported("import otel_experiments")

    assert set(state["modules"]) & (HEAVY | {"opentelemetry", "wrapt", "psutil"}) == set()


def test_what_a_training_script_uses_loads_nothing_that_it_does_not_need(imported):
    """The first use of a name loads the recorder, not the command line, gRPC or a numeric library."""
    state = imported("import otel_experiments as ox; ox.start_run")

    assert set(state["modules"]) & (HEAVY - {"sqlite3"}) == set()


def test_the_exporters_load_no_command_line(imported):
    """An OpenTelemetry distribution that loads our exporters by entry point gets exporters and no more."""
    state = imported("import otel_experiments.exporters.spans")

    assert set(state["modules"]) & (HEAVY - {"sqlite3"}) == set()


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("from otel_experiments.testing import SteppingClock", HEAVY | {"opentelemetry"}),
        ("from otel_experiments.exporters import StoreSpanExporter", HEAVY - {"sqlite3"}),
        ("import otel_experiments.capture, otel_experiments.goldens", HEAVY | {"opentelemetry"}),
        ("from otel_experiments.goldens import find_pending", HEAVY | {"opentelemetry"}),
    ],
)
def test_a_name_of_a_package_costs_no_other(imported, statement, absent):
    """Importing one public name of a package loads nothing that only its other names need."""
    assert set(imported(statement)["modules"]) & absent == set()


def test_a_process_that_lists_runs_loads_no_more_than_it_looks_at(bytecode, tmp_path):
    """Runs found by a param in a cold process load neither what reads points and spans nor what writes."""
    with Recorder(store=tmp_path / "x.db") as recorder, recorder.start_run(config={"lr": 0.001}):
        pass

    loaded = set(json.loads(run_fresh(FIND, bytecode, tmp_path)))

    assert {name.removeprefix("model.") for name in loaded if name.startswith("model.")} == MODEL_OF_A_LIST
    assert loaded & NOT_FOR_A_LIST == set()


def test_importing_costs_little_beside_opentelemetry(bytecode):
    """`import otel_experiments` takes less CPU time than the parts of OpenTelemetry's SDK that it is made for."""

    def cost_s(statement):
        code = f"import time\nbefore = time.process_time()\n{statement}\nprint(time.process_time() - before)"
        return min(float(run_fresh(code, bytecode)) for _ in range(5))

    assert cost_s("import otel_experiments") <= 1.5 * cost_s(
        "import opentelemetry.sdk.trace, opentelemetry.sdk.metrics"
    )
