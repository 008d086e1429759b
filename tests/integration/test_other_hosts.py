"""What readers say of records that wait on other hosts, for stores that several hosts write.

A second host is a process whose journals lie in another folder for state.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import urllib.request
import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

import otel_experiments as ox
from otel_experiments.cli.root import root
from otel_experiments.errors import IncompleteReadWarning
from otel_experiments.exporters import StoreSpanExporter
from otel_experiments.importers.otlp.emitters import use_mapping
from otel_experiments.model.other_stores import waiting_place
from otel_experiments.model.search import SpanQuery
from otel_experiments.receiver import Receiver
from otel_experiments.store import open_store

sys.path.append(str(Path(__file__).parent))

import postgres_server

EXAMPLE = Path(__file__).parents[2] / "examples" / "folder_store"


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL server, where there is one; else None."""
    programs = postgres_server.find_programs()
    if programs is None:
        yield None
        return
    made = postgres_server.Server(programs)
    made.start()
    yield made
    with contextlib.suppress(AssertionError):
        made.stop()
    made.remove()


@pytest.fixture(params=["folder", "postgresql"])
def address(request, server, tmp_path, monkeypatch):
    """An empty store that several hosts reach: the example's, and PostgreSQL."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "here"))
    if request.param == "postgresql":
        psycopg = pytest.importorskip("psycopg")
        if server is None:
            pytest.skip("PostgreSQL is not installed: no initdb in PATH or /usr/lib/postgresql")
        with psycopg.connect(server.address, autocommit=True) as connection:
            connection.execute("drop schema if exists otel_experiments cascade")
        yield server.address
    else:
        packages = tmp_path / "packages"
        packages.mkdir()
        shutil.copy(EXAMPLE / "folder_store.py", packages)
        about = packages / "folder_store-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: folder-store\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(
            "[otel_experiments.store]\nfolder = folder_store:open_store\n"
        )
        monkeypatch.syspath_prepend(packages)
        monkeypatch.setenv("PYTHONPATH", str(packages))
        yield f"folder://{tmp_path}/runs"
    ox.shutdown()


@pytest.fixture
def other_host(tmp_path):
    """Run a program on another host, which answers each line that it is sent when it has done what it says."""
    started = []

    def start(address, code):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code)],
            env={
                **os.environ,
                "XDG_STATE_HOME": str(tmp_path / "there"),
                "OTEL_EXPERIMENTS_STORE": address,
            },
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=60)


def losses_of(address):
    """The points of the run's loss."""
    return list(ox.run("there", store=address).metrics["loss"].points().values)


RECORDS = """
    import sys
    import otel_experiments as ox
    ox.configure(drain_s=60, capture_output="off", exit_timeout_s=0.3)
    run = ox.start_run("there")
    run.log({"loss": 0.0}, step=0)
    run.flush()
    print("stored", flush=True)
    sys.stdin.readline()
    for step in range(1, 50):
        run.log({"loss": float(step)}, step=step)
    print("recorded", flush=True)
    sys.stdin.readline()
"""


def test_a_reader_says_what_a_killed_process_of_another_host_holds(
    address, other_host, tmp_path, monkeypatch
):
    """It names the process, its host and the folder, in Python, `runs`, `show` and `doctor`, until that host has stored it."""
    process = other_host(address, RECORDS)
    assert process.stdout.readline() == "stored\n"
    print("go on", file=process.stdin, flush=True)
    assert process.stdout.readline() == "recorded\n"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert losses_of(address) == [0.0]  # it lives, and says more by itself
    process.kill()
    process.wait()

    there = tmp_path / "there" / "otel-experiments"
    with pytest.warns(IncompleteReadWarning, match=f"process {process.pid} on host") as told:
        assert losses_of(address) == [0.0]
    text = str(told[0].message)
    assert os.uname().nodename in text
    assert f"is in '{there}" in text
    for command in (["runs"], ["show", "there"], ["doctor"]):
        answer = CliRunner().invoke(root, [*command, "--store", address])
        assert f"process {process.pid} on host" in " ".join(answer.output.split()), answer.output

    with monkeypatch.context() as there_now:
        there_now.setenv("XDG_STATE_HOME", str(tmp_path / "there"))
        assert len(losses_of(address)) == 50
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(losses_of(address)) == 50


def test_a_process_that_ends_well_leaves_nothing_to_be_said(address, other_host):
    """What has ended, and what waits for its next run, holds nothing that a reader would have to name."""
    process = other_host(address, RECORDS)
    assert process.stdout.readline() == "stored\n"
    print("go on", file=process.stdin, flush=True)
    process.communicate(timeout=60)
    assert process.returncode == 0

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(losses_of(address)) == 50
    with open_store(address) as store:
        assert [report.is_open for report in store.journal_reports()] == [False]


def test_a_process_that_goes_on_without_a_run_says_that_nothing_waits(address):
    """A notebook whose run has ended may be left open for days: that is no warning on other hosts."""
    ox.configure(store=address, drain_s=60, capture_output="off")
    with ox.start_run("first") as run:
        run.log({"loss": 0.5}, step=0)
        run.flush()
        with open_store(address) as store:
            assert [report.is_open for report in store.journal_reports()] == [True]
    for _ in range(4):  # a round of the drain each
        ox.runs()

    with open_store(address) as store:
        assert [report.is_open for report in store.journal_reports()] == [False]
    with ox.start_run("second") as run:
        run.flush()
        with open_store(address) as store:
            assert [report.is_open for report in store.journal_reports()] == [True]


def test_a_server_that_went_away_first_is_told_by_other_hosts_later(address, other_host, server):
    """A process that was killed while the store was away had said where its journal is."""
    if not address.startswith("postgresql"):
        pytest.skip("a folder does not go away")
    process = other_host(address, RECORDS)
    assert process.stdout.readline() == "stored\n"
    server.stop()
    print("go on", file=process.stdin, flush=True)
    assert process.stdout.readline() == "recorded\n"
    process.communicate(timeout=60)  # it ends by itself, and its journal waits
    server.start()

    with pytest.warns(IncompleteReadWarning, match=f"process {process.pid} on host"):
        assert losses_of(address) == [0.0]


SPAN = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "web"}}]},
            "scopeSpans": [
                {
                    "spans": [
                        {"traceId": "1" * 32, "spanId": "2" * 16, "name": "GET /", "startTimeUnixNano": "1",
                         "endTimeUnixNano": "5"}
                    ]
                }
            ],
        }
    ]
}  # fmt: skip


def send(endpoint):
    """Send a span of another program to a receiver; return what it answers."""
    request = urllib.request.Request(
        f"{endpoint}/v1/traces", json.dumps(SPAN).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.status


def spans_of(address):
    """The names of the spans of no run."""
    with ox.open_reader(address) as reader:
        return [span.name for span in reader.store.spans(SpanQuery())]


def test_a_receiver_takes_telemetry_into_a_store_elsewhere(address):
    """What is sent over OTLP is in the store, and no host has anything left to be said."""
    with Receiver(address, grpc=None, http="127.0.0.1:0") as receiver:
        assert send(receiver.http_endpoint) == 200
        assert receiver.store_path is None

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert spans_of(address) == ["GET /"]
    with open_store(address) as store:
        assert [report.is_open for report in store.journal_reports()] == [False]


def test_a_mapping_is_beside_the_journals_of_a_store_elsewhere(address, tmp_path):
    """Telemetry that names no run becomes a run by the mapping, whoever merges the journal on this host."""
    mapping = tmp_path / "mapping.toml"
    mapping.write_text('[[emitter]]\nname = "web"\nrun_id = ["resource:service.name"]\n')
    waiting = waiting_place(address)
    use_mapping(waiting, mapping)

    with Receiver(address, grpc=None, http="127.0.0.1:0") as receiver:
        send(receiver.http_endpoint)

    assert [view.name for view in ox.runs(store=address)] == ["web"]


def test_a_receiver_takes_telemetry_while_its_store_is_away(address, server):
    """The journal has what was acknowledged, and the store gets it once it is back."""
    if not address.startswith("postgresql"):
        pytest.skip("a folder does not go away")
    receiver = Receiver(address, grpc=None, http="127.0.0.1:0")
    server.stop()
    try:
        assert send(receiver.http_endpoint) == 200
        receiver.close()
    finally:
        server.start()

    assert spans_of(address) == ["GET /"]


def test_serve_says_where_it_stores_without_a_file(address, other_host):
    """The command of the receiver takes any store that programs are recorded into."""
    process = other_host(
        address,
        """
        from otel_experiments.cli import main
        import sys
        sys.argv = ["otel-experiments", "serve", "--grpc", "none", "--http", "127.0.0.1:0"]
        main()
        """,
    )
    line = process.stdout.readline()
    assert f"Receiving OTLP into {address}: HTTP at http://127.0.0.1:" in line
    send(re.search(r"http://127.0.0.1:\d+", line)[0])
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)

    assert spans_of(address) == ["GET /"]


def test_exporters_keep_spans_in_a_store_elsewhere(address):
    """What the SDK exports is in the store, through one journal for all exporters of the process."""
    provider = TracerProvider(shutdown_on_exit=False)
    for _ in range(2):
        provider.add_span_processor(SimpleSpanProcessor(StoreSpanExporter(address)))
    with provider.get_tracer("test").start_as_current_span("work"):
        pass
    provider.shutdown()

    assert spans_of(address) == ["work"]
    with open_store(address) as store:
        assert [report.is_open for report in store.journal_reports()] == [False]
