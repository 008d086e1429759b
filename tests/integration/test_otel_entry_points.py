"""The exporters by their entry points: OpenTelemetry's own set-up fills a store, without a line of ours."""

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from otel_experiments.model.search import SpanQuery
from otel_experiments.store import open_store

TRAIN = """
from opentelemetry import metrics, trace
from opentelemetry._logs import get_logger

tracer = trace.get_tracer("app", "1.2")
counter = metrics.get_meter("app").create_counter("app.steps")
with tracer.start_as_current_span("train", attributes={"app.lr": 0.1}):
    with tracer.start_as_current_span("epoch"):
        counter.add(3)
    get_logger("app").emit(event_name="app.done", body={"loss": float("nan")})
"""
CONFIGURE = """
from opentelemetry.sdk._configuration import _OTelSDKConfigurator

_OTelSDKConfigurator().configure(auto_instrumentation_version="")
"""
ENVIRONMENT = {
    "OTEL_TRACES_EXPORTER": "otel_experiments",
    "OTEL_METRICS_EXPORTER": "otel_experiments",
    "OTEL_LOGS_EXPORTER": "otel_experiments",
    "OTEL_PYTHON_ID_GENERATOR": "otel_experiments",
    "OTEL_SERVICE_NAME": "app",
}


def run_instrumented(command, tmp_path, text):
    """Run the program with the exporters named in the environment."""
    (tmp_path / "train.py").write_text(text)
    done = subprocess.run(
        [*command, "train.py"],
        env={**os.environ, **ENVIRONMENT, "OTEL_EXPERIMENTS_STORE": str(tmp_path / "found.db")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def assert_all_there(tmp_path):
    """See that spans, log records and data points are in the store."""
    with open_store(tmp_path / "found.db") as store:
        spans = {span.name: span for span in store.spans(SpanQuery())}
        (record,) = store.log_records()
        (point,) = store.instrument_points()
    train, epoch = spans["train"], spans["epoch"]
    assert (epoch.trace_id, epoch.parent_span_id) == (train.trace_id, train.span_id)
    assert (train.attributes, train.scope.name, train.scope.version) == ({"app.lr": 0.1}, "app", "1.2")
    assert train.resource.attributes["service.name"] == "app"
    assert (record.event_name, str(record.body["loss"]), record.span_id) == ("app.done", "nan", train.span_id)
    assert (point.name, point.value) == ("app.steps", 3)


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_the_exporters_have_entry_points(signal):
    """Each signal's group knows `otel_experiments`, and the object it names is an exporter."""
    (found,) = importlib.metadata.entry_points(
        group=f"opentelemetry_{signal}_exporter", name="otel_experiments"
    )
    kind = {"traces": "Span", "metrics": "Metric", "logs": "Log"}[signal]
    assert found.load().__name__ == f"Store{kind}Exporter"


def test_the_sdks_own_auto_configuration_fills_a_store(tmp_path):
    """What OTEL_*_EXPORTER name is found and used by the SDK's configurator."""
    run_instrumented([sys.executable], tmp_path, CONFIGURE + TRAIN)

    assert_all_there(tmp_path)


def test_opentelemetry_instrument_fills_a_store(tmp_path):
    """`OTEL_TRACES_EXPORTER=otel_experiments opentelemetry-instrument python train.py`, as documented."""
    if importlib.util.find_spec("opentelemetry.distro") is None:
        pytest.skip("opentelemetry-distro is not installed: it brings the configurator of this command")
    command = shutil.which("opentelemetry-instrument", path=Path(sys.executable).parent)
    assert command is not None
    run_instrumented([command, sys.executable], tmp_path, TRAIN)

    assert_all_there(tmp_path)


def test_a_store_that_cannot_be_used_is_named(tmp_path):
    """The exporter raises an error of ours when it is set up, and the program still runs to its end."""
    (tmp_path / "train.py").write_text(CONFIGURE + TRAIN)
    done = subprocess.run(
        [sys.executable, "train.py"],
        env={**os.environ, **ENVIRONMENT, "OTEL_EXPERIMENTS_STORE": "memory://"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "An exporter cannot keep telemetry in 'memory://'" in done.stderr
