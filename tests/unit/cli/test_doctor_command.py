"""`doctor`: each thing that can be wrong has a finding that says what to do."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from otel_experiments.cli.doctor.store import check_journals
from otel_experiments.collect.journal_place import journal_directory
from otel_experiments.journal.format import HEADER_SIZE_BYTES, unpack_header
from otel_experiments.journal.writer import JournalWriter
from otel_experiments.model.batch import JournalAdvance, WriteBatch
from otel_experiments.model.search import RunQuery
from otel_experiments.store import open_store
from otel_experiments.store.filesystem import filesystem_of


def findings_of(terminal, *arguments, **environment):
    """Return the exit code and the findings by (level, subject)."""
    result = terminal.run("doctor", "--json", *arguments, **environment)
    found = {}
    for one in json.loads(result.stdout)["findings"]:
        found.setdefault((one["level"], one["subject"]), []).append(f"{one['text']} {one['fix']}".strip())
    return result.exit_code, found


@pytest.fixture
def copied(terminal, jobs_path, tmp_path):
    """Return the command line over a store of its own that a test may spoil."""
    path = tmp_path / "copy.db"
    with open_store(jobs_path, read_only=True) as store:
        store.sql("select 1")
    shutil.copy(jobs_path, path)
    for suffix in ("-wal", "-shm"):
        if jobs_path.with_name(jobs_path.name + suffix).exists():
            shutil.copy(jobs_path.with_name(jobs_path.name + suffix), path.with_name(path.name + suffix))
    terminal.store = path
    return terminal


def test_a_healthy_store_has_no_problem(terminal):
    """Versions, settings, disk, store, schema, integrity, writing, journals and OTLP are all looked at."""
    code, found = findings_of(terminal)

    assert code == 0
    assert {subject for level, subject in found if level == "ok"} == {
        "versions", "settings", "disk", "store", "schema", "integrity", "rows", "writing", "journals", "otlp",
    }  # fmt: skip
    assert not [level for level, _ in found if level in {"warning", "problem"}]
    assert "6 runs" in found["ok", "store"][0]
    assert "journal mode wal" in found["ok", "schema"][0]


def test_the_findings_are_readable_at_80_columns(terminal):
    """Long findings are wrapped below their subject; the last line counts."""
    lines = terminal.text("doctor").splitlines()

    # What is to be copied, and a path that is longer than the line, is never broken.
    assert all(len(line) <= 80 or "->" in line or str(terminal.store.parent) in line for line in lines)
    assert lines[-1] == "0 problems, 0 warnings."


def test_looking_changes_nothing(copied):
    """The doctor leaves the runs as they were."""
    before = copied.json("runs")["total"]

    findings_of(copied)

    assert copied.json("runs")["total"] == before


def test_a_missing_store_is_no_problem_but_a_next_step(empty_terminal):
    """Before the first run there is no store; the doctor says how to make one, and makes none."""
    code, found = findings_of(empty_terminal)

    assert code == 0
    assert "otel-experiments demo" in found["note", "store"][0]
    assert not empty_terminal.store.exists()


def test_a_directory_and_a_file_of_another_kind_are_problems(terminal, tmp_path):
    """What cannot be a store is named, with what to do, and the exit code says so."""
    notes = tmp_path / "notes.txt"
    notes.write_text("x" * 200)

    directory = findings_of(terminal, "--store", str(tmp_path))
    text = findings_of(terminal, "--store", str(notes))

    assert (directory[0], text[0]) == (3, 3)
    assert "it is a directory" in directory[1]["problem", "store"][0]
    assert "is not an otel-experiments store" in text[1]["problem", "store"][0]
    assert notes.read_text() == "x" * 200


def test_a_store_of_a_newer_release_is_a_problem(copied):
    """The doctor says which schema was found and how to upgrade."""
    connection = sqlite3.connect(copied.store)
    connection.execute("pragma user_version = 999")
    connection.close()

    code, found = findings_of(copied)

    assert code == 3
    assert "schema version 999" in found["problem", "store"][0]
    assert "pip install --upgrade" in found["problem", "store"][0]


def test_a_locked_store_is_a_warning_that_names_no_loss(copied):
    """Another process in a write transaction is noticed; the journals keep what is recorded meanwhile."""
    holder = sqlite3.connect(copied.store, isolation_level=None)
    holder.execute("begin immediate")
    try:
        code, found = findings_of(copied)
    finally:
        holder.execute("rollback")
        holder.close()

    assert code == 0
    assert "holds the write lock" in found["warning", "writing"][0]
    assert "fuser" in found["warning", "writing"][0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_that_may_not_be_written_is_a_warning(copied):
    """Reading works; the doctor says that recording would not."""
    copied.store.chmod(0o444)

    code, found = findings_of(copied)

    assert code == 0
    assert "may not be written" in found["warning", "writing"][0]


def test_a_damaged_database_is_a_problem(copied):
    """Overwritten pages are found, and the way to save the rest is shown."""
    connection = sqlite3.connect(copied.store)
    connection.execute("pragma wal_checkpoint(truncate)")
    connection.execute("pragma journal_mode = delete")
    connection.close()
    raw = bytearray(copied.store.read_bytes())
    raw[len(raw) // 2 : len(raw) - 4096] = b"\xa5" * (len(raw) - 4096 - len(raw) // 2)
    copied.store.write_bytes(raw)

    code, found = findings_of(copied)

    assert code == 3
    assert any(level == "problem" and subject in {"integrity", "store"} for level, subject in found)


def recorded_by_a_killed_process(store):
    """Return the pid of a process that recorded two points into a journal and was killed before it drained."""
    script = f"""
        import os, signal, otel_experiments as ox
        ox.configure(store={str(store)!r}, drain_s=3600, system_metrics_s=0, capture_git=False)
        run = ox.start_run("killed", experiment="digits")
        run.log({{"loss": 0.5}}, step=0)
        run.log({{"loss": 0.25}}, step=1)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], check=False, capture_output=True, text=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_a_journal_of_a_dead_process_is_told_with_what_merges_it(copied):
    """Bytes that a killed process left are counted, and nothing is lost."""
    recorded_by_a_killed_process(copied.store)

    code, found = findings_of(copied)

    assert code == 0
    assert "of processes that are gone" in found["note", "journals"][0]
    assert "Nothing is lost" in found["note", "journals"][0]


@pytest.mark.parametrize("is_stored", [False, True])
def test_only_bytes_that_are_not_stored_wait(tmp_path, is_stored):
    """What a living process has written counts from where the store has it on, and none of it is a dead one's."""
    path = tmp_path / "experiments.db"
    writer = JournalWriter(journal_directory(path))
    writer.append(b"x" * 3000)
    (segment,) = journal_directory(path).glob("*.oxj")
    header = unpack_header(segment.read_bytes()[:HEADER_SIZE_BYTES], path=str(segment))
    with open_store(path) as store:
        if is_stored:
            end = HEADER_SIZE_BYTES + 8 + 3000
            store.apply(WriteBatch(journal=[JournalAdvance(header.segment_id, 0, end)]))
        (finding,) = check_journals(path, store)
    writer.close()

    waiting = "0 B" if is_stored else "3.01 kB"
    assert (finding.level, finding.text) == (
        "ok",
        f"1 segments, 1 of living processes, {waiting} not stored yet.",
    )


def test_reading_brings_in_what_a_killed_process_left(copied):
    """The next command merges the journal: both points are there, the run is lost, the journal is gone."""
    recorded_by_a_killed_process(copied.store)

    (run,) = copied.json("runs", "--where", 'name == "killed"')["runs"]

    assert run["state"] == "lost"
    assert [(one["name"], one["count"], one["last"]) for one in run["metrics"]] == [("loss", 2, 0.25)]
    assert findings_of(copied)[1]["ok", "journals"] == ["None: everything recorded is in the store."]


def test_damage_is_told_on_stderr_and_the_rest_is_read(copied):
    """A journal that cannot be read whole does not keep anybody from reading the store."""
    folder = copied.store.with_name(copied.store.name + ".journals")
    folder.mkdir()
    (folder / "strange.oxj").write_bytes(b"no journal")
    os.utime(folder / "strange.oxj", (1, 1))  # too old to be in the making

    result = copied.run("runs", "--json")

    assert result.exit_code == 0
    assert "strange.oxj" in result.stderr
    assert "otel-experiments doctor" in result.stderr
    assert json.loads(result.stdout)["total"] == 6


def test_a_damaged_journal_is_a_warning(copied):
    """Bytes of a dead process's journal that do not make sense are named with their place."""
    recorded_by_a_killed_process(copied.store)
    (journal,) = copied.store.with_name(copied.store.name + ".journals").glob("*.oxj")
    raw = bytearray(journal.read_bytes())
    end = len(raw.rstrip(b"\0"))
    raw[end - 20 : end - 12] = b"\xff" * 8
    journal.write_bytes(raw)

    _, found = findings_of(copied)

    assert journal.name in found["warning", "journals"][0]


def test_a_file_among_the_journals_that_is_none_is_a_problem(copied):
    """A journal whose header does not hold is left as it is and named."""
    folder = copied.store.with_name(copied.store.name + ".journals")
    folder.mkdir()
    (folder / "strange.oxj").write_bytes(b"no journal")

    code, found = findings_of(copied)

    assert code == 3
    assert "strange.oxj" in found["problem", "journals"][0]


class Receiver(BaseHTTPRequestHandler):
    """Takes traces, does not serve logs, and is busy for metrics."""

    def do_POST(self):
        """Answer by the path."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response({"/v1/traces": 200, "/v1/metrics": 503}.get(self.path, 404))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


def test_otlp_says_whether_anything_answers(terminal):
    """Every signal's endpoint is sent an empty request: the answer is said, and that nothing is lost without one."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        endpoint = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        }
        answered = findings_of(terminal, **endpoint)
        server.shutdown()
    dead = [
        findings_of(terminal, **(endpoint | {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol}))
        for protocol in ("http/protobuf", "grpc")
    ]
    nonsense = findings_of(terminal, OTEL_EXPORTER_OTLP_ENDPOINT="http://host:port")

    target = f"127.0.0.1:{server.server_port}"
    assert answered[1]["ok", "otlp"] == [f"traces: {target} answers."]
    busy, unserved = answered[1]["warning", "otlp"]
    assert f"metrics: {target} answers, and takes none now (HTTP 503" in busy
    assert f"logs: {target} answers, and does not take them (HTTP 404" in unserved
    for _, found in dead:
        assert f"Nothing answers at {target}" in found["warning", "otlp"][0]
        assert "where traces, metrics, logs would go" in found["warning", "otlp"][0]
        assert "stored locally all the same" in found["warning", "otlp"][0]
    assert nonsense[0] == 3


@pytest.mark.parametrize(
    ("environment", "level", "text"),
    [
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
            "warning",
            "OTEL_EXPORTER_OTLP_PROTOCOL='http/json'",
        ),
        ({"OTEL_EXPORTER_OTLP_COMPRESSION": "zstd"}, "warning", "OTEL_EXPORTER_OTLP_COMPRESSION='zstd'"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h:99999"}, "problem", "no port between 1 and 65535"),
        ({"OTEL_SDK_DISABLED": "true"}, "ok", "nothing leaves this machine"),
        (
            {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")},
            "ok",
            "OTEL_*_EXPORTER says none: nothing leaves this machine",
        ),
    ],
)
def test_otlp_says_what_of_the_environment_counts(terminal, environment, level, text):
    """What a run would say once about the environment, the doctor says as well."""
    _, found = findings_of(terminal, **({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"} | environment))

    assert any(text in one for one in found[level, "otlp"])


@pytest.mark.parametrize(
    ("variable", "value", "level", "text"),
    [
        ("OTEL_EXPERIMENTS_DRAIN", "often", "problem", "OTEL_EXPERIMENTS_DRAIN='often'"),
        ("OTEL_EXPERIMENTS_STOER", "x.db", "warning", "OTEL_EXPERIMENTS_STOER is not a setting"),
        ("OTEL_EXPERIMENTS_ENABLED", "false", "warning", "Recording is turned off"),
        ("OTEL_SDK_DISABLED", "true", "warning", "OTEL_SDK_DISABLED"),
    ],
)
def test_settings_that_stand_in_the_way_are_named(terminal, variable, value, level, text):
    """A value that cannot be used, a misspelt name, and what turns recording off."""
    _, found = findings_of(terminal, **{variable: value})

    assert any(text in one for one in found[level, "settings"])


def test_no_store_at_all_is_a_note(terminal):
    """The setting "none" is respected."""
    code, found = findings_of(terminal, OTEL_EXPERIMENTS_STORE="none")

    assert code == 0
    assert "nothing is kept locally" in found["note", "store"][0]


def test_the_filesystem_of_a_folder_is_known(tmp_path):
    """On Linux the type of the filesystem comes from the mount table."""
    kind = filesystem_of(tmp_path)

    assert kind or sys.platform != "linux"
    assert filesystem_of(tmp_path / "not" / "there") == kind


def test_libraries_whose_spans_can_land_in_no_run_are_a_note(terminal):
    """Where instrumented libraries are installed, it is said what their spans need; set_global is enough."""
    pytest.importorskip("opentelemetry.instrumentation.sqlite3")
    _, without = findings_of(terminal)
    _, asked = findings_of(terminal, OTEL_EXPERIMENTS_SET_GLOBAL="true")

    (text,) = without["note", "libraries"]
    assert "sqlite3" in text
    assert "OTEL_EXPERIMENTS_SET_GLOBAL=true" in text
    assert "land in the current run" in asked["ok", "libraries"][0]


def test_variables_that_hand_a_run_or_a_job_on_are_no_misspelt_settings(terminal):
    """What `run.environment()` and a launcher set is known."""
    environ = {
        f"OTEL_EXPERIMENTS_{name}": "x" for name in ("RUN_ID", "RUN_NAME", "RANK", "JOB_ID", "THREAD_IDS")
    }
    _, found = findings_of(terminal, **environ)

    assert ("warning", "settings") not in found


def test_runs_without_an_experiment_are_counted_too(copied):
    """The number is that of `runs`, also where a received run names no experiment."""
    with open_store(copied.store) as store:
        run = next(iter(store.find_runs(RunQuery())))
        store.apply(WriteBatch(runs=[replace(run, run_id="ab" * 16, experiment="")]))

    _, found = findings_of(copied)

    assert f"{copied.json('runs')['total']} runs" in found["ok", "store"][0]
    assert "7 runs" in found["ok", "store"][0]
