"""`otel-experiments serve` as a process of its own: started, stopped, killed, and fed by OpenTelemetry's exporters."""

import os
import re
import signal
import subprocess
import sys
import threading

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_experiments._opening import open_reader
from otel_experiments.journal.scan import UNFINISHED
from otel_experiments.model.search import SpanQuery

COMMAND = [sys.executable, "-c", "from otel_experiments.cli import main; main()", "serve"]
RUN_ID = "cd" * 16


class Served:
    """A process that serves; `line` is what it says when it is ready."""

    def __init__(self, folder, arguments=(), environ=None):
        self.process = subprocess.Popen(
            [*COMMAND, "--store", str(folder / "received.db"), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**os.environ, **(environ or {})},
        )
        self.line = self.process.stdout.readline()
        ports = re.findall(r"https?://127\.0\.0\.1:(\d+)", self.line)
        self.grpc_port, self.http_port = map(int, ports) if len(ports) == 2 else (None, None)

    def end(self, how):
        """End it by a signal; return exit code, what it said at the end, and what went to stderr."""
        self.process.send_signal(how)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@pytest.fixture
def serve(tmp_path):
    """Return what starts processes that serve into one store; all are gone at the end of the test."""
    started = []

    def start(*arguments, environ=None):
        arguments = arguments or ("--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0")
        started.append(Served(tmp_path, arguments, environ))
        return started[-1]

    yield start
    for served in started:
        if served.process.poll() is None:
            served.process.kill()
            served.process.communicate()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_in_order(serve, client_of, tmp_path, how):
    """SIGTERM and Ctrl-C end it with code 0 and one line that counts what was received; all of it is stored."""
    served = serve()
    client = client_of(served)
    assert served.line == (
        f"Receiving OTLP into {tmp_path}/received.db: gRPC at http://127.0.0.1:{served.grpc_port} "
        f"and HTTP at http://127.0.0.1:{served.http_port}. Stop with Ctrl-C.\n"
    )
    client.call("traces", client.body_of("traces", "protobuf", 1200))
    client.post("/v1/logs", client.body_of("logs", "json", 1), encoding="json")
    client.post("/v1/logs", b"no", encoding="json")

    code, out, err = served.end(how)

    assert (code, out) == (
        0,
        "Received 1,200 spans and 1 log record in 2 requests. Refused 1 request: 1 malformed.\n",
    )
    assert err.count("\n") <= 2
    assert err.startswith("The receiver refused a request: ")
    with open_reader(tmp_path / "received.db") as reader:
        assert len(reader.store.spans(SpanQuery())) == 1200
        assert len(reader.store.log_records()) == 1
    assert list((tmp_path / "received.db.journals").iterdir()) == []


def test_a_port_that_is_taken_is_said_in_words(serve, client_of):
    """A second receiver on the same port ends with code 2 and says what to do; the first one goes on."""
    first = serve()
    for option, port in (("--grpc", first.grpc_port), ("--http", first.http_port)):
        other = {"--grpc": "--http", "--http": "--grpc"}[option]
        second = serve(option, f"127.0.0.1:{port}", other, "none")
        out, err = second.process.communicate(timeout=60)

        assert (second.process.returncode, second.line, out) == (2, "", "")
        assert err.startswith(
            f"The receiver cannot listen on 127.0.0.1:{port} ({option[2:]}): Address already in use."
        )
        assert "or choose another port: 127.0.0.1:0 takes a free one." in err
        assert "Traceback" not in err
    client = client_of(first)
    assert client.post("/v1/logs", b"{}", encoding="json").status == 200


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--grpc", "none", "--http", "none"), "Give one, such as --http 127.0.0.1:4318."),
        (("--tls-cert", "cert.pem"), "only --tls-cert is given. Give --tls-key as well."),
        (("--tls-key", "key.pem"), "only --tls-key is given. Give --tls-cert as well."),
    ],
)
def test_options_that_miss_another_one_are_said_by_their_names(serve, options, said):
    """The message has the options as they are typed, not the arguments of the Python class."""
    served = serve(*options)
    _, err = served.process.communicate(timeout=60)

    assert served.process.returncode == 2
    assert said in err
    assert "grpc=" not in err


def test_the_token_comes_from_a_file_or_a_variable(serve, client_of, tmp_path):
    """`--token-file` and the variable give the token that clients have to send; a file that is not there ends it."""
    (tmp_path / "token").write_text("from-a-file\n")
    ports = ("--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0")
    variable = {"OTEL_EXPERIMENTS_RECEIVER_TOKEN": "from-a-variable"}
    by_file = serve(*ports, "--token-file", "token", environ=variable)
    by_variable = serve(*ports, environ=variable)
    missing = serve(*ports, "--token-file", "nowhere")
    _, err = missing.process.communicate(timeout=60)

    for served, token in ((by_file, "from-a-file"), (by_variable, "from-a-variable")):
        client = client_of(served)
        answers = [
            client.post("/v1/logs", b"{}", {"Authorization": f"Bearer {given}"}, encoding="json").status
            for given in (token, "other")
        ]
        assert answers == [200, 401]
    assert missing.process.returncode == 2
    assert err.startswith("The token cannot be read from 'nowhere': No such file or directory.")


def test_what_clients_send_cannot_steer_the_terminal(serve, client_of):
    """Control characters in what is refused, and in the path of the store, are printed as text."""
    served = serve()
    client = client_of(served)
    client.post("/v1/logs", b"{}", {"Content-Type": "text/\x1b[31m"})
    message = client.message_of("traces", 1)
    message.resource_spans[0].scope_spans[0].spans[0].name = "evil\x1b[2J\x07"
    message.resource_spans[0].scope_spans[0].spans[0].span_id = b"short"
    client.call("traces", message.SerializeToString())

    code, out, err = served.end(signal.SIGTERM)

    assert code == 0
    assert "evil" in err
    assert all(letter.isprintable() or letter == "\n" for letter in out + err)


class Program:
    """A program with OpenTelemetry's own SDK and exporters, which knows nothing of experiments but three attributes."""

    def __init__(self, port):
        run = {"ml.run.id": RUN_ID, "ml.run.name": "foreign", "ml.experiment.name": "receiving"}
        endpoint = f"http://127.0.0.1:{port}"
        resource = Resource.create(run)
        self.tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
        spans = OTLPSpanExporter(endpoint, insecure=True, timeout=100)
        self.tracers.add_span_processor(
            BatchSpanProcessor(
                spans, max_queue_size=100_000, max_export_batch_size=64, schedule_delay_millis=20
            )
        )
        self.tracer = self.tracers.get_tracer("program")

    def close(self):
        """Send the rest and let go."""
        assert self.tracers.force_flush(100_000)
        self.tracers.shutdown()


def points_message(first, count):
    """Return a request with points of a run's series, each with its step in the exemplar, as runs leave over OTLP."""
    message = ExportMetricsServiceRequest()
    group = message.resource_metrics.add()
    for key, value in (
        ("ml.run.id", RUN_ID),
        ("ml.run.name", "foreign"),
        ("ml.experiment.name", "receiving"),
    ):
        pair = group.resource.attributes.add()
        pair.key, pair.value.string_value = key, value
    metric = group.scope_metrics.add().metrics.add()
    metric.name = "ml.metric.value"
    for step in range(first, first + count):
        point = metric.gauge.data_points.add()
        point.time_unix_nano = 1_700_000_000_000_000_000 + step
        point.as_double = step / 7
        pair = point.attributes.add()
        pair.key, pair.value.string_value = "ml.metric.name", "loss"
        exemplar = point.exemplars.add()
        pair = exemplar.filtered_attributes.add()
        pair.key, pair.value.double_value = "ml.metric.step", step
    return message.SerializeToString()


def send_points(client, counts, failures):
    """Send 200 requests of 50 points in order, each until it is acknowledged; count the acknowledged ones."""
    pause = threading.Event()
    for number in range(200):
        while True:
            try:
                client.call("metrics", points_message(number * 50, 50))
                break
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    failures.append(error)
                    return
                pause.wait(0.02)
        counts.append(number)


def test_killed_under_load_it_loses_and_doubles_nothing(serve, client_of, tmp_path):
    """Killed three times while clients send, and started again each time: each span and point is there once, in order."""
    served = serve()
    ports = ("--grpc", f"127.0.0.1:{served.grpc_port}", "--http", f"127.0.0.1:{served.http_port}")
    program, acknowledged, failures = Program(served.grpc_port), [], []
    sender = threading.Thread(target=send_points, args=(client_of(served), acknowledged, failures))
    sender.start()
    for part in range(4):
        for step in range(part * 500, (part + 1) * 500):
            with program.tracer.start_as_current_span(f"step {step}"):
                pass
        wait_for(lambda part=part: failures or len(acknowledged) > 40 * part + 10)
        if part < 3:
            served.end(signal.SIGKILL)
            served = serve(*ports)
            assert served.line.startswith("Receiving OTLP into "), served.process.communicate()[1]
    sender.join()
    program.close()

    code, _, err = served.end(signal.SIGTERM)
    said = [line for line in err.splitlines() if UNFINISHED not in line]  # of a request that was not answered

    assert (code, said, failures) == (0, [], [])
    with open_reader(tmp_path / "received.db") as reader:
        names = [span.name for span in reader.store.spans(SpanQuery(run_id=RUN_ID))]
        series = reader.run("foreign").metrics["loss"]
        assert sorted(names) == sorted(f"step {step}" for step in range(2000))
        assert list(series.steps) == list(range(10_000))
        assert list(series.values) == [step / 7 for step in range(10_000)]


def wait_for(condition):
    """Wait until the condition holds; a minute is more than enough on any machine."""
    pause = threading.Event()
    for _ in range(3000):
        if condition():
            return
        pause.wait(0.02)
    pytest.fail("what was waited for did not come about")


def test_what_a_killed_receiver_has_acknowledged_is_read_by_whoever_comes_next(serve, client_of, tmp_path):
    """Without another receiver a reader finds what was acknowledged before the kill."""
    served = serve(
        "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", environ={"OTEL_EXPERIMENTS_DRAIN": "3600"}
    )
    client = client_of(served)
    for first in range(1, 501, 100):
        assert client.call("traces", client.spans_message(100, first=first).SerializeToString()) == b""
    served.end(signal.SIGKILL)

    with open_reader(tmp_path / "received.db") as reader:
        assert len(reader.store.spans(SpanQuery())) == 500


def test_a_mapping_decides_whose_telemetry_is(serve, client_of, tmp_path):
    """`--mapping` lies beside the store from then on; one that cannot be used ends it with every wrong line."""
    (tmp_path / "acme.toml").write_text('[[emitter]]\nname = "acme"\nrun_id = ["resource:acme.job"]\n')
    (tmp_path / "wrong.toml").write_text('[[emitter]]\nname = "acme"\nrun_id = "acme.job"\n')
    where = ("--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0")
    wrong = serve(*where, "--mapping", str(tmp_path / "wrong.toml"))
    _, err = wrong.process.communicate(timeout=60)
    assert wrong.process.returncode == 2
    assert "line 3, [[emitter]] 1, run_id: found 'acme.job'. Write a list" in err

    served = serve(*where, "--mapping", str(tmp_path / "acme.toml"))
    body = (
        '{"resourceLogs": [{"resource": {"attributes": [{"key": "acme.job", "value": {"stringValue": "night"}}]}, '
        '"scopeLogs": [{"logRecords": [{"timeUnixNano": "1790000000000000000", "body": {"stringValue": "hello"}}]}]}]}'
    )
    assert client_of(served).post("/v1/logs", body.encode(), encoding="json").status == 200
    served.end(signal.SIGTERM)

    assert (tmp_path / "received.db.mapping.toml").read_text() == (tmp_path / "acme.toml").read_text()
    with open_reader(tmp_path / "received.db") as reader:
        assert [record.body for record in reader.run("night").log_records] == ["hello"]
