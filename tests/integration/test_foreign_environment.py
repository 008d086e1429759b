"""Settings meant for other programs never end a training: whatever `OTEL_*` holds, the run is whole in the store."""

import os
import subprocess
import sys

import pytest

import otel_experiments as ox
from otel_experiments.query import Reader
from otel_experiments.store import open_store

OTLP = [
    f"OTEL_EXPORTER_OTLP_{signal}{what}"
    for signal in ("", "TRACES_", "METRICS_", "LOGS_")
    for what in (
        "PROTOCOL", "COMPRESSION", "TIMEOUT", "HEADERS", "CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY", "INSECURE",
        "ENDPOINT",
    )
]  # fmt: skip
NUMBERS = [
    "OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_BLRP_SCHEDULE_DELAY", "OTEL_BLRP_EXPORT_TIMEOUT", "OTEL_BLRP_MAX_QUEUE_SIZE", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_METRIC_EXPORT_INTERVAL", "OTEL_METRIC_EXPORT_TIMEOUT", "OTEL_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT", "OTEL_SPAN_LINK_COUNT_LIMIT", "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT",
]  # fmt: skip
OTHERS = [
    "OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER", "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG", "OTEL_METRICS_EXEMPLAR_FILTER", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_SERVICE_NAME",
    "OTEL_LOG_LEVEL", "OTEL_SDK_DISABLED", "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS",
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
    "OTEL_PYTHON_ID_GENERATOR", "OTEL_PYTHON_TRACER_PROVIDER", "OTEL_PYTHON_METER_PROVIDER",
    "OTEL_PYTHON_LOGGER_PROVIDER", "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "OTEL_CONFIG_FILE",
    "OTEL_PYTHON_EXPORTER_OTLP_GRPC_CREDENTIAL_PROVIDER",
]  # fmt: skip
AT_IMPORT = ["OTEL_PROPAGATORS", "OTEL_PYTHON_CONTEXT", "OTEL_SEMCONV_STABILITY_OPT_IN"]
VALUES = [
    "nonsense", "http/protobuf", "zstd", "-1", "0", "1e400", "nan", "10.5.3", "a=b=c,,=;%zz", "/no/such/file.pem",
    "ftp://x:1", "http://127.0.0.1:99999", "http://", "\u00fc\u2603", " ", "9" * 400, "none",
]  # fmt: skip


def record(run):
    """Record a bit of everything."""
    for number in range(20):
        run.log({"loss": float(number)})
    with run.stage("load"):
        pass
    run.emit("app.event", {"number": 1})
    run.set_tag("team", "vision")
    run.log_params({"lr": 0.1})
    run.count(samples=3)


def assert_whole(store):
    """See that the store has the run with all that was recorded."""
    run = Reader(store).run("r")
    assert run.state == "succeeded"
    assert list(run.metrics["loss"].points().values) == [float(number) for number in range(20)]
    assert (run.params.flat, run.tags["team"]) == ({"lr": 0.1}, "vision")
    assert sorted(span.name for span in run.spans) == ["run default", "stage load"]
    names = [record.event_name for record in store.log_records(run_id=run.id)]
    assert names.count("app.event") == 1


@pytest.mark.parametrize("variable", OTLP + NUMBERS + OTHERS)
def test_no_value_of_a_standard_variable_ends_a_training(configure, monkeypatch, store_path, variable):
    """One variable holds what it cannot mean, value by value: each run starts, ends and is stored."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    first = (OTLP + NUMBERS + OTHERS).index(variable) % 4
    for value in VALUES[first::4]:  # each variable a fourth of them, each value with variables of every kind
        monkeypatch.setenv(variable, value)
        configure(otlp=True, exit_timeout_s=0.2)
        with ox.start_run("r") as run:
            record(run)
        ox.shutdown()

        with open_store(store_path) as store:
            assert_whole(store)
        assert os.environ[variable] == value


@pytest.mark.parametrize(
    "value", ["nonsense", "-1", "a=b=c,,=;%zz", "http://127.0.0.1:99999", "\u00fc\u2603", "none"]
)
def test_a_whole_environment_of_nonsense_ends_no_training(tmp_path, value):
    """Every variable holds it, those that are read at import too: the program runs, and exits with 0."""
    script = tmp_path / "train.py"
    script.write_text(
        "import otel_experiments as ox\n"
        "with ox.start_run('r') as run:\n"
        "    for number in range(20):\n"
        "        run.log({'loss': float(number)})\n"
        "    with run.stage('load'):\n"
        "        pass\n"
        "    run.emit('app.event', {'number': 1})\n"
        "    run.set_tag('team', 'vision')\n"
        "    run.log_params({'lr': 0.1})\n"
    )
    variables = [*OTLP, *NUMBERS, *OTHERS, *AT_IMPORT]
    done = subprocess.run(
        [sys.executable, str(script)],
        env={
            **{name: text for name, text in os.environ.items() if not name.startswith("OTEL_")},
            **dict.fromkeys(variables, value),
            "OTEL_EXPERIMENTS_STORE": "experiments.db",
            "OTEL_EXPERIMENTS_SYSTEM_METRICS": "0",
            "OTEL_EXPERIMENTS_EXIT_TIMEOUT": "1",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    with open_store(tmp_path / "experiments.db") as store:
        assert_whole(store)
