"""No text of a store steers the terminal that it is shown on: not in a table, an error, a warning, JSON or CSV."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest
from click.testing import CliRunner

from otel_experiments.cli.root import root
from otel_experiments.journal.owner import current_owner
from otel_experiments.model.batch import MetricDefinition, ParamSet, TagSet, WriteBatch
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.span import Event, Link, Resource, Scope, Span, StatusCode
from otel_experiments.semconv import attributes as attr
from otel_experiments.store import open_store

CONTROL = "\x1b[2J\x1b]0;owned\x07\r\b\x7f\x85\x9b31m\u2028\u202e\u2066\ufeff\x0b\x0c"
LINE = "\nINJECTED line"


def evil(word):
    """Return a text that begins with a word and goes on with all that a terminal could obey."""
    return f"{word}{CONTROL}{LINE}"


RUN_ID = "ab" * 16


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Return a store in which every text is hostile."""
    path = tmp_path_factory.mktemp("hostile") / "x.db"
    keys = (SeriesKey(evil("loss")), SeriesKey(evil("acc"), evil("val")))
    resource = {
        key: evil(key)
        for key in (
            attr.SERVICE_NAME, attr.HOST_NAME, attr.PROCESS_COMMAND, attr.VCS_REF_HEAD_NAME, attr.PROCESS_RUNTIME_NAME,
            attr.VCS_REPOSITORY_URL_FULL, attr.PROCESS_WORKING_DIRECTORY, attr.OS_DESCRIPTION, attr.VCS_REF_HEAD_REVISION,
        )
    }  # fmt: skip
    resource[attr.PROCESS_COMMAND_ARGS] = ["python", evil("train.py")]
    attributes = {evil("key"): evil("value"), "list": [evil("one")], attr.ML_STAGE_NAME: evil("stage")}
    event = Event(
        "exception", 2, {attr.EXCEPTION_STACKTRACE: evil("Traceback"), attr.EXCEPTION_MESSAGE: evil("m")}
    )
    spans = [
        Span(
            trace_id=RUN_ID, span_id=f"{i:016x}", parent_span_id=None if i == 1 else f"{1:016x}", name=evil(f"span {i}"),
            start_ns=i, end_ns=None if i == 4 else 9, status=StatusCode.ERROR if i == 2 else StatusCode.UNSET,
            status_message=evil("status"), attributes=attributes, events=(event,), run_id=RUN_ID,
            links=(Link(RUN_ID, f"{1:016x}", attributes, evil("state")),), resource=Resource(resource),
            scope=Scope(evil("scope"), evil("1.0")), trace_state=evil("state"),
        )
        for i in range(1, 5)
    ]  # fmt: skip
    with open_store(path) as store:
        run = Run(
            run_id=RUN_ID, experiment=evil("exp"), name=evil("name"), state=RunState.FAILED, created_ns=1, started_ns=1,
            ended_ns=10**9, reason=evil("reason"), error_type=evil("Error"), owner=current_owner(), group=evil("group"),
            hypothesis=evil("hypothesis"), condition=evil("condition"), description=evil("description"),
            root_span_id=f"{1:016x}", resource=resource,
        )  # fmt: skip
        store.apply(
            WriteBatch(
                runs=[run, Run("cd" * 16, evil("exp"), evil("name"), RunState.SUCCEEDED, 1, 1, 2)],
                params=[
                    ParamSet(RUN_ID, evil("lr"), evil("text"), 1),
                    ParamSet(RUN_ID, "list", [evil("inner"), {evil("k"): evil("v")}], 1),
                    ParamSet("cd" * 16, evil("lr"), 0.5, 1),
                ],
                tags=[TagSet(RUN_ID, evil("tag"), evil("tag value"), 1)],
                metric_definitions=[MetricDefinition(RUN_ID, evil("loss"), "min")],
                points=[PointBlock(RUN_ID, (key,), [0.0, 1.0], [1, 2], ([1.0, 2.0],)) for key in keys],
                spans=spans,
                log_records=[
                    LogRecord(
                        time_ns=1,
                        observed_time_ns=1,
                        event_name=evil("event"),
                        body=evil("body"),
                        run_id=RUN_ID,
                    )
                ],
            )
        )
    return path


COMMANDS = [
    ["runs"],
    [
        "runs",
        "--columns",
        f"params[{json.dumps(evil('lr'))}], metrics[{json.dumps(evil('loss'))}], reason, group, tags.x",
    ],
    ["runs", "--order", f"-metrics[{json.dumps(evil('acc'))}].best"],
    ["runs", "--where", f"params[{json.dumps(evil('none'))}] == 1"],
    ["runs", "--where", evil("x ==")],
    ["runs", "--experiment", evil("other")],
    ["runs", "--experiment", evil("exp")],
    ["show", RUN_ID],
    ["show", "a"],
    ["show", evil("name")],
    ["show", evil("nam")],
    ["show", evil("name"), "--all"],
    ["metrics", RUN_ID],
    ["metrics", RUN_ID, evil("loss")],
    ["metrics", RUN_ID, evil("acc"), "--phase", evil("val")],
    ["metrics", RUN_ID, evil("los")],
    ["metrics", RUN_ID, evil("acc"), "--phase", "test"],
    ["metrics", RUN_ID, "nothing*"],
    ["spans"],
    ["spans", RUN_ID, "--tree"],
    ["spans", "--attribute", evil("key")],
    ["spans", "--attribute", "=" + evil("key")],
    ["sql", "select name, reason, experiment from runs"],
    ["sql", "select attributes, name from spans"],
    ["sql", f'select name as "{evil("column")}" from runs'],
    ["sql", evil("selec")],
    ["export", "runs", "-o", evil("x.parquet")],
    ["export", "runs", "-o", "/nowhere/" + evil("x") + ".csv"],
    ["export", "points", evil("nobody")],
    ["doctor"],
    ["doctor", "--deep"],
    ["semconv", evil("ml")],
    [evil("ui")],
    ["--store", evil("/nowhere/x.db"), "runs"],
    ["--store", evil("/nowhere/x.db"), "doctor"],
    ["golden", "capture", evil("nobody")],
    ["golden", "compare", evil("nobody.otg")],
    ["golden", "show", evil("nobody.otg")],
    ["golden", evil("nothing")],
    ["runs", evil("--nothing")],
    ["runs", "--limit", evil("1")],
    ["golden", "capture", "kept", "--from", RUN_ID, "--dir", "goldens"],
    ["golden", "capture", "kept", "--from", "cd" * 16, "--dir", "goldens"],
    ["golden", "show", RUN_ID],
    ["golden", "compare", RUN_ID, "cd" * 16],
    ["golden", "ls", "--dir", evil("goldens")],
]
AS_JSON = [
    ["runs", "--json"], ["show", RUN_ID, "--json"], ["metrics", RUN_ID, "--json"], ["spans", "--json"],
    ["metrics", RUN_ID, evil("loss"), "--json"], ["spans", "--tree", "--json"],
    ["sql", "select name, attributes from spans", "--json"], ["doctor", "--json"],
    ["export", "runs", "--format", "jsonl"], ["export", "points", "--format", "jsonl"], ["export", "spans"],
]  # fmt: skip


def run(path, *arguments, width="100"):
    """Return the result of a command in this process."""
    env = {"COLUMNS": width, "OTEL_EXPERIMENTS_STORE": str(path), "PYTHONUTF8": "1"}
    return CliRunner().invoke(root, list(arguments), env=env, prog_name="otel-experiments")


def obeyed(text):
    """Return the characters of a text that a terminal would obey, line ends left out."""
    return sorted({character for character in text if not character.isprintable() and character != "\n"})


@pytest.mark.parametrize("width", ["80", "400"])
@pytest.mark.parametrize(
    "arguments", [*COMMANDS, *AS_JSON], ids=lambda line: " ".join(line)[:40].encode("unicode_escape").decode()
)
def test_a_command_prints_nothing_that_a_terminal_obeys(hostile, arguments, width):
    """Names, values, attributes, texts, paths and what was typed come out escaped, on both streams, a line at a time."""
    result = run(hostile, *arguments, width=width)

    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert obeyed(result.stdout) == []
    assert obeyed(result.stderr) == []
    lines = [*result.stdout.splitlines(), *result.stderr.splitlines()]
    assert [line for line in lines if line.lstrip(" │").startswith("INJECTED")] == []


@pytest.mark.parametrize(
    "arguments", AS_JSON, ids=lambda line: " ".join(line)[:40].encode("unicode_escape").decode()
)
def test_json_says_exactly_what_is_stored(hostile, arguments):
    """Escaping changes no value: what JSON reads back is the stored text."""
    result = run(hostile, *arguments)

    read = json.dumps([json.loads(line) for line in result.stdout.splitlines()], ensure_ascii=False)
    assert arguments[0] == "doctor" or json.dumps(evil(""), ensure_ascii=False)[1:-1] in read


@pytest.mark.parametrize(
    "arguments",
    [["export", "runs"], ["export", "points"], ["sql", "select name from runs", "--csv"]],
    ids=" ".join,
)
def test_csv_is_exact_in_a_file_and_harmless_on_a_terminal(hostile, arguments):
    """Into a pipe goes every byte as it is stored; a terminal gets escapes."""
    line = [
        sys.executable,
        "-c",
        "from otel_experiments.cli import main; main()",
        "--store",
        str(hostile),
        *arguments,
    ]

    exact = subprocess.run(line, capture_output=True, check=True, timeout=60).stdout
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        line, stdout=theirs, stderr=subprocess.PIPE, env={**os.environ, "TERM": "xterm"}
    ) as process:
        os.close(theirs)
        seen = b""
        try:
            while part := os.read(ours, 65536):
                seen += part
        except OSError:  # how Linux says that the other end is closed
            pass
    os.close(ours)

    assert process.returncode == 0
    assert evil("").encode() in exact
    assert obeyed(seen.decode().replace("\r\n", "\n")) == []
    assert "owned" in seen.decode()
