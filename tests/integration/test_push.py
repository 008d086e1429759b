"""Stored runs are pushed: what was kept back, or whole runs, as they leave while they are recorded."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

import otel_experiments as ox
from otel_experiments._opening import open_reader
from otel_experiments._push import push
from otel_experiments.errors import ConfigurationError, RunNotFoundError
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.search import SpanQuery
from otel_experiments.receiver import Receiver
from otel_experiments.store import open_store

COMMAND = Path(sys.executable).with_name("otel-experiments")
PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "send-later.md").read_text(encoding="utf-8")
TRAIN = """
import otel_experiments as ox

with ox.start_run("r", config={"lr": 0.1}) as run:
    for i in range(300):
        with run.step(i):
            run.log({"loss": float(i), "acc": 1 / (i + 1)}, step=i)
"""


def environment(**more):
    """The environment of a command, without endpoints but those that are given."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return plain | {"OTEL_EXPERIMENTS_SYSTEM_METRICS": "0", "OTEL_EXPERIMENTS_CAPTURE_GIT": "false"} | more


def run_command(*arguments, **more):
    """Run `otel-experiments`; return what it exits with and prints."""
    done = subprocess.run(
        [COMMAND, *arguments],
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def train(endpoint, script=TRAIN):
    """Train in a process that sends to the endpoint; return what it said."""
    Path("train.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "train.py"],
        env=environment(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stderr


def items(collector):
    """Everything that arrived, each with its resource, scope and schema URLs, as texts that can be compared."""
    found = set()
    for kind, request in collector.requests:
        parts = {"traces": "resource_spans", "metrics": "resource_metrics", "logs": "resource_logs"}[kind]
        for part in getattr(request, parts):
            inner = {"traces": "scope_spans", "metrics": "scope_metrics", "logs": "scope_logs"}[kind]
            for scope in getattr(part, inner):
                where = (str(part.resource), part.schema_url, str(scope.scope), scope.schema_url)
                for item in getattr(
                    scope, {"traces": "spans", "metrics": "metrics", "logs": "log_records"}[kind]
                ):
                    if kind != "metrics":
                        found.add((where, str(item)))
                        continue
                    data = getattr(item, item.WhichOneof("data"))
                    about = (item.name, item.unit, item.description, item.WhichOneof("data"))
                    found |= {(where, about, str(point)) for point in data.data_points}
    return found


@pytest.fixture
def free_port():
    """Return a port where nobody listens yet."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_a_pushed_run_is_the_run_that_left_live(exporting, make_collector, store_path):
    """Spans, events, points and measurements arrive item by item as they did while the run was recorded."""
    with ox.start_run("r", config={"lr": 0.1}, tags={"team": "a"}) as run:
        for step in range(20):
            with run.step(step):
                run.log({"loss": float(step), "acc": 1e300}, step=step)
        run.log({"loss": float("nan")}, step=0.5)
        run.emit("my.event", {"nested": {"a": [1, 2]}, "big": 2**70})
        run.meter.create_histogram("lib.time", "s").record(0.25, {"part": "p"})
        run.meter.create_counter("lib.count").add(3, {"kind": "x"})
    ox.shutdown()
    other = make_collector()

    report = ox.push("r", to=other.endpoint, store=store_path)

    assert report.is_complete
    assert items(other) == items(exporting)
    assert report.sent["metric points"] == len(other.points) == 41
    assert report.sent["spans"] == len(other.spans)


@pytest.mark.parametrize("ending", ["", "killed"])
def test_the_page_is_followed_literally(tmp_path, make_collector, free_port, ending):
    """Train without a collector (to its end, or killed), see what the doctor says, start it, push: it has everything."""
    endpoint = f"http://127.0.0.1:{free_port}"
    commands = [
        line
        for block in re.findall(r"```(?:text|bash)\n(.*?)```", PAGE, re.DOTALL)
        for line in block.splitlines()
    ]
    assert commands[1:] == ["python train.py", "otel-experiments push"]
    (training,) = re.findall(r"```python file=train.py\n(.*?)```", PAGE, re.DOTALL)
    if ending:
        training = "import os, signal\n" + training + "    os.kill(os.getpid(), signal.SIGKILL)\n"
    said = train(endpoint, script=training)
    assert ending or "otel-experiments push" in said
    with open_reader(tmp_path / "experiments.db"):
        pass  # the journal of a killed process is merged
    _, doctor, _ = run_command("doctor")
    assert f"did not reach 127.0.0.1:{free_port}" in " ".join(doctor.split())

    collector = make_collector(port=free_port)
    code, said, errors = run_command("push", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)

    assert (code, errors) == (0, "")
    assert "Sent " in said
    assert len(collector.points) == 300
    with open_store(tmp_path / "experiments.db") as store:
        ended = {span.span_id for span in store.spans(SpanQuery()) if span.end_ns is not None}
        assert store.unsent() == []
    assert {span.span_id.hex() for span, _ in collector.spans} == ended
    assert run_command("push", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)[1] == "There is nothing to send.\n"
    assert "did not reach" not in run_command("doctor")[1]


def test_a_push_that_is_stopped_goes_on_where_it_was(exporting, make_collector, store_path):
    """An endpoint that goes away in the middle: the second push has the rest, and little of it twice."""
    with ox.start_run("r") as run:
        for step in range(3000):
            with run.step(step):
                pass
    ox.shutdown()
    other = make_collector()
    taken = []

    def answer(request, context):
        taken.append(request)
        if len(taken) > 3:
            context.abort(grpc.StatusCode.UNAVAILABLE, "it is away")

    other.answers["traces"] = answer
    first = ox.push("r", to=other.endpoint, store=store_path, timeout_s=5.0)
    other.answers.clear()
    second = ox.push("r", to=other.endpoint, store=store_path)

    assert not first.is_complete
    assert "it is away" in first.reason
    assert second.is_complete
    ids = [span.span_id for span, _ in other.spans]
    assert len(set(ids)) == 3001
    assert len(ids) <= 3001 + 10
    with open_store(store_path) as store:
        assert store.unsent() == []


def test_a_killed_push_goes_on_where_it_was(exporting, make_collector, store_path):
    """SIGKILL in the middle of a push: the next one completes it."""
    with ox.start_run("r") as run:
        for step in range(2000):
            with run.step(step):
                pass
    ox.shutdown()
    other = make_collector()
    code = f"import otel_experiments as ox; ox.push('r', to={other.endpoint!r}, store={str(store_path)!r})"
    with subprocess.Popen([sys.executable, "-c", code], env=environment()) as process:
        other.wait_for(lambda: len(other.of("traces")) >= 2)
        process.send_signal(signal.SIGKILL)
        process.wait()

    report = ox.push("r", to=other.endpoint, store=store_path)

    assert report.is_complete
    assert {span.span_id.hex() for span, _ in other.spans} == {
        span.span_id.hex() for span, _ in exporting.spans
    }


def test_roots_are_pushed_first(exporting, make_collector, store_path):
    """However little a backend gets, it has the root of the trace."""
    with ox.start_run("r") as run:
        for step in range(10):
            with run.step(step):
                pass
    ox.shutdown()
    other = make_collector()
    ox.push("r", to=other.endpoint, store=store_path, signals=["traces"])

    assert set(other.asked) == {"traces"}
    assert other.spans[0][0].parent_span_id == b""
    assert len(other.spans) == 11


def test_a_dead_endpoint_ends_a_push_at_once(tmp_path, free_port):
    """Exit code 8, one line that says why, and what to do."""
    train("http://127.0.0.1:9")
    code, said, errors = run_command("push", "r", "--to", f"http://127.0.0.1:{free_port}")

    assert code == 8
    assert said == "Sent nothing of 1 run.\n"
    assert "did not take the rest: UNAVAILABLE" in errors
    assert errors.endswith("The same command goes on from there.\n")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, "for good"),
        (grpc.StatusCode.UNIMPLEMENTED, "did not take the rest: UNIMPLEMENTED"),
    ],
)
def test_a_push_of_which_nothing_is_taken_is_no_success(tmp_path, collector, code, said):
    """Exit code 8, in Python not complete, whatever it is that the endpoint says."""
    train("http://127.0.0.1:9")
    for kind in ("traces", "metrics", "logs"):
        collector.refuse(kind, code, "no")

    exit_code, printed, errors = run_command("push", "r", "--to", collector.endpoint)
    report = ox.push("r", to=collector.endpoint)

    assert (exit_code, printed, said in errors) == (8, "Sent nothing of 1 run.\n", True), errors
    assert (report.is_complete, report.sent) == (False, {})


def test_a_push_to_a_wrong_path_forgets_nothing(tmp_path, collector):
    """An endpoint that knows none of the signals has taken nothing: the rest is still to be sent."""
    train("http://127.0.0.1:9")
    for kind in ("traces", "metrics", "logs"):
        collector.refuse(kind, grpc.StatusCode.UNIMPLEMENTED, "no")
    assert run_command("push", "--to", collector.endpoint)[0] == 8
    collector.answers.clear()

    assert run_command("push", "--to", collector.endpoint)[0] == 0
    assert len(collector.spans) == 301


def test_a_store_that_cannot_be_written_is_pushed_all_the_same(tmp_path, collector, request):
    """It says that it cannot note how far it is."""
    train("http://127.0.0.1:9")
    folder = tmp_path / "archive"
    folder.mkdir()
    shutil.copy(tmp_path / "experiments.db", folder)
    if os.geteuid() != 0:
        folder.chmod(0o500)
        folder.joinpath("experiments.db").chmod(0o400)
    else:
        for options in (("--bind",), ("-o", "remount,ro,bind")):
            done = subprocess.run(["mount", *options, folder, folder], capture_output=True, check=False)
            if done.returncode:
                pytest.skip("mounting is not permitted here")
            if options == ("--bind",):
                request.addfinalizer(lambda: subprocess.run(["umount", "-l", folder], check=True))
    code, _, errors = run_command(
        "--store", str(folder / "experiments.db"), "push", "r", "--to", collector.endpoint
    )

    assert code == 0
    assert len(collector.points) == 600
    assert "How far the push is cannot be written" in errors


def test_json_says_what_was_sent(tmp_path, collector):
    """Counts by what was sent, for scripts."""
    train("http://127.0.0.1:9")
    code, said, _ = run_command("push", "--where", 'name == "r"', "--to", collector.endpoint, "--json")

    answer = json.loads(said)
    assert code == 0
    assert (answer["runs"], answer["complete"], answer["refused"]) == (1, True, {})
    assert answer["sent"]["metric points"] == 600


def test_what_cannot_be_pushed_is_said(exporting, store_path):
    """No endpoint, no such signal, no such run."""
    with ox.start_run("r"):
        pass
    ox.shutdown()
    os.environ.pop("OTEL_EXPORTER_OTLP_ENDPOINT")
    with pytest.raises(ConfigurationError, match="no endpoint is given"):
        ox.push("r", store=store_path)
    with pytest.raises(ConfigurationError, match="Signal 'spans' cannot be pushed"):
        ox.push("r", to=exporting.endpoint, store=store_path, signals=["spans"])
    with pytest.raises(RunNotFoundError):
        ox.push("nobody", to=exporting.endpoint, store=store_path)


def test_a_run_of_nothing_is_pushed(exporting, make_collector, store_path):
    """Its root and its events are there."""
    with ox.start_run("r"):
        pass
    ox.shutdown()
    other = make_collector()

    assert ox.push("r", to=other.endpoint, store=store_path).is_complete
    assert items(other) == items(exporting)
    assert len(other.spans) == 1


def test_the_points_of_ranks_arrive_under_their_numbers(tmp_path):
    """A run that several ranks logged is pushed into another store, where each rank has its series as before."""
    run = Run(
        "ab" * 16,
        "e",
        "ranks",
        RunState.SUCCEEDED,
        1,
        started_ns=1,
        ended_ns=9,
        resource={"ml.run.id": "ab" * 16},
    )
    blocks = [
        PointBlock(
            run.run_id, (SeriesKey("loss", "", rank),), [0.0, 1.0], [5, 6], ([rank + 0.5, rank + 0.25],)
        )
        for rank in range(3)
    ]
    with open_store(tmp_path / "here.db") as here:
        here.apply(WriteBatch(runs=[run], points=blocks))
    with Receiver(store=tmp_path / "there.db", grpc="127.0.0.1:0", http=None) as receiver:
        report = push("ranks", to=receiver.grpc_endpoint, signals=["metrics"], store=tmp_path / "here.db")
        assert report.is_complete

    with open_reader(tmp_path / "there.db") as reader:
        found = {
            one.key.rank: list(reader.store.points(run.run_id, one.key).values)
            for one in reader.store.series([run.run_id])[run.run_id]
        }
    assert found == {rank: [rank + 0.5, rank + 0.25] for rank in range(3)}
